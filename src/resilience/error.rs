//! What comes of calls that were not made, or failed.

use core::error::Error;
use core::fmt;

/// The error of a call that something stands before: a [`CircuitBreaker`](super::CircuitBreaker), a
/// [`Bulkhead`](super::Bulkhead).
///
/// # Examples
/// ```
/// use wakeful::resilience::CallError;
///
/// let failed: CallError<(), &str> = CallError::Failed("disk full");
/// assert_eq!(failed.failed(), Some("disk full"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallError<R, E> {
    /// The call was not made.
    Refused(R),
    /// The call was made, and failed.
    Failed(E),
}

impl<R, E> CallError<R, E> {
    /// The error of the call itself, if it was made.
    pub fn failed(self) -> Option<E> {
        match self {
            Self::Refused(_) => None,
            Self::Failed(error) => Some(error),
        }
    }

    /// Whether the call was not made.
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}

impl<R: fmt::Display, E: fmt::Display> fmt::Display for CallError<R, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refused) => refused.fmt(f),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl<R: Error, E: Error> Error for CallError<R, E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Refused(refused) => refused.source(),
            Self::Failed(error) => error.source(),
        }
    }
}
