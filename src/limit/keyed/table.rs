//! The keys of one shard that need nothing but what they were granted.

use alloc::vec::Vec;
use hashbrown::HashTable;

/// How many places the insertion of a key looks through for keys to drop.
const STEPS: usize = 8;

/// What tells keys apart before they are compared: half of their hash, which is kept, so that a table grows without hashing
/// keys under the lock.
pub(super) type Tag = u32;

/// What a table is given for a tag: all bits of it count in the upper ones, and all but a few in the lower ones.
pub(super) fn spread(tag: Tag) -> u64 {
    u64::from(tag).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// A key, and what it was granted.
#[derive(Debug)]
pub(super) struct Kept<K, V> {
    pub(super) value: V,
    tag: Tag,
    pub(super) key: K,
}

/// Keys, and what they were granted.
#[derive(Debug)]
pub(super) struct Table<K, V> {
    kept: HashTable<Kept<K, V>>,
    /// Where the next insertion looks for keys to drop.
    hand: usize,
}

/// Keys that were dropped under a lock, to be dropped for good outside it.
pub(super) struct Gone<K> {
    few: [Option<K>; STEPS],
    many: Vec<K>,
    count: usize,
}

impl<K> Gone<K> {
    pub(super) fn new() -> Self {
        Self { few: [const { None }; STEPS], many: Vec::new(), count: 0 }
    }

    pub(super) fn push(&mut self, key: K) {
        match self.few.get_mut(self.count) {
            Some(place) => *place = Some(key),
            None => self.many.push(key),
        }
        self.count += 1;
    }

    /// How many keys were dropped.
    pub(super) fn count(&self) -> usize {
        self.count
    }
}

impl<K, V> Table<K, V> {
    pub(super) const fn new() -> Self {
        Self { kept: HashTable::new(), hand: 0 }
    }

    /// What the key was granted of this tag that `is` the one.
    #[inline]
    pub(super) fn find(&mut self, tag: Tag, mut is: impl FnMut(&K) -> bool) -> Option<&mut V> {
        let kept = self.kept.find_mut(spread(tag), |kept| kept.tag == tag && is(&kept.key))?;
        Some(&mut kept.value)
    }

    /// Takes the key out.
    pub(super) fn remove(&mut self, tag: Tag, mut is: impl FnMut(&K) -> bool) -> Option<(K, V)> {
        let found = self.kept.find_entry(spread(tag), |kept| kept.tag == tag && is(&kept.key));
        let (kept, _) = found.ok()?.remove();
        Some((kept.key, kept.value))
    }

    /// Puts a key in that is not there.
    pub(super) fn insert(
        &mut self,
        tag: Tag,
        key: K,
        value: V,
        is_idle: impl FnMut(&V) -> bool,
        gone: &mut Gone<K>,
    ) -> &mut V {
        self.make_room(is_idle, gone);
        let entry = self.kept.insert_unique(spread(tag), Kept { value, tag, key }, |kept| spread(kept.tag));
        &mut entry.into_mut().value
    }

    /// Drops idle keys: some of them, or all before the table would have to grow.
    fn make_room(&mut self, is_idle: impl FnMut(&V) -> bool, gone: &mut Gone<K>) {
        if self.kept.len() == self.kept.capacity() {
            self.sweep(is_idle, gone);
            // Few were found: to look at all of them again before long would cost more than the room is worth.
            if self.kept.capacity() - self.kept.len() <= self.kept.len() / 8 {
                self.kept.reserve(self.kept.len() / 4 + 1, |kept| spread(kept.tag));
            }
        } else {
            self.sweep_on(is_idle, gone);
        }
    }

    /// Looks through the next few places.
    fn sweep_on(&mut self, mut is_idle: impl FnMut(&V) -> bool, gone: &mut Gone<K>) {
        let places = self.kept.num_buckets();
        for _ in 0..STEPS.min(places) {
            self.hand = (self.hand + 1) % places;
            if let Ok(found) = self.kept.get_bucket_entry(self.hand) {
                if is_idle(&found.get().value) {
                    gone.push(found.remove().0.key);
                }
            }
        }
    }

    /// Drops all idle keys.
    pub(super) fn sweep(&mut self, mut is_idle: impl FnMut(&V) -> bool, gone: &mut Gone<K>) {
        self.kept.extract_if(|kept| is_idle(&kept.value)).for_each(|kept| gone.push(kept.key));
    }

    /// The same keys, with something else of each.
    pub(super) fn map<W>(self, mut f: impl FnMut(V) -> W) -> Table<K, W> {
        let mut kept = HashTable::with_capacity(self.kept.len());
        for Kept { value, tag, key } in self.kept {
            kept.insert_unique(spread(tag), Kept { value: f(value), tag, key }, |kept| spread(kept.tag));
        }
        Table { kept, hand: 0 }
    }

    /// Gives memory back that is not needed.
    pub(super) fn shrink(&mut self) {
        self.kept.shrink_to_fit(|kept| spread(kept.tag));
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.kept.allocation_size()
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    pub(super) fn values(&mut self) -> impl Iterator<Item = &mut V> {
        self.kept.iter_mut().map(|kept| &mut kept.value)
    }
}
