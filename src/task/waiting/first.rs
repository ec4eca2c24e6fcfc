//! Waiting for the first.

use crate::task::set::FutureSet;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

/// Waits for the first future that is done, and gives its index and output; nothing, if there are no futures.
///
/// The losers are dropped before that is given, each one though another's destructor panics; children whose handles are
/// dropped go on, unless these [cancel them](crate::task::Handle::cancel_on_drop). To keep the losers, take
/// [`first_completed`]. Of several that are ready at once the earliest given wins.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::task::race;
///
/// wakeful::sim::run(|sim| async move {
///     let time = sim.time();
///     let mirror = |seconds| time.sleep(Duration::from_secs(seconds));
///     let (fastest, ()) = race([9, 2, 5].map(mirror)).await.unwrap();
///     assert_eq!((fastest, sim.now().as_nanos(), time.pending()), (1, 2_000_000_000, 0));
/// });
/// ```
#[track_caller]
pub fn race<F: Future>(futures: impl IntoIterator<Item = F>) -> Race<F> {
    Race { set: futures.into_iter().collect() }
}

/// Waits for the first of several futures, and drops the others; made by [`race`].
///
/// # Cancel safety
/// Dropping it drops the futures.
///
/// # Panics
/// If a future does before one is done: at once, the others being dropped with this.
#[must_use = "it waits for nothing unless it is awaited"]
pub struct Race<F> {
    set: FutureSet<F>,
}

impl<F: Future> Future for Race<F> {
    type Output = Option<(usize, F::Output)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let first = ready!(self.set.poll_join_next(cx));
        self.set.clear();
        Poll::Ready(first)
    }
}

impl<F> fmt::Debug for Race<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Race").field("waits_for", &self.set.len()).finish_non_exhaustive()
    }
}

/// Waits for the first future that is done, and gives back the others; nothing, if there are no futures.
///
/// The losers are in [`First::rest`], with their indices: to be waited for, or to be dropped. Of several that are ready at
/// once the earliest given wins.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::task::first_completed;
///
/// wakeful::sim::run(|sim| async move {
///     let time = sim.time();
///     let mirror = |seconds| time.sleep(Duration::from_secs(seconds));
///     let mut first = first_completed([9, 2, 5].map(mirror)).await.unwrap();
///     assert_eq!((first.index, first.rest.len()), (1, 2));
///     assert_eq!(first.rest.join_next().await, Some((2, ())));
/// });
/// ```
#[track_caller]
pub fn first_completed<F: Future>(futures: impl IntoIterator<Item = F>) -> FirstCompleted<F> {
    FirstCompleted { set: futures.into_iter().collect() }
}

/// Waits for the first of several futures, and gives back the others; made by [`first_completed`].
///
/// # Cancel safety
/// Dropping it drops the futures.
///
/// # Panics
/// If a future does before one is done: at once, the others being dropped with this.
#[must_use = "it waits for nothing unless it is awaited"]
pub struct FirstCompleted<F> {
    set: FutureSet<F>,
}

/// The first of several futures that was done, and the others.
#[non_exhaustive]
pub struct First<F: Future> {
    /// Which one, counted from 0.
    pub index: usize,
    /// Its output.
    pub output: F::Output,
    /// Those that are not done.
    pub rest: FutureSet<F>,
}

impl<F: Future> Future for FirstCompleted<F> {
    type Output = Option<First<F>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let first = ready!(self.set.poll_join_next(cx));
        let rest = core::mem::take(&mut self.set);
        Poll::Ready(first.map(|(index, output)| First { index, output, rest }))
    }
}

impl<F> fmt::Debug for FirstCompleted<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FirstCompleted").field("waits_for", &self.set.len()).finish_non_exhaustive()
    }
}

impl<F: Future<Output: fmt::Debug>> fmt::Debug for First<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { index, output, rest } = self;
        f.debug_struct("First").field("index", index).field("output", output).field("rest", rest).finish()
    }
}

/// Gives outputs as the futures are done, each with the index of its future: a [`FutureSet`] of them, which is a stream.
///
/// The losers are those that are not done when the set is dropped, after a `break` for instance: they are dropped with it.
/// Children whose handles are dropped go on, unless these [cancel them](crate::task::Handle::cancel_on_drop).
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::task::as_completed;
///
/// wakeful::sim::run(|sim| async move {
///     let time = sim.time();
///     let mirror = |seconds| time.sleep(Duration::from_secs(seconds));
///     let (mut order, mut completed) = (Vec::new(), as_completed([9, 2, 5].map(mirror)));
///     while let Some((index, ())) = completed.join_next().await {
///         order.push(index);
///         if order.len() == 2 {
///             break;
///         }
///     }
///     drop(completed);
///     assert_eq!((order, time.pending()), (vec![1, 2], 0));
/// });
/// ```
#[track_caller]
pub fn as_completed<F: Future>(futures: impl IntoIterator<Item = F>) -> FutureSet<F> {
    futures.into_iter().collect()
}
