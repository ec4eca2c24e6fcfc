//! Waiting for a task's output.

use crate::sys::probe::{self, Id};
use crate::sys::{Arc, Told};
use core::fmt;
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::{Context, Poll, Waker, ready};
use pin_project_lite::pin_project;

struct State<T> {
    output: Option<T>,
    end: End,
    waker: Option<Waker>,
}

/// How far a task is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    NotYet,
    Done,
    /// It was dropped before it was done.
    Dropped,
}

/// Waits for the output of a task; made by [`Sim::spawn`](super::Sim::spawn).
///
/// There is no error: a task that panics fails the whole run.
///
/// # Cancel safety
/// Dropping it lets the task go on by itself, and its output is dropped when it is done.
///
/// # Panics
/// If it is polled again after it was ready, or if the task was [dropped by a sweep](super::Builder::sweep): use
/// [`outcome`](Self::outcome) there.
///
/// # Examples
/// ```
/// wakeful::sim::run(|sim| async move {
///     let answer = sim.spawn("deep thought", async { 42 });
///     assert_eq!(answer.await, 42);
/// });
/// ```
pub struct JoinHandle<T> {
    state: Arc<Told<State<T>>>,
    id: Id,
}

/// Gives a handle the output of its task, or says that there will be none.
pub(super) struct Finish<T>(Option<Arc<Told<State<T>>>>);

impl<T> Finish<T> {
    pub(super) fn with(mut self, output: T) {
        self.end(End::Done, Some(output));
    }

    fn end(&mut self, end: End, output: Option<T>) {
        let waker = self.0.take().and_then(|state| {
            state.with(|state| {
                (state.end, state.output) = (end, output);
                state.waker.take()
            })
        });
        if let Some(waker) = waker {
            probe::firing(&waker);
            waker.wake();
        }
    }
}

impl<T> Drop for Finish<T> {
    fn drop(&mut self) {
        self.end(End::Dropped, None);
    }
}

pin_project! {
    /// A task's future, which gives its output to the handle. Once it is done it is dropped before anybody is told.
    ///
    /// Written by hand, since an `async` block would have room for it twice.
    pub(super) struct Finishing<F: Future> {
        #[pin]
        future: Option<F>,
        finish: Option<Finish<F::Output>>,
    }
}

impl<F: Future> Finishing<F> {
    pub(super) fn new(future: F, finish: Finish<F::Output>) -> Self {
        Self { future: Some(future), finish: Some(finish) }
    }
}

impl<F: Future> Future for Finishing<F> {
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let future = this.future.as_mut().as_pin_mut().expect("a task is not polled after its end");
        let output = ready!(future.poll(cx));
        this.future.set(None);
        if let Some(finish) = this.finish.take() {
            finish.with(output);
        }
        Poll::Ready(())
    }
}

impl<T> JoinHandle<T> {
    /// A handle, and what gives it the output.
    #[track_caller]
    pub(super) fn new() -> (Self, Finish<T>) {
        let state = Arc::new(Told::new(State { output: None, end: End::NotYet, waker: None }));
        (Self { state: state.clone(), id: Id::new() }, Finish(Some(state)))
    }

    /// Tells it apart from others of the run.
    pub(super) fn number(&self) -> u32 {
        self.id.number
    }

    /// Whether the task is done, or was dropped.
    pub fn is_finished(&self) -> bool {
        self.state.read(|state| state.end != End::NotYet)
    }

    /// Waits for the output of the task; `None` if it was dropped before it was done, as [`Builder::sweep`] drops tasks.
    ///
    /// # Cancel safety
    /// Dropping it lets the task go on by itself, and its output is dropped when it is done.
    ///
    /// [`Builder::sweep`]: super::Builder::sweep
    pub async fn outcome(self) -> Option<T> {
        poll_fn(|cx| self.poll_outcome(cx)).await
    }

    fn poll_outcome(&self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let waker = cx.waker().clone();
        probe::keeping(&waker);
        let (output, end, old) = self.state.with(|state| {
            let output = state.output.take();
            (output, state.end, state.waker.replace(waker))
        });
        drop(old);
        match end {
            End::NotYet => {
                probe::waiting("the end of a task", Some(self.id), u64::MAX);
                Poll::Pending
            }
            End::Dropped => Poll::Ready(None),
            End::Done => {
                assert!(output.is_some(), "a join handle was polled after it had been ready");
                Poll::Ready(output)
            }
        }
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        self.poll_outcome(cx).map(|output| match output {
            Some(output) => output,
            None => panic!("the task was dropped before it was done: wait for its `outcome`"),
        })
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").field("finished", &self.is_finished()).finish()
    }
}
