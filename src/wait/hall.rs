//! Lines of waiters under one lock.
#![expect(unsafe_code, reason = "lines link entries that live in pinned futures")]

use super::batch::Batch;
use super::waiter::Departure;
use crate::sys::Lock;
use crate::sys::atomic::{AtomicU32, GuardedU32, Ordering};
use crate::sys::cell::Visits;
use crate::sys::probe::{Access, Resource};
use crate::sys::thread::contain;
use core::cell::UnsafeCell;
use core::mem;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::ptr::NonNull;
use core::task::Waker;

/// In no line and holding no grant.
pub(super) const IDLE: u32 = 0;
/// In a line.
pub(super) const WAITING: u32 = 1;
/// Taken off its line with a grant.
pub(super) const GRANTED: u32 = 2;
/// In a line, and about to be taken off it by who has the lock ([`Held::part`]).
pub(super) const PARTING: u32 = 3;

/// A kind of hall: what it guards and what its waiters bring.
pub(crate) trait Place: Sized {
    /// What the lock guards beside the lines.
    type State;
    /// What is reached without the lock.
    type Shared;
    /// What each waiter brings, kept under the lock.
    type Slot;
    /// An array with a line for each thing that can be waited for.
    type Lines: AsRef<[Line<Self::Slot>]> + AsMut<[Line<Self::Slot>]>;

    /// Whether a grant that nobody took goes on to somebody else; if not, dropping a granted waiter takes no lock.
    const PASSES_ON: bool;

    /// How a waiter that does something in the hall touches it, for those who look on.
    const ACCESS: Access = Access::Write;

    /// Called under the lock after a waiter left its line without being granted, or gave up a grant that it did not
    /// take: passes on what was its, and repairs what the state says of the line.
    fn left(held: &mut Held<'_, Self>, departure: Departure, slot: &mut Self::Slot, batch: &mut Batch);
}

/// The part of a waiter that lines link.
pub(super) struct Entry<S> {
    pub(super) flag: AtomicU32,
    /// Guarded by the hall's lock too (W1). It fills the word that the flag begins: bytes in between would be copied one by
    /// one with each waiter that is moved to where it is polled, which costs more than what is there.
    line: GuardedU32,
    pub(super) inner: UnsafeCell<Inner<S>>,
    /// By those who take it off a line, the last of whom is its waiter (W4).
    pub(super) visits: Visits,
}

/// What is in it changes under the hall's lock (W1).
impl<S> UnwindSafe for Entry<S> {}
impl<S> RefUnwindSafe for Entry<S> {}

/// Guarded by the hall's lock (W1).
pub(super) struct Inner<S> {
    /// Dangling, as is `next`, until the entry joins its first line.
    prev: NonNull<Entry<S>>,
    next: NonNull<Entry<S>>,
    pub(super) waker: Option<Waker>,
    pub(super) slot: S,
}

impl<S> Entry<S> {
    pub(super) fn new(slot: S) -> Self {
        Self {
            flag: AtomicU32::new(IDLE),
            line: GuardedU32::new(0),
            inner: UnsafeCell::new(Inner { prev: NonNull::dangling(), next: NonNull::dangling(), waker: None, slot }),
            visits: Visits::new(),
        }
    }

    /// The line that it is in, or was in last.
    #[inline]
    pub(super) fn line(&self) -> usize {
        // Relaxed: the hall's lock is held.
        self.line.load(Ordering::Relaxed) as usize
    }

    /// Notes the line.
    #[inline]
    pub(super) fn set_line(&self, line: usize) {
        debug_assert!(u32::try_from(line).is_ok());
        // Relaxed: the hall's lock is held.
        self.line.store(line as u32, Ordering::Relaxed);
    }
}

/// Who waits for one thing, first come, first served: a ring of entries, of which the first is kept.
pub(crate) struct Line<S> {
    first: Option<NonNull<Entry<S>>>,
}

// SAFETY: a line is a set of pointers to entries whose content is reached under the hall's lock only (W1), on whatever
// thread holds it; wakers may go to any thread, slots if they are `Send`.
unsafe impl<S: Send> Send for Line<S> {}

impl<S> Line<S> {
    /// A line in which nobody waits.
    pub(crate) const fn new() -> Self {
        Self { first: None }
    }

    /// # Safety
    /// The lock of the line's hall is held, and no other reference to what `entry` guards is in use; `entry` is in a line
    /// of that hall, or belongs to a waiter of it.
    #[inline]
    unsafe fn inner<'a>(entry: NonNull<Entry<S>>) -> &'a mut Inner<S> {
        // SAFETY: an entry in a line, or of a waiter that is being used, is alive (W3).
        let cell = unsafe { &entry.as_ref().inner };
        // SAFETY: by the contract above this is the only access (W1).
        unsafe { &mut *cell.get() }
    }

    /// # Safety
    /// The hall's lock is held and `entry`, of a pinned waiter of this hall, is in no line.
    #[inline]
    pub(super) unsafe fn push_back(&mut self, entry: NonNull<Entry<S>>) {
        match self.first {
            None => {
                // SAFETY: under the lock, nothing else of the entry is borrowed.
                let inner = unsafe { Self::inner(entry) };
                inner.prev = entry;
                inner.next = entry;
                self.first = Some(entry);
            }
            Some(first) => {
                // SAFETY: `first` is in this line; the borrow ends with the statement.
                let last = mem::replace(&mut unsafe { Self::inner(first) }.prev, entry);
                // SAFETY: `last` is in this line; the borrow ends with the statement.
                unsafe { Self::inner(last) }.next = entry;
                // SAFETY: under the lock, nothing else of the entry is borrowed.
                let inner = unsafe { Self::inner(entry) };
                inner.prev = last;
                inner.next = first;
            }
        }
    }

    /// Makes the last the first.
    #[inline]
    pub(super) fn turn_back(&mut self) {
        if let Some(first) = self.first {
            // SAFETY: under the lock, since a line is reached through its hall only; the borrow ends with the statement.
            self.first = Some(unsafe { Self::inner(first) }.prev);
        }
    }

    /// # Safety
    /// The hall's lock is held and `entry` is in this line.
    #[inline]
    pub(super) unsafe fn unlink(&mut self, entry: NonNull<Entry<S>>) {
        // SAFETY: under the lock; the borrow ends with the statement.
        let Inner { prev, next, .. } = *unsafe { Self::inner(entry) };
        if next == entry {
            self.first = None;
            return;
        }
        // SAFETY: a neighbour in the same line; the borrow ends with the statement.
        unsafe { Self::inner(prev) }.next = next;
        // SAFETY: a neighbour in the same line; the borrow ends with the statement.
        unsafe { Self::inner(next) }.prev = prev;
        if self.first == Some(entry) {
            self.first = Some(next);
        }
    }
}

/// A state and its lines under one lock.
pub(crate) struct Hall<P: Place> {
    pub(crate) shared: P::Shared,
    resource: Resource,
    lock: Lock<Inside<P>>,
}

/// What is shared beside the lock are values that don't change, and atomics.
impl<P: Place> UnwindSafe for Hall<P> {}
impl<P: Place> RefUnwindSafe for Hall<P> {}

struct Inside<P: Place> {
    state: P::State,
    lines: P::Lines,
}

/// A hall whose lock is held.
pub(crate) struct Held<'a, P: Place> {
    pub(crate) state: &'a mut P::State,
    pub(crate) shared: &'a P::Shared,
    lines: &'a mut P::Lines,
}

impl<P: Place> Hall<P> {
    /// A hall with `lines` that are empty.
    pub(crate) fn new(shared: P::Shared, state: P::State, lines: P::Lines) -> Self {
        Self { shared, resource: Resource::new(), lock: Lock::new(Inside { state, lines }) }
    }

    /// Says to those who look on that the hall is touched without the lock, or in another way than by [`Place::ACCESS`].
    #[inline]
    pub(crate) fn touch(&self, access: Access) {
        self.resource.touch(access);
    }

    /// What is reached without the lock, for one who looks at what others change.
    #[inline]
    pub(crate) fn look(&self) -> &P::Shared {
        self.touch(Access::Read);
        &self.shared
    }

    /// Runs `f`, which changes nothing, under the lock.
    pub(crate) fn read<R>(&self, f: impl FnOnce(&Held<'_, P>) -> R) -> R {
        self.touch(Access::Read);
        self.lock.with(|Inside { state, lines }| f(&Held { state, shared: &self.shared, lines }))
    }

    /// Runs `f` under the lock.
    #[inline]
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut Held<'_, P>) -> R) -> R {
        self.touch(P::ACCESS);
        self.lock.with(|Inside { state, lines }| f(&mut Held { state, shared: &self.shared, lines }))
    }

    /// As [`with`](Self::with), unless the lock is taken at this moment.
    #[inline(always)]
    pub(crate) fn try_with<R>(&self, f: impl FnOnce(&mut Held<'_, P>) -> R) -> Option<R> {
        self.touch(P::ACCESS);
        self.lock.try_with(|Inside { state, lines }| f(&mut Held { state, shared: &self.shared, lines }))
    }

    /// Runs `f` under the lock, then fires the wakers that it took out: one batch at the most.
    #[inline]
    pub(crate) fn wake<R>(&self, f: impl FnOnce(&mut Held<'_, P>, &mut Batch) -> R) -> R {
        let mut batch = Batch::new();
        let r = self.with(|held| f(held, &mut batch));
        batch.fire();
        r
    }

    /// Runs `f` under the lock and fires its batch, again and again, until it says that nothing is left.
    pub(crate) fn wake_all(&self, mut f: impl FnMut(&mut Held<'_, P>, &mut Batch) -> bool) {
        while self.wake(&mut f) {}
    }

    /// As [`wake_all`](Self::wake_all), also when a waker panics: `f` is then run to its end while that unwinds, for
    /// work that nobody else would take up. Further panics end there.
    pub(crate) fn wake_to_end(&self, f: impl FnMut(&mut Held<'_, P>, &mut Batch) -> bool) {
        struct Rest<'a, P: Place, F: FnMut(&mut Held<'_, P>, &mut Batch) -> bool> {
            hall: &'a Hall<P>,
            f: F,
            more: bool,
        }
        impl<P: Place, F: FnMut(&mut Held<'_, P>, &mut Batch) -> bool> Rest<'_, P, F> {
            fn run(&mut self) {
                while self.more {
                    let Self { hall, f, more } = self;
                    hall.wake(|held, batch| *more = f(held, batch));
                }
            }
        }
        impl<P: Place, F: FnMut(&mut Held<'_, P>, &mut Batch) -> bool> Drop for Rest<'_, P, F> {
            fn drop(&mut self) {
                while self.more {
                    contain(|| self.run());
                }
            }
        }
        Rest { hall: self, f, more: true }.run();
    }
}

impl<P: Place> Held<'_, P> {
    /// Whether nobody waits in `line`.
    #[inline]
    pub(crate) fn is_empty(&self, line: usize) -> bool {
        self.lines.as_ref()[line].first.is_none()
    }

    /// Whether exactly one waits in `line`.
    #[inline]
    pub(crate) fn is_single(&self, line: usize) -> bool {
        self.lines.as_ref()[line].first.is_some_and(|first| {
            // SAFETY: `first` is in a line of this hall, whose lock is held; the borrow ends here.
            unsafe { Line::inner(first) }.next == first
        })
    }

    /// What the first waiter of `line` brought.
    #[inline]
    pub(crate) fn first(&mut self, line: usize) -> Option<&mut P::Slot> {
        let first = self.lines.as_ref()[line].first?;
        // SAFETY: `first` is in a line of this hall, whose lock is held; the borrow lasts no longer than that of `self`,
        // through which alone entries are reached.
        Some(&mut unsafe { Line::inner(first) }.slot)
    }

    /// Calls `f` with what each waiter of `line` brought, in order.
    pub(crate) fn each_of(&self, line: usize, mut f: impl FnMut(&P::Slot)) {
        let first = self.lines.as_ref()[line].first;
        let mut at = first;
        while let Some(entry) = at {
            // SAFETY: in a line of this hall, whose lock is held; the borrow ends before the next entry's begins.
            let Inner { next, ref slot, .. } = *unsafe { Line::inner(entry) };
            f(slot);
            at = Some(next).filter(|_| Some(next) != first);
        }
    }

    /// Takes the first waiter of `line`, in which somebody waits, off it with a grant, and gives back its waker, to be woken
    /// outside the lock. For callers that grant one at the most.
    #[inline]
    #[must_use = "the waker is to be woken outside the lock"]
    pub(crate) fn hand(&mut self, line: usize) -> Option<Waker> {
        self.take_first(line, GRANTED).flatten()
    }

    /// Takes the waker of the first waiter of `line`, who stays where it is, to be woken outside the lock.
    #[must_use = "the waker is to be woken outside the lock"]
    pub(crate) fn rouse(&mut self, line: usize) -> Option<Waker> {
        let first = self.lines.as_ref()[line].first?;
        // SAFETY: `first` is in a line of this hall, whose lock is held; the borrow ends with the statement.
        unsafe { Line::inner(first) }.waker.take()
    }

    /// As [`hand`](Self::hand), without a grant: the waiter may join again.
    #[must_use = "the waker is to be woken outside the lock"]
    pub(crate) fn turn_away(&mut self, line: usize) -> Option<Waker> {
        self.take_first(line, IDLE).flatten()
    }

    /// Takes the first waiter of `line` off it with a grant. Its waker goes into `batch`, which has room. False: nobody
    /// waits.
    #[inline]
    pub(crate) fn grant(&mut self, line: usize, batch: &mut Batch) -> bool {
        let Some(waker) = self.take_first(line, GRANTED) else { return false };
        if let Some(waker) = waker {
            batch.push(waker);
        }
        true
    }

    /// Takes the first waiter of `line` off it without a grant: it may join again. Its waker goes into `batch`, which
    /// has room. False: nobody waits.
    pub(crate) fn dismiss(&mut self, line: usize, batch: &mut Batch) -> bool {
        let Some(waker) = self.take_first(line, IDLE) else { return false };
        if let Some(waker) = waker {
            batch.push(waker);
        }
        true
    }

    /// As [`dismiss`](Self::dismiss) for a waiter without a waker; calls `f` with what it brought while it is in the line still,
    /// but does not say so any more. None: nobody waits.
    ///
    /// Whoever looks after `f` has begun, and be it by what `f` does, finds that he is to join anew, for which he takes the
    /// lock; and the waiter stays where it is until `f` is over, since to go it takes the lock, too.
    #[inline]
    pub(crate) fn part<R>(&mut self, line: usize, f: impl FnOnce(&mut P::Slot) -> R) -> Option<R> {
        let entry = self.lines.as_ref()[line].first?;
        // Release, like each flag that is looked at without the lock. Who is to see this one does so by what `f` locks.
        // SAFETY: alive, being in a line (W3); the borrow ends with the statement.
        unsafe { entry.as_ref() }.flag.store(PARTING, Ordering::Release);
        // SAFETY: `entry` is in a line of this hall, whose lock is held; the borrow ends before `self` is used again.
        let inner = unsafe { Line::inner(entry) };
        debug_assert!(inner.waker.is_none(), "it is not woken");
        let r = f(&mut inner.slot);
        // SAFETY: `entry` is in this line, since `f` can't reach the hall.
        unsafe { self.take_off(line, entry, IDLE) };
        Some(r)
    }

    /// Takes those off `line` without a grant of whom `leaves` says so, by what they brought: they may join again. Their
    /// wakers go into `batch`. True: it is full, and there may be more.
    pub(crate) fn dismiss_where(
        &mut self,
        line: usize,
        batch: &mut Batch,
        mut leaves: impl FnMut(&mut P::Slot) -> bool,
    ) -> bool {
        let Some(first) = self.lines.as_ref()[line].first else { return false };
        // SAFETY: in a line of this hall, whose lock is held; the borrow ends with the statement.
        let last = unsafe { Line::inner(first) }.prev;
        let mut at = first;
        while !batch.is_full() {
            // SAFETY: in a line of this hall, whose lock is held; the borrow ends before that of another entry begins.
            let Inner { next, ref mut slot, .. } = *unsafe { Line::inner(at) };
            if leaves(slot) {
                // SAFETY: `at` is in this line, of which others only were taken off since it was found there.
                if let Some(waker) = unsafe { self.take_off(line, at, IDLE) } {
                    batch.push(waker);
                }
            }
            if at == last {
                return false;
            }
            at = next;
        }
        true
    }

    /// Moves the first waiter of `from` to the end of `to`.
    #[inline]
    pub(crate) fn shift(&mut self, from: usize, to: usize) {
        let Some(entry) = self.lines.as_ref()[from].first else { return };
        // SAFETY: the lock is held and `entry` is in this line.
        unsafe { self.line(from).unlink(entry) };
        // SAFETY: alive, being of a waiter that was in a line (W3), while the lock is held.
        unsafe { entry.as_ref() }.set_line(to);
        // SAFETY: the entry is pinned, of this hall, and in no line since two statements.
        unsafe { self.line(to).push_back(entry) };
    }

    #[inline]
    fn take_first(&mut self, line: usize, flag: u32) -> Option<Option<Waker>> {
        let entry = self.lines.as_ref()[line].first?;
        // SAFETY: `entry` is in this line.
        Some(unsafe { self.take_off(line, entry, flag) })
    }

    /// # Safety
    /// `entry` is in this line.
    #[inline]
    unsafe fn take_off(&mut self, line: usize, entry: NonNull<Entry<P::Slot>>, flag: u32) -> Option<Waker> {
        // SAFETY: the lock is held, and the contract above.
        unsafe { self.line(line).unlink(entry) };
        // SAFETY: the borrow of the entry ends with the statement.
        let waker = unsafe { Line::inner(entry) }.waker.take();
        // SAFETY: alive until the flag is written (W3, W4).
        let entry = unsafe { entry.as_ref() };
        entry.visits.visit();
        // Release: partner of the waiter's acquiring loads, after which it may free the entry (W4).
        entry.flag.store(flag, Ordering::Release);
        waker
    }

    #[inline]
    pub(super) fn line(&mut self, line: usize) -> &mut Line<P::Slot> {
        &mut self.lines.as_mut()[line]
    }

    /// Checks the links of every line and counts who waits; for tests.
    #[cfg(test)]
    pub(crate) fn validate(&self) -> usize {
        let mut count = 0;
        self.each(|_, _| count += 1);
        count
    }

    /// Checks the links of every line, and calls `f` with each waiter's line and what it brought; for tests.
    #[cfg(test)]
    pub(crate) fn each(&self, mut f: impl FnMut(usize, &P::Slot)) {
        for (number, line) in self.lines.as_ref().iter().enumerate() {
            let Some(first) = line.first else { continue };
            let mut at = first;
            loop {
                // SAFETY: in a line of this hall, whose lock is held; the borrow ends before the next entry's begins.
                let Inner { prev, next, ref slot, .. } = *unsafe { Line::inner(at) };
                f(number, slot);
                // SAFETY: alive, being in a line.
                assert_eq!(unsafe { at.as_ref() }.line(), number, "an entry knows its line");
                // SAFETY: a neighbour in the same line; the borrow ends with the statement.
                assert_eq!(unsafe { Line::inner(prev) }.next, at);
                // SAFETY: alive, being in a line.
                assert_eq!(unsafe { at.as_ref() }.flag.load(Ordering::Relaxed), WAITING);
                at = next;
                if at == first {
                    break;
                }
            }
        }
    }
}
