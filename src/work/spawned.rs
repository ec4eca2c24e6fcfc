//! Runs whose workers are tasks.
//!
//! Each worker drives a crew of one (`run.rs`). What all of them share is a [`Team`]: who there is, and a [`Stock`], which says
//! where items come from and where what became of them goes. That is a source and a sink that go from hand to hand, in
//! `turn.rs`, and the queue of a pool.
//!
//! # Invariants
//!
//! - **P1** No code of the user runs under a lock: what is the user's is taken out of its place for that, and put back.
//! - **P2** Whoever waits for what a stock has is called when it is there to be had, or whoever was called before that has
//!   not come yet. Who was called and leaves without it calls the next one.
//! - **P3** Each item that was pulled is noted as its worker's until its end was told. If the task is gone before that, it is
//!   told by what is dropped with the task.
//! - **P4** A worker is counted out when its body, its feed and its task are gone.
//! - **P5** Where the number of workers changes, nobody pulls while more of them stay than there are to be: who asks then
//!   leaves, and those who wait for a stock are called to ask. Who has it, and waits for an item, asks when that has come.
//! - **P6** No more workers are hired than work asks for, but for a few: as long as there are to be more, one of those who are
//!   there waits for an item, or has not asked for one yet, or more are to be hired now. Whoever has pulled an item and leaves
//!   nobody behind who waits says so.

#[cfg(test)]
mod loom_tests;
mod turn;

pub(super) use turn::run_on;

use super::crowd::{AT_ONCE, Crowd, Resized};
use super::intake::Feed;
use super::lease::Lease;
use super::options::Options;
use super::report::Stop;
use super::run::{self, Driven};
use super::tag::Outcomes;
use super::width::Width;
use crate::cancel::{KeepOpen, Reason, Scope};
use crate::spawn::{Panic, Spawn, Task};
use crate::sys::atomic::{AtomicBool, Ordering};
use crate::sys::thread::contain;
use crate::sys::{Arc, Told, probe};
use crate::task::Guarded;
use crate::time::Instant;
use core::future::Future;
use core::num::NonZeroUsize;
use core::pin::pin;
use core::task::{Poll, Waker};
use core::time::Duration;

/// Where the items of all workers come from, and where what became of them goes.
pub(super) trait Stock: Sized {
    /// A worker's way to items.
    type Feed: Member;
    /// A worker's way to who is told.
    type Teller;

    /// The ways of the worker of this number.
    fn equip(team: &Arc<Team<Self>>, number: usize) -> (Self::Feed, Self::Teller);

    /// Nothing more is started, by anybody: the first reason stays, but for an error (K8). Those who wait are told.
    fn stop(&self, stop: &Stop);

    /// Whether nothing more is started.
    fn is_stopped(&self) -> bool;

    /// Those who wait are to ask anew.
    fn call_all(&self);
}

/// The feed of one of several workers.
pub(super) trait Member: Feed {
    /// P5. Whether it has left, so that its end says nothing of the others'.
    fn has_left(&self) -> bool;
}

/// What the workers of a run share.
pub(super) struct Team<C> {
    pub(super) stock: C,
    crowd: Told<Crowd>,
    /// Whether somebody is to leave. Written under the lock of the crowd.
    is_crowded: AtomicBool,
    /// Whether there are to be more. Written under the lock of the crowd.
    has_openings: AtomicBool,
    /// Whether the number of workers may change.
    is_elastic: bool,
    /// Whether workers are hired later on, too.
    grows: bool,
    /// As many as it takes, but no more than so many.
    to_meet: Option<NonZeroUsize>,
    /// The one that all workers' scopes lie in.
    scope: Scope,
}

/// Notes why nothing more is started: the first reason stays, but an error comes before all others (K8). What it took the place
/// of is given back, to be dropped outside the lock.
#[must_use]
pub(super) fn note_stop(first: &mut Option<Stop>, stop: &Stop) -> Option<Stop> {
    let is_error = |stop: &Stop| matches!(stop, Stop::Failed { .. });
    if first.as_ref().is_none_or(|first| is_error(stop) && !is_error(first)) {
        return first.replace(stop.clone());
    }
    None
}

impl<C: Stock> Team<C> {
    pub(super) fn new(
        stock: C,
        most: NonZeroUsize,
        is_elastic: bool,
        to_meet: Option<NonZeroUsize>,
        scope: Scope,
    ) -> Self {
        let crowd = Told::new(Crowd::new(most));
        let grows = is_elastic || most.get() > AT_ONCE;
        let (is_crowded, has_openings) = (AtomicBool::new(false), AtomicBool::new(true));
        Self { stock, crowd, is_crowded, has_openings, is_elastic, grows, to_meet, scope }
    }

    /// Changes who there is, or how many there are to be.
    pub(super) fn change<R>(&self, f: impl FnOnce(&mut Crowd) -> R) -> R {
        self.crowd.with(|crowd| {
            let r = f(crowd);
            // Relaxed: whoever waits is called by way of a lock, and looks under that.
            self.is_crowded.store(crowd.is_too_many(), Ordering::Relaxed);
            self.has_openings.store(crowd.has_openings(), Ordering::Relaxed);
            r
        })
    }

    /// P5. Whether somebody is to leave, for one who looks under the lock by which those who wait are called.
    #[inline]
    pub(super) fn is_crowded(&self) -> bool {
        self.crowd.look();
        // Relaxed: ordered by that lock.
        self.is_crowded.load(Ordering::Relaxed)
    }

    /// P6. This one has asked for an item; whether for the first time, and whether it has one now and nobody waits for another.
    #[inline]
    pub(super) fn asked(&self, number: usize, is_new: &mut bool, all_busy: bool) {
        if !self.grows {
            return;
        }
        if core::mem::take(is_new) {
            self.change(|crowd| crowd.came(number));
        }
        if all_busy {
            self.crowd.look();
            // Relaxed: who was hired by one who wrote it has seen it, and whoever says last that nobody waits has pulled after
            // those that were hired.
            if self.has_openings.load(Ordering::Relaxed) {
                let hires = self.change(Crowd::all_busy);
                hires.into_iter().for_each(Waker::wake);
            }
        }
    }

    /// P5. Whether this one, who has nothing, has left.
    pub(super) fn excuse(&self, number: usize) -> bool {
        self.change(|crowd| crowd.excuse(number))
    }

    /// Source or sink have panicked: the run passes the first such panic on when everybody is gone.
    fn panicked(&self, panic: Panic) {
        contain(|| {
            self.scope.cancel(Reason::sibling_failed());
        });
        let mut panic = Some(panic);
        self.crowd.with(|crowd| {
            if crowd.panic.is_none() {
                crowd.panic = panic.take();
            }
        });
        if let Some(later) = panic {
            contain(|| drop(later));
        }
    }

    /// There are to be more workers from now on, or fewer.
    pub(super) fn resized(&self, resized: Resized) {
        match resized {
            Resized::TooFew(waiter) => waiter.into_iter().for_each(Waker::wake),
            Resized::Enough => self.stock.call_all(),
        }
    }
}

/// A worker's presence, from before it is spawned.
struct Present<C: Stock> {
    team: Arc<Team<C>>,
    number: usize,
}

impl<C: Stock> Drop for Present<C> {
    fn drop(&mut self) {
        if let Some(waiter) = self.team.change(|crowd| crowd.gone(self.number)) {
            // A drop may be part of an unwinding, which a second panic would turn into the end of the process.
            contain(|| waiter.wake());
        }
    }
}

/// Cancels the workers if the run is dropped before they are gone.
struct Owner(Option<Scope>);

impl Drop for Owner {
    fn drop(&mut self) {
        if let Some(scope) = self.0.take() {
            contain(|| {
                scope.cancel(Reason::owner_dropped());
            });
        }
    }
}

/// Has workers, each of which is a task, until nothing more is started and all of them are gone. Gives back what they shared.
pub(super) async fn oversee<P, C, F, Fut, O, E>(
    spawner: P,
    stock: C,
    options: Options,
    deadline: Instant,
    outer: &Scope,
    body: F,
) -> Arc<Team<C>>
where
    P: Spawn,
    C: Stock + Send + Sync + 'static,
    C::Feed: Send + 'static,
    C::Teller: Outcomes<<C::Feed as Feed>::Tag, <C::Feed as Feed>::Item, O, E> + Send + 'static,
    <C::Feed as Feed>::Item: Send + 'static,
    <C::Feed as Feed>::Tag: Send + 'static,
    F: Fn(Lease<<C::Feed as Feed>::Item>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<O, E>> + Send + 'static,
    O: Send + 'static,
    E: Send + 'static,
{
    let (most, mut width) = Width::begin(&options);
    let to_meet = options.to_meet;
    let scope = outer.child();
    let team = Arc::new(Team::new(stock, most, width.is_some() || to_meet.is_some(), to_meet, scope.clone()));
    let mut owner = Owner(Some(scope));
    let told = (Arc::new(options.single()), Arc::new(body));
    let here = team.clone();
    let hire = move || {
        let team = &here;
        // Nobody comes to where nothing is started any more.
        while !team.stock.is_stopped() {
            let Some(number) = team.change(Crowd::hire) else { return };
            let present = Present { team: team.clone(), number };
            spawner.spawn(Task::new(worker(told.clone(), deadline, outer.keep_open(), present)).named("worker"));
        }
    };
    hire();
    // The report comes although the scope is cancelled: the workers see to it that it comes soon.
    let there = team.clone();
    let all_gone = core::future::poll_fn(move |cx| {
        let team = &there;
        if let Some(most) = width.as_mut().and_then(|width| width.poll_change(cx)) {
            let resized = team.change(|crowd| crowd.resize(most));
            team.resized(resized);
        }
        let mut waker = Some(cx.waker().clone());
        let (is_over, _old) = team.crowd.with(|crowd| crowd.poll_gone(&mut waker));
        if is_over {
            return Poll::Ready(());
        }
        if team.grows {
            hire();
        }
        probe::waiting("spawned work", None, u64::MAX);
        Poll::Pending
    });
    // Nobody cancels the shield's own scope.
    let _ = outer.shield(Duration::MAX, async |_| all_gone.await).await;
    owner.0 = None;
    let panic = team.crowd.with(|crowd| crowd.panic.take());
    if let Some(panic) = panic {
        panic.resume();
    }
    team
}

/// What a worker does.
async fn worker<C, F, Fut, O, E>(
    (options, body): (Arc<Options>, Arc<F>),
    deadline: Instant,
    open: KeepOpen,
    present: Present<C>,
) where
    C: Stock,
    C::Teller: Outcomes<<C::Feed as Feed>::Tag, <C::Feed as Feed>::Item, O, E>,
    F: Fn(Lease<<C::Feed as Feed>::Item>) -> Fut,
    Fut: Future<Output = Result<O, E>>,
{
    // P4: these are dropped last.
    let (_open, present) = (open, present);
    let team = present.team.clone();
    let (feed, teller) = C::equip(&team, present.number);
    let driven = pin!(Guarded::new(async move {
        let Driven { feed, stop, .. } = run::drive(feed, &options, deadline, &team.scope, &*body, teller).await;
        if !feed.has_left() {
            team.stock.stop(&stop);
        }
    }));
    if let Err(panic) = driven.await {
        present.team.panicked(panic);
    }
}
