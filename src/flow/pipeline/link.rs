//! Between two stages: what one has handed on and the next has not taken.

use crate::sys::{Told, probe};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;
use core::task::{Context, Poll, Waker};

/// The queue that a stage hands its results to, and by which it is held up.
pub(super) struct Link<T> {
    told: Told<Inner<T>>,
    /// Results that lie here or are worked on: as many as the queue has room for, and one in each worker's hand.
    room: usize,
    is_ordered: bool,
}

/// What an item of the stage before came to.
enum Place<T> {
    /// It is worked on; only where order counts.
    Open,
    /// Nothing that is handed on.
    Void,
    Here(T),
}

struct Inner<T> {
    /// In the order in which they are to be taken; no `Void` stands at the front.
    places: VecDeque<Place<T>>,
    /// The index of the item whose place is at the front, where order counts.
    front: u64,
    /// How many results there are.
    held: usize,
    /// How many items are worked on.
    begun: usize,
    /// The stage before is over: nothing more comes.
    is_over: bool,
    /// Who waits for a result, or for the end.
    taker: Option<Waker>,
    /// Who waits for room.
    puller: Option<Waker>,
}

/// What was taken, and who is to be told that there is room.
type Taken<T> = (Poll<Option<T>>, Option<Waker>);

impl<T> Link<T> {
    pub(super) fn new(buffer: usize, workers: usize, is_ordered: bool) -> Self {
        let inner =
            Inner { places: VecDeque::new(), front: 0, held: 0, begun: 0, is_over: false, taker: None, puller: None };
        Self { told: Told::new(inner), room: buffer.saturating_add(workers), is_ordered }
    }

    /// L3. Pending: there is no room for the result of a further item.
    pub(super) fn poll_room(&self, cx: &Context<'_>) -> Poll<()> {
        let has_room = |inner: &Inner<T>| inner.has_room(self.room);
        if self.told.read(has_room) {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        let (polled, _old) = self.told.with(|inner| match has_room(inner) {
            true => (Poll::Ready(()), Some(waker)),
            false => (Poll::Pending, inner.puller.replace(waker)),
        });
        polled
    }

    /// An item was pulled, for whose result there is [room](Self::poll_room).
    pub(super) fn begin(&self) {
        self.told.with(|inner| inner.begun += 1);
    }

    /// The item of this index has ended, with a result that is handed on or without.
    pub(super) fn end(&self, index: u64, result: Option<T>) {
        let (taker, puller) = self.told.with(|inner| {
            inner.begun -= 1;
            inner.held += usize::from(result.is_some());
            match (self.is_ordered, result) {
                (true, result) => inner.put_at(index, result),
                (false, Some(result)) => inner.places.push_back(Place::Here(result)),
                (false, None) => {}
            }
            let taker = if inner.is_next_there() { inner.taker.take() } else { None };
            let puller = if inner.has_room(self.room) { inner.puller.take() } else { None };
            (taker, puller)
        });
        taker.into_iter().chain(puller).for_each(Waker::wake);
    }

    /// The next result; none, when nothing more comes.
    pub(super) fn poll_take(&self, cx: &Context<'_>) -> Poll<Option<T>> {
        let (mut taken, mut puller) = self.told.with(|inner| inner.take(self.room));
        if taken.is_pending() {
            let waker = cx.waker().clone();
            let _old = self.told.with(|inner| {
                (taken, puller) = inner.take(self.room);
                if taken.is_pending() { inner.taker.replace(waker) } else { Some(waker) }
            });
        }
        puller.into_iter().for_each(Waker::wake);
        taken
    }

    /// The stage before is over.
    pub(super) fn over(&self) {
        let taker = self.told.with(|inner| {
            inner.is_over = true;
            inner.taker.take()
        });
        taker.into_iter().for_each(Waker::wake);
    }

    /// Waits until the stage before is over.
    pub(super) fn poll_over(&self, cx: &Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let (polled, _old) = self.told.with(|inner| match inner.is_over {
            true => (Poll::Ready(()), Some(waker)),
            false => (Poll::Pending, inner.taker.replace(waker)),
        });
        if polled.is_pending() {
            probe::waiting("the stages before", None, u64::MAX);
        }
        polled
    }

    /// How many there are; nothing, if that is none so far.
    pub(super) fn remaining(&self) -> Option<usize> {
        self.told.read(|inner| (inner.held > 0 || inner.is_over).then_some(inner.held))
    }

    /// What nobody took, in order.
    pub(super) fn empty(&self) -> Vec<T> {
        let places = self.told.with(|inner| {
            inner.held = 0;
            core::mem::take(&mut inner.places)
        });
        let here = |place| if let Place::Here(result) = place { Some(result) } else { None };
        places.into_iter().filter_map(here).collect()
    }
}

impl<T> Inner<T> {
    fn has_room(&self, room: usize) -> bool {
        self.held + self.begun < room
    }

    fn is_next_there(&self) -> bool {
        matches!(self.places.front(), Some(Place::Here(_)))
    }

    /// L4. No item ends twice, so its place was not taken yet.
    fn put_at(&mut self, index: u64, result: Option<T>) {
        let at = usize::try_from(index - self.front).unwrap_or(usize::MAX);
        while self.places.len() <= at {
            self.places.push_back(Place::Open);
        }
        self.places[at] = result.map_or(Place::Void, Place::Here);
        self.skip_voids();
    }

    fn skip_voids(&mut self) {
        while matches!(self.places.front(), Some(Place::Void)) {
            self.places.pop_front();
            self.front += 1;
        }
    }

    fn take(&mut self, room: usize) -> Taken<T> {
        if !self.is_next_there() {
            return (if self.is_over { Poll::Ready(None) } else { Poll::Pending }, None);
        }
        let Some(Place::Here(result)) = self.places.pop_front() else { unreachable!("it is there") };
        self.front += 1;
        self.held -= 1;
        self.skip_voids();
        let puller = if self.has_room(room) { self.puller.take() } else { None };
        (Poll::Ready(Some(result)), puller)
    }
}

impl<T> fmt::Debug for Link<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("held", &self.told.read(|inner| inner.held)).finish_non_exhaustive()
    }
}
