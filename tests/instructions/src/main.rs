//! How many instructions the shortest paths take: exact on any machine, however busy, where wall-clock figures are not.
//!
//! `run` does every workload; the stage `instructions` of `.ci/run` does that under valgrind's callgrind. `compare` holds
//! what callgrind saw against `counts.txt`, and fails where a count is more than 5 % off in either direction: a path that
//! got longer is to be looked at, one that got shorter to be noted. `write` prints what `counts.txt` should say.
//!
//! A workload is a function that is not inlined and does the same thing many times; what it does once, such as making the
//! queue, is shared among them. To add one, write the function in the file of its room, name it in [`ROWS`], and add its line to
//! `counts.txt`: the row's name, the count, and the most that it may be, or `-`.

mod cancel;
mod counts;
mod flow;
mod limit;
mod profile;
mod queue;
mod sync;
mod task;
mod time;
mod work;

use std::process::ExitCode;

/// How many times a workload does what it measures.
const TIMES: usize = 2_000;

/// A workload: the row's name, which is that of the function's room and of the function, and the function.
type Row = (&'static str, fn());

const ROWS: &[Row] = &[
    ("time.sleep_pending", time::sleep_pending),
    ("time.reset_later", time::reset_later),
    ("time.reset_random", time::reset_random),
    ("cancel.is_cancelled", cancel::is_cancelled),
    ("cancel.child", cancel::child),
    ("cancel.run_ready", cancel::run_ready),
    ("cancel.run_pending", cancel::run_pending),
    ("cancel.run_again", cancel::run_again),
    ("cancel.timeout_ready", cancel::timeout_ready),
    ("cancel.timeout_pending", cancel::timeout_pending),
    ("cancel.free_timeout_ready", cancel::free_timeout_ready),
    ("cancel.free_timeout_pending", cancel::free_timeout_pending),
    ("cancel.told", cancel::told),
    ("queue.try_pair", queue::try_pair),
    ("queue.try_send_full", queue::try_send_full),
    ("queue.try_recv_empty", queue::try_recv_empty),
    ("queue.async_pair", queue::async_pair),
    ("queue.block_wake_recv", queue::block_wake_recv),
    ("queue.hand_over", queue::hand_over),
    ("queue.priority_pair", queue::priority_pair),
    ("queue.lanes_pair", queue::lanes_pair),
    ("queue.meet", queue::meet),
    ("queue.drop_waiting", queue::drop_waiting),
    ("queue.batch", queue::batch),
    ("sync.semaphore_pair", sync::semaphore_pair),
    ("sync.semaphore_try_pair", sync::semaphore_try_pair),
    ("sync.semaphore_hand_over", sync::semaphore_hand_over),
    ("sync.event_cycle", sync::event_cycle),
    ("sync.notify_one_idle", sync::notify_one_idle),
    ("sync.notify_cycle", sync::notify_cycle),
    ("sync.one_value", sync::one_value),
    ("limit.allowed", limit::allowed),
    ("limit.denied", limit::denied),
    ("limit.denied_fraction", limit::denied_fraction),
    ("limit.acquire_ready", limit::acquire_ready),
    ("limit.reserve_pair", limit::reserve_pair),
    ("limit.wait_cycle", limit::wait_cycle),
    ("task.set", task::set),
    ("task.local_child", task::local_child),
    ("work.ready_at_once", work::ready_at_once),
    ("work.pending_once", work::pending_once),
    ("flow.publish_read_1", flow::publish_read_1),
    ("flow.publish_read_8", flow::publish_read_8),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    match arguments.as_slice() {
        ["run"] => {
            ROWS.iter().for_each(|(_, workload)| workload());
            ExitCode::SUCCESS
        }
        ["compare", profile, counts] => counts::compare(&measured(&read(profile)), &read(counts)),
        ["write", profile, counts] => {
            print!("{}", counts::write(&measured(&read(profile)), &read(counts)));
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("usage: instructions run | compare PROFILE COUNTS | write PROFILE COUNTS");
            ExitCode::from(2)
        }
    }
}

/// The instructions that each row takes once, according to callgrind's `profile`.
fn measured(profile: &str) -> Vec<(&'static str, f64)> {
    let costs = profile::inclusive(profile);
    let cost = |row: &str| {
        let function = format!("instructions::{}", row.replace('.', "::"));
        *costs.get(function.as_str()).unwrap_or_else(|| panic!("callgrind has not seen `{function}`"))
    };
    ROWS.iter().map(|(row, _)| (*row, cost(row) as f64 / TIMES as f64)).collect()
}
