//! Scopes and shields nested at random, as one chain around a sleep: when the sleep is cut short, beside a model of whole numbers.
//!
//! What the model knows of them are rules f to h: a scope is cancelled once, at the least of its deadline, the end of its grace and an
//! explicit cancel; a shield lets that through when its budget is over, counted from the instant at which it came there; what is through
//! stays through, whatever becomes of the budget. In a task of its own, what began in it ends there.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wakeful::cancel::{Scope, current};
use wakeful::sim::{Builder, Sim};
use wakeful::time::Instant;

/// In milliseconds. Deadlines and budgets are multiples of [`STEP`], and acts happen in between, so that no two meet by chance.
type Millis = u64;
const NEVER: Millis = Millis::MAX;
const STEP: Millis = 16;

fn duration(millis: Millis) -> Duration {
    if millis == NEVER { Duration::MAX } else { Duration::from_millis(millis) }
}

fn instant(millis: Millis) -> Instant {
    if millis == NEVER { Instant::NEVER } else { Instant::from_nanos(1_000_000 * millis) }
}

fn now(sim: &Sim) -> Millis {
    sim.now().as_nanos() / 1_000_000
}

/// How a level of the chain is written in a program.
#[derive(Clone, Copy, Debug)]
enum Form {
    MoveOn,
    Child,
    Fail,
    Free,
}

#[derive(Clone, Copy, Debug)]
enum Level {
    Scope(Form, Millis),
    Shield(Form, Millis),
}

/// What somebody does to a level from outside.
#[derive(Clone, Copy, Debug)]
enum Act {
    Cancel,
    Deadline(Millis),
    Budget(Millis),
    Grace(Millis),
}

#[derive(Clone, Debug)]
struct Plan {
    /// The outermost first.
    levels: Vec<Level>,
    /// When, to which level, and what; in order of time.
    acts: Vec<(Millis, usize, Act)>,
    /// How long the sleep is.
    sleep: Millis,
    /// The first level that runs in a task of its own.
    split: Option<usize>,
}

impl Plan {
    fn draw(sim: &Sim, split: bool) -> Self {
        let pick = |below| if sim.choose(5) == 0 { NEVER } else { STEP * sim.choose(below) as Millis };
        let form = || [Form::MoveOn, Form::Child, Form::Fail, Form::Free][sim.choose(4)];
        let level = |_| match sim.choose(5) < 3 {
            true => Level::Scope(form(), pick(12).max(STEP)),
            false => Level::Shield(form(), pick(8)),
        };
        let levels: Vec<_> = (0..1 + sim.choose(6)).map(level).collect();
        let sleep = STEP * (1 + sim.choose(12) as Millis);
        let mut times: Vec<_> = (1..=sim.choose(5) as Millis).map(|n| STEP * sim.choose(10) as Millis + n).collect();
        times.sort_unstable();
        let act = |at| {
            let level = sim.choose(levels.len());
            let act = match (levels[level], sim.choose(4)) {
                (_, 0) | (Level::Scope(..), 1) => Act::Cancel,
                (Level::Scope(..), 2) => Act::Deadline(pick(12)),
                (Level::Scope(..), _) => Act::Grace(STEP * (1 + sim.choose(6) as Millis)),
                (Level::Shield(..), _) => Act::Budget(pick(8)),
            };
            (at, level, act)
        };
        let acts = times.into_iter().map(act).collect();
        let split = split.then(|| 1 + sim.choose(levels.len()));
        Self { levels, acts, sleep, split }
    }

    /// When the sleep ends, and whether it came to its end.
    fn expected(&self) -> (Millis, bool) {
        let outer = self.split.map(|split| Model::of(self, split, None).end(NEVER).0);
        Model::of(self, self.levels.len(), self.split.zip(outer)).end(self.sleep)
    }
}

/// A level as the model has it.
#[derive(Clone, Copy)]
struct Known {
    /// When it is cancelled by its deadline or its grace.
    deadline: Millis,
    grace: Millis,
    /// When it was cancelled.
    cancelled: Option<Millis>,
    /// Of a shield.
    budget: Option<Millis>,
    /// When the shield let through what it held back.
    passed: Option<Millis>,
}

impl Known {
    fn ends(&self) -> Millis {
        self.cancelled.unwrap_or(self.deadline.min(self.grace))
    }
}

struct Model<'a> {
    levels: Vec<Known>,
    acts: Vec<&'a (Millis, usize, Act)>,
    /// The first level of the second task, and when the first task's part ends: nothing further out holds the body longer, once that
    /// is over.
    split: Option<(usize, Millis)>,
}

impl<'a> Model<'a> {
    /// That of the outermost `count` levels.
    fn of(plan: &'a Plan, count: usize, split: Option<(usize, Millis)>) -> Self {
        let known = |level: &Level| {
            let (deadline, budget) = match *level {
                Level::Scope(_, deadline) => (deadline, None),
                Level::Shield(_, budget) => (NEVER, Some(budget)),
            };
            Known { deadline, grace: NEVER, cancelled: None, budget, passed: None }
        };
        let levels = plan.levels[..count].iter().map(known).collect();
        Self { levels, acts: plan.acts.iter().filter(|act| act.1 < count).collect(), split }
    }

    /// When the cancelling of level `from` has come through all shields up to level `to`.
    fn through(&self, from: usize, to: usize) -> Millis {
        let cancelled = self.levels[from].ends();
        let crossed = |at: Millis, level: usize| match self.split {
            Some((split, over)) if level == split && from < split => at.min(cancelled.max(over)),
            _ => at,
        };
        let shielded = (from + 1..to).fold(cancelled, |at, level| {
            let (at, known) = (crossed(at, level), &self.levels[level]);
            match (known.passed, known.budget) {
                (Some(passed), _) => at.max(passed),
                (None, Some(NEVER)) => NEVER,
                (None, Some(budget)) => at.saturating_add(budget),
                (None, None) => at,
            }
        });
        if to == self.levels.len() { crossed(shielded, to) } else { shielded }
    }

    /// When something has come through all shields up to level `to`.
    fn reached(&self, to: usize) -> Millis {
        (0..to).map(|from| self.through(from, to)).min().unwrap_or(NEVER)
    }

    /// Notes which shields have let through what they held back by `at`; not before `since`.
    fn pass(&mut self, since: Millis, at: Millis) {
        for level in 0..self.levels.len() {
            let held = match self.levels[level] {
                Known { budget: Some(_), passed: None, .. } => self.through_shield(level).max(since),
                _ => continue,
            };
            if held <= at {
                self.levels[level].passed = Some(held);
            }
        }
    }

    fn through_shield(&self, level: usize) -> Millis {
        (0..level).map(|from| self.through(from, level + 1)).min().unwrap_or(NEVER)
    }

    fn end(mut self, sleep: Millis) -> (Millis, bool) {
        let mut since = 0;
        for &(at, level, act) in std::mem::take(&mut self.acts) {
            if let Some(end) = self.end_before(sleep, since, at) {
                return end;
            }
            self.pass(since, at - 1);
            for known in &mut self.levels {
                if known.ends() < at {
                    known.cancelled = Some(known.ends());
                }
            }
            let known = &mut self.levels[level];
            match (act, known.cancelled) {
                (Act::Budget(budget), _) => known.budget = Some(budget),
                (_, Some(_)) => {}
                (Act::Cancel, _) => known.cancelled = Some(at),
                (Act::Deadline(deadline), _) if deadline < at => known.cancelled = Some(at),
                (Act::Deadline(deadline), _) => known.deadline = deadline,
                (Act::Grace(grace), _) => known.grace = known.grace.min(at + grace),
            }
            since = at;
            self.pass(at, at);
        }
        self.end_before(sleep, since, NEVER).unwrap_or((NEVER, false))
    }

    /// How the sleep ends, if it does before `limit`.
    fn end_before(&self, sleep: Millis, since: Millis, limit: Millis) -> Option<(Millis, bool)> {
        let cut = self.reached(self.levels.len()).max(since);
        let is_done = sleep <= cut;
        let end = if is_done { sleep } else { cut };
        (end < limit).then_some((end, is_done))
    }
}

type Body<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// What the chain and those who act on it share.
#[derive(Clone)]
struct Chain {
    sim: Sim,
    plan: Arc<Plan>,
    /// The scopes that are acted on, by level.
    handles: Arc<Mutex<Vec<Option<Scope>>>>,
    /// How the sleep ended, if it began.
    end: Arc<Mutex<Option<(Millis, bool)>>>,
}

/// The sleep, which notes how it ended.
struct Asleep<'a>(&'a Chain, bool);

impl Drop for Asleep<'_> {
    fn drop(&mut self) {
        *self.0.end.lock().unwrap() = Some((now(&self.0.sim), self.1));
    }
}

impl Chain {
    /// Keeps a handle, if somebody acts on this level: a scope without handles is no node of the tree.
    fn keep(&self, level: usize, scope: &Scope) {
        if self.plan.acts.iter().any(|act| act.1 == level) {
            self.handles.lock().unwrap()[level] = Some(scope.clone());
        }
    }

    fn handle(&self, level: usize) -> Option<Scope> {
        self.handles.lock().unwrap()[level].clone()
    }

    /// Runs the levels from this one inwards, in `scope`.
    fn run<'a>(&'a self, level: usize, scope: &'a Scope, may_split: bool) -> Body<'a> {
        if may_split && self.plan.split == Some(level) {
            let (chain, scope) = (self.clone(), scope.clone());
            let task = async move { drop(scope.run(chain.run(level, &scope, false)).await) };
            return Box::pin(self.sim.spawn("inner", task));
        }
        let inside = async move |scope: &Scope| {
            self.keep(level, scope);
            self.run(level + 1, scope, may_split).await;
        };
        let current = async move || inside(&current().expect("a scope is entered")).await;
        Box::pin(async move {
            match self.plan.levels.get(level) {
                None => {
                    let mut asleep = Asleep(self, false);
                    scope.sleep(duration(self.plan.sleep)).await;
                    asleep.1 = true;
                }
                Some(&Level::Scope(form, deadline)) => match (form, instant(deadline)) {
                    (Form::MoveOn, at) => drop(scope.move_on_at(at, inside).await),
                    (Form::Fail, at) => drop(scope.fail_at(at, inside).await),
                    (Form::Free, at) => drop(wakeful::move_on_at(at, current()).await),
                    (Form::Child, at) => {
                        let child = scope.child_at(at);
                        drop(child.run(inside(&child)).await);
                    }
                },
                Some(&Level::Shield(form, budget)) => match form {
                    Form::Free | Form::Fail => drop(wakeful::shield(duration(budget), current()).await),
                    Form::MoveOn | Form::Child => drop(scope.shield(duration(budget), inside).await),
                },
            }
        })
    }

    /// Does what is planned, to those levels that have begun by then.
    async fn act(self) {
        for &(at, level, act) in &self.plan.acts {
            self.sim.time().sleep_until(instant(at)).await;
            let Some(scope) = self.handle(level) else { continue };
            match act {
                Act::Cancel => _ = scope.cancel("planned"),
                Act::Deadline(at) => scope.set_deadline(instant(at)),
                Act::Budget(budget) => scope.set_budget(duration(budget)).expect("a shield"),
                Act::Grace(grace) => _ = scope.cancel_with_grace("planned", duration(grace)),
            }
        }
    }
}

fn check(split: bool) {
    let asked = std::env::var("WAKEFUL_SIM_RUNS").ok().and_then(|runs| runs.parse().ok());
    Builder::new().runs(asked.unwrap_or(1_000)).repeat_every(100).check(async |sim: Sim| {
        let plan = Arc::new(Plan::draw(&sim, split));
        let handles = Arc::new(Mutex::new(vec![None; plan.levels.len()]));
        let chain = Chain { sim: sim.clone(), plan: plan.clone(), handles, end: Arc::default() };
        let (outer, root) = (chain.clone(), Scope::new(sim.time()));
        let running = sim.spawn("outer", async move { drop(root.run(outer.run(0, &root, true)).await) });
        let acting = sim.spawn("acts", chain.clone().act());
        running.await;
        acting.await;
        // An inner task may outlive the outer one.
        sim.time().sleep(duration(100 * STEP)).await;
        // A chain that was cancelled at once has not begun.
        if let Some(end) = chain.end.lock().unwrap().take() {
            assert_eq!(end, plan.expected(), "{plan:?}");
        }
    });
}

#[test]
fn a_body_is_cut_short_when_all_shields_let_it_through() {
    check(false);
}

#[test]
fn a_body_in_a_task_of_its_own_is_cut_short_when_all_shields_let_it_through() {
    check(true);
}
