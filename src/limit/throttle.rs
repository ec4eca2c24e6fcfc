//! Streams whose items come no faster than a limit allows.

use super::decide::Algorithm;
use super::gcra::Gcra;
use super::limiter::Limiter;
use super::state::Gate;
use super::turn::Turn;
use crate::cancel::Deadline;
use crate::sys::Arc;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use futures_core::stream::{FusedStream, Stream};
use pin_project_lite::pin_project;

impl<A: Algorithm> Limiter<A> {
    /// The items of `stream`, one permit each: see [`Throttled`].
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroU32;
    /// use core::time::Duration;
    /// use futures::{StreamExt, stream};
    /// use wakeful::limit::{Limiter, Quota};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let limiter = Limiter::new(&sim.time(), Quota::per_second(NonZeroU32::new(10).unwrap()));
    ///     let start = sim.now();
    ///     let mut letters = Box::pin(limiter.throttle(stream::iter("abc".chars())));
    ///     for (letter, at) in [('a', 0), ('b', 100), ('c', 200)] {
    ///         assert_eq!(letters.next().await, Some(letter));
    ///         assert_eq!(sim.now() - start, Duration::from_millis(at));
    ///     }
    ///     assert_eq!(letters.next().await, None);
    /// });
    /// ```
    pub fn throttle<S: Stream>(&self, stream: S) -> Throttled<S, A> {
        Throttled { stream, item: None, turn: None, gate: self.gate.clone() }
    }
}

pin_project! {
    /// A stream whose items come no faster than a limiter allows; made by [`Limiter::throttle`].
    ///
    /// It takes an item from the stream first, and then waits for a permit to hand it out: so none is spent on a stream that has
    /// nothing to give, and none is saved up in it. Several may share a limiter, with each other and with those who acquire.
    ///
    /// Whoever reads it is held back; there is always one item at most that waits in it. So it waits also for a
    /// [`LeakyQueue`](super::LeakyQueue) in which there is no room.
    ///
    /// # Time
    /// As that of [`Acquire`](super::Acquire).
    ///
    /// # Fairness
    /// Each item waits as an `Acquire` would that is polled for the first time when the stream gives the item.
    ///
    /// # Cancel safety
    /// A future of its next item may be dropped: the item and its place in line stay. Dropping the stream itself drops the item
    /// that waits, if there is one, and gives its place or its permit back; [`take_waiting`](Throttled::take_waiting) hands it
    /// out.
    #[must_use = "streams do nothing unless they are polled"]
    pub struct Throttled<S: Stream, A: Algorithm = Gcra> {
        #[pin]
        stream: S,
        item: Option<S::Item>,
        #[pin]
        turn: Option<Turn<A, Arc<Gate<A>>>>,
        gate: Arc<Gate<A>>,
    }
}

impl<S: Stream, A: Algorithm> Throttled<S, A> {
    /// The stream.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// Takes the item that waits for its permit, if there is one, and gives its place up.
    pub fn take_waiting(self: Pin<&mut Self>) -> Option<S::Item> {
        let mut this = self.project();
        this.turn.set(None);
        this.item.take()
    }
}

impl<S: Stream, A: Algorithm> Stream for Throttled<S, A> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let mut this = self.project();
        if this.item.is_none() {
            let Some(item) = ready!(this.stream.poll_next(cx)) else { return Poll::Ready(None) };
            *this.item = Some(item);
            this.turn.set(Some(Turn::new(this.gate.clone(), 1, Deadline::Never).patient()));
        }
        if let Some(turn) = this.turn.as_mut().as_pin_mut() {
            // One permit is never more than a burst, and there is no deadline.
            let granted = ready!(turn.poll(cx));
            debug_assert!(granted.is_ok(), "{granted:?}");
            this.turn.set(None);
        }
        Poll::Ready(this.item.take())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let held = usize::from(self.item.is_some());
        let (low, high) = self.stream.size_hint();
        (low.saturating_add(held), high.and_then(|high| high.checked_add(held)))
    }
}

impl<S: FusedStream, A: Algorithm> FusedStream for Throttled<S, A> {
    fn is_terminated(&self) -> bool {
        self.item.is_none() && self.stream.is_terminated()
    }
}

impl<S: Stream + fmt::Debug, A: Algorithm> fmt::Debug for Throttled<S, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Throttled")
            .field("stream", &self.stream)
            .field("waits", &self.item.is_some())
            .finish_non_exhaustive()
    }
}
