//! Workers that crash, stores that stall, tasks that are cancelled and struck at random.

use super::support::ms;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use wakeful::cancel::Scope;
use wakeful::docket::{
    Cx, Docket, Ending, Generation, Handle, Limit, MemoryStore, Policy, Registry, State, Store, Strike, Test, Value,
    Worker,
};
use wakeful::resilience::{Constant, Schedule};
use wakeful::sim::{Builder, Rng, Sim};

const MOST: usize = 2;

const POLICY: Policy = Policy::new()
    .retry(|error, seed| Constant::new(ms(3)).up_to(2).delays(seed).nth(error))
    .timeout(ms(40))
    .limits(&[Limit::at_most(MOST as u32).per("user"), Limit::at_most(3).shared("all")]);

/// What runs are there at this moment, and how often each attempt has begun.
#[derive(Default)]
struct Runs {
    keys: Vec<String>,
    users: Vec<u64>,
    begun: BTreeMap<(Generation, u32), u32>,
    ended: u32,
}

/// A run, as long as its body is there.
struct Alive(Arc<Mutex<Runs>>, String, u64);

impl Alive {
    fn begin(runs: &Arc<Mutex<Runs>>, user: u64, cx: &Cx) -> Self {
        let mut all = runs.lock().unwrap();
        assert!(!all.keys.iter().any(|key| key == cx.key()), "two live runs of a key");
        all.keys.push(cx.key().into());
        all.users.push(user);
        assert!(all.users.iter().filter(|other| **other == user).count() <= MOST, "over the limit of a user");
        assert!(all.users.len() <= 3, "over the limit of all");
        let begun = all.begun.entry((cx.generation(), cx.attempt())).or_default();
        *begun += 1;
        assert!(*begun <= cx.delivery(), "a lost run is counted");
        assert!(*begun <= POLICY.deliveries.get(), "at least once, and no more often than is allowed");
        drop(all);
        Self(runs.clone(), cx.key().into(), user)
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        let mut all = self.0.lock().unwrap();
        let key = all.keys.iter().position(|key| *key == self.1).unwrap();
        all.keys.remove(key);
        let user = all.users.iter().position(|user| *user == self.2).unwrap();
        all.users.remove(user);
        all.ended += 1;
    }
}

fn docket(sim: &Sim, runs: &Arc<Mutex<Runs>>, store: impl Store) -> Docket {
    let (runs, rng) = (runs.clone(), Arc::new(Mutex::new(sim.rng())));
    let run = move |args: Value, cx: Cx| {
        let (runs, rng) = (runs.clone(), rng.clone());
        async move {
            let user = args["user"].as_u64().unwrap();
            let _alive = Alive::begin(&runs, user, &cx);
            let (sleep, how) = {
                let mut rng = rng.lock().unwrap();
                (ms(rng.below(25) as u64), rng.below(6))
            };
            cx.scope().sleep(sleep).await;
            match how {
                0 => Err("bad"),
                1 => panic!("worse"),
                _ => Ok(user),
            }
        }
    };
    Docket::on(store, &sim.time(), Registry::new().closure("t", POLICY, run).unwrap())
}

pub(crate) async fn chaos(sim: Sim, store: impl Store) {
    let runs = Arc::new(Mutex::new(Runs::default()));
    let (docket, mut rng, time) = (docket(&sim, &runs, store), sim.rng(), sim.time());
    let (mut handles, mut strikes, mut workers) = (Vec::new(), Vec::new(), Vec::new());
    for step in 0..60 {
        match rng.below(10) {
            0..=4 => handles.extend(add(&docket, &mut rng).await),
            5 => {
                let key = format!("k{}", rng.below(6));
                docket.cancel(&key, ms(rng.below(2) as u64 * 5)).await.unwrap();
            }
            6 => match strikes.pop() {
                Some(strike) if rng.below(2) == 0 => assert_eq!(docket.restore(strike).await, Ok(true)),
                strike => {
                    strikes.extend(strike);
                    let strike = Strike::field("user", Test::Eq((rng.below(2) as u64).into()));
                    strikes.push(docket.strike(strike).await.unwrap());
                }
            },
            7 => {
                // A worker comes, as long as there are not too many.
                if workers.len() < 3 {
                    let scope = Scope::new(time.clone());
                    let worker: Worker = docket.worker(&format!("w{step}")).lease(ms(30));
                    let at_work = scope.clone();
                    let task = sim.spawn("worker", async move { worker.run(&at_work).await });
                    workers.push((scope, task));
                }
            }
            8 => {
                // One crashes: nothing more is heard of it.
                if !workers.is_empty() {
                    let (scope, task) = workers.remove(rng.below(workers.len()));
                    scope.cancel("crash");
                    let _ = task.await;
                }
            }
            _ => time.sleep(ms(rng.below(20) as u64)).await,
        }
    }
    for (scope, task) in workers {
        scope.cancel_with_grace("enough", ms(10));
        let _ = task.await;
    }
    for strike in strikes {
        docket.restore(strike).await.unwrap();
    }
    docket.worker("last").until_finished(&Scope::new(time.clone())).await.unwrap();
    let runs = std::mem::take(&mut *runs.lock().unwrap());
    account(&docket, &handles, &runs).await;
    assert_eq!(time.pending(), 0);
}

async fn add(docket: &Docket, rng: &mut Rng) -> Option<Handle<Value>> {
    let mut add = docket.raw("t", json!({ "user": rng.below(3) })).unwrap().after(ms(rng.below(3) as u64 * 10));
    if rng.below(3) > 0 {
        add = add.key(format!("k{}", rng.below(6)));
    }
    add = match rng.below(4) {
        0 => add.replace(),
        1 => add.follow(),
        2 => add.priority(1),
        _ => add,
    };
    // It may be struck.
    add.send().await.ok().map(|added| added.handle)
}

/// Every task that was added has ended, in one way, and those that are done have run.
async fn account(docket: &Docket, handles: &[Handle<Value>], runs: &Runs) {
    assert!(runs.keys.is_empty());
    let snapshot = docket.snapshot().await.unwrap();
    assert!(snapshot.gates.is_empty(), "nothing is held");
    for handle in handles {
        let row = snapshot.rows.iter().find(|row| row.generation == handle.generation()).expect("ends are kept");
        let State::Ended(ending) = &row.state else { panic!("{row:?} has not ended") };
        let begun = |attempt| runs.begun.get(&(row.generation, attempt)).copied().unwrap_or(0);
        match ending {
            Ending::Done(_) | Ending::Failed(_) | Ending::Panicked(_) | Ending::TimedOut => {
                assert_eq!(row.attempts, (1..).take_while(|attempt| begun(*attempt) > 0).count() as u32, "{row:?}");
            }
            Ending::Dead(deliveries) => {
                assert!(begun(row.attempts) <= *deliveries && *deliveries == POLICY.deliveries.get());
            }
            Ending::Replaced(_) | Ending::Struck(_) | Ending::Cancelled => {}
            Ending::Dropped(_) => panic!("no limit drops"),
        }
    }
}

#[test]
fn every_task_ends_once_whoever_crashes() {
    let summary = Builder::new().runs(250).check(|sim| {
        let store = MemoryStore::new(&sim.time());
        chaos(sim, store)
    });
    assert!(summary.runs >= 250);
}
