//! wakeful: a run in place, which counts.

use std::cell::Cell;
use std::num::NonZeroUsize;

use wakeful::cancel::Scope;
use wakeful::time::Time;
use wakeful::work::{Count, Lease, work};

use super::{Step, WIDTH, add, contender};

async fn sum(items: u64, make: fn(u64) -> Step) -> u64 {
    let (scope, sum) = (Scope::new(Time::system()), Cell::new(0));
    let width = NonZeroUsize::new(WIDTH).expect("not zero");
    let total = &sum;
    let body = |item: Lease<u64>| async move {
        add(total, make(*item).await);
        Ok::<(), ()>(())
    };
    let report = work(0..items).workers(width).run(&scope, body, Count::new()).await;
    assert!(report.is_complete());
    sum.get()
}

contender!(sum);
