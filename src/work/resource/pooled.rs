//! An object that is lent out.

use super::ResourcePool;
use super::manage::{Manage, Usage};
use super::state::{Known, Put};
use crate::sync::Permit;
use crate::sys::thread::catch;
use core::fmt;
use core::ops::{Deref, DerefMut};

/// An object of a [`ResourcePool`], lent; made by [`ResourcePool::get`]. It goes back when this is dropped.
///
/// Whatever state it is in: an object that is used by a future which is dropped half-way may be in the middle of something.
/// [`lend`](Self::lend) keeps such a one out of the pool; otherwise that is for [`Manage::is_broken`] and
/// [`Manage::recycle`] to find out.
pub struct Pooled<M: Manage> {
    /// There until it is dropped.
    known: Option<Known<M::Object>>,
    /// Given back after the object.
    slot: Slot<M>,
}

/// R1. A permit that is out, and whose it is.
struct Slot<M: Manage>(ResourcePool<M>);

impl<M: Manage> Drop for Slot<M> {
    #[inline]
    fn drop(&mut self) {
        self.0.0.slots.put_back(1);
    }
}

impl<M: Manage> Pooled<M> {
    #[inline]
    pub(super) fn new(pool: ResourcePool<M>, known: Known<M::Object>, permit: Permit<'_>) -> Self {
        permit.keep_out();
        Self { known: Some(known), slot: Slot(pool) }
    }

    /// Runs `body` with the object, which is discarded if the future is dropped before it is done, or panics: it may be in
    /// the middle of something then.
    ///
    /// # Cancel safety
    /// Dropping the future drops `body` and then the object; its place in the pool is free. If `body` has not begun, the
    /// object goes back.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use wakeful::cancel::Scope;
    /// use wakeful::work::{Manage, Pooled, ResourcePool};
    /// # struct Make;
    /// # impl Manage for Make {
    /// #     type Object = Vec<&'static str>;
    /// #     type Error = core::convert::Infallible;
    /// #     async fn create(&self) -> Result<Self::Object, Self::Error> { Ok(Vec::new()) }
    /// # }
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let pool = ResourcePool::builder(&sim.time(), Make).build();
    ///     let (scope, second) = (Scope::new(sim.time()), Duration::from_secs(1));
    ///     let ask = async |pooled: Pooled<Make>, seconds| {
    ///         let talk = async |wire: &mut Vec<_>| {
    ///             wire.push("the question");
    ///             scope.sleep(seconds * second).await;
    ///             wire.clear(); // the answer was read
    ///         };
    ///         scope.move_on_after(2 * second, async |_| pooled.lend(talk).await).await
    ///     };
    ///     assert!(ask(pool.get().await.unwrap(), 1).await.done().is_some());
    ///     assert_eq!(pool.status().idle, 1);
    ///     assert!(ask(pool.get().await.unwrap(), 3).await.is_cancelled());
    ///     assert_eq!((pool.status().size, pool.count().broken), (0, 1));
    /// });
    /// ```
    pub async fn lend<R>(self, body: impl AsyncFnOnce(&mut M::Object) -> R) -> R {
        let mut lent = Lent(Some(self));
        let Some(pooled) = &mut lent.0 else { unreachable!("it was put in just now") };
        let output = body(pooled).await;
        drop(lent.0.take());
        output
    }

    /// Drops the object instead of giving it back. Its place is free.
    pub fn discard(mut self) {
        let known = self.take();
        self.slot.0.leaves(known, |count| count.broken += 1);
    }

    /// Takes the object out of the pool for good, which has a place for another one.
    pub fn detach(mut self) -> M::Object {
        let known = self.take();
        self.slot.0.0.state.with(|state| {
            state.count.detached += 1;
            state.leave(1);
        });
        self.slot.0.fewer_idle();
        self.slot.0.gone(1);
        known.object
    }

    /// How it has been used.
    pub fn usage(&self) -> Usage {
        self.known().usage
    }

    /// The pool that it is of.
    pub fn pool(&self) -> &ResourcePool<M> {
        &self.slot.0
    }

    /// The object; the permit stays until this is dropped.
    fn take(&mut self) -> Known<M::Object> {
        let Some(known) = self.known.take() else { unreachable!("it is there until it is dropped") };
        known
    }

    fn known(&self) -> &Known<M::Object> {
        self.known.as_ref().expect("it is there until it is dropped")
    }
}

/// One that is discarded unless it is taken out before.
struct Lent<M: Manage>(Option<Pooled<M>>);

impl<M: Manage> Drop for Lent<M> {
    fn drop(&mut self) {
        if let Some(pooled) = self.0.take() {
            pooled.discard();
        }
    }
}

impl<M: Manage> Deref for Pooled<M> {
    type Target = M::Object;

    #[inline]
    fn deref(&self) -> &M::Object {
        &self.known().object
    }
}

impl<M: Manage> DerefMut for Pooled<M> {
    #[inline]
    fn deref_mut(&mut self) -> &mut M::Object {
        &mut self.known.as_mut().expect("it is there until it is dropped").object
    }
}

impl<M: Manage> Drop for Pooled<M> {
    #[inline]
    fn drop(&mut self) {
        if let Some(known) = self.known.take() {
            self.slot.0.give_back(known);
        }
    }
}

impl<M: Manage> ResourcePool<M> {
    /// An object comes back, from whoever has a permit.
    pub(super) fn give_back(&self, mut known: Known<M::Object>) {
        let inner = &*self.0;
        let broken = catch(|| inner.manage.is_broken(&mut known.object)).unwrap_or_else(|panic| {
            // Its drop may panic too.
            core::mem::forget(panic);
            true
        });
        if broken {
            return self.leaves(known, |count| count.broken += 1);
        }
        known.usage.idle_since = self.idle_since(&known.usage);
        known.usage.uses += 1;
        self.keep_idle(known);
    }

    /// Puts an object among the idle ones, for whoever has a permit.
    #[inline]
    pub(super) fn keep_idle(&self, known: Known<M::Object>) {
        let inner = &*self.0;
        match inner.state.with(|state| state.put(known, &inner.options)) {
            Put::Kept => {}
            Put::Sooner => inner.changed.notify_one(),
            Put::Surplus(known) => self.dropped([known]),
        }
    }
}

impl<M: Manage> fmt::Debug for Pooled<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pooled").field("usage", &self.usage()).finish_non_exhaustive()
    }
}
