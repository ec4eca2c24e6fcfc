//! What comes in, and what is taken back before it runs.

use super::super::types::{Cancelled, Ending, Entry, Existing, Generation, Put, When};
use super::rows::{FOLLOWING, FUTURE, Live, READY};
use super::tx::{Fault, Tx, generation, length, number, signed};
use crate::time::Instant;
use alloc::vec::Vec;
use core::time::Duration;

impl Tx<'_> {
    /// Adds a row.
    pub(super) fn put(&mut self, entry: Entry) -> Result<Put, Fault> {
        if let Some(strike) = self.struck(&entry)? {
            return Ok(Put::Struck(strike));
        }
        let (now, due) = (self.now, self.due(entry.due));
        let due = entry.settle.map_or(due, |settle| now + settle.quiet.min(settle.at_most));
        let live = if entry.key.is_empty() { None } else { self.live(&entry.key)? };
        let Some(live) = live else {
            if matches!(entry.existing, Existing::ReplaceIf(_)) {
                return Ok(Put::Gone);
            }
            return self.add(entry, due).map(Put::Added);
        };
        let newest = live.follower.unwrap_or(live.current);
        let exists = Put::Exists { generation: newest, running: live.running };
        match entry.existing {
            _ if entry.settle.is_some() => self.unsettle(&entry, newest, live),
            Existing::Keep => Ok(exists),
            Existing::Follow if !live.running || live.follower.is_some() => Ok(exists),
            Existing::ReplaceIf(of) if of != newest => Ok(exists),
            _ if live.running => self.follow(&entry, live.follower, due, now),
            _ => self.replace(&entry, live, due, now),
        }
    }

    fn add(&mut self, mut entry: Entry, due: Instant) -> Result<Generation, Fault> {
        let mut of = generation(self.serial());
        if entry.key.is_empty() {
            entry.key = of.key_of(&entry.name);
            // Somebody may have taken it.
            while self.live(&entry.key)?.is_some() {
                of = generation(self.serial());
                entry.key = of.key_of(&entry.name);
            }
        }
        let phase = if due > self.now { FUTURE } else { READY };
        self.insert(of, &entry, due, self.now, phase)?;
        self.news.work = true;
        Ok(of)
    }

    fn replace(&mut self, entry: &Entry, live: Live, due: Instant, added: Instant) -> Result<Put, Fault> {
        let of = generation(self.serial());
        // What is to be tried again may be followed already.
        if let Some(follower) = live.follower {
            self.end_by(follower, &Ending::Replaced(of))?;
        }
        // It follows what it replaces for a moment: when that ends, it takes its place.
        self.insert(of, entry, due, added, FOLLOWING)?;
        let old = self.slot(live.current)?;
        self.unqueue(&old)?;
        self.end(&old, &Ending::Replaced(of))?;
        Ok(Put::Replaced(of))
    }

    fn follow(&mut self, entry: &Entry, old: Option<Generation>, due: Instant, added: Instant) -> Result<Put, Fault> {
        let of = generation(self.serial());
        if let Some(old) = old {
            self.end_by(old, &Ending::Replaced(of))?;
        }
        self.insert(of, entry, due, added, FOLLOWING)?;
        Ok(Put::Following(of))
    }

    /// A put that has to settle: what waits is put off, but not beyond its bound.
    fn unsettle(&mut self, entry: &Entry, newest: Generation, live: Live) -> Result<Put, Fault> {
        let Some(settle) = entry.settle else { return Err(Fault::text("nothing to settle".into())) };
        let waits = !live.running || live.follower.is_some();
        let added = if waits { self.slot(newest)?.added } else { self.now };
        let due = (self.now + settle.quiet).min(added + settle.at_most);
        match live.running {
            true => self.follow(entry, live.follower, due, added),
            false => self.replace(entry, live, due, added),
        }
    }

    /// What comes after a run under its key, if nothing does yet.
    pub(super) fn put_next(&mut self, entry: &Entry) -> Result<(), Fault> {
        let free = self.live(&entry.key)?.is_some_and(|live| live.follower.is_none());
        if !free {
            return Ok(());
        }
        if let Some(strike) = self.struck(entry)? {
            self.news.fates.refused(entry, strike);
            return Ok(());
        }
        let due = self.due(entry.due);
        self.follow(entry, None, due, self.now).map(drop)
    }

    pub(super) fn cancel(&mut self, key: &str, grace: Duration) -> Result<Cancelled, Fault> {
        let Some(live) = self.live(key)? else { return Ok(Cancelled::Unknown) };
        if let Some(follower) = live.follower {
            self.end_by(follower, &Ending::Cancelled)?;
        }
        if live.running {
            let by = number(self.now + grace);
            let cancel = "UPDATE task SET cancelled = min(coalesce(cancelled, ?1), ?1) WHERE generation = ?2";
            self.run(cancel, (by, signed(live.current.0)))?;
            self.news.orders = true;
            return Ok(Cancelled::Running(live.current));
        }
        let slot = self.slot(live.current)?;
        self.unqueue(&slot)?;
        self.end(&slot, &Ending::Cancelled)?;
        Ok(Cancelled::Queued(live.current))
    }

    pub(super) fn reschedule(&mut self, key: &str, due: When) -> Result<bool, Fault> {
        let Some(live) = self.live(key)? else { return Ok(false) };
        let Some(of) = (if live.running { live.follower } else { Some(live.current) }) else { return Ok(false) };
        let slot = self.slot(of)?;
        self.unqueue(&slot)?;
        let planned = if let When::At(unix) = due { Some(length(unix)) } else { None };
        let due = self.due(due);
        let update = "UPDATE task SET due = ?1, first_due = ?1, planned = ?2 WHERE generation = ?3";
        self.run(update, (number(due), planned, signed(of.0)))?;
        if !live.running {
            self.queue(of, due)?;
        }
        Ok(true)
    }

    pub(super) fn clear(&mut self) -> Result<usize, Fault> {
        let waiting = "SELECT generation FROM task WHERE phase < 5 AND phase <> 3 ORDER BY generation";
        let all: Vec<Generation> = self.all(waiting, (), |row| Ok(generation(row.get(0)?)))?;
        for of in &all {
            let slot = self.slot(*of)?;
            self.unqueue(&slot)?;
            self.end(&slot, &Ending::Cancelled)?;
        }
        Ok(all.len())
    }
}
