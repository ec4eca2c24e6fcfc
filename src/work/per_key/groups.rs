//! Which keys have room, and what waits for it.

use super::aside::{Aside, Line};
use crate::sys::mix;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::hash::Hash;
use core::num::NonZeroUsize;
use hashbrown::HashTable;

/// How many items are set aside at most, unless set.
pub(crate) const DEFAULT_LOOK_AHEAD: NonZeroUsize = NonZeroUsize::new(1024).unwrap();

/// The items of each key that are worked on, and those that are set aside.
pub(crate) struct Groups<G, T> {
    most: usize,
    look_ahead: usize,
    /// The groups that there are.
    keys: HashTable<Known<G>>,
    groups: Vec<Group>,
    /// Places in `groups` that are of no group now.
    unused: Vec<usize>,
    aside: Aside<T>,
    /// G2. Groups whose first item that is set aside may start; as often as there is room.
    called: VecDeque<usize>,
}

struct Known<G> {
    key: G,
    hash: u64,
    group: usize,
}

#[derive(Clone, Copy, Debug)]
struct Group {
    hash: u64,
    /// How many are worked on, or are called.
    busy: usize,
    /// How many are set aside and not called.
    waiting: usize,
    /// All that are set aside.
    line: Line,
}

/// An item that may start.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Called<T> {
    pub(crate) item: T,
    pub(crate) group: usize,
    /// How many were pulled from the source before it.
    pub(crate) position: u64,
}

impl<G: Hash + Eq, T> Groups<G, T> {
    pub(crate) fn new(most: usize, look_ahead: usize) -> Self {
        Self {
            most,
            look_ahead,
            keys: HashTable::new(),
            groups: Vec::new(),
            unused: Vec::new(),
            aside: Aside::new(),
            called: VecDeque::new(),
        }
    }

    /// So many items are set aside at most from now on.
    pub(crate) fn set_look_ahead(&mut self, items: usize) {
        self.look_ahead = items;
    }

    /// How many items are set aside.
    pub(crate) fn aside(&self) -> usize {
        self.aside.len()
    }

    /// Whether no more may be set aside.
    pub(crate) fn is_full(&self) -> bool {
        self.aside.len() >= self.look_ahead
    }

    /// Takes an item in. It may start, if its key has room; if not, it is set aside.
    pub(crate) fn admit(&mut self, key: G, item: T, position: u64) -> Option<Called<T>> {
        let number = self.group_of(key);
        let group = &mut self.groups[number];
        if group.busy < self.most {
            group.busy += 1;
            return Some(Called { item, group: number, position });
        }
        group.waiting += 1;
        self.aside.push(&mut group.line, position, item);
        None
    }

    /// The next item of those that are set aside and may start.
    pub(crate) fn next_called(&mut self) -> Option<Called<T>> {
        let group = self.called.pop_front()?;
        let (position, item) = self.aside.pop(&mut self.groups[group].line)?;
        Some(Called { item, group, position })
    }

    /// An item of this group has come to its end: the room that it leaves is the next one's.
    pub(crate) fn ended(&mut self, number: usize) {
        let group = &mut self.groups[number];
        if group.waiting > 0 {
            group.waiting -= 1;
            self.called.push_back(number);
            return;
        }
        group.busy -= 1;
        if group.busy == 0 {
            let hash = group.hash;
            if let Ok(known) = self.keys.find_entry(hash, |known| known.group == number) {
                self.unused.push(number);
                known.remove();
            }
        }
    }

    /// What is set aside, in the order in which it was pulled.
    pub(crate) fn into_aside(self) -> Vec<T> {
        self.aside.into_items()
    }

    fn group_of(&mut self, key: G) -> usize {
        let hash = mix::hash(&key);
        if let Some(known) = self.keys.find(hash, |known| known.hash == hash && known.key == key) {
            return known.group;
        }
        let new = Group { hash, busy: 0, waiting: 0, line: Line::new() };
        let group = match self.unused.pop() {
            Some(group) => {
                self.groups[group] = new;
                group
            }
            None => {
                self.groups.push(new);
                self.groups.len() - 1
            }
        };
        self.keys.insert_unique(hash, Known { key, hash, group }, |known| known.hash);
        group
    }

    /// How many keys are known.
    #[cfg(all(test, not(wakeful_loom)))]
    pub(crate) fn keys(&self) -> usize {
        self.keys.len()
    }
}
