//! What groups leave behind when they are dropped, in the simulator.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use wakeful::cancel::{ReasonKind, Scope, current};
use wakeful::task::{ChildError, TaskGroup, group, local_group};

const SECOND: Duration = Duration::from_secs(1);

/// Counts its drop.
struct Guard(Arc<AtomicUsize>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
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
