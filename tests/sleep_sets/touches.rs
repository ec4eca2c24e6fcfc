//! What primitives say of what polls touch: with all of it no outcome is missed, and what commutes is not tried twice.

use super::{as_the_plain_search, outcomes, woken_task};
use futures::stream::{FuturesUnordered, StreamExt};
use std::collections::BTreeSet;
use std::future::poll_fn;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::queue;
use wakeful::sim::{Sim, Strategy, Tracked};
use wakeful::task::group;
use wakeful::time::{Clock, Instant, ManualClock, Time};
use wakeful::work::{Collect, ItemOutcome, Lease, work};

#[test]
fn a_queue_shows_all_outcomes_of_the_plain_search() {
    // Two producers, two consumers and a close that comes at any time.
    let (few, all) = as_the_plain_search(async |sim| {
        let (tx, rx) = queue::bounded(NonZeroUsize::MIN);
        let took = ["one", "two"].map(|name| {
            let rx = rx.clone();
            sim.tracked().spawn(name, async move { rx.recv().await.ok() })
        });
        let sent = [1, 2].map(|n| {
            let tx = tx.clone();
            sim.tracked().spawn("producer", async move { tx.send(n).await.is_ok() })
        });
        sim.tracked().spawn("closer", async move { tx.close() });
        let [one, two] = took;
        let [first, second] = sent;
        (one.await, two.await, first.await, second.await)
    });
    assert!(few < all, "{few} of {all}");
}

#[test]
fn a_try_that_fails_only_looks() {
    let fail = async |sim: Sim| {
        let (tx, rx) = queue::bounded::<()>(NonZeroUsize::MIN);
        let rx = [rx.clone(), rx.clone(), rx];
        for rx in &rx {
            let rx = rx.clone();
            sim.tracked().spawn("taker", async move {
                assert!(rx.try_recv().is_err());
                // The handle is not dropped here: that is a change.
                std::mem::forget(rx);
            });
        }
        sim.idle().await;
        drop(tx);
    };
    assert_eq!(outcomes(Strategy::SleepSets, fail).1.runs, 1);
}

#[test]
fn cancelling_shows_all_outcomes_of_the_plain_search() {
    as_the_plain_search(async |sim| {
        let outer = Scope::new(sim.time());
        let inner = outer.child();
        let runs = [&outer, &inner, &inner].map(|scope| {
            let (scope, task) = (scope.clone(), sim.clone());
            sim.tracked().spawn("run", async move {
                let body = async {
                    task.yield_now().await;
                    scope.is_cancelled()
                };
                scope.run(body).await.done()
            })
        });
        sim.tracked().spawn("inner", async move { inner.cancel("inner") });
        sim.tracked().spawn("outer", async move { outer.cancel("outer") });
        let [a, b, c] = runs;
        (a.await, b.await, c.await)
    });
}

#[test]
fn sleeps_commute_and_what_they_wake_is_searched() {
    let sleepers = async |sim: Sim, tasks: u64, apart: u64| {
        let order = Tracked::new(Vec::new());
        for n in 0..tasks {
            let (time, order) = (sim.time(), order.clone());
            sim.tracked().spawn("sleeper", async move {
                time.sleep(Duration::from_secs(1 + n * apart)).await;
                order.write(|order| order.push(n));
            });
        }
        sim.time().sleep(Duration::from_secs(60)).await;
        order.get()
    };
    let (orders, summary) = outcomes(Strategy::SleepSets, async |sim| sleepers(sim, 4, 1).await);
    assert_eq!((orders.len(), summary.runs), (1, 1), "registering timers commutes");
    let (few, all) = as_the_plain_search(async |sim| sleepers(sim, 3, 0).await);
    assert_eq!((few, all), (6, 36), "those of one instant are woken together");
}

#[test]
fn a_jump_of_time_does_not_commute_with_looking_at_the_clock() {
    let (few, _) = as_the_plain_search(async |sim| {
        let (jumper, looker) = (sim.clone(), sim.clone());
        let jump = sim.tracked().spawn("jumper", async move { jumper.jump(Duration::from_secs(1)).await });
        // Both go on when nobody else is ready; the one then jumps, and waits for that again.
        let looking = sim.tracked().spawn("looker", async move {
            looker.idle().await;
            looker.now().as_nanos()
        });
        jump.await;
        looking.await
    });
    assert_eq!(few, 2);
}

#[test]
fn a_wake_does_not_commute_with_a_poll_of_whom_it_wakes() {
    let (few, _) = as_the_plain_search(async |sim| {
        let (waker, polls) = woken_task(&sim).await;
        for _ in 0..2 {
            let waker = waker.clone();
            sim.tracked().spawn("waking", async move { waker.wake() });
        }
        sim.idle().await;
        polls.get()
    });
    assert_eq!(few, 3, "both wakes before the poll, and either one before it");
}

#[test]
fn the_end_of_a_task_does_not_commute_with_looking_whether_it_has_come() {
    let (few, _) = as_the_plain_search(async |sim| {
        let task = sim.tracked().spawn("task", async {});
        let looker = sim.tracked().spawn("looker", async move { task.is_finished() });
        looker.await
    });
    assert_eq!(few, 2);
}

#[test]
fn wakers_of_a_combinator_are_seen_where_the_kit_keeps_or_fires_them() {
    let body = async |sim: Sim| {
        let [(first, rx), (second, other), (go, on)] = [(); 3].map(|()| queue::bounded::<()>(NonZeroUsize::MIN));
        let (sim, rx) = (sim.tracked(), [rx, other]);
        // How many items each of its polls had. A send that comes while it is ready for another one wakes nobody.
        let joined = sim.spawn("joined", async move {
            let mut all: FuturesUnordered<_> = rx.iter().map(|rx| rx.recv()).collect();
            let mut counts = Vec::new();
            poll_fn(|cx| {
                let mut count = 0;
                while let Poll::Ready(Some(_)) = all.poll_next_unpin(cx) {
                    count += 1;
                }
                counts.extend((count > 0).then_some(count));
                if all.is_empty() { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            counts
        });
        // It has been polled before anybody sends, and goes on only for what it is woken for.
        sim.idle().await;
        sim.spawn("first", async move {
            first.send(()).await.unwrap();
            go.send(()).await.unwrap();
        });
        let second = sim.spawn("second", async move {
            let waits = on.is_empty();
            on.recv().await.unwrap();
            second.send(()).await.unwrap();
            waits
        });
        (joined.await, second.await)
    };
    as_the_plain_search(body);
    let all = [(vec![1, 1], false), (vec![1, 1], true), (vec![2], false), (vec![2], true)];
    assert_eq!(outcomes(Strategy::SleepSets, body).0, BTreeSet::from(all));
}

#[test]
fn the_last_of_several_senders_closes_whichever_it_is() {
    for writer in 0..2 {
        as_the_plain_search(async |sim| {
            let (tx, rx) = queue::bounded::<()>(NonZeroUsize::MIN);
            let cell = Tracked::new(0);
            for (n, tx) in [tx.clone(), tx].into_iter().enumerate() {
                let cell = cell.clone();
                sim.tracked().spawn("sender", async move {
                    drop(tx);
                    if n == writer {
                        cell.set(1);
                    }
                });
            }
            let looker = sim.tracked().spawn("looker", async move { (cell.get(), rx.is_closed()) });
            looker.await
        });
    }
}

#[test]
fn a_deadline_that_moves_does_not_commute_with_looking_at_it() {
    let (few, _) = as_the_plain_search(async |sim| {
        let scope = Scope::new(sim.time()).child();
        let moved = scope.clone();
        sim.tracked().spawn("mover", async move { moved.set_deadline(moved.now() + Duration::from_secs(1)) });
        let looker = sim.tracked().spawn("looker", async move { scope.deadline() });
        looker.await
    });
    assert_eq!(few, 2);
}

/// A clock that stands where a cell says.
struct Hand(Tracked<Instant>);

impl Clock for Hand {
    fn now(&self) -> Instant {
        self.0.get()
    }

    fn arm(&self, _: Instant) {}
}

#[test]
fn turning_the_timers_does_not_commute_with_registering_one() {
    for manual in [true, false] {
        as_the_plain_search(async |sim| {
            let (clock, hand) = (ManualClock::new(), Tracked::new(Instant::EPOCH));
            let time = if manual { clock.time() } else { Time::new(Hand(hand.clone())) };
            // The first timer of all looks at the clock. This one is to be another.
            let standing = time.sleep_until(Instant::from_nanos(1));
            sim.spawn_background("standing", standing);
            sim.idle().await;
            let sleep = time.sleep_until(Instant::from_nanos(5));
            sim.tracked().spawn("mover", async move {
                if manual {
                    clock.advance(Duration::from_nanos(10));
                } else {
                    hand.set(Instant::from_nanos(10));
                    time.turn();
                }
            });
            let sleeper = sim.tracked().spawn("sleeper", async move {
                let (mut sleep, mut polls) = (pin!(sleep), 0);
                poll_fn(|cx| {
                    polls += 1;
                    sleep.as_mut().poll(cx)
                })
                .await;
                polls
            });
            sleeper.await
        });
    }
}

/// Waits until it is opened, by way of a waker that the kit has no part in.
#[derive(Clone, Default)]
struct Gate(Tracked<(bool, Option<Waker>)>);

impl Gate {
    fn open(&self) {
        let waker = self.0.write(|gate| {
            gate.0 = true;
            gate.1.take()
        });
        waker.into_iter().for_each(Waker::wake);
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let (open, old) = self.0.write(|gate| (gate.0, gate.1.replace(waker)));
        drop(old);
        if open { Poll::Ready(()) } else { Poll::Pending }
    }
}

#[test]
fn what_wakes_a_worker_is_seen_also_if_it_wakes_the_run_no_more() {
    let (_, _) = as_the_plain_search(async |sim| {
        let (gates, scope) = ([Gate::default(), Gate::default()], Scope::new(sim.time()));
        let inside = gates.clone();
        let run = sim.tracked().spawn("run", async move {
            // In which poll of the run each item was done.
            let (polls, mut all) = (Arc::new(AtomicUsize::new(0)), Collect::new());
            let body = |item: Lease<usize>| {
                let (gate, polls) = (inside[*item].clone(), polls.clone());
                async move {
                    poll_fn(|cx| gate.poll(cx)).await;
                    Ok::<_, ()>((*item, polls.load(Relaxed)))
                }
            };
            let mut run = Box::pin(work([0, 1]).workers(NonZeroUsize::new(2).unwrap()).run(&scope, body, &mut all));
            poll_fn(|cx| {
                polls.fetch_add(1, Relaxed);
                run.as_mut().poll(cx)
            })
            .await;
            drop(run);
            let done = all.into_outcomes().into_iter().map(|outcome| match outcome {
                ItemOutcome::Done(done) => done,
                other => panic!("{other:?}"),
            });
            done.collect::<Vec<_>>()
        });
        sim.idle().await;
        for gate in gates {
            sim.tracked().spawn("opener", async move { gate.open() });
        }
        run.await
    });
}

#[test]
fn an_item_that_comes_back_from_another_task_may_come_too_late() {
    let body = async |sim: Sim| {
        let (scope, gate, shelf) = (Scope::new(sim.time()), Gate::default(), Tracked::new(None));
        let (opened, lent) = (gate.clone(), shelf.clone());
        let run = sim.tracked().spawn("run", async move {
            let mut all = Collect::new();
            let body = |item: Lease<u8>| {
                shelf.set(Some(item));
                let gate = gate.clone();
                async move {
                    poll_fn(|cx| gate.poll(cx)).await;
                    Err::<(), _>("given away")
                }
            };
            work([7]).run(&scope, body, &mut all).await;
            matches!(all.into_outcomes()[0], ItemOutcome::Failed { item: Some(7), .. })
        });
        sim.idle().await;
        sim.tracked().spawn("opener", async move { opened.open() });
        sim.tracked().spawn("borrower", async move { drop(lent.write(Option::take)) });
        run.await
    };
    as_the_plain_search(body);
    assert_eq!(outcomes(Strategy::SleepSets, body).0, BTreeSet::from([false, true]));
}

#[test]
fn groups_of_tasks_show_all_outcomes_of_the_plain_search() {
    let body = async |sim: Sim| {
        let (scope, spawner, seen) = (Scope::new(sim.time()), sim.tracked().spawner(), Tracked::new(None));
        let report = group::<&str>(spawner).report(&scope, async |g| {
            let failing = g.spawn("fails", async { Err::<(), _>("it had to") }).unwrap();
            let place = seen.clone();
            let looking = g.spawn("looks", async move {
                place.set(Some(failing.is_finished()));
                Ok(())
            });
            looking.unwrap().await.map_err(|_| "cut short")
        });
        let report = report.await;
        (seen.get(), report.output.is_some(), report.count.failed, report.count.cancelled)
    };
    as_the_plain_search(body);
    let saw: BTreeSet<_> = outcomes(Strategy::SleepSets, body).0.into_iter().map(|outcome| outcome.0).collect();
    assert_eq!(saw, BTreeSet::from([None, Some(false)]), "once it has failed nobody begins");
}
