//! A call that was let through.

use super::handle::Shared;
use crate::resilience::retry::Verdict;
use crate::sys::thread::{contain, is_panicking};
use crate::time::Instant;
use core::error::Error;
use core::fmt;

/// What a call says about a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mark {
    /// It does what it should.
    Success,
    /// It does not.
    Failure,
}

/// The breaker lets nobody through.
///
/// As the [`Verdict`] on an error it asks to wait until it does: a breaker that somebody opened by hand ends a retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CircuitOpen {
    /// When to come back: at the end of the open time, or never if it was opened by hand. The present, if it is half-open with as
    /// many probes as there may be.
    pub retry_at: Instant,
}

impl From<CircuitOpen> for Verdict {
    fn from(open: CircuitOpen) -> Self {
        Self::NotBefore(open.retry_at)
    }
}

impl fmt::Display for CircuitOpen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the circuit breaker is open, to come back at {}", self.retry_at)
    }
}

impl Error for CircuitOpen {}

/// By what a call that is dropped without a word is known to have panicked.
#[derive(Clone, Copy)]
pub(super) enum Panics {
    /// Its future is being polled.
    InPoll(bool),
    /// The thread is panicking, and was not (or was) when it began.
    OnThread(bool),
}

impl Panics {
    pub(super) fn on_this_thread() -> Self {
        Self::OnThread(is_panicking())
    }

    fn is_now(self) -> bool {
        match self {
            Self::InPoll(running) => running,
            Self::OnThread(already) => !already && is_panicking(),
        }
    }
}

/// A call that a [`CircuitBreaker`](super::CircuitBreaker) has let through; made by
/// [`admit`](super::CircuitBreaker::admit).
///
/// Dropped without a word it is not counted, and a probe is given back. Dropped by a panic, with `std`, it is a failure.
#[must_use = "dropped, it is not counted"]
pub struct Call<'a> {
    breaker: &'a Shared,
    generation: usize,
    started: Instant,
    pub(super) panics: Panics,
}

impl<'a> Call<'a> {
    #[inline]
    pub(super) fn new(breaker: &'a Shared, generation: usize, started: Instant, panics: Panics) -> Self {
        Self { breaker, generation, started, panics }
    }

    /// It is over, and says this about the service.
    #[inline]
    pub fn end(self, mark: Mark) {
        let Self { breaker, generation, started, .. } = self;
        core::mem::forget(self);
        breaker.record(generation, started, mark == Mark::Failure);
    }

    /// It is over, and says nothing.
    pub(super) fn give_up(self) {
        let Self { breaker, generation, .. } = self;
        core::mem::forget(self);
        breaker.give_back(generation);
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        // A second panic, of the listener's, would be the end of the process.
        if self.panics.is_now() {
            contain(|| self.breaker.record(self.generation, self.started, true));
        } else {
            contain(|| self.breaker.give_back(self.generation));
        }
    }
}

impl fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("generation", &self.generation).finish_non_exhaustive()
    }
}
