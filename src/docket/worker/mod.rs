//! Workers: who claims tasks and runs them.

mod attempt;
mod beat;

use super::{Answer, Claim, Cx, Docket, Ending, Fence, Store, StoreError, StrikeId, Topic};
use crate::cancel::{Cancelled, Scope};
use crate::flow::topic;
use crate::sync::Notify;
use crate::sys::{Arc, Lock};
use crate::task::{Cause, GroupError, LocalGroup, local_group};
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use core::error::Error;
use core::fmt;
use core::future::{Future, pending, poll_fn};
use core::num::NonZeroUsize;
use core::pin::{Pin, pin};
use core::task::Poll;
use core::time::Duration;

/// What happened to a task, as a [`Worker::listen`]er and who reads [`Docket::events`] is told.
#[derive(Clone, PartialEq, Debug)]
pub struct Event {
    /// The task's name.
    pub name: String,
    /// Its key.
    pub key: String,
    /// The worker's name; empty, if none had it.
    pub worker: String,
    /// Which attempt, from 1; 0, if none had begun.
    pub attempt: u32,
    /// What.
    pub kind: EventKind,
}

/// Which event. A listener of a worker hears of the first four.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum EventKind {
    /// It was claimed, and begins.
    Begun,
    /// It failed, and is tried again after this time.
    Retried(Duration, String),
    /// It ended.
    Ended(Ending),
    /// It had no lease any more when it ended: another worker has it. So it seems, too, when the store had been told of its end, and
    /// failed to say so.
    Lost,
    /// Its lease has lapsed, and another worker may begin it.
    Lapsed,
    /// It was to be added, and is struck.
    Refused(StrikeId),
}

impl Event {
    /// Of what is not added.
    pub(super) fn refused(name: &str, key: &str, strike: StrikeId) -> Self {
        let kind = EventKind::Refused(strike);
        Self { name: name.into(), key: key.into(), worker: String::new(), attempt: 0, kind }
    }
}

impl EventKind {
    /// What became of it in the store, in a word.
    pub(super) fn fate(&self) -> Option<&'static str> {
        match self {
            Self::Ended(ending @ (Ending::Struck(_) | Ending::Dropped(_) | Ending::Dead(_))) => Some(ending.word()),
            Self::Lapsed => Some("lapsed"),
            _ => None,
        }
    }
}

/// A worker over a [`Docket`], inside the caller's own task: claims what is due, runs so many at once, prolongs their leases.
///
/// Nothing is spawned: runs are polled where the worker is. For runs in parallel there may be several workers, each in a task of
/// its own, or runs that spawn.
///
/// # Fairness
/// Tasks are claimed in the order of priority, due time and adding. Between workers there is none.
#[must_use = "a worker does nothing before it is run"]
#[derive(Clone)]
pub struct Worker(Setup);

type Listener = Box<dyn Fn(&Event) + Send + Sync>;

#[derive(Clone)]
struct Setup {
    docket: Docket,
    name: Arc<str>,
    concurrency: NonZeroUsize,
    lease: Duration,
    at_most: BTreeMap<String, u32>,
    listener: Option<Arc<Listener>>,
}

/// When a worker is done.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    Stopped,
    Finished,
    Idle,
}

impl Worker {
    /// How many tasks a worker runs at once, unless it is told otherwise.
    pub const CONCURRENCY: NonZeroUsize = NonZeroUsize::new(10).unwrap();
    /// The lease of a claim, unless it is told otherwise. It is prolonged three times as often.
    pub const LEASE: Duration = Duration::from_secs(30);

    pub(super) fn new(docket: Docket, name: &str) -> Self {
        let (concurrency, lease, at_most) = (Self::CONCURRENCY, Self::LEASE, BTreeMap::new());
        Self(Setup { docket, name: name.into(), concurrency, lease, at_most, listener: None })
    }

    /// Runs so many tasks at once.
    pub fn concurrency(mut self, concurrency: NonZeroUsize) -> Self {
        self.0.concurrency = concurrency;
        self
    }

    /// Claims for so long at a time, but for a millisecond at least: after this time what a crashed worker had is claimed by
    /// another. It should be many times as long as the store takes to answer; runs whose leases are over before that is known are
    /// given back.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.0.lease = lease.max(Duration::from_millis(1));
        self
    }

    /// Lets what is under this key repeat no more when this worker has run it so often: for tests of tasks that repeat. Runs of
    /// other workers don't count, since no store knows how often a key has run: with several, each has a bound of its own. With 0 it
    /// is not run at all: what this worker claims of it ends as cancelled.
    pub fn run_at_most(mut self, key: impl Into<String>, runs: u32) -> Self {
        self.0.at_most.insert(key.into(), runs);
        self
    }

    /// Tells of all that happens, in order, from the worker's own task.
    pub fn listen(mut self, listener: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.0.listener = Some(Arc::new(Box::new(listener)));
        self
    }

    /// Works until the scope winds down or is cancelled. While it [winds down](Scope::cancel_with_grace) nothing more is
    /// claimed, and what runs may end; that counts as done. What is not due yet stays in the store.
    ///
    /// # Cancel safety
    /// Runs are dropped, and claimed anew by others when their leases lapse.
    ///
    /// # Errors
    /// If the scope is cancelled while something runs, or the store can't: if it [failed](StoreError::Failed), and did so again each of
    /// four times, which takes not quite half of a lease. What runs is cut short then, and claimed anew when its lease lapses; that
    /// counts among its [deliveries](super::Policy::deliveries), as after a crash.
    pub async fn run(self, scope: &Scope) -> Result<(), WorkerError> {
        self.work(scope, Until::Stopped).await
    }

    /// Works until nothing that it knows is queued, running or to come.
    ///
    /// # Cancel safety
    /// As [`run`](Self::run).
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn until_finished(self, scope: &Scope) -> Result<(), WorkerError> {
        self.work(scope, Until::Finished).await
    }

    /// Works until nothing that it knows is due; what is to come stays.
    ///
    /// # Cancel safety
    /// As [`run`](Self::run).
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn drain(self, scope: &Scope) -> Result<(), WorkerError> {
        self.work(scope, Until::Idle).await
    }

    async fn work(self, scope: &Scope, until: Until) -> Result<(), WorkerError> {
        let shop = Shop {
            setup: self.0,
            running: Lock::new(BTreeMap::new()),
            runs: Lock::new(BTreeMap::new()),
            freed: Notify::new(),
            soon: Notify::new(),
        };
        let worked = local_group().named("docket").run(scope, |group| shop.work(group, until)).await;
        worked.map_err(|error| match error {
            GroupError::Cancelled(cancelled) => WorkerError::Cancelled(cancelled),
            GroupError::Failed(failures) => match failures.first.into_cause() {
                Cause::Error(error) => WorkerError::Store(error),
                Cause::Panic(panic) => panic.resume(),
                Cause::Lost => unreachable!("children of a local group are polled by it"),
            },
        })
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("name", &self.0.name).finish_non_exhaustive()
    }
}

/// A worker could not go on.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum WorkerError {
    /// Its scope was cancelled while something ran.
    Cancelled(Cancelled),
    /// The store can't.
    Store(StoreError),
}

impl fmt::Display for WorkerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled(cancelled) => write!(f, "the worker was {cancelled}"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl Error for WorkerError {}

/// A worker at work.
struct Shop {
    setup: Setup,
    running: Lock<BTreeMap<Fence, Running>>,
    /// How often what is bounded has run.
    runs: Lock<BTreeMap<String, u32>>,
    /// Told when a run ends.
    freed: Notify,
    /// Told when a run begins whose lease is over soon.
    soon: Notify,
}

/// A run, for the heartbeat.
struct Running {
    cx: Cx,
    /// Until when it surely has its lease.
    until: Instant,
    order: Option<Order>,
}

/// Why a run was cut short by its worker.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Cancelled,
    Lost,
}

/// Of a lease, in which pauses are counted.
const PARTS: u32 = 32;

impl Shop {
    async fn work<'env>(&'env self, group: LocalGroup<'env, StoreError>, until: Until) -> Result<(), StoreError> {
        let docket = &self.setup.docket;
        let names = docket.registry().names().map(String::from).collect();
        let mut claim = Claim { worker: self.setup.name.as_ref().into(), names, most: 0, lease: self.setup.lease };
        let mut automatic = docket.registry().automatic().map(|(name, _)| (name, false)).collect();
        // Refused only in a group that is over or winds down already, and then nothing is claimed.
        let _ = group.spawn_background("heartbeat", self.beat());
        let _ = group.spawn_background("leases", self.cut());
        let mut draining = pin!(async { drop(group.scope().draining().await) });
        while !group.scope().is_draining() {
            self.begin_automatic(&mut automatic).await?;
            let freed = self.freed.notified();
            let most = self.setup.concurrency.get() - self.running.with(|running| running.len());
            if most == 0 {
                any([pin!(freed), draining.as_mut()]).await;
                continue;
            }
            claim.most = most;
            let claims = self.ask_until(draining.as_mut(), |store| store.claim(&claim)).await;
            if claims.is_err() && group.scope().is_draining() {
                break;
            }
            let (asked, claims) = claims?;
            let (leased, none) = (self.lease_from(asked), claims.taken.is_empty());
            for claimed in claims.taken {
                self.start(&group, claimed, leased).await?;
            }
            if none && self.running.with(|running| running.is_empty()) && self.is_done(until, &claim.names).await? {
                break;
            }
            let changed = async {
                if docket.store().changed(Topic::Work, claims.seen).await.is_err() {
                    docket.time().sleep(self.setup.lease / PARTS).await;
                }
            };
            any([pin!(freed), draining.as_mut(), pin!(changed), pin!(docket.time().sleep(claims.again))]).await;
        }
        if group.scope().is_cancelled() {
            // It is cut short, rather than at its end: what it runs gives up by itself.
            pending().await
        }
        Ok(())
    }

    async fn is_done(&self, until: Until, names: &[String]) -> Result<bool, StoreError> {
        Ok(match until {
            Until::Stopped => false,
            Until::Idle => true,
            Until::Finished => self.ask(|store| store.is_finished(names)).await?.1,
        })
    }

    /// Asks the store, and again after longer and longer pauses if it failed: what runs has its leases until then, since they are
    /// prolonged when a third is over. With when it was asked for what it answered.
    async fn ask<'s, T>(
        &'s self,
        question: impl Fn(&'s dyn Store) -> Answer<'s, T>,
    ) -> Result<(Instant, T), StoreError> {
        self.ask_until(pending(), question).await
    }

    /// The same; not again once `over` is ready.
    async fn ask_until<'s, T>(
        &'s self,
        over: impl Future<Output = ()> + Send,
        question: impl Fn(&'s dyn Store) -> Answer<'s, T>,
    ) -> Result<(Instant, T), StoreError> {
        let docket = &self.setup.docket;
        let (mut is_over, mut over) = (false, pin!(over));
        let mut pauses = [1, 2, 4, 8].into_iter();
        loop {
            let asked = docket.time().now();
            match (question(docket.store()).await, pauses.next()) {
                (Err(error @ StoreError::Failed(_)), Some(parts)) => {
                    let over = async {
                        over.as_mut().await;
                        is_over = true;
                    };
                    any([pin!(over), pin!(docket.time().sleep(self.setup.lease / PARTS * parts))]).await;
                    if is_over {
                        return Err(error);
                    }
                }
                (answer, _) => return answer.map(|answer| (asked, answer)),
            }
        }
    }

    /// Adds what begins by itself, once. What is struck is tried again when something has changed, and is told of once.
    async fn begin_automatic(&self, names: &mut BTreeMap<&str, bool>) -> Result<(), StoreError> {
        let docket = &self.setup.docket;
        let mut refused = BTreeMap::new();
        for (name, is_told) in core::mem::take(names) {
            let Some(kind) = docket.registry().kind(name) else { continue };
            let Some(Ok(entry)) = (kind.empty)().map(|empty| kind.entry(name, empty)) else { continue };
            let mut entry = super::Entry { key: name.into(), ..entry };
            if let Some(ticks) = &kind.ticks {
                let Some(tick) = ticks.after(self.ask(|store| store.unix()).await?.1) else { continue };
                entry.due = super::When::At(tick);
            }
            if let super::Put::Struck(strike) = self.ask(|store| store.put(entry.clone())).await?.1 {
                if !is_told {
                    docket.tell(&Event::refused(name, name, strike));
                }
                refused.insert(name, true);
            }
        }
        names.extend(refused);
        Ok(())
    }

    /// Whether somebody listens.
    fn is_heard(&self) -> bool {
        self.setup.listener.is_some() || self.setup.docket.topic().is_some()
    }

    fn tell(&self, claimed: &super::Claimed, kind: impl FnOnce() -> EventKind) {
        self.tell_both(self.setup.docket.topic(), claimed, kind);
    }

    /// The same of what whoever reads the docket's events is told by the store.
    fn tell_listener(&self, claimed: &super::Claimed, kind: impl FnOnce() -> EventKind) {
        self.tell_both(None, claimed, kind);
    }

    fn tell_both(
        &self,
        topic: Option<&topic::Topic<Event>>,
        claimed: &super::Claimed,
        kind: impl FnOnce() -> EventKind,
    ) {
        let listener = &self.setup.listener;
        if listener.is_none() && topic.is_none() {
            return;
        }
        let (name, key, worker) = (claimed.name.clone(), claimed.key.clone(), self.setup.name.as_ref().into());
        let event = Event { name, key, worker, attempt: claimed.attempt, kind: kind() };
        if let Some(listener) = listener {
            listener(&event);
        }
        if let Some(topic) = topic {
            // There is room: who is slow misses the oldest ones.
            let _ = topic.try_publish(event);
        }
    }
}

/// Resolves when one of them does.
async fn any<const N: usize>(mut futures: [Pin<&mut (dyn Future<Output = ()> + Send)>; N]) {
    poll_fn(|cx| match futures.iter_mut().any(|future| future.as_mut().poll(cx).is_ready()) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
    .await;
}
