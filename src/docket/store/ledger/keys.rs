//! Which rows a key has.

use super::super::row::Phase;
use super::super::types::Generation;
use super::Ledger;
use super::slot::made_up;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use foldhash::fast::RandomState;
use hashbrown::HashMap;

/// What is known of a key: as long as it has a row, or one that has ended is kept.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Key {
    pub(super) live: Option<Live>,
    /// The newest row that has ended.
    pub(super) ended: Option<Generation>,
}

/// The rows that a key has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Live {
    pub(super) current: Generation,
    pub(super) follower: Option<Generation>,
}

impl Key {
    pub(super) fn newest(self) -> Option<Generation> {
        self.live.map(|live| live.current).or(self.ended)
    }
}

/// Keys, but for those that were made up and that one row only has had.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// Nothing depends on the order in which it is gone through.
    pub(super) all: HashMap<Box<str>, Key, RandomState>,
    /// How many of them look as if they had been made up.
    pub(super) alike: usize,
    /// The rows that have ended before the newest one that has, of keys that have such.
    pub(super) older: BTreeMap<Box<str>, BTreeSet<Generation>>,
}

impl Keys {
    pub(super) fn get(&self, key: &str) -> Option<Key> {
        self.all.get(key).copied()
    }

    fn insert(&mut self, name: &str, key: Key) {
        self.alike += usize::from(made_up(name).is_some());
        self.all.insert(name.into(), key);
    }

    /// A row has ended. With the one that takes its place, which followed it.
    pub(super) fn close(&mut self, name: &str, generation: Generation) -> Option<Generation> {
        let key = self.all.get_mut(name).expect("it has a row");
        let before = key.ended.replace(generation);
        if let Some(before) = before {
            key.ended = Some(before.max(generation));
            self.older.entry(name.into()).or_default().insert(before.min(generation));
        }
        let live = key.live.as_mut()?;
        if live.follower == Some(generation) {
            live.follower = None;
        } else if live.current == generation {
            match live.follower.take() {
                Some(follower) => {
                    live.current = follower;
                    return Some(follower);
                }
                None => key.live = None,
            }
        }
        None
    }

    /// The end of a row is not remembered any more.
    pub(super) fn forget(&mut self, name: &str, generation: Generation) {
        let Some(key) = self.all.get_mut(name) else { return };
        let mut older = self.older.get_mut(name);
        if key.ended == Some(generation) {
            key.ended = older.as_mut().and_then(|older| older.pop_last());
        } else if let Some(older) = &mut older {
            older.remove(&generation);
        }
        if older.is_some_and(|older| older.is_empty()) {
            self.older.remove(name);
        }
        if key.live.is_none() && key.ended.is_none() {
            self.all.remove(name);
            self.alike -= usize::from(made_up(name).is_some());
        }
    }
}

impl Ledger {
    /// The row of a key that was made up, if nobody else has used that.
    fn made_up(&self, key: &str) -> Option<Generation> {
        let (name, generation) = made_up(key)?;
        let slot = self.rows.get(generation)?;
        (slot.key.is_none() && *slot.name == *name).then_some(generation)
    }

    pub(super) fn key(&self, key: &str) -> Option<Key> {
        let Some(generation) = self.made_up(key) else { return self.keys.get(key) };
        Some(match self.rows[generation].phase {
            Phase::Ended(_) => Key { live: None, ended: Some(generation) },
            _ => Key { live: Some(Live { current: generation, follower: None }), ended: None },
        })
    }

    pub(super) fn live(&self, key: &str) -> Option<Live> {
        self.key(key)?.live
    }

    /// The row that is queued or runs under the key of this one.
    pub(super) fn current(&self, generation: Generation) -> Option<Generation> {
        let slot = &self.rows[generation];
        match &slot.key {
            Some(key) => self.keys.get(key)?.live.map(|live| live.current),
            None => (!matches!(slot.phase, Phase::Ended(_))).then_some(generation),
        }
    }

    /// Whether a row is queued or running under the key that would be made up for this generation.
    pub(super) fn is_taken(&self, name: &str, generation: Generation) -> bool {
        self.keys.alike > 0 && self.live(&generation.key_of(name)).is_some()
    }

    /// Whether something is known of that key.
    pub(super) fn is_known(&self, name: &str, generation: Generation) -> bool {
        self.keys.alike > 0 && self.keys.get(&generation.key_of(name)).is_some()
    }

    /// What is known of a key, to be changed: a row that has it because it was made up has it from now on as others have theirs.
    fn key_mut(&mut self, name: &str) -> &mut Key {
        if let Some(generation) = self.made_up(name) {
            let key = self.key(name).unwrap_or_default();
            self.keys.insert(name, key);
            if let Some(slot) = self.rows.get_mut(generation) {
                slot.key = Some(name.into());
            }
        } else if self.keys.get(name).is_none() {
            self.keys.insert(name, Key::default());
        }
        self.keys.all.get_mut(name).expect("it is there by now")
    }

    /// It is the row of its key from now on.
    pub(super) fn make_current(&mut self, generation: Generation) {
        if let Some(key) = self.rows[generation].key.clone() {
            self.key_mut(&key).live = Some(Live { current: generation, follower: None });
        }
    }

    /// It follows what runs under its key. With what did so before.
    pub(super) fn make_follower(&mut self, key: &str, generation: Generation) -> Option<Generation> {
        let live = self.key_mut(key).live.as_mut().expect("something runs under this key");
        live.follower.replace(generation)
    }
}
