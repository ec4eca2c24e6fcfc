//! The receiving side.

use super::super::line;
use super::state::{CHANGED, Latest, UNSEEN, Watched};
use super::{Changes, Snapshot};
use crate::sys::Arc;
use crate::sys::atomic::Ordering;
use crate::sys::probe::{self, Access};
use crate::wait::{Home, Seen, Waiter};
use core::error::Error;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use pin_project_lite::pin_project;

/// Sees the latest value, and remembers which one it has seen. A clone has seen the same.
pub struct Receiver<T> {
    pub(super) watched: Arc<Watched<T>>,
    /// The version that it has seen.
    pub(super) version: u64,
}

impl<T> Receiver<T> {
    /// A receiver that is counted already.
    pub(super) fn new(watched: Arc<Watched<T>>, version: u64) -> Self {
        Self { watched, version }
    }

    /// The latest value. Whether it has been seen is left as it is.
    pub fn latest(&self) -> Snapshot<T> {
        self.watched.latest().0
    }

    /// The latest value, which counts as seen from now on.
    pub fn see(&mut self) -> Snapshot<T> {
        let (latest, version) = self.watched.latest();
        self.version = version;
        latest
    }

    /// Lets the latest value count as not seen, so that the next wait gives it, or a later one, at once.
    pub fn mark_unseen(&mut self) {
        self.version = UNSEEN;
    }

    /// Whether there is a value that has not been seen.
    pub fn has_changed(&self) -> bool {
        self.watched.read(|held| held.version()) != self.version
    }

    /// Waits for a value that has not been seen, and sees it: the latest, which need not be the next.
    ///
    /// # Errors
    /// [`RecvError`] if the latest value has been seen and no sender is left.
    ///
    /// # Examples
    /// ```
    /// use wakeful::sync::watch::{self, RecvError};
    ///
    /// wakeful::sim::run(|_| async move {
    ///     let (tx, mut rx) = watch::channel(0);
    ///     tx.send(1).unwrap();
    ///     tx.send(2).unwrap();
    ///     assert_eq!(*rx.changed().await.unwrap(), 2);
    ///     drop(tx);
    ///     assert_eq!(rx.changed().await.unwrap_err(), RecvError);
    /// });
    /// ```
    pub fn changed(&mut self) -> Changed<'_, T> {
        Changed { waiter: Waiter::new(&*self.watched, 0), seen: Seen::NONE, version: &mut self.version }
    }

    /// Waits for a value for which `condition` holds; the latest is looked at first, seen or not. It counts as seen then,
    /// and so do those before it.
    ///
    /// `condition` may do what it likes, as it is called under no lock.
    ///
    /// # Cancel safety
    /// Dropping it loses nothing: the values that it has looked at count as seen.
    ///
    /// # Errors
    /// [`RecvError`] if `condition` does not hold for the latest value and no sender is left.
    pub async fn wait_for(&mut self, mut condition: impl FnMut(&T) -> bool) -> Result<Snapshot<T>, RecvError> {
        let mut latest = self.see();
        while !condition(&latest) {
            latest = self.changed().await?;
        }
        Ok(latest)
    }

    /// A stream of the values that have not been seen: of each time it is asked, the latest. It ends when no sender is left.
    ///
    /// # Examples
    /// ```
    /// use futures::StreamExt;
    /// use wakeful::sync::watch;
    ///
    /// wakeful::sim::run(|_| async move {
    ///     let (tx, mut rx) = watch::channel("starting");
    ///     rx.mark_unseen(); // it is to begin with the present value
    ///     let mut states = Box::pin(rx.into_stream());
    ///     assert_eq!(*states.next().await.unwrap(), "starting");
    ///     for state in ["loading", "running"] {
    ///         tx.send(state).unwrap();
    ///     }
    ///     drop(tx);
    ///     let rest: Vec<_> = states.map(|state| *state).collect().await;
    ///     assert_eq!(rest, ["running"]);
    /// });
    /// ```
    pub fn into_stream(self) -> Changes<T> {
        Changes::new(self)
    }

    /// Whether `self` and `other` receive from the same senders.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.watched, &other.watched)
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        // Relaxed: the count is all that is read, and it is above zero as long as `self` is there.
        self.watched.touch(Access::Write);
        self.watched.shared.receivers.fetch_add(1, Ordering::Relaxed);
        Self { watched: self.watched.clone(), version: self.version }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        // Relaxed: what the other receivers did is ordered by the lock, which deserting takes.
        self.watched.touch(Access::Write);
        if self.watched.shared.receivers.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.watched.desert();
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("latest", &self.latest()).field("changed", &self.has_changed()).finish()
    }
}

pin_project! {
    /// Waits for a value that has not been seen; made by [`Receiver::changed`].
    ///
    /// # Fairness
    /// All who wait are told of a value together.
    ///
    /// # Cancel safety
    /// Dropping it loses nothing: a value counts as seen only when this has given it.
    #[must_use = "it waits for nothing unless it is awaited"]
    pub struct Changed<'a, T> {
        #[pin]
        waiter: Waiter<Latest<T>, &'a Watched<T>>,
        seen: Seen,
        version: &'a mut u64,
    }
}

impl<T> Future for Changed<'_, T> {
    type Output = Result<Snapshot<T>, RecvError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        poll_newer(this.waiter.as_ref(), this.seen, this.version, cx)
    }
}

/// Waits for a value of a later version than the one that has been seen.
pub(super) fn poll_newer<T, H: Home<Latest<T>>>(
    waiter: Pin<&Waiter<Latest<T>, H>>,
    seen: &mut Seen,
    version: &mut u64,
    cx: &mut Context<'_>,
) -> Poll<Result<Snapshot<T>, RecvError>> {
    let newer = line::look_or_join(waiter, seen, cx, CHANGED, |seat, _| {
        let newer = seat.held.newer(*version);
        *seat.slot() = *version;
        newer
    });
    match newer {
        Some(Some((latest, at))) => {
            *version = at;
            Poll::Ready(Ok(latest))
        }
        Some(None) => Poll::Ready(Err(RecvError)),
        None => {
            probe::waiting("watch changed", Some(waiter.home().hall().shared.id), u64::MAX);
            Poll::Pending
        }
    }
}

impl<T> fmt::Debug for Changed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changed").field("waiting", &self.waiter.is_waiting()).finish_non_exhaustive()
    }
}

/// The latest value has been seen, and no sender is left: there will be no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecvError;

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("wait for a newer value where no sender is left")
    }
}

impl Error for RecvError {}
