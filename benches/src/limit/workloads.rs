//! What the contenders do, once they have said how.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::{OPERATIONS, PER_SECOND, WAITERS};
use crate::harness::{cpu_ns, heap_bytes};
use crate::support::{Random, two_threads_ns};

/// What an attempt costs that is allowed.
pub fn allowed(attempt: impl Fn() -> bool) -> f64 {
    cpu_ns(OPERATIONS, || {
        for _ in 0..OPERATIONS {
            assert!(attempt(), "there are permits");
        }
    })
}

/// What an attempt costs that is refused.
pub fn denied(attempt: impl Fn() -> bool) -> f64 {
    cpu_ns(OPERATIONS, || {
        for _ in 0..OPERATIONS {
            assert!(!attempt(), "there are no permits");
        }
    })
}

/// What an attempt costs that is allowed, while another thread attempts it too.
pub fn two_threads(attempt: impl Fn() -> bool + Sync) -> f64 {
    two_threads_ns(OPERATIONS, || assert!(attempt(), "there are permits"))
}

/// What an attempt costs that is allowed, for one of so many keys that are there already.
pub fn keyed(keys: u64, attempt: impl Fn(u64) -> bool) -> f64 {
    for key in 0..keys {
        assert!(attempt(key), "there are permits");
    }
    let mut random = Random::new();
    let order: Vec<u64> = (0..OPERATIONS).map(|_| random.below(keys)).collect();
    cpu_ns(OPERATIONS, || {
        for key in order {
            assert!(attempt(key), "there are permits");
        }
    })
}

/// Bytes on the heap that each of a million keys takes.
pub fn keyed_bytes<L>(limiter: impl Fn() -> L, attempt: impl Fn(&L, u64) -> bool) -> f64 {
    const KEYS: u64 = 1_000_000;
    let before = heap_bytes();
    let limiter = limiter();
    for key in 0..KEYS {
        assert!(attempt(&limiter, key), "there are permits");
    }
    (heap_bytes() - before) as f64 / KEYS as f64
}

/// How far off a rate is, in parts per million, when it is asked for a permit again and again, every `step` nanoseconds of virtual
/// time, for so long that `permits` of `rate` a second are to be had. `attempt` gets the time.
pub fn rate_error(rate: u64, step: u64, permits: u64, attempt: impl Fn(u64) -> bool) -> f64 {
    while attempt(0) {}
    let end = permits * 1_000_000_000 / rate;
    let granted = (1..=end / step).filter(|turn| attempt(turn * step)).count();
    (granted as f64 / permits as f64 - 1.0).abs() * 1e6
}

/// How waiters were served.
pub struct Served {
    /// The time until the last one was, in per cent of what it would ideally be.
    pub time: f64,
    /// How often a waiter was polled.
    pub polls: f64,
    /// Of all pairs of waiters, how many were served in another order than they came in, in per cent.
    pub disorder: f64,
}

/// Counts how often the future is polled.
struct Polls<F> {
    future: Pin<Box<F>>,
    count: Arc<AtomicUsize>,
}

impl<F: Future> Future for Polls<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.future.as_mut().poll(cx)
    }
}

/// A thousand tasks on one thread of tokio wait for a permit each. `set_up` makes a limiter that has none left, and gives the
/// future that waits. With `drop_half` every other task is dropped when all wait.
pub fn queue<A, F>(set_up: impl FnOnce() -> A, drop_half: bool) -> Served
where
    A: Fn() -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let acquire = set_up();
        let start = Instant::now();
        let (count, served) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let task = |number: usize| {
            let (wait, served) = (acquire(), served.clone());
            let future = Box::pin(async move {
                wait.await;
                served.lock().expect("nobody panics").push(number);
            });
            tokio::spawn(Polls { future, count: count.clone() })
        };
        let mut tasks: Vec<_> = (0..WAITERS).map(task).collect();
        if drop_half {
            while count.load(Ordering::Relaxed) < WAITERS {
                tokio::task::yield_now().await;
            }
            let mut number = 0;
            tasks.retain(|task| {
                number += 1;
                if number % 2 == 1 {
                    task.abort();
                }
                number % 2 == 0
            });
            // So that only what comes from now on counts.
            count.store(0, Ordering::Relaxed);
        }
        let waiters = tasks.len() as f64;
        for task in tasks {
            task.await.expect("a permit");
        }
        let ideal = waiters / PER_SECOND as f64;
        let served = served.lock().expect("nobody panics").clone();
        let pairs = served.len() * (served.len() - 1) / 2;
        Served {
            time: 100.0 * start.elapsed().as_secs_f64() / ideal,
            polls: count.load(Ordering::Relaxed) as f64 / waiters,
            disorder: 100.0 * inversions(&served) as f64 / pairs as f64,
        }
    })
}

/// How many pairs of `numbers` are not in ascending order.
fn inversions(numbers: &[usize]) -> usize {
    let above = |index: usize| numbers[..index].iter().filter(|number| **number > numbers[index]).count();
    (0..numbers.len()).map(above).sum()
}

/// On which executor loops run.
#[derive(Clone, Copy)]
pub enum Executor {
    Tokio,
    Smol,
}

impl Executor {
    fn block_on<F: Future>(self, future: F) -> F::Output {
        match self {
            Self::Tokio => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
                runtime.expect("a runtime").block_on(future)
            }
            Self::Smol => smol::block_on(future),
        }
    }
}

/// Loops on one thread take permits for so long as `LENGTH`, as fast as they can: how many they have, in per cent of what is
/// configured.
pub fn loops<A, F>(executor: Executor, loops: usize, rate: u32, set_up: impl FnOnce(u32) -> A) -> f64
where
    A: Fn() -> F,
    F: Future<Output = ()>,
{
    const LENGTH: Duration = Duration::from_millis(600);
    executor.block_on(async {
        let acquire = set_up(rate);
        let (granted, start) = (Cell::new(0_u64), Instant::now());
        let one = async || {
            loop {
                acquire().await;
                if start.elapsed() >= LENGTH {
                    break;
                }
                granted.set(granted.get() + 1);
            }
        };
        if loops == 1 {
            one().await;
        } else {
            futures_buffered::join_all((0..loops).map(|_| one())).await;
        }
        100.0 * granted.get() as f64 / (f64::from(rate) * LENGTH.as_secs_f64())
    })
}

/// After a pause that is long enough for many bursts, so many tasks want a permit: how many have one at once, before
/// one more could be there.
pub fn after_idling<A, F>(set_up: impl FnOnce() -> A) -> f64
where
    A: Fn() -> F,
    F: Future<Output = ()>,
{
    const WANTED: usize = 40;
    Executor::Tokio.block_on(async {
        let acquire = set_up();
        let granted = Cell::new(0);
        // One who waits when the pause begins.
        acquire().await;
        tokio::time::sleep(super::IDLE).await;
        let all = (0..WANTED).map(async |_| {
            acquire().await;
            granted.set(granted.get() + 1);
        });
        let _ = tokio::time::timeout(super::AT_ONCE, futures_buffered::join_all(all)).await;
        f64::from(granted.get())
    })
}
