//! What comes in, and what is taken back before it runs.

use super::super::line::Line;
use super::super::row::Phase;
use super::super::types::{Cancelled, Ending, Entry, Existing, Generation, Put, When};
use super::keys::Live;
use super::slot::Slot;
use super::{Ledger, Name};
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

impl Ledger {
    /// Adds a row that is due after this time.
    pub(in super::super) fn put(&mut self, entry: Entry, after: Duration, now: Instant) -> Put {
        if let Some(strike) = self.struck(&entry.name, &entry.args) {
            return Put::Struck(strike);
        }
        let due = now + entry.settle.map_or(after, |settle| settle.quiet.min(settle.at_most));
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

    fn insert(&mut self, entry: Entry, due: Instant, added: Instant) -> Generation {
        let planned = entry.planned();
        let Entry { name, key, args, priority, gates, deliveries, keep, .. } = entry;
        let mut generation = Generation(self.serial());
        let key = if key.is_empty() {
            while self.is_taken(&name, generation) {
                generation = Generation(self.serial());
            }
            self.is_known(&name, generation).then(|| generation.key_of(&name).into())
        } else {
            Some(key.into())
        };
        let of = self.names.enter(name, |name| Name { name: name.into(), alive: 0, ready: Line::default() });
        let alike = &mut self.names[of];
        alike.alive += 1;
        let name = alike.name.clone();
        let passes = self.passes(gates);
        self.rows.insert(Box::new(Slot {
            key,
            generation,
            due,
            priority,
            of,
            phase: Phase::Following,
            name,
            args,
            passes,
            added,
            first_due: due,
            planned,
            keep,
            most: deliveries.get(),
            errors: 0,
            deliveries: 0,
            last_error: None,
            progress: None,
        }));
        generation
    }

    fn replace(&mut self, entry: Entry, old: Generation, due: Instant, added: Instant, now: Instant) -> Put {
        self.unqueue(old, now);
        let generation = self.insert(entry, due, added);
        // What is to be tried again may be followed already.
        let key = self.rows[generation].key.as_ref();
        let live = key.and_then(|key| self.live(key));
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
        if let Some(old) = self.make_follower(&key, generation) {
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
    pub(super) fn put_next(&mut self, entry: Entry, after: Duration, now: Instant) {
        let free = self.live(&entry.key).is_some_and(|live| live.follower.is_none());
        match self.struck(&entry.name, &entry.args) {
            _ if !free => {}
            Some(strike) => self.news.fates.refused(&entry, strike),
            None => _ = self.follow(entry, now + after, now, now),
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

    pub(in super::super) fn reschedule(&mut self, key: &str, when: When, after: Duration, now: Instant) -> bool {
        let Some(live) = self.live(key) else { return false };
        let running = matches!(self.slot(live.current).phase, Phase::Running(_));
        let Some(generation) = (if running { live.follower } else { Some(live.current) }) else { return false };
        self.unqueue(generation, now);
        let (slot, due) = (self.slot(generation), now + after);
        (slot.due, slot.first_due) = (due, due);
        slot.planned = match when {
            When::At(unix) => Some(unix),
            When::Now | When::In(_) => None,
        };
        if !running {
            self.queue(generation, now);
        }
        true
    }

    pub(in super::super) fn clear(&mut self, now: Instant) -> usize {
        let waits = |slot: &&Slot| !matches!(slot.phase, Phase::Running(_) | Phase::Ended(_));
        let mut all: Vec<_> = self.rows.values().filter(waits).map(|slot| slot.generation).collect();
        all.sort_unstable();
        for generation in &all {
            self.unqueue(*generation, now);
            self.end(*generation, Ending::Cancelled, now);
        }
        all.len()
    }

    /// The name of a gate that is there twice.
    pub(in super::super) fn same_gate(entry: &Entry) -> Option<String> {
        if entry.gates.len() < 2 {
            return None;
        }
        let mut names = BTreeSet::new();
        entry.gates.iter().find(|gate| !names.insert(&gate.name)).map(|gate| gate.name.clone())
    }
}
