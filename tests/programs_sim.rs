//! Random programs of scopes, shields, cleanups, groups and patterns, nested as programs nest them, whose leaves sleep, fail, cancel
//! each other, and wait for permits, items and notes: whatever happens to whom,
//!
//! 1. nobody waits for ever;
//! 2. every body that began is gone in the end, and no timer and no tracked task is left;
//! 3. what follows a scope meets no body that began inside it;
//! 4. each child is counted, and none is lost;
//! 5. a cleanup runs if its body had begun and was cut short, and else it does not;
//! 6. nothing says early that it timed out;
//! 7. permits come back, and what was sent is received once.

use futures::future::{Either, FutureExt, select};
use std::fmt::Display;
use std::future::Future;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use wakeful::cancel::{FailError, Outcome, ReasonKind, Scope, current};
use wakeful::queue::{Receiver, Rendezvous, Sender, bounded, rendezvous};
use wakeful::sim::{Builder, Sim};
use wakeful::sync::{Notify, Semaphore};
use wakeful::task::{
    GroupCount, GroupError, LocalGroup, Phase, Policy, Registry, Starting, TaskGroup, group, join_until, local_group,
    map_bounded,
};
use wakeful::time::Instant;

/// Nested statements, and all of a program: from there on there are but leaves.
const DEPTH: usize = 5;
const MOST: usize = 60;

type Answer = Result<(), u32>;
type Body<'a> = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

fn ms(n: usize) -> Duration {
    Duration::from_millis(n as u64)
}

/// What a queue was given, and gave.
#[derive(Default)]
struct Goods {
    made: u32,
    sent: Vec<u32>,
    received: Vec<u32>,
}

/// What all of a program share.
struct World {
    sim: Sim,
    /// Whether bodies and destructors panic now and then.
    panics: bool,
    statements: AtomicUsize,
    /// Those that anybody may cancel.
    scopes: Mutex<Vec<Scope>>,
    semaphore: Semaphore,
    buffer: (Sender<u32>, Receiver<u32>),
    meeting: (Sender<u32, Rendezvous>, Receiver<u32, Rendezvous>),
    goods: Mutex<Goods>,
    notes: Notify,
    phase: Phase,
    /// What was seen to be wrong: a panic would be that of a child.
    wrong: Mutex<Vec<String>>,
}

/// How many bodies there are inside a scope, and what that lies in.
#[derive(Default)]
struct Inside {
    alive: AtomicUsize,
    around: Option<Arc<Inside>>,
}

impl Inside {
    fn each(&self, f: impl Fn(&AtomicUsize)) {
        std::iter::successors(Some(self), |inside| inside.around.as_deref()).for_each(|inside| f(&inside.alive));
    }
}

/// A body that has begun.
struct Alive(Author);

impl Drop for Alive {
    fn drop(&mut self) {
        let Author { world, inside } = &self.0;
        inside.each(|alive| _ = alive.fetch_sub(1, Relaxed));
        if world.panics && world.sim.choose(12) == 0 && !std::thread::panicking() {
            resume_unwind(Box::new("dropped"));
        }
    }
}

/// Passes wakes on until somebody else does.
struct Relay(Mutex<Option<Waker>>);

impl Relay {
    fn silence(&self) {
        self.0.lock().unwrap().take();
    }
}

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        let waker = self.0.lock().unwrap().clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Polls a body as foreign code may: with wakers of its own, of which the last one counts, and sometimes twice.
struct Foreign<'a> {
    body: Body<'a>,
    relay: Option<Arc<Relay>>,
    sim: Sim,
}

impl Foreign<'_> {
    fn silence(&mut self) {
        if let Some(relay) = self.relay.take() {
            relay.silence();
        }
    }
}

impl Future for Foreign<'_> {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer> {
        if self.sim.choose(3) == 0 {
            self.silence();
            let idle = &mut Context::from_waker(Waker::noop());
            if let Poll::Ready(answer) = self.body.as_mut().poll(idle) {
                return Poll::Ready(answer);
            }
        }
        let relay = match (self.relay.clone(), self.sim.choose(3)) {
            (Some(relay), 0) => {
                *relay.0.lock().unwrap() = Some(cx.waker().clone());
                relay
            }
            _ => {
                self.silence();
                Arc::new(Relay(Mutex::new(Some(cx.waker().clone()))))
            }
        };
        self.relay = Some(relay.clone());
        self.body.as_mut().poll(&mut Context::from_waker(&Waker::from(relay)))
    }
}

/// One who makes up a program as it runs.
#[derive(Clone)]
struct Author {
    world: Arc<World>,
    inside: Arc<Inside>,
}

impl Author {
    fn choose(&self, below: usize) -> usize {
        self.world.sim.choose(below)
    }

    fn one_in(&self, n: usize) -> bool {
        self.choose(n) == 0
    }

    fn span(&self, below: usize) -> Duration {
        ms(self.choose(below))
    }

    async fn sleep(&self, below: usize) {
        self.world.sim.time().sleep(self.span(below)).await;
    }

    fn alive(&self) -> Alive {
        self.inside.each(|alive| _ = alive.fetch_add(1, Relaxed));
        Alive(self.clone())
    }

    /// The same one inside a scope.
    fn inner(&self) -> Self {
        let inside = Inside { around: Some(self.inside.clone()), ..Inside::default() };
        Self { world: self.world.clone(), inside: Arc::new(inside) }
    }

    /// The same one in a tree of scopes of its own: those around it do not wait for what is left behind there.
    fn apart(&self) -> Self {
        let mut inside = &self.inside;
        while let Some(around) = &inside.around {
            inside = around;
        }
        Self { world: self.world.clone(), inside: inside.clone() }
    }

    fn expect(&self, holds: bool, what: impl Display) {
        if !holds {
            self.world.wrong.lock().unwrap().push(what.to_string());
        }
    }

    /// Lets others cancel this one, perhaps. A scope without handles is no node of the tree.
    fn may_share(&self, scope: &Scope) {
        if self.one_in(2) {
            self.world.scopes.lock().unwrap().push(scope.clone());
        }
    }

    fn somebody(&self) -> Option<Scope> {
        let scopes = self.world.scopes.lock().unwrap();
        (!scopes.is_empty()).then(|| scopes[self.choose(scopes.len())].clone())
    }

    /// A statement in a task of its own.
    fn task(&self, depth: usize) -> impl Future<Output = Answer> + Send + use<> {
        let author = self.clone();
        async move { author.statement(depth, &current().expect("that of the child")).await }
    }

    fn statement<'a>(&'a self, depth: usize, scope: &'a Scope) -> Body<'a> {
        Box::pin(async move {
            let _alive = self.alive();
            if depth == 0 || self.world.statements.fetch_add(1, Relaxed) > MOST {
                return self.leaf(scope).await;
            }
            let depth = depth - 1;
            match self.choose(7) {
                0 => self.in_scope(depth, scope).await,
                1 => self.in_shield(depth, scope).await,
                2 | 3 => self.in_group(depth, scope).await,
                4 => self.in_pattern(depth, scope).await,
                5 => self.waits(depth, scope).await,
                _ => self.in_local_group(depth, scope).await,
            }
        })
    }

    async fn leaf(&self, scope: &Scope) -> Answer {
        match (self.choose(9), self.somebody()) {
            (0, _) => return Err(1),
            (1, _) if self.world.panics => resume_unwind(Box::new("polled")),
            (2, Some(somebody)) => _ = somebody.cancel("by somebody"),
            (3, Some(somebody)) => _ = somebody.cancel_with_grace("by somebody", self.span(4)),
            (4, Some(somebody)) => somebody.set_deadline(somebody.now() + self.span(6)),
            // An error where it is no shield.
            (5, Some(somebody)) => _ = somebody.set_budget(self.span(6)),
            _ => scope.sleep(self.span(5)).await,
        }
        Ok(())
    }

    async fn in_scope(&self, depth: usize, scope: &Scope) -> Answer {
        let author = self.inner();
        let inside = async |scope: &Scope| {
            self.may_share(scope);
            author.statement(depth, scope).await
        };
        let answer = match self.choose(5) {
            0 => match scope.move_on_after(self.span(6), inside).await {
                Outcome::Done(answer) => answer,
                Outcome::Cancelled(cancelled) => {
                    self.expect(cancelled.is_own() || cancelled.kind() == ReasonKind::Parent, "whose reason it is");
                    Ok(())
                }
            },
            1 => match scope.fail_after(self.span(6), inside).await {
                Ok(answer) => answer,
                Err(FailError::TimedOut(at)) => {
                    self.expect(at <= scope.now(), "6: not yet");
                    Err(2)
                }
                Err(_) => Ok(()),
            },
            2 => {
                let child = scope.child();
                child.run(inside(&child)).await.done().unwrap_or(Ok(()))
            }
            3 => author.with_cleanup(depth, scope).await,
            _ => {
                let body = async { author.statement(depth, &current().expect("entered")).await };
                wakeful::move_on_after(self.span(6), body).await.done().unwrap_or(Ok(()))
            }
        };
        let left = author.inside.alive.load(Relaxed);
        self.expect(left == 0, format_args!("3: a scope has moved on from {left} bodies"));
        answer
    }

    async fn with_cleanup(&self, depth: usize, scope: &Scope) -> Answer {
        let child = scope.child();
        self.may_share(&child);
        let (begun, cleaned) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let (budget, work) = (self.span(5), self.span(5));
        let body = async {
            begun.store(1, Relaxed);
            self.statement(depth, &child).await
        };
        let cleanup = |_| async {
            cleaned.store(1, Relaxed);
            let _alive = self.alive();
            self.world.sim.time().sleep(work).await;
        };
        let outcome = child.run(body).cleanup(cleanup, budget).await;
        let (begun, cleaned) = (begun.into_inner() == 1, cleaned.into_inner() == 1);
        let was_cut = begun && outcome.is_cancelled();
        self.expect(!cleaned || was_cut, "5: cleaned up for nothing");
        self.expect(cleaned || !was_cut || budget.is_zero(), "5: not cleaned up");
        outcome.done().unwrap_or(Ok(()))
    }

    async fn in_shield(&self, depth: usize, scope: &Scope) -> Answer {
        let budget = self.span(6);
        let outcome = match self.choose(2) {
            0 => {
                let inside = async |scope: &Scope| {
                    self.may_share(scope);
                    self.statement(depth, scope).await
                };
                scope.shield(budget, inside).await
            }
            _ => wakeful::shield(budget, self.statement(depth, scope)).await,
        };
        outcome.done().unwrap_or(Ok(()))
    }

    async fn in_pattern(&self, depth: usize, scope: &Scope) -> Answer {
        let statement = |_| self.statement(depth.min(1), scope);
        match self.choose(5) {
            0 => match select(self.statement(depth, scope), self.statement(depth, scope)).await {
                Either::Left((answer, _)) | Either::Right((answer, _)) => answer,
            },
            1 => {
                let (one, other) = futures::join!(self.statement(depth, scope), self.statement(depth, scope));
                one.and(other)
            }
            2 => {
                let mut mapped = map_bounded(0..4, NonZeroUsize::new(2).unwrap(), statement);
                let wanted = 3 + self.choose(2);
                for _ in 0..wanted {
                    let Some((_, answer)) = mapped.join_next().await else { break };
                    answer?;
                }
                Ok(())
            }
            3 => {
                let mut partial = join_until((0..3).map(statement), self.sleep(4)).await;
                if self.one_in(2) {
                    partial.pending.join_next().await;
                }
                Ok(())
            }
            _ => Foreign { body: self.statement(depth, scope), relay: None, sim: self.world.sim.clone() }.await,
        }
    }

    /// Waits for something, mostly not for long.
    async fn waits(&self, depth: usize, scope: &Scope) -> Answer {
        let World { semaphore, buffer, meeting, goods, notes, phase, .. } = &*self.world;
        match self.choose(7) {
            0 => _ = select(pin!(scope.cancelled()), pin!(self.sleep(6))).await,
            1 => _ = select(pin!(scope.draining()), pin!(self.sleep(6))).await,
            2 => {
                let permits = 1 + self.choose(2);
                let body = async {
                    let _permits = semaphore.acquire_many(permits).await.expect("it is never closed");
                    self.statement(depth, scope).await
                };
                _ = wakeful::move_on_after(self.span(6), body).await;
            }
            3 => {
                let item = {
                    let mut goods = goods.lock().unwrap();
                    goods.made += 1;
                    goods.made
                };
                let body = async {
                    let sent = match self.choose(2) {
                        0 => meeting.0.send(item).await,
                        _ => buffer.0.send(item).await,
                    };
                    sent.expect("there is a receiver");
                    goods.lock().unwrap().sent.push(item);
                };
                _ = wakeful::move_on_after(self.span(4), body).await;
            }
            4 => {
                let body = async {
                    let item = match self.choose(2) {
                        0 => meeting.1.recv().await,
                        _ => buffer.1.recv().await,
                    };
                    goods.lock().unwrap().received.push(item.expect("there is a sender"));
                };
                _ = wakeful::move_on_after(self.span(4), body).await;
            }
            5 => match self.choose(2) {
                0 => notes.notify_one(),
                _ => _ = wakeful::move_on_after(self.span(4), notes.notified()).await,
            },
            _ => {
                let apart = self.apart();
                match phase.track("tracked", apart.statement(depth, scope)) {
                    Ok(tracked) => return tracked.await.done().unwrap_or(Ok(())),
                    Err(refused) if self.one_in(2) => return refused.into_inner().await,
                    Err(_) => {}
                }
            }
        }
        Ok(())
    }

    fn policy(&self) -> Policy {
        [Policy::FailFast, Policy::Supervise, Policy::FirstDone, Policy::FirstOk][self.choose(4)]
    }

    /// Serves others until it is cancelled, or has enough.
    fn server(&self) -> impl Future<Output = Answer> + Send + use<> {
        let author = self.clone();
        async move {
            let _alive = author.alive();
            while !author.one_in(10) {
                author.world.sim.time().sleep(ms(1)).await;
            }
            Ok(())
        }
    }

    /// Says that it has started, mostly, and goes on.
    async fn starts(self, starting: Starting<(), u32>) -> Answer {
        let _alive = self.alive();
        self.sleep(4).await;
        match self.choose(3) {
            0 => drop(starting),
            _ => _ = starting.started(()),
        }
        self.statement(0, &current().expect("that of the child")).await
    }

    async fn in_group(&self, depth: usize, scope: &Scope) -> Answer {
        let mut builder = group::<u32>(self.world.sim.spawner()).policy(self.policy());
        if self.one_in(3) {
            builder = builder.deadline_after(self.span(6));
        }
        let spawned = AtomicUsize::new(0);
        let body = async |g: TaskGroup<u32>| {
            let _alive = self.alive();
            self.may_share(g.scope());
            let mut handles = Vec::new();
            for _ in 0..self.choose(4) {
                let (author, siblings) = (self.clone(), g.clone());
                let child = async move {
                    if author.one_in(4) {
                        _ = siblings.spawn("sibling", author.task(0));
                    }
                    drop(siblings);
                    author.task(depth).await
                };
                handles.extend(g.spawn("child", child));
            }
            spawned.fetch_add(handles.len(), Relaxed);
            if self.one_in(3) {
                _ = g.spawn_background("server", self.server());
            }
            if self.one_in(3) {
                let author = self.clone();
                if let Ok(start) = g.start("starter", move |starting| author.starts(starting)) {
                    match self.choose(3) {
                        0 => drop(start),
                        1 => _ = wakeful::move_on_after(self.span(4), start).await,
                        _ => _ = start.await,
                    }
                }
            }
            for handle in handles {
                match self.choose(4) {
                    0 => drop(handle),
                    1 => {
                        handle.cancel("by the body");
                        _ = handle.await;
                    }
                    _ => _ = handle.await,
                }
            }
            self.statement(depth.min(1), g.scope()).await
        };
        let report = builder.report(scope, body).await;
        self.count(&report.count, spawned.into_inner());
        answer(report.into_result())
    }

    async fn in_local_group(&self, depth: usize, scope: &Scope) -> Answer {
        let mut builder = local_group::<u32>().policy(self.policy());
        if self.one_in(3) {
            builder = builder.deadline_after(self.span(6));
        }
        let spawned = AtomicUsize::new(0);
        let run = builder.report(scope, async |g: LocalGroup<'_, u32>| {
            let _alive = self.alive();
            self.may_share(g.scope());
            let mut handles = Vec::new();
            for _ in 0..self.choose(4) {
                let siblings = g.clone();
                let child = async move {
                    if self.one_in(4) {
                        _ = siblings.spawn("sibling", self.task(0));
                    }
                    drop(siblings);
                    self.task(depth).await
                };
                handles.extend(g.spawn("child", child));
            }
            spawned.fetch_add(handles.len(), Relaxed);
            if self.one_in(3) {
                _ = g.spawn_background("server", self.server());
            }
            for handle in handles {
                match self.choose(4) {
                    0 => drop(handle),
                    1 => {
                        handle.cancel("by the body");
                        _ = handle.await;
                    }
                    _ => _ = handle.await,
                }
            }
            self.statement(depth.min(1), g.scope()).await
        });
        let report = run.await;
        self.count(&report.count, spawned.into_inner());
        answer(report.into_result())
    }

    fn count(&self, count: &GroupCount, spawned: usize) {
        self.expect(count.total() >= spawned as u64 && count.lost == 0, format_args!("4: {count}, spawned {spawned}"));
    }
}

fn answer(result: Result<(), GroupError<u32>>) -> Answer {
    match result {
        Ok(()) => Ok(()),
        Err(GroupError::Failed(_)) => Err(3),
        Err(_) => Ok(()),
    }
}

fn check(panics: bool) {
    let asked = std::env::var("WAKEFUL_SIM_RUNS").ok().and_then(|runs| runs.parse().ok());
    Builder::new().runs(asked.unwrap_or(1_000)).repeat_every(100).check(|sim: Sim| async move {
        let root = Scope::new(sim.time());
        let registry = Registry::new(&root);
        let world = Arc::new(World {
            sim: sim.clone(),
            panics,
            statements: AtomicUsize::new(0),
            scopes: Mutex::default(),
            semaphore: Semaphore::new(2),
            buffer: bounded(NonZeroUsize::MIN),
            meeting: rendezvous(),
            goods: Mutex::default(),
            notes: Notify::new(),
            wrong: Mutex::default(),
            phase: registry.phase("phase", ms(sim.choose(5)), ms(sim.choose(5))),
        });
        let (time, after) = (sim.time(), ms(sim.choose(30)));
        let shutdown = sim.spawn("shutdown", async move {
            time.sleep(after).await;
            registry.shutdown("it is time").await
        });
        let all = root.child_at(if sim.choose(2) == 0 { Instant::NEVER } else { sim.now() + ms(15) });
        let author = Author { world: world.clone(), inside: Arc::default() };
        let everywhere = author.inside.clone();
        let program = sim.spawn("program", async move {
            let spawner = author.world.sim.spawner();
            let group = group::<u32>(spawner).report(&all, async |g| author.statement(DEPTH, g.scope()).await);
            // What is left of the report may panic when it is dropped, as what it came from may.
            _ = AssertUnwindSafe(all.run(async { drop(group.await) })).catch_unwind().await;
        });
        // Should it wait for ever, the simulator says who does (1).
        program.await;
        assert_eq!(*world.wrong.lock().unwrap(), [""; 0]);
        _ = shutdown.await;
        sim.time().sleep(ms(2_000)).await;
        assert_eq!(everywhere.alive.load(Relaxed), 0, "2: bodies are left");
        assert_eq!(world.phase.len(), 0, "2: tracked tasks are left");
        assert_eq!(world.semaphore.available(), 2, "7: permits are gone");
        let mut goods = world.goods.lock().unwrap();
        goods.received.extend(world.buffer.1.drain());
        goods.received.sort_unstable();
        assert!(goods.received.windows(2).all(|pair| pair[0] != pair[1]), "7: received twice: {:?}", goods.received);
        assert!(goods.sent.iter().all(|item| goods.received.contains(item)), "7: lost: {:?}", goods.sent);
        world.scopes.lock().unwrap().clear();
        assert_eq!(sim.time().pending(), 0, "2: timers are left");
    });
}

#[test]
fn whatever_a_program_does_nothing_of_it_is_left_behind() {
    check(false);
}

#[test]
fn whatever_panics_in_a_program_nothing_of_it_is_left_behind() {
    check(true);
}
