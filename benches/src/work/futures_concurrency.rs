//! futures-concurrency: a concurrent stream with a limit.

use std::cell::Cell;
use std::num::NonZeroUsize;

use futures_concurrency::prelude::*;
use futures_util::stream;

use super::{Step, WIDTH, add, contender};

async fn sum(items: u64, make: fn(u64) -> Step) -> u64 {
    let (sum, width) = (Cell::new(0), NonZeroUsize::new(WIDTH));
    stream::iter(0..items).co().limit(width).for_each(async |n| add(&sum, make(n).await)).await;
    sum.get()
}

contender!(sum);
