//! Permits that were not granted.

use crate::time::Instant;
use core::error::Error;
use core::fmt;

/// A new key for which there is no room: as many as there may be are held, and none of them is idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyKeys {
    pub(super) most: usize,
    pub(super) earliest: Instant,
}

impl TooManyKeys {
    /// How many keys there may be.
    pub fn most(&self) -> usize {
        self.most
    }

    /// No key that is held now will be idle before this instant, so there will be no room before.
    pub fn earliest(&self) -> Instant {
        self.earliest
    }
}

impl fmt::Display for TooManyKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keys are held already, and none is idle before {}", self.most, self.earliest)
    }
}

impl Error for TooManyKeys {}

/// Permits that were not granted. The limiter is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AcquireError {
    /// They are more than are ever granted at once.
    ExceedsBurst {
        /// How many were asked for.
        permits: u32,
        /// How many may be asked for.
        burst: u32,
    },
    /// The turn would not have come before the deadline.
    TooLate {
        /// When the turn would have come, those counted who waited already.
        earliest: Instant,
        /// The deadline.
        deadline: Instant,
    },
    /// There is no room for them in the queue: the limiter is a [`LeakyQueue`](super::LeakyQueue).
    Full {
        /// How many were asked for.
        permits: u32,
        /// For how many others wait already.
        queued: u64,
    },
    /// The key is new, and there is no room for it: the limiter is a [bounded](super::KeyedLimiter::bounded)
    /// [`KeyedLimiter`](super::KeyedLimiter).
    TooManyKeys(TooManyKeys),
    /// The scope was cancelled already.
    Cancelled,
}

impl AcquireError {
    /// When its turn would have come; none if it never comes for what was asked.
    ///
    /// It may be [never](Instant::NEVER), for one that is closed.
    pub const fn earliest(&self) -> Option<Instant> {
        match self {
            Self::TooLate { earliest, .. } | Self::TooManyKeys(TooManyKeys { earliest, .. }) => Some(*earliest),
            _ => None,
        }
    }
}

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ExceedsBurst { permits, burst } => exceeds(f, *permits, *burst),
            Self::TooLate { earliest, deadline } => {
                write!(f, "not allowed before {earliest}, which is not before the deadline {deadline}")
            }
            Self::Full { permits, queued } => write!(f, "no room for {permits} permits in a queue of {queued}"),
            Self::TooManyKeys(error) => error.fmt(f),
            Self::Cancelled => f.pad("the scope is cancelled"),
        }
    }
}

impl Error for AcquireError {}

impl From<TooManyKeys> for AcquireError {
    fn from(error: TooManyKeys) -> Self {
        Self::TooManyKeys(error)
    }
}

/// Permits that were not granted at once. The limiter is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TryAcquireError {
    /// They are more than are ever granted at once.
    ExceedsBurst {
        /// How many were asked for.
        permits: u32,
        /// How many may be asked for.
        burst: u32,
    },
    /// They are not allowed yet, or others wait for theirs.
    NotYet {
        /// The first instant at which they could be granted, if nobody else comes first. Behind somebody who waits for other
        /// limits too, the one before which they can't be.
        earliest: Instant,
    },
    /// The key is new, and there is no room for it: the limiter is a [bounded](super::KeyedLimiter::bounded)
    /// [`KeyedLimiter`](super::KeyedLimiter).
    TooManyKeys(TooManyKeys),
}

impl TryAcquireError {
    /// When to come back; none if what was asked is never granted.
    ///
    /// It may be [never](Instant::NEVER), for one that is closed.
    ///
    /// # Examples
    /// The seconds of a `Retry-After`:
    /// ```
    /// use core::num::NonZeroU32;
    /// use core::time::Duration;
    /// use wakeful::limit::{Limiter, Quota};
    /// use wakeful::time::ManualClock;
    ///
    /// let time = ManualClock::new().time();
    /// let limiter = Limiter::new(&time, Quota::per_minute(NonZeroU32::new(8).unwrap()));
    /// limiter.try_acquire(1).unwrap();
    /// let refused = limiter.try_acquire(1).unwrap_err();
    /// let wait = refused.earliest().map(|earliest| earliest - time.now());
    /// assert_eq!(wait, Some(Duration::from_millis(7_500)));
    /// assert_eq!(wait.map(|wait| wait.as_nanos().div_ceil(1_000_000_000)), Some(8));
    /// ```
    pub const fn earliest(&self) -> Option<Instant> {
        match self {
            Self::NotYet { earliest } | Self::TooManyKeys(TooManyKeys { earliest, .. }) => Some(*earliest),
            _ => None,
        }
    }
}

impl fmt::Display for TryAcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ExceedsBurst { permits, burst } => exceeds(f, *permits, *burst),
            Self::NotYet { earliest } => write!(f, "not allowed before {earliest}"),
            Self::TooManyKeys(error) => error.fmt(f),
        }
    }
}

impl Error for TryAcquireError {}

impl From<TooManyKeys> for TryAcquireError {
    fn from(error: TooManyKeys) -> Self {
        Self::TooManyKeys(error)
    }
}

fn exceeds(f: &mut fmt::Formatter<'_>, permits: u32, burst: u32) -> fmt::Result {
    write!(f, "{permits} permits are more than the burst of {burst}")
}
