//! Keys that come, are waited for and go, in every order of threads.

use super::*;
use core::num::NonZeroUsize;
use core::task::Poll::Pending;
use foldhash::fast::FixedState;

/// The same in every run.
type Keyed = KeyedLimiter<u8, Gcra, FixedState>;

/// One permit each 100 ns.
fn keyed(most: Option<usize>) -> (ManualClock, Keyed) {
    let clock = ManualClock::new();
    let gcra = Gcra::new(Quota::new(NonZeroU32::MIN, Duration::from_nanos(100)).unwrap());
    let limiter =
        KeyedLimiter::with_hasher(&clock.time(), gcra, most.and_then(NonZeroUsize::new), FixedState::with_seed(1));
    (clock, limiter)
}

fn wait(limiter: &Keyed, key: u8) -> Wait {
    let limiter = limiter.clone();
    Task::new(async move { limiter.acquire(&key, 1).await })
}

#[test]
fn loom_a_key_that_two_bring_is_granted_once() {
    model(|| {
        let (_, limiter) = keyed(None);
        let other = spawn({
            let limiter = limiter.clone();
            move || limiter.try_acquire(&1, 1).is_ok()
        });
        let mine = limiter.try_acquire(&1, 1).is_ok();
        assert!(mine != other.join().unwrap());
        assert_eq!(limiter.sweep(), 1);
    });
}

#[test]
fn loom_a_key_that_two_bring_takes_one_place() {
    model(|| {
        let (_, limiter) = keyed(Some(2));
        let other = spawn({
            let limiter = limiter.clone();
            move || limiter.try_acquire(&1, 1).is_ok()
        });
        // Whoever comes second finds the key, though both may have had a place for it.
        let mine = limiter.try_acquire(&1, 1).is_ok();
        assert!(mine != other.join().unwrap());
        assert_eq!(limiter.try_acquire(&2, 1), Ok(()));
    });
}

#[test]
fn loom_a_line_that_ends_as_somebody_comes_neither_adds_nor_takes() {
    model(|| {
        let (clock, limiter) = keyed(None);
        limiter.try_acquire(&1, 1).unwrap();
        let waits = wait(&limiter, 1).waiting();
        let leaver = spawn(move || drop(waits));
        let mut comes = wait(&limiter, 1);
        assert!(comes.poll().is_pending());
        leaver.join().unwrap();
        assert_eq!((clock.time().next(), clock.time().pending()), (at(100), 1));
        clock.jump_to(at(100));
        assert!(comes.woken() && comes.poll().is_ready());
        assert!(limiter.try_acquire(&1, 1).is_err());
        assert_eq!((limiter.keys.busy(), clock.time().pending()), (0, 0));
    });
}

#[test]
fn loom_a_key_that_goes_back_is_told_what_its_line_was_granted() {
    model(|| {
        let (clock, limiter) = keyed(None);
        limiter.try_acquire(&1, 1).unwrap();
        let mut waits = wait(&limiter, 1).waiting();
        let driver = spawn(move || clock.jump_to(at(100)));
        let tried = limiter.try_acquire(&1, 1).is_ok();
        driver.join().unwrap();
        // Who waits comes first, whoever looks.
        assert!(!tried && waits.woken() && waits.poll().is_ready());
        assert!(limiter.try_acquire(&1, 1).is_err());
        assert_eq!(limiter.keys.busy(), 0);
    });
}

#[test]
fn loom_of_two_new_keys_for_one_place_one_is_let_in() {
    model(|| {
        let (clock, limiter) = keyed(Some(1));
        limiter.try_acquire(&0, 1).unwrap();
        clock.jump_to(at(100));
        let other = spawn({
            let limiter = limiter.clone();
            move || limiter.try_acquire(&1, 1).is_ok()
        });
        let mine = limiter.try_acquire(&2, 1).is_ok();
        assert!(mine != other.join().unwrap());
        assert_eq!(limiter.sweep(), 1);
    });
}

#[test]
fn loom_a_key_that_is_waited_for_is_not_swept() {
    model(|| {
        let (clock, limiter) = keyed(Some(1));
        limiter.try_acquire(&1, 1).unwrap();
        let sweeper = spawn({
            let (clock, limiter) = (clock.clone(), limiter.clone());
            move || {
                clock.jump_to(at(100));
                limiter.sweep()
            }
        });
        let mut waits = wait(&limiter, 1);
        let first = waits.poll();
        sweeper.join().unwrap();
        if first.is_pending() && !waits.woken() {
            // It read the clock in time, but the driver had looked at the queue before the timer was set.
            clock.jump_to(at(100));
        }
        assert_eq!(waits.finish(first), Ok(()));
        assert_eq!((limiter.try_acquire(&1, 1).is_err(), limiter.sweep()), (true, 1));
    });
}

#[test]
fn loom_a_reservation_that_goes_back_reaches_whoever_comes() {
    model(|| {
        let (clock, limiter) = keyed(None);
        let reserved = limiter.try_reserve(&1, 1).unwrap();
        let leaver = spawn(move || drop(reserved));
        let mut comes = wait(&limiter, 1);
        let first = comes.poll();
        leaver.join().unwrap();
        // It has it at once, or is woken.
        assert_eq!(comes.finish(first), Ok(()));
        assert!(limiter.try_acquire(&1, 1).is_err());
        assert_eq!((limiter.keys.busy(), clock.time().pending()), (0, 0));
    });
}

#[test]
fn loom_a_key_that_comes_while_the_numbers_change_goes_on_by_the_new_ones() {
    model(|| {
        let (clock, limiter) = keyed(None);
        let two = Gcra::new(Quota::new(NonZeroU32::MIN, Duration::from_nanos(50)).unwrap());
        let changer = spawn({
            let limiter = limiter.clone();
            move || limiter.reconfigure(two, Carry::Fraction)
        });
        assert!(limiter.try_acquire(&1, 1).is_ok());
        let waits = wait(&limiter, 1).waiting();
        changer.join().unwrap();
        let last = wait(&limiter, 1).waiting();
        // One that was spent before has its share left to wait; nothing had passed of it.
        assert_eq!((clock.time().next(), clock.time().pending()), (at(50), 1));
        clock.jump_to(at(50));
        assert_eq!(waits.finish(Pending), Ok(()));
        assert_eq!((clock.time().next(), clock.time().pending()), (at(100), 1));
        clock.jump_to(at(100));
        assert!(last.woken());
        drop(last);
        assert_eq!((limiter.keys.busy(), clock.time().pending()), (0, 0));
        assert!(limiter.try_acquire(&1, 1).is_ok() && limiter.try_acquire(&1, 1).is_err());
    });
}

#[test]
fn loom_of_two_changes_at_once_one_is_the_last_for_all_keys() {
    model(|| {
        let (clock, limiter) = keyed(None);
        limiter.try_acquire(&1, 1).unwrap();
        let every = |nanos| Gcra::new(Quota::new(NonZeroU32::MIN, Duration::from_nanos(nanos)).unwrap());
        let changer = spawn({
            let limiter = limiter.clone();
            move || limiter.reconfigure(every(50), Carry::Fraction)
        });
        limiter.reconfigure(every(200), Carry::Fraction);
        changer.join().unwrap();
        let last = limiter.quota().period();
        for key in 1..4 {
            let _ = limiter.try_acquire(&key, 1);
            let earliest = clock.time().now() + last;
            assert_eq!(limiter.try_acquire(&key, 1), Err(TryAcquireError::NotYet { earliest }));
        }
    });
}
