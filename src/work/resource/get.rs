//! Having an object lent.

use super::ResourcePool;
use super::manage::{Manage, Usage};
use super::pooled::Pooled;
use super::state::{Known, Record, Turn};
use crate::sync::{AcquireError, Permit, TryAcquireError};
use crate::time::Time;
use crate::wait::yield_now;
use alloc::boxed::Box;
use core::fmt;
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;

/// What a pool was at when it took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GetStage {
    /// Others had all objects that there may be.
    Wait,
    /// An object was being made.
    Create,
}

/// The error of [`ResourcePool::get`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GetError<E> {
    /// The pool is closed.
    Closed,
    /// One of the pool's timeouts was reached: of which stage, and how long it is.
    TimedOut(GetStage, Duration),
    /// There was no idle object, and none could be made.
    Create(E),
}

impl<E: fmt::Display> fmt::Display for GetError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the pool is closed"),
            Self::TimedOut(GetStage::Wait, timeout) => write!(f, "no object came back within {timeout:?}"),
            Self::TimedOut(GetStage::Create, timeout) => write!(f, "no object could be made within {timeout:?}"),
            Self::Create(error) => write!(f, "no object could be made: {error}"),
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for GetError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Create(error) => Some(error),
            Self::Closed | Self::TimedOut(..) => None,
        }
    }
}

impl<M: Manage> ResourcePool<M> {
    /// Has an object lent: one that is idle and fit, or else a new one; waits for its turn if there are as many as there may
    /// be.
    ///
    /// Idle objects that are too old, or not fit any more, are dropped on the way. If one can't be made, that is the answer,
    /// at once: to try again is for the caller.
    ///
    /// # Time
    /// The [timeouts](super::ResourcePoolBuilder::wait_timeout) count from when their stage begins; what is ready at their
    /// instant counts. A shorter one for a single call is a scope's business.
    ///
    /// # Cancel safety
    /// Dropping the future gives up its place in line. An object that is being made, validated or recycled is dropped, and
    /// its place in the pool is free.
    ///
    /// # Errors
    /// [`GetError`].
    pub async fn get(&self) -> Result<Pooled<M>, GetError<M::Error>> {
        let inner = &*self.0;
        loop {
            let permit = self.permit().await?;
            loop {
                let now = inner.options.now(&inner.time);
                let known = match inner.state.with(|state| state.take(&inner.options, now)) {
                    Turn::Closed => return Err(GetError::Closed),
                    Turn::TooOld(known) => {
                        self.dropped([known]);
                        continue;
                    }
                    Turn::Reuse(known) => match self.refit(known).await {
                        Some(known) => known,
                        None => continue,
                    },
                    Turn::Make => self.make().await?,
                    Turn::Wait => break,
                };
                let pooled = Pooled::new(self.clone(), known, permit);
                if self.is_closed() {
                    return Err(GetError::Closed);
                }
                self.fewer_idle();
                return Ok(pooled);
            }
            // The pool became smaller meanwhile: the permit was one too many, or is about to be.
            drop(permit);
            yield_now().await;
        }
    }

    #[inline]
    async fn permit(&self) -> Result<Permit<'_>, GetError<M::Error>> {
        match self.0.slots.try_acquire() {
            Ok(permit) => Ok(permit),
            Err(TryAcquireError::Closed) => Err(GetError::Closed),
            Err(TryAcquireError::NoPermits) => self.wait().await,
        }
    }

    async fn wait(&self) -> Result<Permit<'_>, GetError<M::Error>> {
        struct Waiting<'a, M: Manage>(&'a ResourcePool<M>);
        impl<M: Manage> Drop for Waiting<'_, M> {
            fn drop(&mut self) {
                self.0.0.state.with(|state| state.waiting -= 1);
            }
        }
        let inner = &*self.0;
        let timeout = inner.options.wait;
        inner.state.with(|state| state.waiting += 1);
        let _waiting = Waiting(self);
        match within(&inner.time, timeout, inner.slots.acquire()).await {
            Some(Ok(permit)) => Ok(permit),
            Some(Err(AcquireError)) => Err(GetError::Closed),
            None => {
                inner.state.with(|state| state.count.timed_out += 1);
                Err(GetError::TimedOut(GetStage::Wait, timeout))
            }
        }
    }

    /// Makes an object, which counts already.
    pub(super) async fn make(&self) -> Result<Known<M::Object>, GetError<M::Error>> {
        struct Unmade<'a, M: Manage>(Option<&'a ResourcePool<M>>);
        impl<M: Manage> Drop for Unmade<'_, M> {
            fn drop(&mut self) {
                let Some(pool) = self.0 else { return };
                pool.0.state.with(|state| {
                    state.count.not_created += 1;
                    state.leave(1);
                });
                pool.gone(1);
            }
        }
        let (inner, timeout) = (&*self.0, self.0.options.create);
        let mut unmade = Unmade(Some(self));
        let object = match within(&inner.time, timeout, inner.manage.create()).await {
            Some(Ok(object)) => object,
            Some(Err(error)) => return Err(GetError::Create(error)),
            None => return Err(GetError::TimedOut(GetStage::Create, timeout)),
        };
        unmade.0 = None;
        inner.state.with(|state| state.count.created += 1);
        let created = inner.time.now();
        Ok(Box::new(Record { object, usage: Usage { created, idle_since: created, uses: 0 } }))
    }

    /// Makes an idle object fit to be lent. It is dropped if it can't be.
    async fn refit(&self, known: Known<M::Object>) -> Option<Known<M::Object>> {
        let (inner, options) = (&*self.0, &self.0.options);
        let mut unsettled = Unsettled { known: Some(known), pool: self };
        let Some(known) = &mut unsettled.known else { unreachable!("it was put in just now") };
        let Record { object, usage } = &mut **known;
        let old = options.validate_after.is_zero() || inner.time.now() - usage.idle_since >= options.validate_after;
        let fit = async {
            if old {
                inner.manage.validate(object, usage).await?;
            }
            inner.manage.recycle(object, usage).await
        };
        match within(&inner.time, options.recycle, fit).await {
            Some(Ok(())) => unsettled.known.take(),
            Some(Err(_)) | None => None,
        }
    }
}

/// An object that is being looked at: should it come to nothing, it is dropped.
struct Unsettled<'a, M: Manage> {
    known: Option<Known<M::Object>>,
    pool: &'a ResourcePool<M>,
}

impl<M: Manage> Drop for Unsettled<'_, M> {
    fn drop(&mut self) {
        let Some(known) = self.known.take() else { return };
        self.pool.leaves(known, |count| {
            count.reused -= 1;
            count.invalid += 1;
        });
    }
}

/// What comes of `future`, unless it takes longer than `timeout`.
pub(super) async fn within<F: Future>(time: &Time, timeout: Duration, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    if timeout == Duration::MAX {
        return Some(future.await);
    }
    let mut late = pin!(time.sleep(timeout));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => late.as_mut().poll(cx).map(|()| None),
    })
    .await
}
