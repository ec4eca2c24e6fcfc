//! futures: `buffer_unordered`, `buffered` and `for_each_concurrent`.

use std::cell::Cell;

use futures_util::{StreamExt, stream};

use super::{Step, WIDTH, add, contender};

pub mod buffered {
    use super::*;

    async fn sum(items: u64, make: fn(u64) -> Step) -> u64 {
        let all = stream::iter(0..items).map(|n| async move { make(n).await }).buffer_unordered(WIDTH);
        all.fold(0, |sum, n| std::future::ready(sum + n)).await
    }

    contender!(sum);
}

pub mod ordered {
    use super::*;

    async fn sum(items: u64, make: fn(u64) -> Step) -> u64 {
        let all = stream::iter(0..items).map(|n| async move { make(n).await }).buffered(WIDTH);
        all.fold(0, |sum, n| std::future::ready(sum + n)).await
    }

    contender!(sum);
}

pub mod for_each {
    use super::*;

    async fn sum(items: u64, make: fn(u64) -> Step) -> u64 {
        let sum = Cell::new(0);
        stream::iter(0..items).for_each_concurrent(WIDTH, async |n| add(&sum, make(n).await)).await;
        sum.get()
    }

    contender!(sum);
}
