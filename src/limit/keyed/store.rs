//! What the keys of a shard were granted, in the least room: pure functions of the present.
//!
//! A token bucket is kept as the word of `quick.rs`, other algorithms as their state. Words count from the shard's own
//! beginning, which is moved on before the words would run over; what is idle stays so.

use super::table::{Gone, Table, Tag};
use crate::limit::decide::{Algorithm, Carry, most};
use crate::limit::quick::{Ask as Wanted, Decision, Quick};
use core::mem;

/// The keys of a shard.
pub(super) enum Store<K, A: Algorithm> {
    Words(Table<K, u64>, Quick),
    States(Table<K, A::State>),
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    pub(super) permits: u32,
    pub(super) now: u64,
    /// Whether they are taken if they are allowed.
    pub(super) takes: bool,
}

/// What a key may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It may have them now.
    Now,
    /// Not before this instant.
    At(u64),
    /// Never, as it is more than the burst, which is this.
    Exceeds(u32),
}

impl<K, A: Algorithm> Store<K, A> {
    /// No keys, for a clock that begins at `now`.
    pub(super) fn new(algorithm: &A, now: u64) -> Self {
        match algorithm.quick(now) {
            Some(quick) => Self::Words(Table::new(), quick),
            None => Self::States(Table::new()),
        }
    }

    /// Sees to it that words can be decided about at `now`.
    #[inline]
    pub(super) fn reach(&mut self, now: u64) {
        if let Self::Words(table, quick) = self {
            if !quick.reaches(now) {
                let (later, passed) = quick.since(now);
                table.values().for_each(|word| *word = word.saturating_sub(passed));
                *quick = later;
            }
        }
    }

    /// The word of a key, and by what that decides. None: it is not here, or has none.
    #[inline]
    pub(super) fn word(&mut self, tag: Tag, is: impl FnMut(&K) -> bool) -> Option<(&mut u64, &Quick)> {
        let Self::Words(table, quick) = self else { return None };
        Some((table.find(tag, is)?, quick))
    }

    /// What a key may have. None: it is not here.
    pub(super) fn ask(&mut self, algorithm: &A, ask: Ask, tag: Tag, is: impl FnMut(&K) -> bool) -> Option<Answer> {
        match self {
            Self::Words(table, quick) => Some(ask.word(algorithm, quick, table.find(tag, is)?)),
            Self::States(table) => Some(ask.state(algorithm, table.find(tag, is)?)),
        }
    }

    /// Whether a key is here.
    pub(super) fn holds(&mut self, tag: Tag, is: impl FnMut(&K) -> bool) -> bool {
        match self {
            Self::Words(table, _) => table.find(tag, is).is_some(),
            Self::States(table) => table.find(tag, is).is_some(),
        }
    }

    /// Puts a key in that is not here, and takes `permits` for it, which a new one can have. Says when it will be
    /// idle.
    pub(super) fn enter(&mut self, algorithm: &A, ask: Ask, tag: Tag, key: K, gone: &mut Gone<K>) -> u64 {
        let now = ask.now;
        match self {
            Self::Words(table, quick) => {
                let word = table.insert(tag, key, 0, |word| quick.idle_at(*word) <= now, gone);
                ask.word(algorithm, quick, word);
                quick.idle_at(*word)
            }
            Self::States(table) => {
                let state = table.insert(tag, key, algorithm.fresh(), |state| algorithm.idle_at(state) <= now, gone);
                ask.state(algorithm, state);
                algorithm.idle_at(state)
            }
        }
    }

    /// Takes a key out, with its state.
    pub(super) fn remove(&mut self, algorithm: &A, tag: Tag, is: impl FnMut(&K) -> bool) -> Option<(K, A::State)> {
        match self {
            Self::Words(table, quick) => {
                let (key, word) = table.remove(tag, is)?;
                Some((key, algorithm.unpack(word, quick.origin)))
            }
            Self::States(table) => table.remove(tag, is),
        }
    }

    /// Puts a key with its state in, or gives it back if that is too large for a word.
    pub(super) fn put(
        &mut self,
        algorithm: &A,
        now: u64,
        tag: Tag,
        key: K,
        state: A::State,
        gone: &mut Gone<K>,
    ) -> Result<(), K> {
        match self {
            Self::Words(table, quick) => {
                let Some(word) = algorithm.pack(&state, quick.origin) else { return Err(key) };
                table.insert(tag, key, word, |word| quick.idle_at(*word) <= now, gone);
            }
            Self::States(table) => {
                table.insert(tag, key, state, |state| algorithm.idle_at(state) <= now, gone);
            }
        }
        Ok(())
    }

    /// Runs `f` with the state of a key, which it may change. None: it is not here.
    pub(super) fn change(
        &mut self,
        algorithm: &A,
        tag: Tag,
        is: impl FnMut(&K) -> bool,
        f: impl FnOnce(&mut A::State),
    ) -> Option<u64> {
        match self {
            Self::Words(table, quick) => {
                let word = table.find(tag, is)?;
                let mut state = algorithm.unpack(*word, quick.origin);
                f(&mut state);
                // Less was granted than before, so it fits.
                *word = algorithm.pack(&state, quick.origin).unwrap_or(*word);
                Some(quick.idle_at(*word))
            }
            Self::States(table) => {
                let state = table.find(tag, is)?;
                f(state);
                Some(algorithm.idle_at(state))
            }
        }
    }

    /// How many permits a key may have at `now`. None: it is not here.
    pub(super) fn available(&mut self, algorithm: &A, now: u64, tag: Tag, is: impl FnMut(&K) -> bool) -> Option<u32> {
        let state = match self {
            Self::Words(table, quick) => algorithm.unpack(*table.find(tag, is)?, quick.origin),
            Self::States(table) => table.find(tag, is)?.clone(),
        };
        Some(most(algorithm.burst(), |permits| algorithm.is_ready(&state, permits, now)))
    }

    /// Has all keys, of which none is idle at `now`, go on by `new` numbers.
    pub(super) fn renumber(&mut self, old: &A, new: &A, carry: Carry, now: u64) {
        let carried = |state: &A::State| new.carry(old, state, carry, now);
        // No state is more than the new burst ahead of the present, so it fits.
        let word = |state: A::State| new.pack(&state, now).unwrap_or(Quick::LARGEST);
        *self = match (mem::replace(self, Self::States(Table::new())), new.quick(now)) {
            (Self::Words(mut table, quick), Some(later)) => {
                table.values().for_each(|old_word| *old_word = word(carried(&old.unpack(*old_word, quick.origin))));
                Self::Words(table, later)
            }
            (Self::Words(table, quick), None) => {
                Self::States(table.map(|word| carried(&old.unpack(word, quick.origin))))
            }
            (Self::States(table), Some(later)) => Self::Words(table.map(|state| word(carried(&state))), later),
            (Self::States(table), None) => Self::States(table.map(|state| carried(&state))),
        };
    }

    /// Drops the keys that are idle at `now`, and says when the next one of the others will be at the earliest.
    pub(super) fn sweep(&mut self, algorithm: &A, now: u64, gone: &mut Gone<K>) -> u64 {
        let mut next = u64::MAX;
        let mut is_idle = |at: u64| {
            let idle = at <= now;
            next = if idle { next } else { next.min(at) };
            idle
        };
        match self {
            Self::Words(table, quick) => table.sweep(|word| is_idle(quick.idle_at(*word)), gone),
            Self::States(table) => table.sweep(|state| is_idle(algorithm.idle_at(state)), gone),
        }
        next
    }

    /// Gives memory back that is not needed.
    pub(super) fn shrink(&mut self) {
        match self {
            Self::Words(table, _) => table.shrink(),
            Self::States(table) => table.shrink(),
        }
    }

    /// What the keys take on the heap.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Words(table, _) => table.bytes(),
            Self::States(table) => table.bytes(),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Words(table, _) => table.len(),
            Self::States(table) => table.len(),
        }
    }
}

/// Takes permits of a word if that allows it. None: it can't tell as it is.
#[inline]
pub(super) fn take(quick: &Quick, word: &mut u64, permits: u32, now: u64) -> Option<Answer> {
    let wanted = quick.ask(permits, now)?;
    let Some(new) = wanted.granted(*word) else { return Some(Answer::At(due(quick, wanted, *word))) };
    *word = new;
    Some(Answer::Now)
}

/// Not inlined: it would take registers from those who are granted something.
#[inline(never)]
fn due(quick: &Quick, wanted: Wanted, word: u64) -> u64 {
    quick.due(wanted, word)
}

impl Ask {
    #[inline]
    fn word<A: Algorithm>(self, algorithm: &A, quick: &Quick, word: &mut u64) -> Answer {
        match quick.decide(*word, self.permits, self.now) {
            Decision::Granted(new) => {
                if self.takes {
                    *word = new;
                }
                Answer::Now
            }
            Decision::NotYet(at) => Answer::At(at),
            Decision::Unknown if self.permits > algorithm.burst() => Answer::Exceeds(algorithm.burst()),
            // Beyond the end of time.
            Decision::Unknown => Answer::At(u64::MAX),
        }
    }

    #[inline]
    fn state<A: Algorithm>(self, algorithm: &A, state: &mut A::State) -> Answer {
        if self.permits > algorithm.burst() {
            return Answer::Exceeds(algorithm.burst());
        }
        // None at all are granted always.
        if self.permits == 0 {
            return Answer::Now;
        }
        if !algorithm.is_ready(state, self.permits, self.now) {
            return Answer::At(algorithm.due(state, self.permits, self.now));
        }
        if self.takes {
            algorithm.charge(state, self.permits, self.now);
        }
        Answer::Now
    }
}
