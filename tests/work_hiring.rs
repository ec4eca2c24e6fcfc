//! Workers are hired as work asks for them, however many there may be.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::sim::{self, Sim};
use wakeful::spawn::{Spawn, Task};
use wakeful::sync::watch;
use wakeful::work::{Count, Lease, work, worker_pool};

const SECOND: Duration = Duration::from_secs(1);

/// How many more may be hired than there is work for.
const AHEAD: usize = 64;

const fn n(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

async fn body(item: Lease<u64>) -> Result<u64, ()> {
    wakeful::sleep(SECOND).await;
    Ok(*item)
}

/// A spawner, and how many tasks it has spawned.
fn counted(sim: &Sim) -> (impl Spawn + Send + Sync + Clone + use<>, Arc<AtomicUsize>) {
    let (spawner, spawned) = (sim.spawner(), Arc::new(AtomicUsize::new(0)));
    let count = spawned.clone();
    let counts = move |task: Task| {
        count.fetch_add(1, Ordering::Relaxed);
        spawner.spawn(task);
    };
    (counts, spawned)
}

#[test]
fn any_number_of_workers_is_no_more_than_there_is_work_for() {
    sim::check(|sim| async move {
        for items in [0, 1, 64, 65, 300] {
            let (spawner, spawned) = counted(&sim);
            let set = || work(0..items as u64).workers(NonZeroUsize::MAX);
            let scope = Scope::new(sim.time());
            let (report, _) = set().run_on(spawner, &scope, body, Count::new()).await;
            assert_eq!((report.count.done as usize, report.not_started), (items, Some(0)));
            assert_eq!(report.elapsed(), if items == 0 { Duration::ZERO } else { SECOND });
            assert!(spawned.load(Ordering::Relaxed) <= items + AHEAD, "{spawned:?} for {items}");

            let in_place = set().run(&scope, body, Count::new()).await;
            assert_eq!((in_place.count, in_place.elapsed()), (report.count, report.elapsed()));
        }
    });
}

#[test]
fn any_number_of_workers_drives_a_consumer() {
    sim::check(|sim| async move {
        for is_keyed in [false, true] {
            let (spawner, spawned) = counted(&sim);
            let scope = Scope::new(sim.time());
            let set = work(0..300).workers(NonZeroUsize::MAX);
            let sum = async |mut results: wakeful::work::Results<u64, u64, ()>| {
                let mut sum = 0;
                while let Some(ended) = results.next().await {
                    sum += ended.outcome.done().unwrap();
                }
                sum
            };
            let (value, elapsed) = if is_keyed {
                let keyed = set.per_key(n(300), |_| 0).drive().buffer(NonZeroUsize::MAX);
                let driven = keyed.run_on(spawner, &scope, body, sum).await;
                (driven.value, driven.report.elapsed())
            } else {
                let driven = set.drive().buffer(NonZeroUsize::MAX).run_on(spawner, &scope, body, sum).await;
                (driven.value, driven.report.elapsed())
            };
            assert_eq!((value, elapsed), (299 * 300 / 2, SECOND));
            assert!(spawned.load(Ordering::Relaxed) <= 300 + AHEAD);
        }
    });
}

#[test]
fn a_pool_of_any_size_works_on_all_that_is_submitted() {
    sim::check(|sim| async move {
        let (spawner, spawned) = counted(&sim);
        let pool = worker_pool(body).workers(NonZeroUsize::MAX).capacity(NonZeroUsize::MAX);
        let pool = pool.spawn_on(spawner, &Scope::new(sim.time()));
        assert_eq!(pool.workers(), NonZeroUsize::MAX);
        // In waves, so that items meet workers that wait.
        for wave in [10, 64, 1, 300] {
            let tickets: Vec<_> = (0..wave).map(|item| pool.try_submit(item).unwrap()).collect();
            let begun = sim.now();
            for ticket in tickets {
                assert!(ticket.await.done().is_some());
            }
            assert_eq!(sim.now() - begun, SECOND);
        }
        // One after another, while none has ended.
        let tickets: Vec<_> = {
            let mut tickets = Vec::new();
            for item in 0..400 {
                tickets.push(pool.submit(item).await.unwrap());
                sim.idle().await;
            }
            tickets
        };
        let begun = sim.now();
        drop(tickets);
        let report = pool.drain(Duration::MAX).await;
        assert_eq!((report.count.done, sim.now() - begun), (775, SECOND));
        // And the one that looks after them.
        assert!(spawned.load(Ordering::Relaxed) <= 400 + AHEAD + 1, "{spawned:?}");
    });
}

#[test]
fn workers_that_are_added_come_as_work_asks_for_them() {
    sim::check(|sim| async move {
        let (spawner, spawned) = counted(&sim);
        let (width, says) = watch::channel(n(1));
        let time = sim.time();
        let resizer = sim.spawn("resizer", async move {
            time.sleep(SECOND / 2).await;
            width.send(NonZeroUsize::MAX).unwrap();
        });
        let run = work(0..201).workers_follow(says);
        let (report, _) = run.run_on(spawner, &Scope::new(sim.time()), body, Count::new()).await;
        resizer.await;
        assert_eq!((report.count.done, report.elapsed()), (201, SECOND / 2 + SECOND));
        assert!(spawned.load(Ordering::Relaxed) <= 201 + AHEAD, "{spawned:?}");
    });
}

#[test]
fn a_worker_whose_task_is_dropped_at_once_holds_nobody_up() {
    sim::check(|sim| async move {
        let sim_spawner = sim.spawner();
        let spawned = Arc::new(AtomicUsize::new(0));
        let count = spawned.clone();
        // From the tenth on it takes no more tasks.
        let spawner = move |task: Task| {
            if count.fetch_add(1, Ordering::Relaxed) < 10 {
                sim_spawner.spawn(task);
            }
        };
        let run = work(0..20).workers(NonZeroUsize::MAX);
        let (report, _) = run.run_on(spawner, &Scope::new(sim.time()), body, Count::new()).await;
        assert_eq!((report.count.done, report.elapsed()), (20, 2 * SECOND));
    });
}

#[test]
fn thousands_of_workers_are_hired_when_there_are_as_many_items() {
    sim::run(|sim| async move {
        let items = 20_000;
        let run = work(0..items).workers(n(items as usize));
        let (report, _) = run.run_on(sim.spawner(), &Scope::new(sim.time()), body, Count::new()).await;
        assert_eq!((report.count.done, report.elapsed()), (items, SECOND));
    });
}
