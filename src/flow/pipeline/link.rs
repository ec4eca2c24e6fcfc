//! Between two stages: what one has handed on and the next has not taken.
//!
//! Each side keeps what only it needs to know, and tells the other under the lock: a stage that works in the pipeline's own task,
//! when that rests; one whose workers are tasks, of each item. So a lock is taken for many items, and the order of events is that
//! of a lock for each, since nobody else has a turn before the rest.
//!
//! Places are what the room for results is counted in: one is taken at the [gate](Gate) for each item that is begun, goes with the
//! result through the [entry](Entry), and is free when that is taken at the [exit](Exit), or when there is none.

use crate::sys::{Arc, Told, probe};
use alloc::collections::VecDeque;
use core::fmt;
use core::mem::{swap, take};
use core::task::{Context, Poll, Waker};

/// The queue that a stage hands its results to, and by which it is held up.
pub(super) struct Link<T>(Told<Inner<T>>);

struct Inner<T> {
    /// In the order in which they are to be taken.
    results: VecDeque<T>,
    /// Places that are free, and that the gate does not know of.
    freed: usize,
    /// The stage before is over: nothing more comes.
    is_over: bool,
    /// Who waits for a result, or for the end.
    taker: Option<Waker>,
    /// Who waits for room.
    puller: Option<Waker>,
}

/// When one side tells the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tells {
    /// When it rests.
    AtRest,
    /// At once.
    Promptly,
}

/// Where a stage is held up.
pub(super) struct Gate<T> {
    link: Arc<Link<T>>,
    /// Places that are free for certain.
    room: usize,
}

/// Where a stage hands its results on.
pub(super) struct Entry<T> {
    link: Arc<Link<T>>,
    tells: Tells,
    /// Some, if order counts.
    order: Option<Order<T>>,
    /// Results that are to be handed on.
    results: VecDeque<T>,
    /// Places that are free since the last rest.
    freed: usize,
}

/// Where a stage has its items from.
pub(super) struct Exit<T> {
    link: Arc<Link<T>>,
    tells: Tells,
    /// Results that are out of the queue, and whose places are not free yet.
    batch: VecDeque<T>,
    /// Places that are free since the last rest.
    freed: usize,
}

impl<T> Link<T> {
    pub(super) fn new() -> Arc<Self> {
        let inner = Inner { results: VecDeque::new(), freed: 0, is_over: false, taker: None, puller: None };
        Arc::new(Self(Told::new(inner)))
    }

    /// Waits until the stage before is over.
    pub(super) fn poll_over(&self, cx: &Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let (polled, _old) = self.0.with(|inner| match inner.is_over {
            true => (Poll::Ready(()), Some(waker)),
            false => (Poll::Pending, inner.taker.replace(waker)),
        });
        if polled.is_pending() {
            probe::waiting("the stages before", None, u64::MAX);
        }
        polled
    }

    /// What nobody took, in order.
    pub(super) fn empty(&self) -> VecDeque<T> {
        self.0.with(|inner| take(&mut inner.results))
    }
}

impl<T> Gate<T> {
    /// `room` is how many results may lie in the queue or be worked on: as many as it holds, and one in each worker's hand.
    pub(super) fn new(link: &Arc<Link<T>>, room: usize) -> Self {
        Self { link: link.clone(), room }
    }

    /// L3. Pending: there is no room for the result of a further item.
    #[inline]
    pub(super) fn poll_room(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.room == 0 { self.poll_freed(cx) } else { Poll::Ready(()) }
    }

    #[inline(never)]
    fn poll_freed(&mut self, cx: &Context<'_>) -> Poll<()> {
        let told = &self.link.0;
        self.room = told.with(|inner| take(&mut inner.freed));
        if self.room == 0 {
            let waker = cx.waker().clone();
            let _old = told.with(|inner| {
                self.room = take(&mut inner.freed);
                if self.room == 0 { inner.puller.replace(waker) } else { Some(waker) }
            });
        }
        if self.room == 0 { Poll::Pending } else { Poll::Ready(()) }
    }

    /// An item was pulled, for whose result there is [room](Self::poll_room).
    #[inline]
    pub(super) fn begin(&mut self) {
        self.room -= 1;
    }
}

impl<T> Entry<T> {
    pub(super) fn new(link: &Arc<Link<T>>, tells: Tells, is_ordered: bool) -> Self {
        let order = is_ordered.then(Order::new);
        Self { link: link.clone(), tells, order, results: VecDeque::new(), freed: 0 }
    }

    /// The item of this index has ended, with a result that is handed on or without.
    #[inline]
    pub(super) fn end(&mut self, index: u64, result: Option<T>) {
        self.freed += usize::from(result.is_none());
        match &mut self.order {
            Some(order) => order.end(index, result, &mut self.results),
            None => push(&mut self.results, result),
        }
        if self.tells == Tells::Promptly {
            self.settle();
        }
    }

    /// Hands on what there is.
    #[inline]
    pub(super) fn settle(&mut self) {
        if self.freed > 0 || !self.results.is_empty() {
            self.tell(false);
        }
    }

    /// The stage is over, and all of its items have ended, but for those that were lost with their workers.
    pub(super) fn over(&mut self) {
        if let Some(order) = &mut self.order {
            order.give_up(&mut self.results);
        }
        self.tell(true);
    }

    #[inline(never)]
    fn tell(&mut self, is_over: bool) {
        let (taker, puller) = self.link.0.with(|inner| {
            inner.hand_on(&mut self.results);
            inner.is_over = is_over;
            let is_for_taker = is_over || !inner.results.is_empty();
            (if is_for_taker { inner.taker.take() } else { None }, inner.free(&mut self.freed))
        });
        taker.into_iter().chain(puller).for_each(Waker::wake);
    }
}

impl<T> Exit<T> {
    pub(super) fn new(link: &Arc<Link<T>>, tells: Tells) -> Self {
        Self { link: link.clone(), tells, batch: VecDeque::new(), freed: 0 }
    }

    /// The next result; none, when nothing more comes.
    #[inline]
    pub(super) fn poll_take(&mut self, cx: &Context<'_>) -> Poll<Option<T>> {
        if self.batch.is_empty() {
            let polled = self.poll_more(cx);
            if self.batch.is_empty() {
                return polled.map(|()| None);
            }
        }
        let result = self.batch.pop_front();
        self.freed += 1;
        if self.tells == Tells::Promptly {
            self.settle();
        }
        Poll::Ready(result)
    }

    /// Takes all that is in the queue. Ready: there was something, or nothing more comes.
    #[inline(never)]
    fn poll_more(&mut self, cx: &Context<'_>) -> Poll<()> {
        let Self { link, batch, freed, .. } = self;
        let told = &link.0;
        let (mut more, puller) = told.with(|inner| (inner.take(batch), inner.free(freed)));
        if more.is_pending() {
            let waker = cx.waker().clone();
            let _old = told.with(|inner| {
                more = inner.take(batch);
                if more.is_pending() { inner.taker.replace(waker) } else { Some(waker) }
            });
        }
        puller.into_iter().for_each(Waker::wake);
        more
    }

    /// Tells of the room that there is.
    #[inline]
    pub(super) fn settle(&mut self) {
        if self.freed > 0 {
            let puller = self.link.0.with(|inner| inner.free(&mut self.freed));
            puller.into_iter().for_each(Waker::wake);
        }
    }

    /// How many there are; nothing, if that is none so far.
    pub(super) fn remaining(&self) -> Option<usize> {
        let (there, is_over) = self.link.0.read(|inner| (inner.results.len(), inner.is_over));
        let all = self.batch.len() + there;
        (all > 0 || is_over).then_some(all)
    }

    /// Leaves what was not taken where it was.
    pub(super) fn put_back(mut self) {
        self.link.0.with(|inner| {
            self.batch.append(&mut inner.results);
            swap(&mut inner.results, &mut self.batch);
        });
    }
}

impl<T> Inner<T> {
    fn hand_on(&mut self, results: &mut VecDeque<T>) {
        match self.results.is_empty() {
            true => swap(&mut self.results, results),
            false => self.results.append(results),
        }
    }

    /// Who is to be told that there is room.
    fn free(&mut self, freed: &mut usize) -> Option<Waker> {
        self.freed += take(freed);
        if self.freed > 0 { self.puller.take() } else { None }
    }

    /// Into what is empty.
    fn take(&mut self, batch: &mut VecDeque<T>) -> Poll<()> {
        swap(&mut self.results, batch);
        if batch.is_empty() && !self.is_over { Poll::Pending } else { Poll::Ready(()) }
    }
}

/// L4. Puts what the items of a stage come to in the order in which they were pulled.
struct Order<T> {
    /// None of those at the front has ended.
    places: VecDeque<Place<T>>,
    /// The index of the item whose place is at the front.
    front: u64,
}

/// What an item came to.
enum Place<T> {
    /// It is worked on.
    Open,
    /// Nothing that is handed on.
    Void,
    Here(T),
}

impl<T> Order<T> {
    fn new() -> Self {
        Self { places: VecDeque::new(), front: 0 }
    }

    /// The item of this index has ended. What is not behind one that has not goes to `results`.
    #[inline]
    fn end(&mut self, index: u64, result: Option<T>, results: &mut VecDeque<T>) {
        if index > self.front {
            return self.put_at(index - self.front, result);
        }
        push(results, result);
        self.front += 1;
        // The place of this one, which was open.
        if self.places.pop_front().is_some() {
            self.skip_ended(results);
        }
    }

    /// No item ends twice, so its place is open.
    fn put_at(&mut self, at: u64, result: Option<T>) {
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        while self.places.len() <= at {
            self.places.push_back(Place::Open);
        }
        self.places[at] = result.map_or(Place::Void, Place::Here);
    }

    fn skip_ended(&mut self, results: &mut VecDeque<T>) {
        while !matches!(self.places.front(), None | Some(Place::Open)) {
            if let Some(Place::Here(result)) = self.places.pop_front() {
                results.push_back(result);
            }
            self.front += 1;
        }
    }

    /// None of those that are open ends any more.
    fn give_up(&mut self, results: &mut VecDeque<T>) {
        let here = |place| if let Place::Here(result) = place { Some(result) } else { None };
        results.extend(take(&mut self.places).into_iter().filter_map(here));
    }
}

#[inline]
fn push<T>(results: &mut VecDeque<T>, result: Option<T>) {
    if let Some(result) = result {
        results.push_back(result);
    }
}

impl<T> fmt::Debug for Link<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("results", &self.0.read(|inner| inner.results.len())).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Exit<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exit").field("batch", &self.batch.len()).field("link", &self.link).finish_non_exhaustive()
    }
}
