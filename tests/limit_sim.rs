//! Limiters in the simulator: exact and in order, whatever the schedule.

use std::future::{Future, poll_fn};
use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;
use wakeful::cancel::{Outcome, Scope};
use wakeful::limit::{
    AcquireError, Algorithm, Carry, FixedWindow, Gcra, LeakyBucket, LeakyQueue, Limiter, Quota, SlidingCounter,
    SlidingLog, TryAcquireError,
};
use wakeful::sim::{self, Builder, Sim};
use wakeful::time::ManualClock;

fn nz(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn twenty_tasks_at_ten_a_second_are_granted_a_tenth_apart() {
    sim::check(|sim| async move {
        let limiter = Limiter::new(&sim.time(), Quota::per_second(nz(10)));
        let start = sim.now();
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let (sim, limiter) = (sim.clone(), limiter.clone());
                let time = sim.time();
                sim.spawn("caller", async move {
                    limiter.acquire(1).await.unwrap();
                    time.now() - start
                })
            })
            .collect();
        let mut at = Vec::new();
        for task in tasks {
            at.push(task.await);
        }
        at.sort_unstable();
        assert!(at.iter().enumerate().all(|(n, at)| *at == ms(100 * n as u64)), "{at:?}");
    });
}

/// Looks at the clock before it looks at the future: so the future may be dropped with a grant that it never saw.
async fn within<T>(sim: &Sim, patience: Duration, future: impl Future<Output = T>) -> Option<T> {
    let (mut sleep, mut future) = (pin!(sim.time().sleep(patience)), pin!(future));
    poll_fn(|cx| match sleep.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(None),
        Poll::Pending => future.as_mut().poll(cx).map(Some),
    })
    .await
}

const MS: i64 = 1_000_000;

/// What an algorithm promises to hold: so many permits to so many nanoseconds, and at once.
#[derive(Clone, Copy)]
enum Promise {
    /// Permits, period, burst and credit.
    Bucket(i64, i64, i64, i64),
    /// Permits, period, the largest request and credit.
    Pace(i64, i64, i64, i64),
    /// Permits and window.
    Fixed(i64, i64),
    Estimate(i64, i64),
    Log(i64, i64),
}

impl Promise {
    /// Whether permits of this sum may be granted from one nanosecond to another.
    fn allows(self, sum: i64, from: i64, to: i64) -> bool {
        let length = to - from;
        match self {
            Self::Bucket(permits, period, most, credit) | Self::Pace(permits, period, most, credit) => {
                sum * period <= most * period + permits * (length + credit)
            }
            Self::Fixed(permits, window) => {
                let windows = to / window - from / window + 1;
                sum <= permits * windows
            }
            Self::Estimate(permits, window) => sum * window <= permits * (window + length),
            Self::Log(permits, window) => length >= window || sum <= permits,
        }
    }
}

/// Something that was granted, or given back.
#[derive(Clone, Copy, Debug)]
struct Entry {
    at: i64,
    permits: i64,
    /// Whose turn it was: counted from when they came.
    ticket: usize,
}

/// What happened.
#[derive(Default)]
struct Account {
    tickets: usize,
    entries: Vec<Entry>,
    /// From when until when no more than so many were to be granted.
    caps: Vec<(i64, i64, i64)>,
    /// Until when something may be imposed.
    imposed: i64,
    /// How many ask for something, or hold what they may give back.
    busy: usize,
}

impl Account {
    fn check(&mut self, promise: Promise) {
        // In the order in which tasks were polled, which within an instant says nothing.
        let instants: Vec<_> = self.entries.chunk_by(|a, b| a.at == b.at).collect();
        for (i, first) in instants.iter().enumerate() {
            let mut sum = 0;
            for last in &instants[i..] {
                sum += last.iter().map(|entry| entry.permits).sum::<i64>();
                assert!(promise.allows(sum, first[0].at, last[0].at), "{sum} permits: {:?}", &instants[i..]);
            }
        }
        for &(from, until, most) in &self.caps {
            let within = self.entries.iter().filter(|entry| from < entry.at && entry.at < until && entry.permits > 0);
            let sum: i64 = within.map(|entry| entry.permits).sum();
            assert!(sum <= most, "{sum} permits, of {most}, between {from} and {until}: {:?}", self.entries);
        }
        // Nobody waits for giving back.
        self.entries.retain(|entry| entry.permits >= 0);
        self.entries.sort_by_key(|entry| entry.ticket);
        assert!(self.entries.is_sorted_by_key(|entry| entry.at), "out of order: {:?}", self.entries);
    }
}

/// A user of a limiter.
struct Caller<A: Algorithm> {
    sim: Sim,
    limiter: Limiter<A>,
    account: Arc<Mutex<Account>>,
}

impl<A: Algorithm> Caller<A> {
    fn now(&self) -> i64 {
        i64::try_from(self.sim.now().as_nanos()).unwrap()
    }

    /// Comes now.
    fn ticket(&self) -> usize {
        let mut account = self.account.lock().unwrap();
        account.tickets += 1;
        account.tickets
    }

    fn record(&self, ticket: usize, permits: i64) {
        let entry = Entry { at: self.now(), permits, ticket };
        self.account.lock().unwrap().entries.push(entry);
    }

    /// Asks for `permits` in some way. True: they were granted.
    async fn call(&self, permits: u32) -> bool {
        let Self { sim, limiter, .. } = self;
        let patience = ms(7 * sim.choose(8) as u64);
        let scope = Scope::new(sim.time());
        let now = sim.now();
        match sim.choose(5) {
            0 => limiter.acquire(permits).await.is_ok(),
            1 => {
                let wait = scope.move_on_after(patience, async |_| limiter.acquire(permits).await);
                matches!(wait.await, Outcome::Done(Ok(())))
            }
            2 => limiter.try_acquire(permits).is_ok(),
            3 => matches!(within(sim, patience, limiter.acquire(permits)).await, Some(Ok(()))),
            _ => {
                let wait = scope.move_on_after(patience, async |s| limiter.acquire_in(s, permits).await);
                match wait.await {
                    Outcome::Done(Ok(())) => true,
                    Outcome::Done(Err(AcquireError::TooLate { earliest, deadline })) => {
                        assert_eq!(deadline, now + patience);
                        assert!(earliest >= deadline);
                        false
                    }
                    Outcome::Done(Err(error)) => {
                        assert!(matches!(error, AcquireError::Full { .. }), "{error}");
                        false
                    }
                    // Something was imposed meanwhile, or there was no time at all.
                    Outcome::Cancelled(_) => false,
                }
            }
        }
    }

    async fn caller(self, most: u32) {
        for _ in 0..3 {
            let permits = 1 + self.sim.choose(most as usize) as u32;
            let ticket = self.ticket();
            self.account.lock().unwrap().busy += 1;
            if self.sim.choose(4) == 0 {
                // A queue may be full.
                if let Ok(reserved) = self.limiter.reserve(permits).await {
                    let spent = self.sim.choose(permits as usize + 1) as u32;
                    self.record(ticket, spent.into());
                    self.sim.time().sleep(ms(self.sim.choose(30) as u64)).await;
                    reserved.commit_only(spent);
                }
            } else if self.call(permits).await {
                self.record(ticket, permits.into());
            }
            self.account.lock().unwrap().busy -= 1;
            self.sim.time().sleep(ms(self.sim.choose(30) as u64)).await;
        }
    }

    /// Changes what is allowed, from outside; never for ever.
    async fn operator(self) {
        for _ in 0..self.sim.choose(4) {
            self.sim.time().sleep(ms(self.sim.choose(40) as u64)).await;
            match self.sim.choose(4) {
                0 => self.limiter.reconfigure(self.limiter.algorithm(), Carry::Fraction),
                1 => self.limiter.reconfigure(self.limiter.algorithm(), Carry::Clamp),
                2 => {
                    // What counts does not know whose the latest grant was: it may not be one that will be given back.
                    if self.account.lock().unwrap().busy == 0 {
                        self.limiter.refund(1);
                        self.record(self.ticket(), -1);
                    }
                }
                _ => {
                    let (left, length) = (self.sim.choose(3) as u32, self.sim.choose(40));
                    self.limiter.observe(left, self.sim.now() + ms(length as u64));
                    let (from, until) = (self.now(), self.now() + length as i64 * MS);
                    let account = &mut *self.account.lock().unwrap();
                    // While another one holds, it may count for nothing.
                    if account.imposed <= from {
                        account.caps.push((from, until, left.into()));
                    }
                    account.imposed = account.imposed.max(until);
                }
            }
        }
    }
}

/// Calls by tasks that come and go, some within a scope that ends, while the limit is meddled with: no window holds more
/// than its share, order is kept, whoever stays is granted, and refusals tell the truth.
async fn traffic<A: Algorithm>(sim: Sim, algorithm: A, promise: Promise, most: u32) {
    let limiter = Limiter::with(&sim.time(), algorithm);
    let account = Arc::<Mutex<Account>>::default();
    let new = || Caller { sim: sim.clone(), limiter: limiter.clone(), account: account.clone() };
    let mut tasks: Vec<_> = (0..2 + sim.choose(4)).map(|_| sim.spawn("caller", new().caller(most))).collect();
    tasks.push(sim.spawn("operator", new().operator()));
    for task in tasks {
        task.await;
    }
    assert_eq!(sim.time().pending(), 0);
    account.lock().unwrap().check(promise);
}

/// As many runs as the long checks make by `WAKEFUL_SIM_RUNS=20000`, or a share of them.
fn check<A: Algorithm>(algorithm: A, promise: Promise, most: u32) {
    Builder::new().runs(600).check(|sim| traffic(sim, algorithm.clone(), promise, most));
}

/// Three in twenty milliseconds, and `burst` at once.
fn quota(burst: u32) -> Quota {
    Quota::new(nz(3), ms(20)).unwrap().burst(nz(burst))
}

#[test]
fn gcra_keeps_its_promises_without_credit_and_with() {
    check(Gcra::new(quota(3).strict()), Promise::Bucket(3, 20 * MS, 3, 0), 3);
    check(Gcra::new(quota(2)), Promise::Bucket(3, 20 * MS, 2, 20 * MS), 2);
}

#[test]
fn leaky_buckets_keep_their_promises() {
    check(LeakyBucket::new(quota(3).strict()), Promise::Bucket(3, 20 * MS, 3, 0), 3);
    check(LeakyQueue::new(quota(6).strict()), Promise::Pace(3, 20 * MS, 3, 0), 3);
}

#[test]
fn windows_keep_their_promises() {
    let (permits, window) = (nz(4), ms(40));
    check(FixedWindow::new(permits, window).unwrap(), Promise::Fixed(4, 40 * MS), 3);
    check(SlidingCounter::new(permits, window).unwrap(), Promise::Estimate(4, 40 * MS), 3);
    check(SlidingLog::new(permits, window).unwrap(), Promise::Log(4, 40 * MS), 3);
}

/// When a caller who is alone, and always comes again as soon as he may, is granted one permit after another.
fn alone<A: Algorithm>(algorithm: A, count: usize) -> Vec<Duration> {
    let clock = ManualClock::new();
    let limiter = Limiter::with(&clock.time(), algorithm);
    let start = clock.time().now();
    let mut granted = Vec::new();
    while granted.len() < count {
        match limiter.try_acquire(1) {
            Ok(()) => granted.push(clock.time().now() - start),
            Err(TryAcquireError::NotYet { earliest }) => clock.jump_to(earliest),
            Err(error) => panic!("{error}"),
        }
    }
    granted
}

/// A crowd of which some give up, maybe with a grant that they have not seen: the others are granted as many permits, at the
/// same instants, as if those had never been there.
async fn crowd<A: Algorithm>(sim: Sim, algorithm: A) {
    let limiter = Limiter::with(&sim.time(), algorithm.clone());
    let start = sim.now();
    let tasks: Vec<_> = (0..12)
        .map(|_| {
            let (limiter, sim) = (limiter.clone(), sim.clone());
            sim.clone().spawn("caller", async move {
                let patience = ms(if sim.choose(2) == 0 { 1_000 } else { 5 * sim.choose(20) as u64 });
                within(&sim, patience, limiter.acquire(1)).await.map(|granted| {
                    granted.unwrap();
                    sim.now() - start
                })
            })
        })
        .collect();
    let mut granted = Vec::new();
    for task in tasks {
        granted.extend(task.await);
    }
    granted.sort_unstable();
    assert_eq!(granted, alone(algorithm, granted.len()));
}

#[test]
fn those_who_stay_are_granted_what_there_is_at_the_very_instants() {
    fn check<A: Algorithm>(algorithm: A) {
        Builder::new().runs(200).check(|sim| crowd(sim, algorithm.clone()));
    }
    let quota = Quota::new(nz(1), ms(10)).unwrap().burst(nz(2));
    check(Gcra::new(quota));
    check(Gcra::new(quota.strict()));
    check(LeakyBucket::new(quota));
    check(LeakyQueue::new(quota.burst(nz(12))));
    check(FixedWindow::new(nz(3), ms(30)).unwrap());
    check(SlidingCounter::new(nz(3), ms(30)).unwrap());
    check(SlidingLog::new(nz(3), ms(30)).unwrap());
}

/// Loops take permits as fast as they can: how many they have before `length` is over.
async fn loops(sim: Sim, count: usize, rate: u32, length: Duration) -> u64 {
    let limiter = Limiter::new(&sim.time(), Quota::per_second(nz(rate)));
    let end = sim.now() + length;
    let tasks: Vec<_> = (0..count)
        .map(|_| {
            let (limiter, time) = (limiter.clone(), sim.time());
            sim.spawn("loop", async move {
                let mut granted = 0;
                while limiter.acquire(1).await.is_ok() && time.now() < end {
                    granted += 1;
                }
                granted
            })
        })
        .collect();
    let mut sum = 0;
    for task in tasks {
        sum += task.await;
    }
    sum
}

#[test]
fn loops_are_granted_exactly_what_is_configured() {
    for (count, rate, length, granted) in [(1, 1_000, 2_000, 2_000), (1, 50_000, 100, 5_000), (100, 5_000, 400, 2_000)]
    {
        Builder::new().runs(3).check(|sim| async move {
            assert_eq!(loops(sim, count, rate, ms(length)).await, granted, "{count} loops, {rate} a second");
        });
    }
}
