//! Several limits at once in the simulator: all or nothing, in order, and nobody waits for ever, whatever the schedule.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::limit::{AcquireAllError, AcquireError, Composite, Gcra, KeyedLimiter, Limiter, Pass, Quota};
use wakeful::sim::{Builder, Sim};
use wakeful::sync::Semaphore;
use wakeful::time::ManualClock;

const MS: u64 = 1_000_000;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// So many permits in twenty milliseconds, and at once; nothing charged in the past.
fn quota(permits: u32, burst: u32) -> Quota {
    let [permits, burst] = [permits, burst].map(|n| NonZeroU32::new(n).unwrap());
    Quota::new(permits, ms(20)).unwrap().burst(burst).strict()
}

/// Looks at the clock before it looks at the future: so the future may be dropped with a turn that it never saw.
async fn within<T>(sim: &Sim, patience: Duration, future: impl Future<Output = T>) -> Option<T> {
    let (mut sleep, mut future) = (pin!(sim.time().sleep(patience)), pin!(future));
    poll_fn(|cx| match sleep.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(None),
        Poll::Pending => future.as_mut().poll(cx).map(Some),
    })
    .await
}

/// A token bucket that is simple enough to be right: what was granted when, in microseconds of its rate.
#[derive(Default)]
struct Bucket {
    full_at: u64,
}

impl Bucket {
    fn take(&mut self, at: u64, permits: u64, each: u64, burst: u64) {
        self.full_at = self.full_at.max(at) + permits * each;
        assert!(self.full_at <= at + burst * each, "{permits} permits more than the burst at {at}");
    }

    fn left(&self, at: u64, each: u64, burst: u64) -> u64 {
        (burst * each - self.full_at.saturating_sub(at)) / each
    }
}

/// The limits that are shared: two limiters, two keys, two semaphores.
#[derive(Clone)]
struct Shared {
    limiters: [Limiter; 2],
    keyed: KeyedLimiter<u8>,
    semaphores: [Semaphore; 2],
    account: Arc<Mutex<Account>>,
}

/// Nanoseconds of a permit, and the burst, of each limiter and of each key.
const NUMBERS: [(u64, u64); 4] = [(10 * MS, 3), (4 * MS, 2), (20 * MS, 2), (20 * MS, 2)];

/// How many permits of semaphores there are.
const TOTALS: [usize; 2] = [2, 1];

#[derive(Default)]
struct Account {
    buckets: [Bucket; 4],
    out: [usize; 2],
    granted: usize,
}

/// How many are wanted of each limiter and key, and of each semaphore.
#[derive(Clone, Copy, Debug)]
struct Want([u32; 4], [usize; 2]);

impl Shared {
    fn new(sim: &Sim) -> Self {
        let time = sim.time();
        let limiters = [Limiter::new(&time, quota(2, 3)), Limiter::new(&time, quota(5, 2))];
        let keyed = KeyedLimiter::with(&time, Gcra::new(quota(1, 2)));
        let (semaphores, account) = (TOTALS.map(Semaphore::new), Arc::default());
        Self { limiters, keyed, semaphores, account }
    }

    /// The limits in an order that is drawn.
    fn composite(&self, sim: &Sim, want: Want) -> Composite {
        let (mut composite, mut left) = (Composite::new(), vec![0, 1, 2, 3, 4, 5]);
        while !left.is_empty() {
            composite = match left.swap_remove(sim.choose(left.len())) {
                n @ 0..2 => composite.limiter(&self.limiters[n], want.0[n]),
                n @ 2..4 => composite.key(&self.keyed, &(n as u8), want.0[n]),
                n => composite.semaphore(&self.semaphores[n - 4], want.1[n - 4]),
            };
        }
        composite
    }

    /// Something was granted now.
    fn grant(&self, sim: &Sim, want: Want) {
        let (mut account, now) = (self.account.lock().unwrap(), sim.now().as_nanos());
        account.granted += 1;
        for ((bucket, permits), (each, burst)) in account.buckets.iter_mut().zip(want.0).zip(NUMBERS) {
            bucket.take(now, permits.into(), each, burst);
        }
        for ((out, count), total) in account.out.iter_mut().zip(want.1).zip(TOTALS) {
            *out += count;
            assert!(*out <= total);
        }
    }

    fn give_back(&self, want: Want) {
        let mut account = self.account.lock().unwrap();
        account.out.iter_mut().zip(want.1).for_each(|(out, count)| *out -= count);
    }

    /// All that is left is what was not granted: nobody has spent anything but what he got.
    fn check(&self, sim: &Sim) {
        let (account, now) = (self.account.lock().unwrap(), sim.now().as_nanos());
        let left = NUMBERS.iter().zip(&account.buckets).map(|((each, burst), bucket)| bucket.left(now, *each, *burst));
        let [a, b] = &self.limiters;
        let is = [a.available(), b.available(), self.keyed.available(&2), self.keyed.available(&3)];
        assert_eq!(left.map(|left| left as u32).collect::<Vec<_>>(), is, "after {} grants", account.granted);
        assert_eq!(self.semaphores.each_ref().map(Semaphore::available), TOTALS);
        assert_eq!(sim.time().pending(), 0);
    }
}

/// What is wanted, drawn.
fn want(sim: &Sim) -> Want {
    let mut want = Want([0; 4], [0; 2]);
    for n in 0..4 {
        want.0[n] = sim.choose(3) as u32;
    }
    want.1 = [sim.choose(3), sim.choose(2)];
    want
}

/// Asks for several limits in some way, holds what semaphores gave, and asks again.
async fn caller(sim: Sim, shared: Shared) {
    for _ in 0..3 {
        let want = want(&sim);
        let composite = shared.composite(&sim, want);
        let (patience, scope) = (ms(7 * sim.choose(6) as u64), Scope::new(sim.time()));
        let pass: Option<Pass<'_>> = match sim.choose(5) {
            0 | 1 => Some(composite.acquire().await.unwrap()),
            2 => composite.try_acquire().ok(),
            3 => within(&sim, patience, composite.acquire()).await.map(Result::unwrap),
            _ => {
                let deadline = sim.now() + patience;
                let wait = scope.move_on_after(patience, async |s| composite.acquire_in(s).await);
                match wait.await.done() {
                    Some(Ok(pass)) => Some(pass),
                    Some(Err(AcquireAllError::Limit(AcquireError::TooLate { earliest, deadline: said }))) => {
                        assert!(said == deadline && earliest >= deadline);
                        None
                    }
                    Some(Err(AcquireAllError::Limit(AcquireError::Cancelled))) | None => None,
                    Some(Err(error)) => panic!("{error}"),
                }
            }
        };
        if let Some(pass) = pass {
            shared.grant(&sim, want);
            sim.time().sleep(ms(sim.choose(15) as u64)).await;
            shared.give_back(want);
            drop(pass);
        }
        sim.time().sleep(ms(sim.choose(15) as u64)).await;
    }
}

/// Asks for one limit alone, in the same lines.
async fn single(sim: Sim, shared: Shared) {
    for _ in 0..4 {
        let (n, permits) = (sim.choose(4), 1 + sim.choose(2) as u32);
        let patience = ms(if sim.choose(2) == 0 { 10_000 } else { 5 * sim.choose(8) as u64 });
        let granted = match n {
            0..2 => within(&sim, patience, shared.limiters[n].acquire(permits)).await,
            _ => within(&sim, patience, shared.keyed.acquire(&(n as u8), permits)).await,
        };
        if granted.is_some() {
            let mut want = Want([0; 4], [0; 2]);
            want.0[n] = permits;
            shared.grant(&sim, want);
        }
        sim.time().sleep(ms(sim.choose(20) as u64)).await;
    }
}

#[test]
fn all_or_nothing_is_granted_and_nobody_waits_for_ever() {
    Builder::new().runs(1_500).check(|sim| async move {
        let shared = Shared::new(&sim);
        let mut tasks: Vec<_> =
            (0..2 + sim.choose(3)).map(|_| sim.spawn("caller", caller(sim.clone(), shared.clone()))).collect();
        tasks.push(sim.spawn("single", single(sim.clone(), shared.clone())));
        for task in tasks {
            task.await;
        }
        shared.check(&sim);
    });
}

/// When one who is alone, and always comes again as soon as he may, is granted.
fn alone(count: usize) -> Vec<Duration> {
    let clock = ManualClock::new();
    let [a, b] = [quota(2, 3), quota(5, 2)].map(|quota| Limiter::new(&clock.time(), quota));
    let both = Composite::new().limiter(&a, 1).limiter(&b, 1);
    let start = clock.time().now();
    let mut granted = Vec::new();
    while granted.len() < count {
        if both.try_acquire().is_ok() {
            granted.push(clock.time().now() - start);
        } else {
            clock.advance(ms(1));
        }
    }
    granted
}

#[test]
fn those_who_stay_are_granted_in_order_and_at_the_very_instants() {
    Builder::new().runs(600).check(|sim| async move {
        let shared = Shared::new(&sim);
        let start = sim.now();
        let tickets = Arc::<Mutex<Vec<usize>>>::default();
        let came = Arc::<Mutex<BTreeMap<usize, usize>>>::default();
        let tasks: Vec<_> = (0..8)
            .map(|who| {
                let (shared, sim) = (shared.clone(), sim.clone());
                let (tickets, came) = (tickets.clone(), came.clone());
                sim.clone().spawn("caller", async move {
                    let composite = shared.composite(&sim, Want([1, 1, 0, 0], [0, 0]));
                    let patience = ms(if sim.choose(2) == 0 { 10_000 } else { 5 * sim.choose(12) as u64 });
                    let number = came.lock().unwrap().len();
                    came.lock().unwrap().insert(who, number);
                    let granted = within(&sim, patience, composite.acquire()).await?.map(|_| sim.now() - start);
                    tickets.lock().unwrap().push(number);
                    granted.ok()
                })
            })
            .collect();
        let mut granted = Vec::new();
        for task in tasks {
            granted.extend(task.await);
        }
        granted.sort_unstable();
        assert_eq!(granted, alone(granted.len()));
        let tickets = tickets.lock().unwrap();
        let at = |n: usize| granted[n];
        // In the order in which tasks were polled, which within an instant says nothing.
        let mut sorted: Vec<_> = tickets.iter().enumerate().map(|(n, ticket)| (at(n), *ticket)).collect();
        sorted.sort_unstable();
        assert!(sorted.is_sorted_by_key(|(_, ticket)| *ticket), "out of order: {sorted:?}");
    });
}
