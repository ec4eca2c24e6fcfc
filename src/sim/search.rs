//! All schedules, one after another: a depth-first search through the choices.
//!
//! The first run makes all choices 0. Each next one makes those of the run before up to the last that was not yet the
//! greatest possible, that one greater by one, and 0 beyond it.

use super::footprint::Watcher;
use super::oracle::{Bytes, Source};
use super::report::Coverage;
use crate::sys::{Arc, Lock};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// A way through all runs that there are, or all that it is looking for.
pub(super) trait Search {
    /// The oracle of this run.
    fn source(&self) -> Source;

    /// Who looks on at this run.
    fn watcher(&self) -> Option<Box<dyn Watcher>> {
        None
    }

    /// Whether the run asked for other choices than one that began with the same answers.
    fn diverged(&self) -> bool;

    /// The choices of this run.
    fn record(&self) -> Vec<u8>;

    /// Goes on to the next run. False: that was the last.
    fn advance(&self) -> bool;

    /// What has been covered once there are no more runs.
    fn coverage(&self) -> Coverage;
}

/// A choice among `n`.
struct Choice {
    n: usize,
    chosen: usize,
}

#[derive(Default)]
struct Path {
    choices: Vec<Choice>,
    at: usize,
    diverged: bool,
}

/// The search; its clones are the oracles of its runs, which must be made one after another.
#[derive(Clone)]
pub(super) struct Exhaustive(Arc<Lock<Path>>);

impl Exhaustive {
    pub(super) fn new() -> Self {
        Self(Arc::new(Lock::new(Path::default())))
    }

    /// The next choice of this run, among `n`.
    pub(super) fn choose(&self, n: usize) -> usize {
        self.0.with(|path| {
            let at = path.at;
            path.at += 1;
            match path.choices.get(at) {
                Some(choice) if choice.n == n => choice.chosen,
                Some(_) => {
                    path.diverged = true;
                    0
                }
                None => {
                    path.choices.push(Choice { n, chosen: 0 });
                    0
                }
            }
        })
    }
}

impl Search for Exhaustive {
    fn source(&self) -> Source {
        Source::Exhaustive(self.clone())
    }

    fn diverged(&self) -> bool {
        self.0.with(|path| path.diverged || path.at < path.choices.len())
    }

    fn record(&self) -> Vec<u8> {
        self.0.with(|path| {
            let mut bytes = Vec::new();
            for &Choice { n, chosen } in &path.choices {
                Bytes::write(&mut bytes, n, chosen);
            }
            bytes
        })
    }

    fn advance(&self) -> bool {
        self.0.with(|path| {
            path.at = 0;
            while let Some(last) = path.choices.last_mut() {
                last.chosen += 1;
                if last.chosen < last.n {
                    return true;
                }
                path.choices.pop();
            }
            false
        })
    }

    fn coverage(&self) -> Coverage {
        Coverage::Complete
    }
}
