//! Children that rest while something on another thread concerns them: each is told.

use super::*;
use crate::cancel::Scope;
use crate::spawn::Task;
use crate::sys::atomic::{AtomicBool, Ordering};
use crate::sys::model::{model, spawn};
use crate::sys::waker::hooked::{counter, unlike_its_clones};
use crate::sys::{Arc, Lock};
use crate::time::{Clock, Instant, Time};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::future::{Future, pending};
use core::pin::{Pin, pin};
use core::task::{Context, Waker};

/// A clock that stands still: nothing here waits for time.
struct Still;

impl Clock for Still {
    fn now(&self) -> Instant {
        Instant::EPOCH
    }

    fn arm(&self, _: Instant) {}
}

/// Keeps the tasks, to be polled by hand.
#[derive(Clone)]
struct Kept(Arc<Lock<Vec<Task>>>);

impl Kept {
    fn new() -> Self {
        Self(Arc::new(Lock::new(Vec::new())))
    }

    fn take(&self) -> Task {
        self.0.with(Vec::pop).expect("a task was spawned")
    }
}

impl crate::spawn::Spawn for Kept {
    fn spawn(&self, task: Task) {
        self.0.with(|tasks| tasks.push(task));
    }
}

fn poll<F: Future + ?Sized>(future: Pin<&mut F>, waker: &Waker) -> bool {
    future.poll(&mut Context::from_waker(waker)).is_ready()
}

/// Polls a task once: it is done, or will be woken, and is done then.
fn polled(mut task: Task) -> impl FnOnce() + Send {
    let (count, waker) = counter();
    let ready = poll(Pin::new(&mut task), &waker);
    move || {
        assert!(ready || count.load(Ordering::Relaxed) > 0, "neither done nor woken");
        assert!(ready || poll(Pin::new(&mut task), &waker), "woken for nothing");
    }
}

type Run = Pin<Box<RunGroup<core::future::Pending<Result<(), ()>>, (), ()>>>;

/// A group whose body waits for ever, with so many children that do.
fn endless(scope: &Scope, kept: &Kept, children: usize) -> (Run, TaskGroup<()>) {
    let mut opened = None;
    let run = group(kept.clone()).run(scope, |g| {
        for _ in 0..children {
            drop(g.spawn("child", pending::<Result<(), ()>>()).expect("it is open"));
        }
        opened = Some(g);
        pending()
    });
    (Box::pin(run), opened.expect("the closure is called at once"))
}

#[test]
fn loom_a_child_that_comes_to_rest_while_its_scope_is_cancelled_is_told() {
    model(|| {
        let (scope, kept) = (Scope::new(Time::new(Still)), Kept::new());
        let (run, group) = endless(&scope, &kept, 2);
        // This one waits for the scope on behalf of both.
        let first = polled(kept.take());
        let canceller = spawn(move || scope.cancel("race"));
        let second = polled(kept.take());
        assert!(canceller.join().unwrap());
        first();
        second();
        assert_eq!(group.count().cancelled, 2);
        drop(run);
    });
}

#[test]
fn loom_children_that_come_to_rest_together_are_told_later() {
    model(|| {
        let (scope, kept) = (Scope::new(Time::new(Still)), Kept::new());
        let (run, group) = endless(&scope, &kept, 2);
        let task = kept.take();
        let other = spawn(move || polled(task));
        let one = polled(kept.take());
        let two = other.join().unwrap();
        assert!(scope.cancel("afterwards"));
        one();
        two();
        assert_eq!(group.count().cancelled, 2);
        drop(run);
    });
}

#[test]
fn loom_a_child_that_its_handle_cancels_is_told() {
    model(|| {
        let (scope, kept) = (Scope::new(Time::new(Still)), Kept::new());
        let mut handle = None;
        let run = group::<()>(kept.clone()).run(&scope, |g| {
            handle = Some(g.spawn("child", pending::<Result<(), ()>>()).expect("it is open"));
            pending::<Result<(), ()>>()
        });
        let (run, handle, task) = (Box::pin(run), handle.expect("spawned"), kept.take());
        let canceller = spawn(move || {
            assert!(handle.cancel("race"));
            handle
        });
        let check = polled(task);
        let handle = canceller.join().unwrap();
        check();
        assert_eq!(handle.status(), Status::Cancelled);
        drop(run);
    });
}

#[test]
fn loom_a_child_of_a_local_group_that_its_handle_cancels_is_told() {
    model(|| {
        let scope = Scope::new(Time::new(Still));
        let mut handle = None;
        let mut run = pin!(local_group::<()>().report(&scope, |g| {
            handle = Some(g.spawn("child", pending::<Result<(), ()>>()).expect("it is open"));
            core::future::ready(Ok(()))
        }));
        let handle = handle.expect("spawned");
        let canceller = spawn(move || {
            assert!(handle.cancel("race"));
            handle
        });
        let (count, waker) = counter();
        let over = poll(run.as_mut(), &waker);
        let handle = canceller.join().unwrap();
        assert!(over || count.load(Ordering::Relaxed) > 0, "neither over nor woken");
        assert!(over || poll(run.as_mut(), &waker), "woken for nothing");
        assert_eq!(handle.status(), Status::Cancelled);
    });
}

#[test]
fn loom_a_result_that_nobody_wants_is_gone_when_its_child_is_counted() {
    struct Guard(Arc<AtomicBool>);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    model(|| {
        let (scope, kept, gone) = (Scope::new(Time::new(Still)), Kept::new(), Arc::new(AtomicBool::new(false)));
        let (guard, mut spawned) = (Guard(gone.clone()), None);
        let run = group::<()>(kept.clone()).run(&scope, |g| {
            let handle = g.spawn("child", core::future::ready(Ok(guard))).expect("it is open");
            spawned = Some((g, handle));
            pending::<Result<(), ()>>()
        });
        let (run, (group, handle), mut task) = (Box::pin(run), spawned.expect("spawned"), kept.take());
        let dropper = {
            let (group, gone) = (group.clone(), gone.clone());
            spawn(move || {
                drop(handle);
                assert!(group.count().done == 0 || gone.load(Ordering::Relaxed));
            })
        };
        assert!(poll(Pin::new(&mut task), Waker::noop()));
        dropper.join().unwrap();
        // Though there is the task yet.
        assert!((group.count().done, gone.load(Ordering::Relaxed)) == (1, true));
        drop((task, run));
    });
}

#[test]
fn loom_who_waits_for_the_end_is_told_by_the_last_child() {
    model(|| {
        let (scope, kept) = (Scope::new(Time::new(Still)), Kept::new());
        let mut handle = None;
        let mut opened = None;
        let run = group::<()>(kept.clone()).run(&scope, |g| {
            handle = Some(g.spawn("child", core::future::ready(Ok(7))).expect("it is open"));
            opened = Some(g);
            core::future::ready(Ok(()))
        });
        let (mut run, mut handle) = (Box::pin(run), handle.expect("spawned"));
        let mut task = kept.take();
        let child = spawn(move || assert!(poll(Pin::new(&mut task), Waker::noop())));
        let (woken, waker) = counter();
        let done = poll(run.as_mut(), &waker);
        let (joined, joiner) = counter();
        let result = poll(pin!(&mut handle), &joiner);
        child.join().unwrap();
        assert!(done || woken.load(Ordering::Relaxed) > 0, "the group is over, and nobody was told");
        assert!(result || joined.load(Ordering::Relaxed) > 0, "the child has ended, and nobody was told");
        assert!(done || poll(run.as_mut(), &waker));
        assert!(opened.expect("made").is_over() && handle.is_finished());
    });
}

#[test]
fn loom_a_start_and_what_gives_it_up_meet() {
    model(|| {
        let (scope, kept) = (Scope::new(Time::new(Still)), Kept::new());
        let mut start = None;
        let run = group::<()>(kept.clone()).run(&scope, |g| {
            let make = |starting: Starting<u8, ()>| async move {
                assert_eq!(starting.started(7), Ok(()));
                Ok(())
            };
            start = Some(g.start("child", make).expect("it is open"));
            pending::<Result<(), ()>>()
        });
        let (run, mut start, mut task) = (Box::pin(run), start.expect("started"), kept.take());
        let child = spawn(move || assert!(poll(Pin::new(&mut task), Waker::noop())));
        let (woken, waker) = counter();
        let done = poll(pin!(&mut start), &waker);
        child.join().unwrap();
        assert!(done || woken.load(Ordering::Relaxed) > 0, "started, and nobody was told");
        assert!(done || poll(pin!(&mut start), &waker));
        drop(run);
    });
}

/// The watch alone, with children that are no more than a place for a waker.
mod watched {
    use super::*;
    use crate::sys::waker::{Wake, waker};
    use crate::task::watch::Watch;

    struct Children {
        scope: Scope,
        watch: Watch,
        wakers: Lock<[Option<Waker>; 3]>,
    }

    impl Children {
        fn wake(&self) {
            let wakers = self.wakers.with(core::mem::take);
            wakers.into_iter().flatten().for_each(Waker::wake);
        }

        /// Comes to rest as a child does.
        fn rest(this: &Arc<Self>, number: usize) -> Resting {
            let (count, waiting) = counter();
            let mut told = this.scope.cause().is_some();
            if !told {
                this.wakers.with(|wakers| wakers[number] = Some(waiting));
                if this.watch.arm(&this.scope, || waker(Arc::new(Hook(this.clone())))) {
                    this.wake();
                }
                told = this.scope.cause().is_some();
            }
            Resting { told, count }
        }

        /// Two come to rest, and `first` who did before, while `f` is done to their scope; then it is cancelled.
        fn race(first: bool, f: fn(&Scope)) {
            let scope = Scope::new(Time::new(Still)).child_at(Instant::from_nanos(9));
            let wakers = Lock::new([None, None, None]);
            let children = Arc::new(Self { scope: scope.clone(), watch: Watch::new(), wakers });
            let first = first.then(|| Self::rest(&children, 0));
            let others = [1, 2].map(|number| {
                let children = children.clone();
                spawn(move || Self::rest(&children, number))
            });
            f(&scope);
            let mut all = Vec::from_iter(first);
            all.extend(others.map(|other| other.join().unwrap()));
            assert!(!scope.is_cancelled() || all.iter().all(Resting::is_told), "nobody told it");
            // Who was woken for nothing is done, so that it is no help to the others.
            all.retain(|resting| !resting.is_told());
            scope.cancel("at last");
            assert!(all.iter().all(Resting::is_told), "nobody told it at last");
            children.watch.stop();
        }
    }

    struct Resting {
        told: bool,
        count: Arc<crate::sys::atomic::AtomicUsize>,
    }

    impl Resting {
        fn is_told(&self) -> bool {
            self.told || self.count.load(Ordering::Relaxed) > 0
        }
    }

    struct Hook(Arc<Children>);

    impl Wake for Hook {
        fn wake(this: &Arc<Self>) {
            this.0.watch.fired();
            this.0.wake();
        }
    }

    #[test]
    fn loom_those_that_come_to_rest_while_the_scope_is_cancelled_are_told() {
        for first in [false, true] {
            model(move || {
                Children::race(first, |scope| {
                    scope.cancel("race");
                });
            });
        }
    }

    #[test]
    fn loom_those_that_come_to_rest_while_the_deadline_moves_are_told_later() {
        for first in [false, true] {
            model(move || Children::race(first, |scope| scope.set_deadline(Instant::from_nanos(7))));
        }
    }
}

#[test]
fn loom_a_child_rests_whose_waker_does_not_look_like_its_clones() {
    model(|| {
        let (scope, kept) = (Scope::new(Time::new(Still)), Kept::new());
        let (run, group) = endless(&scope, &kept, 1);
        let mut task = kept.take();
        let (count, waker) = unlike_its_clones();
        for _ in 0..3 {
            assert!(!poll(Pin::new(&mut task), &waker), "it waits for ever");
        }
        scope.cancel("afterwards");
        assert_eq!(count.load(Ordering::Relaxed), 1);
        assert!(poll(Pin::new(&mut task), &waker));
        assert_eq!(group.count().cancelled, 1);
        drop(run);
    });
}
