//! A key that is in use.

use super::keys::{Keys, Place};
use super::shard::Inside;
use crate::limit::change;
use crate::limit::decide::{Algorithm, Carry};
use crate::limit::error::TooManyKeys;
use crate::limit::limiter::Limiter;
use crate::limit::state::Gate;
use crate::sys::Arc;
use crate::sys::thread::contain;
use core::fmt;
use core::hash::{BuildHasher, Hash};

/// One user of a key, which has a limiter of its own for as long (K2).
pub(in crate::limit) struct Tenant<K, A: Algorithm, S> {
    keys: Arc<Keys<K, A, S>>,
    place: Place,
    limiter: Limiter<A>,
}

impl<K, A: Algorithm, S> Tenant<K, A, S> {
    /// The user that `gate` has been given already.
    pub(super) fn of(keys: &Arc<Keys<K, A, S>>, place: Place, gate: Arc<Gate<A>>) -> Self {
        Self { keys: keys.clone(), place, limiter: Limiter { gate } }
    }

    /// The limiter of the key.
    pub(in crate::limit) fn limiter(&self) -> &Limiter<A> {
        &self.limiter
    }

    /// Has the key go on by numbers of its own, or else by those of all, if it has not done so before.
    pub(super) fn renumber(&self, own: Option<A>, carry: Carry) {
        let gate = &self.limiter.gate;
        // Those who were due by the numbers of before, whatever their wakers do.
        contain(|| change::settle(gate));
        let now = self.keys.time.now().as_nanos();
        let renumber = |inside: &mut Inside<K, A>| inside.renumber_one(self.place.tag, gate, own, carry, now);
        if self.keys.shard(self.place).with(renumber) {
            change::changed(gate);
        }
    }
}

impl<K: Hash + Eq, A: Algorithm, S: BuildHasher> Tenant<K, A, S> {
    /// Another user of `key`.
    pub(super) fn new(keys: &Arc<Keys<K, A, S>>, place: Place, key: K) -> Result<Self, TooManyKeys> {
        Ok(Self::of(keys, place, keys.promote(place, key)?))
    }
}

impl<K, A: Algorithm, S> Drop for Tenant<K, A, S> {
    fn drop(&mut self) {
        // A key's drop is its owner's code, and may panic; this one may be part of an unwinding.
        contain(|| self.keys.leave(self.place, &self.limiter.gate));
    }
}

impl<K, A: Algorithm, S> fmt::Debug for Tenant<K, A, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tenant").field(&self.limiter).finish()
    }
}
