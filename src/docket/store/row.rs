//! A row of the ledger.

use super::types::{Ending, Entry, Fence, Generation, Row, State};
use crate::sys::Arc;
use crate::time::Instant;
use alloc::string::String;
use core::cmp::Reverse;
use serde_json::Value;

/// The order in which rows are served: priority, due time, adding.
pub(super) type Rank = (Reverse<i32>, Instant, Generation);

/// A row, and where it is.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) entry: Entry,
    pub(super) generation: Generation,
    pub(super) due: Instant,
    /// When it was added, and due the first time.
    pub(super) added: Instant,
    pub(super) first_due: Instant,
    /// How many attempts ended with an error.
    pub(super) errors: u32,
    /// How often it was claimed since.
    pub(super) deliveries: u32,
    pub(super) last_error: Option<String>,
    pub(super) progress: Option<Value>,
    pub(super) phase: Phase,
}

/// Where a row is: each is in the index of its phase, and in no other.
#[derive(Debug)]
pub(super) enum Phase {
    /// In `future`, by its due time.
    Future,
    /// In `ready`, by name and rank. In the lines of its gates too, if it has waited before.
    Ready,
    /// In the lines of its gates; blocked at the one of this number.
    Parked(usize),
    /// In `leases`; it holds its gates.
    Running(Run),
    /// In `live`, behind what runs.
    Following,
    /// In `ended`, by the instant at which it is forgotten.
    Ended(Ending),
}

/// A run.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) worker: Arc<str>,
    pub(super) fence: Fence,
    pub(super) until: Instant,
    /// When it is to have ended, if somebody cancelled it.
    pub(super) cancelled: Option<Instant>,
}

impl Slot {
    pub(super) fn rank(&self) -> Rank {
        (Reverse(self.entry.priority), self.due, self.generation)
    }

    /// How many attempts have begun.
    pub(super) fn attempts(&self) -> u32 {
        self.errors + u32::from(self.deliveries > 0)
    }

    /// As others see it at `now`.
    pub(super) fn view(&self, now: Instant) -> Row {
        let state = match &self.phase {
            Phase::Future if self.due > now => State::Future,
            Phase::Future | Phase::Ready => State::Queued,
            Phase::Parked(_) => State::Waiting,
            Phase::Running(run) => State::Running {
                worker: run.worker.as_ref().into(),
                fence: run.fence,
                until: run.until,
                cancelled: run.cancelled.is_some(),
            },
            Phase::Following => State::Following,
            Phase::Ended(ending) => State::Ended(ending.clone()),
        };
        Row {
            key: self.entry.key.clone(),
            generation: self.generation,
            name: self.entry.name.clone(),
            args: self.entry.args.clone(),
            due: self.due,
            priority: self.entry.priority,
            attempts: self.attempts(),
            last_error: self.last_error.clone(),
            progress: self.progress.clone(),
            state,
        }
    }
}
