//! Who holds a token, and who waits for one.
//!
//! # Invariants
//!
//! - **K1** `borrowed` is the number of tokens that are out or granted; each has its borrower in the table, marked as a
//!   holder. Whoever waits is in the table too, unmarked.
//! - **K2** Somebody waits only while `borrowed >= total`. Whoever changes that settles before the call ends.
//! - **K3** No two borrowers in the table are equal. Keys are hashed and compared outside the lock: under it only their
//!   hashes and serial numbers are.

use super::super::line::{self, LINE, Outgoing};
use crate::sys::atomic::{AtomicBool, Ordering};
use crate::sys::{Arc, mix, probe};
use crate::wait::{Batch, Departure, Hall, Held, Line, Place};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::hash::Hash;
use core::marker::PhantomData;
use core::task::Waker;

/// What waits for tokens.
pub(super) struct Tokens<K>(PhantomData<K>);

/// A limiter: shared by its handles.
pub(super) type Desk<K> = Hall<Tokens<K>>;

/// Who borrows.
pub(super) struct Borrower<K> {
    pub(super) key: K,
    /// Whether it holds a token. Guarded by the lock.
    holds: AtomicBool,
}

/// Where a borrower is in the table: by the hash of its key, and a number that is never used again.
pub(super) type Entry = (u64, u64);

pub(super) struct State<K> {
    total: usize,
    borrowed: usize,
    next: u64,
    table: BTreeMap<Entry, Arc<Borrower<K>>>,
}

impl<K> Place for Tokens<K> {
    type State = State<K>;
    type Shared = probe::Id;
    /// Who waits: in the table, so never dropped under the lock.
    type Slot = Option<Arc<Borrower<K>>>;
    type Lines = [Line<Self::Slot>; 1];
    const PASSES_ON: bool = true;

    /// Callers take the borrower out of the table and settle afterwards.
    fn left(held: &mut Held<'_, Self>, departure: Departure, _: &mut Self::Slot, _: &mut Batch) {
        if matches!(departure, Departure::Grant(_)) {
            held.state.borrowed -= 1;
        }
    }
}

#[track_caller]
pub(super) fn desk<K>(total: usize) -> Arc<Desk<K>> {
    let state = State { total, borrowed: 0, next: 0, table: BTreeMap::new() };
    Arc::new(Hall::new(probe::Id::new(), state, [Line::new()]))
}

/// What came of registering.
pub(super) enum Registered {
    /// It is in the table, and has a token if it was to have one at once.
    As(Entry),
    /// An equal one is in the table already.
    Double,
    /// There is no token, and it was to have one at once.
    Full,
}

impl<K> Borrower<K> {
    pub(super) fn new(key: K) -> Arc<Self> {
        Arc::new(Self { key, holds: AtomicBool::new(false) })
    }

    /// The key, if nobody else refers to the borrower.
    pub(super) fn into_key(this: Arc<Self>) -> Option<K> {
        Arc::into_inner(this).map(|borrower| borrower.key)
    }
}

impl<K> Held<'_, Tokens<K>> {
    fn is_free(&self) -> bool {
        self.state.borrowed < self.state.total && self.is_empty(LINE)
    }

    /// Gives a token to a borrower in the table, if there is one and nobody waits.
    pub(super) fn give(&mut self, borrower: &Borrower<K>) -> bool {
        let free = self.is_free();
        if free {
            self.state.borrowed += 1;
            // Relaxed: the lock is held.
            borrower.holds.store(true, Ordering::Relaxed);
        }
        free
    }

    /// Grants as many as may have a token (K2), until `out` is full. True: more are to be granted.
    pub(super) fn settle(&mut self, out: &mut impl Outgoing) -> bool {
        while self.state.borrowed < self.state.total {
            let Some(Some(borrower)) = self.first(LINE) else { return false };
            if out.is_full() {
                return true;
            }
            // Relaxed: the lock is held.
            borrower.holds.store(true, Ordering::Relaxed);
            self.state.borrowed += 1;
            out.take(self.hand(LINE));
        }
        false
    }

    /// Takes a borrower out of the table, to be dropped outside the lock.
    pub(super) fn remove(&mut self, entry: Entry) -> Option<Arc<Borrower<K>>> {
        self.state.table.remove(&entry)
    }
}

impl<K> Hall<Tokens<K>> {
    /// Wakes the first, and settles the rest if there is `more`. Lets no waker's panic out.
    pub(super) fn wake_quietly(&self, first: Option<Waker>, more: bool) {
        line::wake_quietly(self, first, more, |held, batch| held.settle(batch));
    }

    /// Takes a token back. Lets no waker's panic out.
    pub(super) fn release(&self, entry: Entry) {
        let mut first = None;
        let (borrower, more) = self.with(|held| {
            held.state.borrowed -= 1;
            (held.remove(entry), held.settle(&mut first))
        });
        self.wake_quietly(first, more);
        drop(borrower);
    }

    pub(super) fn set_total(&self, total: usize) {
        let mut first = None;
        let more = self.with(|held| {
            held.state.total = total;
            held.settle(&mut first)
        });
        line::wake(self, first, more, |held, batch| held.settle(batch));
    }

    /// How many tokens there are, and how many are borrowed.
    pub(super) fn counts(&self) -> (usize, usize) {
        self.read(|held| (held.state.total, held.state.borrowed))
    }

    /// Those in the table who hold a token, or those who wait for one.
    pub(super) fn borrowers(&self, holding: bool) -> Vec<Arc<Borrower<K>>> {
        // Relaxed: the lock is held.
        let wanted = |borrower: &&Arc<Borrower<K>>| borrower.holds.load(Ordering::Relaxed) == holding;
        self.read(|held| held.state.table.values().filter(wanted).cloned().collect())
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.read(|held| held.state.table.len() - held.state.borrowed)
    }
}

impl<K: Eq + Hash> Hall<Tokens<K>> {
    /// Puts `borrower` into the table, unless an equal one is there (K3), or it is to have a token `at_once` and there is
    /// none.
    pub(super) fn register(&self, borrower: &Arc<Borrower<K>>, at_once: bool) -> Registered {
        let hash = mix::hash(&borrower.key);
        let mut compared = 0;
        loop {
            let registered = self.with(|held| {
                // Those of the same hash that have not been compared.
                let others = held.state.table.range((hash, compared)..=(hash, u64::MAX));
                let others: Vec<_> = others.map(|(entry, other)| (entry.1, other.clone())).collect();
                if !others.is_empty() {
                    return Err(others);
                }
                if at_once && !held.is_free() {
                    return Ok(Registered::Full);
                }
                let entry = (hash, held.state.next);
                held.state.next += 1;
                held.state.table.insert(entry, borrower.clone());
                if at_once {
                    held.give(borrower);
                }
                Ok(Registered::As(entry))
            });
            match registered {
                Ok(registered) => return registered,
                Err(others) => {
                    for (serial, other) in others {
                        if other.key == borrower.key {
                            return Registered::Double;
                        }
                        compared = serial + 1;
                    }
                }
            }
        }
    }
}
