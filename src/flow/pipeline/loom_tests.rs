//! Two stages on two threads: neither waits for what is there.

use super::link::{Entry, Exit, Gate, Link, Tells};
use crate::sys::model::{Task, model, spawn};
use alloc::vec::Vec;
use core::future::poll_fn;
use core::task::{Context, Poll, Waker};

const WAYS: [Tells; 2] = [Tells::AtRest, Tells::Promptly];

/// Takes so many, and what comes behind them; tells of the room at the end.
async fn take(mut exit: Exit<u8>, times: usize) -> Vec<Option<u8>> {
    let mut all = Vec::new();
    for _ in 0..times {
        all.push(poll_fn(|cx| exit.poll_take(cx)).await);
    }
    exit.settle();
    all
}

async fn has_room(mut gate: Gate<u8>) {
    poll_fn(|cx| gate.poll_room(cx)).await;
}

#[test]
fn loom_who_awaits_a_result_is_told_of_it_and_of_the_end() {
    for (tells, is_ordered) in WAYS.into_iter().zip([false, true]) {
        model(move || {
            let link = Link::new();
            let mut entry = Entry::new(&link, tells, is_ordered);
            let mut task = Task::new(take(Exit::new(&link, tells), 2));
            let before = spawn(move || {
                entry.end(0, None);
                entry.end(1, Some(7));
                entry.settle();
                entry.over();
            });
            let first = task.poll();
            before.join().unwrap();
            assert_eq!(task.finish(first), [Some(7), None]);
        });
    }
}

#[test]
fn loom_who_waits_for_room_is_told_when_a_result_is_taken_or_an_item_fails() {
    for (tells, fails) in WAYS.into_iter().flat_map(|tells| [(tells, false), (tells, true)]) {
        model(move || {
            let link = Link::new();
            let (mut gate, mut entry) = (Gate::new(&link, 2), Entry::new(&link, tells, false));
            gate.begin();
            entry.end(0, Some(7));
            entry.settle();
            gate.begin();
            let mut pull = Task::new(has_room(gate));
            let other = spawn(move || match fails {
                false => assert!(Task::new(take(Exit::new(&link, tells), 1)).poll().is_ready()),
                true => {
                    entry.end(1, None);
                    entry.settle();
                }
            });
            let first = pull.poll();
            other.join().unwrap();
            pull.finish(first);
        });
    }
}

#[test]
fn loom_a_stage_waits_for_the_end_of_the_one_before() {
    model(|| {
        let link = Link::new();
        let mut entry = Entry::new(&link, Tells::Promptly, true);
        let mut waits = Task::new({
            let link = link.clone();
            async move {
                poll_fn(|cx| link.poll_over(cx)).await;
                link.empty()
            }
        });
        let before = spawn(move || {
            entry.end(0, Some(7));
            entry.over();
        });
        let first = waits.poll();
        before.join().unwrap();
        assert_eq!(waits.finish(first), [7]);
    });
}

/// What is there now.
fn taken(exit: &mut Exit<u64>) -> Poll<Option<u64>> {
    exit.poll_take(&Context::from_waker(Waker::noop()))
}

#[test]
fn in_order_nothing_overtakes_and_what_fails_or_is_lost_holds_up_nothing() {
    model(|| {
        let link = Link::new();
        let mut exit = Exit::new(&link, Tells::Promptly);
        let mut entry = Entry::new(&link, Tells::Promptly, true);
        entry.end(0, Some(0));
        assert_eq!(taken(&mut exit), Poll::Ready(Some(0)));
        for index in [4, 2] {
            entry.end(index, Some(index));
            assert!(taken(&mut exit).is_pending());
        }
        entry.end(1, Some(1));
        assert_eq!([taken(&mut exit), taken(&mut exit)], [1, 2].map(|n| Poll::Ready(Some(n))));
        entry.end(6, None);
        entry.end(3, None);
        assert_eq!([taken(&mut exit), taken(&mut exit)], [Poll::Ready(Some(4)), Poll::Pending]);
        entry.end(7, Some(7));
        assert!(taken(&mut exit).is_pending(), "the fifth may yet come");
        entry.over();
        assert_eq!([taken(&mut exit), taken(&mut exit)], [Some(7), None].map(Poll::Ready));
    });
}

#[test]
fn what_is_put_back_is_before_what_came_since() {
    model(|| {
        let link = Link::new();
        let mut exit = Exit::new(&link, Tells::AtRest);
        let mut entry = Entry::new(&link, Tells::AtRest, false);
        (0..3).for_each(|index| entry.end(index, Some(index)));
        assert!(taken(&mut exit).is_pending(), "it is told at rest");
        entry.settle();
        assert_eq!(taken(&mut exit), Poll::Ready(Some(0)));
        entry.end(3, Some(3));
        entry.settle();
        assert_eq!(exit.remaining(), Some(3));
        exit.put_back();
        assert_eq!(link.empty(), [1, 2, 3]);
    });
}
