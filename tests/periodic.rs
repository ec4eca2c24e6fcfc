//! What is done again and again: exact instants, every iteration counted, a clean end.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;
use wakeful::cancel::{Reason, ReasonKind, Scope};
use wakeful::sim::{self, Builder, Sim};
use wakeful::time::{MissedTick, Sleep};
use wakeful::work::{Iteration, IterationError, PeriodicCount, PeriodicStop, periodic};

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn millis(sim: &Sim) -> u64 {
    sim.now().as_nanos() / 1_000_000
}

async fn slept(sleep: Sleep) -> Result<(), ()> {
    sleep.await;
    Ok(())
}

/// What the iterations of a run with period 10 did: when each began and for when it was due, the fourth asking for the end.
async fn begins(sim: &Sim, missed: Option<MissedTick>, takes: impl Fn(u64) -> u64) -> Vec<(u64, u64)> {
    let (scope, begins) = (Scope::new(sim.time()), RefCell::new(Vec::new()));
    let start = millis(sim);
    let body = |iteration: Iteration| {
        begins.borrow_mut().push((millis(sim) - start, iteration.due.as_nanos() / 1_000_000 - start));
        let (time, takes) = (sim.time(), ms(takes(iteration.number)));
        async move {
            time.sleep(takes).await;
            if iteration.number == 3 { Err(()) } else { Ok(()) }
        }
    };
    let mut run = periodic(ms(10), body).on_failure(|_| ControlFlow::Break(()));
    if let Some(missed) = missed {
        run = run.missed(missed);
    }
    let report = run.run(&scope).await;
    assert_eq!((report.count.done, report.count.failed, report.stop), (3, 1, PeriodicStop::Failed));
    begins.into_inner()
}

#[test]
fn each_begins_when_it_is_due_and_what_is_missed_follows_the_policy() {
    sim::check(|sim| async move {
        let quick = begins(&sim, None, |_| 4).await;
        assert_eq!(quick, [(0, 0), (10, 10), (20, 20), (30, 30)]);
        let long = |n| if n == 0 { 35 } else { 1 };
        for skip in [None, Some(MissedTick::Skip)] {
            assert_eq!(begins(&sim, skip, long).await, [(0, 0), (35, 10), (40, 40), (50, 50)]);
        }
        assert_eq!(begins(&sim, Some(MissedTick::Burst), long).await, [(0, 0), (35, 10), (36, 20), (37, 30)]);
        assert_eq!(begins(&sim, Some(MissedTick::Delay), long).await, [(0, 0), (35, 10), (45, 45), (55, 55)]);
    });
}

#[test]
fn it_survives_errors_panics_and_what_takes_too_long() {
    struct Sharp(Sim);
    impl Drop for Sharp {
        fn drop(&mut self) {
            if self.0.now().as_nanos() >= 50_000_000 {
                panic!("in its drop");
            }
        }
    }
    sim::check(|sim| async move {
        let (scope, told) = (Scope::new(sim.time()), RefCell::new(Vec::new()));
        let body = |iteration: Iteration| {
            if iteration.number == 1 {
                panic!("made");
            }
            let sharp = Sharp(sim.clone());
            async move {
                let _sharp = sharp;
                match iteration.number {
                    2 => panic!("polled"),
                    3 => Err("as it was asked to"),
                    4 | 5 => pending().await,
                    _ => Ok(()),
                }
            }
        };
        let run = periodic(ms(10), body).iteration_timeout(ms(7)).on_failure(|error: IterationError<&str>| {
            told.borrow_mut().push((millis(&sim), error.to_string()));
            if told.borrow().len() == 5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        let control = run.control();
        let report = run.run(&scope).await;
        let told = told.into_inner();
        let told: Vec<_> = told.iter().map(|(at, text)| (*at, text.as_str())).collect();
        let errors =
            ["panicked: made", "panicked: polled", "failed: as it was asked to", "timed out", "panicked: in its drop"];
        assert_eq!(told, Vec::from_iter([10, 20, 30, 47, 57].into_iter().zip(errors)));
        let PeriodicCount { done, failed, panicked, timed_out, cancelled, .. } = report.count;
        assert_eq!([done, failed, panicked, timed_out, cancelled], [1, 1, 3, 1, 0]);
        assert_eq!((control.count(), report.stop), (report.count, PeriodicStop::Failed));
    });
}

#[test]
fn an_iteration_that_has_no_time_at_all_is_not_begun() {
    sim::check(|sim| async move {
        let (scope, began) = (Scope::new(sim.time()), Cell::new(false));
        let body = async |_: Iteration| {
            began.set(true);
            Ok::<_, ()>(())
        };
        let run = periodic(ms(10), body).iteration_timeout(Duration::ZERO).on_failure(|_| ControlFlow::Break(()));
        let report = run.run(&scope).await;
        assert_eq!((report.count.timed_out, began.get()), (1, false));
    });
}

#[test]
fn a_stop_waits_for_the_iteration_and_nothing_begins_after_it() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let run = periodic(ms(10), |_| slept(sim.time().sleep(ms(6))));
        let control = run.control();
        let stopper = sim.spawn("stopper", {
            let (time, control) = (sim.time(), control.clone());
            async move {
                time.sleep(ms(12)).await;
                control.stop();
                assert!(!control.is_ended());
                control.ended().await;
                time.now().as_nanos()
            }
        });
        let report = run.run(&scope).await;
        assert_eq!((report.count.done, report.count.total(), report.stop), (2, 2, PeriodicStop::Asked));
        assert_eq!(stopper.await, 16_000_000);
        // One that is asked before it begins does nothing.
        let run = periodic(ms(10), async |_| unreachable!() as Result<(), ()>);
        run.control().stop();
        assert_eq!(run.run(&scope).await.count.total(), 0);
        // One that is never run has ended when it is dropped.
        let run = periodic(ms(10), async |_| Ok::<_, ()>(()));
        let control = run.control();
        assert!(!control.is_ended());
        drop(run);
        control.ended().await;
    });
}

#[test]
fn triggers_are_one_iteration_and_leave_the_schedule_alone() {
    sim::check(|sim| async move {
        let (scope, begins) = (Scope::new(sim.time()), RefCell::new(Vec::new()));
        let run = periodic(ms(100), |iteration| {
            begins.borrow_mut().push((millis(&sim), iteration.due.as_nanos() / 1_000_000));
            slept(sim.time().sleep(ms(10)))
        })
        .first_after(ms(50));
        let control = run.control();
        sim.spawn("triggers", {
            let (time, control) = (sim.time(), control.clone());
            async move {
                time.sleep(ms(20)).await;
                control.trigger();
                time.sleep(ms(5)).await;
                control.trigger(); // while that one runs
                control.trigger();
                time.sleep(ms(200)).await;
                control.stop();
            }
        });
        run.run(&scope).await;
        assert_eq!(begins.into_inner(), [(20, 20), (30, 30), (50, 50), (150, 150)]);
    });
}

#[test]
fn a_grace_waits_for_the_iteration_and_a_cancel_cuts_it() {
    sim::check(|sim| async move {
        let time = sim.time();
        let run = async |end: fn(&Scope) -> bool| {
            let (scope, start) = (Scope::new(time.clone()), time.now());
            let run = periodic(ms(10), |_| slept(time.sleep(ms(6))));
            sim.spawn("ender", {
                let (scope, sleep) = (scope.clone(), time.sleep(ms(12)));
                async move {
                    sleep.await;
                    assert!(end(&scope));
                }
            });
            let report = run.run(&scope).await;
            (report.count.done, report.count.cancelled, report.stop, time.now() - start)
        };
        let fate = run(|scope| scope.cancel_with_grace(Reason::shutdown(), ms(50))).await;
        assert_eq!(fate, (2, 0, PeriodicStop::Draining(Reason::shutdown()), ms(16)));
        let fate = run(|scope| scope.cancel_with_grace(Reason::shutdown(), ms(2))).await;
        assert_eq!(fate, (1, 1, PeriodicStop::Cancelled(Reason::shutdown()), ms(14)));
        let fate = run(|scope| scope.cancel("enough")).await;
        assert_eq!(fate, (1, 1, PeriodicStop::Cancelled("enough".into()), ms(12)));
    });
}

#[test]
fn nothing_begins_at_the_deadline_and_what_is_ready_then_is_done() {
    sim::check(|sim| async move {
        for (deadline, done, cancelled) in [(20, 2, 0), (16, 2, 0), (15, 1, 1)] {
            let (scope, start) = (Scope::new(sim.time()).child_after(ms(deadline)), sim.now());
            let run = periodic(ms(10), |_| slept(sim.time().sleep(ms(6))));
            let report = run.run(&scope).await;
            assert_eq!((report.count.done, report.count.cancelled), (done, cancelled), "{deadline}");
            let PeriodicStop::Cancelled(reason) = report.stop else { panic!("{report:?}") };
            assert_eq!(reason.kind(), ReasonKind::Deadline);
            assert_eq!(sim.now() - start, ms(deadline));
        }
    });
}

#[test]
fn an_iteration_that_is_dropped_with_its_run_is_counted() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let run = periodic(ms(10), async |_| pending::<Result<(), ()>>().await);
        let control = run.control();
        {
            let mut run = pin!(run.run(&scope));
            assert!(run.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            assert!(!control.is_ended());
        }
        assert_eq!((control.count().cancelled, control.count().total(), control.is_ended()), (1, 1, true));
    });
}

#[test]
fn a_hook_that_panics_goes_through_the_run_and_ends_it() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let run = periodic(ms(10), async |_| Err("no")).on_failure(|_| panic!("a hook"));
        let control = run.control();
        let mut run = Box::pin(run.run(&scope));
        let mut poll = || run.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(catch_unwind(AssertUnwindSafe(&mut poll)).is_err());
        drop(run);
        assert_eq!((control.count().failed, control.is_ended()), (1, true));
    });
}

#[test]
#[should_panic = "longer than zero"]
fn a_period_of_zero_is_refused() {
    let _ = periodic(Duration::ZERO, async |_| Ok::<_, ()>(()));
}

/// Whatever happens when: iterations never overlap, each is counted once, and none begins once somebody has been told that the run ended.
#[test]
fn under_every_schedule_the_accounts_are_right() {
    Builder::new().runs(400).check(|sim| async move {
        let root = Scope::new(sim.time());
        let (begun, running, over) = (Cell::new(0), Cell::new(false), Cell::new(false));
        let rng = RefCell::new(sim.rng());
        let below = |n| rng.borrow_mut().below(n);
        let body = |_| {
            assert!(!running.get() && !over.get());
            begun.set(begun.get() + 1);
            running.set(true);
            let (kind, takes) = (below(8), ms(below(25) as u64));
            let (time, running) = (sim.time(), &running);
            let open = Open(running);
            async move {
                let _open = open;
                time.sleep(takes).await;
                match kind {
                    0 => panic!("as it was asked to"),
                    1 => Err(()),
                    2 => pending().await,
                    _ => Ok(()),
                }
            }
        };
        let run = periodic(ms(10), body).iteration_timeout(ms(30));
        let run = run.missed([MissedTick::Burst, MissedTick::Delay, MissedTick::Skip][below(3)]);
        let (control, end) = (run.control(), below(4));
        let after = ms(below(120) as u64);
        let scope = root.child();
        let ender = sim.spawn("ender", {
            let (time, control, root) = (sim.time(), control.clone(), root.clone());
            async move {
                time.sleep(after / 2).await;
                control.trigger();
                time.sleep(after / 2).await;
                match end {
                    0 => control.stop(),
                    1 => assert!(root.cancel("enough")),
                    2 => assert!(root.cancel_with_grace("enough", ms(5))),
                    _ => {
                        control.stop();
                        root.cancel("enough");
                    }
                }
                control.ended().await;
                control.count()
            }
        });
        let report = run.run(&scope).await;
        over.set(true);
        assert!(!running.get());
        assert_eq!(report.count.total(), begun.get(), "{report}");
        assert_eq!(ender.await, report.count);
        assert!(matches!((end, &report.stop), (0, PeriodicStop::Asked) | (1, PeriodicStop::Cancelled(_)) | (2.., _)));
    });

    struct Open<'a>(&'a Cell<bool>);
    impl Drop for Open<'_> {
        fn drop(&mut self) {
            self.0.set(false);
        }
    }
}
