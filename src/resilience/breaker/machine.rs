//! The states of a breaker, as pure functions of `now`.
//!
//! ```text
//!            ①  rates are reached                   ③ a call comes after the open time
//!   Closed ─────────────────────▶ Open ─────────────────────────────────▶ HalfOpen
//!      ▲                           ▲  ④ probes fail, or hang for too long     │
//!      │                           └──────────────────────────────────────────┤
//!      └──────────────────────────────────────────────────────────────────────┘
//!                         ⑤ so many probes are well that the rates can't be reached
//! ```
//!
//! ② By hand it goes from anywhere to closed, to open until it is closed by hand, or to open as by ①.
//!
//! # Invariants
//!
//! - **B1** Each change of state begins a generation. A result counts only in the generation in which its call was let in.
//! - **B2** Half-open, `out` probes have no result yet and `counts` have one: together no more than the probes that are allowed. One
//!   that is given back makes room for another.
//! - **B3** Half-open, `ends` is never while no probe is out, and else so long after the first of those came that were out since.
//! - **B4** What comes of the present instant does not depend on who has looked before: a half-open breaker whose time has run
//!   out has been open since then.

use super::config::BreakerConfig;
use super::window::{BreakerCounts, Recent, Sample};
use crate::resilience::schedule::part;
use crate::time::{Instant, nanos};
use core::time::Duration;

/// How a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BreakerState {
    /// Calls go through, and their results are counted.
    Closed,
    /// No call goes through.
    Open {
        /// When the next call will be a probe; [`Instant::NEVER`] if it was opened by hand.
        until: Instant,
    },
    /// Some calls go through as probes, and decide.
    HalfOpen,
}

/// Why a breaker's state has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BreakerCause {
    /// The failure rate was reached, by calls or by probes.
    Failures,
    /// The rate of slow calls was reached, by calls or by probes.
    Slow,
    /// The open time is over, and a call came.
    Waited,
    /// Probes were out for too long.
    ProbesHang,
    /// The probes were well.
    Recovered,
    /// Somebody opened or closed it.
    ByHand,
}

/// A change of a breaker's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BreakerChange {
    /// The number of the change: later ones have larger numbers, until they begin again after a quarter of `usize::MAX`.
    pub number: usize,
    /// How it stood.
    pub from: BreakerState,
    /// How it stands.
    pub to: BreakerState,
    /// Why.
    pub cause: BreakerCause,
    /// What was counted that led to it; since the last change, where nothing did.
    pub counts: BreakerCounts,
}

/// What one step changes: twice at most, where a call is a probe after a half-open time that has run out.
pub(super) type Changes = [Option<BreakerChange>; 2];

/// The decision needs to know what time it is.
#[derive(Debug)]
pub(super) struct NeedsTime;

#[derive(Debug)]
enum Mode {
    Closed,
    Open { until: Instant },
    HalfOpen { out: u32, counts: BreakerCounts, ends: Instant },
}

#[derive(Debug)]
pub(super) struct Machine {
    config: BreakerConfig,
    mode: Mode,
    /// Of a closed one.
    recent: Recent,
    generation: usize,
    /// How long it is open the next time, in nanoseconds.
    open_for: u64,
}

impl Machine {
    pub(super) fn new(config: BreakerConfig) -> Self {
        let recent = Recent::new(config.window);
        Self { config, mode: Mode::Closed, recent, generation: 0, open_for: config.open_for }
    }

    pub(super) fn generation(&self) -> usize {
        self.generation
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(self.mode, Mode::Closed)
    }

    /// Of a closed one: whether another call that is well would change nothing.
    #[inline]
    pub(super) fn is_clean(&self) -> bool {
        self.recent.is_clean()
    }

    pub(super) fn state(&self) -> BreakerState {
        match self.mode {
            Mode::Closed => BreakerState::Closed,
            Mode::Open { until } => BreakerState::Open { until },
            Mode::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    /// What is counted for the next decision.
    pub(super) fn counts(&self) -> BreakerCounts {
        match self.mode {
            Mode::Closed => self.recent.counts,
            Mode::Open { .. } => BreakerCounts::default(),
            Mode::HalfOpen { counts, .. } => counts,
        }
    }

    /// What time alone has changed by `now` (B4), and what a window of time has left behind.
    pub(super) fn look(&mut self, now: Instant, changes: &mut Changes) {
        match self.mode {
            Mode::Closed => self.recent.move_on(now),
            Mode::HalfOpen { ends, .. } if ends <= now && !ends.is_never() => {
                self.open(ends, BreakerCause::ProbesHang, changes); // ④
            }
            _ => {}
        }
    }

    /// The nanosecond before which an open one lets nobody through; 0 for another.
    pub(super) fn open_until(&self) -> u64 {
        match self.mode {
            Mode::Open { until } => until.as_nanos(),
            _ => 0,
        }
    }

    /// Until when an open one lets nobody through; none, if it may.
    fn refusal(&self, now: Instant) -> Option<Instant> {
        match self.mode {
            Mode::Open { until } if until > now || until.is_never() => Some(until),
            _ => None,
        }
    }

    /// Whether a call goes through; if not, when to come back.
    pub(super) fn admit(&mut self, now: Instant, changes: &mut Changes) -> Result<usize, Instant> {
        self.look(now, changes);
        if let Some(until) = self.refusal(now) {
            return Err(until);
        }
        if let Mode::Open { .. } = self.mode {
            let begun = Mode::HalfOpen { out: 0, counts: BreakerCounts::default(), ends: Instant::NEVER };
            self.go(begun, BreakerCause::Waited, changes); // ③
        }
        if let Mode::HalfOpen { out, counts, ends } = &mut self.mode {
            if *out + counts.calls >= self.config.probes {
                return Err(now);
            }
            *out += 1;
            if *out == 1 {
                *ends = now + Duration::from_nanos(self.config.longest_probe);
            }
        }
        Ok(self.generation)
    }

    /// A call that was let in is over. Without `now` it says if it needs that, and has done nothing.
    #[inline]
    pub(super) fn record(
        &mut self,
        generation: usize,
        sample: Sample,
        now: Option<Instant>,
        changes: &mut Changes,
    ) -> Result<(), NeedsTime> {
        if generation != self.generation {
            return Ok(());
        }
        if let Mode::Closed = self.mode {
            if let Some(now) = now {
                self.recent.move_on(now);
            }
            let counts = self.recent.with(sample);
            let reached = self.reached(counts, counts.calls, 0);
            match (reached, now) {
                (Some(_), None) => return Err(NeedsTime),
                (Some(cause), Some(now)) => {
                    self.recent.add(sample, counts);
                    self.open(now, cause, changes); // ①
                }
                (None, _) => self.recent.add(sample, counts),
            }
            return Ok(());
        }
        self.probed(sample, now.ok_or(NeedsTime)?, changes);
        Ok(())
    }

    /// A probe has a result.
    #[cold]
    fn probed(&mut self, sample: Sample, now: Instant, changes: &mut Changes) {
        self.look(now, changes);
        let probes = self.config.probes;
        let Mode::HalfOpen { out, counts, ends } = &mut self.mode else { return };
        *out -= 1;
        counts.add(sample);
        if *out == 0 {
            *ends = Instant::NEVER;
        }
        let counts = *counts;
        if let Some(cause) = self.reached(counts, probes, 0) {
            self.open(now, cause, changes); // ④
        } else if self.reached(counts, probes, probes - counts.calls).is_none() {
            self.close(BreakerCause::Recovered, changes); // ⑤
        }
    }

    /// A call that was let in comes to nothing.
    pub(super) fn give_back(&mut self, generation: usize, now: Instant, changes: &mut Changes) {
        if generation != self.generation {
            return;
        }
        self.look(now, changes);
        if let Mode::HalfOpen { out, ends, .. } = &mut self.mode {
            *out -= 1;
            if *out == 0 {
                *ends = Instant::NEVER;
            }
        }
    }

    /// ② Opens as if a rate had been reached at `now`, or until it is closed by hand.
    pub(super) fn open_by_hand(&mut self, now: Option<Instant>, changes: &mut Changes) {
        match now {
            Some(now) => {
                self.look(now, changes);
                self.open(now, BreakerCause::ByHand, changes);
            }
            None => self.go(Mode::Open { until: Instant::NEVER }, BreakerCause::ByHand, changes),
        }
    }

    /// ② Closes, and forgets what was counted.
    pub(super) fn close_by_hand(&mut self, changes: &mut Changes) {
        self.close(BreakerCause::ByHand, changes);
    }

    /// The rate that is reached by `counts` of `calls`, if `more` go badly in every way.
    #[inline]
    fn reached(&self, counts: BreakerCounts, calls: u32, more: u32) -> Option<BreakerCause> {
        let least = if self.is_closed() { self.config.least_calls } else { 1 };
        if calls < least {
            return None;
        }
        let is = |count: u32, percent: u32| u64::from(count + more) * 100 >= u64::from(calls) * u64::from(percent);
        if is(counts.failures, self.config.failures) {
            return Some(BreakerCause::Failures);
        }
        let (_, percent) = self.config.slow?;
        is(counts.slow, percent).then_some(BreakerCause::Slow)
    }

    fn open(&mut self, now: Instant, cause: BreakerCause, changes: &mut Changes) {
        let until = now + Duration::from_nanos(self.open_for);
        self.go(Mode::Open { until }, cause, changes);
        self.open_for = part(self.open_for, self.config.growth).min(self.config.longest_open);
    }

    fn close(&mut self, cause: BreakerCause, changes: &mut Changes) {
        self.open_for = self.config.open_for;
        self.go(Mode::Closed, cause, changes);
    }

    fn go(&mut self, mode: Mode, cause: BreakerCause, changes: &mut Changes) {
        let (from, counts) = (self.state(), self.counts());
        self.mode = mode;
        self.recent.clear();
        // As many bits as the word beside the lock has.
        self.generation = self.generation.wrapping_add(1) & (usize::MAX >> 2);
        let to = self.state();
        if let Some(place) = changes.iter_mut().find(|change| change.is_none()) {
            *place = Some(BreakerChange { number: self.generation, from, to, cause, counts });
        }
    }
}

/// How long it took, and whether that is slow.
pub(super) fn is_slow(config: &BreakerConfig, started: Instant, now: Instant) -> bool {
    config.slow.is_some_and(|(slow, _)| nanos(now - started) >= slow)
}
