//! Settings of runs, and the ways to start them.

use super::effort::Effort;
use super::exec::{self, Conditions, Ended, Root, Settings};
use super::faults::Faults;
use super::footprint::Watcher;
use super::handle::Sim;
use super::oracle::{Bytes, Oracle, Source};
use super::replay::{self, ReplayError};
use super::report::{Failure, Report};
use super::strategy::Strategy;
use super::twist::Wanted;
use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::future::Future;
use core::time::Duration;

/// A run that did not fail.
pub(super) struct Attempt {
    /// None of a run that was cut.
    pub(super) report: Option<Report<()>>,
    pub(super) steps: u64,
}

/// How runs are made: a value with a method for each setting.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::sim::{Builder, FailureKind};
///
/// let failure = Builder::new()
///     .seed(7)
///     .run(|sim| async move {
///         let time = sim.time();
///         sim.spawn("sleeper", async move { time.sleep(Duration::from_secs(1)).await });
///     })
///     .unwrap_err();
/// assert_eq!(failure.kind(), FailureKind::Leak);
/// assert_eq!(failure.tasks()[0].name, "sleeper");
/// assert_eq!(failure.replay(), "WAKEFUL_SIM=seed:7");
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it runs something"]
pub struct Builder {
    pub(super) seed: u64,
    pub(super) strategy: Option<Strategy>,
    pub(super) horizon: Option<u64>,
    pub(super) bytes: Option<Bytes>,
    pub(super) runs: u32,
    pub(super) repeat_every: u32,
    pub(super) probe_every: Option<u32>,
    pub(super) shrink: u32,
    pub(super) effort: Effort,
    max_steps: u64,
    allow_leaks: bool,
    wall: Duration,
    pub(super) trace: usize,
    /// Whether to note where wakers are cloned.
    pub(super) locates: bool,
    /// Whether the file counts that the environment names for recordings.
    pub(super) minds_file: bool,
    pub(super) twists: Wanted,
    pub(super) swept: Vec<Cow<'static, str>>,
    conditions: Conditions,
    pub(super) must_hit: &'static [&'static str],
    /// Whether a mark that is never hit is a failure.
    pub(super) judge_marks: bool,
}

impl Builder {
    /// How many runs [`check`](Self::check) makes by default.
    pub const RUNS: u32 = 64;
    /// One run of so many is repeated by default, to see whether it takes the same course.
    pub const REPEAT_EVERY: u32 = 16;
    /// One run of so many is repeated by default with [probes](Self::probe), to see whether it loses wake-ups.
    pub const PROBE_EVERY: u32 = 64;
    /// How many runs may be spent by default on making a failure small.
    pub const SHRINK_RUNS: u32 = 2_000;
    /// How many polls may be spent on that, in all runs together.
    pub const SHRINK_POLLS: u64 = 2_000_000;
    /// How many polls a run may take by default.
    pub const MAX_STEPS: u64 = 1_000_000;

    /// The defaults: seed 0 and the constants above; one run is [`Strategy::Random`], many are [`Strategy::Portfolio`].
    pub const fn new() -> Self {
        Self {
            seed: 0,
            strategy: None,
            horizon: None,
            bytes: None,
            runs: Self::RUNS,
            repeat_every: Self::REPEAT_EVERY,
            probe_every: None,
            shrink: Self::SHRINK_RUNS,
            effort: Effort::DEFAULT,
            max_steps: Self::MAX_STEPS,
            allow_leaks: false,
            wall: Duration::ZERO,
            trace: 0,
            locates: false,
            minds_file: true,
            twists: Wanted::NONE,
            swept: Vec::new(),
            conditions: Conditions { faults: None, autojump: true, foreign: None },
            must_hit: &[],
            judge_marks: true,
        }
    }

    /// The seed of the oracle and of the tasks' random streams; of many runs, that of the first.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How schedules are chosen.
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.strategy = Some(strategy);
        self
    }

    /// Over how many choices among tasks [`Strategy::Pct`] spreads its changes: about as many as a run makes
    /// ([`Report::choices`]).
    ///
    /// Without it, many runs take the largest number seen so far, and a first one
    /// [`Pct::HORIZON`](super::Pct::HORIZON).
    pub fn horizon(mut self, choices: u64) -> Self {
        self.horizon = Some(choices);
        self
    }

    /// Lets the choices be read from `bytes`, as [`Bytes`] does, instead of made by a strategy; so a fuzzer drives the
    /// run.
    ///
    /// # Examples
    /// ```
    /// use wakeful::sim::Builder;
    ///
    /// let report = Builder::new().bytes([2, 0, 1]).run(|sim| async move { [sim.choose(3), sim.choose(3)] }).unwrap();
    /// assert_eq!(report.output, [2, 0]);
    /// ```
    pub fn bytes(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.bytes = Some(Bytes::new(bytes));
        self
    }

    /// Sets seed, strategy, horizon, bytes and all that is done to tasks and wakers as a replay line says: `WAKEFUL_SIM=seed:17`, with or without
    /// `WAKEFUL_SIM=`.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn replay(mut self, line: &str) -> Result<Self, ReplayError> {
        let said = replay::parse(line)?;
        self.seed = said.seed;
        self.strategy = Some(said.strategy);
        self.horizon = said.horizon;
        self.bytes = said.bytes.map(Bytes::new);
        self.twists = Wanted::just(said.twists);
        Ok(self)
    }

    /// How many runs [`explore`](Self::explore) and [`check`](Self::check) make at most; at least one is made.
    pub fn runs(mut self, runs: u32) -> Self {
        self.runs = runs.max(1);
        self
    }

    /// Of many runs, each `n`-th is repeated, beginning with the first, and so is one that fails; 0 repeats none.
    pub fn repeat_every(mut self, n: u32) -> Self {
        self.repeat_every = n;
        self
    }

    /// How many runs may be spent on making a failure small that one of many runs found; 0 leaves it as it is.
    ///
    /// Not more than [`SHRINK_POLLS`](Self::SHRINK_POLLS) are spent either, up to the end of the run that reaches them.
    /// What these runs' panics say is not printed: with `std`, a panic hook is put in front of the process's own for that.
    ///
    /// A run from [`bytes`](Self::bytes) is left as it is.
    pub fn shrink(mut self, runs: u32) -> Self {
        self.shrink = runs;
        self
    }

    /// How many polls a run may take before it fails with [`FailureKind::StepLimit`](super::FailureKind::StepLimit).
    pub fn max_steps(mut self, steps: u64) -> Self {
        self.max_steps = steps;
        self
    }

    /// Whether tasks may be left over when the root is done.
    pub fn allow_leaks(mut self, allow: bool) -> Self {
        self.allow_leaks = allow;
        self
    }

    /// What the calendar reads at the beginning, since the Unix epoch.
    pub fn wall(mut self, unix: Duration) -> Self {
        self.wall = unix;
        self
    }

    /// Records what happens in a run: its last `events` events. 0, the default, records nothing.
    ///
    /// The recording is found in [`Report::trace`] or [`Failure::trace`]. Of many runs, it is that of the last
    /// ([`Summary::trace`](super::Summary::trace)), or of the one that failed, which has one in any case, unless it took more than
    /// [`SHRINK_POLLS`](Self::SHRINK_POLLS); these are made once more for it. It takes some 100 bytes for each event, and what is told of each task.
    ///
    /// With `std`, the environment may ask for it too: see [`trace`](super::trace).
    pub fn trace(mut self, events: usize) -> Self {
        self.trace = events;
        self
    }

    /// Whether time moves by itself, when nobody is ready, to the next timer; that is the default.
    ///
    /// If not, it moves by [`Sim::advance`](super::Sim::advance) and [`Sim::jump`](super::Sim::jump) only, and a run in which
    /// nobody can go on without its moving fails with [`FailureKind::Standstill`](super::FailureKind::Standstill), which
    /// names the next timer: so a test finds waits that it did not mean.
    pub fn autojump(mut self, on: bool) -> Self {
        self.conditions.autojump = on;
        self
    }

    /// Allows other threads to wake tasks, and waits for them, at most `patience` of real time at once; without `std` there
    /// are none.
    ///
    /// Otherwise a task that another thread wakes fails the run with
    /// [`FailureKind::ForeignWake`](super::FailureKind::ForeignWake), for what other threads do, and when, is chance. If it
    /// is allowed, their wake-ups are let in when nobody is ready, all together, and if nobody is ready and no timer is
    /// left, the run waits for one. So that it waits before it lets time move, take a [hold](super::Sim::hold) for each
    /// thread that is at work.
    ///
    /// Runs with other threads can't be relied upon to take the same course again. So they are not
    /// [repeated](Self::repeat_every), and a replay line is a hint.
    pub fn foreign_wakes(mut self, patience: Duration) -> Self {
        self.conditions.foreign = Some(patience);
        self.repeat_every(0)
    }

    /// Lets faults come, where code asks for them by [`buggify!`](crate::buggify); without this there are none.
    pub fn faults(mut self, faults: Faults) -> Self {
        self.conditions.faults = Some(faults);
        self
    }

    /// Names marks, by their texts, of which each must be hit at least once in many runs: places that must be
    /// [reached](crate::reachable), conditions that must be true [some time](crate::sometimes), faults that must have
    /// [come](crate::buggify).
    ///
    /// Only a mark that was reached is known to exist; so what must not be left out of a test is named here.
    pub fn must_hit(mut self, texts: &'static [&'static str]) -> Self {
        self.must_hit = texts;
        self
    }

    /// Makes one run of `body`.
    ///
    /// # Errors
    /// If the run fails: see [`FailureKind`](super::FailureKind).
    pub fn run<F, Fut>(&self, body: F) -> Result<Report<Fut::Output>, Failure>
    where
        F: FnOnce(Sim) -> Fut,
        Fut: Future,
    {
        with_output(body, |root| self.run_once(None, root))
    }

    /// Makes one run of `body`, with choices by `oracle`.
    ///
    /// A record of the choices is kept: the replay line gives them as bytes.
    ///
    /// # Errors
    /// If the run fails: see [`FailureKind`](super::FailureKind).
    ///
    /// # Examples
    /// ```
    /// use wakeful::sim::{Builder, Kind};
    ///
    /// let last = |_: Kind, n: usize| n - 1;
    /// let report = Builder::new().run_with(last, |sim| async move { sim.choose(5) }).unwrap();
    /// assert_eq!(report.output, 4);
    /// assert_eq!(report.replay, "WAKEFUL_SIM=bytes:04");
    /// ```
    pub fn run_with<F, Fut>(
        &self,
        oracle: impl Oracle + Send + 'static,
        body: F,
    ) -> Result<Report<Fut::Output>, Failure>
    where
        F: FnOnce(Sim) -> Fut,
        Fut: Future,
    {
        let source = Source::Other { oracle: Box::new(oracle), record: Vec::new() };
        with_output(body, |root| self.run_once(Some(source), root))
    }

    /// Makes one run, with the oracle given or that of the settings.
    fn run_once(&self, mut source: Option<Source>, root: MakeRoot<'_, '_>) -> Result<Report<()>, Failure> {
        self.recorded(&mut |this| this.made(source.take().unwrap_or_else(|| this.source()), root))
    }

    /// The oracle of a run.
    pub(super) fn source(&self) -> Source {
        match &self.bytes {
            Some(bytes) => Source::Bytes(bytes.clone()),
            None => self.strategy.unwrap_or(Strategy::Random).source(self.seed, self.horizon),
        }
    }

    /// Makes one of many runs.
    pub(super) fn run_one(&self, body: &Body<'_>) -> Result<Report<()>, Failure> {
        self.recorded(&mut |this| this.execute(this.source(), body))
    }

    pub(super) fn execute(&self, source: Source, body: &Body<'_>) -> Result<Report<()>, Failure> {
        self.made(source, &mut |sim| body(sim))
    }

    fn made(&self, source: Source, root: MakeRoot<'_, '_>) -> Result<Report<()>, Failure> {
        let attempt = self.attempt(source, None, root)?;
        Ok(attempt.report.expect("a run is cut by a search only"))
    }

    /// One run, which the oracle may cut.
    pub(super) fn attempt(
        &self,
        source: Source,
        watcher: Option<Box<dyn Watcher>>,
        root: MakeRoot<'_, '_>,
    ) -> Result<Attempt, Failure> {
        let Self { seed, max_steps, allow_leaks, wall, trace, locates, conditions, .. } = *self;
        let (twists, swept) = (self.twists(), self.swept.clone());
        let settings =
            Settings { seed, source, max_steps, wall, allow_leaks, trace, twists, locates, swept, watcher, conditions };
        let Ended { hash, steps, choices, draws, end, cancel_points, marks, replay, trace, cut } =
            exec::execute(settings, root)?;
        let report = Report { output: (), hash, steps, choices, draws, end, cancel_points, marks, replay, trace };
        Ok(Attempt { report: (!cut).then_some(report), steps })
    }
}

/// What many runs are made of: a body of any type, boxed, so that what makes them is compiled once.
pub(super) type Body<'a> = dyn Fn(Sim) -> Root<'a> + Sync + 'a;

/// Makes the root of one run; called once.
type MakeRoot<'m, 'a> = &'m mut dyn FnMut(Sim) -> Root<'a>;

/// Makes one run by `run`, of the root that it is given, and puts what `body` returned into the report.
fn with_output<F, Fut>(
    body: F,
    run: impl FnOnce(MakeRoot<'_, '_>) -> Result<Report<()>, Failure>,
) -> Result<Report<Fut::Output>, Failure>
where
    F: FnOnce(Sim) -> Fut,
    Fut: Future,
{
    let mut output = None;
    let mut parts = Some((body, &mut output));
    let made = run(&mut |sim| {
        let (body, slot) = parts.take().expect("a run begins once");
        Box::pin(async move { *slot = Some(body(sim).await) })
    })?;
    let Report { output: (), hash, steps, choices, draws, end, cancel_points, marks, replay, trace } = made;
    let output = output.expect("a run that did not fail ran its root to the end");
    Ok(Report { output, hash, steps, choices, draws, end, cancel_points, marks, replay, trace })
}

/// How many events [`run`] records, for the report of a failure.
const LAST_EVENTS: usize = 1 << 10;

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

/// Makes one run of `body` with seed 0, and gives what it returns.
///
/// For examples, and for tests in which the schedule does not matter. Others use [`check`].
///
/// # Panics
/// With the full report, if the run fails: if any task panics, if nothing can go on, if tasks are left over.
///
/// # Examples
/// ```
/// use core::time::Duration;
///
/// let end = wakeful::sim::run(|sim| async move {
///     sim.time().sleep(Duration::from_secs(86_400)).await;
///     sim.now()
/// });
/// assert_eq!(end.as_nanos(), 86_400_000_000_000);
/// ```
#[track_caller]
pub fn run<F, Fut>(body: F) -> Fut::Output
where
    F: FnOnce(Sim) -> Fut,
    Fut: Future,
{
    match Builder::new().trace(LAST_EVENTS).run(body) {
        Ok(report) => report.output,
        Err(failure) => panic!("{failure}"),
    }
}

/// Tests `body` under many schedules: [`Builder::check`] with the defaults.
///
/// # Panics
/// With the full report of the first run that fails, whose last line replays it.
///
/// # Examples
/// ```
/// wakeful::sim::check(|sim| async move {
///     let a = sim.spawn("a", async { 1 });
///     let b = sim.spawn("b", async { 2 });
///     assert_eq!(a.await + b.await, 3);
/// });
/// ```
#[track_caller]
pub fn check<F, Fut>(body: F)
where
    F: Fn(Sim) -> Fut + Sync,
    Fut: Future<Output = ()>,
{
    Builder::new().check(body);
}
