//! Many runs, until one fails.

use super::builder::Builder;
use super::handle::Sim;
use super::report::{Failure, FailureKind, Report, Summary};
use super::shrink::{Budget, shrink};
use super::strategy::Strategy;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::ToString;
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
        let runs = if self.bytes.is_some() { 1 } else { self.runs };
        let strategy = self.strategy.unwrap_or(Strategy::Portfolio);
        let (mut traces, mut most) = (BTreeSet::new(), None);
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
                Err(failure) => return Err(this.shrunk(failure, &body)),
            };
            traces.insert(report.hash);
            most = most.max(Some(report.choices));
        }
        Ok(Summary { runs, traces: traces.len() })
    }

    /// The failure of a run of this builder, made small.
    fn shrunk<F, Fut>(&self, failure: Failure, body: F) -> Failure
    where
        F: Fn(Sim) -> Fut,
        Fut: Future<Output = ()>,
    {
        if self.bytes.is_some() {
            return failure;
        }
        let budget = Budget { runs: self.shrink, polls: Self::SHRINK_POLLS };
        shrink(failure, self.source(), budget, |source| self.execute(source, &body).map(|report| report.steps))
    }
}

/// Whether a run and its repetition took the same course.
fn same(first: &Outcome, again: &Outcome) -> Result<(), Failure> {
    if first == again {
        return Ok(());
    }
    let course = |outcome: &Outcome| match outcome {
        Ok(Report { steps, draws, end, .. }) => format!("{steps} polls, {draws} draws, end {end}"),
        Err(failure) => format!("{} after {} polls ({})", failure.kind(), failure.steps(), failure.message()),
    };
    let (time, hash, steps, replay) = match first {
        Ok(report) => (report.end, report.hash, report.steps, &*report.replay),
        Err(failure) => (failure.time(), failure.hash(), failure.steps(), failure.replay()),
    };
    let message = format!(
        "a run took another course when it was repeated: first {}, then {}; something besides the \
         simulator decides, such as a global, a hash map's order, a real clock or a thread",
        course(first),
        course(again)
    );
    let failure = Failure::new(FailureKind::Nondeterminism, message, time, Vec::new());
    Err(failure.with_replay(replay.to_string()).with_trace(hash, steps))
}

type Outcome = Result<Report<()>, Failure>;
