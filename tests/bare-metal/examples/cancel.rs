//! A scope with a deadline.
#![no_std]
#![no_main]

mod room;

use core::time::Duration;
use wakeful::cancel::Scope;

#[cortex_m_rt::entry]
fn main() -> ! {
    room::run(async |time| {
        let long = async |scope: &Scope| scope.sleep(Duration::from_secs(1)).await;
        Scope::new(time.clone()).move_on_after(Duration::from_millis(3), long).await.is_cancelled()
    })
}
