//! How the source hears of items that have come to their end.

use super::super::outcome::{Ended, Sink};
use crate::sys::{Arc, Told, mix};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::task::Waker;
use hashbrown::HashTable;

/// What the source and the sink of a run share. Numbers alone, so that no code of the user runs under the lock.
pub(super) struct Ends(Told<Inner>);

struct Inner {
    /// The items that are worked on: as many places as they have taken at once.
    started: HashTable<Started>,
    /// The groups of items that have ended since the source last looked.
    ended: Vec<usize>,
    /// Who waits for a key to have room.
    puller: Option<Waker>,
    /// By their index in the run, the positions of items that failed, if the run is to stop for that.
    failed: Option<BTreeMap<u64, u64>>,
}

/// An item that is worked on.
struct Started {
    /// Its index in the run.
    index: u64,
    group: usize,
    /// Its position in the source.
    position: u64,
}

impl Ends {
    pub(super) fn new(keeps_failed: bool) -> Self {
        let failed = keeps_failed.then(BTreeMap::new);
        Self(Told::new(Inner { started: HashTable::new(), ended: Vec::new(), puller: None, failed }))
    }

    /// An item is handed out.
    pub(super) fn start(&self, index: u64, group: usize, position: u64) {
        let hash = |started: &Started| mix::mix(started.index);
        let started = Started { index, group, position };
        self.0.with(|inner| {
            inner.started.insert_unique(hash(&started), started, hash);
        });
    }

    /// Takes the groups of what has ended into `groups`, which is empty. If there is none, `waker` is left for the next one.
    pub(super) fn look(&self, groups: &mut Vec<usize>, waker: Option<Waker>) {
        let _old = self.0.with(|inner| {
            if !inner.ended.is_empty() {
                core::mem::swap(&mut inner.ended, groups);
                return waker;
            }
            match waker {
                Some(waker) => inner.puller.replace(waker),
                None => None,
            }
        });
    }

    /// An item has ended: its position in the source.
    fn end(&self, index: u64, is_error: bool) -> u64 {
        let (position, puller) = self.0.with(|inner| {
            let found = inner.started.find_entry(mix::mix(index), |started| started.index == index);
            let Ok(found) = found else { return (index, None) };
            let (Started { group, position, .. }, _) = found.remove();
            inner.ended.push(group);
            if let Some(failed) = inner.failed.as_mut().filter(|_| is_error) {
                failed.insert(index, position);
            }
            (position, inner.puller.take())
        });
        if let Some(puller) = puller {
            puller.wake();
        }
        position
    }

    /// The position in the source of an item that failed.
    pub(super) fn position_of(&self, index: u64) -> u64 {
        self.0.read(|inner| inner.failed.as_ref().and_then(|failed| failed.get(&index).copied())).unwrap_or(index)
    }
}

/// A sink that tells the source first.
pub(super) struct Teller<K> {
    pub(super) ends: Arc<Ends>,
    pub(super) sink: K,
}

impl<K: Sink<T, O, E>, T, O, E> Sink<T, O, E> for Teller<K> {
    fn accept(&mut self, mut ended: Ended<T, O, E>) {
        ended.index = self.ends.end(ended.index, ended.outcome.is_error());
        self.sink.accept(ended);
    }

    fn settle(&mut self) {
        self.sink.settle();
    }
}
