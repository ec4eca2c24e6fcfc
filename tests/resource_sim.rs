//! Pools of objects in the simulator: exact instants, and under every schedule no slot lost and none too many.

use std::future::{Future, pending};
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::sim::{self, Builder, Sim};
use wakeful::work::{GetError, GetStage, Manage, Pooled, ResourcePool, ResourcePoolBuilder, Usage};

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

const fn n(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

/// What a factory is told to do next, and what it has done.
#[derive(Default)]
struct Books {
    /// Taken from the end; [`Step::Well`] when there are none.
    creates: Vec<Step>,
    recycles: Vec<Step>,
    validates: usize,
    alive: usize,
    most_alive: usize,
    made: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Step {
    Well,
    Fails,
    Panics,
    Hangs,
    Takes(u64),
}

#[derive(Clone)]
struct Factory(Sim, Arc<Mutex<Books>>);

impl Factory {
    fn new(sim: &Sim) -> Self {
        Self(sim.clone(), Arc::default())
    }

    fn books<R>(&self, f: impl FnOnce(&mut Books) -> R) -> R {
        f(&mut self.1.lock().unwrap())
    }

    async fn step(&self, step: Option<Step>) -> Result<(), &'static str> {
        match step.unwrap_or(Step::Well) {
            Step::Well => Ok(()),
            Step::Fails => Err("as it was asked to"),
            Step::Panics => panic!("as it was asked to"),
            Step::Hangs => pending().await,
            Step::Takes(millis) => {
                self.0.time().sleep(ms(millis)).await;
                Ok(())
            }
        }
    }
}

struct Object {
    number: usize,
    broken: bool,
    books: Arc<Mutex<Books>>,
}

impl Drop for Object {
    fn drop(&mut self) {
        self.books.lock().unwrap().alive -= 1;
    }
}

impl Manage for Factory {
    type Object = Object;
    type Error = &'static str;

    async fn create(&self) -> Result<Object, &'static str> {
        let step = self.books(|books| books.creates.pop());
        self.step(step).await?;
        Ok(self.books(|books| {
            books.made += 1;
            books.alive += 1;
            books.most_alive = books.most_alive.max(books.alive);
            Object { number: books.made, broken: false, books: self.1.clone() }
        }))
    }

    async fn validate(&self, _: &mut Object, _: &Usage) -> Result<(), &'static str> {
        self.books(|books| books.validates += 1);
        Ok(())
    }

    async fn recycle(&self, object: &mut Object, _: &Usage) -> Result<(), &'static str> {
        assert!(!object.broken, "a broken one was kept");
        let step = self.books(|books| books.recycles.pop());
        self.step(step).await
    }

    fn is_broken(&self, object: &mut Object) -> bool {
        object.broken
    }
}

type Pool = ResourcePool<Factory>;

fn pool(factory: &Factory) -> ResourcePoolBuilder<Factory> {
    ResourcePool::builder(&factory.0.time(), factory.clone())
}

/// Every slot is there: as many objects as there may be can be had at once, and no more.
fn assert_whole(pool: &Pool) {
    let status = pool.status();
    assert_eq!((status.in_use, status.waiting), (0, 0), "{status:?}");
    assert!(status.idle <= status.max_size);
    let mut cx = Context::from_waker(Waker::noop());
    let mut held = Vec::new();
    for _ in 0..status.max_size {
        let Poll::Ready(Ok(pooled)) = pin!(pool.get()).poll(&mut cx) else { panic!("a slot was lost") };
        held.push(pooled);
    }
    assert!(pin!(pool.get()).poll(&mut cx).is_pending());
    assert_eq!(pool.status().size, status.max_size);
}

#[test]
fn who_waits_is_served_in_order_and_what_came_back_last_is_lent_first() {
    sim::check(|sim| async move {
        let factory = Factory::new(&sim);
        let pool = pool(&factory).max_size(n(2)).build();
        let (a, b) = (pool.get().await.unwrap(), pool.get().await.unwrap());
        assert_eq!((a.number, b.number, pool.status().size), (1, 2, 2));
        let order = Arc::new(Mutex::new(Vec::new()));
        for who in 0..4 {
            let (pool, order, time) = (pool.clone(), order.clone(), sim.time());
            sim.spawn("waits", async move {
                time.sleep(ms(who)).await;
                let object = pool.get().await.unwrap();
                time.sleep(ms(10)).await;
                order.lock().unwrap().push((who, object.number, time.now().as_nanos() / 1_000_000));
            });
        }
        sim.time().sleep(ms(20)).await;
        assert_eq!(pool.status().waiting, 4);
        drop(b);
        sim.time().sleep(ms(5)).await;
        drop(a);
        sim.time().sleep(ms(100)).await;
        assert_eq!(*order.lock().unwrap(), [(0, 2, 30), (1, 1, 35), (2, 2, 40), (3, 1, 45)]);
        assert_eq!(pool.get().await.unwrap().number, 1, "it came back last");
        assert_eq!(pool.get().await.unwrap().usage().uses(), 4);
        assert_whole(&pool);
    });
}

#[test]
fn the_oldest_first_if_that_is_asked_for() {
    sim::check(|sim| async move {
        let factory = Factory::new(&sim);
        let pool = pool(&factory).oldest_first().build();
        let (a, b) = (pool.get().await.unwrap(), pool.get().await.unwrap());
        drop(a);
        drop(b);
        for number in [1, 2, 1, 2] {
            assert_eq!(pool.get().await.unwrap().number, number);
        }
    });
}

#[test]
fn what_is_too_old_is_not_lent() {
    sim::check(|sim| async move {
        let (factory, time) = (Factory::new(&sim), sim.time());
        let pool = pool(&factory).max_lifetime(ms(100)).max_idle_time(ms(30)).validate_after(ms(10)).build();
        let number = async |after| {
            time.sleep(ms(after)).await;
            pool.get().await.unwrap().number
        };
        assert_eq!(number(0).await, 1);
        assert_eq!((number(9).await, factory.books(|books| books.validates)), (1, 0));
        assert_eq!((number(10).await, factory.books(|books| books.validates)), (1, 1));
        assert_eq!(number(29).await, 1, "idle for less than the longest time");
        assert_eq!(number(30).await, 2, "idle for the longest time");
        for _ in 0..3 {
            assert_eq!(number(29).await, 2);
        }
        assert_eq!(number(12).await, 2);
        assert_eq!(number(1).await, 3, "100 ms old");
        assert_eq!((pool.count().expired, pool.status().size), (2, 1));
    });
}

#[test]
fn what_goes_wrong_is_said_and_loses_no_slot() {
    sim::check(|sim| async move {
        let factory = Factory::new(&sim);
        let pool =
            pool(&factory).max_size(n(1)).wait_timeout(ms(5)).create_timeout(ms(7)).recycle_timeout(ms(9)).build();
        let creates = |step| factory.books(|books| books.creates.push(step));
        let recycles = |step| factory.books(|books| books.recycles.push(step));
        creates(Step::Fails);
        assert_eq!(pool.get().await.unwrap_err(), GetError::Create("as it was asked to"));
        creates(Step::Hangs);
        let late = pool.get().await.unwrap_err();
        assert_eq!((late, sim.now().as_nanos()), (GetError::TimedOut(GetStage::Create, ms(7)), 7_000_000));
        assert_eq!(late.to_string(), "no object could be made within 7ms");
        creates(Step::Takes(7)); // ready at the instant of the timeout
        let first = pool.get().await.unwrap();
        let late = pool.get().await.unwrap_err();
        assert_eq!((late, sim.now().as_nanos()), (GetError::TimedOut(GetStage::Wait, ms(5)), 19_000_000));
        drop(first);
        // Not fit any more: another one is made.
        recycles(Step::Fails);
        assert_eq!(pool.get().await.unwrap().number, 2);
        recycles(Step::Hangs);
        assert_eq!((pool.get().await.unwrap().number, sim.now().as_nanos()), (3, 28_000_000));
        recycles(Step::Takes(9));
        assert_eq!(pool.get().await.unwrap().number, 3);
        let count = pool.count();
        assert_eq!((count.created, count.not_created, count.invalid, count.timed_out), (3, 2, 2, 1));
        assert_eq!(factory.books(|books| books.most_alive), 1);
        assert_whole(&pool);
    });
}

#[test]
fn a_panic_of_the_manager_goes_through_and_loses_no_slot() {
    sim::check(|sim| async move {
        let factory = Factory::new(&sim);
        let pool = pool(&factory).max_size(n(1)).build();
        let get = || {
            let mut get = pin!(pool.get());
            catch_unwind(AssertUnwindSafe(|| get.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready()))
        };
        factory.books(|books| books.creates.push(Step::Panics));
        assert!(get().is_err());
        assert!(get().unwrap());
        factory.books(|books| books.recycles.push(Step::Panics));
        assert!(get().is_err());
        assert_eq!((pool.status().size, pool.count().invalid, pool.count().not_created), (0, 1, 1));
        assert_whole(&pool);
    });
}

/// Whose objects panic when they are dropped, and whose recycling does.
struct Falls;

impl Drop for Falls {
    fn drop(&mut self) {
        panic!("fell");
    }
}

impl Manage for Falls {
    type Object = Falls;
    type Error = &'static str;

    async fn create(&self) -> Result<Falls, &'static str> {
        Ok(Falls)
    }

    async fn recycle(&self, _: &mut Falls, _: &Usage) -> Result<(), &'static str> {
        panic!("can't be recycled")
    }
}

#[test]
fn an_object_that_panics_when_a_panic_drops_it_is_not_the_end_of_the_process() {
    sim::run(|sim| async move {
        let pool = std::mem::ManuallyDrop::new(ResourcePool::builder(&sim.time(), Falls).max_size(n(1)).build());
        let message = |panic: Box<dyn std::any::Any + Send>| *panic.downcast::<&str>().unwrap();
        drop(pool.get().await.unwrap());
        let mut get = pin!(pool.get());
        let poll = || get.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
        assert_eq!(catch_unwind(AssertUnwindSafe(poll)).map_err(message), Err("can't be recycled"));
        let lent = pool.get().await.unwrap();
        let mut lend = pin!(lent.lend(async |_| if sim.now().is_never() { 1 } else { panic!("the body") }));
        let poll = || lend.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
        assert_eq!(catch_unwind(AssertUnwindSafe(poll)).map_err(message), Err("the body"));
        assert_eq!((pool.status().size, pool.count().invalid, pool.count().broken), (0, 1, 1));
    });
}

#[test]
fn a_keeper_that_can_not_have_any_ready_lets_time_pass() {
    for (lifetime, idle_time, fails) in [(0, 9, 0), (9, 0, 0), (9, 9, 5)] {
        sim::check(move |sim| async move {
            let (factory, scope) = (Factory::new(&sim), Scope::new(sim.time()));
            factory.books(|books| books.creates = vec![Step::Fails; fails]);
            let pool = pool(&factory).min_idle(1).max_lifetime(ms(lifetime)).max_idle_time(ms(idle_time));
            let pool = pool.retry_after(Duration::ZERO).build();
            let while_open = Duration::from_micros(4_500);
            let kept = scope.move_on_after(while_open, async |scope| pool.keep(scope).await).await;
            assert!(kept.done().is_none(), "it is cut short with its scope");
            assert_eq!((sim.now().as_nanos(), pool.status().size), (4_500_000, 0));
            let count = pool.count();
            assert_eq!(
                (count.created, count.expired, count.not_created),
                (5 - fails as u64, 5 - fails as u64, fails as u64)
            );
        });
    }
}

#[test]
fn what_is_broken_discarded_or_detached_makes_room() {
    sim::check(|sim| async move {
        let factory = Factory::new(&sim);
        let pool = pool(&factory).max_size(n(1)).build();
        pool.get().await.unwrap().broken = true;
        let second = pool.get().await.unwrap();
        assert_eq!(second.number, 2);
        second.discard();
        let third = pool.get().await.unwrap().detach();
        assert_eq!((third.number, pool.status().size), (3, 0));
        // Cut short in the middle of something.
        let mut lent = Box::pin(pool.get().await.unwrap().lend(async |_| pending::<()>().await));
        assert!(lent.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(lent);
        assert_eq!(pool.get().await.unwrap().lend(async |object| object.number).await, 5);
        assert_eq!(pool.get().await.unwrap().number, 5);
        assert_eq!((pool.count().broken, pool.count().detached, factory.books(|books| books.alive)), (3, 1, 2));
        assert_whole(&pool);
    });
}

#[test]
fn resizing_kills_nobody_and_a_smaller_pool_makes_none_before_it_has_room() {
    sim::check(|sim| async move {
        let factory = Factory::new(&sim);
        let pool = pool(&factory).max_size(n(3)).build();
        let held: Vec<Pooled<_>> = [pool.get().await.unwrap(), pool.get().await.unwrap()].into();
        drop(pool.get().await.unwrap());
        pool.resize(n(1));
        assert_eq!((pool.status().size, pool.status().idle), (2, 0), "the idle one went at once");
        let waits = sim.spawn("waits", {
            let pool = pool.clone();
            async move { pool.get().await.unwrap().number }
        });
        sim.idle().await;
        let [a, b] = held.try_into().unwrap_or_else(|_| unreachable!());
        drop(a);
        sim.idle().await;
        assert!(!waits.is_finished());
        drop(b);
        assert_eq!(waits.await, 2);
        assert_eq!(pool.status().size, 1);
        pool.resize(n(4));
        assert_whole(&pool);
        assert_eq!(pool.status().size, 4);
    });
}

#[test]
fn a_closed_pool_turns_away_and_is_gone_when_the_last_came_back() {
    sim::check(|sim| async move {
        let factory = Factory::new(&sim);
        let pool = pool(&factory).max_size(n(2)).build();
        let held = pool.get().await.unwrap();
        factory.books(|books| books.creates.push(Step::Takes(10)));
        let waits = ["is given one that is made", "waits"].map(|name| {
            let pool = pool.clone();
            sim.spawn(name, async move { pool.get().await.err() })
        });
        sim.time().sleep(ms(5)).await;
        pool.close();
        let mut closed = pin!(pool.closed());
        for wait in waits {
            assert_eq!(wait.await, Some(GetError::Closed));
        }
        assert!(closed.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(factory.books(|books| books.alive), 1);
        drop(held);
        closed.await;
        assert_eq!((factory.books(|books| books.alive), pool.status().size), (0, 0));
        assert_eq!(pool.get().await.unwrap_err(), GetError::Closed);
    });
}

#[test]
fn a_keeper_has_some_ready_drops_the_old_ones_and_tries_again_later() {
    sim::check(|sim| async move {
        let (factory, scope) = (Factory::new(&sim), Scope::new(sim.time()));
        factory.books(|books| books.creates.push(Step::Fails));
        let pool = pool(&factory)
            .max_size(n(3))
            .min_idle(2)
            .max_idle_time(ms(1_000))
            .max_lifetime(ms(2_500))
            .retry_after(ms(50))
            .build();
        let keeper = sim.spawn("keeper", {
            let (pool, scope) = (pool.clone(), scope.clone());
            async move { pool.keep(&scope).await }
        });
        let at = async |millis: u64, idle, size, created| {
            sim.time().sleep_until(wakeful::time::Instant::from_nanos(millis * 1_000_000)).await;
            sim.idle().await;
            assert_eq!(
                (pool.status().idle, pool.status().size, pool.count().created),
                (idle, size, created),
                "{millis}"
            );
        };
        at(49, 0, 0, 0).await;
        at(50, 2, 2, 2).await;
        let one = pool.get().await.unwrap();
        at(51, 2, 3, 3).await; // one more, at once
        at(1_049, 2, 3, 3).await;
        at(1_050, 2, 3, 5).await; // two were too old, and two made anew
        at(1_051, 2, 3, 5).await;
        drop(one);
        at(1_052, 3, 3, 5).await;
        at(2_050, 2, 2, 6).await; // again two were too old, but one sufficed
        at(2_051, 2, 2, 7).await; // the one that came back later
        scope.cancel("over");
        keeper.await;
        at(9_000, 2, 2, 7).await; // nobody looks any more
        assert_eq!(sim.time().pending(), 0);
    });
}

/// Whatever happens to whom: never more objects than there may be, every slot there at the end, the counts agree.
async fn traffic(sim: Sim) {
    let factory = Factory::new(&sim);
    let most = 1 + sim.choose(3);
    let pool = pool(&factory)
        .max_size(n(most))
        .min_idle(sim.choose(3))
        .max_idle_time([Duration::MAX, ms(3)][sim.choose(2)])
        .max_lifetime([Duration::MAX, ms(8)][sim.choose(2)])
        .wait_timeout([Duration::MAX, ms(4)][sim.choose(2)])
        .create_timeout([Duration::MAX, ms(2)][sim.choose(2)])
        .recycle_timeout([Duration::MAX, ms(2)][sim.choose(2)])
        .retry_after(ms(2))
        .build();
    let steps = [Step::Well, Step::Well, Step::Takes(1), Step::Takes(3), Step::Fails, Step::Panics];
    for _ in 0..6 {
        let (create, recycle) = (steps[sim.choose(6)], steps[sim.choose(6)]);
        factory.books(|books| {
            books.creates.push(create);
            books.recycles.push(recycle);
        });
    }
    let scope = Scope::new(sim.time());
    let keeper = (sim.choose(2) == 0).then(|| {
        let (pool, scope) = (pool.clone(), scope.clone());
        sim.spawn("keeper", async move { CatchPanics(Box::pin(pool.keep(&scope))).await })
    });
    let users: Vec<_> = (0..2 + sim.choose(4))
        .map(|_| {
            let (pool, sim2, scope) = (pool.clone(), sim.clone(), scope.clone());
            sim.spawn("user", async move {
                for _ in 0..3 {
                    let patience = [Duration::MAX, ms(sim2.choose(4) as u64)][sim2.choose(2)];
                    let use_it = async {
                        let Ok(mut object) = pool.get().await else { return };
                        let status = pool.status();
                        assert!(status.size <= status.max_size && status.in_use >= 1, "{status:?}");
                        sim2.time().sleep(ms(sim2.choose(3) as u64)).await;
                        match sim2.choose(6) {
                            0 => object.broken = true,
                            1 => object.discard(),
                            2 => drop(object.detach()),
                            3 => object.lend(async |_| sim2.yield_now().await).await,
                            _ => {}
                        }
                    };
                    CatchPanics(Box::pin(async { drop(scope.move_on_after(patience, async |_| use_it.await).await) }))
                        .await;
                }
            })
        })
        .collect();
    for user in users {
        user.await;
    }
    scope.cancel("over");
    if let Some(keeper) = keeper {
        keeper.await;
    }
    let (count, status) = (pool.count(), pool.status());
    assert_eq!((status.in_use, status.waiting, sim.time().pending()), (0, 0, 0));
    assert_eq!(count.created, status.idle as u64 + count.invalid + count.expired + count.broken + count.detached);
    factory.books(|books| {
        assert!(books.most_alive <= most, "{} of {most}", books.most_alive);
        assert_eq!(books.alive, status.idle);
        books.creates.clear();
        books.recycles.clear();
    });
    assert_whole(&pool);
}

struct CatchPanics<F>(Pin<Box<F>>);

impl<F: Future<Output = ()>> Future for CatchPanics<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(cx))).unwrap_or(Poll::Ready(()))
    }
}

/// As many runs as the long checks make by `WAKEFUL_SIM_RUNS=20000`, or a share of them.
#[test]
fn under_every_schedule_no_slot_is_lost_and_none_is_too_many() {
    Builder::new().runs(1_500).check(traffic);
}

/// What a library asks of its users, so that it can spawn what uses their pools.
trait Connect: Send + Sync + 'static {
    type Connection: Send;

    fn connect(&self) -> impl Future<Output = Result<Self::Connection, ()>> + Send;
}

struct Adapter<C>(C);

impl<C: Connect> Manage for Adapter<C> {
    type Object = C::Connection;
    type Error = ();

    async fn create(&self) -> Result<Self::Object, ()> {
        self.0.connect().await
    }
}

#[test]
fn a_pool_is_used_in_tasks_that_are_spawned_also_by_what_is_generic() {
    struct Dials(Sim);
    impl Connect for Dials {
        type Connection = u32;

        async fn connect(&self) -> Result<u32, ()> {
            self.0.time().sleep(ms(5)).await;
            Ok(7)
        }
    }
    async fn uses<C: Connect>(sim: &Sim, pool: ResourcePool<Adapter<C>>) -> bool {
        sim.spawn("generic", async move { pool.get().await.is_ok() }).await
    }
    sim::check(|sim| async move {
        let generic = ResourcePool::builder(&sim.time(), Adapter(Dials(sim.clone()))).build();
        assert!(uses(&sim, generic).await);
        let pool = ResourcePool::builder(&sim.time(), Factory::new(&sim)).build();
        assert!(sim.spawn("of one kind", async move { pool.get().await.is_ok() }).await);
        assert_eq!(sim.now().as_nanos(), 5_000_000);
    });
}
