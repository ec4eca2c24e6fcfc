//! What comes in, and what is taken back before it runs.

use super::super::row::{Phase, Slot};
use super::super::types::{Cancelled, Ending, Entry, Existing, Generation, Put, When};
use super::{Key, Ledger, Live, Name};
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

impl Ledger {
    /// Adds a row that is due at `due`.
    pub(in super::super) fn put(&mut self, entry: Entry, due: Instant, now: Instant) -> Put {
        if let Some(strike) = self.struck(&entry) {
            return Put::Struck(strike);
        }
        let due = entry.settle.map_or(due, |settle| now + settle.quiet.min(settle.at_most));
        let live = if entry.key.is_empty() { None } else { self.live(&entry.key) };
        let Some(live) = live else {
            if matches!(entry.existing, Existing::ReplaceIf(_)) {
                return Put::Gone;
            }
            let generation = self.add(entry, due, now, now);
            return Put::Added(generation);
        };
        let running = matches!(self.slot(live.current).phase, Phase::Running(_));
        let newest = live.follower.unwrap_or(live.current);
        let exists = Put::Exists { generation: newest, running };
        match entry.existing {
            _ if entry.settle.is_some() => self.unsettle(entry, newest, live, now),
            Existing::Keep => exists,
            Existing::Follow if !running || live.follower.is_some() => exists,
            Existing::ReplaceIf(of) if of != newest => exists,
            _ if running => self.follow(entry, due, now, now),
            _ => self.replace(entry, live.current, due, now, now),
        }
    }

    fn add(&mut self, entry: Entry, due: Instant, added: Instant, now: Instant) -> Generation {
        let generation = self.insert(entry, due, added);
        self.make_current(generation);
        self.queue(generation, now);
        generation
    }

    /// It is the row of its key from now on.
    fn make_current(&mut self, generation: Generation) {
        let slot = self.rows.get(&generation).expect("it has been put");
        let live = Some(Live { current: generation, follower: None });
        match self.keys.get_mut(&slot.entry.key) {
            Some(key) => key.live = live,
            None => _ = self.keys.insert(slot.entry.key.clone(), Key { live, ended: None }),
        }
    }

    fn insert(&mut self, mut entry: Entry, due: Instant, added: Instant) -> Generation {
        let mut generation = Generation(self.serial());
        if entry.key.is_empty() {
            entry.key = generation.key_of(&entry.name);
            // Somebody may have taken it.
            while self.live(&entry.key).is_some() {
                generation = Generation(self.serial());
                entry.key = generation.key_of(&entry.name);
            }
        }
        let slot = Slot {
            entry,
            generation,
            due,
            added,
            first_due: due,
            errors: 0,
            deliveries: 0,
            last_error: None,
            progress: None,
            phase: Phase::Following,
        };
        match self.names.get_mut(&slot.entry.name) {
            Some(name) => name.alive += 1,
            None => _ = self.names.insert(slot.entry.name.clone(), Name { alive: 1, ..Name::default() }),
        }
        self.rows.insert(generation, Box::new(slot));
        generation
    }

    fn replace(&mut self, entry: Entry, old: Generation, due: Instant, added: Instant, now: Instant) -> Put {
        self.unqueue(old, now);
        let generation = self.insert(entry, due, added);
        // What is to be tried again may be followed already.
        let live = self.live(&self.rows[&generation].entry.key);
        if let Some(follower) = live.and_then(|live| live.follower) {
            self.end(follower, Ending::Replaced(generation), now);
        }
        self.make_current(generation);
        self.queue(generation, now);
        self.end(old, Ending::Replaced(generation), now);
        Put::Replaced(generation)
    }

    fn follow(&mut self, entry: Entry, due: Instant, added: Instant, now: Instant) -> Put {
        let key = entry.key.clone();
        let generation = self.insert(entry, due, added);
        let live = self.keys.get_mut(&key).and_then(|key| key.live.as_mut()).expect("something runs under this key");
        if let Some(old) = live.follower.replace(generation) {
            self.end(old, Ending::Replaced(generation), now);
        }
        Put::Following(generation)
    }

    /// A put that has to settle: what waits is put off, but not beyond its bound.
    fn unsettle(&mut self, entry: Entry, newest: Generation, live: Live, now: Instant) -> Put {
        let settle = entry.settle.expect("only for those that settle");
        let running = matches!(self.slot(live.current).phase, Phase::Running(_));
        let waits = !running || live.follower.is_some();
        let added = if waits { self.slot(newest).added } else { now };
        let due = (now + settle.quiet).min(added + settle.at_most);
        if running { self.follow(entry, due, added, now) } else { self.replace(entry, live.current, due, added, now) }
    }

    /// What comes after a run under its key, if nothing does yet.
    pub(super) fn put_next(&mut self, entry: Entry, due: Instant, now: Instant) {
        let free = self.live(&entry.key).is_some_and(|live| live.follower.is_none());
        match self.struck(&entry) {
            _ if !free => {}
            Some(strike) => self.news.fates.refused(&entry, strike),
            None => _ = self.follow(entry, due, now, now),
        }
    }

    pub(in super::super) fn cancel(&mut self, key: &str, grace: Duration, now: Instant) -> Cancelled {
        let Some(live) = self.live(key) else { return Cancelled::Unknown };
        if let Some(follower) = live.follower {
            self.end(follower, Ending::Cancelled, now);
        }
        let generation = live.current;
        if let Phase::Running(run) = &mut self.slot(generation).phase {
            let by = now + grace;
            run.cancelled = Some(run.cancelled.map_or(by, |earlier| earlier.min(by)));
            self.news.orders = true;
            return Cancelled::Running(generation);
        }
        self.unqueue(generation, now);
        self.end(generation, Ending::Cancelled, now);
        Cancelled::Queued(generation)
    }

    pub(in super::super) fn reschedule(&mut self, key: &str, when: When, due: Instant, now: Instant) -> bool {
        let Some(live) = self.live(key) else { return false };
        let running = matches!(self.slot(live.current).phase, Phase::Running(_));
        let Some(generation) = (if running { live.follower } else { Some(live.current) }) else { return false };
        self.unqueue(generation, now);
        let slot = self.slot(generation);
        (slot.due, slot.first_due) = (due, due);
        (slot.entry.due, slot.entry.settle) = (when, None);
        if !running {
            self.queue(generation, now);
        }
        true
    }

    pub(in super::super) fn clear(&mut self, now: Instant) -> usize {
        let of = |live: Live| [Some(live.current), live.follower];
        let live = self.keys.values().filter_map(|key| key.live);
        let all: BTreeSet<_> = live.flat_map(of).flatten().collect();
        let waits = |generation: &Generation| !matches!(self.rows[generation].phase, Phase::Running(_));
        let all: Vec<_> = all.into_iter().filter(waits).collect();
        for generation in &all {
            self.unqueue(*generation, now);
            self.end(*generation, Ending::Cancelled, now);
        }
        all.len()
    }

    /// The name of a gate that is there twice.
    pub(in super::super) fn same_gate(entry: &Entry) -> Option<String> {
        let mut names = BTreeSet::new();
        entry.gates.iter().find(|gate| !names.insert(&gate.name)).map(|gate| gate.name.to_string())
    }
}
