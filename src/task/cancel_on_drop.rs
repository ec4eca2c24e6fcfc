//! Handles that take their children along.

use super::handle::Handle;
use super::local::LocalHandle;
use crate::cancel::Reason;
use crate::sys::thread::contain;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// A [`Handle`] or [`LocalHandle`] that cancels its child when it is dropped; made by [`Handle::cancel_on_drop`] and
/// [`LocalHandle::cancel_on_drop`].
///
/// For what drops the losers, such as [`race`](super::race), [`as_completed`](super::as_completed) or a `select!`: dropped
/// handles let their children go on, these don't. Their group waits for them to be gone, as for all others.
///
/// # Cancel safety
/// Dropping it cancels the child, unless that has ended. Dropping a wait for `&mut` to it loses nothing.
///
/// # Errors
/// As the handle's.
///
/// # Panics
/// If it is polled after it has given the result.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::cancel::Scope;
/// use wakeful::task::{Handle, group, race};
///
/// wakeful::sim::run(|sim| async move {
///     let (scope, time) = (Scope::new(sim.time()), sim.time());
///     let report = group::<()>(sim.spawner())
///         .report(&scope, async |g| {
///             let mirror = |seconds| {
///                 let sleep = time.sleep(Duration::from_secs(seconds));
///                 g.spawn("mirror", async move { Ok(sleep.await) }).unwrap()
///             };
///             let handles = [9, 2, 5].map(mirror);
///             let (fastest, result) = race(handles.map(Handle::cancel_on_drop)).await.unwrap();
///             assert_eq!((fastest, result), (1, Ok(())));
///             Ok(())
///         })
///         .await;
///     assert_eq!((report.count.done, report.count.cancelled), (1, 2));
///     assert_eq!(sim.now().as_nanos(), 2_000_000_000);
/// });
/// ```
#[must_use = "the child is cancelled when this is dropped"]
pub struct CancelOnDrop<H> {
    /// There until this is dropped or given up.
    handle: Option<H>,
    cancel: fn(&H),
}

impl<H> CancelOnDrop<H> {
    /// The handle.
    pub fn handle(&self) -> &H {
        match &self.handle {
            Some(handle) => handle,
            None => unreachable!("it is there until this is dropped"),
        }
    }

    /// Gives the handle back: the child is not cancelled by this any more.
    pub fn disarm(mut self) -> H {
        match self.handle.take() {
            Some(handle) => handle,
            None => unreachable!("it is there until this is dropped"),
        }
    }
}

impl<T, E> Handle<T, E> {
    /// A handle that cancels the child when it is dropped, for the reason that its
    /// [owner was dropped](crate::cancel::ReasonKind::OwnerDropped).
    pub fn cancel_on_drop(self) -> CancelOnDrop<Self> {
        let cancel = |handle: &Self| {
            handle.cancel(Reason::owner_dropped());
        };
        CancelOnDrop { handle: Some(self), cancel }
    }
}

impl<T> LocalHandle<T> {
    /// A handle that cancels the child when it is dropped, for the reason that its
    /// [owner was dropped](crate::cancel::ReasonKind::OwnerDropped).
    pub fn cancel_on_drop(self) -> CancelOnDrop<Self> {
        let cancel = |handle: &Self| {
            handle.cancel(Reason::owner_dropped());
        };
        CancelOnDrop { handle: Some(self), cancel }
    }
}

impl<H: Future + Unpin> Future for CancelOnDrop<H> {
    type Output = H::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<H::Output> {
        match &mut self.handle {
            Some(handle) => Pin::new(handle).poll(cx),
            None => unreachable!("it is there until this is dropped"),
        }
    }
}

impl<H> Drop for CancelOnDrop<H> {
    /// Wakers may panic, and a drop may be part of an unwinding, which a second panic would turn into the end of the process.
    fn drop(&mut self) {
        if let Some(handle) = &self.handle {
            contain(|| (self.cancel)(handle));
        }
    }
}

impl<H: fmt::Debug> fmt::Debug for CancelOnDrop<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CancelOnDrop").field(self.handle()).finish()
    }
}
