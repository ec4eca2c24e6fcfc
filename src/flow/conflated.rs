//! Streams whose reader may be slow: what has come meanwhile is one item.

use super::paced::BUDGET;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use futures_core::stream::{FusedStream, Stream};
use pin_project_lite::pin_project;

pin_project! {
    /// What a stream has ready, put together into one item; made by [`FlowExt::conflate`](super::FlowExt::conflate) and
    /// [`FlowExt::conflate_with`](super::FlowExt::conflate_with).
    ///
    /// It is read when its own reader asks, and read until it has nothing ready; so a reader that keeps up gets each item, and one
    /// that is slow gets fewer, and the newest. What comes meanwhile waits where it comes from, such as in a queue.
    ///
    /// # Cancel safety
    /// A future of its next item may be dropped: items are taken only by a poll that gives what they make.
    #[must_use = "streams do nothing unless they are polled"]
    pub struct Conflated<S, F> {
        // None: it has ended.
        #[pin]
        stream: Option<S>,
        fold: F,
    }
}

/// The newest of what a stream has ready; made by [`FlowExt::conflate`](super::FlowExt::conflate).
pub type Newest<S> = Conflated<S, fn(&mut <S as Stream>::Item, <S as Stream>::Item)>;

impl<S, F> Conflated<S, F> {
    #[inline]
    pub(super) fn new(stream: S, fold: F) -> Self {
        Self { stream: Some(stream), fold }
    }
}

impl<S: Stream, F: FnMut(&mut S::Item, S::Item)> Stream for Conflated<S, F> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let mut this = self.project();
        let mut made = None;
        for _ in 0..BUDGET {
            let Some(stream) = this.stream.as_mut().as_pin_mut() else { return Poll::Ready(made) };
            match (stream.poll_next(cx), &mut made) {
                (Poll::Ready(Some(item)), None) => made = Some(item),
                (Poll::Ready(Some(item)), Some(made)) => (this.fold)(made, item),
                (Poll::Ready(None), _) => this.stream.set(None),
                (Poll::Pending, None) => return Poll::Pending,
                (Poll::Pending, Some(_)) => break,
            }
        }
        Poll::Ready(made)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.stream {
            Some(stream) => {
                let (low, high) = stream.size_hint();
                (low.min(1), high)
            }
            None => (0, Some(0)),
        }
    }
}

impl<S: Stream, F: FnMut(&mut S::Item, S::Item)> FusedStream for Conflated<S, F> {
    fn is_terminated(&self) -> bool {
        self.stream.is_none()
    }
}

impl<S: fmt::Debug, F> fmt::Debug for Conflated<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conflated").field("stream", &self.stream).finish_non_exhaustive()
    }
}
