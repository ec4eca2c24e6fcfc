//! Work: a run that is dropped takes its items, its bodies and its timers with it.

use crate::ms;
use std::cell::Cell;
use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::sim::{JoinHandle, Sim};
use wakeful::work::{
    Count, ItemOutcome, Lease, Manage, Page, Progressing, ResourcePool, Results, Usage, WorkerPool, chunks, pages,
    periodic, work, worker_pool,
};

crate::sweeps! {
    "work::Work::run" => run,
    "work::Work::run" => paged,
    "work::Work::run" => told,
    "work::Work::run_on" => run_on,
    "work::Drive::run" => drive,
    "work::Drive::run" => drive_per_key,
    "work::Drive::run_on" => drive_on,
    "work::Results::next" => next_result,
    "work::PerKey::run" => per_key,
    "work::PerKey::run_on" => per_key_on,
    "work::Periodic::run" => again_and_again,
    "work::ResourcePool::get" => get,
    "work::Pooled::lend" => lend,
    "work::ResourcePool::keep" => keep,
    "work::ResourcePool::closed" => closed,
    "work::WorkerPool::submit" => submit,
    "work::WorkerPool::submit_before" => submit_before,
    "work::WorkerPool::drain" => drain,
    "work::Ticket" => ticket,
}

async fn run(sim: Sim) {
    let (scope, held) = (Scope::new(sim.time()), Arc::new(()));
    let items: Vec<_> = (1..=5).map(|n| (n, held.clone())).collect();
    let body = async |item: Lease<(u64, Arc<()>)>| {
        wakeful::sleep(ms(item.0)).await;
        sim.yield_now().await;
        if item.0 == 2 { Err(()) } else { Ok(()) }
    };
    let run = work(items).workers(NonZeroUsize::new(2).unwrap()).item_timeout(ms(4)).deadline_after(ms(8));
    if let Some(report) = sim.cancel_at_each(run.run(&scope, body, Count::new())).await {
        assert_eq!(report.pulled() + report.not_started.unwrap() as u64, 5);
        drop(report);
    }
    assert_eq!((Arc::strong_count(&held), sim.time().pending()), (1, 0));
    assert!(!scope.cancel_called());
}

/// A run whose items come page by page, and in chunks that wait.
async fn paged(sim: Sim) {
    let (scope, held) = (Scope::new(sim.time()), Arc::new(()));
    let fetch = async |page: u32| {
        let held = held.clone();
        sim.time().sleep(ms(2)).await;
        sim.yield_now().await;
        Ok::<_, ()>(Page { items: vec![held; 3], next: Some(page + 1).filter(|next| *next < 3) })
    };
    let body = async |_: Lease<Vec<Arc<()>>>| {
        wakeful::sleep(ms(3)).await;
        Ok::<_, ()>(())
    };
    let listing = chunks(pages(0, fetch), NonZeroUsize::new(2).unwrap()).max_wait(&sim.time(), ms(1));
    let run = work(listing).deadline_after(ms(14));
    if let Some(report) = sim.cancel_at_each(run.run(&scope, body, Count::new())).await {
        assert!(report.count.done >= 3, "{report}");
    }
    assert_eq!((Arc::strong_count(&held), sim.time().pending()), (1, 0));
}

/// A run that says how far it has come: whatever it is cut short at, all that has ended was handed on and counted.
async fn told(sim: Sim) {
    let (scope, held) = (Scope::new(sim.time()), Arc::new(()));
    let items: Vec<_> = (1..=5).map(|n| (n, held.clone())).collect();
    let (told, two) = (Cell::new(0), NonZeroU64::new(2).unwrap());
    let body = async |item: Lease<Item>| {
        wakeful::sleep(ms(item.0)).await;
        sim.yield_now().await;
        if item.0 == 2 { Err(()) } else { Ok(()) }
    };
    let mut sink = Progressing::new(&sim.time(), Count::new(), |progress| {
        assert_eq!(progress.remaining, Some(5 - progress.count.total()));
        told.set(progress.count.total());
    });
    sink = sink.total(5).every(two);
    let run = work(items).workers(NonZeroUsize::new(2).unwrap()).deadline_after(ms(8));
    let report = sim.cancel_at_each(run.run(&scope, body, &mut sink)).await;
    let count = sink.progress().count;
    assert_eq!(sink.into_sink(), count);
    assert_eq!(told.get(), if count.total() == 5 { 5 } else { count.total() / 2 * 2 });
    assert!(report.is_none_or(|report| report.count == count));
    assert_eq!((Arc::strong_count(&held), sim.time().pending()), (1, 0));
}

async fn again_and_again(sim: Sim) {
    let (scope, held) = (Scope::new(sim.time()), Arc::new(()));
    let run = periodic(ms(3), |iteration| {
        let held = held.clone();
        async move {
            let _held = held;
            wakeful::sleep(ms(iteration.number)).await;
            if iteration.number == 1 { Err(()) } else { Ok(()) }
        }
    });
    let control = run.control();
    let run = run.iteration_timeout(ms(3));
    let asker = sim.spawn("asks", {
        let (time, control) = (sim.time(), control.clone());
        async move {
            time.sleep(ms(14)).await;
            control.trigger();
            control.stop();
            control.ended().await;
        }
    });
    let report = sim.cancel_at_each(run.run(&scope)).await;
    assert!(control.is_ended() && Arc::strong_count(&held) == 1);
    if let Some(report) = report {
        assert_eq!((report.count, report.count.total()), (control.count(), 5));
    }
    asker.await;
    assert_eq!(sim.time().pending(), 0);
}

/// Objects that take a moment to make, to look at and to clean; each that is alive is counted.
struct Made(Sim, Arc<()>);

impl Manage for Made {
    type Object = Arc<()>;
    type Error = ();

    async fn create(&self) -> Result<Arc<()>, ()> {
        self.0.time().sleep(ms(1)).await;
        Ok(self.1.clone())
    }

    async fn validate(&self, _: &mut Arc<()>, _: &Usage) -> Result<(), ()> {
        self.0.yield_now().await;
        Ok(())
    }

    async fn recycle(&self, _: &mut Arc<()>, usage: &Usage) -> Result<(), ()> {
        self.0.time().sleep(ms(1)).await;
        if usage.uses() < 2 { Ok(()) } else { Err(()) }
    }
}

/// A pool of one object, and what counts those that are alive.
fn pool(sim: &Sim) -> (ResourcePool<Made>, Arc<()>) {
    let alive = Arc::new(());
    let pool = ResourcePool::builder(&sim.time(), Made(sim.clone(), alive.clone()));
    (pool.max_size(NonZeroUsize::MIN).build(), alive)
}

async fn get(sim: Sim) {
    let (pool, alive) = pool(&sim);
    let others: Vec<_> = (0..2)
        .map(|_| {
            let pool = pool.clone();
            sim.spawn("other", async move {
                for _ in 0..2 {
                    let object = pool.get().await.unwrap();
                    pool.manager().0.time().sleep(ms(1)).await;
                    drop(object);
                }
            })
        })
        .collect();
    let object = sim.cancel_at_each(pool.get()).await;
    drop(object);
    for other in others {
        other.await;
    }
    assert_eq!((pool.status().in_use, Arc::strong_count(&alive) - 2), (0, pool.status().idle));
    assert_eq!((pool.get().await.is_ok(), sim.time().pending()), (true, 0), "the slot is there");
}

async fn lend(sim: Sim) {
    let (pool, alive) = pool(&sim);
    let pooled = pool.get().await.unwrap();
    let begun = Cell::new(false);
    let lent = pooled.lend(async |_| {
        begun.set(true);
        sim.yield_now().await;
        sim.time().sleep(ms(1)).await;
    });
    let done = sim.cancel_at_each(lent).await.is_some();
    let kept = usize::from(done || !begun.get());
    assert_eq!((pool.status().idle, Arc::strong_count(&alive) - 2), (kept, kept));
    assert!(pool.get().await.is_ok());
}

async fn keep(sim: Sim) {
    let alive = Arc::new(());
    let pool = ResourcePool::builder(&sim.time(), Made(sim.clone(), alive.clone()));
    let pool = pool.max_size(NonZeroUsize::new(2).unwrap()).min_idle(2).max_idle_time(ms(3)).build();
    let scope = Scope::new(sim.time());
    let ender = sim.spawn("ends it", {
        let (scope, pool, time) = (scope.clone(), pool.clone(), sim.time());
        async move {
            let _object = pool.get().await.unwrap();
            time.sleep(ms(5)).await;
            scope.cancel("over");
        }
    });
    let _: Option<()> = sim.cancel_at_each(pool.keep(&scope)).await;
    ender.await;
    assert_eq!((pool.status().in_use, sim.time().pending()), (0, 0));
    assert_eq!(Arc::strong_count(&alive) - 2, pool.status().idle);
    let _both = (pool.get().await.unwrap(), pool.get().await.unwrap());
}

async fn closed(sim: Sim) {
    let (pool, _) = pool(&sim);
    let object = pool.get().await.unwrap();
    let closer = sim.spawn("closes", {
        let pool = pool.clone();
        async move {
            pool.close();
            drop(object);
        }
    });
    if sim.cancel_at_each(pool.closed()).await.is_some() {
        assert_eq!(pool.status().size, 0);
    }
    closer.await;
    pool.closed().await;
}

async fn run_on(sim: Sim) {
    let (scope, held) = (Scope::new(sim.time()), Arc::new(()));
    let items: Vec<_> = (1..=5).map(|n| (n, held.clone())).collect();
    let inner = sim.clone();
    let body = move |item: Lease<(u64, Arc<()>)>| {
        let sim = inner.clone();
        async move {
            wakeful::sleep(ms(item.0)).await;
            sim.yield_now().await;
            if item.0 == 2 { Err(()) } else { Ok(()) }
        }
    };
    let set = work(items).workers(NonZeroUsize::new(2).unwrap()).item_timeout(ms(4)).deadline_after(ms(8));
    if let Some((report, count)) = sim.cancel_at_each(set.run_on(sim.spawner(), &scope, body, Count::new())).await {
        assert_eq!((report.pulled() + report.not_started.unwrap() as u64, report.count), (5, count));
        drop(report);
    }
    // Workers who were left behind end at their next poll.
    sim.time().sleep(ms(1)).await;
    assert_eq!((Arc::strong_count(&held), sim.time().pending()), (1, 0));
    assert!(!scope.cancel_called());
}

async fn drive(sim: Sim) {
    let (scope, held) = (Scope::new(sim.time()), Arc::new(()));
    let items: Vec<_> = (1..=5).map(|n| (n, held.clone())).collect();
    let body = async |item: Lease<Item>| {
        wakeful::sleep(ms(item.0)).await;
        sim.yield_now().await;
        if item.0 == 2 { Err(()) } else { Ok(()) }
    };
    let consumer = async |mut results: Results<Item, (), ()>| {
        while results.next().await.is_some() {
            sim.yield_now().await;
            scope.sleep(ms(2)).await;
        }
    };
    let set = work(items).workers(NonZeroUsize::new(2).unwrap()).deadline_after(ms(8)).drive();
    let set = set.in_order().buffer(NonZeroUsize::MIN);
    if let Some(driven) = sim.cancel_at_each(set.run(&scope, body, consumer)).await {
        assert_eq!(driven.report.pulled() + driven.report.not_started.unwrap() as u64, 5);
        drop(driven);
    }
    assert_eq!((Arc::strong_count(&held), sim.time().pending()), (1, 0));
    assert!(!scope.cancel_called());
}

async fn drive_per_key(sim: Sim) {
    let (scope, held) = (Scope::new(sim.time()), Arc::new(()));
    let items: Vec<_> = (1..=5).map(|n| (n, held.clone())).collect();
    let body = async |item: Lease<Item>| {
        wakeful::sleep(ms(item.0)).await;
        Ok::<_, ()>(())
    };
    let consumer = async |mut results: Results<Item, (), ()>| while results.next().await.is_some() {};
    let set = work(items).workers(NonZeroUsize::new(2).unwrap()).deadline_after(ms(6));
    let set = set.per_key(NonZeroUsize::MIN, |item| item.0 % 2).drive().in_order();
    if let Some(driven) = sim.cancel_at_each(set.run(&scope, body, consumer)).await {
        assert_eq!(driven.report.pulled() + driven.report.not_started.unwrap() as u64, 5);
        drop(driven);
    }
    assert_eq!((Arc::strong_count(&held), sim.time().pending()), (1, 0));
    assert!(!scope.cancel_called());
}

async fn drive_on(sim: Sim) {
    let (scope, held) = (Scope::new(sim.time()), Arc::new(()));
    let items: Vec<_> = (1..=5).map(|n| (n, held.clone())).collect();
    let body = async |item: Lease<Item>| {
        wakeful::sleep(ms(item.0)).await;
        if item.0 == 2 { Err(()) } else { Ok(()) }
    };
    let body = move |item| Box::pin(body(item));
    let consumer = async |mut results: Results<Item, (), ()>| {
        while results.next().await.is_some() {
            scope.sleep(ms(2)).await;
        }
    };
    let set = work(items).workers(NonZeroUsize::new(2).unwrap()).deadline_after(ms(8)).drive();
    let set = set.in_order().buffer(NonZeroUsize::MIN);
    if let Some(driven) = sim.cancel_at_each(set.run_on(sim.spawner(), &scope, body, consumer)).await {
        assert_eq!(driven.report.pulled() + driven.report.not_started.unwrap() as u64, 5);
        drop(driven);
    }
    // Workers who were left behind end at their next poll.
    sim.time().sleep(ms(1)).await;
    assert_eq!((Arc::strong_count(&held), sim.time().pending()), (1, 0));
    assert!(!scope.cancel_called());
}

async fn next_result(sim: Sim) {
    let scope = Scope::new(sim.time());
    let body = async |item: Lease<u64>| {
        wakeful::sleep(ms(*item)).await;
        Ok::<_, ()>(())
    };
    let consumer = async |mut results: Results<u64, (), ()>| {
        let first = sim.cancel_at_each(results.next()).await.flatten();
        let mut taken = u64::from(first.is_some());
        while results.next().await.is_some() {
            taken += 1;
        }
        taken
    };
    let driven = work([2, 1, 1]).drive().run(&scope, body, consumer).await;
    assert_eq!((driven.value, driven.report.count.done, sim.time().pending()), (3, 3, 0));
}

async fn per_key(sim: Sim) {
    let (scope, held) = (Scope::new(sim.time()), Arc::new(()));
    let items: Vec<_> = (1..=5).map(|n| (n, held.clone())).collect();
    let body = async |item: Lease<Item>| {
        wakeful::sleep(ms(item.0)).await;
        sim.yield_now().await;
        if item.0 == 2 { Err(()) } else { Ok(()) }
    };
    let set = work(items).workers(NonZeroUsize::new(2).unwrap()).deadline_after(ms(8));
    let set = set.per_key(NonZeroUsize::MIN, |item| item.0 == 4).look_ahead(NonZeroUsize::new(2).unwrap());
    if let Some(report) = sim.cancel_at_each(set.run(&scope, body, Count::new())).await {
        assert_eq!(report.pulled() + report.not_started.unwrap() as u64, 5);
        drop(report);
    }
    assert_eq!((Arc::strong_count(&held), sim.time().pending()), (1, 0));
}

async fn per_key_on(sim: Sim) {
    let (scope, held) = (Scope::new(sim.time()), Arc::new(()));
    let items: Vec<_> = (1..=5).map(|n| (n, held.clone())).collect();
    let inner = sim.clone();
    let body = move |item: Lease<Item>| {
        let sim = inner.clone();
        async move {
            wakeful::sleep(ms(item.0)).await;
            sim.yield_now().await;
            if item.0 == 2 { Err(()) } else { Ok(()) }
        }
    };
    let set = work(items).workers(NonZeroUsize::new(2).unwrap()).deadline_after(ms(8));
    let set = set.per_key(NonZeroUsize::MIN, |item| item.0 == 4).look_ahead(NonZeroUsize::new(2).unwrap());
    if let Some((report, count)) = sim.cancel_at_each(set.run_on(sim.spawner(), &scope, body, Count::new())).await {
        assert_eq!((report.pulled() + report.not_started.unwrap() as u64, report.count), (5, count));
        drop(report);
    }
    // Workers who were left behind end at their next poll.
    sim.time().sleep(ms(1)).await;
    assert_eq!((Arc::strong_count(&held), sim.time().pending()), (1, 0));
}

/// Items that take so many milliseconds, and each of which is counted as long as it is alive.
type Item = (u64, Arc<()>);
type Workers = WorkerPool<Item, (), ()>;

/// A worker, a queue of one, and two who submit to it.
fn workers(sim: &Sim) -> (Workers, Vec<JoinHandle<()>>, Arc<()>) {
    let body = |item: Lease<Item>| async move {
        wakeful::sleep(ms(item.0)).await;
        Ok(())
    };
    let pool = worker_pool(body).capacity(NonZeroUsize::MIN).spawn_on(sim.spawner(), &Scope::new(sim.time()));
    let held = Arc::new(());
    let submits = |_| {
        let (pool, held) = (pool.clone(), held.clone());
        sim.spawn("submits", async move {
            for millis in [2, 1] {
                let Ok(ticket) = pool.submit((millis, held.clone())).await else { return };
                assert!(ticket.is_resolved() || pool.running() + pool.queued() > 0);
                drop(ticket.await);
            }
        })
    };
    let others = (0..2).map(submits).collect();
    (pool, others, held)
}

/// What holds whatever was dropped: all that was taken has ended, and nothing is left.
async fn ends(sim: &Sim, pool: Workers, others: Vec<JoinHandle<()>>, held: Arc<()>, taken: Option<u64>) {
    for other in others {
        other.await;
    }
    let report = pool.drain(Duration::MAX).await;
    assert_eq!(report.taken(), taken.unwrap_or(report.taken()), "{report}");
    drop((report, pool));
    assert_eq!((Arc::strong_count(&held), sim.time().pending()), (1, 0));
}

async fn submit(sim: Sim) {
    let (pool, others, held) = workers(&sim);
    sim.time().sleep(ms(1)).await;
    let ticket = sim.cancel_at_each(pool.submit((1, held.clone()))).await;
    let taken = 4 + u64::from(ticket.is_some());
    ends(&sim, pool, others, held, Some(taken)).await;
}

async fn submit_before(sim: Sim) {
    let (pool, others, held) = workers(&sim);
    sim.time().sleep(ms(1)).await;
    let ticket = sim.cancel_at_each(pool.submit_before((1, held.clone()), sim.now() + ms(2))).await;
    let taken = 4 + u64::from(ticket.is_some_and(|submitted| submitted.is_ok()));
    ends(&sim, pool, others, held, Some(taken)).await;
}

async fn drain(sim: Sim) {
    let (pool, others, held) = workers(&sim);
    sim.time().sleep(ms(1)).await;
    let report = sim.cancel_at_each(pool.drain(ms(2))).await;
    assert!(report.is_none_or(|report| report.not_started.is_empty() && pool.running() + pool.queued() == 0));
    ends(&sim, pool, others, held, None).await;
}

async fn ticket(sim: Sim) {
    let (pool, others, held) = workers(&sim);
    let ticket = pool.submit((3, held.clone())).await.unwrap();
    if let Some(outcome) = sim.cancel_at_each(ticket).await {
        assert_eq!(outcome, ItemOutcome::Done(()));
    }
    ends(&sim, pool, others, held, Some(5)).await;
}
