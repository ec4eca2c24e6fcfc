//! Gates: who holds them, and who waits. Pure decisions over an instant.

use super::line::Line;
use super::row::Rank;
use super::types::Rule;
use crate::time::{Instant, nanos};

/// One gate.
#[derive(Debug, Default)]
pub(super) struct GateState {
    /// How many rows that have not ended are under it, where that is counted.
    pub(super) rows: usize,
    /// How many runs hold it.
    pub(super) held: u32,
    /// When the next one of a rate would be due if there were no burst: the theoretical arrival time.
    pub(super) next: Instant,
    /// Who waits for it and others, the first one first. A place is kept for that one, wherever else it has to wait, so that it
    /// gets all of its places in the end.
    pub(super) waiting: Line<Rank>,
    /// When it is to be looked at again, as it is noted.
    pub(super) opens: Option<Instant>,
    /// Those of them who were turned away here when they were last looked at.
    pub(super) blocked: Line<Rank>,
}

impl GateState {
    /// Whether one with `ahead` others before it may go in: the instant from which it may as things are, never if it has to
    /// wait for others to leave.
    pub(super) fn opens(&self, rule: Rule, ahead: usize, now: Instant) -> Instant {
        match rule {
            Rule::AtMost(most) => {
                let free = most.get().saturating_sub(self.held) as usize;
                if ahead < free { Instant::EPOCH } else { Instant::NEVER }
            }
            Rule::Rate { burst, every } => {
                let step = step(burst.get(), nanos(every));
                let credit = step.saturating_mul(u64::from(burst.get()) - 1);
                let at = self.next.max(now).as_nanos().saturating_sub(credit);
                Instant::from_nanos(at.saturating_add(step.saturating_mul(ahead as u64)))
            }
        }
    }

    /// Somebody goes in.
    pub(super) fn enter(&mut self, rule: Rule, now: Instant) {
        self.held += 1;
        if let Rule::Rate { burst, every } = rule {
            let step = step(burst.get(), nanos(every));
            let from = self.next.max(now).as_nanos();
            self.next = Instant::from_nanos(from.saturating_add(step));
        }
    }

    /// Somebody leaves; if he has not begun, as if he had not gone in.
    pub(super) fn leave(&mut self, rule: Rule, has_begun: bool) {
        self.held -= 1;
        if let (Rule::Rate { burst, every }, false) = (rule, has_begun) {
            let step = step(burst.get(), nanos(every));
            self.next = Instant::from_nanos(self.next.as_nanos().saturating_sub(step));
        }
    }

    /// How many places are kept from `rank`: one, for the first in line, if somebody else is that.
    pub(super) fn kept_from(&self, rank: Rank) -> usize {
        usize::from(self.waiting.first().is_some_and(|first| *first < rank))
    }

    /// Whether nothing would be forgotten with it.
    pub(super) fn is_idle(&self, now: Instant) -> bool {
        self.held == 0 && self.waiting.is_empty() && self.next <= now
    }
}

/// The nanoseconds between two of a rate, rounded up.
fn step(burst: u32, every: u64) -> u64 {
    every.div_ceil(u64::from(burst))
}
