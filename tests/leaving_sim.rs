//! What groups leave behind when they are dropped, in the simulator.

use std::future::pending;
use std::pin::pin;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wakeful::cancel::{ReasonKind, Scope, current};
use wakeful::sim::Sim;
use wakeful::task::{ChildError, TaskGroup, group, local_group};

const SECOND: Duration = Duration::from_secs(1);

/// Counts its drop.
struct Guard(Arc<AtomicUsize>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// Calls the function when it is dropped.
struct Finally<F: Fn()>(F);

impl<F: Fn()> Drop for Finally<F> {
    fn drop(&mut self) {
        self.0();
    }
}

/// Nothing that follows the scope meets what was left behind.
#[test]
fn a_scope_waits_for_the_groups_of_the_local_background_too() {
    wakeful::sim::run(|sim| async move {
        let (scope, gone) = (Scope::new(sim.time()), Arc::new(AtomicUsize::new(0)));
        let outcome = scope
            .move_on_after(SECOND, async |s| {
                let report = local_group::<()>().report(s, async |g| {
                    let serves = async {
                        let inside = current().unwrap();
                        let run = group::<()>(sim.spawner()).run(&inside, async |h| {
                            let guard = Guard(gone.clone());
                            let child = async move {
                                let _guard = guard;
                                pending::<Result<(), _>>().await
                            };
                            drop(h.spawn("child", child).unwrap());
                            pending::<Result<(), _>>().await
                        });
                        run.await.map_err(drop)
                    };
                    drop(g.spawn_background("serves", serves).unwrap());
                    pending::<Result<(), _>>().await
                });
                report.await.count
            })
            .await;
        assert!(outcome.is_cancelled());
        assert_eq!((gone.load(Relaxed), sim.now().as_nanos()), (1, 1_000_000_000));
    });
}

/// As of a group of tasks: first the body and those in front, then those behind, with all that they have to do.
#[test]
fn a_scope_waits_for_what_the_local_background_shields_and_cleans_up() {
    wakeful::sim::run(|sim| async move {
        let (scope, seen) = (Scope::new(sim.time()), Mutex::new(Vec::new()));
        let note = |what| seen.lock().unwrap().push((what, sim.now().as_nanos() / 1_000_000_000));
        let outcome = scope
            .move_on_after(SECOND, async |s| {
                let run = local_group::<()>().run(s, async |g| {
                    let shields = async {
                        let inside = current().unwrap();
                        let shielded = inside.shield(9 * SECOND, async |s| s.sleep(4 * SECOND).await).await;
                        note(if shielded.is_cancelled() { "cut short" } else { "shielded" });
                        pending::<Result<(), _>>().await
                    };
                    let cleans = async {
                        let inside = current().unwrap();
                        let cleanup = async |_| {
                            note("cleanup begins");
                            current().unwrap().sleep(2 * SECOND).await;
                            note("cleaned up");
                        };
                        let _ = inside.run(pending::<()>()).cleanup(cleanup, 9 * SECOND).await;
                        unreachable!("what follows is not protected")
                    };
                    drop(g.spawn_background("shields", shields).unwrap());
                    drop(g.spawn_background("cleans", cleans).unwrap());
                    // Neither waits for those behind, who wait for them.
                    let front = async {
                        let _ends = Finally(|| note("in front"));
                        let inside = current().unwrap();
                        let _ = inside.run(pending::<()>()).await;
                        unreachable!("the child ends as a whole")
                    };
                    drop(g.spawn::<(), _>("front", front).unwrap());
                    let _ends = Finally(|| note("body"));
                    pending::<Result<(), _>>().await
                });
                run.await
            })
            .await;
        assert!(outcome.is_cancelled());
        note("moved on");
        let expected =
            [("in front", 1), ("body", 1), ("cleanup begins", 1), ("cleaned up", 3), ("shielded", 4), ("moved on", 4)];
        assert_eq!(*seen.lock().unwrap(), expected);
    });
}

#[test]
fn a_run_waits_for_a_local_background_that_began_outside_it() {
    wakeful::sim::run(|sim| async move {
        let scope = Scope::new(sim.time());
        let mut group = pin!(local_group::<()>().report(&scope, async |g| {
            let shields = async {
                let _ = current().unwrap().shield(9 * SECOND, async |s| s.sleep(4 * SECOND).await).await;
                Ok(())
            };
            drop(g.spawn_background("shields", shields).unwrap());
            pending::<Result<(), _>>().await
        }));
        for _ in 0..3 {
            assert!(futures::poll!(group.as_mut()).is_pending());
        }
        // Cancelled in the poll in which the group comes to be inside.
        let run = scope.run(async { futures::join!(group, async { scope.cancel("over") }) });
        assert!(run.await.is_cancelled());
        assert_eq!(sim.now().as_nanos(), 4_000_000_000);
    });
}

/// Whether it is told by its deadline or by a call.
fn cancelled_after_a_second(sim: &Sim, by_deadline: bool) -> Scope {
    let scope = Scope::new(sim.time()).child();
    if by_deadline {
        scope.set_deadline(sim.now() + SECOND);
    } else {
        let (sleep, scope) = (sim.time().sleep(SECOND), scope.clone());
        drop(sim.spawn("cancels", async move {
            sleep.await;
            scope.cancel("enough")
        }));
    }
    scope
}

#[test]
fn a_shield_that_is_not_polled_any_more_is_waited_for_until_its_budget_is_over() {
    for by_deadline in [false, true] {
        wakeful::sim::run(|sim| async move {
            let scope = cancelled_after_a_second(&sim, by_deadline);
            let outcome = scope.run(async {
                let mut shield = pin!(scope.shield(5 * SECOND, async |_| pending::<()>().await));
                assert!(futures::poll!(shield.as_mut()).is_pending());
                pending::<()>().await
            });
            assert!(outcome.await.is_cancelled());
            assert_eq!(sim.now().as_nanos(), 6_000_000_000);
        });
    }
}

#[test]
fn a_local_group_that_is_not_polled_when_it_is_woken_is_not_waited_for() {
    for (by_deadline, polled) in [(false, 0), (true, 0), (false, 3), (true, 3)] {
        wakeful::sim::run(|sim| async move {
            let scope = cancelled_after_a_second(&sim, by_deadline);
            let outcome = scope.run(async {
                let mut group = pin!(local_group::<()>().report(&scope, async |g| {
                    let shields = async {
                        let _ = current().unwrap().shield(9 * SECOND, async |_| pending::<()>().await).await;
                        Ok(())
                    };
                    drop(g.spawn_background("shields", shields).unwrap());
                    pending::<Result<(), _>>().await
                }));
                for _ in 0..3 {
                    assert!(futures::poll!(group.as_mut()).is_pending());
                }
                // Goes on, as what is in the background does.
                let sleep = pin!(sim.time().sleep(polled * SECOND));
                drop(futures::future::select(group.as_mut(), sleep).await);
                pending::<()>().await
            });
            assert!(outcome.await.is_cancelled());
            // Otherwise the budget of the shield is what wakes it next.
            assert_eq!(sim.now().as_nanos(), if polled == 0 { 1_000_000_000 } else { 10_000_000_000 });
        });
    }
}

/// Its budget counts from its beginning.
#[test]
fn a_cleanup_behind_a_shield_has_all_of_its_budget() {
    for by_deadline in [false, true] {
        wakeful::sim::run(|sim| async move {
            let (scope, done) = (cancelled_after_a_second(&sim, by_deadline), AtomicUsize::new(0));
            let outcome = scope.run(async {
                let body = scope.shield(5 * SECOND, async |s| s.sleep(4 * SECOND).await);
                let body = async {
                    // So that the run around knows of the cleanup before it knows of the shield.
                    sim.time().sleep(SECOND / 2).await;
                    let _ = body.await;
                    pending::<()>().await
                };
                let cleanup = async |_| {
                    sim.time().sleep(SECOND).await;
                    done.fetch_add(1, Relaxed);
                };
                scope.run(body).cleanup(cleanup, 2 * SECOND).await
            });
            assert!(outcome.await.is_cancelled());
            assert_eq!((done.load(Relaxed), sim.now().as_nanos()), (1, 5_500_000_000));
        });
    }
}

#[test]
fn a_dropped_local_background_knows_why_its_group_ended() {
    wakeful::sim::run(|sim| async move {
        let (scope, mut handle) = (Scope::new(sim.time()), None);
        let outcome = scope
            .move_on_after(SECOND, async |s| {
                let run = local_group::<()>().run(s, async |g| {
                    handle = Some(g.spawn_background("serves", pending()).unwrap());
                    pending::<Result<(), _>>().await
                });
                run.await
            })
            .await;
        assert!(outcome.is_cancelled());
        match handle.unwrap().await {
            Err(ChildError::Cancelled(cancelled)) => assert_eq!(cancelled.reason().kind(), ReasonKind::Deadline),
            ended => panic!("{ended:?}"),
        }
    });
}

/// Counts one more if the group is over.
struct Last(TaskGroup<()>, Arc<AtomicUsize>);

impl Drop for Last {
    fn drop(&mut self) {
        self.1.fetch_add(1 + usize::from(self.0.is_over()), Relaxed);
    }
}

#[test]
fn a_dropped_group_is_not_over_before_its_body_is_gone() {
    wakeful::sim::run(|sim| async move {
        let (scope, seen, mut kept) = (Scope::new(sim.time()), Arc::new(AtomicUsize::new(0)), None);
        let run = group::<()>(sim.spawner()).run(&scope, |g| {
            kept = Some(g.clone());
            let last = Last(g, seen.clone());
            async move {
                let _last = last;
                pending::<Result<(), _>>().await
            }
        });
        drop(run);
        kept.unwrap().quiesced().await;
        assert_eq!(seen.load(Relaxed), 1);
    });
}
