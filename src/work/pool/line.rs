//! The workers of a pool who have nothing to do, and how they are called.

use crate::sys::Arc;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::task::Waker;

/// What a worker is called by. Its wakers stay the same as long as it is there, so they are kept, and shared: so one is cloned
/// under a lock without a waker being cloned.
pub(super) struct Bell {
    /// There may be something to be had.
    pub(super) feed: Waker,
    /// The item that it works on was given up.
    pub(super) body: Waker,
}

/// Who waits, first come, first called.
pub(super) struct Line {
    /// By the number of the worker.
    seats: Vec<Seat>,
    standing: VecDeque<usize>,
    /// Who was called and has not come yet: as long as there is one, nobody else is called.
    called: Option<usize>,
}

#[derive(Default)]
struct Seat {
    bell: Option<Arc<Bell>>,
    is_standing: bool,
}

impl Line {
    pub(super) fn new() -> Self {
        Self { seats: Vec::new(), standing: VecDeque::new(), called: None }
    }

    /// A worker is there. The bell of one that had its number comes back.
    pub(super) fn enter(&mut self, number: usize, bell: Arc<Bell>) -> Option<Arc<Bell>> {
        if number >= self.seats.len() {
            self.seats.resize_with(number + 1, Seat::default);
        }
        self.seats[number].bell.replace(bell)
    }

    /// A worker comes, be it called or not, and waits no longer.
    pub(super) fn come(&mut self, number: usize) {
        if self.called == Some(number) {
            self.called = None;
        }
        if self.seats.get(number).is_some_and(|seat| seat.is_standing) {
            self.seats[number].is_standing = false;
            self.standing.retain(|other| *other != number);
        }
    }

    /// One who [came](Self::come) waits.
    pub(super) fn stand(&mut self, number: usize) {
        self.seats[number].is_standing = true;
        self.standing.push_back(number);
    }

    /// A worker is gone.
    pub(super) fn leave(&mut self, number: usize) -> Option<Arc<Bell>> {
        self.come(number);
        self.seats.get_mut(number).and_then(|seat| seat.bell.take())
    }

    /// The bell of a worker.
    pub(super) fn bell(&self, number: usize) -> Option<Arc<Bell>> {
        self.seats.get(number).and_then(|seat| seat.bell.clone())
    }

    /// Calls the first one, unless somebody is on the way.
    pub(super) fn call(&mut self) -> Option<Arc<Bell>> {
        if self.called.is_some() {
            return None;
        }
        self.called = self.standing.pop_front();
        let number = self.called?;
        self.seats[number].is_standing = false;
        self.bell(number)
    }

    /// Whether nobody waits, nor is on the way.
    pub(super) fn is_empty(&self) -> bool {
        self.called.is_none() && self.standing.is_empty()
    }

    /// Calls all.
    pub(super) fn call_all(&mut self) -> Vec<Arc<Bell>> {
        let all = core::mem::take(&mut self.standing);
        self.called = None;
        all.into_iter()
            .filter_map(|number| {
                self.seats[number].is_standing = false;
                self.bell(number)
            })
            .collect()
    }
}
