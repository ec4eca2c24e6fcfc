//! The state of the memory store: pure transitions over an instant, no clock, no lock.
//!
//! Each row is in the index of its [`Phase`] and in no other; `keys` knows for each key the row that is queued or running, and
//! the one that follows it. A row that its gates don't let in stands in the lines of all of them, and is looked at again when
//! it comes to the front of one: how many others wait costs nothing.

mod put;
mod runs;

use super::fates::Fates;
use super::gates::GateState;
use super::row::{Phase, Rank, Slot};
use super::strikes::Strikes;
use super::types::{Ending, Entry, Gate, GateUse, Generation, Row, Snapshot, StrikeId};
use crate::docket::Strike;
use crate::sync::Event;
use crate::sys::Arc;
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;
use foldhash::fast::RandomState;
use hashbrown::HashMap;

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

/// What is known of a key: as long as it has a row, or one that has ended is kept.
#[derive(Debug, Default)]
struct Key {
    live: Option<Live>,
    /// The newest row that has ended.
    ended: Option<Generation>,
}

/// The rows that a key has.
#[derive(Clone, Copy, Debug)]
struct Live {
    current: Generation,
    follower: Option<Generation>,
}

/// The tasks of a name, as long as one of them has not ended.
#[derive(Debug, Default)]
struct Name {
    alive: usize,
    ready: BTreeSet<Rank>,
}

/// Nothing depends on the order in which it is gone through.
type Map<K, V> = HashMap<K, V, RandomState>;

#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// The last number that was given out: generations, fences and strikes share them.
    serial: u64,
    /// Boxed, since they are large, and maps move what they hold.
    rows: Map<Generation, Box<Slot>>,
    keys: Map<String, Key>,
    names: Map<String, Name>,
    future: BTreeSet<(Instant, Generation)>,
    leases: BTreeSet<(Instant, Generation)>,
    ended: BTreeSet<(Instant, Generation)>,
    /// What is to be set when a row ends, for rows that somebody waits for.
    awaited: BTreeMap<Generation, Arc<Event>>,
    gates: Map<String, GateState>,
    /// When a gate is to be looked at again: somebody may go in, or it may be forgotten.
    opens: BTreeSet<(Instant, String)>,
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

    fn live(&self, key: &str) -> Option<Live> {
        self.keys.get(key)?.live
    }

    fn slot(&mut self, generation: Generation) -> &mut Slot {
        self.rows.get_mut(&generation).expect("what an index names is there")
    }

    /// Does what is due by `now`: rows become ready, leases lapse, gates open, ended rows are forgotten.
    pub(super) fn advance(&mut self, now: Instant) {
        while let Some(&(at, generation)) = self.leases.first().filter(|(at, _)| *at <= now) {
            self.lapse(at, generation, now);
        }
        while let Some(&(at, generation)) = self.future.first().filter(|(at, _)| *at <= now) {
            self.future.remove(&(at, generation));
            self.make_ready(generation);
        }
        while self.opens.first().is_some_and(|(at, _)| *at <= now) {
            if let Some((_, gate)) = self.opens.pop_first() {
                state(&mut self.gates, &gate).opens = None;
                self.settle(&gate, now);
            }
        }
        while let Some(&(at, generation)) = self.ended.first().filter(|(at, _)| *at <= now) {
            self.ended.remove(&(at, generation));
            let Some(slot) = self.rows.remove(&generation) else { continue };
            let Some(key) = self.keys.get_mut(&slot.entry.key) else { continue };
            key.ended = key.ended.filter(|newest| *newest != generation);
            if key.live.is_none() && key.ended.is_none() {
                self.keys.remove(&slot.entry.key);
            }
        }
    }

    /// After which instant [`advance`](Self::advance) would do something that a claim can use.
    fn next(&self) -> Instant {
        let firsts = [
            self.future.first().map(|(at, _)| *at),
            self.leases.first().map(|(at, _)| *at),
            self.opens.first().map(|(at, _)| *at),
        ];
        firsts.into_iter().flatten().min().unwrap_or(Instant::NEVER)
    }

    fn lapse(&mut self, at: Instant, generation: Generation, now: Instant) {
        self.leases.remove(&(at, generation));
        let slot = self.slot(generation);
        let (cap, deliveries) = (slot.entry.deliveries.get(), slot.deliveries);
        let Phase::Running(run) = &slot.phase else { unreachable!("a lease is of a run") };
        let cancelled = run.cancelled.is_some();
        self.leave_gates(generation, true, now);
        if cancelled {
            self.end(generation, Ending::Cancelled, now);
        } else if deliveries >= cap {
            self.end(generation, Ending::Dead(deliveries), now);
        } else {
            self.news.fates.lapsed(&self.rows[&generation]);
            self.make_ready(generation);
        }
    }

    fn make_ready(&mut self, generation: Generation) {
        let slot = self.rows.get_mut(&generation).expect("what an index names is there");
        slot.phase = Phase::Ready;
        let rank = slot.rank();
        let name = self.names.get_mut(&slot.entry.name).expect("one of them is alive");
        name.ready.insert(rank);
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
                let name = slot.entry.name.clone();
                self.unready(&name, rank);
                self.leave_lines(generation, now);
            }
            Phase::Parked(_) => self.leave_lines(generation, now),
            Phase::Running(_) | Phase::Following | Phase::Ended(_) => {}
        }
    }

    fn unready(&mut self, name: &str, rank: Rank) {
        if let Some(name) = self.names.get_mut(name) {
            name.ready.remove(&rank);
        }
    }

    /// Ends a row that is in no index any more, as no worker will tell.
    fn end(&mut self, generation: Generation, ending: Ending, now: Instant) {
        self.news.fates.ended(&self.rows[&generation], &ending);
        self.close(generation, ending, now);
    }

    /// Ends a row that is in no index any more, and lets what follows it take its place.
    fn close(&mut self, generation: Generation, ending: Ending, now: Instant) {
        let slot = self.rows.get_mut(&generation).expect("what an index names is there");
        let (name, key) = (&slot.entry.name, &slot.entry.key);
        slot.phase = Phase::Ended(ending);
        self.ended.insert((now + slot.entry.keep, generation));
        let of = self.names.get_mut(name).expect("this one was alive");
        of.alive -= 1;
        if of.alive == 0 {
            // Somebody may work until there is nothing more.
            self.names.remove(name);
            self.news.finished = true;
        }
        self.news.ended.extend(self.awaited.remove(&generation));
        let key = self.keys.get_mut(key).expect("it has a row");
        key.ended = key.ended.max(Some(generation));
        let Some(live) = &mut key.live else { return };
        if live.follower == Some(generation) {
            live.follower = None;
        } else if live.current == generation {
            match live.follower.take() {
                Some(follower) => {
                    live.current = follower;
                    self.queue(follower, now);
                }
                None => key.live = None,
            }
        }
    }

    // ---- gates ---------------------------------------------------------------

    /// The numbers of the gates that don't let this row in.
    fn closed_gates<'a>(&'a self, slot: &'a Slot, now: Instant) -> impl Iterator<Item = usize> {
        let rank = slot.rank();
        let opens = move |gate: &Gate, state: &GateState| state.opens(gate.rule, state.kept_from(rank), now);
        let closed = move |gate: &Gate| self.gates.get(&gate.name).is_some_and(|state| opens(gate, state) > now);
        slot.entry.gates.iter().enumerate().filter(move |(_, gate)| closed(gate)).map(|(number, _)| number)
    }

    /// Has a row wait, which was turned away at the gate of this number.
    fn join_lines(&mut self, generation: Generation, at: usize, now: Instant) {
        let slot = self.rows.get_mut(&generation).expect("what an index names is there");
        let rank = slot.rank();
        for gate in &slot.entry.gates {
            state(&mut self.gates, &gate.name).waiting.insert(rank);
        }
        let name = slot.entry.gates[at].name.clone();
        self.block(generation, at);
        self.settle(&name, now);
    }

    fn block(&mut self, generation: Generation, at: usize) {
        let slot = self.rows.get_mut(&generation).expect("what an index names is there");
        slot.phase = Phase::Parked(at);
        state(&mut self.gates, &slot.entry.gates[at].name).blocked.insert(slot.rank());
    }

    /// Takes a row out of the line of those who are blocked, and makes it ready.
    fn unblock(&mut self, generation: Generation, name: &str) {
        let rank = self.slot(generation).rank();
        if let Some(state) = self.gates.get_mut(name) {
            state.blocked.remove(&rank);
        }
        self.make_ready(generation);
    }

    fn leave_lines(&mut self, generation: Generation, now: Instant) {
        let rank = self.slot(generation).rank();
        let leave = |state: &mut GateState, _: &Gate| {
            state.waiting.remove(&rank);
            state.blocked.remove(&rank);
        };
        self.at_gates(generation, leave, now);
    }

    /// Does this at all gates of a row that is blocked at none of them from then on, and sees who can go in now.
    fn at_gates(&mut self, generation: Generation, each: impl Fn(&mut GateState, &Gate), now: Instant) {
        let gates = mem::take(&mut self.slot(generation).entry.gates);
        for gate in &gates {
            each(state(&mut self.gates, &gate.name), gate);
        }
        for gate in &gates {
            self.settle(&gate.name, now);
        }
        self.slot(generation).entry.gates = gates;
    }

    fn leave_gates(&mut self, generation: Generation, has_begun: bool, now: Instant) {
        self.at_gates(generation, |state, gate| state.leave(gate.rule, has_begun), now);
    }

    /// Makes ready who was blocked here and can go through all of its gates, and notes when to look again. Who is blocked
    /// elsewhere now is looked at when that gate opens: so nobody is looked at here for whom this one is closed.
    fn settle(&mut self, name: &str, now: Instant) {
        let Some(state) = self.gates.get(name) else { return };
        let (mut let_in, mut elsewhere, mut again) = (Vec::new(), Vec::new(), None);
        for rank in &state.blocked {
            let slot = &self.rows[&rank.2];
            let Some(gate) = slot.entry.gates.iter().find(|gate| gate.name == name) else { continue };
            let opens = state.opens(gate.rule, state.kept_from(*rank).max(let_in.len()), now);
            if opens > now {
                again = (!opens.is_never()).then_some(opens);
                break;
            }
            match self.closed_gates(slot, now).next() {
                None => let_in.push(rank.2),
                Some(at) => elsewhere.push((*rank, at)),
            }
        }
        let is_idle = state.is_idle(now);
        if !is_idle && state.waiting.is_empty() && state.next > now {
            again = Some(state.next);
        }
        if state.opens != again {
            self.look_again(name, again);
        }
        if is_idle {
            self.gates.remove(name);
        }
        for generation in let_in {
            self.unblock(generation, name);
        }
        let mut others = BTreeSet::new();
        for (rank, at) in elsewhere {
            if let Some(state) = self.gates.get_mut(name) {
                state.blocked.remove(&rank);
            }
            self.block(rank.2, at);
            others.insert(self.rows[&rank.2].entry.gates[at].name.clone());
        }
        // They are closed to those who came, who therefore don't come back: this ends.
        for other in others {
            self.settle(&other, now);
        }
    }

    /// Notes when to look at a gate again: once for each, however many go through it.
    fn look_again(&mut self, name: &str, again: Option<Instant>) {
        let Some(state) = self.gates.get_mut(name) else { return };
        if let Some(before) = mem::replace(&mut state.opens, again) {
            self.opens.remove(&(before, name.into()));
        }
        if let Some(at) = again {
            self.opens.insert((at, name.into()));
        }
    }

    // ---- strikes -------------------------------------------------------------

    /// The oldest strike that matches.
    fn struck(&self, entry: &Entry) -> Option<StrikeId> {
        self.strikes.first(&entry.name, &entry.args)
    }

    pub(super) fn strike(&mut self, strike: Strike) -> StrikeId {
        let id = StrikeId(self.serial());
        // Those that wait are looked at anew, so that they don't stand in anybody's way.
        let at = |slot: &Slot| match slot.phase {
            Phase::Parked(at) if strike.matches(&slot.entry.name, &slot.entry.args) => {
                Some((slot.generation, slot.entry.gates[at].name.clone()))
            }
            _ => None,
        };
        let parked: Vec<(Generation, String)> = self.rows.values().filter_map(|slot| at(slot)).collect();
        for (generation, gate) in parked {
            self.unblock(generation, &gate);
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
        let newest = || {
            let key = self.keys.get(key)?;
            key.live.map(|live| live.current).or(key.ended)
        };
        let slot = self.rows.get(&generation.or_else(newest)?)?;
        (slot.entry.key == key).then(|| slot.view(now))
    }

    /// Whether no row of these tasks is queued, running or following.
    pub(super) fn is_finished(&self, names: &[String]) -> bool {
        !names.iter().any(|name| self.names.contains_key(name))
    }

    /// What is set when this row ends; none, if it has.
    pub(super) fn end_of(&mut self, generation: Generation) -> Option<Arc<Event>> {
        let slot = self.rows.get(&generation)?;
        let is_over = matches!(slot.phase, Phase::Ended(_));
        (!is_over).then(|| self.awaited.entry(generation).or_default().clone())
    }

    pub(super) fn scan(&self, now: Instant) -> Snapshot {
        let mut rows: Vec<_> = self.rows.values().map(|slot| slot.view(now)).collect();
        rows.sort_unstable_by_key(|row| row.generation);
        let used = self.gates.iter().filter(|(_, gate)| gate.held > 0 || !gate.waiting.is_empty());
        let mut gates: Vec<_> = used
            .map(|(name, gate)| GateUse { name: name.clone(), held: gate.held, waiting: gate.waiting.len() })
            .collect();
        gates.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Snapshot { now, rows, gates, strikes: self.strikes.list() }
    }
}

/// The gate of this name, which begins to be known if it isn't.
fn state<'a>(gates: &'a mut Map<String, GateState>, name: &str) -> &'a mut GateState {
    gates.entry_ref(name).or_default()
}
