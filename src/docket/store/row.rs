//! A row of the ledger.

use super::types::{Ending, Fence, Generation, State};
use crate::sys::Arc;
use crate::time::Instant;
use alloc::string::String;
use core::cmp::Reverse;

/// The order in which rows are served: priority, due time, adding.
pub(super) type Rank = (Reverse<i32>, Instant, Generation);

/// Where a row is: each is in the index of its phase, and in no other.
#[derive(Debug)]
pub(super) enum Phase {
    /// In `future`, by its due time.
    Future,
    /// In `ready`, by name and rank. In the lines of its gates too, if it has waited before.
    Ready,
    /// In the lines of its gates; blocked at the one of this number.
    Parked(usize),
    /// In `leases`; it holds its gates.
    Running(Run),
    /// In `live`, behind what runs.
    Following,
    /// In `ended`, by the instant at which it is forgotten.
    Ended(Ending),
}

/// A run.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) worker: Arc<str>,
    pub(super) fence: Fence,
    pub(super) until: Instant,
    /// When it is to have ended, if somebody cancelled it.
    pub(super) cancelled: Option<Instant>,
}

impl Phase {
    /// As others see it at `now`, of a row that is due at `due`.
    pub(super) fn view(&self, due: Instant, now: Instant) -> State {
        match self {
            Self::Future if due > now => State::Future,
            Self::Future | Self::Ready => State::Queued,
            Self::Parked(_) => State::Waiting,
            Self::Running(run) => State::Running {
                worker: run.worker.as_ref().into(),
                fence: run.fence,
                until: run.until,
                cancelled: run.cancelled.is_some(),
            },
            Self::Following => State::Following,
            Self::Ended(ending) => State::Ended(ending.clone()),
        }
    }

    /// Who runs it; empty, if nobody does.
    pub(super) fn worker(&self) -> String {
        match self {
            Self::Running(run) => run.worker.as_ref().into(),
            _ => String::new(),
        }
    }
}
