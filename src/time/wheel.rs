//! The timer queue: a hierarchical wheel of lines.
//!
//! After G. Varghese and T. Lauck, "Hashed and Hierarchical Timing Wheels" (SOSP 1987), with a tick of one nanosecond and
//! the level chosen by the highest digit in which the deadline differs from the time that the wheel has reached.
//!
//! # Invariants
//!
//! - **T1** A pending deadline `d` lies in the line of level `l` and slot `s`, where `l` is the highest base-`2^BITS`
//!   digit in which `d` differs from `reached`, and `s` that digit of `d`; if `d <= reached`, in the line `DUE`.
//! - **T2** So all that have the same deadline are in one line, in the order in which they came; and each deadline in a
//!   lower level comes before each in a higher one.
//! - **T3** `reached` moves over no pending deadline: it enters a slot only while that slot's line is emptied.
//! - **T4** A bit of `slots` is set exactly while that line has waiters; a bit of `levels` while that level has.
//! - **T5** `earliest[line]` is no later than any deadline in that line.
//! - **T6** `armed` is no earlier than the instant which the driver holds or is being given; each pending deadline is no
//!   earlier than `armed`, but for those whose `arm` or `turn` is under way.

use super::Clock;
use super::instant::Instant;
use crate::sys::kept::Kept;
use crate::sys::probe::Access;
use crate::sys::{Reading, WHEEL_BITS as BITS};
use crate::wait::{Batch, Departure, Hall, Held, Line, Place, Seat, Waiter};
use alloc::boxed::Box;
use core::task::Waker;

const SLOTS: usize = 1 << BITS;
const LEVELS: usize = 64_usize.div_ceil(BITS as usize);
const DUE: usize = SLOTS * LEVELS;

pub(crate) type Wheel = Hall<Timers>;
pub(crate) type Timer = Waiter<Timers, Kept<Wheel>>;

/// What waits in a wheel.
pub(crate) struct Timers;

pub(crate) struct State {
    pub(super) reached: u64,
    pub(super) armed: u64,
    levels: u16,
    slots: [u64; LEVELS],
    earliest: [u64; DUE],
    pending: usize,
    drawn: u64,
}

impl Place for Timers {
    type State = State;
    type Shared = Source;
    /// The deadline.
    type Slot = u64;
    type Lines = [Line<u64>; DUE + 1];
    const PASSES_ON: bool = false;
    /// Timers are registered, moved and cancelled each for itself; who turns the wheel touches all of them.
    const ACCESS: Access = Access::Commute;

    fn left(held: &mut Held<'_, Self>, departure: Departure, _: &mut u64, _: &mut Batch) {
        if let Departure::Line(line) = departure {
            held.state.pending -= 1;
            held.emptied(line);
        }
    }
}

/// A clock, and how it is read.
pub(crate) struct Source {
    /// If not by the clock itself, the same without a detour.
    reading: Reading,
    clock: Box<dyn Clock>,
}

impl Source {
    pub(super) fn new(reading: Reading, clock: impl Clock) -> Self {
        Self { reading, clock: Box::new(clock) }
    }

    pub(super) fn reading(&self) -> &Reading {
        &self.reading
    }

    #[inline]
    pub(super) fn now(&self) -> Instant {
        match self.reading.nanos() {
            Some(nanos) => Instant::from_nanos(nanos),
            None => self.clock.now(),
        }
    }
}

/// A wheel that has reached `now`.
pub(crate) fn wheel(source: Source, now: u64) -> Kept<Wheel> {
    let state = State {
        reached: now,
        armed: u64::MAX,
        levels: 0,
        slots: [0; LEVELS],
        earliest: [u64::MAX; DUE],
        pending: 0,
        drawn: 0,
    };
    Kept::new(Hall::new(source, state, [const { Line::new() }; DUE + 1]))
}

impl State {
    /// A number that nobody else gets.
    pub(crate) fn draw(&mut self) -> u64 {
        self.drawn += 1;
        self.drawn
    }

    pub(crate) fn pending(&self) -> usize {
        self.pending
    }

    /// How many lines there are, the last being that of what is due; for tests.
    #[cfg(test)]
    pub(crate) fn lines(&self) -> usize {
        DUE + 1
    }

    /// What the bits say of `line`; for tests.
    #[cfg(test)]
    pub(crate) fn is_marked(&self, line: usize) -> bool {
        let (level, slot) = (line / SLOTS, line % SLOTS);
        let marked = self.slots[level] & (1 << slot) != 0;
        assert!(!marked || self.levels & (1 << level) != 0);
        assert_eq!(self.slots[level] != 0, self.levels & (1 << level) != 0);
        marked
    }

    /// The bound that is kept for `line`; for tests.
    #[cfg(test)]
    pub(crate) fn earliest(&self, line: usize) -> u64 {
        self.earliest[line]
    }

    /// Asks for a ringing at `at`, unless an earlier one is already due. True: the caller tells the clock, outside the lock.
    #[inline]
    fn claim(&mut self, at: u64) -> bool {
        let first = at < self.armed;
        if first {
            self.armed = at;
        }
        first
    }

    /// The line for `at` as T1 has it; notes that it has a waiter.
    #[inline]
    fn place(&mut self, at: u64) -> usize {
        if at <= self.reached {
            return DUE;
        }
        let level = ((63 - (at ^ self.reached).leading_zeros()) / BITS) as usize;
        let slot = (at >> (level as u32 * BITS)) as usize & (SLOTS - 1);
        let line = level * SLOTS + slot;
        if self.slots[level] & (1 << slot) == 0 {
            self.slots[level] |= 1 << slot;
            self.levels |= 1 << level;
            self.earliest[line] = at;
        } else if at < self.earliest[line] {
            self.earliest[line] = at;
        }
        line
    }

    /// The line of the earliest slot, with the instant at which the slot begins.
    #[inline]
    fn front(&self) -> Option<(usize, u64)> {
        if self.levels == 0 {
            return None;
        }
        let level = self.levels.trailing_zeros() as usize;
        let slot = self.slots[level].trailing_zeros() as usize;
        let shift = level as u32 * BITS;
        // The digits above this level are those of `reached`, by T1.
        let above = self.reached & u64::MAX.checked_shl(shift + BITS).unwrap_or(0);
        Some((level * SLOTS + slot, above | (slot as u64) << shift))
    }
}

impl Held<'_, Timers> {
    /// Takes note that a waiter left `line` (T4).
    #[inline]
    fn emptied(&mut self, line: usize) {
        if line != DUE && self.is_empty(line) {
            let (level, slot) = (line / SLOTS, line % SLOTS);
            self.state.slots[level] &= !(1 << slot);
            if self.state.slots[level] == 0 {
                self.state.levels &= !(1 << level);
            }
        }
    }

    /// No pending deadline is earlier; `u64::MAX` if none is pending.
    pub(crate) fn next(&self) -> u64 {
        if !self.is_empty(DUE) {
            return self.state.reached;
        }
        self.state.front().map_or(u64::MAX, |(line, _)| self.state.earliest[line])
    }

    /// The first pending deadline; `u64::MAX` if none is pending.
    pub(crate) fn earliest(&self) -> u64 {
        let line = if self.is_empty(DUE) { self.state.front().map(|(line, _)| line) } else { Some(DUE) };
        let mut earliest = u64::MAX;
        // By T2 no other line has an earlier one.
        if let Some(line) = line {
            self.each_of(line, |&at| earliest = earliest.min(at));
        }
        earliest
    }

    /// Grants what is due at `now` in order of (deadline, registration), until `batch` is full. True: more may be due.
    ///
    /// A slot that begins by `now` is dealt out to lower levels, as radix sort does; `reached` stays at its beginning
    /// until all of them have been granted.
    fn fire(&mut self, now: u64, batch: &mut Batch) -> bool {
        loop {
            while !self.is_empty(DUE) {
                if batch.is_full() {
                    return true;
                }
                self.grant(DUE, batch);
                self.state.pending -= 1;
            }
            let Some((line, begins)) = self.state.front().filter(|&(_, begins)| begins <= now) else {
                self.state.reached = self.state.reached.max(now);
                return false;
            };
            if self.is_single(line) {
                // The only one of its slot needs no dealing out.
                let at = *self.first(line).expect("a slot with its bit set has a waiter");
                if at > now {
                    self.state.reached = self.state.reached.max(now);
                    let to = self.state.place(at);
                    if to == line {
                        return false;
                    }
                    self.shift(line, to);
                } else if batch.is_full() {
                    return true;
                } else {
                    // As `DUE` is empty, it is the next, and need not go through it.
                    self.state.reached = at;
                    self.grant(line, batch);
                    self.state.pending -= 1;
                }
                self.emptied(line);
                continue;
            }
            self.state.reached = begins;
            while let Some(&mut at) = self.first(line) {
                let to = self.state.place(at);
                self.shift(line, to);
            }
            self.emptied(line);
        }
    }
}

crate::sys::with_sim! {
    impl Held<'_, Timers> {
        /// Goes back to `now`, as a new queue, if nothing waits. By T4 and T5 what is left in `earliest` says nothing then.
        pub(super) fn renew(&mut self, now: u64) -> bool {
            let empty = self.state.pending == 0;
            if empty {
                (self.state.reached, self.state.armed, self.state.drawn) = (now, u64::MAX, 0);
            }
            empty
        }
    }
}

/// What came of putting a timer into the wheel.
pub(crate) struct Registered {
    /// The clock is to be told.
    pub(crate) arm: bool,
    /// To be dropped outside the lock.
    pub(crate) old: Option<Waker>,
}

/// Puts a timer in the line of `at`, or grants it at once if `at` has been reached. One that waits gets the new waker,
/// one that is granted stays so.
#[inline]
pub(crate) fn register(seat: &mut Seat<'_, '_, Timers>, at: u64, waker: Waker) -> Registered {
    if seat.is_waiting() {
        return Registered { arm: false, old: seat.set_waker(waker) };
    }
    if seat.is_granted() || at <= seat.held.state.reached {
        seat.grant();
        return Registered { arm: false, old: Some(waker) };
    }
    let line = seat.held.state.place(at);
    *seat.slot() = at;
    seat.held.state.pending += 1;
    let old = seat.join(line, Some(waker));
    let arm = seat.held.state.claim(at);
    Registered { arm, old }
}

/// Moves a timer that waits to the line of `at`; one that was granted in between waits no more. True: the clock is to be
/// told.
#[inline]
pub(crate) fn replace(seat: &mut Seat<'_, '_, Timers>, at: u64) -> bool {
    if seat.accept() {
        return false;
    }
    let from = seat.line();
    let line = seat.held.state.place(at);
    *seat.slot() = at;
    let old = seat.join(line, None);
    debug_assert!(old.is_none());
    if from != Some(line) {
        from.into_iter().for_each(|from| seat.held.emptied(from));
    }
    seat.held.state.claim(at)
}

/// Tells the clock of `at`, or fires what is due if `at` has been reached.
#[cold]
pub(crate) fn kick(wheel: &Wheel, at: Instant) {
    /// Lets the next who registers tell the clock, should this call not come to it: a clock or a waker has panicked.
    struct Untold<'a>(&'a Wheel);
    impl Drop for Untold<'_> {
        fn drop(&mut self) {
            self.0.with(|held| held.state.armed = u64::MAX);
        }
    }
    let untold = Untold(wheel);
    let now = wheel.shared.now();
    let next = if at <= now { turn(wheel, now).0 } else { at };
    if !next.is_never() {
        wheel.shared.clock.arm(next);
    }
    core::mem::forget(untold);
}

/// Fires what is due at `now`. Gives the instant to arm with and how many were fired.
pub(crate) fn turn(wheel: &Wheel, now: Instant) -> (Instant, usize) {
    let mut next = u64::MAX;
    let mut fired = 0;
    let mut begun = false;
    wheel.touch(Access::Write);
    wheel.wake_all(|held, batch| {
        if !begun {
            // The driver has forgotten what it was given, so whoever registers between two batches tells it anew.
            held.state.armed = u64::MAX;
            begun = true;
        }
        let before = held.state.pending;
        let more = held.fire(now.as_nanos(), batch);
        fired += before - held.state.pending;
        if !more {
            next = held.next();
            held.state.armed = held.state.armed.min(next);
        }
        more
    });
    (Instant::from_nanos(next), fired)
}

#[cfg(all(test, not(wakeful_loom)))]
mod tests {
    use super::*;

    struct Still;
    impl Clock for Still {
        fn now(&self) -> Instant {
            Instant::EPOCH
        }
        fn arm(&self, _: Instant) {}
    }

    #[test]
    fn a_deadline_goes_to_the_line_of_its_highest_differing_digit() {
        let wheel = wheel(Source::new(Reading::Other, Still), 0);
        wheel.with(|held| {
            assert_eq!(held.state.place(0), DUE);
            assert_eq!(held.state.place(1), 1);
            assert_eq!(held.state.place(SLOTS as u64), SLOTS + 1);
            assert_eq!(held.state.place(u64::MAX - 1) / SLOTS, LEVELS - 1);
            assert_eq!(held.state.front(), Some((1, 1)));
        });
    }
}
