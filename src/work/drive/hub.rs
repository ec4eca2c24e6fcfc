//! Between workers and consumer: what has ended and was not taken yet.

use super::super::outcome::{Ended, Sink};
use super::super::source::Source;
use crate::cancel::{Reason, Scope};
use crate::sys::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sys::here::{self, Watched};
use crate::sys::thread::contain;
use crate::sys::{Arc, Lock, Told, probe};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use futures_core::stream::Stream;

/// In the order in which they are to be taken.
type Line<T, O, E> = VecDeque<Ended<T, O, E>>;

/// How many results are laid down at once: enough for the lock to cost each of them little.
const BATCH: usize = 32;

/// What the run and its consumer share.
pub(super) struct Hub<T, O, E> {
    told: Told<Inner<T, O, E>>,
    /// How many have ended so far. Written by who has the sink alone.
    put: AtomicUsize,
    /// How many of them were taken. Written by the consumer alone.
    taken: AtomicUsize,
    /// Whether somebody waits for room. Written under the lock.
    is_awaited: AtomicBool,
    /// The run's.
    scope: Scope,
    room: usize,
    is_ordered: bool,
    /// Whether those who put are tasks of their own.
    is_shared: bool,
}

struct Inner<T, O, E> {
    /// What may be taken.
    ended: Line<T, O, E>,
    /// Where the order is that of the source: the places behind that, by index. One is empty until its item ends, and the first
    /// always is.
    early: VecDeque<Option<Ended<T, O, E>>>,
    /// The index of the first of these places.
    next: u64,
    /// The run is over: nothing more comes.
    is_over: bool,
    consumer: Option<Waker>,
    /// Who waits for room.
    puller: Option<Waker>,
}

impl<T, O, E> Hub<T, O, E> {
    pub(super) fn new(scope: Scope, room: usize, is_ordered: bool, is_shared: bool) -> Self {
        let (ended, early) = (Line::new(), VecDeque::new());
        let inner = Inner { ended, early, next: 0, is_over: false, consumer: None, puller: None };
        let (put, taken, is_awaited) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
        Self { told: Told::new(inner), put, taken, is_awaited, scope, room, is_ordered, is_shared }
    }

    fn place(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }

    /// While the consumer is polled: those who put are not, unless they are tasks of their own.
    #[inline]
    pub(super) fn consumer_turn(&self) -> Option<Watched> {
        (!self.is_shared).then(|| Watched::new(self.place()))
    }

    /// Nobody takes anything any more: what runs is cut short, and nothing is started.
    pub(super) fn close(&self) {
        if !self.told.read(|inner| inner.is_over) {
            self.scope.cancel(Reason::owner_dropped());
        }
    }

    /// The run is over.
    pub(super) fn over(&self) {
        let consumer = self.told.with(|inner| {
            inner.is_over = true;
            // What was set aside and did not start leaves empty places.
            inner.ended.extend(inner.early.drain(..).flatten());
            inner.consumer.take()
        });
        consumer.into_iter().for_each(Waker::wake);
    }

    /// What was not taken, in order, when the run is over.
    pub(super) fn empty(&self) -> Vec<Ended<T, O, E>> {
        self.told.with(|inner| core::mem::take(&mut inner.ended)).into()
    }

    /// Lays down what has ended, which is counted already.
    fn put(&self, batch: &mut Line<T, O, E>, is_row: bool) {
        let consumer = self.told.with(|inner| {
            if !self.is_ordered {
                inner.ended.append(batch);
            } else if is_row && inner.is_next(batch) {
                inner.next += batch.len() as u64;
                inner.ended.append(batch);
            } else {
                batch.drain(..).for_each(|ended| inner.place(ended));
            }
            if inner.ended.is_empty() { None } else { inner.consumer.take() }
        });
        consumer.into_iter().for_each(Waker::wake);
    }

    /// Fills `own`, which is empty. Pending: there is nothing yet; none: nothing more comes.
    #[inline(never)]
    fn poll_fill(&self, own: &mut Line<T, O, E>, cx: &Context<'_>) -> Poll<Option<()>> {
        let mut found = self.told.with(|inner| inner.fill(own));
        if found.is_pending() {
            let waker = cx.waker().clone();
            let _old = self.told.with(|inner| {
                found = inner.fill(own);
                if found.is_pending() { inner.consumer.replace(waker) } else { Some(waker) }
            });
            if found.is_pending() {
                probe::waiting("results of work", None, u64::MAX);
            }
        }
        found
    }

    /// How many have ended and were not taken, wherever they are, if so many were `taken`.
    #[inline]
    fn held(&self, taken: usize) -> usize {
        // Relaxed: what this one's task has put is seen, and of others more may come at any time.
        self.put.load(Ordering::Relaxed).wrapping_sub(taken)
    }

    /// Notes that one is taken. Whether somebody may wait for room.
    #[inline]
    fn took(&self) -> bool {
        self.told.touch();
        // Relaxed: nobody else writes it.
        let taken = self.taken.load(Ordering::Relaxed).wrapping_add(1);
        if here::is_watched(self.place()) {
            // Relaxed: who waits for room is polled in turn with this one, by this thread.
            self.taken.store(taken, Ordering::Relaxed);
        } else {
            // AcqRel: partner of the same in `wait_for_room`. One of both comes first: either who waits for room sees that there
            // is, or it is seen here that somebody waits.
            self.taken.swap(taken, Ordering::AcqRel);
        }
        // Relaxed: ordered by the above.
        self.is_awaited.load(Ordering::Relaxed)
    }

    /// Calls who waits for room, if there is some.
    #[cold]
    fn call_if_room(&self) {
        if self.held(self.taken.load(Ordering::Relaxed)) < self.room {
            let puller = self.told.with(|inner| {
                self.is_awaited.store(false, Ordering::Relaxed);
                inner.puller.take()
            });
            puller.into_iter().for_each(Waker::wake);
        }
    }

    /// W1. Pending: there is no room for more.
    #[inline]
    fn poll_room(&self, cx: &Context<'_>) -> Poll<()> {
        self.told.look();
        // Relaxed: who finds no room looks again.
        if self.held(self.taken.load(Ordering::Relaxed)) < self.room {
            return Poll::Ready(());
        }
        self.wait_for_room(cx)
    }

    #[cold]
    fn wait_for_room(&self, cx: &Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let (polled, _old) = self.told.with(|inner| {
            self.is_awaited.store(true, Ordering::Relaxed);
            // AcqRel: partner of the same in `took`.
            match self.held(self.taken.fetch_add(0, Ordering::AcqRel)) < self.room {
                true => (Poll::Ready(()), Some(waker)),
                false => (Poll::Pending, inner.puller.replace(waker)),
            }
        });
        polled
    }
}

impl<T, O, E> Inner<T, O, E> {
    /// W2. Whether the first of `batch` belongs behind all that there is.
    fn is_next(&self, batch: &Line<T, O, E>) -> bool {
        self.early.is_empty() && batch.front().is_some_and(|first| first.index == self.next)
    }

    /// W2. No item is told of twice, so its place was not left yet.
    fn place(&mut self, ended: Ended<T, O, E>) {
        let at = usize::try_from(ended.index - self.next).unwrap_or(usize::MAX);
        while self.early.len() <= at {
            self.early.push_back(None);
        }
        self.early[at] = Some(ended);
        while let Some(ended) = self.early.front_mut().and_then(Option::take) {
            self.early.pop_front();
            self.next += 1;
            self.ended.push_back(ended);
        }
    }

    fn fill(&mut self, own: &mut Line<T, O, E>) -> Poll<Option<()>> {
        if self.ended.is_empty() {
            return if self.is_over { Poll::Ready(None) } else { Poll::Pending };
        }
        core::mem::swap(&mut self.ended, own);
        Poll::Ready(Some(()))
    }
}

/// A sink that lays down what it is told: where it may, by the batch, and what is left when the run is about to rest.
pub(super) struct Teller<T, O, E> {
    hub: Arc<Hub<T, O, E>>,
    batch: Line<T, O, E>,
    /// Whether those in the batch follow one another in the order of the source.
    is_row: bool,
    /// How many are laid down at once.
    most: usize,
}

impl<T, O, E> Teller<T, O, E> {
    /// Workers that are tasks of their own rest each by itself, and so lay down everything at once.
    pub(super) fn new(hub: Arc<Hub<T, O, E>>) -> Self {
        let most = if hub.is_shared { 1 } else { BATCH };
        Self { hub, batch: Line::new(), is_row: true, most }
    }

    fn lay_down(&mut self) {
        self.hub.put(&mut self.batch, self.is_row);
        self.is_row = true;
    }
}

impl<T, O, E> Sink<T, O, E> for Teller<T, O, E> {
    /// Put into whoever tells, so that what has just been written piece by piece is not read back as a whole at once, for which
    /// the processor would have to wait.
    #[inline(always)]
    fn accept(&mut self, ended: Ended<T, O, E>) {
        self.hub.told.touch();
        // Relaxed: of who has the sink alone, and who waits for room is a worker of the same run.
        let put = self.hub.put.load(Ordering::Relaxed);
        self.hub.put.store(put.wrapping_add(1), Ordering::Relaxed);
        if self.hub.is_ordered {
            let follows = |last: &Ended<T, O, E>| ended.index == last.index + 1;
            self.is_row &= self.batch.back().is_none_or(follows);
        }
        self.batch.push_back(ended);
        if self.batch.len() >= self.most {
            self.lay_down();
        }
    }

    fn settle(&mut self) {
        if !self.batch.is_empty() {
            self.lay_down();
        }
    }
}

impl<T, O, E> Drop for Teller<T, O, E> {
    fn drop(&mut self) {
        // Of who hears of it: this may be part of an unwinding.
        contain(|| self.settle());
    }
}

/// A source that gives out nothing while there is no room.
pub(super) struct Throttled<S: Source, O, E> {
    pub(super) source: S,
    pub(super) hub: Arc<Hub<S::Item, O, E>>,
}

impl<S: Source, O, E> Source for Throttled<S, O, E> {
    type Item = S::Item;
    type Rest = S::Rest;

    #[inline]
    fn poll_pull(&mut self, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        match self.hub.poll_room(cx) {
            Poll::Ready(()) => self.source.poll_pull(cx),
            Poll::Pending => Poll::Pending,
        }
    }

    fn poll_ahead(&mut self, cx: &mut Context<'_>) {
        self.source.poll_ahead(cx);
    }

    fn remaining(&self) -> Option<usize> {
        self.source.remaining()
    }

    fn into_rest(self) -> S::Rest {
        self.source.into_rest()
    }
}

/// What becomes of the items of a run, one after another; given to the consumer of a [`Drive`](super::Drive).
///
/// A `Stream` that ends when the run is over and all was taken. Dropping it cancels the run.
pub struct Results<T, O, E> {
    hub: Arc<Hub<T, O, E>>,
    /// What was fetched together with one that was taken. Whoever has this alone takes no lock; it is one, so that this may be
    /// shared although results may not.
    own: Lock<Line<T, O, E>>,
}

/// Nothing in it is pinned.
impl<T, O, E> Unpin for Results<T, O, E> {}

impl<T, O, E> Results<T, O, E> {
    pub(super) fn new(hub: Arc<Hub<T, O, E>>) -> Self {
        Self { hub, own: Lock::new(Line::new()) }
    }

    /// The next item that has ended; none when the run is over and all was taken.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    #[expect(clippy::should_implement_trait, reason = "it is the name that streams have for it, and no iterator waits")]
    pub fn next(&mut self) -> impl Future<Output = Option<Ended<T, O, E>>> {
        Next(self)
    }

    #[inline(always)]
    fn poll_take(&mut self, cx: &Context<'_>) -> Poll<Option<Ended<T, O, E>>> {
        if self.own.get_mut().is_empty() {
            match self.hub.poll_fill(self.own.get_mut(), cx) {
                Poll::Ready(Some(())) => {}
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
        if self.hub.took() {
            self.hub.call_if_room();
        }
        // Last, and in one place, so that it is moved once.
        Poll::Ready(self.own.get_mut().pop_front())
    }
}

/// A type of its own, as this is polled for each item: so all of it can become part of the loop which does so.
struct Next<'a, T, O, E>(&'a mut Results<T, O, E>);

impl<T, O, E> Future for Next<'_, T, O, E> {
    type Output = Option<Ended<T, O, E>>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll_take(cx)
    }
}

impl<T, O, E> Stream for Results<T, O, E> {
    type Item = Ended<T, O, E>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_take(cx)
    }
}

impl<T, O, E> Drop for Results<T, O, E> {
    fn drop(&mut self) {
        // What was not taken is handed back.
        let mut own = core::mem::take(self.own.get_mut());
        if !own.is_empty() {
            self.hub.told.with(|inner| {
                own.append(&mut inner.ended);
                core::mem::swap(&mut inner.ended, &mut own);
            });
        }
        // Of whoever hears of the cancelling: this may be part of an unwinding.
        contain(|| self.hub.close());
    }
}

impl<T, O, E> fmt::Debug for Results<T, O, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_over = self.hub.told.read(|inner| inner.is_over);
        let held = self.hub.held(self.hub.taken.load(Ordering::Relaxed));
        f.debug_struct("Results").field("held", &held).field("is_over", &is_over).finish()
    }
}
