//! What a store answers: at once, or later.

use alloc::boxed::Box;
use core::fmt;
use core::future::{self, Future, Ready};
use core::pin::Pin;
use core::task::{Context, Poll};

use super::StoreError;

type Boxed<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// The reply of a [`Store`](super::Store): a future, which allocates nothing if the reply is there at once.
///
/// # Cancel safety
/// A transition whose answer is dropped may have happened.
#[must_use = "futures do nothing unless polled"]
pub struct Answer<'a, T>(Kind<'a, T>);

enum Kind<'a, T> {
    Now(Ready<Result<T, StoreError>>),
    Later(Boxed<'a, T>),
}

impl<'a, T> Answer<'a, T> {
    /// One that is there.
    pub fn ready(reply: Result<T, StoreError>) -> Self {
        Self(Kind::Now(future::ready(reply)))
    }

    /// One that comes.
    pub fn later(reply: impl Future<Output = Result<T, StoreError>> + Send + 'a) -> Self {
        Self(Kind::Later(Box::pin(reply)))
    }
}

impl<T> Future for Answer<'_, T> {
    type Output = Result<T, StoreError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.get_mut().0 {
            Kind::Now(reply) => Pin::new(reply).poll(cx),
            Kind::Later(reply) => reply.as_mut().poll(cx),
        }
    }
}

impl<T> fmt::Debug for Answer<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("later", &matches!(self.0, Kind::Later(_))).finish()
    }
}
