//! What a run is told.

use crate::limit::Limiter;
use crate::sync::watch;
use crate::time::Instant;
use core::num::NonZeroUsize;
use core::time::Duration;

/// What a run is told.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) workers: NonZeroUsize,
    /// Instead of the above: as many as this says.
    pub(super) follows: Option<watch::Receiver<NonZeroUsize>>,
    /// Instead of the above: as many as it takes, but no more than so many.
    pub(super) to_meet: Option<NonZeroUsize>,
    pub(super) limit: Limit,
    pub(super) grace: Duration,
    pub(super) min_time: Duration,
    pub(super) observed: Option<Observed>,
    pub(super) item_timeout: Duration,
    pub(super) limiter: Option<Limiter>,
    pub(super) on_error: OnError,
}

/// What a run does when an item fails, panics or is timed out.
///
/// # Examples
/// ```
/// use wakeful::cancel::Scope;
/// use wakeful::work::{Count, Lease, OnError, Stop, work};
///
/// wakeful::sim::run(|sim| async move {
///     let scope = Scope::new(sim.time());
///     let body = |item: Lease<u32>| async move { if *item == 3 { Err("unlucky") } else { Ok(()) } };
///     let report = work(0..10).on_error(OnError::StopStarting).run(&scope, body, Count::new()).await;
///     assert_eq!((report.count.done, report.count.failed, report.not_started), (3, 1, Some(6)));
///     assert_eq!((report.stop, report.rest), (Stop::Failed { index: 3 }, 4..10));
/// });
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnError {
    /// Goes on with the others.
    #[default]
    Collect,
    /// Starts nothing more; what runs goes on.
    StopStarting,
    /// Starts nothing more, and cuts short what runs: those items are cancelled.
    CancelRest,
}

/// The least time that is to be left, as it was seen so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Observed {
    pub(super) percent: u8,
    pub(super) after: u64,
}

/// When the run ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum Limit {
    None,
    At(Instant),
    After(Duration),
}

impl Options {
    /// One worker, and no limit of any kind.
    pub(super) fn new() -> Self {
        Self {
            workers: NonZeroUsize::MIN,
            follows: None,
            to_meet: None,
            limit: Limit::None,
            grace: Duration::ZERO,
            min_time: Duration::ZERO,
            observed: None,
            item_timeout: Duration::MAX,
            limiter: None,
            on_error: OnError::Collect,
        }
    }
}

impl Options {
    /// What one of several workers is told who share a source and what stands before it.
    pub(super) fn single(self) -> Self {
        Self { workers: NonZeroUsize::MIN, follows: None, limiter: None, ..self }
    }
}

impl Limit {
    /// The deadline of a run that begins at `now`.
    pub(super) fn deadline(self, now: Instant) -> Instant {
        match self {
            Self::None => Instant::NEVER,
            Self::At(at) => at,
            Self::After(duration) => now + duration,
        }
    }
}
