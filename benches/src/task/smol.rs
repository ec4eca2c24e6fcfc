//! smol: task handles.

use smol::Executor;

use super::{CHILDREN, check, once};
use crate::harness::cpu_ns;

/// Runs `f` with an executor that lives as long as the program, as a spawner needs it.
pub fn on_executor(f: impl FnOnce(&'static Executor<'static>) -> f64) -> f64 {
    static EXECUTOR: Executor<'static> = Executor::new();
    f(&EXECUTOR)
}

pub fn spawned() -> f64 {
    on_executor(|executor| {
        let awaited = async {
            let tasks: Vec<_> = (0..CHILDREN).map(|n| executor.spawn(once(n))).collect();
            let mut sum = 0;
            for task in tasks {
                sum += task.await;
            }
            check(sum);
        };
        cpu_ns(CHILDREN, || smol::block_on(executor.run(awaited)))
    })
}
