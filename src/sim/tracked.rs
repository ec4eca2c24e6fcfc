//! State that tasks share and that a search knows of.

use crate::sys::probe::{Access, Resource};
use crate::sys::{Arc, Lock};
use core::fmt;

/// A value that tasks of a test share, and whose accesses a search sees; clones are handles to the same value.
///
/// For what [tracked](super::Sim::tracked) tasks share besides the kit's own primitives. To declare state that lives
/// elsewhere, keep a `Tracked<()>` beside it, and [`write`](Self::write) to that when the state is changed,
/// [`read`](Self::read) it when it is looked at. Outside a simulated run it is just a shared cell.
///
/// # Examples
/// Two tasks that each read a counter and write it later, in all ways that differ:
/// ```
/// use std::collections::BTreeSet;
/// use std::sync::Mutex;
/// use wakeful::sim::{Builder, Strategy, Tracked};
///
/// let outcomes = Mutex::new(BTreeSet::new());
/// let summary = Builder::new().strategy(Strategy::SleepSets).explore(async |sim| {
///     let count = Tracked::new(0);
///     for _ in 0..2 {
///         let (task, count) = (sim.clone(), count.clone());
///         sim.tracked().spawn("racer", async move {
///             let seen = count.get();
///             task.yield_now().await;
///             count.set(seen + 1);
///         });
///     }
///     sim.idle().await;
///     outcomes.lock().unwrap().insert(count.get());
/// });
/// assert_eq!(*outcomes.lock().unwrap(), BTreeSet::from([1, 2]));
/// assert_eq!(summary.unwrap().runs, 4, "of 6 schedules");
/// ```
pub struct Tracked<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    resource: Resource,
    /// Not there while somebody uses it, so that no code of the user's runs under the lock.
    value: Lock<Option<T>>,
}

impl<T> Tracked<T> {
    /// A value that is shared from now on.
    pub fn new(value: T) -> Self {
        Self { shared: Arc::new(Shared { resource: Resource::new(), value: Lock::new(Some(value)) }) }
    }

    /// Calls `f` with the value, to look at it.
    ///
    /// # Panics
    /// If it is called from inside the `f` of another call, or while that runs on another thread.
    #[track_caller]
    pub fn read<R>(&self, f: impl FnOnce(&T) -> R) -> R {
        self.shared.resource.touch(Access::Read);
        f(self.lend().value())
    }

    /// Calls `f` with the value, to change it.
    ///
    /// # Panics
    /// As [`read`](Self::read).
    #[track_caller]
    pub fn write<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        self.shared.resource.touch(Access::Write);
        f(self.lend().value())
    }

    /// The value, cloned.
    ///
    /// # Panics
    /// As [`read`](Self::read).
    #[track_caller]
    pub fn get(&self) -> T
    where
        T: Clone,
    {
        self.read(T::clone)
    }

    /// Replaces the value.
    ///
    /// # Panics
    /// As [`read`](Self::read).
    #[track_caller]
    pub fn set(&self, value: T) {
        let old = self.write(|place| core::mem::replace(place, value));
        drop(old);
    }

    #[track_caller]
    fn lend(&self) -> Lent<'_, T> {
        let value = self.shared.value.with(Option::take);
        assert!(value.is_some(), "a tracked value is being used already");
        Lent { shared: &self.shared, value }
    }
}

/// A value that goes back when this is dropped.
struct Lent<'a, T> {
    shared: &'a Shared<T>,
    value: Option<T>,
}

impl<T> Lent<'_, T> {
    fn value(&mut self) -> &mut T {
        self.value.as_mut().expect("it goes back last")
    }
}

impl<T> Drop for Lent<'_, T> {
    fn drop(&mut self) {
        let value = self.value.take();
        self.shared.value.with(|place| *place = value);
    }
}

impl<T> Clone for Tracked<T> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<T: Default> Default for Tracked<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

/// Without the value: looking at that would be an access.
impl<T> fmt::Debug for Tracked<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracked").finish_non_exhaustive()
    }
}
