//! Waiting for several futures in one task, and what becomes of the losers.

use crate::support::{Counter, Cx, LONG, Spawner, again, ms, ok, poll};
use futures::stream::{FusedStream, Stream};
use std::future::{Future, pending, ready};
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Poll};
use wakeful::sync::Event;
use wakeful::task::{
    ChildError, FutureSet, Handle, LocalHandle, Policy, as_completed, first_completed, group, join_all, join_until,
    local_group, map_bounded, race, try_join_all, try_join_handles,
};

/// Takes so many milliseconds, and counts its drop.
fn takes<S: Spawner>(cx: &Cx<S>, millis: u64, gone: &Counter) -> impl Future<Output = u64> + Send + 'static {
    let (sleep, guard) = (cx.sleep(millis), gone.on_drop());
    async move {
        let _guard = guard;
        sleep.await;
        millis
    }
}

pub(crate) async fn outputs_of_all_are_in_the_order_of_their_futures(cx: Cx<impl Spawner>) {
    let gone = Counter::new();
    assert_eq!(join_all([3, 1, 2].map(|millis| takes(&cx, millis, &gone))).await, [3, 1, 2]);
    assert_eq!(gone.count(), 3);
    cx.assert_at(3);
    let none: [std::future::Ready<()>; 0] = [];
    assert_eq!(join_all(none).await, []);
}

pub(crate) async fn the_first_error_drops_the_others_before_it_is_given(cx: Cx<impl Spawner>) {
    let gone = Counter::new();
    let fails = |millis| {
        let takes = takes(&cx, millis, &gone);
        async move { if takes.await == 2 { Err("two") } else { Ok(millis) } }
    };
    let failed = try_join_all([100_000, 2, 100_000].map(fails)).await.unwrap_err();
    assert_eq!((failed.index, failed.error, gone.count()), (1, "two", 3));
    assert_eq!(failed.to_string(), "number 1 failed: two");
    assert_eq!(try_join_all([3, 1].map(fails)).await.unwrap(), [3, 1]);
}

pub(crate) async fn the_winner_of_a_race_outlives_the_losers(cx: Cx<impl Spawner>) {
    let gone = Counter::new();
    assert_eq!(race([100_000, 2, 100_000].map(|millis| takes(&cx, millis, &gone))).await, Some((1, 2)));
    assert_eq!(gone.count(), 3);
    assert_eq!(race([ready(7), ready(8)]).await, Some((0, 7)), "of those that are ready the earliest given wins");
    let nobody: [std::future::Ready<()>; 0] = [];
    assert_eq!(race(nobody).await, None, "a race without entrants is over at once");
}

pub(crate) async fn the_first_to_be_completed_leaves_the_others_running(cx: Cx<impl Spawner>) {
    let (gone, later) = (Counter::new(), cx.soon() + 4);
    let mut first = first_completed([later, 2, 100_000].map(|millis| takes(&cx, millis, &gone))).await.unwrap();
    assert_eq!((first.index, first.output, first.rest.len(), gone.count()), (1, 2, 2, 1));
    assert_eq!(first.rest.join_next().await, Some((0, later)));
    cx.assert_at(later);
    drop(first);
    assert_eq!(gone.count(), 3);
    assert!(first_completed(None::<std::future::Ready<()>>).await.is_none());
}

pub(crate) async fn b_what_is_done_at_the_instant_of_the_limit_counts(cx: Cx<impl Spawner>) {
    let gone = Counter::new();
    let limit = cx.soon();
    let futures = [100_000, limit, 1].map(|millis| takes(&cx, millis, &gone));
    let partial = join_until(futures, cx.sleep(limit)).await;
    if cx.exact() {
        assert_eq!(partial.done, [(2, 1), (1, limit)]);
    }
    assert_eq!(partial.done.len() + partial.pending.len(), 3);
    assert_eq!(gone.count(), partial.done.len());
    cx.assert_at(limit);
    // More than the budget of one poll.
    let many = join_until((0..1_000).map(ready), ready(())).await;
    assert_eq!((many.done.len(), many.pending.len()), (1_000, 0));
    let early = join_until([ready(1)], pending::<()>()).await;
    assert_eq!(early.done, [(0, 1)], "all are done before the limit");
}

pub(crate) async fn a_break_out_of_those_that_are_completed_drops_the_rest(cx: Cx<impl Spawner>) {
    let gone = Counter::new();
    let mut completed = as_completed([4, 100_000, 2].map(|millis| takes(&cx, millis, &gone)));
    let mut order = Vec::new();
    while let Some((index, _)) = completed.join_next().await {
        order.push(index);
        if order.len() == 2 {
            break;
        }
    }
    if cx.exact() {
        assert_eq!(order, [2, 0]);
    }
    drop(completed);
    assert_eq!(gone.count(), 3);
}

pub(crate) async fn a_bounded_map_never_runs_more_than_its_limit(cx: Cx<impl Spawner>) {
    let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let map = |n: usize| {
        most.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
        let (sleep, running) = (cx.sleep(n as u64 % 3), &running);
        async move {
            sleep.await;
            running.fetch_sub(1, SeqCst);
            n
        }
    };
    let outputs = map_bounded(0..20, NonZeroUsize::new(3).unwrap(), map).gather().await;
    assert_eq!((outputs, most.into_inner(), running.into_inner()), ((0..20).collect(), 3, 0));
}

/// Counts its polls.
struct Polls<'a>(&'a Counter, Pin<Box<dyn Future<Output = ()> + Send + 'a>>);

impl Future for Polls<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.add();
        self.1.as_mut().poll(cx)
    }
}

pub(crate) async fn a_wake_up_polls_that_one_alone(cx: Cx<impl Spawner>) {
    let counters: Vec<_> = (0..300).map(|_| Counter::new()).collect();
    let events: Vec<_> = counters.iter().map(|_| Event::new()).collect();
    let one = |n: usize| Polls(&counters[n], Box::pin(events[n].wait()));
    let mut set: FutureSet<_> = (0..300).map(one).collect();
    let woken = Counter::new();
    let waker = woken.waker();
    let polled = |set: &mut FutureSet<_>| poll(pin!(set.join_next()), &waker);
    // The budget ends a poll in between.
    while woken.count() < 2 {
        assert!(polled(&mut set).is_pending());
    }
    assert!(polled(&mut set).is_pending());
    let before: Vec<_> = counters.iter().map(Counter::count).collect();
    for n in [0, 17, 299] {
        let woken_before = woken.count();
        events[n].set();
        assert_eq!(woken.count(), woken_before + 1);
        assert_eq!(polled(&mut set), Poll::Ready(Some((n, ()))));
        assert!(polled(&mut set).is_pending());
    }
    for (n, counter) in counters.iter().enumerate() {
        let more = usize::from([0, 17, 299].contains(&n));
        assert_eq!(counter.count(), before[n] + more, "number {n}");
    }
    drop(cx);
}

pub(crate) async fn who_wakes_itself_starves_nobody(cx: Cx<impl Spawner>) {
    let (spinning, event) = (Counter::new(), Arc::new(Event::new()));
    let spin = async {
        loop {
            spinning.add();
            again().await;
        }
    };
    let mut set: FutureSet<Pin<Box<dyn Future<Output = ()> + Send>>> = FutureSet::new();
    set.push(Box::pin(spin));
    set.push(Box::pin(again()));
    assert_eq!(set.join_next().await, Some((1, ())));
    // The task lets others have a turn.
    let sets = event.clone();
    set.push(Box::pin(async { event.wait().await }));
    let other = cx.spawn("sets", async move { sets.set() });
    assert_eq!(set.join_next().await, Some((2, ())));
    assert!(spinning.count() > 0);
    other.await;
}

pub(crate) async fn a_panic_goes_on_to_whoever_waits_and_the_set_remains(cx: Cx<impl Spawner>) {
    let gone = Counter::new();
    let member = |n: u64| {
        let takes = takes(&cx, 0, &gone);
        async move {
            takes.await;
            if n == 1 {
                resume_unwind(Box::new("one of them"));
            }
            n
        }
    };
    let mut set: FutureSet<_> = (0..3).map(member).collect();
    let mut outputs = Vec::new();
    let mut panics = 0;
    loop {
        let mut next = pin!(set.join_next());
        let caught = std::future::poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| next.as_mut().poll(cx))) {
            Ok(polled) => polled.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        });
        match caught.await {
            Ok(Some(done)) => outputs.push(done.0),
            Ok(None) => break,
            Err(panic) => {
                assert_eq!(panic.downcast_ref(), Some(&"one of them"));
                panics += 1;
            }
        }
    }
    outputs.sort_unstable();
    assert_eq!((outputs, panics, gone.count()), (vec![0, 2], 1, 3));
}

pub(crate) async fn every_destructor_runs_whichever_of_them_panic(cx: Cx<impl Spawner>) {
    struct Panics(usize, Counter);
    impl Drop for Panics {
        fn drop(&mut self) {
            self.1.add();
            if self.0 % 2 == 1 {
                resume_unwind(Box::new(self.0));
            }
        }
    }
    let gone = Counter::new();
    let set = || -> FutureSet<_> {
        let member = |n| (Panics(n, gone.clone()), cx.time.sleep(LONG));
        (0..6).map(member).map(|(panics, sleep)| async move { (sleep.await, panics).0 }).collect()
    };
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(set()))).unwrap_err();
    assert_eq!((dropped.downcast_ref(), gone.count()), (Some(&1_usize), 6), "the first panic goes on");
    let mut cleared = set();
    assert!(catch_unwind(AssertUnwindSafe(|| cleared.clear())).is_err());
    assert_eq!((cleared.len(), gone.count()), (0, 12));
    // A panic that is on its way already is not followed by another.
    let unwinding = catch_unwind(AssertUnwindSafe(|| {
        let _set = set();
        resume_unwind(Box::new("on its way"));
    }));
    assert_eq!((unwinding.unwrap_err().downcast_ref(), gone.count()), (Some(&"on its way"), 18));
}

pub(crate) async fn children_that_lost_are_cancelled_and_gone(cx: Cx<impl Spawner>) {
    let gone = Counter::new();
    let report = group::<&str>(cx.spawner.clone())
        .policy(Policy::Supervise)
        .report(&cx.scope(), async |g| {
            let child = |millis: u64| {
                let takes = takes(&cx, millis, &gone);
                g.spawn("child", async move { if takes.await == 2 { Err("two") } else { Ok(millis) } }).unwrap()
            };
            assert_eq!(try_join_handles([3, 1].map(child)).await.unwrap(), [3, 1]);
            let failed = try_join_handles([100_000, 2, 100_000].map(child)).await.unwrap_err();
            assert_eq!((failed.index, failed.error, g.len()), (1, ChildError::Failed, 0));
            assert_eq!(gone.count(), 5);
            Ok(())
        })
        .await;
    assert_eq!((report.count.done, report.count.failed, report.count.cancelled), (2, 1, 2));
}

pub(crate) async fn a_scope_cuts_short_what_waits_in_a_set(cx: Cx<impl Spawner>) {
    let (scope, gone) = (cx.scope(), Counter::new());
    let outcome = scope.move_on_after(ms(cx.soon()), async |s| {
        let inner = async {
            s.move_on_after(LONG, async |_| takes(&cx, 100_000, &gone).await).await.done();
        };
        join_all([inner]).await
    });
    assert!(outcome.await.is_cancelled(), "rule e: what is inside does not end by itself");
    assert_eq!(gone.count(), 1);
}

pub(crate) async fn handles_that_cancel_take_the_children_of_the_losers_along(cx: Cx<impl Spawner>) {
    let gone = Counter::new();
    let report = group::<()>(cx.spawner.clone())
        .report(&cx.scope(), async |g| {
            let child = |millis| g.spawn("child", ok(takes(&cx, millis, &gone))).unwrap();
            let handles = [100_000, 2, 100_000].map(child).map(Handle::cancel_on_drop);
            assert_eq!(race(handles).await, Some((1, Ok(2))));
            let mut completed = as_completed([100_000, 1].map(child).map(Handle::cancel_on_drop));
            assert_eq!(completed.join_next().await, Some((1, Ok(1))));
            drop(completed);
            let kept = child(1).cancel_on_drop();
            assert_eq!(kept.handle().name(), "child");
            assert_eq!(kept.disarm().await, Ok(1));
            Ok(())
        })
        .await;
    assert_eq!((report.count.done, report.count.cancelled, report.cancelled), (3, 3, None));
    assert_eq!(gone.count(), 6);
    let scope = cx.scope();
    let report = local_group::<()>()
        .report(&scope, async |g| {
            let child = |millis| g.spawn("child", ok(takes(&cx, millis, &gone))).unwrap();
            assert_eq!(race([100_000, 2].map(child).map(LocalHandle::cancel_on_drop)).await, Some((1, Ok(2))));
            drop(child(100_000).cancel_on_drop());
            Ok(())
        })
        .await;
    assert_eq!((report.count.done, report.count.cancelled, report.cancelled), (1, 2, None));
}

pub(crate) async fn sets_and_maps_say_when_they_have_ended(_: Cx<impl Spawner>) {
    let mut set: FutureSet<_> = [ready(1)].into_iter().collect();
    assert!(!set.is_terminated());
    assert_eq!(set.join_next().await, Some((0, 1)));
    assert!(set.is_terminated());
    set.push(ready(2));
    assert!(!set.is_terminated(), "it has begun anew");
    let mut map = map_bounded([1, 2, 3], NonZeroUsize::MIN, ready);
    assert_eq!((map.size_hint(), map.is_terminated()), ((3, Some(3)), false));
    assert_eq!(map.join_next().await, Some((0, 1)));
    assert_eq!(map.size_hint(), (2, Some(2)));
    while map.join_next().await.is_some() {}
    assert_eq!((map.size_hint(), map.is_terminated()), ((0, Some(0)), true));
    let endless = map_bounded(0.., NonZeroUsize::MIN, ready::<u8>);
    assert_eq!(endless.size_hint(), (usize::MAX, None));
}
