//! Where children note how they are woken.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::task::Waker;

/// Seats made at once: they are never moved, so growing costs no more than making them.
const ROW: usize = 64;

/// Numbered places for wakers.
#[derive(Default)]
pub(super) struct Seats {
    rows: Vec<Box<[Option<Waker>]>>,
    /// Seats that were given back.
    unused: Vec<u32>,
    /// Seats that were ever taken: the next new one.
    taken: u32,
}

impl Seats {
    /// Takes a seat.
    #[inline]
    pub(super) fn take(&mut self) -> u32 {
        if let Some(seat) = self.unused.pop() {
            return seat;
        }
        let seat = self.taken;
        if seat as usize == self.rows.len() * ROW {
            self.rows.push((0..ROW).map(|_| None).collect());
        }
        self.taken += 1;
        seat
    }

    /// Gives a seat back, and what was noted there.
    #[inline]
    pub(super) fn give_back(&mut self, seat: u32) -> Option<Waker> {
        self.unused.push(seat);
        self.at(seat).take()
    }

    /// What is noted at a seat that was taken.
    #[inline]
    pub(super) fn at(&mut self, seat: u32) -> &mut Option<Waker> {
        &mut self.rows[seat as usize / ROW][seat as usize % ROW]
    }

    /// How many seats there are.
    pub(super) fn count(&self) -> u32 {
        self.taken
    }
}

#[cfg(all(test, not(wakeful_loom)))]
mod tests {
    use super::*;

    #[test]
    fn seats_are_used_again_and_what_is_noted_stays_there() {
        let mut seats = Seats::default();
        let all: Vec<_> = (0..150).map(|_| seats.take()).collect();
        assert_eq!((all, seats.count()), ((0..150).collect(), 150));
        *seats.at(70) = Some(Waker::noop().clone());
        assert!(seats.give_back(3).is_none() && seats.give_back(70).is_some());
        assert_eq!((seats.take(), seats.take(), seats.take(), seats.count()), (70, 3, 150, 151));
        assert!(seats.at(70).is_none());
    }
}
