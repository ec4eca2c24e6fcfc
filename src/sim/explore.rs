//! Many runs, until one fails.

use super::bounding::Bounded;
use super::builder::Builder;
use super::handle::Sim;
use super::marks::Marks;
use super::oracle::{Bytes, Source};
use super::report::{Coverage, Failure, FailureKind, Report, Summary};
use super::search::{AnySearch, Plain, Search};
use super::shrink::{Budget, shrink};
use super::sleep_sets::SleepSets;
use super::strategy::Strategy;
use crate::time::Instant;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::future::Future;

impl Builder {
    /// Makes many runs of `body`, with one seed after another, until one fails. With [`bytes`](Self::bytes), one run.
    ///
    /// The strategy is [`Strategy::Portfolio`], unless [`strategy`](Self::strategy) says another.
    ///
    /// # Errors
    /// If a run fails, or takes another course when it is repeated. A failure is made small, as
    /// [`shrink`](Self::shrink) says.
    pub fn explore<F, Fut>(&self, body: F) -> Result<Summary, Failure>
    where
        F: Fn(Sim) -> Fut,
        Fut: Future<Output = ()>,
    {
        match self.strategy {
            _ if self.bytes.is_some() => {}
            Some(Strategy::Exhaustive) => return self.search(&Search::new(Plain), body),
            Some(Strategy::SleepSets) => return self.search(&Search::new(SleepSets::default()), body),
            Some(Strategy::Preemptions(most)) => return self.search(&Search::new(Bounded::new(most)), body),
            _ => {}
        }
        let runs = if self.bytes.is_some() { 1 } else { self.runs };
        let strategy = self.strategy.unwrap_or(Strategy::Portfolio);
        let (mut traces, mut marks, mut most, mut cancel_points) = (BTreeSet::new(), Marks::new(), None, 0);
        for n in 0..runs {
            let mut this = self.clone().seed(self.seed.wrapping_add(n.into())).strategy(strategy);
            this.horizon = self.horizon.or(most);
            let first = this.run(&body);
            // A failure is repeated in any case: a line that does not replay it would be of no use.
            if self.repeat_every != 0 && (first.is_err() || n % self.repeat_every == 0) {
                same(&first, &this.run(&body))?;
            }
            let report = match first {
                Ok(report) => report,
                Err(failure) => return Err(this.shrunk(failure, this.source(), &body)),
            };
            cancel_points += this.cancel_at_each(&report, &body)?;
            traces.insert(report.hash);
            report.marks.iter().for_each(|mark| marks.add(mark));
            most = most.max(Some(report.choices));
        }
        let summary = Summary {
            runs,
            cut: 0,
            traces: traces.len(),
            coverage: Coverage::Sample,
            cancel_points,
            marks: Vec::new(),
        };
        self.judged(summary, marks)
    }

    /// Makes one run after another until there are no others, or the number of runs is reached.
    fn search<F, Fut>(&self, search: &dyn AnySearch, body: F) -> Result<Summary, Failure>
    where
        F: Fn(Sim) -> Fut,
        Fut: Future<Output = ()>,
    {
        let (mut traces, mut marks) = (BTreeSet::new(), Marks::new());
        let (cancel_points, coverage) = (0, Coverage::Sample);
        let mut summary = Summary { runs: 0, cut: 0, traces: 0, coverage, cancel_points, marks: Vec::new() };
        while summary.runs + summary.cut < self.runs {
            let first = self.attempt(search.source(), search.watcher(), &body);
            if search.diverged() {
                return Err(diverged(&first));
            }
            match first.transpose() {
                None => summary.cut += 1,
                Some(Ok(_)) if search.repeats() => {}
                Some(first) => {
                    if self.repeat_every != 0 && (first.is_err() || summary.runs % self.repeat_every == 0) {
                        same(&first, &self.clone().bytes(search.record()).run(&body))?;
                    }
                    let source = || Source::Bytes(Bytes::new(search.record()));
                    let report = first.map_err(|failure| self.shrunk(failure, source(), &body))?;
                    summary.runs += 1;
                    traces.insert(report.hash);
                    report.marks.iter().for_each(|mark| marks.add(mark));
                }
            }
            if !search.advance() {
                summary.coverage = search.coverage();
                break;
            }
        }
        self.judged(Summary { traces: traces.len(), ..summary }, marks)
    }

    /// What is said of many runs that did not fail, if their marks are as they must be.
    fn judged(&self, summary: Summary, marks: Marks) -> Result<Summary, Failure> {
        if self.judge_marks && self.bytes.is_none() {
            marks.judge(summary.runs, self.must_hit)?;
        }
        Ok(Summary { marks: marks.list(), ..summary })
    }

    /// The failure of a run of this builder with this oracle, made small.
    pub(super) fn shrunk<F, Fut>(&self, failure: Failure, source: Source, body: F) -> Failure
    where
        F: Fn(Sim) -> Fut,
        Fut: Future<Output = ()>,
    {
        if self.bytes.is_some() {
            return failure;
        }
        let budget = Budget { runs: self.shrink, polls: Self::SHRINK_POLLS };
        shrink(failure, source, budget, |source| self.execute(source, &body).map(|report| report.steps))
    }
}

/// Whether a run and its repetition took the same course.
pub(super) fn same(first: &Outcome, again: &Outcome) -> Result<(), Failure> {
    if first == again {
        return Ok(());
    }
    let course = |outcome: &Outcome| match outcome {
        Ok(Report { steps, draws, end, .. }) => format!("{steps} polls, {draws} draws, end {end}"),
        Err(failure) => format!("{} after {} polls ({})", failure.kind(), failure.steps(), failure.message()),
    };
    let message = format!(
        "a run took another course when it was repeated: first {}, then {}; something besides the \
         simulator decides, such as a global, a hash map's order, a real clock or a thread",
        course(first),
        course(again)
    );
    Err(nondeterminism(first.as_ref().map(Some), message))
}

/// The failure of a search in which the same answers led to other questions.
fn diverged(outcome: &Result<Option<Report<()>>, Failure>) -> Failure {
    let message = "a run with the choices of an earlier one was asked for others; something besides the simulator decides, \
                   such as a global, a hash map's order, a real clock or a thread";
    nondeterminism(outcome.as_ref().map(Option::as_ref), message.to_string())
}

fn nondeterminism(outcome: Result<Option<&Report<()>>, &Failure>, message: String) -> Failure {
    let (time, hash, steps, replay) = match outcome {
        Ok(Some(report)) => (report.end, report.hash, report.steps, &*report.replay),
        Ok(None) => (Instant::EPOCH, 0, 0, ""),
        Err(failure) => (failure.time(), failure.hash(), failure.steps(), failure.replay()),
    };
    let failure = Failure::new(FailureKind::Nondeterminism, message, time, Vec::new());
    failure.with_replay(replay.to_string()).with_course(hash, steps, None)
}

pub(super) type Outcome = Result<Report<()>, Failure>;
