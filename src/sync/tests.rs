//! The promises of the room's front door, with futures polled by hand.

mod barriers;
mod capacity;
mod channels;
mod conditions;
mod events;
mod meanwhile;
mod notifies;
mod semaphores;

use crate::sys::Arc;
use crate::sys::atomic::{AtomicUsize, Ordering};
use crate::sys::waker::hooked::{Act, counter, hooked};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::future::Future;
use core::pin::Pin;
use core::task::Poll::{Pending, Ready};
use core::task::{Context, Poll, Waker};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A future with a waker of its own.
struct Task<F> {
    future: Pin<Box<F>>,
    count: Arc<AtomicUsize>,
    waker: Waker,
}

impl<F: Future> Task<F> {
    fn new(future: F) -> Self {
        let (count, waker) = counter();
        Self { future: Box::pin(future), count, waker }
    }

    /// A future that waits already.
    fn waiting(future: F) -> Self {
        let mut task = Self::new(future);
        assert!(task.poll().is_pending());
        task
    }

    fn poll(&mut self) -> Poll<F::Output> {
        self.future.as_mut().poll(&mut Context::from_waker(&self.waker))
    }

    /// Polls with another waker, and calls `f` between the look without the lock and the one with it.
    fn poll_meanwhile(&mut self, f: impl Fn() + Send + Sync + 'static) -> Poll<F::Output> {
        let called = AtomicUsize::new(0);
        let waker = hooked(move |act| {
            if act == Act::Clone && called.fetch_add(1, Ordering::Relaxed) == 0 {
                f();
            }
        });
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }

    /// What it comes to, having been woken for that.
    #[track_caller]
    fn woken(mut self) -> F::Output {
        assert_ne!(self.wakes(), 0, "not woken");
        match self.poll() {
            Ready(output) => output,
            Pending => panic!("woken for nothing"),
        }
    }

    fn wakes(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}

/// What a future comes to that need not wait.
#[track_caller]
fn now<F: Future>(future: F) -> F::Output {
    match Task::new(future).poll() {
        Ready(output) => output,
        Pending => panic!("has to wait"),
    }
}

/// Whether a future has to wait, which is dropped then.
fn waits<F: Future>(future: F) -> bool {
    Task::new(future).poll().is_pending()
}

/// How often each was woken.
fn wakes<F: Future>(tasks: &[Task<F>]) -> Vec<usize> {
    tasks.iter().map(Task::wakes).collect()
}

/// Polls once with a waker that calls `f` when it is woken.
fn poll_with<F: Future>(future: Pin<&mut F>, f: impl Fn() + Send + Sync + 'static) -> Poll<F::Output> {
    let waker = hooked(move |act| {
        if act == Act::Wake {
            f();
        }
    });
    future.poll(&mut Context::from_waker(&waker))
}

/// Checks what holds for whatever lets go many at once: a waker that panics leaves nobody asleep, in a line so long that
/// it does not leave the lock in one go. Says whether the panic came out.
fn a_waker_that_panics_leaves_nobody_asleep<F: Future>(wait: impl Fn() -> F, let_go: impl FnOnce()) -> bool {
    let mut bad = Box::pin(wait());
    assert!(poll_with(bad.as_mut(), || panic!("a waker that panics")).is_pending());
    let mut rest: Vec<_> = (0..100).map(|_| Task::waiting(wait())).collect();
    let came_out = catch_unwind(AssertUnwindSafe(let_go)).is_err();
    assert!(rest.iter().all(|task| task.wakes() == 1));
    assert!(rest.iter_mut().all(|task| task.poll().is_ready()));
    came_out
}

#[test]
fn handles_guards_and_futures_go_to_other_threads() {
    use super::*;
    use core::cell::Cell;

    fn is<T: Send + Sync>(_: &T) {}
    fn goes<T: Send>(_: &T) {}
    let semaphore = Semaphore::new(2);
    is(&semaphore.acquire());
    is(&semaphore.try_acquire().unwrap());
    is(&semaphore.try_acquire().unwrap().into_owned());
    let limiter = CapacityLimiter::new(1);
    is(&limiter.acquire(1));
    is(&limiter.try_acquire(1).unwrap());
    is(&Event::new().wait());
    is(&Notify::new().notified());
    is(&Latch::new(1));
    is(&WaitGroup::new().add());
    is(&Barrier::new(core::num::NonZeroUsize::MIN).wait());
    is(&Condition::new().wait(1, || core::future::ready(1)));
    let (mut tx, mut rx) = oneshot::channel::<Cell<u8>>();
    is(&tx.closed());
    is(&rx.recv());
    goes(&tx);
    let (tx, mut rx) = watch::channel(1);
    is(&tx.closed());
    is(&rx.changed());
    is(&rx.latest());
}
