//! A group of two children in one task.
#![no_std]
#![no_main]

mod room;

use core::time::Duration;
use wakeful::cancel::Scope;
use wakeful::task::local_group;

#[cortex_m_rt::entry]
fn main() -> ! {
    room::run(async |time| {
        let group = local_group::<()>().run(&Scope::new(time.clone()), async |group| {
            let one = group.spawn("", async { Ok(time.sleep(Duration::from_millis(1)).await) }).map_err(drop)?;
            let two = group.spawn("", async { Ok(time.sleep(Duration::from_millis(2)).await) }).map_err(drop)?;
            one.await.map_err(drop)?;
            two.await.map_err(drop)
        });
        group.await.is_ok()
    })
}
