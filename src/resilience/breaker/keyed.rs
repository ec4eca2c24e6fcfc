//! A breaker for each key.

use super::config::{BreakerConfig, BreakerConfigError};
use super::handle::CircuitBreaker;
use super::machine::BreakerChange;
use crate::sys::atomic::{AtomicBool, Ordering};
use crate::sys::mix::hash;
use crate::sys::{Arc, Told};
use crate::time::Time;
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::borrow::Borrow;
use core::fmt;
use core::hash::Hash;

/// A [`CircuitBreaker`] for each key, a host or an endpoint, made when it is first asked for: clones share them.
///
/// They stay until they are [forgotten](Self::forget_unused): call that now and then where the keys come from outside.
///
/// # Examples
/// ```
/// use core::num::NonZeroU32;
/// use wakeful::resilience::{BreakerConfig, CircuitBreakers, Mark};
/// use wakeful::time::ManualClock;
///
/// let config = BreakerConfig::consecutive(NonZeroU32::MIN);
/// let breakers = CircuitBreakers::<String>::new(&ManualClock::new().time(), config).unwrap();
/// breakers.get("one.example").admit().unwrap().end(Mark::Failure);
/// assert!(breakers.get("one.example").admit().is_err());
/// assert!(breakers.get("two.example").admit().is_ok());
/// ```
pub struct CircuitBreakers<K> {
    shared: Arc<Shared<K>>,
}

type Listener<K> = Box<dyn Fn(&K, &BreakerChange) + Send + Sync>;

struct Shared<K> {
    time: Time,
    config: BreakerConfig,
    listener: Option<Arc<Listener<K>>>,
    map: Told<Map<K>>,
}

/// What the lock guards. Keys are hashed, compared and dropped outside of it.
struct Map<K> {
    entries: BTreeMap<u64, Vec<Arc<Entry<K>>>>,
    len: usize,
    /// How often it was changed: who looked before looks again.
    changes: usize,
}

struct Entry<K> {
    key: K,
    breaker: CircuitBreaker,
    used: AtomicBool,
}

impl<K: Hash + Eq + Clone + Send + Sync + 'static> CircuitBreakers<K> {
    /// None yet; each will be set up as `config` says.
    ///
    /// # Errors
    /// [`BreakerConfigError`] if there can be no such breaker.
    pub fn new(time: &Time, config: BreakerConfig) -> Result<Self, BreakerConfigError> {
        Self::make(time, config, None)
    }

    /// The same with a `listener` that is told of each change of one's state, as that of
    /// [`CircuitBreaker::with_listener`].
    ///
    /// # Errors
    /// [`BreakerConfigError`] if there can be no such breaker.
    pub fn with_listener(
        time: &Time,
        config: BreakerConfig,
        listener: impl Fn(&K, &BreakerChange) + Send + Sync + 'static,
    ) -> Result<Self, BreakerConfigError> {
        Self::make(time, config, Some(Arc::new(Box::new(listener))))
    }

    fn make(
        time: &Time,
        config: BreakerConfig,
        listener: Option<Arc<Listener<K>>>,
    ) -> Result<Self, BreakerConfigError> {
        let config = config.validate()?;
        let map = Told::new(Map { entries: BTreeMap::new(), len: 0, changes: 0 });
        Ok(Self { shared: Arc::new(Shared { time: time.clone(), config, listener, map }) })
    }

    /// The breaker of `key`.
    ///
    /// Looking it up takes a hash, a lock, and a comparison of keys for each that has the same hash. Keep the handle where one key
    /// is called for often. A new key is made of `key` only if there is no breaker yet.
    pub fn get<Q>(&self, key: &Q) -> CircuitBreaker
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let hash = hash(key);
        let mut made = None;
        loop {
            let (found, changes) = self.find(hash, key);
            if let Some(entry) = found {
                // Relaxed: it says no more than that somebody has asked.
                entry.used.store(true, Ordering::Relaxed);
                return entry.breaker.clone();
            }
            let entry = made.take().unwrap_or_else(|| self.entry(key.to_owned()));
            let new = entry.clone();
            let stale = self.shared.map.with(|map| {
                if map.changes != changes {
                    return Some(new);
                }
                map.changes += 1;
                map.len += 1;
                map.entries.entry(hash).or_default().push(new);
                None
            });
            if stale.is_none() {
                return entry.breaker.clone();
            }
            made = Some(entry);
        }
    }

    /// The entry of `key`, if there is one, and how often the map had been changed when it was looked for.
    fn find<Q>(&self, hash: u64, key: &Q) -> (Option<Arc<Entry<K>>>, usize)
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let mut seen = None;
        let mut index = 0;
        loop {
            let (entry, changes) = self.shared.map.read(|map| {
                let entries = map.entries.get(&hash);
                (entries.and_then(|entries| entries.get(index)).cloned(), map.changes)
            });
            match entry {
                // It was changed in between: from the beginning.
                _ if *seen.get_or_insert(changes) != changes => (seen, index) = (None, 0),
                Some(entry) if entry.key.borrow() == key => return (Some(entry), changes),
                Some(_) => index += 1,
                None => return (None, changes),
            }
        }
    }

    fn entry(&self, key: K) -> Arc<Entry<K>> {
        let Shared { time, config, listener, .. } = &*self.shared;
        let listener = listener.clone().map(|listener| {
            let key = key.clone();
            Box::new(move |change: &BreakerChange| listener(&key, change)) as Box<dyn Fn(&BreakerChange) + Send + Sync>
        });
        let breaker = CircuitBreaker::make(time, *config, listener).expect("it was validated");
        Arc::new(Entry { key, breaker, used: AtomicBool::new(true) })
    }

    /// Forgets those that are closed, of which nobody has a handle, and for which nobody has asked since the last time that this
    /// was called. How many they were.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroU32;
    /// use wakeful::resilience::{BreakerConfig, CircuitBreakers, Mark};
    /// use wakeful::time::ManualClock;
    ///
    /// let config = BreakerConfig::consecutive(NonZeroU32::MIN);
    /// let breakers = CircuitBreakers::new(&ManualClock::new().time(), config).unwrap();
    /// breakers.get(&"seldom");
    /// breakers.get(&"down").admit().unwrap().end(Mark::Failure);
    /// assert_eq!((breakers.forget_unused(), breakers.len()), (0, 2));
    /// assert_eq!((breakers.forget_unused(), breakers.len()), (1, 1), "one that is open is not forgotten");
    /// ```
    pub fn forget_unused(&self) -> usize {
        let mut forgotten = Vec::new();
        self.shared.map.with(|map| {
            map.entries.retain(|_, entries| {
                entries.retain(|entry| {
                    let used = entry.used.swap(false, Ordering::Relaxed);
                    // Who is about to have a handle has one to the entry first.
                    let alone = Arc::strong_count(entry) == 1 && entry.breaker.is_alone();
                    let idle = !used && alone && entry.breaker.is_closed();
                    if idle {
                        // To be dropped outside the lock.
                        forgotten.push(entry.clone());
                    }
                    !idle
                });
                !entries.is_empty()
            });
            map.len -= forgotten.len();
            map.changes += usize::from(!forgotten.is_empty());
        });
        forgotten.len()
    }
}

impl<K> CircuitBreakers<K> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.shared.map.read(|map| map.len)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether `self` and `other` are the same breakers.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl<K: Clone> CircuitBreakers<K> {
    /// All keys with their breakers, in no particular order.
    pub fn all(&self) -> Vec<(K, CircuitBreaker)> {
        let entries: Vec<_> = self.shared.map.read(|map| map.entries.values().flatten().cloned().collect());
        entries.iter().map(|entry| (entry.key.clone(), entry.breaker.clone())).collect()
    }
}

impl<K> Clone for CircuitBreakers<K> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<K> fmt::Debug for CircuitBreakers<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreakers").field("len", &self.len()).finish_non_exhaustive()
    }
}
