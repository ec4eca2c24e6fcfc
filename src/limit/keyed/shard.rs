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

use super::store::{Answer, Ask, Store};
use super::table::{Gone, Tag, spread};
use crate::limit::decide::Algorithm;
use crate::limit::state::{Gate, Limit};
use crate::sys::{Arc, Lock};
use crate::time::Instant;
use crate::wait::Held;
use alloc::vec::Vec;
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
    /// Here, and this is what it may have.
    Kept(Answer),
    /// Not here, at the latest instant that the shard was told: it is as good as new.
    Absent(u64),
}

impl<K, A: Algorithm> Shard<K, A> {
    pub(super) fn new(algorithm: &A, now: u64) -> Self {
        let inside = Inside { store: Store::new(algorithm, now), busy: HashTable::new(), latest: now };
        Self { lock: Lock::new(inside) }
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

    /// Looks for a key, and asks for it if it is in the store.
    #[inline]
    pub(super) fn find(&mut self, ask: Ask<'_, A>, tag: Tag, mut is: impl FnMut(&K) -> bool) -> Found<A> {
        let now = self.tell(ask.now);
        if !self.busy.is_empty() {
            if let Some(gate) = self.join(tag, &mut is) {
                return Found::Busy(gate, Instant::from_nanos(now));
            }
        }
        match self.store.ask(Ask { now, ..ask }, tag, is) {
            Some(answer) => Found::Kept(answer),
            None => Found::Absent(now),
        }
    }

    /// Another user for the limiter of a key, if it has one.
    fn join(&mut self, tag: Tag, mut is: impl FnMut(&K) -> bool) -> Option<Arc<Gate<A>>> {
        let busy = self.busy.find_mut(spread(tag), |busy| busy.tag == tag && is(&busy.key))?;
        busy.users += 1;
        Some(busy.gate.clone())
    }

    /// Puts a key in, and takes permits for it, which a new one can have. Says when it will be idle.
    ///
    /// # Errors
    /// The key, if it came meanwhile.
    pub(super) fn enter(&mut self, ask: Ask<'_, A>, tag: Tag, key: K, gone: &mut Gone<K>) -> Result<u64, K>
    where
        K: Eq,
    {
        let is_busy = self.busy.find(spread(tag), |busy| busy.tag == tag && busy.key == key).is_some();
        if is_busy || self.store.holds(tag, |held| *held == key) {
            return Err(key);
        }
        let now = self.tell(ask.now);
        Ok(self.store.enter(Ask { now, ..ask }, tag, key, gone))
    }

    /// Has a key be decided by `gate`, with one user, unless it has a limiter already.
    ///
    /// # Errors
    /// The key, if it is not here and may not come.
    pub(super) fn promote(
        &mut self,
        algorithm: &A,
        tag: Tag,
        key: K,
        gate: &Arc<Gate<A>>,
        may_come: bool,
    ) -> Result<Promoted<K, A>, K>
    where
        K: Eq,
    {
        if let Some(gate) = self.join(tag, |held| *held == key) {
            return Ok(Promoted { gate, spare: Some(key) });
        }
        let (key, spare, state) = match self.store.remove(algorithm, tag, |held| *held == key) {
            Some((held, state)) => (held, Some(key), state),
            None if may_come => (key, None, algorithm.fresh()),
            None => return Err(key),
        };
        gate.with(|held| held.resume(state, self.latest));
        let busy = Busy { key, tag, gate: gate.clone(), users: 1, own: false };
        self.busy.insert_unique(spread(tag), busy, |busy| spread(busy.tag));
        Ok(Promoted { gate: gate.clone(), spare })
    }

    /// Says whether the key of `gate` has numbers of its own from now on, and whether it had.
    pub(super) fn set_own(&mut self, tag: Tag, gate: &Arc<Gate<A>>, own: bool) -> bool {
        let busy = self.busy.find_mut(spread(tag), |busy| Arc::ptr_eq(&busy.gate, gate));
        busy.is_some_and(|busy| core::mem::replace(&mut busy.own, own))
    }

    /// One user of `gate` less. Says when its key may be dropped at the earliest, if that is known.
    pub(super) fn leave(&mut self, algorithm: &A, tag: Tag, gate: &Arc<Gate<A>>, gone: &mut Gone<K>) -> Option<u64> {
        let busy = self.busy.find_mut(spread(tag), |busy| Arc::ptr_eq(&busy.gate, gate))?;
        busy.users -= 1;
        if busy.users > 0 || busy.own {
            return None;
        }
        Some(self.demote(algorithm, tag, gate, gone).unwrap_or_else(|until| until))
    }

    /// Puts the key of `gate`, which is without users, back into the store, or drops it if it is idle (K2). Says when it will be
    /// idle, or until when something is imposed on it, so that it stays.
    fn demote(&mut self, algorithm: &A, tag: Tag, gate: &Arc<Gate<A>>, gone: &mut Gone<K>) -> Result<u64, u64> {
        let (state, latest) = gate.with(|held| held.rest(self.latest))?;
        let now = self.tell(latest);
        let idle_at = algorithm.idle_at(&state);
        let Ok(found) = self.busy.find_entry(spread(tag), |busy| Arc::ptr_eq(&busy.gate, gate)) else {
            return Err(u64::MAX);
        };
        let (mut busy, _) = found.remove();
        if idle_at <= now {
            gone.push(busy.key);
        } else if let Err(key) = self.store.put(algorithm, now, tag, busy.key, state, gone) {
            busy.key = key;
            self.busy.insert_unique(spread(tag), busy, |busy| spread(busy.tag));
        }
        Ok(idle_at)
    }

    /// Drops all keys that are idle at `now`, and says when the next one of the others may be. Limiters that are not needed any
    /// more leave the lock in `unused`.
    pub(super) fn sweep(
        &mut self,
        algorithm: &A,
        now: u64,
        gone: &mut Gone<K>,
        unused: &mut Vec<(Tag, Arc<Gate<A>>)>,
    ) -> u64 {
        let now = self.tell(now);
        let from = unused.len();
        let idle = self.busy.iter().filter(|busy| busy.users == 0 && !busy.own);
        unused.extend(idle.map(|busy| (busy.tag, busy.gate.clone())));
        let mut next = u64::MAX;
        for (tag, gate) in &unused[from..] {
            if let Err(until) = self.demote(algorithm, *tag, gate, gone) {
                next = next.min(until);
            }
        }
        next.min(self.store.sweep(algorithm, now, gone))
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
impl<K, A: Algorithm> Inside<K, A> {
    pub(super) fn busy(&self) -> usize {
        self.busy.len()
    }
}

/// A key that has a limiter now, with one user more.
pub(super) struct Promoted<K, A: Algorithm> {
    pub(super) gate: Arc<Gate<A>>,
    /// The key, which was here already.
    pub(super) spare: Option<K>,
}
