//! Makes a failure small: fewer points at which its schedule departs from the one in which all take turns.
//!
//! A. Zeller and R. Hildebrandt, "Simplifying and Isolating Failure-Inducing Input" (TSE 2002): ever smaller parts are
//! left out, and what still fails in the same way goes on. In the end, if the budget allows, no single point can be left
//! out. What was dropped or went wrong on purpose goes first of all. Then comes a short cut: the first few points alone;
//! then choices among tasks, and values that the test asked for go last.

use super::oracle::Source;
use super::points::{Class, Point, Trace, Tracer};
use super::report::{Failure, FailureKind, Shrunk};
use super::twist::Twists;
use crate::sys::hush::hush;
use crate::sys::{Arc, Lock};
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ops::Range;

/// What two failures must share to be the same: the kind, and the place.
#[derive(PartialEq, Eq)]
struct Sort {
    kind: FailureKind,
    tasks: BTreeSet<String>,
    said: Option<String>,
    place: Option<String>,
}

impl Sort {
    fn of(failure: &Failure, place: Option<String>) -> Self {
        let tasks = failure.tasks().iter().map(|task| task.label()).collect();
        let kind = failure.kind();
        let (said, place) = match kind {
            FailureKind::Panic => (failure.message().lines().next().map(ToString::to_string), place),
            _ => (None, failure.place().map(ToString::to_string)),
        };
        Self { kind, tasks, said, place }
    }
}

/// What may be spent.
pub(super) struct Budget {
    pub(super) runs: u32,
    pub(super) polls: u64,
}

struct Shrinker<R> {
    run: R,
    budget: Budget,
    runs: u32,
    sort: Sort,
    twists: Twists,
    /// The smallest so far.
    points: Vec<Point>,
    failure: Failure,
}

/// Gives a failure of the same sort with as few twists and points as are found, or `found` itself. `source` is the
/// oracle that led to it, with these twists; `run` makes a run, and gives its failure, or else how many polls it took.
pub(super) fn shrink(
    found: Failure,
    (source, twists): (Source, Twists),
    mut budget: Budget,
    mut run: impl FnMut(Source, Twists) -> Result<u64, Failure>,
) -> Failure {
    if budget.runs == 0 || budget.polls < found.steps() {
        return found;
    }
    budget.runs -= 1;
    budget.polls -= found.steps();
    let trace: Trace = Arc::new(Lock::new(Vec::new()));
    let tracer = Source::Traced(Box::new(Tracer::of(source, trace.clone())));
    let (Err(again), place) = hush(|| run(tracer, twists)) else { return found };
    if (again.hash(), again.message()) != (found.hash(), found.message()) {
        return found;
    }
    let points = trace.with(core::mem::take);
    let from = points.len();
    let sort = Sort::of(&again, place);
    let mut shrinker = Shrinker { run, budget, runs: 1, sort, twists, points, failure: again };
    let _ = twists.simpler().find(|&less| shrinker.attempt(less, shrinker.points.clone().into_iter()));
    shrinker.reduce(Class::Twist);
    shrinker.shorten();
    let mut left = usize::MAX;
    while shrinker.points.len() < left {
        left = shrinker.points.len();
        for class in Class::ALL {
            shrinker.reduce(class);
        }
    }
    let Shrinker { runs, points, failure, .. } = shrinker;
    if failure.replay() == found.replay() {
        return found;
    }
    failure.with_shrunk(Shrunk { from, to: points.len(), runs, found: found.replay().to_string() })
}

impl<R: FnMut(Source, Twists) -> Result<u64, Failure>> Shrinker<R> {
    fn spent(&self) -> bool {
        self.budget.runs == 0 || self.budget.polls == 0
    }

    /// Whether `points`, as many as there are or fewer, lead to a failure of the same sort with these twists. Then these are the
    /// new ones, and of the points those that had an effect.
    fn attempt(&mut self, twists: Twists, points: impl Iterator<Item = Point>) -> bool {
        if self.spent() {
            return false;
        }
        let trace: Trace = Arc::new(Lock::new(Vec::new()));
        let tracer = Source::Traced(Box::new(Tracer::along(points, trace.clone())));
        let (result, place) = hush(|| (self.run)(tracer, twists));
        self.runs += 1;
        self.budget.runs -= 1;
        let polls = result.as_ref().map_or_else(Failure::steps, |&polls| polls);
        self.budget.polls = self.budget.polls.saturating_sub(polls);
        match result {
            Err(failure) if Sort::of(&failure, place) == self.sort => {
                self.points = trace.with(core::mem::take);
                self.failure = failure;
                self.twists = twists;
                true
            }
            _ => false,
        }
    }

    /// The short cut: none, one, two, four ... of the first points alone.
    fn shorten(&mut self) {
        let mut kept = 0;
        while kept < self.points.len() {
            let points = self.points.clone().into_iter();
            if self.attempt(self.twists, points.take(kept)) {
                return;
            }
            kept = (kept * 2).max(1);
        }
    }

    /// Leaves out parts of the points of a class, from halves down to single ones, the last ones first.
    fn reduce(&mut self, class: Class) {
        let mut size = self.count(class).div_ceil(2);
        while size > 0 && !self.spent() {
            let mut end = self.count(class);
            while end > 0 && !self.spent() {
                let start = end.saturating_sub(size);
                self.leave_out(class, start..end);
                end = start.min(self.count(class));
            }
            size = (size / 2).min(self.count(class));
        }
    }

    fn count(&self, class: Class) -> usize {
        self.points.iter().filter(|point| point.class() == class).count()
    }

    fn leave_out(&mut self, class: Class, part: Range<usize>) {
        let (points, mut nth) = (self.points.clone(), 0);
        let filtered = points.into_iter().filter(move |point| {
            if point.class() != class {
                return true;
            }
            nth += 1;
            !part.contains(&(nth - 1))
        });
        self.attempt(self.twists, filtered);
    }
}
