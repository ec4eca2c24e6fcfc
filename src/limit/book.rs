//! What a limiter decides, without a clock, a lock or a line: pure functions of the present.

use super::decide::{Algorithm, Carry, Mark};

/// An algorithm, what it granted, and what was imposed on it from outside.
#[derive(Clone, Debug)]
pub(super) struct Book<A: Algorithm> {
    pub(super) algorithm: A,
    state: A::State,
    cap: Option<Cap>,
    /// When the last cap ended, or the algorithm changed: nobody was due before for what was held back until then.
    floor: u64,
    /// By how many nanoseconds the latest grant was late, if it came within the credit: those who come next without a pause
    /// would have come so much earlier.
    lag: u64,
    /// How far marks have moved down by what was taken back.
    moved: u128,
    /// How often the algorithm has changed.
    changes: u64,
}

/// Lateness of less than the credit shifted by this is not made up for: a microsecond, of twenty milliseconds.
const NEGLIGIBLE: u32 = 14;

/// At most so many permits until an instant.
#[derive(Clone, Copy, Debug)]
struct Cap {
    left: u32,
    until: u64,
}

/// What it takes to give a grant back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Receipt {
    mark: Mark,
    moved: u128,
    changes: u64,
}

impl Receipt {
    /// Gives nothing back.
    pub(super) const NONE: Self = Self { mark: Mark(0), moved: 0, changes: u64::MAX };
}

impl<A: Algorithm> Book<A> {
    pub(super) fn new(algorithm: A) -> Self {
        Self { state: algorithm.fresh(), algorithm, cap: None, floor: 0, lag: 0, moved: 0, changes: 0 }
    }

    /// Whether one word can say all of it: nothing is imposed, no grant was late, and the algorithm has never changed.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        self.cap.is_none() && self.lag == 0 && self.changes == 0
    }

    /// What was granted.
    pub(super) fn state(&self) -> &A::State {
        &self.state
    }

    /// Until when there is more to it than what was granted, if so at `now`: something is imposed, or late grants may be made
    /// up for.
    pub(super) fn matters_until(&self, now: u64) -> Option<u64> {
        // As `arrival` has it.
        let made_up = self.algorithm.idle_at(&self.state).saturating_add(self.lag.saturating_mul(2));
        let lags = (self.lag > 0 && now < made_up).then_some(made_up);
        self.cap.map(|cap| cap.until).max(lags)
    }

    /// Goes on from what was granted elsewhere.
    pub(super) fn resume(&mut self, state: A::State) {
        self.state = state;
    }

    /// The word that says what was granted, for a clock that begins at `origin`.
    #[inline]
    pub(super) fn pack(&self, origin: u64) -> Option<u64> {
        self.algorithm.pack(&self.state, origin)
    }

    /// Takes what was granted from a word.
    #[inline]
    pub(super) fn unpack(&mut self, word: u64, origin: u64) {
        self.state = self.algorithm.unpack(word, origin);
    }

    /// Takes note that it is `now`, and says whether something that was imposed has ended by that.
    #[inline]
    pub(super) fn pass(&mut self, now: u64) -> bool {
        let ends = self.cap.is_some_and(|cap| cap.until <= now);
        if ends {
            self.lift(now);
        }
        ends
    }

    /// Takes back what was imposed.
    pub(super) fn lift(&mut self, now: u64) {
        if let Some(cap) = self.cap.take() {
            self.floor = cap.until.min(now);
        }
    }

    /// Lets at most `left` be granted until an instant. While something is imposed already it can only become stricter.
    pub(super) fn impose(&mut self, left: u32, until: u64, now: u64) {
        if until <= now {
            return;
        }
        self.cap = Some(match self.cap {
            Some(cap) if left > cap.left => cap,
            Some(cap) => Cap { left, until: until.max(cap.until) },
            None => Cap { left, until },
        });
    }

    /// Whether `permits` are allowed at `now`.
    #[inline]
    pub(super) fn is_ready(&self, permits: u32, now: u64) -> bool {
        self.cap.is_none_or(|cap| permits <= cap.left || now >= cap.until)
            && self.algorithm.is_ready(&self.state, permits, now)
    }

    /// The first instant, not before `from`, at which `permits` are allowed.
    #[inline]
    pub(super) fn due(&self, permits: u32, from: u64) -> u64 {
        let from = match self.cap {
            Some(cap) if permits > cap.left => cap.until.max(from),
            _ => from,
        };
        if from == u64::MAX { from } else { self.algorithm.due(&self.state, permits, from) }
    }

    /// As [`due`](Self::due), if so many are to be granted before; for those for which their sum is enough to know.
    #[inline]
    pub(super) fn due_behind(&self, ahead: u64, permits: u32) -> Option<u64> {
        if self.cap.is_some() { None } else { self.algorithm.due_behind(&self.state, ahead, permits) }
    }

    /// Whether a grant that is made at `now` to somebody who came at `since` is charged as if it were not late.
    #[inline]
    pub(super) fn is_credited(&self, since: u64, now: u64) -> bool {
        now.saturating_sub(self.algorithm.credit()) <= since.max(self.floor)
    }

    /// When somebody who comes at `now` would have come if the grants before had not been late. What nobody made use of meanwhile
    /// is not made up for.
    #[inline]
    pub(super) fn arrival(&mut self, now: u64) -> u64 {
        if self.lag > 0 {
            let unused = now.saturating_sub(self.lag).saturating_sub(self.algorithm.idle_at(&self.state));
            self.lag = self.lag.saturating_sub(unused);
        }
        now.saturating_sub(self.lag)
    }

    /// Grants `permits`, which are allowed at `now`, to somebody whose [arrival](Self::arrival) was at `since`.
    #[inline]
    pub(super) fn grant(&mut self, permits: u32, since: u64, now: u64) -> Receipt {
        self.pass(now);
        if let Some(cap) = &mut self.cap {
            cap.left -= permits;
        }
        let credit = self.algorithm.credit();
        let from = since.max(self.floor).max(now.saturating_sub(credit));
        let late = if from < now { now.saturating_sub(self.algorithm.due(&self.state, permits, from)) } else { 0 };
        // Whoever asks again and again is a little late each time: not so that the word could not be used any more.
        self.lag = if late > credit >> NEGLIGIBLE { late } else { 0 };
        let mark = self.algorithm.charge(&mut self.state, permits, from);
        Receipt { mark, moved: self.moved, changes: self.changes }
    }

    /// Takes back `permits` of a grant. What was granted before the algorithm changed stays granted; and so does, in the eyes
    /// of whoever imposed something, what was granted since.
    pub(super) fn refund(&mut self, permits: u32, receipt: Receipt, now: u64) {
        if receipt.changes == self.changes {
            // Some that moved it down may have been granted later; then it gives back less.
            let mark = Mark(receipt.mark.0.saturating_sub(self.moved - receipt.moved));
            self.moved += self.algorithm.refund(&mut self.state, permits, mark, now);
        }
    }

    /// Takes back `permits` of what was granted last.
    pub(super) fn refund_latest(&mut self, permits: u32, now: u64) {
        self.moved += self.algorithm.refund_latest(&mut self.state, permits, now);
    }

    /// Makes up for no grant that was late.
    pub(super) fn forget_lag(&mut self) {
        self.lag = 0;
    }

    /// Goes on by another algorithm.
    pub(super) fn change(&mut self, algorithm: A, carry: Carry, now: u64) {
        self.state = algorithm.carry(&self.algorithm, &self.state, carry, now);
        self.algorithm = algorithm;
        self.floor = now;
        self.forget_lag();
        self.changes += 1;
    }
}
