//! tokio: `JoinSet`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{CHILDREN, check, once};
use crate::harness::{cpu_ns, wall_ns};

pub fn one_thread() -> Runtime {
    Builder::new_current_thread().build().expect("a runtime")
}

pub fn two_threads() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).build().expect("a runtime")
}

async fn joined() {
    let mut set: JoinSet<usize> = (0..CHILDREN).map(once).collect();
    let mut sum = 0;
    while let Some(n) = set.join_next().await {
        sum += n.expect("no panic");
    }
    check(sum);
}

pub fn spawned() -> f64 {
    let runtime = one_thread();
    cpu_ns(CHILDREN, || runtime.block_on(joined()))
}

pub fn spawned_two_threads() -> f64 {
    let runtime = two_threads();
    wall_ns(CHILDREN, || runtime.block_on(async { tokio::spawn(joined()).await.expect("no panic") }))
}

/// Tasks that nobody has a handle to add to a sum and count themselves out; the last one wakes who waits.
async fn bare() {
    let all = Arc::new((AtomicUsize::new(0), AtomicUsize::new(CHILDREN), Notify::new()));
    for n in 0..CHILDREN {
        let all = all.clone();
        tokio::spawn(async move {
            let (sum, left, done) = &*all;
            sum.fetch_add(once(n).await, Ordering::Relaxed);
            if left.fetch_sub(1, Ordering::AcqRel) == 1 {
                done.notify_one();
            }
        });
    }
    all.2.notified().await;
    check(all.0.load(Ordering::Relaxed));
}

pub fn bare_tasks() -> f64 {
    let runtime = one_thread();
    cpu_ns(CHILDREN, || runtime.block_on(bare()))
}

pub fn bare_tasks_two_threads() -> f64 {
    let runtime = two_threads();
    wall_ns(CHILDREN, || runtime.block_on(async { tokio::spawn(bare()).await.expect("no panic") }))
}

/// Each can be cancelled by itself and with all others, and that they are gone is known.
async fn dressed() {
    let (token, tracker) = (CancellationToken::new(), TaskTracker::new());
    let mut set = JoinSet::new();
    for n in 0..CHILDREN {
        let token = token.child_token();
        set.spawn(tracker.track_future(async move { token.run_until_cancelled(once(n)).await }));
    }
    let mut sum = 0;
    while let Some(n) = set.join_next().await {
        sum += n.expect("no panic").expect("not cancelled");
    }
    tracker.close();
    tracker.wait().await;
    check(sum);
}

pub fn spawned_dressed() -> f64 {
    let runtime = one_thread();
    cpu_ns(CHILDREN, || runtime.block_on(dressed()))
}

pub fn spawned_dressed_two_threads() -> f64 {
    let runtime = two_threads();
    wall_ns(CHILDREN, || runtime.block_on(async { tokio::spawn(dressed()).await.expect("no panic") }))
}
