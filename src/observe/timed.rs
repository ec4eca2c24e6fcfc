//! A future that is measured.

use super::monitor::{Live, Shared, SlowPoll, TaskMonitor};
use super::timing::{More, Sums, Timing};
use crate::sys::probe::{self, Access, Resource, Wait};
use crate::sys::waker::{Wake, waker};
use crate::sys::{Arc, Lock, Stamp};
use crate::time::Instant;
use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::fmt;
use core::future::Future;
use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

/// What a stamp says for "not": an instant that is never reached.
const NOT: u64 = u64::MAX;

pin_project_lite::pin_project! {
    /// A future that is measured by a [`TaskMonitor`]: made by [`TaskMonitor::watch`].
    ///
    /// Its output is that of the future in it, which it polls whenever it is polled itself.
    ///
    /// # Cancel safety
    /// Dropping it drops the future in it, and counts it as dropped.
    #[must_use = "futures do nothing unless they are polled"]
    pub struct Timed<F> {
        #[pin]
        future: F,
        // After the future, so that it is there until that is dropped.
        watch: Watch,
        waker: Waker,
    }
}

/// What the wakers of a future share with it.
pub(super) struct Bell {
    shared: Arc<Shared>,
    name: Option<Cow<'static, str>>,
    pub(super) place: &'static Location<'static>,
    /// When it was woken for the first time since its last poll was begun, or [`NOT`].
    woken: Stamp,
    /// When the poll that is under way began, or [`NOT`].
    polling: Stamp,
    resource: Resource,
    /// Shared, so that it is cloned under the lock without a waker being cloned.
    task: Lock<Option<Arc<Waker>>>,
}

impl Bell {
    pub(super) fn name(&self) -> &str {
        self.name.as_ref().unwrap_or(&self.shared.name)
    }

    /// When it was woken, if it was since its last poll was begun.
    pub(super) fn woken(&self) -> Option<Instant> {
        Some(self.woken.get()).filter(|&at| at != NOT).map(Instant::from_nanos)
    }

    /// When the poll that is under way began, if one is.
    pub(super) fn polling(&self) -> Option<Instant> {
        Some(self.polling.get()).filter(|&at| at != NOT).map(Instant::from_nanos)
    }

    /// No poll is under way any more.
    pub(super) fn rest(&self) {
        self.polling.set(NOT);
    }
}

impl Wake for Bell {
    fn wake(this: &Arc<Self>) {
        this.resource.touch(Access::Commute);
        if this.woken.get() == NOT {
            // Who was first is as good as any other.
            let _ = this.woken.exchange(NOT, this.shared.time.now().as_nanos());
        }
        // Also if another has set it: the poll sees by the lock what was done before each wake-up.
        let task = this.task.with(|task| task.clone());
        if let Some(task) = task {
            probe::firing(&task);
            task.wake_by_ref();
        }
    }
}

/// The side of the future.
struct Watch {
    bell: Arc<Bell>,
    /// Among those of its monitor that are not over.
    number: usize,
    task: Option<Arc<Waker>>,
    sums: Sums,
    /// When its last poll ended, or it was made.
    left: Instant,
    /// When the last poll began and how long it took, if it was slow and that was not reported.
    slow: Option<(Instant, u64)>,
    /// What the poll that is under way waits for; otherwise a buffer.
    waits: Vec<Wait>,
    done: bool,
}

impl<F> Timed<F> {
    pub(super) fn new(
        monitor: &TaskMonitor,
        name: Option<Cow<'static, str>>,
        place: &'static Location<'static>,
        future: F,
    ) -> Self {
        let shared = monitor.0.clone();
        let (woken, polling, task) = (Stamp::new(NOT), Stamp::new(NOT), Lock::new(None));
        let bell = Arc::new(Bell { shared, name, place, woken, polling, resource: Resource::new(), task });
        let left = bell.shared.time.now();
        let live = Live { bell: bell.clone(), polls: 0, left, waits: Vec::new() };
        let number = bell.shared.state.with(|state| state.enter(live));
        let waker = waker(bell.clone());
        let watch =
            Watch { bell, number, task: None, sums: Sums::default(), left, slow: None, waits: Vec::new(), done: false };
        Self { future, watch, waker }
    }

    /// Where its time has gone, from when it was made until the end of its last poll.
    pub fn timing(&self) -> Timing {
        self.watch.sums.timing()
    }

    /// Its name, or that of its monitor.
    pub fn name(&self) -> &str {
        self.watch.bell.name()
    }
}

impl<F: Future> Future for Timed<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if this.watch.done {
            return this.future.poll(cx);
        }
        let mut polling = Polling::begin(this.watch, cx.waker());
        let future = || this.future.poll(&mut Context::from_waker(this.waker));
        let poll = probe::record(&mut polling.watch.waits, future);
        if poll.is_pending() {
            probe::repeat(&polling.watch.waits);
        }
        polling.is_ready = poll.is_ready();
        drop(polling);
        this.watch.report();
        poll
    }
}

/// A poll that is under way; it ends when this is dropped, also by unwinding.
struct Polling<'a> {
    watch: &'a mut Watch,
    /// The time since the last poll ended, and this poll.
    more: More,
    began: Instant,
    is_ready: bool,
}

impl<'a> Polling<'a> {
    fn begin(watch: &'a mut Watch, task: &Waker) -> Self {
        watch.wakes(task);
        watch.bell.resource.touch(Access::Write);
        let woken = watch.bell.woken.swap(NOT);
        let (began, left) = (watch.bell.shared.time.now(), watch.left);
        watch.bell.polling.set(began.as_nanos());
        let (now, left) = (began.as_nanos(), left.as_nanos());
        let mut more = More::default();
        if watch.sums.polls == 0 {
            more.start_delay = now.saturating_sub(left);
        } else if woken == NOT {
            more.idle = now.saturating_sub(left);
        } else {
            let woken = woken.max(left).min(now);
            (more.woken, more.idle, more.scheduled) = (true, woken.saturating_sub(left), now - woken);
        }
        Self { watch, more, began, is_ready: false }
    }
}

impl Drop for Polling<'_> {
    fn drop(&mut self) {
        let Self { watch, more, began, is_ready } = self;
        watch.left = watch.bell.shared.time.now();
        let took = watch.left.as_nanos().saturating_sub(began.as_nanos());
        more.busy = took;
        more.slow = watch.bell.shared.is_slow(took);
        watch.slow = more.slow.then_some((*began, took));
        watch.sums.add(more);
        let over = watch.bell.shared.state.with(|state| {
            state.add(watch.number, more, watch.left, &mut watch.waits);
            is_ready.then(|| state.leave(watch.number, true))
        });
        if *is_ready {
            watch.done = true;
            watch.forget();
        }
        drop(over);
    }
}

impl Watch {
    /// From now on wake-ups go to `task`.
    fn wakes(&mut self, task: &Waker) {
        if !self.task.as_ref().is_some_and(|known| known.will_wake(task)) {
            probe::keeping(task);
            let task = Arc::new(task.clone());
            let old = self.task.replace(task.clone());
            let shared = self.bell.task.with(|place| place.replace(task));
            drop((old, shared));
        }
    }

    /// Lets the task go: it may hold what holds this.
    fn forget(&mut self) {
        let task = self.bell.task.with(Option::take);
        drop((task, self.task.take()));
    }

    /// Reports the last poll, if it was slow.
    fn report(&mut self) {
        if let Some((began, took)) = self.slow.take() {
            let (name, place, poll) = (self.bell.name(), self.bell.place, self.sums.polls);
            let took = Duration::from_nanos(took);
            self.bell.shared.report(&SlowPoll { name, place, took, began, poll });
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.done {
            drop(self.bell.shared.state.with(|state| state.leave(self.number, false)));
            self.forget();
        }
    }
}

impl<F> fmt::Debug for Timed<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timed").field("name", &self.name()).field("timing", &self.timing()).finish_non_exhaustive()
    }
}
