//! What a run is told.

use crate::limit::Limiter;
use crate::time::Instant;
use core::num::NonZeroUsize;
use core::time::Duration;

/// What a run is told.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) workers: NonZeroUsize,
    pub(super) limit: Limit,
    pub(super) min_time: Duration,
    pub(super) item_timeout: Duration,
    pub(super) limiter: Option<Limiter>,
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
            limit: Limit::None,
            min_time: Duration::ZERO,
            item_timeout: Duration::MAX,
            limiter: None,
        }
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
