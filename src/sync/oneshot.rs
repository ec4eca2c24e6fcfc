//! One value, sent once.
//!
//! For the answer to a request: the asker makes the channel, sends its [`Sender`] along, and waits at the [`Receiver`]. Many
//! values take a [`queue`](crate::queue), the latest of many a [`watch`](super::watch), no value at all an
//! [`Event`](super::Event).
//!
//! Either side learns that the other is gone: a sender that is dropped ends the wait, a receiver that is dropped gives the
//! value back to who would send it.
//!
//! # Examples
//! ```
//! use wakeful::sync::oneshot;
//!
//! wakeful::sim::check(|sim| async move {
//!     let (tx, mut rx) = oneshot::channel();
//!     sim.spawn("answers", async move { tx.send(42).unwrap() });
//!     assert_eq!(rx.recv().await, Ok(42));
//! });
//! ```

pub use super::unsent::SendError;

use crate::sys::pair::{RecvEnd, SendEnd, Waits, pair};
use crate::sys::probe;
use core::error::Error;
use core::fmt;
use core::future::Future;
use core::marker::PhantomPinned;
use core::pin::Pin;
use core::task::{Context, Poll};
use pin_project_lite::pin_project;

/// A sender and a receiver of one value.
#[track_caller]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = pair();
    (Sender(sender), Receiver(receiver))
}

/// Sends one value; made by [`channel`]. Dropped without that, it ends the wait of the receiver.
pub struct Sender<T>(SendEnd<T>);

impl<T> Sender<T> {
    /// Sends `value`. Does not wait.
    ///
    /// That it is sent does not mean that it is received: the receiver may be dropped later, and the value with it.
    ///
    /// # Errors
    /// [`SendError`] with the value, if the receiver is dropped or [closed](Receiver::close).
    ///
    /// # Examples
    /// ```
    /// use wakeful::sync::oneshot::{self, SendError};
    ///
    /// let (tx, rx) = oneshot::channel();
    /// drop(rx);
    /// assert_eq!(tx.send("too late"), Err(SendError("too late")));
    /// ```
    pub fn send(self, value: T) -> Result<(), SendError<T>> {
        self.0.send(value).map_err(SendError)
    }

    /// Whether the receiver is dropped or closed.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Waits until the receiver is dropped or closed: to give up work that nobody waits for.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use wakeful::sync::oneshot;
    ///
    /// wakeful::sim::check(|sim| async move {
    ///     let (mut tx, rx) = oneshot::channel::<u8>();
    ///     let time = sim.time();
    ///     sim.spawn("loses patience", async move {
    ///         time.sleep(Duration::from_secs(1)).await;
    ///         drop(rx);
    ///     });
    ///     tx.closed().await;
    ///     assert_eq!(sim.now().as_nanos(), 1_000_000_000);
    /// });
    /// ```
    pub fn closed(&mut self) -> Closed<'_, T> {
        Closed { waits: Waiting::new(&mut self.0), pinned: PhantomPinned }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("closed", &self.is_closed()).finish()
    }
}

/// Receives one value; made by [`channel`].
pub struct Receiver<T>(RecvEnd<T>);

impl<T> Receiver<T> {
    /// Waits for the value.
    ///
    /// # Errors
    /// [`RecvError`] if the sender was dropped without sending, or the value was received already.
    pub fn recv(&mut self) -> Recv<'_, T> {
        Recv { waits: Waiting::new(&mut self.0), pinned: PhantomPinned }
    }

    /// Takes the value if it is there.
    ///
    /// # Errors
    /// [`TryRecvError::Empty`] or [`TryRecvError::Closed`].
    ///
    /// # Examples
    /// ```
    /// use wakeful::sync::oneshot::{self, TryRecvError};
    ///
    /// let (tx, mut rx) = oneshot::channel();
    /// assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    /// tx.send(1).unwrap();
    /// assert_eq!(rx.try_recv(), Ok(1));
    /// assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
    /// ```
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        match self.0.take() {
            Poll::Ready(Some(value)) => Ok(value),
            Poll::Ready(None) => Err(TryRecvError::Closed),
            Poll::Pending => Err(TryRecvError::Empty),
        }
    }

    /// Lets nothing be sent any more. A value that was sent before is still to be received.
    pub fn close(&mut self) {
        if let Some(waker) = self.0.close() {
            probe::firing(&waker);
            waker.wake();
        }
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sent, gone) = self.0.looks();
        f.debug_struct("Receiver").field("sent", &sent).field("sender_gone", &gone).finish()
    }
}

/// An end, and whether it has a waker of ours.
struct Waiting<'a, E: Waits> {
    end: &'a mut E,
    is: bool,
}

impl<'a, E: Waits> Waiting<'a, E> {
    fn new(end: &'a mut E) -> Self {
        Self { end, is: false }
    }

    /// Notes whether it waits, as `what` in reports.
    #[inline]
    fn polled<R>(&mut self, what: &'static str, poll: impl FnOnce(&mut E) -> Poll<R>) -> Poll<R> {
        let polled = poll(self.end);
        self.is = polled.is_pending();
        if self.is {
            probe::waiting(what, Some(self.end.id()), u64::MAX);
        }
        polled
    }
}

impl<E: Waits> Drop for Waiting<'_, E> {
    #[inline]
    fn drop(&mut self) {
        if self.is {
            self.end.forget();
        }
    }
}

pin_project! {
    /// Waits for the value; made by [`Receiver::recv`].
    ///
    /// # Cancel safety
    /// Dropping it loses nothing: a value that was sent stays with the receiver.
    #[must_use = "nothing is received unless this is awaited"]
    pub struct Recv<'a, T> {
        waits: Waiting<'a, RecvEnd<T>>,
        #[pin]
        pinned: PhantomPinned,
    }
}

impl<T> Future for Recv<'_, T> {
    type Output = Result<T, RecvError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = self.project().waits.polled("oneshot recv", |end| end.poll(cx));
        polled.map(|value| value.ok_or(RecvError))
    }
}

impl<T> fmt::Debug for Recv<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recv").field("waiting", &self.waits.is).finish_non_exhaustive()
    }
}

pin_project! {
    /// Waits until the receiver is gone; made by [`Sender::closed`].
    ///
    /// # Cancel safety
    /// Dropping it changes nothing.
    #[must_use = "it waits for nothing unless it is awaited"]
    pub struct Closed<'a, T> {
        waits: Waiting<'a, SendEnd<T>>,
        #[pin]
        pinned: PhantomPinned,
    }
}

impl<T> Future for Closed<'_, T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.project().waits.polled("oneshot closed", |end| end.poll_closed(cx))
    }
}

impl<T> fmt::Debug for Closed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closed").field("waiting", &self.waits.is).finish_non_exhaustive()
    }
}

/// No value will come: the sender is gone, or the value was received already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecvError;

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("receive from a sender that is gone")
    }
}

impl Error for RecvError {}

/// Nothing was received at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryRecvError {
    /// Nothing was sent yet.
    Empty,
    /// No value will come: the sender is gone, or the value was received already.
    Closed,
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Empty => "receive from a sender that has not sent yet",
            Self::Closed => "receive from a sender that is gone",
        })
    }
}

impl Error for TryRecvError {}

impl From<RecvError> for TryRecvError {
    fn from(_: RecvError) -> Self {
        Self::Closed
    }
}
