//! The line that a failure prints, given back in the environment, as a user does it: in a new process.

use std::process::{Command, Output};
use wakeful::queue;
use wakeful::sim;

/// Set in the processes that this test starts, in which [`planted`] fails.
const PLANTED: &str = "WAKEFUL_TEST_PLANTED";

/// A race that some schedules lose: whoever sends second finds the queue full.
#[test]
fn planted() {
    if std::env::var_os(PLANTED).is_none() {
        return;
    }
    sim::check(|sim| async move {
        let (tx, rx) = queue::bounded(std::num::NonZeroUsize::MIN);
        let send = |name: &'static str| {
            let (sim, tx) = (sim.clone(), tx.clone());
            sim.clone().spawn(name, async move {
                for _ in 0..sim.choose(4) {
                    sim.yield_now().await;
                }
                assert!(tx.try_send(name).is_ok(), "{name} came second");
            })
        };
        let (left, right) = (send("left"), send("right"));
        sim.yield_now().await;
        let _ = rx.try_recv();
        left.await;
        right.await;
    });
}

/// Runs [`planted`] in a process of its own, with these variables.
fn run(variables: &[(&str, &str)]) -> Output {
    let mut test = Command::new(std::env::current_exe().expect("a test knows its own path"));
    test.args(["--exact", "planted", "--nocapture"]).env(PLANTED, "1").env("RUST_BACKTRACE", "0");
    test.env_remove("WAKEFUL_SIM").env_remove("WAKEFUL_SIM_RUNS");
    test.envs(variables.iter().copied()).output().expect("the test starts")
}

/// The lines of the simulator's report, from its first to the one that replays it, but for the one that says how the
/// schedule was found: a replay has nothing to say there.
fn report(output: &Output) -> Vec<String> {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "it did not fail: {said}");
    let lines = said.lines().skip_while(|line| !line.starts_with("panic at "));
    let mut report: Vec<String> = lines.map(str::to_owned).collect();
    let last = report.iter().position(|line| line.starts_with("replay with ")).expect("a line to replay it");
    report.truncate(last + 1);
    report.retain(|line| !line.starts_with("shrunk from "));
    report
}

#[test]
fn a_failure_is_replayed_by_its_line_in_the_environment() {
    let found = report(&run(&[]));
    let line = found.last().unwrap().strip_prefix("replay with ").unwrap();
    let (name, seed) = line.split_once('=').unwrap();
    assert_eq!(report(&run(&[(name, seed)])), found);
    // Only that run is made: one that others lose wins by the line of its own.
    let wins = (0..1000).map(|seed| format!("seed:{seed}")).find(|seed| run(&[(name, seed)]).status.success());
    assert!(wins.is_some(), "no schedule wins");
    let unreadable = run(&[(name, "17")]);
    assert!(String::from_utf8_lossy(&unreadable.stderr).contains(name), "{unreadable:?}");
}
