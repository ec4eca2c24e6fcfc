//! Stages one after another, and streams that are merged; and the example that makes files of files.

#[path = "../examples/pipeline/main.rs"]
#[expect(dead_code, reason = "`main` is called in the example's own binary alone")]
mod example;

use futures::FutureExt;
use futures::stream::{self, FusedStream, Stream, StreamExt};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fs;
use std::num::{NonZeroU32, NonZeroUsize};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;
use wakeful::cancel::{Reason, ReasonKind, Scope};
use wakeful::flow::merge;
use wakeful::flow::pipeline::{PipelineReport, Stage, StageReport, pipeline, stage};
use wakeful::limit::{Limiter, Quota};
use wakeful::sim::{self, Builder, Rng, Sim};
use wakeful::spawn::block_on;
use wakeful::time::{Clock, Instant, Sleep, Time};
use wakeful::work::{Collect, Count, Ended, Lease, OnError, Sink, Stop};

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

const fn n(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

/// What a body gives.
type Boxed<E> = Pin<Box<dyn Future<Output = Result<u64, E>> + Send>>;

/// A body that takes so many milliseconds.
fn takes(millis: u64) -> impl Fn(Lease<u64>) -> Boxed<()> {
    move |item| {
        Box::pin(async move {
            wakeful::sleep(ms(millis)).await;
            Ok(*item)
        })
    }
}

/// When stages ended, in milliseconds.
fn ends<R>(report: &PipelineReport<R>) -> Vec<u128> {
    report.stages.iter().map(|stage| (stage.ended - report.started).as_millis()).collect()
}

fn counts<R>(report: &PipelineReport<R>) -> Vec<Count> {
    report.stages.iter().map(|stage| stage.count).collect()
}

/// L1: what a stage is given is what the one before handed on.
#[track_caller]
fn assert_balanced<R>(report: &PipelineReport<R>) {
    for pair in report.stages.windows(2) {
        assert_eq!(pair[0].count.done, pair[1].count.total(), "{report}");
    }
}

#[test]
fn three_stages_of_ten_milliseconds_end_ten_milliseconds_apart() {
    Builder::new().runs(20).check(|sim| async move {
        let scope = Scope::new(sim.time());
        let three = |last| {
            pipeline(0..100)
                .then(stage("a").buffer(n(50)), takes(10))
                .then(stage("b").buffer(n(50)), takes(10))
                .then(stage("c"), takes(last))
        };
        let mut all = Vec::new();
        let report = three(10).run(&scope, |item| all.push(item)).await;
        assert!(report.is_complete() && all == (0..100).collect::<Vec<_>>());
        assert_eq!(ends(&report), [1000, 1010, 1020]);
        // The queues fill: the second stage hands its last item on when the third takes the 50th.
        let report = three(30).run(&scope, |_| ()).await;
        assert!(report.is_complete());
        assert_eq!(ends(&report), [1000, 1490, 3020]);
    });
}

#[test]
fn workers_that_are_tasks_keep_the_same_times() {
    Builder::new().runs(20).check(|sim| async move {
        let scope = Scope::new(sim.time());
        let mut all = Vec::new();
        let report = pipeline(0..100)
            .then_on(sim.spawner(), stage("a").buffer(n(50)), takes(10))
            .then_on(sim.spawner(), stage("b").buffer(n(50)), takes(10))
            .then_on(sim.spawner(), stage("c"), takes(30))
            .run(&scope, |item| all.push(item))
            .await;
        assert!(report.is_complete() && all == (0..100).collect::<Vec<_>>());
        assert_eq!(ends(&report), [1000, 1490, 3020]);
    });
}

#[test]
fn several_workers_hand_on_in_order_or_as_they_are_done() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let body = |item: Lease<u64>| async move {
            wakeful::sleep(ms(*item)).await;
            Ok::<_, ()>(*item)
        };
        let run = async |first: Stage| {
            let mut all = Vec::new();
            let items = [30, 10, 20, 10];
            let report = pipeline(items).then(first, body).then(stage("b"), takes(1)).run(&scope, |n| all.push(n));
            let report = report.await;
            assert_balanced(&report);
            (all, ends(&report))
        };
        assert_eq!(run(stage("a").workers(n(2))).await, (vec![10, 30, 20, 10], vec![40, 41]));
        assert_eq!(run(stage("a").workers(n(2)).in_order()).await, (vec![30, 10, 20, 10], vec![40, 41]));
    });
}

#[test]
fn a_worker_whose_result_finds_no_room_takes_no_further_item() {
    sim::check(|sim| async move {
        for (is_ordered, is_spawned) in [(false, false), (true, false), (false, true), (true, true)] {
            let (scope, begun) = (Scope::new(sim.time()), Arc::new(Mutex::new(0)));
            let first = stage("a").workers(n(2)).buffer(n(3)).item_timeout(ms(2));
            let first = if is_ordered { first.in_order() } else { first };
            let counted = begun.clone();
            let body = move |item: Lease<u64>| {
                *counted.lock().unwrap() += 1;
                async move { (wakeful::sleep(ms(1)).await, Ok::<_, ()>(*item)).1 }
            };
            let seen = RefCell::new(Vec::new());
            let last = |item: Lease<u64>| {
                let (seen, begun) = (&seen, &begun);
                async move {
                    wakeful::sleep(ms(100)).await;
                    seen.borrow_mut().push(*begun.lock().unwrap());
                    Ok::<_, ()>(*item)
                }
            };
            let report = match is_spawned {
                false => pipeline(0..10).then(first, body).then(stage("b"), last).run(&scope, drop).await,
                true => {
                    let line = pipeline(0..10).then_on(sim.spawner(), first, body);
                    line.then(stage("b"), last).run(&scope, drop).await
                }
            };
            // One is worked on, three lie in the queue, two in their workers' hands, whom no timeout concerns.
            assert_eq!(seen.into_inner(), [6, 7, 8, 9, 10, 10, 10, 10, 10, 10]);
            assert!(report.is_complete(), "{report}");
        }
    });
}

#[test]
fn what_fails_is_told_and_not_handed_on() {
    sim::check(|sim| async move {
        let (scope, mut undone) = (Scope::new(sim.time()), Collect::new());
        let body = |item: Lease<u64>| async move {
            match *item {
                1 => return Err("unlucky"),
                2 => panic!("at the disco"),
                3 => wakeful::sleep(ms(100)).await,
                _ => {}
            }
            Ok(*item)
        };
        let first = stage("a").item_timeout(ms(10)).in_order().undone(&mut undone);
        let mut all = Vec::new();
        let report =
            pipeline(0..6).then(first, body).then(stage("b"), takes(1)).run(&scope, |item| all.push(item)).await;
        assert_eq!(all, [0, 4, 5]);
        let (a, b) = (report.stages[0].count, report.stages[1].count);
        assert_eq!((a.done, a.failed, a.panicked, a.timed_out, b.done), (3, 1, 1, 1, 3));
        let undone: Vec<Ended<u64, Infallible, &str>> = undone.into_vec();
        let items: Vec<_> = undone.into_iter().map(|ended| (ended.index, ended.outcome.into_item())).collect();
        assert_eq!(items, [(1, Some(1)), (2, Some(2)), (3, Some(3))]);
        assert!(!report.is_complete() && report.stages.iter().all(|stage| stage.stop == Stop::Exhausted));
    });
}

#[test]
fn a_stage_that_stops_halts_those_before_it_and_those_behind_it_go_on() {
    sim::check(|sim| async move {
        let (scope, mut undone) = (Scope::new(sim.time()), Vec::new());
        let fails = |item: Lease<u64>| async move {
            wakeful::sleep(ms(10)).await;
            if *item == 3 { Err(()) } else { Ok(*item) }
        };
        let sink = |ended: Ended<u64, Infallible, ()>| undone.extend(ended.outcome.into_item());
        let mut all = Vec::new();
        let report = pipeline(0..100)
            .then(stage("a"), takes(6))
            .then(stage("b").on_error(OnError::StopStarting).undone(sink), fails)
            .then(stage("c"), takes(30))
            .run(&scope, |item| all.push(item))
            .await;
        // At 46 ms the fourth item fails, in the middle of the eighth item of the stage before.
        assert_eq!((all, ends(&report)), (vec![0, 1, 2], vec![48, 46, 106]));
        assert_balanced(&report);
        let (a, b) = (&report.stages[0], &report.stages[1]);
        assert_eq!((b.count.done, b.count.failed, &b.stop), (3, 1, &Stop::Failed { index: 3 }));
        assert_eq!(a.stop, Stop::Draining(Reason::sibling_failed()));
        assert_eq!(undone, (3..a.count.done).collect::<Vec<_>>(), "what was handed on came back");
        assert_eq!(report.rest, report.pulled()..100);
        assert_eq!(report.not_started, Some(100 - report.pulled() as usize));
    });
}

#[test]
fn an_error_that_cancels_the_rest_cancels_all_stages() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let fails = |item: Lease<u64>| async move {
            wakeful::sleep(ms(10)).await;
            if *item == 3 { Err(()) } else { Ok(*item) }
        };
        let report = pipeline(0..100)
            .then(stage("a"), takes(7))
            .then_on(sim.spawner(), stage("b").on_error(OnError::CancelRest), fails)
            .then(stage("c"), takes(25))
            .run(&scope, drop)
            .await;
        assert_eq!((report.elapsed(), counts(&report)[2].done), (ms(47), 1));
        assert_balanced(&report);
        assert_eq!(report.stages[1].stop, Stop::Failed { index: 3 });
        for stage in [0, 2] {
            let stage = &report.stages[stage];
            assert_eq!((&stage.stop, stage.count.cancelled), (&Stop::Cancelled(Reason::sibling_failed()), 1));
        }
        assert!(!scope.cancel_called(), "the caller's scope is not concerned");
    });
}

#[test]
fn a_deadline_ends_all_stages_and_what_lies_between_them_is_skipped() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let skipped = RefCell::new(Vec::new());
        let undone = |ended: Ended<u64, Infallible, ()>| skipped.borrow_mut().push(ended.index);
        let report = pipeline(0..100)
            .then(stage("a"), takes(10))
            .then(stage("b").undone(undone), takes(20))
            .then(stage("c"), takes(25))
            .deadline_at(sim.now() + ms(90))
            .run(&scope, drop)
            .await;
        assert_eq!(*skipped.borrow(), [4, 5, 6, 7, 8]);
        let places = |c: &Count| (c.done, c.cancelled, c.skipped);
        // What is done at 90 ms sharp counts; nothing begins then.
        assert_eq!(counts(&report).iter().map(places).collect::<Vec<_>>(), [(9, 0, 0), (4, 0, 5), (2, 1, 1)]);
        assert_eq!((report.elapsed(), report.rest.clone()), (ms(90), 9..100));
        assert!(report.stages.iter().all(|stage| stage.stop == Stop::OutOfTime), "{report}");
        let lines = report.to_string();
        let first =
            "a: 9 done, 0 failed, 0 panicked, 0 timed out, 0 cancelled, 0 skipped in 0.090000000s (out of time)";
        assert!(lines.starts_with(first) && lines.ends_with("91 not started"), "{lines}");
    });
}

/// A clock that somebody sets, and whose alarm is late.
#[derive(Clone, Default)]
struct Late(Arc<AtomicU64>);

impl Clock for Late {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.load(Ordering::Relaxed))
    }

    fn arm(&self, _: Instant) {}
}

#[test]
fn a_stage_that_finds_the_time_up_first_is_not_why_those_before_it_stop() {
    let clock = Late::default();
    let scope = Scope::new(Time::new(clock.clone()));
    let holds_up = |item: Lease<u64>| {
        clock.0.store(2_000_000_000, Ordering::Relaxed);
        async move { Ok::<_, ()>(*item) }
    };
    let run = pipeline(0..10)
        .then(stage("reads"), |item: Lease<u64>| async move {
            match *item {
                n @ 0..2 => Ok(n),
                _ => std::future::pending::<Result<u64, ()>>().await,
            }
        })
        .then(stage("holds up"), holds_up)
        .deadline_after(ms(1_000))
        .run(&scope, drop);
    let report = run.now_or_never().expect("its time is up");
    assert!(report.stages.iter().all(|stage| stage.stop == Stop::OutOfTime), "{report}");
}

#[test]
fn one_that_fails_halts_the_stages_before_it_while_others_of_its_stage_go_on() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let body = |item: Lease<u64>| async move {
            wakeful::sleep(ms(if *item == 0 { 25 } else { 200 })).await;
            if *item == 0 { Err("bad") } else { Ok(*item) }
        };
        let report = pipeline(0..100)
            .then(stage("a"), takes(10))
            .then(stage("b").workers(n(2)).on_error(OnError::StopStarting), body)
            .run(&scope, drop)
            .await;
        let places = |c: &Count| (c.done, c.failed, c.skipped);
        // The fourth item had begun at 35 ms.
        assert_eq!(counts(&report).iter().map(places).collect::<Vec<_>>(), [(4, 0, 0), (1, 1, 2)]);
        assert_eq!(ends(&report), [40, 220]);
    });
}

#[test]
fn a_stage_that_stops_halts_all_before_it_at_once() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let fails = |_: Lease<u64>| async { Err::<u64, _>("bad") };
        let slow = |item: Lease<u64>| async move {
            wakeful::sleep(ms(if *item == 0 { 10 } else { 100 })).await;
            Ok::<_, ()>(*item)
        };
        let report = pipeline(0..100)
            .then(stage("a"), takes(5))
            .then(stage("b").workers(n(2)), slow)
            .then(stage("c").on_error(OnError::StopStarting), fails)
            .run(&scope, drop)
            .await;
        // The fourth had begun when the first failed, at 15 ms.
        assert_eq!((report.pulled(), ends(&report)), (4, vec![20, 115, 15]));
    });
}

#[test]
fn results_that_are_taken_together_make_room_for_as_many() {
    sim::check(|sim| async move {
        let (scope, ahead) = (Scope::new(sim.time()), Cell::new(0_usize));
        let report = pipeline(0..60)
            .then(stage("a").buffer(n(4)), |item: Lease<u64>| {
                ahead.set(ahead.get() + 1);
                assert!(ahead.get() <= 4 + 1, "L3");
                async move { Ok::<_, ()>(*item) }
            })
            .then(stage("b").workers(n(3)), |item: Lease<u64>| {
                ahead.set(ahead.get() - 1);
                takes(10)(item)
            })
            .run(&scope, drop)
            .await;
        assert!(report.is_complete() && report.elapsed() == ms(200), "{report}");
    });
}

#[test]
fn cancelling_the_scope_accounts_for_every_item() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let (cancelled, time) = (scope.clone(), sim.time());
        sim.spawn("canceller", async move {
            time.sleep(ms(35)).await;
            cancelled.cancel("enough");
        });
        let report = pipeline(0..100)
            .then(stage("a").workers(n(3)), takes(10))
            .then_on(sim.spawner(), stage("b").workers(n(2)), takes(10))
            .then(stage("c"), takes(10))
            .run(&scope, drop)
            .await;
        let places = |c: &Count| (c.done, c.cancelled, c.skipped);
        assert_eq!(counts(&report).iter().map(places).collect::<Vec<_>>(), [(9, 3, 0), (4, 2, 3), (1, 1, 2)]);
        assert_eq!((report.elapsed(), report.pulled()), (ms(35), 12));
    });
}

#[test]
fn a_rate_paces_its_stage_and_those_before_it_are_held_up() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let limiter = Limiter::new(&sim.time(), Quota::per_second(NonZeroU32::new(10).unwrap()));
        let report = pipeline(0..21)
            .then(stage("a").buffer(n(5)), takes(1))
            .then(stage("b").rate(&limiter), takes(0))
            .run(&scope, drop)
            .await;
        assert_eq!(ends(&report)[1] / 10, 200, "{report}");
        assert!(report.is_complete());
        // With a rate that gives nothing before the deadline, it stops, and so does what is before it.
        let hourly = Limiter::new(&sim.time(), Quota::per_hour(NonZeroU32::MIN));
        let line = pipeline(0..21).then(stage("a"), takes(1)).then(stage("b").rate(&hourly), takes(0));
        let report = line.deadline_after(Duration::from_secs(60)).run(&scope, drop).await;
        assert_eq!((report.stages[1].count.done, &report.stages[1].stop), (1, &Stop::OutOfTime));
        let Stop::Draining(reason) = &report.stages[0].stop else { panic!("{report}") };
        assert_eq!((reason.kind(), reason.text()), (ReasonKind::Explicit, Some("`b` has stopped: out of time")));
        assert_balanced(&report);
        assert!(report.elapsed() < ms(10), "{report}");
    });
}

#[test]
fn bodies_may_borrow_and_the_future_is_send() {
    fn assert_send<T: Send>(value: T) -> T {
        value
    }
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let words = ["a".to_owned(), "bc".to_owned()];
        let mut total = 0;
        let pipeline = pipeline(&words)
            .then(stage("measure"), |word: Lease<&String>| std::future::ready(Ok::<_, ()>(word.len())))
            .then_on(sim.spawner(), stage("double"), |n: Lease<usize>| std::future::ready(Ok::<_, ()>(2 * *n)));
        assert_eq!(
            format!("{pipeline:?}"),
            r#"Pipeline(ThenOn(Then(Begin(FromIter(Iter(["a", "bc"]))), "measure"), "double"))"#
        );
        let report = assert_send(pipeline.run(&scope, |n| total += n)).await;
        assert_eq!((total, report.is_complete()), (6, true));
    });
}

#[test]
fn stages_of_a_long_pipeline_share_wakers() {
    macro_rules! twice {
        ($line:expr) => {
            $line.then(stage("one"), takes(1)).then(stage("other"), takes(1))
        };
    }
    Builder::new().runs(10).check(|sim| async move {
        let scope = Scope::new(sim.time());
        let line = twice!(twice!(twice!(twice!(twice!(pipeline(0..20))))));
        let line = twice!(twice!(twice!(twice!(twice!(line)))));
        let line = twice!(twice!(twice!(twice!(twice!(line)))));
        let mut all = Vec::new();
        let report = twice!(twice!(line)).run(&scope, |n| all.push(n)).await;
        assert_eq!((all, report.stages.len()), ((0..20).collect(), 34));
        assert_eq!(report.elapsed(), ms(34 + 19));
    });
}

fn below(rng: &mut Rng, n: usize) -> u64 {
    rng.below(n) as u64
}

/// What a stage's sink was told: how often of each kind, and the items.
type Told = Arc<Mutex<(Count, Vec<(u64, u64)>)>>;

/// A stage of which nobody knows much.
fn some_stage(
    sim: &Sim,
    rng: &mut Rng,
    told: &Told,
    is_ordered: bool,
) -> Stage<impl FnMut(Ended<u64, Infallible, u64>) + Send + use<>> {
    let told = told.clone();
    let mut stage = stage("some").workers(n(1 + rng.below(4))).buffer(n(1 + rng.below(5)));
    if is_ordered {
        stage = stage.in_order();
    }
    if rng.below(2) == 0 {
        stage = stage.item_timeout(ms(below(rng, 30)));
    }
    if rng.below(4) == 0 {
        stage = stage.rate(&Limiter::new(&sim.time(), Quota::per_second(NonZeroU32::new(200).unwrap())));
    }
    if rng.below(5) == 0 {
        stage = stage.on_error([OnError::StopStarting, OnError::CancelRest][rng.below(2)]);
    }
    stage.undone(move |ended: Ended<u64, Infallible, u64>| {
        let mut told = told.lock().unwrap();
        told.0.accept(ended.clone());
        let item = ended.outcome.into_item();
        told.1.extend(item.map(|item| (ended.index, item)));
    })
}

/// A body that does this or that, and never takes its item.
fn some_body(sim: &Sim, rng: &mut Rng) -> impl Fn(Lease<u64>) -> Boxed<u64> + use<> {
    let (chance, time) = (Mutex::new(sim.rng()), sim.time());
    let errors = below(rng, 2) * 150;
    move |item| {
        let draws = [0; 2].map(|_: u64| below(&mut chance.lock().unwrap(), 1000));
        let sleep = time.sleep(ms(draws[0] / 40));
        Box::pin(async move {
            if draws[0] < 700 {
                sleep.await;
            }
            match draws[1] {
                n if n < errors / 2 => panic!("item {}", *item),
                n if n < errors => Err(*item),
                _ => Ok(*item),
            }
        })
    }
}

/// A world in which much happens; whatever it is, every item is in one place, in order if it is to be.
async fn much(sim: Sim) -> String {
    let mut rng = sim.rng();
    let scope = Scope::new(sim.time());
    let (cancelled, time, when) = (scope.clone(), sim.time(), below(&mut rng, 300));
    sim.spawn("canceller", async move {
        time.sleep(ms(when)).await;
        match when % 4 {
            0 => drop(cancelled.cancel("by chance")),
            1 => drop(cancelled.cancel_with_grace("by chance", ms(when / 8))),
            _ => {}
        }
    });
    let items = below(&mut rng, 50);
    let told: [Told; 3] = Default::default();
    let orders = [0; 3].map(|_| rng.below(3) > 0);
    let stages = [0, 1, 2].map(|at| some_stage(&sim, &mut rng, &told[at], orders[at]));
    let bodies = [0; 3].map(|_| some_body(&sim, &mut rng));
    let mut out = Vec::new();
    let [a, b, c] = stages;
    let [f, g, h] = bodies;
    let deadline = if rng.below(2) == 0 { below(&mut rng, 300) } else { 100_000 };
    let (spawner, sink) = (sim.spawner(), |item| out.push(item));
    let line = pipeline(0..items).deadline_after(ms(deadline));
    let report = match rng.below(3) {
        0 => line.then(a, f).then(b, g).then(c, h).run(&scope, sink).await,
        1 => line.then_on(spawner.clone(), a, f).then(b, g).then_on(spawner, c, h).run(&scope, sink).await,
        _ => line.then(a, f).then_on(spawner, b, g).then(c, h).run(&scope, sink).await,
    };

    sim.time().sleep(ms(400)).await;
    // L1, L2.
    assert_balanced(&report);
    assert_eq!((report.delivered(), report.rest.clone()), (out.len() as u64, report.pulled()..items));
    let mut seen: BTreeSet<u64> = out.iter().copied().collect();
    for (stage, told) in report.stages.iter().zip(&told) {
        let (count, items) = &*told.lock().unwrap();
        assert_eq!((count.total() + stage.count.done, count.done), (stage.count.total(), 0));
        assert_eq!(stage.count.total(), stage.count.done + items.len() as u64, "each one came back");
        assert!(items.iter().all(|(_, item)| seen.insert(*item)), "in one place");
        assert!(stage.ended <= report.ended && stage.started == report.started);
    }
    assert_eq!(seen, (0..report.pulled()).collect());
    // L4.
    assert!(orders != [true; 3] || out.is_sorted());
    if report.ended < report.started + ms(deadline) && !scope.is_draining() {
        let stopped = |stage: &StageReport| stage.stop != Stop::Exhausted;
        let errors = report.stages.iter().any(|stage| matches!(stage.stop, Stop::Failed { .. } | Stop::OutOfTime));
        assert_eq!(report.stages.iter().any(stopped), errors, "{report}");
    }
    format!("{report} {report:?} {out:?}")
}

#[test]
fn every_item_is_in_one_place_whatever_happens() {
    let summary = Builder::new().runs(500).repeat_every(50).check(|sim| async move {
        much(sim).await;
    });
    assert!(2 * summary.traces > summary.runs as usize);
}

#[test]
fn the_same_seed_gives_the_same_reports_to_the_byte() {
    let run = |seed| Builder::new().seed(seed).run(much).unwrap();
    let all: Vec<_> = (0..20).map(run).collect();
    assert_eq!(all, (0..20).map(run).collect::<Vec<_>>());
}

/// A stream that gives its items as they are due, and counts how often it is polled.
fn timed<'a>(sim: &Sim, items: Vec<(u64, u32)>, polls: &'a Cell<u32>) -> impl Stream<Item = u32> + use<'a> {
    let (time, mut items) = (sim.time(), items.into_iter());
    let mut sleep: Option<(Pin<Box<Sleep>>, u32)> = None;
    stream::poll_fn(move |cx| {
        polls.set(polls.get() + 1);
        if sleep.is_none() {
            let Some((at, item)) = items.next() else { return Poll::Ready(None) };
            sleep = Some((Box::pin(time.sleep_until(Instant::EPOCH + ms(at))), item));
        }
        let Some((until, item)) = &mut sleep else { unreachable!() };
        if until.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        let item = *item;
        sleep = None;
        Poll::Ready(Some(item))
    })
}

#[test]
fn merged_streams_come_as_they_are_due_and_end_when_all_have() {
    sim::check(|sim| async move {
        let polls = Cell::new(0);
        let sources = [vec![(10, 1), (30, 2)], vec![], vec![(20, 3), (40, 4)], vec![(25, 5)]];
        let mut merged = merge(sources.map(|items| timed(&sim, items, &polls)));
        assert_eq!(merged.len(), 4);
        let mut all = Vec::new();
        while let Some(item) = merged.next().await {
            all.push((item, sim.now().as_nanos() / 1_000_000));
        }
        assert_eq!(all, [(1, 10), (3, 20), (5, 25), (2, 30), (4, 40)]);
        assert!(merged.is_empty() && merged.next().await.is_none());
        merged.push(timed(&sim, vec![(50, 6)], &polls));
        assert_eq!((merged.next().await, merged.next().await), (Some(6), None));
    });
}

#[test]
fn of_thousands_of_streams_a_wake_up_polls_the_one_that_it_is_for() {
    sim::run(|sim| async move {
        let polls = Cell::new(0);
        let sources = (0..5_000).map(|at| timed(&sim, vec![(10 + u64::from(at), at)], &polls));
        let mut merged = merge(sources);
        for at in 0..5_000 {
            assert_eq!(merged.next().await, Some(at));
        }
        assert_eq!(merged.next().await, None);
        // Each one: at first, when its item is due, and for its end.
        assert_eq!(polls.get(), 15_000);
    });
}

#[test]
fn merged_streams_that_always_have_something_are_asked_in_turn() {
    let mut merged = merge((0..200_u32).map(|n| stream::iter(std::iter::repeat_n(n, 3))));
    let all = block_on(async { (&mut merged).collect::<Vec<_>>().await });
    let turns: Vec<BTreeSet<u32>> = all.chunks(200).map(|turn| turn.iter().copied().collect()).collect();
    assert_eq!(turns, vec![(0..200).collect::<BTreeSet<_>>(); 3]);
}

#[test]
fn merged_streams_have_ended_until_another_is_added() {
    let mut merged = merge([stream::iter(0..1)]);
    let mut ends = Vec::new();
    for start in 1..3 {
        ends.push(merged.is_terminated());
        let items = block_on(async { (&mut merged).collect::<Vec<_>>().await });
        ends.push(merged.is_terminated());
        assert_eq!(items, [start - 1]);
        merged.push(stream::iter(start..start + 1));
    }
    assert_eq!(ends, [false, true, false, true]);
}

#[test]
fn merged_streams_may_end_at_the_last_of_a_turn_and_leave_a_wake_up_behind() {
    // Two turns of 128, of which the first leaves a wake-up of a stream that has ended by the end of the second.
    let ends = |n: u32| {
        stream::poll_fn(move |cx| {
            if n == 0 {
                cx.waker().wake_by_ref();
            }
            Poll::Ready(None::<u32>)
        })
    };
    let mut merged = merge((0..256).map(ends));
    assert_eq!(block_on(merged.next()), None);
    // It is not taken for one of whoever comes next in that place.
    merged.push(ends(1));
    assert_eq!(block_on(merged.next()), None);
}

#[test]
fn a_merged_stream_that_panics_is_dropped_and_the_others_go_on() {
    let bad = |n: u32| stream::iter(0..3).map(move |at| if (n, at) == (1, 1) { panic!("bad") } else { 10 * n + at });
    let mut merged = merge((0..3).map(bad));
    let (mut all, mut panics) = (Vec::new(), 0);
    loop {
        match catch_unwind(AssertUnwindSafe(|| block_on(merged.next()))) {
            Ok(Some(item)) => all.push(item),
            Ok(None) => break,
            Err(_) => panics += 1,
        }
    }
    all.sort();
    assert_eq!((all, panics), (vec![0, 1, 2, 10, 20, 21, 22], 1));
}

/// What a text comes to, in another way than the example's: all words in a row, sorted.
fn words(text: &str) -> Vec<(usize, String)> {
    let mut all = vec![String::new()];
    for c in text.chars() {
        match c.is_alphabetic() {
            true => all.last_mut().unwrap().extend(c.to_lowercase()),
            false => all.push(String::new()),
        }
    }
    all.retain(|word| !word.is_empty());
    all.sort();
    let mut counts: Vec<_> = all.chunk_by(|a, b| a == b).map(|same| (same.len(), same[0].clone())).collect();
    counts.sort_by_key(|(n, _)| std::cmp::Reverse(*n));
    counts
}

#[test]
fn the_example_writes_what_it_should_on_every_runtime() {
    let folder = tempfile::tempdir().unwrap();
    let (from, sources) = (folder.path().join("from"), Path::new(env!("CARGO_MANIFEST_DIR")).join("src/queue"));
    fs::create_dir(&from).unwrap();
    let mut names = Vec::new();
    for entry in fs::read_dir(sources).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
        fs::copy(entry.path(), from.join(entry.file_name())).unwrap();
        names.push(entry.file_name());
    }
    fs::write(from.join("no text"), [0xff]).unwrap();
    assert!(names.len() > 10);
    for runtime in example::RUNTIMES {
        let to = folder.path().join(runtime);
        let options = example::Options { from: from.clone(), to: to.clone(), workers: n(3) };
        let done = example::run(runtime, &options).unwrap();
        assert_eq!(done.report.delivered(), names.len() as u64, "{runtime}: {}", done.report);
        assert_balanced(&done.report);
        assert_eq!(done.failed.iter().map(|(file, _)| file.clone()).collect::<Vec<_>>(), [from.join("no text")]);
        let mut bytes = 0;
        for name in &names {
            let written = fs::read_to_string(example::target(&from.join(name), &to)).unwrap();
            let expected = words(&fs::read_to_string(from.join(name)).unwrap());
            let line = |line: &str| line.split_once(' ').map(|(n, word)| (n.parse().unwrap(), word.to_owned()));
            assert_eq!(written.lines().filter_map(line).collect::<Vec<_>>(), expected, "{runtime}: {name:?}");
            bytes += written.len();
        }
        assert_eq!((bytes, fs::read_dir(&to).unwrap().count()), (done.bytes, names.len()));
    }
}
