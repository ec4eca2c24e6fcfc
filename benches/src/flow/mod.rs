//! Publish and subscribe: `wakeful::flow::topic` beside tokio's broadcast and watch, and async-broadcast.
//!
//! Everything runs on one thread; futures are polled with a waker that does nothing. Messages are numbers, capacities 64.
//!
//! - `publish_read_1`, `publish_read_8`: a message is published, and read by one subscriber, or by each of eight.
//! - `burst`: as many messages as there is room for, and then each of four subscribers reads them all: the cost of a message.
//! - `wake_1`, `wake_8`: one subscriber, or each of eight, waits; a message is published, and they go on.
//! - `displace`: a message is published where the only subscriber reads nothing, and misses the oldest.
//! - `latest`: a message is published, and read by one who reads the latest only.
//! - `latest_wake`: one waits for the latest, it is published, and the one goes on.
//! - `full`: a publisher waits for room for one, which a subscriber makes by reading, and goes on.

mod async_broadcast;
mod contender;
mod ours;
mod tokio;
mod workloads;

use crate::harness::{Bench, Row, Target};
use async_broadcast::Overflowing;
use ours::{Each, Latest};
use tokio::{Broadcast, Watch};
use workloads::{burst, displace, full, publish_read, wake};

/// Operations of one round.
const OPERATIONS: usize = 51_200;
/// Messages that there is room for.
const CAPACITY: usize = 64;

/// A round of a contender.
type Round = fn() -> f64;

pub fn run(bench: &mut Bench) {
    let each: [(&str, Round, [Round; 2]); 6] = [
        (
            "flow.publish_read_1",
            publish_read::<Each, 1>,
            [publish_read::<Broadcast, 1>, publish_read::<Overflowing, 1>],
        ),
        (
            "flow.publish_read_8",
            publish_read::<Each, 8>,
            [publish_read::<Broadcast, 8>, publish_read::<Overflowing, 8>],
        ),
        ("flow.burst", burst::<Each>, [burst::<Broadcast>, burst::<Overflowing>]),
        ("flow.wake_1", wake::<Each, 1>, [wake::<Broadcast, 1>, wake::<Overflowing, 1>]),
        ("flow.wake_8", wake::<Each, 8>, [wake::<Broadcast, 8>, wake::<Overflowing, 8>]),
        ("flow.displace", displace::<Each>, [displace::<Broadcast>, displace::<Overflowing>]),
    ];
    for (name, ours, [broadcast, overflowing]) in each {
        let rivals = &[("tokio broadcast", broadcast), ("async-broadcast", overflowing)];
        bench.row(&Row { name, unit: "ns", rounds: 31, target: Target::Ratio(0.80), ours, rivals });
    }
    let latest: [(&str, Round, Round); 2] = [
        ("flow.latest", publish_read::<Latest, 1>, publish_read::<Watch, 1>),
        ("flow.latest_wake", wake::<Latest, 1>, wake::<Watch, 1>),
    ];
    for (name, ours, watch) in latest {
        let rivals = &[("tokio watch", watch)];
        bench.row(&Row { name, unit: "ns", rounds: 31, target: Target::Ratio(0.80), ours, rivals });
    }
    bench.row(&Row {
        name: "flow.full",
        unit: "ns",
        rounds: 31,
        target: Target::Ratio(0.80),
        ours: full::<ours::Waiting>,
        rivals: &[("async-broadcast", full::<async_broadcast::Waiting>)],
    });
}
