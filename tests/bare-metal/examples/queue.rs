//! A bounded queue.
#![no_std]
#![no_main]

mod room;

use core::num::NonZeroUsize;
use wakeful::queue;

#[cortex_m_rt::entry]
fn main() -> ! {
    room::run(async |_| {
        let (tx, rx) = queue::bounded(NonZeroUsize::MIN);
        tx.send(7).await.is_ok() && rx.recv().await == Ok(7)
    })
}
