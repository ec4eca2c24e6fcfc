//! What is said where nothing is published or read.

use core::error::Error;
use core::fmt;

/// The topic is closed: the message was not published, and is handed back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublishError<T>(pub T);

impl<T> fmt::Debug for PublishError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublishError(..)")
    }
}

impl<T> fmt::Display for PublishError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("publish to a topic that is closed")
    }
}

impl<T> Error for PublishError<T> {}

/// Why a message was not published at once; it is handed back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TryPublishError<T> {
    /// A subscriber has to be waited for, or others wait already.
    Full(T),
    /// The topic is closed.
    Closed(T),
}

impl<T> TryPublishError<T> {
    /// The message.
    pub fn into_inner(self) -> T {
        match self {
            Self::Full(message) | Self::Closed(message) => message,
        }
    }
}

impl<T> fmt::Debug for TryPublishError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full(..)",
            Self::Closed(_) => "Closed(..)",
        })
    }
}

impl<T> fmt::Display for TryPublishError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Full(_) => "publish at once where a subscriber has to be waited for",
            Self::Closed(_) => "publish to a topic that is closed",
        })
    }
}

impl<T> Error for TryPublishError<T> {}

/// Why there was no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecvError {
    /// So many messages were displaced before they were read.
    Missed(u64),
    /// All have been read, and there will be no other.
    Closed,
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missed(missed) => Missed(*missed).fmt(f),
            Self::Closed => f.pad("read a topic that is closed"),
        }
    }
}

impl Error for RecvError {}

/// Why there was no message at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryRecvError {
    /// None has come yet.
    Empty,
    /// So many messages were displaced before they were read.
    Missed(u64),
    /// All have been read, and there will be no other.
    Closed,
}

impl From<RecvError> for TryRecvError {
    fn from(error: RecvError) -> Self {
        match error {
            RecvError::Missed(missed) => Self::Missed(missed),
            RecvError::Closed => Self::Closed,
        }
    }
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.pad("read a topic that has no message yet"),
            Self::Missed(missed) => Missed(*missed).fmt(f),
            Self::Closed => f.pad("read a topic that is closed"),
        }
    }
}

impl Error for TryRecvError {}

/// So many messages were displaced before they were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missed(pub u64);

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "missed {} messages", self.0)
    }
}

impl Error for Missed {}
