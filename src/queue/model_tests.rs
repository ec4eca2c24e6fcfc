//! Random operations against a model of the promises: a `VecDeque`, two lines, and counts.

use super::*;
use crate::sys::Arc;
use crate::sys::atomic::{AtomicUsize, Ordering};
use crate::sys::model::Random;
use crate::sys::waker::{Wake, waker};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::future::Future;
use core::pin::Pin;
use core::task::Poll::{Pending, Ready};
use core::task::{Context, Poll, Waker};

/// Counts its wake-ups.
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(this: &Arc<Self>) {
        this.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// An item that is counted while it lives.
#[derive(Debug, PartialEq, Eq)]
struct Item(u64, Arc<()>);

/// A future, polled with a waker that changes, and what the model says of it.
struct Actor<F> {
    future: Pin<Box<F>>,
    count: Arc<Count>,
    waker: Waker,
    /// Its number in the model, from its first pending poll on.
    id: u64,
    /// What it sends.
    value: u64,
    woken: usize,
}

impl<F: Future> Actor<F> {
    fn new(future: F, value: u64) -> Self {
        let count = Arc::new(Count(AtomicUsize::new(0)));
        Self { future: Box::pin(future), waker: waker(count.clone()), count, id: 0, value, woken: 0 }
    }

    fn poll(&mut self, random: &mut Random) -> Poll<F::Output> {
        if random.below(2) == 0 {
            self.count = Arc::new(Count(AtomicUsize::new(0)));
            self.waker = waker(self.count.clone());
            self.woken = 0;
        }
        self.future.as_mut().poll(&mut Context::from_waker(&self.waker))
    }

    /// Whether the waker of the last poll was woken since it was last asked.
    fn was_woken(&mut self) -> bool {
        let wakes = self.count.0.load(Ordering::Relaxed);
        core::mem::replace(&mut self.woken, wakes) != wakes
    }
}

/// What a waiter in the model may find at its next poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Granted,
    Dismissed,
}

/// The promises, in plain words of data.
struct Model {
    items: VecDeque<u64>,
    capacity: usize,
    permits: usize,
    closed: bool,
    /// Those who were told to wait, in order.
    senders: Vec<(u64, State)>,
    receivers: Vec<(u64, State)>,
    next: u64,
}

fn count(line: &[(u64, State)], state: State) -> usize {
    line.iter().filter(|waiter| waiter.1 == state).count()
}

fn find(line: &mut [(u64, State)], id: u64) -> Option<&mut State> {
    line.iter_mut().find(|waiter| waiter.0 == id).map(|waiter| &mut waiter.1)
}

impl Model {
    fn used(&self) -> usize {
        self.items.len() + self.permits + count(&self.senders, State::Granted)
    }

    fn done(&self) -> bool {
        self.closed && self.items.is_empty() && self.permits == 0
    }

    fn may_send(&self) -> bool {
        !self.closed && self.used() < self.capacity && count(&self.senders, State::Waiting) == 0
    }

    fn may_recv(&self) -> bool {
        self.items.len() > count(&self.receivers, State::Granted) && count(&self.receivers, State::Waiting) == 0
    }

    /// Serves who can be served, first come, first served.
    fn settle(&mut self) {
        let mut free = self.capacity.saturating_sub(self.used());
        let mut items = self.items.len().saturating_sub(count(&self.receivers, State::Granted));
        let (closed, done) = (self.closed, self.done());
        for (_, state) in self.senders.iter_mut().filter(|waiter| waiter.1 == State::Waiting) {
            if closed {
                *state = State::Dismissed;
            } else if free > 0 {
                *state = State::Granted;
                free -= 1;
            }
        }
        for (_, state) in self.receivers.iter_mut().filter(|waiter| waiter.1 == State::Waiting) {
            if items > 0 {
                *state = State::Granted;
                items -= 1;
            } else if done {
                *state = State::Dismissed;
            }
        }
    }

    /// A waiter is told to wait (again): its number.
    fn wait(line: &mut Vec<(u64, State)>, next: &mut u64, id: u64) -> u64 {
        line.retain(|waiter| waiter.0 != id);
        *next += 1;
        line.push((*next, State::Waiting));
        *next
    }
}

/// How a poll comes out.
#[derive(Debug, PartialEq, Eq)]
enum Out {
    Ok,
    Closed,
    Wait,
}

impl Model {
    /// What a poll or a `try_` for a slot finds. The slot is not used yet.
    fn slot(&mut self, id: u64, waits: bool) -> (Out, u64) {
        let state = find(&mut self.senders, id).copied();
        if state == Some(State::Waiting) {
            return (Out::Wait, id);
        }
        let may = self.may_send();
        if self.closed || may || state == Some(State::Granted) {
            self.senders.retain(|waiter| waiter.0 != id);
            return (if self.closed { Out::Closed } else { Out::Ok }, 0);
        }
        (Out::Wait, if waits { Self::wait(&mut self.senders, &mut self.next, id) } else { 0 })
    }

    /// What a poll or a `try_` for an item finds, with the item.
    fn item(&mut self, id: u64, waits: bool) -> (Out, u64, Option<u64>) {
        let state = find(&mut self.receivers, id).copied();
        if state == Some(State::Waiting) {
            return (Out::Wait, id, None);
        }
        let may = self.may_recv() || (state == Some(State::Granted) && !self.items.is_empty());
        self.receivers.retain(|waiter| waiter.0 != id);
        if may {
            return (Out::Ok, 0, self.items.pop_front());
        }
        if self.done() {
            return (Out::Closed, 0, None);
        }
        (Out::Wait, if waits { Self::wait(&mut self.receivers, &mut self.next, id) } else { 0 }, None)
    }

    fn leave(&mut self, id: u64) {
        self.senders.retain(|waiter| waiter.0 != id);
        self.receivers.retain(|waiter| waiter.0 != id);
    }
}

fn run(seed: u64) {
    let mut random = Random(seed);
    let alive = Arc::new(());
    let capacity = 1 + random.below(4);
    let (tx, rx) = bounded::<Item>(NonZeroUsize::new(capacity).unwrap());
    // The futures borrow these; the handles that are cloned and dropped are others.
    let (tx, rx) = (&tx, &rx);
    let mut model = Model {
        items: VecDeque::new(),
        capacity,
        permits: 0,
        closed: false,
        senders: Vec::new(),
        receivers: Vec::new(),
        next: 0,
    };
    let mut sends: Vec<Actor<SendItem<'_, Item>>> = Vec::new();
    let mut reserves: Vec<Actor<Reserve<'_, Item>>> = Vec::new();
    let mut recvs: Vec<Actor<Recv<'_, Item>>> = Vec::new();
    let mut permits: Vec<Permit<'_, Item>> = Vec::new();
    let mut handles: Vec<(Sender<Item>, Receiver<Item>)> = Vec::new();
    let mut value = 0;
    let ends_early = random.below(3) == 0;
    for step in 0..120 {
        value += 1;
        let item = |n: u64| Item(n, alive.clone());
        match random.below(17) {
            0 => {
                let out = match tx.try_send(item(value)) {
                    Ok(()) => Out::Ok,
                    Err(TrySendError::Full(Item(back, _))) if back == value => Out::Wait,
                    Err(TrySendError::Closed(Item(back, _))) if back == value => Out::Closed,
                    Err(_) => panic!("another value came back"),
                };
                assert_eq!(out, model.slot(0, false).0, "seed {seed} step {step}");
                if out == Out::Ok {
                    model.items.push_back(value);
                }
            }
            1 | 2 => {
                let (out, _, got) = model.item(0, false);
                match rx.try_recv() {
                    Ok(Item(n, _)) => assert_eq!((out, got), (Out::Ok, Some(n)), "seed {seed} step {step}"),
                    Err(TryRecvError::Empty) => assert_eq!(out, Out::Wait, "seed {seed} step {step}"),
                    Err(TryRecvError::Closed) => assert_eq!(out, Out::Closed, "seed {seed} step {step}"),
                }
            }
            3 | 4 => sends.push(Actor::new(tx.send(item(value)), value)),
            5 => reserves.push(Actor::new(tx.reserve(), 0)),
            6 | 7 => recvs.push(Actor::new(rx.recv(), 0)),
            8 | 9 if !sends.is_empty() => {
                let at = random.below(sends.len());
                let send = &mut sends[at];
                let polled = send.poll(&mut random);
                let (out, id) = model.slot(send.id, true);
                send.id = id;
                match polled {
                    Ready(Ok(())) => {
                        assert_eq!(out, Out::Ok, "seed {seed} step {step}");
                        model.items.push_back(send.value);
                    }
                    Ready(Err(SendError(Item(back, _)))) => {
                        assert_eq!((out, back), (Out::Closed, send.value), "seed {seed} step {step}");
                    }
                    Pending => assert_eq!(out, Out::Wait, "seed {seed} step {step}"),
                }
                if polled_is_ready(id) {
                    sends.remove(at);
                }
            }
            10 if !reserves.is_empty() => {
                let at = random.below(reserves.len());
                let reserve = &mut reserves[at];
                let polled = reserve.poll(&mut random);
                let (out, id) = model.slot(reserve.id, true);
                reserve.id = id;
                match polled {
                    Ready(Ok(permit)) => {
                        assert_eq!(out, Out::Ok, "seed {seed} step {step}");
                        permits.push(permit);
                        model.permits += 1;
                    }
                    Ready(Err(SendError(()))) => assert_eq!(out, Out::Closed, "seed {seed} step {step}"),
                    Pending => assert_eq!(out, Out::Wait, "seed {seed} step {step}"),
                }
                if polled_is_ready(id) {
                    reserves.remove(at);
                }
            }
            11 | 12 if !recvs.is_empty() => {
                let at = random.below(recvs.len());
                let recv = &mut recvs[at];
                let polled = recv.poll(&mut random);
                let (out, id, got) = model.item(recv.id, true);
                recv.id = id;
                match polled {
                    Ready(Ok(Item(n, _))) => assert_eq!((out, got), (Out::Ok, Some(n)), "seed {seed} step {step}"),
                    Ready(Err(RecvError)) => assert_eq!(out, Out::Closed, "seed {seed} step {step}"),
                    Pending => assert_eq!(out, Out::Wait, "seed {seed} step {step}"),
                }
                if polled_is_ready(id) {
                    recvs.remove(at);
                }
            }
            13 if !permits.is_empty() => {
                let permit = permits.remove(random.below(permits.len()));
                model.permits -= 1;
                if random.below(3) == 0 {
                    drop(permit);
                } else {
                    assert!(permit.send(item(value)).is_ok(), "seed {seed} step {step}");
                    model.items.push_back(value);
                }
            }
            14 => match random.below(4) {
                0 if !sends.is_empty() => model.leave(sends.remove(random.below(sends.len())).id),
                1 if !reserves.is_empty() => model.leave(reserves.remove(random.below(reserves.len())).id),
                2 if !recvs.is_empty() => model.leave(recvs.remove(random.below(recvs.len())).id),
                _ => {}
            },
            15 => {
                model.capacity = 1 + random.below(5);
                tx.set_capacity(NonZeroUsize::new(model.capacity).unwrap());
            }
            16 => match random.below(8) {
                0..=2 => handles.push((tx.clone(), rx.clone())),
                3..=5 => drop(handles.pop()),
                6 if ends_early && step > 60 => {
                    model.closed = true;
                    if random.below(2) == 0 { tx.close() } else { rx.close() }
                }
                7 if ends_early && step > 60 => {
                    model.closed = true;
                    let all: Vec<u64> = rx.shutdown().into_iter().map(|item| item.0).collect();
                    assert_eq!(core::mem::take(&mut model.items), all, "seed {seed} step {step}");
                }
                _ => {}
            },
            _ => {}
        }
        let before: Vec<_> = model.senders.iter().chain(&model.receivers).copied().collect();
        model.settle();
        // Whoever the model has just served was woken, by the waker of its last poll, and nobody else was.
        let mut all: Vec<(u64, bool)> = Vec::new();
        all.extend(sends.iter_mut().map(|actor| (actor.id, actor.was_woken())));
        all.extend(reserves.iter_mut().map(|actor| (actor.id, actor.was_woken())));
        all.extend(recvs.iter_mut().map(|actor| (actor.id, actor.was_woken())));
        for (id, woken) in all {
            let was = before.iter().find(|waiter| waiter.0 == id);
            let is = model.senders.iter().chain(&model.receivers).find(|waiter| waiter.0 == id);
            let served = was.is_some_and(|was| was.1 == State::Waiting) && is != was;
            assert_eq!(woken, served, "seed {seed} step {step}: waiter {id} was {was:?}, is {is:?}");
        }
        assert_eq!((tx.len(), tx.is_closed()), (model.items.len(), model.closed), "seed {seed} step {step}");
        let waiting = count(&model.senders, State::Waiting) + count(&model.receivers, State::Waiting);
        assert_eq!(rx.queue().with(|held| held.validate()), waiting, "seed {seed} step {step}");
    }
    drop(handles);
    // Every item is in the queue or in a send that is still there.
    assert_eq!(Arc::strong_count(&alive) - 1, model.items.len() + sends.len(), "seed {seed}");
}

/// A number of zero: the future is done.
fn polled_is_ready(id: u64) -> bool {
    id == 0
}

#[test]
fn random_operations_do_as_the_model_says() {
    for seed in 0..3_000 {
        run(seed);
    }
}
