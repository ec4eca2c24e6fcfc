//! The kit on a board without an operating system: the figures of the scenario must be those of the host, and nothing may
//! stay on the heap. With the argument `interrupts=N`, that many of them do what the program waits for, and nothing may be
//! lost. The exit code of the emulator tells.
#![no_std]
#![no_main]

extern crate alloc;

mod board;
mod interrupts;
mod scenario;

use cortex_m_rt::entry;
use cortex_m_semihosting::hprintln;
use wakeful::spawn::block_on_with;

#[entry]
fn main() -> ! {
    let time = board::start();
    if let Some(strikes) = board::argument("interrupts") {
        board::exit(interrupts::run(&time, strikes));
    }
    let figures = block_on_with(scenario::run(&time), board::idle);
    for figure in &figures {
        hprintln!("{:<8} {:>7} {:>5} ms", figure.part, figure.result, figure.milliseconds);
    }
    let waiting = time.pending();
    drop(time);
    let (most, left) = board::stop();
    hprintln!("heap: {} bytes at most, {} left; {} timers left", most, left, waiting);
    let simulated = simulated();
    let mut expected = scenario::EXPECTED;
    // The negative control of whoever trusts the exit code.
    expected[0].result += board::argument("wrong").unwrap_or(0);
    board::exit(figures == expected && simulated && left == 0 && waiting == 0)
}

/// Whether the scenario gives the same figures in the simulator, under other schedules, and a broken promise is found.
#[cfg(feature = "sim")]
fn simulated() -> bool {
    use wakeful::sim::{Builder, FailureKind};
    let same = async |sim: wakeful::sim::Sim| assert_eq!(scenario::run(&sim.time()).await, scenario::EXPECTED);
    let summary = Builder::new().runs(8).explore(same);
    let broken = Builder::new().run(async |_| wakeful::always!(1 > 2, "one is less"));
    let runs = summary.map(|summary| summary.runs).unwrap_or(0);
    hprintln!("sim: {} schedules", runs);
    runs == 8 && broken.is_err_and(|failure| failure.kind() == FailureKind::Violation)
}

/// Where there is no simulator.
#[cfg(not(feature = "sim"))]
fn simulated() -> bool {
    true
}
