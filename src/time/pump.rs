//! Driving the timer queue with the sleep of some runtime.

use super::{Clock, Instant, Time};
use crate::sys::{Arc, Told, probe, thread};
use core::convert::Infallible;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use pin_project_lite::pin_project;

/// A [`Time`] that reads another clock and is driven by another runtime's sleep: `now` reads the clock, `sleep` waits.
///
/// Spawn the [`Pump`] on that runtime, once. Whatever moves the runtime's time then moves this time too: tokio's paused
/// clock, say. One sleep of the runtime serves all that wait here. Without need of such a clock, [`Time::system`] does.
///
/// The sleep is to be no shorter than it was asked to be, by that clock. One that is over too soon is asked for again, after
/// others have had their turn, so who waits is woken late rather than early.
///
/// # Examples
/// With tokio: `pump(move || Instant::EPOCH + start.elapsed(), tokio::time::sleep)`, where `start` is tokio's `Instant`.
///
/// Driven by the simulator, for the sake of the example:
/// ```
/// use core::time::Duration;
/// use wakeful::time;
///
/// wakeful::sim::run(|sim| async move {
///     let outer = sim.time();
///     let reading = outer.clone();
///     let (time, pump) = time::pump(move || reading.now(), move |d| outer.sleep(d));
///     sim.spawn_background("pump", async move {
///         pump.await;
///     });
///     time.sleep(Duration::from_secs(1)).await;
///     assert_eq!(sim.time().now(), time.now());
/// });
/// ```
pub fn pump<N, S, F>(now: N, sleep: S) -> (Time, Pump<S, F>)
where
    N: Fn() -> Instant + Send + Sync + 'static,
    S: FnMut(Duration) -> F,
    F: Future<Output = ()>,
{
    let alarm = Arc::new(Told::new(Alarm { at: Instant::NEVER, waker: None }));
    let time = Time::new(PumpClock { now, alarm: alarm.clone() });
    (time.clone(), Pump { time, alarm, sleep, until: Instant::NEVER, sleeping: None })
}

struct Alarm {
    at: Instant,
    waker: Option<Waker>,
}

/// The clock of a [`Time`] that a [`Pump`] drives.
struct PumpClock<N> {
    now: N,
    alarm: Arc<Told<Alarm>>,
}

impl<N: Fn() -> Instant + Send + Sync + 'static> Clock for PumpClock<N> {
    fn now(&self) -> Instant {
        (self.now)()
    }

    fn arm(&self, at: Instant) {
        let waker = self.alarm.with(|alarm| {
            if at >= alarm.at {
                return None;
            }
            alarm.at = at;
            alarm.waker.take()
        });
        if let Some(waker) = waker {
            probe::firing(&waker);
            waker.wake();
        }
    }
}

pin_project! {
    /// Drives the timer queue of a [`Time`] made by [`pump()`]; never done.
    ///
    /// # Cancel safety
    /// While no pump runs, nobody who waits on its time is woken. Nothing else is lost.
    #[must_use = "a pump drives nothing unless it is awaited"]
    pub struct Pump<S, F> {
        time: Time,
        alarm: Arc<Told<Alarm>>,
        sleep: S,
        until: Instant,
        #[pin]
        sleeping: Option<F>,
    }
}

impl<S, F> Future for Pump<S, F>
where
    S: FnMut(Duration) -> F,
    F: Future<Output = ()>,
{
    type Output = Infallible;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Infallible> {
        let mut this = self.project();
        loop {
            // Forgetting comes before turning: what is armed from here on is kept for the next round.
            let waker = cx.waker().clone();
            probe::keeping(&waker);
            let (asked, old) = this.alarm.with(|alarm| {
                let asked = core::mem::replace(&mut alarm.at, Instant::NEVER);
                (asked, alarm.waker.replace(waker))
            });
            // What was taken is kept before any foreign code runs, which may panic.
            let earlier = asked < *this.until;
            *this.until = asked.min(*this.until);
            if earlier {
                this.sleeping.set(None);
            }
            drop(old);
            let now = this.time.now();
            if *this.until <= now {
                // A waker that panics must not take everybody's alarm away: what is still due is fired in the next round.
                *this.until = thread::catch(|| this.time.turn()).unwrap_or(now);
                this.sleeping.set(None);
            }
            if this.sleeping.is_none() && !this.until.is_never() {
                this.sleeping.set(Some((this.sleep)(this.until.since(this.time.now()))));
            }
            match this.sleeping.as_mut().as_pin_mut() {
                None => return Poll::Pending,
                Some(sleeping) => {
                    if sleeping.poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                    this.sleeping.set(None);
                    // One that is over before its time: until the clock is there, others have their turn.
                    if this.time.now() < *this.until {
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                }
            }
        }
    }
}

impl<S, F> fmt::Debug for Pump<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pump").field("until", &self.until).finish_non_exhaustive()
    }
}
