//! `wakeful::docket` on `SqliteStore`.

use super::harness::{cpu_ns, wall_ns};
use super::{BATCH, FLUSHED, FUTURE, STRUCK, TASKS, USERS};
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::docket::{
    Add, Claim, Close, Cx, Docket, Ending, Entry, Limit, Policy, Registry, SqliteBuilder, SqliteStore, Store, Strike,
    Test, Value,
};
use wakeful::spawn::{Job, block_on};
use wakeful::time::{Instant, ManualClock, Time, Wall};

/// Transactions of a row's rounds, and their tasks.
static TRANSACTIONS: AtomicU64 = AtomicU64::new(0);
static TASKS_RUN: AtomicU64 = AtomicU64::new(0);

pub fn print_transactions() {
    let (transactions, tasks) = (TRANSACTIONS.swap(0, Ordering::Relaxed), TASKS_RUN.swap(0, Ordering::Relaxed));
    if tasks > 0 {
        println!("      {:.2} transactions a task", transactions as f64 / tasks as f64);
    }
}

/// Unix time as a clock has it that is set by hand.
struct Hand(Time);

impl Wall for Hand {
    fn unix(&self) -> Duration {
        self.0.now() - Instant::EPOCH
    }
}

/// Makes the store's calls in place: each is one transaction.
fn builder(time: &Time) -> SqliteBuilder {
    let inline = |job: Job| {
        TRANSACTIONS.fetch_add(1, Ordering::Relaxed);
        job.run();
    };
    SqliteStore::builder(time, Hand(time.clone()), inline)
}

/// Each task is added, claimed and finished before the next.
fn one_by_one(store: &SqliteStore, tasks: u64) {
    let (names, lease) = (vec!["add".to_owned()], Duration::from_secs(30));
    let claim = Claim { worker: "w".into(), names, most: 1, lease };
    block_on(async {
        for n in 0..tasks {
            store.put(Entry::new("add", "", n.into())).await.expect("put");
            let run = store.claim(&claim).await.expect("claimed").taken.remove(0);
            store.finish(&run.key, run.fence, Close::End(Ending::Done(n.into()), None)).await.expect("finished");
        }
    });
    TASKS_RUN.fetch_add(tasks, Ordering::Relaxed);
}

pub fn memory() -> f64 {
    let store = builder(&ManualClock::new().time()).in_memory().expect("opened");
    cpu_ns(TASKS as usize, || one_by_one(&store, TASKS))
}

pub fn file() -> f64 {
    let folder = tempfile::tempdir().expect("a folder");
    let store = builder(&ManualClock::new().time()).open(folder.path().join("docket")).expect("opened");
    wall_ns(FLUSHED as usize, || one_by_one(&store, FLUSHED))
}

/// A task's argument: a number, and whose task it is.
type Args = BTreeMap<String, u64>;

/// A docket of one task, which adds numbers up.
struct Sums {
    clock: ManualClock,
    docket: Docket,
    sum: Arc<AtomicU64>,
}

impl Sums {
    fn new(policy: Policy) -> Self {
        let (clock, sum) = (ManualClock::new(), Arc::new(AtomicU64::new(0)));
        let counted = sum.clone();
        let run = move |args: Args, _: Cx| {
            counted.fetch_add(args["n"], Ordering::Relaxed);
            std::future::ready(Ok::<_, String>(args["n"]))
        };
        let registry = Registry::new().closure("add", policy, run).expect("one");
        let store = builder(&clock.time()).in_memory().expect("opened");
        let docket = Docket::on(store, &clock.time(), registry);
        Self { clock, docket, sum }
    }

    /// CPU nanoseconds of a task, where so many are run.
    fn cost(&self, tasks: u64, run: impl FnOnce()) -> f64 {
        TASKS_RUN.fetch_add(tasks, Ordering::Relaxed);
        let cost = cpu_ns(tasks as usize, run);
        assert_eq!(self.sum.load(Ordering::Relaxed), tasks * (tasks - 1) / 2, "each runs once");
        cost
    }

    fn add(&self, n: u64) -> Add<Value> {
        let args = Args::from([("n".to_owned(), n), ("user".to_owned(), n)]);
        self.docket.raw("add", args).expect("known")
    }

    /// Adds the tasks, and runs them all.
    fn all(&self, tasks: u64) -> f64 {
        self.cost(tasks, || {
            block_on(async {
                for n in 0..tasks {
                    self.add(n).send().await.expect("added");
                }
                self.docket.worker("w").drain(&Scope::new(self.clock.time())).await.expect("run");
            });
        })
    }
}

pub fn run() -> f64 {
    Sums::new(Policy::new()).all(TASKS)
}

pub fn limits() -> f64 {
    const POLICY: Policy = Policy::new().limits(&[Limit::at_most(1).per("user")]);
    Sums::new(POLICY).all(USERS)
}

pub fn strikes() -> f64 {
    let sums = Sums::new(Policy::new());
    block_on(async {
        for user in 0..STRUCK {
            let strike = Strike::field("user", Test::Eq((TASKS + user).into())).of("add");
            sums.docket.strike(strike).await.expect("struck");
        }
    });
    TRANSACTIONS.fetch_sub(STRUCK, Ordering::Relaxed);
    sums.all(TASKS)
}

/// Whether somebody is to be polled.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// When a future task is due: all of them in no order.
fn due(task: u64) -> Duration {
    Duration::from_micros(task.wrapping_mul(48_271) % 100_000)
}

pub fn future() -> f64 {
    let sums = Sums::new(Policy::new());
    let scope = Scope::new(sums.clock.time());
    sums.cost(FUTURE, || {
        block_on(async {
            for first in (0..FUTURE).step_by(BATCH as usize) {
                let batch = (first..first + BATCH).map(|n| sums.add(n).after(due(n)));
                for added in sums.docket.add_all(batch).await {
                    added.expect("added");
                }
            }
        });
        let mut worker = pin!(sums.docket.worker("w").until_finished(&scope));
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let waker = Waker::from(woken.clone());
        let mut cx = Context::from_waker(&waker);
        loop {
            while woken.0.swap(false, Ordering::Relaxed) {
                if let Poll::Ready(worked) = worker.as_mut().poll(&mut cx) {
                    return worked.expect("run");
                }
            }
            sums.clock.advance(Duration::from_millis(1));
        }
    })
}
