//! How far a run has come.

use super::outcome::{Count, Ended, Sink};
use crate::time::{Instant, Time};
use core::fmt;
use core::num::NonZeroU64;
use core::time::Duration;

/// How far a run has come; what a [`Progressing`] says.
///
/// `Display` gives it in one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// What became of the items that have ended.
    pub count: Count,
    /// How many have not ended, if the [total](Progressing::total) was said.
    pub remaining: Option<u64>,
    /// How long it took so far, since the [`Progressing`] was made.
    pub elapsed: Duration,
}

impl Progress {
    /// How long the rest takes, if it goes on as it did; nothing is known of that before an item has ended, nor without a
    /// total. Longer than can be said is [`Duration::MAX`].
    pub fn time_left(&self) -> Option<Duration> {
        let nanos = self.elapsed.as_nanos().checked_mul(self.remaining?.into());
        let nanos = nanos.unwrap_or(u128::MAX).checked_div(self.count.total().into())?;
        Some(u64::try_from(nanos).map_or(Duration::MAX, Duration::from_nanos))
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.count)?;
        if let Some(remaining) = self.remaining {
            write!(f, ", {remaining} to go")?;
        }
        write!(f, " after {}.{:03}s", self.elapsed.as_secs(), self.elapsed.subsec_millis())
    }
}

/// A [sink](Sink) that says now and then how far the run has come, and hands on what it is told to another.
///
/// `tell` is called in the run when an item has ended: after each, unless it is to be [less often](Self::every), and in any
/// case with the item that makes up the [total](Self::total). It had better be quick: draw a bar, write a line, or send it by
/// a [`watch`](crate::sync::watch) to whoever wants to know. A run without it costs nothing more.
///
/// # Time
/// The clock that it is given: that of the run, say. It is read when an item ends, so while none does, nothing is said.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::cancel::Scope;
/// use wakeful::sync::watch;
/// use wakeful::work::{Count, Lease, Progressing, work};
///
/// wakeful::sim::run(|sim| async move {
///     let (scope, items) = (Scope::new(sim.time()), 0..100_u64);
///     let (tell, mut told) = watch::channel(None);
///     let looks = sim.spawn("looks", async move {
///         let mut lines = Vec::new();
///         while told.changed().await.is_ok() {
///             let progress: wakeful::work::Progress = told.see().unwrap();
///             lines.push((progress.count.done, progress.remaining, progress.time_left().unwrap().as_secs()));
///         }
///         lines
///     });
///     let progress = Progressing::new(&sim.time(), Count::new(), move |progress| {
///         tell.send(Some(*progress)).ok();
///     });
///     let progress = progress.total(100).every_period(Duration::from_secs(40));
///     let body = |_: Lease<u64>| async { Ok::<_, ()>(wakeful::sleep(Duration::from_secs(1)).await) };
///     work(items).run(&scope, body, progress).await;
///     assert_eq!(looks.await, [(40, Some(60), 60), (80, Some(20), 20), (100, Some(0), 0)]);
/// });
/// ```
#[derive(Clone)]
pub struct Progressing<K, F> {
    sink: K,
    tell: F,
    time: Time,
    began: Instant,
    count: Count,
    total: Option<u64>,
    every: Option<NonZeroU64>,
    /// How many have ended since it was last told.
    untold: u64,
    period: Option<Duration>,
    /// When it is told at the latest, if there is a period.
    due: Instant,
}

impl<K, F: FnMut(&Progress)> Progressing<K, F> {
    /// Tells `tell`, and hands on to `sink`; time is counted from now on.
    pub fn new(time: &Time, sink: K, tell: F) -> Self {
        let (time, began) = (time.clone(), time.now());
        let count = Count::new();
        Self { sink, tell, time, began, count, total: None, every: None, untold: 0, period: None, due: Instant::NEVER }
    }

    /// How many items there are in all, for what remains of them.
    #[must_use]
    pub fn total(mut self, items: u64) -> Self {
        self.total = Some(items);
        self
    }

    /// Tells after so many items, instead of after each.
    #[must_use]
    pub fn every(mut self, items: NonZeroU64) -> Self {
        self.every = Some(items);
        self
    }

    /// Tells when so much time has passed since it was last told, instead of after each item; or besides, if there is a
    /// [number](Self::every) of them.
    #[must_use]
    pub fn every_period(mut self, period: Duration) -> Self {
        self.due = self.time.now() + period;
        self.period = Some(period);
        self
    }

    /// How far it has come.
    pub fn progress(&self) -> Progress {
        let remaining = self.total.map(|total| total.saturating_sub(self.count.total()));
        Progress { count: self.count, remaining, elapsed: self.time.now() - self.began }
    }

    /// The sink that it handed on to.
    pub fn into_sink(self) -> K {
        self.sink
    }

    fn is_due(&self) -> bool {
        let by_number = match (self.every, self.period) {
            (Some(every), _) => self.untold >= every.get(),
            (None, Some(_)) => false,
            (None, None) => true,
        };
        by_number || self.total == Some(self.count.total()) || self.period.is_some() && self.due <= self.time.now()
    }
}

impl<K: Sink<T, O, E>, F: FnMut(&Progress), T, O, E> Sink<T, O, E> for Progressing<K, F> {
    fn accept(&mut self, ended: Ended<T, O, E>) {
        self.count.add(&ended.outcome);
        self.untold += 1;
        self.sink.accept(ended);
        if self.is_due() {
            self.untold = 0;
            if let Some(period) = self.period {
                self.due = self.time.now() + period;
            }
            let progress = self.progress();
            (self.tell)(&progress);
        }
    }
}

impl<K: Sink<T, O, E>, F: FnMut(&Progress), T, O, E> Sink<T, O, E> for &mut Progressing<K, F> {
    fn accept(&mut self, ended: Ended<T, O, E>) {
        Sink::accept(*self, ended);
    }
}

impl<K: fmt::Debug, F> fmt::Debug for Progressing<K, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progressing").field("count", &self.count).field("sink", &self.sink).finish_non_exhaustive()
    }
}
