//! When a cancellation reaches a scope that is behind shields.

use crate::time::Instant;
use core::time::Duration;

/// What a shield does: from when on it holds cancellations back, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cover {
    pub(super) entered: Instant,
    pub(super) budget: Duration,
}

impl Cover {
    /// That of a node which is no scope, so that nobody asks.
    pub(super) const NONE: Self = Self { entered: Instant::EPOCH, budget: Duration::ZERO };
    /// That of a node through which nothing ever comes.
    pub(super) const ALWAYS: Self = Self { entered: Instant::EPOCH, budget: Duration::MAX };
}

/// The way of a cancellation from further out to a scope, through the shields between.
///
/// One that reaches a shield at `t` passes it at `max(t, entered) + budget`: the budget counts from the instant at which
/// the shield first holds something back. Several shields in a row come to the same form, `max(t + add, least)`, so a walk
/// from the scope outwards can keep it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Way {
    add: Duration,
    least: Instant,
    shielded: bool,
}

impl Way {
    /// Past no shield.
    pub(super) const DIRECT: Self = Self { add: Duration::ZERO, least: Instant::EPOCH, shielded: false };

    /// The same way from one shield further out.
    pub(super) fn through(self, shield: Cover) -> Self {
        Self {
            add: self.add.saturating_add(shield.budget),
            least: self.least.max(shield.entered + shield.budget + self.add),
            shielded: true,
        }
    }

    /// The same way where what comes from further out has not passed before `at`.
    pub(super) fn since(self, at: Instant) -> Self {
        self.through(Cover { entered: at, budget: Duration::ZERO })
    }

    /// When that reaches the scope which comes to the outer end at `at`.
    #[inline]
    pub(super) fn reached(self, at: Instant) -> Instant {
        match self.shielded {
            true => (at + self.add).max(self.least),
            false => at,
        }
    }

    #[inline]
    pub(super) fn is_direct(self) -> bool {
        !self.shielded
    }
}

#[cfg(all(test, not(wakeful_loom)))]
mod tests {
    use super::*;

    fn at(nanos: u64) -> Instant {
        Instant::from_nanos(nanos)
    }

    fn cover(entered: u64, budget: u64) -> Cover {
        Cover { entered: at(entered), budget: Duration::from_nanos(budget) }
    }

    /// One shield after another, from outside inwards.
    fn stepwise(shields: &[Cover], from: Instant) -> Instant {
        shields.iter().rev().fold(from, |at, shield| at.max(shield.entered) + shield.budget)
    }

    #[test]
    fn h_shields_in_a_row_add_up_as_they_do_one_by_one() {
        let covers =
            [cover(0, 5), cover(10, 0), cover(3, 7), cover(20, 1), Cover { budget: Duration::MAX, ..cover(1, 0) }];
        for first in covers {
            for second in covers {
                for third in covers {
                    let shields = [first, second, third];
                    let way = shields.into_iter().fold(Way::DIRECT, Way::through);
                    for from in [at(0), at(4), at(11), at(30), Instant::NEVER] {
                        assert_eq!(way.reached(from), stepwise(&shields, from), "{shields:?} {from:?}");
                    }
                }
            }
        }
        assert_eq!(Way::DIRECT.reached(at(7)), at(7));
    }
}
