//! Many futures, and many children, in one task. Each is pending once, and wakes itself.

use crate::TIMES;
use crate::time::still;
use crate::work::Once;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use wakeful::cancel::Scope;
use wakeful::task::{FutureSet, local_group};

fn complete(future: impl Future<Output = ()>) {
    let mut future = pin!(future);
    while future.as_mut().poll(&mut Context::from_waker(Waker::noop())) != Poll::Ready(()) {}
}

/// Futures of one type, whose outputs are taken as they come.
#[inline(never)]
pub fn set() {
    complete(async {
        let mut set: FutureSet<Once> = (0..TIMES).map(|_| Once::new()).collect();
        while set.join_next().await.is_some() {}
    });
}

/// Children of a group in its own task, whose handles are awaited in order.
#[inline(never)]
pub fn local_child() {
    let scope = Scope::new(still());
    complete(async {
        let run = local_group::<()>().run(&scope, async |group| {
            let child = |_| group.spawn("child", async { Ok(Once::new().await) }).unwrap();
            let handles: Vec<_> = (0..TIMES).map(child).collect();
            for handle in handles {
                handle.await.unwrap();
            }
            Ok(())
        });
        run.await.unwrap();
    });
}
