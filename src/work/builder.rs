//! Settings of a run.

use super::lease::Lease;
use super::options::{Limit, Options};
use super::outcome::Sink;
use super::report::Report;
use super::run;
use super::source::{IntoSource, Source};
use crate::cancel::Scope;
use crate::limit::Limiter;
use crate::time::Instant;
use core::future::Future;
use core::num::NonZeroUsize;
use core::time::Duration;

/// Work on the items of `source`, to be set up and [run](Work::run).
///
/// A source is something to iterate over, a stream that is `Unpin` (`Box::pin` makes it so), a queue's
/// [`Receiver`](crate::queue::Receiver), or a [`Source`] of your own.
///
/// # Examples
/// ```
/// use core::num::NonZeroUsize;
/// use core::time::Duration;
/// use wakeful::cancel::Scope;
/// use wakeful::work::{Count, Lease, work};
///
/// wakeful::sim::run(|sim| async move {
///     let scope = Scope::new(sim.time());
///     let report = work(1..=50)
///         .workers(NonZeroUsize::new(4).unwrap())
///         .deadline_after(Duration::from_millis(250))
///         .run(&scope, |item: Lease<i32>| async move {
///             wakeful::sleep(Duration::from_millis(50)).await;
///             if *item == 13 { Err("unlucky") } else { Ok(()) }
///         }, Count::new())
///         .await;
///     assert_eq!(
///         report.to_string(),
///         "19 done, 1 failed, 0 panicked, 0 timed out, 0 cancelled, 0 skipped, \
///          30 not started in 0.250000000s (out of time)",
///     );
///     assert_eq!(report.rest, 21..=50);
/// });
/// ```
pub fn work<M, S: IntoSource<M>>(source: S) -> Work<S::Source> {
    Work { source: source.into_source(), options: Options::new() }
}

/// Work that is being set up; made by [`work()`].
#[derive(Clone, Debug)]
#[must_use = "no work is done unless it is run"]
pub struct Work<S> {
    source: S,
    options: Options,
}

impl<S: Source> Work<S> {
    /// How many items are worked on at once at most; one, unless set. Workers are made when they are first needed.
    pub fn workers(mut self, workers: NonZeroUsize) -> Self {
        self.options.workers = workers;
        self
    }

    /// Ends the run at `at`. The scope's effective deadline holds in any case; whichever comes first counts.
    pub fn deadline_at(mut self, at: Instant) -> Self {
        self.options.limit = Limit::At(at);
        self
    }

    /// Ends the run when `duration` has passed since its first poll. See [`deadline_at`](Self::deadline_at).
    pub fn deadline_after(mut self, duration: Duration) -> Self {
        self.options.limit = Limit::After(duration);
        self
    }

    /// Starts no item when less than `duration` is left until the deadline; none, unless set.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use wakeful::cancel::Scope;
    /// use wakeful::work::{Count, Lease, work};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let scope = Scope::new(sim.time());
    ///     let takes = Duration::from_millis(100);
    ///     let body = |_: Lease<u32>| async move { Ok::<_, ()>(wakeful::sleep(takes).await) };
    ///     let report =
    ///         work(0..20).deadline_after(Duration::from_millis(950)).min_time(takes).run(&scope, body, Count::new()).await;
    ///     assert_eq!((report.count.done, report.count.cancelled, report.not_started), (9, 0, Some(11)));
    ///     assert_eq!(report.elapsed(), Duration::from_millis(900));
    /// });
    /// ```
    pub fn min_time(mut self, duration: Duration) -> Self {
        self.options.min_time = duration;
        self
    }

    /// Cuts a body short when it has run for `duration`; never, unless set.
    pub fn item_timeout(mut self, duration: Duration) -> Self {
        self.options.item_timeout = duration;
        self
    }

    /// Takes a permit of `limiter` before each item is pulled. When the next one would come too late for the deadline, no
    /// more items are started.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroU32;
    /// use core::time::Duration;
    /// use wakeful::cancel::Scope;
    /// use wakeful::limit::{Limiter, Quota};
    /// use wakeful::work::{Count, Lease, work};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let scope = Scope::new(sim.time());
    ///     let limiter = Limiter::new(&sim.time(), Quota::per_second(NonZeroU32::new(10).unwrap()));
    ///     let body = |_: Lease<u32>| async { Ok::<_, ()>(()) };
    ///     let report = work(0..11).rate(&limiter).run(&scope, body, Count::new()).await;
    ///     assert_eq!((report.count.done, report.elapsed()), (11, Duration::from_secs(1)));
    /// });
    /// ```
    pub fn rate(mut self, limiter: &Limiter) -> Self {
        self.options.limiter = Some(limiter.clone());
        self
    }

    /// Does the work: calls `body` with each item, and tells `sink` what became of it.
    ///
    /// Everything happens inside the returned future: nothing is spawned, so source, body and sink may borrow, and the
    /// future is `Send` if they are.
    ///
    /// # Time
    /// The clock of `scope`. It is read once a poll and once an item; not at all between the run's beginning and its end,
    /// if there is neither a deadline nor a timeout.
    ///
    /// # Cancel safety
    /// Dropping the future drops the bodies that run, each in a panic guard of its own, and with them their items; nobody is
    /// told, and the source is dropped too. To end a run and keep its report, cancel the scope.
    ///
    /// # Panics
    /// Passes on the panics of the source and the sink. Those of bodies are outcomes, with `std`.
    pub fn run<F, Fut, O, E, K>(self, scope: &Scope, body: F, sink: K) -> impl Future<Output = Report<S::Rest>>
    where
        F: Fn(Lease<S::Item>) -> Fut,
        Fut: Future<Output = Result<O, E>>,
        K: Sink<S::Item, O, E>,
    {
        run::in_place(self.source, self.options, scope, body, sink)
    }
}
