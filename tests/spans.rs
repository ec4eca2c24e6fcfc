//! Spans and events, as a subscriber that collects them gets them.

use serde_json::json;
use std::cell::RefCell;
use std::fmt::{Debug, Write as _};
use std::future::Future;
use std::num::{NonZeroU32, NonZeroUsize};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use wakeful::cancel::Scope;
use wakeful::docket::{AddError, Claim, Cx, Docket, Entry, MemoryStore, Policy, Registry, Show, Store, Strike, Value};
use wakeful::limit::{Aimd, Bounds, Concurrency, Feedback, Limiter, Quota};
use wakeful::resilience::{BreakerConfig, Bulkhead, BulkheadConfig, CircuitBreaker};
use wakeful::sim::Sim;
use wakeful::task::{group, local_group};
use wakeful::work::{Count, Lease, work, worker_pool};

/// A line for each event, with the spans that it came in.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Collected>>);

#[derive(Default)]
struct Collected {
    spans: Vec<String>,
    lines: Vec<String>,
}

std::thread_local! {
    /// The spans that have been entered, outermost first.
    static ENTERED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// The fields of a span or an event, but for places in code.
struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            write!(self.0, " {value:?}").unwrap();
        } else if field.name() != "made" {
            write!(self.0, " {}={value:?}", field.name()).unwrap();
        }
    }
}

impl Subscriber for Collector {
    fn enabled(&self, of: &Metadata<'_>) -> bool {
        of.target().starts_with("wakeful::") || of.target() == "spans"
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields(span.metadata().name().to_string());
        span.record(&mut fields);
        let mut all = self.0.lock().unwrap();
        all.spans.push(fields.0);
        Id::from_u64(all.spans.len() as u64)
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(format!("{} {}:", event.metadata().level(), event.metadata().target()));
        event.record(&mut fields);
        let mut all = self.0.lock().unwrap();
        ENTERED.with_borrow(|entered| {
            for &span in entered {
                write!(fields.0, ", in {}", all.spans[span as usize - 1]).unwrap();
            }
        });
        all.lines.push(fields.0);
    }

    fn enter(&self, span: &Id) {
        ENTERED.with_borrow_mut(|entered| entered.push(span.into_u64()));
    }

    fn exit(&self, span: &Id) {
        let last = ENTERED.with_borrow_mut(Vec::pop);
        assert_eq!(last, Some(span.into_u64()), "spans are left in the order in which they were entered");
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let all = &mut *self.0.lock().unwrap();
        let mut fields = Fields("noted:".to_string());
        values.record(&mut fields);
        write!(fields.0, ", of {}", all.spans[span.into_u64() as usize - 1]).unwrap();
        all.lines.push(fields.0);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
}

/// What is said during a simulated run of `body`.
fn said<F: Future<Output = ()> + 'static>(body: impl FnOnce(Sim) -> F) -> Vec<String> {
    let collector = Collector::default();
    tracing::subscriber::with_default(collector.clone(), || wakeful::sim::run(body));
    ENTERED.with_borrow(|entered| assert!(entered.is_empty(), "every span was left"));
    collector.0.lock().unwrap().lines.clone()
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn a_scope_says_why_it_was_cancelled_once() {
    let said = said(|sim| async move {
        let scope = Scope::new(sim.time());
        scope.cancel("enough");
        scope.cancel("too late");
        let timed = Scope::new(sim.time());
        assert!(timed.move_on_after(ms(5), async |_| sim.time().sleep(ms(10)).await).await.is_cancelled());
    });
    assert_eq!(
        said,
        [
            "DEBUG wakeful::cancel: scope cancelled reason=enough",
            "DEBUG wakeful::cancel: scope cancelled reason=the deadline 0.005000000s was reached",
            "noted: reason=the deadline 0.005000000s was reached, of scope deadline=5000000",
        ]
    );
}

#[test]
fn what_a_body_says_comes_in_the_span_of_its_scope_which_says_why_it_was_cut_short() {
    let said = said(|sim| async move {
        let (outer, time) = (Scope::new(sim.time()), sim.time());
        let says = async |word| {
            tracing::info!(target: "spans", "{word}");
            time.sleep(ms(10)).await;
        };
        assert!(outer.run(says("outside")).await.done().is_some());
        let inner = outer.child_after(ms(50));
        let nested = outer.run(async {
            let cut = inner.run(async {
                says("inside").await;
                outer.cancel("enough");
                says("the last word").await;
            });
            cut.await.is_cancelled()
        });
        assert!(nested.await.is_cancelled());
        assert!(outer.run(says("never")).await.is_cancelled());
        let ambient = Scope::new(sim.time()).run(wakeful::move_on_after(ms(5), says("ambient"))).await;
        assert!(ambient.done().unwrap().is_cancelled());
    });
    assert_eq!(
        said,
        [
            "INFO spans: outside, in scope",
            "INFO spans: inside, in scope, in scope deadline=60000000",
            "DEBUG wakeful::cancel: scope cancelled reason=enough, in scope, in scope deadline=60000000",
            "INFO spans: the last word, in scope, in scope deadline=60000000",
            "noted: reason=enough, of scope",
            "INFO spans: ambient, in scope, in scope deadline=25000000",
            "DEBUG wakeful::cancel: scope cancelled reason=the deadline 0.025000000s was reached, in scope",
            "noted: reason=the deadline 0.025000000s was reached, of scope deadline=25000000",
        ]
    );
}

#[test]
fn what_a_child_says_comes_in_its_span_and_its_end_is_told() {
    let said = said(|sim| async move {
        let scope = Scope::new(sim.time());
        let report = group::<&str>(sim.spawner()).named("house").report(&scope, async |group| {
            let time = sim.time();
            let cook = async move {
                time.sleep(ms(5)).await;
                tracing::info!(target: "spans", "served");
                Ok(())
            };
            group.spawn("cook", cook).unwrap().await.unwrap();
            drop(group.spawn("thief", async { Err::<(), _>("caught") }).unwrap());
            Ok(())
        });
        assert_eq!(report.await.count.total(), 2);
    });
    assert!(said.contains(&"INFO spans: served, in child name=\"cook\"".to_string()), "{said:#?}");
    let ended: Vec<_> = said.iter().filter(|line| line.contains("child ended")).collect();
    assert_eq!(
        ended,
        [
            "DEBUG wakeful::task: child ended group=\"house\" name=\"cook\" how=\"done\"",
            "WARN wakeful::task: child ended group=\"house\" name=\"thief\" how=\"failed\"",
        ]
    );
}

#[test]
fn what_a_body_says_comes_in_the_span_of_its_item_and_the_outcome_is_told() {
    let said = said(|sim| async move {
        let scope = Scope::new(sim.time());
        let time = sim.time();
        let body = |n: Lease<u32>| {
            let time = time.clone();
            async move {
                time.sleep(ms(1)).await;
                tracing::info!(target: "spans", n = *n, "works");
                if *n == 7 { Ok(()) } else { Err("odd") }
            }
        };
        work([7, 8]).workers(NonZeroUsize::MIN).run(&scope, body, Count::new()).await;
    });
    assert_eq!(
        said,
        [
            "INFO spans: works n=7, in item index=0",
            "DEBUG wakeful::work: item ended index=0 how=\"done\"",
            "INFO spans: works n=8, in item index=1",
            "INFO wakeful::work: item ended index=1 how=\"failed\"",
        ]
    );
}

#[test]
fn a_limiter_says_who_waits_and_who_is_refused() {
    let said = said(|sim| async move {
        let limiter = Limiter::new(
            &sim.time(),
            Quota::per_second(NonZeroU32::new(10).unwrap()).burst(NonZeroU32::new(10).unwrap()),
        );
        limiter.acquire(10).await.unwrap();
        limiter.acquire(1).await.unwrap();
        assert!(limiter.acquire_before(5, sim.now() + ms(1)).await.is_err());
    });
    assert_eq!(said.len(), 2, "{said:#?}");
    assert!(said[0].starts_with("DEBUG wakeful::limit: limiter waits permits=1"), "{said:#?}");
    assert!(said[1].starts_with("INFO wakeful::limit: limiter refused permits=5 why="), "{said:#?}");
}

#[test]
fn a_breaker_says_how_its_state_changes() {
    let said = said(|sim| async move {
        let breaker = CircuitBreaker::new(&sim.time(), BreakerConfig::calls(NonZeroU32::new(10).unwrap())).unwrap();
        breaker.trip();
        breaker.close();
    });
    assert_eq!(said.len(), 2, "{said:#?}");
    assert!(said.iter().all(|line| line.starts_with("WARN wakeful::resilience: breaker changed from=")));
    assert!(said[0].contains("Open") && said[1].contains("Closed"), "{said:#?}");
}

#[test]
fn what_a_groups_body_says_comes_in_its_span_and_its_end_is_told() {
    let told = said(|sim| async move {
        let scope = Scope::new(sim.time());
        let body = async |_| {
            sim.time().sleep(ms(5)).await;
            tracing::info!(target: "spans", "at home");
            Ok(())
        };
        group::<&str>(sim.spawner()).named("house").run(&scope, body).await.unwrap();
        let failed = group(sim.spawner()).named("ruin").run(&scope, async |_| Err::<(), _>("fallen")).await;
        assert!(failed.is_err());
    });
    assert_eq!(
        told,
        [
            "INFO spans: at home, in group name=\"house\"",
            "DEBUG wakeful::task: group ended name=\"house\" cancelled=false",
            "DEBUG wakeful::cancel: scope cancelled reason=a sibling failed: the body",
            "WARN wakeful::task: group ended name=\"ruin\" failures=1",
        ]
    );
    let told = said(|sim| async move {
        let scope = Scope::new(sim.time());
        let group = local_group::<&str>().named("house").run(&scope, async |group| {
            let cook = async {
                sim.time().sleep(ms(5)).await;
                tracing::info!(target: "spans", "served");
                Ok(())
            };
            group.spawn("cook", cook).unwrap().await.unwrap();
            Ok(())
        });
        group.await.unwrap();
    });
    assert_eq!(
        told,
        [
            "INFO spans: served, in group name=\"house\", in child name=\"cook\"",
            "DEBUG wakeful::task: child ended group=\"house\" name=\"cook\" how=\"done\", in group name=\"house\"",
            "DEBUG wakeful::task: group ended name=\"house\" cancelled=false",
        ]
    );
}

#[test]
fn a_bulkhead_says_who_waits_and_who_is_turned_away() {
    let said = said(|sim| async move {
        let config = BulkheadConfig::new(NonZeroU32::MIN).waiting(1).longest_wait(ms(5));
        let bulkhead = Bulkhead::new(&sim.time(), config);
        let _seat = bulkhead.enter().await.unwrap();
        assert!(bulkhead.try_enter().is_err());
        assert!(bulkhead.enter().await.is_err());
    });
    assert_eq!(said.len(), 3, "{said:#?}");
    assert!(said[0].starts_with("INFO wakeful::resilience: bulkhead refused why="), "{said:#?}");
    assert_eq!(said[1], "DEBUG wakeful::resilience: bulkhead waits");
    assert!(said[2].starts_with("INFO wakeful::resilience: bulkhead refused why="), "{said:#?}");
}

#[test]
fn a_limit_of_calls_in_flight_says_how_it_changes() {
    let said = said(|sim| async move {
        let [one, ten, hundred] = [1, 10, 100].map(|n| NonZeroU32::new(n).unwrap());
        let bounds = Bounds::new(one, ten, hundred).unwrap();
        let calls = Concurrency::new(&sim.time(), Aimd::new(bounds));
        calls.launch().await.end(Feedback::Overloaded);
        assert_eq!(calls.limit(), 9);
    });
    assert_eq!(said, ["DEBUG wakeful::limit: concurrency changed limit=9"]);
}

#[test]
fn what_the_body_of_a_pool_says_comes_in_the_span_of_its_item() {
    let said = said(|sim| async move {
        let scope = Scope::new(sim.time());
        let body = async |n: Lease<u32>| {
            tracing::info!(target: "spans", n = *n, "works");
            Ok::<_, ()>(())
        };
        let pool = worker_pool(body).spawn_on(sim.spawner(), &scope);
        pool.submit(7).await.unwrap().await;
        pool.drain(Duration::MAX).await;
    });
    assert!(said.contains(&"INFO spans: works n=7, in item index=0".to_string()), "{said:#?}");
    assert!(said.contains(&"DEBUG wakeful::work: item ended index=0 how=\"done\"".to_string()), "{said:#?}");
}

/// Runs a docket whose task `login` (user, password, tags) does what `body` does, until nothing is left.
fn docket_said<F>(policy: Policy, before: fn(&Docket) -> Pending<'_>, body: fn(Value, Cx) -> F) -> Vec<String>
where
    F: Future<Output = Result<(), String>> + Send + 'static,
{
    said(move |sim| async move {
        let registry = Registry::new().closure("login", policy, body).unwrap();
        let docket = Docket::new(&sim.time(), registry);
        let args = json!({ "user": 7, "password": "hunter2", "tags": ["a", "b"] });
        docket.raw("login", args).unwrap().key("k").send().await.unwrap();
        before(&docket).await;
        docket.worker("w").until_finished(&Scope::new(sim.time())).await.unwrap();
    })
    .into_iter()
    .filter(|line| !line.contains("wakeful::task") && !line.contains("wakeful::cancel"))
    .map(|line| line.replace(", in group name=\"docket\"", "").replace(", in child name=\"login\"", ""))
    .collect()
}

type Body = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

type Pending<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

const SHOWN: Policy = Policy::new().log(&[Show::Value("user"), Show::Length("password"), Show::Length("tags")]);

#[test]
fn a_run_is_told_with_its_task_key_worker_and_attempt_and_what_it_says_is_in_its_span() {
    let said = docket_said(
        SHOWN.retry(|n, _| (n == 0).then_some(ms(10))),
        |_| Box::pin(async {}),
        |_, cx| async move {
            cx.scope().sleep(ms(5)).await;
            tracing::info!(target: "spans", "works");
            if cx.attempt() == 1 { Err("no luck".into()) } else { Ok(()) }
        },
    );
    let args = "args=user=7 password.len=7 tags.len=2";
    let run = |attempt| format!("task=\"login\" key=\"k\" worker=\"w\" attempt={attempt}");
    let (first, second) = (run(1), run(2));
    assert_eq!(
        said,
        [
            format!("DEBUG wakeful::docket: run started {first} {args}"),
            format!("INFO spans: works, in scope, in run {first} {args}"),
            format!("INFO wakeful::docket: run retried {first} why=\"no luck\" after=10ms took=5ms"),
            format!("DEBUG wakeful::docket: run started {second} {args}"),
            format!("INFO spans: works, in scope, in run {second} {args}"),
            format!("DEBUG wakeful::docket: run ended {second} how=\"done\" took=5ms"),
        ]
    );
}

#[test]
fn arguments_that_no_policy_shows_are_in_no_event() {
    let endings: [fn(Value, Cx) -> Body; 3] = [
        |_, _| Box::pin(async { Ok(()) }),
        |_, _| Box::pin(async { Err("no".into()) }),
        |_, _| Box::pin(async { panic!("oh no") }),
    ];
    for body in endings {
        for (policy, sees) in [(SHOWN, "password.len=7"), (Policy::new(), "args=")] {
            let said = docket_said(policy, |_| Box::pin(async {}), body);
            assert!(said.iter().any(|line| line.contains(sees)), "{said:#?}");
            assert!(said.iter().all(|line| !line.contains("hunter2")), "{said:#?}");
        }
    }
    // What can't read its fields says in its error what they are.
    let said = said(|sim| async move {
        let store = MemoryStore::new(&sim.time());
        let entry = Entry { keep: Duration::MAX, ..Entry::new("count", "k", json!("hunter2")) };
        store.put(entry).await.unwrap();
        let registry = Registry::new().closure("count", Policy::new(), async |_: u64, _: Cx| Ok::<_, String>(()));
        let docket = Docket::on(store.clone(), &sim.time(), registry.unwrap());
        docket.worker("w").until_finished(&Scope::new(sim.time())).await.unwrap();
        let row = store.look("k", None).await.unwrap().unwrap();
        assert!(format!("{:?}", row.state).contains("hunter2"), "the row has the whole error");
    });
    assert!(said.iter().any(|line| line.contains("how=\"failed\"")), "{said:#?}");
    assert!(said.iter().all(|line| !line.contains("hunter2")), "{said:#?}");
}

#[test]
fn what_is_not_run_and_what_is_lost_is_told() {
    let strike: fn(&Docket) -> Pending<'_> =
        |docket| Box::pin(async { _ = docket.strike(Strike::task("login")).await.unwrap() });
    let struck = docket_said(Policy::new(), strike, |_, _| async { Ok(()) });
    assert_eq!(struck, ["INFO wakeful::docket: task not run task=\"login\" key=\"k\" fate=\"struck\""]);

    let lapse: fn(&Docket) -> Pending<'_> = |docket| {
        Box::pin(async {
            let claim = Claim { worker: "dead".into(), names: vec!["login".into()], most: 1, lease: ms(9) };
            assert_eq!(docket.store().claim(&claim).await.unwrap().taken.len(), 1);
        })
    };
    let lapsed = docket_said(Policy::new(), lapse, |_, _| async { Ok(()) });
    assert_eq!(lapsed[0], "WARN wakeful::docket: task not finished task=\"login\" key=\"k\" fate=\"lapsed\"");
    assert!(lapsed[2].contains("how=\"done\""), "{lapsed:#?}");
    let dead = docket_said(Policy::new().deliveries(NonZeroU32::MIN), lapse, |_, _| async { Ok(()) });
    assert_eq!(dead, ["WARN wakeful::docket: task not finished task=\"login\" key=\"k\" fate=\"dead\""]);
}

#[test]
fn a_policy_that_shows_what_is_not_there_is_refused_when_the_task_is_added() {
    wakeful::sim::run(|sim| async move {
        let policy = Policy::new().log(&[Show::Length("body")]);
        let registry = Registry::new().closure("mail", policy, async |_: Value, _: Cx| Ok::<_, String>(()));
        let docket = Docket::new(&sim.time(), registry.unwrap());
        let refused = docket.raw("mail", json!({ "text": "" })).unwrap_err();
        assert_eq!(refused, AddError::NoField { name: "mail".into(), field: "body".into() });
    });
}
