//! Rate limits.

use crate::support::{Cx, LONG, Log, Spawner, again, ms, poll};
use futures::future::join_all;
use futures::{StreamExt, stream};
use std::num::NonZeroU32;
use std::task::Waker;
use wakeful::cancel::Deadline;
use wakeful::limit::{
    AcquireAllError, AcquireError, Composite, Concurrency, Feedback, Fixed, Gcra, KeyedLimiter, Limiter, Quota,
    TryAcquireError,
};
use wakeful::sync::Semaphore;

/// One permit every two milliseconds, nothing charged in the past.
fn quota(burst: u32) -> Quota {
    Quota::per_second(NonZeroU32::new(500).unwrap()).burst(NonZeroU32::new(burst).unwrap()).strict()
}

pub(crate) async fn permits_come_at_the_rate(cx: Cx<impl Spawner>) {
    let limiter = Limiter::new(&cx.time, quota(3));
    for _ in 0..7 {
        limiter.acquire(1).await.unwrap();
    }
    cx.assert_at(8);
    limiter.acquire(3).await.unwrap();
    cx.assert_at(14);
    assert_eq!(limiter.acquire(4).await, Err(AcquireError::ExceedsBurst { permits: 4, burst: 3 }));
}

pub(crate) async fn waiters_are_served_in_order(cx: Cx<impl Spawner>) {
    let limiter = Limiter::new(&cx.time, quota(2));
    limiter.try_acquire(2).unwrap();
    let log = Log::new();
    let mut turns: Vec<_> = (0..5)
        .map(|n| {
            let (limiter, log) = (limiter.clone(), log.clone());
            Box::pin(async move {
                limiter.acquire(1 + n % 2).await.unwrap();
                log.add(n);
            })
        })
        .collect();
    // A machine that is late may have served some by their first poll.
    turns.retain_mut(|turn| poll(turn.as_mut(), Waker::noop()).is_pending());
    // Polled in the wrong order from here on.
    turns.reverse();
    let tasks: Vec<_> = turns.into_iter().map(|turn| cx.spawn("turn", turn)).collect();
    if cx.exact() {
        assert!(limiter.try_acquire(1).is_err(), "newcomers don't overtake");
    }
    join_all(tasks).await;
    let mut served = log.entries();
    cx.assert_at(14);
    if cx.exact() {
        assert_eq!(served, [0, 1, 2, 3, 4]);
    }
    served.sort_unstable();
    assert_eq!(served, [0, 1, 2, 3, 4]);
}

pub(crate) async fn what_would_come_too_late_is_refused_at_once(cx: Cx<impl Spawner>) {
    let quota = Quota::new(NonZeroU32::MIN, LONG).unwrap();
    let limiter = Limiter::new(&cx.time, quota);
    let before = cx.time.now();
    limiter.acquire(1).await.unwrap();
    let scope = cx.scope();
    let outcome = scope.move_on_after(ms(900), async |s| {
        let Deadline::At(deadline) = s.effective_deadline() else { panic!("it has one") };
        let refused = limiter.acquire_before(1, deadline).await;
        let Err(AcquireError::TooLate { earliest, deadline: said }) = refused else { panic!("{refused:?}") };
        assert_eq!(said, deadline);
        earliest
    });
    let earliest = outcome.await.done().expect("refused at once");
    assert!(earliest >= before + LONG);
    cx.assert_at(0);
    assert_eq!(limiter.try_acquire(1), Err(TryAcquireError::NotYet { earliest }), "as it was");
}

pub(crate) async fn a_waiter_that_gives_up_gives_its_place_back(cx: Cx<impl Spawner>) {
    let quota = Quota::new(NonZeroU32::MIN, ms(5)).unwrap().strict();
    let limiter = Limiter::new(&cx.time, quota);
    limiter.acquire(1).await.unwrap();
    let mut gives_up = Box::pin(limiter.acquire(1));
    let _ = poll(gives_up.as_mut(), Waker::noop());
    let waits = {
        let (limiter, time) = (limiter.clone(), cx.time.clone());
        cx.spawn("waits", async move {
            limiter.acquire(1).await.unwrap();
            time.now()
        })
    };
    again().await;
    cx.sleep(2).await;
    drop(gives_up);
    cx.assert_instant(waits.await, 5);
}

pub(crate) async fn keys_are_waited_for_by_themselves(cx: Cx<impl Spawner>) {
    let limiter = KeyedLimiter::<&str>::with(&cx.time, Gcra::new(quota(1)));
    let callers: Vec<_> = ["ann", "bob"]
        .into_iter()
        .flat_map(|key| [key; 4])
        .map(|key| {
            let limiter = limiter.clone();
            cx.spawn(key, async move { limiter.acquire(&key, 1).await })
        })
        .collect();
    assert_eq!(join_all(callers).await, [Ok(()); 8]);
    cx.assert_at(6);
    limiter.penalize_until(&"eve", cx.time.now() + ms(4)).unwrap();
    limiter.acquire(&"eve", 1).await.unwrap();
    cx.assert_at(10);
    if cx.exact() {
        assert_eq!(limiter.sweep(), 1, "the others are idle again");
    }
}

pub(crate) async fn a_key_that_is_given_up_leaves_its_turn_to_the_next(cx: Cx<impl Spawner>) {
    let quota = Quota::new(NonZeroU32::MIN, ms(5)).unwrap().strict();
    let limiter = KeyedLimiter::<u8>::new(&cx.time, quota);
    limiter.acquire(&7, 1).await.unwrap();
    let mut gives_up = Box::pin(limiter.acquire(&7, 1));
    let _ = poll(gives_up.as_mut(), Waker::noop());
    let waits = {
        let (limiter, time) = (limiter.clone(), cx.time.clone());
        cx.spawn("waits", async move {
            limiter.acquire(&7, 1).await.unwrap();
            time.now()
        })
    };
    again().await;
    cx.sleep(2).await;
    drop(gives_up);
    cx.assert_instant(waits.await, 5);
}

pub(crate) async fn what_is_reserved_for_a_key_goes_back_unless_it_is_committed(cx: Cx<impl Spawner>) {
    let quota = Quota::new(NonZeroU32::MIN, ms(10)).unwrap().burst(NonZeroU32::new(2).unwrap()).strict();
    let limiter = KeyedLimiter::<&str>::new(&cx.time, quota);
    let held = limiter.reserve(&"ann", 2).await.unwrap();
    let waits = {
        let (limiter, time) = (limiter.clone(), cx.time.clone());
        cx.spawn("waits", async move {
            limiter.acquire(&"ann", 2).await.unwrap();
            time.now()
        })
    };
    again().await;
    limiter.reserve(&"bob", 2).await.unwrap().commit();
    cx.assert_at(0);
    cx.sleep(4).await;
    held.commit_only(1);
    cx.assert_instant(waits.await, 10);

    drop(limiter.reserve(&"ann", 1).await.unwrap());
    cx.assert_at(20);
    limiter.acquire(&"ann", 1).await.unwrap();
    cx.assert_at(20);
    limiter.reserve(&"ann", 1).await.unwrap().commit();
    cx.assert_at(30);
    let mut gives_up = Box::pin(limiter.reserve(&"ann", 1));
    assert!(poll(gives_up.as_mut(), Waker::noop()).is_pending() || !cx.exact());
    drop(gives_up);
    let refused = limiter.acquire_before(&"ann", 2, cx.at(0)).reserving().await.map(drop);
    assert!(matches!(refused, Err(AcquireError::TooLate { .. }) | Ok(())), "{refused:?}");
    assert!(refused.is_err() || !cx.exact());
    limiter.acquire(&"ann", 1).await.unwrap();
    cx.assert_at(40);

    let held = limiter.try_reserve(&"eve", 1).unwrap();
    cx.sleep(20).await;
    assert!(limiter.sweep() > 0, "a key is not idle while something is reserved for it");
    held.commit();
    if cx.exact() {
        assert_eq!(limiter.sweep(), 0, "all are idle");
    }
}

pub(crate) async fn several_limits_are_granted_together(cx: Cx<impl Spawner>) {
    let (fast, slow) = (Limiter::new(&cx.time, quota(6)), Quota::new(NonZeroU32::MIN, ms(4)).unwrap().strict());
    let (keyed, one) = (KeyedLimiter::<&str>::new(&cx.time, slow), Semaphore::new(1));
    let all = Composite::new().limiter(&fast, 2).key(&keyed, &"ann", 1).semaphore(&one, 1);
    for n in 0..3 {
        let pass = all.acquire().await.unwrap();
        cx.assert_at(4 * n);
        assert!(one.try_acquire().is_err());
        drop(pass);
    }
    let mut gives_up = Box::pin(all.acquire());
    assert!(poll(gives_up.as_mut(), Waker::noop()).is_pending() || !cx.exact());
    drop(gives_up);
    assert!(one.try_acquire().is_ok());
    if cx.exact() {
        assert_eq!(fast.available(), 4, "none of it was spent");
    }
    let refused = all.acquire_before(cx.time.now()).await;
    assert!(matches!(refused, Err(AcquireAllError::Limit(AcquireError::TooLate { .. }))), "{refused:?}");
}

pub(crate) async fn composites_that_name_their_limits_in_another_order_dont_wait_in_a_circle(cx: Cx<impl Spawner>) {
    let [a, b] = [(); 2].map(|()| Limiter::new(&cx.time, quota(1)));
    let [one, other] = [(); 2].map(|()| Semaphore::new(1));
    let tasks: Vec<_> = (0..6)
        .map(|n| {
            let composite = match n % 2 {
                0 => Composite::new().limiter(&a, 1).limiter(&b, 1).semaphore(&one, 1).semaphore(&other, 1),
                _ => Composite::new().semaphore(&other, 1).semaphore(&one, 1).limiter(&b, 1).limiter(&a, 1),
            };
            cx.spawn("call", async move { composite.call(async || ()).await })
        })
        .collect();
    assert_eq!(join_all(tasks).await, [Ok(()); 6]);
    cx.assert_at(10);
}

pub(crate) async fn streams_and_calls_share_a_line(cx: Cx<impl Spawner>) {
    let limiter = Limiter::new(&cx.time, quota(1));
    let mut letters = Box::pin(limiter.throttle(stream::iter("abc".chars())));
    for (letter, at) in [('a', 0), ('b', 4), ('c', 8)] {
        assert_eq!(letters.next().await, Some(letter));
        cx.assert_at(at);
        if letter != 'c' {
            assert_eq!(limiter.call(async || letter).await, Ok(letter));
            cx.assert_at(at + 2);
        }
    }
    assert_eq!(letters.next().await, None);
}

pub(crate) async fn calls_in_flight_are_no_more_than_there_is_room_for(cx: Cx<impl Spawner>) {
    let calls = Concurrency::new(&cx.time, Fixed::new(NonZeroU32::new(2).unwrap()));
    let tasks: Vec<_> = (0..6)
        .map(|_| {
            let (calls, time) = (calls.clone(), cx.time.clone());
            cx.spawn("call", async move {
                let judge = |_: &u32| Some(Feedback::Answered);
                let call = async || {
                    time.sleep(ms(5)).await;
                    calls.in_flight()
                };
                calls.call(call, judge).await
            })
        })
        .collect();
    let in_flight = join_all(tasks).await;
    assert!(in_flight.iter().all(|n| (1..=2).contains(n)), "{in_flight:?}");
    cx.assert_at(15);
    assert_eq!(calls.in_flight(), 0);
}
