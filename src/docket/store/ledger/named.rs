//! Things that are known by name, each with a number as long as it is there: who has the number need not look for the name.

use alloc::string::String;
use alloc::vec::Vec;
use core::hash::BuildHasher;
use core::ops::{Index, IndexMut};
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// The number of a name, which another may have when it is gone.
pub(super) type Number = u32;

#[derive(Debug)]
pub(super) struct Named<T> {
    numbers: HashTable<Number>,
    items: Vec<Option<(String, T)>>,
    /// Numbers that nothing has.
    free: Vec<Number>,
    hasher: RandomState,
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self { numbers: HashTable::new(), items: Vec::new(), free: Vec::new(), hasher: RandomState::default() }
    }
}

impl<T> Named<T> {
    /// The number of what has this name; what `make` makes, if there is none.
    pub(super) fn enter(&mut self, name: String, make: impl FnOnce(&str) -> T) -> Number {
        let Self { numbers, items, free, hasher } = self;
        let hash = hasher.hash_one(name.as_str());
        let vacant =
            match numbers.entry(hash, |at| of(items, *at).0 == name, |at| hasher.hash_one(of(items, *at).0.as_str())) {
                Entry::Occupied(number) => return *number.get(),
                Entry::Vacant(vacant) => vacant,
            };
        let number = free.pop().unwrap_or(items.len() as Number);
        vacant.insert(number);
        let item = make(&name);
        let item = Some((name, item));
        match items.get_mut(number as usize) {
            Some(place) => *place = item,
            None => items.push(item),
        }
        number
    }

    /// The number of this name.
    pub(super) fn find(&self, name: &str) -> Option<Number> {
        let hash = self.hasher.hash_one(name);
        self.numbers.find(hash, |at| of(&self.items, *at).0 == name).copied()
    }

    /// What has this number, if something has.
    pub(super) fn get(&self, number: Number) -> Option<&T> {
        self.items.get(number as usize)?.as_ref().map(|(_, item)| item)
    }

    pub(super) fn name(&self, number: Number) -> &str {
        &of(&self.items, number).0
    }

    pub(super) fn remove(&mut self, number: Number) {
        let Some((name, _)) = self.items[number as usize].take() else { return };
        if let Ok(entry) = self.numbers.find_entry(self.hasher.hash_one(name.as_str()), |at| *at == number) {
            entry.remove();
        }
        self.free.push(number);
        if self.numbers.is_empty() {
            // Nobody has a number: there may have been many.
            (self.items, self.free) = (Vec::new(), Vec::new());
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.items.iter().flatten().map(|(name, item)| (name.as_str(), item))
    }
}

fn of<T>(items: &[Option<(String, T)>], number: Number) -> &(String, T) {
    items[number as usize].as_ref().expect("who has the number keeps it")
}

impl<T> Index<Number> for Named<T> {
    type Output = T;

    fn index(&self, number: Number) -> &T {
        &of(&self.items, number).1
    }
}

impl<T> IndexMut<Number> for Named<T> {
    fn index_mut(&mut self, number: Number) -> &mut T {
        &mut self.items[number as usize].as_mut().expect("who has the number keeps it").1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn a_name_keeps_its_number_until_it_is_gone() {
        let mut named = Named::default();
        let numbers: Vec<_> = (0..100).map(|n| named.enter(format!("{n}"), |name| (name.len(), n))).collect();
        assert_eq!(named.enter("7".into(), |_| unreachable!("it is there")), numbers[7]);
        named.remove(numbers[7]);
        assert!(named.find("7").is_none() && named.get(numbers[7]).is_none());
        assert!((0..100).filter(|n| *n != 7).all(|n| named.find(&format!("{n}")) == Some(numbers[n])));
        assert_eq!(named.enter("a".into(), |_| (1, 100)), numbers[7]);
        assert_eq!((named.name(numbers[7]), named[numbers[7]], named.iter().count()), ("a", (1, 100), 100));
    }
}
