//! The state of the memory store: pure transitions over an instant, no clock, no lock.
//!
//! Each row is in the index of its [`Phase`] and in no other; `keys` knows for each key the row that is queued or running, and
//! the one that follows it. A row that its gates don't let in stands in the lines of all of them, and is looked at again when
//! it comes to the front of one: how many others wait costs nothing.
//!
//! A row whose key was made up is found by its generation, which that key tells. As long as no other row has the same key, `keys` has no
//! entry of it, and the row no `key`.

mod gates;
mod keys;
mod named;
mod put;
mod rows;
mod runs;
mod slot;
#[cfg(test)]
mod tests;

use super::fates::Fates;
use super::gates::GateState;
use super::line::Line;
use super::row::{Phase, Rank};
use super::strikes::Strikes;
use super::types::{Ending, Fence, GateUse, Generation, Row, Snapshot, StrikeId};
use crate::docket::Strike;
use crate::sync::Event;
use crate::sys::Arc;
use crate::time::Instant;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;
use keys::Keys;
use named::{Named, Number};
use rows::Rows;
use serde_json::Value;
use slot::Slot;

/// What others are to be told when the lock is free.
#[derive(Debug)]
pub(super) struct News<E> {
    /// A claim may find more than before.
    pub(super) work: bool,
    /// All rows of a task have ended.
    pub(super) finished: bool,
    pub(super) orders: bool,
    /// The rows that have ended, or what whoever waits for that waits for.
    pub(super) ended: Vec<E>,
    /// What no worker tells of.
    pub(super) fates: Fates,
}

impl<E> Default for News<E> {
    fn default() -> Self {
        Self { work: false, finished: false, orders: false, ended: Vec::new(), fates: Fates::default() }
    }
}

/// The tasks of a name, as long as one of them has not ended.
#[derive(Debug)]
struct Name {
    name: Arc<str>,
    alive: usize,
    ready: Line<Rank>,
}

#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// The last number that was given out: generations, fences and strikes share them.
    serial: u64,
    rows: Rows,
    keys: Keys,
    names: Named<Name>,
    future: Line<(Instant, Generation)>,
    /// By fences among equals, which come in order.
    leases: Line<(Instant, Fence, Generation)>,
    /// By the order in which they ended.
    ended: Line<(Instant, u64, Generation)>,
    /// How many have ended.
    ends: u64,
    /// What is to be set when a row ends, for rows that somebody waits for.
    awaited: BTreeMap<Generation, Arc<Event>>,
    /// Known as long as they are held, or a row that has not ended is under them.
    gates: Named<GateState>,
    /// When a gate is to be looked at again: somebody may go in, or it may be forgotten.
    opens: Line<(Instant, Number)>,
    /// Empty: a buffer for those whom a gate lets in.
    let_in: Vec<Generation>,
    strikes: Strikes,
    /// The latest reading of the clock.
    clock: Instant,
    news: News<Arc<Event>>,
    /// How often there was news of work, and of orders.
    pub(super) work: u64,
    pub(super) orders: u64,
}

impl Ledger {
    /// The reading, or the latest that there was: readings of several threads may come in any order.
    pub(super) fn later(&mut self, now: Instant) -> Instant {
        self.clock = self.clock.max(now);
        self.clock
    }

    pub(super) fn take_news(&mut self) -> News<Arc<Event>> {
        let fates = self.news.fates.take();
        let mut news = News { fates, ..mem::take(&mut self.news) };
        self.news.fates.is_heard = news.fates.is_heard;
        news.work |= news.finished;
        self.work += u64::from(news.work);
        self.orders += u64::from(news.orders);
        news
    }

    /// Whether somebody listens from now on.
    pub(super) fn hear(&mut self, is_heard: bool) {
        self.news.fates.is_heard = is_heard;
    }

    fn serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    fn slot(&mut self, generation: Generation) -> &mut Slot {
        self.rows.get_mut(generation).expect("what an index names is there")
    }

    /// Does what is due by `now`: rows become ready, leases lapse, gates open, ended rows are forgotten.
    pub(super) fn advance(&mut self, now: Instant) {
        while let Some((.., generation)) = self.leases.pop_first_if(|(at, ..)| *at <= now) {
            self.lapse(generation, now);
        }
        let mut due = Vec::new();
        while let Some((_, generation)) = self.future.pop_first_if(|(at, _)| *at <= now) {
            due.push(generation);
        }
        if !due.is_empty() {
            self.make_all_ready(&due);
        }
        while let Some((_, gate)) = self.opens.pop_first_if(|(at, _)| *at <= now) {
            self.gates[gate].opens = None;
            self.settle(gate, now);
        }
        while let Some((.., generation)) = self.ended.pop_first_if(|(at, ..)| *at <= now) {
            if let Some(Slot { key: Some(key), .. }) = self.rows.remove(generation).as_deref() {
                self.keys.forget(key, generation);
            }
        }
    }

    /// After which instant [`advance`](Self::advance) would do something that a claim can use.
    fn next(&self) -> Instant {
        let firsts = [
            self.future.first().map(|(at, _)| *at),
            self.leases.first().map(|(at, ..)| *at),
            self.opens.first().map(|(at, _)| *at),
        ];
        firsts.into_iter().flatten().min().unwrap_or(Instant::NEVER)
    }

    fn lapse(&mut self, generation: Generation, now: Instant) {
        let slot = self.slot(generation);
        let (most, deliveries) = (slot.most, slot.deliveries);
        let Phase::Running(run) = &slot.phase else { unreachable!("a lease is of a run") };
        let cancelled = run.cancelled.is_some();
        self.leave_gates(generation, true, now);
        if cancelled {
            self.end(generation, Ending::Cancelled, now);
        } else if deliveries >= most {
            self.end(generation, Ending::Dead(deliveries), now);
        } else {
            let slot = &self.rows[generation];
            self.news.fates.lapsed(|kind| slot.event(kind));
            self.make_ready(generation);
        }
    }

    fn make_ready(&mut self, generation: Generation) {
        let slot = self.rows.get_mut(generation).expect("what an index names is there");
        slot.phase = Phase::Ready;
        let rank = slot.rank();
        self.names[slot.of].ready.insert(rank);
        self.news.work = true;
    }

    /// The same for many, which may be far apart in memory: they are looked at one right after the other, so that the processor waits
    /// for several of them at the same time.
    fn make_all_ready(&mut self, due: &[Generation]) {
        let mut ranks = Vec::with_capacity(due.len());
        for generation in due {
            let slot = self.slot(*generation);
            slot.phase = Phase::Ready;
            ranks.push((slot.of, slot.rank()));
        }
        for (of, rank) in ranks {
            self.names[of].ready.insert(rank);
        }
        self.news.work = true;
    }

    /// Puts a row that is in no index where its due time says.
    fn queue(&mut self, generation: Generation, now: Instant) {
        let slot = self.slot(generation);
        if slot.due > now {
            slot.phase = Phase::Future;
            let due = slot.due;
            self.future.insert((due, generation));
            self.news.work = true;
        } else {
            self.make_ready(generation);
        }
    }

    /// Takes a row that is queued out of the indexes and lines.
    fn unqueue(&mut self, generation: Generation, now: Instant) {
        let slot = self.slot(generation);
        let (rank, due) = (slot.rank(), slot.due);
        match slot.phase {
            Phase::Future => {
                self.future.remove(&(due, generation));
            }
            Phase::Ready => {
                let of = slot.of;
                self.names[of].ready.remove(&rank);
                self.leave_lines(generation, now);
            }
            Phase::Parked(_) => self.leave_lines(generation, now),
            Phase::Running(_) | Phase::Following | Phase::Ended(_) => {}
        }
    }

    /// Ends a row that is in no index any more, as no worker will tell.
    fn end(&mut self, generation: Generation, ending: Ending, now: Instant) {
        let slot = &self.rows[generation];
        self.news.fates.ended(&ending, |kind| slot.event(kind));
        self.close(generation, ending, now);
    }

    /// Ends a row that is in no index any more, and lets what follows it take its place.
    fn close(&mut self, generation: Generation, ending: Ending, now: Instant) {
        let slot = self.rows.get_mut(generation).expect("what an index names is there");
        slot.phase = Phase::Ended(ending);
        self.ends += 1;
        self.ended.insert((now + slot.keep, self.ends, generation));
        let (of, passes) = (slot.of, mem::take(&mut slot.passes));
        self.names[of].alive -= 1;
        if self.names[of].alive == 0 {
            // Somebody may work until there is nothing more.
            self.names.remove(of);
            self.news.finished = true;
        }
        self.news.ended.extend(self.awaited.remove(&generation));
        let next = slot.key.as_ref().and_then(|key| self.keys.close(key, generation));
        for pass in passes.iter() {
            self.part(pass.gate, now);
        }
        if let Some(follower) = next {
            self.queue(follower, now);
        }
    }

    // ---- strikes -------------------------------------------------------------

    /// The oldest strike that matches.
    fn struck(&self, name: &str, args: &Value) -> Option<StrikeId> {
        self.strikes.first(name, args)
    }

    /// The same for a row, which was not struck when it was added.
    fn struck_since(&self, slot: &Slot) -> Option<StrikeId> {
        let is_newer = self.strikes.newest().is_some_and(|newest| newest.0 > slot.generation.0);
        if is_newer { self.struck(&slot.name, &slot.args) } else { None }
    }

    pub(super) fn strike(&mut self, strike: Strike) -> StrikeId {
        let id = StrikeId(self.serial());
        // Those that wait are looked at anew, so that they don't stand in anybody's way.
        let at = |slot: &Slot| match slot.phase {
            Phase::Parked(at) if strike.matches(&slot.name, &slot.args) => {
                Some((slot.generation, slot.passes[at].gate))
            }
            _ => None,
        };
        let mut parked: Vec<_> = self.rows.values().filter_map(at).collect();
        parked.sort_unstable();
        for (generation, gate) in parked {
            self.unblock(generation, gate);
        }
        self.strikes.insert(id, strike);
        id
    }

    pub(super) fn restore(&mut self, id: StrikeId) -> bool {
        if !self.strikes.remove(id) {
            return false;
        }
        // Automatic tasks may begin again.
        self.news.work = true;
        true
    }

    // ---- looking on ----------------------------------------------------------

    pub(super) fn look(&self, key: &str, generation: Option<Generation>, now: Instant) -> Option<Row> {
        let newest = || self.key(key)?.newest();
        let slot = self.rows.get(generation.or_else(newest)?)?;
        slot.has_key(key).then(|| slot.view(now))
    }

    /// Whether no row of these tasks is queued, running or following.
    pub(super) fn is_finished(&self, names: &[String]) -> bool {
        !names.iter().any(|name| self.names.find(name).is_some())
    }

    /// What is set when this row ends; none, if it has.
    pub(super) fn end_of(&mut self, generation: Generation) -> Option<Arc<Event>> {
        let slot = self.rows.get(generation)?;
        let is_over = matches!(slot.phase, Phase::Ended(_));
        (!is_over).then(|| self.awaited.entry(generation).or_default().clone())
    }

    pub(super) fn scan(&self, now: Instant) -> Snapshot {
        let mut rows: Vec<_> = self.rows.values().map(|slot| slot.view(now)).collect();
        rows.sort_unstable_by_key(|row| row.generation);
        let used = self.gates.iter().filter(|(_, gate)| gate.held > 0 || !gate.waiting.is_empty());
        let mut gates: Vec<_> = used
            .map(|(name, gate)| GateUse { name: name.into(), held: gate.held, waiting: gate.waiting.len() })
            .collect();
        gates.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Snapshot { now, rows, gates, strikes: self.strikes.list() }
    }
}
