//! Who there is in a run whose workers are tasks.

use super::width;
use crate::spawn::Panic;
use alloc::vec::Vec;
use core::num::NonZeroUsize;
use core::task::Waker;
use core::time::Duration;

/// Who there is, and how many there are to be.
pub(super) struct Crowd {
    /// By the number of the worker.
    seats: Vec<Seat>,
    present: usize,
    /// Those of them who do not leave.
    staying: usize,
    most: usize,
    /// How many are still to come, of those that there are to be since that was last said.
    openings: usize,
    /// How many items have ended by themselves, and how long they took together, in nanoseconds.
    ended: (u64, u128),
    pub(super) panic: Option<Panic>,
    /// Who waits for all to be gone, and hires others meanwhile.
    waiter: Option<Waker>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Seat {
    Free,
    Stays,
    /// It has nothing any more, and is as good as gone.
    Leaves,
}

impl Crowd {
    pub(super) fn new(most: NonZeroUsize) -> Self {
        let most = most.get();
        Self {
            seats: Vec::new(),
            present: 0,
            staying: 0,
            most,
            openings: most,
            ended: (0, 0),
            panic: None,
            waiter: None,
        }
    }

    /// The number of one who is to come, if there is to be one more. Nobody comes in place of one who was lost.
    pub(super) fn hire(&mut self) -> Option<usize> {
        self.openings = self.openings.checked_sub(1)?;
        let free = self.seats.iter().position(|seat| *seat == Seat::Free);
        let number = free.unwrap_or_else(|| {
            self.seats.push(Seat::Free);
            self.seats.len() - 1
        });
        self.seats[number] = Seat::Stays;
        self.present += 1;
        self.staying += 1;
        Some(number)
    }

    /// Whether somebody is to leave.
    pub(super) fn is_too_many(&self) -> bool {
        self.staying > self.most
    }

    /// P5. Whether this one, who has nothing, is to leave.
    pub(super) fn excuse(&mut self, number: usize) -> bool {
        if self.seats[number] == Seat::Stays && self.is_too_many() {
            self.seats[number] = Seat::Leaves;
            self.staying -= 1;
        }
        self.seats[number] == Seat::Leaves
    }

    /// This one is gone. Who is to be told, if it was the last one.
    pub(super) fn gone(&mut self, number: usize) -> Option<Waker> {
        let seat = core::mem::replace(&mut self.seats[number], Seat::Free);
        self.staying -= usize::from(seat == Seat::Stays);
        self.present -= 1;
        if self.present == 0 { self.waiter.take() } else { None }
    }

    /// So many there are to be from now on.
    pub(super) fn resize(&mut self, most: NonZeroUsize) -> Resized {
        self.most = most.get();
        self.openings = self.most.saturating_sub(self.staying);
        if self.openings > 0 { Resized::TooFew(self.waiter.take()) } else { Resized::Enough }
    }

    /// An item has ended by itself. Resizes, so that what is `left` is done in the `time` that is.
    pub(super) fn took(&mut self, took: Duration, left: usize, time: Duration, most: NonZeroUsize) -> Resized {
        let (ended, total) = &mut self.ended;
        (*ended, *total) = (*ended + 1, total.saturating_add(took.as_nanos()));
        let mean = *total / u128::from(*ended);
        // Whoever else is here may have begun an item just now.
        let needed = width::needed(left.saturating_add(self.staying.saturating_sub(1)), mean, time, most);
        let resized = self.resize(needed);
        self.openings = self.openings.min(left);
        resized
    }

    /// Whether all are gone; if not, the waker is kept, and the one before it comes back.
    pub(super) fn poll_gone(&mut self, waker: &mut Option<Waker>) -> (bool, Option<Waker>) {
        match self.present {
            0 => (true, None),
            _ => (false, core::mem::replace(&mut self.waiter, waker.take())),
        }
    }
}

/// What is to be done now that there are to be more, or fewer.
pub(super) enum Resized {
    /// Others are to be hired, by who is woken by this.
    TooFew(Option<Waker>),
    /// Nobody is to come; those who have nothing to do are to see whether they are too many.
    Enough,
}
