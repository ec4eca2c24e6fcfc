//! The workloads, each the same for every contender.

use super::contender::{Batched, Contender, Shared};
use super::{CAPACITY, OPERATIONS};
use crate::harness::{cpu_ns, heap_bytes, wall_ns};
use crate::support::{Flag, Random, Woken, block_on, pinned, poll_once};
use std::future::{Future, pending};
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};

/// Senders that are blocked in `herd`.
const HERD: usize = 1_000;
/// Senders that are blocked, and dropped, in `cancel`.
const CANCELLED: usize = 2_000;
/// Items of a batch.
const BATCH: u64 = 100;
/// Tasks that share a queue in `share`.
const TASKS: usize = 8;

pub fn try_pair<C: Contender>() -> f64 {
    let (tx, mut rx) = C::bounded(CAPACITY);
    cpu_ns(OPERATIONS, || {
        for n in 0..OPERATIONS {
            assert!(C::try_send(&tx, black_box(n as u64)));
            assert!(black_box(C::try_recv(&mut rx)).is_some());
        }
    })
}

pub fn async_pair<C: Contender>() -> f64 {
    let (tx, mut rx) = C::bounded(CAPACITY);
    cpu_ns(OPERATIONS, || {
        for n in 0..OPERATIONS {
            assert!(poll_once(pin!(C::send(&tx, black_box(n as u64)))).is_ready());
            assert!(black_box(poll_once(pin!(C::recv(&mut rx)))).is_ready());
        }
    })
}

async fn produce<C: Contender>(tx: C::Tx, items: usize) {
    for n in 0..items {
        C::send(&tx, black_box(n as u64)).await;
    }
}

async fn consume<C: Contender>(mut rx: C::Rx) -> usize {
    let mut received = 0;
    while let Some(n) = C::recv(&mut rx).await {
        black_box(n);
        received += 1;
    }
    received
}

/// One producer and one consumer on this thread, which take turns, each as long as it is woken.
pub fn spsc<C: Contender, const CAPACITY: usize>() -> f64 {
    let (tx, rx) = C::bounded(CAPACITY);
    let woken = [const { Flag::new() }; 2];
    let wakers = [woken[0].waker(), woken[1].waker()];
    let mut producer = pin!(produce::<C>(tx, OPERATIONS));
    let mut consumer = pin!(consume::<C>(rx));
    let mut received = 0;
    let ns = cpu_ns(OPERATIONS, || {
        let mut produces = true;
        while received == 0 {
            while produces && woken[0].take() {
                produces = producer.as_mut().poll(&mut Context::from_waker(&wakers[0])).is_pending();
            }
            while woken[1].take() && received == 0 {
                if let Poll::Ready(count) = consumer.as_mut().poll(&mut Context::from_waker(&wakers[1])) {
                    received = count;
                }
            }
        }
    });
    assert_eq!(received, OPERATIONS);
    ns
}

/// Four producers, and as many consumers as there are receivers, as tasks that `spawn` starts.
fn many<C: Contender, J: Future<Output = usize>>(
    tx: C::Tx,
    receivers: Vec<C::Rx>,
    spawn: impl Fn(Pin<Box<dyn Future<Output = usize> + Send>>) -> J,
) -> impl Future<Output = ()> {
    let producers: Vec<J> = (0..4)
        .map(|_| {
            let tx = tx.clone();
            spawn(Box::pin(async move {
                produce::<C>(tx, OPERATIONS / 4).await;
                0
            }))
        })
        .collect();
    drop(tx);
    let consumers: Vec<J> = receivers.into_iter().map(|rx| spawn(Box::pin(consume::<C>(rx)))).collect();
    async {
        for producer in producers {
            producer.await;
        }
        let mut received = 0;
        for consumer in consumers {
            received += consumer.await;
        }
        assert_eq!(received, OPERATIONS);
    }
}

/// tokio with two threads.
fn on_tokio<C: Contender>(tx: C::Tx, receivers: Vec<C::Rx>) -> f64 {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(2).build().expect("threads")
    });
    let spawn = |task| {
        let task = runtime.spawn(task);
        async { task.await.expect("no panic") }
    };
    wall_ns(OPERATIONS, || runtime.block_on(many::<C, _>(tx, receivers, spawn)))
}

/// smol's executor with two threads.
fn on_smol<C: Contender>(tx: C::Tx, receivers: Vec<C::Rx>) -> f64 {
    static EXECUTOR: OnceLock<&smol::Executor<'static>> = OnceLock::new();
    let executor = EXECUTOR.get_or_init(|| {
        let executor: &smol::Executor<'static> = Box::leak(Box::new(smol::Executor::new()));
        for _ in 0..2 {
            std::thread::spawn(|| smol::future::block_on(executor.run(pending::<()>())));
        }
        executor
    });
    let spawn = |task| executor.spawn(task);
    wall_ns(OPERATIONS, || block_on(many::<C, _>(tx, receivers, spawn)))
}

pub fn four_to_one_tokio<C: Contender>() -> f64 {
    let (tx, rx) = C::bounded(CAPACITY);
    on_tokio::<C>(tx, vec![rx])
}

pub fn four_to_four_tokio<C: Shared>() -> f64 {
    let (tx, rx) = C::bounded(CAPACITY);
    on_tokio::<C>(tx, vec![rx.clone(), rx.clone(), rx.clone(), rx])
}

pub fn four_to_one_smol<C: Contender>() -> f64 {
    let (tx, rx) = C::bounded(CAPACITY);
    on_smol::<C>(tx, vec![rx])
}

pub fn four_to_four_smol<C: Shared>() -> f64 {
    let (tx, rx) = C::bounded(CAPACITY);
    on_smol::<C>(tx, vec![rx.clone(), rx.clone(), rx.clone(), rx])
}

/// Microseconds of a round trip.
pub fn ping_pong<C: Contender>() -> f64 {
    const TRIPS: usize = 1_000;
    let (ping, mut pinged) = C::bounded(1);
    let (pong, mut ponged) = C::bounded(1);
    let other = std::thread::spawn(move || {
        block_on(async {
            while let Some(n) = C::recv(&mut pinged).await {
                C::send(&pong, n).await;
            }
        });
    });
    let ns = wall_ns(TRIPS, || {
        block_on(async {
            for n in 0..TRIPS as u64 {
                C::send(&ping, n).await;
                assert_eq!(C::recv(&mut ponged).await, Some(n));
            }
        });
    });
    drop(ping);
    other.join().expect("no panic");
    ns / 1_000.0
}

/// Two threads that try again and again.
pub fn busy<C: Contender>() -> f64 {
    let (tx, mut rx) = C::bounded(CAPACITY);
    let sender = std::thread::spawn(move || {
        for n in 0..OPERATIONS as u64 {
            while !C::try_send(&tx, n) {
                std::hint::spin_loop();
            }
        }
    });
    wall_ns(OPERATIONS, || {
        for _ in 0..OPERATIONS {
            while C::try_recv(&mut rx).is_none() {
                std::hint::spin_loop();
            }
        }
        sender.join().expect("no panic");
    })
}

pub fn herd<C: Contender>() -> f64 {
    let (tx, mut rx) = C::bounded(1);
    assert!(C::try_send(&tx, 0));
    let woken = Woken::new();
    let wakers: Vec<Waker> = (0..HERD).map(Woken::waker).collect();
    cpu_ns(HERD, || {
        let mut sends: Vec<_> = (0..HERD).map(|n| C::send(&tx, n as u64)).collect();
        let mut sends: Vec<_> = pinned(&mut sends).collect();
        for (send, waker) in sends.iter_mut().zip(&wakers) {
            assert!(send.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
        }
        let mut sent = 0;
        while sent < HERD {
            assert!(C::try_recv(&mut rx).is_some());
            while let Some(n) = woken.pop() {
                sent += usize::from(sends[n].as_mut().poll(&mut Context::from_waker(&wakers[n])).is_ready());
            }
        }
    })
}

pub fn cancel<C: Contender>() -> f64 {
    let (tx, _rx) = C::bounded(1);
    assert!(C::try_send(&tx, 0));
    let mut order: Vec<usize> = (0..CANCELLED).collect();
    let mut random = Random::new();
    (1..CANCELLED).for_each(|n| order.swap(n, random.below(n as u64 + 1) as usize));
    let mut sends: Vec<_> = (0..CANCELLED).map(|n| Some(C::send(&tx, n as u64))).collect();
    let mut sends: Vec<_> = pinned(&mut sends).collect();
    for send in &mut sends {
        assert!(poll_once(send.as_mut().as_pin_mut().expect("it is there")).is_pending());
    }
    cpu_ns(CANCELLED, || order.iter().for_each(|&n| sends[n].set(None)))
}

pub fn batch<C: Batched>() -> f64 {
    let (tx, mut rx) = C::bounded(CAPACITY);
    let mut buffer = Vec::with_capacity(CAPACITY);
    let batches = OPERATIONS / BATCH as usize;
    cpu_ns(batches * BATCH as usize, || {
        for _ in 0..batches {
            C::send_batch(&tx, 0..black_box(BATCH));
            C::recv_batch(&mut rx, &mut buffer);
            assert_eq!(buffer.len(), BATCH as usize);
            black_box(&mut buffer).clear();
        }
    })
}

/// Bytes of a queue of capacity 1 on the heap.
pub fn queue_bytes<C: Contender>() -> f64 {
    const QUEUES: usize = 1_000;
    let mut queues = Vec::with_capacity(QUEUES);
    let before = heap_bytes();
    queues.extend((0..QUEUES).map(|_| C::bounded(1)));
    (heap_bytes() - before) as f64 / QUEUES as f64
}

/// Bytes on the heap for each sender that is blocked.
pub fn waiter_bytes<C: Contender>() -> f64 {
    let (tx, _rx) = C::bounded(1);
    assert!(C::try_send(&tx, 0));
    let mut sends: Vec<_> = (0..HERD).map(|n| C::send(&tx, n as u64)).collect();
    let before = heap_bytes();
    for send in pinned(&mut sends) {
        assert!(poll_once(send).is_pending());
    }
    heap_bytes().saturating_sub(before) as f64 / HERD as f64
}

/// The smallest share of turns by the largest, among tasks that send into a queue of capacity 1 as fast as they can.
pub fn share<C: Contender>() -> f64 {
    const TURNS: usize = 8_000;
    let (tx, mut rx) = C::bounded(1);
    let mut turns = [0_usize; TASKS];
    let mut tasks: Vec<Pin<Box<dyn Future<Output = ()>>>> = Vec::new();
    for task in 0..TASKS as u64 {
        let tx = tx.clone();
        tasks.push(Box::pin(async move {
            loop {
                C::send(&tx, task).await;
            }
        }));
    }
    let woken = Woken::new();
    let wakers: Vec<Waker> = (0..TASKS).map(Woken::waker).collect();
    (0..TASKS).for_each(Woken::push);
    for _ in 0..TURNS {
        while let Some(task) = woken.pop() {
            let _: Poll<()> = tasks[task].as_mut().poll(&mut Context::from_waker(&wakers[task]));
        }
        turns[C::try_recv(&mut rx).expect("somebody has sent") as usize] += 1;
    }
    let (least, most) = (turns.iter().min(), turns.iter().max());
    *least.expect("tasks") as f64 / *most.expect("tasks") as f64
}

/// How many turns one who sends whenever there is room has before one who waits: a thousand if that one starves.
pub fn hog<C: Contender>() -> f64 {
    let (tx, mut rx) = C::bounded(1);
    assert!(C::try_send(&tx, 0));
    let woken = Woken::new();
    let waker = Woken::waker(0);
    let mut waits = pin!(C::send(&tx, 1));
    assert!(waits.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let mut turns = 0;
    while turns < 1_000 {
        C::try_recv(&mut rx);
        if C::try_send(&tx, 0) {
            turns += 1;
        }
        if woken.pop().is_some() && waits.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            break;
        }
    }
    f64::from(turns)
}
