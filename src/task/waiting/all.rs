//! Waiting for all.

use crate::task::set::FutureSet;
use alloc::vec::Vec;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

/// Outputs that come in any order, and go in that of their indices.
pub(super) struct InOrder<T>(Vec<Option<T>>);

impl<T> InOrder<T> {
    pub(super) fn new(count: usize) -> Self {
        Self((0..count).map(|_| None).collect())
    }

    pub(super) fn put(&mut self, index: usize, output: T) {
        if index >= self.0.len() {
            self.0.resize_with(index + 1, || None);
        }
        self.0[index] = Some(output);
    }

    /// All of them have come.
    pub(super) fn take(&mut self) -> Vec<T> {
        core::mem::take(&mut self.0).into_iter().flatten().collect()
    }
}

/// Waits for all futures, and gives their outputs in the order in which the futures were given.
///
/// There are no losers. What fails early is waited for like the rest: see [`try_join_all`] to give up then.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::task::join_all;
///
/// wakeful::sim::run(|sim| async move {
///     let time = sim.time();
///     let fetch = |seconds| {
///         let sleep = time.sleep(Duration::from_secs(seconds));
///         async move { (sleep.await, seconds).1 }
///     };
///     assert_eq!(join_all([3, 1, 2].map(fetch)).await, [3, 1, 2]);
///     assert_eq!(sim.now().as_nanos(), 3_000_000_000);
/// });
/// ```
#[track_caller]
pub fn join_all<F: Future>(futures: impl IntoIterator<Item = F>) -> JoinAll<F> {
    let set: FutureSet<F> = futures.into_iter().collect();
    JoinAll { outputs: InOrder::new(set.len()), set }
}

/// Waits for all of several futures; made by [`join_all`].
///
/// # Cancel safety
/// Dropping it drops the futures, and the outputs of those that were done.
///
/// # Panics
/// If a future does: at once, the others being dropped with this.
#[must_use = "it waits for nothing unless it is awaited"]
pub struct JoinAll<F: Future> {
    set: FutureSet<F>,
    outputs: InOrder<F::Output>,
}

impl<F: Future> Future for JoinAll<F> {
    type Output = Vec<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        while let Some((index, output)) = ready!(this.set.poll_join_next(cx)) {
            this.outputs.put(index, output);
        }
        Poll::Ready(this.outputs.take())
    }
}

impl<F: Future> Unpin for JoinAll<F> {}

impl<F: Future> fmt::Debug for JoinAll<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinAll").field("waits_for", &self.set.len()).finish_non_exhaustive()
    }
}

/// The first of several futures to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct FailedAt<E> {
    /// Which one, counted from 0.
    pub index: usize,
    /// Its error.
    pub error: E,
}

impl<E> FailedAt<E> {
    pub(super) fn new(index: usize, error: E) -> Self {
        Self { index, error }
    }
}

impl<E: fmt::Display> fmt::Display for FailedAt<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "number {} failed: {}", self.index, self.error)
    }
}

impl<E: core::error::Error + 'static> core::error::Error for FailedAt<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// Waits for all futures to return `Ok`, or for the first error.
///
/// The losers are those that were not done by then: they are dropped before the error is given, each one though
/// another's destructor panics. Children whose handles are waited for go on when these are dropped: for them there is
/// [`try_join_handles`](super::try_join_handles).
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::task::try_join_all;
///
/// wakeful::sim::run(|sim| async move {
///     let time = sim.time();
///     let fetch = |seconds| {
///         let sleep = time.sleep(Duration::from_secs(seconds));
///         async move {
///             sleep.await;
///             if seconds == 2 { Err("no such page") } else { Ok(seconds) }
///         }
///     };
///     let failed = try_join_all([3, 1, 2].map(fetch)).await.unwrap_err();
///     assert_eq!((failed.index, failed.error), (2, "no such page"));
///     assert_eq!(sim.now().as_nanos(), 2_000_000_000);
///     assert_eq!(try_join_all([3, 1].map(fetch)).await.unwrap(), [3, 1]);
/// });
/// ```
#[track_caller]
pub fn try_join_all<F, T, E>(futures: impl IntoIterator<Item = F>) -> TryJoinAll<F, T>
where
    F: Future<Output = Result<T, E>>,
{
    let set: FutureSet<F> = futures.into_iter().collect();
    TryJoinAll { outputs: InOrder::new(set.len()), set }
}

/// Waits for all of several futures, or for the first error; made by [`try_join_all`].
///
/// # Cancel safety
/// Dropping it drops the futures, and the outputs of those that were done.
///
/// # Errors
/// [`FailedAt`], with the first error.
///
/// # Panics
/// If a future does: at once, the others being dropped with this.
#[must_use = "it waits for nothing unless it is awaited"]
pub struct TryJoinAll<F, T> {
    set: FutureSet<F>,
    outputs: InOrder<T>,
}

impl<F: Future<Output = Result<T, E>>, T, E> Future for TryJoinAll<F, T> {
    type Output = Result<Vec<T>, FailedAt<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        while let Some((index, output)) = ready!(this.set.poll_join_next(cx)) {
            match output {
                Ok(output) => this.outputs.put(index, output),
                Err(error) => {
                    this.set.clear();
                    return Poll::Ready(Err(FailedAt::new(index, error)));
                }
            }
        }
        Poll::Ready(Ok(this.outputs.take()))
    }
}

impl<F, T> Unpin for TryJoinAll<F, T> {}

impl<F, T> fmt::Debug for TryJoinAll<F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryJoinAll").field("waits_for", &self.set.len()).finish_non_exhaustive()
    }
}
