//! What an algorithm has to decide: pure functions of the present, in integers and without a clock.

use super::quick::Quick;
use core::fmt;

/// A way to limit: [`Gcra`](super::Gcra) unless another is named.
///
/// Which to take stands in the table of the [room](crate::limit). The trait is sealed: a limiter decides under its lock,
/// where no code of a user runs.
pub trait Algorithm: Decide {}

impl<D: Decide> Algorithm for D {}

/// The decisions of an [`Algorithm`].
///
/// Instants are nanoseconds of the limiter's clock. Those who ask do so in an order in which `from` and `now` never
/// decrease, but for credit, and never for more permits than the burst.
pub trait Decide: Clone + fmt::Debug + Send + Sync + 'static {
    /// What has been granted, as far as it still matters.
    type State: Clone + fmt::Debug + Send + 'static;

    /// Whether there is a [`quick`](Self::quick) way.
    const HAS_WORDS: bool = false;

    /// Nothing has been granted.
    fn fresh(&self) -> Self::State;

    /// The most that may be granted at once.
    fn burst(&self) -> u32;

    /// How far back a late grant is charged, in nanoseconds.
    fn credit(&self) -> u64 {
        0
    }

    /// The most permits that may be waited for.
    fn backlog(&self) -> u64 {
        u64::MAX
    }

    /// Whether `permits` are allowed at `now`.
    #[inline]
    fn is_ready(&self, state: &Self::State, permits: u32, now: u64) -> bool {
        self.due(state, permits, now) <= now
    }

    /// The first instant, not before `from`, at which `permits` are allowed. `u64::MAX`, which is never, if that is out of
    /// range.
    fn due(&self, state: &Self::State, permits: u32, from: u64) -> u64;

    /// The first instant at which `permits` are allowed, those `ahead` of it being granted when they are due; for those
    /// algorithms for which it depends on their sum alone.
    #[inline]
    fn due_behind(&self, _state: &Self::State, _ahead: u64, _permits: u32) -> Option<u64> {
        None
    }

    /// Grants `permits` as of the first instant, not before `from`, at which they are allowed. Where instants have
    /// fractions of a nanosecond, so has that one.
    fn charge(&self, state: &mut Self::State, permits: u32, from: u64) -> Mark;

    /// Takes back, at `now`, what was granted with `mark`: as far as that can be done without allowing more than if it had
    /// never been granted. Says how far later marks have moved down by that.
    fn refund(&self, state: &mut Self::State, permits: u32, mark: Mark, now: u64) -> u128;

    /// Takes back what was granted last, whoever had it. Says the same.
    fn refund_latest(&self, state: &mut Self::State, permits: u32, now: u64) -> u128;

    /// The instant from which on `state` is as good as [`fresh`](Self::fresh).
    fn idle_at(&self, state: &Self::State) -> u64;

    /// The state that goes on from that of `old` at `now`.
    fn carry(&self, old: &Self, state: &Self::State, carry: Carry, now: u64) -> Self::State;

    /// The same decisions by one word, for a clock that begins at `origin`.
    #[inline]
    fn quick(&self, _origin: u64) -> Option<Quick> {
        None
    }

    /// What `word` says; for those that have a [`quick`](Self::quick) way.
    #[inline]
    fn unpack(&self, _word: u64, _origin: u64) -> Self::State {
        self.fresh()
    }

    /// The word that says the same, if one can; for those that have a [`quick`](Self::quick) way.
    #[inline]
    fn pack(&self, _state: &Self::State, _origin: u64) -> Option<u64> {
        None
    }
}

/// How many permits can be had, up to the burst, if whoever can have some can have fewer.
pub(super) fn most(burst: u32, can: impl Fn(u32) -> bool) -> u32 {
    if can(burst) {
        return burst;
    }
    let (mut some, mut too_many) = (0, burst);
    while too_many - some > 1 {
        let middle = some + (too_many - some) / 2;
        if can(middle) { some = middle } else { too_many = middle }
    }
    some
}

/// Where in an algorithm's account a grant stands, or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(pub(super) u128);

/// What becomes of what was used or saved up so far, when a limit changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Carry {
    /// Its fraction stays: what was half used up is half used up.
    Fraction,
    /// Its number stays, as far as it fits: a bucket has as many permits as before, in a window as many are used up.
    Clamp,
}
