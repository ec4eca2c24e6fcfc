//! Many runs, until one fails.

use super::bounding::Bounded;
use super::builder::{Attempt, Body, Builder};
use super::effort::{self, Spent};
use super::handle::Sim;
use super::marks::Marks;
use super::oracle::Source;
use super::report::{Coverage, Failure, FailureKind, Report, Summary};
use super::search::{AnySearch, Plain, Search};
use super::shrink::{Budget, shrink};
use super::sleep_sets::SleepSets;
use super::strategy::Strategy;
use super::twist::Wanted;
use crate::sys::hush::hush;
use crate::time::Instant;
use alloc::boxed::Box;
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
        F: Fn(Sim) -> Fut + Sync,
        Fut: Future<Output = ()>,
    {
        self.explored(&|sim| Box::pin(body(sim)))
    }

    /// The same, compiled once, and not for each body.
    fn explored(&self, body: &Body<'_>) -> Result<Summary, Failure> {
        self.recorded_last(body, &|this| match this.strategy {
            _ if this.bytes.is_some() => this.sample(body),
            Some(Strategy::Exhaustive) => this.search(&Search::new(Plain), body),
            Some(Strategy::SleepSets) => this.search(&Search::new(SleepSets::default()), body),
            Some(Strategy::Preemptions(most)) => this.search(&Search::new(Bounded::new(most)), body),
            _ => this.sample(body),
        })
    }

    /// Makes runs with one seed after another.
    ///
    /// They come in rounds, each as long as all before it: what a run expects of its length, it knows from the rounds
    /// before its own, which are the same on however many threads they are made.
    fn sample(&self, body: &Body<'_>) -> Result<Summary, Failure> {
        const LONGEST_ROUND: u32 = 4096;
        let runs = if self.bytes.is_some() { 1 } else { self.runs };
        let strategy = self.strategy.unwrap_or(Strategy::Portfolio);
        let (mut tally, mut spent, mut most) = (Tally::default(), Spent::nothing(self.effort), None);
        while tally.runs < runs {
            let round = tally.runs..runs.min(tally.runs + tally.runs.clamp(1, LONGEST_ROUND));
            let horizon = self.horizon.or(most);
            let builder = |number: u32| {
                let mut this = self.clone().seed(self.seed.wrapping_add(number.into())).strategy(strategy);
                this.horizon = horizon;
                this
            };
            let made = effort::each(round.clone(), &spent, Result::is_err, |number| {
                let one = || builder(number).one(number, body);
                let made = if self.effort.threads == 1 { one() } else { hush(one).0 };
                let polls = made.as_ref().map_or(0, |report| report.steps);
                (made, polls)
            });
            for (number, (made, polls)) in round.clone().zip(made) {
                if tally.runs > 0 && spent.polls >= self.effort.polls {
                    break;
                }
                let report = made.map_err(|trouble| builder(number).told(trouble, body))?;
                spent.polls += polls;
                most = most.max(Some(report.choices));
                tally.add(&report);
            }
            if tally.runs < round.end {
                break;
            }
        }
        self.judged(tally, Coverage::Sample)
    }

    /// The run with this number, its repetition if that is due, and those in which something is dropped.
    fn one(&self, number: u32, body: &Body<'_>) -> Result<Report<()>, Trouble> {
        let first = self.run_one(body);
        if first.is_ok() && self.repeats(number) {
            same(&first, &self.run_one(body)).map_err(Trouble::Told)?;
        }
        let mut report = first.map_err(Trouble::Found)?;
        report.cancel_points = self.cancel_at_each(&report, body).map_err(Trouble::Told)?;
        self.probed(number, body).map_err(Trouble::Told)?;
        Ok(report)
    }

    /// The failure to be reported.
    pub(super) fn told(&self, trouble: Trouble, body: &Body<'_>) -> Failure {
        let failure = match trouble {
            Trouble::Told(failure) => return failure,
            Trouble::Found(failure) => failure,
        };
        // A failure is repeated in any case: a line that does not replay it would be of no use.
        let again = (self.repeat_every != 0 || self.effort.threads != 1).then(|| self.run_one(body));
        let first = Err(failure.clone());
        match again.filter(|_| self.repeat_every != 0).map_or(Ok(()), |again| same(&first, &again)) {
            Ok(()) => self.shrunk(failure, self.source(), body),
            Err(differs) => differs,
        }
    }

    fn repeats(&self, number: u32) -> bool {
        self.repeat_every != 0 && number % self.repeat_every == 0
    }

    /// Makes one run after another until there are no others, or there is nothing left to spend.
    fn search(&self, search: &dyn AnySearch, body: &Body<'_>) -> Result<Summary, Failure> {
        let (mut tally, mut spent, mut coverage) = (Tally::default(), Spent::nothing(self.effort), Coverage::Sample);
        while tally.runs + tally.cut < self.runs && (tally.is_empty() || spent.allows(0)) {
            let first = self.attempt(search.source(), search.watcher(), &mut |sim| body(sim));
            if search.diverged() {
                return Err(diverged(&first));
            }
            match first {
                Ok(Attempt { report, steps }) => {
                    spent.polls += steps;
                    match report {
                        None => tally.cut += 1,
                        Some(_) if search.repeats() => {}
                        Some(report) => {
                            if self.repeats(tally.runs) {
                                same(&Ok(report.clone()), &self.clone().bytes(search.record()).run_one(body))?;
                            }
                            tally.add(&Report { cancel_points: 0, ..report });
                        }
                    }
                }
                Err(failure) => {
                    let this = self.clone().bytes(search.record());
                    if self.repeat_every != 0 {
                        same(&Err(failure.clone()), &this.run_one(body))?;
                    }
                    return Err(self.shrunk(failure, this.source(), body));
                }
            }
            if !search.advance() {
                coverage = search.coverage();
                break;
            }
        }
        self.judged(tally, coverage)
    }

    /// What is said of many runs that did not fail, if their marks are as they must be.
    fn judged(&self, tally: Tally, coverage: Coverage) -> Result<Summary, Failure> {
        let Tally { runs, cut, traces, cancel_points, marks, last } = tally;
        if self.judge_marks && self.bytes.is_none() {
            marks.judge(runs, self.must_hit)?;
        }
        let (traces, marks) = (traces.len(), marks.list());
        Ok(Summary { runs, cut, traces, coverage, cancel_points, marks, trace: None, last })
    }

    /// The failure of a run of this builder with this oracle, made small.
    pub(super) fn shrunk(&self, failure: Failure, source: Source, body: &Body<'_>) -> Failure {
        if self.bytes.is_some() {
            return failure;
        }
        let budget = Budget { runs: self.shrink, polls: Self::SHRINK_POLLS };
        shrink(failure, (source, self.twists()), budget, |source, twists| {
            let mut this = self.clone();
            this.twists = Wanted::just(twists);
            this.execute(source, body).map(|report| report.steps)
        })
    }
}

/// What came of runs that did not fail.
#[derive(Default)]
struct Tally {
    runs: u32,
    cut: u32,
    traces: BTreeSet<u64>,
    cancel_points: u64,
    marks: Marks,
    /// The line that replays the last run, and what stands for its course.
    last: (String, u64),
}

impl Tally {
    fn is_empty(&self) -> bool {
        self.runs == 0 && self.cut == 0
    }

    fn add(&mut self, report: &Report<()>) {
        self.runs += 1;
        self.traces.insert(report.hash);
        self.cancel_points += report.cancel_points;
        report.marks.iter().for_each(|mark| self.marks.add(mark));
        self.last.0.clone_from(&report.replay);
        self.last.1 = report.hash;
    }
}

/// What is wrong with one of many runs.
pub(super) enum Trouble {
    /// It failed, which is to be repeated and made small.
    Found(Failure),
    /// This is what is to be reported.
    Told(Failure),
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
fn diverged(outcome: &Result<Attempt, Failure>) -> Failure {
    let message = "a run with the choices of an earlier one was asked for others; something besides the simulator decides, \
                   such as a global, a hash map's order, a real clock or a thread";
    let outcome = outcome.as_ref().map(|attempt| attempt.report.as_ref());
    nondeterminism(outcome, message.to_string())
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
