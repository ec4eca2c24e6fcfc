//! Small programs made at random: of each, the search with sleep sets has to find all outcomes that the plain search finds.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::queue::{self, Receiver, Sender};
use wakeful::sim::{Builder, Coverage, Rng, Sim, Strategy, Summary, Tracked};
use wakeful::time::Wall;

/// What a step may do. All that tasks share goes through the kit, `Tracked` and wakes.
#[derive(Clone, Copy, Debug)]
enum Op {
    Read(usize),
    Write(usize),
    /// Writes to one of the two cells: which, is chosen.
    WriteEither,
    Wake(usize),
    Send,
    Recv,
    Len,
    Close,
    /// Drops a sender of the task's own.
    Hang,
    Cancel(usize),
    IsCancelled(usize),
    SetWall,
    Wall,
    /// Starts a task that writes.
    Child,
    Dump,
}

/// How the next step is come to.
#[derive(Clone, Copy, Debug)]
enum Then {
    Yield,
    Sleep(u64),
    /// By a wake of somebody else.
    Wait,
}

#[derive(Clone, Debug)]
struct Program {
    steps: Vec<(Vec<Op>, Then)>,
    background: bool,
    tracked: bool,
}

/// Operations that have to do with each other.
const THEMES: &[&[Op]] = &[
    &[Op::Read(0), Op::Write(0), Op::Read(1), Op::Write(1), Op::WriteEither],
    &[Op::Wake(0), Op::Wake(1), Op::Wake(0), Op::Read(0)],
    &[Op::Send, Op::Recv, Op::Len],
    &[Op::Recv, Op::Send, Op::Close],
    &[Op::Hang, Op::Hang, Op::Recv],
    &[Op::Cancel(0), Op::Cancel(1), Op::IsCancelled(0), Op::IsCancelled(1)],
    &[Op::SetWall, Op::Wall],
    &[Op::Child, Op::Read(0)],
    &[Op::Dump, Op::Wake(0)],
];

/// Two tasks that wait to be woken, and three that go on by themselves.
fn programs(rng: &mut Rng) -> Vec<Program> {
    let themes = [rng.below(THEMES.len()), rng.below(THEMES.len())];
    let make = |(steps, waits)| {
        let step = |_| {
            let ops = (0..rng.below(3)).map(|_| {
                let theme = THEMES[themes[rng.below(2)]];
                theme[rng.below(theme.len())]
            });
            let ops = ops.collect();
            let then = match rng.below(6) {
                _ if waits => Then::Wait,
                0 => Then::Sleep(1 + rng.below(2) as u64),
                _ => Then::Yield,
            };
            (ops, then)
        };
        let steps = (0..steps).map(step).collect();
        Program { steps, background: waits || rng.below(3) == 0, tracked: rng.below(8) > 0 }
    };
    [(2, true), (2, true), (2, false), (2, false), (1, false)].map(make).into()
}

/// What the tasks of a run share.
#[derive(Clone)]
struct Shared {
    sim: Sim,
    cells: [Tracked<usize>; 2],
    wakers: Vec<Waker>,
    tx: Sender<usize>,
    rx: Receiver<usize>,
    scopes: [Scope; 2],
}

impl Shared {
    /// Does what a step says; what it sees goes into the task's log.
    fn act(&self, ops: &[Op], own: &mut Vec<Sender<usize>>, id: usize, log: &mut Vec<usize>) {
        for &op in ops {
            let value = 1_000 * id + log.len();
            let seen = match op {
                Op::Read(n) => self.cells[n].get(),
                Op::Write(n) => {
                    self.cells[n].set(value);
                    0
                }
                Op::WriteEither => {
                    let n = self.sim.choose(2);
                    self.cells[n].set(value);
                    n
                }
                Op::Wake(n) => {
                    self.wakers.get(n).inspect(|waker| waker.wake_by_ref());
                    0
                }
                Op::Send => usize::from(self.tx.try_send(value).is_ok()),
                Op::Recv => self.rx.try_recv().unwrap_or(0),
                Op::Len => self.rx.len(),
                Op::Close => {
                    self.rx.close();
                    0
                }
                Op::Hang => {
                    drop(own.pop());
                    usize::from(self.rx.is_closed())
                }
                Op::Cancel(n) => usize::from(self.scopes[n].cancel("by a program")),
                Op::IsCancelled(n) => usize::from(self.scopes[n].is_cancelled()),
                Op::SetWall => {
                    self.sim.set_wall(Duration::from_nanos(value as u64));
                    0
                }
                Op::Wall => self.sim.wall().unix().as_nanos() as usize,
                Op::Child => {
                    let cell = self.cells[0].clone();
                    self.sim.tracked().spawn("child", async move { cell.set(value) });
                    0
                }
                Op::Dump => self.sim.dump().tasks.iter().filter(|task| task.polls > 1).count(),
            };
            log.push(seen);
        }
    }

    fn start(&self, Program { steps, background, tracked }: Program, id: usize) -> Arc<Mutex<Vec<usize>>> {
        let log = Arc::new(Mutex::new(Vec::new()));
        let (shared, seen, mut own) = (self.clone(), log.clone(), vec![self.tx.clone()]);
        let future = async move {
            for (ops, then) in steps {
                shared.act(&ops, &mut own, id, &mut seen.lock().unwrap());
                match then {
                    Then::Yield => shared.sim.yield_now().await,
                    Then::Sleep(nanos) => shared.sim.time().sleep(Duration::from_nanos(nanos)).await,
                    Then::Wait => wait(|_| ()).await,
                }
            }
        };
        let sim = if tracked { self.sim.tracked() } else { self.sim.clone() };
        match background {
            true => drop(sim.spawn_background("background", future)),
            false => drop(sim.spawn("foreground", future)),
        }
        log
    }
}

/// Waits for the next poll, whoever wakes the task.
async fn wait(mut first: impl FnMut(&Waker)) {
    let mut polled = false;
    poll_fn(|cx| {
        first(cx.waker());
        if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Runs the programs; gives what each saw, and what is there at the end.
async fn outcome(sim: Sim, programs: &[Program]) -> Vec<Vec<usize>> {
    let (tx, rx) = queue::bounded(NonZeroUsize::MIN);
    let outer = Scope::new(sim.time());
    let scopes = [outer.clone(), outer.child()];
    let cells = [Tracked::new(0), Tracked::new(0)];
    let mut shared = Shared { sim: sim.clone(), cells, wakers: vec![], tx, rx, scopes };
    let wakers = Arc::new(Mutex::new(Vec::new()));
    let (waiting, others) = programs.split_at(2);
    let mut logs = Vec::new();
    // They begin before the others are there, so that these have their wakers without sharing anything for it.
    for (id, program) in waiting.iter().enumerate() {
        let place = wakers.clone();
        let begun = shared.clone();
        let mut steps = program.steps.clone();
        let log = Arc::new(Mutex::new(Vec::new()));
        let seen = log.clone();
        let sim = if program.tracked { sim.tracked() } else { sim.clone() };
        drop(sim.spawn_background("waiting", async move {
            wait(|waker| place.lock().unwrap().push(waker.clone())).await;
            for (ops, _) in steps.drain(..) {
                begun.act(&ops, &mut Vec::new(), 1 + id, &mut seen.lock().unwrap());
                wait(|_| ()).await;
            }
        }));
        sim.idle().await;
        logs.push(log);
    }
    shared.wakers = wakers.lock().unwrap().clone();
    logs.extend(others.iter().enumerate().map(|(n, program)| shared.start(program.clone(), 10 + n)));
    sim.time().sleep(Duration::from_nanos(1)).await;
    let mut outcome: Vec<_> = logs.iter().map(|log| log.lock().unwrap().clone()).collect();
    outcome.push(shared.cells.iter().map(Tracked::get).collect());
    outcome.push(vec![shared.rx.try_recv().unwrap_or(0), usize::from(shared.rx.is_closed())]);
    outcome
}

fn search(strategy: Strategy, runs: u32, programs: &[Program]) -> (BTreeSet<Vec<Vec<usize>>>, Summary) {
    let seen = Mutex::new(BTreeSet::new());
    let builder = Builder::new().strategy(strategy).runs(runs).repeat_every(0).allow_leaks(true);
    let summary = builder.explore(async |sim: Sim| {
        let outcome = outcome(sim, programs).await;
        seen.lock().unwrap().insert(outcome);
    });
    (seen.into_inner().unwrap(), summary.unwrap())
}

#[test]
fn of_random_programs_no_outcome_is_missed() {
    let (mut searched, mut fewer, mut several) = (0, 0, 0);
    for seed in 0..60 {
        let programs = programs(&mut Rng::new(seed));
        let (all, plain) = search(Strategy::Exhaustive, 2_000, &programs);
        if plain.coverage != Coverage::Complete {
            continue;
        }
        let (found, summary) = search(Strategy::SleepSets, u32::MAX, &programs);
        assert_eq!(found, all, "seed {seed}: {programs:#?}");
        assert!(summary.runs <= plain.runs, "seed {seed}: {summary}, of {plain}");
        searched += 1;
        fewer += u32::from(summary.runs < plain.runs);
        several += u32::from(all.len() > 1);
    }
    assert!(searched > 40 && fewer > 40 && several > 25, "{searched} {fewer} {several}");
}
