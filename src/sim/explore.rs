//! Many runs, until one fails.

use super::builder::Builder;
use super::handle::Sim;
use super::oracle::{Bytes, Source};
use super::report::{Failure, FailureKind, Report, Summary};
use super::search::Search;
use super::shrink::{Budget, shrink};
use super::strategy::Strategy;
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
        if self.bytes.is_none() && self.strategy == Some(Strategy::Exhaustive) {
            return self.search(body);
        }
        let runs = if self.bytes.is_some() { 1 } else { self.runs };
        let strategy = self.strategy.unwrap_or(Strategy::Portfolio);
        let (mut traces, mut most, mut cancel_points) = (BTreeSet::new(), None, 0);
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
            most = most.max(Some(report.choices));
        }
        Ok(Summary { runs, traces: traces.len(), complete: false, cancel_points })
    }

    /// Makes one run after another until there are no others, or the number of runs is reached.
    fn search<F, Fut>(&self, body: F) -> Result<Summary, Failure>
    where
        F: Fn(Sim) -> Fut,
        Fut: Future<Output = ()>,
    {
        let (search, mut traces) = (Search::new(), BTreeSet::new());
        for n in 0..self.runs {
            let first = self.execute(Source::Search(search.clone()), &body);
            if search.diverged() {
                return Err(diverged(&first));
            }
            if self.repeat_every != 0 && (first.is_err() || n % self.repeat_every == 0) {
                same(&first, &self.clone().bytes(search.record()).run(&body))?;
            }
            match first {
                Ok(report) => traces.insert(report.hash),
                Err(failure) => {
                    let source = Source::Bytes(Bytes::new(search.record()));
                    return Err(self.shrunk(failure, source, &body));
                }
            };
            if !search.advance() {
                return Ok(Summary { runs: n + 1, traces: traces.len(), complete: true, cancel_points: 0 });
            }
        }
        Ok(Summary { runs: self.runs, traces: traces.len(), complete: false, cancel_points: 0 })
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
    Err(nondeterminism(first, message))
}

/// The failure of a search in which the same answers led to other questions.
fn diverged(outcome: &Outcome) -> Failure {
    let message = "a run with the choices of an earlier one was asked for others; something besides the simulator decides, \
                   such as a global, a hash map's order, a real clock or a thread";
    nondeterminism(outcome, message.to_string())
}

fn nondeterminism(outcome: &Outcome, message: String) -> Failure {
    let (time, hash, steps, replay) = match outcome {
        Ok(report) => (report.end, report.hash, report.steps, &*report.replay),
        Err(failure) => (failure.time(), failure.hash(), failure.steps(), failure.replay()),
    };
    let failure = Failure::new(FailureKind::Nondeterminism, message, time, Vec::new());
    failure.with_replay(replay.to_string()).with_course(hash, steps, None)
}

pub(super) type Outcome = Result<Report<()>, Failure>;
