//! Limiters: a place in line that is given up goes to the others, and no time is lost.

use crate::ms;
use std::num::NonZeroU32;
use wakeful::cancel::Scope;
use wakeful::limit::{Composite, Concurrency, Feedback, Fixed, KeyedLimiter, Limiter, Quota};
use wakeful::sim::Sim;
use wakeful::sync::Semaphore;

crate::sweeps! {
    "limit::Acquire" => acquire,
    "limit::AcquireKey" => acquire_key,
    "limit::AcquireAll" => acquire_all,
    "limit::Composite::call" => composite_call,
    "limit::Reserve" => reserve,
    "limit::ReserveKey" => reserve_key,
    "limit::Limiter::call" => call,
    "limit::Limiter::call_in" => call_in,
    "limit::Launch" => launch,
    "limit::Concurrency::call" => concurrency_call,
}

async fn acquire(sim: Sim) {
    swept(sim, async |limiter, sim| sim.cancel_at_each(limiter.acquire(1)).await.map(Result::unwrap)).await;
}

async fn acquire_key(sim: Sim) {
    let limiter = KeyedLimiter::<u8>::new(&sim.time(), Quota::per_second(NonZeroU32::new(10).unwrap()));
    let other = |limiter: KeyedLimiter<u8>| async move { limiter.acquire(&7, 1).await.unwrap() };
    limiter.try_acquire(&7, 1).unwrap();
    let time = sim.time();
    tenths(sim, &limiter, other, async |limiter, sim| {
        sim.cancel_at_each(limiter.acquire(&7, 1)).await.map(Result::unwrap)
    })
    .await;
    time.sleep(ms(100)).await;
    assert_eq!(limiter.sweep(), 0, "nothing is left of it");
}

async fn reserve_key(sim: Sim) {
    let limiter = KeyedLimiter::<u8>::new(&sim.time(), Quota::per_second(NonZeroU32::new(10).unwrap()));
    let other = |limiter: KeyedLimiter<u8>| async move { limiter.reserve(&7, 1).await.unwrap().commit() };
    limiter.try_reserve(&7, 1).unwrap().commit();
    let time = sim.time();
    tenths(sim, &limiter, other, async |limiter, sim| {
        let reserved = sim.cancel_at_each(limiter.reserve(&7, 1)).await;
        reserved.map(|reserved| reserved.unwrap().commit())
    })
    .await;
    time.sleep(ms(100)).await;
    assert_eq!(limiter.sweep(), 0, "nothing is left of it");
}

async fn acquire_all(sim: Sim) {
    together(sim, async |composite, sim| sim.cancel_at_each(composite.acquire()).await.map(|pass| drop(pass.unwrap())))
        .await;
}

async fn composite_call(sim: Sim) {
    together(sim, async |composite, sim| sim.cancel_at_each(composite.call(async || ())).await.map(Result::unwrap))
        .await;
}

/// The slower of two limits sets the pace, and nothing is left of who gives up.
async fn together(sim: Sim, one: impl AsyncFnOnce(&Composite, &Sim) -> Option<()>) {
    let ten = NonZeroU32::new(10).unwrap();
    let fast = Limiter::new(&sim.time(), Quota::per_second(NonZeroU32::new(100).unwrap()).burst(ten));
    let keyed = KeyedLimiter::<u8>::new(&sim.time(), Quota::per_second(ten));
    let semaphore = Semaphore::new(2);
    let composite = Composite::new().limiter(&fast, 1).key(&keyed, &7, 1).semaphore(&semaphore, 1);
    keyed.try_acquire(&7, 1).unwrap();
    let time = sim.time();
    let other = |composite: Composite| async move { drop(composite.acquire().await.unwrap()) };
    tenths(sim, &composite, other, one).await;
    assert_eq!(semaphore.available(), 2);
    time.sleep(ms(100)).await;
    assert_eq!((keyed.sweep(), fast.available()), (0, 10));
}

async fn reserve(sim: Sim) {
    swept(sim, async |limiter, sim| {
        let reserved = sim.cancel_at_each(limiter.reserve(1)).await;
        reserved.map(|reserved| reserved.unwrap().commit())
    })
    .await;
}

async fn call(sim: Sim) {
    swept(sim, async |limiter, sim| {
        let called = sim.cancel_at_each(limiter.call(async || ())).await;
        called.map(Result::unwrap)
    })
    .await;
}

async fn call_in(sim: Sim) {
    let scope = Scope::new(sim.time());
    swept(sim, async |limiter, sim| {
        let called = sim.cancel_at_each(limiter.call_in(&scope, async || ())).await;
        called.map(Result::unwrap)
    })
    .await;
}

async fn swept(sim: Sim, one: impl AsyncFnOnce(&Limiter, &Sim) -> Option<()>) {
    let limiter = Limiter::new(&sim.time(), Quota::per_second(NonZeroU32::new(10).unwrap()));
    limiter.try_acquire(1).unwrap();
    tenths(sim, &limiter, |limiter: Limiter| async move { limiter.acquire(1).await.unwrap() }, one).await;
}

/// Permits are granted a tenth of a second apart, to those who are there: three others, and the one.
async fn tenths<L: Clone + Send + 'static, F: Future<Output = ()> + Send + 'static>(
    sim: Sim,
    limiter: &L,
    other: impl Fn(L) -> F,
    one: impl AsyncFnOnce(&L, &Sim) -> Option<()>,
) {
    let (time, start) = (sim.time(), sim.now());
    let others = [0, 1, 2].map(|_| {
        let (other, time) = (other(limiter.clone()), time.clone());
        sim.spawn("caller", async move {
            other.await;
            time.now() - start
        })
    });
    sim.yield_now().await;
    let mut granted = Vec::new();
    if one(limiter, &sim).await.is_some() {
        granted.push(time.now() - start);
    }
    for other in others {
        granted.push(other.await);
    }
    granted.sort_unstable();
    assert!(granted.iter().enumerate().all(|(n, at)| *at == ms(100 * (n as u64 + 1))), "{granted:?}");
    assert_eq!(time.pending(), 0);
}

async fn launch(sim: Sim) {
    room(sim, async |calls, sim| {
        if let Some(flight) = sim.cancel_at_each(calls.launch()).await {
            flight.end(Feedback::Answered);
        }
    })
    .await;
}

async fn concurrency_call(sim: Sim) {
    let time = sim.time();
    room(sim, async |calls, sim| {
        let call = calls.call(async || time.sleep(ms(50)).await, |()| Some(Feedback::Answered));
        sim.cancel_at_each(call).await;
    })
    .await;
}

/// There is room for one call, each of which takes a tenth of a second: no time is lost, and all room comes back.
async fn room(sim: Sim, one: impl AsyncFnOnce(&Concurrency<Fixed>, &Sim)) {
    let calls = Concurrency::new(&sim.time(), Fixed::new(NonZeroU32::MIN));
    let (time, start) = (sim.time(), sim.now());
    let first = calls.launch().await;
    let others = [0, 1, 2].map(|_| {
        let (calls, time) = (calls.clone(), time.clone());
        sim.spawn("caller", async move {
            let flight = calls.launch().await;
            time.sleep(ms(100)).await;
            flight.end(Feedback::Answered);
        })
    });
    sim.yield_now().await;
    first.end(Feedback::Answered);
    one(&calls, &sim).await;
    for other in others {
        other.await;
    }
    let took = time.now() - start;
    assert!(took == ms(300) || took > ms(300) && took <= ms(350), "{took:?}");
    assert_eq!((calls.in_flight(), calls.try_launch().is_some()), (0, true));
}
