//! `wakeful` beside its rivals, all in one process.
//!
//! `cargo bench` in this folder prints, for each workload, one line of this form:
//!
//! ```text
//! RATIO time.create_drop ours=46.6 best=tokio:72.2 ratio=0.65 target=0.70 ok
//! ```
//!
//! and below it every contender's median and quartiles. `short` at a line's end says that the target was missed.
//! `cargo bench -- time.` runs the rows whose name holds the given text.
//!
//! The simulator has a program of its own, `cargo bench --features sim --bench sim`: with it compiled in, the kit looks on at
//! every primitive, which the rows here should not pay for. So has looking on: `cargo bench --features observe --bench observe`; and tasks in
//! SQLite, for which a C compiler is needed: `cargo bench --features sqlite --bench sqlite`.
//!
//! How it is measured is said in [`harness`], and what is measured in each group: [`time`], [`cancel`], [`sync`],
//! [`task`], [`queue`], [`limit`], [`resilience`], [`work`], [`pool`], [`flow`], [`pipeline`] and [`docket`]. A group has one file for each
//! contender, with the same workload names in every one.

mod cancel;
mod docket;
mod flow;
mod harness;
mod limit;
mod pipeline;
mod pool;
mod queue;
mod resilience;
mod support;
mod sync;
mod task;
mod tasks;
mod time;
mod work;

fn main() {
    if cfg!(any(feature = "sim", feature = "observe")) {
        println!("not measured: what looks on is compiled in; `--bench sim` and `--bench observe` have its rows");
        return;
    }
    let mut bench = harness::Bench::from_arguments();
    bench.print_versions(&[
        "apalis-core",
        "async-broadcast",
        "async-channel",
        "async-io",
        "async-lock",
        "async-priority-channel",
        "async-rate-limiter",
        "asyncband",
        "backon",
        "bb8",
        "crossfire",
        "deadpool",
        "event-listener",
        "failsafe",
        "flume",
        "futures-buffered",
        "futures-concurrency",
        "futures-intrusive",
        "futures-timer",
        "futures-util",
        "governor",
        "kanal",
        "leaky-bucket",
        "loole",
        "maitake-sync",
        "quanta",
        "ratelimit",
        "recloser",
        "smol",
        "thingbuf",
        "throttled",
        "tokio",
        "tokio-util",
    ]);
    time::run(&mut bench);
    cancel::run(&mut bench);
    sync::run(&mut bench);
    task::run(&mut bench);
    queue::run(&mut bench);
    limit::run(&mut bench);
    work::run(&mut bench);
    resilience::run(&mut bench);
    pool::run(&mut bench);
    flow::run(&mut bench);
    pipeline::run(&mut bench);
    docket::run(&mut bench);
    bench.print_summary();
}
