//! All schedules with few pre-emptions: first those with none, then those with one, and so on.
//!
//! M. Musuvathi and S. Qadeer, "Iterative Context Bounding for Systematic Testing of Multithreaded Programs" (PLDI 2007).
//! A task is pre-empted if another is polled next while it could have gone on at once: while it was ready again after its
//! poll, as one is that yields. Who waits for something is left for another at no cost. Many bugs need one or two
//! pre-emptions, and of schedules with so few there are far less: their number grows with a power of the number of polls,
//! not exponentially.
//!
//! It is not offered together with sleep sets. A task that sleeps has been tried before, in runs that may since have been
//! left for having too many pre-emptions; then what it leads to is seen by neither.
//!
//! # Invariants
//!
//! - **B1** A run of a round has at most `bound` pre-emptions, and the runs with fewer were made in earlier rounds.
//! - **B2** `refused` says whether this round left anything out on account of its bound; if not, no other round has anything
//!   new.

use super::report::Coverage;
use super::search::{Path, Rules};
use super::view::ReadyView;

/// A task that is chosen so often in a row, while others are ready, is taken to spin until one of them does something: so
/// others are polled next, and that is no pre-emption.
const PATIENCE: u32 = 64;

/// A choice among tasks.
pub(super) struct Choice {
    /// The one that could go on at once, unless its turn is over.
    going: Option<usize>,
    /// The one that may not be chosen, since it has had too many turns.
    spinning: Option<usize>,
    /// How many pre-emptions there were before.
    before: u32,
}

impl Choice {
    fn costs(&self, chosen: usize) -> u32 {
        u32::from(self.going.is_some_and(|going| going != chosen))
    }

    /// The one that is tried first.
    fn first(&self) -> usize {
        match (self.going, self.spinning) {
            (Some(going), _) => going,
            (None, Some(0)) => 1,
            (None, _) => 0,
        }
    }

    /// The one that is tried after `chosen`, among `n`: the one that goes on is tried first, the others in order.
    fn next(&self, chosen: usize, n: usize) -> Option<usize> {
        let start = if self.going == Some(chosen) { 0 } else { chosen + 1 };
        (start..n).find(|&next| self.going != Some(next) && self.spinning != Some(next))
    }
}

pub(super) struct Bounded {
    most: u32,
    bound: u32,
    /// How many pre-emptions this run has had.
    spent: u32,
    refused: bool,
    /// Whether a task was taken to spin.
    impatient: bool,
    /// How often in a row the task polled last was chosen.
    streak: u32,
}

impl Bounded {
    pub(super) fn new(most: u32) -> Self {
        Self { most, bound: 0, spent: 0, refused: false, impatient: false, streak: 0 }
    }
}

impl Rules for Bounded {
    type Choice = Choice;

    fn choose_task(&mut self, path: &mut Path<Choice>, ready: &ReadyView<'_>) -> Option<usize> {
        let last = ready.tasks().position(|task| task.woke_itself);
        let spins = self.streak >= PATIENCE;
        self.impatient |= spins && last.is_some();
        let (going, spinning) = if spins { (None, last) } else { (last, None) };
        let at = path.len();
        let chosen = path.choose(
            ready.count(),
            |choice| choice.is_some_and(|choice| (choice.going, choice.spinning) == (going, spinning)),
            || {
                let choice = Choice { going, spinning, before: self.spent };
                Some((choice.first(), Some(choice)))
            },
        )?;
        if let Some(choice) = path.task(at) {
            self.spent = choice.before + choice.costs(chosen);
        }
        self.streak = if last == Some(chosen) { self.streak + 1 } else { 1 };
        Some(chosen)
    }

    fn advance(&mut self, path: &mut Path<Choice>) -> bool {
        let Self { bound, refused, .. } = self;
        let again = path.advance(|node| {
            let choice = node.task.as_ref()?;
            let next = choice.next(node.chosen, node.n)?;
            if choice.before + choice.costs(next) > *bound {
                // Those that are left cost as much.
                *refused = true;
                return None;
            }
            Some(next)
        });
        (self.spent, self.streak) = (0, 0);
        if again {
            return true;
        }
        let more = self.refused && self.bound < self.most;
        if more {
            (self.bound, self.refused) = (self.bound + 1, false);
        }
        more
    }

    fn coverage(&self) -> Coverage {
        match self.refused || self.impatient {
            true => Coverage::Preemptions(self.bound),
            false => Coverage::Complete,
        }
    }

    fn repeats(&self) -> bool {
        self.spent < self.bound
    }
}
