//! Who is ready, as an oracle sees it.

use super::meta::Meta;
use super::ready::Ready;
use core::fmt;

/// The ready tasks among which an oracle chooses, two or more, in the order that [`Kind::Task`](super::Kind::Task)
/// describes.
///
/// Passing it costs nothing; what is asked of it is worked out then.
pub struct ReadyView<'a> {
    pub(super) ready: &'a Ready,
    pub(super) metas: &'a [Meta],
    pub(super) cursor: u32,
    pub(super) last: u32,
    /// Whether the task polled last is not done.
    pub(super) lives: bool,
}

/// One of the tasks in a [`ReadyView`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ReadyTask {
    /// Stands for the task: made of its spawn path alone, so it is the same in all runs of a body.
    pub key: u64,
    /// How often it was polled so far; wraps round.
    pub polls: u32,
    /// Whether it was polled last and is ready again since: it woke itself, as one does that yields or spins.
    pub woke_itself: bool,
}

impl ReadyView<'_> {
    /// How many they are.
    #[inline]
    pub fn count(&self) -> usize {
        self.ready.count()
    }

    /// One after another: the first is that which 0 chooses.
    ///
    /// # Examples
    /// ```
    /// use wakeful::sim::{Builder, Kind, Oracle, ReadyView};
    ///
    /// /// Prefers who was polled least.
    /// struct Fair;
    ///
    /// impl Oracle for Fair {
    ///     fn choose(&mut self, _: Kind, _: usize) -> usize {
    ///         0
    ///     }
    ///
    ///     fn choose_task(&mut self, ready: &ReadyView<'_>) -> usize {
    ///         ready.tasks().enumerate().min_by_key(|(_, task)| task.polls).map_or(0, |(k, _)| k)
    ///     }
    /// }
    ///
    /// let report = Builder::new().run_with(Fair, |sim| async move {
    ///     let (a, b) = (sim.spawn("a", async { 1 }), sim.spawn("b", async { 2 }));
    ///     a.await + b.await
    /// });
    /// assert_eq!(report.unwrap().output, 3);
    /// ```
    pub fn tasks(&self) -> impl Iterator<Item = ReadyTask> {
        self.ready.after(self.cursor).map(|number| {
            let meta = &self.metas[number as usize];
            ReadyTask { key: meta.key, polls: meta.polls, woke_itself: self.lives && number == self.last }
        })
    }

    /// The key of the one that [woke itself](ReadyTask::woke_itself), if one did.
    pub(super) fn who_woke_itself(&self) -> Option<u64> {
        (self.lives && self.ready.is_set(self.last)).then(|| self.metas[self.last as usize].key)
    }

    /// The key of the task polled last, and how often it was polled: no two choices of a run share both.
    pub fn last(&self) -> (u64, u32) {
        let meta = &self.metas[self.last as usize];
        (meta.key, meta.polls)
    }
}

impl fmt::Debug for ReadyView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.tasks()).finish()
    }
}

/// Those who wait, in the order of their spawn paths.
pub(super) struct WaitingView<'a> {
    pub(super) ready: &'a Ready,
    pub(super) metas: &'a [Meta],
    pub(super) count: usize,
}

impl WaitingView<'_> {
    pub(super) fn numbers(&self) -> impl Iterator<Item = u32> {
        self.ready.iter().filter(|&number| !self.ready.is_set(number))
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = u64> {
        self.numbers().map(|number| self.metas[number as usize].key)
    }
}
