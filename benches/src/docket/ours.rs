//! `wakeful::docket`.

use super::{EACH, FUTURE, STRUCK, TASKS, USERS, cost, due, pending_once};
use crate::support::block_on;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::docket::{Cx, Docket, Limit, Policy, Registry, Strike, Test};
use wakeful::time::{ManualClock, Time};

/// A task's argument: a number, which is added up, and whose task it is.
type Args = std::collections::BTreeMap<String, u64>;

/// Whether somebody is to be polled.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// One whose tasks add their numbers up.
fn docket(time: &Time, sum: &Arc<AtomicU64>) -> Docket {
    let sum = sum.clone();
    let run = move |n: u64, _: Cx| {
        sum.fetch_add(n, Ordering::Relaxed);
        std::future::ready(Ok::<_, String>(n))
    };
    Docket::new(time, Registry::new().closure("add", Policy::new(), run).expect("one"))
}

/// Adds the tasks, and runs them all.
fn all(docket: &Docket, scope: &Scope, tasks: u64) {
    block_on(async {
        for n in 0..tasks {
            docket.raw("add", n).expect("known").send().await.expect("added");
        }
        docket.worker("w").drain(scope).await.expect("run");
    });
}

pub fn add_run() -> f64 {
    let (clock, sum) = (ManualClock::new(), Arc::new(AtomicU64::new(0)));
    let docket = docket(&clock.time(), &sum);
    cost(TASKS, || {
        all(&docket, &Scope::new(clock.time()), TASKS);
        sum.load(Ordering::Relaxed)
    })
}

pub fn strikes() -> f64 {
    let (clock, sum) = (ManualClock::new(), Arc::new(AtomicU64::new(0)));
    let counted = sum.clone();
    let run = move |args: Args, _: Cx| {
        counted.fetch_add(args["n"], Ordering::Relaxed);
        std::future::ready(Ok::<_, String>(args["n"]))
    };
    let docket = Docket::new(&clock.time(), Registry::new().closure("add", Policy::new(), run).expect("one"));
    cost(TASKS, || {
        block_on(async {
            for user in 0..STRUCK {
                docket.strike(Strike::field("user", Test::Eq((TASKS + user).into())).of("add")).await.expect("struck");
            }
            for n in 0..TASKS {
                docket.raw("add", args(n, n)).expect("known").send().await.expect("added");
            }
            docket.worker("w").drain(&Scope::new(clock.time())).await.expect("run");
        });
        sum.load(Ordering::Relaxed)
    })
}

fn args(n: u64, user: u64) -> Args {
    Args::from([("n".to_owned(), n), ("user".to_owned(), user)])
}

pub fn limits() -> f64 {
    let (clock, sum) = (ManualClock::new(), Arc::new(AtomicU64::new(0)));
    let counted = sum.clone();
    let run = move |args: Args, _: Cx| {
        let counted = counted.clone();
        async move {
            pending_once().await;
            counted.fetch_add(args["n"], Ordering::Relaxed);
            Ok::<_, String>(args["n"])
        }
    };
    const POLICY: Policy = Policy::new().limits(&[Limit::at_most(1).per("user")]);
    let docket = Docket::new(&clock.time(), Registry::new().closure("add", POLICY, run).expect("one"));
    cost(USERS * EACH, || {
        block_on(async {
            for n in 0..USERS * EACH {
                docket.raw("add", args(n, n / EACH)).expect("known").send().await.expect("added");
            }
            docket.worker("w").until_finished(&Scope::new(clock.time())).await.expect("run");
        });
        sum.load(Ordering::Relaxed)
    })
}

pub fn future() -> f64 {
    let (clock, sum) = (ManualClock::new(), Arc::new(AtomicU64::new(0)));
    let docket = docket(&clock.time(), &sum);
    let scope = Scope::new(clock.time());
    cost(FUTURE, || {
        block_on(async {
            for n in 0..FUTURE {
                docket.raw("add", n).expect("known").after(due(n)).send().await.expect("added");
            }
        });
        let mut worker = pin!(docket.worker("w").until_finished(&scope));
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let waker = Waker::from(woken.clone());
        let mut cx = Context::from_waker(&waker);
        loop {
            while woken.0.swap(false, Ordering::Relaxed) {
                if worker.as_mut().poll(&mut cx).is_ready() {
                    return sum.load(Ordering::Relaxed);
                }
            }
            clock.advance(Duration::from_millis(1));
        }
    })
}
