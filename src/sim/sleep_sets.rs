//! All schedules but those that are like others: a depth-first search that lets tasks sleep.
//!
//! P. Godefroid, "Using Partial Orders to Improve Automatic Verification Methods" (CAV 1990). Where several tasks are
//! ready, the search tries one after another. One that was tried sleeps while the next are: polling it after them leads to
//! where polling it before them has led, until one of them is polled whose [footprint](super::footprint) conflicts with
//! its own. A run in which all who are ready sleep is cut: however it went on, it would be like an earlier one.
//!
//! The task polled last is tried first, which was found to leave fewer runs to be cut; but not for ever, since it may be
//! spinning until another task does something.
//!
//! # Invariants
//!
//! - **L1** A task that sleeps is ready, and its footprint is what its next poll would leave, whichever values it let choose.
//! - **L2** The sleepers of a choice are those that it was reached with, and the tasks that were tried there before.

use super::footprint::Footprint;
use super::report::Coverage;
use super::search::{Path, Rules};
use super::view::ReadyView;
use crate::sys::Arc;
use alloc::vec::Vec;

/// How often in a row a task is tried first where others are ready.
const PATIENCE: u32 = 32;

type Sleepers = Vec<Arc<Footprint>>;

/// A choice among tasks.
pub(super) struct Choice {
    /// The keys of the ready tasks, in the order in which they are counted.
    ready: Vec<u64>,
    sleepers: Sleepers,
    /// Of the one that was chosen.
    print: Option<Footprint>,
}

#[derive(Default)]
pub(super) struct SleepSets {
    /// Those that sleep now.
    sleepers: Sleepers,
    /// Who was chosen last, and how often in a row.
    streak: (u64, u32),
    /// The choice that led to the poll which is under way.
    open: Option<usize>,
    /// Whether any task made the promise.
    promised: bool,
}

fn sleeps(sleepers: &Sleepers, key: u64) -> bool {
    sleepers.iter().any(|print| print.key == key)
}

/// The last of `ready` that does not sleep.
fn awake(ready: &[u64], sleepers: &Sleepers) -> Option<usize> {
    ready.iter().rposition(|&key| !sleeps(sleepers, key))
}

impl Rules for SleepSets {
    type Choice = Choice;

    const WATCHES: bool = true;

    fn choose_task(&mut self, path: &mut Path<Choice>, ready: &ReadyView<'_>) -> Option<usize> {
        self.open = None;
        let keys = || ready.tasks().map(|task| task.key);
        if ready.count() == 1 {
            return keys().all(|key| !sleeps(&self.sleepers, key)).then_some(0);
        }
        let fits = |choice: Option<&Choice>| choice.is_some_and(|choice| keys().eq(choice.ready.iter().copied()));
        let at = path.len();
        let chosen = path.choose(ready.count(), fits, || {
            let (ready, sleepers): (Vec<u64>, _) = (keys().collect(), self.sleepers.clone());
            // The one chosen last comes last in the order in which they are counted.
            let chosen = match self.streak.1 < PATIENCE {
                true => awake(&ready, &sleepers)?,
                false => ready.iter().position(|&key| !sleeps(&sleepers, key))?,
            };
            Some((chosen, Some(Choice { ready, sleepers, print: None })))
        })?;
        if let Some(choice) = path.task(at) {
            let key = choice.ready[chosen];
            self.streak = (key, if self.streak.0 == key { self.streak.1 + 1 } else { 1 });
            self.sleepers.clone_from(&choice.sleepers);
            self.open = Some(at);
        }
        Some(chosen)
    }

    fn polled(&mut self, path: &mut Path<Choice>, print: &mut Footprint) {
        self.promised |= print.tracked;
        self.sleepers.retain(|sleeper| !print.conflicts(sleeper));
        if let Some(choice) = self.open.take().and_then(|open| path.task(open)) {
            match &mut choice.print {
                Some(known) => known.unite(print),
                none => *none = Some(core::mem::take(print)),
            }
        }
    }

    fn advance(&mut self, path: &mut Path<Choice>) -> bool {
        (self.open, self.streak) = (None, (0, 0));
        self.sleepers.clear();
        path.advance(|node| {
            let Choice { ready, sleepers, print } = node.task.as_mut()?;
            sleepers.extend(print.take().map(Arc::new));
            awake(ready, sleepers)
        })
    }

    fn coverage(&self) -> Coverage {
        if self.promised { Coverage::Tracked } else { Coverage::Complete }
    }
}
