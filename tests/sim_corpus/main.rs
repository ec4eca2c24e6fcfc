//! A corpus of bugs: small async programs, each with a mistake that is made in real ones, and its twin without it.
//!
//! Each mistake must be found within so many runs of the default strategy, by whichever seed they begin, fail as expected,
//! shrink to so many points, and replay; nothing may be reported of the twin in many runs. The test prints a table.

mod channels;
mod clocks;
mod exclusion;
mod races;
mod tasks;
mod wakes;

use std::io::Write;
use std::pin::Pin;
use std::time::Duration;
use wakeful::sim::{Builder, FailureKind, Sim};

/// A run's body.
pub(crate) type Body = Pin<Box<dyn Future<Output = ()>>>;

/// A program with a mistake, and without it.
pub(crate) struct Bug {
    pub(crate) name: &'static str,
    /// How it fails: one of these.
    pub(crate) kinds: &'static [FailureKind],
    /// Within how many runs it must be found.
    pub(crate) runs: u32,
    /// To how many points it must shrink.
    pub(crate) points: usize,
    /// What it needs besides the defaults.
    pub(crate) settings: fn(Builder) -> Builder,
    /// `true` is the twin.
    pub(crate) body: fn(Sim, bool) -> Body,
}

/// How many runs of a twin must pass.
const RUNS_OF_A_TWIN: u32 = 600;

/// Where the seeds begin with which each bug is looked for.
const SEEDS: [u64; 6] = [0, 10_000, 20_000, 30_000, 40_000, 50_000];

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// In which of the runs that begin with seed `first` the one with this line was made, from 1 on.
fn number(line: &str, first: u64) -> u64 {
    let seed = line.split(',').next().and_then(|part| part.rsplit(':').next());
    seed.and_then(|seed| seed.parse::<u64>().ok()).expect("the line of a strategy names its seed") - first + 1
}

/// Looks for `bug` and gives, of all places to begin, the greatest number of runs until it was found and of points left,
/// and as what it was found first.
fn find(bug: &Bug) -> Result<(u64, usize, FailureKind), String> {
    let (mut runs, mut points, mut kind) = (0, 0, None);
    for seed in SEEDS {
        let builder = (bug.settings)(Builder::new()).seed(seed).runs(bug.runs);
        let Err(failure) = builder.explore(|sim| (bug.body)(sim, false)) else {
            return Err(format!("not found in {} runs from seed {seed} on", bug.runs));
        };
        if !bug.kinds.contains(&failure.kind()) {
            return Err(format!("from seed {seed} on it fails in another way: {failure}"));
        }
        let shrunk = failure.shrunk().ok_or_else(|| format!("not made small: {failure}"))?;
        if shrunk.to > bug.points {
            return Err(format!("{} points are left, and {} allowed: {failure}", shrunk.to, bug.points));
        }
        let again = builder.clone().replay(failure.replay()).expect("a line").run(|sim| (bug.body)(sim, false));
        if again.as_ref().map_err(|again| again.message()) != Err(failure.message()) {
            return Err(format!("its line does not replay it: {failure}"));
        }
        runs = runs.max(number(&shrunk.found, seed));
        points = points.max(shrunk.to);
        kind = kind.or(Some(failure.kind()));
    }
    Ok((runs, points, kind.expect("there is a seed to begin with")))
}

#[test]
fn each_bug_is_found_and_made_small_and_none_in_its_twin() {
    let bugs = [wakes::BUGS, channels::BUGS, exclusion::BUGS, races::BUGS, clocks::BUGS, tasks::BUGS].concat();
    let mut table = format!("\n{:<50}{:<14}{:>14}{:>18}\n", "bug", "found as", "runs (allowed)", "points (allowed)");
    let mut failures = Vec::new();
    for bug in &bugs {
        let found = find(bug).inspect_err(|said| failures.push(format!("{}: {said}", bug.name)));
        let (runs, points, kind) = found.map_or(("-".into(), "-".into(), "-".into()), |(runs, points, kind)| {
            (runs.to_string(), points.to_string(), kind.to_string())
        });
        let (runs, points) = (format!("{runs} ({})", bug.runs), format!("{points} ({})", bug.points));
        table += &format!("{:<50}{kind:<14}{runs:>14}{points:>18}\n", bug.name);
        let twin = (bug.settings)(Builder::new()).runs(RUNS_OF_A_TWIN);
        if let Err(failure) = twin.explore(|sim| (bug.body)(sim, true)) {
            failures.push(format!("the twin of {}: {failure}", bug.name));
        }
    }
    table += &format!("{} bugs from {} seeds on, {RUNS_OF_A_TWIN} runs of each twin\n", bugs.len(), SEEDS.len());
    // Not by `print`, which the harness keeps to itself.
    std::io::stdout().write_all(table.as_bytes()).expect("the terminal takes it");
    assert!(failures.is_empty(), "\n{}", failures.join("\n\n"));
    assert!(bugs.len() >= 20);
}
