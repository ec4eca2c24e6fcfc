//! What is under a pool's lock.

use super::builder::Options;
use super::manage::Usage;
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// An object and what is known of it: in a box, so that handing it around moves a pointer, whatever its size.
pub(super) type Known<T> = Box<Record<T>>;

pub(super) struct Record<T> {
    pub(super) object: T,
    pub(super) usage: Usage,
}

pub(super) struct State<T> {
    /// The one that came back last is at the back.
    pub(super) idle: VecDeque<Known<T>>,
    /// R2.
    pub(super) size: usize,
    /// How many are being dropped.
    pub(super) leaving: usize,
    pub(super) max: usize,
    pub(super) waiting: usize,
    /// When the keeper next looks for objects that are too old; there is none at the beginning of time.
    looks_at: Instant,
    pub(super) closed: bool,
    pub(super) count: ResourceCount,
}

/// What somebody with a permit is to do.
pub(super) enum Turn<T> {
    /// Check it, and clean it.
    Reuse(Known<T>),
    /// Drop it, and ask again.
    TooOld(Known<T>),
    /// Make one: it counts already.
    Make,
    /// There are too many as it is.
    Wait,
    Closed,
}

/// What became of an object that came back.
pub(super) enum Put<T> {
    Kept,
    /// It is kept, and grows too old before the keeper looks again.
    Sooner,
    /// It is to be dropped.
    Surplus(Known<T>),
}

impl<T> State<T> {
    pub(super) fn new(max: usize) -> Self {
        let (idle, count) = (VecDeque::new(), ResourceCount::default());
        Self { idle, size: 0, leaving: 0, max, waiting: 0, looks_at: Instant::EPOCH, closed: false, count }
    }

    /// So many objects are about to be dropped, or given away.
    pub(super) fn leave(&mut self, objects: usize) {
        self.size -= objects;
        self.leaving += objects;
    }

    pub(super) fn is_gone(&self) -> bool {
        self.closed && self.size == 0 && self.leaving == 0
    }

    /// For whoever has a permit.
    pub(super) fn take(&mut self, options: &Options, now: Instant) -> Turn<T> {
        if self.closed {
            return Turn::Closed;
        }
        let next = if options.oldest_first { self.idle.pop_front() } else { self.idle.pop_back() };
        match next {
            Some(known) if options.expiry(&known.usage) <= now => {
                self.count.expired += 1;
                self.leave(1);
                Turn::TooOld(known)
            }
            Some(known) => {
                self.count.reused += 1;
                Turn::Reuse(known)
            }
            None => self.make(),
        }
    }

    /// As [`take`](Self::take), for whoever wants a new one.
    pub(super) fn make(&mut self) -> Turn<T> {
        match self.size < self.max {
            true => {
                self.size += 1;
                Turn::Make
            }
            false => Turn::Wait,
        }
    }

    /// An object comes back.
    #[inline]
    pub(super) fn put(&mut self, known: Known<T>, options: &Options) -> Put<T> {
        if self.closed || self.size > self.max {
            self.leave(1);
            return Put::Surplus(known);
        }
        let expiry = options.expiry(&known.usage);
        self.idle.push_back(known);
        match expiry < self.looks_at {
            true => {
                self.looks_at = expiry;
                Put::Sooner
            }
            false => Put::Kept,
        }
    }

    /// The idle ones that there are too many, the oldest first.
    pub(super) fn surplus(&mut self) -> Vec<Known<T>> {
        let surplus = self.size.saturating_sub(self.max).min(self.idle.len());
        self.leave(surplus);
        self.idle.drain(..surplus).collect()
    }

    /// All that are idle.
    pub(super) fn everything(&mut self) -> VecDeque<Known<T>> {
        self.leave(self.idle.len());
        core::mem::take(&mut self.idle)
    }

    /// For the keeper: the idle ones that are too old, and when the next will be.
    pub(super) fn expired(&mut self, options: &Options, now: Instant) -> (Vec<Known<T>>, Instant) {
        let (mut expired, mut next) = (Vec::new(), Instant::NEVER);
        for _ in 0..self.idle.len() {
            let Some(known) = self.idle.pop_front() else { break };
            let expiry = options.expiry(&known.usage);
            if expiry <= now {
                expired.push(known);
            } else {
                next = next.min(expiry);
                self.idle.push_back(known);
            }
        }
        self.looks_at = next;
        self.leave(expired.len());
        self.count.expired += expired.len() as u64;
        (expired, next)
    }

    pub(super) fn status(&self) -> ResourceStatus {
        let (idle, size) = (self.idle.len(), self.size);
        ResourceStatus { size, idle, in_use: size - idle, waiting: self.waiting, max_size: self.max }
    }
}

/// How many objects a pool has, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResourceStatus {
    /// Objects that there are, or that are being made.
    pub size: usize,
    /// Those that are idle.
    pub idle: usize,
    /// Those that are lent out, or are being made or checked.
    pub in_use: usize,
    /// Tasks that wait for their turn.
    pub waiting: usize,
    /// How many objects there may be. There are more for a time after a [`resize`](super::ResourcePool::resize) to fewer.
    pub max_size: usize,
}

/// What has happened in a pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResourceCount {
    /// Objects that were made.
    pub created: u64,
    /// Objects that could not be made: errors, timeouts, and those who gave up.
    pub not_created: u64,
    /// Times that an idle object was lent again.
    pub reused: u64,
    /// Objects that were not fit to be used again: by [`validate`](super::Manage::validate) or
    /// [`recycle`](super::Manage::recycle), which failed, took too long, or were cut short.
    pub invalid: u64,
    /// Objects that had become too old.
    pub expired: u64,
    /// Objects that came back [broken](super::Manage::is_broken), or were [discarded](super::Pooled::discard).
    pub broken: u64,
    /// Objects that were [taken out](super::Pooled::detach).
    pub detached: u64,
    /// Gets that did not have their turn in time.
    pub timed_out: u64,
}
