//! Two stages on two threads: neither waits for what is there.

use super::link::Link;
use crate::sys::Arc;
use crate::sys::model::{Task, model, spawn};
use core::future::poll_fn;

fn link(buffer: usize, is_ordered: bool) -> Arc<Link<u8>> {
    Arc::new(Link::new(buffer, 1, is_ordered))
}

/// Takes so many, and what comes behind them.
async fn take(link: Arc<Link<u8>>, times: usize) -> alloc::vec::Vec<Option<u8>> {
    let mut all = alloc::vec::Vec::new();
    for _ in 0..times {
        all.push(poll_fn(|cx| link.poll_take(cx)).await);
    }
    all
}

#[test]
fn loom_who_awaits_a_result_is_told_of_it_and_of_the_end() {
    for is_ordered in [false, true] {
        model(move || {
            let link = link(1, is_ordered);
            let mut task = Task::new(take(link.clone(), 2));
            let before = spawn(move || {
                link.begin();
                link.begin();
                link.end(0, None);
                link.end(1, Some(7));
                link.over();
            });
            let first = task.poll();
            before.join().unwrap();
            assert_eq!(task.finish(first), [Some(7), None]);
        });
    }
}

#[test]
fn loom_who_waits_for_room_is_told_when_a_result_is_taken_or_an_item_fails() {
    for fails in [false, true] {
        model(move || {
            let link = link(1, false);
            link.begin();
            link.end(0, Some(7));
            link.begin();
            let (mut pull, held) = (
                Task::new({
                    let link = link.clone();
                    async move { poll_fn(|cx| link.poll_room(cx)).await }
                }),
                link,
            );
            let other = spawn(move || match fails {
                false => assert!(Task::new(take(held, 1)).poll().is_ready()),
                true => held.end(1, None),
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
        let link = link(1, true);
        link.begin();
        let mut waits = Task::new({
            let link = link.clone();
            async move {
                poll_fn(|cx| link.poll_over(cx)).await;
                link.empty()
            }
        });
        let before = spawn(move || {
            link.end(0, Some(7));
            link.over();
        });
        let first = waits.poll();
        before.join().unwrap();
        assert_eq!(waits.finish(first), [7]);
    });
}
