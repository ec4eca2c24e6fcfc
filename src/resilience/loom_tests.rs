//! The word beside a breaker's lock, in every order of threads.

use super::*;
use crate::sys::Arc;
use crate::sys::atomic::{AtomicUsize, Ordering};
use crate::sys::model::{Meeting, model, spawn};
use crate::time::{Instant, ManualClock};
use core::num::NonZeroU32;
use core::time::Duration;

/// A breaker that opens after so many failures in a row, and counts its changes.
fn breaker(failures: u32) -> (CircuitBreaker, ManualClock, Arc<AtomicUsize>) {
    let (clock, changes) = (ManualClock::new(), Arc::new(AtomicUsize::new(0)));
    let (config, count) = (BreakerConfig::consecutive(NonZeroU32::new(failures).unwrap()), changes.clone());
    let config = config.probes(NonZeroU32::MIN);
    let breaker = CircuitBreaker::with_listener(&clock.time(), config, move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    (breaker.unwrap(), clock, changes)
}

fn end(breaker: &CircuitBreaker, mark: Mark) {
    if let Ok(call) = breaker.admit() {
        call.end(mark);
    }
}

#[test]
fn loom_a_failure_opens_a_breaker_once_whoever_is_well_or_fails_beside_it() {
    for mark in [Mark::Success, Mark::Failure] {
        model(move || {
            let (breaker, _clock, changes) = breaker(1);
            end(&breaker, Mark::Success);
            let other = spawn({
                let breaker = breaker.clone();
                move || end(&breaker, mark)
            });
            end(&breaker, Mark::Failure);
            other.join().unwrap();
            assert_eq!(breaker.admit().unwrap_err().retry_at, Instant::EPOCH + BreakerConfig::OPEN_FOR);
            assert_eq!(changes.load(Ordering::Relaxed), 1);
        });
    }
}

#[test]
fn loom_a_success_that_is_not_counted_came_before_the_failure() {
    model(|| {
        let (breaker, _clock, _) = breaker(2);
        end(&breaker, Mark::Success);
        end(&breaker, Mark::Success);
        let other = spawn({
            let breaker = breaker.clone();
            move || end(&breaker, Mark::Success)
        });
        end(&breaker, Mark::Failure);
        other.join().unwrap();
        let failures = breaker.counts().failures;
        end(&breaker, Mark::Success);
        end(&breaker, Mark::Failure);
        // Whichever came first, the one that is known to have come in between was seen.
        assert_eq!((failures, breaker.state()), (1, BreakerState::Closed));
        end(&breaker, Mark::Failure);
        assert!(breaker.admit().is_err());
    });
}

#[test]
fn loom_who_is_refused_by_a_breaker_that_opens_hears_until_when() {
    model(|| {
        let (breaker, _clock, _) = breaker(1);
        // What was said before is not said again.
        breaker.open();
        breaker.close();
        let meeting = Meeting::new();
        let other = spawn({
            let (breaker, meeting) = (breaker.clone(), meeting.clone());
            move || {
                breaker.trip();
                meeting.over();
            }
        });
        meeting.begin();
        let refused = breaker.admit().map(drop).err();
        let until = Instant::EPOCH + BreakerConfig::OPEN_FOR;
        assert!(refused.is_none_or(|open| open.retry_at == until));
        other.join().unwrap();
    });
}

#[test]
fn loom_one_of_two_is_the_probe_and_the_other_after_it() {
    model(|| {
        let (breaker, clock, _) = breaker(1);
        end(&breaker, Mark::Failure);
        clock.jump_to(Instant::EPOCH + BreakerConfig::OPEN_FOR + Duration::from_nanos(1));
        let other = spawn({
            let breaker = breaker.clone();
            move || {
                let call = breaker.admit();
                let probe = call.is_ok();
                drop(call);
                probe
            }
        });
        let call = breaker.admit();
        let probe = call.is_ok();
        let other = other.join().unwrap();
        assert!(probe || other);
        drop(call);
        end(&breaker, Mark::Success);
        assert_eq!(breaker.state(), BreakerState::Closed);
    });
}
