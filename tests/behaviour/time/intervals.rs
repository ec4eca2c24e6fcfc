//! Ticking.

use crate::support::{Counter, Cx, Spawner, ms, poll};
use futures::stream::{FusedStream, Stream, StreamExt};
use std::pin::pin;
use wakeful::time::{Instant, MissedTick};

/// The first tick, two periods of being late, and the three ticks after that.
async fn late(cx: &Cx<impl Spawner>, missed: MissedTick) -> (Instant, [Instant; 3]) {
    let mut every = cx.time.interval_at(cx.at(4), ms(4)).missed(missed);
    assert_eq!(every.tick().await, cx.at(4));
    cx.assert_at(4);
    cx.time.sleep_until(cx.at(14)).await;
    let now = cx.time.now();
    (now, [every.tick().await, every.tick().await, every.tick().await])
}

pub(crate) async fn bursts_catch_up_with_the_schedule(cx: Cx<impl Spawner>) {
    let (_, ticks) = late(&cx, MissedTick::Burst).await;
    assert_eq!(ticks, [cx.at(8), cx.at(12), cx.at(16)]);
    cx.assert_at(16);
}

pub(crate) async fn ticks_are_a_stream(cx: Cx<impl Spawner>) {
    let mut every = cx.time.interval_at(cx.at(4), ms(4));
    assert_eq!((every.size_hint(), every.is_terminated()), ((usize::MAX, None), false));
    let first: Vec<_> = every.by_ref().take(2).collect().await;
    assert_eq!(first, [cx.at(4), cx.at(8)]);
    cx.assert_at(8);
    assert_eq!(every.tick().await, cx.at(12));
    cx.assert_at(12);
}

pub(crate) async fn delays_start_the_schedule_anew(cx: Cx<impl Spawner>) {
    let (now, ticks) = late(&cx, MissedTick::Delay).await;
    assert!(ticks[1] > now && ticks[2] > now);
    assert!(ticks.is_sorted_by(|a, b| *b - *a >= ms(4)));
    if cx.exact() {
        assert_eq!(ticks, [cx.at(8), cx.at(18), cx.at(22)]);
    }
}

pub(crate) async fn skips_keep_to_the_schedule(cx: Cx<impl Spawner>) {
    let (now, ticks) = late(&cx, MissedTick::Skip).await;
    assert!(ticks[1] > now && ticks[2] > ticks[1]);
    assert!(ticks.iter().all(|&tick| (tick - cx.start).as_nanos() % ms(4).as_nanos() == 0));
    if cx.exact() {
        assert_eq!(ticks, [cx.at(8), cx.at(16), cx.at(20)]);
    }
}

pub(crate) async fn a_dropped_tick_is_not_lost(cx: Cx<impl Spawner>) {
    let mut every = cx.time.interval_at(cx.at(2), ms(1000));
    if poll(pin!(every.tick()), &Counter::new().waker()).is_ready() {
        // On a machine so busy there is nothing to drop.
        assert!(!cx.exact());
        return;
    }
    cx.sleep(3).await;
    assert_eq!(every.tick().await, cx.at(2));
}
