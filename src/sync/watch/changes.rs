//! The values as a stream.

use super::recv::poll_newer;
use super::state::{Latest, Watched};
use super::{Receiver, Snapshot};
use crate::sys::Arc;
use crate::wait::{Seen, Waiter};
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use futures_core::stream::{FusedStream, Stream};
use pin_project_lite::pin_project;

pin_project! {
    /// Values that have not been seen, as a stream; made by [`Receiver::into_stream`].
    ///
    /// It holds its own place in line, so it allocates nothing, and has to be pinned to be polled.
    ///
    /// # Fairness
    /// All who wait are told of a value together.
    ///
    /// # Cancel safety
    /// Dropping it, or a future that polls it, loses nothing: a value counts as seen only when this has given it.
    #[must_use = "a stream does nothing unless it is polled"]
    pub struct Changes<T> {
        #[pin]
        waiter: Waiter<Latest<T>, Arc<Watched<T>>>,
        seen: Seen,
        receiver: Receiver<T>,
        ended: bool,
    }
}

impl<T> Changes<T> {
    pub(super) fn new(receiver: Receiver<T>) -> Self {
        let waiter = Waiter::new(receiver.watched.clone(), 0);
        Self { waiter, seen: Seen::NONE, receiver, ended: false }
    }

    /// The receiver that this was made of.
    pub fn receiver(&self) -> &Receiver<T> {
        &self.receiver
    }
}

impl<T> Stream for Changes<T> {
    type Item = Snapshot<T>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Snapshot<T>>> {
        let this = self.project();
        let newer = ready!(poll_newer(this.waiter.as_ref(), this.seen, &mut this.receiver.version, cx)).ok();
        *this.ended = newer.is_none();
        Poll::Ready(newer)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, if self.ended { Some(0) } else { None })
    }
}

impl<T> FusedStream for Changes<T> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl<T: fmt::Debug> fmt::Debug for Changes<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes").field("receiver", &self.receiver).field("ended", &self.ended).finish_non_exhaustive()
    }
}
