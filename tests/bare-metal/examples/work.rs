//! A batch that is cut short by its deadline.
#![no_std]
#![no_main]

mod room;

use core::num::NonZeroUsize;
use core::time::Duration;
use wakeful::cancel::Scope;
use wakeful::work::{Count, Lease, work};

#[cortex_m_rt::entry]
fn main() -> ! {
    room::run(async |time| {
        let body = |_: Lease<u32>| async { Ok::<_, ()>(time.sleep(Duration::from_millis(10)).await) };
        let batch = work(0..10).workers(NonZeroUsize::MIN).deadline_after(Duration::from_millis(45));
        let report = batch.run(&Scope::new(time.clone()), body, Count::new()).await;
        report.count.done == 4 && report.not_started == Some(5)
    })
}
