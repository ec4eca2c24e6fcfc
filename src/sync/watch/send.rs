//! The sending side.

use super::super::line;
use super::state::{CLOSED, Latest, Watched};
use super::{Receiver, SendError, Snapshot};
use crate::sys::Arc;
use crate::sys::atomic::Ordering;
use crate::sys::probe::{self, Access};
use crate::wait::{Seen, Waiter};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use pin_project_lite::pin_project;

/// Makes a value the latest. Clones send to the same receivers; when the last one is dropped, those are told.
pub struct Sender<T> {
    watched: Arc<Watched<T>>,
}

impl<T> Sender<T> {
    /// The sender that is counted already.
    pub(super) fn first(watched: Arc<Watched<T>>) -> Self {
        Self { watched }
    }

    /// Makes `value` the latest, and wakes the receivers that wait. Does not wait.
    ///
    /// # Errors
    /// [`SendError`] with the value, if there is no receiver. To set it nevertheless, for those who will
    /// [subscribe](Self::subscribe), take [`replace`](Self::replace).
    ///
    /// # Examples
    /// ```
    /// use wakeful::sync::watch::{self, SendError};
    ///
    /// let (tx, rx) = watch::channel(1);
    /// tx.send(2).unwrap();
    /// assert_eq!(*rx.latest(), 2);
    /// drop(rx);
    /// assert_eq!(tx.send(3), Err(SendError(3)));
    /// ```
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        if self.watched.is_deserted() {
            return Err(SendError(value));
        }
        self.replace(value);
        Ok(())
    }

    /// Makes `value` the latest, whether there are receivers or not, and gives the one before.
    ///
    /// # Examples
    /// ```
    /// use wakeful::sync::watch;
    ///
    /// let (tx, _) = watch::channel(1);
    /// assert_eq!(*tx.replace(2), 1);
    /// assert_eq!(*tx.subscribe().latest(), 2);
    /// ```
    pub fn replace(&self, value: T) -> Snapshot<T> {
        match self.watched.replace(Arc::new(value), None) {
            Ok(old) => old,
            Err(_) => unreachable!("no version was expected"),
        }
    }

    /// Makes what `change` gives of the latest value the latest, and gives the one before. None: `change` gave nothing, and
    /// nothing was done.
    ///
    /// `change` is called again if somebody else has sent meanwhile: no sending is lost. It may do what it likes, as it is
    /// called under no lock.
    ///
    /// # Examples
    /// ```
    /// use wakeful::sync::watch;
    ///
    /// let (tx, rx) = watch::channel(1);
    /// assert!(tx.update(|n| Some(n + 1)).is_some());
    /// assert!(tx.update(|n| (*n > 5).then_some(0)).is_none());
    /// assert_eq!(*rx.latest(), 2);
    /// ```
    pub fn update(&self, mut change: impl FnMut(&T) -> Option<T>) -> Option<Snapshot<T>> {
        loop {
            let (latest, version) = self.watched.latest();
            if let Ok(old) = self.watched.replace(Arc::new(change(&latest)?), Some(version)) {
                return Some(old);
            }
        }
    }

    /// The latest value.
    pub fn latest(&self) -> Snapshot<T> {
        self.watched.latest().0
    }

    /// A new receiver, which has seen the latest value.
    pub fn subscribe(&self) -> Receiver<T> {
        // Relaxed: the count is all that is read.
        self.watched.touch(Access::Write);
        self.watched.shared.receivers.fetch_add(1, Ordering::Relaxed);
        let version = self.watched.read(|held| held.version());
        Receiver::new(self.watched.clone(), version)
    }

    /// How many receivers there are.
    pub fn receivers(&self) -> usize {
        self.watched.look().receivers.load(Ordering::Relaxed)
    }

    /// Whether there is no receiver.
    pub fn is_closed(&self) -> bool {
        self.watched.is_deserted()
    }

    /// Waits until there is no receiver.
    ///
    /// # Examples
    /// ```
    /// use wakeful::sync::watch;
    ///
    /// wakeful::sim::check(|sim| async move {
    ///     let (tx, rx) = watch::channel(0);
    ///     sim.spawn("looks away", async move { drop(rx) });
    ///     tx.closed().await;
    /// });
    /// ```
    pub fn closed(&self) -> Closed<'_, T> {
        Closed { waiter: Waiter::new(&*self.watched, 0), seen: Seen::NONE }
    }

    /// Whether `self` and `other` send to the same receivers.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.watched, &other.watched)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        // Relaxed: the count is all that is read, and it is above zero as long as `self` is there.
        self.watched.touch(Access::Commute);
        self.watched.shared.senders.fetch_add(1, Ordering::Relaxed);
        Self { watched: self.watched.clone() }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        // Relaxed: what the other senders did is ordered by the lock, which ending takes.
        self.watched.touch(Access::Write);
        if self.watched.shared.senders.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.watched.end();
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("latest", &self.latest()).field("receivers", &self.receivers()).finish()
    }
}

pin_project! {
    /// Waits until there is no receiver; made by [`Sender::closed`].
    ///
    /// # Cancel safety
    /// Dropping it changes nothing.
    #[must_use = "it waits for nothing unless it is awaited"]
    pub struct Closed<'a, T> {
        #[pin]
        waiter: Waiter<Latest<T>, &'a Watched<T>>,
        seen: Seen,
    }
}

impl<T> Future for Closed<'_, T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let waiter = this.waiter.as_ref();
        let watched = *waiter.home();
        let closed = line::look_or_join(waiter, this.seen, cx, CLOSED, |seat, granted| {
            *seat.slot() = seat.held.state.desertions;
            (granted || watched.is_deserted()).then_some(())
        });
        match closed {
            Some(()) => Poll::Ready(()),
            None => {
                probe::waiting("watch closed", Some(watched.shared.id), u64::MAX);
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
