//! Running a program, and what is seen of it.

use super::Local;
use super::either::{Answer, Group, Joins};
use super::plan::{Act, Child, Handshake, Node, Plan, Step};
use std::future::Future;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wakeful::cancel::{Outcome, Scope, current};
use wakeful::sim::Sim;
use wakeful::task::{GroupError, GroupReport, group, local_group};

/// When, since the program began, and what.
pub(crate) type Event = (Duration, String);

struct World {
    sim: Sim,
    began: wakeful::time::Instant,
    local: Local,
    events: Mutex<Vec<Event>>,
    /// Handles that nobody has joined, with the numbers of their children.
    kept: Mutex<Vec<(usize, Joins)>>,
}

/// What a task has around it.
#[derive(Clone)]
struct Env {
    world: Arc<World>,
    /// From the outermost scope inwards.
    scopes: Vec<Scope>,
    group: Option<Group>,
}

/// Notes how something ends, also if it is dropped.
struct Ends(Option<(Env, String)>);

impl Ends {
    fn new(env: &Env, what: String) -> Self {
        Self(Some((env.clone(), what)))
    }

    fn with(mut self, answer: Answer) -> Answer {
        if let Some((env, what)) = self.0.take() {
            env.note(format!("{what}: {answer:?}"));
        }
        answer
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        if let Some((env, what)) = self.0.take() {
            let why = current().and_then(|scope| scope.cause()).map(|cause| cause.to_string());
            env.note(format!("{what} is dropped: {why:?}"));
        }
    }
}

/// Appends handles to those that are kept, whatever becomes of the body that has them.
struct Keep(Vec<(usize, Joins)>, Arc<World>);

impl Drop for Keep {
    fn drop(&mut self) {
        self.1.kept.lock().unwrap().append(&mut self.0);
    }
}

impl Keep {
    /// The place in the list that `n` stands for, if there is one.
    fn at(&self, n: usize) -> Option<usize> {
        n.checked_rem(self.0.len())
    }
}

/// So long that nothing else happens when it is over: each place in a program has its `step`, and each part of it a number.
const fn apart(step: u64, number: usize) -> Duration {
    Duration::from_nanos(1_000 + step * (10 + number as u64))
}

impl Env {
    fn note(&self, what: String) {
        let at = self.world.sim.now() - self.world.began;
        self.world.events.lock().unwrap().push((at, what));
    }

    async fn sleep(&self, duration: Duration) {
        self.world.sim.time().sleep(duration).await;
    }

    /// The body of a child of `group`.
    async fn child(mut self, group: Group, number: usize, node: Arc<Node>) -> Answer {
        self.scopes.extend([group.scope().clone(), current().expect("that of the child")]);
        self.group = Some(group);
        let ends = Ends::new(&self, format!("child {number}"));
        ends.with(self.run(node).await)
    }

    fn spawn(&self, group: &Group, child: &Child) -> Option<Joins> {
        let body = self.clone().child(group.clone(), child.number, child.node.clone());
        self.or_refused(child, group.spawn(format!("child {}", child.number), child.background, body))
    }

    fn or_refused<T>(&self, child: &Child, spawned: Result<T, String>) -> Option<T> {
        spawned.map_err(|error| self.note(format!("child {} is refused: {error}", child.number))).ok()
    }

    fn run(self, node: Arc<Node>) -> Pin<Box<dyn Future<Output = Answer> + Send>> {
        Box::pin(async move {
            match &*node {
                Node::Sleep(wait) => self.sleep(*wait).await,
                Node::Fail(wait) => {
                    self.sleep(*wait).await;
                    return Err(wait.subsec_nanos());
                }
                Node::Panic(wait) => {
                    self.sleep(*wait).await;
                    resume_unwind(Box::new(format!("after {wait:?}")));
                }
                Node::InTurn(nodes) => {
                    for node in nodes {
                        self.clone().run(node.clone()).await?;
                    }
                }
                Node::Together(one, other) => {
                    let both = futures::join!(self.clone().run(one.clone()), self.clone().run(other.clone()));
                    both.0.and(both.1)?;
                }
                Node::MoveOn(wait, node) => {
                    let around = current().expect("in a scope");
                    let outcome = around.move_on_after(*wait, async |scope| {
                        let mut inside = self.clone();
                        inside.scopes.push(scope.clone());
                        inside.run(node.clone()).await
                    });
                    let outcome = outcome.await;
                    self.sleep(apart(1, wait.subsec_nanos() as usize % 997)).await;
                    self.note(format!("moved on from {wait:?}: {}", outcome.is_cancelled()));
                    if let Outcome::Done(answer) = outcome {
                        answer?;
                    }
                }
                Node::Shield(budget, node) => {
                    let around = current().expect("in a scope");
                    let outcome = around.shield(*budget, async |scope| {
                        let mut inside = self.clone();
                        inside.scopes.push(scope.clone());
                        let ends = Ends::new(&inside, format!("shield for {budget:?}"));
                        ends.with(inside.run(node.clone()).await)
                    });
                    let outcome = outcome.await;
                    self.sleep(apart(5, budget.subsec_nanos() as usize % 997)).await;
                    self.note(format!("shielded for {budget:?}: {}", outcome.is_cancelled()));
                    if let Outcome::Done(answer) = outcome {
                        answer?;
                    }
                }
                Node::Cleanup(node, takes, budget) => {
                    let (around, inside) = (current().expect("in a scope"), self.clone());
                    let cleanup = async |_| {
                        let ends = Ends::new(&self, format!("cleanup of {takes:?}"));
                        self.sleep(*takes).await;
                        let _ = ends.with(Ok(1));
                    };
                    let outcome = around.run(inside.run(node.clone())).cleanup(cleanup, *budget).await;
                    self.sleep(apart(9, takes.subsec_nanos() as usize % 997)).await;
                    self.note(format!("cleaned up for {takes:?}: {}", outcome.is_cancelled()));
                    if let Outcome::Done(answer) = outcome {
                        answer?;
                    }
                }
                Node::Act(wait, out, act) => {
                    self.sleep(*wait).await;
                    let Some(at) = self.scopes.len().checked_sub(1 + out) else { return Ok(0) };
                    let acted = self.act(&self.scopes[at], *act);
                    self.note(format!("{act:?} after {wait:?}: {acted}"));
                    // So that what this cuts short is dropped at this instant.
                    self.sleep(apart(3, wait.subsec_nanos() as usize % 997)).await;
                }
                Node::Sibling(wait, child) => {
                    self.sleep(*wait).await;
                    let Some(group) = &self.group else { return Ok(0) };
                    let spawned = self.spawn(group, child).map(|handle| (child.number, handle));
                    self.world.kept.lock().unwrap().extend(spawned);
                    self.sleep(apart(7, wait.subsec_nanos() as usize % 997)).await;
                }
                Node::Group(plan) => {
                    self.group(plan.clone()).await?;
                }
            }
            Ok(1)
        })
    }

    fn act(&self, scope: &Scope, act: Act) -> bool {
        match act {
            Act::Cancel => scope.cancel("by an act"),
            Act::Grace(grace) => scope.cancel_with_grace("by an act, with grace", grace),
            Act::Deadline(after) => {
                scope.set_deadline(scope.now() + after);
                true
            }
        }
    }

    async fn group(self, plan: Arc<Plan>) -> Answer {
        let (number, policy, deadline) = (plan.number, plan.policy, plan.deadline.unwrap_or(Duration::MAX));
        let (scope, inside) = (current().expect("in a scope"), self.clone());
        let report = if !plan.alike && (self.world.local)(number) {
            let builder = local_group().policy(policy).deadline_after(deadline);
            builder.report(&scope, |group| inside.body(Group::Local(group), plan)).await
        } else {
            let builder = group(self.world.sim.spawner()).policy(policy).deadline_after(deadline);
            builder.report(&scope, |group| inside.body(Group::Tasks(group), plan)).await
        };
        self.sleep(apart(101, number)).await;
        self.note(format!("group {number}: {}", shown(&report)));
        report
            .into_result()
            .map_err(|error| if let GroupError::Failed(failed) = error { failed.count() as u32 } else { 0 })
    }

    async fn body(mut self, group: Group, plan: Arc<Plan>) -> Answer {
        let ends = Ends::new(&self, format!("body {}", plan.number));
        self.scopes.push(group.scope().clone());
        self.group = Some(group.clone());
        ends.with(self.steps(&group, &plan).await)
    }

    async fn steps(&self, group: &Group, plan: &Plan) -> Answer {
        let mut keep = Keep(Vec::new(), self.world.clone());
        for (place, step) in plan.steps.iter().enumerate() {
            self.sleep(apart(211, plan.number) + apart(17, place)).await;
            match step {
                Step::Spawn(child) => keep.0.extend(self.spawn(group, child).map(|handle| (child.number, handle))),
                Step::Start(child, handshake) => {
                    keep.0.extend(self.start(group, child, *handshake).await.map(|handle| (child.number, handle)));
                }
                Step::Cancel(n) => {
                    if let Some(at) = keep.at(*n) {
                        let (number, handle) = &keep.0[at];
                        let cancelled = handle.cancel();
                        self.note(format!("child {number} is cancelled: {cancelled}"));
                    }
                }
                Step::Join(n) => {
                    if let Some(at) = keep.at(*n) {
                        let (number, mut handle) = keep.0.swap_remove(at);
                        let result = handle.join().await;
                        self.sleep(apart(103, number)).await;
                        self.note(format!("child {number} gave {result:?}"));
                    }
                }
                Step::Forget(n) => drop(keep.at(*n).map(|at| keep.0.swap_remove(at))),
                Step::CancelOnDrop(n) => {
                    if let Some(at) = keep.at(*n) {
                        keep.0.swap_remove(at).1.cancel_on_drop();
                    }
                }
                Step::Do(node) => drop(self.clone().run(node.clone()).await?),
            }
        }
        self.sleep(apart(223, plan.number)).await;
        Ok(1)
    }

    /// Spawns a child that says when it has started, and waits for that.
    async fn start(&self, group: &Group, child: &Child, handshake: Handshake) -> Option<Joins> {
        let Handshake { takes, silent, patience } = handshake;
        let (inside, number, node, siblings) = (self.clone(), child.number, child.node.clone(), group.clone());
        let make = move |starting: wakeful::task::Starting<(), u32>| async move {
            let (env, ends) = (inside.clone(), Ends::new(&inside, format!("starting {number}")));
            env.sleep(takes).await;
            if silent {
                drop(starting);
            } else {
                env.note(format!("child {number} has started: {}", starting.started(()).is_ok()));
            }
            ends.with(inside.child(siblings, number, node).await)
        };
        let start = self.or_refused(child, group.start(format!("child {number}"), make))?;
        let waits = group.scope().move_on_after(patience.unwrap_or(Duration::MAX), async |_| start.join().await);
        let Outcome::Done(started) = waits.await else {
            self.note(format!("nobody waits for {number}"));
            return None;
        };
        self.sleep(apart(107, number)).await;
        self.note(format!("start of {number}: {:?}", started.as_ref().err()));
        started.ok()
    }
}

/// A report, without its instants: those of deadlines are the program's, which begins later the second time.
fn shown<R>(report: &GroupReport<R, u32>) -> String {
    let failures: Vec<_> = report.failures.iter().map(ToString::to_string).collect();
    let cancelled = report.cancelled.as_ref().map(ToString::to_string);
    format!("{} {} {failures:?} {cancelled:?}", report.output.is_some(), report.count)
}

/// `text` without the instants of deadlines.
fn timeless(mut text: String) -> String {
    const BEFORE: &str = "the deadline ";
    while let Some(at) = text.find(BEFORE) {
        let end = text[at..].find(" was").expect("it was reached");
        text.replace_range(at..at + end, "the end");
    }
    text
}

/// Leaves out when something that was cut short was dropped, and why: what has a local group in it, with somebody in the background
/// who has something to do still, goes with that, and not before. Until then it may be cancelled for more reasons.
pub(crate) fn blur(events: &mut [Event]) {
    for (at, text) in &mut *events {
        if text.contains(" is dropped: ") {
            *at = Duration::ZERO;
        }
        for before in [" is dropped: ", "Err(Cancelled(", "] ", "Cancel after", "Grace(", "is cancelled: "] {
            if let Some(found) = text.find(before) {
                text.truncate(found + before.len());
            }
        }
    }
    events.sort();
}

/// Runs a program, and gives what was seen of it, in order.
pub(crate) async fn play(sim: &Sim, plan: Arc<Plan>, local: Local) -> Vec<Event> {
    let (events, kept) = (Mutex::default(), Mutex::default());
    let world = Arc::new(World { sim: sim.clone(), began: sim.now(), local, events, kept });
    let env = Env { world: world.clone(), scopes: Vec::new(), group: None };
    let ended = Scope::new(sim.time()).run(env.clone().group(plan)).await;
    env.note(format!("{:?}", ended.done()));
    // Until whatever was left behind is gone.
    env.sleep(Duration::from_secs(10)).await;
    for (number, mut handle) in std::mem::take(&mut *world.kept.lock().unwrap()) {
        env.note(format!("child {number} was kept: {:?} {:?}", handle.status(), handle.try_take()));
    }
    let mut events = std::mem::take(&mut *world.events.lock().unwrap());
    events.iter_mut().for_each(|(_, text)| *text = timeless(std::mem::take(text)));
    events.sort();
    events
}
