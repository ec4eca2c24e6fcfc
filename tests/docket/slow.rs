//! Stores whose answers come late or not at all, and workers that stand still beyond their leases.

use super::support::ms;
use serde_json::json;
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::docket::{
    Answer, Cancelled, Claim, Claims, Close, Cx, Docket, Ending, Entry, EventKind, Fence, Finished, Generation, Handle,
    Limit, MemoryStore, Policy, Put, Registry, Renewal, Renewed, Row, Snapshot, State, Store, StoreError, Strike,
    StrikeId, Topic, Value, When,
};
use wakeful::sim::{Builder, Rng, Sim};
use wakeful::time::Time;

const LEASE: Duration = ms(30);
const ALL: usize = 3;

const POLICY: Policy = Policy::new()
    .timeout(ms(200))
    .deliveries(std::num::NonZeroU32::MAX)
    .limits(&[Limit::at_most(1).per("user"), Limit::at_most(ALL as u32).shared("all")]);

/// A store in memory that is far away: requests and answers take their time, and answers may be lost when all is done.
#[derive(Clone)]
struct Far {
    near: MemoryStore,
    time: Time,
    rng: Arc<Mutex<Rng>>,
    /// The latest claim of each key, and which fences have finished.
    fences: Arc<Mutex<BTreeMap<String, (Fence, bool)>>>,
    trouble: Arc<Mutex<bool>>,
    /// How long every answer takes beside that.
    late: Arc<Mutex<Duration>>,
}

impl Far {
    fn new(sim: &Sim) -> Self {
        let time = sim.time();
        let (near, rng) = (MemoryStore::new(&time), Arc::new(Mutex::new(sim.rng())));
        Self { near, time, rng, fences: Arc::default(), trouble: Arc::new(Mutex::new(true)), late: Arc::default() }
    }

    /// Mostly soon, at times beyond a lease.
    async fn way(&self) {
        let way = {
            let mut rng = self.rng.lock().unwrap();
            if !*self.trouble.lock().unwrap() {
                return;
            }
            match rng.below(12) {
                0 => rng.below(50) as u64,
                1..=4 => rng.below(6) as u64,
                _ => 0,
            }
        };
        if way > 0 {
            self.time.sleep(ms(way)).await;
        }
    }

    /// The request's way, the transition, the answer's way. What is lost is lost behind the transition or before it.
    fn ask<'a, T: Send + 'a>(
        &'a self,
        transition: impl Future<Output = Result<T, StoreError>> + Send + 'a,
    ) -> Answer<'a, T> {
        Answer::later(async move {
            let loses = |me: &Self| *me.trouble.lock().unwrap() && me.rng.lock().unwrap().below(30) == 0;
            self.way().await;
            if loses(self) {
                return Err(StoreError::Failed("the request was lost".into()));
            }
            let reply = transition.await?;
            let late = *self.late.lock().unwrap();
            if !late.is_zero() {
                self.time.sleep(late).await;
            }
            self.way().await;
            if loses(self) {
                return Err(StoreError::Failed("the answer was lost".into()));
            }
            Ok(reply)
        })
    }
}

impl Store for Far {
    fn put(&self, entry: Entry) -> Answer<'_, Put> {
        self.ask(async move { self.near.put(entry).await })
    }

    fn cancel(&self, key: &str, grace: Duration) -> Answer<'_, Cancelled> {
        let key = key.to_owned();
        self.ask(async move { self.near.cancel(&key, grace).await })
    }

    fn reschedule(&self, key: &str, due: When) -> Answer<'_, bool> {
        let key = key.to_owned();
        self.ask(async move { self.near.reschedule(&key, due).await })
    }

    fn clear(&self) -> Answer<'_, usize> {
        self.ask(async move { self.near.clear().await })
    }

    fn claim(&self, claim: &Claim) -> Answer<'_, Claims> {
        let (claim, fences) = (claim.clone(), self.fences.clone());
        self.ask(async move {
            let claims = self.near.claim(&claim).await?;
            for run in &claims.taken {
                let before = fences.lock().unwrap().insert(run.key.clone(), (run.fence, false));
                assert!(before.is_none_or(|(fence, _)| fence < run.fence), "fences rise");
            }
            Ok(claims)
        })
    }

    fn renew(&self, renewal: &Renewal) -> Answer<'_, Vec<Renewed>> {
        let (renewal, fences) = (renewal.clone(), self.fences.clone());
        self.ask(async move {
            let renewed = self.near.renew(&renewal).await?;
            for ((key, fence, _), renewed) in renewal.runs.iter().zip(&renewed) {
                let live = fences.lock().unwrap()[key] == (*fence, false);
                assert!(live || *renewed == Renewed::Lost, "a lease is prolonged for the latest claim only");
            }
            Ok(renewed)
        })
    }

    fn finish(&self, key: &str, fence: Fence, close: Close) -> Answer<'_, Finished> {
        let (key, fences) = (key.to_owned(), self.fences.clone());
        self.ask(async move {
            let finished = self.near.finish(&key, fence, close).await?;
            let mut fences = fences.lock().unwrap();
            let latest = fences.get_mut(&key).unwrap();
            let live = *latest == (fence, false);
            assert!(live || finished == Finished::Lost, "the latest claim finishes, and once");
            *latest = (latest.0, latest.1 || finished != Finished::Lost);
            Ok(finished)
        })
    }

    fn strike(&self, strike: Strike) -> Answer<'_, StrikeId> {
        self.ask(async move { self.near.strike(strike).await })
    }

    fn restore(&self, strike: StrikeId) -> Answer<'_, bool> {
        self.ask(async move { self.near.restore(strike).await })
    }

    fn look(&self, key: &str, generation: Option<Generation>) -> Answer<'_, Option<Row>> {
        let key = key.to_owned();
        self.ask(async move { self.near.look(&key, generation).await })
    }

    fn scan(&self) -> Answer<'_, Snapshot> {
        self.ask(async move { self.near.scan().await })
    }

    fn changed(&self, topic: Topic, seen: u64) -> Answer<'_, u64> {
        Answer::later(async move {
            let number = self.near.changed(topic, seen).await?;
            self.way().await;
            Ok(number)
        })
    }
}

/// Whose bodies are there at this moment.
type Live = Arc<Mutex<Vec<(String, u64)>>>;

/// A body, as long as it is there.
struct Alive(Live, (String, u64));

impl Drop for Alive {
    fn drop(&mut self) {
        let mut live = self.0.lock().unwrap();
        let at = live.iter().position(|one| *one == self.1).unwrap();
        live.remove(at);
    }
}

fn docket(sim: &Sim, far: &Far, alone: bool) -> Docket {
    let (live, rng) = (Live::default(), Arc::new(Mutex::new(sim.rng())));
    let run = move |args: Value, cx: Cx| {
        let (live, rng) = (live.clone(), rng.clone());
        async move {
            let user = args["user"].as_u64().unwrap();
            let _alive = {
                let mut all = live.lock().unwrap();
                if alone {
                    assert!(all.iter().all(|(key, _)| key != cx.key()), "two live runs of {}", cx.key());
                    assert!(all.iter().all(|(_, other)| *other != user), "over the limit of a user");
                    assert!(all.len() < ALL, "over the limit of all");
                }
                all.push((cx.key().to_owned(), user));
                Alive(live.clone(), (cx.key().to_owned(), user))
            };
            let sleep = ms(rng.lock().unwrap().below(60) as u64);
            cx.scope().sleep(sleep).await;
            Ok::<_, String>(user)
        }
    };
    Docket::on(far.clone(), &sim.time(), Registry::new().closure("t", POLICY, run).unwrap())
}

/// The same future, which nobody polls for a while now and then.
async fn stalling<F: Future>(future: F, time: Time, mut rng: Rng) -> F::Output {
    let mut future = pin!(future);
    loop {
        let mut until = Box::pin(time.sleep(ms(5 + rng.below(40) as u64)));
        let output = poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => until.as_mut().poll(cx).map(|()| None),
        });
        if let Some(output) = output.await {
            return output;
        }
        time.sleep(ms(rng.below(80) as u64)).await;
    }
}

/// Workers come anew whenever one failed; those who add try again under their keys.
async fn trouble(sim: Sim, zombies: bool) {
    let (far, time, mut rng) = (Far::new(&sim), sim.time(), sim.rng());
    let docket = docket(&sim, &far, !zombies);
    let scope = Scope::new(time.clone());
    let mut workers = Vec::new();
    for name in ["w1", "w2", "w3"] {
        let (docket, scope, time, rng) = (docket.clone(), scope.clone(), time.clone(), sim.rng());
        workers.push(sim.spawn(name, async move {
            while !scope.is_draining() {
                let worker = docket.worker(name).lease(LEASE);
                let result = if zombies && name != "w3" {
                    stalling(worker.run(&scope), time.clone(), rng.clone()).await
                } else {
                    worker.run(&scope).await
                };
                if result.is_ok() {
                    break;
                }
            }
        }));
    }
    let mut handles: Vec<Handle<Value>> = Vec::new();
    for n in 0..12 {
        let key = format!("k{}", rng.below(5));
        let add = docket.raw("t", json!({ "user": n % 4 })).unwrap().key(key.clone()).follow();
        match rng.below(6) {
            0 => drop(docket.cancel(&key, ms(5)).await),
            1 => time.sleep(ms(rng.below(50) as u64)).await,
            _ => {
                let added = loop {
                    if let Ok(added) = add.clone().send().await {
                        break added;
                    }
                };
                handles.push(added.handle);
            }
        }
        let gates = far.near.scan().await.unwrap().gates;
        assert!(gates.iter().all(|gate| gate.held <= if gate.name.starts_with("\"all\"") { ALL as u32 } else { 1 }));
    }
    // From now on the store is near.
    *far.trouble.lock().unwrap() = false;
    while !far.near.is_finished(&["t".into()]).await.unwrap() {
        let seen =
            far.near.claim(&Claim { worker: "x".into(), names: vec![], most: 0, lease: LEASE }).await.unwrap().seen;
        if !far.near.is_finished(&["t".into()]).await.unwrap() {
            far.near.changed(Topic::Work, seen).await.unwrap();
        }
    }
    scope.cancel_with_grace("enough", ms(10));
    for worker in workers {
        let _ = worker.await;
    }
    let snapshot = far.near.scan().await.unwrap();
    assert!(snapshot.gates.is_empty(), "the places of all who stood still are free");
    for handle in handles {
        let row = snapshot.rows.iter().find(|row| row.generation == handle.generation()).expect("ends are kept");
        let State::Ended(ending) = &row.state else { panic!("{row:?} has not ended") };
        assert!(matches!(ending, Ending::Done(_) | Ending::Cancelled | Ending::TimedOut), "{row:?}");
    }
    assert_eq!(time.pending(), 0);
}

#[test]
fn every_key_runs_alone_however_late_the_store_answers() {
    Builder::new().runs(100).check(|sim| trouble(sim, false));
}

#[test]
fn every_run_that_comes_back_after_its_lease_is_refused() {
    Builder::new().runs(100).check(|sim| trouble(sim, true));
}

/// What a worker whose lease is 30 ms tells of a run, and when, if answers are so late until an instant, or from then on.
async fn told(sim: Sim, late: Duration, is_late: fn(u64) -> bool, switch: Duration) -> Vec<(u64, EventKind)> {
    let (far, time) = (Far::new(&sim), sim.time());
    *far.trouble.lock().unwrap() = false;
    let run = async |(): (), cx: Cx| {
        cx.scope().sleep(ms(100)).await;
        Ok::<_, String>(())
    };
    let docket = Docket::on(far.clone(), &time, Registry::new().closure("t", Policy::new(), run).unwrap());
    docket.raw("t", ()).unwrap().send().await.unwrap();
    let events = Arc::new(Mutex::new(Vec::new()));
    let (note, at) = (events.clone(), time.clone());
    let listen = move |event: &wakeful::docket::Event| {
        note.lock().unwrap().push((at.now().as_nanos() / 1_000_000, event.kind.clone()));
    };
    let scope = Scope::new(time.clone());
    let (worker, stop) = (docket.worker("w").lease(LEASE).listen(listen), scope.clone());
    let set = |now: Duration| *far.late.lock().unwrap() = if is_late(now.as_millis() as u64) { late } else { ms(0) };
    set(ms(0));
    let working = sim.spawn("worker", async move { worker.run(&stop).await });
    time.sleep(switch).await;
    set(switch);
    time.sleep(ms(60) - switch).await;
    scope.cancel("enough");
    let _ = working.await;
    events.lock().unwrap().clone()
}

#[test]
fn a_run_ends_a_tenth_of_the_lease_before_it_is_over_if_the_store_is_silent() {
    wakeful::sim::check(|sim| async move {
        // It is renewed at 10 ms, and nothing is heard of it.
        let told = told(sim, ms(1_000), |now| now > 0, ms(5)).await;
        assert_eq!(told, [(0, EventKind::Begun), (27, EventKind::Lost)]);
    });
}

#[test]
fn a_claim_whose_answer_comes_late_leaves_what_is_left_of_the_lease() {
    wakeful::sim::check(|sim| async move {
        let told = told(sim, ms(25), |_| true, ms(5)).await;
        assert_eq!(told[..2], [(25, EventKind::Begun), (27, EventKind::Lost)]);
    });
}

#[test]
fn a_claim_whose_answer_comes_after_the_lease_is_given_back() {
    wakeful::sim::check(|sim| async move {
        let told = told(sim, ms(28), |now| now < 40, ms(40)).await;
        assert_eq!(told, [(56, EventKind::Begun)]);
    });
}

#[test]
fn a_lease_of_no_time_is_one_of_a_millisecond() {
    wakeful::sim::check(|sim| async move {
        let registry = Registry::new().closure("sleep", Policy::new(), async |_: Value, cx: Cx| {
            cx.scope().sleep(ms(5)).await;
            Ok::<_, String>(())
        });
        let docket = Docket::new(&sim.time(), registry.unwrap());
        let added = docket.raw("sleep", json!({})).unwrap().send().await.unwrap();
        docket.worker("w").lease(Duration::ZERO).until_finished(&Scope::new(sim.time())).await.unwrap();
        assert!(added.handle.result().await.is_ok());
        assert_eq!(sim.now().as_nanos(), 5_000_000);
    });
}
