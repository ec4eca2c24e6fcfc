//! How a node's clock reads, as a function of the virtual time: whole nanoseconds, and exact both ways.
//!
//! At the virtual instant `g` the clock has counted `count(g) = base + floor((g − since) · num / den)`, and reads that rounded
//! down to a multiple of `grain`.
//!
//! # Invariants
//!
//! - **K1** `since` is no later than the present, and `den` and `grain` are not 0.
//! - **K2** Setting anything moves `since` to the present and `base` to what was counted by then: the past is not reread.
//! - **K3** `reach(l)` is the least `g` from `since` on at which the clock reads `l` or more.

/// The last instant that is reached.
const END: u64 = u64::MAX - 1;

#[derive(Clone, Debug)]
pub(super) struct Skew {
    since: u64,
    base: u64,
    num: u32,
    den: u32,
    grain: u64,
}

impl Skew {
    /// A clock that reads the virtual time.
    pub(super) const TRUE: Self = Self { since: 0, base: 0, num: 1, den: 1, grain: 1 };

    /// What the clock reads at `now`.
    pub(super) fn read(&self, now: u64) -> u64 {
        let count = self.count(now);
        count - count % self.grain
    }

    /// What it has counted by `now`, before rounding.
    fn count(&self, now: u64) -> u64 {
        let passed = u128::from(now.saturating_sub(self.since)) * u128::from(self.num) / u128::from(self.den);
        let count = u128::from(self.base) + passed;
        count.min(END.into()) as u64
    }

    /// When the clock reads `local` or more for the first time from the present on; `u64::MAX`: never.
    pub(super) fn reach(&self, local: u64) -> u64 {
        if local > END {
            return u64::MAX;
        }
        let count = u128::from(local).next_multiple_of(self.grain.into());
        let Some(missing) = count.checked_sub(self.base.into()).filter(|&missing| missing > 0) else {
            return self.since;
        };
        if self.num == 0 || count > END.into() {
            return u64::MAX;
        }
        // At most 64 bits times 32 bits.
        let passes = (missing * u128::from(self.den)).div_ceil(self.num.into());
        let at = u128::from(self.since) + passes;
        if at > END.into() { u64::MAX } else { at as u64 }
    }

    /// Goes on from what it has counted by `now` (K2).
    fn settle(&mut self, now: u64) {
        (self.base, self.since) = (self.count(now), now);
    }

    /// From `now` on it counts `num` nanoseconds in `den`.
    pub(super) fn set_rate(&mut self, now: u64, num: u32, den: u32) {
        self.settle(now);
        (self.num, self.den) = (num, den);
    }

    /// From `now` on it reads multiples of `grain`, which is not 0.
    pub(super) fn set_grain(&mut self, now: u64, grain: u64) {
        self.settle(now);
        self.grain = grain;
    }

    /// At `now` it leaps ahead.
    pub(super) fn leap(&mut self, now: u64, by: u64) {
        self.settle(now);
        self.base = self.base.saturating_add(by).min(END);
    }

    /// At `now` it falls back, to its epoch at the most.
    pub(super) fn fall(&mut self, now: u64, by: u64) {
        self.settle(now);
        self.base = self.base.saturating_sub(by);
    }
}

#[cfg(all(test, not(wakeful_loom)))]
mod tests {
    use super::*;
    use crate::sim::Rng;

    /// A number of any size.
    fn any(rng: &mut Rng) -> u64 {
        rng.next_u64() >> rng.below(64)
    }

    #[test]
    fn a_reading_is_reached_exactly_when_it_is_reached() {
        let mut rng = Rng::new(1);
        for _ in 0..20_000 {
            let (mut skew, mut now) = (Skew::TRUE, 0_u64);
            for _ in 0..rng.below(6) {
                now = now.saturating_add(any(&mut rng) >> 8);
                let before = skew.count(now);
                match rng.below(4) {
                    0 => {
                        let (num, den) = (any(&mut rng) as u32, (any(&mut rng) as u32).max(1));
                        skew.set_rate(now, num, den);
                        assert_eq!(skew.count(now), before, "a new rate changes no reading");
                    }
                    1 => skew.set_grain(now, (any(&mut rng) >> 20).max(1)),
                    2 => skew.leap(now, any(&mut rng)),
                    _ => skew.fall(now, any(&mut rng)),
                }
            }
            let here = skew.read(now);
            let local = match rng.below(3) {
                0 => here,
                1 => here.saturating_add(any(&mut rng)),
                _ => here.saturating_sub(any(&mut rng)),
            };
            let at = skew.reach(local);
            if at == u64::MAX {
                assert!(skew.read(END) < local || local > END, "{skew:?} {local}");
                continue;
            }
            assert!(skew.read(at) >= local, "{skew:?} {local}");
            assert!(at == skew.since || skew.read(at - 1) < local, "{skew:?} {local}: {at} is not the first");
        }
    }

    #[test]
    fn a_clock_that_is_true_reads_the_virtual_time() {
        let skew = Skew::TRUE;
        for at in [0, 1, 1_000_000_007, END] {
            assert_eq!((skew.read(at), skew.reach(at)), (at, at));
        }
        assert_eq!(skew.reach(u64::MAX), u64::MAX);
    }

    #[test]
    fn rates_grains_and_leaps_give_the_readings_of_paper_and_pencil() {
        let mut skew = Skew::TRUE;
        skew.set_rate(100, 3, 2);
        assert_eq!((skew.read(100), skew.read(101), skew.read(102)), (100, 101, 103));
        assert_eq!((skew.reach(102), skew.reach(103)), (102, 102), "102 is skipped");
        skew.set_grain(102, 10);
        assert_eq!((skew.read(102), skew.read(106), skew.read(107)), (100, 100, 110));
        assert_eq!((skew.reach(101), skew.reach(111)), (107, 114));
        skew.leap(107, 1_000);
        assert_eq!(skew.read(107), 1_110);
        assert_eq!(skew.reach(50), 107, "it has been reached");
        skew.fall(107, 5_000);
        assert_eq!(skew.read(107), 0);
        skew.set_rate(107, 0, 1);
        assert_eq!((skew.read(END), skew.reach(0), skew.reach(10)), (0, 107, u64::MAX));
    }
}
