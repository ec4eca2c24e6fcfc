//! wakeful: a pipeline of three stages in one task, and merged streams.

use std::cell::Cell;
use std::future::ready as give;
use std::num::NonZeroUsize;

use futures_util::StreamExt;
use wakeful::cancel::Scope;
use wakeful::flow::merge;
use wakeful::flow::pipeline::{Stage, pipeline, stage};
use wakeful::time::Time;
use wakeful::work::Lease;

use super::{ITEMS, Source, Step, WIDTH, add, cost};

async fn sum(make: fn(u64) -> Step, set: fn(Stage) -> Stage) -> u64 {
    let (scope, sum) = (Scope::new(Time::system()), Cell::new(0));
    let body = |item: Lease<u64>| async move { Ok::<_, ()>(make(*item).await) };
    let wide = |name| set(stage(name).workers(NonZeroUsize::new(WIDTH).expect("not zero")));
    let line = pipeline(0..ITEMS).then(wide("one"), body).then(wide("two"), body).then(wide("three"), body);
    let report = line.run(&scope, |n| add(&sum, n)).await;
    assert!(report.is_complete());
    sum.get()
}

async fn merged(waits: bool) -> u64 {
    merge(Source::some(waits)).fold(0, |sum, n| give(sum + n)).await
}

pub fn ready() -> f64 {
    cost(sum(super::ready, |stage| stage))
}

pub fn pending() -> f64 {
    cost(sum(super::pending, |stage| stage))
}

pub fn ordered() -> f64 {
    cost(sum(super::pending, Stage::in_order))
}

pub fn merge_ready() -> f64 {
    cost(merged(false))
}

pub fn merge_pending() -> f64 {
    cost(merged(true))
}
