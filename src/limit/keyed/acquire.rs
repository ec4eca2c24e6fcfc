//! The future of acquiring for a key.

use super::keys::Keys;
use super::reserve::ReserveKey;
use super::turn::KeyTurn;
use crate::cancel::Deadline;
use crate::limit::decide::Algorithm;
use crate::limit::error::AcquireError;
use crate::limit::gcra::Gcra;
use crate::sys::Arc;
use core::fmt;
use core::future::Future;
use core::hash::{BuildHasher, Hash};
use core::pin::Pin;
use core::task::{Context, Poll};
use foldhash::fast::RandomState;
use pin_project_lite::pin_project;

pin_project! {
    /// Waits for permits for a key; made by [`KeyedLimiter::acquire`], [`KeyedLimiter::acquire_before`] and
    /// [`KeyedLimiter::acquire_in`].
    ///
    /// # Time
    /// Ready at the instant at which the key's limit allows it, to the nanosecond in virtual time, else as late as timers are.
    ///
    /// # Fairness
    /// For each key first come, first served, counted from the first poll.
    ///
    /// # Cancel safety
    /// Dropping it before it is ready takes no permits: its place in line is given up, permits that it was granted go back,
    /// and those behind it move forward at once. Permits of one that was ready have been spent.
    ///
    /// # Panics
    /// If it is polled after it was ready.
    #[must_use = "nothing is acquired unless this is awaited"]
    pub struct AcquireKey<'a, K, A: Algorithm = Gcra, S = RandomState> {
        #[pin]
        turn: KeyTurn<'a, K, A, S>,
    }
}

impl<'a, K, A: Algorithm, S> AcquireKey<'a, K, A, S> {
    pub(super) fn new(keys: &'a Arc<Keys<K, A, S>>, key: K, permits: u32, deadline: Deadline) -> Self {
        Self { turn: KeyTurn::new(keys, key, permits, deadline) }
    }

    /// The same wait, for permits that may be given back. For one that was not polled yet.
    pub fn reserving(self) -> ReserveKey<'a, K, A, S> {
        ReserveKey::new(self.turn.returning())
    }
}

impl<K: Hash + Eq, A: Algorithm, S: BuildHasher> Future for AcquireKey<'_, K, A, S> {
    type Output = Result<(), AcquireError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().turn.poll(cx).map_ok(|_| ())
    }
}

impl<K, A: Algorithm, S> fmt::Debug for AcquireKey<'_, K, A, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AcquireKey").field(&self.turn).finish()
    }
}
