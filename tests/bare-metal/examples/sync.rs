//! An event, and a semaphore.
#![no_std]
#![no_main]

mod room;

use wakeful::sync::{Event, Semaphore};

#[cortex_m_rt::entry]
fn main() -> ! {
    room::run(async |_| {
        let (event, semaphore) = (Event::new(), Semaphore::new(1));
        event.set();
        event.wait().await;
        semaphore.acquire().await.is_ok()
    })
}
