//! Waiting for a task's output.

use crate::sys::probe::{self, Id};
use crate::sys::{Arc, Lock};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

struct State<T> {
    output: Option<T>,
    done: bool,
    waker: Option<Waker>,
}

/// Waits for the output of a task; made by [`Sim::spawn`](super::Sim::spawn).
///
/// There is no error: a task that panics fails the whole run.
///
/// # Cancel safety
/// Dropping it lets the task go on by itself, and its output is dropped when it is done.
///
/// # Panics
/// If it is polled again after it was ready.
///
/// # Examples
/// ```
/// wakeful::sim::run(|sim| async move {
///     let answer = sim.spawn("deep thought", async { 42 });
///     assert_eq!(answer.await, 42);
/// });
/// ```
pub struct JoinHandle<T> {
    state: Arc<Lock<State<T>>>,
    id: Id,
}

impl<T> JoinHandle<T> {
    /// A handle, and the function that gives it the output.
    #[track_caller]
    pub(super) fn new() -> (Self, impl FnOnce(T) + use<T>) {
        let state = Arc::new(Lock::new(State { output: None, done: false, waker: None }));
        let task = state.clone();
        let finish = move |output| {
            let waker = task.with(|state| {
                state.output = Some(output);
                state.done = true;
                state.waker.take()
            });
            if let Some(waker) = waker {
                waker.wake();
            }
        };
        (Self { state, id: Id::new() }, finish)
    }

    /// Whether the task is done.
    pub fn is_finished(&self) -> bool {
        self.state.with(|state| state.done)
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let waker = cx.waker().clone();
        let (output, done, old) = self.state.with(|state| {
            let output = state.output.take();
            (output, state.done, state.waker.replace(waker))
        });
        drop(old);
        if let Some(output) = output {
            return Poll::Ready(output);
        }
        assert!(!done, "a join handle was polled after it had been ready");
        probe::waiting("the end of a task", Some(self.id), u64::MAX);
        Poll::Pending
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").field("finished", &self.is_finished()).finish()
    }
}
