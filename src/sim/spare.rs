//! What a run leaves to the next one on its thread: a world without tasks, its timer queue and buffers.
//!
//! Nothing of it tells how the run went that left it (S1): it saves making the same again, thousands of times a second.

use super::clock::SimClock;
use super::exec::Entry;
use super::world::{Core, Incoming, World};
use crate::sys::attic::{self, attic};
use crate::sys::thread::Home;
use crate::sys::{Arc, Lock};
use crate::time::{Instant, Time};
use alloc::vec::Vec;

attic!(LEFT: Spare);

/// A run with more tasks at once than this leaves nothing: it would keep the memory for ever.
const MOST_TASKS: usize = 1_024;

pub(super) struct Spare {
    pub(super) world: Arc<World>,
    pub(super) time: Time,
    /// Wakers of this world, which nobody else has: each serves the next task of its number.
    pub(super) entries: Vec<Entry>,
    pub(super) incoming: Vec<Incoming>,
}

impl Spare {
    /// What was left on this thread, or all of it new. `locates`: it is to be noted where wakers are cloned.
    pub(super) fn take(locates: bool) -> Self {
        attic::take(&LEFT).filter(|spare| spare.world.locates == locates).unwrap_or_else(|| {
            let clock = SimClock::new();
            let (time, core) = (Time::new(clock.clone()), Lock::new(Core::new(clock.clone())));
            let world = Arc::new(World { core, clock, locates, home: Home::here() });
            Self { world, time, entries: Vec::new(), incoming: Vec::new() }
        })
    }

    /// Leaves this to the next run, unless somebody still has a handle, a waker or a timer of this one.
    pub(super) fn leave(mut self) {
        let Self { world, time, entries, .. } = &mut self;
        if entries.len() > MOST_TASKS || !entries.iter_mut().all(|entry| entry.own.is_forgotten()) {
            return;
        }
        // One for each entry's waker, and this one.
        if Arc::strong_count(world) != entries.len() + 1 {
            return;
        }
        world.clock.set(Instant::EPOCH);
        if time.renew() {
            drop(world.core.with(Core::renew));
            attic::put(&LEFT, self);
        }
    }
}
