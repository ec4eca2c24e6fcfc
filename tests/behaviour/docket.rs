//! Scheduled tasks, on each store.

use crate::support::{Cx, Log, Spawner, ms};
use std::sync::Arc;
use wakeful::cancel::Scope;
use wakeful::docket::{Cancelled, Docket, Ending, Limit, NoResult, Policy, Registry, State, Store, Value};

/// Tasks that sleep for as many milliseconds as they say, one at a time for each number.
const ONE_OF_EACH: Policy = Policy::new().limits(&[Limit::at_most(1).per("ms")]);

fn sleepers(cx: &Cx<impl Spawner>, store: impl Store) -> (Docket, Arc<Log<u64>>) {
    let log = Arc::new(Log::new());
    let note = log.clone();
    let run = move |args: Value, run: wakeful::docket::Cx| {
        let note = note.clone();
        async move {
            let n = args["ms"].as_u64().unwrap();
            note.add(n);
            run.scope().sleep(ms(n)).await;
            match n {
                3 => Err("as it was asked to"),
                4 => panic!("as it was asked to"),
                _ => Ok(n),
            }
        }
    };
    let registry = Registry::new().closure("sleep", ONE_OF_EACH, run).unwrap();
    (Docket::on(store, &cx.time, registry), log)
}

fn args(n: u64) -> Value {
    [("ms", n)].into_iter().map(|(field, n)| (field.to_owned(), Value::from(n))).collect()
}

async fn tasks_run_when_they_are_due_and_end_in_one_way(cx: Cx<impl Spawner>, store: impl Store) {
    let (docket, log) = sleepers(&cx, store);
    // At one instant, as what they are due after counts from there.
    let adds = [2, 3, 4].map(|n| docket.raw("sleep", args(n)).unwrap().after(ms(100 - 20 * n)));
    let handles: Vec<_> = docket.add_all(adds).await.into_iter().map(|added| added.unwrap().handle).collect();
    docket.worker("w").until_finished(&cx.scope()).await.unwrap();
    assert_eq!(log.entries(), [4, 3, 2], "as they were due");
    assert_eq!(handles[0].result().await, Ok(2.into()));
    let failed = Ending::Failed("as it was asked to".into());
    assert_eq!(handles[1].result().await, Err(NoResult::Ended(failed)));
    let panicked = Ending::Panicked("as it was asked to".into());
    assert_eq!(handles[2].result().await, Err(NoResult::Ended(panicked)));
    cx.assert_at(62);
}

async fn workers_share_a_docket_and_its_limits(cx: Cx<impl Spawner>, store: impl Store) {
    let (docket, log) = sleepers(&cx, store);
    let mut handles = Vec::new();
    for _ in 0..4 {
        for n in [10, 11] {
            handles.push(docket.raw("sleep", args(n)).unwrap().send().await.unwrap().handle);
        }
    }
    let working = |name: &'static str| {
        let (worker, scope) = (docket.worker(name), cx.scope());
        cx.spawn(name, async move { worker.until_finished(&scope).await })
    };
    let (one, two) = (working("one"), working("two"));
    for handle in &handles {
        handle.result().await.unwrap();
    }
    one.await.unwrap();
    two.await.unwrap();
    cx.assert_at(44);
    assert_eq!(log.entries().len(), 8, "each once");
}

async fn what_a_worker_leaves_another_takes_up(cx: Cx<impl Spawner>, store: impl Store) {
    let (docket, log) = sleepers(&cx, store);
    // It is cut short before it is over, however late this is polled.
    let millis = cx.soon().max(20);
    let handle = docket.raw("sleep", args(millis)).unwrap().send().await.unwrap().handle;
    let (scope, worker) = (cx.scope(), docket.worker("one").lease(ms(60)));
    let stop: Scope = scope.clone();
    let one = cx.spawn("one", async move { worker.run(&scope).await });
    while log.entries().is_empty() {
        cx.sleep(1).await;
    }
    stop.cancel("enough");
    assert!(one.await.is_err());
    assert!(matches!(handle.row().await.unwrap().unwrap().state, State::Running { .. }));
    docket.worker("two").until_finished(&cx.scope()).await.unwrap();
    assert_eq!((handle.result().await, log.entries()), (Ok(millis.into()), vec![millis, millis]));
}

async fn a_run_that_is_cancelled_ends_at_once(cx: Cx<impl Spawner>, store: impl Store) {
    let (docket, log) = sleepers(&cx, store);
    let handle = docket.raw("sleep", args(100_000)).unwrap().key("k").send().await.unwrap().handle;
    let (worker, scope) = (docket.worker("w"), cx.scope());
    let working = cx.spawn("w", async move { worker.until_finished(&scope).await });
    while log.entries().is_empty() {
        cx.sleep(1).await;
    }
    assert!(matches!(docket.cancel("k", ms(0)).await, Ok(Cancelled::Running(_))));
    assert_eq!(handle.result().await, Err(NoResult::Ended(Ending::Cancelled)));
    working.await.unwrap();
}

macro_rules! on_each_store {
    ($($scenario:ident)*) => {
        pub(crate) mod docket_memory {
            use crate::support::{Cx, Spawner};
            use wakeful::docket::MemoryStore;

            $(pub(crate) async fn $scenario(cx: Cx<impl Spawner>) {
                let store = MemoryStore::new(&cx.time);
                super::$scenario(cx, store).await;
            })*
        }

        /// With its calls inline.
        #[cfg(feature = "sqlite")]
        pub(crate) mod docket_sqlite {
            use crate::support::{Cx, Spawner};
            use std::time::Duration;
            use wakeful::docket::SqliteStore;
            use wakeful::spawn::Job;
            use wakeful::time::{Instant, Time, Wall};

            /// Unix time that is the test's.
            struct OfTest(Time);

            impl Wall for OfTest {
                fn unix(&self) -> Duration {
                    self.0.now() - Instant::EPOCH
                }
            }

            $(pub(crate) async fn $scenario(cx: Cx<impl Spawner>) {
                let builder = SqliteStore::builder(&cx.time, OfTest(cx.time.clone()), |job: Job| job.run());
                super::$scenario(cx, builder.in_memory().unwrap()).await;
            })*
        }

        on_every_runtime! { docket_memory { $($scenario)* } }

        #[cfg(feature = "sqlite")]
        mod sqlite {
            on_every_runtime! { docket_sqlite { $($scenario)* } }
        }
    };
}

on_each_store! {
    tasks_run_when_they_are_due_and_end_in_one_way
    workers_share_a_docket_and_its_limits
    what_a_worker_leaves_another_takes_up
    a_run_that_is_cancelled_ends_at_once
}
