//! Streams of which some items are left out.

use super::pace::{Bursts, Pace, Periods, Samples, Verdict};
use crate::sys::probe;
use crate::time::{Instant, Sleep, Time};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use futures_core::stream::{FusedStream, Stream};
use pin_project_lite::pin_project;

/// How many items are taken from a stream before others of the executor have a turn.
pub(super) const BUDGET: usize = 1_024;

/// The last item of each burst, or the first, or both; made by [`FlowExt::debounce`](super::FlowExt::debounce).
pub type Debounced<S> = Paced<S, Bursts>;

/// At most one item a period; made by [`FlowExt::throttle`](super::FlowExt::throttle).
pub type Throttled<S> = Paced<S, Periods>;

/// The last item of each period, at its end; made by [`FlowExt::sample`](super::FlowExt::sample).
pub type Sampled<S> = Paced<S, Samples>;

pin_project! {
    /// The items of a stream that have their turn: a [`Debounced`], [`Throttled`] or [`Sampled`] stream.
    ///
    /// At most one item waits in it. It takes what the stream has as soon as it is polled, so nothing but the stream itself is ever
    /// held back; an item counts from the poll that takes it. When the stream ends, the item that waits is given at once.
    ///
    /// # Time
    /// Of the [`Time`] that it was made with. What is due at the instant at which another comes is given, not superseded.
    ///
    /// # Cancel safety
    /// A future of its next item may be dropped: the item that waits stays. Dropping the stream itself drops that item;
    /// [`take_waiting`](Paced::take_waiting) hands it out.
    #[must_use = "streams do nothing unless they are polled"]
    pub struct Paced<S: Stream, P> {
        // None: it has ended.
        #[pin]
        stream: Option<S>,
        pace: P,
        time: Time,
        waiting: Option<S::Item>,
        due: Instant,
        #[pin]
        timer: Option<Sleep>,
    }
}

impl<S: Stream, P: Pace> Paced<S, P> {
    #[inline]
    pub(super) fn new(stream: S, time: &Time, pace: P) -> Self {
        Self { stream: Some(stream), pace, time: time.clone(), waiting: None, due: Instant::NEVER, timer: None }
    }

    /// Takes the item that waits for its turn, if there is one: it is as if it had been cancelled.
    pub fn take_waiting(self: Pin<&mut Self>) -> Option<S::Item> {
        let mut this = self.project();
        this.timer.set(None);
        this.pace.withdrawn();
        this.pace.cancelled();
        this.waiting.take()
    }

    /// Lets the item that waits have its turn: the next poll gives it. False: none waits.
    pub fn flush(self: Pin<&mut Self>) -> bool {
        let this = self.project();
        *this.due = Instant::EPOCH;
        this.waiting.is_some()
    }
}

impl<S: Stream, P: Pace> Stream for Paced<S, P> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let mut this = self.project();
        for _ in 0..BUDGET {
            // What waits goes before an item by which it is displaced, or not at all: both are decided at one instant.
            let mut seen = None;
            if this.waiting.is_some() {
                let now = *seen.insert(this.time.now());
                if *this.due <= now {
                    this.timer.set(None);
                    this.pace.ran(now);
                    return Poll::Ready(this.waiting.take());
                }
            }
            let Some(stream) = this.stream.as_mut().as_pin_mut() else {
                this.timer.set(None);
                return Poll::Ready(this.waiting.take());
            };
            match stream.poll_next(cx) {
                Poll::Ready(Some(item)) => match this.pace.call(seen.unwrap_or_else(|| this.time.now())) {
                    Verdict::Run => return Poll::Ready(Some(item)),
                    Verdict::Skip => {}
                    Verdict::Wait(at) => {
                        *this.waiting = Some(item);
                        *this.due = at;
                    }
                },
                Poll::Ready(None) => this.stream.set(None),
                Poll::Pending if this.waiting.is_none() => return Poll::Pending,
                Poll::Pending => {
                    let due = *this.due;
                    match this.timer.as_mut().as_pin_mut() {
                        Some(timer) if timer.deadline() == due => {}
                        Some(timer) => timer.reset(due),
                        None => this.timer.set(Some(this.time.sleep_until(due))),
                    }
                    let timer = this.timer.as_mut().as_pin_mut();
                    if !timer.is_some_and(|timer| timer.poll(cx).is_ready()) {
                        probe::waiting("turn of an item", None, due.as_nanos());
                        return Poll::Pending;
                    }
                    // Due meanwhile: the next round gives it.
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let held = usize::from(self.waiting.is_some());
        let high = self.stream.as_ref().map_or(Some(0), |stream| stream.size_hint().1);
        (held, high.and_then(|high| high.checked_add(held)))
    }
}

impl<S: Stream, P: Pace> FusedStream for Paced<S, P> {
    fn is_terminated(&self) -> bool {
        self.stream.is_none() && self.waiting.is_none()
    }
}

impl<S: Stream, P> fmt::Debug for Paced<S, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Paced").field("waits", &self.waiting.is_some()).field("ended", &self.stream.is_none()).finish()
    }
}
