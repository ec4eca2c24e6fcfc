//! The sink-like face of a sender.

use super::error::SendError;
use super::kind::{Buffered, Fifo, Kind};
use super::permit::OwnedPermit;
use super::poll::{self, Hold};
use super::sender::Sender;
use super::state::{InLine, Queue};
use crate::sys::Arc;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use pin_project_lite::pin_project;

pin_project! {
    /// A sender with the methods of a sink; made by [`Sender::into_sink`](super::Sender::into_sink).
    ///
    /// The trait `Sink` is in `futures-sink`, on which this crate does not depend: each of its methods is here under its
    /// name, so an adapter passes them on.
    ///
    /// # Fairness
    /// As [`Sender::reserve`](super::Sender::reserve).
    ///
    /// # Cancel safety
    /// Dropping it gives up its place in line, and the room that it holds. Dropping a future that polls it keeps both.
    ///
    /// # Examples
    /// An adapter for `futures`:
    /// ```
    /// use core::num::NonZeroUsize;
    /// use core::pin::Pin;
    /// use core::task::{Context, Poll};
    /// use futures::{Sink, SinkExt, StreamExt, stream};
    /// use wakeful::queue::{self, SendError, SendSink};
    ///
    /// struct Adapter<T>(Pin<Box<SendSink<T>>>);
    ///
    /// impl<T> Sink<T> for Adapter<T> {
    ///     type Error = SendError<()>;
    ///
    ///     fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError<()>>> {
    ///         self.0.as_mut().poll_ready(cx)
    ///     }
    ///     fn start_send(mut self: Pin<&mut Self>, item: T) -> Result<(), SendError<()>> {
    ///         self.0.as_mut().start_send(item).map_err(|_| SendError(()))
    ///     }
    ///     fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError<()>>> {
    ///         self.0.as_mut().poll_flush(cx)
    ///     }
    ///     fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError<()>>> {
    ///         self.0.as_mut().poll_close(cx)
    ///     }
    /// }
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let (tx, rx) = queue::bounded(NonZeroUsize::MIN);
    ///     let all = sim.spawn("consumer", rx.into_stream().collect::<Vec<_>>());
    ///     let mut sink = Adapter(Box::pin(tx.into_sink()));
    ///     sink.send_all(&mut stream::iter([1, 2, 3]).map(Ok)).await.unwrap();
    ///     sink.close().await.unwrap();
    ///     assert_eq!(all.await, [1, 2, 3]);
    /// });
    /// ```
    pub struct SendSink<T, K: Kind<T> = Fifo> {
        #[pin]
        waiter: InLine<T, K, Arc<Queue<T, K>>>,
        // Declared before the sender: what is held is given back before the queue may close.
        permit: Option<OwnedPermit<T, K>>,
        sender: Option<Sender<T, K>>,
    }
}

impl<T, K: Kind<T>> SendSink<T, K> {
    pub(super) fn new(sender: Sender<T, K>) -> Self {
        let waiter = InLine::new(sender.queue().clone(), Default::default());
        Self { waiter, permit: None, sender: Some(sender) }
    }

    /// The sender that this was made of, until it is closed.
    pub fn sender(&self) -> Option<&Sender<T, K>> {
        self.sender.as_ref()
    }
}

impl<T, K: Buffered<T>> SendSink<T, K> {
    /// Waits for room, which is held until an item is sent.
    ///
    /// # Errors
    /// [`SendError`] if the queue, or this, is closed.
    pub fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError<()>>> {
        let this = self.project();
        let Some(sender) = this.sender else { return Poll::Ready(Err(SendError(()))) };
        if this.permit.is_none() {
            let held = ready!(poll::poll(this.waiter.as_ref(), cx, Hold));
            if held.is_err() {
                return Poll::Ready(Err(SendError(())));
            }
            *this.permit = Some(OwnedPermit::new(sender.clone()));
        }
        Poll::Ready(Ok(()))
    }

    /// Sends `item` into the room that is held.
    ///
    /// # Errors
    /// [`SendError`] with the item, if the last receiver is gone or this is closed.
    ///
    /// # Panics
    /// If no room is held: each call follows one of [`poll_ready`](Self::poll_ready) that was ready.
    pub fn start_send(self: Pin<&mut Self>, item: T) -> Result<(), SendError<T>> {
        let this = self.project();
        if this.sender.is_none() {
            return Err(SendError(item));
        }
        this.permit.take().expect("`poll_ready` was ready before `start_send`").send(item)
    }

    /// Ready at once: what is sent is in the queue.
    ///
    /// # Errors
    /// None.
    pub fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), SendError<()>>> {
        Poll::Ready(Ok(()))
    }

    /// Drops the sender, and the room that is held. Ready at once.
    ///
    /// # Errors
    /// None.
    pub fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), SendError<()>>> {
        let this = self.project();
        *this.permit = None;
        *this.sender = None;
        Poll::Ready(Ok(()))
    }
}

impl<T, K: Kind<T>> fmt::Debug for SendSink<T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("SendSink");
        out.field("sender", &self.sender).field("holds_room", &self.permit.is_some()).finish_non_exhaustive()
    }
}
