//! tokio: `JoinSet`.

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

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
