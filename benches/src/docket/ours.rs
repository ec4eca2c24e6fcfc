//! `wakeful::docket`.

use super::{EACH, FUTURE, STRUCK, TASKS, USERS, cost, due, pending_once};
use crate::support::block_on;
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::docket::{Cx, Docket, Limit, Policy, Registry, Strike, Task, Test};
use wakeful::time::{ManualClock, Time};

/// A number, which is added up.
#[derive(Serialize, Deserialize)]
struct Add(u64);

impl Task for Add {
    const NAME: &'static str = "add";
    type Output = u64;
    type Error = Infallible;

    async fn run(self, cx: Cx) -> Result<u64, Infallible> {
        Ok(count(&cx, self.0))
    }
}

/// The same, and whose task it is.
#[derive(Serialize, Deserialize)]
struct AddOf {
    n: u64,
    user: u64,
}

impl Task for AddOf {
    const NAME: &'static str = "add_of";
    type Output = u64;
    type Error = Infallible;

    async fn run(self, cx: Cx) -> Result<u64, Infallible> {
        Ok(count(&cx, self.n))
    }
}

/// The same, one of a user at once, and pending once.
#[derive(Serialize, Deserialize)]
struct AddOneOf {
    n: u64,
    user: u64,
}

impl Task for AddOneOf {
    const NAME: &'static str = "add_one_of";
    const POLICY: Policy = Policy::new().limits(&[Limit::at_most(1).per("user")]);
    type Output = u64;
    type Error = Infallible;

    async fn run(self, cx: Cx) -> Result<u64, Infallible> {
        pending_once().await;
        Ok(count(&cx, self.n))
    }
}

/// What the tasks share.
#[derive(Default)]
struct Sum(AtomicU64);

fn count(cx: &Cx, n: u64) -> u64 {
    cx.get::<Arc<Sum>>().expect("provided").0.fetch_add(n, Ordering::Relaxed);
    n
}

/// Whether somebody is to be polled.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// One whose tasks add their numbers up, and where they do.
fn docket<T: Task>(time: &Time) -> (Docket, Arc<Sum>) {
    let sum = Arc::new(Sum::default());
    let registry = Registry::new().provide(sum.clone()).task::<T>().expect("one");
    (Docket::new(time, registry), sum)
}

pub fn add_run() -> f64 {
    let clock = ManualClock::new();
    let (docket, sum) = docket::<Add>(&clock.time());
    cost(TASKS, || {
        block_on(async {
            for n in 0..TASKS {
                docket.add(&Add(n)).expect("known").send().await.expect("added");
            }
            docket.worker("w").drain(&Scope::new(clock.time())).await.expect("run");
        });
        sum.0.load(Ordering::Relaxed)
    })
}

pub fn strikes() -> f64 {
    let clock = ManualClock::new();
    let (docket, sum) = docket::<AddOf>(&clock.time());
    cost(TASKS, || {
        block_on(async {
            for user in 0..STRUCK {
                let strike = Strike::field("user", Test::Eq((TASKS + user).into())).of(AddOf::NAME);
                docket.strike(strike).await.expect("struck");
            }
            for n in 0..TASKS {
                docket.add(&AddOf { n, user: n }).expect("known").send().await.expect("added");
            }
            docket.worker("w").drain(&Scope::new(clock.time())).await.expect("run");
        });
        sum.0.load(Ordering::Relaxed)
    })
}

pub fn limits() -> f64 {
    let clock = ManualClock::new();
    let (docket, sum) = docket::<AddOneOf>(&clock.time());
    cost(USERS * EACH, || {
        block_on(async {
            for n in 0..USERS * EACH {
                docket.add(&AddOneOf { n, user: n / EACH }).expect("known").send().await.expect("added");
            }
            docket.worker("w").until_finished(&Scope::new(clock.time())).await.expect("run");
        });
        sum.0.load(Ordering::Relaxed)
    })
}

pub fn future() -> f64 {
    let clock = ManualClock::new();
    let (docket, sum) = docket::<Add>(&clock.time());
    let scope = Scope::new(clock.time());
    cost(FUTURE, || {
        block_on(async {
            for n in 0..FUTURE {
                docket.add(&Add(n)).expect("known").after(due(n)).send().await.expect("added");
            }
        });
        let mut worker = pin!(docket.worker("w").until_finished(&scope));
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let waker = Waker::from(woken.clone());
        let mut cx = Context::from_waker(&waker);
        loop {
            while woken.0.swap(false, Ordering::Relaxed) {
                if worker.as_mut().poll(&mut cx).is_ready() {
                    return sum.0.load(Ordering::Relaxed);
                }
            }
            clock.advance(Duration::from_millis(1));
        }
    })
}
