//! GCRA by one word: what is decided without the lock as long as nobody waits.
//!
//! The word is the bucket of `gcra.rs` in ticks since the limiter was made, which fit for as long as `last` says: for a rate
//! that has a whole number of nanoseconds to a permit 146 years, for the others less. Beyond that the lock decides.

use super::rate::Rate;

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
    nano: u64,
    /// How often those fit into 2⁶⁴−1.
    nanos: u64,
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

/// Permits that are asked for at an instant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    /// The ticks of that instant.
    present: u64,
    /// Those at which the bucket may be full again at the latest.
    full: u64,
    cost: u64,
}

impl Quick {
    /// The largest word that it can decide by.
    pub(super) const LARGEST: u64 = 2 * MOST;
    /// Larger than all of these by more than any cost: by this nothing is granted.
    pub(super) const TAKEN: u64 = 2 * Self::LARGEST;

    /// Decides about nothing.
    pub(super) const NONE: Self =
        Self { origin: u64::MAX, last: 0, nano: 1, nanos: u64::MAX, permit: 1, burst: 0, most: 0 };

    /// None: the burst is out of range.
    pub(super) fn new(rate: &Rate, origin: u64) -> Option<Self> {
        let burst = u64::try_from(rate.burst).ok().filter(|burst| *burst <= MOST)?;
        let nano = u64::from(rate.nano);
        let most = u32::try_from(burst / rate.permit).ok()?;
        Some(Self { origin, last: MOST / nano, nano, nanos: u64::MAX / nano, permit: rate.permit, burst, most })
    }

    /// Whether so many are ever granted at once, as far as it knows.
    #[inline]
    pub(super) fn has(&self, permits: u32) -> bool {
        permits <= self.most
    }

    /// Whether it can decide at `now`.
    #[inline]
    pub(super) fn reaches(&self, now: u64) -> bool {
        now.wrapping_sub(self.origin) <= self.last
    }

    /// The same, counted from `now`, which is later; and the ticks by which its words are smaller, or as many as there are.
    pub(super) fn since(self, now: u64) -> (Self, u64) {
        (Self { origin: now, ..self }, (now - self.origin).saturating_mul(self.nano))
    }

    /// The instant at which the bucket of `word` is full.
    #[inline]
    pub(super) fn idle_at(&self, word: u64) -> u64 {
        self.origin.saturating_add(word.div_ceil(self.nano))
    }

    /// Grants `permits` at `now`, if `word` allows it.
    #[inline]
    pub(super) fn decide(&self, word: u64, permits: u32, now: u64) -> Decision {
        let Some(ask) = self.ask(permits, now) else { return Decision::Unknown };
        match ask.granted(word) {
            Some(word) => Decision::Granted(word),
            None => Decision::NotYet(self.due(ask, word)),
        }
    }

    /// Asks for `permits` at `now`. None: it can't decide about that.
    #[inline]
    pub(super) fn ask(&self, permits: u32, now: u64) -> Option<Ask> {
        if !self.has(permits) || !self.reaches(now) {
            return None;
        }
        let present = (now - self.origin) * self.nano;
        Some(Ask { present, full: present + self.burst, cost: u64::from(permits) * self.permit })
    }

    /// The first instant at which what `word` refuses is allowed.
    #[inline]
    pub(super) fn due(&self, ask: Ask, word: u64) -> u64 {
        let ticks = word + ask.cost - self.burst;
        // A division by way of its inverse, which is too small by one at most. There is at least one tick.
        let (above, whole) = (ticks - 1, (u128::from(ticks - 1) * u128::from(self.nanos)) >> 64);
        let whole = whole as u64;
        let more = u64::from(above - whole * self.nano >= self.nano);
        self.origin.saturating_add(whole + more + 1)
    }
}

impl Ask {
    /// The word that grants them, if `word` allows it.
    #[inline]
    pub(super) fn granted(self, word: u64) -> Option<u64> {
        let next = word.max(self.present) + self.cost;
        (next <= self.full).then_some(next)
    }
}
