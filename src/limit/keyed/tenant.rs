//! A key that is in use.

use super::keys::{Keys, Place};
use crate::limit::decide::Algorithm;
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

    /// Says whether the key has numbers of its own from now on, and whether it had.
    pub(super) fn set_own(&self, own: bool) -> bool {
        self.keys.shard(self.place).with(|inside| inside.set_own(self.place.tag, &self.limiter.gate, own))
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
