use super::*;
use crate::sync::{Barrier, BarrierWait, BarrierWaitResult};
use core::num::NonZeroUsize;

fn barrier(size: usize) -> Barrier {
    Barrier::new(NonZeroUsize::new(size).unwrap())
}

fn leads(result: BarrierWaitResult) -> bool {
    result.is_leader()
}

#[test]
fn the_last_to_arrive_leads_and_lets_the_others_go_round_after_round() {
    let barrier = barrier(3);
    assert_eq!(barrier.size().get(), 3);
    for _ in 0..3 {
        let all = [Task::waiting(barrier.wait()), Task::waiting(barrier.wait())];
        assert_eq!((wakes(&all), barrier.arrived()), ([0, 0].into(), 2));
        assert!(leads(now(barrier.wait())));
        assert_eq!(barrier.arrived(), 0);
        assert!(!all.map(Task::woken).into_iter().any(leads));
    }
}

#[test]
fn a_barrier_of_one_stops_nobody() {
    assert!(leads(now(barrier(1).wait())));
}

#[test]
fn an_arrival_that_is_dropped_is_withdrawn() {
    let barrier = barrier(2);
    drop(Task::waiting(barrier.wait()));
    assert_eq!(barrier.arrived(), 0);
    let stays = Task::waiting(barrier.wait());
    drop(Task::new(barrier.wait()));
    assert_eq!((barrier.arrived(), stays.wakes()), (1, 0), "one that was not polled did not arrive");
    assert!(leads(now(barrier.wait())));
    assert!(!leads(stays.woken()));
}

#[test]
fn an_arrival_that_was_let_go_has_taken_part_though_it_is_dropped() {
    let barrier = barrier(2);
    let gone = Task::waiting(barrier.wait());
    now(barrier.wait());
    let next = Task::waiting(barrier.wait());
    drop(gone);
    assert_eq!((barrier.arrived(), next.wakes()), (1, 0));
    now(barrier.wait());
    next.woken();
}

#[test]
fn who_comes_while_a_long_round_is_let_go_belongs_to_the_next() {
    let barrier = barrier(101);
    let mut first = Box::pin(barrier.wait());
    let late = barrier.clone();
    let comes = move || {
        let task: Task<BarrierWait<'_>> = Task::waiting(late.wait());
        assert_eq!(late.arrived(), 1);
        drop(task);
        assert_eq!(late.arrived(), 0);
    };
    assert!(poll_with(first.as_mut(), comes).is_pending());
    let rest: Vec<_> = (0..99).map(|_| Task::waiting(barrier.wait())).collect();
    now(barrier.wait());
    rest.into_iter().for_each(|task| assert!(!leads(task.woken())));
    assert_eq!(barrier.arrived(), 0);
}

#[test]
fn one_of_a_long_round_that_is_dropped_while_it_is_let_go_is_not_missed_in_the_next() {
    type Kept = crate::sys::Lock<Option<Task<BarrierWait<'static>>>>;
    let barrier: &'static Barrier = Box::leak(Box::new(barrier(100)));
    let (last, late) = (Arc::new(Kept::new(None)), Arc::new(Kept::new(None)));
    let (leaves, comes) = (last.clone(), late.clone());
    // What panics in here ends there, so it is looked at below.
    let turn = move || {
        let next = Task::waiting(barrier.wait());
        comes.with(|late| *late = Some(next));
        drop(leaves.with(Option::take));
    };
    let mut first = Box::pin(barrier.wait());
    assert!(poll_with(first.as_mut(), turn).is_pending());
    let rest: Vec<_> = (0..97).map(|_| Task::waiting(barrier.wait())).collect();
    let task = Task::waiting(barrier.wait());
    last.with(|last| *last = Some(task));
    now(barrier.wait());
    assert!(last.with(Option::take).is_none(), "it was dropped before its turn to be woken");
    assert_eq!(barrier.arrived(), 1, "the one who came meanwhile");
    drop(late.with(Option::take));
    assert_eq!(barrier.arrived(), 0);
    rest.into_iter().for_each(|task| assert!(!leads(task.woken())));
}

#[cfg(all(test, feature = "std"))]
#[test]
fn a_waker_that_panics_keeps_nobody_at_a_barrier() {
    let barrier = barrier(102);
    let comes_last = || assert!(leads(now(barrier.wait())));
    assert!(!a_waker_that_panics_leaves_nobody_asleep(|| barrier.wait(), comes_last), "who came last has to know");
}
