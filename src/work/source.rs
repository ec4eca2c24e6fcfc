//! Where items come from.

use crate::queue::{Fifo, Items, Kind, Receiver};
use alloc::boxed::Box;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use futures_core::stream::Stream;

/// What workers pull items from.
///
/// Most users implement nothing: everything that can be iterated over, each stream that is `Unpin`, and the receiver of a
/// queue is taken by [`work`](super::work()) as it is.
///
/// # Examples
/// A source that never ends, and hands back how far it came:
/// ```
/// use core::task::{Context, Poll};
/// use core::time::Duration;
/// use wakeful::cancel::Scope;
/// use wakeful::work::{Count, Lease, Source, work};
///
/// struct Numbers(u64);
///
/// impl Source for Numbers {
///     type Item = u64;
///     type Rest = u64;
///
///     fn poll_pull(&mut self, _: &mut Context<'_>) -> Poll<Option<u64>> {
///         self.0 += 1;
///         Poll::Ready(Some(self.0))
///     }
///
///     fn remaining(&self) -> Option<usize> {
///         None
///     }
///
///     fn into_rest(self) -> u64 {
///         self.0
///     }
/// }
///
/// wakeful::sim::run(|sim| async move {
///     let scope = Scope::new(sim.time());
///     let body = |_: Lease<u64>| async { Ok::<_, ()>(wakeful::sleep(Duration::from_secs(1)).await) };
///     let report = work(Numbers(0)).deadline_after(Duration::from_secs(10)).run(&scope, body, Count::new()).await;
///     assert_eq!((report.count.done, report.rest), (10, 10));
/// });
/// ```
pub trait Source {
    /// What is pulled.
    type Item;
    /// What is left when the run ends.
    type Rest;

    /// Pulls the next item; none at the end, after which it is not called again.
    ///
    /// A source that is `Pending` has registered the waker and keeps its item: the run may end before the next call.
    fn poll_pull(&mut self, cx: &mut Context<'_>) -> Poll<Option<Self::Item>>;

    /// How many items are left, if that is known. Asked for before a permit is taken, and for the report.
    fn remaining(&self) -> Option<usize>;

    /// Called when the waker of the last pull was woken, though nobody wants an item just then: for sources that fetch ahead. The
    /// context is that of a pull.
    #[inline]
    fn poll_ahead(&mut self, _: &mut Context<'_>) {}

    /// The run is about to rest, and what others are to know of the pulls until now is to be told them.
    #[doc(hidden)]
    #[inline]
    fn settle(&mut self) {}

    /// The rest, at the end of the run.
    fn into_rest(self) -> Self::Rest;
}

/// What [`work`](super::work()) takes. `M` tells the kinds apart and is found by the compiler.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no source of work",
    note = "a source is something to iterate over, a stream that is `Unpin`, a queue's receiver, or a `Source`"
)]
pub trait IntoSource<M> {
    /// The source that it becomes.
    type Source: Source;

    /// Makes a source of it.
    fn into_source(self) -> Self::Source;
}

/// How a type is a source; see [`IntoSource`].
pub mod by {
    /// As something to iterate over.
    #[derive(Debug)]
    pub enum Iteration {}
    /// As a stream.
    #[derive(Debug)]
    pub enum Streaming {}
    /// As a queue's receiver.
    #[derive(Debug)]
    pub enum Queueing {}
    /// As a [`Source`](super::Source) itself.
    #[derive(Debug)]
    pub enum Itself {}
}

impl<I: IntoIterator> IntoSource<by::Iteration> for I {
    type Source = FromIter<I::IntoIter>;

    fn into_source(self) -> Self::Source {
        FromIter(self.into_iter())
    }
}

impl<S: Stream + Unpin> IntoSource<by::Streaming> for S {
    type Source = FromStream<S>;

    fn into_source(self) -> Self::Source {
        FromStream(self)
    }
}

impl<T, K: Kind<T>> IntoSource<by::Queueing> for Receiver<T, K> {
    type Source = FromQueue<T, K>;

    fn into_source(self) -> Self::Source {
        FromQueue(Box::pin(self.into_stream()))
    }
}

impl<S: Source> IntoSource<by::Itself> for S {
    type Source = S;

    fn into_source(self) -> S {
        self
    }
}

/// Items of an iterator.
#[derive(Clone, Debug)]
pub struct FromIter<I>(I);

impl<I: Iterator> Source for FromIter<I> {
    type Item = I::Item;
    type Rest = I;

    #[inline]
    fn poll_pull(&mut self, _: &mut Context<'_>) -> Poll<Option<I::Item>> {
        Poll::Ready(self.0.next())
    }

    fn remaining(&self) -> Option<usize> {
        exact(self.0.size_hint())
    }

    fn into_rest(self) -> I {
        self.0
    }
}

/// Items of a stream.
#[derive(Clone, Debug)]
pub struct FromStream<S>(S);

impl<S: Stream + Unpin> Source for FromStream<S> {
    type Item = S::Item;
    type Rest = S;

    #[inline]
    fn poll_pull(&mut self, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        Pin::new(&mut self.0).poll_next(cx)
    }

    fn remaining(&self) -> Option<usize> {
        exact(self.0.size_hint())
    }

    fn into_rest(self) -> S {
        self.0
    }
}

/// Items of a queue, until it is closed and drained. Pulling is receiving: it holds one place in line.
pub struct FromQueue<T, K: Kind<T> = Fifo>(Pin<Box<Items<T, K>>>);

impl<T, K: Kind<T>> Source for FromQueue<T, K> {
    type Item = T;
    type Rest = Receiver<T, K>;

    #[inline]
    fn poll_pull(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.as_mut().poll_next(cx)
    }

    /// How many are in the queue. More may come until it is drained, so none is an answer of drained queues only.
    fn remaining(&self) -> Option<usize> {
        let queue = self.0.receiver();
        Some(queue.len()).filter(|len| *len > 0 || queue.is_drained())
    }

    fn into_rest(self) -> Receiver<T, K> {
        self.0.receiver().clone()
    }
}

impl<T, K: Kind<T>> fmt::Debug for FromQueue<T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FromQueue").field(self.0.receiver()).finish()
    }
}

pub(super) fn exact((lower, upper): (usize, Option<usize>)) -> Option<usize> {
    upper.filter(|upper| *upper == lower)
}
