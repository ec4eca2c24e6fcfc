//! All schedules, one after another: a depth-first search through the choices.
//!
//! The first run makes all choices 0. Each next one makes those of the run before up to the last that was not yet the
//! greatest possible, that one greater by one, and 0 beyond it.

use super::oracle::Bytes;
use crate::sys::{Arc, Lock};
use alloc::vec::Vec;

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
pub(super) struct Search(Arc<Lock<Path>>);

impl Search {
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

    /// Whether the run asked for other choices than one that began with the same answers.
    pub(super) fn diverged(&self) -> bool {
        self.0.with(|path| path.diverged || path.at < path.choices.len())
    }

    /// The choices of this run.
    pub(super) fn record(&self) -> Vec<u8> {
        self.0.with(|path| {
            let mut bytes = Vec::new();
            for &Choice { n, chosen } in &path.choices {
                Bytes::write(&mut bytes, n, chosen);
            }
            bytes
        })
    }

    /// Goes on to the next run. False: that was the last.
    pub(super) fn advance(&self) -> bool {
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
}
