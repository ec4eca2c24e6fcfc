//! Small programs made at random: of each, the search with sleep sets has to find all outcomes that the plain search finds.
//!
//! `WAKEFUL_PROGRAMS=1000` tries so many of them.

use std::collections::BTreeSet;
use std::fmt;
use std::future::poll_fn;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::queue::{self, Receiver, Sender};
use wakeful::sim::{Builder, Coverage, Rng, Sim, Strategy, Summary, Tracked};
use wakeful::sync::{Event, Notify, Semaphore, watch};
use wakeful::time::Wall;

/// What the tasks of a run share: nothing but what is the kit's, `Tracked`, and wakers.
#[derive(Clone)]
struct Shared {
    sim: Sim,
    cells: [Tracked<usize>; 2],
    wakers: Vec<Waker>,
    tx: Sender<usize>,
    rx: Receiver<usize>,
    scopes: [Scope; 2],
    permits: Semaphore,
    event: Event,
    notify: Notify,
    news: Arc<watch::Sender<usize>>,
}

/// What a task has for itself.
struct Own {
    shared: Shared,
    senders: Vec<Sender<usize>>,
    /// What it is about to write, another one each time.
    value: usize,
}

/// Something that a poll does, with its name; gives what the task saw.
#[derive(Clone, Copy)]
struct Op(&'static str, fn(&mut Own) -> usize);

impl fmt::Debug for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Operations that have to do with each other.
const THEMES: &[&[Op]] = &[
    &[
        Op("read 0", |own| own.shared.cells[0].get()),
        Op("write 0", |own| own.write(0)),
        Op("read 1", |own| own.shared.cells[1].get()),
        Op("write 1", |own| own.write(1)),
        Op("write either", |own| {
            let n = own.shared.sim.choose(2);
            own.write(n)
        }),
    ],
    &[
        Op("wake 0", |own| own.wake(0)),
        Op("wake 1", |own| own.wake(1)),
        Op("wake 0", |own| own.wake(0)),
        Op("read 0", |own| own.shared.cells[0].get()),
    ],
    &[
        Op("send", |own| own.shared.tx.try_send(own.value).is_ok().into()),
        Op("receive", |own| own.shared.rx.try_recv().unwrap_or(0)),
        Op("length", |own| own.shared.rx.len()),
    ],
    &[
        Op("send", |own| own.shared.tx.try_send(own.value).is_ok().into()),
        Op("receive", |own| own.shared.rx.try_recv().unwrap_or(0)),
        Op("close", |own| {
            own.shared.rx.close();
            0
        }),
    ],
    &[
        Op("hang up", |own| {
            drop(own.senders.pop());
            own.shared.rx.is_closed().into()
        }),
        Op("receive", |own| own.shared.rx.try_recv().unwrap_or(0)),
    ],
    &[
        Op("cancel outer", |own| own.shared.scopes[0].cancel("by a program").into()),
        Op("cancel inner", |own| own.shared.scopes[1].cancel("by a program").into()),
        Op("is outer cancelled", |own| own.shared.scopes[0].is_cancelled().into()),
        Op("is inner cancelled", |own| own.shared.scopes[1].is_cancelled().into()),
    ],
    &[
        Op("set the calendar", |own| {
            own.shared.sim.set_wall(Duration::from_nanos(own.value as u64));
            0
        }),
        Op("read the calendar", |own| own.shared.sim.wall().unix().as_nanos() as usize),
    ],
    &[
        Op("start a child that writes 0", |own| {
            let (cell, value) = (own.shared.cells[0].clone(), own.value);
            own.shared.sim.tracked().spawn("child", async move { cell.set(value) });
            0
        }),
        Op("read 0", |own| own.shared.cells[0].get()),
    ],
    &[
        Op("dump", |own| own.shared.sim.dump().tasks.iter().filter(|task| task.polls > 1).count()),
        Op("wake 0", |own| own.wake(0)),
    ],
    &[
        Op("acquire", |own| own.shared.permits.try_acquire().map(|permit| permit.forget()).is_ok().into()),
        Op("give a permit", |own| {
            own.shared.permits.add_permits(1);
            0
        }),
        Op("permits", |own| own.shared.permits.available()),
    ],
    &[
        Op("set the event", |own| {
            own.shared.event.set();
            0
        }),
        Op("reset the event", |own| own.shared.event.reset().into()),
        Op("is the event set", |own| own.shared.event.is_set().into()),
    ],
    &[
        Op("notify one", |own| {
            own.shared.notify.notify_one();
            0
        }),
        Op("notify all", |own| {
            own.shared.notify.notify_all();
            0
        }),
    ],
    &[
        Op("tell news", |own| own.shared.news.send(own.value).is_ok().into()),
        Op("hear news", |own| *own.shared.news.latest()),
        Op("subscribe", |own| {
            let news = own.shared.news.subscribe();
            let count = own.shared.news.receivers();
            drop(news);
            count
        }),
    ],
];

impl Own {
    fn write(&self, n: usize) -> usize {
        self.shared.cells[n].set(self.value);
        n
    }

    fn wake(&self, n: usize) -> usize {
        self.shared.wakers.get(n).inspect(|waker| waker.wake_by_ref()).is_some().into()
    }
}

/// How the next step is come to.
#[derive(Clone, Copy, Debug)]
enum Then {
    Yield,
    Sleep(u64),
    /// By a wake of somebody else.
    Wake,
    Receive,
    Acquire,
    Event,
    Notice,
    Cancelled,
}

#[derive(Clone, Debug)]
struct Program {
    steps: Vec<(Vec<Op>, Then)>,
    background: bool,
    tracked: bool,
}

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
            let then = match rng.below(9) {
                _ if waits => Then::Wake,
                0 => Then::Sleep(1 + rng.below(2) as u64),
                1 => match themes[rng.below(2)] {
                    2..=4 => Then::Receive,
                    5 => Then::Cancelled,
                    9 => Then::Acquire,
                    10 => Then::Event,
                    11 => Then::Notice,
                    _ => Then::Yield,
                },
                _ => Then::Yield,
            };
            (ops, then)
        };
        let steps = (0..steps).map(step).collect();
        Program { steps, background: waits || rng.below(3) == 0, tracked: rng.below(8) > 0 }
    };
    [(2, true), (2, true), (2, false), (2, false), (1, false)].map(make).into()
}

type Log = Tracked<Vec<usize>>;

impl Shared {
    /// Runs a program, after `first`; what it sees goes into the log, where the root may look while it still runs.
    fn start(&self, program: Program, id: usize, first: impl Future<Output = ()> + Send + 'static) -> Log {
        let log = Log::new(Vec::new());
        let Program { steps, background, tracked } = program;
        let (seen, senders) = (log.clone(), vec![self.tx.clone()]);
        let mut own = Own { shared: self.clone(), senders, value: 1_000 * id };
        let future = async move {
            first.await;
            for (ops, then) in steps {
                for Op(_, act) in ops {
                    own.value += 1;
                    let saw = act(&mut own);
                    seen.write(|log| log.push(saw));
                }
                let saw = own.shared.come_to(then).await;
                seen.write(|log| log.push(saw));
            }
        };
        let sim = if tracked { self.sim.tracked() } else { self.sim.clone() };
        match background {
            true => drop(sim.spawn_background("background", future)),
            false => drop(sim.spawn("foreground", future)),
        }
        log
    }

    async fn come_to(&self, then: Then) -> usize {
        match then {
            Then::Yield => self.sim.yield_now().await,
            Then::Sleep(nanos) => self.sim.time().sleep(Duration::from_nanos(nanos)).await,
            Then::Wake => woken(|_| ()).await,
            Then::Receive => return self.rx.recv().await.unwrap_or(0),
            Then::Acquire => self.permits.acquire().await.unwrap().forget(),
            Then::Event => self.event.wait().await,
            Then::Notice => self.notify.notified().await,
            Then::Cancelled => return self.scopes[1].cancelled().await.is_own().into(),
        }
        0
    }
}

/// Waits for the next poll, whoever wakes the task; the first one is shown the waker.
async fn woken(first: impl FnOnce(&Waker)) {
    let mut first = Some(first);
    poll_fn(|cx| match first.take() {
        Some(first) => {
            first(cx.waker());
            Poll::Pending
        }
        None => Poll::Ready(()),
    })
    .await;
}

/// Runs the programs; gives what each saw, and what is there at the end.
async fn outcome(sim: Sim, programs: &[Program]) -> Vec<Vec<usize>> {
    let (tx, rx) = queue::bounded(NonZeroUsize::MIN);
    let outer = Scope::new(sim.time());
    let (news, _) = watch::channel(0);
    let mut shared = Shared {
        sim: sim.clone(),
        cells: [Tracked::new(0), Tracked::new(0)],
        wakers: Vec::new(),
        tx,
        rx,
        scopes: [outer.clone(), outer.child()],
        permits: Semaphore::new(0),
        event: Event::new(),
        notify: Notify::new(),
        news: Arc::new(news),
    };
    let (waiting, others) = programs.split_at(2);
    let (wakers, mut logs) = (Arc::new(Mutex::new(Vec::new())), Vec::new());
    // They begin before the others are there, so that these have their wakers without sharing anything for it.
    for (id, program) in waiting.iter().enumerate() {
        let place = wakers.clone();
        let first = woken(move |waker| place.lock().unwrap().push(waker.clone()));
        logs.push(shared.start(program.clone(), 1 + id, first));
        sim.idle().await;
    }
    shared.wakers = wakers.lock().unwrap().clone();
    logs.extend(others.iter().enumerate().map(|(n, program)| shared.start(program.clone(), 10 + n, async {})));
    sim.time().sleep(Duration::from_nanos(1)).await;
    let mut outcome: Vec<_> = logs.iter().map(Tracked::get).collect();
    outcome.push(shared.cells.iter().map(Tracked::get).collect());
    outcome.push(vec![shared.rx.try_recv().unwrap_or(0), shared.rx.is_closed().into()]);
    outcome.push(vec![shared.permits.available(), shared.event.is_set().into(), *shared.news.latest()]);
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
    let count = std::env::var("WAKEFUL_PROGRAMS").ok().map_or(30, |count| count.parse().unwrap());
    for seed in 0..count {
        let programs = programs(&mut Rng::new(seed));
        let (all, plain) = search(Strategy::Exhaustive, 1_500, &programs);
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
    assert!(
        searched * 2 > count as u32 && fewer * 2 > searched && several * 4 > searched,
        "{searched} {fewer} {several}"
    );
}
