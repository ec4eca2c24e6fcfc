//! The batch that is watched: items that take a while, and of which some fail, panic or hang.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::limit::{Limiter, Quota};
use wakeful::spawn::Spawn;
use wakeful::time::Time;
use wakeful::work::{Count, Lease, WorkerPool, worker_pool};

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub(crate) items: u64,
    pub(crate) workers: NonZeroUsize,
    pub(crate) queue: NonZeroUsize,
    /// Items a second.
    pub(crate) rate: NonZeroU32,
    pub(crate) deadline: Duration,
}

impl Default for Options {
    fn default() -> Self {
        let count = |n| NonZeroUsize::new(n).expect("not zero");
        Self {
            items: 2_000,
            workers: count(8),
            queue: count(64),
            rate: NonZeroU32::new(40).expect("not zero"),
            deadline: Duration::from_secs(60),
        }
    }
}

pub(crate) struct Batch {
    pub(crate) pool: WorkerPool<u64, (), &'static str>,
    limiter: Limiter,
    scope: Scope,
    options: Options,
}

/// How the batch stands, all of it by what its parts say of themselves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    pub(crate) workers: usize,
    pub(crate) running: usize,
    pub(crate) queued: usize,
    pub(crate) capacity: usize,
    pub(crate) count: Count,
    pub(crate) items: u64,
    pub(crate) quota: Quota,
    pub(crate) available: u32,
    pub(crate) deadline: Duration,
    pub(crate) left: Duration,
}

impl Batch {
    pub(crate) fn start(spawner: impl Spawn + Send + Sync + 'static, time: &Time, options: Options) -> Self {
        let scope = Scope::new(time.clone()).child_after(options.deadline);
        let limiter = Limiter::new(time, Quota::per_second(options.rate).burst(options.rate));
        let pool = worker_pool(work).workers(options.workers).capacity(options.queue);
        let pool = pool.rate(&limiter).item_timeout(Duration::from_secs(1)).spawn_on(spawner, &scope);
        Self { pool, limiter, scope, options }
    }

    /// Submits all items, and waits for what becomes of them; at most until the deadline, or until the batch is stopped.
    pub(crate) async fn run(&self) -> Count {
        for item in 0..self.options.items {
            if self.pool.submit(item).await.is_err() {
                break;
            }
        }
        self.pool.drain(Duration::MAX).await.count
    }

    /// Cuts it short.
    pub(crate) async fn stop(&self) {
        self.pool.drain(Duration::ZERO).await;
    }

    /// Has so many workers more, or fewer.
    pub(crate) fn hire(&self, more: isize) {
        let workers = self.pool.workers().get().saturating_add_signed(more);
        self.pool.resize(NonZeroUsize::new(workers).unwrap_or(NonZeroUsize::MIN));
    }

    pub(crate) fn standing(&self) -> Standing {
        Standing {
            workers: self.pool.workers().get(),
            running: self.pool.running(),
            queued: self.pool.queued(),
            capacity: self.pool.capacity(),
            count: self.pool.count(),
            items: self.options.items,
            quota: self.limiter.quota(),
            available: self.limiter.available(),
            deadline: self.options.deadline,
            left: self.scope.deadline() - self.scope.now(),
        }
    }
}

async fn work(item: Lease<u64>) -> Result<(), &'static str> {
    let millis = 100 + *item * 37 % 200;
    match *item % 50 {
        13 => wakeful::sleep(Duration::MAX).await,
        _ => wakeful::sleep(Duration::from_millis(millis)).await,
    }
    match *item % 50 {
        7 | 21 => Err("unlucky"),
        42 => panic!("item {} is bad", *item),
        _ => Ok(()),
    }
}
