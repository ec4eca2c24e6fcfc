//! Who is granted how many permits.
//!
//! # Invariants
//!
//! - **M1** `word` holds the permits that nobody has, above three flags: `WAITING` exactly while somebody is in line, as of
//!   the last time that the lock was left, `OWED` exactly while `owed`, the permits that are out beyond the total, is not
//!   zero, and `CLOSED`.
//! - **M2** While `WAITING` or `OWED` is set, only the holder of the lock lowers the permits: newcomers take none. So what
//!   was released under somebody's eyes is theirs, and nobody overtakes; and what is owed is paid before anybody is granted
//!   anything.
//! - **M3** Whoever raises the permits, or takes somebody off the line, and finds `WAITING` or `OWED` set, settles: pays what
//!   is owed, grants as long as there is enough for the first in line, and turns all away if the semaphore is closed.
//! - **M4** `total` counts the permits that there are to be, those included that are out; it is changed under the lock. Those
//!   that nobody has and those that are out or granted are `total + owed`.

use super::super::line::{self, LINE, Outgoing};
use crate::sys::atomic::{AtomicUsize, Ordering};
use crate::sys::probe::{self, Access};
use crate::sys::{Arc, serial};
use crate::wait::{Batch, Departure, Hall, Held, Line, Place};
use core::task::Waker;

/// Somebody is in line.
const WAITING: usize = 1;
/// No permit is to be had any more.
const CLOSED: usize = 2;
/// More permits are out than there are to be.
const OWED: usize = 4;
/// One permit.
const ONE: usize = 8;
/// What is brought is for the holder of the lock to give away.
const BOOKED: usize = WAITING | OWED;
/// Newcomers take nothing.
const SHUT: usize = BOOKED | CLOSED;

/// What waits for permits.
pub(super) struct Permits;

/// A semaphore: shared by its handles.
pub(super) type Room = Hall<Permits>;

pub(super) struct Shared {
    word: AtomicUsize,
    total: AtomicUsize,
    /// Where it stands among all semaphores.
    pub(super) serial: u32,
    pub(super) id: probe::Id,
}

/// What the lock guards.
#[derive(Default)]
pub(super) struct State {
    owed: usize,
}

impl Place for Permits {
    type State = State;
    type Shared = Shared;
    /// How many permits are wanted.
    type Slot = usize;
    type Lines = [Line<usize>; 1];
    const PASSES_ON: bool = true;

    /// Callers settle afterwards.
    fn left(held: &mut Held<'_, Self>, departure: Departure, permits: &mut usize, _: &mut Batch) {
        if matches!(departure, Departure::Grant(_)) {
            // Release: as the release of permits that were used.
            held.shared.word.fetch_add(*permits * ONE, Ordering::Release);
        }
    }
}

/// What came of asking for permits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Granted,
    /// There are not enough, or others wait.
    Refused,
    Closed,
}

impl Held<'_, Permits> {
    /// Restores M1 and M3, with `brought` permits more, until `out` is full. True: more is left to do.
    pub(super) fn settle(&mut self, brought: usize, out: &mut impl Outgoing) -> bool {
        // Acquire: partner of the releasing adds, which goes on to those who are granted.
        let word = self.shared.word.load(Ordering::Acquire);
        let there = word / ONE;
        let mut free = there + brought;
        let mut flags = 0;
        if word & OWED != 0 {
            free -= self.pay(free);
            flags = if self.state.owed == 0 { OWED } else { 0 };
        }
        let more = loop {
            let Some(&mut wanted) = self.first(LINE) else {
                flags |= word & WAITING;
                break false;
            };
            if word & CLOSED == 0 && wanted > free {
                break false;
            }
            if out.is_full() {
                break true;
            }
            if word & CLOSED == 0 {
                free -= wanted;
                out.take(self.hand(LINE));
            } else {
                out.take(self.turn_away(LINE));
            }
        };
        // By M2 nobody else has lowered the permits since.
        let change = (free * ONE).wrapping_sub(there * ONE).wrapping_sub(flags);
        if change != 0 {
            // Release: hands on what was done before the permits were brought.
            self.shared.word.fetch_add(change, Ordering::Release);
        }
        more
    }

    /// Takes permits, or says that somebody waits (M1). None at all are granted always.
    #[inline]
    pub(super) fn take_or_wait(&mut self, permits: usize) -> Asked {
        let mut word = self.shared.word.load(Ordering::Relaxed);
        loop {
            let (asked, new) = match word {
                _ if word & CLOSED != 0 => return Asked::Closed,
                _ if permits == 0 => return Asked::Granted,
                _ if word & WAITING != 0 => return Asked::Refused,
                _ if word & OWED == 0 && word / ONE >= permits => (Asked::Granted, word - permits * ONE),
                _ => (Asked::Refused, word | WAITING),
            };
            // Acquire: partner of the releasing adds.
            match self.shared.word.compare_exchange_weak(word, new, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return asked,
                Err(now) => word = now,
            }
        }
    }
}

impl Hall<Permits> {
    #[track_caller]
    pub(super) fn semaphore(permits: usize) -> Arc<Self> {
        let shared = Shared {
            word: AtomicUsize::new(permits * ONE),
            total: AtomicUsize::new(permits),
            serial: serial(),
            id: probe::Id::new(),
        };
        Arc::new(Hall::new(shared, State::default(), [Line::new()]))
    }

    /// Takes permits if there are so many, nobody waits, and nobody else takes any at this moment.
    #[inline]
    pub(super) fn take(&self, permits: usize) -> bool {
        let word = self.look().word.load(Ordering::Relaxed);
        word & SHUT == 0 && word >= permits * ONE && {
            self.touch(Access::Write);
            // Acquire: partner of the releasing adds.
            let left = word - permits * ONE;
            self.shared.word.compare_exchange(word, left, Ordering::Acquire, Ordering::Relaxed).is_ok()
        }
    }

    /// Takes permits if there are so many and nobody waits.
    #[cold]
    pub(super) fn try_take(&self, permits: usize) -> Asked {
        loop {
            let word = self.look().word.load(Ordering::Relaxed);
            match word {
                _ if word & CLOSED != 0 => return Asked::Closed,
                // None at all are granted always.
                _ if permits == 0 => return Asked::Granted,
                _ if word & BOOKED != 0 || word / ONE < permits => return Asked::Refused,
                _ if self.take(permits) => return Asked::Granted,
                _ => {}
            }
        }
    }

    /// Uses what was granted, or gives it back if the semaphore was closed since.
    #[inline]
    pub(super) fn use_grant(&self, permits: usize) -> Asked {
        if self.is_closed() {
            self.release(permits);
            return Asked::Closed;
        }
        Asked::Granted
    }

    /// Gives permits back. Lets no waker's panic out.
    #[inline]
    pub(super) fn release(&self, permits: usize) {
        self.touch(Access::Write);
        // Relaxed: a line that is not seen here is seen by the add.
        if self.shared.word.load(Ordering::Relaxed) & BOOKED != 0 {
            return self.hand_over(permits);
        }
        // Release: partner of the acquiring exchange of whoever takes them.
        if self.shared.word.fetch_add(permits * ONE, Ordering::Release) & BOOKED != 0 {
            self.hand_over(0);
        }
    }

    /// Brings permits and settles.
    #[inline(never)]
    pub(super) fn hand_over(&self, permits: usize) {
        let mut first = None;
        let more = self.with(|held| {
            // The most frequent case: what was brought is what the first in line wants.
            let none = held.shared.word.load(Ordering::Acquire) == WAITING;
            if none && held.first(LINE).copied() == Some(permits) {
                first = held.hand(LINE);
                if held.is_empty(LINE) {
                    // Relaxed: what was done before is handed on with the grant.
                    held.shared.word.fetch_and(!WAITING, Ordering::Relaxed);
                }
                return false;
            }
            held.settle(permits, &mut first)
        });
        self.wake_quietly(first, more);
    }

    /// Wakes the first, and settles the rest if there is `more`. Lets no waker's panic out.
    #[inline]
    pub(super) fn wake_quietly(&self, first: Option<Waker>, more: bool) {
        line::wake_quietly(self, first, more, |held, batch| held.settle(0, batch));
    }

    /// Adds permits. False: there would be more than `most`.
    pub(super) fn add(&self, permits: usize, most: usize) -> bool {
        let mut first = None;
        let more = self.with(|held| {
            // Relaxed: the lock is held (M4).
            let total = held.shared.total.load(Ordering::Relaxed);
            if permits > most - total {
                return None;
            }
            held.shared.total.store(total + permits, Ordering::Relaxed);
            Some(held.settle(permits, &mut first))
        });
        line::wake(self, first, more.unwrap_or(false), |held, batch| held.settle(0, batch));
        more.is_some()
    }

    /// Takes up to `permits` of those that nobody has out of existence; says how many.
    pub(super) fn remove(&self, permits: usize) -> usize {
        self.with(|held| {
            let removed = held.take_free(permits, 0);
            held.lower_total(removed);
            removed
        })
    }

    /// Takes `permits` that are out out of existence, those first that are owed.
    pub(super) fn forget(&self, permits: usize) {
        self.with(|held| {
            let paid = held.pay(permits);
            if paid > 0 && held.state.owed == 0 {
                // Relaxed: nothing is handed on.
                held.shared.word.fetch_and(!OWED, Ordering::Relaxed);
            }
            held.lower_total(permits - paid);
        });
    }

    /// Changes how many permits there are to be.
    pub(super) fn set_total(&self, total: usize) {
        let mut first = None;
        let more = self.with(|held| {
            // Relaxed, twice: the lock is held (M4).
            let before = held.shared.total.load(Ordering::Relaxed);
            held.shared.total.store(total, Ordering::Relaxed);
            if let Some(gone) = before.checked_sub(total) {
                held.state.owed += gone - held.take_free(gone, OWED);
                return false;
            }
            held.settle(total - before, &mut first)
        });
        line::wake(self, first, more, |held, batch| held.settle(0, batch));
    }

    pub(super) fn close(&self) {
        let mut first = None;
        let more = self.with(|held| {
            // Relaxed: the lock is held; whoever misses it without the lock came before.
            held.shared.word.fetch_or(CLOSED, Ordering::Relaxed);
            held.settle(0, &mut first)
        });
        line::wake(self, first, more, |held, batch| held.settle(0, batch));
    }

    pub(super) fn is_closed(&self) -> bool {
        self.look().word.load(Ordering::Relaxed) & CLOSED != 0
    }

    /// How many permits nobody has.
    pub(super) fn available(&self) -> usize {
        self.look().word.load(Ordering::Relaxed) / ONE
    }

    /// How many permits there are.
    pub(super) fn total(&self) -> usize {
        self.look().total.load(Ordering::Relaxed)
    }
}

impl Held<'_, Permits> {
    /// Takes up to `permits` of those that nobody has, and sets `flag` if there are fewer; says how many.
    fn take_free(&mut self, permits: usize, flag: usize) -> usize {
        let lower = |word: usize| {
            let free = word / ONE;
            let flag = if free < permits { flag } else { 0 };
            Some((word - permits.min(free) * ONE) | flag)
        };
        // Acquire: as one who takes permits.
        let before = self.shared.word.fetch_update(Ordering::Acquire, Ordering::Relaxed, lower).unwrap_or_default();
        permits.min(before / ONE)
    }

    /// Pays what is owed with up to `permits` that came back; says with how many.
    #[cold]
    fn pay(&mut self, permits: usize) -> usize {
        let paid = self.state.owed.min(permits);
        self.state.owed -= paid;
        paid
    }

    fn lower_total(&mut self, permits: usize) {
        // Relaxed, twice: the lock is held (M4).
        let total = self.shared.total.load(Ordering::Relaxed);
        self.shared.total.store(total - permits, Ordering::Relaxed);
    }
}
