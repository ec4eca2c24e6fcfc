//! Queues: `wakeful::queue` beside async-channel's, flume's, kanal's, crossfire's, tokio's, thingbuf's, loole's, asyncband's
//! and futures-intrusive's.
//!
//! Items are numbers of 64 bits; the capacity is 128 where nothing else is said.
//!
//! - `try_pair`: an item is sent and received by the methods that don't wait.
//! - `async_pair`: the same by futures that are ready at their first poll.
//! - `spsc_128`, `spsc_1`: a producer and a consumer take turns on one thread, each as long as it is woken, at capacity 128
//!   and 1. The second beside all, and beside those alone who promise as much (`spsc_1_alike`).
//! - `4_to_1`, `4_to_4`: four producers and one or four consumers as tasks on two threads of tokio and of smol.
//! - `ping_pong`: two threads of the system send one item back and forth through two queues of capacity 1.
//! - `busy`: two threads of the system try and try again. Ours is not made for it, and no second queue will be: it stands
//!   here so that nobody has to find out.
//! - `herd`: 1,000 senders are blocked at capacity 1; items are received and whoever is woken is polled until all have sent.
//!   Beside those who promise as much.
//! - `cancel`: 2,000 senders are blocked, and dropped in random order.
//! - `batch`: 100 items are sent and received, each way as the contender does it fastest.
//! - `priority`, `lanes`: 64 items of eight levels stay; one of a random level is sent, the most urgent is received. Ours with a
//!   rank, beside async-priority-channel and (`priority_heap`) beside a heap behind a mutex; and with lanes.
//! - `queue_bytes`, `waiter_bytes`: what a queue of capacity 1, and each sender that is blocked, has on the heap, with what the
//!   allocator adds: ours asks for 160 bytes in two pieces.
//! - `share`: eight tasks send into a queue of capacity 1 whenever they are woken; the fewest turns by the most.
//! - `hog`: turns of one who sends whenever there is room before one who waits has sent.
//!
//! # What they promise
//!
//! Ours: a receive that is dropped has taken nothing, a send that is dropped has sent nothing, and whoever was woken and is
//! dropped leaves nobody asleep. So a send that waits has to be polled before its item is in the queue, and each item costs a
//! turn of each side at capacity 1. async-channel, asyncband, crossfire and tokio promise the same. flume, loole and
//! futures-intrusive let a receiver take the item of a send that waits: it is sent though the send is dropped after that. kanal
//! does too, and hands items to receives that wait: they are lost if those are dropped. thingbuf leaves the next sender
//! asleep if a woken one is dropped. async-priority-channel has no order among equals.

mod async_channel;
mod asyncband;
mod contender;
mod crossfire;
mod flume;
mod futures_intrusive;
mod kanal;
mod loole;
mod ours;
mod priority;
mod thingbuf;
mod tokio;
mod workloads;

use crate::harness::{Bench, Contender as Named, Row, Target};
use async_channel::AsyncChannel;
use asyncband::Asyncband;
use crossfire::{Crossfire, CrossfireMpsc};
use flume::Flume;
use futures_intrusive::FuturesIntrusive;
use kanal::Kanal;
use loole::Loole;
use ours::Ours;
use thingbuf::Thingbuf;
use tokio::Tokio;
use workloads::*;

/// Items of one round.
const OPERATIONS: usize = 40_000;
/// The capacity where nothing else is said.
const CAPACITY: usize = 128;

/// A workload of those who promise as much as ours.
macro_rules! alike {
    ($workload:ident $(, $capacity:literal)?) => {
        [
            ("async-channel", $workload::<AsyncChannel $(, $capacity)?> as fn() -> f64),
            ("crossfire", $workload::<Crossfire $(, $capacity)?>),
            ("asyncband", $workload::<Asyncband $(, $capacity)?>),
        ]
    };
}

/// A workload of the others with several receivers.
macro_rules! others {
    ($workload:ident $(, $capacity:literal)?) => {
        [
            ("kanal", $workload::<Kanal $(, $capacity)?> as fn() -> f64),
            ("flume", $workload::<Flume $(, $capacity)?>),
            ("loole", $workload::<Loole $(, $capacity)?>),
            ("futures-intrusive", $workload::<FuturesIntrusive $(, $capacity)?>),
        ]
    };
}

/// A workload of those with one receiver who promise as much as ours.
macro_rules! single {
    ($workload:ident $(, $capacity:literal)?) => {
        [
            ("tokio", $workload::<Tokio $(, $capacity)?> as fn() -> f64),
            ("crossfire-mpsc", $workload::<CrossfireMpsc $(, $capacity)?>),
        ]
    };
}

pub fn run(bench: &mut Bench) {
    use Target::{AtLeast, AtMost, Ratio};
    let mut row = |name, unit, rounds, target, ours, rivals: &[&[Named<'_>]]| {
        bench.row(&Row { name, unit, rounds, target, ours, rivals: &rivals.concat() });
    };
    macro_rules! all {
        ($workload:ident $(, $capacity:literal)?) => {
            &[
                &alike!($workload $(, $capacity)?),
                &others!($workload $(, $capacity)?),
                &single!($workload $(, $capacity)?),
                &[("thingbuf", $workload::<Thingbuf $(, $capacity)?>)],
            ]
        };
    }
    row("queue.try_pair", "ns", 31, Ratio(1.10), try_pair::<Ours>, all!(try_pair));
    row("queue.async_pair", "ns", 31, Ratio(1.20), async_pair::<Ours>, all!(async_pair));
    row("queue.spsc_128", "ns", 31, Ratio(1.15), spsc::<Ours, 128>, all!(spsc, 128));
    row("queue.spsc_1", "ns", 15, Ratio(1.70), spsc::<Ours, 1>, all!(spsc, 1));
    row("queue.spsc_1_alike", "ns", 15, Ratio(0.90), spsc::<Ours, 1>, &[&alike!(spsc, 1), &single!(spsc, 1)]);
    row("queue.4_to_1_tokio", "ns", 15, Ratio(1.20), four_to_one_tokio::<Ours>, all!(four_to_one_tokio));
    row("queue.4_to_1_smol", "ns", 15, Ratio(1.20), four_to_one_smol::<Ours>, all!(four_to_one_smol));
    let tokio: &[&[Named<'_>]] = &[&alike!(four_to_four_tokio), &others!(four_to_four_tokio)];
    row("queue.4_to_4_tokio", "ns", 15, Ratio(1.20), four_to_four_tokio::<Ours>, tokio);
    let smol: &[&[Named<'_>]] = &[&alike!(four_to_four_smol), &others!(four_to_four_smol)];
    row("queue.4_to_4_smol", "ns", 15, Ratio(1.20), four_to_four_smol::<Ours>, smol);
    row("queue.ping_pong", "us", 31, Ratio(1.10), ping_pong::<Ours>, all!(ping_pong));
    row("queue.busy", "ns", 9, Ratio(1.00), busy::<Ours>, all!(busy));
    row("queue.herd", "ns", 15, Ratio(0.90), herd::<Ours>, &[&alike!(herd), &single!(herd)]);
    row("queue.cancel", "ns", 15, Ratio(1.10), cancel::<Ours>, all!(cancel));
    let batched: &[Named<'_>] = &[
        ("tokio", batch::<Tokio>),
        ("flume", batch::<Flume>),
        ("kanal", batch::<Kanal>),
        ("async-channel", batch::<AsyncChannel>),
    ];
    row("queue.batch", "ns", 31, Ratio(1.00), batch::<Ours>, &[batched]);
    let priorities: &[Named<'_>] =
        &[("async-priority-channel", priority::async_priority_channel), ("mutexed heap", priority::mutexed_heap)];
    row("queue.priority", "ns", 31, Ratio(0.50), priority::ours, &[&priorities[..1]]);
    row("queue.priority_heap", "ns", 31, Ratio(1.00), priority::ours, &[&priorities[1..]]);
    row("queue.lanes", "ns", 31, Ratio(0.50), priority::ours_lanes, &[priorities]);
    row("queue.queue_bytes", "B", 3, AtMost(192.0), queue_bytes::<Ours>, all!(queue_bytes));
    row("queue.waiter_bytes", "B", 3, AtMost(0.0), waiter_bytes::<Ours>, all!(waiter_bytes));
    row("queue.share", "", 3, AtLeast(0.95), share::<Ours>, all!(share));
    row("queue.hog", "turns", 3, AtMost(1.0), hog::<Ours>, all!(hog));
}
