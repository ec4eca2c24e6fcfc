//! Faults: which come, when they stop, and how soon a run must then be over.

use super::oracle::fold;
use super::report::FailureKind;
use super::verdict::Verdict;
use super::world::Core;
use crate::sys::mix::mix;
use crate::sys::probe::{Access, Resource};
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use core::num::NonZeroU8;
use core::panic::Location;
use core::time::Duration;

/// Which faults come, how long, and how soon a run must be over after that: for [`Builder::faults`](super::Builder::faults).
///
/// # Examples
/// Of five calls some fail, if `buggify!` says so, for as long as there are faults. The one who calls does not give up. That
/// all five succeed in the end is a promise only because faults stop:
/// ```
/// use core::time::Duration;
/// use wakeful::sim::{Builder, Faults, Sim};
/// use wakeful::time::Time;
///
/// async fn call(time: &Time) -> Result<(), ()> {
///     time.sleep(Duration::from_millis(5)).await;
///     if wakeful::buggify!("the call fails") { Err(()) } else { Ok(()) }
/// }
///
/// let body = async |sim: Sim| {
///     let time = sim.time();
///     for _ in 0..5 {
///         while call(&time).await.is_err() {
///             time.sleep(Duration::from_millis(100)).await;
///         }
///     }
/// };
/// let faults = Faults::new().stop_after(50).finish_within(200, Duration::from_secs(1));
/// Builder::new().faults(faults).must_hit(&["the call fails"]).check(body);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "it does nothing until a builder has it"]
pub struct Faults {
    enabled_one_in: NonZeroU8,
    fires_one_in: NonZeroU8,
    stop_after: u64,
    polls: u64,
    time: Duration,
}

impl Faults {
    /// In each run, one in so many places that can fail is enabled by default.
    pub const ENABLED_ONE_IN: NonZeroU8 = NonZeroU8::new(4).unwrap();
    /// An enabled place fails one in so many times by default.
    pub const FIRES_ONE_IN: NonZeroU8 = NonZeroU8::new(4).unwrap();

    /// The defaults: the constants above, from the beginning of a run to its end.
    pub const fn new() -> Self {
        Self {
            enabled_one_in: Self::ENABLED_ONE_IN,
            fires_one_in: Self::FIRES_ONE_IN,
            stop_after: u64::MAX,
            polls: u64::MAX,
            time: Duration::MAX,
        }
    }

    /// In each run, one in so many places that can fail is enabled; 1 enables all.
    pub const fn enabled_one_in(mut self, n: NonZeroU8) -> Self {
        self.enabled_one_in = n;
        self
    }

    /// A place that is enabled fails one in so many times; 1 is each time.
    pub const fn fires_one_in(mut self, n: NonZeroU8) -> Self {
        self.fires_one_in = n;
        self
    }

    /// After so many polls there are no more faults; [`Sim::stop_faults`](super::Sim::stop_faults) stops them earlier.
    pub const fn stop_after(mut self, polls: u64) -> Self {
        self.stop_after = polls;
        self
    }

    /// When faults have stopped, the run must be over within so many polls and so much virtual time, or it fails with
    /// [`FailureKind::Liveness`](super::FailureKind::Liveness).
    pub const fn finish_within(mut self, polls: u64, time: Duration) -> Self {
        self.polls = polls;
        self.time = time;
        self
    }
}

impl Default for Faults {
    fn default() -> Self {
        Self::new()
    }
}

/// The faults of a run.
pub(super) struct Weather {
    /// `None`: there are none.
    faults: Option<Faults>,
    /// Which places are enabled.
    enabled: BTreeMap<&'static Location<'static>, bool>,
    /// How often each place was asked by each task.
    asked: BTreeMap<u64, u32>,
    stopped_by_hand: bool,
    /// When faults stopped, if they have and time has moved on since.
    stopped: Option<Instant>,
}

impl Weather {
    pub(super) fn new(faults: Option<Faults>) -> Self {
        Self { faults, enabled: BTreeMap::new(), asked: BTreeMap::new(), stopped_by_hand: false, stopped: None }
    }

    /// How many polls a run may take that may take `max`.
    pub(super) fn limit(&self, max: u64) -> u64 {
        self.faults.map_or(max, |faults| faults.stop_after.saturating_add(faults.polls).min(max))
    }

    /// No more faults from now on, in step `steps`.
    pub(super) fn stop(&mut self, steps: u64) {
        self.stopped_by_hand = true;
        if let Some(faults) = &mut self.faults {
            faults.stop_after = faults.stop_after.min(steps);
        }
    }

    /// Whether faults have stopped before step `steps`, the first being 1.
    pub(super) fn has_stopped(&self, steps: u64) -> bool {
        self.stopped_by_hand || self.faults.is_some_and(|faults| steps > faults.stop_after)
    }

    /// After how many polls faults stopped and for how many the run could go on, if that were fewer than `max` in all.
    pub(super) fn overrun(&self, max: u64) -> Option<(u64, u64)> {
        let faults = self.faults?;
        (self.limit(max) < max).then_some((faults.stop_after, faults.polls))
    }
}

impl Core {
    /// Lets faults come.
    pub(super) fn expect(&mut self, faults: Option<Faults>) {
        self.weather = Weather::new(faults);
        self.max_steps = self.weather.limit(self.max_steps);
    }

    /// Whether there is a fault at `place`.
    pub(super) fn fault(&mut self, place: &'static Location<'static>) -> bool {
        let Some(faults) = self.weather.faults else { return false };
        // Whether a place is enabled is asked once, by whoever comes first.
        Resource::FAULTS.touch(Access::Write);
        if faults.stop_after != u64::MAX {
            // Whether it is calm yet hangs on how often anybody was polled.
            Resource::ALL.touch(Access::Read);
        }
        if self.probing || self.weather.has_stopped(self.steps) {
            return false;
        }
        let here = key(place);
        let enabled = match self.weather.enabled.get(place) {
            Some(&enabled) => enabled,
            None => {
                let enabled = self.odds(faults.enabled_one_in, here, u32::MAX);
                self.weather.enabled.insert(place, enabled);
                enabled
            }
        };
        if !enabled {
            return false;
        }
        let here = mix(here ^ self.metas[self.current as usize].key);
        let asked = self.weather.asked.entry(here).or_default();
        let nth = *asked;
        *asked = nth.wrapping_add(1);
        self.odds(faults.fires_one_in, here, nth)
    }

    /// True one in `n` times; `here` and `nth` stand for the place of the choice.
    fn odds(&mut self, n: NonZeroU8, here: u64, nth: u32) -> bool {
        let fires = n.get() == 1 || self.choose_fault(n.get().into(), here, nth);
        self.note(fires.into());
        fires
    }

    /// No more faults from now on.
    pub(super) fn stop_faults(&mut self) {
        Resource::FAULTS.touch(Access::Write);
        self.weather.stop(self.steps);
        self.max_steps = self.weather.limit(self.max_steps);
    }

    /// Notes that time moved from `before` to `now`: the run has failed if that is too long after faults stopped.
    pub(super) fn passed(&mut self, before: Instant, now: Instant) {
        let Weather { faults, stopped, .. } = &mut self.weather;
        let Some(faults) = faults.filter(|faults| self.steps >= faults.stop_after) else { return };
        let stopped = *stopped.get_or_insert(before);
        if now > stopped + faults.time {
            let message = format!("faults stopped at {stopped}, and {:?} later the run is not over", faults.time);
            let verdict = Verdict { kind: FailureKind::Liveness, message, place: None, task: None, waker_of: None };
            self.verdict.get_or_insert_with(|| Box::new(verdict));
        }
    }
}

/// Stands for a place in the code, the same in all runs.
fn key(place: &Location<'_>) -> u64 {
    let start = fold(place.line().into(), place.column().into());
    place.file().bytes().fold(start, |key, byte| fold(key, byte.into()))
}
