//! What a run leaves to the next one on its thread: a timer queue and buffers, all of them empty.
//!
//! Nothing of it tells how the run went that left it (S1): it saves making the same again, thousands of times a second.

use super::clock::SimClock;
use super::exec::Entry;
use super::meta::{Meta, Said};
use super::ready::Ready;
use super::world::Incoming;
use crate::sys::attic::{self, attic};
use crate::time::{Instant, Time};
use alloc::vec::Vec;

attic!(LEFT: Spare);

/// A run with more tasks at once than this leaves nothing: it would keep the memory for ever.
const MOST_TASKS: usize = 1_024;

#[derive(Default)]
pub(super) struct Spare {
    clock: Option<(SimClock, Time)>,
    pub(super) ready: Ready,
    pub(super) metas: Vec<Meta>,
    pub(super) said: Vec<Said>,
    pub(super) unused: Vec<u32>,
    pub(super) entries: Vec<Entry>,
    pub(super) incoming: [Vec<Incoming>; 2],
}

impl Spare {
    /// What was left on this thread.
    pub(super) fn take() -> Self {
        attic::take(&LEFT).unwrap_or_default()
    }

    /// A clock that stands at the epoch, and its timer queue.
    pub(super) fn clock(&mut self) -> (SimClock, Time) {
        self.clock.take().unwrap_or_else(|| {
            let clock = SimClock::new();
            let time = Time::new(clock.clone());
            (clock, time)
        })
    }

    /// Leaves this to the next run. Nobody else has `time`, or it is left out.
    pub(super) fn leave(mut self, clock: SimClock, mut time: Time) {
        if self.metas.capacity() > MOST_TASKS {
            return;
        }
        clock.set(Instant::EPOCH);
        self.clock = time.renew().then_some((clock, time));
        self.metas.clear();
        self.said.clear();
        self.unused.clear();
        self.entries.clear();
        self.incoming.iter_mut().for_each(Vec::clear);
        attic::put(&LEFT, self);
    }
}
