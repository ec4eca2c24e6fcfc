//! A semaphore beside the model that is public.

use super::World;
use super::waiting::{Places, Waiting, assert_woken, place};
use arbitrary::Arbitrary;
use std::future::Future;
use std::task::Poll;
use wakeful::sim::models::{self, SemaphoreAnswer, SemaphoreOp};
use wakeful::sync::{AcquireError, OwnedPermit, Permit, Semaphore, TryAcquireError};

/// One step.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) enum Op {
    TryAcquire(u8),
    /// A future is put in a place, where another may have been.
    Start(u8, u8),
    Poll(u8, bool),
    Drop(u8),
    Release(u8),
    /// Some of the permits that are held together come back.
    ReleaseSome(u8, u8),
    ForgetHeld(u8),
    Add(u8),
    Forget(u8),
    SetTotal(u8),
    Close(u8),
}

type Acquiring = dyn Future<Output = Result<OwnedPermit, AcquireError>>;

/// A semaphore and its model.
pub(crate) struct Permits {
    real: Semaphore,
    model: models::Semaphore,
    total: usize,
    next: u64,
    places: Places<Acquiring>,
    asks: [usize; 6],
    held: Vec<OwnedPermit>,
}

impl Permits {
    fn answer(&mut self, op: SemaphoreOp, answer: SemaphoreAnswer) {
        assert_eq!(self.model.step(op), answer, "{op:?}");
    }

    /// Removes what is held together at `at`.
    fn take_held(&mut self, at: u8) -> Option<OwnedPermit> {
        let len = self.held.len();
        (len > 0).then(|| self.held.swap_remove(usize::from(at) % len))
    }
}

impl World for Permits {
    type Op = Op;

    fn new() -> Self {
        let (real, model) = (Semaphore::new(2), models::Semaphore::new(2));
        Self { real, model, total: 2, next: 0, places: Default::default(), asks: [0; 6], held: Vec::new() }
    }

    fn step(&mut self, op: Op) {
        let mut stepped = true;
        match op {
            Op::TryAcquire(asks) => {
                let asks = usize::from(asks) % 5;
                let answer = match self.real.try_acquire_many(asks) {
                    Ok(permit) => {
                        self.held.push(permit.into_owned());
                        SemaphoreAnswer::Done
                    }
                    Err(TryAcquireError::NoPermits) => SemaphoreAnswer::Wait,
                    Err(TryAcquireError::Closed) => SemaphoreAnswer::Closed,
                };
                self.answer(SemaphoreOp::TryAcquire(asks), answer);
            }
            Op::Start(at, asks) => {
                let (asks, who, real) = (usize::from(asks) % 5, self.next, self.real.clone());
                self.next += 1;
                let acquire = async move { real.acquire_many(asks).await.map(Permit::into_owned) };
                self.asks[usize::from(at) % 6] = asks;
                let old = place(&mut self.places, at).replace(Waiting::new(who, Box::pin(acquire)));
                match old {
                    Some(old) => {
                        let who = old.who;
                        drop(old);
                        self.answer(SemaphoreOp::Drop(who), SemaphoreAnswer::Done);
                    }
                    None => stepped = false,
                }
            }
            Op::Poll(at, new_waker) => {
                let asks = self.asks[usize::from(at) % 6];
                let Some(waiting) = place(&mut self.places, at) else { return };
                let who = waiting.who;
                let answer = match waiting.poll(new_waker) {
                    Poll::Ready(Ok(permit)) => {
                        assert_eq!(permit.count(), asks);
                        self.held.push(permit);
                        SemaphoreAnswer::Done
                    }
                    Poll::Ready(Err(AcquireError)) => SemaphoreAnswer::Closed,
                    Poll::Pending => SemaphoreAnswer::Wait,
                };
                if answer != SemaphoreAnswer::Wait {
                    *place(&mut self.places, at) = None;
                }
                self.answer(SemaphoreOp::Acquire(who, asks), answer);
            }
            Op::Drop(at) => {
                let Some(waiting) = place(&mut self.places, at).take() else { return };
                let who = waiting.who;
                drop(waiting);
                self.answer(SemaphoreOp::Drop(who), SemaphoreAnswer::Done);
            }
            Op::Release(at) => {
                let Some(permit) = self.take_held(at) else { return };
                let count = permit.count();
                drop(permit);
                self.answer(SemaphoreOp::Release(count), SemaphoreAnswer::Done);
            }
            Op::ReleaseSome(at, count) => {
                let Some(mut permit) = self.take_held(at) else { return };
                let part = permit.split(usize::from(count) % 5);
                if !self.held.is_empty() {
                    let other = self.held.swap_remove(0);
                    permit.merge(other).expect("they are of one semaphore");
                }
                self.held.push(permit);
                let Some(part) = part else { return };
                let count = part.count();
                drop(part);
                self.answer(SemaphoreOp::Release(count), SemaphoreAnswer::Done);
            }
            Op::ForgetHeld(at) => {
                let Some(permit) = self.take_held(at) else { return };
                let (count, owed) = (permit.count(), self.model.owed());
                permit.forget();
                // Forgotten instead of coming back: of what is owed, so much less.
                let paid = count.min(owed);
                self.total -= count - paid;
                self.answer(SemaphoreOp::Release(paid), SemaphoreAnswer::Done);
            }
            Op::Add(count) => {
                let count = usize::from(count) % 4;
                self.real.add_permits(count);
                self.total += count;
                self.answer(SemaphoreOp::Release(count), SemaphoreAnswer::Done);
            }
            Op::Forget(count) => {
                let count = usize::from(count) % 4;
                let forgot = self.real.forget_permits(count);
                self.total -= forgot;
                self.answer(SemaphoreOp::Forget(count), SemaphoreAnswer::Forgot(forgot));
            }
            Op::SetTotal(total) => {
                let (total, before) = (usize::from(total) % 6, self.total);
                self.real.set_total(total);
                self.total = total;
                let op = match before.checked_sub(total) {
                    Some(fewer) => SemaphoreOp::Shrink(fewer),
                    None => SemaphoreOp::Release(total - before),
                };
                self.answer(op, SemaphoreAnswer::Done);
            }
            // Not too often, as little happens afterwards.
            Op::Close(often) if often < 24 => {
                self.real.close();
                self.answer(SemaphoreOp::Close, SemaphoreAnswer::Done);
            }
            Op::Close(_) => return,
        }
        assert_woken(&self.places, if stepped { self.model.woken() } else { &[] });
        assert_eq!(self.real.available(), self.model.available());
        assert_eq!((self.real.total(), self.real.is_closed()), (self.total, self.model.is_closed()));
    }

    fn end(self) {
        let Self { real, total, places, held, .. } = self;
        drop(places);
        drop(held);
        assert_eq!(real.available(), total, "all permits come back");
    }
}
