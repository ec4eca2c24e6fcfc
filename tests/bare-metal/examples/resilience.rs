//! A retry.
#![no_std]
#![no_main]

mod room;

use core::time::Duration;
use wakeful::cancel::Scope;
use wakeful::resilience::{Constant, Retry, Schedule};

#[cortex_m_rt::entry]
fn main() -> ! {
    room::run(async |time| {
        let retry = Retry::new(Constant::new(Duration::from_millis(10)).up_to(3));
        let third = async |attempt: u32| if attempt < 3 { Err(attempt) } else { Ok(attempt) };
        let scope = Scope::new(time.clone());
        matches!(retry.run(&scope, third).await, Ok(3)) && time.now().as_nanos() == 20_000_000
    })
}
