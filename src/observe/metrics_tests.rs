//! What is told to an exporter, number by number.

use super::*;
use crate::cancel::Scope;
use crate::limit::{Limiter, Quota};
use crate::queue;
use crate::resilience::{BreakerConfig, CircuitBreaker};
use crate::sync::Semaphore;
use crate::task::local_group;
use crate::time::ManualClock;
use crate::work::{Count, Lease, work};
use core::num::{NonZeroU32, NonZeroUsize};
use core::pin::pin;
use core::task::{Context, Waker};
use core::time::Duration;
use std::string::{String, ToString};
use std::sync::Arc;
use std::vec::Vec;

/// Everything that `of` tells, as `name=number`.
fn told(of: &impl Measure) -> Vec<String> {
    let mut all = Vec::new();
    of.measure(&mut |Metric { name, value }| {
        all.push(match value {
            Value::Count(n) | Value::Gauge(n) => std::format!("{name}={n}"),
            Value::Time(time) => std::format!("{name}={time:?}"),
            Value::Histogram(all) => std::format!("{name}={}x", all.len()),
        });
    });
    all
}

#[test]
fn a_queue_tells_its_length_by_each_of_its_handles_and_by_weak_ones_while_it_is_there() {
    let (tx, rx) = queue::bounded(NonZeroUsize::new(3).unwrap());
    tx.try_send('a').unwrap();
    tx.try_send('b').unwrap();
    let full = ["queue_len=2", "queue_unfinished=2", "queue_capacity=3"];
    assert_eq!(told(&tx), full);
    assert_eq!(told(&rx), full);
    let (weak_tx, weak_rx) = (tx.downgrade(), rx.downgrade());
    assert_eq!((told(&weak_tx), told(&weak_rx)), (told(&tx), told(&rx)));
    drop((tx, rx));
    assert_eq!((told(&weak_tx).len(), told(&weak_rx).len()), (0, 0));

    let (tx, _rx) = queue::unbounded();
    tx.try_send(1).unwrap();
    assert_eq!(told(&tx), ["queue_len=1", "queue_unfinished=1"]);
}

#[test]
fn limits_and_breakers_tell_how_they_stand() {
    let clock = ManualClock::new();
    let semaphore = Semaphore::new(4);
    let _permit = semaphore.try_acquire().unwrap();
    assert_eq!(told(&semaphore), ["semaphore_available=3", "semaphore_total=4"]);

    let limiter =
        Limiter::new(&clock.time(), Quota::per_second(NonZeroU32::new(5).unwrap()).burst(NonZeroU32::new(5).unwrap()));
    limiter.try_acquire(2).unwrap();
    assert_eq!(told(&limiter), ["limiter_available=3"]);

    let breaker = CircuitBreaker::new(&clock.time(), BreakerConfig::calls(NonZeroU32::new(10).unwrap())).unwrap();
    assert_eq!(told(&breaker)[0], "breaker_state=0");
    breaker.open();
    assert_eq!(told(&breaker)[0], "breaker_state=2");
}

#[test]
fn counts_of_work_and_of_groups_are_told_as_they_are() {
    let scope = Scope::new(ManualClock::new().time());
    let body = |n: Lease<u32>| core::future::ready(if *n == 2 { Err("two") } else { Ok(()) });
    let run = work([1, 2, 3]).workers(NonZeroUsize::MIN).run(&scope, body, Count::new());
    let count = crate::spawn::block_on_with(run, || unreachable!("nothing waits")).count;
    let none = ["work_panicked=0", "work_timed_out=0", "work_cancelled=0", "work_skipped=0"];
    assert_eq!(told(&count), [&["work_done=2", "work_failed=1"][..], &none].concat());

    let report = local_group::<&str>().report(&scope, async |group| {
        drop(group.spawn("child", async { Ok(()) }).unwrap());
        Ok(())
    });
    let count = crate::spawn::block_on_with(report, || unreachable!("nothing waits")).count;
    assert_eq!(told(&count)[..2], ["group_done=1", "group_failed=0"]);
}

#[test]
fn the_monitors_of_this_room_have_numbers_too() {
    let clock = ManualClock::new();
    let tasks = TaskMonitor::new(&clock.time(), "tasks");
    crate::spawn::block_on_with(tasks.watch(async { clock.advance(Duration::from_secs(2)) }), || ());
    let all = told(&tasks);
    assert_eq!(all[..4], ["tasks_live=0", "tasks_started=1", "tasks_done=1", "tasks_dropped=0"]);
    assert!(all.contains(&"tasks_busy=2s".to_string()) && all.contains(&"tasks_poll=1x".to_string()), "{all:?}");

    let second = Duration::from_secs(1);
    let stalls = StallMonitor::new(&clock.time(), second, second, |_| {});
    let mut run = pin!(stalls.run());
    for _ in 0..2 {
        assert!(run.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        clock.advance(5 * second);
    }
    assert_eq!(told(&stalls), ["executor_late=1x", "executor_stalls=1", "executor_stalled=4s"]);
}

#[test]
fn a_set_gives_all_that_was_added_and_not_what_was_removed() {
    let (set, semaphore) = (MetricSet::new(), Arc::new(Semaphore::new(2)));
    for name in ["one", "two", "one"] {
        let semaphore = semaphore.clone();
        set.add(name, move |tell: &mut dyn FnMut(Metric)| semaphore.measure(tell));
    }
    assert_eq!(set.snapshot().samples.len(), 6);
    assert_eq!(set.snapshot().get("two", "semaphore_total"), Some(&Value::Gauge(2)));
    assert_eq!((set.remove("one"), set.remove("one")), (2, 0));
    assert_eq!(set.snapshot().get("one", "semaphore_total"), None);
    assert_eq!(set.snapshot().samples.len(), 2);
    assert_eq!(Arc::strong_count(&semaphore), 2, "what was removed is gone");
}

#[test]
fn a_snapshot_reads_as_the_text_format_of_prometheus() {
    let set = MetricSet::new();
    let mut times = Histogram::new();
    [3, 3, 1_000_000_000].into_iter().for_each(|nanos| times.record(Duration::from_nanos(nanos)));
    for name in ["a\"b", "c"] {
        let times = times.clone();
        set.add(name, move |tell: &mut dyn FnMut(Metric)| {
            tell(Metric::new("runs", Value::Count(3)));
            if name == "c" {
                tell(Metric::new("spent", Value::Time(Duration::from_millis(1_500))));
                tell(Metric::new("took", Value::Histogram(std::boxed::Box::new(times.clone()))));
            }
        });
    }
    let buckets: String = (10..=40)
        .map(|power| {
            let (most, count) = ((1_u64 << power) - 1, if power < 30 { 2 } else { 3 });
            let (seconds, nanos) = (most / 1_000_000_000, most % 1_000_000_000);
            std::format!("wakeful_took_seconds_bucket{{name=\"c\",le=\"{seconds}.{nanos:09}\"}} {count}\n")
        })
        .collect();
    let expected = "\
# TYPE wakeful_runs_total counter
wakeful_runs_total{name=\"a\\\"b\"} 3
wakeful_runs_total{name=\"c\"} 3
# TYPE wakeful_spent_seconds_total counter
wakeful_spent_seconds_total{name=\"c\"} 1.500000000
# TYPE wakeful_took_seconds histogram
BUCKETSwakeful_took_seconds_bucket{name=\"c\",le=\"+Inf\"} 3
wakeful_took_seconds_sum{name=\"c\"} 1.000000006
wakeful_took_seconds_count{name=\"c\"} 3
";
    assert_eq!(set.snapshot().to_string(), expected.replace("BUCKETS", &buckets));
}

#[test]
fn numbers_of_one_name_and_several_kinds_are_told_apart_in_the_text() {
    let set = MetricSet::new();
    for (name, n) in [("a", 1), ("b", 2)] {
        set.add(name, move |tell: &mut dyn FnMut(Metric)| {
            tell(Metric::new("jobs", Value::Count(10 * n)));
            tell(Metric::new("jobs", Value::Gauge(n)));
            tell(Metric::new("jobs", Value::Time(Duration::from_secs(n))));
        });
    }
    let expected = "\
# TYPE wakeful_jobs gauge
wakeful_jobs{name=\"a\"} 1
wakeful_jobs{name=\"b\"} 2
# TYPE wakeful_jobs_seconds_total counter
wakeful_jobs_seconds_total{name=\"a\"} 1.000000000
wakeful_jobs_seconds_total{name=\"b\"} 2.000000000
# TYPE wakeful_jobs_total counter
wakeful_jobs_total{name=\"a\"} 10
wakeful_jobs_total{name=\"b\"} 20
";
    assert_eq!(set.snapshot().to_string(), expected);
}

#[test]
fn names_have_nothing_in_the_text_that_is_not_allowed_there() {
    let set = MetricSet::new();
    set.add("a", |tell: &mut dyn FnMut(Metric)| {
        tell(Metric::new("jobs_left", Value::Gauge(1)));
        tell(Metric::new("jobs left{}\n", Value::Gauge(2)));
        tell(Metric::new("jobs-left", Value::Gauge(3)));
    });
    let expected = "\
# TYPE wakeful_jobs_left gauge
wakeful_jobs_left{name=\"a\"} 1
wakeful_jobs_left{name=\"a\"} 3
# TYPE wakeful_jobs_left___ gauge
wakeful_jobs_left___{name=\"a\"} 2
";
    assert_eq!(set.snapshot().to_string(), expected);
}
