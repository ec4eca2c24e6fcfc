//! Runs queues, groups, batches, limiters and cancelling on a runtime for a given time, and fails if an item is lost or the
//! memory in use grows on after the first tenth of that time.
//!
//!   usage: wakeful-soak tokio|smol SECONDS

use std::num::{NonZeroU32, NonZeroUsize};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::limit::{Limiter, Quota};
use wakeful::queue;
use wakeful::spawn::Task;
use wakeful::task::group;
use wakeful::time::Time;
use wakeful::work::{Count, Lease, work};

/// How much the memory may grow after the first tenth, in KB: allocators give back late.
const GROWTH: u64 = 2048;

/// Memory in use, in KB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("Linux tells");
    line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).expect("a number")
}

/// Four producers and four consumers, a quarter of the rounds cut short at some instant: whatever was sent has been received,
/// or is in the queue.
async fn through_a_queue(scope: &Scope, spawner: fn(Task), round: u64) {
    let (tx, rx) = queue::bounded(NonZeroUsize::new(16).unwrap());
    let (sent, received) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let cut = Duration::from_micros(if round % 4 == 0 { 100 + round % 1900 } else { 3_600_000_000 });
    let kept = rx.clone();
    let run = group::<()>(spawner).deadline_after(cut).run(scope, async |g| {
        for _ in 0..4 {
            let (tx, rx) = (tx.clone(), rx.clone());
            let (sent, received) = (sent.clone(), received.clone());
            let producer = async move {
                for n in 0..250 {
                    tx.send(n).await.map_err(drop)?;
                    sent.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            };
            let consumer = async move {
                while rx.recv().await.is_ok() {
                    received.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            };
            drop(g.spawn("producer", producer));
            drop(g.spawn("consumer", consumer));
        }
        drop((tx, rx));
        Ok(())
    });
    let whole = run.await.is_ok();
    let left = kept.drain().len() as u64;
    let (sent, received) = (sent.load(Ordering::Relaxed), received.load(Ordering::Relaxed));
    // A send that was cut short at the instant of its success has put its item in without counting it.
    assert!(sent <= received + left && received + left <= sent + 4, "{sent} sent, {received} received, {left} left");
    assert!(!whole || (sent, left) == (1000, 0), "{sent} sent, {left} left");
}

/// A batch against a deadline, at a rate: every item is in one place.
async fn batch(scope: &Scope, limiter: &Limiter, round: u64) {
    let body = |item: Lease<u64>| {
        let sleep = scope.sleep(Duration::from_micros(*item % 7 * 100));
        async move {
            sleep.await;
            if *item % 11 == 0 { Err(()) } else { Ok(()) }
        }
    };
    let batch = work(0..200_u64)
        .workers(NonZeroUsize::new(8).unwrap())
        .item_timeout(Duration::from_micros(500))
        .deadline_after(Duration::from_millis(1 + round % 10))
        .rate(limiter);
    let report = batch.run(scope, body, Count::new()).await;
    assert_eq!(report.pulled() + report.not_started.expect("a range knows") as u64, 200);
}

async fn soak(time: Time, spawner: fn(Task), seconds: u64) -> bool {
    let (start, limiter) = (time.now(), Limiter::new(&time, Quota::per_second(NonZeroU32::new(100_000).unwrap())));
    let (mut round, mut tenths, mut first, mut last) = (0, 1, 0, 0);
    while tenths <= 10 {
        let scope = Scope::new(time.clone());
        through_a_queue(&scope, spawner, round).await;
        batch(&scope, &limiter, round).await;
        round += 1;
        if (time.now() - start) * 10 >= Duration::from_secs(seconds) * tenths {
            last = resident();
            if tenths == 1 {
                first = last;
            }
            println!("{:>6.0?}: {round} rounds, {last} KB, {} timers", time.now() - start, time.pending());
            tenths += 1;
        }
    }
    if last > first + GROWTH {
        println!("the memory grew from {first} to {last} KB");
    }
    last <= first + GROWTH && time.pending() == 0
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let usage = "usage: wakeful-soak tokio|smol SECONDS";
    let [runtime, seconds] = arguments.as_slice() else { panic!("{usage}") };
    let (time, seconds) = (Time::system(), seconds.parse().expect(usage));
    let on_tokio: fn(Task) = |task| drop(tokio::spawn(task));
    let on_smol: fn(Task) = |task| smol::spawn(task).detach();
    let well = match runtime.as_str() {
        "tokio" => {
            let runtime = tokio::runtime::Builder::new_multi_thread().build().expect("threads can be started");
            runtime.block_on(soak(time, on_tokio, seconds))
        }
        "smol" => smol::block_on(soak(time, on_smol, seconds)),
        _ => panic!("{usage}"),
    };
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
