//! Who listens hears of each end, once: at every store of what no worker tells, and at a docket of all of it.

use super::support::*;
use serde_json::json;
use std::sync::{Arc, Mutex};
use wakeful::cancel::Scope;
use wakeful::docket::{
    AddError, Close, Cx, Docket, Ending, Entry, Event, EventKind, Excess, Existing, Gate, Limit, MemoryStore, Policy,
    Put, Registry, Store, Strike, Test, Value,
};
use wakeful::sim;
use wakeful::time::Time;

type Heard = Arc<Mutex<Vec<Event>>>;

/// What was heard since the last time: key, worker, attempt and what.
fn take(heard: &Heard) -> Vec<(String, String, u32, EventKind)> {
    let all = std::mem::take(&mut *heard.lock().unwrap());
    all.into_iter().map(|event| (event.key, event.worker, event.attempt, event.kind)).collect()
}

fn was(key: &str, worker: &str, attempt: u32, kind: EventKind) -> (String, String, u32, EventKind) {
    (key.into(), worker.into(), attempt, kind)
}

/// A scenario of the suite.
pub(super) async fn fates(store: impl Store, time: Time) {
    let heard = Heard::default();
    let (to, until) = (heard.clone(), Arc::new(()));
    let still = Arc::downgrade(&until);
    store.listen(Box::new(move |event| {
        to.lock().unwrap().push(event.clone());
        still.upgrade().is_some()
    }));
    let ended = EventKind::Ended;
    // A run's own end is told by its worker.
    store.put(entry("a")).await.unwrap();
    let run = claim_all(&store).await.remove(0);
    done(&store, &run).await;
    assert_eq!(take(&heard), []);
    // Replaced, and cancelled: queued, behind what runs, and while it was to be tried again.
    store.put(after("a", ms(50))).await.unwrap();
    let replace = |key| Entry { existing: Existing::Replace, ..entry(key) };
    let Put::Replaced(second) = store.put(replace("a")).await.unwrap() else { panic!() };
    let run = claim_all(&store).await.remove(0);
    store.put(replace("a")).await.unwrap();
    assert_eq!(take(&heard), [was("a", "", 0, ended(Ending::Replaced(second)))]);
    store.cancel("a", ms(0)).await.unwrap();
    close(&store, &run, Close::Retry(ms(1), "no".into())).await;
    assert_eq!(take(&heard), [was("a", "", 0, ended(Ending::Cancelled)), was("a", "w", 1, ended(Ending::Cancelled))]);
    // Lost, and lost for good.
    store.put(Entry { deliveries: n(2), ..entry("a") }).await.unwrap();
    for last in [EventKind::Lapsed, ended(Ending::Dead(2))] {
        claim_all(&store).await;
        time.sleep(LEASE).await;
        store.scan().await.unwrap();
        assert_eq!(take(&heard), [was("a", "w", 1, last)]);
    }
    // Dropped by a limit.
    let drops = [Gate { excess: Excess::Drop, ..gate("g", 1) }];
    store.put(gated("a", &drops)).await.unwrap();
    store.put(gated("b", &drops)).await.unwrap();
    let run = claim_all(&store).await.remove(0);
    assert_eq!(take(&heard), [was("b", "", 0, ended(Ending::Dropped("g".into())))]);
    // Struck while it waits, and as what was to come next. Whoever adds is told by the answer.
    store.put(after("b", ms(1))).await.unwrap();
    let strike = store.strike(Strike::task("t")).await.unwrap();
    time.sleep(ms(1)).await;
    assert!(claim_all(&store).await.is_empty());
    close(&store, &run, Close::End(Ending::TimedOut, Some(entry("a")))).await;
    assert_eq!(store.put(entry("c")).await, Ok(Put::Struck(strike)));
    let refused = was("a", "", 0, EventKind::Refused(strike));
    assert_eq!(take(&heard), [was("b", "", 0, ended(Ending::Struck(strike))), refused]);
    // Who says that it hears no more is told no more.
    store.restore(strike).await.unwrap();
    drop(until);
    for key in ["d", "e"] {
        store.put(entry(key)).await.unwrap();
        store.cancel(key, ms(0)).await.unwrap();
    }
    assert_eq!(take(&heard), [was("d", "", 0, ended(Ending::Cancelled))]);
}

/// Who has heard enough is not told of the rest.
pub(super) async fn listening(store: impl Store, _: Time) {
    let told = Arc::new(Mutex::new(0));
    let count = told.clone();
    store.listen(Box::new(move |_| {
        *count.lock().unwrap() += 1;
        false
    }));
    for key in ["a", "b", "c"] {
        store.put(entry(key)).await.unwrap();
    }
    assert_eq!(store.clear().await, Ok(3));
    assert_eq!(*told.lock().unwrap(), 1);
}

#[test]
fn a_docket_tells_of_what_is_struck_dropped_or_dead_too() {
    const LIMITS: Policy = Policy::new().limits(&[Limit::at_most(1).dropping()]);
    sim::check(|sim| async move {
        let run = async |_: Value, cx: Cx| {
            cx.scope().sleep(ms(200)).await;
            Ok::<_, String>(())
        };
        let registry = Registry::new().closure("t", LIMITS, run).unwrap();
        let store = MemoryStore::new(&sim.time());
        let docket = Docket::on(store.clone(), &sim.time(), registry);
        // A worker that had it has died.
        store.put(Entry { deliveries: n(1), ..Entry::new("t", "lost", Value::Null) }).await.unwrap();
        claim_all(&store).await;
        let mut events = docket.events();
        let strike = docket.strike(Strike::field("user", Test::Eq(7.into()))).await.unwrap();
        let refused = docket.raw("t", json!({ "user": 7 })).unwrap().key("refused").send().await;
        assert_eq!(refused.unwrap_err(), AddError::Struck { name: "t".into(), strike });
        sim.time().sleep(LEASE).await;
        for key in ["runs", "dropped"] {
            docket.raw("t", json!({ "user": 8 })).unwrap().key(key).send().await.unwrap();
        }
        docket.worker("w").until_finished(&Scope::new(sim.time())).await.unwrap();
        let mut expected = vec![
            was("refused", "", 0, EventKind::Refused(strike)),
            was("lost", "w", 1, EventKind::Ended(Ending::Dead(1))),
            was("dropped", "", 0, EventKind::Ended(Ending::Dropped("t at once".into()))),
            was("runs", "w", 1, EventKind::Begun),
            was("runs", "w", 1, EventKind::Ended(Ending::Done(Value::Null))),
        ];
        expected.reverse();
        while let Some(expected) = expected.pop() {
            let event = events.recv().await.unwrap();
            assert_eq!((event.key, event.worker, event.attempt, event.kind), expected);
        }
        // The store outlives the docket, and nobody waits for it.
        drop(docket);
        assert!(events.recv().await.is_err());
        store.put(entry("after")).await.unwrap();
        store.clear().await.unwrap();
    });
}
