//! A future for each item, so many at a time.

use super::all::InOrder;
use crate::task::set::FutureSet;
use alloc::vec::Vec;
use core::fmt;
use core::future::Future;
use core::num::NonZeroUsize;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use futures_core::stream::{FusedStream, Stream};

/// Makes a future of each item, and runs at most `limit` of them side by side.
///
/// An item is taken when there is room for its future. What comes of it are outputs as they are done, with the indices of
/// their items; or all in order, by [`gather`](MapBounded::gather). The losers are those that are not done when this is
/// dropped: they are dropped with it, and what is left of the items is not taken. To work through items against a
/// deadline, with every one accounted for, there is [`work`](crate::work::work()).
///
/// # Examples
/// ```
/// use core::num::NonZeroUsize;
/// use core::time::Duration;
/// use wakeful::task::map_bounded;
///
/// wakeful::sim::run(|sim| async move {
///     let (time, two) = (sim.time(), NonZeroUsize::new(2).unwrap());
///     let fetch = |page: u64| {
///         let sleep = time.sleep(Duration::from_secs(page));
///         async move { (sleep.await, page * 10).1 }
///     };
///     assert_eq!(map_bounded([3, 1, 1, 1], two, fetch).gather().await, [30, 10, 10, 10]);
///     assert_eq!(sim.now().as_nanos(), 3_000_000_000);
/// });
/// ```
#[track_caller]
pub fn map_bounded<I, M, F>(items: I, limit: NonZeroUsize, map: M) -> MapBounded<I::IntoIter, M, F>
where
    I: IntoIterator,
    M: FnMut(I::Item) -> F,
    F: Future,
{
    let items = items.into_iter();
    let most = items.size_hint().1.unwrap_or(usize::MAX).min(limit.get());
    MapBounded { set: FutureSet::with_capacity(most.min(1_024)), items: Some(items), limit, map }
}

/// Runs a future for each item, so many at a time; made by [`map_bounded`]. It is a stream.
#[must_use = "it does nothing unless it is awaited"]
pub struct MapBounded<I, M, F> {
    set: FutureSet<F>,
    /// Until there are none.
    items: Option<I>,
    limit: NonZeroUsize,
    map: M,
}

impl<I, M, F> MapBounded<I, M, F>
where
    I: Iterator,
    M: FnMut(I::Item) -> F,
    F: Future,
{
    /// Waits for the next output, and gives it with the index of its item; nothing, if all is done.
    pub fn join_next(&mut self) -> NextMapped<'_, I, M, F> {
        NextMapped { map: self }
    }

    /// As [`join_next`](Self::join_next), by polling.
    pub fn poll_join_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<(usize, F::Output)>> {
        while let (Some(items), true) = (&mut self.items, self.set.len() < self.limit.get()) {
            match items.next() {
                Some(item) => {
                    self.set.push((self.map)(item));
                }
                None => self.items = None,
            }
        }
        self.set.poll_join_next(cx)
    }

    /// Waits for all outputs, and gives them in the order of the items.
    pub fn gather(self) -> Gather<I, M, F> {
        Gather { map: self, outputs: InOrder::new(0) }
    }
}

impl<I, M, F> Stream for MapBounded<I, M, F>
where
    I: Iterator,
    M: FnMut(I::Item) -> F,
    F: Future,
{
    type Item = (usize, F::Output);

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_join_next(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (least, most) = self.items.as_ref().map_or((0, Some(0)), Iterator::size_hint);
        let running = self.set.len();
        (least.saturating_add(running), most.and_then(|most| most.checked_add(running)))
    }
}

/// It has ended once all outputs were given, and that there are no items left was seen.
impl<I, M, F> FusedStream for MapBounded<I, M, F>
where
    I: Iterator,
    M: FnMut(I::Item) -> F,
    F: Future,
{
    fn is_terminated(&self) -> bool {
        self.items.is_none() && self.set.is_empty()
    }
}

impl<I, M, F> Unpin for MapBounded<I, M, F> {}

impl<I, M, F> fmt::Debug for MapBounded<I, M, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapBounded")
            .field("running", &self.set.len())
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

/// Waits for the next output of a bounded map; made by [`MapBounded::join_next`].
///
/// # Cancel safety
/// Dropping it loses nothing: futures and outputs stay in the map.
///
/// # Panics
/// If a future, the iterator or the closure does.
#[must_use = "it waits for nothing unless it is awaited"]
pub struct NextMapped<'a, I, M, F> {
    map: &'a mut MapBounded<I, M, F>,
}

impl<I, M, F> Future for NextMapped<'_, I, M, F>
where
    I: Iterator,
    M: FnMut(I::Item) -> F,
    F: Future,
{
    type Output = Option<(usize, F::Output)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.map.poll_join_next(cx)
    }
}

impl<I, M, F> fmt::Debug for NextMapped<'_, I, M, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NextMapped").field("map", self.map).finish()
    }
}

/// Waits for all outputs of a bounded map; made by [`MapBounded::gather`].
///
/// # Cancel safety
/// Dropping it drops the futures that run, the outputs there are, and the items that were not taken.
///
/// # Panics
/// If a future, the iterator or the closure does: at once, the others being dropped with this.
#[must_use = "it waits for nothing unless it is awaited"]
pub struct Gather<I, M, F: Future> {
    map: MapBounded<I, M, F>,
    outputs: InOrder<F::Output>,
}

impl<I, M, F> Future for Gather<I, M, F>
where
    I: Iterator,
    M: FnMut(I::Item) -> F,
    F: Future,
{
    type Output = Vec<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        while let Some((index, output)) = ready!(this.map.poll_join_next(cx)) {
            this.outputs.put(index, output);
        }
        Poll::Ready(this.outputs.take())
    }
}

impl<I, M, F: Future> Unpin for Gather<I, M, F> {}

impl<I, M, F: Future> fmt::Debug for Gather<I, M, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gather").field("map", &self.map).finish_non_exhaustive()
    }
}
