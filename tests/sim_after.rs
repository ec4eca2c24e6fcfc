//! A run uses again what the one before it on its thread has left: nothing shows of that, whatever the other was like.

use std::future::{pending, poll_fn};
use std::num::NonZeroU8;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;
use wakeful::sim::trace::Trace;
use wakeful::sim::{Builder, Failure, Faults, JoinHandle, Kind, Report, Sim, Strategy};
use wakeful::time::{Sleep, Wall};

const SECOND: Duration = Duration::from_secs(1);

type Outcome = Result<Report<u64>, Failure>;
type Body = fn(Sim, Kept) -> Pin<Box<dyn Future<Output = u64>>>;

/// What bodies keep beyond their run.
type Kept = Arc<Mutex<Vec<Keepsake>>>;

enum Keepsake {
    Waker(Waker),
    Sim(Sim),
    Handle(JoinHandle<()>),
    Sleep(Pin<Box<Sleep>>),
}

/// Draws, sleeps, starts tasks on nodes, and waits for all of them: what it gives hangs on the whole course.
async fn busy(sim: Sim) -> u64 {
    let node = sim.node("other");
    node.set_wall(SECOND * 7);
    let tasks: Vec<_> = (0..5)
        .map(|n| {
            let other = sim.clone();
            let task = async move {
                let mut sum = other.random();
                for _ in 0..n {
                    other.time().sleep(Duration::from_millis(other.choose(3) as u64)).await;
                    other.yield_now().await;
                    sum = sum.rotate_left(7) ^ other.now().as_nanos();
                }
                sum ^ u64::from(wakeful::buggify!("a fault"))
            };
            if n % 2 == 0 { sim.spawn(format!("task {n}"), task) } else { node.spawn("", task) }
        })
        .collect();
    sim.advance(SECOND).await;
    let mut sum = sim.wall().unix().as_nanos() as u64;
    for task in tasks {
        sum = sum.rotate_left(11) ^ task.await;
    }
    sum
}

/// Runs of all sorts, by name.
const BODIES: [(&str, Body); 11] = [
    ("busy", |sim, _| Box::pin(busy(sim))),
    ("panics", |sim, _| {
        Box::pin(async move {
            sim.spawn("sleeps", sim.time().sleep(SECOND));
            sim.set_wall(SECOND);
            sim.spawn("bad", async { panic!("no") }).await
        })
    }),
    ("deadlock", |sim, _| Box::pin(async move { sim.spawn("stuck", pending::<u64>()).await })),
    ("leaks", |sim, _| {
        Box::pin(async move {
            sim.spawn("left over", sim.time().sleep(SECOND));
            0
        })
    }),
    ("does not hold", |sim, _| {
        Box::pin(async move {
            wakeful::always!(sim.choose(2) > 5, "it can't");
            0
        })
    }),
    ("crowd", |sim, _| {
        Box::pin(async move {
            for n in 0..1_500 {
                sim.spawn_background(format!("{n}"), sim.time().sleep(SECOND * 9));
            }
            sim.idle().await;
            0
        })
    }),
    ("keeps a waker", |sim, kept| {
        Box::pin(async move {
            let keeps = poll_fn(move |cx| {
                kept.lock().unwrap().push(Keepsake::Waker(cx.waker().clone()));
                Poll::<()>::Pending
            });
            sim.spawn_background("kept", keeps);
            sim.idle().await;
            0
        })
    }),
    ("keeps a handle", |sim, kept| {
        Box::pin(async move {
            kept.lock().unwrap().push(Keepsake::Sim(sim.clone()));
            0
        })
    }),
    ("keeps a join handle", |sim, kept| {
        Box::pin(async move {
            kept.lock().unwrap().push(Keepsake::Handle(sim.spawn("done", async {})));
            sim.idle().await;
            0
        })
    }),
    ("keeps a sleep", |sim, kept| {
        Box::pin(async move {
            let mut sleep = Box::pin(sim.time().sleep(SECOND));
            poll_fn(|cx| Poll::Ready(sleep.as_mut().poll(cx).is_ready())).await;
            kept.lock().unwrap().push(Keepsake::Sleep(sleep));
            0
        })
    }),
    ("uses what was kept", |sim, kept| {
        Box::pin(async move {
            let task = sim.spawn("sleeps", sim.time().sleep(SECOND));
            sim.idle().await;
            for keepsake in &*kept.lock().unwrap() {
                match keepsake {
                    Keepsake::Waker(waker) => waker.wake_by_ref(),
                    Keepsake::Sim(old) => drop(old.spawn("too late", async {})),
                    Keepsake::Handle(old) => assert!(old.is_finished()),
                    Keepsake::Sleep(sleep) => assert!(!sleep.is_elapsed()),
                }
            }
            task.await;
            sim.now().as_nanos()
        })
    }),
];

fn builders() -> [Builder; 6] {
    let faults = Faults::new().enabled_one_in(NonZeroU8::MIN).fires_one_in(NonZeroU8::MIN.saturating_add(1));
    [
        Builder::new(),
        Builder::new().seed(7).strategy(Strategy::Pct(3)).trace(Trace::EVENTS).wall(SECOND),
        Builder::new().seed(2).strategy(Strategy::Walk).faults(faults).fresh_wakers(true),
        Builder::new().bytes([1, 2, 0, 1, 1, 0, 2]).max_steps(20),
        Builder::new().seed(5).spurious(2).probe(true).allow_leaks(true),
        Builder::new().seed(9).foreign_wakes(Duration::ZERO).autojump(false).sweep("task 2"),
    ]
}

fn run(builder: &Builder, body: Body, kept: &Kept) -> Outcome {
    builder.run(|sim| body(sim, kept.clone()))
}

#[test]
fn no_run_shows_what_ran_before_it_on_its_thread() {
    let mut pairs = 0;
    for (n, (name, body)) in BODIES.into_iter().enumerate() {
        let builder = &builders()[n % 6];
        let fresh = || thread::scope(|scope| scope.spawn(|| run(builder, body, &Kept::default())).join().unwrap());
        let alone = fresh();
        assert_eq!(alone, fresh(), "{name}");
        for (before, first) in BODIES {
            for other in &builders() {
                let kept = Kept::default();
                let after = thread::scope(|scope| {
                    let both = scope.spawn(|| {
                        let _ = run(other, first, &kept);
                        run(builder, body, &kept)
                    });
                    both.join().unwrap()
                });
                assert_eq!(after, alone, "{name} after {before} of {other:?}");
                pairs += 1;
            }
        }
    }
    assert_eq!(pairs, 11 * 11 * 6);
}

#[test]
fn what_a_run_was_given_is_dropped_with_it() {
    let given = Arc::new(());
    let (to_oracle, to_body, to_task) = (given.clone(), given.clone(), given.clone());
    let oracle = move |_: Kind, _: usize| Arc::strong_count(&to_oracle) % 2;
    let report = Builder::new().run_with(oracle, async move |sim: Sim| {
        sim.spawn_background("for ever", async move {
            let _kept = to_task;
            pending::<()>().await;
        });
        sim.yield_now().await;
        Arc::strong_count(&to_body)
    });
    assert_eq!((report.unwrap().output, Arc::strong_count(&given)), (4, 1));
}
