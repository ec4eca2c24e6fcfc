//! Waiting until an instant.

use super::wheel::{self, Timer};
use super::{Instant, Time};
use crate::sys::probe;
use crate::wait::{Batch, Seen};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use pin_project_lite::pin_project;

pin_project! {
    /// Waits until an instant; made by [`Time::sleep`] and [`Time::sleep_until`].
    ///
    /// It holds its own entry of the timer queue, so it allocates nothing; registering, moving and dropping take constant
    /// time. One that was never polled, or is set to [`Instant::NEVER`], does not touch the queue.
    ///
    /// Once it has completed it stays complete: polling it again is ready at once, until it is [reset](Sleep::reset).
    ///
    /// # Time
    /// Never early. As late as the clock's driver calls [`Time::turn`]: within its slack for the system clock, exact in
    /// virtual time. Sleeps that are due together are woken in order of (deadline, first poll or reset).
    ///
    /// # Cancel safety
    /// Dropping it leaves the queue as if it had never been there.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let time = sim.time();
    ///     let start = time.now();
    ///     time.sleep(Duration::from_secs(3600)).await;
    ///     assert_eq!(time.now() - start, Duration::from_secs(3600));
    /// });
    /// ```
    #[must_use = "a sleep does nothing unless it is awaited"]
    pub struct Sleep {
        #[pin]
        timer: Timer,
        at: Instant,
        seen: Seen,
    }
}

impl Sleep {
    #[inline]
    pub(super) fn new(time: &Time, at: Instant) -> Self {
        Self { timer: Timer::new(time.wheel().clone(), at.as_nanos()), at, seen: Seen::NONE }
    }

    /// One that was reached when it was made, at `now`.
    pub(super) fn reached(time: &Time, now: Instant) -> Self {
        Self { timer: Timer::new(time.wheel().clone(), now.as_nanos()).granted(), at: now, seen: Seen::NONE }
    }

    /// The instant that is waited for.
    pub fn deadline(&self) -> Instant {
        self.at
    }

    /// Whether the instant was reached while this was waiting, or when it was made with a duration of zero. Answers at
    /// once, without reading the clock.
    pub fn is_elapsed(&self) -> bool {
        self.timer.is_granted()
    }

    /// Moves the instant, earlier or later, into the past or to never, before or after completion.
    ///
    /// A task that waits stays registered and is woken at the new instant, except that [`Instant::NEVER`] forgets it.
    /// After completion, and after never, the sleep waits from its next poll on.
    ///
    /// # Examples
    /// ```
    /// use core::pin::pin;
    /// use core::time::Duration;
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let time = sim.time();
    ///     let mut sleep = pin!(time.sleep(Duration::from_secs(1)));
    ///     sleep.as_mut().await;
    ///     sleep.as_mut().reset(time.now() + Duration::from_secs(2));
    ///     sleep.await;
    ///     assert_eq!(time.now().as_nanos(), 3_000_000_000);
    /// });
    /// ```
    pub fn reset(self: Pin<&mut Self>, at: Instant) {
        let this = self.project();
        *this.at = at;
        let timer = this.timer.as_ref();
        if timer.is_waiting() {
            if at.is_never() {
                let mut none = Batch::new();
                let waker = timer.with(|seat| seat.leave(&mut none));
                drop(waker);
            } else if timer.with(|seat| wheel::replace(seat, at.as_nanos())) {
                wheel::kick(timer.home(), at);
            }
        } else {
            this.timer.accept();
        }
    }
}

impl Future for Sleep {
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let timer = this.timer.as_ref();
        if timer.is_granted() {
            return Poll::Ready(());
        }
        let at = *this.at;
        let registered = timer.is_waiting() && this.seen.is(cx.waker());
        if !at.is_never() && !registered {
            let waker = cx.waker().clone();
            *this.seen = Seen::of(&waker);
            let done = timer.with(|seat| wheel::register(seat, at.as_nanos(), waker));
            drop(done.old);
            if done.arm {
                // The earliest of all may be due already, and then needs no ringing.
                wheel::kick(timer.home(), at);
            }
            if timer.is_granted() {
                return Poll::Ready(());
            }
        }
        probe::waiting("sleep", None, at.as_nanos());
        Poll::Pending
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").field("at", &self.at).field("elapsed", &self.is_elapsed()).finish()
    }
}
