//! tokio: a `JoinSet`, and a semaphore that bounds it.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{Step, WIDTH, spawned};

async fn sum(items: u64, make: fn(u64) -> Step) -> u64 {
    let (mut sum, mut set) = (0, JoinSet::new());
    let semaphore = Arc::new(Semaphore::new(WIDTH));
    for n in 0..items {
        let permit = semaphore.clone().acquire_owned().await.expect("it is open");
        set.spawn(async move {
            let n = make(n).await;
            drop(permit);
            n
        });
        while let Some(n) = set.try_join_next() {
            sum += n.expect("no panic");
        }
    }
    while let Some(n) = set.join_next().await {
        sum += n.expect("no panic");
    }
    sum
}

spawned!(super::sum);
