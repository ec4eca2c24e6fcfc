//! wakeful: `ResourcePool`, with the clock of the operating system.

use std::convert::Infallible;
use std::num::NonZeroUsize;

use wakeful::time::Time;
use wakeful::work::{Manage, ResourcePool};

use super::OBJECTS;

struct Numbers;

impl Manage for Numbers {
    type Object = u64;
    type Error = Infallible;

    async fn create(&self) -> Result<u64, Infallible> {
        Ok(1)
    }
}

fn pool() -> ResourcePool<Numbers> {
    let size = NonZeroUsize::new(OBJECTS).expect("not zero");
    ResourcePool::builder(&Time::system(), Numbers).max_size(size).build()
}

pub fn get() -> f64 {
    let pool = pool();
    super::get(|| pool.get())
}

pub fn contended() -> f64 {
    let pool = pool();
    super::contended(|| pool.get())
}
