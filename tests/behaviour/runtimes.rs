//! The runtimes: the one file of the suite that names them.

use crate::support::{Cx, Watchdog};
use embassy_executor::raw::TaskStorage;
use futures::StreamExt;
use futures::executor::{LocalPool, ThreadPool};
use futures::task::{LocalSpawnExt, SpawnExt};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use wakeful::sim;
use wakeful::spawn::{Spawn, Task};
use wakeful::time::{Instant, SystemClock, pump};

/// A runtime that scenarios run on.
pub(crate) trait Runtime {
    /// Runs a scenario to its end.
    ///
    /// # Errors
    /// With the reason, if there is no such runtime here.
    fn run(scenario: Scenario) -> Result<(), String>;
}

/// A scenario, boxed with its future: each runtime is then compiled once, not once for each scenario.
pub(crate) type Scenario<'a> = &'a (dyn Fn(Cx<Start>) -> Pin<Box<dyn Future<Output = ()> + Send>> + Sync);

/// What starts tasks on a runtime: one type for all, so that each scenario is compiled once for them.
#[derive(Clone)]
pub(crate) struct Start(Arc<dyn Fn(Task) + Send + Sync>);

impl Spawn for Start {
    fn spawn(&self, task: Task) {
        (self.0)(task);
    }
}

/// tokio with two worker threads.
pub(crate) struct TokioMulti;
/// tokio with two worker threads, where each task begins [`LATE`] after it was spawned, as on a machine that is busy with other
/// things: no scenario may count on how soon a task begins.
pub(crate) struct TokioLate;
/// tokio on one thread.
pub(crate) struct TokioCurrent;
/// smol's global executor.
pub(crate) struct Smol;
/// async-std's global executor.
pub(crate) struct AsyncStd;
/// futures' pool of two threads.
pub(crate) struct FuturesThreadPool;
/// futures' pool on one thread.
pub(crate) struct FuturesLocalPool;
/// compio: one thread, with the completions of io_uring where the kernel has it.
pub(crate) struct Compio;
/// embassy's executor, as on a board, with embassy's clock.
pub(crate) struct Embassy;
/// The simulator, under many schedules.
pub(crate) struct Simulator;

/// Well above the instants of the scenarios, and well below [`SOON`](crate::support::SOON).
const LATE: Duration = Duration::from_millis(25);

/// A context on a real runtime, whose clock is the system's, without slack.
fn real(start: impl Fn(Task) + Send + Sync + 'static) -> Cx<Start> {
    Cx::new(SystemClock::start(Duration::ZERO), Start(Arc::new(start)), None)
}

fn on_tokio(task: Task) {
    tokio::spawn(task);
}

fn on_tokio_late(task: Task) {
    tokio::spawn(async {
        tokio::time::sleep(LATE).await;
        task.await;
    });
}

/// Runs `scenario` as a task of `runtime`, with what starts tasks there.
fn tokio_run(mut runtime: tokio::runtime::Builder, start: fn(Task), scenario: Scenario) -> Result<(), String> {
    let runtime = runtime.enable_time().build().map_err(|error| format!("tokio can't be started: {error}"))?;
    runtime.block_on(async { tokio::spawn(scenario(real(start))).await }).expect("the scenario failed");
    Ok(())
}

fn two_threads() -> tokio::runtime::Builder {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(2);
    runtime
}

impl Runtime for TokioMulti {
    fn run(scenario: Scenario) -> Result<(), String> {
        tokio_run(two_threads(), on_tokio, scenario)
    }
}

impl Runtime for TokioLate {
    fn run(scenario: Scenario) -> Result<(), String> {
        tokio_run(two_threads(), on_tokio_late, scenario)
    }
}

impl Runtime for TokioCurrent {
    fn run(scenario: Scenario) -> Result<(), String> {
        tokio_run(tokio::runtime::Builder::new_current_thread(), on_tokio, scenario)
    }
}

impl Runtime for Smol {
    fn run(scenario: Scenario) -> Result<(), String> {
        smol::block_on(smol::spawn(scenario(real(|task| smol::spawn(task).detach()))));
        Ok(())
    }
}

impl Runtime for AsyncStd {
    fn run(scenario: Scenario) -> Result<(), String> {
        let spawner = |task| {
            async_std::task::spawn(task);
        };
        async_std::task::block_on(async_std::task::spawn(scenario(real(spawner))));
        Ok(())
    }
}

impl Runtime for FuturesThreadPool {
    fn run(scenario: Scenario) -> Result<(), String> {
        static POOL: LazyLock<std::io::Result<ThreadPool>> =
            LazyLock::new(|| ThreadPool::builder().pool_size(2).create());
        let pool = POOL.as_ref().map_err(|error| format!("no threads for the pool: {error}"))?;
        let handle = pool.spawn_with_handle(scenario(real(|task| pool.spawn_ok(task))));
        futures::executor::block_on(handle.expect("the pool is there"));
        Ok(())
    }
}

impl Runtime for FuturesLocalPool {
    fn run(scenario: Scenario) -> Result<(), String> {
        // Scenarios spawn from other threads too, for which the pool's own spawner is not made.
        let (queue, mut queued) = futures::channel::mpsc::unbounded();
        let mut pool = LocalPool::new();
        let (spawner, start) = (pool.spawner(), real(move |task| drop(queue.unbounded_send(task))));
        let spawns = async move {
            while let Some(task) = queued.next().await {
                spawner.spawn_local(task).expect("the pool is there");
            }
        };
        pool.spawner().spawn_local(spawns).expect("the pool is there");
        pool.run_until(scenario(start));
        Ok(())
    }
}

impl Runtime for Compio {
    fn run(scenario: Scenario) -> Result<(), String> {
        let runtime = compio_runtime::Runtime::new().map_err(|error| format!("compio can't be started: {error}"))?;
        let (queue, mut queued) = futures::channel::mpsc::unbounded();
        let start = real(move |task| drop(queue.unbounded_send(task)));
        runtime.block_on(async {
            let spawns = compio_runtime::spawn(async move {
                while let Some(task) = queued.next().await {
                    compio_runtime::spawn(task).detach();
                }
            });
            compio_runtime::spawn(scenario(start)).await.expect("the scenario failed");
            drop(spawns);
        });
        Ok(())
    }
}

impl Runtime for Embassy {
    fn run(scenario: Scenario) -> Result<(), String> {
        // Executor and tasks live in statics on a board; here they are leaked.
        fn token<F: Future + Send + 'static>(future: F) -> embassy_executor::SpawnToken<impl Send>
        where
            F::Output: 'static,
        {
            let storage: &'static TaskStorage<F> = Box::leak(Box::new(TaskStorage::new()));
            storage.spawn(move || future).expect("a storage of its own")
        }

        let now = || Instant::EPOCH + Duration::from_micros(embassy_time::Instant::now().as_micros());
        let (time, pump) = pump(now, |duration: Duration| {
            let micros = u64::try_from(duration.as_nanos().div_ceil(1000)).unwrap_or(u64::MAX);
            embassy_time::Timer::after(embassy_time::Duration::from_micros(micros))
        });
        let done = Arc::new(AtomicBool::new(false));
        let executor = Box::leak(Box::new(embassy_executor::Executor::new()));
        let ended = done.clone();
        let begin = |spawner: embassy_executor::Spawner| {
            let start = spawner.make_send();
            let cx = Cx::new(time, Start(Arc::new(move |task| start.spawn(token(task)))), None);
            let scenario = scenario(cx);
            spawner.spawn(token(async move {
                pump.await;
            }));
            spawner.spawn(token(async move {
                scenario.await;
                ended.store(true, Ordering::Release);
            }));
        };
        executor.run_until(begin, || done.load(Ordering::Acquire));
        Ok(())
    }
}

impl Runtime for Simulator {
    fn run(scenario: Scenario) -> Result<(), String> {
        // Scenarios wait for the threads that they start, so with these too a run is the same when it is repeated.
        let builder =
            sim::Builder::new().foreign_wakes(Duration::from_secs(600)).repeat_every(sim::Builder::REPEAT_EVERY);
        builder.check(|sim| {
            let spawner = sim.spawner();
            let start = Start(Arc::new(move |task| spawner.spawn(task)));
            scenario(Cx::new(sim.time(), start, Some(sim)))
        });
        Ok(())
    }
}

/// Runs one scenario on one runtime, as a test.
pub(crate) fn test<R: Runtime, F>(name: &'static str, scenario: fn(Cx<Start>) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let _watchdog = Watchdog::start(name);
    if let Err(reason) = R::run(&|cx| Box::pin(scenario(cx))) {
        eprintln!("{name} did not run: {reason}");
    }
}

/// Makes each scenario a test on each runtime, named `runtime::room::scenario`.
macro_rules! on_every_runtime {
    ($($rooms:tt)*) => {
        on_runtime! { tokio_multi_thread TokioMulti $($rooms)* }
        on_runtime! { tokio_late TokioLate $($rooms)* }
        on_runtime! { tokio_current_thread TokioCurrent $($rooms)* }
        on_runtime! { smol Smol $($rooms)* }
        on_runtime! { async_std AsyncStd $($rooms)* }
        on_runtime! { futures_thread_pool FuturesThreadPool $($rooms)* }
        on_runtime! { futures_local_pool FuturesLocalPool $($rooms)* }
        on_runtime! { compio Compio $($rooms)* }
        on_runtime! { embassy Embassy $($rooms)* }
        on_runtime! { simulator Simulator $($rooms)* }
    };
}

macro_rules! on_runtime {
    ($module:ident $runtime:ident $($room:ident { $($scenario:ident)* })*) => {
        mod $module {
            $(mod $room {
                $(
                    #[test]
                    fn $scenario() {
                        let name = concat!(stringify!($module), "::", stringify!($scenario));
                        crate::runtimes::test::<crate::runtimes::$runtime, _>(name, crate::$room::$scenario);
                    }
                )*
            })*
        }
    };
}
