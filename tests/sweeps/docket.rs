//! The docket: who waits for news of a store and is dropped takes nothing from the others who wait.

use crate::ms;
use serde_json::json;
use std::future::Future;
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::docket::{
    Agenda, Answer, Cancelled, Claim, Claims, Close, Cx, Docket, Entry, Fence, Finished, Generation, MemoryStore,
    NoResult, Policy, Put, Registry, Renewal, Renewed, Row, Scatter, Snapshot, Store, Strike, StrikeId, Topic, Value,
    When, Worker, WorkerError,
};
use wakeful::sim::Sim;
use wakeful::time::Time;

crate::sweeps! {
    "docket::Answer" => news,
    "docket::Add::send" => send,
    "docket::Docket::add_all" => add_all,
    "docket::Docket::gate_usage" => gate_usage,
    "docket::Agenda::scatter" => scatter,
    "docket::Handle::result" => result,
    "docket::Handle::result_within" => result_within,
    "docket::Cx::progress" => progress,
    "docket::Worker::run" => worked,
    "docket::Worker::until_finished" => until_finished,
    "docket::Worker::drain" => drained,
}

async fn news(sim: Sim) {
    let store = MemoryStore::new(&sim.time());
    let entry = |key: &str| Entry { due: When::In(ms(1_000)), ..Entry::new("t", key, json!(null)) };
    let Ok(Put::Added(first)) = store.put(entry("a")).await else { panic!("it is the first") };
    assert_eq!(first, Generation(1));
    let (theirs, mine) = (store.clone(), store.clone());
    let other = sim.spawn("other", async move {
        theirs.changed(Topic::End(first), 0).await.unwrap();
        theirs.changed(Topic::Work, 2).await.unwrap()
    });
    let actor = sim.spawn("actor", async move {
        // The second news: of this name there is nothing more.
        mine.cancel("a", ms(0)).await.unwrap();
        mine.put(entry("b")).await.unwrap();
    });
    let swept = async {
        store.changed(Topic::End(first), 0).await.unwrap();
        store.changed(Topic::Work, 2).await.unwrap()
    };
    if let Some(number) = sim.cancel_at_each(swept).await {
        assert_eq!(number, 3);
    }
    actor.await;
    assert_eq!(other.await, 3);
}

/// A docket whose one task sleeps for so many milliseconds; three deliveries are allowed.
fn sleepers(sim: &Sim) -> Docket {
    let run = async |n: u64, cx: Cx| {
        cx.scope().sleep(ms(n)).await;
        cx.progress(n).await.map_err(|error| error.to_string())?;
        Ok::<_, String>(n)
    };
    let store = Slow(MemoryStore::new(&sim.time()), sim.time());
    Docket::on(store, &sim.time(), Registry::new().closure("sleep", Policy::new(), run).unwrap())
}

async fn send(sim: Sim) {
    let docket = sleepers(&sim);
    let add = |n: u64| docket.raw("sleep", n).unwrap().key("k");
    let mine = sim.cancel_at_each(add(1).send()).await.map(|added| added.unwrap().handle.generation());
    let theirs = add(2).send().await.unwrap();
    assert!(mine.is_none_or(|mine| mine == theirs.handle.generation()));
    assert_eq!(docket.snapshot().await.unwrap().rows.len(), 1, "one of a key");
}

async fn add_all(sim: Sim) {
    let docket = sleepers(&sim);
    let adds = || [2u64, 1, 3].map(|n| docket.raw("sleep", n).unwrap().key(n.to_string()));
    let mine = sim.cancel_at_each(docket.add_all(adds())).await;
    let rows = docket.snapshot().await.unwrap().rows;
    assert!(rows.iter().map(|row| row.key.as_str()).eq(["2", "1", "3"].into_iter().take(rows.len())), "the first ones");
    assert!(mine.is_none_or(|mine| mine.iter().all(Result::is_ok) && rows.len() == 3));
    assert!(docket.add_all(adds()).await.iter().all(Result::is_ok));
    assert_eq!(docket.snapshot().await.unwrap().rows.len(), 3, "one of each key");
}

async fn gate_usage(sim: Sim) {
    let docket = sleepers(&sim);
    if let Some(usage) = sim.cancel_at_each(docket.gate_usage("sleep", 1u64)).await {
        assert_eq!(usage, Ok(vec![]));
    }
}

async fn scatter(sim: Sim) {
    let docket = sleepers(&sim);
    let mut agenda = Agenda::new();
    for n in [2u64, 1, 3] {
        agenda.raw("sleep", n).unwrap();
    }
    let added = sim.cancel_at_each(agenda.scatter(&docket, Scatter::over(ms(8)))).await;
    let rows = docket.snapshot().await.unwrap().rows;
    assert!(
        rows.iter().map(|row| &row.args).eq([2u64, 1, 3].map(Value::from).iter().take(rows.len())),
        "the first ones"
    );
    assert!(added.is_none_or(|added| added.unwrap().len() == 3 && rows.len() == 3));
}

async fn result(sim: Sim) {
    let docket = sleepers(&sim);
    let handle = docket.raw("sleep", 2u64).unwrap().send().await.unwrap().handle;
    let (theirs, working, scope) = (handle.clone(), docket.clone(), Scope::new(sim.time()));
    let other = sim.spawn("other", async move { theirs.result().await });
    let worker = sim.spawn("worker", async move { working.worker("w").until_finished(&scope).await });
    if let Some(result) = sim.cancel_at_each(handle.result()).await {
        assert_eq!(result, Ok(2.into()));
    }
    assert_eq!((other.await, worker.await), (Ok(2.into()), Ok(())));
}

async fn result_within(sim: Sim) {
    let docket = sleepers(&sim);
    let handle = docket.raw("sleep", 5u64).unwrap().send().await.unwrap().handle;
    let (working, scope) = (docket.clone(), Scope::new(sim.time()));
    let worker = sim.spawn("worker", async move { working.worker("w").until_finished(&scope).await });
    if let Some(result) = sim.cancel_at_each(handle.result_within(ms(2))).await {
        assert_eq!(result, Err(NoResult::NotYet));
    }
    assert_eq!((handle.result_within(ms(50)).await, worker.await), (Ok(5.into()), Ok(())));
    assert_eq!(sim.time().pending(), 0);
}

async fn progress(sim: Sim) {
    let store = Slow(MemoryStore::new(&sim.time()), sim.time());
    let docket = Docket::on(store, &sim.time(), {
        let sim = sim.clone();
        let run = move |_: u64, cx: Cx| {
            let sim = sim.clone();
            async move { Ok::<_, String>(sim.cancel_at_each(cx.progress(1)).await.is_some()) }
        };
        Registry::new().closure("tell", Policy::new(), run).unwrap()
    });
    let handle = docket.raw("tell", 0u64).unwrap().send().await.unwrap().handle;
    docket.worker("w").until_finished(&Scope::new(sim.time())).await.unwrap();
    let told = handle.row().await.unwrap().unwrap().progress;
    assert!(handle.result().await != Ok(true.into()) || told == Some(1.into()));
}

/// Whatever a dropped worker leaves, another one ends, each task once.
async fn dropped<F: Future<Output = Result<(), WorkerError>>>(sim: Sim, work: impl FnOnce(Worker, Scope) -> F) {
    let docket = sleepers(&sim);
    let mut handles = Vec::new();
    for n in [2u64, 1] {
        handles.push(docket.raw("sleep", n).unwrap().after(ms(n)).send().await.unwrap().handle);
    }
    let scope = Scope::new(sim.time());
    let stop = scope.clone();
    let stopper = sim.spawn("stopper", async move {
        stop.sleep(ms(5)).await;
        stop.cancel_with_grace("enough", ms(3));
    });
    let worker = docket.worker("w").lease(ms(30));
    let _ = sim.cancel_at_each(work(worker, scope)).await;
    docket.worker("w2").until_finished(&Scope::new(sim.time())).await.unwrap();
    for (handle, n) in handles.iter().zip([2u64, 1]) {
        assert_eq!(handle.result().await, Ok(n.into()));
    }
    stopper.await;
    assert_eq!(sim.time().pending(), 0);
}

async fn worked(sim: Sim) {
    dropped(sim, |worker, scope| async move { worker.run(&scope).await }).await;
}

async fn until_finished(sim: Sim) {
    dropped(sim, |worker, scope| async move { worker.until_finished(&scope).await }).await;
}

async fn drained(sim: Sim) {
    dropped(sim, |worker, scope| async move { worker.drain(&scope).await }).await;
}

/// A store whose answers take a while.
struct Slow(MemoryStore, Time);

impl Slow {
    async fn pause(&self) {
        self.1.sleep(Duration::from_micros(10)).await;
    }
}

impl Store for Slow {
    fn put(&self, entry: Entry) -> Answer<'_, Put> {
        Answer::later(async move {
            self.pause().await;
            self.0.put(entry).await
        })
    }

    fn cancel(&self, key: &str, grace: Duration) -> Answer<'_, Cancelled> {
        self.0.cancel(key, grace)
    }

    fn reschedule(&self, key: &str, due: When) -> Answer<'_, bool> {
        self.0.reschedule(key, due)
    }

    fn clear(&self) -> Answer<'_, usize> {
        self.0.clear()
    }

    fn claim(&self, claim: &Claim) -> Answer<'_, Claims> {
        let claim = claim.clone();
        Answer::later(async move {
            self.pause().await;
            let claims = self.0.claim(&claim).await;
            self.pause().await;
            claims
        })
    }

    fn renew(&self, renewal: &Renewal) -> Answer<'_, Vec<Renewed>> {
        let renewal = renewal.clone();
        Answer::later(async move {
            self.pause().await;
            self.0.renew(&renewal).await
        })
    }

    fn finish(&self, key: &str, fence: Fence, close: Close) -> Answer<'_, Finished> {
        let key = key.to_owned();
        Answer::later(async move {
            self.pause().await;
            let finished = self.0.finish(&key, fence, close).await;
            self.pause().await;
            finished
        })
    }

    fn strike(&self, strike: Strike) -> Answer<'_, StrikeId> {
        self.0.strike(strike)
    }

    fn restore(&self, strike: StrikeId) -> Answer<'_, bool> {
        self.0.restore(strike)
    }

    fn look(&self, key: &str, generation: Option<Generation>) -> Answer<'_, Option<Row>> {
        self.0.look(key, generation)
    }

    fn scan(&self) -> Answer<'_, Snapshot> {
        Answer::later(async move {
            self.pause().await;
            self.0.scan().await
        })
    }

    fn changed(&self, topic: Topic, seen: u64) -> Answer<'_, u64> {
        self.0.changed(topic, seen)
    }
}
