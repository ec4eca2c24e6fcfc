//! What is done again and again. Each round counts what it began with in the end.

use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::docket::{Cx, Docket, Limit, Policy, Registry, Task as Scheduled};
use wakeful::flow::topic::{RecvError, Slow, Subscriber, Topic};
use wakeful::limit::Limiter;
use wakeful::queue;
use wakeful::spawn::Task;
use wakeful::task::{group, join_all};
use wakeful::work::{Count, Lease, Manage, ResourcePool, Usage, work, worker_pool};

fn count(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).expect("more than none")
}

/// Four producers and four consumers, a quarter of the rounds cut short at some instant: whatever was sent has been received,
/// or is in the queue.
pub async fn through_a_queue(scope: &Scope, spawner: fn(Task), round: u64) {
    let (tx, rx) = queue::bounded(count(16));
    let (sent, received) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let cut = Duration::from_micros(if round % 4 == 0 { 100 + round % 1900 } else { 3_600_000_000 });
    let kept = rx.clone();
    let run = group::<()>(spawner).deadline_after(cut).run(scope, async |g| {
        for _ in 0..4 {
            let (tx, rx) = (tx.clone(), rx.clone());
            let (sent, received) = (sent.clone(), received.clone());
            let producer = async move {
                for n in 0..250 {
                    tx.send(n).await.map_err(drop)?;
                    sent.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            };
            let consumer = async move {
                while rx.recv().await.is_ok() {
                    received.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            };
            drop(g.spawn("producer", producer));
            drop(g.spawn("consumer", consumer));
        }
        drop((tx, rx));
        Ok(())
    });
    let whole = run.await.is_ok();
    let left = kept.drain().len() as u64;
    let (sent, received) = (sent.load(Ordering::Relaxed), received.load(Ordering::Relaxed));
    // A send that was cut short at the instant of its success has put its item in without counting it.
    assert!(sent <= received + left && received + left <= sent + 4, "{sent} sent, {received} received, {left} left");
    assert!(!whole || (sent, left) == (1000, 0), "{sent} sent, {left} left");
}

/// A batch against a deadline, at a rate: every item is in one place.
pub async fn batch(scope: &Scope, limiter: &Limiter, round: u64) {
    let body = |item: Lease<u64>| {
        let sleep = scope.sleep(Duration::from_micros(*item % 7 * 100));
        async move {
            sleep.await;
            if *item % 11 == 0 { Err(()) } else { Ok(()) }
        }
    };
    let batch = work(0..200_u64)
        .workers(count(8))
        .item_timeout(Duration::from_micros(500))
        .deadline_after(Duration::from_millis(1 + round % 10))
        .rate(limiter);
    let report = batch.run(scope, body, Count::new()).await;
    assert_eq!(report.pulled() + report.not_started.expect("a range knows") as u64, 200);
}

/// Connections that know how many of them there are; each third wears out.
struct Connections {
    scope: Scope,
    alive: Arc<AtomicUsize>,
}

struct Connection(Arc<AtomicUsize>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Manage for Connections {
    type Object = Connection;
    type Error = Infallible;

    async fn create(&self) -> Result<Connection, Infallible> {
        self.scope.sleep(Duration::from_micros(50)).await;
        let alive = self.alive.fetch_add(1, Ordering::Relaxed);
        assert!(alive < 3, "{alive} besides this one");
        Ok(Connection(self.alive.clone()))
    }

    fn is_broken(&self, _: &mut Connection) -> bool {
        self.alive.load(Ordering::Relaxed) == 3
    }

    async fn recycle(&self, _: &mut Connection, usage: &Usage) -> Result<(), Infallible> {
        if usage.uses() % 3 == 0 {
            self.scope.sleep(Duration::from_micros(20)).await;
        }
        Ok(())
    }
}

/// Jobs of a pool of workers that grows and shrinks, each with a connection of another pool; some are cancelled, some time out, and
/// in the end it is drained, at times within no time: each that was taken is counted once, and no place for a connection is lost.
pub async fn pools(scope: &Scope, spawner: fn(Task), round: u64) {
    let alive = Arc::new(AtomicUsize::new(0));
    let connections = Connections { scope: scope.clone(), alive: alive.clone() };
    let connections = ResourcePool::builder(scope.time(), connections).max_size(count(3)).build();
    let body = {
        let (connections, scope) = (connections.clone(), scope.clone());
        move |item: Lease<u64>| {
            let (connections, scope) = (connections.clone(), scope.clone());
            async move {
                let lent = connections.get().await.map_err(drop)?;
                scope.sleep(Duration::from_micros(*item % 5 * 50)).await;
                drop(lent);
                if *item % 7 == 0 { Err(()) } else { Ok(*item) }
            }
        }
    };
    let pool = worker_pool(body).workers(count(4)).capacity(count(16)).item_timeout(Duration::from_micros(400));
    let pool = pool.spawn_on(spawner, scope);
    let mut tickets = Vec::new();
    for n in 0..60 {
        let ticket = pool.submit(n).await.expect("it is open");
        match (n + round) % 5 {
            0 => ticket.cancel(),
            1 => drop(ticket),
            _ => tickets.push(ticket),
        }
        if n % 20 == 0 {
            pool.resize(count(1 + (round + n) as usize % 6));
        }
    }
    let grace = if round % 3 == 0 { Duration::ZERO } else { Duration::from_secs(60) };
    let report = pool.drain(grace).await;
    assert_eq!(report.taken(), 60, "{report}");
    for ticket in tickets {
        assert!(ticket.is_resolved());
        drop(ticket.await);
    }
    drop(pool);
    connections.close();
    connections.closed().await;
    assert_eq!(alive.load(Ordering::Relaxed), 0);
}

/// How many messages it read, and how many it missed, until the topic was closed.
async fn read(mut subscriber: Subscriber<u64>) -> (u64, u64) {
    let (mut had, mut missed) = (0, 0);
    loop {
        match subscriber.recv().await {
            Ok(_) => had += 1,
            Err(RecvError::Missed(more)) => missed += more,
            Err(RecvError::Closed) => return (had, missed),
        }
    }
}

/// Two publish, and others read: one is waited for, one misses what it can't take, one reads the latest, and one leaves.
pub async fn topic(scope: &Scope, spawner: fn(Task), round: u64) {
    let topic = Topic::new(count(8));
    let [all, some, latest, mut leaves] =
        [Slow::Wait, Slow::DropOldest, Slow::Latest, Slow::Wait].map(|slow| topic.subscribe(slow));
    let run = group::<()>(spawner).run(scope, async |g| {
        for publisher in 0..2 {
            let topic = topic.clone();
            let publishes = async move {
                for n in 0..100 {
                    topic.publish(100 * publisher + n).await.map_err(drop)?;
                }
                Ok(())
            };
            drop(g.spawn("publisher", publishes));
        }
        let leaving = async move {
            for _ in 0..round % 100 {
                leaves.recv().await.map_err(drop)?;
            }
            Ok(())
        };
        drop(g.spawn("leaves", leaving));
        drop(topic);
        let readers = [all, some, latest].map(|subscriber| {
            let reading = async move { Ok(read(subscriber).await) };
            g.spawn("reader", reading).unwrap_or_else(|refused| panic!("{refused}"))
        });
        let mut results = Vec::new();
        for reader in readers {
            results.push(reader.await.map_err(drop)?);
        }
        Ok(results)
    });
    let results = run.await.expect("nobody fails");
    assert_eq!(results[0], (200, 0));
    assert_eq!(results[1].0 + results[1].1, 200);
    assert!((1..=200).contains(&results[2].0) && results[2].1 == 0, "{results:?}");
}

/// A task with a number, of which two of a remainder run at once.
#[derive(serde::Serialize, serde::Deserialize)]
struct Numbered {
    n: u64,
    of: u64,
}

impl Scheduled for Numbered {
    const NAME: &'static str = "numbered";
    const POLICY: Policy = Policy::new().limits(&[Limit::at_most(2).per("of")]);
    type Output = u64;
    type Error = Infallible;

    async fn run(self, cx: Cx) -> Result<u64, Infallible> {
        cx.scope().sleep(Duration::from_micros(self.n % 4 * 30)).await;
        Ok(self.n)
    }
}

/// Tasks that two workers run, some of which are cancelled: the others are done, and the docket is empty.
pub async fn docket(scope: &Scope, round: u64) {
    let registry = Registry::new().task::<Numbered>().expect("a new name");
    let docket = Docket::new(scope.time(), registry);
    let mut handles = Vec::new();
    for n in 0..40 {
        let add = docket.add(&Numbered { n, of: n % 3 }).expect("it is known").key(format!("task {n}"));
        handles.push(add.after(Duration::from_micros(n * 10)).send().await.expect("no such key yet").handle);
    }
    let key = format!("task {}", round % 40);
    docket.cancel(&key, Duration::ZERO).await.expect("it is in memory");
    let worker = |name| docket.worker(name).concurrency(count(4)).until_finished(scope);
    assert!(join_all([worker("one"), worker("other")]).await.iter().all(Result::is_ok));
    let mut done = 0;
    for handle in handles {
        done += u64::from(handle.result().await.is_ok());
    }
    assert_eq!(done, 39, "in round {round}");
}
