//! Who there is in a run whose workers are tasks.

use super::idle::Idle;
use super::width;
use crate::spawn::Panic;
use alloc::vec::Vec;
use core::num::NonZeroUsize;
use core::task::Waker;
use core::time::Duration;

/// How many are hired at once, at most: nobody else comes before all of these have asked for an item.
pub(super) const AT_ONCE: usize = 64;

/// Who there is, and how many there are to be.
pub(super) struct Crowd {
    /// By the number of the worker.
    seats: Vec<Seat>,
    /// Which of them are free.
    free: Idle,
    present: usize,
    /// Those of them who do not leave.
    staying: usize,
    most: usize,
    /// How many are still to come, of those that there are to be since that was last said.
    openings: usize,
    /// For how many of these somebody is to be hired now.
    due: usize,
    /// How many were hired, and have not asked for an item yet.
    coming: usize,
    /// How many items have ended by themselves, and how long they took together, in nanoseconds.
    ended: (u64, u128),
    pub(super) panic: Option<Panic>,
    /// Who waits for all to be gone, and hires others meanwhile.
    waiter: Option<Waker>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Seat {
    Free,
    /// It has not asked for an item yet.
    Comes,
    Stays,
    /// It has nothing any more, and is as good as gone.
    Leaves,
}

impl Crowd {
    pub(super) fn new(most: NonZeroUsize) -> Self {
        let most = most.get();
        Self {
            seats: Vec::new(),
            free: Idle::new(),
            present: 0,
            staying: 0,
            most,
            openings: most,
            due: most.min(AT_ONCE),
            coming: 0,
            ended: (0, 0),
            panic: None,
            waiter: None,
        }
    }

    /// The number of one who is to come now, if somebody is. Nobody comes in place of one who was lost.
    pub(super) fn hire(&mut self) -> Option<usize> {
        self.due = self.due.checked_sub(1)?;
        self.openings -= 1;
        let number = self.free.first().unwrap_or_else(|| {
            self.seats.push(Seat::Free);
            self.free.insert(self.seats.len() - 1);
            self.seats.len() - 1
        });
        self.free.remove(number);
        self.seats[number] = Seat::Comes;
        self.coming += 1;
        self.present += 1;
        self.staying += 1;
        Some(number)
    }

    /// This one has asked for an item.
    pub(super) fn came(&mut self, number: usize) {
        if self.seats[number] == Seat::Comes {
            self.seats[number] = Seat::Stays;
            self.coming -= 1;
        }
    }

    /// Whether there are to be more than there are.
    pub(super) fn has_openings(&self) -> bool {
        self.openings > 0
    }

    /// P6. Whoever has asked for an item has one. Who is to hire others, if that was not said before.
    pub(super) fn all_busy(&mut self) -> Option<Waker> {
        if self.coming > 0 || self.due > 0 { None } else { self.call() }
    }

    fn call(&mut self) -> Option<Waker> {
        self.due = self.openings.min(AT_ONCE);
        if self.due > 0 { self.waiter.take() } else { None }
    }

    /// Whether somebody is to leave.
    pub(super) fn is_too_many(&self) -> bool {
        self.staying > self.most
    }

    /// P5. Whether this one, who has nothing, is to leave.
    pub(super) fn excuse(&mut self, number: usize) -> bool {
        self.came(number);
        if self.seats[number] == Seat::Stays && self.is_too_many() {
            self.seats[number] = Seat::Leaves;
            self.staying -= 1;
        }
        self.seats[number] == Seat::Leaves
    }

    /// This one is gone. Who is to be told, if it was the last one.
    pub(super) fn gone(&mut self, number: usize) -> Option<Waker> {
        self.came(number);
        let seat = core::mem::replace(&mut self.seats[number], Seat::Free);
        self.free.insert(number);
        self.staying -= usize::from(seat == Seat::Stays);
        self.present -= 1;
        if self.present == 0 { self.waiter.take() } else { None }
    }

    /// So many there are to be from now on.
    pub(super) fn resize(&mut self, most: NonZeroUsize) -> Resized {
        self.most = most.get();
        self.openings = self.most.saturating_sub(self.staying);
        let waiter = self.call();
        if self.openings > 0 { Resized::TooFew(waiter) } else { Resized::Enough }
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
        self.due = self.due.min(left);
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
