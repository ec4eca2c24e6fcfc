//! Random operations against the public model of the promises.

use super::*;
use crate::sys::Arc;
use crate::sys::atomic::{AtomicUsize, Ordering};
use crate::sys::model::Random;
use crate::sys::waker::{Wake, waker};
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::future::Future;
use core::num::NonZeroUsize;
use core::pin::Pin;
use core::task::Poll::{Pending, Ready};
use core::task::{Context, Poll, Waker};
use wakeful::sim::models::{Queue, QueueAnswer, QueueOp};

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
    /// Its number in the model, and what it sends if it does.
    id: u64,
    woken: usize,
}

impl<F: Future> Actor<F> {
    fn new(future: F, id: u64) -> Self {
        let count = Arc::new(Count(AtomicUsize::new(0)));
        Self { future: Box::pin(future), waker: waker(count.clone()), count, id, woken: 0 }
    }

    fn poll(&mut self, random: &mut Random) -> Poll<F::Output> {
        if random.below(2) == 0 {
            self.count = Arc::new(Count(AtomicUsize::new(0)));
            self.waker = waker(self.count.clone());
            self.woken = 0;
        }
        self.future.as_mut().poll(&mut Context::from_waker(&self.waker))
    }

    /// Its number, if the waker of the last poll was woken since it was last asked.
    fn woken_since(&mut self) -> Option<u64> {
        let wakes = self.count.0.load(Ordering::Relaxed);
        (core::mem::replace(&mut self.woken, wakes) != wakes).then_some(self.id)
    }
}

/// How a future of the queue comes out, in the model's words.
fn answer<T, E>(polled: Poll<Result<T, E>>, ok: impl FnOnce(T) -> QueueAnswer<u64>) -> QueueAnswer<u64> {
    match polled {
        Ready(Ok(value)) => ok(value),
        Ready(Err(_)) => QueueAnswer::Closed,
        Pending => QueueAnswer::Wait,
    }
}

/// Takes out one of `actors`.
fn any<F>(actors: &mut Vec<Actor<F>>, random: &mut Random) -> Option<Actor<F>> {
    let at = (!actors.is_empty()).then(|| random.below(actors.len()))?;
    Some(actors.swap_remove(at))
}

fn run(seed: u64) {
    let mut random = Random(seed);
    let alive = Arc::new(());
    let capacity = 1 + random.below(4);
    let (tx, rx) = bounded::<Item>(NonZeroUsize::new(capacity).unwrap());
    // The futures borrow these; the handles that are cloned and dropped are others.
    let (tx, rx) = (&tx, &rx);
    let mut model = Queue::new(capacity);
    let mut sends: Vec<Actor<SendItem<'_, Item>>> = Vec::new();
    let mut reserves: Vec<Actor<Reserve<'_, Item>>> = Vec::new();
    let mut recvs: Vec<Actor<Recv<'_, Item>>> = Vec::new();
    let mut permits: Vec<Permit<'_, Item>> = Vec::new();
    let mut handles: Vec<(Sender<Item>, Receiver<Item>)> = Vec::new();
    let ends_early = random.below(3) == 0;
    for step in 0..120 {
        let value = step + 1;
        let item = |n: u64| Item(n, alive.clone());
        // What was done, and what came of it.
        let done = match random.below(17) {
            0 => {
                let out = match tx.try_send(item(value)) {
                    Ok(()) => QueueAnswer::Done,
                    Err(TrySendError::Full(Item(back, _))) if back == value => QueueAnswer::Wait,
                    Err(TrySendError::Closed(Item(back, _))) if back == value => QueueAnswer::Closed,
                    Err(_) => panic!("another value came back"),
                };
                Some((QueueOp::TrySend(value), out))
            }
            1 | 2 => {
                let out = match rx.try_recv() {
                    Ok(Item(n, _)) => QueueAnswer::Item(n),
                    Err(TryRecvError::Empty) => QueueAnswer::Wait,
                    Err(TryRecvError::Closed) => QueueAnswer::Closed,
                };
                Some((QueueOp::TryRecv, out))
            }
            3 | 4 => {
                sends.push(Actor::new(tx.send(item(value)), value));
                None
            }
            5 => {
                reserves.push(Actor::new(tx.reserve(), value));
                None
            }
            6 | 7 => {
                recvs.push(Actor::new(rx.recv(), value));
                None
            }
            8 | 9 => any(&mut sends, &mut random).map(|mut send| {
                let polled = send.poll(&mut random);
                if let Ready(Err(SendError(Item(back, _)))) = &polled {
                    assert_eq!(*back, send.id, "seed {seed} step {step}");
                }
                let (op, out) = (QueueOp::Send(send.id, send.id), answer(polled, |()| QueueAnswer::Done));
                sends.extend((out == QueueAnswer::Wait).then_some(send));
                (op, out)
            }),
            10 => any(&mut reserves, &mut random).map(|mut reserve| {
                let polled = reserve.poll(&mut random);
                let out = answer(polled, |permit| {
                    permits.push(permit);
                    QueueAnswer::Done
                });
                let op = QueueOp::Reserve(reserve.id);
                reserves.extend((out == QueueAnswer::Wait).then_some(reserve));
                (op, out)
            }),
            11 | 12 => any(&mut recvs, &mut random).map(|mut recv| {
                let out = answer(recv.poll(&mut random), |Item(n, _)| QueueAnswer::Item(n));
                let op = QueueOp::Recv(recv.id);
                recvs.extend((out == QueueAnswer::Wait).then_some(recv));
                (op, out)
            }),
            13 if !permits.is_empty() => {
                let permit = permits.remove(random.below(permits.len()));
                if random.below(3) == 0 {
                    drop(permit);
                    Some((QueueOp::Waive, QueueAnswer::Done))
                } else {
                    assert!(permit.send(item(value)).is_ok(), "seed {seed} step {step}");
                    Some((QueueOp::Fill(value), QueueAnswer::Done))
                }
            }
            14 => {
                let left = match random.below(4) {
                    0 => any(&mut sends, &mut random).map(|actor| actor.id),
                    1 => any(&mut reserves, &mut random).map(|actor| actor.id),
                    2 => any(&mut recvs, &mut random).map(|actor| actor.id),
                    _ => None,
                };
                left.map(|id| (QueueOp::Drop(id), QueueAnswer::Done))
            }
            15 => {
                let capacity = 1 + random.below(5);
                tx.set_capacity(NonZeroUsize::new(capacity).unwrap());
                Some((QueueOp::Resize(capacity), QueueAnswer::Done))
            }
            16 => match random.below(8) {
                0..=2 => {
                    handles.push((tx.clone(), rx.clone()));
                    None
                }
                3..=5 => {
                    drop(handles.pop());
                    None
                }
                6 if ends_early && step > 60 => {
                    if random.below(2) == 0 {
                        tx.close()
                    } else {
                        rx.close()
                    }
                    Some((QueueOp::Close, QueueAnswer::Done))
                }
                7 if ends_early && step > 60 => {
                    let all = rx.shutdown().into_iter().map(|item| item.0).collect();
                    Some((QueueOp::Shutdown, QueueAnswer::Items(all)))
                }
                _ => None,
            },
            _ => None,
        };
        let mut served = BTreeSet::new();
        if let Some((op, out)) = &done {
            assert_eq!(model.step(op.clone()), *out, "seed {seed} step {step}: {op:?}");
            served.extend(model.woken());
        }
        // Whoever the model has just served was woken, by the waker of its last poll, and nobody else was.
        let mut woken = BTreeSet::new();
        woken.extend(sends.iter_mut().filter_map(Actor::woken_since));
        woken.extend(reserves.iter_mut().filter_map(Actor::woken_since));
        woken.extend(recvs.iter_mut().filter_map(Actor::woken_since));
        assert_eq!(woken, served, "seed {seed} step {step}: {done:?}");
        assert_eq!((tx.len(), tx.is_closed()), (model.len(), model.is_closed()), "seed {seed} step {step}");
        assert_eq!(rx.queue().with(|held| held.validate()), model.waiting(), "seed {seed} step {step}");
    }
    drop(handles);
    // Every item is in the queue or in a send that is still there.
    assert_eq!(Arc::strong_count(&alive) - 1, model.len() + sends.len(), "seed {seed}");
}

#[test]
fn random_operations_do_as_the_model_says() {
    for seed in 0..3_000 {
        run(seed);
    }
}
