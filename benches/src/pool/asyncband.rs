//! asyncband: its bounded pool.

use std::convert::Infallible;
use std::sync::Arc;

use ::asyncband::pool::ManageObject;
use ::asyncband::pool::ObjectStatus;
use ::asyncband::pool::bounded::{Pool, PoolConfig};

use super::OBJECTS;

struct Numbers;

impl ManageObject for Numbers {
    type Object = u64;
    type Error = Infallible;

    async fn create(&self) -> Result<u64, Infallible> {
        Ok(1)
    }

    async fn is_recyclable(&self, _: &mut u64, _: &ObjectStatus) -> Result<(), Infallible> {
        Ok(())
    }
}

fn pool() -> Arc<Pool<Numbers>> {
    Pool::new(PoolConfig::new(OBJECTS), Numbers)
}

pub fn get() -> f64 {
    let pool = pool();
    super::get(|| pool.get())
}

pub fn contended() -> f64 {
    let pool = pool();
    super::contended(|| pool.get())
}
