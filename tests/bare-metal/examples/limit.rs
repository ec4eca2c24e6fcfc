//! A limiter.
#![no_std]
#![no_main]

mod room;

use core::num::NonZeroU32;
use wakeful::limit::{Limiter, Quota};

#[cortex_m_rt::entry]
fn main() -> ! {
    room::run(async |time| {
        let limiter = Limiter::new(time, Quota::per_second(NonZeroU32::MIN));
        limiter.acquire(1).await.is_ok() && limiter.acquire(1).await.is_ok() && time.now().as_nanos() == 1_000_000_000
    })
}
