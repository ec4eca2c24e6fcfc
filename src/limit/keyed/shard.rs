//! A shard: some of the keys, under one lock.
//!
//! # Invariants
//!
//! - **K1** A key is in the store or among the busy ones of the one shard that its hash says, or in neither: then it is idle, and
//!   as good as one that never came.
//! - **K2** A key is busy as long as it has users, numbers of its own, something imposed, or late grants that may be made up for. Then its limiter alone says what
//!   it was granted. It goes back into the store under the lock of the shard, and only without users; so nobody else refers
//!   to the limiter, but for its timer, which finds nobody waiting.
//! - **K3** The lock of a limiter is taken under that of a shard, never the other way round.
//! - **K6** What a key without numbers of its own is decided by is that of its shard, in the store and by its limiter. It
//!   changes under the lock of the shard, and so do the numbers of a key.
//! - **K7** A key that comes is lent until it is in, so that a comparison that panics drops none under the lock.

use super::store::{self, Answer, Ask, Store};
use super::table::{Gone, Tag, spread};
use crate::limit::decide::{Algorithm, Carry};
use crate::limit::state::{Gate, Limit};
use crate::sys::{Arc, Lock};
use crate::time::Instant;
use crate::wait::Held;
use alloc::vec::Vec;
use core::mem;
use hashbrown::HashTable;

/// Some of the keys.
///
/// Aligned so that two threads that are busy with two shards don't share what their processors fetch.
#[repr(align(128))]
pub(super) struct Shard<K, A: Algorithm> {
    lock: Lock<Inside<K, A>>,
}

/// What the lock guards.
pub(super) struct Inside<K, A: Algorithm> {
    pub(super) store: Store<K, A>,
    pub(super) algorithm: A,
    /// How often that has changed for all keys.
    changes: u64,
    busy: HashTable<Busy<K, A>>,
    /// The latest instant that it was told.
    latest: u64,
}

/// A key with a limiter of its own.
struct Busy<K, A: Algorithm> {
    key: K,
    tag: Tag,
    gate: Arc<Gate<A>>,
    /// How many refer to it.
    users: usize,
    /// Whether it has numbers of its own.
    own: bool,
}

/// Where a key is.
pub(super) enum Found<A: Algorithm> {
    /// Here, and it has a limiter of its own, with one user more, to be asked as of this instant.
    Busy(Arc<Gate<A>>, Instant),
    /// This is what it may have: it is here, or could not have so much in any case.
    Kept(Answer),
    /// Not here, at the latest instant that the shard was told: it is as good as new.
    Absent(u64),
}

impl<K, A: Algorithm> Shard<K, A> {
    pub(super) fn new(algorithm: &A, now: u64) -> Self {
        let (store, algorithm) = (Store::new(algorithm, now), algorithm.clone());
        let inside = Inside { store, algorithm, changes: 0, busy: HashTable::new(), latest: now };
        Self { lock: Lock::new(inside) }
    }

    /// Takes permits for a key if it may have them at the instant that `now` gives. None: that is for [`find`](Inside::find) to say, as the lock is taken, or the
    /// clock was late, or the key has no word here by which to tell.
    #[inline]
    pub(super) fn take_quickly(
        &self,
        permits: u32,
        now: impl FnOnce() -> u64,
        tag: Tag,
        is: impl FnMut(&K) -> bool,
    ) -> Option<Answer> {
        self.lock.try_with(|inside| inside.take_quickly(permits, now, tag, is)).flatten()
    }

    /// Runs `f` under the lock. Keys leave it in `gone`.
    #[inline]
    pub(super) fn with<R>(&self, f: impl FnOnce(&mut Inside<K, A>) -> R) -> R {
        self.lock.with(f)
    }
}

impl<K, A: Algorithm> Inside<K, A> {
    /// Takes note of a reading of the clock, and gives the latest.
    #[inline]
    pub(super) fn tell(&mut self, now: u64) -> u64 {
        self.latest = self.latest.max(now);
        self.store.reach(self.latest);
        self.latest
    }

    #[inline]
    fn take_quickly(
        &mut self,
        permits: u32,
        now: impl FnOnce() -> u64,
        tag: Tag,
        is: impl FnMut(&K) -> bool,
    ) -> Option<Answer> {
        // A key that is here has no limiter (K1).
        let (word, quick) = self.store.word(tag, is)?;
        let now = now();
        if now < self.latest {
            return None;
        }
        self.latest = now;
        store::take(quick, word, permits, now)
    }

    /// Looks for a key, and asks for it if it is in the store.
    pub(super) fn find(&mut self, ask: Ask, tag: Tag, mut is: impl FnMut(&K) -> bool) -> Found<A> {
        let now = self.tell(ask.now);
        if !self.busy.is_empty() {
            if let Some(gate) = self.join(tag, &mut is) {
                return Found::Busy(gate, Instant::from_nanos(now));
            }
        }
        match self.store.ask(&self.algorithm, Ask { now, ..ask }, tag, is) {
            Some(answer) => Found::Kept(answer),
            None => self.absent(ask.permits),
        }
    }

    #[cold]
    fn absent(&self, permits: u32) -> Found<A> {
        let burst = self.algorithm.burst();
        if permits > burst { Found::Kept(Answer::Exceeds(burst)) } else { Found::Absent(self.latest) }
    }

    /// How many permits a key may have.
    ///
    /// # Errors
    /// Its limiter, which knows, with one user more.
    pub(super) fn available(
        &mut self,
        now: u64,
        tag: Tag,
        mut is: impl FnMut(&K) -> bool,
    ) -> Result<u32, Arc<Gate<A>>> {
        let now = self.tell(now);
        match self.join(tag, &mut is) {
            Some(gate) => Err(gate),
            None => {
                let kept = self.store.available(&self.algorithm, now, tag, is);
                Ok(kept.unwrap_or_else(|| self.algorithm.burst()))
            }
        }
    }

    /// Another user for the limiter of a key, if it has one.
    pub(super) fn join(&mut self, tag: Tag, mut is: impl FnMut(&K) -> bool) -> Option<Arc<Gate<A>>> {
        let busy = self.busy.find_mut(spread(tag), |busy| busy.tag == tag && is(&busy.key))?;
        busy.users += 1;
        Some(busy.gate.clone())
    }

    /// Takes a key in (K7), and permits for it, which a new one can have. Says when it will be idle. None: it came meanwhile.
    pub(super) fn enter(&mut self, ask: Ask, tag: Tag, key: &mut Option<K>, gone: &mut Gone<K>) -> Option<u64>
    where
        K: Eq,
    {
        let is = |held: &K| Some(held) == key.as_ref();
        let is_busy = self.busy.find(spread(tag), |busy| busy.tag == tag && is(&busy.key)).is_some();
        if is_busy || self.store.holds(tag, is) {
            return None;
        }
        let now = self.tell(ask.now);
        // It may have changed meanwhile, so that there are not so many.
        if ask.permits > self.algorithm.burst() {
            return None;
        }
        Some(self.store.enter(&self.algorithm, Ask { now, ..ask }, tag, key.take()?, gone))
    }

    /// Has a key be decided by `made`, with one user, unless it has a limiter already, and gives that. Takes the key in (K7) if it
    /// was not here.
    pub(super) fn promote(
        &mut self,
        tag: Tag,
        key: &mut Option<K>,
        made: Option<&Made<A>>,
        may_come: bool,
    ) -> Result<Arc<Gate<A>>, Need<A>>
    where
        K: Eq,
    {
        let is = |held: &K| Some(held) == key.as_ref();
        if let Some(gate) = self.join(tag, is) {
            return Ok(gate);
        }
        if !may_come && !self.store.holds(tag, is) {
            return Err(Need::Room);
        }
        let Some(Made { gate, .. }) = made.filter(|made| made.changes == self.changes) else {
            return Err(Need::Limiter(self.algorithm.clone(), self.changes));
        };
        let held = self.store.remove(&self.algorithm, tag, is);
        let (key, state) = held.unwrap_or_else(|| (key.take().expect("it is not in"), self.algorithm.fresh()));
        gate.with(|held| held.resume(state, self.latest));
        let busy = Busy { key, tag, gate: gate.clone(), users: 1, own: false };
        self.busy.insert_unique(spread(tag), busy, |busy| spread(busy.tag));
        Ok(gate.clone())
    }

    /// Has the key of `gate` go on by numbers of its own, or else by those of all (K6). False: it has done so before.
    pub(super) fn renumber_one(
        &mut self,
        tag: Tag,
        gate: &Arc<Gate<A>>,
        own: Option<A>,
        carry: Carry,
        now: u64,
    ) -> bool {
        let now = self.tell(now);
        let Some(busy) = self.busy.find_mut(spread(tag), |busy| Arc::ptr_eq(&busy.gate, gate)) else { return false };
        let had = mem::replace(&mut busy.own, own.is_some());
        if had || own.is_some() {
            let algorithm = own.unwrap_or_else(|| self.algorithm.clone());
            gate.with(|held| held.renumber(algorithm, carry, now));
            return true;
        }
        false
    }

    /// Has all keys without numbers of their own go on by an algorithm, which is the latest of so many (K6); idle ones are
    /// dropped. Says as [`sweep`](Self::sweep) when the next one may be.
    pub(super) fn renumber(
        &mut self,
        (algorithm, changes): (&A, u64),
        carry: Carry,
        now: u64,
        gone: &mut Gone<K>,
        unused: &mut Vec<(Tag, Arc<Gate<A>>)>,
    ) -> u64 {
        if changes <= self.changes {
            return self.sweep(now, gone, unused);
        }
        // Lateness is not made up for across a change, so it keeps no key that is idle but for that.
        self.numbered_alike().for_each(|gate| gate.with(|held| held.state.book.forget_lag()));
        self.sweep(now, gone, unused);
        let now = self.latest;
        self.store.renumber(&self.algorithm, algorithm, carry, now);
        self.numbered_alike().for_each(|gate| gate.with(|held| held.renumber(algorithm.clone(), carry, now)));
        (self.algorithm, self.changes) = (algorithm.clone(), changes);
        self.sweep(now, gone, unused)
    }

    /// The limiters of keys without numbers of their own.
    fn numbered_alike(&self) -> impl Iterator<Item = &Arc<Gate<A>>> {
        self.busy.iter().filter(|busy| !busy.own).map(|busy| &busy.gate)
    }

    /// Another user for each limiter that has some, and decides by the numbers of all.
    pub(super) fn join_all(&mut self, joined: &mut Vec<(Tag, Arc<Gate<A>>)>) {
        for busy in self.busy.iter_mut().filter(|busy| busy.users > 0 && !busy.own) {
            busy.users += 1;
            joined.push((busy.tag, busy.gate.clone()));
        }
    }

    /// One user of `gate` less. Says when its key may be dropped at the earliest, if that is known.
    pub(super) fn leave(&mut self, tag: Tag, gate: &Arc<Gate<A>>, gone: &mut Gone<K>) -> Option<u64> {
        let busy = self.busy.find_mut(spread(tag), |busy| Arc::ptr_eq(&busy.gate, gate))?;
        busy.users -= 1;
        if busy.users > 0 || busy.own {
            return None;
        }
        Some(self.demote(tag, gate, gone).unwrap_or_else(|until| until))
    }

    /// Puts the key of `gate`, which is without users, back into the store, or drops it if it is idle (K2). Says when it will be
    /// idle, or until when something is imposed on it, so that it stays.
    fn demote(&mut self, tag: Tag, gate: &Arc<Gate<A>>, gone: &mut Gone<K>) -> Result<u64, u64> {
        let (state, latest) = gate.with(|held| held.rest(self.latest))?;
        let now = self.tell(latest);
        let idle_at = self.algorithm.idle_at(&state);
        let Ok(found) = self.busy.find_entry(spread(tag), |busy| Arc::ptr_eq(&busy.gate, gate)) else {
            return Err(u64::MAX);
        };
        let (mut busy, _) = found.remove();
        if idle_at <= now {
            gone.push(busy.key);
        } else if let Err(key) = self.store.put(&self.algorithm, now, tag, busy.key, state, gone) {
            busy.key = key;
            self.busy.insert_unique(spread(tag), busy, |busy| spread(busy.tag));
        }
        Ok(idle_at)
    }

    /// Drops all keys that are idle at `now`, and says when the next one of the others may be. Limiters that are not needed any
    /// more leave the lock in `unused`.
    pub(super) fn sweep(&mut self, now: u64, gone: &mut Gone<K>, unused: &mut Vec<(Tag, Arc<Gate<A>>)>) -> u64 {
        let now = self.tell(now);
        let from = unused.len();
        let idle = self.busy.iter().filter(|busy| busy.users == 0 && !busy.own);
        unused.extend(idle.map(|busy| (busy.tag, busy.gate.clone())));
        let mut next = u64::MAX;
        for (tag, gate) in &unused[from..] {
            if let Err(until) = self.demote(*tag, gate, gone) {
                next = next.min(until);
            }
        }
        next.min(self.store.sweep(&self.algorithm, now, gone))
    }

    /// How many keys there are.
    pub(super) fn len(&self) -> usize {
        self.store.len() + self.busy.len()
    }
}

impl<A: Algorithm> Held<'_, Limit<A>> {
    /// Goes on from what was granted elsewhere up to an instant.
    fn resume(&mut self, state: A::State, latest: u64) {
        self.take_over();
        self.state.book.resume(state);
        self.state.latest = self.state.latest.max(latest);
        self.hand_over();
    }

    /// Goes on by another algorithm. Whoever waits is re-timed by the call that has to follow (`change::changed`).
    fn renumber(&mut self, algorithm: A, carry: Carry, now: u64) {
        self.take_over();
        let now = self.state.latest.max(now);
        self.state.latest = now;
        self.state.postpone();
        self.state.book.pass(now);
        self.state.book.change(algorithm, carry, now);
    }

    /// What was granted, and the latest instant that it was told, if that is not `now`; for one at which nobody waits.
    ///
    /// # Errors
    /// The instant until which something is imposed.
    fn rest(&mut self, now: u64) -> Result<(A::State, u64), u64> {
        self.take_over();
        let latest = self.state.latest.max(now);
        self.state.book.pass(latest);
        match self.state.book.matters_until(latest) {
            Some(until) => Err(until),
            None => Ok((self.state.book.state().clone(), latest)),
        }
    }
}

/// For tests.
#[cfg(test)]
impl<K, A: Algorithm> Shard<K, A> {
    pub(super) fn is_locked(&self) -> bool {
        self.lock.try_with(|_| ()).is_none()
    }
}

/// For tests.
#[cfg(test)]
impl<K, A: Algorithm> Inside<K, A> {
    pub(super) fn busy(&self) -> usize {
        self.busy.len()
    }
}

/// A limiter that was made outside the lock, by what its shard had decided by after so many changes.
pub(super) struct Made<A: Algorithm> {
    pub(super) gate: Arc<Gate<A>>,
    pub(super) changes: u64,
}

/// What a key lacks for a limiter.
pub(super) enum Need<A> {
    /// Room: it is not here.
    Room,
    /// One that decides by this, as of so many changes.
    Limiter(A, u64),
}
