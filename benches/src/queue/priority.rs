//! Priority queues.

use super::OPERATIONS;
use crate::harness::cpu_ns;
use crate::support::Random;
use async_priority_channel as rival;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::black_box;
use std::sync::Mutex;
use wakeful::queue::{self, Lane};

/// Levels of urgency.
const LEVELS: usize = 8;
/// How many items are in the queue all the time.
const STANDING: usize = 64;

/// Sends items of random levels and receives the most urgent, one each in turn, while others stay.
fn turns(mut send: impl FnMut(usize, u64), mut recv: impl FnMut() -> u64) -> f64 {
    let mut random = Random::new();
    let mut level = || random.below(LEVELS as u64) as usize;
    let levels: Vec<usize> = (0..4_096).map(|_| level()).collect();
    (0..STANDING).for_each(|n| send(levels[n], n as u64));
    cpu_ns(OPERATIONS, || {
        for n in 0..OPERATIONS {
            send(levels[n % levels.len()], black_box(n as u64));
            black_box(recv());
        }
    })
}

pub fn ours() -> f64 {
    let (tx, rx) = queue::priority(queue::UNBOUNDED);
    turns(|level, n| tx.try_send((level, n)).expect("room"), || rx.try_recv().expect("an item").1)
}

pub fn ours_lanes() -> f64 {
    let (tx, rx) = queue::lanes::<(Lane<LEVELS>, u64), LEVELS>(queue::UNBOUNDED);
    let lane = |level| Lane::new(level).expect("a level");
    turns(|level, n| tx.try_send((lane(level), n)).expect("room"), || rx.try_recv().expect("an item").1)
}

/// Its items of one level come in no order.
pub fn async_priority_channel() -> f64 {
    let (tx, rx) = rival::unbounded();
    turns(|level, n| tx.try_send(n, Reverse(level)).expect("room"), || rx.try_recv().expect("an item").0)
}

/// A heap behind a mutex, with a number for those of one level; nobody could wait for it.
pub fn mutexed_heap() -> f64 {
    let heap = Mutex::new((BinaryHeap::new(), 0_u64));
    let send = |level, n| {
        let (items, count) = &mut *heap.lock().expect("nobody panics");
        items.push((Reverse((level, *count)), n));
        *count += 1;
    };
    turns(send, || heap.lock().expect("nobody panics").0.pop().expect("an item").1)
}
