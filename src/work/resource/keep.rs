//! Keeping a pool in order.

use super::ResourcePool;
use super::manage::Manage;
use super::state::Turn;
use crate::cancel::Scope;
use crate::time::Instant;
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;

impl<M: Manage> ResourcePool<M> {
    /// Keeps the pool in order, until it is closed, or `scope` is cancelled or [winds down](Scope::cancel_with_grace): drops
    /// idle objects at the instant at which they become too old, and makes new ones until
    /// [`min_idle`](super::ResourcePoolBuilder::min_idle) are idle, as long as nobody waits and there may be more.
    ///
    /// For a task of its own, in the background of a group say. A pool that nobody keeps works too: it drops what is too old
    /// when it comes upon it, and makes what it needs when it is needed. One keeper is enough.
    ///
    /// # Time
    /// If an object can't be made, it is tried again after [`retry_after`](super::ResourcePoolBuilder::retry_after).
    ///
    /// # Cancel safety
    /// Dropping the future drops an object that is being made; its place in the pool is free. The rest is kept.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use wakeful::cancel::Scope;
    /// use wakeful::work::{Manage, ResourcePool};
    /// # struct Make;
    /// # impl Manage for Make {
    /// #     type Object = ();
    /// #     type Error = core::convert::Infallible;
    /// #     async fn create(&self) -> Result<(), Self::Error> { Ok(()) }
    /// # }
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let (scope, minute) = (Scope::new(sim.time()), Duration::from_secs(60));
    ///     let pool = ResourcePool::builder(&sim.time(), Make).min_idle(2).max_idle_time(10 * minute).build();
    ///     let keeper = sim.spawn("keeper", {
    ///         let (pool, scope) = (pool.clone(), scope.clone());
    ///         async move { pool.keep(&scope).await }
    ///     });
    ///     sim.idle().await;
    ///     assert_eq!(pool.status().idle, 2);
    ///     sim.time().sleep(15 * minute).await;
    ///     assert_eq!((pool.status().idle, pool.count().created, pool.count().expired), (2, 4, 2));
    ///     scope.cancel("over");
    ///     keeper.await;
    /// });
    /// ```
    pub async fn keep(&self, scope: &Scope) {
        let inner = &*self.0;
        let mut over = pin!(scope.draining());
        loop {
            // Before anything is looked at: what changes later lets the wait end at once.
            let mut changed = pin!(inner.changed.notified());
            let now = inner.options.now(&inner.time);
            let (expired, next) = inner.state.with(|state| state.expired(&inner.options, now));
            self.dropped(expired);
            let mut filled = pin!(self.fill());
            let done = poll_fn(|cx| match over.as_mut().poll(cx) {
                Poll::Ready(_) => Poll::Ready(None),
                Poll::Pending => filled.as_mut().poll(cx).map(Some),
            });
            let again = match done.await {
                Some(true) => Instant::NEVER,
                Some(false) => inner.time.now() + inner.options.retry_after,
                None => return,
            };
            if self.is_closed() {
                return;
            }
            let mut next = pin!(inner.time.sleep_until(next.min(again)));
            let ends = poll_fn(|cx| {
                if over.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(true);
                }
                if changed.as_mut().poll(cx).is_ready() || next.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(false);
                }
                Poll::Pending
            });
            if ends.await {
                return;
            }
        }
    }

    /// Makes objects until enough are idle, or there may be no more. False: one could not be made.
    async fn fill(&self) -> bool {
        let inner = &*self.0;
        loop {
            // R1. Nobody is free while somebody waits.
            let Ok(_permit) = inner.slots.try_acquire() else { return true };
            let turn = inner.state.with(|state| match state.closed || state.idle.len() >= inner.options.min_idle {
                true => Turn::Closed,
                false => state.make(),
            });
            if !matches!(turn, Turn::Make) {
                return true;
            }
            let Ok(known) = self.make().await else { return false };
            if inner.options.expiry(&known.usage) <= inner.options.now(&inner.time) {
                // Too old as soon as it was made, as any other would be.
                inner.state.with(|state| {
                    state.count.expired += 1;
                    state.leave(1);
                });
                self.dropped([known]);
                return false;
            }
            self.keep_idle(known);
        }
    }
}
