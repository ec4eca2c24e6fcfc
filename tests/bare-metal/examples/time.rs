//! A sleep.
#![no_std]
#![no_main]

mod room;

use core::time::Duration;

#[cortex_m_rt::entry]
fn main() -> ! {
    room::run(async |time| {
        time.sleep(Duration::from_millis(3)).await;
        time.now().as_nanos() == 3_000_000
    })
}
