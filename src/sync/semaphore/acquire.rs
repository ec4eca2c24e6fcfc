//! Waiting for permits.

use super::super::line::{self, LINE};
use super::Permit;
use super::state::{Asked, Permits, Room};
use crate::sys::thread::contain;
use crate::sys::{Arc, probe};
use crate::wait::{Batch, Seen, Standing, Waiter};
use core::error::Error;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use pin_project_lite::pin_project;

pin_project! {
    /// Waits for permits; made by [`Semaphore::acquire`] and [`Semaphore::acquire_many`].
    ///
    /// # Fairness
    /// First come, first served, counted from the first poll.
    ///
    /// # Cancel safety
    /// Dropping it before it is ready takes no permits: its place in line is given up, and permits that it was granted go
    /// to those behind it.
    #[must_use = "nothing is acquired unless this is awaited"]
    pub struct Acquire<'a> {
        #[pin]
        waiter: Waiter<Permits, &'a Arc<Room>>,
        seen: Seen,
        count: usize,
    }

    impl PinnedDrop for Acquire<'_> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if this.waiter.standing() != Standing::Idle {
                leave(this.waiter.as_ref());
            }
        }
    }
}

impl<'a> Acquire<'a> {
    #[inline]
    pub(super) fn new(room: &'a Arc<Room>, count: usize) -> Self {
        Self { waiter: Waiter::new(room, count), seen: Seen::NONE, count }
    }
}

/// Gives up a place in line, or a grant (M3).
#[cold]
fn leave(waiter: Pin<&Waiter<Permits, &Arc<Room>>>) {
    // Leaving itself wakes nobody here.
    let (mut nobody, mut first) = (Batch::new(), None);
    let (old, more) = waiter.with(|seat| {
        let old = seat.leave(&mut nobody);
        (old, seat.held.settle(0, &mut first))
    });
    waiter.home().wake_quietly(first, more);
    contain(|| drop(old));
}

impl<'a> Future for Acquire<'a> {
    type Output = Result<Permit<'a>, AcquireError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let (room, count) = (*this.waiter.as_ref().get_ref().home(), *this.count);
        let asked = match this.waiter.standing() {
            Standing::Idle if room.take(count) => Asked::Granted,
            Standing::Granted if this.waiter.as_mut().accept() => room.use_grant(count),
            _ => ask(this.waiter, this.seen, count, cx),
        };
        match asked {
            Asked::Granted => Poll::Ready(Ok(Permit::new(room, count))),
            Asked::Closed => Poll::Ready(Err(AcquireError)),
            Asked::Refused => Poll::Pending,
        }
    }
}

/// Looks again, and joins the line.
#[inline(never)]
fn ask(waiter: Pin<&mut Waiter<Permits, &Arc<Room>>>, seen: &mut Seen, count: usize, cx: &mut Context<'_>) -> Asked {
    let room = *waiter.as_ref().home();
    let asked = line::look_or_join(waiter.as_ref(), seen, cx, LINE, |seat, granted| {
        let asked = if granted { Asked::Granted } else { seat.held.take_or_wait(count) };
        (asked != Asked::Refused).then_some(asked)
    });
    match asked {
        Some(Asked::Granted) => room.use_grant(count),
        Some(asked) => asked,
        None => {
            probe::waiting("semaphore", Some(room.shared.id), u64::MAX);
            Asked::Refused
        }
    }
}

impl fmt::Debug for Acquire<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acquire")
            .field("count", &self.count)
            .field("waiting", &self.waiter.is_waiting())
            .finish_non_exhaustive()
    }
}

/// The semaphore was closed before there were permits for this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcquireError;

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("acquire from a semaphore that is closed")
    }
}

impl Error for AcquireError {}

/// No permits were taken at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryAcquireError {
    /// There are not enough, or those that there are belong to others who wait.
    NoPermits,
    /// The semaphore is closed.
    Closed,
}

impl fmt::Display for TryAcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NoPermits => "acquire from a semaphore that has not enough permits",
            Self::Closed => "acquire from a semaphore that is closed",
        })
    }
}

impl Error for TryAcquireError {}

impl From<AcquireError> for TryAcquireError {
    fn from(_: AcquireError) -> Self {
        Self::Closed
    }
}
