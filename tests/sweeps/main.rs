//! Cancellation sweeps over every public future of the kit: whatever the poll at which one is dropped, nothing breaks.
//!
//! A scenario uses the future in company, wraps it in [`Sim::cancel_at_each`], and asserts what has to hold whether it was
//! dropped or not: that nothing is lost or given twice, that its turn passes on, that no timer is left, that what it held is
//! gone. Whoever waits on after a wake-up that went to the dropped one deadlocks, which is a failure by itself.
//!
//! # To add one
//!
//! A new public future needs one entry in the file of its room; `tests/house_rules.rs` names those that have none:
//!
//! ```text
//! sweeps! {
//!     "room::Future" => scenario,
//!     "room::Type::method" => other_scenario,
//! }
//!
//! async fn scenario(sim: Sim) {
//!     // ... others that compete with it ...
//!     let output = sim.cancel_at_each(the_future).await; // `None`: it was dropped
//!     // ... what must hold in both cases ...
//! }
//! ```
//!
//! A new room needs a file with such a table, and its name in [`rooms`].

mod cancel;
mod docket;
mod flow;
mod limit;
mod observe;
mod queue;
mod resilience;
mod sim;
mod spawn;
mod sync;
mod task;
mod time;
mod work;

use std::io::Write as _;
use std::time::Duration;
use wakeful::sim::{Builder, Failure, Summary};

/// The tables of all rooms.
fn rooms() -> Vec<&'static [Sweep]> {
    vec![
        time::SWEEPS,
        spawn::SWEEPS,
        cancel::SWEEPS,
        sync::SWEEPS,
        queue::SWEEPS,
        limit::SWEEPS,
        task::SWEEPS,
        resilience::SWEEPS,
        work::SWEEPS,
        flow::SWEEPS,
        docket::SWEEPS,
        observe::SWEEPS,
        sim::SWEEPS,
    ]
}

/// A public future, and the scenario that sweeps it under many schedules.
struct Sweep {
    future: &'static str,
    explore: fn(&Builder) -> Result<Summary, Failure>,
}

/// The table of a room.
macro_rules! sweeps {
    ($($future:literal => $scenario:path,)*) => {
        pub(crate) const SWEEPS: &[crate::Sweep] =
            &[$(crate::Sweep { future: $future, explore: |builder| builder.explore($scenario) }),*];
    };
}
use sweeps;

/// So many milliseconds.
const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn no_future_breaks_anything_at_whichever_poll_it_is_dropped() {
    let mut table = format!("\n{:<32}{:>8}{:>12}\n", "future", "points", "violations");
    let (mut futures, mut points, mut failures) = (0, 0, Vec::new());
    let asked = std::env::var("WAKEFUL_SIM_RUNS").ok().and_then(|runs| runs.parse().ok());
    let runs = asked.unwrap_or(Builder::RUNS);
    for Sweep { future, explore } in rooms().into_iter().flatten() {
        let (swept, violations) = match explore(&Builder::new().runs(runs)) {
            Ok(summary) => (summary.cancel_points, 0),
            Err(failure) => {
                failures.push(format!("{future}: {failure}"));
                (0, 1)
            }
        };
        if violations == 0 && swept < 2 * u64::from(runs) {
            failures.push(format!("{future}: only {swept} points: the scenario hardly ever lets it wait"));
        }
        table += &format!("{future:<32}{swept:>8}{violations:>12}\n");
        (futures, points) = (futures + 1, points + swept);
    }
    table += &format!("{futures} futures swept, {points} points, {} violations\n", failures.len());
    // Not by `print`, which the harness keeps to itself.
    std::io::stdout().write_all(table.as_bytes()).expect("the terminal takes it");
    assert!(failures.is_empty(), "\n{}", failures.join("\n\n"));
}
