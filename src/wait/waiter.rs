//! The entry of a future that waits.
#![expect(unsafe_code, reason = "an entry is linked while its future is pinned, and unlinked before it goes")]

use super::batch::Batch;
use super::hall::{Entry, GRANTED, Hall, Held, IDLE, Inner, PARTING, Place, WAITING};
use crate::sys::Arc;
use crate::sys::atomic::Ordering;
use crate::sys::kept::Kept;
use crate::sys::probe::{self, Access};
use crate::sys::thread::contain;
use core::marker::PhantomPinned;
use core::mem;
use core::pin::Pin;
use core::ptr::NonNull;
use core::task::Waker;

/// The way from a waiter to its hall.
///
/// # Safety
/// `hall` always gives the same hall, which lives at least as long as `self`, wherever `self` is moved.
pub(crate) unsafe trait Home<P: Place> {
    /// The hall.
    fn hall(&self) -> &Hall<P>;
}

// SAFETY: a shared reference leads to one place for all of its life.
unsafe impl<P: Place> Home<P> for &Hall<P> {
    #[inline]
    fn hall(&self) -> &Hall<P> {
        self
    }
}

// SAFETY: as long as it is borrowed, an `Arc` leads to one place, which it keeps alive.
unsafe impl<P: Place> Home<P> for &Arc<Hall<P>> {
    #[inline]
    fn hall(&self) -> &Hall<P> {
        self
    }
}

// SAFETY: a count keeps its value alive, and in its place.
unsafe impl<P: Place> Home<P> for Arc<Hall<P>> {
    #[inline]
    fn hall(&self) -> &Hall<P> {
        self
    }
}

// SAFETY: a handle keeps its value alive, and in its place.
unsafe impl<P: Place> Home<P> for Kept<Hall<P>> {
    #[inline]
    fn hall(&self) -> &Hall<P> {
        self
    }
}

/// How a waiter left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Departure {
    /// Out of this line, ungranted.
    Line(usize),
    /// With a grant that it did not take, given in this line.
    Grant(usize),
}

/// Where a waiter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// In no line, without a grant.
    Idle,
    /// In a line.
    Waiting,
    /// With a grant.
    Granted,
}

/// One place in a line of a hall, held in the future that waits.
pub(crate) struct Waiter<P: Place, H: Home<P>> {
    home: H,
    entry: Entry<P::Slot>,
    _pinned: PhantomPinned,
}

// SAFETY: the entry is reached under the hall's lock only (W1), so other threads may refer to the waiter.
unsafe impl<P: Place, H: Home<P> + Sync> Sync for Waiter<P, H> where P::Slot: Send {}
// SAFETY: as above; a waiter that is in a line is pinned, and its `home` goes along.
unsafe impl<P: Place, H: Home<P> + Send> Send for Waiter<P, H> where P::Slot: Send {}

impl<P: Place, H: Home<P>> Waiter<P, H> {
    /// A waiter of `home`'s hall that is in no line.
    #[inline]
    pub(crate) fn new(home: H, slot: P::Slot) -> Self {
        Self { home, entry: Entry::new(slot), _pinned: PhantomPinned }
    }

    /// The same waiter with a grant from the start. For kinds whose grants nobody else wants.
    #[inline]
    pub(crate) fn granted(self) -> Self {
        debug_assert!(!P::PASSES_ON);
        // Relaxed: nobody else refers to it.
        self.entry.flag.store(GRANTED, Ordering::Relaxed);
        self
    }

    /// The way to the hall.
    #[inline]
    pub(crate) fn home(&self) -> &H {
        &self.home
    }

    /// Where it stands, as far as can be told without the lock: one that waits may be granted meanwhile.
    #[inline(always)]
    pub(crate) fn standing(&self) -> Standing {
        match self.flag() {
            IDLE => Standing::Idle,
            WAITING | PARTING => Standing::Waiting,
            _ => Standing::Granted,
        }
    }

    /// Whether it is in a line, and not about to be taken off it by [`Held::part`].
    #[inline]
    pub(crate) fn is_waiting(&self) -> bool {
        self.flag() == WAITING
    }

    /// Whether it holds a grant.
    #[inline]
    pub(crate) fn is_granted(&self) -> bool {
        self.flag() == GRANTED
    }

    #[inline]
    fn flag(&self) -> u32 {
        // Where what waiters do commutes, their flags are changed by nobody but themselves and who turns the hall.
        self.home.hall().touch(if P::ACCESS == Access::Write { Access::Read } else { P::ACCESS });
        // Acquire: partner of the releasing store of whoever took the entry off its line.
        self.entry.flag.load(Ordering::Acquire)
    }

    /// Takes the grant, without the lock, so that the waiter may join again. False: there is none.
    #[inline]
    pub(crate) fn accept(self: Pin<&mut Self>) -> bool {
        let granted = self.is_granted();
        if granted {
            // Relaxed: nobody else refers to an entry that is in no line (W4).
            self.entry.flag.store(IDLE, Ordering::Relaxed);
        }
        granted
    }

    /// Locks the hall and runs `f` with it and this waiter's own seat in it.
    #[inline]
    pub(crate) fn with<R>(self: Pin<&Self>, f: impl FnOnce(&mut Seat<'_, '_, P>) -> R) -> R {
        let entry = NonNull::from(&self.get_ref().entry);
        self.home.hall().with(|held| f(&mut Seat { held, entry }))
    }
}

impl<P: Place, H: Home<P>> Waiter<P, H> {
    /// As [`with`](Self::with), unless the lock is taken at this moment.
    #[inline(always)]
    pub(crate) fn try_with<R>(self: Pin<&Self>, f: impl FnOnce(&mut Seat<'_, '_, P>) -> R) -> Option<R> {
        let entry = NonNull::from(&self.get_ref().entry);
        self.home.hall().try_with(|held| f(&mut Seat { held, entry }))
    }
}

impl<P: Place, H: Home<P>> Waiter<P, H> {
    /// Gives up its place in line, or its grant, as when it is dropped (W6).
    #[inline(always)]
    pub(crate) fn quit(self: Pin<&Self>) {
        let flag = self.flag();
        if flag != IDLE && (flag != GRANTED || P::PASSES_ON) {
            self.leave();
        }
    }

    #[inline(never)]
    fn leave(self: Pin<&Self>) {
        let mut batch = Batch::new();
        let waker = self.with(|seat| seat.leave(&mut batch));
        if !batch.is_empty() {
            // A drop may be part of an unwinding, which a second panic would turn into the end of the process.
            contain(|| batch.fire());
        }
        drop(waker);
    }
}

impl<P: Place, H: Home<P>> Drop for Waiter<P, H> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: a waiter that is in a line or was granted is pinned (W3), and it stays where it is till its end; of one that
        // is not, no reference is kept.
        unsafe { Pin::new_unchecked(&*self) }.quit();
        self.entry.visits.end();
    }
}

/// A waiter together with its hall, whose lock is held.
pub(crate) struct Seat<'h, 'p, P: Place> {
    /// The hall.
    pub(crate) held: &'h mut Held<'p, P>,
    entry: NonNull<Entry<P::Slot>>,
}

impl<P: Place> Seat<'_, '_, P> {
    #[inline]
    fn inner(&mut self) -> &mut Inner<P::Slot> {
        // SAFETY: the waiter is borrowed for as long as the seat.
        let cell = unsafe { &self.entry.as_ref().inner };
        // SAFETY: W1: the lock is held, and references are handed out through a borrow of the seat, which has the only
        // way into the hall.
        unsafe { &mut *cell.get() }
    }

    #[inline]
    fn entry(&self) -> &Entry<P::Slot> {
        // SAFETY: the waiter is borrowed for as long as the seat; what is exclusive in the entry is in its cell.
        unsafe { self.entry.as_ref() }
    }

    #[inline]
    fn flag(&self) -> u32 {
        // Relaxed: flags are written under the lock.
        self.entry().flag.load(Ordering::Relaxed)
    }

    #[inline]
    fn set_flag(&mut self, flag: u32) {
        // Release: partner of the acquiring load of one who shares the waiter and looks without the lock.
        self.entry().flag.store(flag, Ordering::Release);
    }

    /// Whether it is in a line.
    #[inline]
    pub(crate) fn is_waiting(&self) -> bool {
        self.flag() == WAITING
    }

    /// Whether it holds a grant.
    #[inline]
    pub(crate) fn is_granted(&self) -> bool {
        self.flag() == GRANTED
    }

    /// The line that it is in.
    #[inline]
    pub(crate) fn line(&self) -> Option<usize> {
        self.is_waiting().then(|| self.entry().line())
    }

    /// Grants a waiter that is in no line: what it wants is there already.
    #[inline]
    pub(crate) fn grant(&mut self) {
        debug_assert!(!self.is_waiting());
        self.set_flag(GRANTED);
    }

    /// What it brings.
    #[inline]
    pub(crate) fn slot(&mut self) -> &mut P::Slot {
        &mut self.inner().slot
    }

    /// Joins the end of `line` for one that is idle, and so has no waker.
    #[inline]
    pub(crate) fn enter(&mut self, line: usize, waker: Waker) {
        debug_assert!(self.flag() == IDLE);
        self.entry().set_line(line);
        let none = self.set_waker(waker);
        debug_assert!(none.is_none());
        mem::forget(none);
        let entry = self.entry;
        // SAFETY: the lock is held; the entry is that of a pinned waiter of this hall and in no line.
        unsafe { self.held.line(line).push_back(entry) };
        self.set_flag(WAITING);
    }

    /// Joins the end of `line`, or moves there from where it is; a grant that it holds is forgotten, so callers take it
    /// first. Gives back the waker that it had, to be dropped outside the lock.
    #[inline]
    #[must_use = "the old waker is to be dropped outside the lock"]
    pub(crate) fn join(&mut self, line: usize, waker: Option<Waker>) -> Option<Waker> {
        self.unlink();
        self.entry().set_line(line);
        let old = match waker {
            Some(waker) => self.set_waker(waker),
            None => None,
        };
        let entry = self.entry;
        // SAFETY: the lock is held; the entry is that of a pinned waiter of this hall and in no line.
        unsafe { self.held.line(line).push_back(entry) };
        self.set_flag(WAITING);
        old
    }

    /// Moves the last of `line`, which has just joined, to its head: for one whose turn had come, in vain.
    #[inline]
    pub(crate) fn go_first(&mut self, line: usize) {
        self.held.line(line).turn_back();
    }

    /// Whether the waker that it has wakes the same task as `waker`.
    #[inline]
    pub(crate) fn will_wake(&mut self, waker: &Waker) -> bool {
        self.inner().waker.as_ref().is_some_and(|own| own.will_wake(waker))
    }

    /// Replaces the waker of a waiter that stays where it is. Gives back the old one, to be dropped outside the lock.
    #[inline]
    #[must_use = "the old waker is to be dropped outside the lock"]
    pub(crate) fn set_waker(&mut self, waker: Waker) -> Option<Waker> {
        probe::keeping(&waker);
        self.inner().waker.replace(waker)
    }

    /// Takes the grant, which is known to be there.
    #[inline(always)]
    pub(crate) fn accept_known(&mut self) {
        debug_assert!(self.is_granted());
        self.set_flag(IDLE);
    }

    /// Takes the grant. False: there is none.
    #[inline]
    pub(crate) fn accept(&mut self) -> bool {
        let granted = self.flag() == GRANTED;
        if granted {
            self.set_flag(IDLE);
        }
        granted
    }

    #[inline]
    fn unlink(&mut self) -> Option<usize> {
        if self.flag() != WAITING {
            return None;
        }
        let line = self.entry().line();
        let entry = self.entry;
        // SAFETY: the lock is held, and W2: the entry is in the line that it names.
        unsafe { self.held.line(line).unlink(entry) };
        self.set_flag(IDLE);
        Some(line)
    }

    /// Leaves the line, or gives up the grant, and lets the hall pass on what follows from it (W6). Gives back the waker
    /// that it had, to be dropped outside the lock.
    #[inline]
    #[must_use = "the old waker is to be dropped outside the lock"]
    pub(crate) fn leave(&mut self, batch: &mut Batch) -> Option<Waker> {
        let departure = match self.flag() {
            GRANTED => {
                self.set_flag(IDLE);
                Departure::Grant(self.entry().line())
            }
            WAITING => Departure::Line(self.unlink()?),
            _ => return None,
        };
        let entry = self.entry;
        // SAFETY: the waiter is borrowed for as long as the seat; shared, since others may look at the flag.
        let cell = unsafe { &entry.as_ref().inner };
        // SAFETY: W1: the lock is held, and the entry is in no line, so `held` has no way to it.
        let inner = unsafe { &mut *cell.get() };
        P::left(self.held, departure, &mut inner.slot, batch);
        inner.waker.take()
    }
}

/// Which waker a waiter holds, kept outside the lock, so that a poll with the same waker takes no lock.
///
/// Only to be asked while the waiter is in its line: then the waker is alive, and so its address is nobody else's.
#[derive(Clone, Copy)]
pub(crate) struct Seen {
    data: *const (),
    table: *const core::task::RawWakerVTable,
}

// SAFETY: the pointers are compared, never followed.
unsafe impl Send for Seen {}
// SAFETY: the pointers are compared, never followed.
unsafe impl Sync for Seen {}

impl Seen {
    /// None yet.
    pub(crate) const NONE: Self = Self { data: core::ptr::null(), table: core::ptr::null() };

    /// Remembers `waker`.
    #[inline]
    pub(crate) fn of(waker: &Waker) -> Self {
        Self { data: waker.data(), table: waker.vtable() }
    }

    /// Whether `waker` is the one that was remembered.
    #[inline]
    pub(crate) fn is(&self, waker: &Waker) -> bool {
        self.data == waker.data() && core::ptr::eq(self.table, waker.vtable())
    }
}
