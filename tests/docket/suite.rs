//! What every store promises, written once over the trait.

use super::heard;
use super::made_up;
use super::support::*;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::docket::{
    Cancelled, Claim, Close, Ending, Entry, Excess, Existing, Finished, Gate, Put, Renewal, Renewed, Rule, Settle,
    State, Store, StoreError, Strike, Test, Topic, When,
};
use wakeful::time::Time;

type Scenario<S> = fn(S, Time) -> Pin<Box<dyn Future<Output = ()>>>;

/// All scenarios, each for an empty store whose time is this one and whose Unix time began a day before.
pub(crate) fn all<S: Store>() -> Vec<(&'static str, Scenario<S>)> {
    vec![
        ("a_key_has_one_row", |s, t| Box::pin(a_key_has_one_row(s, t))),
        ("a_key_that_is_made_up_is_nobodys", |s, t| Box::pin(made_up::taken(s, t))),
        ("a_key_that_was_made_up_is_used_as_any_other", |s, t| Box::pin(made_up::used(s, t))),
        ("replacing_asks_for_the_generation", |s, t| Box::pin(replacing(s, t))),
        ("what_follows_runs_after_what_runs", |s, t| Box::pin(following(s, t))),
        ("claims_come_in_order_and_when_due", |s, t| Box::pin(order(s, t))),
        ("only_known_names_are_claimed", |s, t| Box::pin(names(s, t))),
        ("a_lapsed_run_is_claimed_again_and_can_not_finish", |s, t| Box::pin(lapse(s, t))),
        ("lost_runs_are_counted_and_at_the_cap_the_row_is_dead", |s, t| Box::pin(dead(s, t))),
        ("a_retry_waits_and_counts_attempts", |s, t| Box::pin(retry(s, t))),
        ("cancelling_ends_what_is_queued_and_tells_what_runs", |s, t| Box::pin(cancel(s, t))),
        ("what_is_rescheduled_is_due_then", |s, t| Box::pin(reschedule(s, t))),
        ("gates_are_taken_all_or_none_and_served_in_order", |s, t| Box::pin(gates(s, t))),
        ("who_needs_two_gates_is_not_starved", |s, t| Box::pin(two_gates(s, t))),
        ("a_lapsed_run_frees_its_gates", |s, t| Box::pin(freed(s, t))),
        ("rates_count_what_began", |s, t| Box::pin(rates(s, t))),
        ("a_cooldown_may_drop", |s, t| Box::pin(dropping(s, t))),
        ("what_is_given_back_has_used_nothing", |s, t| Box::pin(given_back(s, t))),
        ("puts_settle", |s, t| Box::pin(settling(s, t))),
        ("strikes_refuse_and_end_and_are_independent", |s, t| Box::pin(strikes(s, t))),
        ("clear_ends_what_waits_and_keeps_strikes", |s, t| Box::pin(clear(s, t))),
        ("changes_are_told", |s, t| Box::pin(changes(s, t))),
        ("a_lease_that_may_lapse_earlier_is_told_of", |s, t| Box::pin(shorter(s, t))),
        ("what_no_worker_tells_is_heard", |s, t| Box::pin(heard::fates(s, t))),
        ("who_has_heard_enough_is_told_no_more", |s, t| Box::pin(heard::listening(s, t))),
        ("what_has_not_ended_is_not_finished", |s, t| Box::pin(finished(s, t))),
        ("ends_are_kept_as_long_as_asked", |s, t| Box::pin(kept(s, t))),
        ("many_are_put_in_order_and_what_was_not_put_is_said", |s, t| Box::pin(many(s, t))),
        ("dates_are_unix_time", |s, t| Box::pin(dates(s, t))),
    ]
}

async fn a_key_has_one_row(store: impl Store, _: Time) {
    let Put::Added(generation) = store.put(entry("a")).await.unwrap() else { panic!("it is the first") };
    let exists = |running| Put::Exists { generation, running };
    assert_eq!(store.put(entry("a")).await, Ok(exists(false)));
    let claimed = claim_all(&store).await;
    assert_eq!(claimed.len(), 1);
    assert_eq!(store.put(entry("a")).await, Ok(exists(true)));
    assert!(claim_all(&store).await.is_empty());
    assert_eq!(done(&store, &claimed[0]).await, Finished::Done(None));
    assert_eq!(ending(&store, "a").await, Ending::Done(1.into()));
    assert_eq!(done(&store, &claimed[0]).await, Finished::Lost, "once");
    assert!(matches!(store.put(entry("a")).await, Ok(Put::Added(newer)) if newer > generation));
}

async fn replacing(store: impl Store, _: Time) {
    let Put::Added(first) = store.put(entry("a")).await.unwrap() else { panic!() };
    let put = |existing, args: u32| store.put(Entry { existing, args: args.into(), ..entry("a") });
    let Put::Replaced(second) = put(Existing::Replace, 2).await.unwrap() else { panic!() };
    assert_eq!(put(Existing::ReplaceIf(first), 3).await, Ok(Put::Exists { generation: second, running: false }));
    let old = store.look("a", Some(first)).await.unwrap().unwrap();
    assert_eq!(old.state, State::Ended(Ending::Replaced(second)));
    let Put::Replaced(third) = put(Existing::ReplaceIf(second), 3).await.unwrap() else { panic!() };
    let claimed = claim_all(&store).await;
    assert_eq!((claimed.len(), claimed[0].generation, &claimed[0].args), (1, third, &3.into()));
    done(&store, &claimed[0]).await;
    assert_eq!(put(Existing::ReplaceIf(third), 4).await, Ok(Put::Gone));
}

async fn following(store: impl Store, _: Time) {
    let follow = || Entry { existing: Existing::Follow, ..entry("a") };
    assert!(matches!(store.put(follow()).await, Ok(Put::Added(_))));
    assert!(matches!(store.put(follow()).await, Ok(Put::Exists { running: false, .. })));
    let run = claim_all(&store).await.remove(0);
    let Put::Following(next) = store.put(follow()).await.unwrap() else { panic!() };
    assert_eq!(store.put(follow()).await, Ok(Put::Exists { generation: next, running: true }));
    let Put::Following(newer) = store.put(Entry { existing: Existing::Replace, ..entry("a") }).await.unwrap() else {
        panic!()
    };
    assert!(claim_all(&store).await.is_empty(), "not two runs of a key");
    let again = Entry { due: When::In(ms(1)), ..entry("a") };
    let end = close(&store, &run, Close::End(Ending::Failed("no".into()), Some(again))).await;
    assert_eq!(end, Finished::Done(Some(newer)), "what was asked for goes before what the run asks for");
    assert_eq!(claim_all(&store).await[0].generation, newer);
    let old = store.look("a", Some(next)).await.unwrap().unwrap();
    assert_eq!(old.state, State::Ended(Ending::Replaced(newer)));
}

async fn order(store: impl Store, time: Time) {
    store.put(after("late", ms(20))).await.unwrap();
    store.put(after("soon", ms(10))).await.unwrap();
    store.put(entry("now")).await.unwrap();
    store.put(Entry { priority: 1, ..after("urgent", ms(20)) }).await.unwrap();
    let claims = claims(&store, 1).await;
    assert_eq!((claims.taken[0].key.as_str(), claims.again), ("now", ms(10)));
    time.sleep(ms(9)).await;
    assert!(claim_all(&store).await.is_empty());
    time.sleep(ms(11)).await;
    let taken = claim_all(&store).await;
    let taken: Vec<_> = taken.iter().map(|claimed| (claimed.key.as_str(), claimed.late)).collect();
    assert_eq!(taken, [("urgent", ms(0)), ("soon", ms(10)), ("late", ms(0))]);
}

async fn names(store: impl Store, _: Time) {
    store.put(Entry::new("stranger", "a", 1.into())).await.unwrap();
    store.put(entry("b")).await.unwrap();
    assert_eq!(keys(&store).await, ["b"]);
    assert_eq!(row(&store, "a").await.state, State::Queued);
}

async fn lapse(store: impl Store, time: Time) {
    store.put(Entry { deliveries: n(9), ..entry("a") }).await.unwrap();
    let first = claims(&store, 1).await;
    assert_eq!(first.again, LEASE);
    let first = &first.taken[0];
    time.sleep(ms(60)).await;
    let renewal = Renewal { lease: LEASE, runs: vec![("a".into(), first.fence, Some("half".into()))] };
    assert_eq!(store.renew(&renewal).await.unwrap(), [Renewed::Held]);
    assert_eq!(row(&store, "a").await.progress, Some("half".into()));
    time.sleep(ms(99)).await;
    assert!(claim_all(&store).await.is_empty(), "it was prolonged");
    time.sleep(ms(1)).await;
    let second = claim_all(&store).await.remove(0);
    assert_eq!((second.delivery, second.attempt), (2, 1));
    assert_eq!(renew(&store, first).await, Renewed::Lost);
    assert_eq!(done(&store, first).await, Finished::Lost);
    assert_eq!(close(&store, first, Close::Retry(ms(0), "no".into())).await, Finished::Lost);
    assert_eq!(done(&store, &second).await, Finished::Done(None));
}

async fn dead(store: impl Store, time: Time) {
    store.put(Entry { deliveries: n(2), ..entry("a") }).await.unwrap();
    for delivery in 1..=2 {
        let run = claim_all(&store).await.remove(0);
        assert_eq!(run.delivery, delivery);
        assert_eq!(close(&store, &run, Close::Back).await, Finished::Done(Some(run.generation)));
        assert_eq!(claim_all(&store).await[0].delivery, delivery, "what did not begin does not count");
        time.sleep(LEASE).await;
    }
    assert!(claim_all(&store).await.is_empty());
    assert_eq!(ending(&store, "a").await, Ending::Dead(2));
}

async fn retry(store: impl Store, time: Time) {
    store.put(entry("a")).await.unwrap();
    for attempt in 1..=3 {
        let run = claim_all(&store).await.remove(0);
        assert_eq!((run.attempt, run.delivery), (attempt, 1));
        close(&store, &run, Close::Retry(ms(10), format!("no {attempt}"))).await;
        let row = row(&store, "a").await;
        assert_eq!((row.state, row.last_error, row.attempts), (State::Future, Some(format!("no {attempt}")), attempt));
        assert!(claim_all(&store).await.is_empty());
        time.sleep(ms(10)).await;
    }
    assert_eq!(claim_all(&store).await[0].age, ms(30));
}

async fn cancel(store: impl Store, _: Time) {
    assert_eq!(store.cancel("a", ms(5)).await, Ok(Cancelled::Unknown));
    let Put::Added(first) = store.put(entry("a")).await.unwrap() else { panic!() };
    assert_eq!(store.cancel("a", ms(5)).await, Ok(Cancelled::Queued(first)));
    assert_eq!(ending(&store, "a").await, Ending::Cancelled);
    store.put(entry("a")).await.unwrap();
    let run = claim_all(&store).await.remove(0);
    let Put::Following(next) = store.put(Entry { existing: Existing::Follow, ..entry("a") }).await.unwrap() else {
        panic!()
    };
    assert_eq!(renew(&store, &run).await, Renewed::Held);
    assert_eq!(store.cancel("a", ms(5)).await, Ok(Cancelled::Running(run.generation)));
    assert_eq!(renew(&store, &run).await, Renewed::Cancelled(ms(5)));
    store.cancel("a", ms(9)).await.unwrap();
    assert_eq!(renew(&store, &run).await, Renewed::Cancelled(ms(5)), "no later than it was told first");
    let follower = store.look("a", Some(next)).await.unwrap().unwrap();
    assert_eq!(follower.state, State::Ended(Ending::Cancelled));
    assert_eq!(close(&store, &run, Close::Retry(ms(0), "no".into())).await, Finished::Done(None));
    let cancelled = store.look("a", Some(run.generation)).await.unwrap().unwrap();
    assert_eq!(cancelled.state, State::Ended(Ending::Cancelled), "it is not tried again");
}

async fn reschedule(store: impl Store, time: Time) {
    assert_eq!(store.reschedule("a", When::Now).await, Ok(false));
    store.put(after("a", ms(10))).await.unwrap();
    assert_eq!(store.reschedule("a", When::In(ms(20))).await, Ok(true));
    time.sleep(ms(19)).await;
    assert!(claim_all(&store).await.is_empty());
    assert_eq!(store.reschedule("a", When::Now).await, Ok(true));
    assert_eq!(keys(&store).await, ["a"]);
    assert_eq!(store.reschedule("a", When::Now).await, Ok(false), "it runs");
}

async fn gates(store: impl Store, _: Time) {
    let (x, y) = (gate("x", 1), gate("y", 2));
    for key in ["a", "b", "c"] {
        store.put(gated(key, std::slice::from_ref(&x))).await.unwrap();
    }
    for key in ["d", "e", "f"] {
        store.put(gated(key, std::slice::from_ref(&y))).await.unwrap();
    }
    let first = claim_all(&store).await;
    assert_eq!(first.iter().map(|run| run.key.as_str()).collect::<Vec<_>>(), ["a", "d", "e"]);
    assert_eq!(row(&store, "b").await.state, State::Waiting);
    let gates = store.scan().await.unwrap().gates;
    let gates: Vec<_> = gates.iter().map(|gate| (gate.name.as_str(), gate.held, gate.waiting)).collect();
    assert_eq!(gates, [("x", 1, 2), ("y", 2, 1)]);
    done(&store, &first[0]).await;
    assert_eq!(keys(&store).await, ["b"]);
    store.cancel("c", ms(0)).await.unwrap();
    done(&store, &first[1]).await;
    assert_eq!(keys(&store).await, ["f"]);
    let twice = store.put(gated("g", &[x.clone(), x])).await;
    assert_eq!(twice.unwrap_err().to_string(), "two gates are named `x`");
}

async fn two_gates(store: impl Store, _: Time) {
    let (x, y) = (gate("x", 1), gate("y", 1));
    store.put(gated("holds x", std::slice::from_ref(&x))).await.unwrap();
    let mut on_x = claim_all(&store).await.remove(0);
    store.put(gated("both", &[x.clone(), y.clone()])).await.unwrap();
    assert!(claim_all(&store).await.is_empty());
    // Neither newcomers at the free gate nor those at the other pass it.
    store.put(gated("y", &[y])).await.unwrap();
    store.put(gated("x", &[x])).await.unwrap();
    assert!(claim_all(&store).await.is_empty());
    for next in ["both", "x"] {
        done(&store, &on_x).await;
        let taken = claim_all(&store).await;
        assert_eq!(taken[0].key, if next == "x" { "y" } else { next });
        on_x = taken.into_iter().last().unwrap();
        assert_eq!(on_x.key, next);
    }
}

async fn freed(store: impl Store, time: Time) {
    let x = [gate("x", 1)];
    store.put(gated("a", &x)).await.unwrap();
    store.put(gated("b", &x)).await.unwrap();
    assert_eq!(keys(&store).await, ["a"]);
    time.sleep(LEASE).await;
    assert_eq!(keys(&store).await, ["b"], "the first is dead");
    assert_eq!(store.scan().await.unwrap().gates[0].held, 1);
}

async fn rates(store: impl Store, time: Time) {
    let rate = Rule::Rate { burst: n(2), every: ms(20) };
    let gates = [Gate { name: "r".into(), rule: rate, excess: Excess::Wait }, gate("x", 3)];
    for key in ["a", "b", "c", "d"] {
        store.put(gated(key, &gates)).await.unwrap();
    }
    let first = claims(&store, 9).await;
    assert_eq!((first.taken.len(), first.again), (2, ms(10)), "a burst, and then one each 10 ms");
    for run in &first.taken {
        done(&store, run).await;
    }
    assert!(claim_all(&store).await.is_empty(), "they began, though they are over");
    time.sleep(ms(10)).await;
    assert_eq!(keys(&store).await, ["c"]);
    time.sleep(ms(10)).await;
    assert_eq!(keys(&store).await, ["d"]);
}

async fn dropping(store: impl Store, time: Time) {
    let rule = Rule::Rate { burst: n(1), every: ms(10) };
    let cooldown = Gate { name: "r".into(), rule, excess: Excess::Drop };
    let x = gate("x", 1);
    store.put(gated("holder", std::slice::from_ref(&x))).await.unwrap();
    let holder = claim_all(&store).await.remove(0);
    store.put(gated("blocked", &[cooldown.clone(), x])).await.unwrap();
    assert!(claim_all(&store).await.is_empty());
    done(&store, &holder).await;
    assert_eq!(keys(&store).await, ["blocked"], "what is blocked does not arm its cooldown");
    store.put(gated("dropped", std::slice::from_ref(&cooldown))).await.unwrap();
    assert!(claim_all(&store).await.is_empty());
    assert_eq!(ending(&store, "dropped").await, Ending::Dropped("r".into()));
    time.sleep(ms(10)).await;
    store.put(gated("later", &[cooldown])).await.unwrap();
    assert_eq!(keys(&store).await, ["later"]);
}

async fn given_back(store: impl Store, time: Time) {
    let rule = Rule::Rate { burst: n(2), every: ms(20) };
    let rate = Gate { name: "r".into(), rule, excess: Excess::Drop };
    store.put(gated("first", std::slice::from_ref(&rate))).await.unwrap();
    let first = claim_all(&store).await.remove(0);
    time.sleep(ms(1)).await;
    for _ in 0..5 {
        store.put(gated("a", std::slice::from_ref(&rate))).await.unwrap();
        let claimed = claim_all(&store).await.remove(0);
        assert_eq!((claimed.key.as_str(), claimed.delivery), ("a", 1));
        close(&store, &claimed, Close::Back).await;
    }
    done(&store, &first).await;
    store.put(gated("b", &[rate])).await.unwrap();
    assert_eq!(keys(&store).await, ["a"], "what did begin counts");
    assert_eq!(ending(&store, "b").await, Ending::Dropped("r".into()));
}

async fn settling(store: impl Store, time: Time) {
    let settle = Some(Settle { quiet: ms(10), at_most: ms(25) });
    let put = |args: u32| store.put(Entry { settle, args: args.into(), ..entry("a") });
    for args in 0..4 {
        put(args).await.unwrap();
        assert!(claim_all(&store).await.is_empty());
        time.sleep(ms(8)).await;
    }
    let run = claim_all(&store).await.remove(0);
    assert_eq!((run.args.clone(), run.late), (3.into(), ms(7)), "25 ms after the first, though it was put again");
    assert!(matches!(put(9).await, Ok(Put::Following(_))));
    time.sleep(ms(5)).await;
    done(&store, &run).await;
    assert!(claim_all(&store).await.is_empty());
    time.sleep(ms(5)).await;
    assert_eq!(claim_all(&store).await[0].args, serde_json::Value::from(9));
}

async fn strikes(store: impl Store, _: Time) {
    let of_a = store.strike(Strike::field("of", Test::Eq("a".into()))).await.unwrap();
    let below_c = store.strike(Strike::field("of", Test::Lt("c".into())).of("t")).await.unwrap();
    assert_eq!(store.put(entry("a")).await, Ok(Put::Struck(of_a)));
    assert_eq!(store.put(entry("b")).await, Ok(Put::Struck(below_c)));
    assert!(matches!(store.put(entry("c")).await, Ok(Put::Added(_))));
    assert!(matches!(store.put(Entry { name: "u".into(), ..entry("b") }).await, Ok(Put::Added(_))), "of `t` only");
    assert_eq!((store.restore(of_a).await, store.restore(of_a).await), (Ok(true), Ok(false)));
    assert_eq!(store.put(entry("a")).await, Ok(Put::Struck(below_c)), "the other one still holds");
    assert_eq!(store.restore(below_c).await, Ok(true));
    assert!(matches!(store.put(entry("a")).await, Ok(Put::Added(_))));
    let all_t = store.strike(Strike::task("t")).await.unwrap();
    assert_eq!(store.scan().await.unwrap().strikes, [(all_t, Strike::task("t"))]);
    let [run] = &claim_all(&store).await[..] else { panic!("only `b`, which is of `u`") };
    assert_eq!(run.key, "b");
    assert_eq!(ending(&store, "a").await, Ending::Struck(all_t));
    assert_eq!(ending(&store, "c").await, Ending::Struck(all_t));
}

async fn clear(store: impl Store, _: Time) {
    let strike = store.strike(Strike::task("u")).await.unwrap();
    store.put(gated("runs", &[gate("x", 1)])).await.unwrap();
    let run = claim_all(&store).await.remove(0);
    store.put(gated("waits", &[gate("x", 1)])).await.unwrap();
    assert!(claim_all(&store).await.is_empty());
    store.put(after("future", ms(10))).await.unwrap();
    store.put(entry("queued")).await.unwrap();
    store.put(Entry { existing: Existing::Follow, ..entry("runs") }).await.unwrap();
    assert_eq!(store.clear().await, Ok(4));
    assert_eq!(renew(&store, &run).await, Renewed::Held);
    assert_eq!(done(&store, &run).await, Finished::Done(None));
    assert!(claim_all(&store).await.is_empty());
    assert_eq!(store.put(Entry { name: "u".into(), ..entry("a") }).await, Ok(Put::Struck(strike)));
    assert!(store.scan().await.unwrap().gates.is_empty());
}

async fn changes(store: impl Store, time: Time) {
    let scope = Scope::new(time);
    let seen = claims(&store, 1).await.seen;
    let soon = async |future| scope.move_on_after(ms(1), async |_| future.await).await.done();
    assert!(soon(store.changed(Topic::Work, seen)).await.is_none());
    let Put::Added(generation) = store.put(entry("a")).await.unwrap() else { panic!() };
    assert!(soon(store.changed(Topic::Work, seen)).await.is_some());
    let run = claims(&store, 1).await;
    assert!(soon(store.changed(Topic::Work, run.seen)).await.is_none());
    let store = &store;
    let (mut orders, mut end) =
        (std::pin::pin!(store.changed(Topic::Orders, 0)), std::pin::pin!(store.changed(Topic::End(generation), 0)));
    assert!(scope.move_on_after(ms(1), async |_| orders.as_mut().await).await.is_cancelled());
    assert!(scope.move_on_after(ms(1), async |_| end.as_mut().await).await.is_cancelled());
    store.cancel("a", ms(0)).await.unwrap();
    orders.await.unwrap();
    done(store, &run.taken[0]).await;
    end.await.unwrap();
    assert!(soon(store.changed(Topic::Work, run.seen)).await.is_some(), "there is nothing more of this name");
    assert!(soon(store.changed(Topic::End(generation), 0)).await.is_some(), "it has ended");
}

async fn shorter(store: impl Store, time: Time) {
    store.put(after("later", ms(500))).await.unwrap();
    store.put(entry("now")).await.unwrap();
    // Who waits for the task that comes later would not look before.
    let claim = Claim { worker: "idle".into(), names: vec!["u".into()], most: 1, lease: LEASE };
    let idle = store.claim(&claim).await.unwrap();
    assert!(idle.taken.is_empty() && idle.again > LEASE, "{:?}", idle.again);
    assert_eq!(claims(&store, 1).await.taken[0].key, "now");
    let told = Scope::new(time).move_on_after(ms(1), async |_| store.changed(Topic::Work, idle.seen).await).await;
    assert!(told.done().is_some());
}

async fn kept(store: impl Store, time: Time) {
    store.put(Entry { keep: ms(10), ..entry("a") }).await.unwrap();
    let run = claim_all(&store).await.remove(0);
    done(&store, &run).await;
    time.sleep(ms(9)).await;
    assert_eq!(ending(&store, "a").await, Ending::Done(1.into()));
    time.sleep(ms(1)).await;
    assert_eq!(store.look("a", None).await, Ok(None));
    assert!(store.scan().await.unwrap().rows.is_empty());
    // The newest is looked at, whichever has ended last.
    store.put(entry("b")).await.unwrap();
    let run = claim_all(&store).await.remove(0);
    let Put::Following(newest) = store.put(Entry { existing: Existing::Follow, ..entry("b") }).await.unwrap() else {
        panic!("it runs")
    };
    store.cancel("b", ms(0)).await.unwrap();
    done(&store, &run).await;
    let row = row(&store, "b").await;
    assert_eq!((row.generation, row.state), (newest, State::Ended(Ending::Cancelled)));
    // When that is forgotten, it is the newest of those that are kept.
    for end in [5, 20, 10] {
        store.put(Entry { keep: ms(end), ..entry("c") }).await.unwrap();
        store.cancel("c", ms(0)).await.unwrap();
    }
    let all: Vec<_> = store.scan().await.unwrap().rows.into_iter().filter(|row| row.key == "c").collect();
    for (after, newest) in [(9, Some(2)), (1, Some(1)), (9, Some(1)), (1, None)] {
        time.sleep(ms(after)).await;
        let row = store.look("c", None).await.unwrap();
        assert_eq!(row.map(|row| row.generation), newest.map(|at: usize| all[at].generation));
    }
}

async fn many(store: impl Store, _: Time) {
    store.put(entry("b")).await.unwrap();
    let (puts, failed) = store.put_all(["a", "b", "c"].map(entry).into()).await.unwrap();
    assert!(matches!(puts[..], [Put::Added(_), Put::Exists { .. }, Put::Added(_)]), "{puts:?}");
    assert_eq!((failed, keys(&store).await), (None, ["b", "a", "c"].map(String::from).into()));
    let (puts, failed) =
        store.put_all(vec![entry("d"), gated("e", &[gate("g", 1), gate("g", 1)]), entry("f")]).await.unwrap();
    assert_eq!(failed, Some(StoreError::SameGate("g".into())));
    let there = [store.look("d", None).await.unwrap().is_some(), store.look("f", None).await.unwrap().is_some()];
    assert_eq!(there, [puts.len() == 1, false]);
}

async fn dates(store: impl Store, time: Time) {
    let day = Duration::from_secs(86_400);
    let at = |key, unix| Entry { due: When::At(unix), ..entry(key) };
    store.put(at("past", day / 2)).await.unwrap();
    store.put(at("soon", day + (time.now() - wakeful::time::Instant::EPOCH) + ms(10))).await.unwrap();
    let first = claims(&store, 9).await;
    assert_eq!((first.taken[0].key.as_str(), first.taken.len(), first.again), ("past", 1, ms(10)));
    assert_eq!(first.taken[0].planned, Some(day / 2));
    time.sleep(ms(10)).await;
    let soon = claim_all(&store).await.remove(0);
    assert_eq!((soon.key.as_str(), soon.planned), ("soon", Some(store.unix().await.unwrap())));
    close(&store, &soon, Close::Retry(ms(5), "no".into())).await;
    time.sleep(ms(5)).await;
    assert_eq!(claim_all(&store).await[0].planned, soon.planned, "a retry is for the same time");
    for (key, due, planned) in [("a", When::At(day), Some(day)), ("b", When::Now, None)] {
        store.put(at(key, day * 2)).await.unwrap();
        assert_eq!(store.reschedule(key, due).await, Ok(true));
        assert_eq!(claim_all(&store).await[0].planned, planned);
    }
}

async fn finished(store: impl Store, time: Time) {
    let is_finished = async |name: &str| store.is_finished(&[name.into(), "v".into()]).await.unwrap();
    assert!(is_finished("t").await);
    store.put(after("a", ms(10))).await.unwrap();
    assert!(!is_finished("t").await, "it is to come");
    assert!(is_finished("u").await, "it is of another name");
    time.sleep(ms(10)).await;
    let claimed = claim_all(&store).await;
    store.put(Entry { existing: Existing::Follow, ..entry("a") }).await.unwrap();
    assert!(!is_finished("t").await, "it runs");
    done(&store, &claimed[0]).await;
    assert!(!is_finished("t").await, "it follows");
    let claimed = claim_all(&store).await;
    done(&store, &claimed[0]).await;
    assert!(is_finished("t").await);
    // The last one ends while somebody claims, and whoever waits hears of it.
    store.put(entry("b")).await.unwrap();
    let seen = claims(&store, 1).await.seen;
    store.cancel("b", ms(0)).await.unwrap();
    time.sleep(LEASE).await;
    assert!(claim_all(&store).await.is_empty());
    assert!(is_finished("t").await);
    assert!(store.changed(Topic::Work, seen).await.unwrap() > seen);
}
