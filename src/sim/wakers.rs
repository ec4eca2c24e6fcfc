//! The wakers of tasks: whom they wake, and whether any are left.

use super::report::FailureKind;
use super::verdict::Verdict;
use super::world::{Core, ROOT, World};
use crate::sys::Arc;
use crate::sys::waker::{Wake, waker};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::ToString;
use core::task::Waker;

/// Who is woken: the tenant of a number, if it still lives there.
pub(super) struct Target {
    world: Arc<World>,
    number: u32,
    tenant: u32,
}

impl Wake for Target {
    #[inline]
    fn wake(this: &Arc<Self>) {
        this.world.core.with(|core| core.wake(this.number, this.tenant));
    }

    #[inline]
    fn dropped(this: Arc<Self>) {
        if Arc::strong_count(&this) == 1 + Own::COUNTS {
            this.world.core.with(|core| core.suspect(this.number, this.tenant));
        }
        drop(this);
    }
}

/// A task's waker, of which its polls make clones.
pub(super) struct Own {
    target: Arc<Target>,
    waker: Waker,
}

impl Own {
    /// How often this itself counts as a reference to the target.
    const COUNTS: usize = 2;

    pub(super) fn new(world: &Arc<World>, number: u32, tenant: u32) -> Self {
        let target = Arc::new(Target { world: world.clone(), number, tenant });
        Self { waker: waker(target.clone()), target }
    }

    #[inline]
    pub(super) fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Whether no clone of it is left.
    #[inline]
    pub(super) fn is_alone(&self) -> bool {
        Arc::strong_count(&self.target) == Self::COUNTS
    }
}

impl Core {
    /// Whether this is the tenant of a number, not done and not ready.
    fn waits_as(&self, number: u32, tenant: u32) -> bool {
        let is_done = number == ROOT && self.root_done;
        self.metas[number as usize].tenant == tenant && !is_done && !self.ready.is_set(number)
    }

    /// Keeps in mind that the last waker of a task may just have been dropped. While the task itself is polled it may
    /// leave another one behind, and its end is looked at in any case.
    #[cold]
    fn suspect(&mut self, number: u32, tenant: u32) {
        if !(self.polling && self.current == number) && self.waits_as(number, tenant) {
            self.suspects.push((number, tenant));
        }
    }

    /// Looks for one of those who may have lost their last waker who has, and for whom that is a failure.
    #[cold]
    pub(super) fn look_for_stranded(&mut self, allow_leaks: bool, is_alone: impl Fn(u32) -> bool) {
        while let Some((number, tenant)) = self.suspects.pop() {
            let excused = self.metas[number as usize].background || (allow_leaks && number != ROOT);
            if !excused && self.waits_as(number, tenant) && is_alone(number) && self.verdict.is_none() {
                self.verdict = Some(Box::new(self.strand(number)));
            }
        }
    }

    fn strand(&mut self, number: u32) -> Verdict {
        self.polling = false;
        let task = self.describe(number);
        let lost = match self.last {
            last if last == number => "its last poll left none behind".to_string(),
            last => format!("the last one was dropped in or after a poll of `{}`", self.describe(last).label()),
        };
        let message = format!("`{}` is pending and no waker of it is left: {lost}", task.label());
        Verdict { kind: FailureKind::NoWaker, message, place: None, task: Some(task) }
    }
}
