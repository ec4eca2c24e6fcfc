//! bb8, in a runtime of tokio's, whose timers it needs.

use std::convert::Infallible;

use ::bb8::{ManageConnection, Pool};
use ::tokio::runtime::{Builder, Runtime};

use super::OBJECTS;

struct Numbers;

impl ManageConnection for Numbers {
    type Connection = u64;
    type Error = Infallible;

    async fn connect(&self) -> Result<u64, Infallible> {
        Ok(1)
    }

    async fn is_valid(&self, _: &mut u64) -> Result<(), Infallible> {
        Ok(())
    }

    fn has_broken(&self, _: &mut u64) -> bool {
        false
    }
}

/// With all its objects, so that it spawns nothing later.
fn pool() -> (Runtime, Pool<Numbers>) {
    let runtime = Builder::new_current_thread().enable_time().build().expect("it can be made");
    let size = OBJECTS as u32;
    let builder = Pool::builder().max_size(size).min_idle(size).max_lifetime(None).idle_timeout(None);
    let pool = runtime.block_on(builder.build(Numbers)).expect("they can be made");
    (runtime, pool)
}

pub fn get() -> f64 {
    let (runtime, pool) = pool();
    let _inside = runtime.enter();
    super::get(|| pool.get())
}

pub fn contended() -> f64 {
    let (runtime, pool) = pool();
    let _inside = runtime.enter();
    super::contended(|| pool.get())
}
