//! What was true before an await, and is not after it.

use crate::{Bug, ms};
use futures::lock::Mutex as AsyncMutex;
use std::cell::Cell;
use std::num::NonZeroU8;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use wakeful::cancel::Scope;
use wakeful::sim::{FailureKind, Faults, Sim};
use wakeful::{always, buggify};

pub(crate) const BUGS: &[&Bug] = &[
    &Bug {
        name: "lost update: read, await, write",
        kinds: &[FailureKind::Panic],
        runs: 10,
        points: 1,
        settings: |builder| builder,
        body: |sim, fixed| Box::pin(lost_update(sim, fixed)),
    },
    &Bug {
        name: "check, await, act: an account is overdrawn",
        kinds: &[FailureKind::Violation],
        runs: 20,
        points: 2,
        settings: |builder| builder,
        body: |sim, fixed| Box::pin(overdrawn(sim, fixed)),
    },
    &Bug {
        name: "made twice: two find that it is not there",
        kinds: &[FailureKind::Panic],
        runs: 10,
        points: 1,
        settings: |builder| builder,
        body: |sim, fixed| Box::pin(made_twice(sim, fixed)),
    },
    &Bug {
        name: "half a transfer is done when cut short",
        kinds: &[FailureKind::Panic],
        runs: 20,
        points: 2,
        settings: |builder| builder,
        body: |sim, fixed| Box::pin(half_done(sim, fixed)),
    },
    &Bug {
        name: "retry of what was done: charged twice",
        kinds: &[FailureKind::Violation],
        runs: 60,
        points: 2,
        settings: |builder| builder.faults(Faults::new()),
        body: |sim, fixed| Box::pin(charged_twice(sim, fixed)),
    },
    &Bug {
        name: "gives up for ever after one fault",
        kinds: &[FailureKind::Liveness],
        runs: 40,
        points: 2,
        settings: |builder| {
            let often = Faults::new().fires_one_in(NonZeroU8::new(2).unwrap());
            builder.faults(often.stop_after(60).finish_within(200, ms(1_000)))
        },
        body: |sim, fixed| Box::pin(gives_up(sim, fixed)),
    },
];

async fn lost_update(sim: Sim, fixed: bool) {
    let (count, lock) = (Arc::new(AtomicU32::new(0)), Arc::new(AsyncMutex::new(())));
    let tasks = ["one", "two", "three"].map(|name| {
        let (count, lock, task) = (count.clone(), lock.clone(), sim.clone());
        sim.spawn(name, async move {
            let _exclusive = if fixed { Some(lock.lock().await) } else { None };
            let seen = count.load(SeqCst);
            task.yield_now().await;
            count.store(seen + 1, SeqCst);
        })
    });
    for task in tasks {
        task.await;
    }
    assert_eq!(count.load(SeqCst), 3, "each has counted");
}

/// Two withdraw, and ask before whether there is enough. The twin looks again when it takes.
async fn overdrawn(sim: Sim, fixed: bool) {
    let balance = Arc::new(AtomicI64::new(100));
    for name in ["one", "two"] {
        let (balance, task) = (balance.clone(), sim.clone());
        sim.spawn(name, async move {
            for _ in 0..2 {
                if balance.load(SeqCst) < 60 {
                    return;
                }
                // A message is sent: you are about to withdraw.
                task.yield_now().await;
                if !fixed || balance.load(SeqCst) >= 60 {
                    let left = balance.fetch_sub(60, SeqCst) - 60;
                    always!(left >= 0, "overdrawn by {}", -left);
                }
            }
        });
    }
}

/// A value that is made when it is first needed. The twin has whoever comes second wait for the first.
async fn made_twice(sim: Sim, fixed: bool) {
    let (made, lock) = (Arc::new(AtomicU32::new(0)), Arc::new(AsyncMutex::new(())));
    let value = Arc::new(Mutex::new(None));
    let tasks = ["one", "two"].map(|name| {
        let (made, lock, value, task) = (made.clone(), lock.clone(), value.clone(), sim.clone());
        sim.spawn(name, async move {
            task.yield_now().await;
            let _exclusive = if fixed { Some(lock.lock().await) } else { None };
            let there = value.lock().unwrap().is_some();
            if !there {
                task.time().sleep(ms(1)).await;
                *value.lock().unwrap() = Some(made.fetch_add(1, SeqCst));
            }
        })
    });
    for task in tasks {
        task.await;
    }
    assert_eq!(made.load(SeqCst), 1, "it is made once");
}

/// Money goes from one account to another, unless the deadline comes. The twin changes both without an await in between.
async fn half_done(sim: Sim, fixed: bool) {
    let accounts = [Cell::new(100), Cell::new(0)];
    for _ in 0..3 {
        let scope = Scope::new(sim.time());
        let transfer = scope.move_on_after(ms(10), async |_| {
            sim.time().sleep(ms(8 + sim.choose(3) as u64)).await;
            accounts[0].set(accounts[0].get() - 10);
            if !fixed {
                sim.yield_now().await;
                sim.time().sleep(ms(1)).await;
            }
            accounts[1].set(accounts[1].get() + 10);
        });
        drop(transfer.await);
        let total: i32 = accounts.iter().map(Cell::get).sum();
        assert_eq!(total, 100, "nothing comes from nowhere");
    }
}

/// A payment is made, and its receipt may get lost: then it is asked for again. The twin sends a number with it, by which
/// the second attempt is known.
async fn charged_twice(sim: Sim, fixed: bool) {
    let charged = Cell::new(0);
    for payment in 1..=5 {
        loop {
            let known = fixed && charged.get() == payment;
            if !known {
                charged.set(charged.get() + 1);
            }
            always!(charged.get() <= payment, "{} charged, {payment} owed", charged.get());
            sim.time().sleep(ms(1)).await;
            if !buggify!("the receipt is lost") {
                break;
            }
        }
    }
}

/// A client that opens its connection once; the twin opens another one when it is broken.
async fn gives_up(sim: Sim, fixed: bool) {
    let (mut broken, mut sent) = (false, 0);
    while sent < 20 {
        sim.time().sleep(ms(10)).await;
        if broken {
            broken = !fixed;
            continue;
        }
        broken = buggify!("the connection breaks");
        sent += u32::from(!broken);
    }
}
