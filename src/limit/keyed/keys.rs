//! All shards: where keys are looked for, come and go, and how many there may be.

use super::shard::{Found, Inside, Made, Need, Shard};
use super::store::{Answer, Ask};
use super::table::{Gone, Tag};
use crate::limit::change;
use crate::limit::decide::{Algorithm, Carry};
use crate::limit::error::TooManyKeys;
use crate::limit::state::{self, Gate};
use crate::sys::atomic::{AtomicUsize, Ordering};
use crate::sys::probe::{Access, Resource};
use crate::sys::thread::contain;
use crate::sys::{Arc, Lock, Reading, SHARDS, Stamp};
use crate::time::{Instant, Time};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::hash::{BuildHasher, Hash};
use core::mem;
use core::num::NonZeroUsize;

/// A keyed limiter: shared by its handles.
pub(in crate::limit) struct Keys<K, A: Algorithm, S> {
    pub(super) time: Time,
    /// How its clock is read, without a way to it.
    pub(super) reading: Reading,
    /// What keys are decided by from the latest change on, and how many of them there were. Shards have it for themselves (K6).
    numbers: Lock<(A, u64)>,
    hasher: S,
    shards: Box<[Shard<K, A>]>,
    cap: Option<Cap>,
    resource: Resource,
}

/// How many keys there may be.
///
/// **K4** `held` counts the keys in all shards, and places that somebody has for one: never more than `most`.
/// **K5** No key of a shard is idle before its lull.
struct Cap {
    most: usize,
    held: AtomicUsize,
    lulls: Box<[Stamp]>,
}

/// Where a key belongs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    shard: usize,
    pub(super) tag: Tag,
}

/// A place for one key more, given back unless it is used.
struct Admission<'a, K, A: Algorithm, S>(&'a Keys<K, A, S>);

impl<K, A: Algorithm, S> Admission<'_, K, A, S> {
    fn used(self) {
        mem::forget(self);
    }
}

impl<K, A: Algorithm, S> Drop for Admission<'_, K, A, S> {
    fn drop(&mut self) {
        self.0.discount(1);
    }
}

impl<K, A: Algorithm, S> Keys<K, A, S> {
    pub(super) fn new(time: &Time, algorithm: A, most: Option<NonZeroUsize>, hasher: S) -> Self {
        let now = time.now().as_nanos();
        // A new key that finds no room has to look through a shard, which therefore is not large.
        let count = most.map_or(SHARDS, |most| (most.get() / 1024).next_power_of_two().clamp(SHARDS, 64 * SHARDS));
        let shards = (0..count).map(|_| Shard::new(&algorithm, now)).collect();
        let cap = most.map(|most| Cap {
            most: most.get(),
            held: AtomicUsize::new(0),
            lulls: (0..count).map(|_| Stamp::new(u64::MAX)).collect(),
        });
        let (time, reading) = (time.clone(), time.reading());
        Self { time, reading, numbers: Lock::new((algorithm, 0)), hasher, shards, cap, resource: Resource::new() }
    }

    /// What keys are decided by that have no numbers of their own.
    pub(super) fn algorithm(&self) -> A {
        self.resource.touch(Access::Read);
        self.numbers.with(|(algorithm, _)| algorithm.clone())
    }

    /// How many keys there may be.
    pub(super) fn most(&self) -> Option<usize> {
        self.cap.as_ref().map(|cap| cap.most)
    }

    /// The shard of a place. To be looked at, and changed.
    #[inline]
    pub(super) fn shard(&self, place: Place) -> &Shard<K, A> {
        // Which shard it is depends on a seed; who looks on is told of all of them as one.
        self.resource.touch(Access::Write);
        &self.shards[place.shard]
    }

    /// Takes permits for a key that is held, if nothing is in the way of that. `now` gives a reading of the clock; it is called
    /// under the lock, if at all.
    #[inline]
    pub(super) fn take_quickly(
        &self,
        place: Place,
        permits: u32,
        now: impl FnOnce() -> u64,
        is: impl FnMut(&K) -> bool,
    ) -> Option<Answer> {
        if !A::HAS_WORDS {
            return None;
        }
        self.resource.touch(Access::Write);
        self.shards.get(place.shard)?.take_quickly(permits, now, place.tag, is)
    }

    /// Asks at a reading of the clock, for a key that is held.
    pub(super) fn find(&self, place: Place, ask: Ask, is: impl FnMut(&K) -> bool) -> Found<A> {
        self.shard(place).with(|inside| inside.find(ask, place.tag, is))
    }

    /// Takes note that a key of this place is idle at an instant (K5). Called under the lock of its shard.
    #[inline]
    fn note_idle(&self, place: Place, at: u64) {
        if let Some(cap) = &self.cap {
            let lull = &cap.lulls[place.shard];
            if at < lull.get() {
                lull.set(at);
            }
        }
    }

    /// As many keys less. Those that leave a shard are counted off under its lock, so that nobody finds them in neither.
    #[inline]
    fn discount(&self, count: usize) {
        if let (Some(cap), 1..) = (&self.cap, count) {
            // Relaxed: it hands nothing on.
            cap.held.fetch_sub(count, Ordering::Relaxed);
        }
    }

    /// A place for one key more (K4), for which there may have to be made room.
    fn admit(&self, now: Instant) -> Result<Admission<'_, K, A, S>, TooManyKeys> {
        let Some(cap) = &self.cap else { return Ok(Admission(self)) };
        let more = |held: usize| (held < cap.most).then_some(held + 1);
        // Relaxed: it hands nothing on.
        let take = || cap.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok();
        loop {
            if take() {
                return Ok(Admission(self));
            }
            let mut earliest = u64::MAX;
            let idle = (0..self.shards.len()).any(|shard| {
                let lull = cap.lulls[shard].get();
                let swept = lull <= now.as_nanos() && self.sweep_shard(shard, now) > 0;
                earliest = earliest.min(cap.lulls[shard].get());
                swept
            });
            // Somebody else may have dropped what was idle: whoever saw that by the lull, or the lock, sees the count.
            if !idle && take() {
                return Ok(Admission(self));
            }
            if !idle {
                return Err(TooManyKeys { most: cap.most, earliest: Instant::from_nanos(earliest) });
            }
        }
    }

    /// Drops the idle keys of a shard, and says how many they were.
    fn sweep_shard(&self, shard: usize, now: Instant) -> usize {
        let (mut gone, mut unused) = (Gone::new(), Vec::new());
        let place = Place { shard, tag: 0 };
        self.shard(place).with(|inside| {
            let next = inside.sweep(now.as_nanos(), &mut gone, &mut unused);
            self.discount(gone.count());
            if let Some(cap) = &self.cap {
                cap.lulls[shard].set(next);
            }
        });
        gone.count()
    }

    /// Drops all idle keys, gives their memory back, and says how many keys are left.
    pub(super) fn sweep(&self) -> usize {
        let now = self.time.now();
        let left = |shard| {
            self.sweep_shard(shard, now);
            self.shards[shard].with(|inside| {
                inside.store.shrink();
                inside.len()
            })
        };
        (0..self.shards.len()).map(left).sum()
    }

    /// Runs `f` with the state of a key that is in the store, which it may change by taking something back. None: it is not.
    pub(super) fn change(&self, place: Place, is: impl FnMut(&K) -> bool, f: impl FnOnce(&A, &mut A::State, u64)) {
        let now = self.time.now().as_nanos();
        self.shard(place).with(|inside| {
            let now = inside.tell(now);
            let Inside { store, algorithm, .. } = inside;
            let change = |state: &mut A::State| f(algorithm, state, now);
            if let Some(idle_at) = store.change(algorithm, place.tag, is, change) {
                self.note_idle(place, idle_at);
            }
        });
    }

    /// One user of a limiter less.
    pub(super) fn leave(&self, place: Place, gate: &Arc<Gate<A>>) {
        let mut gone = Gone::new();
        self.shard(place).with(|inside| {
            let idle_at = inside.leave(place.tag, gate, &mut gone);
            self.discount(gone.count());
            if let Some(idle_at) = idle_at {
                self.note_idle(place, idle_at);
            }
        });
    }
}

impl<K, A: Algorithm, S> Keys<K, A, S> {
    /// Has all keys without numbers of their own go on by other ones.
    pub(super) fn renumber(&self, algorithm: A, carry: Carry) {
        self.resource.touch(Access::Write);
        let changes = self.numbers.with(|(latest, changes)| {
            *latest = algorithm.clone();
            *changes += 1;
            *changes
        });
        for shard in 0..self.shards.len() {
            // Those who were due by the numbers of before; whatever wakers do, all shards have to change.
            self.each_used(shard, change::settle, |_| ());
            let now = self.time.now().as_nanos();
            let (mut gone, mut unused) = (Gone::new(), Vec::new());
            self.each_used(shard, change::changed, |inside| {
                let next = inside.renumber((&algorithm, changes), carry, now, &mut gone, &mut unused);
                self.discount(gone.count());
                if let Some(cap) = &self.cap {
                    cap.lulls[shard].set(next);
                }
            });
        }
    }

    /// Runs `before` under the lock of a shard, and then `f` for each limiter that somebody uses and that has no numbers of its
    /// own, outside it.
    fn each_used(&self, shard: usize, f: impl Fn(&Arc<Gate<A>>), before: impl FnOnce(&mut Inside<K, A>)) {
        let mut joined = Vec::new();
        self.shard(Place { shard, tag: 0 }).with(|inside| {
            before(inside);
            inside.join_all(&mut joined);
        });
        for (tag, gate) in joined {
            contain(|| f(&gate));
            contain(|| self.leave(Place { shard, tag }, &gate));
        }
    }
}

/// For tests.
#[cfg(test)]
impl<K, A: Algorithm, S> Keys<K, A, S> {
    /// How many keys there are, idle or not.
    pub(in crate::limit) fn held(&self) -> usize {
        self.shards.iter().map(|shard| shard.with(|inside| inside.len())).sum()
    }

    /// Whether somebody has the lock of a shard.
    pub(in crate::limit) fn is_locked(&self) -> bool {
        self.shards.iter().any(Shard::is_locked)
    }

    /// How many keys have limiters.
    pub(in crate::limit) fn busy(&self) -> usize {
        self.shards.iter().map(|shard| shard.with(|inside| inside.busy())).sum()
    }

    /// What all of it takes.
    pub(in crate::limit) fn bytes(&self) -> usize {
        let heap: usize = self.shards.iter().map(|shard| shard.with(|inside| inside.store.bytes())).sum();
        heap + size_of_val(&*self.shards)
    }
}

impl<K: Hash + Eq, A: Algorithm, S: BuildHasher> Keys<K, A, S> {
    /// Where `key` belongs. Runs the key's own code, and so under no lock.
    #[inline]
    pub(super) fn place<Q: Hash + ?Sized>(&self, key: &Q) -> Place {
        let hash = self.hasher.hash_one(key);
        // A hasher may leave some bits as they are: all count in the tag. The lock has to wait for the shard, so that is told by
        // those bits by which hash tables choose, too.
        let mixed = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Place { shard: hash as usize & (self.shards.len() - 1), tag: (mixed ^ mixed >> 32) as Tag }
    }

    /// Takes permits for a key that was not here when it was looked for, and that a new key can have. Gives it back if it came
    /// meanwhile.
    #[cold]
    pub(super) fn enter(&self, place: Place, ask: Ask, key: K) -> Result<Option<K>, TooManyKeys> {
        let admission = self.admit(Instant::from_nanos(ask.now))?;
        let (mut key, mut gone) = (Some(key), Gone::new());
        self.shard(place).with(|inside| {
            let entered = inside.enter(ask, place.tag, &mut key, &mut gone);
            self.discount(gone.count());
            if let Some(idle_at) = entered {
                self.note_idle(place, idle_at);
            }
        });
        if key.is_none() {
            admission.used();
        }
        Ok(key)
    }

    /// Has a key be decided by a limiter, and another user for that, until it [leaves](Self::leave).
    pub(super) fn promote(&self, place: Place, key: K) -> Result<Arc<Gate<A>>, TooManyKeys> {
        let mut key = Some(key);
        let mut made: Option<Made<A>> = None;
        let mut admission: Option<Admission<'_, K, A, S>> = None;
        loop {
            let may_come = admission.is_some() || self.cap.is_none();
            let promote = |inside: &mut Inside<K, A>| inside.promote(place.tag, &mut key, made.as_ref(), may_come);
            match self.shard(place).with(promote) {
                Ok(gate) => {
                    if let (Some(admission), None) = (admission, key) {
                        admission.used();
                    }
                    return Ok(gate);
                }
                Err(Need::Room) => admission = Some(self.admit(self.time.now())?),
                Err(Need::Limiter(algorithm, changes)) => {
                    made = Some(Made { gate: state::gate(self.time.clone(), algorithm), changes });
                }
            }
        }
    }
}
