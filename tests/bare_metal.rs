//! What the bare-metal program runs on a board, on this host: the same figures, whatever the schedule.

extern crate alloc;

#[path = "bare-metal/src/scenario.rs"]
mod scenario;

use std::time::Duration;
use wakeful::spawn::block_on_with;
use wakeful::time::ManualClock;

#[test]
fn scenario_gives_the_boards_figures_on_a_clock_of_ticks() {
    let clock = ManualClock::new();
    let time = clock.time();
    let figures = block_on_with(scenario::run(&time), || clock.advance(Duration::from_millis(1)));
    assert_eq!(figures, scenario::EXPECTED);
    assert_eq!(time.pending(), 0);
}

#[test]
fn scenario_gives_the_boards_figures_under_every_schedule() {
    wakeful::sim::check(|sim| async move { assert_eq!(scenario::run(&sim.time()).await, scenario::EXPECTED) });
}
