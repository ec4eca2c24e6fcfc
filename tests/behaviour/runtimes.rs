//! The runtimes: the one file of the suite that names them.

use crate::support::{Cx, Spawner, Watchdog};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;
use wakeful::sim;
use wakeful::spawn::Task;
use wakeful::time::SystemClock;

/// A runtime that scenarios run on.
pub(crate) trait Runtime {
    /// What starts tasks there.
    type Spawner: Spawner;

    /// Runs a scenario to its end.
    ///
    /// # Errors
    /// With the reason, if there is no such runtime here.
    fn run(scenario: Scenario<Self::Spawner>) -> Result<(), String>;
}

/// A scenario, boxed with its future: each runtime is then compiled once, not once for each scenario.
pub(crate) type Scenario<'a, S> = &'a (dyn Fn(Cx<S>) -> Pin<Box<dyn Future<Output = ()> + Send>> + Sync);

/// What starts tasks on a real runtime.
type Start = fn(Task);

/// tokio with two worker threads.
pub(crate) struct TokioMulti;
/// tokio on one thread.
pub(crate) struct TokioCurrent;
/// smol's global executor.
pub(crate) struct Smol;
/// async-std's global executor.
pub(crate) struct AsyncStd;
/// The simulator, under many schedules.
pub(crate) struct Simulator;

/// A context on a real runtime, whose clock is the system's, without slack.
fn real(spawner: Start) -> Cx<Start> {
    Cx::new(SystemClock::start(Duration::ZERO), spawner, None)
}

fn on_tokio(task: Task) {
    tokio::spawn(task);
}

/// Runs `scenario` as a task of `runtime`.
fn tokio_run(mut runtime: tokio::runtime::Builder, scenario: Scenario<Start>) -> Result<(), String> {
    let runtime = runtime.build().map_err(|error| format!("tokio can't be started: {error}"))?;
    runtime.block_on(async { tokio::spawn(scenario(real(on_tokio))).await }).expect("the scenario failed");
    Ok(())
}

impl Runtime for TokioMulti {
    type Spawner = Start;

    fn run(scenario: Scenario<Start>) -> Result<(), String> {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        runtime.worker_threads(2);
        tokio_run(runtime, scenario)
    }
}

impl Runtime for TokioCurrent {
    type Spawner = Start;

    fn run(scenario: Scenario<Start>) -> Result<(), String> {
        tokio_run(tokio::runtime::Builder::new_current_thread(), scenario)
    }
}

impl Runtime for Smol {
    type Spawner = Start;

    fn run(scenario: Scenario<Start>) -> Result<(), String> {
        smol::block_on(smol::spawn(scenario(real(|task| smol::spawn(task).detach()))));
        Ok(())
    }
}

impl Runtime for AsyncStd {
    type Spawner = Start;

    fn run(scenario: Scenario<Start>) -> Result<(), String> {
        let spawner = |task| {
            async_std::task::spawn(task);
        };
        async_std::task::block_on(async_std::task::spawn(scenario(real(spawner))));
        Ok(())
    }
}

impl Runtime for Simulator {
    type Spawner = sim::Spawner;

    fn run(scenario: Scenario<sim::Spawner>) -> Result<(), String> {
        // Scenarios wait for the threads that they start, so with these too a run is the same when it is repeated.
        let builder =
            sim::Builder::new().foreign_wakes(Duration::from_secs(600)).repeat_every(sim::Builder::REPEAT_EVERY);
        builder.check(|sim| scenario(Cx::new(sim.time(), sim.spawner(), Some(sim))));
        Ok(())
    }
}

/// Runs one scenario on one runtime, as a test.
pub(crate) fn test<R: Runtime, F>(name: &'static str, scenario: fn(Cx<R::Spawner>) -> F)
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
        on_runtime! { tokio_current_thread TokioCurrent $($rooms)* }
        on_runtime! { smol Smol $($rooms)* }
        on_runtime! { async_std AsyncStd $($rooms)* }
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
