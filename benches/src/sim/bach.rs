//! bach: its default environment.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ::bach::environment::default::Runtime;
use ::bach::task::yield_now;

use super::{AHEAD, CROWD, SCHEDULES, SLEEPERS, SLEEPS, YIELDERS, YIELDS, naps, worker};
use crate::harness::{cpu_ns, heap_bytes};

fn runtime() -> Runtime {
    Runtime::new().with_seed(1)
}

pub fn poll() -> f64 {
    cpu_ns(YIELDERS * YIELDS, || {
        runtime().block_on(async {
            let task = || async {
                for _ in 0..YIELDS {
                    yield_now().await;
                }
            };
            let tasks: Vec<_> = (0..YIELDERS).map(|_| ::bach::spawn(task())).collect();
            for task in tasks {
                task.await.expect("no panic");
            }
        });
    })
}

pub fn sleep() -> f64 {
    let naps = naps();
    cpu_ns(SLEEPERS * SLEEPS, || {
        runtime().block_on(async {
            let tasks = naps.into_iter().map(|naps| {
                ::bach::spawn(async move {
                    for nap in naps {
                        ::bach::time::sleep(nap).await;
                    }
                })
            });
            for task in tasks.collect::<Vec<_>>() {
                task.await.expect("no panic");
            }
        });
    })
}

async fn root() {
    let count = Arc::new(AtomicUsize::new(0));
    let workers = [(); 3].map(|()| ::bach::spawn(worker(count.clone(), yield_now)));
    for worker in workers {
        worker.await.expect("no panic");
    }
    assert!((1..=3).contains(&count.load(Ordering::Relaxed)));
}

pub fn schedule() -> f64 {
    cpu_ns(SCHEDULES, || (0..SCHEDULES).for_each(|_| runtime().block_on(root())))
}

pub fn memory() -> f64 {
    let before = heap_bytes();
    let bytes = runtime().block_on(async move {
        for _ in 0..CROWD {
            drop(::bach::spawn(::bach::time::sleep(AHEAD)));
        }
        for _ in 0..10 {
            yield_now().await;
        }
        heap_bytes() - before
    });
    bytes as f64 / CROWD as f64
}
