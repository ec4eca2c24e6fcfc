//! shuttle: its random scheduler.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ::shuttle::future::{block_on, spawn, yield_now};
use ::shuttle::scheduler::RandomScheduler;
use ::shuttle::{Config, MaxSteps, Runner};

use super::{SCHEDULES, YIELDERS, YIELDS, worker};
use crate::harness::cpu_ns;

fn run(runs: usize, body: impl Fn() + Send + Sync + 'static) {
    let mut config = Config::new();
    config.max_steps = MaxSteps::None;
    Runner::new(RandomScheduler::new_from_seed(1, runs), config).run(body);
}

pub fn poll() -> f64 {
    cpu_ns(YIELDERS * YIELDS, || {
        run(1, || {
            block_on(async {
                let task = || async {
                    for _ in 0..YIELDS {
                        yield_now().await;
                    }
                };
                let tasks: Vec<_> = (0..YIELDERS).map(|_| spawn(task())).collect();
                for task in tasks {
                    task.await.expect("no panic");
                }
            });
        });
    })
}

pub fn schedule() -> f64 {
    cpu_ns(SCHEDULES, || {
        run(SCHEDULES, || {
            block_on(async {
                let count = Arc::new(AtomicUsize::new(0));
                let workers = [(); 3].map(|()| spawn(worker(count.clone(), yield_now)));
                for worker in workers {
                    worker.await.expect("no panic");
                }
                assert!((1..=3).contains(&count.load(Ordering::Relaxed)));
            });
        });
    })
}
