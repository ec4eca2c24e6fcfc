//! The methods of streams.

use super::conflated::{Conflated, Newest};
use super::debounce::DebounceConfig;
use super::pace::{Edge, Periods, Samples};
use super::paced::{Debounced, Paced, Sampled, Throttled};
use super::partitioned::Partitioned;
use super::windowed::Windowed;
use crate::time::Time;
use crate::work::chunks;
use core::future::Future;
use core::hash::Hash;
use core::num::NonZeroUsize;
use core::time::Duration;
use futures_core::stream::Stream;

/// What is done with the items of a stream over time: for every [`Stream`].
///
/// None of these holds a stream back; what it gives is taken at once, and in part left out or put together. To hold it back, so
/// that every item comes, only later, take [`Limiter::throttle`](crate::limit::Limiter::throttle).
pub trait FlowExt: Stream {
    /// The last item of each burst, when no other has come for a while; or the first, or both, as [`DebounceConfig`] says.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use futures::StreamExt;
    /// use wakeful::flow::FlowExt;
    /// use wakeful::queue;
    ///
    /// wakeful::sim::check(|sim| async move {
    ///     let (ms, time) = (Duration::from_millis, sim.time());
    ///     let (tx, rx) = queue::unbounded();
    ///     let keys = sim.spawn("keys", async move {
    ///         for (text, pause) in [("h", 200), ("he", 200), ("hell", 900), ("hello", 0)] {
    ///             tx.send(text).await.unwrap();
    ///             time.sleep(ms(pause)).await;
    ///         }
    ///     });
    ///     let mut searches = Box::pin(rx.into_stream().debounce(&sim.time(), ms(500)));
    ///     assert_eq!((searches.next().await, sim.now().as_nanos()), (Some("hell"), 900_000_000));
    ///     // The end of the stream is waited for no longer.
    ///     assert_eq!((searches.next().await, sim.now().as_nanos()), (Some("hello"), 1_300_000_000));
    ///     assert_eq!(searches.next().await, None);
    ///     keys.await;
    /// });
    /// ```
    fn debounce(self, time: &Time, config: impl Into<DebounceConfig>) -> Debounced<Self>
    where
        Self: Sized,
    {
        Paced::new(self, time, config.into().bursts())
    }

    /// At most one item a period: the first, the last, or both where there are periods enough.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use futures::StreamExt;
    /// use wakeful::flow::{Edge, FlowExt};
    ///
    /// wakeful::sim::check(|sim| async move {
    ///     let (time, ms) = (sim.time(), Duration::from_millis);
    ///     let readings = futures::stream::unfold(0, move |n| {
    ///         let time = time.clone();
    ///         async move {
    ///             time.sleep(ms(300)).await;
    ///             (n < 9).then_some((n, n + 1))
    ///         }
    ///     });
    ///     let shown: Vec<_> = readings.throttle(&sim.time(), ms(1_000), Edge::Leading).collect().await;
    ///     assert_eq!(shown, [0, 4, 8]); // at 0.3, 1.5 and 2.7 s
    /// });
    /// ```
    fn throttle(self, time: &Time, period: Duration, edge: Edge) -> Throttled<Self>
    where
        Self: Sized,
    {
        Paced::new(self, time, Periods::new(period, edge))
    }

    /// The last item of each period, at its end; nothing for periods without any. Periods are counted from this call.
    ///
    /// An item that comes at the end of a period belongs to the next one.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use futures::StreamExt;
    /// use wakeful::flow::FlowExt;
    ///
    /// wakeful::sim::check(|sim| async move {
    ///     let (time, ms) = (sim.time(), Duration::from_millis);
    ///     let readings = futures::stream::unfold(0, move |n| {
    ///         let time = time.clone();
    ///         async move {
    ///             time.sleep(ms(300)).await;
    ///             (n < 5).then_some((n, n + 1))
    ///         }
    ///     });
    ///     let mut samples = Box::pin(readings.sample(&sim.time(), ms(1_000)));
    ///     assert_eq!((samples.next().await, sim.now().as_nanos()), (Some(2), 1_000_000_000));
    ///     assert_eq!((samples.next().await, sim.now().as_nanos()), (Some(4), 1_800_000_000)); // the end
    ///     assert_eq!(samples.next().await, None);
    /// });
    /// ```
    fn sample(self, time: &Time, period: Duration) -> Sampled<Self>
    where
        Self: Sized,
    {
        Paced::new(self, time, Samples::new(time.now(), period))
    }

    /// The newest of what is ready whenever the reader asks: one that is slow misses what was between.
    ///
    /// # Examples
    /// ```
    /// use futures::StreamExt;
    /// use wakeful::flow::FlowExt;
    /// use wakeful::queue;
    ///
    /// wakeful::sim::run(|_| async move {
    ///     let (tx, rx) = queue::unbounded();
    ///     let mut newest = Box::pin(rx.into_stream().conflate());
    ///     for n in 1..=3 {
    ///         tx.send(n).await.unwrap();
    ///     }
    ///     assert_eq!(newest.next().await, Some(3));
    ///     tx.send(4).await.unwrap();
    ///     assert_eq!(newest.next().await, Some(4));
    /// });
    /// ```
    fn conflate(self) -> Newest<Self>
    where
        Self: Sized,
    {
        self.conflate_with(|newest, item| *newest = item)
    }

    /// What is ready whenever the reader asks, put together by `fold`: sums, the union of changes, the worst of all.
    ///
    /// # Examples
    /// ```
    /// use futures::{StreamExt, stream};
    /// use wakeful::flow::FlowExt;
    ///
    /// wakeful::sim::run(|_| async move {
    ///     let mut sums = stream::iter([1, 2, 3]).conflate_with(|sum, n| *sum += n);
    ///     assert_eq!((sums.next().await, sums.next().await), (Some(6), None));
    /// });
    /// ```
    fn conflate_with<F: FnMut(&mut Self::Item, Self::Item)>(self, fold: F) -> Conflated<Self, F>
    where
        Self: Sized,
    {
        Conflated::new(self, fold)
    }

    /// Batches of `size` items, or of those that come within `longest` after the first of them.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroUsize;
    /// use core::time::Duration;
    /// use futures::StreamExt;
    /// use wakeful::flow::FlowExt;
    /// use wakeful::queue;
    ///
    /// wakeful::sim::check(|sim| async move {
    ///     let (time, second) = (sim.time(), Duration::from_secs(1));
    ///     let (tx, rx) = queue::unbounded();
    ///     sim.spawn("rows", async move {
    ///         for n in 0..5 {
    ///             tx.send(n).await.unwrap();
    ///         }
    ///         time.sleep(60 * second).await;
    ///     });
    ///     let mut batches = Box::pin(rx.into_stream()).windows(&sim.time(), NonZeroUsize::new(3).unwrap(), second);
    ///     assert_eq!(batches.next().await, Some(vec![0, 1, 2]));
    ///     assert_eq!((batches.next().await, sim.now().as_nanos()), (Some(vec![3, 4]), 1_000_000_000));
    ///     assert_eq!((batches.next().await, sim.now().as_nanos()), (None, 60_000_000_000));
    /// });
    /// ```
    fn windows(self, time: &Time, size: NonZeroUsize, longest: Duration) -> Windowed<Self>
    where
        Self: Sized + Unpin,
    {
        Windowed::new(chunks(self, size).max_wait(time, longest))
    }

    /// Works on items with `body`: on those of a key one at a time, in their order; on those of up to `lanes` keys at once.
    ///
    /// For changes of accounts, of carts, of devices: what belongs together must not overtake, and what does not need not wait.
    /// Items whose key is busy are set aside, up to a [bound](Partitioned::look_ahead), and those behind them go on.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroUsize;
    /// use core::time::Duration;
    /// use futures::{StreamExt, stream};
    /// use wakeful::flow::FlowExt;
    ///
    /// wakeful::sim::check(|sim| async move {
    ///     let changes = stream::iter([("ann", 3), ("ann", 1), ("bob", 1), ("bob", 1)]);
    ///     let time = &sim.time();
    ///     let apply = |(name, seconds)| async move {
    ///         time.sleep(Duration::from_secs(seconds)).await;
    ///         (name, seconds, time.now().as_nanos() / 1_000_000_000)
    ///     };
    ///     let applied = changes.partition_by(NonZeroUsize::new(8).unwrap(), |change| change.0, apply);
    ///     let applied: Vec<_> = applied.collect().await;
    ///     assert_eq!(applied, [("bob", 1, 1), ("bob", 1, 2), ("ann", 3, 3), ("ann", 1, 4)]);
    /// });
    /// ```
    fn partition_by<G, F, B, Fut>(self, lanes: NonZeroUsize, key: F, body: B) -> Partitioned<Self, F, G, B, Fut>
    where
        Self: Sized,
        G: Hash + Eq,
        F: FnMut(&Self::Item) -> G,
        B: FnMut(Self::Item) -> Fut,
        Fut: Future,
    {
        Partitioned::new(self, lanes, key, body)
    }
}

impl<S: Stream + ?Sized> FlowExt for S {}
