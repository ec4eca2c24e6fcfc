//! Keeping a checkpoint up to date.

use super::super::outcome::{Ended, ItemOutcome, Sink};
use super::Checkpoint;
use crate::sys::thread::contain;
use crate::time::{Instant, Time};
use alloc::vec::Vec;
use core::fmt;
use core::num::NonZeroU64;
use core::time::Duration;

/// A [sink](Sink) that keeps a [`Checkpoint`] up to date, has it saved now and then, and hands on what it is told to another.
///
/// What is done is finished; what failed, panicked or timed out is so if it is [said](Self::errors_are_final). What was
/// cancelled or skipped never is.
///
/// `save` is called with the checkpoint after each item that is finished, or [less often](Self::every), and at the end: by
/// [`finish`](Self::finish), or else when this is dropped, as when the run is. If it returns an error, it is called again with the next item.
/// It is called in the run, so it had better be quick: write to a file beside the old one and rename it, so that there is a whole
/// one at every instant.
///
/// # At least once
/// What is finished and not saved when the process is killed is done again by the next run: up to as many items as are said to
/// [`every`](Self::every). Work has to bear that, or to save the checkpoint together with its own effect, in one
/// transaction: then it is done exactly once.
///
/// # Examples
/// ```
/// use core::convert::Infallible;
/// use core::num::NonZeroUsize;
/// use core::time::Duration;
/// use wakeful::cancel::Scope;
/// use wakeful::work::{Checkpoint, Checkpointing, Count, Lease, resume, work};
///
/// wakeful::sim::run(|sim| async move {
///     let scope = Scope::new(sim.time());
///     let mut disk = String::from("0");
///     let mut done = Vec::new();
///     while done.len() < 10 {
///         let from: Checkpoint = disk.parse().unwrap();
///         let save = |checkpoint: &Checkpoint| Ok::<_, Infallible>(disk = checkpoint.to_string());
///         let mut sink = Checkpointing::new(from.clone(), |ended: wakeful::work::Ended<u64, u64, ()>| {
///             done.extend(ended.outcome.done());
///         }, save);
///         // Each run has time for a few of them.
///         let body = |item: Lease<u64>| async move {
///             wakeful::sleep(Duration::from_secs(10 - *item)).await;
///             Ok(*item)
///         };
///         work(resume(0..10, &from))
///             .workers(NonZeroUsize::new(3).unwrap())
///             .deadline_after(Duration::from_secs(10))
///             .run(&scope, body, &mut sink)
///             .await;
///     }
///     done.sort();
///     assert_eq!(done, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
///     assert_eq!(disk, "10");
/// });
/// ```
pub struct Checkpointing<K, F, X>
where
    F: FnMut(&Checkpoint) -> Result<(), X>,
{
    checkpoint: Checkpoint,
    indexes: Indexes,
    errors_are_final: bool,
    every: u64,
    period: Option<(Time, Duration)>,
    /// When it is to be saved at the latest, if there is a period.
    due: Instant,
    unsaved: u64,
    error: Option<X>,
    save: F,
    /// There until it is finished.
    sink: Option<K>,
}

impl<K, F, X> Checkpointing<K, F, X>
where
    F: FnMut(&Checkpoint) -> Result<(), X>,
{
    /// For a run that goes on from `from`, with [`resume`](super::resume); [nothing](Checkpoint::new), if it is the first.
    pub fn new(from: Checkpoint, sink: K, save: F) -> Self {
        Self {
            indexes: Indexes::new(&from),
            checkpoint: from,
            errors_are_final: false,
            every: 1,
            period: None,
            due: Instant::NEVER,
            unsaved: 0,
            error: None,
            save,
            sink: Some(sink),
        }
    }

    /// What failed, panicked or timed out is finished too: a later run does not try it again.
    #[must_use]
    pub fn errors_are_final(mut self) -> Self {
        self.errors_are_final = true;
        self
    }

    /// Saves after so many items that are finished, instead of after each.
    #[must_use]
    pub fn every(mut self, items: NonZeroU64) -> Self {
        self.every = items.get();
        self
    }

    /// Saves with the first item that is finished when this much time has passed since the checkpoint was last saved, though it
    /// be before [so many](Self::every). The time is looked at when items end: while none does, nothing is saved.
    #[must_use]
    pub fn every_period(mut self, time: &Time, period: Duration) -> Self {
        self.due = time.now() + period;
        self.period = Some((time.clone(), period));
        self
    }

    /// What is finished so far.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Saves what is not saved yet, and gives everything back.
    pub fn finish(mut self) -> Checkpointed<K, X> {
        if self.unsaved > 0 {
            self.save();
        }
        self.unsaved = 0;
        let checkpoint = core::mem::take(&mut self.checkpoint);
        let Some(sink) = self.sink.take() else { unreachable!("it is there until now") };
        Checkpointed { checkpoint, sink, error: self.error.take() }
    }

    fn save(&mut self) {
        // Not again, should it panic.
        let unsaved = core::mem::take(&mut self.unsaved);
        self.error = (self.save)(&self.checkpoint).err();
        if self.error.is_some() {
            self.unsaved = unsaved;
        } else if let Some((time, period)) = &self.period {
            self.due = time.now() + *period;
        }
    }

    fn ended(&mut self, index: u64) {
        // C3.
        if !self.checkpoint.finish(self.indexes.of(index)) {
            return;
        }
        self.unsaved += 1;
        let due = self.period.as_ref().is_some_and(|(time, _)| self.due <= time.now());
        if due || self.error.is_some() || self.unsaved >= self.every {
            self.save();
        }
    }
}

/// What comes of [`Checkpointing::finish`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checkpointed<K, X> {
    /// What is finished.
    pub checkpoint: Checkpoint,
    /// The sink that was told too.
    pub sink: K,
    /// Why it could not be saved the last time.
    pub error: Option<X>,
}

impl<K, F, X> Drop for Checkpointing<K, F, X>
where
    F: FnMut(&Checkpoint) -> Result<(), X>,
{
    /// Saves what is not saved yet, in a guard: this may be part of an unwinding.
    fn drop(&mut self) {
        if self.unsaved > 0 {
            contain(|| self.save());
        }
    }
}

impl<K, F, X, T, O, E> Sink<T, O, E> for Checkpointing<K, F, X>
where
    K: Sink<T, O, E>,
    F: FnMut(&Checkpoint) -> Result<(), X>,
{
    fn accept(&mut self, ended: Ended<T, O, E>) {
        let finished = match &ended.outcome {
            ItemOutcome::Done(_) => true,
            outcome => outcome.is_error() && self.errors_are_final,
        };
        let index = ended.index;
        if let Some(sink) = &mut self.sink {
            sink.accept(ended);
        }
        // C2. What was told is finished, not what is about to be.
        if finished {
            self.ended(index);
        }
    }
}

impl<K, F, X, T, O, E> Sink<T, O, E> for &mut Checkpointing<K, F, X>
where
    K: Sink<T, O, E>,
    F: FnMut(&Checkpoint) -> Result<(), X>,
{
    fn accept(&mut self, ended: Ended<T, O, E>) {
        Sink::accept(*self, ended);
    }
}

impl<K: fmt::Debug, F, X: fmt::Debug> fmt::Debug for Checkpointing<K, F, X>
where
    F: FnMut(&Checkpoint) -> Result<(), X>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkpointing")
            .field("checkpoint", &self.checkpoint)
            .field("unsaved", &self.unsaved)
            .field("error", &self.error)
            .field("sink", &self.sink)
            .finish_non_exhaustive()
    }
}

/// C3. The indexes in the whole source of what a resumed run pulls.
struct Indexes {
    low: u64,
    /// For each range that is left out: how many items are pulled before it, and how many are left out up to its end.
    gaps: Vec<(u64, u64)>,
}

impl Indexes {
    fn new(from: &Checkpoint) -> Self {
        let mut left_out = 0;
        let gaps = from.above().map(|range| {
            let pulled = range.start - from.low - left_out;
            left_out += range.end - range.start;
            (pulled, left_out)
        });
        Self { low: from.low, gaps: gaps.collect() }
    }

    fn of(&self, pulled: u64) -> u64 {
        let before = self.gaps.partition_point(|(at, _)| *at <= pulled);
        let left_out = before.checked_sub(1).map_or(0, |last| self.gaps[last].1);
        self.low + pulled + left_out
    }
}
