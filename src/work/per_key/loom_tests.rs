//! Items that end on other threads while the source looks.

use super::ends::{Ends, Teller};
use super::groups::Groups;
use super::source::Keyed;
use crate::sys::Arc;
use crate::sys::model::{Task, model, spawn};
use crate::work::outcome::{Count, Ended, ItemOutcome, Sink};
use crate::work::source::{IntoSource, Source};
use core::future::poll_fn;
use core::task::Poll;

#[test]
fn loom_who_waits_for_room_hears_of_the_item_that_leaves_it() {
    model(|| {
        let ends = Arc::new(Ends::new(false));
        let items = IntoSource::into_source([10, 20, 11]);
        let mut source = Keyed::new(items, |item: &u32| item / 10, Groups::new(1, 5), ends.clone());
        let mut pull = Task::new(async move {
            let mut pulled = [0; 3];
            for item in &mut pulled {
                *item = poll_fn(|cx| source.poll_pull(cx)).await.expect("there is one");
            }
            pulled
        });
        assert!(pull.poll().is_pending(), "the third one has no room");
        let end = |index| {
            let mut teller = Teller { ends: ends.clone(), sink: Count::new() };
            spawn(move || teller.accept(Ended::new(index, Some(0), ItemOutcome::<u32, (), ()>::Done(()))))
        };
        let (first, second) = (end(0), end(1));
        let polled: Poll<_> = pull.poll();
        first.join().unwrap();
        second.join().unwrap();
        assert_eq!(pull.finish(polled), [10, 20, 11]);
    });
}
