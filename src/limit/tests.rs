//! The promises of the room's front door, by number, with futures polled by hand in virtual time.

mod adaptive;
mod algorithms;
mod calling;
mod changing;
mod composite;
mod exact;
mod keyed;
mod leaving;
mod rekeyed;
mod truth;

use super::*;
use crate::cancel::Scope;
use crate::sys::Arc;
use crate::sys::atomic::{AtomicUsize, Ordering};
use crate::sys::model::Random;
use crate::sys::waker::{Wake, waker};
use crate::time::{Instant, ManualClock};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::future::Future;
use core::num::NonZeroU32;
use core::pin::Pin;
use core::task::Poll::{Pending, Ready};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::panic::{AssertUnwindSafe, catch_unwind};

const SECOND: u64 = 1_000_000_000;
const YEAR: u64 = 31_557_600 * SECOND;

struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(this: &Arc<Self>) {
        this.0.fetch_add(1, Ordering::Relaxed);
    }
}

struct Task<'a, A: Algorithm = Gcra> {
    future: Pin<Box<Acquire<'a, A>>>,
    count: Arc<Count>,
    waker: Waker,
}

impl<'a, A: Algorithm> Task<'a, A> {
    fn new(future: Acquire<'a, A>) -> Self {
        let count = Arc::new(Count(AtomicUsize::new(0)));
        Self { future: Box::pin(future), waker: waker(count.clone()), count }
    }

    fn waiting(future: Acquire<'a, A>) -> Self {
        let mut task = Self::new(future);
        assert_eq!(task.poll(), Pending);
        task
    }

    fn poll(&mut self) -> Poll<Result<(), AcquireError>> {
        self.future.as_mut().poll(&mut Context::from_waker(&self.waker))
    }

    fn wakes(&self) -> usize {
        self.count.0.load(Ordering::Relaxed)
    }
}

fn nz(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

fn ms(n: u64) -> Instant {
    at(n * 1_000_000)
}

fn quota(permits: u32, nanos: u64) -> Quota {
    Quota::new(nz(permits), Duration::from_nanos(nanos)).unwrap()
}

/// Ten a second.
fn ten(clock: &ManualClock, burst: u32) -> Limiter {
    Limiter::new(&clock.time(), Quota::per_second(nz(10)).burst(nz(burst)))
}

fn not_yet(earliest: Instant) -> Result<(), TryAcquireError> {
    Err(TryAcquireError::NotYet { earliest })
}

#[test]
fn a_period_that_is_zero_or_beyond_range_is_refused_with_it() {
    for period in [Duration::ZERO, Duration::MAX] {
        let error = Quota::new(nz(1), period).unwrap_err();
        assert_eq!(error.period(), period);
    }
    assert_eq!(Quota::per_minute(nz(5)).period(), Duration::from_secs(60));
    assert_eq!(Quota::per_hour(nz(5)).permits(), nz(5));
    assert_eq!(Quota::per_second(nz(5)).max_credit(), Quota::CREDIT);
}

/// Permits and the period in nanoseconds of rates from one in ten years up to more than one a nanosecond.
const RATES: [(u32, u64); 10] = [
    (1, 10 * YEAR),
    (1, u64::MAX / 4),
    (3, 60 * SECOND),
    (1, SECOND),
    (333, SECOND),
    (50_000, SECOND),
    (700_000_000, SECOND),
    (999_999_937, SECOND),
    (1_000_000_000, SECOND),
    (u32::MAX, 7),
];

/// The instant of the `k`th permit after the burst, in whole nanoseconds.
fn ideal(k: u64, (permits, nanos): (u32, u64)) -> u64 {
    u64::try_from((u128::from(k) * u128::from(nanos)).div_ceil(u128::from(permits))).unwrap()
}

#[test]
fn l2_waiters_are_granted_at_the_exact_nanosecond_at_every_rate() {
    for rate in RATES {
        let clock = ManualClock::new();
        let limiter = Limiter::new(&clock.time(), quota(rate.0, rate.1));
        assert_eq!(limiter.try_acquire(1), Ok(()));
        let count = if rate.1 > YEAR { 3 } else { 300 };
        let mut waits = (0..count).map(|_| Task::new(limiter.acquire(1))).collect::<Vec<_>>();
        for (k, task) in (1..).zip(&mut waits) {
            if task.poll().is_ready() {
                assert_eq!(ideal(k, rate), 0);
            }
        }
        for (k, task) in (1..).zip(&mut waits) {
            let due = ideal(k, rate);
            if clock.time().now() < at(due) {
                clock.advance_to(at(due - 1));
                assert_eq!(task.poll(), Pending, "{rate:?}: permit {k} is not due before {due}");
                clock.advance_to(at(due));
            }
            assert_eq!(task.poll(), Ready(Ok(())), "{rate:?}: permit {k} is due at {due}");
        }
    }
}

#[test]
fn l2_nothing_drifts_over_a_million_permits() {
    let rate = (333, SECOND);
    let clock = ManualClock::new();
    let limiter = Limiter::new(&clock.time(), quota(rate.0, rate.1).burst(nz(1000)));
    assert_eq!(limiter.try_acquire(1000), Ok(()));
    for k in 1..=1_000 {
        // Less than the burst: the bucket is never full, so that not even the fraction of a nanosecond is lost.
        let due = at(ideal(k * 999, rate));
        assert_eq!(limiter.try_acquire(999), not_yet(due));
        assert_eq!(limiter.try_acquire_at(at(due.as_nanos() - 1), 999), not_yet(due));
        assert_eq!(limiter.try_acquire_at(due, 999), Ok(()));
    }
}

#[test]
fn l2_five_hundred_years_of_uptime_change_nothing() {
    for rate in RATES {
        let start = 500 * YEAR;
        let limiter = Limiter::new(&ManualClock::at(at(start)).time(), quota(rate.0, rate.1).burst(nz(2)));
        assert_eq!(limiter.try_acquire(2), Ok(()));
        let wait = ideal(1, rate);
        if wait < 10 * YEAR {
            assert_eq!(limiter.try_acquire_at(at(start + wait - 1), 1), not_yet(at(start + wait)));
            assert_eq!(limiter.try_acquire_at(at(start + wait), 1), Ok(()));
        }
    }
}

#[test]
fn l2_a_turn_beyond_all_time_is_never() {
    let limiter = Limiter::new(&ManualClock::at(at(500 * YEAR)).time(), quota(1, u64::MAX));
    assert_eq!(limiter.try_acquire(1), Ok(()));
    assert_eq!(limiter.try_acquire(1), not_yet(Instant::NEVER));
}

#[test]
fn l1_after_idling_there_is_one_burst() {
    let clock = ManualClock::new();
    let limiter = ten(&clock, 10);
    clock.advance(Duration::from_secs(3600));
    assert_eq!(limiter.try_acquire(10), Ok(()));
    assert_eq!(limiter.try_acquire(1), not_yet(clock.time().now() + Duration::from_millis(100)));
}

#[test]
fn more_than_the_burst_is_an_error_and_none_at_all_is_granted() {
    let clock = ManualClock::new();
    let limiter = ten(&clock, 3);
    assert_eq!(limiter.try_acquire(4), Err(TryAcquireError::ExceedsBurst { permits: 4, burst: 3 }));
    let mut four = Task::new(limiter.acquire(4));
    assert_eq!(four.poll(), Ready(Err(AcquireError::ExceedsBurst { permits: 4, burst: 3 })));
    assert_eq!(limiter.try_acquire(4).unwrap_err().earliest(), None);
    limiter.try_acquire(3).unwrap();
    assert_eq!(limiter.try_acquire(0), Ok(()));
    assert_eq!(Task::new(limiter.acquire(0)).poll(), Ready(Ok(())));
}

#[test]
fn l3_waiters_are_served_in_order_with_one_timer_and_one_wake_up_each() {
    let clock = ManualClock::new();
    let limiter = ten(&clock, 1);
    limiter.try_acquire(1).unwrap();
    let mut all: Vec<_> = (0..100).map(|_| Task::waiting(limiter.acquire(1))).collect();
    assert_eq!(clock.time().pending(), 1);
    for n in 0..100_u64 {
        clock.advance_to(ms(100 * (n + 1)));
        let woken: Vec<_> = all.iter().map(Task::wakes).collect();
        assert!(woken.iter().enumerate().all(|(m, &wakes)| wakes == usize::from(m as u64 <= n)));
        assert_eq!(all[n as usize].poll(), Ready(Ok(())));
    }
    assert_eq!(clock.time().pending(), 0);
    assert_eq!(Arc::strong_count(&limiter.gate), 1);
}

#[test]
fn l3_newcomers_do_not_overtake_a_large_request() {
    let clock = ManualClock::new();
    let limiter = ten(&clock, 5);
    limiter.try_acquire(3).unwrap();
    let mut large = Task::waiting(limiter.acquire(5));
    assert_eq!(limiter.try_acquire(1), not_yet(ms(400)), "five at 300 ms, one more at 400 ms");
    let mut small = Task::waiting(limiter.acquire(2));
    assert_eq!(limiter.try_acquire(1), not_yet(ms(600)));
    clock.advance_to(ms(300));
    assert_eq!((large.poll(), small.poll()), (Ready(Ok(())), Pending));
    clock.advance_to(ms(500));
    assert_eq!(small.poll(), Ready(Ok(())));
}

#[test]
fn l3_who_is_due_goes_before_a_newcomer_even_if_the_timer_is_late() {
    let clock = ManualClock::new();
    let limiter = ten(&clock, 1);
    limiter.try_acquire(1).unwrap();
    let mut waits = Task::waiting(limiter.acquire(1));
    assert_eq!(limiter.try_acquire_at(ms(110), 1), not_yet(ms(200)));
    assert_eq!((waits.wakes(), waits.poll()), (1, Ready(Ok(()))));
}

/// Polls those that were woken, who are the first in line.
fn collect(clock: &ManualClock, line: &mut VecDeque<(u32, Task<'_>)>, grants: &mut Vec<(u64, u32)>) {
    while line.front().is_some_and(|(_, task)| task.wakes() > 0) {
        let (n, mut task) = line.pop_front().unwrap();
        assert_eq!(task.poll(), Ready(Ok(())));
        grants.push((clock.time().now().as_nanos(), n));
    }
}

/// Random waits, drops, attempts and late timers: the bound of L1 holds in every window, order is kept, and nobody who
/// stays waits for ever.
#[test]
fn l1_no_window_holds_more_than_its_share() {
    for seed in 0..300 {
        let mut random = Random(seed);
        let (permits, period) = [(3, 10), (10, 7), (1, 13), (5, 1000)][random.below(4)];
        let burst = 1 + random.below(6) as u32;
        let credit = [0, 5, 40][random.below(3)];
        let quota = quota(permits, period).burst(nz(burst)).credit(Duration::from_nanos(credit));
        let clock = ManualClock::new();
        let limiter = Limiter::new(&clock.time(), quota);
        let mut line: VecDeque<(u32, Task<'_>)> = VecDeque::new();
        let mut grants: Vec<(u64, u32)> = Vec::new();
        for _ in 0..200 {
            let now = clock.time().now().as_nanos();
            let n = 1 + random.below(burst as usize) as u32;
            match random.below(6) {
                0 | 1 => {
                    let mut task = Task::new(limiter.acquire(n));
                    match task.poll() {
                        Ready(result) => {
                            assert!(result.is_ok() && line.is_empty(), "seed {seed}: overtaken");
                            grants.push((now, n));
                        }
                        Pending => line.push_back((n, task)),
                    }
                }
                2 => {
                    if limiter.try_acquire(n).is_ok() {
                        assert!(line.iter_mut().all(|(_, task)| task.wakes() == 1), "seed {seed}: overtaken");
                        grants.push((now, n));
                    }
                }
                3 if !line.is_empty() => {
                    let at = random.below(line.len());
                    line.remove(at);
                }
                4 => clock.jump_to(at(now + random.below(3 * period as usize) as u64)),
                _ => {
                    let to = at(now + random.below(period as usize) as u64);
                    while clock.time().next() <= to {
                        clock.jump_to(clock.time().next());
                        collect(&clock, &mut line, &mut grants);
                    }
                    clock.jump_to(to);
                }
            }
            collect(&clock, &mut line, &mut grants);
            assert!(line.iter().all(|(_, task)| task.wakes() == 0), "seed {seed}: out of order");
            assert_eq!(clock.time().pending(), usize::from(!line.is_empty()), "seed {seed}");
        }
        for (i, &(from, _)) in grants.iter().enumerate() {
            let mut sum = 0;
            for &(to, n) in &grants[i..] {
                sum += u128::from(n);
                let window = u128::from(to - from + credit);
                let allowed = u128::from(burst) * u128::from(period) + u128::from(permits) * window;
                assert!(sum * u128::from(period) <= allowed, "seed {seed}: {sum} from {from} to {to}");
            }
        }
        let rest = line.len();
        clock.advance(Duration::from_nanos(period * 6 * 200));
        assert_eq!(line.iter_mut().filter_map(|(_, task)| task.poll().is_ready().then_some(())).count(), rest);
    }
}
