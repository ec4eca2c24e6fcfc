use super::*;
use crate::sync::{CapacityLimiter, DoubleBorrow, TryAcquireTokenError};
use alloc::string::{String, ToString};
use core::hash::{Hash, Hasher};

#[test]
fn it_is_known_who_holds_and_who_waits() {
    let limiter = CapacityLimiter::new(1);
    let token = now(limiter.acquire("a")).unwrap();
    let waits = Task::waiting(limiter.acquire("b"));
    assert_eq!((limiter.holders(), limiter.waiters()), (["a"].into(), ["b"].into()));
    assert_eq!((limiter.borrowed(), limiter.available(), limiter.waiting(), *token.borrower()), (1, 0, 1, "a"));
    drop(token);
    assert_eq!((limiter.holders(), limiter.waiters()), (["b"].into(), [].into()), "granted, not polled");
    drop(waits.woken().unwrap());
    assert_eq!((limiter.holders(), limiter.borrowed()), ([].into(), 0));
}

#[test]
fn borrowing_twice_is_an_error_that_gives_the_key_back() {
    let limiter = CapacityLimiter::new(2);
    let key = || "a".to_string();
    let token = now(limiter.acquire(key())).unwrap();
    assert_eq!(now(limiter.acquire(key())).unwrap_err(), DoubleBorrow(key()));
    assert_eq!(limiter.try_acquire(key()).unwrap_err(), TryAcquireTokenError::DoubleBorrow(key()));
    assert_eq!(limiter.available(), 1);
    drop(token);
    drop(limiter.try_acquire(key()).unwrap());
}

#[test]
fn waiting_twice_is_an_error_too_and_waiting_again_is_not() {
    let limiter = CapacityLimiter::new(0);
    let waiting = Task::waiting(limiter.acquire(1));
    assert_eq!(now(limiter.acquire(1)).unwrap_err(), DoubleBorrow(1));
    assert_eq!(limiter.try_acquire(1).unwrap_err(), TryAcquireTokenError::DoubleBorrow(1));
    assert_eq!(limiter.try_acquire(2).unwrap_err(), TryAcquireTokenError::Full(2));
    drop(waiting);
    assert_eq!(limiter.waiting(), 0);
    let waiting = Task::waiting(limiter.acquire(1));
    limiter.set_total(1);
    assert_eq!(*waiting.woken().unwrap().borrower(), 1);
}

#[test]
fn shrinking_revokes_nothing_and_grants_nothing_until_below() {
    let limiter = CapacityLimiter::new(2);
    let (one, two) = (limiter.try_acquire(1).unwrap(), limiter.try_acquire(2).unwrap());
    let waits = Task::waiting(limiter.acquire(3));
    limiter.set_total(1);
    assert_eq!((limiter.total(), limiter.borrowed(), limiter.available()), (1, 2, 0));
    drop(one);
    assert_eq!(waits.wakes(), 0);
    drop(two);
    drop(waits.woken().unwrap());
}

#[test]
fn growing_lets_in_all_who_fit_first_come_first_served() {
    let limiter = CapacityLimiter::new(0);
    let all: Vec<_> = (0..60).map(|n| Task::waiting(limiter.acquire(n))).collect();
    limiter.set_total(50);
    assert!(wakes(&all).is_sorted_by(|a, b| a >= b));
    assert_eq!((wakes(&all).iter().sum::<usize>(), limiter.borrowed(), limiter.waiting()), (50, 50, 10));
    assert_eq!(limiter.try_acquire(99).unwrap_err().into_inner(), 99);
    drop(all);
    assert_eq!((limiter.borrowed(), limiter.waiting()), (0, 0));
}

#[test]
fn one_that_was_granted_and_is_dropped_passes_its_token_on() {
    let limiter = CapacityLimiter::new(1);
    let token = limiter.try_acquire('a').unwrap();
    let granted = Task::waiting(limiter.acquire('b'));
    let next = Task::waiting(limiter.acquire('c'));
    drop(token);
    assert_eq!((granted.wakes(), next.wakes()), (1, 0));
    drop(granted);
    assert_eq!(limiter.holders(), ['c']);
    drop(next.woken().unwrap());
}

#[test]
fn newcomers_do_not_overtake() {
    let limiter = CapacityLimiter::new(1);
    let token = limiter.try_acquire(0).unwrap();
    let mut first = Box::pin(limiter.acquire(1));
    let thief = limiter.clone();
    let tries = move || assert_eq!(thief.try_acquire(9).unwrap_err(), TryAcquireTokenError::Full(9));
    assert!(poll_with(first.as_mut(), tries).is_pending());
    drop(token);
    assert!(limiter.same(&limiter.clone()));
    assert!(poll_with(first.as_mut(), || {}).is_ready());
}

#[test]
fn newcomers_do_not_overtake_those_who_are_about_to_be_let_in() {
    let (limiter, refused) = (CapacityLimiter::new(0), Arc::new(AtomicUsize::new(0)));
    let (thief, seen) = (limiter.clone(), refused.clone());
    // What panics in here would leave the rest to be let in all the same, so it is looked at below.
    let tries = move || drop(thief.try_acquire(9).map_err(|_| seen.fetch_add(1, Ordering::Relaxed)));
    let mut first = Box::pin(limiter.acquire(0));
    assert!(poll_with(first.as_mut(), tries).is_pending());
    let rest: Vec<_> = (1..4).map(|n| Task::waiting(limiter.acquire(n))).collect();
    limiter.set_total(4);
    assert_eq!((refused.load(Ordering::Relaxed), wakes(&rest)), (1, [1, 1, 1].into()));
}

/// A key that enters the limiter whenever it is hashed, compared or dropped, and whose hash is that of all others.
#[derive(Clone)]
struct Nosy(u8, Option<CapacityLimiter<Nosy>>);

impl Nosy {
    fn look(&self) {
        if let Some(limiter) = &self.1 {
            limiter.borrowed();
        }
    }
}

impl Hash for Nosy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.look();
        state.write_u8(0);
    }
}

impl PartialEq for Nosy {
    fn eq(&self, other: &Self) -> bool {
        self.look();
        self.0 == other.0
    }
}

impl Eq for Nosy {}

impl Drop for Nosy {
    fn drop(&mut self) {
        self.look();
    }
}

#[test]
fn keys_are_hashed_compared_and_dropped_outside_the_lock() {
    let limiter = CapacityLimiter::new(3);
    let key = |n| Nosy(n, Some(limiter.clone()));
    let tokens: Vec<_> = (0..3).map(|n| now(limiter.acquire(key(n))).unwrap_or_else(|_| panic!("{n}"))).collect();
    assert!((0..3).all(|n| now(limiter.acquire(key(n))).is_err()));
    let waiting = Task::waiting(limiter.acquire(key(3)));
    drop(tokens);
    drop(waiting);
    assert_eq!(limiter.holders().len(), 0);
}

/// A key with which, whenever it is compared, somebody else borrows meanwhile.
struct Slow(u8, Option<CapacityLimiter<Slow>>);

impl Hash for Slow {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u8(0);
    }
}

impl PartialEq for Slow {
    fn eq(&self, other: &Self) -> bool {
        if let Some(limiter) = self.1.as_ref().or(other.1.as_ref()) {
            core::mem::forget(limiter.try_acquire(Self(5, None)));
        }
        self.0 == other.0
    }
}

impl Eq for Slow {}

#[test]
fn one_who_borrows_while_keys_are_compared_is_found() {
    let limiter = CapacityLimiter::new(3);
    let _token = limiter.try_acquire(Slow(0, None)).unwrap_or_else(|_| panic!("there is a token"));
    let late = limiter.try_acquire(Slow(5, Some(limiter.clone())));
    assert!(matches!(late, Err(TryAcquireTokenError::DoubleBorrow(_))));
    assert_eq!(limiter.borrowed(), 2);
}

#[test]
fn errors_name_the_borrower() {
    let limiter: CapacityLimiter<String> = CapacityLimiter::new(0);
    let error = limiter.try_acquire("job 7".into()).unwrap_err();
    assert_eq!(error.to_string(), "there is no token for borrower \"job 7\"");
    assert_eq!(DoubleBorrow(7).to_string(), "borrower 7 holds a token already, or waits for one");
}

#[test]
#[should_panic(expected = "after completion")]
fn polled_after_completion_it_panics() {
    let limiter = CapacityLimiter::new(1);
    let mut acquire = Task::new(limiter.acquire(1));
    let _ = acquire.poll();
    let _ = acquire.poll();
}

#[test]
fn a_waker_that_panics_keeps_nobody_from_a_token() {
    let limiter = CapacityLimiter::new(0);
    let next = AtomicUsize::new(0);
    let wait = || limiter.acquire(next.fetch_add(1, Ordering::Relaxed));
    assert!(a_waker_that_panics_leaves_nobody_asleep(wait, || limiter.set_total(101)));
}
