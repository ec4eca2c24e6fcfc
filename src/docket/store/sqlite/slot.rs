//! A row as it is read.

use super::super::row::{Phase, Rank};
use super::super::types::{Entry, Generation, Row};
use crate::docket::{Event, EventKind};
use crate::time::Instant;
use alloc::string::String;
use core::cmp::Reverse;
use serde_json::Value;

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
            state: self.phase.view(self.due, now),
        }
    }

    /// What becomes of it while no worker has it.
    pub(super) fn event(&self, kind: EventKind) -> Event {
        let Entry { name, key, .. } = &self.entry;
        let (name, key, worker) = (name.clone(), key.clone(), self.phase.worker());
        Event { name, key, worker, attempt: self.attempts(), kind }
    }
}
