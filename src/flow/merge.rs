//! Many streams as one.

use crate::spawn::Panic;
use crate::sys::arena::Arena;
use crate::sys::probe;
use crate::sys::thread::catch;
use crate::wait::Ready;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use futures_core::stream::{FusedStream, Stream};

/// How many sources are polled, without an item, before others have a turn.
const BUDGET: u32 = 128;
/// How often one is polled in it that wakes itself.
const PASSES: u32 = 2;

/// Merges `sources` into one stream, which ends when all of them have.
///
/// A wake-up of one source polls that one alone, however many there are. For the receivers of queues, there is
/// [`Receivers`](crate::queue::Receivers), which says from which one an item came.
///
/// # Examples
/// The fan-in of three tasks, as the source of a pipeline:
/// ```
/// use core::num::NonZeroUsize;
/// use core::time::Duration;
/// use wakeful::cancel::Scope;
/// use wakeful::flow::merge;
/// use wakeful::flow::pipeline::{pipeline, stage};
/// use wakeful::queue;
/// use wakeful::work::Lease;
///
/// wakeful::sim::run(|sim| async move {
///     let sensors = [2, 3, 5].map(|period| {
///         let (tx, rx) = queue::bounded(NonZeroUsize::MIN);
///         let time = sim.time();
///         sim.spawn("sensor", async move {
///             for n in 1..=3 {
///                 time.sleep(Duration::from_secs(period)).await;
///                 tx.send((period, n)).await.unwrap();
///             }
///         });
///         Box::pin(rx.into_stream())
///     });
///     let mut seen = Vec::new();
///     let note = |item: Lease<(u64, u32)>| async move { Ok::<_, ()>(item.0) };
///     let report = pipeline(merge(sensors)).then(stage("note"), note).run(&Scope::new(sim.time()), |n| seen.push(n)).await;
///     assert_eq!(report.elapsed(), Duration::from_secs(15));
///     assert_eq!((seen.len(), seen[..2].to_vec(), seen[6..].to_vec()), (9, vec![2, 3], vec![3, 5, 5]));
/// });
/// ```
#[track_caller]
pub fn merge<I: IntoIterator>(sources: I) -> Merge<I::Item>
where
    I::Item: Stream,
{
    let sources = sources.into_iter();
    let mut merge = Merge { sources: Arena::new(sources.size_hint().0), ready: Ready::new() };
    merge.extend(sources);
    merge
}

/// Many streams as one; made by [`merge`]. Others may be added while it goes on.
///
/// # Fairness
/// Sources that have something are asked in turn: one that has given an item is asked again when all others were that were woken
/// meanwhile. After two rounds, or 128 sources, without an item the task lets others have a turn.
///
/// # Cancel safety
/// An item is given out or still in its source.
///
/// # Panics
/// A source that panics is dropped, and the panic goes on to whoever polls the stream, which remains usable.
#[must_use = "a stream does nothing unless it is polled"]
pub struct Merge<S> {
    sources: Arena<S>,
    ready: Ready,
}

impl<S> Merge<S> {
    /// Adds a source. A stream that has ended goes on with it.
    pub fn push(&mut self, source: S) {
        let number = self.sources.insert(source);
        self.ready.reach(number);
        self.ready.waker(number).wake_by_ref();
    }

    /// How many sources there are that have not ended.
    pub fn len(&self) -> usize {
        self.sources.len()
    }

    /// Whether all have ended.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<S> Extend<S> for Merge<S> {
    fn extend<I: IntoIterator<Item = S>>(&mut self, sources: I) {
        sources.into_iter().for_each(|source| self.push(source));
    }
}

impl<S: Stream> Merge<S> {
    fn poll_source(&mut self, number: usize) -> Poll<S::Item> {
        let Some(source) = self.sources.get(number) else { return Poll::Pending };
        let waker = self.ready.waker(number);
        match catch(|| source.poll_next(&mut Context::from_waker(&waker))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(Some(item))) => {
                // Its next turn comes after that of all who are woken now.
                waker.wake_by_ref();
                Poll::Ready(item)
            }
            Ok(Poll::Ready(None)) => {
                self.sources.remove(number);
                Poll::Pending
            }
            Err(payload) => {
                let first = Panic::new(payload);
                drop(catch(|| self.sources.remove(number)));
                first.resume()
            }
        }
    }
}

impl<S: Stream> Stream for Merge<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = self.get_mut();
        this.ready.begin(cx.waker());
        // Nobody but the sources has anything to say.
        this.ready.take_control();
        let mut budget = BUDGET;
        for _ in 0..PASSES {
            this.ready.begin_pass();
            while let Some(number) = this.ready.next() {
                if let Poll::Ready(item) = this.poll_source(number) {
                    return Poll::Ready(Some(item));
                }
                budget -= 1;
                if budget == 0 {
                    break;
                }
            }
            // Wake-ups of sources that have ended may be left: they concern nobody.
            if this.is_empty() {
                return Poll::Ready(None);
            }
            if budget == 0 {
                break;
            }
            if this.ready.rest() {
                probe::waiting("merged streams", None, u64::MAX);
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// It has ended when all sources have, until another one is added.
impl<S: Stream> FusedStream for Merge<S> {
    fn is_terminated(&self) -> bool {
        self.is_empty()
    }
}

/// Sources lie in allocations of their own, and stay there.
impl<S> Unpin for Merge<S> {}

impl<S> fmt::Debug for Merge<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Merge").field("len", &self.len()).finish_non_exhaustive()
    }
}
