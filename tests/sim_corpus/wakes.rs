//! Tasks that are not woken, or for nothing.

use crate::{Bug, ms};
use futures::future::{Either, select};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use wakeful::sim::{FailureKind, Sim};

pub(crate) const BUGS: &[&Bug] = &[
    &Bug {
        name: "lost wake-up: set between check and wait",
        kinds: &[FailureKind::LostWakeup],
        runs: 20,
        points: 1,
        settings: |builder| builder,
        body: |sim, fixed| Box::pin(lost_wake_up(sim, fixed)),
    },
    &Bug {
        name: "first waker kept",
        kinds: &[FailureKind::StaleWaker, FailureKind::Deadlock, FailureKind::NoWaker],
        runs: 20,
        points: 2,
        settings: |builder| builder,
        body: |sim, fixed| Box::pin(first_waker_kept(sim, fixed)),
    },
    &Bug {
        name: "waker of one waiter overwritten by another's",
        kinds: &[FailureKind::NoWaker],
        runs: 20,
        points: 2,
        settings: |builder| builder,
        body: |sim, fixed| Box::pin(overwritten(sim, fixed)),
    },
    &Bug {
        name: "double notify: both go to the first in line",
        kinds: &[FailureKind::Deadlock],
        runs: 30,
        points: 2,
        settings: |builder| builder,
        body: |sim, fixed| Box::pin(double_notify(sim, fixed)),
    },
    &Bug {
        name: "a wake-up dies with the future that got it",
        kinds: &[FailureKind::Deadlock],
        runs: 20,
        points: 1,
        settings: |builder| builder,
        body: |sim, fixed| Box::pin(dies_with_its_future(sim, fixed)),
    },
    &Bug {
        name: "being polled taken for being woken",
        kinds: &[FailureKind::LostWakeup, FailureKind::Panic],
        runs: 80,
        points: 2,
        // A probe, which the first run of many is repeated with, finds it without a bad end.
        settings: |builder| builder.probe_every(0),
        body: |sim, fixed| Box::pin(polled_is_not_woken(sim, fixed)),
    },
];

/// A flag that one may wait for.
#[derive(Default)]
struct Flag {
    set: AtomicBool,
    waiter: Mutex<Option<Waker>>,
}

impl Flag {
    fn set(&self) {
        self.set.store(true, SeqCst);
        let waiter = self.waiter.lock().unwrap().take();
        waiter.into_iter().for_each(Waker::wake);
    }

    /// Looks, and if the flag is not set, waits for whoever sets it. The twin looks again once it can be woken.
    async fn wait(&self, sim: &Sim, fixed: bool) {
        if self.set.load(SeqCst) {
            return;
        }
        // It gets ready to wait.
        sim.yield_now().await;
        let mut waits = false;
        poll_fn(|cx| {
            *self.waiter.lock().unwrap() = Some(cx.waker().clone());
            let looks = std::mem::replace(&mut waits, true) || fixed;
            if looks && self.set.load(SeqCst) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

async fn lost_wake_up(sim: Sim, fixed: bool) {
    let flags: Arc<[Flag; 3]> = Arc::default();
    let (theirs, task) = (flags.clone(), sim.clone());
    let waits = sim.spawn("waits", async move {
        for flag in &*theirs {
            flag.wait(&task, fixed).await;
        }
    });
    for flag in &*flags {
        sim.yield_now().await;
        flag.set();
    }
    waits.await;
}

/// Ready when it is told. It keeps the waker of its first poll; in the twin, that of the last.
async fn told(slot: &Mutex<(bool, Option<Waker>)>, fixed: bool) {
    poll_fn(|cx| {
        let mut slot = slot.lock().unwrap();
        if slot.0 {
            return Poll::Ready(());
        }
        if fixed || slot.1.is_none() {
            slot.1 = Some(cx.waker().clone());
        }
        Poll::Pending
    })
    .await
}

async fn first_waker_kept(sim: Sim, fixed: bool) {
    let slot = Arc::new(Mutex::new((false, None)));
    let theirs = slot.clone();
    let mut waits: Waiting = Box::pin(async move { told(&theirs, fixed).await });
    // One task begins to wait, and hands over to another, unless it is told at once.
    let begins = sim.spawn("begins", async move {
        let polled = poll_fn(|cx| Poll::Ready(waits.as_mut().poll(cx))).await;
        (polled.is_pending(), waits)
    });
    let teller = sim.clone();
    sim.spawn("teller", async move {
        teller.yield_now().await;
        let waker = {
            let mut slot = slot.lock().unwrap();
            slot.0 = true;
            slot.1.take()
        };
        waker.into_iter().for_each(Waker::wake);
    });
    let (pending, waits) = begins.await;
    if pending {
        sim.spawn("goes on", waits).await;
    }
}

type Waiting = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// Wakes whoever waits for the next item. There is room for one waker; in the twin, for all.
async fn overwritten(sim: Sim, fixed: bool) {
    let state: Arc<Mutex<(VecDeque<u32>, Vec<Waker>)>> = Arc::default();
    let readers = ["one", "two"].map(|name| {
        let state = state.clone();
        sim.spawn(
            name,
            poll_fn(move |cx| {
                let (items, wakers) = &mut *state.lock().unwrap();
                if let Some(item) = items.pop_front() {
                    return Poll::Ready(item);
                }
                if !fixed {
                    wakers.clear();
                }
                wakers.push(cx.waker().clone());
                Poll::Pending
            }),
        )
    });
    for item in 0..2 {
        sim.yield_now().await;
        let wakers = {
            let (items, wakers) = &mut *state.lock().unwrap();
            items.push_back(item);
            std::mem::take(wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }
    for reader in readers {
        reader.await;
    }
}

/// A line of waiters, of which each notification lets the first one through.
#[derive(Default)]
struct Line {
    /// Who waits, and whether it was let through.
    waiters: Mutex<Vec<(u64, bool, Waker)>>,
    next: Mutex<u64>,
}

impl Line {
    /// Lets one through. It stays the first in line until it is polled; the twin lets the first through that was not.
    fn notify(&self, fixed: bool) -> bool {
        let mut waiters = self.waiters.lock().unwrap();
        let Some(first) = waiters.iter_mut().find(|waiter| !fixed || !waiter.1) else { return false };
        first.1 = true;
        let waker = first.2.clone();
        drop(waiters);
        waker.wake();
        true
    }

    async fn wait(&self, passes_on: bool) {
        /// Leaves the line, if its future is dropped. What it was given and did not take, the twin passes on.
        struct Place<'a>(&'a Line, u64, bool);
        impl Drop for Place<'_> {
            fn drop(&mut self) {
                let mut waiters = self.0.waiters.lock().unwrap();
                let at = waiters.iter().position(|waiter| waiter.0 == self.1);
                let gone = at.map(|at| waiters.remove(at));
                drop(waiters);
                if self.2 && gone.is_some_and(|gone| gone.1) {
                    self.0.notify(true);
                }
            }
        }
        let id = {
            let mut next = self.next.lock().unwrap();
            *next += 1;
            *next
        };
        let _place = Place(self, id, passes_on);
        poll_fn(|cx| {
            let mut waiters = self.waiters.lock().unwrap();
            let waker = cx.waker().clone();
            match waiters.iter().position(|waiter| waiter.0 == id) {
                Some(at) if waiters[at].1 => {
                    waiters.remove(at);
                    return Poll::Ready(());
                }
                Some(at) => waiters[at].2 = waker,
                None => waiters.push((id, false, waker)),
            }
            Poll::Pending
        })
        .await;
    }

    /// Notifies as soon as somebody waits.
    async fn let_one_through(&self, sim: &Sim, fixed: bool) {
        while !self.notify(fixed) {
            sim.time().sleep(ms(1)).await;
        }
    }
}

async fn double_notify(sim: Sim, fixed: bool) {
    let line = Arc::new(Line::default());
    let waiters = ["one", "two"].map(|name| {
        let line = line.clone();
        sim.spawn(name, async move { line.wait(true).await })
    });
    for _ in 0..2 {
        line.let_one_through(&sim, fixed).await;
        sim.yield_now().await;
    }
    for waiter in waiters {
        waiter.await;
    }
}

async fn dies_with_its_future(sim: Sim, fixed: bool) {
    let line = Arc::new(Line::default());
    let (theirs, time) = (line.clone(), sim.time());
    let impatient = sim.spawn("impatient", async move {
        let (timeout, waits) = (pin!(time.sleep(ms(1))), pin!(theirs.wait(fixed)));
        matches!(select(timeout, waits).await, Either::Left(_))
    });
    sim.idle().await;
    let theirs = line.clone();
    let patient = sim.spawn("patient", async move { theirs.wait(fixed).await });
    let (theirs, notifier) = (line.clone(), sim.clone());
    sim.spawn("notifier", async move {
        notifier.time().sleep(ms(1)).await;
        theirs.let_one_through(&notifier, true).await;
    });
    if !impatient.await {
        line.let_one_through(&sim, true).await;
    }
    patient.await;
}

/// Waits a second, and believes that it is over when it is polled again; the twin looks.
async fn polled_is_not_woken(sim: Sim, fixed: bool) {
    let time = sim.time();
    let sleeper = sim.spawn("sleeper", async move {
        let (start, mut waits) = (time.now(), false);
        let mut sleep = Box::pin(time.sleep(ms(1_000)));
        poll_fn(|cx| match sleep.as_mut().poll(cx) {
            Poll::Pending if fixed || !std::mem::replace(&mut waits, true) => Poll::Pending,
            _ => Poll::Ready(()),
        })
        .await;
        time.now() - start
    });
    let others = [1, 2, 3].map(|n| {
        let time = sim.time();
        sim.spawn("other", async move { time.sleep(ms(n)).await })
    });
    for other in others {
        other.await;
    }
    assert_eq!(sleeper.await, ms(1_000), "it waits as long as it says");
}
