//! Dropping a future after each of its polls in turn.

use super::builder::{Body, Builder};
use super::explore::Trouble;
use super::handle::Sim;
use super::oracle::fold;
use super::report::{Failure, Report};
use super::twist::{Chance, Dropped};
use super::world::Core;
use crate::sys::probe::{Access, Resource};
use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;
use core::future::Future;
use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Poll};
use pin_project_lite::pin_project;

pin_project! {
    /// Runs a future, or drops it at one of its polls; made by [`Sim::cancel_at_each`].
    ///
    /// # Cancel safety
    /// Dropping it drops the future.
    #[must_use = "a future does nothing unless it is awaited"]
    pub struct CancelAtEach<F> {
        sim: Sim,
        made: &'static Location<'static>,
        id: u64,
        polls: u32,
        #[pin]
        future: Option<F>,
    }
}

impl<F> CancelAtEach<F> {
    #[track_caller]
    pub(super) fn new(sim: Sim, future: F) -> Self {
        let id = sim.world().core.with(|core| core.swept_id());
        Self { sim, made: Location::caller(), id, polls: 0, future: Some(future) }
    }
}

impl<F: Future> Future for CancelAtEach<F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let made = *this.made;
        let drops = |id, polls, after| {
            this.sim.world().core.with(|core| {
                core.cancels(Chance { id, polls, after }, || Dropped {
                    name: String::new(),
                    made: Some(made),
                    polls,
                    after,
                })
            })
        };
        let Some(future) = this.future.as_mut().as_pin_mut() else {
            panic!("a future made at {made} was polled after it had been ready")
        };
        if !drops(*this.id, *this.polls, false) {
            *this.polls = this.polls.wrapping_add(1);
            let poll = future.poll(cx);
            if let Poll::Ready(output) = poll {
                this.future.set(None);
                return Poll::Ready(Some(output));
            }
            if !drops(*this.id, *this.polls, true) {
                return Poll::Pending;
            }
        }
        this.future.set(None);
        Poll::Ready(None)
    }
}

impl<F> fmt::Debug for CancelAtEach<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { made, polls, .. } = self;
        f.debug_struct("CancelAtEach").field("made", made).field("polls", polls).finish_non_exhaustive()
    }
}

impl Core {
    /// What stands for a future to be swept that the current task makes.
    pub(super) fn swept_id(&mut self) -> u64 {
        let meta = &mut self.metas[self.current as usize];
        meta.swept += 1;
        fold(meta.key, u64::from(meta.swept))
    }

    /// Whether this chance to cancel is taken; one is, in a run, at most. Then `dropped` says what it was.
    pub(super) fn cancels(&mut self, chance: Chance, dropped: impl FnOnce() -> Dropped) -> bool {
        Resource::SWEEP.touch(Access::Read);
        if self.closed || self.probing || self.dropped.is_some() {
            return false;
        }
        self.cancel_points += 1;
        let taken = self.source.choose_cancel(self.cancel_points == self.twists.cancel, chance);
        if taken {
            Resource::SWEEP.touch(Access::Write);
            self.note(fold(chance.id, u64::from(chance.polls) << 1 | u64::from(chance.after)));
            let dropped = self.dropped.insert(dropped()).clone();
            self.trace(|trace, now| trace.dropped(now, dropped));
        }
        taken
    }
}

impl Builder {
    /// Sweeps the tasks of this name: of many runs, each is repeated with one of these tasks dropped, at each of its polls
    /// in turn, as [`Sim::cancel_at_each`](super::Sim::cancel_at_each) describes it. May be called for several names.
    ///
    /// Whoever waits for such a task has to take into account that it may be dropped:
    /// [`JoinHandle::outcome`](super::JoinHandle::outcome). The root is never dropped.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroUsize;
    /// use wakeful::queue;
    /// use wakeful::sim::{Builder, Sim};
    ///
    /// // Whenever the first consumer goes, the second one receives.
    /// let body = async |sim: Sim| {
    ///     let (tx, rx) = queue::bounded(NonZeroUsize::MIN);
    ///     let other = rx.clone();
    ///     let first = sim.spawn("first", async move { drop(rx.recv().await) });
    ///     let second = sim.spawn("second", async move { while other.recv().await.is_ok() {} });
    ///     tx.send(1).await.unwrap();
    ///     tx.send(2).await.unwrap();
    ///     drop(tx);
    ///     first.outcome().await;
    ///     second.await;
    /// };
    /// let summary = Builder::new().sweep("first").explore(body).unwrap();
    /// assert!(summary.cancel_points > 64);
    /// ```
    pub fn sweep(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.swept.push(name.into());
        self
    }

    /// After a run that did not fail and dropped nothing: makes it again for each of the chances to cancel that it had,
    /// and drops there. Gives how many they were.
    pub(super) fn cancel_at_each(&self, report: &Report<()>, body: &Body<'_>) -> Result<u64, Failure> {
        if self.bytes.is_some() || self.twists.cancel != 0 {
            return Ok(0);
        }
        for nth in 1..=report.cancel_points {
            let mut this = self.clone();
            this.twists.cancel = nth;
            this.run_one(body).map_err(|failure| this.told(Trouble::Found(failure), body))?;
        }
        Ok(report.cancel_points)
    }
}
