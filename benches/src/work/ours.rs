//! wakeful: a run in place, which counts, and one whose workers are tasks, and whose sink adds up.

use std::cell::Cell;
use std::collections::VecDeque;
use std::num::NonZeroUsize;

use wakeful::cancel::Scope;
use wakeful::spawn::Task;
use wakeful::time::Time;
use wakeful::work::{Count, Ended, ItemOutcome, Lease, Results, Sink, Ticket, work, worker_pool};

use super::{ITEMS, Step, WIDTH, add, contender, cost_alone, spawned};

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

/// Results that are handed to a consumer in the caller's task.
macro_rules! driven {
    ($name:ident, $($order:ident)?) => {
        pub mod $name {
            use super::*;

            async fn sum(items: u64, make: fn(u64) -> Step) -> u64 {
                let scope = Scope::new(Time::system());
                let width = NonZeroUsize::new(WIDTH).expect("not zero");
                let body = |item: Lease<u64>| async move { Ok::<_, ()>(make(*item).await) };
                let consumer = async |mut results: Results<u64, u64, ()>| {
                    let mut sum = 0;
                    while let Some(ended) = results.next().await {
                        sum += ended.outcome.done().expect("no error");
                    }
                    sum
                };
                let set = work(0..items).workers(width).drive()$(.$order())?;
                set.run(&scope, body, consumer).await.value
            }

            contender!(sum);
        }
    };
}

driven!(as_they_end,);
driven!(in_order, in_order);

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

/// Items that are submitted to a pool one by one, and whose results are taken in that order, up to [`WIDTH`] behind.
async fn sum_of_tickets(items: u64, make: fn(u64) -> Step) -> u64 {
    let scope = Scope::new(Time::system());
    let width = NonZeroUsize::new(WIDTH).expect("not zero");
    let spawner = |task: Task| {
        tokio::spawn(task);
    };
    let body = move |item: Lease<u64>| async move { Ok::<_, ()>(make(*item).await) };
    let pool = worker_pool(body).workers(width).capacity(width).spawn_on(spawner, &scope);
    let (mut sum, mut tickets) = (0, VecDeque::<Ticket<u64, u64, ()>>::new());
    for n in 0..items {
        if tickets.len() == WIDTH {
            sum += tickets.pop_front().expect("some").await.done().expect("no error");
        }
        tickets.push_back(pool.submit(n).await.expect("it is open"));
    }
    for ticket in tickets {
        sum += ticket.await.done().expect("no error");
    }
    sum
}

pub fn pool_ready() -> f64 {
    cost_alone(sum_of_tickets(ITEMS, super::ready))
}

pub fn pool_pending() -> f64 {
    cost_alone(sum_of_tickets(ITEMS, super::pending))
}
