//! Between workers and consumer: what has ended and was not taken yet.

use super::super::outcome::{Ended, Sink};
use super::super::source::Source;
use crate::cancel::{Reason, Scope};
use crate::sys::atomic::{AtomicBool, Ordering};
use crate::sys::thread::contain;
use crate::sys::{Arc, Told, probe};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;
use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use futures_core::stream::Stream;

/// The next one, and who is to be told that there is room.
type Taken<T, O, E> = (Poll<Option<Ended<T, O, E>>>, Option<Waker>);

/// What the run and its consumer share.
pub(super) struct Hub<T, O, E> {
    told: Told<Inner<T, O, E>>,
    /// Whether as much is held as may be. Written under the lock; who finds that it is not need not take that.
    is_full: AtomicBool,
    /// The run's.
    scope: Scope,
    room: usize,
    is_ordered: bool,
}

struct Inner<T, O, E> {
    /// In the order in which it is to be taken. A place is empty until its item ends, where that is the order of the source.
    ended: VecDeque<Option<Ended<T, O, E>>>,
    /// How many there are.
    held: usize,
    /// How many were taken.
    taken: u64,
    /// The run is over: nothing more comes.
    is_over: bool,
    consumer: Option<Waker>,
    /// Who waits for room.
    puller: Option<Waker>,
}

impl<T, O, E> Hub<T, O, E> {
    pub(super) fn new(scope: Scope, room: usize, is_ordered: bool) -> Self {
        let inner = Inner { ended: VecDeque::new(), held: 0, taken: 0, is_over: false, consumer: None, puller: None };
        Self { told: Told::new(inner), is_full: AtomicBool::new(false), scope, room, is_ordered }
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
            inner.ended.retain(Option::is_some);
            inner.consumer.take()
        });
        consumer.into_iter().for_each(Waker::wake);
    }

    /// What was not taken, in order.
    pub(super) fn empty(&self) -> Vec<Ended<T, O, E>> {
        let ended = self.told.with(|inner| {
            inner.held = 0;
            core::mem::take(&mut inner.ended)
        });
        ended.into_iter().flatten().collect()
    }

    fn put(&self, ended: Ended<T, O, E>) {
        let consumer = self.told.with(|inner| {
            let at = match self.is_ordered {
                // W2. No item is told of twice, so its place was not taken yet.
                true => usize::try_from(ended.index - inner.taken).unwrap_or(usize::MAX),
                false => inner.ended.len(),
            };
            while inner.ended.len() <= at {
                inner.ended.push_back(None);
            }
            inner.ended[at] = Some(ended);
            inner.held += 1;
            if inner.held >= self.room {
                self.is_full.store(true, Ordering::Relaxed);
            }
            if inner.is_next_there() { inner.consumer.take() } else { None }
        });
        consumer.into_iter().for_each(Waker::wake);
    }

    fn poll_take(&self, cx: &Context<'_>) -> Poll<Option<Ended<T, O, E>>> {
        let (mut taken, mut puller) = self.told.with(|inner| self.take(inner));
        if taken.is_pending() {
            let waker = cx.waker().clone();
            let _old = self.told.with(|inner| {
                (taken, puller) = self.take(inner);
                if taken.is_pending() { inner.consumer.replace(waker) } else { Some(waker) }
            });
            if taken.is_pending() {
                probe::waiting("results of work", None, u64::MAX);
            }
        }
        puller.into_iter().for_each(Waker::wake);
        taken
    }

    fn take(&self, inner: &mut Inner<T, O, E>) -> Taken<T, O, E> {
        if !inner.is_next_there() {
            return (if inner.is_over { Poll::Ready(None) } else { Poll::Pending }, None);
        }
        let ended = inner.ended.pop_front().flatten();
        (inner.taken, inner.held) = (inner.taken + 1, inner.held - 1);
        let mut puller = None;
        if inner.held < self.room {
            self.is_full.store(false, Ordering::Relaxed);
            puller = inner.puller.take();
        }
        (Poll::Ready(ended), puller)
    }

    /// W1. Pending: there is no room for more.
    fn poll_room(&self, cx: &Context<'_>) -> Poll<()> {
        self.told.look();
        // Relaxed: what this one's task has put is seen, and of others more may come at any time.
        if !self.is_full.load(Ordering::Relaxed) {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        let (polled, _old) = self.told.with(|inner| match inner.held < self.room {
            true => (Poll::Ready(()), Some(waker)),
            false => (Poll::Pending, inner.puller.replace(waker)),
        });
        polled
    }
}

impl<T, O, E> Inner<T, O, E> {
    fn is_next_there(&self) -> bool {
        self.ended.front().is_some_and(Option::is_some)
    }
}

/// A sink that lays down what it is told.
pub(super) struct Teller<T, O, E>(pub(super) Arc<Hub<T, O, E>>);

impl<T, O, E> Sink<T, O, E> for Teller<T, O, E> {
    fn accept(&mut self, ended: Ended<T, O, E>) {
        self.0.put(ended);
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
pub struct Results<T, O, E>(pub(super) Arc<Hub<T, O, E>>);

impl<T, O, E> Results<T, O, E> {
    /// The next item that has ended; none when the run is over and all was taken.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Ended<T, O, E>> {
        poll_fn(|cx| self.0.poll_take(cx)).await
    }
}

impl<T, O, E> Stream for Results<T, O, E> {
    type Item = Ended<T, O, E>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_take(cx)
    }
}

impl<T, O, E> Drop for Results<T, O, E> {
    fn drop(&mut self) {
        // Of whoever hears of the cancelling: this may be part of an unwinding.
        contain(|| self.0.close());
    }
}

impl<T, O, E> fmt::Debug for Results<T, O, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (held, is_over) = self.0.told.read(|inner| (inner.held, inner.is_over));
        f.debug_struct("Results").field("held", &held).field("is_over", &is_over).finish()
    }
}
