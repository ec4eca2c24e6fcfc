//! wakeful: groups, local groups and sets of futures.

use std::future::Future;
use std::pin::Pin;

use wakeful::cancel::Scope;
use wakeful::spawn::{Spawn, Task};
use wakeful::task::{FutureSet, group, local_group};
use wakeful::time::Time;

use super::{CHILDREN, check, once};
use crate::harness::{cpu_ns, wall_ns};
use crate::support::block_on;

async fn grouped(spawner: impl Spawn + Send + Sync + 'static) {
    let scope = Scope::new(Time::system());
    let run = group::<()>(spawner).run(&scope, async |g| {
        let child = |n| g.spawn("child", async move { Ok(once(n).await) }).expect("it is open");
        let handles: Vec<_> = (0..CHILDREN).map(child).collect();
        let mut sum = 0;
        for handle in handles {
            sum += handle.await.expect("nobody fails");
        }
        Ok(sum)
    });
    check(run.await.expect("nobody fails"));
}

fn on_tokio(task: Task) {
    tokio::spawn(task);
}

pub fn spawned_tokio() -> f64 {
    let runtime = super::tokio::one_thread();
    cpu_ns(CHILDREN, || runtime.block_on(grouped(on_tokio)))
}

pub fn spawned_tokio_two_threads() -> f64 {
    let runtime = super::tokio::two_threads();
    wall_ns(CHILDREN, || runtime.block_on(async { tokio::spawn(grouped(on_tokio)).await.expect("no panic") }))
}

pub fn spawned_smol() -> f64 {
    super::smol::on_executor(|executor| {
        cpu_ns(CHILDREN, || {
            smol::block_on(executor.run(grouped(move |task: Task| executor.spawn(task).detach())));
        })
    })
}

/// The sum of what a set gives.
async fn sum<F: Future<Output = usize>>(mut set: FutureSet<F>) {
    let mut sum = 0;
    while let Some((_, n)) = set.join_next().await {
        sum += n;
    }
    check(sum);
}

pub fn in_place() -> f64 {
    cpu_ns(CHILDREN, || block_on(sum((0..CHILDREN).map(once).collect())))
}

pub fn in_place_boxed() -> f64 {
    let boxed = |n| Box::pin(async move { once(n).await }) as Pin<Box<dyn Future<Output = usize> + Send>>;
    cpu_ns(CHILDREN, || block_on(sum((0..CHILDREN).map(boxed).collect())))
}

pub fn in_place_group() -> f64 {
    let scope = Scope::new(Time::system());
    cpu_ns(CHILDREN, || {
        let run = local_group::<()>().run(&scope, async |g| {
            let child = |n| g.spawn("child", async move { Ok(once(n).await) }).expect("it is open");
            let handles: Vec<_> = (0..CHILDREN).map(child).collect();
            let mut sum = 0;
            for handle in handles {
                sum += handle.await.expect("nobody fails");
            }
            Ok(sum)
        });
        check(block_on(run).expect("nobody fails"));
    })
}
