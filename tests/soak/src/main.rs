//! Runs queues, groups, batches, pools, topics and a docket on a runtime for a given time, cuts many of them short, and fails if
//! an item is lost or the memory in use grows on after the first tenth of that time.
//!
//!   usage: wakeful-soak tokio|smol SECONDS

mod rounds;

use std::num::NonZeroU32;
use std::process::ExitCode;
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::limit::{Limiter, Quota};
use wakeful::spawn::Task;
use wakeful::time::Time;

/// How much the memory may grow after the first tenth, in KB: allocators give back late.
const GROWTH: u64 = 2048;

/// Memory in use, in KB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("Linux tells");
    line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).expect("a number")
}

async fn soak(time: Time, spawner: fn(Task), seconds: u64) -> bool {
    let (start, limiter) = (time.now(), Limiter::new(&time, Quota::per_second(NonZeroU32::new(100_000).unwrap())));
    let (mut round, mut tenths, mut first, mut last) = (0, 1, 0, 0);
    while tenths <= 10 {
        let scope = Scope::new(time.clone());
        rounds::through_a_queue(&scope, spawner, round).await;
        rounds::batch(&scope, &limiter, round).await;
        rounds::pools(&scope, spawner, round).await;
        rounds::topic(&scope, spawner, round).await;
        rounds::docket(&scope, round).await;
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
