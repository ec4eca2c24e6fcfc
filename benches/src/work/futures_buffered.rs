//! futures-buffered: `buffered_unordered` and `buffered_ordered`.

use futures_buffered::BufferedStreamExt;
use futures_util::{StreamExt, stream};

use super::{Step, WIDTH, contender};

async fn sum(items: u64, make: fn(u64) -> Step) -> u64 {
    let all = stream::iter(0..items).map(|n| async move { make(n).await }).buffered_unordered(WIDTH);
    all.fold(0, |sum, n| std::future::ready(sum + n)).await
}

contender!(sum);

pub mod ordered {
    use super::*;

    async fn sum(items: u64, make: fn(u64) -> Step) -> u64 {
        let all = stream::iter(0..items).map(|n| async move { make(n).await }).buffered_ordered(WIDTH);
        all.fold(0, |sum, n| std::future::ready(sum + n)).await
    }

    contender!(sum);
}
