//! The store's time: what several processes make of one wall clock, which may jump. Pure decisions over readings.

use crate::time::{Instant, nanos};
use core::time::Duration;

/// A wall clock that is off by no more than this since the last look at it has not jumped.
pub(super) const STEP: Duration = Duration::from_millis(250);

/// What the file says of time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Kept {
    /// The latest instant that was written down. The store's time is never before it.
    pub(super) clock: Instant,
    /// How many nanoseconds the store's time is ahead of the wall clock: as many as that was put back.
    pub(super) ahead: i64,
    /// How many jumps were seen.
    pub(super) jumps: i64,
}

/// What one process knows of time, as of its last look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hand {
    mono: Instant,
    clock: Instant,
    /// None: it has not looked yet.
    jumps: Option<i64>,
    /// Since when it has seen every jump, and the last number that was given out by then.
    since: Instant,
    serial: i64,
}

/// One look at the clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) now: Instant,
    /// The wall clock has jumped, and this is the first to see it: all leases begin anew.
    pub(super) jumped: bool,
    /// Leases up to this number may have been given by somebody whose clock was another: they are honoured until this process
    /// has looked on for as long as they are.
    pub(super) strange: i64,
    pub(super) watched: Duration,
}

impl Hand {
    pub(super) fn new(mono: Instant) -> Self {
        Self { mono, clock: Instant::EPOCH, jumps: None, since: mono, serial: 0 }
    }

    /// Looks at both clocks. `serial` is the last number that was given out.
    pub(super) fn look(&self, kept: &mut Kept, serial: i64, mono: Instant, unix: Duration) -> (Self, Look) {
        let wall = i64::try_from(nanos(unix)).unwrap_or(i64::MAX);
        let raw = Instant::from_nanos(u64::try_from(wall.saturating_add(kept.ahead)).unwrap_or(0));
        let watched = self.jumps == Some(kept.jumps);
        let expected = if watched { self.clock + mono.since(self.mono) } else { Instant::EPOCH };
        let least = expected.max(kept.clock);
        let back = raw + STEP < least;
        let jumped = back || (watched && raw > expected + STEP);
        let now = if back { least } else { raw.max(kept.clock).max(self.clock) };
        if back {
            kept.ahead = i64::try_from(now.as_nanos()).unwrap_or(i64::MAX).saturating_sub(wall);
        }
        kept.jumps += i64::from(jumped);
        // Whoever has not seen all jumps knows nothing of the leases that were given until now.
        let (since, serial) = if watched { (self.since, self.serial) } else { (mono, serial) };
        let hand = Self { mono, clock: now, jumps: Some(kept.jumps), since, serial };
        (hand, Look { now, jumped, strange: serial, watched: mono.since(since) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn at(n: u64) -> Instant {
        Instant::EPOCH + s(n)
    }

    #[test]
    fn the_store_s_time_is_the_wall_clock_s_and_is_never_put_back() {
        let mut kept = Kept::default();
        let (hand, look) = Hand::new(at(5)).look(&mut kept, 0, at(5), s(100));
        assert_eq!((look.now, look.jumped, look.strange), (at(100), false, 0));
        let (hand, look) = hand.look(&mut kept, 7, at(6), s(101));
        assert_eq!((look.now, look.jumped, look.watched), (at(101), false, s(1)));
        // Back by a minute: it goes on as the monotonic clock does.
        let (hand, look) = hand.look(&mut kept, 7, at(7), s(42));
        assert_eq!((look.now, look.jumped, kept.ahead), (at(102), true, 60_000_000_000));
        let (hand, look) = hand.look(&mut kept, 7, at(8), s(43));
        assert_eq!((look.now, look.jumped), (at(103), false));
        // Forward: what is due at a date is due, and leases begin anew.
        let (_, look) = hand.look(&mut kept, 7, at(9), s(1044));
        assert_eq!((look.now, look.jumped, look.strange), (at(1104), true, 0));
    }

    #[test]
    fn who_has_missed_a_jump_trusts_no_lease_that_is_older() {
        let mut kept = Kept::default();
        let (one, _) = Hand::new(at(0)).look(&mut kept, 0, at(0), s(100));
        let (other, _) = Hand::new(at(0)).look(&mut kept, 0, at(0), s(100));
        let (_, look) = other.look(&mut kept, 8, at(10), s(500));
        assert!(look.jumped);
        let (one, look) = one.look(&mut kept, 9, at(11), s(501));
        assert_eq!((look.jumped, look.strange, look.watched), (false, 9, s(0)), "one jump is seen once");
        let (_, look) = one.look(&mut kept, 20, at(13), s(503));
        assert_eq!((look.jumped, look.strange, look.watched), (false, 9, s(2)));
    }

    #[test]
    fn who_comes_after_the_clock_was_put_back_goes_on_where_the_file_is() {
        let mut kept = Kept { clock: at(100), ..Kept::default() };
        let (_, look) = Hand::new(at(3)).look(&mut kept, 5, at(3), s(40));
        assert_eq!((look.now, look.jumped, look.strange), (at(100), true, 5));
    }
}
