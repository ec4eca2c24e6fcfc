//! Batches against a deadline.

use crate::support::{Counter, Cx, OnDrop, Spawner, ms, on_drop};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use wakeful::queue;
use wakeful::sync::Event;
use wakeful::work::{
    Collect, Count, Ended, GetError, ItemOutcome, Lease, Manage, PeriodicStop, Refused, ResourcePool, Results, Stop,
    periodic, work, worker_pool,
};

fn workers(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

pub(crate) async fn every_item_is_in_one_place(cx: Cx<impl Spawner>) {
    let scope = cx.scope();
    let body = |item: Lease<&'static str>| {
        let time = cx.time.clone();
        async move {
            match *item {
                "fails" => return Err("as it was asked to"),
                "panics" => panic!("as it was asked to"),
                "hangs" => std::future::pending().await,
                _ => time.sleep(ms(5)).await,
            }
            Ok(())
        }
    };
    let mut places = Vec::new();
    let sink = |ended: Ended<&'static str, (), &'static str>| {
        places.push(match ended.outcome {
            ItemOutcome::Done(()) => (ended.index, "done", None),
            ItemOutcome::Failed { item, .. } => (ended.index, "failed", item),
            ItemOutcome::Panicked { item, .. } => (ended.index, "panicked", item),
            ItemOutcome::TimedOut { item } => (ended.index, "timed out", item),
            _ => (ended.index, "elsewhere", None),
        });
    };
    let items = ["works", "hangs", "fails", "panics"];
    let report = work(items).item_timeout(ms(50)).run(&scope, body, sink).await;
    let expected = [
        (0, "done", None),
        (1, "timed out", Some("hangs")),
        (2, "failed", Some("fails")),
        (3, "panicked", Some("panics")),
    ];
    assert_eq!(places, expected);
    assert_eq!((report.not_started, report.stop), (Some(0), Stop::Exhausted));
    cx.assert_at(55);
}

pub(crate) async fn workers_that_are_tasks_share_source_and_sink(cx: Cx<impl Spawner>) {
    let scope = cx.scope();
    let time = cx.time.clone();
    let body = move |item: Lease<u64>| {
        let sleep = time.sleep(ms(5));
        async move {
            sleep.await;
            match *item {
                7 => Err("as it was asked to"),
                8 => panic!("as it was asked to"),
                n => Ok(n),
            }
        }
    };
    let set = work(0..20).workers(workers(4));
    let (report, all) = set.run_on(cx.spawner.clone(), &scope, body, Collect::new()).await;
    assert_eq!((report.count.done, report.count.failed, report.count.panicked), (18, 1, 1));
    assert_eq!((report.not_started, report.stop), (Some(0), Stop::Exhausted));
    assert_eq!(all.into_results(), (0..20).filter(|n| !(7..=8).contains(n)).collect::<Vec<_>>());
    cx.assert_at(25);
}

pub(crate) async fn a_consumer_takes_results_in_order_while_workers_go_on(cx: Cx<impl Spawner>) {
    for spawned in [false, true] {
        let (scope, begun) = (cx.scope(), Counter::new());
        let (time, noted) = (cx.time.clone(), begun.clone());
        let body = move |item: Lease<u64>| {
            noted.add();
            let sleep = time.sleep(ms(5 - *item));
            async move { (sleep.await, Ok::<_, ()>(*item)).1 }
        };
        let consumer = {
            let (cx, begun) = (&cx, &begun);
            async move |mut results: Results<u64, u64, ()>| {
                let first = results.next().await.expect("there are five");
                // Nothing is taken meanwhile, and all are begun.
                while begun.count() < 5 {
                    cx.sleep(1).await;
                }
                let mut taken = vec![first.outcome.done()];
                while let Some(ended) = results.next().await {
                    taken.push(ended.outcome.done());
                }
                taken
            }
        };
        let drive = work(0..5).workers(workers(2)).drive().in_order().buffer(workers(8));
        let driven = match spawned {
            true => drive.run_on(cx.spawner.clone(), &scope, body, consumer).await,
            false => drive.run(&scope, body, consumer).await,
        };
        assert_eq!(driven.value, (0..5).map(Some).collect::<Vec<_>>());
        assert_eq!((driven.report.count.done, driven.undelivered.len()), (5, 0));
    }
}

pub(crate) async fn no_key_has_more_items_in_work_than_its_number(cx: Cx<impl Spawner>) {
    for spawned in [false, true] {
        let scope = cx.scope();
        let (time, open, most) = (cx.time.clone(), Counter::new(), Arc::new(AtomicU64::new(0)));
        let begun = most.clone();
        // The key of an item is whether it is odd, and the odd ones are counted.
        let body = move |item: Lease<u64>| {
            let (sleep, is_odd) = (time.sleep(ms(2)), *item % 2 == 1);
            let ended = open.clone();
            if is_odd {
                let now = begun.fetch_add(1, Ordering::SeqCst) - ended.count() as u64;
                assert!(now < 2, "{now} others");
            }
            async move {
                sleep.await;
                drop(is_odd.then(|| ended.on_drop()));
                Ok::<_, ()>(*item)
            }
        };
        let set = work(0..20).workers(workers(4)).per_key(workers(2), |item| item % 2);
        let (report, all) = if spawned {
            set.run_on(cx.spawner.clone(), &scope, body, Collect::new()).await
        } else {
            let mut all = Collect::new();
            (set.run(&scope, body, &mut all).await, all)
        };
        assert_eq!((report.count.done, most.load(Ordering::SeqCst)), (20, 10));
        assert_eq!(all.into_results(), (0..20).collect::<Vec<_>>());
    }
    cx.assert_at(20);
}

pub(crate) async fn what_the_deadline_leaves_is_given_back(cx: Cx<impl Spawner>) {
    let scope = cx.scope();
    let body = |item: Lease<u32>| {
        let time = cx.time.clone();
        async move {
            time.sleep(ms(5)).await;
            Ok::<_, ()>(*item)
        }
    };
    let mut all = Collect::new();
    let report = work(0..20).deadline_after(ms(22)).run(&scope, body, &mut all).await;
    let count = report.count;
    assert!(count.done <= 4 && count.done + count.cancelled + count.skipped <= 5);
    let pulled = count.done + count.cancelled + count.skipped;
    assert_eq!(report.rest, pulled as u32..20, "what was not pulled is still in the source");
    assert_eq!(report.stop, Stop::OutOfTime);
    if cx.exact() {
        assert_eq!((count.done, count.cancelled, report.not_started), (4, 1, Some(15)));
        assert_eq!(all.into_results(), [0, 1, 2, 3]);
    }
    cx.assert_at(22);
}

pub(crate) async fn workers_drain_a_queue_that_a_task_fills(cx: Cx<impl Spawner>) {
    let scope = cx.scope();
    let (tx, rx) = queue::bounded(workers(2));
    let producer = cx.spawn("producer", async move {
        for n in 1..=30_u64 {
            tx.send(n).await.unwrap();
        }
    });
    let body = |item: Lease<u64>| {
        let time = cx.time.clone();
        async move {
            time.sleep(ms(1)).await;
            Ok::<_, ()>(*item)
        }
    };
    let mut sum = 0;
    let sink = |ended: Ended<u64, u64, ()>| {
        if let ItemOutcome::Done(n) = ended.outcome {
            sum += n;
        }
    };
    let report = work(rx).workers(workers(3)).run(&scope, body, sink).await;
    producer.await;
    assert_eq!((report.count.done, sum), (30, 465));
    assert_eq!(report.per_worker.iter().sum::<u64>(), 30);
    cx.assert_at(10);
}

pub(crate) async fn cancelling_the_scope_ends_the_run_with_a_report(cx: Cx<impl Spawner>) {
    let scope = cx.scope();
    let stop = scope.clone();
    let sleep = cx.sleep(7);
    let killer = cx.spawn("killer", async move {
        sleep.await;
        stop.cancel("enough");
    });
    let body = |_: Lease<u32>| std::future::pending::<Result<(), ()>>();
    let report = work(0..10).workers(workers(4)).run(&scope, body, Count::new()).await;
    killer.await;
    assert_eq!((report.count.cancelled, report.not_started), (4, Some(6)));
    assert!(matches!(report.stop, Stop::Cancelled(reason) if reason.to_string() == "enough"));
    cx.assert_at(7);
}

pub(crate) async fn what_is_done_again_and_again_stops_between_two_iterations(cx: Cx<impl Spawner>) {
    let (scope, open, enough, asked) = (cx.scope(), Counter::new(), Event::new(), Event::new());
    let run = periodic(ms(5), |iteration| {
        if iteration.number == 4 {
            enough.set();
        }
        let (gone, sleep, asked) = (open.on_drop(), cx.sleep(2), asked.clone());
        async move {
            let _gone = gone;
            sleep.await;
            if iteration.number == 4 {
                asked.wait().await;
            }
            match iteration.number {
                1 => Err("as it was asked to"),
                2 => panic!("as it was asked to"),
                _ => Ok(()),
            }
        }
    });
    let control = run.control();
    let stopper = cx.spawn("stopper", {
        let (enough, asked, gone) = (enough.clone(), asked.clone(), open.clone());
        async move {
            enough.wait().await;
            control.stop();
            asked.set();
            control.ended().await;
            (control.count(), gone.count())
        }
    });
    let report = run.run(&scope).await;
    let count = report.count;
    assert_eq!((count.done, count.failed, count.panicked, report.stop), (3, 1, 1, PeriodicStop::Asked));
    assert_eq!(stopper.await, (count, 5));
    cx.assert_at(22);
}

/// Connections, of which the first can't be made.
struct Connections(Counter, Counter);

impl Manage for Connections {
    type Object = OnDrop<Box<dyn FnOnce() + Send>>;
    type Error = &'static str;

    async fn create(&self) -> Result<Self::Object, &'static str> {
        self.0.add();
        if self.0.count() == 1 {
            return Err("nobody answers");
        }
        let gone = self.1.clone();
        Ok(on_drop(Box::new(move || gone.add())))
    }
}

pub(crate) async fn a_pool_lends_its_objects_in_order_and_loses_none(cx: Cx<impl Spawner>) {
    let (made, gone) = (Counter::new(), Counter::new());
    let pool = ResourcePool::builder(&cx.time, Connections(made.clone(), gone.clone())).max_size(workers(2)).build();
    assert_eq!(pool.get().await.unwrap_err(), GetError::Create("nobody answers"));
    let users: Vec<_> = (0..6)
        .map(|n| {
            let (pool, time) = (pool.clone(), cx.time.clone());
            cx.spawn("user", async move {
                let object = pool.get().await.unwrap();
                time.sleep(ms(2)).await;
                if n == 0 {
                    object.discard();
                }
            })
        })
        .collect();
    for user in users {
        user.await;
    }
    let status = pool.status();
    assert!((1..=2).contains(&status.idle) && status.in_use == 0, "{status:?}");
    assert_eq!((pool.count().created as usize, gone.count()), (status.idle + 1, 1));
    let last = pool.get().await.unwrap();
    let closer = cx.spawn("closer", {
        let pool = pool.clone();
        async move {
            pool.close();
            pool.closed().await;
        }
    });
    drop(last);
    closer.await;
    assert_eq!((pool.status().size, gone.count()), (0, made.count() - 1));
}

pub(crate) async fn a_worker_pool_tells_every_ticket_and_drains(cx: Cx<impl Spawner>) {
    let (scope, time) = (cx.scope(), cx.time.clone());
    let body = move |item: Lease<u64>| {
        let sleep = time.sleep(ms(*item));
        async move {
            sleep.await;
            if *item == 5 { Err("as it was asked to") } else { Ok(*item) }
        }
    };
    let pool = worker_pool(body).workers(workers(2)).capacity(workers(2)).spawn_on(cx.spawner.clone(), &scope);
    let mut tickets = Vec::new();
    for item in [5, 10, 15] {
        tickets.push(pool.submit(item).await.unwrap());
    }
    let mut outcomes = Vec::new();
    for ticket in tickets {
        outcomes.push(cx.spawn("waiter", ticket).await);
    }
    assert_eq!(outcomes[0], ItemOutcome::Failed { error: "as it was asked to", item: Some(5) });
    assert_eq!(outcomes[1..], [ItemOutcome::Done(10), ItemOutcome::Done(15)]);
    let (hangs, given_up) = (pool.submit(60_000).await.unwrap(), pool.submit(60_000).await.unwrap());
    given_up.cancel();
    assert_eq!(given_up.await.into_item(), Some(60_000));
    pool.resize(workers(3));
    assert_eq!(pool.submit(1).await.unwrap().await, ItemOutcome::Done(1));
    let report = pool.drain(ms(20)).await;
    assert_eq!(hangs.await, ItemOutcome::Cancelled { item: Some(60_000) });
    assert_eq!((report.count.done, report.count.failed, report.taken()), (3, 1, 6), "{report}");
    assert_eq!((report.stop, pool.try_submit(1).unwrap_err().why), (Stop::Exhausted, Refused::Closed));
    cx.assert_at(41);
}
