//! tokio-util's `DelayQueue`, and a map by whose keys tasks could be cancelled and moved.

use super::{FUTURE, cost, due};
use std::collections::HashMap;
use std::future::poll_fn;
use tokio_util::time::DelayQueue;

pub fn future() -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    cost(FUTURE, || {
        runtime.block_on(async {
            let (mut queue, mut keys, mut sum) = (DelayQueue::new(), HashMap::new(), 0);
            for n in 0..FUTURE {
                let name = format!("add#{n}");
                let key = queue.insert((name.clone(), n), due(n));
                keys.insert(name, key);
            }
            while let Some(expired) = poll_fn(|cx| queue.poll_expired(cx)).await {
                let (name, n) = expired.into_inner();
                keys.remove(&name).expect("it is there");
                sum += n;
            }
            sum
        })
    })
}
