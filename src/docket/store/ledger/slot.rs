//! A row of the ledger.

use super::super::row::{Phase, Rank};
use super::super::types::{Excess, Generation, Row, Rule};
use super::named::Number;
use crate::docket::{Event, EventKind};
use crate::sys::Arc;
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::ops::Deref;
use core::time::Duration;
use serde_json::Value;

/// A row, and where it is.
#[derive(Debug)]
pub(super) struct Slot {
    /// None: the one that was made up for it, as long as nobody else has used that.
    pub(super) key: Option<Box<str>>,
    pub(super) generation: Generation,
    pub(super) due: Instant,
    /// Greater goes first.
    pub(super) priority: i32,
    /// The number of its name, as long as it has not ended.
    pub(super) of: Number,
    pub(super) phase: Phase,
    pub(super) name: Arc<str>,
    pub(super) args: Value,
    /// Until it ends.
    pub(super) passes: Passes,
    /// When it was added, and due the first time.
    pub(super) added: Instant,
    pub(super) first_due: Instant,
    /// The Unix time that it was put or moved to, if it was one.
    pub(super) planned: Option<Duration>,
    pub(super) keep: Duration,
    /// How often it is claimed at most, if runs are lost.
    pub(super) most: u32,
    /// How many attempts ended with an error.
    pub(super) errors: u32,
    /// How often it was claimed since.
    pub(super) deliveries: u32,
    pub(super) last_error: Option<Box<str>>,
    pub(super) progress: Option<Box<Value>>,
}

/// A limit that a row is under: how it goes through the gate of this number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pass {
    pub(super) gate: Number,
    pub(super) rule: Rule,
    pub(super) excess: Excess,
}

/// Those of a row: mostly one, which then needs no allocation.
#[derive(Debug)]
pub(super) enum Passes {
    Few(Option<Pass>),
    Many(Vec<Pass>),
}

impl Default for Passes {
    fn default() -> Self {
        Self::Few(None)
    }
}

impl Deref for Passes {
    type Target = [Pass];

    fn deref(&self) -> &[Pass] {
        match self {
            Self::Few(pass) => pass.as_slice(),
            Self::Many(passes) => passes,
        }
    }
}

impl FromIterator<Pass> for Passes {
    fn from_iter<I: IntoIterator<Item = Pass>>(passes: I) -> Self {
        let mut passes = passes.into_iter();
        let first = passes.next();
        match (first, passes.next()) {
            (Some(first), Some(second)) => Self::Many([first, second].into_iter().chain(passes).collect()),
            (first, _) => Self::Few(first),
        }
    }
}

impl Slot {
    pub(super) fn rank(&self) -> Rank {
        (Reverse(self.priority), self.due, self.generation)
    }

    /// How many attempts have begun.
    pub(super) fn attempts(&self) -> u32 {
        self.errors + u32::from(self.deliveries > 0)
    }

    pub(super) fn key(&self) -> String {
        match &self.key {
            Some(key) => key.as_ref().into(),
            None => self.generation.key_of(&self.name),
        }
    }

    pub(super) fn has_key(&self, key: &str) -> bool {
        match &self.key {
            Some(own) => **own == *key,
            None => made_up(key).is_some_and(|(name, of)| *name == *self.name && of == self.generation),
        }
    }

    /// As others see it at `now`.
    pub(super) fn view(&self, now: Instant) -> Row {
        Row {
            key: self.key(),
            generation: self.generation,
            name: self.name.as_ref().into(),
            args: self.args.clone(),
            due: self.due,
            priority: self.priority,
            attempts: self.attempts(),
            last_error: self.last_error.as_deref().map(String::from),
            progress: self.progress.as_deref().cloned(),
            state: self.phase.view(self.due, now),
        }
    }

    /// What becomes of it while no worker has it.
    pub(super) fn event(&self, kind: EventKind) -> Event {
        let (name, worker) = (self.name.as_ref().into(), self.phase.worker());
        Event { name, key: self.key(), worker, attempt: self.attempts(), kind }
    }
}

/// The name and the generation of which [`Generation::key_of`] would make this key.
pub(super) fn made_up(key: &str) -> Option<(&str, Generation)> {
    let digits = key.bytes().rev().take_while(u8::is_ascii_digit).count();
    let (name, digits) = key.split_at_checked(key.len() - digits)?;
    // Nothing but what is written so: no zeros before it.
    let is_written = !digits.starts_with('0');
    is_written.then_some(Generation(digits.parse().ok()?)).and_then(|of| Some((name.strip_suffix('#')?, of)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_up_only_if_it_is_written_as_such() {
        for (name, number) in [("add", 1), ("", 7), ("a#1", 10), ("a#", u64::MAX)] {
            assert_eq!(made_up(&Generation(number).key_of(name)), Some((name, Generation(number))));
        }
        for key in [
            "",
            "#",
            "add",
            "add#",
            "add#0",
            "add#01",
            "add#+1",
            "add#-1",
            "add# 1",
            "add#1 ",
            "add#18446744073709551616",
        ] {
            assert_eq!(made_up(key), None, "{key}");
        }
    }
}
