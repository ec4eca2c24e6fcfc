//! The keys of one shard that need nothing but what they were granted.

use alloc::boxed::Box;
use alloc::{vec, vec::Vec};
use core::mem;
use hashbrown::HashTable;

/// How many places the insertion of a key looks through for keys to drop.
const STEPS: usize = 8;

/// Half of a key's hash, which is kept, so that a table grows without hashing keys under the lock.
pub(super) type Tag = u32;

/// What a table is given for a tag: all bits of it count in the upper ones, and all but a few in the lower ones.
pub(super) fn spread(tag: Tag) -> u64 {
    u64::from(tag).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// A key, and what it was granted.
#[derive(Debug)]
struct Kept<K, V> {
    value: V,
    key: K,
}

/// Keys, and what they were granted.
#[derive(Debug)]
pub(super) struct Table<K, V> {
    kept: HashTable<Kept<K, V>>,
    /// The tags of all places of the table. Beside it, since an attempt has no use for them: so it reaches for less memory, and a
    /// key of eight bytes does not lie across two lines of that.
    tags: Box<[Tag]>,
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
    pub(super) fn new() -> Self {
        Self { kept: HashTable::new(), tags: Box::default(), hand: 0 }
    }

    fn with_capacity(capacity: usize) -> Self {
        let kept = HashTable::with_capacity(capacity);
        let tags = vec![0; if capacity == 0 { 0 } else { kept.num_buckets() }];
        Self { kept, tags: tags.into(), hand: 0 }
    }

    /// What the key was granted of this tag that `is` the one.
    #[inline]
    pub(super) fn find(&mut self, tag: Tag, mut is: impl FnMut(&K) -> bool) -> Option<&mut V> {
        let kept = self.kept.find_mut(spread(tag), |kept| is(&kept.key))?;
        Some(&mut kept.value)
    }

    /// Takes the key out.
    pub(super) fn remove(&mut self, tag: Tag, mut is: impl FnMut(&K) -> bool) -> Option<(K, V)> {
        let found = self.kept.find_entry(spread(tag), |kept| is(&kept.key));
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
        self.put(tag, key, value)
    }

    /// As [`insert`](Self::insert), where there is room: then the table does not ask for hashes.
    fn put(&mut self, tag: Tag, key: K, value: V) -> &mut V {
        let entry = self.kept.insert_unique(spread(tag), Kept { value, key }, |_| unreachable!("there is room"));
        self.tags[entry.bucket_index()] = tag;
        &mut entry.into_mut().value
    }

    /// Drops idle keys: some of them, or all before the table would have to grow.
    fn make_room(&mut self, is_idle: impl FnMut(&V) -> bool, gone: &mut Gone<K>) {
        if self.kept.len() == self.kept.capacity() {
            self.sweep(is_idle, gone);
            // Few were found: to look at all of them again before long would cost more than the room is worth.
            if self.kept.capacity() - self.kept.len() <= self.kept.len() / 8 {
                let capacity = self.kept.len() + self.kept.len() / 4 + 1;
                *self = mem::replace(self, Self::new()).moved(Self::with_capacity(capacity), |value| value);
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
    pub(super) fn map<W>(self, f: impl FnMut(V) -> W) -> Table<K, W> {
        let to = Table::with_capacity(self.kept.len());
        self.moved(to, f)
    }

    /// The same keys in another table, which has room for them, with something else of each.
    fn moved<W>(mut self, mut to: Table<K, W>, mut f: impl FnMut(V) -> W) -> Table<K, W> {
        for (place, tag) in self.tags.iter().enumerate() {
            if let Ok(found) = self.kept.get_bucket_entry(place) {
                let (Kept { value, key }, _) = found.remove();
                to.put(*tag, key, f(value));
            }
        }
        to
    }

    /// Gives memory back that is not needed.
    pub(super) fn shrink(&mut self) {
        let smaller = Self::with_capacity(self.kept.len());
        if smaller.tags.len() < self.tags.len() {
            *self = mem::replace(self, Self::new()).moved(smaller, |value| value);
        }
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.kept.allocation_size() + size_of_val(&*self.tags)
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    pub(super) fn values(&mut self) -> impl Iterator<Item = &mut V> {
        self.kept.iter_mut().map(|kept| &mut kept.value)
    }
}

#[cfg(all(test, not(wakeful_loom)))]
mod tests {
    use super::*;
    use crate::sys::model::Random;
    use std::collections::BTreeMap;

    /// Few, so that many keys have the same.
    fn tag(key: u64) -> Tag {
        (key % 61) as Tag
    }

    #[test]
    fn keys_keep_what_they_were_granted_wherever_they_are_moved() {
        // An even number stands for a key that is idle.
        let is_idle = |value: &u64| value % 2 == 0;
        for seed in 0..100 {
            let (mut random, mut table, mut model) = (Random(seed), Table::new(), BTreeMap::new());
            let keys = [10, 100, 1_000][random.below(3)];
            for _ in 0..2_000 {
                let (key, value) = (random.below(keys) as u64, random.next() >> 32);
                let mut gone = Gone::new();
                match random.below(100) {
                    0 => table.shrink(),
                    1 => {
                        table = table.map(|value| value ^ 6);
                        model.values_mut().for_each(|value| *value ^= 6);
                    }
                    2 => {
                        table.sweep(is_idle, &mut gone);
                        assert!(table.values().all(|value| !is_idle(value)));
                    }
                    3..30 => {
                        let removed = table.remove(tag(key), |held| *held == key);
                        assert_eq!(removed, model.remove_entry(&key), "seed {seed}");
                    }
                    _ if model.contains_key(&key) => {}
                    _ => {
                        assert_eq!(*table.insert(tag(key), key, value, is_idle, &mut gone), value);
                        model.insert(key, value);
                    }
                }
                for key in gone.few.into_iter().flatten().chain(gone.many) {
                    assert!(model.remove(&key).is_some_and(|value| is_idle(&value)), "seed {seed}");
                }
                assert_eq!(table.len(), model.len(), "seed {seed}");
                for (key, value) in &mut model {
                    assert_eq!(table.find(tag(*key), |held| held == key), Some(value), "seed {seed}");
                }
            }
        }
    }
}
