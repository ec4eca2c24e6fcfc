//! wakeful: a run in place, which counts, and one whose workers are tasks, and whose sink adds up.

use std::cell::Cell;
use std::num::NonZeroUsize;

use wakeful::cancel::Scope;
use wakeful::spawn::Task;
use wakeful::time::Time;
use wakeful::work::{Count, Ended, ItemOutcome, Lease, Sink, work};

use super::{Step, WIDTH, add, contender, spawned};

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

/// Adds up what bodies gave.
struct Sum(u64);

impl Sink<u64, u64, ()> for Sum {
    fn accept(&mut self, ended: Ended<u64, u64, ()>) {
        if let ItemOutcome::Done(number) = ended.outcome {
            self.0 += number;
        }
    }
}

async fn sum_of_tasks(items: u64, make: fn(u64) -> Step) -> u64 {
    let scope = Scope::new(Time::system());
    let width = NonZeroUsize::new(WIDTH).expect("not zero");
    let spawner = |task: Task| {
        tokio::spawn(task);
    };
    let body = move |item: Lease<u64>| async move { Ok::<_, ()>(make(*item).await) };
    let (report, Sum(sum)) = work(0..items).workers(width).run_on(spawner, &scope, body, Sum(0)).await;
    assert!(report.is_complete());
    sum
}

spawned!(super::sum_of_tasks);
