//! The breaker's decisions, and what stands around them.

use super::*;
use crate::sys::Arc;
use crate::sys::lock::taken;
use crate::sys::{Lock, model};
use crate::time::ManualClock;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

fn breaker(config: BreakerConfig) -> (CircuitBreaker, ManualClock) {
    let clock = ManualClock::new();
    (CircuitBreaker::new(&clock.time(), config).unwrap(), clock)
}

fn end(breaker: &CircuitBreaker, marks: &str) {
    for mark in marks.bytes() {
        breaker.admit().unwrap().end(if mark == b'x' { Mark::Failure } else { Mark::Success });
    }
}

fn counts(breaker: &CircuitBreaker) -> (u32, u32, u32) {
    let BreakerCounts { calls, failures, slow, .. } = breaker.counts();
    (calls, failures, slow)
}

/// Polls once.
fn poll<F: Future>(future: core::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_window_of_calls_forgets_the_oldest() {
    let (breaker, _) = breaker(BreakerConfig::calls(nz(4)).least_calls(nz(4)).failures(75));
    end(&breaker, "xx..");
    assert_eq!(counts(&breaker), (4, 2, 0));
    end(&breaker, "..xx.");
    assert_eq!(counts(&breaker), (4, 2, 0));
    end(&breaker, "x");
    assert_eq!(breaker.state(), BreakerState::Open { until: Instant::EPOCH + BreakerConfig::OPEN_FOR });
}

#[test]
fn a_window_of_time_forgets_by_tenths() {
    let config = BreakerConfig::time(ms(1_000)).least_calls(nz(4)).failures(100);
    let (breaker, clock) = breaker(config);
    end(&breaker, "x");
    clock.advance(ms(99));
    end(&breaker, "x");
    clock.advance(ms(1));
    end(&breaker, "x");
    clock.advance(ms(899));
    assert_eq!(counts(&breaker), (3, 3, 0));
    clock.advance(ms(1));
    assert_eq!(counts(&breaker), (1, 1, 0));
    clock.advance(ms(100));
    assert_eq!(counts(&breaker), (0, 0, 0));
    end(&breaker, "xxx");
    clock.advance(Duration::from_secs(1_000_000_000));
    assert_eq!(counts(&breaker), (0, 0, 0));
    end(&breaker, "xxxx");
    assert!(matches!(breaker.state(), BreakerState::Open { .. }));
}

#[test]
fn no_rate_is_taken_of_too_few_calls() {
    let (breaker, _) = breaker(BreakerConfig::calls(nz(100)).least_calls(nz(20)).failures(10));
    end(&breaker, "xxxxxxxxxxxxxxxxxxx");
    assert_eq!(breaker.state(), BreakerState::Closed);
    end(&breaker, ".");
    assert!(matches!(breaker.state(), BreakerState::Open { .. }), "the twentieth is enough, well as it was");
}

#[test]
fn slow_calls_open_it_though_they_are_well() {
    let (breaker, clock) = breaker(BreakerConfig::calls(nz(4)).slow(ms(100), 50));
    for takes in [99, 100, 99, 100] {
        assert_eq!(breaker.state(), BreakerState::Closed);
        let call = breaker.admit().unwrap();
        clock.advance(ms(takes));
        call.end(Mark::Success);
    }
    assert!(matches!(breaker.state(), BreakerState::Open { .. }));
}

/// A breaker that has just opened, for ten seconds.
fn opened(config: BreakerConfig) -> (CircuitBreaker, ManualClock) {
    let (breaker, clock) = breaker(config);
    end(&breaker, "xxx");
    let until = clock.time().now() + BreakerConfig::OPEN_FOR;
    assert_eq!(breaker.state(), BreakerState::Open { until });
    (breaker, clock)
}

fn three() -> BreakerConfig {
    BreakerConfig::consecutive(nz(3))
}

#[test]
fn an_open_one_lets_nobody_through_until_its_time_is_over() {
    let (breaker, clock) = opened(three());
    clock.advance(BreakerConfig::OPEN_FOR - Duration::from_nanos(1));
    let open = breaker.admit().unwrap_err();
    assert_eq!(open.retry_at, Instant::EPOCH + BreakerConfig::OPEN_FOR);
    assert_eq!(open.to_string(), "the circuit breaker is open, to come back at 10.000000000s");
    assert_eq!(Verdict::from(open), Verdict::NotBefore(open.retry_at));
    clock.advance(Duration::from_nanos(1));
    assert!(breaker.admit().is_ok());
}

#[test]
fn probes_are_limited_and_given_back() {
    let (breaker, clock) = opened(three().probes(nz(2)).failures(50));
    clock.advance(BreakerConfig::OPEN_FOR);
    let (one, two) = (breaker.admit().unwrap(), breaker.admit().unwrap());
    assert_eq!(breaker.admit().unwrap_err().retry_at, clock.time().now());
    drop(one);
    let three = breaker.admit().unwrap();
    assert!(breaker.admit().is_err());
    two.end(Mark::Success);
    assert_eq!((breaker.state(), counts(&breaker)), (BreakerState::HalfOpen, (1, 0, 0)));
    assert!(breaker.admit().is_err(), "a result counts as a probe, too");
    three.end(Mark::Success);
    assert_eq!((breaker.state(), counts(&breaker)), (BreakerState::Closed, (0, 0, 0)));
}

#[test]
fn probes_decide_as_soon_as_the_others_can_change_nothing() {
    let at_half = three().probes(nz(4)).failures(50);
    let (opens, clock) = opened(at_half);
    clock.advance(BreakerConfig::OPEN_FOR);
    end(&opens, ".x");
    assert_eq!(opens.state(), BreakerState::HalfOpen);
    end(&opens, "x");
    assert!(matches!(opens.state(), BreakerState::Open { .. }));
    let (closes, clock) = opened(at_half);
    clock.advance(BreakerConfig::OPEN_FOR);
    end(&closes, ".x.");
    assert_eq!(closes.state(), BreakerState::HalfOpen);
    end(&closes, ".");
    assert_eq!(closes.state(), BreakerState::Closed);
}

#[test]
fn the_open_time_grows_until_it_has_closed() {
    let (breaker, clock) = opened(three().probes(nz(1)).growing(300, Duration::from_secs(60)));
    for seconds in [10, 30, 60, 60] {
        let open = breaker.admit().unwrap_err();
        assert_eq!(open.retry_at, clock.time().now() + Duration::from_secs(seconds));
        clock.advance_to(open.retry_at);
        end(&breaker, "x");
    }
    clock.advance(Duration::from_secs(60));
    end(&breaker, ".xxx");
    assert_eq!(breaker.admit().unwrap_err().retry_at, clock.time().now() + Duration::from_secs(10));
}

#[test]
fn b3_b4_a_probe_that_hangs_opens_it_again_as_of_when_its_time_was_over() {
    let config = three().probes(nz(2)).longest_half_open(ms(500)).growing(200, Duration::from_secs(90));
    let (breaker, clock) = opened(config);
    clock.advance(BreakerConfig::OPEN_FOR);
    // Given back: nobody hangs, however long it takes.
    drop(breaker.admit().unwrap());
    clock.advance(ms(10_000));
    let (hangs, late) = (breaker.admit().unwrap(), breaker.admit().unwrap());
    clock.advance(ms(499));
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    clock.advance(ms(2_001));
    assert_eq!(breaker.state(), BreakerState::Open { until: at(20_500 + 20_000) });
    late.end(Mark::Success);
    drop(hangs);
    assert_eq!(breaker.state(), BreakerState::Open { until: at(40_500) }, "of an earlier generation");
    // Nobody has looked for so long that this one's time is over, too.
    clock.advance_to(at(40_500));
    let hangs = breaker.admit().unwrap();
    clock.advance_to(at(41_000 + 40_000));
    let probe = breaker.admit().unwrap();
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    drop((hangs, probe));
}

#[test]
fn b4_a_probe_that_hung_and_is_dropped_leaves_what_was_open_all_the_while() {
    for looks in [false, true] {
        let config = three().probes(nz(1)).longest_half_open(ms(500)).growing(200, Duration::from_secs(90));
        let (breaker, clock) = opened(config);
        clock.advance(BreakerConfig::OPEN_FOR);
        let hangs = breaker.admit().unwrap();
        clock.advance(ms(600));
        if looks {
            assert_eq!(breaker.state(), BreakerState::Open { until: at(10_500 + 20_000) });
        }
        drop(hangs);
        assert_eq!(breaker.admit().unwrap_err().retry_at, at(10_500 + 20_000));
    }
}

#[test]
fn b1_results_of_an_earlier_generation_are_not_counted() {
    let (breaker, clock) = breaker(three());
    let mut old: Vec<_> = (0..7).map(|_| breaker.admit().unwrap()).collect();
    end(&breaker, "xxx");
    let state = breaker.state();
    old.pop().unwrap().end(Mark::Success);
    clock.advance(BreakerConfig::OPEN_FOR);
    let probe = breaker.admit().unwrap();
    old.pop().unwrap().end(Mark::Failure);
    drop(old.pop());
    assert_eq!((breaker.state(), counts(&breaker)), (BreakerState::HalfOpen, (0, 0, 0)), "{state:?}");
    breaker.close();
    probe.end(Mark::Failure);
    old.into_iter().for_each(|call| call.end(Mark::Failure));
    assert_eq!((breaker.state(), counts(&breaker)), (BreakerState::Closed, (0, 0, 0)));
}

#[test]
fn by_hand_it_is_open_until_it_is_closed() {
    let (breaker, clock) = breaker(three());
    breaker.open();
    clock.advance(Duration::from_secs(1_000_000_000));
    assert_eq!(breaker.admit().unwrap_err().retry_at, Instant::NEVER);
    breaker.close();
    end(&breaker, "xx");
    breaker.close();
    assert_eq!(counts(&breaker), (0, 0, 0));
    breaker.trip();
    let until = clock.time().now() + BreakerConfig::OPEN_FOR;
    assert_eq!(breaker.state(), BreakerState::Open { until });
    clock.advance_to(until);
    assert!(breaker.admit().is_ok());
}

#[test]
fn the_listener_is_told_of_each_change_in_order_and_may_use_the_breaker() {
    let clock = ManualClock::new();
    let (told, place) = (Arc::new(Lock::new(Vec::new())), Arc::new(Lock::new(None::<CircuitBreaker>)));
    let (log, inner) = (told.clone(), place.clone());
    let config = three().probes(nz(1)).longest_half_open(ms(100));
    let breaker = CircuitBreaker::with_listener(&clock.time(), config, move |change| {
        let breaker = inner.with(|place| place.clone());
        let state = breaker.map(|breaker| breaker.state());
        log.with(|log| log.push((change.number, change.cause, change.to, state, change.counts.failures)));
    })
    .unwrap();
    place.with(|place| *place = Some(breaker.clone()));
    end(&breaker, "xxx");
    clock.advance(BreakerConfig::OPEN_FOR);
    let hangs = breaker.admit().unwrap();
    clock.advance(BreakerConfig::OPEN_FOR + ms(100));
    end(&breaker, ".");
    breaker.open();
    drop(hangs);
    let (open, half, closed) = (|n| BreakerState::Open { until: at(n) }, BreakerState::HalfOpen, BreakerState::Closed);
    let never = BreakerState::Open { until: Instant::NEVER };
    assert_eq!(
        told.with(|told| told.clone()),
        [
            (1, BreakerCause::Failures, open(10_000), Some(open(10_000)), 3),
            (2, BreakerCause::Waited, half, Some(half), 0),
            // Two at once: told one after the other, when both had happened.
            (3, BreakerCause::ProbesHang, open(20_100), Some(half), 0),
            (4, BreakerCause::Waited, half, Some(half), 0),
            (5, BreakerCause::Recovered, closed, Some(closed), 0),
            (6, BreakerCause::ByHand, never, Some(never), 0),
        ]
    );
    place.with(|place| place.take());
}

#[test]
fn a_listener_that_panics_leaves_the_probe_to_others() {
    let clock = ManualClock::new();
    let config = three().probes(nz(1));
    let breaker = CircuitBreaker::with_listener(&clock.time(), config, |change| {
        if change.to == BreakerState::HalfOpen {
            resume_unwind(alloc::boxed::Box::new("listener"));
        }
    })
    .unwrap();
    end(&breaker, "xxx");
    clock.advance(BreakerConfig::OPEN_FOR);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(breaker.admit()))).is_err());
    assert!(breaker.admit().is_ok());
}

// Without it, nobody can tell a panic from a drop.
crate::sys::with_std! {
    #[test]
    fn a_panic_is_a_failure_wherever_it_happens_and_a_drop_is_none() {
        type Called = Result<Result<(), ()>, ()>;
        let (breaker, _) = breaker(BreakerConfig::calls(nz(100)));
        let panics = |call: &mut dyn FnMut() -> Called| {
            let before = breaker.counts().failures;
            assert!(catch_unwind(AssertUnwindSafe(call)).is_err());
            breaker.counts().failures - before
        };
        let thrown = || -> Result<(), ()> { resume_unwind(alloc::boxed::Box::new(1)) };
        let polled = panics(&mut || match poll(pin!(breaker.call(async || thrown()))) {
            Poll::Ready(result) => Ok(result.map_err(drop)),
            Poll::Pending => Err(()),
        });
        let judged = panics(&mut || {
            let _ = poll(pin!(breaker.call_with(|()| resume_unwind(alloc::boxed::Box::new(2)), async || ())));
            Err(())
        });
        let guarded = panics(&mut || {
            let _call = breaker.admit().unwrap();
            Ok(thrown())
        });
        assert_eq!((polled, judged, guarded), (1, 1, 1));
        // Dropped as part of somebody else's panic, between its polls.
        let unrelated = panics(&mut || {
            let mut call = pin!(breaker.call(async || core::future::pending::<Result<(), ()>>().await));
            assert!(poll(call.as_mut()).is_pending());
            Ok(thrown())
        });
        assert_eq!(unrelated, 0);
        drop(breaker.admit());
        assert_eq!(counts(&breaker), (3, 3, 0));
    }
}

#[test]
fn calls_that_are_well_take_no_lock_once_the_window_is_full_of_them_and_read_no_clock() {
    struct Deaf;
    impl crate::time::Clock for Deaf {
        fn now(&self) -> Instant {
            // Once, to begin with.
            static READ: core::sync::atomic::AtomicUsize = core::sync::atomic::AtomicUsize::new(0);
            assert_eq!(READ.fetch_add(1, core::sync::atomic::Ordering::Relaxed), 0, "the clock was read");
            Instant::EPOCH
        }

        fn arm(&self, _: Instant) {}
    }
    let breaker = CircuitBreaker::new(&crate::time::Time::new(Deaf), BreakerConfig::calls(nz(10))).unwrap();
    let took = taken::during(|| {
        for _ in 0..30 {
            assert_eq!(poll(pin!(breaker.call(async || Ok::<_, ()>(1)))), Poll::Ready(Ok(1)));
        }
    });
    assert_eq!(took, 10);
}

#[test]
fn settings_that_make_no_sense_are_refused_by_name() {
    let time = ManualClock::new().time();
    let calls = BreakerConfig::calls(nz(10));
    for (config, error) in [
        (calls.failures(0), "a breaker can't open at a failure rate of 0 per cent"),
        (calls.slow(ms(1), 101), "a breaker can't open at 101 per cent of slow calls"),
        (BreakerConfig::time(ms(0)), "a breaker's window of time can't be empty"),
        (BreakerConfig::calls(nz(65_537)), "a breaker's window can't hold 65537 calls, of 65536 at most"),
        (calls.least_calls(nz(11)), "a breaker that needs 11 calls never opens by a window of 10"),
        (calls.open_for(ms(0)), "a breaker can't be open for no time"),
        (calls.growing(99, Duration::MAX), "a breaker's open time can't grow to 99 per cent"),
        (calls.growing(200, ms(1)), "a breaker can't be open for 10s at first, and for 1ms at most"),
        (calls.longest_half_open(ms(0)), "a breaker can't wait for its probes for no time"),
    ] {
        assert_eq!(CircuitBreaker::new(&time, config).unwrap_err().to_string(), error);
        assert_eq!(CircuitBreakers::<u8>::new(&time, config).unwrap_err().to_string(), error);
    }
    for config in [BreakerConfig::time(Duration::MAX), calls.open_for(Duration::MAX).slow(Duration::MAX, 1)] {
        let (breaker, clock) = breaker(config);
        breaker.trip();
        clock.advance_to(Instant::from_nanos(u64::MAX - 1));
        breaker.close();
        end(&breaker, "xxxxxxxxxx");
        assert!(breaker.admit().is_err());
    }
}

/// All keys have the same hash.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Alike(u32);

impl core::hash::Hash for Alike {
    fn hash<H: core::hash::Hasher>(&self, _: &mut H) {}
}

#[test]
fn each_key_has_a_breaker_of_its_own_whatever_its_hash() {
    let breakers = CircuitBreakers::new(&ManualClock::new().time(), three()).unwrap();
    for n in 0..20 {
        let breaker = breakers.get(&Alike(n));
        assert!(breaker.same(&breakers.get(&Alike(n))));
        end(&breaker, if n % 2 == 0 { "xxx" } else { "..." });
    }
    assert_eq!(breakers.len(), 20);
    for (key, breaker) in breakers.all() {
        assert_eq!(breaker.admit().is_err(), key.0 % 2 == 0, "{key:?}");
    }
    assert_eq!((breakers.forget_unused(), breakers.forget_unused(), breakers.len()), (0, 10, 10));
    let held = breakers.get(&Alike(1));
    breakers.forget_unused();
    assert_eq!(breakers.forget_unused(), 0, "somebody has a handle");
    assert!(held.same(&breakers.get(&Alike(1))));
    assert!(format!("{breakers:?}").contains("11"));
}

#[test]
fn a_key_is_found_by_what_can_be_borrowed_of_it() {
    let breakers = CircuitBreakers::<String>::new(&ManualClock::new().time(), three()).unwrap();
    let breaker = breakers.get("a host");
    assert!(breaker.same(&breakers.get(&String::from("a host"))));
    assert!(!breaker.same(&breakers.get("another")));
    assert_eq!(breakers.len(), 2);
}

#[test]
fn keys_that_are_asked_for_by_several_threads_have_one_breaker_each() {
    let breakers = CircuitBreakers::new(&ManualClock::new().time(), three()).unwrap();
    let of_one = |seed: u64| {
        let mut random = model::Random(seed);
        let mut seen: Vec<(u32, CircuitBreaker)> = Vec::new();
        for _ in 0..2_000 {
            let key = random.below(8) as u32;
            let breaker = breakers.get(&Alike(key));
            match seen.iter().find(|(known, _)| *known == key) {
                Some((_, known)) => assert!(known.same(&breaker)),
                None => seen.push((key, breaker)),
            }
            if random.below(16) == 0 {
                seen.clear();
                breakers.forget_unused();
            }
        }
    };
    std::thread::scope(|threads| {
        for seed in 0..3 {
            threads.spawn(move || of_one(seed));
        }
    });
    assert!(breakers.len() <= 8);
}
