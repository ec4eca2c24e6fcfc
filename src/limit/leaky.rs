//! Leaky buckets: as a meter, which says what conforms, and as a queue, which spaces what waits.

use super::decide::{Carry, Decide, Mark};
use super::quota::Quota;
use super::rate::{Rate, mul_div};

/// A leaky bucket as a meter (ITU-T I.371, annex A; "continuous-state leaky bucket"): each permit pours into a bucket as large as
/// the burst, which leaks at the rate, and what would make it run over has to wait.
///
/// It decides exactly as [`Gcra`](super::Gcra) does, which is the faster of the two; it is here for those whose limits are
/// specified in its terms. In any window, at most `burst + rate · (window + credit)`.
///
/// # Examples
/// ```
/// use core::num::NonZeroU32;
/// use wakeful::limit::{LeakyBucket, Limiter, Quota};
/// use wakeful::time::ManualClock;
///
/// let quota = Quota::per_second(NonZeroU32::new(10).unwrap()).burst(NonZeroU32::new(3).unwrap());
/// let limiter = Limiter::with(&ManualClock::new().time(), LeakyBucket::new(quota));
/// assert!(limiter.try_acquire(3).is_ok() && limiter.try_acquire(1).is_err());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct LeakyBucket {
    quota: Quota,
    rate: Rate,
}

impl LeakyBucket {
    /// A bucket for `quota`.
    pub fn new(quota: Quota) -> Self {
        Self { quota, rate: Rate::new(&quota) }
    }

    /// What it was made for.
    pub fn quota(&self) -> Quota {
        self.quota
    }

    /// What has not leaked at `now`, and may be counted on, at the last grant, if that is later.
    fn level(&self, water: &Water, now: u64) -> u128 {
        water.level.saturating_sub(self.rate.ticks(now.saturating_sub(water.at)))
    }
}

/// A bucket, empty at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Water {
    /// What was in it, in ticks that it takes to leak.
    level: u128,
    /// At this nanosecond, that of the last grant.
    at: u64,
}

impl Decide for LeakyBucket {
    type State = Water;

    fn fresh(&self) -> Water {
        Water::default()
    }

    fn burst(&self) -> u32 {
        self.quota.max_burst().get()
    }

    fn credit(&self) -> u64 {
        self.quota.credit_nanos()
    }

    fn is_ready(&self, water: &Water, permits: u32, now: u64) -> bool {
        self.level(water, now) + self.rate.cost(u64::from(permits)) <= self.rate.burst
    }

    fn due(&self, water: &Water, permits: u32, from: u64) -> u64 {
        let over = (water.level + self.rate.cost(u64::from(permits))).saturating_sub(self.rate.burst);
        water.at.saturating_add(self.rate.instant(over)).max(from)
    }

    fn due_behind(&self, water: &Water, ahead: u64, permits: u32) -> Option<u64> {
        let all = self.rate.cost(ahead.saturating_add(u64::from(permits)));
        let over = water.level.saturating_add(all).saturating_sub(self.rate.burst);
        self.rate.lossless.then(|| water.at.saturating_add(self.rate.instant(over)))
    }

    fn charge(&self, water: &mut Water, permits: u32, from: u64) -> Mark {
        let level = self.level(water, from) + self.rate.cost(u64::from(permits));
        *water = Water { level, at: water.at.max(from) };
        Mark(self.rate.ticks(water.at) + level)
    }

    fn refund(&self, water: &mut Water, permits: u32, mark: Mark, now: u64) -> u128 {
        let back = self.rate.back(permits, mark, now);
        water.level -= back;
        back
    }

    fn refund_latest(&self, water: &mut Water, permits: u32, now: u64) -> u128 {
        let mark = Mark(self.rate.ticks(water.at) + water.level);
        self.refund(water, permits, mark, now)
    }

    fn idle_at(&self, water: &Water) -> u64 {
        water.at.saturating_add(self.rate.instant(water.level))
    }

    fn carry(&self, old: &Self, water: &Water, carry: Carry, now: u64) -> Water {
        Water { level: self.rate.carry(&old.rate, old.level(water, now), carry), at: now }
    }
}

/// A leaky bucket as a queue: what comes waits in a queue of bounded length, out of which permits drip at an even pace
/// (J. Turner, "New Directions in Communications (or Which Way to the Information Age?)", IEEE Communications Magazine 24(10),
/// 1986).
///
/// To smooth what goes out: there are no bursts, and after `n` permits nothing is granted for `n` times the pace. The quota's
/// burst is the length of the queue, in permits; whoever does not fit in is refused at once, and so a wait is never longer
/// than the queue. In any window, at most `rate · (window + credit)` and the largest request.
///
/// # Examples
/// ```
/// use core::num::NonZeroU32;
/// use core::time::Duration;
/// use wakeful::limit::{AcquireError, LeakyQueue, Limiter, Quota};
///
/// wakeful::sim::run(|sim| async move {
///     let quota = Quota::per_second(NonZeroU32::new(10).unwrap()).burst(NonZeroU32::new(2).unwrap());
///     let limiter = Limiter::with(&sim.time(), LeakyQueue::new(quota));
///     let tasks: Vec<_> = (0..4)
///         .map(|_| {
///             let (limiter, time) = (limiter.clone(), sim.time());
///             sim.spawn("caller", async move { limiter.acquire(1).await.map(|()| time.now()) })
///         })
///         .collect();
///     let mut waits = Vec::new();
///     let mut full = 0;
///     for task in tasks {
///         match task.await {
///             Ok(at) => waits.push(at - wakeful::time::Instant::EPOCH),
///             Err(AcquireError::Full { .. }) => full += 1,
///             Err(error) => panic!("{error}"),
///         }
///     }
///     waits.sort();
///     assert_eq!(waits, [0, 100, 200].map(Duration::from_millis));
///     assert_eq!(full, 1);
/// });
/// ```
#[derive(Clone, Copy, Debug)]
pub struct LeakyQueue {
    quota: Quota,
    rate: Rate,
}

impl LeakyQueue {
    /// A queue for `quota`, whose burst is its length.
    pub fn new(quota: Quota) -> Self {
        Self { quota, rate: Rate::new(&quota) }
    }

    /// What it was made for.
    pub fn quota(&self) -> Quota {
        self.quota
    }
}

/// A drain, free at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Drain {
    /// The tick from which on it is free.
    free_at: u128,
}

impl Decide for LeakyQueue {
    type State = Drain;

    fn fresh(&self) -> Drain {
        Drain::default()
    }

    fn burst(&self) -> u32 {
        self.quota.max_burst().get()
    }

    fn credit(&self) -> u64 {
        self.quota.credit_nanos()
    }

    fn backlog(&self) -> u64 {
        u64::from(self.burst())
    }

    fn due(&self, drain: &Drain, _: u32, from: u64) -> u64 {
        self.rate.instant(drain.free_at).max(from)
    }

    fn due_behind(&self, drain: &Drain, ahead: u64, _: u32) -> Option<u64> {
        self.rate.lossless.then(|| self.rate.instant(drain.free_at.saturating_add(self.rate.cost(ahead))))
    }

    fn charge(&self, drain: &mut Drain, permits: u32, from: u64) -> Mark {
        drain.free_at = drain.free_at.max(self.rate.ticks(from)) + self.rate.cost(u64::from(permits));
        Mark(drain.free_at)
    }

    fn refund(&self, drain: &mut Drain, permits: u32, mark: Mark, now: u64) -> u128 {
        let back = self.rate.back(permits, mark, now);
        drain.free_at -= back;
        back
    }

    fn refund_latest(&self, drain: &mut Drain, permits: u32, now: u64) -> u128 {
        self.refund(drain, permits, Mark(drain.free_at), now)
    }

    fn idle_at(&self, drain: &Drain) -> u64 {
        self.rate.instant(drain.free_at)
    }

    /// What is out pays for itself at the new pace, whichever way.
    fn carry(&self, old: &Self, drain: &Drain, _: Carry, now: u64) -> Drain {
        let spent = drain.free_at.saturating_sub(old.rate.ticks(now)).min(old.rate.burst);
        let (spent, rest) = mul_div(u128::from(self.rate.permit), spent, u128::from(old.rate.permit));
        Drain { free_at: self.rate.ticks(now) + spent + u128::from(rest > 0) }
    }
}
