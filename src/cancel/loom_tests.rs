//! Rule e's last sentence between threads: whoever begins to wait, in whatever branch, is woken or sees the flag; so do those
//! behind shields, those who watch for a grace, and runs that wait for holds.

use super::shield::Shelter;
use super::*;
use crate::sys::Arc;
use crate::sys::atomic::{AtomicBool, Ordering};
use crate::sys::model::{Meeting, model, spawn};
use crate::sys::waker::hooked::counter;
use crate::time::{Clock, Instant, Time};
use alloc::boxed::Box;
use core::cell::RefCell;
use core::future::Future;
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use core::time::Duration;

/// A clock that stands still: nothing here waits for time.
struct Still;

impl Clock for Still {
    fn now(&self) -> Instant {
        Instant::EPOCH
    }

    fn arm(&self, _: Instant) {}
}

fn root() -> Scope {
    Scope::new(Time::new(Still))
}

type Wait = Pin<Box<UntilCancelled>>;

fn wait(scope: &Scope) -> Wait {
    Box::pin(scope.cancelled())
}

fn poll(wait: &mut Wait, waker: &Waker) -> bool {
    wait.as_mut().poll(&mut Context::from_waker(waker)).is_ready()
}

/// Begins to wait for `scope`: ready at once, or woken once the race is over.
fn begin(scope: &Scope) -> impl FnOnce() + Send + use<> {
    let mut wait = wait(scope);
    let (count, waker) = counter();
    let ready = poll(&mut wait, &waker);
    move || {
        assert!(ready || count.load(Ordering::Relaxed) > 0, "neither ready nor woken");
        assert!(ready || poll(&mut wait, &waker), "woken for nothing");
    }
}

#[test]
fn loom_a_first_wait_that_races_with_cancelling_is_ready_or_woken() {
    model(|| {
        let root = root();
        let canceller = spawn({
            let root = root.clone();
            move || root.cancel("race")
        });
        let check = begin(&root);
        assert!(canceller.join().unwrap());
        check();
    });
}

#[test]
fn loom_a_child_that_is_made_and_attached_while_its_root_is_cancelled_is_told() {
    model(|| {
        let root = root();
        let canceller = spawn({
            let root = root.clone();
            move || root.cancel("race")
        });
        let child = root.child().child();
        let check = begin(&child);
        canceller.join().unwrap();
        check();
        assert!(child.is_cancelled() && !child.cancel_called());
    });
}

#[test]
fn loom_two_children_that_attach_below_one_node_while_the_root_is_cancelled_are_told() {
    model(|| {
        let root = root();
        let middle = root.child();
        let other = spawn({
            let child = middle.child();
            move || begin(&child)
        });
        let child = middle.child();
        let first = spawn(move || begin(&child));
        root.cancel("race");
        other.join().unwrap()();
        first.join().unwrap()();
    });
}

#[test]
fn loom_a_wait_that_is_dropped_while_its_scope_is_cancelled_takes_nobody_along() {
    model(|| {
        let root = root();
        let child = root.child();
        let (count, waker) = counter();
        let mut stays = wait(&child);
        let mut dropped = wait(&child);
        assert!(!poll(&mut dropped, Waker::noop()) && !poll(&mut stays, &waker));
        let canceller = spawn({
            let root = root.clone();
            move || root.cancel("race")
        });
        drop((dropped, child));
        canceller.join().unwrap();
        assert_eq!(count.load(Ordering::Relaxed), 1);
        assert!(poll(&mut stays, &waker));
    });
}

#[test]
fn loom_a_branch_that_is_dropped_while_its_root_is_cancelled_is_freed() {
    model(|| {
        let root = root();
        let canceller = spawn({
            let root = root.clone();
            move || root.cancel("race")
        });
        let mut wait = wait(&root.child().child());
        let _ = poll(&mut wait, Waker::noop());
        drop(wait);
        canceller.join().unwrap();
        assert!(root.is_cancelled());
    });
}

#[test]
fn loom_a_first_wait_that_races_with_an_earlier_deadline_sees_it_or_is_woken() {
    model(|| {
        let root = root().child_at(Instant::from_nanos(50));
        let mover = spawn({
            let root = root.clone();
            move || root.set_deadline(Instant::EPOCH)
        });
        let check = begin(&root.child());
        mover.join().unwrap();
        check();
        assert!(root.cancel_called());
    });
}

#[test]
fn loom_who_joins_below_a_node_while_that_is_swept_is_woken_by_the_next_sweep() {
    model(|| {
        let root = root().child_at(Instant::from_nanos(50));
        let child = root.child();
        let mut there = wait(&child);
        assert!(!poll(&mut there, Waker::noop()));
        let mover = spawn({
            let root = root.clone();
            move || root.set_deadline(Instant::from_nanos(40))
        });
        let (mut joins, (count, waker)) = (wait(&child), counter());
        assert!(!poll(&mut joins, &waker));
        mover.join().unwrap();
        root.cancel("over");
        assert!(count.load(Ordering::Relaxed) > 0, "it stands in no line that leads to it");
    });
}

#[test]
fn loom_a_child_that_ends_while_its_parent_is_swept_is_there_until_the_sweep_has_left_it() {
    model(|| {
        let root = root();
        let child = root.child();
        let mut wait = wait(&child);
        assert!(!poll(&mut wait, Waker::noop()));
        let canceller = spawn({
            let root = root.clone();
            move || root.cancel("race")
        });
        drop(wait);
        drop(child);
        assert!(canceller.join().unwrap());
    });
}

#[test]
fn loom_a_chain_that_is_taken_apart_while_its_root_is_swept_has_been_left_by_the_sweep() {
    model(|| {
        let root = root();
        let middle = root.child();
        let last = middle.child();
        let mut wait = wait(&last);
        assert!(!poll(&mut wait, Waker::noop()));
        drop(middle);
        let canceller = spawn({
            let root = root.clone();
            move || root.cancel("race")
        });
        drop(wait);
        drop(last);
        assert!(canceller.join().unwrap());
    });
}

#[test]
fn loom_who_finds_a_scope_cancelled_sees_what_was_done_before() {
    model(|| {
        let (root, done, meeting) = (root(), Arc::new(AtomicBool::new(false)), Meeting::new());
        // It becomes a node here.
        let seen = root.child();
        let canceller = spawn({
            let (root, done, meeting) = (root.clone(), done.clone(), meeting.clone());
            move || {
                done.store(true, Ordering::Relaxed);
                root.cancel("race");
                meeting.over();
            }
        });
        meeting.begin();
        assert!(!seen.is_cancelled() || done.load(Ordering::Relaxed));
        canceller.join().unwrap();
    });
}

#[test]
fn loom_two_reasons_that_race_leave_one() {
    model(|| {
        let root = root();
        let (count, waker) = counter();
        let mut wait = wait(&root);
        assert!(!poll(&mut wait, &waker));
        let other = spawn({
            let root = root.clone();
            move || root.cancel("other")
        });
        let first = root.cancel("first");
        let second = other.join().unwrap();
        assert!(first != second, "one of them is first");
        assert_eq!(root.reason(), Some(Reason::from(if first { "first" } else { "other" })));
        assert_eq!(count.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn loom_a_wait_that_relies_on_links_which_another_is_still_making_is_woken() {
    model(|| {
        let root = root();
        let below = root.child().child();
        let waits = [below.clone(), below].map(|scope| spawn(move || begin(&scope)));
        root.cancel("race");
        for wait in waits {
            wait.join().unwrap()();
        }
    });
}

#[test]
fn loom_an_inline_scope_that_is_shared_while_its_deadline_is_noticed_stays_cancelled() {
    model(|| {
        let root = root();
        let scope = Arc::new(Scope::below(Ok(root.branch()), Instant::EPOCH));
        let sharer = spawn({
            let scope = scope.clone();
            move || Scope::clone(&scope)
        });
        assert!(scope.check().is_err(), "its time is over");
        assert!(scope.is_cancelled(), "what was cancelled stays so");
        assert!(sharer.join().unwrap().is_cancelled());
    });
}

#[test]
fn loom_an_inline_scope_that_is_shared_while_its_deadline_is_noticed_is_not_seen_to_revive() {
    model(|| {
        let root = root();
        let scope = Arc::new(Scope::below(Ok(root.branch()), Instant::EPOCH));
        let sharer = spawn({
            let scope = scope.clone();
            move || Scope::clone(&scope)
        });
        let notices = spawn({
            let scope = scope.clone();
            move || scope.check().is_err()
        });
        let [before, after] = [scope.is_cancelled(), scope.is_cancelled()];
        assert!(after || !before, "what was cancelled stays so");
        assert!(notices.join().unwrap() && sharer.join().unwrap().is_cancelled());
    });
}

#[test]
fn loom_h_a_first_wait_behind_a_shield_that_races_with_a_lower_budget_is_ready_or_woken() {
    model(|| {
        let root = root();
        root.cancel("before");
        let shelter = Shelter::new(&root, Duration::from_nanos(5));
        let lower = spawn({
            let shield = shelter.scope().clone();
            move || shield.set_budget(Duration::ZERO).unwrap()
        });
        let check = begin(&shelter.scope().child());
        lower.join().unwrap();
        check();
    });
}

#[test]
fn loom_h_a_first_wait_behind_a_shield_that_races_with_its_end_is_ready_or_woken() {
    model(|| {
        let root = root();
        root.cancel("before");
        let shelter = Shelter::new(&root, Duration::MAX);
        let child = shelter.scope().child();
        let ends = spawn(move || drop(shelter));
        let check = begin(&child);
        ends.join().unwrap();
        check();
        assert!(child.is_cancelled() && !child.cancel_called());
    });
}

#[test]
fn loom_h_a_wait_behind_a_shield_hears_of_a_cancelling_and_of_a_lower_budget_that_race() {
    model(|| {
        let root = root();
        let shelter = Shelter::new(&root, Duration::MAX);
        let check = begin(shelter.scope());
        let canceller = spawn({
            let root = root.clone();
            move || root.cancel("race")
        });
        shelter.scope().set_budget(Duration::ZERO).unwrap();
        canceller.join().unwrap();
        check();
    });
}

#[test]
fn loom_j_a_first_wait_for_a_grace_that_races_with_its_beginning_is_ready_or_woken() {
    model(|| {
        let root = root();
        let child = root.child();
        let drainer = spawn({
            let root = root.clone();
            move || root.cancel_with_grace("race", Duration::MAX)
        });
        let mut draining = Box::pin(child.draining());
        let (count, waker) = counter();
        let mut cx = Context::from_waker(&waker);
        let ready = draining.as_mut().poll(&mut cx).is_ready();
        assert!(drainer.join().unwrap());
        assert!(ready || count.load(Ordering::Relaxed) > 0, "neither ready nor woken");
        assert!(ready || draining.as_mut().poll(&mut cx).is_ready());
        assert!(child.is_draining() && !child.is_cancelled());
    });
}

#[test]
fn loom_j_a_grace_and_a_cancelling_that_race_leave_the_first_reason() {
    model(|| {
        let root = root();
        let canceller = spawn({
            let root = root.clone();
            move || root.cancel("at once")
        });
        let drained = root.cancel_with_grace("at leisure", Duration::MAX);
        let check = begin(&root);
        assert!(canceller.join().unwrap(), "the grace does not cancel");
        check();
        assert_eq!(root.reason(), Some(Reason::from(if drained { "at leisure" } else { "at once" })));
    });
}

#[test]
fn loom_a_run_that_begins_to_wait_for_what_was_left_behind_while_that_goes_is_woken() {
    model(|| {
        let root = root();
        let (child, left) = (root.child(), RefCell::new(None));
        let body = core::future::poll_fn(|_| {
            let open = child.keep_open();
            *left.borrow_mut() = Some(spawn(move || drop(open)));
            Poll::Ready(())
        });
        let mut run = pin!(root.run(body));
        let (count, waker) = counter();
        let mut cx = Context::from_waker(&waker);
        let ready = run.as_mut().poll(&mut cx).is_ready();
        left.take().expect("the body was polled").join().unwrap();
        assert!(ready || count.load(Ordering::Relaxed) > 0, "neither ready nor woken");
        assert!(ready || run.as_mut().poll(&mut cx).is_ready());
    });
}
