//! apalis' worker over its memory storage.

use super::{EACH, STRUCK, TASKS, USERS, cost, pending_once};
use crate::support::block_on;
use apalis_core::backend::TaskSink;
use apalis_core::backend::memory::MemoryStorage;
use apalis_core::task::data::Data;
use apalis_core::worker::builder::WorkerBuilder;
use apalis_core::worker::context::WorkerContext;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::Semaphore;

/// What the tasks share.
#[derive(Default)]
struct Shared {
    sum: AtomicU64,
    ended: AtomicU64,
    struck: HashSet<u64>,
    permits: Mutex<HashMap<u64, Arc<Semaphore>>>,
}

impl Shared {
    fn end(&self, n: u64, tasks: u64, worker: &WorkerContext) -> u64 {
        self.sum.fetch_add(n, Ordering::Relaxed);
        if self.ended.fetch_add(1, Ordering::Relaxed) + 1 == tasks {
            worker.stop().expect("it runs");
        }
        n
    }
}

pub fn add_run() -> f64 {
    async fn add(n: u64, shared: Data<Arc<Shared>>, worker: WorkerContext) -> u64 {
        shared.end(n, TASKS, &worker)
    }
    let shared = Arc::new(Shared::default());
    cost(TASKS, || {
        block_on(async {
            let mut storage = MemoryStorage::new();
            for n in 0..TASKS {
                storage.push(n).await.expect("added");
            }
            WorkerBuilder::new("w").backend(storage).data(shared.clone()).build(add).run().await.expect("run");
        });
        shared.sum.load(Ordering::Relaxed)
    })
}

pub fn strikes() -> f64 {
    async fn add((n, user): (u64, u64), shared: Data<Arc<Shared>>, worker: WorkerContext) -> u64 {
        assert!(!shared.struck.contains(&user), "nobody who has a task");
        shared.end(n, TASKS, &worker)
    }
    let shared = Arc::new(Shared { struck: (TASKS..TASKS + STRUCK).collect(), ..Shared::default() });
    cost(TASKS, || {
        block_on(async {
            let mut storage = MemoryStorage::new();
            for n in 0..TASKS {
                storage.push((n, n)).await.expect("added");
            }
            WorkerBuilder::new("w").backend(storage).data(shared.clone()).build(add).run().await.expect("run");
        });
        shared.sum.load(Ordering::Relaxed)
    })
}

pub fn limits() -> f64 {
    async fn add((n, user): (u64, u64), shared: Data<Arc<Shared>>, worker: WorkerContext) -> u64 {
        let one = || Arc::new(Semaphore::new(1));
        let permits = shared.permits.lock().expect("nobody panics").entry(user).or_insert_with(one).clone();
        let _permit = permits.acquire().await.expect("open");
        pending_once().await;
        shared.end(n, USERS * EACH, &worker)
    }
    let shared = Arc::new(Shared::default());
    cost(USERS * EACH, || {
        block_on(async {
            let mut storage = MemoryStorage::new();
            for n in 0..USERS * EACH {
                storage.push((n, n / EACH)).await.expect("added");
            }
            WorkerBuilder::new("w").backend(storage).data(shared.clone()).build(add).run().await.expect("run");
        });
        shared.sum.load(Ordering::Relaxed)
    })
}
