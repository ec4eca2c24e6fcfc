//! Streams of batches.

use crate::work::{Chunks, ChunksRest, FromStream, Source};
use alloc::vec::Vec;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use futures_core::stream::{FusedStream, Stream};

/// The items of a stream in batches, each of so many, or as many as come within a time; made by
/// [`FlowExt::windows`](super::FlowExt::windows).
///
/// What [`work::chunks`](crate::work::chunks) is for a run, as a stream. No batch is empty. When the stream ends, what a batch has is
/// given at once.
///
/// # Time
/// A batch is given when its time has passed since its first item was taken, or when it is next polled after that; what comes later
/// than that is not of it. Of a stream that always has more it may be given some items late.
///
/// # Cancel safety
/// A future of its next batch may be dropped: what was taken stays. Dropping the stream itself drops a batch that has begun;
/// [`into_rest`](Windowed::into_rest) hands it out.
#[must_use = "streams do nothing unless they are polled"]
pub struct Windowed<S: Stream + Unpin> {
    chunks: Chunks<FromStream<S>>,
    ended: bool,
}

impl<S: Stream + Unpin> Windowed<S> {
    #[inline]
    pub(super) fn new(chunks: Chunks<FromStream<S>>) -> Self {
        Self { chunks, ended: false }
    }

    /// The stream, and what was taken from it for a batch that has not been given.
    pub fn into_rest(self) -> ChunksRest<S, S::Item> {
        self.chunks.into_rest()
    }
}

impl<S: Stream + Unpin> Unpin for Windowed<S> {}

impl<S: Stream + Unpin> Stream for Windowed<S> {
    type Item = Vec<S::Item>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Vec<S::Item>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let batch = ready!(self.chunks.poll_pull(cx));
        self.ended = batch.is_none();
        Poll::Ready(batch)
    }
}

impl<S: Stream + Unpin> FusedStream for Windowed<S> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl<S: Stream + Unpin> fmt::Debug for Windowed<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Windowed").field("ended", &self.ended).finish_non_exhaustive()
    }
}
