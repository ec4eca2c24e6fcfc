//! The wakers of tasks: whom they wake, and whether any are left.

use super::meta::Meta;
use super::report::FailureKind;
use super::trace::Phase;
use super::verdict::Verdict;
use super::view::WaitingView;
use super::world::{Core, ROOT, World};
use crate::sys::Arc;
use crate::sys::atomic::{AtomicU32, Ordering, fence};
use crate::sys::trail::Trail;
use crate::sys::waker::{Wake, waker};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::ToString;
use core::task::Waker;

/// Who is woken: the tenant of a number, if it still lives there.
pub(super) struct Target {
    world: Arc<World>,
    number: u32,
    /// Written while nobody but its [`Own`] has the target, so it is the same for whoever has a waker.
    tenant: AtomicU32,
}

impl Target {
    #[inline]
    fn tenant(&self) -> u32 {
        self.tenant.load(Ordering::Relaxed)
    }

    /// Nobody but its [`Own`] has the target.
    fn set_tenant(&self, tenant: u32) {
        // Acquire: partner of the releasing decrement with which another thread gave back the last clone.
        fence(Ordering::Acquire);
        self.tenant.store(tenant, Ordering::Relaxed);
    }
}

impl Wake for Target {
    #[inline]
    fn wake(this: &Arc<Self>) {
        if !this.world.home.is_here() {
            return this.world.wake_from_elsewhere(this.number, this.tenant());
        }
        this.world.core.with(|core| core.wake(this.number, this.tenant()));
    }

    #[inline]
    fn cloned(this: &Arc<Self>) {
        if this.world.locates {
            let trail = Trail::here();
            this.world.core.with(|core| core.note_clone(this.number, this.tenant(), trail));
        }
    }

    #[inline]
    fn dropped(this: Arc<Self>) {
        if Arc::strong_count(&this) == 1 + Own::COUNTS {
            this.world.core.with(|core| core.suspect(this.number, this.tenant()));
        }
        drop(this);
    }
}

/// Whether somebody else has it, too.
fn is_kept(target: &Arc<Target>) -> bool {
    Arc::strong_count(target) > 1
}

/// A task's waker, of which its polls make clones.
pub(super) struct Own {
    target: Arc<Target>,
    waker: Waker,
    /// The first of earlier polls of which clones were left when the next one came.
    earlier: Option<Arc<Target>>,
}

impl Own {
    /// How often this itself counts as a reference to the target.
    const COUNTS: usize = 2;

    pub(super) fn new(world: &Arc<World>, number: u32, tenant: u32) -> Self {
        let target = Arc::new(Target { world: world.clone(), number, tenant: AtomicU32::new(tenant) });
        Self { waker: waker(target.clone()), target, earlier: None }
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

    /// Whether neither a clone of it is left nor one of an earlier poll's.
    pub(super) fn is_forgotten(&mut self) -> bool {
        self.earlier = self.earlier.take().filter(is_kept);
        self.is_alone() && self.earlier.is_none()
    }

    /// Becomes the waker of another tenant of the number.
    pub(super) fn serve(&mut self, tenant: u32) {
        if !self.is_alone() {
            return *self = self.another(tenant);
        }
        self.target.set_tenant(tenant);
        self.earlier = None;
    }

    /// Takes another identity, that of the next poll; if nobody kept it, it can't be told from the old one.
    #[cold]
    pub(super) fn renew(&mut self) {
        let tenant = self.target.tenant().wrapping_add(1);
        self.earlier = self.earlier.take().filter(is_kept);
        if self.is_alone() {
            return self.target.set_tenant(tenant);
        }
        let next = self.another(tenant);
        let Self { target, waker, earlier } = core::mem::replace(self, next);
        drop(waker);
        self.earlier = earlier.or_else(|| Some(target).filter(is_kept));
    }

    /// Takes another identity; what the earlier one wakes still counts.
    pub(super) fn change(&mut self) {
        *self = self.another(self.target.tenant());
    }

    fn another(&self, tenant: u32) -> Self {
        Self::new(&self.target.world, self.target.number, tenant)
    }

    /// How many polls ago the waker of an earlier poll was handed out that somebody keeps, if somebody does.
    fn kept_since(&self) -> Option<u32> {
        let earlier = self.earlier.as_ref().filter(|earlier| is_kept(earlier))?;
        Some(self.target.tenant().wrapping_sub(earlier.tenant()))
    }
}

impl Core {
    /// Wakes one of those who wait, if the oracle says so. It is not asked right after the poll that this leads to: so no
    /// oracle can keep a run from going on.
    #[cold]
    pub(super) fn wake_for_nothing(&mut self) {
        let count = self.metas.len() - self.unused.len() - self.ready.count();
        if core::mem::take(&mut self.woke_for_nothing) || self.root_done || count == 0 {
            return;
        }
        let Self { ready, metas, last, source, .. } = self;
        let waiting = WaitingView { ready, metas, count };
        let Meta { key, polls, .. } = metas[*last as usize];
        self.draws += 1;
        let Some(woken) = source.choose_spurious(self.twists.spurious.into(), &waiting, (key, polls)) else { return };
        let number = waiting.numbers().nth(woken).expect("the oracle chose one of them");
        self.woke_for_nothing = true;
        let before = self.trace.as_mut().map(|trace| trace.enter(Phase::Spurious));
        self.wake(number, self.metas[number as usize].tenant);
        if let (Some(trace), Some(before)) = (&mut self.trace, before) {
            trace.enter(before);
        }
    }

    /// Whether this is the tenant of a number, and not done.
    pub(super) fn lives_as(&self, number: u32, tenant: u32) -> bool {
        self.metas[number as usize].tenant == tenant && !(number == ROOT && self.root_done)
    }

    /// Whether this is the tenant of a number, not done and not ready, nor about to be.
    pub(super) fn waits_as(&self, number: u32, tenant: u32) -> bool {
        self.lives_as(number, tenant) && !self.ready.is_set(number) && !self.foreign.woke(number, tenant)
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
    pub(super) fn look_for_stranded<'a>(&mut self, allow_leaks: bool, own: impl Fn(u32) -> &'a Own) {
        while let Some((number, tenant)) = self.suspects.pop() {
            let excused = self.metas[number as usize].background || (allow_leaks && number != ROOT);
            if !excused && self.waits_as(number, tenant) && own(number).is_alone() && self.verdict.is_none() {
                self.verdict = Some(Box::new(self.strand(number, own(number).kept_since())));
            }
        }
    }

    fn strand(&mut self, number: u32, kept_since: Option<u32>) -> Verdict {
        self.polling = false;
        let (task, polls) = (self.describe(number), self.metas[number as usize].polls);
        let label = task.label();
        let waker_of = kept_since.map(|ago| polls.wrapping_sub(ago));
        let (kind, message) = match waker_of {
            Some(first) => {
                let message =
                    format!("`{label}` kept the waker of its poll {first}, and left none behind in poll {polls}");
                (FailureKind::StaleWaker, message)
            }
            None => {
                let lost = match self.last {
                    last if last == number => "its last poll left none behind".to_string(),
                    last => format!("the last one was dropped in or after a poll of `{}`", self.describe(last).label()),
                };
                (FailureKind::NoWaker, format!("`{label}` is pending and no waker of it is left: {lost}"))
            }
        };
        Verdict { kind, message, place: None, task: Some(task), waker_of }
    }

    /// Keeps in mind that the waker of an earlier poll was used, which does not count.
    #[cold]
    pub(super) fn note_stale_wake(&mut self, number: u32, tenant: u32) {
        let meta = &mut self.metas[number as usize];
        // Tenants are counted round; those before it are of other tasks.
        let age = meta.tenant.wrapping_sub(tenant);
        if age != 0 && age <= meta.tenant.wrapping_sub(meta.born) {
            meta.stale_wake = Some(meta.polls.wrapping_sub(age));
        }
    }
}
