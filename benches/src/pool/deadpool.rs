//! deadpool: its managed pool, without timeouts.

use std::convert::Infallible;

use ::deadpool::managed::{Manager, Metrics, Pool, RecycleResult};

use super::OBJECTS;

struct Numbers;

impl Manager for Numbers {
    type Type = u64;
    type Error = Infallible;

    async fn create(&self) -> Result<u64, Infallible> {
        Ok(1)
    }

    async fn recycle(&self, _: &mut u64, _: &Metrics) -> RecycleResult<Infallible> {
        Ok(())
    }
}

fn pool() -> Pool<Numbers> {
    Pool::builder(Numbers).max_size(OBJECTS).build().expect("it has no timeouts")
}

pub fn get() -> f64 {
    let pool = pool();
    super::get(|| pool.get())
}

pub fn contended() -> f64 {
    let pool = pool();
    super::contended(|| pool.get())
}
