//! Items of a stream worked on in order within a key, and side by side across keys.

use crate::spawn::Panic;
use crate::sys::arena::Arena;
use crate::sys::probe;
use crate::sys::thread::catch;
use crate::wait::Ready;
use crate::work::{DEFAULT_LOOK_AHEAD, Groups, PerKeyRest};
use core::fmt;
use core::future::Future;
use core::hash::Hash;
use core::num::NonZeroUsize;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use futures_core::stream::{FusedStream, Stream};
use pin_project_lite::pin_project;

/// How many items are pulled, and bodies polled, without a result, before others have a turn.
const BUDGET: u32 = 128;
/// How often one is polled in it that wakes itself.
const PASSES: u32 = 2;

pin_project! {
    /// What becomes of the items of a stream that is partitioned by key; made by [`FlowExt::partition_by`](super::FlowExt::partition_by).
    ///
    /// Each key with an item that is worked on has a lane. An item whose key has one is set aside until that one has ended, and those
    /// behind it go on; so the items of a key are worked on one at a time, and their results come, in the order of the stream. Results
    /// of different keys come as they are there.
    ///
    /// It is worked on by whoever reads it, and stands still while that one does something else. For
    /// [deadlines, retries, rates and accounts](crate::work) there is [`Work::per_key`](crate::work::Work::per_key).
    ///
    /// # Fairness
    /// Between two items that are started, each body is polled that was woken. Among items that were set aside, that goes first whose
    /// key has been free for longest; all of them go before what is still in the stream. After two rounds, or 128 items, without a
    /// result the task lets others have a turn.
    ///
    /// # Cancel safety
    /// A future of its next result may be dropped: what was begun goes on with the next one. Dropping the stream itself drops
    /// bodies that have begun, and items that are set aside; [`into_rest`](Partitioned::into_rest) hands out the latter.
    ///
    /// # Panics
    /// Passes on the panics of the stream, the key and the bodies. The item in question is dropped, the lane of a body that has
    /// panicked is free, and the stream remains usable.
    #[must_use = "streams do nothing unless they are polled"]
    pub struct Partitioned<S: Stream, F, G, B, Fut> {
        #[pin]
        stream: S,
        key: F,
        body: B,
        groups: Groups<G, S::Item>,
        bodies: Arena<Body<Fut>>,
        lanes: usize,
        pulled: u64,
        ready: Ready,
        // Wakes the one who reads the stream; number 0 of those who are no bodies.
        waker: Waker,
        // The stream may have something.
        is_due: bool,
        has_ended: bool,
    }
}

pin_project! {
    struct Body<Fut> {
        #[pin]
        running: Fut,
        group: usize,
    }
}

impl<S: Stream, F, G: Hash + Eq, B, Fut> Partitioned<S, F, G, B, Fut> {
    pub(super) fn new(stream: S, lanes: NonZeroUsize, key: F, body: B) -> Self {
        let ready = Ready::new();
        let waker = ready.control_waker(0);
        Self {
            stream,
            key,
            body,
            groups: Groups::new(1, DEFAULT_LOOK_AHEAD.get()),
            bodies: Arena::bounded(lanes.get()),
            lanes: lanes.get(),
            pulled: 0,
            ready,
            waker,
            is_due: true,
            has_ended: false,
        }
    }

    /// How many items are set aside at most, as many as of a [`PerKey`](crate::work::PerKey::DEFAULT_LOOK_AHEAD) unless set. When there are as many, nothing
    /// is pulled from the stream until a key of theirs is free.
    pub fn look_ahead(mut self, items: NonZeroUsize) -> Self {
        self.groups.set_look_ahead(items.get());
        self
    }

    /// How many lanes there are now, of which each works on an item.
    pub fn busy(&self) -> usize {
        self.bodies.len()
    }

    /// How many items wait for their lane.
    pub fn set_aside(&self) -> usize {
        self.groups.aside()
    }

    /// The items that wait for their lane, and the stream. Bodies that have begun are dropped.
    pub fn into_rest(self) -> PerKeyRest<S::Item, S> {
        let Self { stream, groups, .. } = self;
        PerKeyRest { set_aside: groups.into_aside(), rest: stream }
    }

    fn is_over(&self) -> bool {
        self.has_ended && self.bodies.len() == 0 && self.groups.aside() == 0
    }
}

impl<S, F, G, B, Fut> Partitioned<S, F, G, B, Fut>
where
    S: Stream,
    F: FnMut(&S::Item) -> G,
    G: Hash + Eq,
    B: FnMut(S::Item) -> Fut,
    Fut: Future,
{
    /// Starts the next item for which there is a lane, if there is one. The number of its body, which is to be polled.
    fn start(self: Pin<&mut Self>, budget: &mut u32) -> Option<usize> {
        let mut this = self.project();
        *this.is_due |= this.ready.take_control() != 0;
        if this.bodies.len() == *this.lanes {
            return None;
        }
        let mut called = this.groups.next_called();
        while called.is_none() && *this.is_due && !*this.has_ended && !this.groups.is_full() && *budget > 0 {
            match this.stream.as_mut().poll_next(&mut Context::from_waker(this.waker)) {
                Poll::Pending => *this.is_due = false,
                Poll::Ready(None) => *this.has_ended = true,
                Poll::Ready(Some(item)) => {
                    *budget -= 1;
                    *this.pulled += 1;
                    called = this.groups.admit((this.key)(&item), item, *this.pulled);
                }
            }
        }
        let called = called?;
        let running = match catch(|| (this.body)(called.item)) {
            Ok(running) => running,
            Err(payload) => {
                this.groups.ended(called.group);
                Panic::new(payload).resume()
            }
        };
        let number = this.bodies.insert(Body { running, group: called.group });
        this.ready.reach(number);
        Some(number)
    }

    fn poll_body(self: Pin<&mut Self>, number: usize) -> Poll<Fut::Output> {
        let this = self.project();
        let Some(body) = this.bodies.get(number).map(Body::project) else { return Poll::Pending };
        let (group, waker) = (*body.group, this.ready.waker(number));
        let polled = catch(|| body.running.poll(&mut Context::from_waker(&waker)));
        if let Ok(Poll::Pending) = polled {
            return Poll::Pending;
        }
        let dropped = catch(|| this.bodies.remove(number)).map_err(Panic::new);
        this.groups.ended(group);
        match (polled.map_err(Panic::new), dropped) {
            (Ok(polled), Ok(())) => polled,
            (Err(panic), _) | (Ok(_), Err(panic)) => panic.resume(),
        }
    }
}

impl<S, F, G, B, Fut> Stream for Partitioned<S, F, G, B, Fut>
where
    S: Stream,
    F: FnMut(&S::Item) -> G,
    G: Hash + Eq,
    B: FnMut(S::Item) -> Fut,
    Fut: Future,
{
    type Item = Fut::Output;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Fut::Output>> {
        self.as_mut().project().ready.begin(cx.waker());
        let mut budget = BUDGET;
        for _ in 0..PASSES {
            self.as_mut().project().ready.begin_pass();
            while let Some(number) = self.as_mut().project().ready.next() {
                if let Poll::Ready(output) = self.as_mut().poll_body(number) {
                    return Poll::Ready(Some(output));
                }
                budget -= 1;
                if budget == 0 {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
            while let Some(number) = self.as_mut().start(&mut budget) {
                if let Poll::Ready(output) = self.as_mut().poll_body(number) {
                    return Poll::Ready(Some(output));
                }
            }
            if self.is_over() {
                return Poll::Ready(None);
            }
            if budget == 0 {
                break;
            }
            if self.ready.rest() {
                probe::waiting("items of partitions", None, u64::MAX);
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (low, high) = if self.has_ended { (0, Some(0)) } else { self.stream.size_hint() };
        let begun = self.bodies.len() + self.groups.aside();
        (low.saturating_add(begun), high.and_then(|high| high.checked_add(begun)))
    }
}

impl<S, F, G, B, Fut> FusedStream for Partitioned<S, F, G, B, Fut>
where
    S: Stream,
    F: FnMut(&S::Item) -> G,
    G: Hash + Eq,
    B: FnMut(S::Item) -> Fut,
    Fut: Future,
{
    fn is_terminated(&self) -> bool {
        self.is_over()
    }
}

impl<S: Stream, F, G: Hash + Eq, B, Fut> fmt::Debug for Partitioned<S, F, G, B, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Partitioned")
            .field("busy", &self.busy())
            .field("set_aside", &self.set_aside())
            .finish_non_exhaustive()
    }
}
