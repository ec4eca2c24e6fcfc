//! What comes of a pipeline.

use crate::time::Instant;
use crate::work::{Count, Stop};
use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

/// What came of one stage: everything that was handed to it is counted in exactly one place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StageReport {
    /// The name that it was given.
    pub name: Cow<'static, str>,
    /// What became of its items. Those that were handed to it and that it did not come to are skipped.
    pub count: Count,
    /// How many items each worker was given. A worker that was never needed is not listed.
    pub per_worker: Vec<u64>,
    /// When it began.
    pub started: Instant,
    /// When it had ended its last item, and had handed on all of them.
    pub ended: Instant,
    /// Why it started no more items: [`Stop::Draining`] if it was a stage behind it that stopped.
    pub stop: Stop,
}

impl StageReport {
    /// How long it took.
    pub fn elapsed(&self) -> Duration {
        self.ended - self.started
    }
}

impl fmt::Display for StageReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (elapsed, stop) = (self.elapsed(), &self.stop);
        write!(f, "{}: {} in {}.{:09}s ({stop})", self.name, self.count, elapsed.as_secs(), elapsed.subsec_nanos())
    }
}

/// What came of a pipeline: one report for each stage, and what was left of the source.
///
/// `Display` gives a line for each stage.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PipelineReport<R> {
    /// The stages, the first one first.
    pub stages: Vec<StageReport>,
    /// How many items were left in the source, where it knows.
    pub not_started: Option<usize>,
    /// When it began.
    pub started: Instant,
    /// When everything had ended.
    pub ended: Instant,
    /// What is left of the source: the iterator, the stream, the receiver.
    pub rest: R,
}

impl<R> PipelineReport<R> {
    /// How long it took.
    pub fn elapsed(&self) -> Duration {
        self.ended - self.started
    }

    /// How many items were pulled from the source.
    pub fn pulled(&self) -> u64 {
        self.stages.first().map_or(0, |stage| stage.count.total())
    }

    /// How many results came out of the last stage.
    pub fn delivered(&self) -> u64 {
        self.stages.last().map_or(0, |stage| stage.count.done)
    }

    /// Whether the source was exhausted, and every item came through.
    pub fn is_complete(&self) -> bool {
        self.stages.iter().all(|stage| stage.stop == Stop::Exhausted && stage.count.done == stage.count.total())
    }
}

impl<R> fmt::Display for PipelineReport<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for stage in &self.stages {
            writeln!(f, "{stage}")?;
        }
        match self.not_started {
            Some(n) => write!(f, "{n} not started"),
            None => f.write_str("the rest not counted"),
        }
    }
}
