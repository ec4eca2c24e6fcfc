//! Futures that are polled by hand, with wakers that count.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Counts its wake-ups.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A future with its number in the model.
pub(crate) struct Waiting<F: ?Sized> {
    pub(crate) who: u64,
    count: Arc<Count>,
    pub(crate) future: Pin<Box<F>>,
}

impl<F: Future + ?Sized> Waiting<F> {
    pub(crate) fn new(who: u64, future: Pin<Box<F>>) -> Self {
        Self { who, count: Arc::default(), future }
    }

    /// Polls, with the waker of the last time or with a new one.
    pub(crate) fn poll(&mut self, new_waker: bool) -> Poll<F::Output> {
        if new_waker {
            self.count = Arc::default();
        }
        self.future.as_mut().poll(&mut Context::from_waker(&Waker::from(self.count.clone())))
    }

    /// Whether the waker of the last poll was woken since this was last asked.
    pub(crate) fn was_woken(&self) -> bool {
        self.count.0.swap(0, Ordering::Relaxed) > 0
    }
}

/// How far a reservation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Waits,
    Held,
    Spend(u32),
}

/// Holds what was reserved until it is told how much of it to spend.
pub(crate) async fn spending(phase: &Cell<Phase>) -> u32 {
    phase.set(Phase::Held);
    poll_fn(|_| match phase.get() {
        Phase::Spend(permits) => Poll::Ready(permits),
        _ => Poll::Pending,
    })
    .await
}

/// So many places for futures, as an operation's byte names them.
pub(crate) type Places<F> = [Option<Waiting<F>>; 6];

/// The place that `at` names.
pub(crate) fn place<F: ?Sized>(places: &mut Places<F>, at: u8) -> &mut Option<Waiting<F>> {
    &mut places[usize::from(at) % 6]
}

/// Asserts that of the futures in `places` those were woken that are in `expected`, in whatever order.
#[track_caller]
pub(crate) fn assert_woken<F: Future + ?Sized>(places: &Places<F>, expected: &[u64]) {
    for waiting in places.iter().flatten() {
        let who = waiting.who;
        assert_eq!(waiting.was_woken(), expected.contains(&who), "future {who}, of {expected:?} that must be woken");
    }
}
