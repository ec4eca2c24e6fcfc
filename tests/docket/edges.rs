//! What policies name, what runs do to themselves, and what goes with it.

use super::support::ms;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::docket::{
    Cancelled, Cx, Docket, Ending, EventKind, Handle, Limit, NoResult, Policy, RegisterError, Registry, Scatter, Show,
    State, Task, Value,
};
use wakeful::resilience::{Verdict, retry_after};
use wakeful::sim::{self, Sim};
use wakeful::time::Wall;

async fn work(docket: &Docket, sim: &Sim) {
    docket.worker("w").until_finished(&Scope::new(sim.time())).await.unwrap();
}

/// A task that takes ten milliseconds.
async fn slow(_: Value, cx: Cx) -> Result<(), String> {
    cx.scope().sleep(ms(10)).await;
    Ok(())
}

async fn add(docket: &Docket, name: &str, args: Value) -> Handle<Value> {
    docket.raw(name, args).unwrap().send().await.unwrap().handle
}

async fn ending(handle: &Handle<Value>) -> Ending {
    match handle.row().await.unwrap().unwrap().state {
        State::Ended(ending) => ending,
        state => panic!("it is {state:?}"),
    }
}

#[test]
fn a_task_may_have_rates_in_several_times() {
    const LIMITS: &[Limit] = &[Limit::rate(2, ms(20)), Limit::rate(3, ms(300)), Limit::at_most(5)];
    sim::check(|sim| async move {
        let registry = Registry::new().closure("t", Policy::new().limits(LIMITS), slow).unwrap();
        let docket = Docket::new(&sim.time(), registry);
        for _ in 0..4 {
            add(&docket, "t", Value::Null).await;
        }
        let used: Vec<_> = docket.gate_usage("t", ()).await.unwrap().into_iter().map(|gate| gate.name).collect();
        assert_eq!(used, ["t by rate in 20ms", "t by rate in 300ms", "t at once"]);
        work(&docket, &sim).await;
        // Two at once, the third after half of twenty milliseconds, the fourth after a third of three hundred.
        assert_eq!(sim.now().as_nanos(), 110_000_000);
    });
}

#[test]
fn a_scope_that_is_called_as_a_task_is_not_that_task() {
    const OWN: Policy = Policy::new().limits(&[Limit::at_most(1)]);
    const SHARED: Policy = Policy::new().limits(&[Limit::at_most(1).shared("mail")]);
    sim::check(|sim| async move {
        let registry = Registry::new().closure("mail", OWN, slow).unwrap().closure("report", SHARED, slow).unwrap();
        let docket = Docket::new(&sim.time(), registry);
        add(&docket, "mail", Value::Null).await;
        add(&docket, "report", Value::Null).await;
        work(&docket, &sim).await;
        assert_eq!(sim.now().as_nanos(), 10_000_000, "neither waits for the other");
    });
}

#[test]
fn a_task_that_begins_by_itself_must_have_the_fields_of_its_policy() {
    const LIMITED: Policy = Policy::new().automatic(ms(1)).limits(&[Limit::at_most(1).per("user")]);
    const LOGGED: Policy = Policy::new().automatic(ms(1)).log(&[Show::Value("user")]);
    for policy in [LIMITED, LOGGED] {
        let error = Registry::new().closure("tidy", policy, slow).unwrap_err();
        assert_eq!(error, RegisterError::NoField { name: "tidy".into(), field: "user".into() });
        let told = "`tidy` is to begin by itself, and has a policy for `user`, and no such field";
        assert_eq!(error.to_string(), told);
    }
}

#[test]
fn a_run_that_cancels_itself_ends_as_cancelled_and_repeats_no_more() {
    sim::check(|sim| async move {
        let run = async |grace: Option<u64>, cx: Cx| {
            match grace {
                None => cx.scope().cancel("enough"),
                Some(grace) => cx.scope().cancel_with_grace("enough", ms(grace)),
            };
            cx.scope().sleep(ms(20)).await;
            Ok::<_, String>(())
        };
        let policy = Policy::new().every(ms(1)).retry(|_, _| Some(ms(1)));
        let docket = Docket::new(&sim.time(), Registry::new().closure("t", policy, run).unwrap());
        let (at_once, later) = (add(&docket, "t", Value::Null).await, add(&docket, "t", 5.into()).await);
        work(&docket, &sim).await;
        assert_eq!(sim.now().as_nanos(), 5_000_000);
        assert_eq!((ending(&at_once).await, ending(&later).await), (Ending::Cancelled, Ending::Cancelled));
    });
}

struct Falls;

impl Drop for Falls {
    fn drop(&mut self) {
        panic!("fell");
    }
}

#[test]
fn a_run_that_panics_when_it_is_cut_short_takes_nobody_with_it() {
    sim::check(|sim| async move {
        let run = async |_: Value, cx: Cx| {
            let _falls = Falls;
            cx.scope().sleep(Duration::MAX).await;
            Ok::<_, String>(())
        };
        let policy = Policy::new().timeout(ms(5));
        let registry = Registry::new().closure("falls", policy, run).unwrap();
        let docket = Docket::new(&sim.time(), registry.closure("slow", Policy::new(), slow).unwrap());
        let (late, cancelled) = (add(&docket, "falls", Value::Null).await, add(&docket, "falls", Value::Null).await);
        let other = add(&docket, "slow", Value::Null).await;
        let cancel = async {
            sim.time().sleep(ms(2)).await;
            docket.cancel(cancelled.key(), Duration::ZERO).await.unwrap()
        };
        let (_, met) = futures::join!(work(&docket, &sim), cancel);
        assert_eq!(met, Cancelled::Running(cancelled.generation()));
        assert_eq!(late.result().await, Err(NoResult::Ended(Ending::Panicked("fell".into()))));
        assert_eq!(ending(&cancelled).await, Ending::Cancelled);
        assert_eq!(ending(&other).await, Ending::Done(Value::Null));
    });
}

/// What is heard of a run that is cancelled with some grace, by itself or from elsewhere, and then fails, though it would be
/// tried again: the listener, and the stream of events.
async fn heard(sim: &Sim, by_itself: bool) -> [Vec<EventKind>; 2] {
    let run = async |by_itself: bool, cx: Cx| {
        if by_itself {
            cx.docket().cancel(cx.key(), ms(100)).await.unwrap();
        } else {
            cx.scope().draining().await;
        }
        Err::<(), _>("bad")
    };
    let policy = Policy::new().retry(|_, _| Some(ms(1)));
    let docket = Docket::new(&sim.time(), Registry::new().closure("t", policy, run).unwrap());
    let mut events = docket.events();
    let task = add(&docket, "t", by_itself.into()).await;
    let listened = Arc::new(Mutex::new(Vec::new()));
    let log = listened.clone();
    let worker = docket.worker("w").listen(move |event| log.lock().unwrap().push(event.kind.clone()));
    let scope = Scope::new(sim.time());
    let cancel = async {
        sim.time().sleep(ms(3)).await;
        docket.cancel(task.key(), ms(100)).await.unwrap()
    };
    futures::join!(async { worker.until_finished(&scope).await.unwrap() }, cancel);
    assert_eq!(ending(&task).await, Ending::Cancelled);
    let read = core::iter::from_fn(|| events.try_recv().ok()).map(|event| event.kind).collect();
    [core::mem::take(&mut *listened.lock().unwrap()), read]
}

#[test]
fn a_run_that_fails_after_it_was_cancelled_is_not_told_to_be_tried_again() {
    sim::check(|sim| async move {
        for by_itself in [false, true] {
            let expected = vec![EventKind::Begun, EventKind::Ended(Ending::Cancelled)];
            assert_eq!(heard(&sim, by_itself).await, [expected.clone(), expected], "by itself: {by_itself}");
        }
    });
}

/// A wall clock for what says no date.
struct AtZero;

impl Wall for AtZero {
    fn unix(&self) -> Duration {
        Duration::ZERO
    }
}

#[derive(Serialize, Deserialize)]
struct Sent {
    retry_after: String,
}

impl Task for Sent {
    const NAME: &'static str = "sent";
    const POLICY: Policy = Policy::new().retry(|error, _| (error < 1).then_some(ms(1)));
    type Output = ();
    type Error = String;

    async fn run(self, _: Cx) -> Result<(), String> {
        Err(self.retry_after)
    }

    fn verdict(error: &String) -> Verdict {
        retry_after(error, &AtZero).map_or(Verdict::Retry, Verdict::After)
    }
}

#[test]
fn what_is_to_be_tried_again_after_all_time_has_failed() {
    sim::check(|sim| async move {
        let docket = Docket::new(&sim.time(), Registry::new().task::<Sent>().unwrap());
        let add =
            async |text: &str| docket.add(&Sent { retry_after: text.into() }).unwrap().send().await.unwrap().handle;
        let (soon, never) = (add("5").await, add("99999999999999999999").await);
        work(&docket, &sim).await;
        assert_eq!(sim.now().as_nanos(), 5_000_000_000);
        for (handle, text) in [(soon, "5"), (never, "99999999999999999999")] {
            assert_eq!(handle.result().await, Err(NoResult::Ended(Ending::Failed(text.into()))));
        }
    });
}

#[test]
fn a_jitter_beyond_all_time_is_no_overflow() {
    let scatter = Scatter::over(Duration::MAX).start(ms(7)).jitter(Duration::MAX);
    let dues: Vec<_> = scatter.dues(3).collect();
    assert!(dues.is_sorted() && dues[0] >= ms(7), "{dues:?}");
}
