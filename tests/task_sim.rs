//! Groups of tasks in the simulator: whatever fails, panics, is cancelled, lost or dropped half-way, and in whichever order,
//! nothing leaks, nobody waits for ever, and each child is counted once.

use std::collections::BTreeMap;
use std::future::{Future, pending};
use std::panic::resume_unwind;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::sim::{Builder, Sim};
use wakeful::spawn::{Spawn, Task};
use wakeful::task::{
    Cause, ChildError, GroupCount, GroupReport, Handle, Policy, StartError, Starting, Status, TaskGroup, group,
};

fn ms(n: usize) -> Duration {
    Duration::from_millis(n as u64)
}

/// What was seen of all children.
#[derive(Clone, Default)]
struct Books(Arc<Mutex<Entries>>);

#[derive(Default)]
struct Entries {
    /// Spawned, by group.
    spawned: BTreeMap<usize, u64>,
    /// Bodies that exist, by group.
    alive: BTreeMap<usize, usize>,
    /// Errors that were returned, by anybody in the group, and those of them that went to somebody who waited for a start.
    errors: BTreeMap<usize, usize>,
    elsewhere: BTreeMap<usize, usize>,
    groups: usize,
    /// Children done, failed, panicked, cancelled, lost.
    endings: [u64; 5],
}

impl Books {
    fn with<R>(&self, f: impl FnOnce(&mut Entries) -> R) -> R {
        f(&mut self.0.lock().unwrap())
    }

    fn enter(&self, group: usize) -> Alive {
        self.with(|books| *books.alive.entry(group).or_default() += 1);
        Alive(self.clone(), group)
    }

    fn alive(&self, group: usize) -> usize {
        self.with(|books| books.alive.get(&group).copied().unwrap_or(0))
    }
}

/// A body that exists.
struct Alive(Books, usize);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.with(|books| *books.alive.get_mut(&self.1).unwrap() -= 1);
    }
}

/// A task that its executor drops after so many polls.
struct Mortal(Task, Option<usize>);

impl Future for Mortal {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.1 {
            Some(0) => return Poll::Ready(()),
            Some(left) => {
                *left -= 1;
                // Its end is due by itself.
                if *left == 0 {
                    cx.waker().wake_by_ref();
                }
            }
            None => {}
        }
        Pin::new(&mut self.0).poll(cx)
    }
}

/// A spawner that loses a task now and then.
fn lossy(sim: &Sim) -> impl Spawn + Send + Sync + 'static {
    let sim = sim.clone();
    move |task: Task| {
        let name = task.name().to_owned();
        match sim.choose(12) {
            0 => drop(task),
            1 => sim.spawner().spawn(Task::new(Mortal(task, Some(sim.choose(3)))).named(name)),
            _ => sim.spawner().spawn(task),
        }
    }
}

type Fallible = Result<usize, usize>;

/// Where a child is, and how deep.
#[derive(Clone)]
struct Place {
    sim: Sim,
    books: Books,
    number: usize,
    depth: usize,
}

impl Place {
    fn error(&self, error: usize) -> Fallible {
        self.books.with(|books| *books.errors.entry(self.number).or_default() += 1);
        Err(error)
    }

    /// What a child does. Boxed, since children spawn children.
    fn child(self, g: TaskGroup<usize>) -> Pin<Box<dyn Future<Output = Fallible> + Send>> {
        let alive = self.books.enter(self.number);
        Box::pin(async move {
            let _alive = alive;
            let Self { sim, depth, .. } = &self;
            match sim.choose(12) {
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
                9 if *depth < 2 => {
                    if let Some(handle) = self.deeper().spawn(&g) {
                        let _ = handle.await;
                    }
                }
                10 if *depth < 2 => {
                    let _ = self.deeper().group(g.scope().clone()).await;
                }
                _ => {
                    let patience = ms(sim.choose(3));
                    let _ = wakeful::move_on_after(patience, sim.time().sleep(ms(sim.choose(4)))).await;
                }
            }
            Ok(7)
        })
    }

    fn deeper(&self) -> Self {
        Self { depth: self.depth + 1, ..self.clone() }
    }

    fn spawned(&self) {
        self.books.with(|books| *books.spawned.entry(self.number).or_default() += 1);
    }

    fn spawn(&self, g: &TaskGroup<usize>) -> Option<Handle<usize, usize>> {
        let child = self.clone().child(g.clone());
        match g.spawn("child", child) {
            Ok(handle) => {
                self.spawned();
                Some(handle)
            }
            Err(error) => {
                assert!(g.is_over());
                drop(error.into_inner());
                None
            }
        }
    }

    fn spawn_background(&self, g: &TaskGroup<usize>) {
        let (place, child) = (self.clone(), self.clone().child(g.clone()));
        let serve = async move {
            match place.sim.choose(3) {
                0 => pending().await,
                1 => child.await.map(drop),
                _ => Ok(()),
            }
        };
        if g.spawn_background("background", serve).is_ok() {
            self.spawned();
        }
    }

    async fn start(&self, g: &TaskGroup<usize>) {
        let place = self.clone();
        let alive = self.books.enter(self.number);
        let starts = move |starting: Starting<usize, usize>| async move {
            let _alive = alive;
            let sim = place.sim.clone();
            match sim.choose(7) {
                0 => return place.error(3),
                1 => drop(starting),
                2 => {
                    drop(starting);
                    pending::<()>().await;
                }
                3 => {
                    sim.time().sleep(ms(1)).await;
                    return place.error(4);
                }
                4 => resume_unwind(Box::new("a panic before the start")),
                5 => {
                    sim.time().sleep(ms(1)).await;
                    let _ = starting.started(1);
                    return place.error(5);
                }
                _ => {
                    let _ = starting.started(1);
                    sim.time().sleep(ms(1)).await;
                }
            }
            Ok(9)
        };
        let Ok(start) = g.start("start", starts) else { return };
        self.spawned();
        let started = match self.sim.choose(3) {
            0 => return,
            1 => start.await,
            _ => {
                let mut start = pin!(start);
                let patience = self.sim.time().sleep(ms(self.sim.choose(2)));
                let mut patience = pin!(patience);
                let either = std::future::poll_fn(|cx| match patience.as_mut().poll(cx) {
                    Poll::Ready(()) => Poll::Ready(None),
                    Poll::Pending => start.as_mut().poll(cx).map(Some),
                });
                match either.await {
                    Some(started) => started,
                    None => return,
                }
            }
        };
        match started {
            Ok((handle, value)) => {
                assert_eq!(value, 1);
                if self.sim.choose(2) == 0 {
                    let _ = handle.await;
                }
            }
            Err(StartError::Failed(_)) => {
                self.books.with(|books| *books.elsewhere.entry(self.number).or_default() += 1);
            }
            Err(StartError::Cancelled(cancelled)) => assert!(!cancelled.is_own()),
            Err(_) => {}
        }
    }

    async fn body(&self, g: &TaskGroup<usize>) -> Fallible {
        let _alive = self.books.enter(self.number);
        let mut handles = Vec::new();
        for _ in 0..self.sim.choose(4) {
            handles.extend(self.spawn(g));
        }
        if self.sim.choose(3) == 0 {
            self.spawn_background(g);
        }
        if self.sim.choose(3) == 0 {
            self.start(g).await;
        }
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
            _ => {}
        }
        for handle in handles {
            let status = handle.status();
            match self.sim.choose(3) {
                0 => {}
                _ if status == Status::Running => drop(handle.await),
                _ => match (status, handle.await) {
                    (Status::Done, Ok(7)) | (Status::Failed, Err(ChildError::Failed)) => {}
                    (Status::Panicked, Err(ChildError::Panicked)) | (Status::Lost, Err(ChildError::Lost)) => {}
                    (Status::Cancelled, Err(ChildError::Cancelled(_))) => {}
                    (status, result) => panic!("{status:?} {result:?}"),
                },
            }
        }
        Ok(8)
    }

    /// Runs a group. None: it was dropped half-way, and its children are gone since.
    fn group(mut self, scope: Scope) -> Pin<Box<dyn Future<Output = Option<Fallible>> + Send>> {
        Box::pin(async move {
            self.number = self.books.with(|books| {
                books.groups += 1;
                books.groups
            });
            let policies = [Policy::FailFast, Policy::Supervise, Policy::FirstDone, Policy::FirstOk];
            let policy = policies[self.sim.choose(4)];
            let builder = group(lossy(&self.sim)).policy(policy);
            let builder = match self.sim.choose(4) {
                0 => builder.deadline_after(ms(self.sim.choose(5))),
                _ => builder,
            };
            let kept = Mutex::new(None);
            let run = builder.report(&scope, async |g| {
                *kept.lock().unwrap() = Some(g.clone());
                self.body(&g).await
            });
            let patience = match self.sim.choose(3) {
                0 => ms(self.sim.choose(4)),
                _ => Duration::MAX,
            };
            let report = {
                let (mut run, mut patience) = (pin!(run), pin!(self.sim.time().sleep(patience)));
                // In this order the run may be dropped though it is over.
                std::future::poll_fn(|cx| match patience.as_mut().poll(cx) {
                    Poll::Ready(()) => Poll::Ready(None),
                    Poll::Pending => run.as_mut().poll(cx).map(Some),
                })
                .await
            };
            let kept = kept.into_inner().unwrap();
            let Some(report) = report else {
                if let Some(kept) = kept {
                    kept.quiesced().await;
                    self.gone(&kept);
                }
                return None;
            };
            if let Some(kept) = kept {
                self.gone(&kept);
                assert_eq!(kept.count(), report.count);
            }
            self.audit(&report);
            Some(report.into_result().map_err(|_| 0))
        })
    }

    /// That nobody is left, and each is counted once.
    #[track_caller]
    fn gone(&self, g: &TaskGroup<usize>) {
        assert!(g.is_over() && g.is_empty() && g.live().is_empty());
        assert_eq!(self.books.alive(self.number), 0, "a body is left");
        let spawned = self.books.with(|books| books.spawned.get(&self.number).copied().unwrap_or(0));
        assert_eq!(g.count().total(), spawned, "each is counted once: {}", g.count());
        assert!(g.spawn("late", async { Ok(()) }).is_err());
        let GroupCount { done, failed, panicked, cancelled, lost, .. } = g.count();
        let endings = [done, failed, panicked, cancelled, lost];
        self.books.with(|books| (0..5).for_each(|n| books.endings[n] += endings[n]));
    }

    /// That all errors are kept.
    #[track_caller]
    fn audit(&self, report: &GroupReport<usize, usize>) {
        let of = |map: &BTreeMap<usize, usize>| map.get(&self.number).copied().unwrap_or(0);
        let (errors, elsewhere) = self.books.with(|books| (of(&books.errors), of(&books.elsewhere)));
        let kept = report.failures.iter().filter(|failure| matches!(failure.cause(), Cause::Error(_))).count();
        assert_eq!(kept + elsewhere, errors, "every error is kept");
        let panics = report.failures.iter().filter(|failure| matches!(failure.cause(), Cause::Panic(_))).count();
        let of_body = report.failures.iter().filter(|failure| failure.name().is_none()).count();
        assert!(panics >= report.count.panicked as usize && of_body <= 1);
        assert!(report.output.is_some() || of_body == 1 || report.cancelled.is_some());
    }
}

#[test]
fn whatever_happens_nothing_leaks_and_each_child_is_counted_once() {
    let endings = Mutex::new([0; 5]);
    let asked = std::env::var("WAKEFUL_SIM_RUNS").ok().and_then(|runs| runs.parse().ok());
    let runs = asked.unwrap_or(2_000);
    Builder::new().runs(runs).repeat_every(100).check(async |sim: Sim| {
        let books = Books::default();
        let place = Place { sim: sim.clone(), books: books.clone(), number: 0, depth: 0 };
        let scope = Scope::new(sim.time());
        if sim.choose(4) == 0 {
            let (scope, time, after) = (scope.clone(), sim.time(), ms(sim.choose(5)));
            sim.spawn_background("canceller", async move {
                time.sleep(after).await;
                scope.cancel("from outside");
            });
        }
        let inner = match sim.choose(3) {
            0 => scope.child_after(ms(sim.choose(6))),
            _ => scope.child(),
        };
        let _ = match sim.choose(2) {
            0 => place.group(inner).await,
            _ => inner.run(place.group(inner.clone())).await.done().flatten(),
        };
        sim.idle().await;
        books.with(|books| (0..5).for_each(|n| endings.lock().unwrap()[n] += books.endings[n]));
    });
    let endings = endings.into_inner().unwrap();
    assert!(endings.iter().all(|&n| n > u64::from(runs) / 20), "all endings were seen: {endings:?}");
}
