//! Local groups in the simulator: whatever fails, panics, is cancelled or dropped half-way, and in whichever order, nothing
//! leaks, nobody waits for ever, and each child is counted once.

use std::future::{Future, pending, poll_fn};
use std::panic::resume_unwind;
use std::pin::{Pin, pin};
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::task::Poll;
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::sim::{Builder, Sim};
use wakeful::task::{Cause, ChildError, GroupReport, LocalGroup, LocalHandle, Policy, Status, local_group};

fn ms(n: usize) -> Duration {
    Duration::from_millis(n as u64)
}

type Fallible = Result<usize, usize>;
type Boxed<'env, T> = Pin<Box<dyn Future<Output = T> + Send + 'env>>;

/// A group, and what was seen of it.
struct Place<'a> {
    sim: &'a Sim,
    depth: usize,
    spawned: AtomicUsize,
    /// Bodies that exist.
    alive: AtomicUsize,
    /// Errors that were returned.
    errors: AtomicUsize,
    /// Children in the background that were cut short while others were there.
    early: AtomicUsize,
    /// Children done, failed, panicked, cancelled, of all groups.
    endings: &'a Mutex<[u64; 4]>,
}

/// A body that exists.
struct Alive<'a>(&'a AtomicUsize);

impl<'a> Alive<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, SeqCst);
        Self(count)
    }
}

impl Drop for Alive<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// A child in the background that has begun and has not come to its end.
struct Serves<'a>(&'a Place<'a>);

impl Drop for Serves<'_> {
    fn drop(&mut self) {
        self.0.early.fetch_add(usize::from(self.0.alive.load(SeqCst) > 0), SeqCst);
    }
}

impl<'a> Place<'a> {
    fn error(&self, error: usize) -> Fallible {
        self.errors.fetch_add(1, SeqCst);
        Err(error)
    }

    fn spawn<'env>(&'env self, g: &LocalGroup<'env, usize>) -> Option<LocalHandle<usize>> {
        let handle = g.spawn("child", self.child(g.clone())).ok()?;
        self.spawned.fetch_add(1, SeqCst);
        Some(handle)
    }

    /// What a child does. Boxed, since children spawn children.
    fn child<'env>(&'env self, g: LocalGroup<'env, usize>) -> Boxed<'env, Fallible> {
        let alive = Alive::new(&self.alive);
        Box::pin(async move {
            let _alive = alive;
            let sim = self.sim;
            match sim.choose(13) {
                0 => {}
                1 => sim.time().sleep(ms(sim.choose(4))).await,
                2 => sim.yield_now().await,
                3 => return self.error(1),
                4 => {
                    sim.time().sleep(ms(sim.choose(3))).await;
                    return self.error(2);
                }
                5 => resume_unwind(Box::new("a panic of a child")),
                6 => {
                    sim.yield_now().await;
                    resume_unwind(Box::new("a panic of a child"));
                }
                7 => sim.time().sleep(ms(20)).await,
                8 => {
                    g.cancel("from a child");
                    sim.yield_now().await;
                }
                9 if self.spawned.load(SeqCst) < 8 => {
                    if let Some(handle) = self.spawn(&g) {
                        let _ = handle.await;
                    }
                }
                10 if self.depth < 2 => run(sim, self.depth + 1, g.scope().clone(), self.endings).await,
                11 => {
                    let shielded = sim.time().sleep(ms(sim.choose(5)));
                    drop(wakeful::shield(ms(sim.choose(4)), shielded).await);
                }
                _ => {
                    let patience = ms(sim.choose(3));
                    drop(wakeful::move_on_after(patience, sim.time().sleep(ms(sim.choose(4)))).await);
                }
            }
            Ok(7)
        })
    }

    /// Spawns a child in the background, which serves as long as anybody else is there, or ends before.
    fn serve<'env>(&'env self, g: &LocalGroup<'env, usize>) {
        let beats = match self.sim.choose(4) {
            0 => self.sim.choose(4),
            _ => usize::MAX,
        };
        let serves = async move {
            let serves = Serves(self);
            for _ in 0..beats {
                self.sim.time().sleep(ms(1)).await;
            }
            std::mem::forget(serves);
            if self.sim.choose(2) == 0 { Ok(()) } else { self.error(3).map(drop) }
        };
        if g.spawn_background("serves", serves).is_ok() {
            self.spawned.fetch_add(1, SeqCst);
        }
    }

    async fn body<'env>(&'env self, g: LocalGroup<'env, usize>) -> Fallible {
        let _alive = Alive::new(&self.alive);
        (0..self.sim.choose(3)).for_each(|_| self.serve(&g));
        let handles: Vec<_> = (0..self.sim.choose(5)).filter_map(|_| self.spawn(&g)).collect();
        match self.sim.choose(8) {
            0 => self.sim.time().sleep(ms(self.sim.choose(4))).await,
            1 => return self.error(6),
            2 => resume_unwind(Box::new("a panic of the body")),
            3 => {
                g.cancel("by the body");
            }
            4 => handles.iter().for_each(|handle| {
                handle.cancel("by its handle");
            }),
            5 => pending().await,
            _ => {}
        }
        for handle in handles {
            let status = handle.status();
            match (status, handle.await) {
                (Status::Running, _) | (Status::Done, Ok(7)) | (Status::Failed, Err(ChildError::Failed)) => {}
                (Status::Panicked, Err(ChildError::Panicked)) | (Status::Cancelled, Err(ChildError::Cancelled(_))) => {}
                (status, result) => panic!("{status:?} {result:?}"),
            }
        }
        Ok(8)
    }

    /// That nobody is left, and each is counted once.
    #[track_caller]
    fn gone<'env>(&'env self, g: &LocalGroup<'env, usize>) {
        assert!(g.is_over() && g.is_empty() && g.live().is_empty());
        assert_eq!(self.alive.load(SeqCst), 0, "a body is left");
        assert_eq!(self.early.load(SeqCst), 0, "T3");
        assert_eq!(g.count().total(), self.spawned.load(SeqCst) as u64, "each is counted once: {}", g.count());
        assert!(g.spawn("late", async { Ok(()) }).is_err());
        let count = g.count();
        assert_eq!(count.lost, 0);
        let endings = [count.done, count.failed, count.panicked, count.cancelled];
        let mut all = self.endings.lock().unwrap();
        (0..4).for_each(|n| all[n] += endings[n]);
    }

    /// That all errors are kept.
    #[track_caller]
    fn audit(&self, report: &GroupReport<usize, usize>) {
        let kept = report.failures.iter().filter(|failure| matches!(failure.cause(), Cause::Error(_))).count();
        assert_eq!(kept, self.errors.load(SeqCst), "every error is kept");
        assert!(report.output.is_some() || report.cancelled.is_some() || !report.failures.is_empty());
    }
}

/// Runs a group in `scope`, or drops it half-way.
fn run<'a>(sim: &'a Sim, depth: usize, scope: Scope, endings: &'a Mutex<[u64; 4]>) -> Boxed<'a, ()> {
    Box::pin(async move {
        let zero = AtomicUsize::default;
        let place = Place { sim, depth, spawned: zero(), alive: zero(), errors: zero(), early: zero(), endings };
        let policies = [Policy::FailFast, Policy::Supervise, Policy::FirstDone, Policy::FirstOk];
        let builder = local_group().policy(policies[sim.choose(4)]);
        let builder = match sim.choose(3) {
            0 => builder.deadline_after(ms(sim.choose(5))),
            _ => builder,
        };
        // A body that waits for ever is dropped with the group.
        let patience = if sim.choose(3) == 0 { ms(sim.choose(4)) } else { ms(40) };
        let mut kept = None;
        let report = {
            let mut run = pin!(builder.report(&scope, |g| {
                kept = Some(g.clone());
                place.body(g)
            }));
            let mut patience = pin!(sim.time().sleep(patience));
            // In this order the run may be dropped though it is over.
            poll_fn(|cx| match patience.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(None),
                Poll::Pending => run.as_mut().poll(cx).map(Some),
            })
            .await
        };
        let kept = kept.expect("the body's closure is called at once");
        place.gone(&kept);
        if let Some(report) = report {
            assert_eq!(kept.count(), report.count);
            place.audit(&report);
        }
    })
}

#[test]
fn whatever_happens_in_it_a_local_group_leaves_nothing_and_counts_each_child_once() {
    let asked = std::env::var("WAKEFUL_SIM_RUNS").ok().and_then(|runs| runs.parse().ok());
    let runs = asked.unwrap_or(2_000);
    let endings = Mutex::new([0; 4]);
    Builder::new().runs(runs).repeat_every(100).check(async |sim: Sim| {
        let scope = Scope::new(sim.time());
        if sim.choose(4) == 0 {
            let (scope, time, after) = (scope.clone(), sim.time(), ms(sim.choose(5)));
            sim.spawn_background("canceller", async move {
                time.sleep(after).await;
                scope.cancel("from outside");
            });
        }
        let inner = scope.child_after(ms(if sim.choose(3) == 0 { sim.choose(6) } else { 100 }));
        match sim.choose(2) {
            0 => run(&sim, 0, inner, &endings).await,
            _ => drop(inner.run(run(&sim, 0, inner.clone(), &endings)).await),
        }
        sim.idle().await;
        assert!(sim.time().pending() <= 1, "no timer is left but the canceller's");
    });
    let endings = endings.into_inner().unwrap();
    assert!(endings.iter().all(|&n| n > u64::from(runs) / 20), "all endings were seen: {endings:?}");
}

/// A result that panics when it is dropped.
struct Hostile;

impl Drop for Hostile {
    fn drop(&mut self) {
        resume_unwind(Box::new("dropped"));
    }
}

#[test]
fn a_result_whose_handle_goes_while_the_child_returns_it_is_dropped_in_a_guard() {
    wakeful::sim::run(|sim| async move {
        let kept = Mutex::new(None::<LocalHandle<Hostile>>);
        let report = local_group::<()>()
            .report(&Scope::new(sim.time()), async |g| {
                let child = async {
                    drop(kept.lock().unwrap().take());
                    Ok(Hostile)
                };
                *kept.lock().unwrap() = Some(g.spawn("child", child).unwrap());
                Ok(())
            })
            .await;
        assert_eq!((report.count.panicked, report.count.done, report.failures.len()), (1, 0, 1));
    });
}
