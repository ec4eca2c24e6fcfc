//! References that keep no queue open.

use super::kind::{Fifo, Kind};
use super::receiver::Receiver;
use super::sender::Sender;
use super::state::{self, Queue};
use crate::sys::Arc;
use crate::sys::atomic::{AtomicUsize, Ordering};
use crate::sys::probe::Access;
use core::fmt;

/// Refers to a queue without keeping it open; made by [`Sender::downgrade`].
pub struct WeakSender<T, K: Kind<T> = Fifo> {
    queue: Arc<Queue<T, K>>,
}

/// Refers to a queue without keeping it from being deserted; made by [`Receiver::downgrade`].
pub struct WeakReceiver<T, K: Kind<T> = Fifo> {
    queue: Arc<Queue<T, K>>,
}

impl<T, K: Kind<T>> WeakSender<T, K> {
    pub(super) fn of(queue: &Arc<Queue<T, K>>) -> Self {
        Self { queue: queue.clone() }
    }

    /// A sender, unless the last one is gone.
    #[must_use]
    pub fn upgrade(&self) -> Option<Sender<T, K>> {
        self.queue.touch(Access::Write);
        count_one_more(&self.queue.shared.senders).then(|| Sender::counted(self.queue.clone()))
    }
}

impl<T, K: Kind<T>> WeakReceiver<T, K> {
    pub(super) fn of(queue: &Arc<Queue<T, K>>) -> Self {
        Self { queue: queue.clone() }
    }

    /// A receiver, unless the last one is gone.
    #[must_use]
    pub fn upgrade(&self) -> Option<Receiver<T, K>> {
        self.queue.touch(Access::Write);
        count_one_more(&self.queue.shared.receivers).then(|| Receiver::counted(self.queue.clone()))
    }
}

/// Adds one to a count that is not zero. False: it is, for good.
fn count_one_more(count: &AtomicUsize) -> bool {
    // Relaxed: only the count matters, and zero is final.
    let more = |n: usize| n.checked_sub(1).map(|_| n + 1);
    count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
}

impl<T, K: Kind<T>> Clone for WeakSender<T, K> {
    fn clone(&self) -> Self {
        Self::of(&self.queue)
    }
}

impl<T, K: Kind<T>> Clone for WeakReceiver<T, K> {
    fn clone(&self) -> Self {
        Self::of(&self.queue)
    }
}

impl<T, K: Kind<T>> fmt::Debug for WeakSender<T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        state::debug(&self.queue, f.debug_struct("WeakSender"))
    }
}

impl<T, K: Kind<T>> fmt::Debug for WeakReceiver<T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        state::debug(&self.queue, f.debug_struct("WeakReceiver"))
    }
}
