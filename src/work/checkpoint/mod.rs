//! What is finished, kept so that a later run goes on where an earlier one was ended, killed even.
//!
//! | part | what it does |
//! |---|---|
//! | [`Checkpoint`] | says which items are finished: those below a low-water mark, and ranges above it |
//! | [`Checkpointing`] | a [sink](super::Sink) that keeps one up to date, and has it saved |
//! | [`resume`] | a [source](super::Source) that leaves out what is finished |
//!
//! Items are told apart by their index in the source: it has to give the same items in the same order each time.
//!
//! # Invariants
//!
//! - **C1** Ranges lie above the low-water mark, in order, with a gap before each: the mark itself is not finished.
//! - **C2** An item is finished at the earliest when the sink was told of it, so a checkpoint never says more than is true. An
//!   item whose work was done, and whose end was not saved, is done again: at least once, never not at all.
//! - **C3** The index of an item is that in the whole source, in every run: what a resumed run pulls as its item `k` is the
//!   item that was the `k`-th unfinished one when it began.

mod sink;
mod source;
mod text;

pub use sink::{Checkpointed, Checkpointing};
pub use source::{Resumed, resume};
pub use text::ParseCheckpointError;

use alloc::collections::BTreeMap;
use core::ops::Range;

/// Which items of a source are finished: all below a low-water mark, and some above it.
///
/// It takes room for each gap between items that are finished, not for each item: about as many as are worked on at a time,
/// and one for each that failed.
///
/// It is written as text, the mark first, then single items and ranges with both their ends, all in order:
///
/// ```
/// use wakeful::work::Checkpoint;
///
/// let mut checkpoint = Checkpoint::new();
/// for index in [0, 1, 2, 5, 7, 8, 9] {
///     checkpoint.finish(index);
/// }
/// assert_eq!(checkpoint.to_string(), "3 5 7-9");
/// assert_eq!("3 5 7-9".parse(), Ok(checkpoint));
/// let error = "3 5 4".parse::<Checkpoint>().unwrap_err();
/// assert_eq!(error.to_string(), "not a checkpoint: `4` at byte 4 does not come after what is before it, with a gap");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    low: u64,
    /// C1. The end of each range, which is not in it, by its beginning.
    above: BTreeMap<u64, u64>,
}

impl Checkpoint {
    /// Nothing is finished.
    pub const fn new() -> Self {
        Self { low: 0, above: BTreeMap::new() }
    }

    /// The first item that is not finished.
    pub fn low_water_mark(&self) -> u64 {
        self.low
    }

    /// What is finished above the low-water mark: ranges in order, with a gap before each.
    pub fn above(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.above.iter().map(|(&start, &end)| start..end)
    }

    /// How many items are finished.
    pub fn finished(&self) -> u64 {
        self.finished_in(0..u64::MAX)
    }

    /// The first item from which on none is finished.
    fn end(&self) -> u64 {
        self.above.last_key_value().map_or(self.low, |(_, &end)| end)
    }

    /// How many of `items` are finished, looking at each range.
    fn finished_in(&self, items: Range<u64>) -> u64 {
        let below = self.low.clamp(items.start, items.end) - items.start;
        let within = |at: u64| at.clamp(items.start, items.end);
        below + self.above().map(|range| within(range.end) - within(range.start)).sum::<u64>()
    }

    /// Whether an item is finished.
    pub fn is_finished(&self, index: u64) -> bool {
        index < self.low || self.above.range(..=index).next_back().is_some_and(|(_, &end)| index < end)
    }

    /// Notes that an item is finished. False: it was already.
    ///
    /// # Panics
    /// With the index [`u64::MAX`], which no item has.
    pub fn finish(&mut self, index: u64) -> bool {
        assert_ne!(index, u64::MAX, "no item has this index");
        if self.is_finished(index) {
            return false;
        }
        let end = self.above.remove(&(index + 1)).unwrap_or(index + 1);
        if index == self.low {
            self.low = end;
            return true;
        }
        match self.above.range_mut(..index).next_back() {
            Some((_, before)) if *before == index => *before = end,
            _ => drop(self.above.insert(index, end)),
        }
        true
    }
}

#[cfg(all(test, not(wakeful_loom)))]
mod tests;
