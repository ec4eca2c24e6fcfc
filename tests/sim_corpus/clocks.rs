//! Deadlines, timers and clocks.

use crate::{Bug, ms};
use std::future::poll_fn;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use wakeful::always;
use wakeful::sim::{FailureKind, Sim};
use wakeful::time::{Instant, Sleep, Time, Wall};

pub(crate) const BUGS: &[&Bug] = &[
    &Bug {
        name: "time race: answered and timed out",
        kinds: &[FailureKind::Panic],
        runs: 10,
        points: 1,
        settings: |builder| builder,
        body: |sim, fixed| Box::pin(answered_and_timed_out(sim, fixed)),
    },
    &Bug {
        name: "order of equal timers taken for granted",
        kinds: &[FailureKind::Panic],
        runs: 10,
        points: 1,
        settings: |builder| builder,
        body: |sim, fixed| Box::pin(equal_timers(sim, fixed)),
    },
    &Bug {
        name: "timer not set anew for an earlier deadline",
        kinds: &[FailureKind::Panic],
        runs: 30,
        points: 2,
        settings: |builder| builder,
        body: |sim, fixed| Box::pin(never_set_anew(sim, fixed)),
    },
    &Bug {
        name: "calendar that goes backwards",
        kinds: &[FailureKind::Panic],
        runs: 20,
        points: 1,
        settings: |builder| builder,
        body: |sim, fixed| Box::pin(backwards(sim, fixed)),
    },
    &Bug {
        name: "lease by the clock of a machine that is slow",
        kinds: &[FailureKind::Violation],
        runs: 40,
        points: 2,
        settings: |builder| builder,
        body: |sim, fixed| Box::pin(slow_lease(sim, fixed)),
    },
    &Bug {
        name: "heartbeat with no allowance for late timers",
        kinds: &[FailureKind::Panic],
        runs: 10,
        points: 1,
        settings: |builder| builder,
        body: |sim, fixed| Box::pin(late_heartbeat(sim, fixed)),
    },
];

/// A request, of which the answer and the end of its time come at the same instant. Each looks whether it is open and notes
/// that before it settles it; in the twin, the other way round.
async fn answered_and_timed_out(sim: Sim, fixed: bool) {
    let (open, settled) = (Arc::new(Mutex::new(true)), Arc::new(AtomicUsize::new(0)));
    let tasks = ["answer", "timeout"].map(|name| {
        let (open, settled, task) = (open.clone(), settled.clone(), sim.clone());
        sim.spawn(name, async move {
            task.time().sleep(ms(100)).await;
            let is_open = if fixed { std::mem::take(&mut *open.lock().unwrap()) } else { *open.lock().unwrap() };
            if is_open {
                task.yield_now().await;
                *open.lock().unwrap() = false;
                settled.fetch_add(1, SeqCst);
            }
        })
    });
    for task in tasks {
        task.await;
    }
    assert_eq!(settled.load(SeqCst), 1, "it is settled once");
}

/// A session ends after ten milliseconds unless it is renewed, which is due at that instant; in the twin, before it.
async fn equal_timers(sim: Sim, fixed: bool) {
    let ends = Arc::new(AtomicU64::new(10));
    let (theirs, time) = (ends.clone(), sim.time());
    sim.spawn("renews", async move {
        for n in 1..=3 {
            time.sleep_until(Instant::EPOCH + ms(10 * n - u64::from(fixed))).await;
            theirs.store(10 * n + 10, SeqCst);
        }
    });
    loop {
        let end = ends.load(SeqCst);
        sim.time().sleep_until(Instant::EPOCH + ms(end)).await;
        if ends.load(SeqCst) == end {
            break;
        }
    }
    assert_eq!(sim.now(), Instant::EPOCH + ms(40), "it was renewed three times");
}

/// Calls that are due at instants, with one timer for the first of them. One that is added in front of it sets the timer
/// anew in the twin only.
struct Calls {
    due: Vec<Instant>,
    timer: Pin<Box<Sleep>>,
    armed: Option<Instant>,
    waker: Option<Waker>,
}

impl Calls {
    fn add(calls: &Mutex<Self>, at: Instant, fixed: bool) {
        let mut this = calls.lock().unwrap();
        this.due.push(at);
        this.due.sort();
        let waker = this.waker.take().filter(|_| fixed || this.armed.is_none());
        drop(this);
        waker.into_iter().for_each(Waker::wake);
    }

    fn poll_next(&mut self, time: &Time, cx: &mut Context<'_>, fixed: bool) -> Poll<Instant> {
        self.waker = Some(cx.waker().clone());
        loop {
            let Some(&first) = self.due.first() else { return Poll::Pending };
            if self.armed.is_none_or(|armed| fixed && armed != first) {
                self.timer.as_mut().reset(first);
                self.armed = Some(first);
            }
            if self.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.armed = None;
            if first <= time.now() {
                return Poll::Ready(self.due.remove(0));
            }
        }
    }
}

async fn never_set_anew(sim: Sim, fixed: bool) {
    let time = sim.time();
    let timer = Box::pin(time.sleep_until(Instant::NEVER));
    let calls = Arc::new(Mutex::new(Calls { due: Vec::new(), timer, armed: None, waker: None }));
    for at in [60, 20] {
        let (calls, task) = (calls.clone(), sim.clone());
        sim.spawn(format!("adds {at}"), async move {
            task.time().sleep(ms(task.choose(3) as u64)).await;
            Calls::add(&calls, Instant::EPOCH + ms(at), fixed);
        });
    }
    for _ in 0..2 {
        let at = poll_fn(|cx| calls.lock().unwrap().poll_next(&time, cx, fixed)).await;
        assert_eq!(time.now(), at, "it is called when it is due");
    }
}

/// A token that is good for a minute, by the calendar. Somebody sets that back; the twin goes by a clock that never is.
async fn backwards(sim: Sim, fixed: bool) {
    let (wall, start) = (sim.wall(), sim.now());
    sim.set_wall(Duration::from_secs(1_000_000));
    let issued = wall.unix();
    for minute in 1..=3 {
        sim.time().sleep(ms(30_000)).await;
        if sim.choose(4) == 3 {
            sim.set_wall(wall.unix() - Duration::from_secs(50));
        }
        let age = if fixed { sim.now() - start } else { wall.unix().saturating_sub(issued) };
        let good = age < Duration::from_secs(60);
        assert_eq!(good, minute == 1, "good for a minute");
    }
}

/// Two machines that must not both lead. The first has a lease for a second by its own clock, which may be slow; the other
/// waits for a second by its own; in the twin, longer by what clocks may differ.
async fn slow_lease(sim: Sim, fixed: bool) {
    let per = NonZeroU32::new(1_000).unwrap();
    let nodes = ["first", "second"].map(|name| {
        let node = sim.node(name);
        node.set_rate(1_000 - [0, 20, 50][sim.choose(3)], per);
        node
    });
    let leaders = Arc::new(AtomicUsize::new(0));
    let (theirs, time) = (leaders.clone(), nodes[0].time());
    nodes[0].spawn("leads first", async move {
        theirs.fetch_add(1, SeqCst);
        time.sleep(ms(1_000)).await;
        theirs.fetch_sub(1, SeqCst);
    });
    let time = nodes[1].time();
    let leads_second = nodes[1].spawn("leads second", async move {
        time.sleep(ms(if fixed { 1_100 } else { 1_010 })).await;
        let before = leaders.fetch_add(1, SeqCst);
        always!(before == 0, "there is one leader");
    });
    leads_second.await;
}

/// A machine that beats every ten milliseconds, and one that takes it for dead after as long; in the twin, after twice as
/// long.
async fn late_heartbeat(sim: Sim, fixed: bool) {
    let node = sim.node("beats");
    node.set_late(ms(8));
    let last = Arc::new(Mutex::new(sim.now()));
    let (theirs, time, clock) = (last.clone(), node.time(), sim.time());
    node.spawn_background("heart", async move {
        let mut every = time.interval(ms(10));
        loop {
            every.tick().await;
            *theirs.lock().unwrap() = clock.now();
        }
    });
    for _ in 0..8 {
        sim.time().sleep(ms(5)).await;
        let silence = sim.now() - *last.lock().unwrap();
        assert!(silence <= ms(if fixed { 20 } else { 10 }), "it is dead, it seems");
    }
}
