//! A capacity limiter beside a list of holders and a line.

use super::World;
use super::waiting::{Places, Waiting, assert_woken, place};
use arbitrary::Arbitrary;
use std::future::Future;
use std::task::Poll;
use wakeful::sync::{CapacityLimiter, DoubleBorrow, Token, TryAcquireTokenError};

/// One step.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) enum Op {
    TryAcquire(u8),
    /// A future for a borrower is put in a place, where another may have been.
    Start(u8, u8),
    Poll(u8, bool),
    Drop(u8),
    Release(u8),
    SetTotal(u8),
}

type Acquiring = dyn Future<Output = Result<Token<u8>, DoubleBorrow<u8>>>;

/// What must be.
struct Model {
    total: usize,
    /// The keys of those who hold a token, or were granted one.
    holders: Vec<u8>,
    /// The futures that wait, and for whom.
    line: Vec<(u64, u8)>,
    /// The futures that were granted a token and have not been polled since.
    granted: Vec<(u64, u8)>,
    woken: Vec<u64>,
}

impl Model {
    fn is_double(&self, key: u8) -> bool {
        self.holders.contains(&key) || self.line.iter().any(|(_, waits)| *waits == key)
    }

    fn is_free(&self) -> bool {
        self.holders.len() < self.total && self.line.is_empty()
    }

    fn release(&mut self, key: u8) {
        let at = self.holders.iter().position(|holder| *holder == key).expect("it holds a token");
        self.holders.swap_remove(at);
    }

    fn leave(&mut self, who: u64) {
        self.line.retain(|(waits, _)| *waits != who);
        if let Some(at) = self.granted.iter().position(|(granted, _)| *granted == who) {
            let (_, key) = self.granted.swap_remove(at);
            self.release(key);
        }
    }

    fn settle(&mut self) {
        while self.holders.len() < self.total && !self.line.is_empty() {
            let first = self.line.remove(0);
            self.holders.push(first.1);
            self.granted.push(first);
            self.woken.push(first.0);
        }
    }
}

/// A limiter and its model.
pub(crate) struct Tokens {
    real: CapacityLimiter<u8>,
    model: Model,
    next: u64,
    places: Places<Acquiring>,
    keys: [u8; 6],
    held: Vec<Token<u8>>,
}

impl World for Tokens {
    type Op = Op;

    fn new() -> Self {
        let model = Model { total: 2, holders: Vec::new(), line: Vec::new(), granted: Vec::new(), woken: Vec::new() };
        let real = CapacityLimiter::new(2);
        Self { real, model, next: 0, places: Default::default(), keys: [0; 6], held: Vec::new() }
    }

    fn step(&mut self, op: Op) {
        let model = &mut self.model;
        model.woken.clear();
        match op {
            Op::TryAcquire(key) => {
                let key = key % 8;
                let expected = match (model.is_double(key), model.is_free()) {
                    (true, _) => Err(TryAcquireTokenError::DoubleBorrow(key)),
                    (false, false) => Err(TryAcquireTokenError::Full(key)),
                    (false, true) => Ok(()),
                };
                let got = self.real.try_acquire(key).map(|token| self.held.push(token));
                assert_eq!(got, expected);
                if expected.is_ok() {
                    model.holders.push(key);
                }
            }
            Op::Start(at, key) => {
                let (key, who, real) = (key % 8, self.next, self.real.clone());
                self.next += 1;
                let acquire = async move { real.acquire(key).await };
                self.keys[usize::from(at) % 6] = key;
                let old = place(&mut self.places, at).replace(Waiting::new(who, Box::pin(acquire)));
                if let Some(old) = old {
                    model.leave(old.who);
                }
            }
            Op::Poll(at, new_waker) => {
                let key = self.keys[usize::from(at) % 6];
                let place = place(&mut self.places, at);
                let Some(waiting) = place else { return };
                let who = waiting.who;
                let was_granted = model.granted.iter().any(|(granted, _)| *granted == who);
                let expected = if was_granted {
                    model.granted.retain(|(granted, _)| *granted != who);
                    Poll::Ready(Ok(()))
                } else if model.line.iter().any(|(waits, _)| *waits == who) {
                    Poll::Pending
                } else if model.is_double(key) {
                    Poll::Ready(Err(DoubleBorrow(key)))
                } else if model.is_free() {
                    model.holders.push(key);
                    Poll::Ready(Ok(()))
                } else {
                    model.line.push((who, key));
                    Poll::Pending
                };
                let got = waiting.poll(new_waker).map_ok(|token| {
                    assert_eq!(*token.borrower(), key);
                    self.held.push(token);
                });
                assert_eq!(got, expected);
                if got.is_ready() {
                    *place = None;
                }
            }
            Op::Drop(at) => {
                let Some(waiting) = place(&mut self.places, at).take() else { return };
                model.leave(waiting.who);
            }
            Op::Release(at) => {
                let len = self.held.len();
                if len == 0 {
                    return;
                }
                let token = self.held.swap_remove(usize::from(at) % len);
                model.release(*token.borrower());
            }
            Op::SetTotal(total) => {
                model.total = usize::from(total) % 5;
                self.real.set_total(model.total);
            }
        }
        model.settle();
        assert_woken(&self.places, &model.woken);
        let sorted = |mut keys: Vec<u8>| {
            keys.sort_unstable();
            keys
        };
        assert_eq!(sorted(self.real.holders()), sorted(model.holders.clone()));
        assert_eq!(sorted(self.real.waiters()), sorted(model.line.iter().map(|(_, key)| *key).collect()));
        assert_eq!((self.real.total(), self.real.borrowed()), (model.total, model.holders.len()));
        assert_eq!(self.real.waiting(), model.line.len());
    }

    fn end(self) {
        let Self { real, places, held, .. } = self;
        drop(places);
        drop(held);
        assert_eq!((real.borrowed(), real.waiting()), (0, 0));
    }
}
