//! wakeful: `wakeful::sim`, which keeps everything that a replay and a report need.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wakeful::sim::{Builder, Sim};

use super::{AHEAD, CROWD, SCHEDULES, SLEEPERS, SLEEPS, YIELDERS, YIELDS, naps, worker};
use crate::harness::{cpu_ns, heap_bytes};

fn one() -> Builder {
    Builder::new().max_steps(u64::MAX)
}

pub fn poll() -> f64 {
    cpu_ns(YIELDERS * YIELDS, || {
        let report = one().run(async |sim: Sim| {
            let tasks = (0..YIELDERS).map(|_| {
                let task = sim.clone();
                sim.spawn("yielder", async move {
                    for _ in 0..YIELDS {
                        task.yield_now().await;
                    }
                })
            });
            for task in tasks.collect::<Vec<_>>() {
                task.await;
            }
        });
        assert!(report.expect("no failure").steps as usize >= YIELDERS * YIELDS);
    })
}

pub fn sleep() -> f64 {
    let naps = naps();
    cpu_ns(SLEEPERS * SLEEPS, || {
        let report = one().run(async |sim: Sim| {
            let mut tasks = Vec::new();
            for naps in naps {
                let time = sim.time();
                tasks.push(sim.spawn("sleeper", async move {
                    for nap in naps {
                        time.sleep(nap).await;
                    }
                }));
            }
            for task in tasks {
                task.await;
            }
        });
        report.expect("no failure");
    })
}

pub fn schedule() -> f64 {
    cpu_ns(SCHEDULES, || {
        let summary = Builder::new().runs(SCHEDULES as u32).explore(async |sim: Sim| {
            let count = Arc::new(AtomicUsize::new(0));
            let workers = [(); 3].map(|()| {
                let task = sim.clone();
                sim.spawn("worker", {
                    let count = count.clone();
                    async move { worker(count, || task.yield_now()).await }
                })
            });
            for worker in workers {
                worker.await;
            }
            assert!((1..=3).contains(&count.load(Ordering::Relaxed)));
        });
        assert_eq!(summary.expect("no failure").runs as usize, SCHEDULES);
    })
}

pub fn memory() -> f64 {
    let before = heap_bytes();
    let report = one().allow_leaks(true).run(async |sim: Sim| {
        for _ in 0..CROWD {
            let time = sim.time();
            sim.spawn("sleeper", async move { time.sleep(AHEAD).await });
        }
        sim.idle().await;
        heap_bytes() - before
    });
    report.expect("no failure").output as f64 / CROWD as f64
}
