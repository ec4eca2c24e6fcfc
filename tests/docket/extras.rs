//! What stands around a docket: many adds at once, events, limits and what is in use, results with a bound, what comes along.

use super::support::ms;
use futures::StreamExt;
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::docket::{
    AddError, Cx, Docket, Ending, EventKind, Fail, Limit, NoResult, Policy, Put, Registry, Sleep, State, StoreError,
    Strike, Trace, Value, When,
};
use wakeful::flow::topic::RecvError;
use wakeful::sim::{self, Sim};

/// A docket whose task `t` sleeps for so many milliseconds.
fn docket(sim: &Sim, policy: Policy) -> Docket {
    let run = async |n: u64, cx: Cx| {
        cx.scope().sleep(ms(n)).await;
        Ok::<_, String>(n)
    };
    Docket::new(&sim.time(), Registry::new().closure("t", policy, run).unwrap().builtins().unwrap())
}

async fn finish(docket: &Docket, sim: &Sim) {
    docket.worker("w").until_finished(&Scope::new(sim.time())).await.unwrap();
}

#[test]
fn many_adds_say_of_each_what_became_of_it() {
    sim::check(|sim| async move {
        let docket = docket(&sim, Policy::new());
        let strike = docket.strike(Strike::task("sleep")).await.unwrap();
        let there = docket.raw("t", 1).unwrap().key("there").send().await.unwrap().handle;
        let add = |name, args: Value| docket.raw(name, args).unwrap();
        let added = docket.add_all([
            add("t", json!(2)).key("new").after(ms(5)),
            add("t", json!(3)).key("there"),
            add("sleep", json!({ "millis": 1 })),
            add("t", json!(4)),
            add("t", json!(5)).key("gone").replace_if(there.generation()),
        ]);
        let added = added.await;
        let puts: Vec<_> =
            added.iter().map(|added| added.as_ref().map(|added| added.put).map_err(Clone::clone)).collect();
        let struck = AddError::Struck { name: "sleep".into(), strike };
        let exists = Put::Exists { generation: there.generation(), running: false };
        assert!(matches!((&puts[0], &puts[3]), (Ok(Put::Added(_)), Ok(Put::Added(_)))), "{puts:?}");
        assert_eq!(puts[1..3], [Ok(exists), Err(struck)]);
        assert_eq!(puts[4], Err(AddError::Gone { key: "gone".into() }));
        finish(&docket, &sim).await;
        assert_eq!(sim.now().as_nanos(), 7_000_000);
        assert_eq!(added[3].as_ref().unwrap().handle.result().await, Ok(4.into()), "under the key that was made up");
    });
}

#[test]
fn a_batch_that_a_store_in_memory_can_not_take_is_not_taken_at_all() {
    sim::run(|sim| async move {
        let docket = docket(&sim, Policy::new());
        let add = |n| docket.raw("t", n).unwrap();
        let added = docket.add_all([add(1), add(2).at(Duration::ZERO), add(3)]).await;
        assert_eq!(added.len(), 3);
        assert!(added.iter().all(|added| matches!(added, Err(AddError::Store(StoreError::NoWall)))), "{added:?}");
        assert!(docket.snapshot().await.unwrap().rows.is_empty());
    });
}

#[test]
fn events_of_all_workers_come_as_a_stream_and_who_is_slow_is_told_what_it_missed() {
    sim::check(|sim| async move {
        let docket = docket(&sim, Policy::new().retry(|error, _| (error == 0).then_some(ms(2))));
        let (events, mut slow) = (docket.events().into_stream(), docket.events());
        docket.raw("t", 1).unwrap().key("a").send().await.unwrap();
        docket.add(&Fail::with("no")).unwrap().key("b").send().await.unwrap();
        let scope = Scope::new(sim.time());
        let (one, two) = (docket.worker("one"), docket.worker("two"));
        let (one, two) = futures::join!(one.until_finished(&scope), two.until_finished(&scope));
        assert_eq!((one, two), (Ok(()), Ok(())));
        for n in 0..Docket::EVENTS.get() as u64 {
            docket.raw("t", 0).unwrap().key(n.to_string()).send().await.unwrap();
        }
        finish(&docket, &sim).await;
        let missed = slow.recv().await.unwrap_err();
        assert!(matches!(missed, RecvError::Missed(_)), "{missed:?}");
        drop(docket);
        let first: Vec<_> = events.take(1).collect().await;
        assert!(first[0].is_err(), "it missed some as well");
    });
    sim::check(|sim| async move {
        let docket = docket(&sim, Policy::new());
        let events = docket.events();
        docket.raw("t", 1).unwrap().key("a").send().await.unwrap();
        docket.add(&Fail::with("no")).unwrap().key("b").after(ms(5)).send().await.unwrap();
        finish(&docket, &sim).await;
        drop(docket);
        let all: Vec<_> = events.into_stream().map(|event| event.unwrap()).collect().await;
        let all: Vec<_> = all.iter().map(|event| (event.key.as_str(), event.worker.as_str(), &event.kind)).collect();
        let (done, failed) = (EventKind::Ended(Ending::Done(1.into())), EventKind::Ended(Ending::Failed("no".into())));
        let begun = EventKind::Begun;
        assert_eq!(all, [("a", "w", &begun), ("a", "w", &done), ("b", "w", &begun), ("b", "w", &failed)]);
    });
}

#[test]
fn the_use_of_limits_is_seen_by_the_arguments_that_they_are_for() {
    const LIMITS: Policy = Policy::new().limits(&[Limit::at_most(1).per("user"), Limit::at_most(5).shared("all")]);
    sim::check(|sim| async move {
        let run = async |_: Value, cx: Cx| {
            cx.scope().sleep(ms(10)).await;
            Ok::<_, String>(())
        };
        let docket = Docket::new(&sim.time(), Registry::new().closure("mail", LIMITS, run).unwrap());
        for user in [7, 7, 7, 8] {
            docket.raw("mail", json!({ "user": user })).unwrap().send().await.unwrap();
        }
        let look = async {
            sim.time().sleep(ms(5)).await;
            let mut seen = Vec::new();
            for user in [json!(7), json!(8), json!(9), json!("7")] {
                let usage = docket.gate_usage("mail", json!({ "user": user })).await.unwrap();
                seen.push(usage.iter().map(|gate| (gate.held, gate.waiting)).collect::<Vec<_>>());
            }
            seen
        };
        let scope = Scope::new(sim.time());
        let (worked, seen) = futures::join!(docket.worker("w").until_finished(&scope), look);
        worked.unwrap();
        assert_eq!(seen, [[(1, 2), (2, 2)], [(1, 0), (2, 2)], [(0, 0), (2, 2)], [(0, 0), (2, 2)]].map(Vec::from));
        assert!(matches!(docket.gate_usage("mail", json!({})).await, Err(AddError::NoField { .. })));
    });
}

#[test]
fn a_policy_that_settles_puts_off_every_add_of_a_key() {
    sim::check(|sim| async move {
        let docket = docket(&sim, Policy::new().settle(ms(10), ms(25)));
        for n in 0..4 {
            docket.raw("t", n).unwrap().key("k").send().await.unwrap();
            sim.time().sleep(ms(8)).await;
        }
        let rows = docket.snapshot().await.unwrap().rows;
        let live: Vec<_> = rows.iter().filter(|row| !matches!(row.state, State::Ended(_))).collect();
        assert_eq!((live.len(), &live[0].args, live[0].due.as_nanos()), (1, &3.into(), 25_000_000));
    });
}

#[test]
fn of_an_add_under_a_policy_that_settles_neither_due_time_nor_existing_counts() {
    sim::check(|sim| async move {
        let docket = docket(&sim, Policy::new().settle(ms(10), ms(25)));
        let first = docket.raw("t", 1).unwrap().key("k").after(ms(3)).send().await.unwrap();
        assert_eq!(first.handle.row().await.unwrap().unwrap().due.as_nanos(), 10_000_000);
        sim.time().sleep(ms(8)).await;
        let second = docket.raw("t", 2).unwrap().key("k").after(ms(90)).follow().send().await.unwrap();
        assert!(matches!(second.put, Put::Replaced(_)), "{:?}", second.put);
        assert_eq!(second.handle.row().await.unwrap().unwrap().due.as_nanos(), 18_000_000);
    });
}

#[test]
fn what_may_run_at_most_0_times_is_not_run_at_all() {
    sim::check(|sim| async move {
        let policy = Policy::new().automatic(ms(10));
        let run = |(): (), _: Cx| async { panic!("it runs") as Result<(), String> };
        let docket = Docket::new(&sim.time(), Registry::new().closure("r", policy, run).unwrap());
        let handle = docket.raw("r", ()).unwrap().key("k").send().await.unwrap().handle;
        let kinds = Arc::new(Mutex::new(Vec::new()));
        let heard = kinds.clone();
        let worker = docket.worker("w").run_at_most("k", 0).run_at_most("r", 0);
        let worker = worker.listen(move |event| heard.lock().unwrap().push(event.kind.clone()));
        worker.until_finished(&Scope::new(sim.time())).await.unwrap();
        assert_eq!(handle.result().await, Err(NoResult::Ended(Ending::Cancelled)));
        assert_eq!(*kinds.lock().unwrap(), [EventKind::Ended(Ending::Cancelled), EventKind::Ended(Ending::Cancelled)]);
        assert_eq!(sim.now().as_nanos(), 0);
    });
}

#[test]
fn a_result_is_waited_for_so_long_and_can_be_had_later() {
    sim::check(|sim| async move {
        let docket = docket(&sim, Policy::new());
        let handle = docket.raw("t", 10).unwrap().send().await.unwrap().handle;
        let wait = async {
            assert_eq!(handle.result_within(ms(9)).await, Err(NoResult::NotYet));
            assert_eq!(sim.now().as_nanos(), 9_000_000);
            handle.result_within(ms(9)).await
        };
        let scope = Scope::new(sim.time());
        let (worked, result) = futures::join!(docket.worker("w").until_finished(&scope), wait);
        worked.unwrap();
        assert_eq!((result, sim.now().as_nanos()), (Ok(10.into()), 10_000_000));
        assert_eq!(handle.row().await.unwrap().unwrap().attempts, 1);
    });
}

#[test]
fn a_bound_on_runs_is_each_workers_own() {
    sim::check(|sim| async move {
        let runs = Arc::new(Mutex::new(0));
        let count = runs.clone();
        let run = move |(): (), cx: Cx| {
            *count.lock().unwrap() += 1;
            cx.again(When::In(ms(1)));
            async { Ok::<_, String>(()) }
        };
        let docket = Docket::new(&sim.time(), Registry::new().closure("r", Policy::new(), run).unwrap());
        for worker in ["one", "two"] {
            docket.raw("r", ()).unwrap().key("k").send().await.unwrap();
            let scope = Scope::new(sim.time());
            docket.worker(worker).run_at_most("k", 3).until_finished(&scope).await.unwrap();
        }
        assert_eq!(*runs.lock().unwrap(), 6);
    });
}

#[test]
fn the_tasks_that_come_along_log_fail_and_sleep_and_read_nothing_else() {
    sim::run(|sim| async move {
        let docket = docket(&sim, Policy::new());
        let traced = docket.add(&Trace::with("hello")).unwrap().send().await.unwrap().handle;
        let failed = docket.add(&Fail::with("broken")).unwrap().send().await.unwrap().handle;
        let slept = docket.add(&Sleep::of(Duration::from_micros(1_500_001))).unwrap().send().await.unwrap().handle;
        finish(&docket, &sim).await;
        assert_eq!(traced.result().await, Ok("hello".into()));
        assert_eq!(failed.result().await, Err(NoResult::Ended(Ending::Failed("broken".into()))));
        assert_eq!(slept.result().await, Ok(()));
        assert_eq!(sim.now().as_nanos(), 1_501_000_000, "to the next millisecond");
        for (name, args, says) in [
            ("trace", json!({}), "missing field `message`"),
            ("fail", json!({ "message": 7 }), "message: invalid type"),
            ("sleep", json!({ "millis": -1 }), "millis: invalid value"),
            ("sleep", json!({ "millis": 1, "mills": 1 }), "unknown field `mills`"),
            ("sleep", json!(1), "invalid type"),
        ] {
            let error = docket.raw(name, args).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    });
}
