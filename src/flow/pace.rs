//! When a call has its turn: pure decisions, which take `now`.

use crate::time::Instant;
use core::time::Duration;

/// Which call of several that come close together is run.
///
/// | | a [debounce](super::Debounce) runs | a [throttle](super::Throttle) runs |
/// |---|---|---|
/// | `Leading` | the first of a burst | the first of a period, at once |
/// | `Trailing` | the last of a burst, when it is over | the last of a period, at its end |
/// | `Both` | the first, and the last if it is another one | the first, and the last if it is another one |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Edge {
    /// The first, at once.
    Leading,
    /// The last, when no other will come in its place.
    #[default]
    Trailing,
    /// The first at once, and the last if there is more than one.
    Both,
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It runs now.
    Run,
    /// It takes the place of the one that waits, if there is one, and runs at this instant.
    Wait(Instant),
    /// It does not run.
    Skip,
}

/// Decides what becomes of calls, or of the items of a [`Paced`](super::Paced) stream. At most one waits: the last that was told to.
pub trait Pace {
    /// A call comes at `now`; what was due by then has been [run](Self::ran).
    fn call(&mut self, now: Instant) -> Verdict;

    /// The call that waits has its turn at `now`.
    fn ran(&mut self, now: Instant);

    /// The call that waits will not run: it was given up or cancelled.
    fn withdrawn(&mut self);

    /// What came before is forgotten, as far as that may be.
    fn cancelled(&mut self);
}

/// A burst of calls ends when none has come for `wait`.
#[derive(Clone, Copy, Debug)]
pub struct Bursts {
    wait: Duration,
    longest: Duration,
    edge: Edge,
    /// The last call.
    last: Option<Instant>,
    /// The first call for which the one that waits stands.
    since: Option<Instant>,
}

impl Bursts {
    pub(super) fn new(wait: Duration, longest: Duration, edge: Edge) -> Self {
        Self { wait, longest, edge, last: None, since: None }
    }
}

impl Pace for Bursts {
    fn call(&mut self, now: Instant) -> Verdict {
        let begins = self.last.is_none_or(|last| last + self.wait <= now);
        self.last = Some(now);
        match self.edge {
            Edge::Leading | Edge::Both if begins && self.since.is_none() => Verdict::Run,
            Edge::Leading => Verdict::Skip,
            Edge::Trailing | Edge::Both => {
                let since = *self.since.get_or_insert(now);
                Verdict::Wait((now + self.wait).min(since + self.longest))
            }
        }
    }

    fn ran(&mut self, _: Instant) {
        self.since = None;
    }

    fn withdrawn(&mut self) {
        self.since = None;
    }

    fn cancelled(&mut self) {
        self.last = None;
    }
}

/// What runs begins a period, in which no other does.
#[derive(Clone, Copy, Debug)]
pub struct Periods {
    period: Duration,
    edge: Edge,
    /// The end of the period that began last.
    end: Option<Instant>,
}

impl Periods {
    pub(super) fn new(period: Duration, edge: Edge) -> Self {
        Self { period, edge, end: None }
    }
}

impl Pace for Periods {
    fn call(&mut self, now: Instant) -> Verdict {
        let end = match self.end.filter(|end| now < *end) {
            Some(_) if self.edge == Edge::Leading => return Verdict::Skip,
            Some(end) => end,
            None => {
                let end = now + self.period;
                self.end = Some(end);
                if self.edge != Edge::Trailing {
                    return Verdict::Run;
                }
                end
            }
        };
        Verdict::Wait(end)
    }

    fn ran(&mut self, now: Instant) {
        self.end = Some(now + self.period);
    }

    fn withdrawn(&mut self) {}

    /// The period stays: what ran before still has to be kept apart from what will.
    fn cancelled(&mut self) {}
}

/// Time is cut into periods; the last call of each has its turn at the end of it.
#[derive(Clone, Copy, Debug)]
pub struct Samples {
    start: Instant,
    period: Duration,
}

impl Samples {
    pub(super) fn new(start: Instant, period: Duration) -> Self {
        Self { start, period }
    }
}

impl Pace for Samples {
    fn call(&mut self, now: Instant) -> Verdict {
        // Neither passes the range of an instant, unless the end of the period does.
        let period = u64::try_from(self.period.as_nanos()).unwrap_or(u64::MAX);
        let passed = now.as_nanos().saturating_sub(self.start.as_nanos());
        let into = passed.checked_rem(period).unwrap_or(0);
        Verdict::Wait(Instant::from_nanos((now.as_nanos() - into).saturating_add(period)))
    }

    fn ran(&mut self, _: Instant) {}

    fn withdrawn(&mut self) {}

    fn cancelled(&mut self) {}
}
