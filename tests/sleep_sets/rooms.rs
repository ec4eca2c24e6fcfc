//! What the rooms above share: looked at and changed by tasks that share nothing else.

use super::as_the_plain_search;
use std::fmt::Debug;
use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::docket::{Claim, Close, Ending, Entry, MemoryStore, Store};
use wakeful::sim::Sim;
use wakeful::time::Wall;
use wakeful::work::{Manage, ResourcePool, periodic};

type Said = Pin<Box<dyn Future<Output = String> + Send>>;

/// Says what comes of it.
fn said<R: Debug>(does: impl Future<Output = R> + Send + 'static) -> Said {
    Box::pin(async { format!("{:?}", does.await) })
}

/// Has each of these done by a task of its own, and gives what came of them.
async fn each(sim: Sim, all: impl IntoIterator<Item = Said>) -> Vec<String> {
    let log = Arc::new(Mutex::new(Vec::new()));
    for (who, does) in all.into_iter().enumerate() {
        let log = log.clone();
        sim.tracked().spawn("does", async move {
            let said = does.await;
            log.lock().unwrap().push((who, said));
        });
    }
    sim.idle().await;
    // Not in which order they came to their ends, which is nothing that they share.
    let mut log = log.lock().unwrap().clone();
    log.sort();
    log.into_iter().map(|(_, said)| said).collect()
}

struct Count;

impl Manage for Count {
    type Object = u8;
    type Error = ();

    async fn create(&self) -> Result<u8, ()> {
        Ok(0)
    }
}

#[test]
fn a_pool_of_resources_shows_all_outcomes_of_the_plain_search() {
    as_the_plain_search(async |sim: Sim| {
        let pool = ResourcePool::builder(&sim.time(), Count).max_size(NonZeroUsize::new(2).unwrap()).build();
        let [uses, reads, resizes] = [(); 3].map(|()| pool.clone());
        let uses = async move { uses.get().await.map(|mut count| std::mem::replace(&mut *count, 1)).ok() };
        let reads = async move { (reads.status(), reads.count()) };
        let discards = async move { pool.get().await.map(|count| count.discard()).ok() };
        let resizes = async move { resizes.resize(NonZeroUsize::MIN) };
        each(sim, [said(uses), said(reads), said(discards), said(resizes)]).await
    });
}

#[test]
fn a_store_shows_all_outcomes_of_the_plain_search() {
    as_the_plain_search(async |sim: Sim| {
        let store = MemoryStore::new(&sim.time());
        let [puts, cancels, looks] = [(); 3].map(|()| store.clone());
        let entry = || Entry { keep: Duration::MAX, ..Entry::new("task", "key", 1.into()) };
        let puts = async move { puts.put(entry()).await };
        let claims = async move {
            let lease = Duration::from_secs(1);
            let claim = Claim { worker: "worker".into(), names: vec!["task".into()], most: 1, lease };
            let taken = store.claim(&claim).await.unwrap().taken;
            for run in &taken {
                store.finish(&run.key, run.fence, Close::End(Ending::TimedOut, None)).await.unwrap();
            }
            taken.len()
        };
        let cancels = async move { cancels.cancel("key", Duration::ZERO).await };
        let looks = async move { looks.look("key", None).await.unwrap().map(|row| row.state) };
        each(sim, [said(puts), said(claims), said(cancels), said(looks)]).await
    });
}

#[test]
fn a_run_and_who_watches_it_show_all_outcomes_of_the_plain_search() {
    as_the_plain_search(async |sim: Sim| {
        let scope = Scope::new(sim.time());
        let run = periodic(Duration::from_secs(1), |_| async { Ok::<_, ()>(()) });
        let [counts, stops] = [(); 2].map(|()| run.control());
        let run = async move { run.run(&scope).await.count };
        each(sim, [said(run), said(async move { counts.count() }), said(async move { stops.stop() })]).await
    });
}

#[test]
fn to_set_the_calendar_of_a_node_does_not_commute_with_reading_it() {
    let (few, all) = as_the_plain_search(async |sim: Sim| {
        let (node, other) = (sim.node("node"), sim.clone());
        let wall = node.wall();
        let sets = async move { node.set_wall(Duration::from_secs(7)) };
        let apart = async move { other.random() };
        each(sim, [said(sets), said(async move { wall.unix() }), said(apart)]).await
    });
    assert!(few < all, "{few} of {all}");
}
