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

use super::line;
use crate::sys::{Arc, probe};
use crate::wait::{Batch, Departure, Hall, Held, Line, Place, Seen, Waiter};
use core::error::Error;
use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use pin_project_lite::pin_project;

/// The line of the receiver.
const RECEIVER: usize = 0;
/// The line of a sender that waits for the receiver to be gone.
const SENDER: usize = 1;

/// What passes from one to the other.
struct Slot<T>(PhantomData<T>);

struct State<T> {
    value: Option<T>,
    /// Nothing will be put into `value` any more.
    sender_gone: bool,
    /// What is put into `value` would not be taken out.
    receiver_gone: bool,
}

impl<T> Place for Slot<T> {
    type State = State<T>;
    type Shared = probe::Id;
    type Slot = ();
    type Lines = [Line<()>; 2];
    const PASSES_ON: bool = false;

    fn left(_: &mut Held<'_, Self>, _: Departure, (): &mut (), _: &mut Batch) {}
}

type Channel<T> = Hall<Slot<T>>;

/// A sender and a receiver of one value.
#[track_caller]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let state = State { value: None, sender_gone: false, receiver_gone: false };
    let channel = Arc::new(Hall::new(probe::Id::new(), state, [Line::new(), Line::new()]));
    (Sender { channel: channel.clone(), told: false }, Receiver { channel, done: false })
}

/// Sends one value; made by [`channel`]. Dropped without that, it ends the wait of the receiver.
pub struct Sender<T> {
    channel: Arc<Channel<T>>,
    /// The receiver was told that nothing more will come.
    told: bool,
}

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
    pub fn send(mut self, value: T) -> Result<(), SendError<T>> {
        let first = self.channel.with(|held| {
            if held.state.receiver_gone {
                return Err(SendError(value));
            }
            held.state.value = Some(value);
            Ok(held.end())
        })?;
        self.told = true;
        line::wake_quietly(&self.channel, first, false, |_, _| false);
        Ok(())
    }

    /// Whether the receiver is dropped or closed.
    pub fn is_closed(&self) -> bool {
        self.channel.read(|held| held.state.receiver_gone)
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
        Closed { waiter: Waiter::new(&*self.channel, ()), seen: Seen::NONE }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        if !self.told {
            let first = self.channel.with(|held| held.end());
            line::wake_quietly(&self.channel, first, false, |_, _| false);
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("closed", &self.is_closed()).finish()
    }
}

/// Receives one value; made by [`channel`].
pub struct Receiver<T> {
    channel: Arc<Channel<T>>,
    /// It has had the value, or heard that there will be none: nothing is left to be taken, nobody to be told.
    done: bool,
}

impl<T> Receiver<T> {
    /// Waits for the value.
    ///
    /// # Errors
    /// [`RecvError`] if the sender was dropped without sending, or the value was received already.
    pub fn recv(&mut self) -> Recv<'_, T> {
        Recv { waiter: Waiter::new(&*self.channel, ()), seen: Seen::NONE, done: &mut self.done }
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
        let taken = self.channel.with(|held| held.take());
        self.done |= taken.is_some();
        match taken {
            Some(Ok(value)) => Ok(value),
            Some(Err(RecvError)) => Err(TryRecvError::Closed),
            None => Err(TryRecvError::Empty),
        }
    }

    /// Lets nothing be sent any more. A value that was sent before is still to be received.
    pub fn close(&mut self) {
        let first = self.channel.with(|held| held.desert());
        line::wake(&self.channel, first, false, |_, _| false);
    }
}

impl<T> Held<'_, Slot<T>> {
    /// The value, or that there will be none. None: it may still come.
    fn take(&mut self) -> Option<Result<T, RecvError>> {
        match self.state.value.take() {
            Some(value) => Some(Ok(value)),
            None if self.state.sender_gone || self.state.receiver_gone => Some(Err(RecvError)),
            None => None,
        }
    }

    /// Says that nothing more will come; gives the waker of a receiver that waits.
    fn end(&mut self) -> Option<Waker> {
        self.state.sender_gone = true;
        self.hand(RECEIVER)
    }

    /// Says that the receiver is gone; gives the waker of a sender that waits for that.
    fn desert(&mut self) -> Option<Waker> {
        self.state.receiver_gone = true;
        self.hand(SENDER)
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        if !self.done {
            let (first, value) = self.channel.with(|held| (held.desert(), held.state.value.take()));
            line::wake_quietly(&self.channel, first, false, |_, _| false);
            drop(value);
        }
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sent, gone) = self.channel.read(|held| (held.state.value.is_some(), held.state.sender_gone));
        f.debug_struct("Receiver").field("sent", &sent).field("sender_gone", &gone).finish()
    }
}

pin_project! {
    /// Waits for the value; made by [`Receiver::recv`].
    ///
    /// # Cancel safety
    /// Dropping it loses nothing: a value that was sent stays with the receiver.
    #[must_use = "nothing is received unless this is awaited"]
    pub struct Recv<'a, T> {
        #[pin]
        waiter: Waiter<Slot<T>, &'a Channel<T>>,
        seen: Seen,
        done: &'a mut bool,
    }
}

impl<T> Future for Recv<'_, T> {
    type Output = Result<T, RecvError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let granted = this.waiter.as_mut().accept();
        let waiter = this.waiter.as_ref();
        let ended = if granted { waiter.home().with(|held| held.take()) } else { None };
        match ended.or_else(|| line::look_or_join(waiter, this.seen, cx, RECEIVER, |seat, _| seat.held.take())) {
            Some(received) => {
                **this.done = true;
                Poll::Ready(received)
            }
            None => {
                probe::waiting("oneshot recv", Some(waiter.home().shared), u64::MAX);
                Poll::Pending
            }
        }
    }
}

impl<T> fmt::Debug for Recv<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recv").field("waiting", &self.waiter.is_waiting()).finish_non_exhaustive()
    }
}

pin_project! {
    /// Waits until the receiver is gone; made by [`Sender::closed`].
    ///
    /// # Cancel safety
    /// Dropping it changes nothing.
    #[must_use = "it waits for nothing unless it is awaited"]
    pub struct Closed<'a, T> {
        #[pin]
        waiter: Waiter<Slot<T>, &'a Channel<T>>,
        seen: Seen,
    }
}

impl<T> Future for Closed<'_, T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let look = |gone: bool| gone.then_some(());
        match line::look_or_join(this.waiter.as_ref(), this.seen, cx, SENDER, |seat, _| {
            look(seat.held.state.receiver_gone)
        }) {
            Some(()) => Poll::Ready(()),
            None => {
                probe::waiting("oneshot closed", Some(this.waiter.as_ref().home().shared), u64::MAX);
                Poll::Pending
            }
        }
    }
}

impl<T> fmt::Debug for Closed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closed").field("waiting", &self.waiter.is_waiting()).finish_non_exhaustive()
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
