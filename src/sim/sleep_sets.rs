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
//! - **L2** A node's sleepers are those that it was reached with, and the tasks that were tried there before.

use super::footprint::{Footprint, Watcher};
use super::oracle::{Bytes, Source};
use super::report::Coverage;
use super::search::Search;
use super::view::ReadyView;
use crate::sys::{Arc, Lock};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// How often in a row a task is tried first where others are ready.
const PATIENCE: u32 = 32;

enum Node {
    /// Who of the ready is polled next.
    Task {
        /// Their keys, in the order in which they are counted.
        ready: Vec<u64>,
        chosen: usize,
        sleepers: Vec<Arc<Footprint>>,
        /// Of the chosen one.
        print: Option<Footprint>,
    },
    Data {
        n: usize,
        chosen: usize,
    },
}

#[derive(Default)]
struct Path {
    nodes: Vec<Node>,
    at: usize,
    diverged: bool,
    sleepers: Vec<Arc<Footprint>>,
    /// Who was chosen last, and how often in a row.
    streak: (u64, u32),
    /// The node that chose the poll which is under way.
    open: Option<usize>,
    /// Whether any task made the promise.
    promised: bool,
}

/// The search; its clones are the oracles and the watchers of its runs, which must be made one after another.
#[derive(Clone)]
pub(super) struct SleepSets(Arc<Lock<Path>>);

fn sleeps(sleepers: &[Arc<Footprint>], key: u64) -> bool {
    sleepers.iter().any(|print| print.key == key)
}

/// The last of `ready` that does not sleep.
fn awake(ready: &[u64], sleepers: &[Arc<Footprint>]) -> Option<usize> {
    ready.iter().rposition(|&key| !sleeps(sleepers, key))
}

impl Path {
    fn choose_task(&mut self, ready: &ReadyView<'_>) -> Option<usize> {
        self.open = None;
        let keys = || ready.tasks().map(|task| task.key);
        if ready.count() == 1 {
            return keys().all(|key| !sleeps(&self.sleepers, key)).then_some(0);
        }
        let (chosen, key) = match self.nodes.get(self.at) {
            Some(Node::Task { ready, chosen, sleepers, .. }) if keys().eq(ready.iter().copied()) => {
                self.sleepers.clone_from(sleepers);
                (*chosen, ready[*chosen])
            }
            Some(_) => {
                self.diverged = true;
                return Some(0);
            }
            None => {
                let ready: Vec<u64> = keys().collect();
                // The one chosen last comes last in the order in which they are counted.
                let chosen = match self.streak.1 < PATIENCE {
                    true => awake(&ready, &self.sleepers)?,
                    false => ready.iter().position(|&key| !sleeps(&self.sleepers, key))?,
                };
                let key = ready[chosen];
                self.nodes.push(Node::Task { ready, chosen, sleepers: self.sleepers.clone(), print: None });
                (chosen, key)
            }
        };
        self.streak = (key, if self.streak.0 == key { self.streak.1 + 1 } else { 1 });
        self.open = Some(self.at);
        self.at += 1;
        Some(chosen)
    }

    fn choose_data(&mut self, n: usize) -> usize {
        let at = self.at;
        self.at += 1;
        match self.nodes.get(at) {
            Some(&Node::Data { n: before, chosen }) if before == n => chosen,
            Some(_) => {
                self.diverged = true;
                0
            }
            None => {
                self.nodes.push(Node::Data { n, chosen: 0 });
                0
            }
        }
    }

    fn advance(&mut self) -> bool {
        (self.at, self.open, self.streak) = (0, None, (0, 0));
        self.sleepers.clear();
        while let Some(last) = self.nodes.last_mut() {
            let next = match last {
                Node::Data { n, chosen } => (*chosen + 1 < *n).then(|| (*chosen + 1, chosen)),
                Node::Task { ready, chosen, sleepers, print } => {
                    sleepers.extend(print.take().map(Arc::new));
                    awake(ready, sleepers).map(|next| (next, chosen))
                }
            };
            if let Some((next, chosen)) = next {
                *chosen = next;
                return true;
            }
            self.nodes.pop();
        }
        false
    }
}

impl SleepSets {
    pub(super) fn new() -> Self {
        Self(Arc::new(Lock::new(Path::default())))
    }

    /// Who is polled next: of one who is ready alone, too. `None`: the run is to be cut.
    pub(super) fn choose_task(&self, ready: &ReadyView<'_>) -> Option<usize> {
        self.0.with(|path| path.choose_task(ready))
    }

    pub(super) fn choose_data(&self, n: usize) -> usize {
        self.0.with(|path| path.choose_data(n))
    }
}

impl Watcher for SleepSets {
    fn polled(&mut self, print: &mut Footprint) {
        self.0.with(|path| {
            path.promised |= print.tracked;
            path.sleepers.retain(|sleeper| !print.conflicts(sleeper));
            if let Some(Node::Task { print: known, .. }) = path.open.take().and_then(|open| path.nodes.get_mut(open)) {
                match known {
                    Some(known) => known.unite(print),
                    None => *known = Some(core::mem::take(print)),
                }
            }
        });
    }
}

impl Search for SleepSets {
    fn source(&self) -> Source {
        Source::SleepSets(self.clone())
    }

    fn watcher(&self) -> Option<Box<dyn Watcher>> {
        Some(Box::new(self.clone()))
    }

    fn diverged(&self) -> bool {
        self.0.with(|path| path.diverged || path.at < path.nodes.len())
    }

    fn record(&self) -> Vec<u8> {
        self.0.with(|path| {
            let mut bytes = Vec::new();
            for node in &path.nodes {
                let (n, chosen) = match node {
                    Node::Task { ready, chosen, .. } => (ready.len(), *chosen),
                    &Node::Data { n, chosen } => (n, chosen),
                };
                Bytes::write(&mut bytes, n, chosen);
            }
            bytes
        })
    }

    fn advance(&self) -> bool {
        self.0.with(Path::advance)
    }

    fn coverage(&self) -> Coverage {
        self.0.with(|path| if path.promised { Coverage::Tracked } else { Coverage::Complete })
    }
}
