//! madsim: its runtime, which only exists where all crates are built with `--cfg madsim`.

use crate::harness::Contender;

#[cfg(not(madsim))]
mod imp {
    use super::Contender;

    pub const POLL: &[Contender<'_>] = &[];
    pub const SLEEP: &[Contender<'_>] = &[];
    pub const SCHEDULE: &[Contender<'_>] = &[];
    pub const MEMORY: &[Contender<'_>] = &[];
}

#[cfg(madsim)]
mod imp {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use ::madsim::runtime::Runtime;
    use ::madsim::task::{spawn, yield_now};

    use super::Contender;
    use crate::harness::{cpu_ns, heap_bytes};
    use crate::{AHEAD, CROWD, SCHEDULES, SLEEPERS, SLEEPS, YIELDERS, YIELDS, naps, worker};

    pub const POLL: &[Contender<'_>] = &[("madsim", poll)];
    pub const SLEEP: &[Contender<'_>] = &[("madsim", sleep)];
    pub const SCHEDULE: &[Contender<'_>] = &[("madsim", schedule)];
    pub const MEMORY: &[Contender<'_>] = &[("madsim", memory)];

    fn poll() -> f64 {
        cpu_ns(YIELDERS * YIELDS, || {
            Runtime::new().block_on(async {
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
        })
    }

    fn sleep() -> f64 {
        let naps = naps();
        cpu_ns(SLEEPERS * SLEEPS, || {
            Runtime::new().block_on(async {
                let tasks = naps.into_iter().map(|naps| {
                    spawn(async move {
                        for nap in naps {
                            ::madsim::time::sleep(nap).await;
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
        let workers = [(); 3].map(|()| spawn(worker(count.clone(), yield_now)));
        for worker in workers {
            worker.await.expect("no panic");
        }
        assert!((1..=3).contains(&count.load(Ordering::Relaxed)));
    }

    fn schedule() -> f64 {
        cpu_ns(SCHEDULES, || (0..SCHEDULES).for_each(|_| Runtime::new().block_on(root())))
    }

    fn memory() -> f64 {
        let before = heap_bytes();
        let bytes = Runtime::new().block_on(async move {
            for _ in 0..CROWD {
                drop(spawn(::madsim::time::sleep(AHEAD)));
            }
            ::madsim::time::sleep(AHEAD / 2).await;
            heap_bytes() - before
        });
        bytes as f64 / CROWD as f64
    }
}

pub use imp::{MEMORY, POLL, SCHEDULE, SLEEP};
