//! The handle: a semaphore whose size a control sets.

use super::control::{Adapt, Control, Feedback, Sample};
use super::flight::{Flight, Launch};
use super::gradient::Gradient2;
use crate::sync::Semaphore;
use crate::sys::{Arc, Told, trace};
use crate::time::Time;
use core::fmt;

/// Bounds how many calls of a service are in flight, by what the service can take: clones share it.
///
/// To adjust the number of consumers to the service's capacity and availability. Each call [launches](Self::launch), which waits
/// until there is room, and says at its [end](Flight::end) how it went; a [`Control`] learns from that, and sets how much room
/// there is. When the service slows down fewer are let in, when it is away as few as the [`Bounds`](super::Bounds) allow, who find
/// out when it is back.
///
/// The limit stays as it is while the caller is the bottleneck: calls that began with less than half of it in flight raise it
/// never, and lower it only if the service was overloaded. A call that is dropped without a word is no sample.
///
/// For how often in a time take a [`Limiter`](crate::limit::Limiter), for a number that is known a [`Semaphore`] or
/// [`Fixed`](super::Fixed).
///
/// # Time
/// Round trips are measured by the clock of the [`Time`] that it was made with: from when a [`Flight`] is handed out to its end.
///
/// # Fairness
/// First come, first served, counted from the first poll. If the limit has come to be below what is in flight, nobody is let in
/// until enough have ended.
///
/// # Examples
/// ```
/// use core::num::NonZeroU32;
/// use core::time::Duration;
/// use wakeful::limit::{Bounds, Concurrency, Feedback, Gradient2};
///
/// wakeful::sim::run(|sim| async move {
///     let [one, two, hundred] = [1, 2, 100].map(|n| NonZeroU32::new(n).unwrap());
///     let calls = Concurrency::new(&sim.time(), Gradient2::new(Bounds::new(one, two, hundred).unwrap()));
///     for _ in 0..10 {
///         let tasks = [(); 20].map(|()| {
///             let (calls, time) = (calls.clone(), sim.time());
///             sim.spawn("call", async move {
///                 let flight = calls.launch().await;
///                 time.sleep(Duration::from_millis(50)).await; // however many call, the service takes no longer
///                 flight.end(Feedback::Answered);
///             })
///         });
///         for task in tasks {
///             task.await;
///         }
///     }
///     assert_eq!((calls.limit(), calls.in_flight()), (15, 0)); // and it would go on to grow
/// });
/// ```
pub struct Concurrency<C: Control = Gradient2> {
    pub(super) shared: Arc<Shared<C>>,
}

pub(super) struct Shared<C: Control> {
    pub(super) time: Time,
    pub(super) semaphore: Semaphore,
    control: C,
    state: Told<State<C>>,
}

struct State<C: Adapt> {
    learnt: C::State,
    in_flight: u32,
    /// What the semaphore was last told, or is being told.
    told: u32,
    /// Somebody tells it, and will look again afterwards.
    telling: bool,
}

impl<C: Control> Concurrency<C> {
    /// A limit that begins as `control` says.
    #[must_use]
    pub fn new(time: &Time, control: C) -> Self {
        let learnt = control.begin();
        let limit = control.limit(&learnt);
        let semaphore = Semaphore::new(permits(limit));
        let state = Told::new(State { learnt, in_flight: 0, told: limit, telling: false });
        Self { shared: Arc::new(Shared { time: time.clone(), semaphore, control, state }) }
    }

    /// Waits until there is room for a call.
    ///
    /// To bound the wait, put it in a [scope](crate::cancel::Scope) with a deadline.
    pub fn launch(&self) -> Launch<'_, C> {
        Launch::new(&self.shared)
    }

    /// Launches a call if there is room, and nobody waits for it.
    pub fn try_launch(&self) -> Option<Flight<'_, C>> {
        let permit = self.shared.semaphore.try_acquire().ok()?;
        Some(Flight::new(&self.shared, permit))
    }

    /// Waits until there is room, calls `f`, and learns from what came of it as `judge` says: nothing at all if that is none.
    ///
    /// # Fairness
    /// First come, first served, counted from the first poll, together with those who launch.
    ///
    /// # Cancel safety
    /// Dropped before there was room, `f` is not called, and its place in line goes to those behind. Dropped later it drops the
    /// call: that makes room, and is no sample.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroU32;
    /// use wakeful::limit::{Aimd, Bounds, Concurrency, Feedback};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let [one, ten, hundred] = [1, 10, 100].map(|n| NonZeroU32::new(n).unwrap());
    ///     let calls = Concurrency::new(&sim.time(), Aimd::new(Bounds::new(one, ten, hundred).unwrap()));
    ///     let status = calls.call(async || 503, |status| match status {
    ///         429 | 503 => Some(Feedback::Overloaded),
    ///         _ => Some(Feedback::Answered),
    ///     });
    ///     assert_eq!((status.await, calls.limit()), (503, 9));
    /// });
    /// ```
    pub async fn call<T>(&self, f: impl AsyncFnOnce() -> T, judge: impl FnOnce(&T) -> Option<Feedback>) -> T {
        let flight = self.launch().await;
        let answer = f().await;
        if let Some(feedback) = judge(&answer) {
            flight.end(feedback);
        }
        answer
    }

    /// How many calls may be in flight.
    pub fn limit(&self) -> u32 {
        self.shared.state.read(|state| self.shared.control.limit(&state.learnt))
    }

    /// How many calls are in flight; more than the limit if that was lowered meanwhile.
    pub fn in_flight(&self) -> u32 {
        self.shared.state.read(|state| state.in_flight)
    }

    /// What decides.
    pub fn control(&self) -> &C {
        &self.shared.control
    }

    /// Whether `self` and `other` are one limit.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl<C: Control> Shared<C> {
    /// Counts a call that begins, and says how many there are with it.
    pub(super) fn begin(&self) -> u32 {
        self.state.with(|state| {
            state.in_flight += 1;
            state.in_flight
        })
    }

    /// A call is over.
    pub(super) fn end(&self) {
        self.state.with(|state| state.in_flight -= 1);
    }

    /// Learns from a call, and tells the semaphore.
    pub(super) fn learn(&self, sample: &Sample) {
        /// Lets others tell, also when a waker panics.
        struct Telling<'a, C: Control>(&'a Shared<C>);
        impl<C: Control> Drop for Telling<'_, C> {
            fn drop(&mut self) {
                self.0.state.with(|state| state.telling = false);
            }
        }
        self.state.with(|state| self.control.learn(&mut state.learnt, sample));
        // One after another, so that what the semaphore is told last is what was learnt last.
        while let Some(limit) = self.state.with(|state| self.news(state)) {
            let _telling = Telling(self);
            self.semaphore.set_total(permits(limit));
            trace::concurrency_changed(limit);
        }
    }

    /// What the semaphore has to be told, if nobody is about to.
    fn news(&self, state: &mut State<C>) -> Option<u32> {
        let limit = self.control.limit(&state.learnt);
        if state.telling || state.told == limit {
            return None;
        }
        state.telling = true;
        state.told = limit;
        Some(limit)
    }
}

/// As many permits as a semaphore can have, where that is fewer.
fn permits(limit: u32) -> usize {
    usize::try_from(limit).map_or(Semaphore::MAX_PERMITS, |limit| limit.min(Semaphore::MAX_PERMITS))
}

impl<C: Control> Clone for Concurrency<C> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<C: Control> fmt::Debug for Concurrency<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Concurrency")
            .field("control", &self.shared.control)
            .field("limit", &self.limit())
            .field("in_flight", &self.in_flight())
            .finish()
    }
}
