//! Queues between threads of the operating system: each thread with a task of its own, and under executors that many use.

use std::collections::BTreeMap;
use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::thread;
use wakeful::block_on;
use wakeful::queue::{self, Buffered, Kind, Lane, Ranked, Receiver, Receivers, Rendezvous, Sender};

const PRODUCERS: usize = 4;
const CONSUMERS: usize = 4;
/// Of each producer.
const ITEMS: usize = 2_000;
/// Of an executor.
const THREADS: usize = 3;

/// An item: its producer and its number there. The items of one producer are equals.
#[derive(Clone, Copy, Debug)]
struct Item(usize, usize);

impl Ranked for Item {
    type Rank = Lane<2>;

    fn rank(&self) -> Lane<2> {
        Lane::new(self.0 % 2).unwrap()
    }
}

/// A task.
type Boxed = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where a consumer puts what it got when it is done.
type Results = Sender<Vec<Item>>;

/// Polls once and drops, as a cancelled caller does.
fn poll_and_drop<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Sends them all, in every way there is, and gives up now and then.
async fn produce<K: Buffered<Item>>(id: usize, tx: Sender<Item, K>) {
    let mut n = 0;
    while n < ITEMS {
        if n % 7 == 0 {
            drop(poll_and_drop(tx.reserve()));
            tx.set_capacity(NonZeroUsize::new(1 + n % 4).unwrap());
        }
        match n % 5 {
            0 => tx.reserve().await.unwrap().send(Item(id, n)).unwrap(),
            1 => tx.reserve_owned().await.unwrap().send(Item(id, n)).unwrap(),
            2 => {
                let mut items = [Item(id, n), Item(id, n + 1)].into();
                tx.send_many(&mut items).await.unwrap();
                n += 1;
            }
            _ => tx.send(Item(id, n)).await.unwrap(),
        }
        n += 1;
    }
}

/// Sends them all to those who come for them.
async fn meet(id: usize, tx: Sender<Item, Rendezvous>) {
    for n in 0..ITEMS {
        tx.send(Item(id, n)).await.unwrap();
    }
}

/// Receives until the queue is over, in every way there is, and gives up now and then.
async fn consume<K: Kind<Item>>(rx: Receiver<Item, K>, results: Results) {
    let mut got = Vec::new();
    loop {
        if got.len() % 4 == 0 {
            got.extend(poll_and_drop(rx.recv()).and_then(Result::ok));
        }
        let received = match got.len() % 3 {
            0 => rx.recv_many(&mut got, 3).await.map(drop),
            1 => rx.recv_job().await.map(|job| got.push(job.finish())),
            _ => rx.recv().await.map(|item| got.push(item)),
        };
        if received.is_err() {
            break;
        }
    }
    results.send(got).await.unwrap();
}

/// Receives from all queues until they are over, and gives up now and then.
async fn consume_any(mut all: Receivers<Item>, results: Results) {
    let mut got = Vec::new();
    loop {
        if got.len() % 4 == 0 {
            got.extend(poll_and_drop(all.recv()).and_then(Result::ok).map(|(_, item)| item));
        }
        match all.recv().await {
            Ok((_, item)) => got.push(item),
            Err(queue::RecvError) => break,
        }
    }
    results.send(got).await.unwrap();
}

/// Producers and consumers of a queue.
struct Traffic {
    tasks: Vec<Boxed>,
    results: Receiver<Vec<Item>>,
    /// Whether a consumer sees the items of a producer in order.
    ordered: bool,
}

impl Traffic {
    /// Has the tasks run, and sees whether each item was received once.
    fn run(self, runner: fn(Vec<Boxed>)) {
        runner(self.tasks);
        let mut all: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        while let Ok(got) = block_on(self.results.recv()) {
            let mut last = [None; PRODUCERS];
            for Item(id, n) in got {
                assert!(!self.ordered || last[id] < Some(n), "one consumer sees a producer's items in order");
                last[id] = Some(n);
                all.entry(id).or_default().push(n);
            }
        }
        for items in all.values_mut() {
            items.sort_unstable();
            assert!(items.iter().copied().eq(0..ITEMS), "each item once");
        }
        assert_eq!(all.len(), PRODUCERS);
    }
}

/// The traffic of one queue. Not a function, as it is for each kind that its futures are known to go to other threads.
macro_rules! traffic {
    ($queue:expr, $produce:ident, $ordered:expr) => {{
        let ((tx, rx), (results, receiver)) = ($queue, queue::unbounded());
        let mut tasks: Vec<Boxed> = Vec::new();
        for id in 0..PRODUCERS {
            tasks.push(Box::pin($produce(id, tx.clone())));
        }
        for _ in 0..CONSUMERS {
            tasks.push(Box::pin(consume(rx.clone(), results.clone())));
        }
        tasks.push(Box::pin(async move { rx.join().await }));
        Traffic { tasks, results: receiver, ordered: $ordered }
    }};
}

/// The traffic of two queues, with consumers of one and of both.
fn traffic_of_two() -> Traffic {
    let capacity = NonZeroUsize::MIN;
    let (queues, (results, receiver)) = ([queue::bounded(capacity), queue::bounded(capacity)], queue::unbounded());
    let mut tasks: Vec<Boxed> = Vec::new();
    for id in 0..PRODUCERS {
        tasks.push(Box::pin(produce(id, queues[id % 2].0.clone())));
    }
    for id in 0..CONSUMERS / 2 {
        let all = Receivers::new(queues.each_ref().map(|(_, rx)| rx.clone()));
        tasks.push(Box::pin(consume(queues[id % 2].1.clone(), results.clone())));
        tasks.push(Box::pin(consume_any(all, results.clone())));
    }
    Traffic { tasks, results: receiver, ordered: true }
}

fn every_kind(runner: fn(Vec<Boxed>)) {
    let capacity = NonZeroUsize::new(3).unwrap();
    traffic!(queue::bounded(capacity), produce, true).run(runner);
    traffic!(queue::unbounded(), produce, true).run(runner);
    traffic!(queue::lifo(capacity), produce, false).run(runner);
    traffic!(queue::priority(capacity), produce, true).run(runner);
    traffic!(queue::lanes(capacity), produce, true).run(runner);
    traffic!(queue::rendezvous(), meet, true).run(runner);
    traffic_of_two().run(runner);
}

#[test]
fn nothing_is_lost_between_threads_while_callers_give_up() {
    every_kind(|tasks| {
        let threads: Vec<_> = tasks.into_iter().map(|task| thread::spawn(|| block_on(task))).collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn nothing_is_lost_on_tokio_while_callers_give_up() {
    every_kind(|tasks| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).build().unwrap();
        let tasks: Vec<_> = tasks.into_iter().map(|task| runtime.spawn(task)).collect();
        tasks.into_iter().for_each(|task| runtime.block_on(task).unwrap());
    });
}

#[test]
fn nothing_is_lost_on_smol_while_callers_give_up() {
    every_kind(|tasks| {
        let executor = smol::Executor::new();
        let (stop, stopped) = queue::unbounded::<()>();
        thread::scope(|scope| {
            // Dropped at the end, or by the panic of a task, which is passed on here.
            let _stop = stop;
            for _ in 0..THREADS {
                scope.spawn(|| smol::block_on(executor.run(stopped.recv())));
            }
            tasks.into_iter().map(|task| executor.spawn(task)).collect::<Vec<_>>().into_iter().for_each(smol::block_on);
        });
    });
}
