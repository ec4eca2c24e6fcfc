//! GCRA by one word: what is decided without the lock as long as nobody waits.
//!
//! The word is the bucket of `gcra.rs` in ticks since the limiter was made, which fit for as long as `last` says: for a rate
//! that has a whole number of nanoseconds to a permit 146 years, for the others less. Beyond that the lock decides.

use super::rate::Rate;
use core::num::NonZeroU64;

/// Instants and bursts of up to so many ticks can be decided about.
const MOST: u64 = 1 << 61;

/// A quota in ticks that are counted from a limiter's beginning.
#[derive(Clone, Copy, Debug)]
pub struct Quick {
    /// The nanosecond that the ticks are counted from.
    pub(super) origin: u64,
    /// Up to how many nanoseconds behind the origin.
    last: u64,
    /// Ticks of a nanosecond.
    nano: NonZeroU64,
    /// Ticks that a permit costs.
    permit: u64,
    /// Ticks from an empty bucket to a full one.
    burst: u64,
    /// The most permits at once.
    most: u32,
}

/// What a word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Granted, with the word that says so.
    Granted(u64),
    /// Not before this instant.
    NotYet(u64),
    /// The word can't tell.
    Unknown,
}

impl Quick {
    /// The largest word that it can decide by.
    pub(super) const LARGEST: u64 = 2 * MOST;

    /// None: the burst is out of range.
    pub(super) fn new(rate: &Rate, origin: u64) -> Option<Self> {
        let burst = u64::try_from(rate.burst).ok().filter(|burst| *burst <= MOST)?;
        let nano = NonZeroU64::new(u64::from(rate.nano))?;
        let most = u32::try_from(burst / rate.permit).ok()?;
        Some(Self { origin, last: MOST / nano, nano, permit: rate.permit, burst, most })
    }

    /// Whether it can decide at `now`.
    #[inline]
    pub(super) fn reaches(&self, now: u64) -> bool {
        now.wrapping_sub(self.origin) <= self.last
    }

    /// The same, counted from `now`, which is later; and the ticks by which its words are smaller, or as many as there are.
    pub(super) fn since(self, now: u64) -> (Self, u64) {
        (Self { origin: now, ..self }, (now - self.origin).saturating_mul(self.nano.get()))
    }

    /// The instant at which the bucket of `word` is full.
    #[inline]
    pub(super) fn idle_at(&self, word: u64) -> u64 {
        self.origin.saturating_add(word.div_ceil(self.nano.get()))
    }

    /// Grants `permits` at `now`, if `word` allows it.
    #[inline]
    pub(super) fn decide(&self, word: u64, permits: u32, now: u64) -> Decision {
        if permits > self.most || !self.reaches(now) {
            return Decision::Unknown;
        }
        let present = (now - self.origin) * self.nano.get();
        let cost = u64::from(permits) * self.permit;
        let full = word + cost;
        if full <= present + self.burst {
            return Decision::Granted(word.max(present) + cost);
        }
        Decision::NotYet(self.origin.saturating_add((full - self.burst).div_ceil(self.nano.get())))
    }
}
