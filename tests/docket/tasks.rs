//! Tasks as types and closures, and the worker that runs them.

use super::support::ms;
use futures::FutureExt;
use serde::{Deserialize, Serialize};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::docket::{
    AddError, Agenda, Cancelled, Cx, Docket, Ending, EventKind, Limit, NoResult, Policy, Put, Registry, Scatter, State,
    Strike, Task, Test, When, WorkerError,
};
use wakeful::resilience::{Exponential, Schedule, Verdict};
use wakeful::sim::{self, Sim};
use wakeful::time::{Instant, Time};

/// What was done, and when.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<(u64, String)>>>);

impl Log {
    fn note(&self, time: &Time, what: impl Into<String>) {
        let at = (time.now() - Instant::EPOCH).as_millis() as u64;
        self.0.lock().unwrap().push((at, what.into()));
    }

    #[track_caller]
    fn is(&self, expected: &[(u64, &str)]) {
        let log = self.0.lock().unwrap();
        let log: Vec<_> = log.iter().map(|(at, what)| (*at, what.as_str())).collect();
        assert_eq!(log, expected);
    }
}

#[derive(Serialize, Deserialize, Clone)]
struct Mail {
    user: u64,
    text: String,
}

impl Task for Mail {
    const NAME: &'static str = "mail";
    const POLICY: Policy = Policy::new()
        .timeout(ms(100))
        .retry(|error, seed| Exponential::new(ms(10)).up_to(2).delays(seed).nth(error))
        .limits(&[Limit::at_most(1).per("user")]);
    type Output = usize;
    type Error = String;

    async fn run(self, cx: Cx) -> Result<usize, String> {
        cx.get::<Log>().unwrap().note(cx.scope().time(), format!("{} {}", self.text, cx.attempt()));
        match self.text.as_str() {
            "panics" => panic!("no mail"),
            "hangs" => cx.scope().sleep(Duration::MAX).await,
            "long" => {
                cx.extend(ms(300));
                cx.scope().sleep(ms(200)).await;
            }
            "bad" => return Err("bad address".into()),
            "hopeless" => return Err("hopeless".into()),
            _ => cx.scope().sleep(ms(5)).await,
        }
        Ok(self.text.len())
    }

    fn verdict(error: &String) -> Verdict {
        (error != "hopeless").into()
    }
}

fn mail(user: u64, text: &str) -> Mail {
    Mail { user, text: text.into() }
}

fn mails(sim: &Sim) -> (Docket, Log, Scope) {
    let log = Log::default();
    let registry = Registry::new().task::<Mail>().unwrap().provide(log.clone());
    (Docket::new(&sim.time(), registry), log, Scope::new(sim.time()))
}

#[test]
fn a_task_runs_is_retried_and_ends_in_one_way() {
    sim::check(|sim| async move {
        let (docket, log, scope) = mails(&sim);
        let mut handles = Vec::new();
        for (user, text) in ["hello", "bad", "panics", "hangs", "hopeless", "long"].into_iter().enumerate() {
            handles.push(docket.add(&mail(user as u64, text)).unwrap().send().await.unwrap().handle);
        }
        docket.worker("w").until_finished(&scope).await.unwrap();
        let mut results = Vec::new();
        for handle in &handles {
            results.push(handle.result().await);
        }
        assert_eq!(
            results,
            [
                Ok(5),
                Err(NoResult::Ended(Ending::Failed("bad address".into()))),
                Err(NoResult::Ended(Ending::Panicked("no mail".into()))),
                Err(NoResult::Ended(Ending::TimedOut)),
                Err(NoResult::Ended(Ending::Failed("hopeless".into()))),
                Ok(4),
            ]
        );
        let row = handles[1].row().await.unwrap().unwrap();
        assert_eq!((row.attempts, row.last_error.as_deref()), (3, Some("bad address")));
        let mut log = log.0.lock().unwrap().clone();
        log.sort();
        let of =
            |text: &str| log.iter().filter(|(_, what)| what.starts_with(text)).map(|(at, _)| *at).collect::<Vec<_>>();
        assert_eq!((of("bad"), of("panics")), (vec![0, 10, 30], vec![0, 10, 30]));
        assert_eq!((of("hangs"), of("hopeless"), of("long")), (vec![0, 110, 230], vec![0], vec![0]));
        assert_eq!(sim.time().pending(), 0);
    });
}

#[test]
fn what_can_not_be_added_says_why() {
    sim::run(|sim| async move {
        #[derive(Serialize, Deserialize)]
        struct Odd {
            there: u8,
        }
        impl Task for Odd {
            const NAME: &'static str = "odd";
            const POLICY: Policy = Policy::new().limits(&[Limit::at_most(1).per("missing")]);
            type Output = ();
            type Error = String;
            async fn run(self, _: Cx) -> Result<(), String> {
                Ok(())
            }
        }
        let (docket, ..) = mails(&sim);
        let why = |error: AddError| error.to_string();
        assert_eq!(why(docket.add(&Odd { there: 1 }).unwrap_err()), "no task is named `odd`");
        let args = docket.raw("mail", serde_json::json!({ "user": "one" })).unwrap_err();
        assert!(why(args).starts_with("`mail` can't have these fields: "));
        let twice = Registry::new().task::<Mail>().unwrap().task::<Mail>().unwrap_err();
        assert_eq!(twice.to_string(), "there is a task named `mail` already");
        let automatic = Policy::new().automatic(ms(1));
        let needs = Registry::new().closure("needs", automatic, async |n: u32, _: Cx| Ok::<_, String>(n)).unwrap_err();
        assert_eq!(needs.to_string(), "`needs` is to begin by itself, and needs fields");
        let docket = Docket::new(&sim.time(), Registry::new().task::<Odd>().unwrap());
        assert_eq!(
            why(docket.add(&Odd { there: 1 }).unwrap_err()),
            "`odd` has a policy for `missing`, and no such field"
        );
        docket.strike(Strike::field("there", Test::Ge(1.into()))).await.unwrap();
        // Its limit is wrong, which is found first.
        assert!(docket.raw("odd", Odd { there: 1 }).is_err());
    });
}

#[test]
fn a_key_runs_once_at_a_time_and_once_more_if_asked() {
    sim::check(|sim| async move {
        let (docket, log, scope) = mails(&sim);
        let add = |text: &str| docket.add(&mail(1, text)).unwrap().key("k");
        let first = add("first").send().await.unwrap();
        assert!(matches!(add("second").send().await.unwrap().put, Put::Exists { running: false, .. }));
        let meanwhile = async {
            sim.time().sleep(ms(2)).await;
            let refused = add("third").send().await.unwrap();
            assert!(matches!(refused.put, Put::Exists { running: true, .. }));
            assert_eq!(refused.handle.generation(), first.handle.generation());
            add("fourth").follow().send().await.unwrap().handle.result().await
        };
        let (worked, fourth) = futures::join!(docket.worker("w").run_at_most("k", 9).until_finished(&scope), meanwhile);
        worked.unwrap();
        assert_eq!((first.handle.result().await, fourth), (Ok(5), Ok(6)));
        log.is(&[(0, "first 1"), (5, "fourth 1")]);
    });
}

#[test]
fn limits_by_argument_know_types_and_are_not_exceeded() {
    sim::check(|sim| async move {
        let log = Log::default();
        let (note, time) = (log.clone(), sim.time());
        let run = move |(): (), cx: Cx| {
            let (note, time) = (note.clone(), time.clone());
            async move {
                note.note(&time, cx.key());
                time.sleep(ms(10)).await;
                Ok::<_, String>(())
            }
        };
        const BY_USER: Policy = Policy::new().limits(&[Limit::at_most(1).per("user"), Limit::at_most(4).shared("all")]);
        const OTHER: Policy = Policy::new().limits(&[Limit::at_most(4).shared("all")]);
        let any = {
            let run = run.clone();
            move |_: serde_json::Value, cx: Cx| run((), cx)
        };
        let registry =
            Registry::new().closure("by user", BY_USER, any.clone()).unwrap().closure("other", OTHER, any).unwrap();
        let docket = Docket::new(&sim.time(), registry);
        for (key, user) in [("a", 1.into()), ("b", 1.into()), ("c", "1".into()), ("d", 2.into())] {
            let args = serde_json::json!({ "user": serde_json::Value::clone(&user) });
            docket.raw("by user", args).unwrap().key(key).send().await.unwrap();
        }
        docket.raw("other", ()).unwrap().key("e").send().await.unwrap();
        let scope = Scope::new(sim.time());
        let worked = docket.worker("w").until_finished(&scope);
        let look = async {
            sim.time().sleep(ms(1)).await;
            let gates = docket.snapshot().await.unwrap().gates;
            gates.into_iter().map(|gate| (gate.name, gate.held, gate.waiting)).collect::<Vec<_>>()
        };
        let (worked, gates) = futures::join!(worked, look);
        worked.unwrap();
        let gate = |name: &str, held, waiting| (name.to_owned(), held, waiting);
        assert_eq!(
            gates,
            [
                gate("\"all\" at once", 3, 2),
                gate("by user.user=\"1\" at once", 1, 0),
                gate("by user.user=1 at once", 1, 1),
                gate("by user.user=2 at once", 1, 0),
            ]
        );
        let mut seen = log.0.lock().unwrap().clone();
        seen.sort();
        let seen: Vec<_> = seen.iter().map(|(at, key)| (*at, key.as_str())).collect();
        assert_eq!(seen, [(0, "a"), (0, "c"), (0, "d"), (10, "b"), (10, "e")]);
    });
}

/// Of one closure, `tick`, which notes its number, and does as the number says.
fn ticks(sim: &Sim, policy: Policy) -> (Docket, Log, Scope) {
    let (log, count) = (Log::default(), Arc::new(AtomicU32::new(0)));
    let note = log.clone();
    let run = move |_: serde_json::Value, cx: Cx| {
        let (note, n) = (note.clone(), count.fetch_add(1, Relaxed));
        async move {
            note.note(cx.scope().time(), format!("tick {n}"));
            match n {
                1 => cx.scope().sleep(ms(25)).await,
                2 => return Err("bad"),
                3 => panic!("worse"),
                5 => cx.again(When::In(ms(3))),
                _ => cx.scope().sleep(ms(1)).await,
            }
            Ok(n)
        }
    };
    let other = async |_: u32, _: Cx| Ok::<_, String>(());
    let registry = Registry::new().closure("tick", policy, run).unwrap();
    let registry = registry.closure("other", Policy::new(), other).unwrap();
    (Docket::new(&sim.time(), registry), log, Scope::new(sim.time()))
}

#[test]
fn a_repeating_task_survives_and_makes_up_for_nothing() {
    sim::check(|sim| async move {
        let (docket, log, scope) = ticks(&sim, Policy::new().automatic(ms(10)));
        docket.worker("w").run_at_most("tick", 8).until_finished(&scope).await.unwrap();
        // The second takes until 35: what was due at 20 begins then, and the one after that 10 ms later.
        let rest = [(45, "tick 3"), (55, "tick 4"), (65, "tick 5"), (68, "tick 6"), (78, "tick 7")];
        log.is(&[&[(0, "tick 0"), (10, "tick 1"), (35, "tick 2")], &rest[..]].concat());
    });
}

#[test]
fn a_struck_task_begins_by_itself_when_it_is_restored() {
    sim::check(|sim| async move {
        let (docket, log, scope) = ticks(&sim, Policy::new().automatic(ms(10)));
        let strike = docket.strike(Strike::task("tick")).await.unwrap();
        let mut events = docket.events();
        let restore = async {
            sim.time().sleep(ms(5)).await;
            assert_eq!(docket.restore(strike).await, Ok(true));
        };
        let worked = docket.worker("w").run_at_most("tick", 1);
        let worked = async { scope.move_on_after(ms(50), async |s| worked.run(s).await).await };
        let busy = async {
            // The worker looks again and again, and tells once.
            for n in 1..4 {
                sim.time().sleep(ms(1)).await;
                docket.raw("other", n).unwrap().send().await.unwrap();
            }
        };
        assert!(futures::join!(worked, restore, busy).0.is_cancelled());
        log.is(&[(5, "tick 0")]);
        let mut refused = Vec::new();
        while let Some(Ok(event)) = events.recv().now_or_never() {
            refused.extend(matches!(event.kind, EventKind::Refused(_)).then_some(event.kind));
        }
        assert_eq!(refused, [EventKind::Refused(strike)]);
    });
}

#[test]
fn a_cancelled_run_winds_down_and_repeats_no_more() {
    sim::check(|sim| async move {
        let log = Log::default();
        let note = log.clone();
        let run = move |stubborn: bool, cx: Cx| {
            let note = note.clone();
            async move {
                cx.scope().draining().await;
                note.note(cx.scope().time(), cx.key());
                if stubborn {
                    cx.scope().sleep(Duration::MAX).await;
                }
                Ok::<_, String>("wound down")
            }
        };
        let registry = Registry::new().closure("c", Policy::new().every(ms(1)), run).unwrap();
        let docket = Docket::new(&sim.time(), registry);
        let scope = Scope::new(sim.time());
        let polite = docket.raw("c", false).unwrap().key("polite").send().await.unwrap().handle;
        let stubborn = docket.raw("c", true).unwrap().key("stubborn").send().await.unwrap().handle;
        let queued = docket.raw("c", true).unwrap().after(ms(50)).send().await.unwrap().handle;
        let cancel = async {
            sim.time().sleep(ms(5)).await;
            for key in [polite.key(), stubborn.key()] {
                assert!(matches!(docket.cancel(key, ms(7)).await, Ok(Cancelled::Running(_))));
            }
            assert!(matches!(docket.cancel(queued.key(), ms(7)).await, Ok(Cancelled::Queued(_))));
            (polite.result().await, stubborn.result().await, queued.result().await)
        };
        let (worked, results) = futures::join!(docket.worker("w").until_finished(&scope), cancel);
        worked.unwrap();
        let cancelled = || Err(NoResult::Ended(Ending::Cancelled));
        assert_eq!(results, (Ok("wound down".into()), cancelled(), cancelled()));
        let mut log = log.0.lock().unwrap().clone();
        log.sort();
        assert_eq!(log, [(5, "polite".into()), (5, "stubborn".into())]);
        assert_eq!(sim.now(), Instant::EPOCH + ms(12), "the stubborn one had its grace");
    });
}

#[test]
fn a_worker_that_winds_down_lets_runs_end_and_leaves_what_is_to_come() {
    sim::check(|sim| async move {
        let (docket, log, scope) = mails(&sim);
        let add = |user, text: &str| docket.add(&mail(user, text)).unwrap();
        let runs = add(1, "runs").send().await.unwrap().handle;
        let hangs = add(2, "hangs").send().await.unwrap().handle;
        let later = add(1, "later").after(ms(3)).send().await.unwrap().handle;
        let stop = async {
            sim.time().sleep(ms(2)).await;
            scope.cancel_with_grace("enough", ms(20));
        };
        let (worked, ()) = futures::join!(docket.worker("w").lease(ms(60)).run(&scope), stop);
        assert!(matches!(worked, Err(WorkerError::Cancelled(_))), "one was cut short");
        assert_eq!(sim.now(), Instant::EPOCH + ms(22));
        assert_eq!(runs.result().await, Ok(4));
        assert_eq!(later.row().await.unwrap().unwrap().state, State::Queued);
        assert!(matches!(hangs.row().await.unwrap().unwrap().state, State::Running { .. }));
        // Another worker has what was left at once, and what was lost when its lease is over.
        let scope = Scope::new(sim.time());
        docket.worker("w2").until_finished(&scope).await.unwrap();
        assert_eq!(later.result().await, Ok(5));
        let mut log = log.0.lock().unwrap().clone();
        log.sort();
        assert!(log.contains(&(22, "later 1".into())) && log.contains(&(80, "hangs 1".into())), "{log:?}");
    });
}

#[test]
fn a_run_whose_lease_is_lost_is_cut_short_and_counts_once() {
    sim::check(|sim| async move {
        let (docket, ..) = ticks(&sim, Policy::new());
        let scope = Scope::new(sim.time());
        let events = Arc::new(Mutex::new(Vec::new()));
        let note = events.clone();
        let listen =
            move |event: &wakeful::docket::Event| note.lock().unwrap().push((event.attempt, event.kind.clone()));
        let handle = docket.raw("tick", ()).unwrap().send().await.unwrap().handle;
        // A thief that claims what is claimed already gets nothing.
        let store = docket.store();
        let claim = wakeful::docket::Claim { worker: "t".into(), names: vec!["tick".into()], most: 1, lease: ms(30) };
        let stolen = store.claim(&claim).await.unwrap().taken.remove(0);
        docket.worker("w").lease(ms(9)).listen(listen).until_finished(&scope).await.unwrap();
        assert_eq!(sim.now(), Instant::EPOCH + ms(31));
        assert_eq!(handle.result().await, Ok(0.into()));
        let end = wakeful::docket::Close::End(Ending::Cancelled, None);
        assert_eq!(store.finish(&stolen.key, stolen.fence, end).await, Ok(wakeful::docket::Finished::Lost));
        assert_eq!(*events.lock().unwrap(), [(1, EventKind::Begun), (1, EventKind::Ended(Ending::Done(0.into())))]);
    });
}

#[test]
fn progress_is_seen_and_drain_leaves_what_is_to_come() {
    sim::check(|sim| async move {
        let run = async |n: u32, cx: Cx| {
            for step in 0..n {
                assert_eq!(cx.progress(step).await, Ok(true));
                cx.scope().sleep(ms(10)).await;
            }
            if n > 0 {
                cx.again_raw(n - 1, When::Now).map_err(|error| error.to_string())?;
            }
            Ok::<_, String>(n)
        };
        let docket = Docket::new(&sim.time(), Registry::new().closure("steps", Policy::new(), run).unwrap());
        let scope = Scope::new(sim.time());
        let handle = docket.raw("steps", 3).unwrap().key("s").send().await.unwrap().handle;
        docket.raw("steps", 0).unwrap().key("far").after(ms(1_000)).send().await.unwrap();
        let look = async {
            sim.time().sleep(ms(15)).await;
            handle.row().await.unwrap().unwrap().progress
        };
        let one = NonZeroUsize::new(1).unwrap();
        let (drained, progress) = futures::join!(docket.worker("w").concurrency(one).drain(&scope), look);
        drained.unwrap();
        assert_eq!((progress, handle.result().await), (Some(1.into()), Ok(3.into())));
        assert_eq!(sim.now(), Instant::EPOCH + ms(60), "3, 2 and 1 steps");
        assert_eq!(docket.clear().await, Ok(1));
    });
}

#[test]
fn an_agenda_adds_all_or_says_what_it_added() {
    sim::run(|sim| async move {
        let (docket, ..) = mails(&sim);
        let mut agenda = Agenda::new();
        agenda.task(&mail(1, "a")).unwrap().raw("mail", mail(2, "b")).unwrap();
        agenda.raw("nobody", ()).unwrap();
        let unknown = agenda.scatter(&docket, Scatter::over(ms(10))).await.unwrap_err();
        assert_eq!(unknown.to_string(), "task 2 of the agenda was not added: no task is named `nobody`");
        assert!(unknown.added.is_empty() && docket.snapshot().await.unwrap().rows.is_empty());
        agenda.clear();
        agenda.task(&mail(1, "a")).unwrap().task(&mail(2, "b")).unwrap().task(&mail(1, "c")).unwrap();
        docket.strike(Strike::field("user", Test::Eq(2.into()))).await.unwrap();
        let struck = agenda.scatter(&docket, Scatter::over(ms(10)).start(ms(5))).await.unwrap_err();
        assert_eq!((struck.at, struck.added.len(), agenda.len()), (1, 1, 3));
        let due = struck.added[0].row().await.unwrap().unwrap().due;
        assert_eq!((due - Instant::EPOCH, docket.snapshot().await.unwrap().rows.len()), (ms(5), 1));
    });
}
