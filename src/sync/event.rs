//! Something that has happened, or has not.

use super::gate::{Gate, Wait, gate};
use crate::sys::Arc;
use crate::sys::atomic::Ordering;
use crate::sys::probe::Access;
use crate::wait::Hall;
use core::fmt;

/// A flag that tasks wait for: whoever waits is let go when it is set. Clones are the same event.
///
/// For "this has happened": started, configured, time to stop. The event stays set until it is [`reset`](Self::reset), so
/// whoever comes late goes on at once. For a signal that passes, and that nobody may need, take [`Notify`](super::Notify);
/// for a value that comes with it, [`oneshot`](super::oneshot) or [`watch`](super::watch).
///
/// # Fairness
/// All who wait are let go together.
///
/// # Examples
/// ```
/// use wakeful::sync::Event;
///
/// wakeful::sim::check(|sim| async move {
///     let ready = Event::new();
///     let seen = ready.clone();
///     let task = sim.spawn("waits", async move { seen.wait().await });
///     ready.set();
///     task.await;
///     ready.wait().await; // at once: it is still set
/// });
/// ```
#[derive(Clone)]
pub struct Event {
    gate: Arc<Hall<Gate>>,
}

impl Event {
    /// An event that is not set.
    #[track_caller]
    #[must_use]
    pub fn new() -> Self {
        Self { gate: gate(1, "event") }
    }

    /// Sets it and lets go whoever waits. Setting it twice is setting it once.
    ///
    /// Those who wait at this moment go on even if it is reset before they are polled.
    #[inline]
    pub fn set(&self) {
        self.gate.open(|count| {
            // Release: partner of the acquiring load of whoever finds it set.
            count.store(0, Ordering::Release);
            true
        });
    }

    /// Makes it unset again: whoever comes from now on waits for the next [`set`](Self::set). Says whether it was set.
    ///
    /// A task that resets the event and then looks for what was to be done sees all that was done before the event was
    /// last set, and is woken for the rest.
    ///
    /// # Examples
    /// ```
    /// use core::task::{Context, Waker};
    /// use std::pin::pin;
    /// use wakeful::sync::Event;
    ///
    /// let event = Event::new();
    /// let mut cx = Context::from_waker(Waker::noop());
    /// let mut early = pin!(event.wait());
    /// assert!(early.as_mut().poll(&mut cx).is_pending());
    /// event.set();
    /// assert!(event.reset());
    /// assert!(early.poll(&mut cx).is_ready()); // it waited when the event was set
    /// assert!(pin!(event.wait()).poll(&mut cx).is_pending());
    /// ```
    #[inline]
    pub fn reset(&self) -> bool {
        // Acquire: partner of the releasing store of the `set` that this undoes, whose doings are to be seen from here on.
        self.gate.touch(Access::Write);
        self.gate.shared.count.swap(1, Ordering::Acquire) == 0
    }

    /// Whether it is set.
    #[inline]
    pub fn is_set(&self) -> bool {
        self.gate.is_open()
    }

    /// Waits until it is set.
    #[inline]
    pub fn wait(&self) -> Wait<'_> {
        self.gate.wait()
    }
}

impl Default for Event {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").field("set", &self.is_set()).finish()
    }
}
