//! The public reference models, against implementations that others wrote.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use wakeful::sim::Rng;
use wakeful::sim::models::{self, SemaphoreAnswer, SemaphoreOp};

/// Counts its wake-ups.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// A future that acquires, with its number and its waker's count.
struct Waiting {
    who: u64,
    asks: usize,
    future: Pin<Box<dyn Future<Output = Result<OwnedSemaphorePermit, AcquireError>>>>,
    wakes: Arc<Count>,
}

fn against_tokio(seed: u64) {
    let mut rng = Rng::new(seed);
    let permits = rng.below(5);
    let (real, mut model) = (Arc::new(Semaphore::new(permits)), models::Semaphore::new(permits));
    let (mut waiting, mut held): (Vec<Waiting>, Vec<OwnedSemaphorePermit>) = (Vec::new(), Vec::new());
    for step in 0..150 {
        let asks = 1 + rng.below(3);
        let done = match rng.below(10) {
            0 => {
                let out = match real.clone().try_acquire_many_owned(asks as u32) {
                    Ok(permit) => {
                        held.push(permit);
                        SemaphoreAnswer::Done
                    }
                    Err(tokio::sync::TryAcquireError::NoPermits) => SemaphoreAnswer::Wait,
                    Err(tokio::sync::TryAcquireError::Closed) => SemaphoreAnswer::Closed,
                };
                Some((SemaphoreOp::TryAcquire(asks), out))
            }
            1..=3 => {
                let future = Box::pin(real.clone().acquire_many_owned(asks as u32));
                waiting.push(Waiting { who: step, asks, future, wakes: Arc::default() });
                None
            }
            4..=6 if !waiting.is_empty() => {
                let at = rng.below(waiting.len());
                let Waiting { who, asks, future, wakes } = &mut waiting[at];
                let (who, asks, waker) = (*who, *asks, Waker::from(wakes.clone()));
                let out = match future.as_mut().poll(&mut Context::from_waker(&waker)) {
                    Poll::Ready(Ok(permit)) => {
                        held.push(permit);
                        SemaphoreAnswer::Done
                    }
                    Poll::Ready(Err(_)) => SemaphoreAnswer::Closed,
                    Poll::Pending => SemaphoreAnswer::Wait,
                };
                if out != SemaphoreAnswer::Wait {
                    waiting.remove(at);
                }
                Some((SemaphoreOp::Acquire(who, asks), out))
            }
            7 if !waiting.is_empty() => {
                let gone = waiting.remove(rng.below(waiting.len()));
                Some((SemaphoreOp::Drop(gone.who), SemaphoreAnswer::Done))
            }
            8 if !held.is_empty() => {
                let permit = held.remove(rng.below(held.len()));
                Some((SemaphoreOp::Release(permit.num_permits()), SemaphoreAnswer::Done))
            }
            9 if step > 100 && rng.below(8) == 0 => {
                real.close();
                Some((SemaphoreOp::Close, SemaphoreAnswer::Done))
            }
            // What is free while somebody waits is set aside there for the first in line, who keeps it when a close
            // dismisses it, until its next poll: so it can't be forgotten.
            9 if model.waiting() == 0 && !model.is_closed() => {
                let forgot = real.forget_permits(asks);
                Some((SemaphoreOp::Forget(asks), SemaphoreAnswer::Forgot(forgot)))
            }
            _ => None,
        };
        let mut served: Vec<u64> = Vec::new();
        if let Some((op, out)) = done {
            assert_eq!(model.step(op), out, "seed {seed} step {step}: {op:?}");
            served.extend(model.woken());
            served.sort_unstable();
        }
        let woken = waiting.iter().filter(|waiting| waiting.wakes.0.swap(0, Relaxed) > 0);
        assert_eq!(woken.map(|waiting| waiting.who).collect::<Vec<_>>(), served, "seed {seed} step {step}: {done:?}");
        if model.waiting() == 0 && !model.is_closed() {
            assert_eq!(real.available_permits(), model.available(), "seed {seed} step {step}");
        }
    }
}

#[test]
fn the_semaphore_agrees_with_tokios() {
    for seed in 0..2_000 {
        against_tokio(seed);
    }
}
