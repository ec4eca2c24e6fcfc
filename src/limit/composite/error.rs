//! Permits that were not granted together.

use crate::cancel::Deadline;
use crate::limit::error::{AcquireError, TooManyKeys, TryAcquireError};
use crate::limit::turn::too_late;
use crate::sync;
use crate::time::Instant;
use core::error::Error;
use core::fmt;

/// Why a limiter refuses, whoever asks. Of several the greatest is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Refusal {
    NotYet(u64),
    TooLate(u64),
    Full { permits: u32, queued: u64, due: u64 },
    Exceeds { permits: u32, burst: u32 },
}

impl Refusal {
    /// For one who would have waited.
    pub(super) fn of_wait(self, deadline: Deadline) -> AcquireError {
        match self {
            Self::Exceeds { permits, burst } => AcquireError::ExceedsBurst { permits, burst },
            Self::TooLate(due) | Self::NotYet(due) => too_late(due, deadline),
            Self::Full { permits, queued, .. } => AcquireError::Full { permits, queued },
        }
    }

    /// For one who would not.
    pub(super) fn of_try(self) -> TryAcquireError {
        match self {
            Self::Exceeds { permits, burst } => TryAcquireError::ExceedsBurst { permits, burst },
            Self::TooLate(due) | Self::NotYet(due) | Self::Full { due, .. } => {
                TryAcquireError::NotYet { earliest: Instant::from_nanos(due) }
            }
        }
    }
}

/// Permits of several limits that were not granted. All of them are as they were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AcquireAllError {
    /// One of the limiters refused.
    Limit(AcquireError),
    /// One of the semaphores is closed.
    Closed,
}

impl fmt::Display for AcquireAllError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limit(error) => error.fmt(f),
            Self::Closed => sync::AcquireError.fmt(f),
        }
    }
}

impl Error for AcquireAllError {}

impl From<AcquireError> for AcquireAllError {
    fn from(error: AcquireError) -> Self {
        Self::Limit(error)
    }
}

impl From<TooManyKeys> for AcquireAllError {
    fn from(error: TooManyKeys) -> Self {
        Self::Limit(error.into())
    }
}

/// Permits of several limits that were not granted at once. All of them are as they were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TryAcquireAllError {
    /// One of the limiters refused.
    Limit(TryAcquireError),
    /// One of the semaphores has not enough permits, or others wait for them.
    NoPermits,
    /// One of the semaphores is closed.
    Closed,
}

impl fmt::Display for TryAcquireAllError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limit(error) => error.fmt(f),
            Self::NoPermits => sync::TryAcquireError::NoPermits.fmt(f),
            Self::Closed => sync::TryAcquireError::Closed.fmt(f),
        }
    }
}

impl Error for TryAcquireAllError {}

impl From<TryAcquireError> for TryAcquireAllError {
    fn from(error: TryAcquireError) -> Self {
        Self::Limit(error)
    }
}

impl From<TooManyKeys> for TryAcquireAllError {
    fn from(error: TooManyKeys) -> Self {
        Self::Limit(error.into())
    }
}

impl From<sync::TryAcquireError> for TryAcquireAllError {
    fn from(error: sync::TryAcquireError) -> Self {
        match error {
            sync::TryAcquireError::NoPermits => Self::NoPermits,
            sync::TryAcquireError::Closed => Self::Closed,
        }
    }
}
