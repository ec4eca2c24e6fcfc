//! A limit of calls in flight that changes as calls begin and end, in every order of threads.

use super::*;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::task::Poll::Pending;

/// Two at once at first, and one after a call that was too much.
fn calls() -> Concurrency<Aimd> {
    let [one, two, three] = [1, 2, 3].map(|n| NonZeroU32::new(n).unwrap());
    Concurrency::new(&ManualClock::new().time(), Aimd::new(Bounds::new(one, two, three).unwrap()))
}

/// Launches, and is over at once without a word.
fn launch(calls: &Concurrency<Aimd>) -> Task<u32> {
    let calls = calls.clone();
    Task::new(async move {
        let _flight = calls.launch().await;
        calls.in_flight()
    })
}

#[test]
fn loom_a_limit_that_shrinks_as_somebody_comes_lets_him_in_before_or_after() {
    model(|| {
        let calls = calls();
        let flight = calls.try_launch().unwrap();
        let mut comes = launch(&calls);
        let other = spawn(move || {
            let first = comes.poll();
            (comes, first)
        });
        // It makes room, and leaves room for one.
        flight.end(Feedback::Overloaded);
        let (comes, first) = other.join().unwrap();
        assert!((1..=2).contains(&comes.finish(first)));
        assert_eq!((calls.limit(), calls.in_flight()), (1, 0));
        let one = calls.try_launch();
        assert!(one.is_some() && calls.try_launch().is_none(), "what the semaphore has is what the limit says");
    });
}

#[test]
fn loom_a_call_that_ends_as_the_limit_shrinks_leaves_room_for_who_waits() {
    model(|| {
        let calls = calls();
        let [first, second] = [(); 2].map(|()| calls.clone());
        let (first, second) = (Box::leak(Box::new(first)), Box::leak(Box::new(second)));
        let (one, two) = (first.try_launch().unwrap(), second.try_launch().unwrap());
        let waits = launch(&calls).waiting();
        let other = spawn(move || one.end(Feedback::Overloaded));
        drop(two);
        other.join().unwrap();
        assert_eq!(waits.finish(Pending), 1);
        assert_eq!((calls.limit(), calls.in_flight()), (1, 0));
        let one = calls.try_launch();
        assert!(one.is_some() && calls.try_launch().is_none());
    });
}

#[test]
fn loom_two_that_learn_at_once_leave_what_was_learnt_last() {
    model(|| {
        let calls = calls();
        let [first, second] = [(); 2].map(|()| &*Box::leak(Box::new(calls.clone())));
        let (one, two) = (first.try_launch().unwrap(), second.try_launch().unwrap());
        let other = spawn(move || one.end(Feedback::Overloaded));
        two.end(Feedback::Answered);
        other.join().unwrap();
        let limit = calls.limit();
        let flights: Vec<_> = (0..4).map_while(|_| calls.try_launch()).collect();
        assert_eq!(flights.len(), limit as usize, "the semaphore was told");
    });
}
