//! Two at one store, in every order of threads.

use super::*;
use crate::sys::model::{Task, model, spawn};
use crate::time::ManualClock;
use alloc::vec;
use core::num::NonZeroU32;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use serde_json::Value;

const LEASE: Duration = Duration::from_secs(1);

/// What the store in memory answers at once.
fn now<T>(answer: Answer<'_, T>) -> T {
    let Poll::Ready(reply) = pin!(answer).poll(&mut Context::from_waker(Waker::noop())) else { panic!("later") };
    reply.unwrap()
}

fn store() -> (MemoryStore, ManualClock) {
    let clock = ManualClock::new();
    (MemoryStore::new(&clock.time()), clock)
}

fn entry(key: &str) -> Entry {
    Entry { keep: Duration::MAX, deliveries: NonZeroU32::MAX, ..Entry::new("t", key, Value::Null) }
}

fn one_place() -> Gate {
    Gate { name: "g".into(), rule: Rule::AtMost(NonZeroU32::MIN), excess: Excess::Wait }
}

fn claims(store: &MemoryStore) -> Claims {
    now(store.claim(&Claim { worker: "w".into(), names: vec!["t".into()], most: 2, lease: LEASE }))
}

fn renew(store: &MemoryStore, run: &Claimed) -> Renewed {
    now(store.renew(&Renewal { lease: LEASE, runs: vec![(run.key.clone(), run.fence, None)] }))[0]
}

fn finish(store: &MemoryStore, run: &Claimed) -> Finished {
    now(store.finish(&run.key, run.fence, Close::End(Ending::Done(Value::Null), None)))
}

fn state(store: &MemoryStore, key: &str) -> State {
    now(store.look(key, None)).unwrap().state
}

/// Someone who waits for a change after `seen`.
fn waiter(store: &MemoryStore, topic: Topic, seen: u64) -> Task<u64> {
    let store = store.clone();
    Task::new(async move { store.changed(topic, seen).await.unwrap() })
}

#[test]
fn loom_a_row_is_claimed_by_one_of_two() {
    model(|| {
        let (store, _clock) = store();
        let _ = now(store.put(entry("a")));
        let other = spawn({
            let store = store.clone();
            move || claims(&store).taken
        });
        let mine = claims(&store).taken;
        let others = other.join().unwrap();
        assert_eq!(mine.len() + others.len(), 1);
        assert_eq!(finish(&store, mine.first().or(others.first()).unwrap()), Finished::Done(None));
    });
}

#[test]
fn loom_who_waits_for_work_hears_of_what_his_claim_did_not_see() {
    model(|| {
        let (store, _clock) = store();
        let adding = spawn({
            let store = store.clone();
            move || now(store.put(entry("a")))
        });
        let claims_before = claims(&store);
        if claims_before.taken.is_empty() {
            let mut changed = waiter(&store, Topic::Work, claims_before.seen);
            let first = changed.poll();
            adding.join().unwrap();
            assert!(changed.finish(first) > claims_before.seen);
            assert_eq!(claims(&store).taken.len(), 1);
        } else {
            adding.join().unwrap();
        }
    });
}

#[test]
fn loom_who_waits_for_an_end_hears_of_it() {
    model(|| {
        let (store, _clock) = store();
        let _ = now(store.put(entry("a")));
        let run = claims(&store).taken.remove(0);
        let mut ended = waiter(&store, Topic::End(run.generation), 0);
        let finishing = spawn({
            let store = store.clone();
            move || finish(&store, &run)
        });
        let first = ended.poll();
        assert_eq!(finishing.join().unwrap(), Finished::Done(None));
        ended.finish(first);
    });
}

#[test]
fn loom_what_is_cancelled_while_it_is_claimed_ends_or_is_told() {
    model(|| {
        let (store, _clock) = store();
        let _ = now(store.put(entry("a")));
        let mut orders = waiter(&store, Topic::Orders, 0);
        let cancelling = spawn({
            let store = store.clone();
            move || now(store.cancel("a", Duration::ZERO))
        });
        let taken = claims(&store).taken;
        let first = orders.poll();
        let cancelled = cancelling.join().unwrap();
        match taken.first() {
            None => {
                assert!(matches!(cancelled, Cancelled::Queued(_)));
                assert_eq!(state(&store, "a"), State::Ended(Ending::Cancelled));
                assert!(first.is_pending() && !orders.woken(), "nothing runs that is to end");
            }
            Some(run) => {
                assert_eq!(cancelled, Cancelled::Running(run.generation));
                orders.finish(first);
                assert_eq!(renew(&store, run), Renewed::Cancelled(Duration::ZERO));
            }
        }
    });
}

#[test]
fn loom_a_run_that_is_cancelled_and_finished_ends_once() {
    model(|| {
        let (store, _clock) = store();
        let _ = now(store.put(entry("a")));
        let run = claims(&store).taken.remove(0);
        let cancelling = spawn({
            let store = store.clone();
            move || now(store.cancel("a", Duration::ZERO))
        });
        let (key, fence) = (run.key.clone(), run.fence);
        let finished = now(store.finish(&key, fence, Close::Retry(Duration::ZERO, "no".into())));
        let cancelled = cancelling.join().unwrap();
        // Cancelled while it ran, or while it waited to be tried again.
        assert!(
            finished == Finished::Done(None) || matches!(cancelled, Cancelled::Queued(_)),
            "{finished:?} {cancelled:?}"
        );
        assert_eq!(state(&store, "a"), State::Ended(Ending::Cancelled));
        assert_eq!(finish(&store, &run), Finished::Lost);
    });
}

#[test]
fn loom_a_lease_is_prolonged_or_lost_but_never_held_by_two() {
    model(|| {
        let (store, clock) = store();
        let _ = now(store.put(Entry { gates: vec![one_place()], ..entry("a") }));
        let first = claims(&store).taken.remove(0);
        let instant = Duration::from_nanos(1);
        clock.advance(LEASE - instant);
        let late = spawn({
            let (store, first) = (store.clone(), first.clone());
            move || (renew(&store, &first), first)
        });
        clock.advance(instant);
        let second = claims(&store).taken;
        let (renewed, first) = late.join().unwrap();
        match second.first() {
            None => {
                assert_eq!(renewed, Renewed::Held);
                assert_eq!(finish(&store, &first), Finished::Done(None));
            }
            Some(second) => {
                assert_eq!(renewed, Renewed::Lost);
                assert_eq!(finish(&store, &first), Finished::Lost);
                assert_eq!(now(store.scan()).gates[0].held, 1);
                assert_eq!(finish(&store, second), Finished::Done(None));
            }
        }
        assert!(now(store.scan()).gates.is_empty());
    });
}

#[test]
fn loom_a_place_that_is_freed_while_somebody_claims_is_not_missed() {
    model(|| {
        let (store, _clock) = store();
        let _ = now(store.put(Entry { gates: vec![one_place()], ..entry("a") }));
        let run = claims(&store).taken.remove(0);
        let _ = now(store.put(Entry { gates: vec![one_place()], ..entry("b") }));
        let finishing = spawn({
            let store = store.clone();
            move || finish(&store, &run)
        });
        let claims_before = claims(&store);
        if claims_before.taken.is_empty() {
            let mut changed = waiter(&store, Topic::Work, claims_before.seen);
            let first = changed.poll();
            finishing.join().unwrap();
            changed.finish(first);
            assert_eq!(claims(&store).taken.len(), 1);
        } else {
            finishing.join().unwrap();
        }
    });
}
