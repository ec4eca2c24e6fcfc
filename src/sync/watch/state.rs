//! What the lock guards.
//!
//! # Invariants
//!
//! - **V1** `version` counts the values that were sent. A receiver waits for a later version than it has seen, and joins the
//!   line with the present one.
//! - **V2** A value enters as an `Arc` that was made before, and leaves as one that is dropped after the lock was held.
//! - **V3** Receivers and senders are counted by atomics; the last sender, and the last receiver, to go takes the lock to say
//!   so. Receivers may come again, senders not: `desertions` counts how often there was none under the lock, and a sender
//!   waits for a later number than the one with which it joined.

use super::super::line;
use super::Snapshot;
use crate::sys::atomic::{AtomicUsize, Ordering};
use crate::sys::thread::contain;
use crate::sys::{Arc, probe};
use crate::wait::{Batch, Departure, Hall, Held, Line, Place};
use core::marker::PhantomData;

/// The line of receivers that wait for a newer value.
pub(super) const CHANGED: usize = 0;
/// The line of senders that wait until no receiver is left.
pub(super) const CLOSED: usize = 1;

/// The version that a receiver has seen who has seen none: it waits for nothing (V1), as no value has it.
pub(super) const UNSEEN: u64 = u64::MAX;

/// What is watched.
pub(super) struct Latest<T>(PhantomData<T>);

pub(super) type Watched<T> = Hall<Latest<T>>;

pub(super) struct Shared {
    pub(super) senders: AtomicUsize,
    pub(super) receivers: AtomicUsize,
    pub(super) id: probe::Id,
}

pub(super) struct State<T> {
    value: Arc<T>,
    version: u64,
    /// No sender is left.
    ended: bool,
    pub(super) desertions: u64,
}

impl<T> Place for Latest<T> {
    type State = State<T>;
    type Shared = Shared;
    /// The version, or the number of desertions, at which this one joined.
    type Slot = u64;
    type Lines = [Line<u64>; 2];
    const PASSES_ON: bool = false;

    fn left(_: &mut Held<'_, Self>, _: Departure, _: &mut u64, _: &mut Batch) {}
}

#[track_caller]
pub(super) fn watched<T>(value: T) -> Arc<Watched<T>> {
    let state = State { value: Arc::new(value), version: 0, ended: false, desertions: 0 };
    let shared = Shared { senders: AtomicUsize::new(1), receivers: AtomicUsize::new(1), id: probe::Id::new() };
    Arc::new(Hall::new(shared, state, [Line::new(), Line::new()]))
}

impl<T> Held<'_, Latest<T>> {
    /// The latest value and its version.
    pub(super) fn latest(&self) -> (Snapshot<T>, u64) {
        (Snapshot(self.state.value.clone()), self.state.version)
    }

    pub(super) fn version(&self) -> u64 {
        self.state.version
    }

    /// What a receiver that has seen version `seen` is told: a newer value, or that there will be none.
    pub(super) fn newer(&self, seen: u64) -> Option<Option<(Snapshot<T>, u64)>> {
        match self.state {
            _ if self.state.version != seen => Some(Some(self.latest())),
            State { ended: true, .. } => Some(None),
            _ => None,
        }
    }
}

impl<T> Hall<Latest<T>> {
    pub(super) fn latest(&self) -> (Snapshot<T>, u64) {
        self.read(|held| held.latest())
    }

    /// Makes `value` the latest if the version is still `expected`, or whatever it is. The one that it replaces, or `value`.
    pub(super) fn replace(&self, value: Arc<T>, expected: Option<u64>) -> Result<Snapshot<T>, Arc<T>> {
        let mut first = None;
        let replaced = self.with(|held| {
            if expected.is_some_and(|expected| expected != held.state.version) {
                return Err(value);
            }
            let old = core::mem::replace(&mut held.state.value, value);
            held.state.version += 1;
            let until = held.state.version;
            Ok((old, until, line::let_go(held, CHANGED, until, &mut first)))
        });
        let (old, until, more) = replaced?;
        let old = Snapshot(old);
        line::wake(self, first, more, |held, batch| line::let_go(held, CHANGED, until, batch));
        Ok(old)
    }

    /// Tells receivers that no sender is left (V3). Lets no waker's panic out.
    pub(super) fn end(&self) {
        let end = || {
            self.wake_to_end(|held, batch| {
                held.state.ended = true;
                line::let_go(held, CHANGED, u64::MAX, batch)
            });
        };
        contain(end);
    }

    /// Whether no receiver is left.
    pub(super) fn is_deserted(&self) -> bool {
        // Relaxed: whoever was told that the last is gone reads this count or a later one.
        self.look().receivers.load(Ordering::Relaxed) == 0
    }

    /// Tells senders that no receiver is left, unless one has come since (V3). Lets no waker's panic out.
    pub(super) fn desert(&self) {
        let mut until = None;
        let desert = || {
            self.wake_to_end(|held, batch| {
                let until = *until.get_or_insert_with(|| {
                    held.state.desertions += u64::from(self.is_deserted());
                    held.state.desertions
                });
                line::let_go(held, CLOSED, until, batch)
            });
        };
        contain(desert);
    }
}
