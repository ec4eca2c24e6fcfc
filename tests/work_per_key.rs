//! Batch work with a bound for each key.

use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;
use std::num::{NonZeroU32, NonZeroUsize};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::limit::{Limiter, Quota};
use wakeful::queue;
use wakeful::sim::{self, Builder, Rng, Sim};
use wakeful::spawn::block_on;
use wakeful::sync::watch;
use wakeful::time::ManualClock;
use wakeful::work::{Collect, Count, ItemOutcome, Lease, OnError, PerKey, Stop, work};

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

const fn n(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

/// What is worked on, and what was started when, in milliseconds.
#[derive(Clone)]
struct Watched(Arc<Mutex<Seen>>, Sim);

#[derive(Default)]
struct Seen {
    /// Items that are worked on now, by key.
    now: BTreeMap<u64, usize>,
    /// The most that there were of one key.
    most: usize,
    starts: Vec<(u64, u64)>,
}

/// An item of this key is worked on.
struct On(Watched, u64);

impl Watched {
    fn new(sim: &Sim) -> Self {
        Self(Arc::default(), sim.clone())
    }

    fn begin(&self, key: u64, item: u64) -> On {
        let at = self.1.time().now().as_nanos() / 1_000_000;
        let mut seen = self.0.lock().unwrap();
        seen.starts.push((item, at));
        let now = seen.now.entry(key).or_default();
        *now += 1;
        seen.most = seen.most.max(seen.now[&key]);
        On(self.clone(), key)
    }

    fn starts(&self) -> Vec<(u64, u64)> {
        std::mem::take(&mut self.0.lock().unwrap().starts)
    }
}

impl Drop for On {
    fn drop(&mut self) {
        *self.0.0.lock().unwrap().now.get_mut(&self.1).unwrap() -= 1;
    }
}

type Boxed = Pin<Box<dyn Future<Output = Result<u64, u64>> + Send>>;

/// A body that takes 10 ms; an item that ends with 7 fails.
fn ten(seen: &Watched) -> impl Fn(Lease<u64>) -> Boxed + use<> {
    let seen = seen.clone();
    move |item| {
        let on = seen.begin(*item / 10, *item);
        Box::pin(async move {
            wakeful::sleep(ms(10)).await;
            drop(on);
            if *item % 10 == 7 { Err(*item) } else { Ok(*item) }
        })
    }
}

#[test]
fn a_key_without_room_holds_up_no_other_and_keeps_its_order() {
    sim::check(|sim| async move {
        for spawned in [false, true] {
            let (scope, seen, begun) = (Scope::new(sim.time()), Watched::new(&sim), sim.now());
            let set = work([10, 11, 12, 20, 21, 30, 13]).workers(n(3)).per_key(n(1), |item| item / 10);
            let mut all = Collect::new();
            let report = if spawned {
                let (report, told) = set.run_on(sim.spawner(), &scope, ten(&seen), Collect::new()).await;
                all = told;
                report
            } else {
                set.run(&scope, ten(&seen), &mut all).await
            };
            let at = |ms: u64| ms + begun.as_nanos() / 1_000_000;
            let mut starts = seen.starts();
            starts.sort_by_key(|(item, at)| (*at, *item));
            let expected = [(10, 0), (20, 0), (30, 0), (11, 10), (21, 10), (12, 20), (13, 30)];
            assert_eq!(starts, expected.map(|(item, ms)| (item, at(ms))));
            assert_eq!((report.count.done, report.elapsed(), report.not_started), (7, ms(40), Some(0)));
            assert!(report.is_complete() && report.rest.set_aside.is_empty());
            // By where they were in the source.
            assert_eq!(all.into_results(), [10, 11, 12, 20, 21, 30, 13]);
        }
    });
}

#[test]
fn what_is_set_aside_goes_before_what_is_in_the_source_once_it_has_room() {
    sim::check(|sim| async move {
        let (scope, seen) = (Scope::new(sim.time()), Watched::new(&sim));
        let set = work([10, 11, 20, 30, 40]).workers(n(2)).per_key(n(1), |item| item / 10);
        let report = set.run(&scope, ten(&seen), Count::new()).await;
        let starts: Vec<u64> = seen.starts().into_iter().map(|(item, _)| item).collect();
        assert_eq!((starts[..2].to_vec(), report.elapsed()), (vec![10, 20], ms(30)));
        assert!(starts[2..4].contains(&11), "{starts:?}");
    });
}

#[test]
fn no_more_are_pulled_than_the_look_ahead_has_room_for() {
    sim::check(|sim| async move {
        for look_ahead in [1, 3] {
            let (scope, seen) = (Scope::new(sim.time()), Watched::new(&sim));
            let pulled = Arc::new(Mutex::new(Vec::new()));
            let log = pulled.clone();
            let time = sim.time();
            let begun = time.now();
            let source = (10..22).inspect(move |item| {
                log.lock().unwrap().push((*item, (time.now() - begun).as_millis() as usize));
            });
            let set = work(source).workers(n(4)).per_key(n(2), |item| item / 10).look_ahead(n(look_ahead));
            let report = set.run(&scope, ten(&seen), Count::new()).await;
            assert_eq!((report.count.done, report.count.failed), (11, 1));
            let pulled = pulled.lock().unwrap();
            // Two that start each 10 ms, and what may be set aside.
            for at in [0, 10, 20, 30] {
                let tens = pulled.iter().filter(|(item, pulled)| *item < 20 && *pulled <= at).count();
                assert_eq!(tens, (2 * (at / 10 + 1) + look_ahead).min(10), "by {at} ms");
            }
            assert_eq!(report.elapsed(), ms(50));
        }
    });
}

#[test]
fn a_deadline_gives_back_what_was_set_aside_and_what_was_not_pulled() {
    sim::check(|sim| async move {
        let (scope, seen) = (Scope::new(sim.time()), Watched::new(&sim));
        let work = work(10..30).workers(n(4)).deadline_after(ms(15)).per_key(n(1), |item| item / 10);
        let report = work.look_ahead(n(5)).run(&scope, ten(&seen), Count::new()).await;
        // The look-ahead is full of tens, so that the twenties are not seen.
        assert_eq!((report.count.done, report.count.cancelled, report.stop), (1, 1, Stop::OutOfTime));
        assert_eq!((report.not_started, report.rest.set_aside), (Some(18), vec![12, 13, 14, 15, 16]));
        assert_eq!(report.rest.rest, 17..30);
    });
}

#[test]
fn the_least_time_and_the_rate_are_looked_at_when_an_item_starts() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let seen = Watched::new(&sim);
        let limiter = Limiter::new(&sim.time(), Quota::per_second(NonZeroU32::new(200).unwrap()));
        let begun = sim.now();
        let set = work([10, 11, 12, 20, 21]).workers(n(5)).rate(&limiter).deadline_after(ms(38)).min_time(ms(10));
        let report = set.per_key(n(1), |item| item / 10).run(&scope, ten(&seen), Count::new()).await;
        // A permit each 5 ms: one for each that starts, none for what is set aside.
        let starts = seen.starts();
        let at: Vec<_> = starts.iter().map(|(item, at)| (*item, *at - begun.as_nanos() / 1_000_000)).collect();
        assert_eq!(at, [(10, 0), (20, 5), (11, 10), (21, 15), (12, 20)]);
        assert_eq!((report.count.done, report.elapsed()), (5, ms(30)));

        let set = work([10, 11, 12, 13]).deadline_after(ms(35)).min_time(ms(10)).workers(n(2));
        let report = set.per_key(n(1), |item| item / 10).run(&scope, ten(&seen), Count::new()).await;
        assert_eq!((report.count.done, report.elapsed(), &report.stop), (3, ms(30), &Stop::OutOfTime));
        assert_eq!((report.not_started, report.rest.set_aside), (Some(1), vec![13]));
    });
}

#[test]
fn the_item_that_ends_a_run_is_named_by_its_place_in_the_source() {
    sim::check(|sim| async move {
        for (spawned, on_error) in [(false, OnError::StopStarting), (true, OnError::CancelRest)] {
            let (scope, seen) = (Scope::new(sim.time()), Watched::new(&sim));
            let set = work([10, 11, 12, 27, 30]).workers(n(2)).on_error(on_error).per_key(n(1), |item| item / 10);
            let report = match spawned {
                false => set.run(&scope, ten(&seen), Count::new()).await,
                true => set.run_on(sim.spawner(), &scope, ten(&seen), Count::new()).await.0,
            };
            // It was the second one to start.
            assert_eq!(report.stop, Stop::Failed { index: 3 });
            let left = report.rest.set_aside.len() + report.rest.rest.len();
            assert_eq!(report.pulled() + left as u64, 5);
            assert_eq!(report.not_started, Some(left));
        }
    });
}

#[test]
fn room_comes_back_from_items_that_panic_or_take_too_long_or_are_skipped() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let body = |item: Lease<u64>| async move {
            match *item {
                10 => panic!("unlucky"),
                11 => std::future::pending().await,
                _ => Ok::<_, ()>(()),
            }
        };
        let set = work(10..15).workers(n(2)).item_timeout(ms(5)).per_key(n(1), |item| item / 10);
        let report = set.run(&scope, body, Count::new()).await;
        assert_eq!((report.count.panicked, report.count.timed_out, report.count.done), (1, 1, 3));
        assert_eq!(report.elapsed(), ms(5));
    });
    // The third one is pulled when it is too late.
    let clock = ManualClock::new();
    let scope = Scope::new(clock.time());
    let mut all = Collect::new();
    let slow = (0..5).inspect(|_| clock.advance(ms(40)));
    let set = work(slow).deadline_after(ms(100)).per_key(n(1), |_| ());
    let report = block_on(set.run(&scope, |_: Lease<i32>| ready(Ok::<_, ()>(())), &mut all));
    assert_eq!((report.count.done, report.count.skipped, report.not_started), (2, 1, Some(2)));
    assert_eq!(all.into_outcomes()[2], ItemOutcome::Skipped { item: 2 });
}

#[test]
fn a_panic_of_the_key_goes_through_and_leaves_nothing_behind() {
    let scope = Scope::new(ManualClock::new().time());
    let held = Arc::new(());
    let items: Vec<_> = (0..4).map(|n| (n, held.clone())).collect();
    let key = |item: &(i32, Arc<()>)| if item.0 == 2 { panic!("no key") } else { 0 };
    let body = |_: Lease<(i32, Arc<()>)>| std::future::pending::<Result<(), ()>>();
    let run = work(items).workers(n(2)).per_key(n(1), key).run(&scope, body, Count::new());
    let panic = catch_unwind(AssertUnwindSafe(|| block_on(run))).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"no key"));
    assert_eq!(Arc::strong_count(&held), 1);
}

#[test]
fn an_empty_source_and_a_single_key_are_no_trouble() {
    sim::check(|sim| async move {
        let (scope, seen) = (Scope::new(sim.time()), Watched::new(&sim));
        let set = work(Vec::<u64>::new()).per_key(n(1), |item| item / 10);
        assert!(set.run(&scope, ten(&seen), Count::new()).await.is_complete());
        let set = work(vec![10; 5000]).workers(n(50)).per_key(n(50), |_| "one");
        let report = set.run(&scope, ten(&seen), Count::new()).await;
        assert_eq!((report.count.done, report.elapsed()), (5000, ms(1000)));
        let set = work(vec![10; 5000]).workers(n(50)).deadline_after(ms(20)).per_key(n(1), |_| "one");
        let report = set.look_ahead(n(usize::MAX)).run(&scope, ten(&seen), Count::new()).await;
        assert_eq!((report.count.done, report.rest.set_aside.len(), report.not_started), (2, 4998, Some(4998)));
    });
    assert_eq!(PerKey::<wakeful::work::FromIter<std::ops::Range<u8>>, ()>::DEFAULT_LOOK_AHEAD, n(1024));
}

fn below(rng: &mut Rng, n: usize) -> u64 {
    rng.below(n) as u64
}

/// A world in which much happens: a producer, few keys, resizes, errors, panics, timeouts, deadlines, a cancel; in place, and
/// by tasks. No key has more than its number at once, each starts in order, and every item is accounted for.
async fn much(sim: Sim) -> String {
    let mut rng = sim.rng();
    let (items, workers, keys) = (below(&mut rng, 50), 1 + below(&mut rng, 6) as usize, 1 + below(&mut rng, 5));
    let (most, look_ahead) = (1 + below(&mut rng, 3) as usize, 1 + below(&mut rng, 10) as usize);
    let (tx, rx) = queue::bounded(n(1 + below(&mut rng, 8) as usize));
    let sending = sim.clone();
    let producer = sim.spawn("producer", async move {
        let mut rng = sending.rng();
        for item in 0..items {
            if below(&mut rng, 3) == 0 {
                sending.time().sleep(ms(below(&mut rng, 10))).await;
            }
            // Its key, and where it is in the source.
            if tx.send(item * 7 % 11 % keys + 1000 * item).await.is_err() {
                return item;
            }
        }
        items
    });
    let scope = Scope::new(sim.time());
    let (cancelled, time, when) = (scope.clone(), sim.time(), below(&mut rng, 300));
    sim.spawn("canceller", async move {
        time.sleep(ms(when)).await;
        if when % 3 == 0 {
            cancelled.cancel("by chance");
        }
    });
    let mut setup = work(rx).workers(n(workers));
    if below(&mut rng, 2) == 0 {
        setup = setup.item_timeout(ms(below(&mut rng, 30)));
    }
    if below(&mut rng, 2) == 0 {
        setup = setup.deadline_after(ms(below(&mut rng, 200))).min_time(ms(10 * below(&mut rng, 2)));
    }
    if below(&mut rng, 3) == 0 {
        setup = setup.rate(&Limiter::new(&sim.time(), Quota::per_second(NonZeroU32::new(300).unwrap())));
    }
    if below(&mut rng, 4) == 0 {
        setup = setup.on_error([OnError::StopStarting, OnError::CancelRest][below(&mut rng, 2) as usize]);
    }
    if below(&mut rng, 3) == 0 {
        setup = setup.grace(ms(below(&mut rng, 30))).min_time_observed(80, 3);
    }
    if below(&mut rng, 3) == 0 {
        let widths = [0; 3].map(|_| 1 + below(&mut rng, 6) as usize);
        let (width, says) = watch::channel(n(widths[0]));
        setup = setup.workers_follow(says);
        let time = sim.time();
        sim.spawn("resizer", async move {
            for to in &widths[1..] {
                time.sleep(ms(30)).await;
                width.send(n(*to)).ok();
            }
        });
    }
    let seen = Watched::new(&sim);
    let spawned = below(&mut rng, 2) == 0;
    let chance = Mutex::new(rng);
    let watched = seen.clone();
    let body = move |lease: Lease<u64>| {
        let draws = [0; 2].map(|_: u64| below(&mut chance.lock().unwrap(), 1000));
        let on = watched.begin(*lease % 1000, *lease);
        async move {
            if draws[0] < 700 {
                wakeful::sleep(ms(draws[0] / 20)).await;
            }
            drop(on);
            match draws[1] {
                0..100 => panic!("item {}", *lease),
                100..250 => Err(()),
                _ => Ok(*lease),
            }
        }
    };
    let setup = setup.per_key(n(most), |item| item % 1000).look_ahead(n(look_ahead));
    let mut all = Collect::new();
    let report = if spawned {
        let (report, told) = setup.run_on(sim.spawner(), &scope, body, Collect::new()).await;
        all = told;
        report
    } else {
        setup.run(&scope, body, &mut all).await
    };
    let aside = report.rest.set_aside.clone();
    let mut left: Vec<u64> = aside.iter().copied().chain(report.rest.rest.shutdown()).collect();
    let sent = producer.await;
    left.extend(report.rest.rest.shutdown());
    assert!(aside.len() <= look_ahead);
    assert!(seen.0.lock().unwrap().most <= most);
    let mut last = BTreeMap::new();
    for (item, _) in seen.starts() {
        assert!(last.insert(item % 1000, item).is_none_or(|before| before < item), "a key keeps its order");
    }
    assert_eq!(report.pulled() + left.len() as u64, sent, "{report}");
    sim.time().sleep(ms(400)).await;

    let (mut count, mut places) = (Count::new(), BTreeSet::new());
    for ended in all.as_slice() {
        assert!(places.insert(ended.index), "told once");
        wakeful::work::Sink::accept(&mut count, ended.clone());
        let item = match &ended.outcome {
            ItemOutcome::Done(item) => Some(*item),
            other => other.clone().into_item(),
        };
        // A worker that the executor dropped is no case of this world, so each item comes back.
        assert_eq!(item.map(|item| item / 1000), Some(ended.index));
    }
    assert_eq!(count, report.count);
    assert!(left.iter().all(|item| places.insert(item / 1000)), "in one place");
    assert_eq!(places, (0..sent).collect());
    if let Stop::Failed { index } = report.stop {
        let failed = all.as_slice().iter().find(|ended| ended.index == index).unwrap();
        assert!(failed.outcome.is_error());
    }
    format!("{report} {report:?} {all:?}")
}

#[test]
fn every_item_is_in_one_place_and_no_key_has_more_than_its_number() {
    let summary = Builder::new().runs(1000).repeat_every(50).check(|sim| async move {
        much(sim).await;
    });
    assert!(2 * summary.traces > summary.runs as usize);
}

#[test]
fn the_same_seed_gives_the_same_report_to_the_byte() {
    let run = |seed| Builder::new().seed(seed).run(much).unwrap();
    let reports: Vec<_> = (0..20).map(run).collect();
    assert_eq!(reports, (0..20).map(run).collect::<Vec<_>>());
}
