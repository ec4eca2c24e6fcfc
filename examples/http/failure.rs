//! What may go wrong with a request, whether to ask again, and whose fault it is.

use hyper::StatusCode;
use std::fmt;
use std::io;
use std::time::Duration;
use wakeful::limit::AcquireError;
use wakeful::resilience::{CircuitOpen, GaveUp, Mark, RetryError, Verdict};
use wakeful::time::Instant;
use wakeful::work::{GetError, GetStage};

/// Why an attempt has failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The answer is no, and it may be said when to come back.
    Status(StatusCode, Option<Instant>),
    /// The connection broke, or what came through it was not HTTP.
    Broken(hyper::Error),
    NoConnection(GetError<io::Error>),
    /// The answer was not there in time.
    Slow(Duration),
    /// Nothing came for so long.
    Stalled(Duration),
    /// The host has failed too often.
    Open(CircuitOpen),
    /// The limiter has no turn for it in time.
    NoTurn(AcquireError),
    /// Nobody waits any longer.
    Cancelled,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status, _) => write!(f, "{status}"),
            Self::Broken(error) => write!(f, "{error}"),
            Self::NoConnection(error) => write!(f, "no connection: {error}"),
            Self::Slow(limit) => write!(f, "no whole answer within {limit:?}"),
            Self::Stalled(limit) => write!(f, "nothing came for {limit:?}"),
            Self::Open(_) => f.write_str("the host has failed too often"),
            Self::NoTurn(error) => write!(f, "no turn: {error}"),
            Self::Cancelled => f.write_str("cancelled"),
        }
    }
}

impl std::error::Error for Failure {}

impl Failure {
    /// Whether to ask again, and when. All requests are `GET`, which may be repeated.
    pub(super) fn verdict(&self) -> Verdict {
        match self {
            Self::Status(_, Some(at)) => Verdict::NotBefore(*at),
            Self::Status(StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE, None) => Verdict::Retry,
            Self::Open(open) => Verdict::NotBefore(open.retry_at),
            Self::Broken(_) | Self::NoConnection(_) | Self::Stalled(_) => Verdict::Retry,
            // One that was too slow would be so again, as a rule.
            Self::Slow(_) | Self::Status(..) | Self::NoTurn(_) | Self::Cancelled => Verdict::GiveUp,
        }
    }

    /// Whether a request failed for want of time: it was cut short, or there was none for its turn or for one more attempt.
    pub(crate) fn is_late(error: &RetryError<Self>) -> bool {
        matches!((&error.error, &error.why), (Self::NoTurn(_) | Self::Cancelled, _) | (_, GaveUp::TooLate { .. }))
    }

    /// Whether the host is to blame, for its breaker.
    pub(super) fn mark(&self) -> Option<Mark> {
        match self {
            Self::Status(status, _) if !status.is_server_error() => None,
            Self::NoConnection(GetError::Closed | GetError::TimedOut(GetStage::Wait, _)) => None,
            Self::Open(_) | Self::NoTurn(_) | Self::Cancelled => None,
            _ => Some(Mark::Failure),
        }
    }
}
