//! Rule e: who ends what, along one poll stack and beyond it.

use crate::support::{Boxed, Counter, Cx, Join, LONG, Log, SOON, Spawner, again, elsewhere, ms, on_drop, poll};
use futures::channel::oneshot;
use futures::future::join;
use futures::stream::{FuturesUnordered, StreamExt};
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};
use std::task::{Poll, Waker};
use wakeful::cancel::{Outcome, Reason, ReasonKind, Scope};
use wakeful::spawn::block_on;
use wakeful::time::ManualClock;

pub(crate) async fn e_the_outermost_cancelled_scope_wins_along_one_poll_stack(cx: Cx<impl Spawner>) {
    let (log, outer) = (Log::new(), cx.scope());
    let (begun, canceller) = cancel_once_begun(&cx, &outer);
    let outcome = outer.run(async {
        let _body = on_drop(|| log.add("the outer body is dropped"));
        let child = outer.child();
        let inner = child.run(async {
            let _body = on_drop(|| log.add("the inner body is dropped"));
            begun.send(()).unwrap();
            pending::<()>().await;
        });
        let _ = inner.await;
        log.add("what follows the inner run");
    });
    let cancelled = outcome.await.into_result().unwrap_err();
    assert!(cancelled.is_own());
    assert_eq!(log.entries(), ["the inner body is dropped", "the outer body is dropped"]);
    canceller.await;
}

pub(crate) async fn e_a_scope_that_is_entered_twice_ends_at_its_outer_run(cx: Cx<impl Spawner>) {
    let (scope, passed) = (cx.scope(), Log::new());
    let (begun, canceller) = cancel_once_begun(&cx, &scope);
    let beside = cx.spawn("beside", {
        let scope = scope.clone();
        async move { scope.run(pending::<()>()).await.is_cancelled() }
    });
    let outcome = scope.run(async {
        assert_eq!(scope.run(async { 1 }).await, Outcome::Done(1), "nothing is the matter yet");
        let _ = scope
            .run(async {
                begun.send(()).unwrap();
                pending::<()>().await
            })
            .await;
        passed.add("what follows the inner run");
    });
    assert!(outcome.await.into_result().unwrap_err().is_own());
    assert_eq!(passed.entries(), [""; 0]);
    assert!(beside.await, "a run in another task ends by itself");
    assert!(scope.run(async {}).await.is_cancelled(), "and none begins any more");
    canceller.await;
}

/// A task that cancels `scope` two milliseconds after it is told that all has begun.
fn cancel_once_begun(cx: &Cx<impl Spawner>, scope: &Scope) -> (oneshot::Sender<()>, Join<()>) {
    let (tell, told) = oneshot::channel();
    let (scope, time) = (scope.clone(), cx.time.clone());
    let canceller = cx.spawn("canceller", async move {
        told.await.unwrap();
        time.sleep(ms(2)).await;
        scope.cancel("from outside");
    });
    (tell, canceller)
}

pub(crate) async fn e_the_outermost_of_three_wins_when_all_are_past_their_deadlines(cx: Cx<impl Spawner>) {
    let (begun, passed) = (Counter::new(), Log::new());
    let at = cx.at(3);
    let scope = cx.scope();
    let outcome = scope.move_on_at(at, async |s| {
        let _ = s
            .move_on_at(at, async |s| {
                let innermost = s.move_on_at(at, async |_| {
                    begun.add();
                    pending::<()>().await
                });
                let _ = innermost.await;
                passed.add("the innermost");
            })
            .await;
        passed.add("the middle");
    });
    assert!(outcome.await.into_result().unwrap_err().is_timeout());
    // One that the deadline comes before is not begun, and does not wait.
    assert!(begun.count() == 0 || passed.entries().is_empty());
    assert!(begun.count() == 1 || !cx.exact());
    cx.assert_at(3);
    // An inner deadline that comes first ends the inner run alone.
    let scope = cx.scope();
    let outcome = scope.move_on_after(LONG, async |s| {
        let inner = s.move_on_after(ms(2), async |_| pending::<()>().await).await;
        inner.into_result().unwrap_err().is_timeout()
    });
    assert_eq!(outcome.await, Outcome::Done(true));
    cx.assert_at(5);
}

pub(crate) async fn e_sub_executors_of_the_body_are_part_of_its_poll_stack(cx: Cx<impl Spawner>) {
    let (begun, after) = (Counter::new(), Counter::new());
    let scope = cx.scope();
    let outcome = scope.move_on_at(cx.at(3), async |s| {
        let one = async |n: u64| {
            let inner = s.move_on_after(LONG + ms(n), async |_| {
                begun.add();
                pending::<()>().await
            });
            let _ = inner.await;
            after.add();
        };
        let joined = join(one(1), one(2));
        let mut many: FuturesUnordered<_> = (0..40).map(one).collect();
        join(joined, async { while many.next().await.is_some() {} }).await;
    });
    assert!(outcome.await.into_result().unwrap_err().is_timeout());
    assert!(begun.count() + after.count() <= 42, "nothing that follows an inner run that was begun");
    assert!(begun.count() == 42 || !cx.exact());
    cx.assert_at(3);

    let (outer, after) = (cx.scope(), Counter::new());
    let (begun, canceller) = cancel_once_begun(&cx, &outer);
    let outcome = outer.run(async {
        // Polled last of all.
        let begun = async { begun.send(()).unwrap() };
        let one = async |n: u64| {
            let _ = outer.move_on_after(LONG + ms(n), async |_| pending::<()>().await).await;
            after.add();
        };
        let mut many: FuturesUnordered<_> = (0..40).map(one).collect();
        join(async { while many.next().await.is_some() {} }, begun).await;
    });
    assert!(outcome.await.is_cancelled());
    assert_eq!(after.count(), 0);
    canceller.await;
}

pub(crate) async fn e_in_another_task_a_run_resolves_itself_with_the_ancestors_reason(cx: Cx<impl Spawner>) {
    let outer = cx.scope();
    let ((begin, begun), (tell, told)) = (oneshot::channel(), oneshot::channel());
    let run = {
        let (outer, cx) = (outer.clone(), cx.clone());
        cx.clone().spawn("outer", async move {
            outer
                .run(async {
                    let inner = outer.child();
                    let task = cx.spawn("inner", async move {
                        begin.send(()).unwrap();
                        let outcome = inner.run(pending::<()>()).await;
                        tell.send(outcome).unwrap();
                    });
                    task.await;
                })
                .await
        })
    };
    begun.await.unwrap();
    cx.sleep(2).await;
    outer.cancel("of the outer");
    let inner = told.await.unwrap().into_result().unwrap_err();
    assert_eq!((inner.reason(), inner.is_own()), (&Reason::from("of the outer"), false));
    // The outer's body may be ready by then, its task's end being what it waits for.
    let _ = run.await;
}

pub(crate) async fn e_in_another_task_an_ancestors_deadline_that_nobody_runs_is_kept(cx: Cx<impl Spawner>) {
    let root = cx.scope().child_at(cx.at(3));
    let child = root.child().child_after(LONG);
    let waits = cx.spawn("waits", child.cancelled());
    let runs = {
        let child = child.clone();
        cx.spawn("runs", async move { child.run(pending::<()>()).await.into_result().unwrap_err() })
    };
    let nests = cx.spawn("nests", async move {
        child.move_on_after(LONG, async |_| pending::<()>().await).await.into_result().unwrap_err()
    });
    let (waits, (runs, nests)) = join(waits, join(runs, nests)).await;
    cx.assert_at(3);
    for cancelled in [waits, runs, nests] {
        assert_eq!(cancelled.reason().to_string(), format!("the deadline {} was reached", cx.at(3)));
        assert!(!cancelled.is_own());
    }
}

pub(crate) async fn e_behind_a_foreign_block_on_a_run_resolves_itself(_: Cx<impl Spawner>) {
    let inner = elsewhere(|| {
        let outer = Scope::new(ManualClock::new().time());
        let blocked = outer.run(async {
            let canceller = outer.clone();
            futures::executor::block_on(async {
                let inner = outer.move_on_after(LONG, async |_| pending::<()>().await);
                let cancel = async {
                    again().await;
                    std::thread::spawn(move || canceller.cancel("meanwhile")).join().unwrap();
                };
                join(inner, cancel).await.0
            })
        });
        block_on(blocked).done().expect("the body is ready when its inner run is")
    });
    let inner = inner.into_result().unwrap_err();
    assert_eq!((inner.reason(), inner.is_own()), (&Reason::from("meanwhile"), false));
}

pub(crate) async fn e_behind_a_foreign_block_on_deadlines_of_the_outer_run_are_kept(_: Cx<impl Spawner>) {
    let inner = elsewhere(|| {
        let clock = ManualClock::new();
        let scope = Scope::new(clock.time());
        let blocked = scope.move_on_after(ms(5), async |s| {
            futures::executor::block_on(async {
                let inner = s.move_on_after(LONG, async |_| pending::<()>().await);
                let inner = inner.map_own();
                let ring = async {
                    again().await;
                    std::thread::spawn(move || clock.advance(ms(5))).join().unwrap();
                };
                join(inner, ring).await.0
            })
        });
        block_on(blocked).done().expect("the body is ready when its inner run is")
    });
    assert_eq!(inner, (ReasonKind::Deadline, false));
}

/// What is said of a body that was cut short: the kind of the reason, and whether it was the scope's own.
trait MapOwn: Future {
    fn map_own(self) -> impl Future<Output = (ReasonKind, bool)>;
}

impl<T, F: Future<Output = Outcome<T>>> MapOwn for F {
    async fn map_own(self) -> (ReasonKind, bool) {
        let Outcome::Cancelled(cancelled) = self.await else { panic!("it was cut short") };
        (cancelled.reason().kind(), cancelled.is_own())
    }
}

pub(crate) async fn e_behind_a_foreign_block_on_a_scope_that_is_shared_late_is_heard(_: Cx<impl Spawner>) {
    let inner = elsewhere(|| {
        let scope = Scope::new(ManualClock::new().time());
        let blocked = scope.move_on_after(LONG, async |s| {
            futures::executor::block_on(async {
                let inner = s.move_on_after(LONG, async |_| pending::<()>().await).map_own();
                let cancel = async {
                    again().await;
                    let late = s.clone();
                    std::thread::spawn(move || late.cancel("meanwhile")).join().unwrap();
                };
                join(inner, cancel).await.0
            })
        });
        block_on(blocked).done().expect("the body is ready when its inner run is")
    });
    assert_eq!(inner, (ReasonKind::Explicit, false));
}

pub(crate) async fn e_on_another_thread_a_scope_that_is_shared_late_is_heard(_: Cx<impl Spawner>) {
    let clock = ManualClock::new();
    let scope = Scope::new(clock.time());
    let outcome = scope.move_on_after(LONG, async |s| {
        std::thread::scope(|threads| {
            let (tell, told) = channel();
            let nested = threads.spawn(move || {
                let inner = s.move_on_after(LONG, async |_| pending::<()>().await).map_own();
                block_on(join(inner, async { tell.send(()).unwrap() })).0
            });
            told.recv().unwrap();
            s.cancel("meanwhile");
            nested.join().unwrap()
        })
    });
    assert_eq!(outcome.await.done(), Some((ReasonKind::Explicit, false)));
}

pub(crate) async fn e_a_scope_that_is_first_shared_by_cancelling_it_wakes_its_run(cx: Cx<impl Spawner>) {
    // A child that nobody has a handle to but the one that runs and cancels it.
    let child = cx.scope().child();
    let cancel = async {
        again().await;
        child.cancel("by reference");
    };
    assert_eq!(join(child.run(pending::<()>()).map_own(), cancel).await.0, (ReasonKind::Explicit, true));
    // The same where the run around it sits behind an executor.
    let inner = elsewhere(|| {
        let scope = Scope::new(ManualClock::new().time());
        let blocked = scope.move_on_after(LONG, async |s| {
            futures::executor::block_on(async {
                let cancel = async {
                    again().await;
                    std::thread::scope(|threads| threads.spawn(|| s.cancel("by reference")).join().unwrap());
                };
                join(s.run(pending::<()>()).map_own(), cancel).await.0
            })
        });
        block_on(blocked).done().expect("the body is ready when its inner run is")
    });
    assert_eq!(inner, (ReasonKind::Explicit, true));
}

pub(crate) async fn e_our_block_on_is_a_barrier(_: Cx<impl Spawner>) {
    let (inner, polls) = elsewhere(|| {
        let clock = ManualClock::new();
        let (outer, polls) = (Scope::new(clock.time()), Counter::new());
        let blocked = outer.run(async {
            block_on(async {
                let child = outer.child();
                let inner = child.run(poll_fn(|_| {
                    polls.add();
                    outer.cancel("meanwhile");
                    Poll::<()>::Pending
                }));
                inner.map_own().await
            })
        });
        (block_on(blocked).done().expect("the body is ready when its inner run is"), polls.count())
    });
    assert_eq!(inner, (ReasonKind::Explicit, false));
    assert_eq!(polls, 1, "at once");
}

pub(crate) async fn e_a_run_that_ends_wakes_a_descendant_that_relied_on_it(_: Cx<impl Spawner>) {
    // One waker for all, as in one task; the descendant stays behind when the run ends.
    let clock = ManualClock::new();
    let outer = Scope::new(clock.time()).child_after(ms(5));
    let inner = outer.child();
    let woken = Counter::new();
    let waker = woken.waker();
    for end_by_drop in [false, true] {
        let mut wait = Box::pin(inner.run(pending::<()>()));
        let mut turns = 0;
        let before = woken.count();
        let mut run = Box::pin(outer.run(poll_fn(|cx| {
            turns += 1;
            assert!(wait.as_mut().poll(cx).is_pending());
            if turns == 2 { Poll::Ready(()) } else { Poll::Pending }
        })));
        assert!(poll(run.as_mut(), &waker).is_pending());
        if !end_by_drop {
            assert!(poll(run.as_mut(), &waker).is_ready());
        }
        drop(run);
        assert!(woken.count() > before, "to look after itself");
        assert!(poll(wait.as_mut(), &waker).is_pending());
        if end_by_drop {
            let before = woken.count();
            clock.advance(ms(5));
            assert_eq!(woken.count(), before + 1);
            let Poll::Ready(Outcome::Cancelled(cancelled)) = poll(wait.as_mut(), &waker) else {
                panic!("its time is up")
            };
            assert_eq!((cancelled.reason().kind(), cancelled.is_own()), (ReasonKind::Deadline, false));
        }
    }
}

pub(crate) async fn e_a_descendant_moved_out_of_the_body_keeps_the_outer_deadline(cx: Cx<impl Spawner>) {
    let outer = cx.scope().child_at(cx.at(SOON));
    let (tell, told) = oneshot::channel::<Boxed<_>>();
    let mover = {
        let (outer, inner) = (outer.clone(), outer.child());
        cx.spawn("mover", async move {
            let mut moved: Boxed<_> = Box::pin(async move { inner.run(pending::<()>()).map_own().await });
            let body = async {
                assert!(futures::poll!(moved.as_mut()).is_pending());
                assert!(tell.send(moved).is_ok());
            };
            let _ = outer.run(body).await;
        })
    };
    let moved = told.await.unwrap();
    let waits = cx.spawn("waits", moved);
    mover.await;
    assert_eq!(waits.await, (ReasonKind::Deadline, false));
    cx.assert_at(SOON);
}

pub(crate) async fn e_a_wait_for_the_own_scope_survives_its_run(_: Cx<impl Spawner>) {
    let scope = Scope::new(ManualClock::new().time());
    let woken = Counter::new();
    let waker = woken.waker();
    let mut wait = Box::pin(scope.cancelled());
    let mut run = Box::pin(scope.run(poll_fn(|cx| {
        assert!(wait.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })));
    assert!(poll(run.as_mut(), &waker).is_ready());
    drop(run);
    scope.cancel("later");
    assert!(woken.count() > 0, "it may have been left behind");
    assert!(poll(wait.as_mut(), &waker).is_ready());
}

pub(crate) async fn e_runs_of_one_scope_on_two_threads_leave_no_mark(_: Cx<impl Spawner>) {
    let clock = ManualClock::new();
    let scope = Scope::new(clock.time()).child_after(ms(5));
    run_on_two_threads(&scope);
    // On this thread no run is being polled, so nobody but the wait itself looks at the clock.
    let woken = Counter::new();
    let inner = scope.child();
    let mut wait = Box::pin(inner.run(pending::<()>()));
    assert!(poll(wait.as_mut(), &woken.waker()).is_pending());
    clock.advance(ms(5));
    assert_eq!(woken.count(), 1);
    assert!(poll(wait.as_mut(), &woken.waker()).is_ready());
    let (own, below) = join(scope.cancelled(), inner.cancelled()).await;
    assert!(own.is_timeout() && !below.is_timeout());
}

/// Polls a run of `scope` here, then one on another thread; the one here ends first.
fn run_on_two_threads(scope: &Scope) {
    let ((enter, entered), (inside, begun), (end, ended)) = (channel(), channel(), channel());
    let other = scope.clone();
    let other = std::thread::spawn(move || {
        entered.recv().unwrap();
        let run = other.run(poll_fn(|_| {
            inside.send(()).unwrap();
            ended.recv().unwrap();
            Poll::Ready(())
        }));
        assert!(poll(pin!(run), Waker::noop()).is_ready());
    });
    let run = scope.run(poll_fn(|_| {
        enter.send(()).unwrap();
        begun.recv().unwrap();
        Poll::Ready(())
    }));
    assert!(poll(pin!(run), Waker::noop()).is_ready());
    end.send(()).unwrap();
    other.join().unwrap();
}

pub(crate) async fn e_two_runs_of_one_scope_that_poll_at_one_time_both_hold_back_what_is_inside(_: Cx<impl Spawner>) {
    let scope = Scope::new(ManualClock::new().time());
    let (meet, went_on) = (Arc::new(Barrier::new(2)), Counter::new());
    let run = |cancels: bool| {
        let (scope, meet, went_on) = (scope.clone(), meet.clone(), went_on.clone());
        std::thread::spawn(move || {
            let body = async {
                let child = scope.child();
                let inner = child.run(poll_fn(|_| {
                    // Both bodies are being polled now, and neither is any more when the scope is cancelled.
                    meet.wait();
                    if cancels {
                        scope.cancel("over");
                    }
                    meet.wait();
                    Poll::<()>::Pending
                }));
                let _ = inner.await;
                went_on.add();
            };
            assert!(block_on(scope.run(body)).is_cancelled());
        })
    };
    let threads = [run(true), run(false)];
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(went_on.count(), 0, "nothing follows an inner run in a cancelled body");
}

pub(crate) async fn e_a_run_that_may_not_begin_is_left_to_the_cancelled_body_around_it(cx: Cx<impl Spawner>) {
    for kind in 0..4 {
        let scope = cx.scope();
        let went_on = AtomicBool::new(false);
        let outcome = scope
            .move_on_after(LONG, async |s| {
                let child = s.child();
                s.cancel("over");
                let refused = match kind {
                    0 => s.move_on_after(LONG, async |_| ()).await,
                    1 => s.move_on_at(cx.at(1_000_000), async |_| ()).await,
                    2 => child.run(async {}).await,
                    _ => wakeful::move_on_after(LONG, async {}).await,
                };
                went_on.store(true, Ordering::Relaxed);
                refused
            })
            .await;
        assert!(outcome.is_cancelled(), "the outer run is the one that ends");
        assert!(!went_on.load(Ordering::Relaxed), "the body does not go on behind a run that was refused");
    }
    // Nobody polls below the cancelled scope here: the run resolves itself.
    let scope = cx.scope();
    scope.cancel("over");
    assert!(scope.move_on_after(LONG, async |_| ()).await.is_cancelled());
}
