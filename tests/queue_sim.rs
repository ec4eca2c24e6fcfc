//! Queues in the simulator: whatever the schedule, nothing is lost, nothing comes twice, order and capacity are kept.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::{Future, poll_fn};
use std::num::NonZeroUsize;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;
use wakeful::cancel::{Outcome, Scope};
use wakeful::queue::{
    self, Buffered, Fifo, Kind, Lane, Lanes, Lifo, Priority, Ranked, Receiver, Receivers, RecvError, Rendezvous,
    Sender, TrySendError,
};
use wakeful::sim::{self, Builder, FailureKind, Sim};

/// An item, known by its producer and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Item {
    producer: usize,
    lane: Lane<3>,
    n: u32,
}

impl Ranked for Item {
    type Rank = Lane<3>;

    fn rank(&self) -> Lane<3> {
        self.lane
    }
}

/// Everything that was sent and received, in order.
#[derive(Clone, Default)]
struct Books(Arc<Mutex<Entries>>);

#[derive(Default)]
struct Entries {
    sent: Vec<Item>,
    received: Vec<Item>,
    finished: Vec<Item>,
    /// Of which it is not known whether somebody has taken them, as the send was given up.
    open: BTreeSet<Item>,
    most: usize,
}

impl Books {
    fn sent(&self, item: Item) {
        self.0.lock().unwrap().sent.push(item);
    }

    /// A send was given up while its value may have been taken.
    fn given_up(&self, item: Item) {
        self.0.lock().unwrap().open.insert(item);
    }

    /// An item came out that is finished with that.
    fn received(&self, item: Item) {
        let mut books = self.0.lock().unwrap();
        books.received.push(item);
        books.finished.push(item);
    }

    /// An item came out as a job.
    fn taken(&self, item: Item) {
        self.0.lock().unwrap().received.push(item);
    }

    fn finished(&self, item: Item) {
        self.0.lock().unwrap().finished.push(item);
    }

    /// Takes note of how much is in the queue.
    fn look(&self, len: usize) {
        let mut books = self.0.lock().unwrap();
        books.most = books.most.max(len);
    }

    /// Waits for what is unfinished: all that was sent before must be finished.
    async fn join<K: Kind<Item>>(self, tx: Sender<Item, K>) {
        let sent = self.0.lock().unwrap().sent.clone();
        tx.join().await;
        let finished: BTreeSet<Item> = self.0.lock().unwrap().finished.iter().copied().collect();
        assert!(sent.iter().all(|item| finished.contains(item)), "joined before all was finished");
    }

    /// What was sent was received, once, and the equals among each producer's items in its order, if the queue has one.
    fn balance(&self, capacity: usize, ordered: bool) {
        let mut books = self.0.lock().unwrap();
        assert!(books.most <= capacity, "{} items in a queue of {capacity}", books.most);
        assert_eq!(books.received.len(), books.finished.len(), "jobs that were received and finished");
        let mut by_producer: BTreeMap<_, Vec<u32>> = BTreeMap::new();
        for item in &books.received {
            by_producer.entry((item.producer, item.lane)).or_default().push(item.n);
        }
        assert!(!ordered || by_producer.values().all(|items| items.is_sorted()), "{by_producer:?}");
        let Entries { sent, received, open, .. } = &mut *books;
        open.retain(|item| received.contains(item));
        sent.extend(open.iter());
        received.sort_unstable();
        sent.sort_unstable();
        assert_eq!(sent, received);
    }
}

fn nz(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
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

/// One who sends.
struct Producer {
    sim: Sim,
    scope: Scope,
    books: Books,
    id: usize,
    n: u32,
}

impl Producer {
    fn item(&mut self) -> Item {
        self.n += 1;
        Item { producer: self.id, lane: Lane::new(self.sim.choose(3)).unwrap(), n: self.n }
    }

    fn patience(&self) -> Duration {
        ms(self.sim.choose(4) as u64)
    }

    /// Sends some items, in any of the ways there are, and gives up on some of them.
    async fn produce<F: Flavour>(mut self, tx: Sender<Item, F>) {
        for _ in 0..1 + self.sim.choose(4) {
            match self.sim.choose(5) {
                0 | 1 => F::with_room(&mut self, &tx).await,
                way => {
                    let item = self.item();
                    if self.send(way, &tx, item).await {
                        self.books.sent(item);
                    } else if F::MEETS {
                        self.books.given_up(item);
                    }
                }
            }
            self.books.look(tx.len());
        }
    }

    async fn send<K: Kind<Item>>(&mut self, way: usize, tx: &Sender<Item, K>, item: Item) -> bool {
        let patience = self.patience();
        match way {
            2 => within(&self.sim, patience, tx.send(item)).await == Some(Ok(())),
            3 => {
                let sent = self.scope.move_on_after(patience, async |_| tx.send(item).await).await;
                matches!(sent, Outcome::Done(Ok(())))
            }
            _ if self.sim.choose(2) == 0 => tx.send(item).await.is_ok(),
            _ => match tx.try_send(item) {
                Ok(()) => true,
                Err(TrySendError::Full(back) | TrySendError::Closed(back)) => {
                    assert_eq!(back, item);
                    false
                }
            },
        }
    }

    /// Sends in one of the ways for which there must be room.
    async fn send_with_room<K: Buffered<Item>>(&mut self, tx: &Sender<Item, K>) {
        let patience = self.patience();
        match self.sim.choose(4) {
            0 => {
                let Outcome::Done(Ok(permit)) = self.scope.move_on_after(patience, async |_| tx.reserve().await).await
                else {
                    return;
                };
                self.sim.time().sleep(patience).await;
                let item = self.item();
                if self.sim.choose(3) > 0 && permit.send(item).is_ok() {
                    self.books.sent(item);
                }
            }
            1 => {
                let permit = within(&self.sim, patience, tx.reserve_owned()).await;
                let item = self.item();
                if permit.is_some_and(|permit| permit.is_ok_and(|permit| permit.send(item).is_ok())) {
                    self.books.sent(item);
                }
            }
            2 => {
                let all: Vec<Item> = (0..1 + self.sim.choose(3)).map(|_| self.item()).collect();
                let mut left = VecDeque::from(all.clone());
                let _ = within(&self.sim, patience, tx.send_many(&mut left)).await;
                let (sent, kept) = all.split_at(all.len() - left.len());
                assert!(left.iter().eq(kept), "what was not sent is here");
                sent.iter().for_each(|item| self.books.sent(*item));
            }
            _ => {
                let item = self.item();
                match tx.force_send(item) {
                    Ok(displaced) => {
                        self.books.sent(item);
                        displaced.into_iter().for_each(|item| self.books.received(item));
                    }
                    Err(TrySendError::Full(back) | TrySendError::Closed(back)) => assert_eq!(back, item),
                }
            }
        }
    }
}

/// Receives until nothing can come any more, or until it has had enough.
async fn consume<K: Kind<Item>>(sim: Sim, books: Books, rx: Receiver<Item, K>, faithful: bool) {
    let scope = Scope::new(sim.time());
    while faithful || sim.choose(4) > 0 {
        let patience = ms(sim.choose(3) as u64 + 1);
        let got = match sim.choose(6) {
            0 => scope.move_on_after(patience, async |_| rx.recv().await).await.done(),
            1 => within(&sim, patience, rx.recv()).await,
            2 => {
                let mut batch = Vec::new();
                let count = within(&sim, patience, rx.recv_many(&mut batch, 2)).await;
                assert_eq!(count.map_or(0, |count| count.unwrap_or(0)), batch.len());
                batch.into_iter().for_each(|item| books.received(item));
                None
            }
            3 => match within(&sim, patience, rx.recv_job()).await {
                Some(Ok(job)) => {
                    let item = *job;
                    books.taken(item);
                    sim.time().sleep(ms(sim.choose(3) as u64)).await;
                    books.finished(item);
                    if sim.choose(2) == 0 {
                        assert_eq!(job.finish(), item);
                    }
                    None
                }
                other => other.map(|job| job.map(|_| unreachable!())),
            },
            4 => {
                rx.drain().into_iter().for_each(|item| books.received(item));
                None
            }
            _ => Some(rx.recv().await),
        };
        match got {
            Some(Ok(item)) => books.received(item),
            Some(Err(RecvError)) => break,
            None if rx.is_drained() => break,
            None => {}
        }
        if sim.choose(3) == 0 {
            sim.time().sleep(ms(1)).await;
        }
    }
}

/// A task.
type Boxed<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// A kind of queue. It is for each kind that futures are known to go to other threads.
trait Flavour: Kind<Item> + 'static {
    /// Whether the equals among a producer's items arrive in its order.
    const ORDERED: bool = true;
    /// Whether a send waits until somebody has taken its value, and may be given up after that.
    const MEETS: bool = false;

    fn queue(capacity: usize) -> (Sender<Item, Self>, Receiver<Item, Self>);

    /// Sends in one of the ways for which there must be room.
    fn with_room<'a>(producer: &'a mut Producer, tx: &'a Sender<Item, Self>) -> Boxed<'a>;

    fn resize(tx: &Sender<Item, Self>, capacity: usize);

    fn produce(producer: Producer, tx: Sender<Item, Self>) -> Boxed<'static>;

    fn consume(sim: Sim, books: Books, rx: Receiver<Item, Self>, faithful: bool) -> Boxed<'static>;

    fn join(books: Books, tx: Sender<Item, Self>) -> Boxed<'static>;
}

macro_rules! tasks {
    () => {
        fn produce(producer: Producer, tx: Sender<Item, Self>) -> Boxed<'static> {
            Box::pin(producer.produce(tx))
        }

        fn consume(sim: Sim, books: Books, rx: Receiver<Item, Self>, faithful: bool) -> Boxed<'static> {
            Box::pin(consume(sim, books, rx, faithful))
        }

        fn join(books: Books, tx: Sender<Item, Self>) -> Boxed<'static> {
            Box::pin(books.join(tx))
        }
    };
}

macro_rules! with_room {
    ($($kind:ty: $make:expr, $ordered:expr;)*) => { $(
        impl Flavour for $kind {
            const ORDERED: bool = $ordered;

            fn queue(capacity: usize) -> (Sender<Item, Self>, Receiver<Item, Self>) {
                $make(nz(capacity))
            }

            fn with_room<'a>(producer: &'a mut Producer, tx: &'a Sender<Item, Self>) -> Boxed<'a> {
                Box::pin(producer.send_with_room(tx))
            }

            fn resize(tx: &Sender<Item, Self>, capacity: usize) {
                tx.set_capacity(nz(capacity));
            }

            tasks!();
        }
    )* };
}

with_room! {
    Fifo: queue::bounded, true;
    Lifo: queue::lifo, false;
    Priority: queue::priority, true;
    Lanes<3>: queue::lanes, true;
}

impl Flavour for Rendezvous {
    const MEETS: bool = true;

    fn queue(_: usize) -> (Sender<Item, Self>, Receiver<Item, Self>) {
        queue::rendezvous()
    }

    fn with_room<'a>(producer: &'a mut Producer, tx: &'a Sender<Item, Self>) -> Boxed<'a> {
        Box::pin(async move {
            let item = producer.item();
            if tx.send(item).await.is_ok() {
                producer.books.sent(item);
            }
        })
    }

    fn resize(_: &Sender<Item, Self>, _: usize) {}

    tasks!();
}

/// Producers and consumers that give up, a close or a shutdown at some time, and whoever waits for the end of the work.
async fn traffic<F: Flavour>(sim: Sim) {
    let books = Books::default();
    let capacity = 1 + sim.choose(3);
    let (tx, rx) = F::queue(capacity);
    let mut tasks = Vec::new();
    for id in 0..1 + sim.choose(3) {
        let (sim, books, scope) = (sim.clone(), books.clone(), Scope::new(sim.time()));
        let producer = Producer { sim: sim.clone(), scope, books, id, n: 0 };
        tasks.push(sim.spawn("producer", F::produce(producer, tx.clone())));
    }
    for id in 0..1 + sim.choose(3) {
        tasks.push(sim.spawn("consumer", F::consume(sim.clone(), books.clone(), rx.clone(), id == 0)));
    }
    if sim.choose(2) == 0 {
        tasks.push(sim.spawn("joiner", F::join(books.clone(), tx.clone())));
    }
    match sim.choose(4) {
        0 => {
            sim.time().sleep(ms(sim.choose(6) as u64)).await;
            if sim.choose(2) == 0 { tx.close() } else { rx.close() }
        }
        1 => {
            sim.time().sleep(ms(sim.choose(6) as u64)).await;
            rx.shutdown().into_iter().for_each(|item| books.received(item));
        }
        2 => {
            sim.time().sleep(ms(sim.choose(3) as u64)).await;
            F::resize(&tx, 1 + sim.choose(capacity));
        }
        _ => {}
    }
    drop((tx, rx));
    for task in tasks {
        task.await;
    }
    // Where sends meet receives, each consumer may be handed an item for which it has not come yet.
    books.balance(if F::MEETS { 3 } else { capacity }, F::ORDERED);
}

/// A share of what the long checks make by `WAKEFUL_SIM_RUNS=50000`.
fn the_books_balance<F: Flavour>() {
    Builder::new().runs(2_000).check(traffic::<F>);
}

#[test]
fn whatever_happens_when_the_books_of_a_fifo_balance() {
    the_books_balance::<Fifo>();
}

#[test]
fn whatever_happens_when_the_books_of_a_lifo_balance() {
    the_books_balance::<Lifo>();
}

#[test]
fn whatever_happens_when_the_books_of_a_priority_queue_balance() {
    the_books_balance::<Priority>();
}

#[test]
fn whatever_happens_when_the_books_of_lanes_balance() {
    the_books_balance::<Lanes<3>>();
}

#[test]
fn whatever_happens_when_the_books_of_a_rendezvous_balance() {
    the_books_balance::<Rendezvous>();
}

#[test]
fn whatever_happens_when_the_books_of_several_queues_received_from_at_once_balance() {
    Builder::new().runs(2_000).check(|sim| async move {
        let capacity = 1 + sim.choose(2);
        let (mut queues, mut tasks) = (Vec::new(), Vec::new());
        for id in 0..2 + sim.choose(2) {
            let (sim, books, scope) = (sim.clone(), Books::default(), Scope::new(sim.time()));
            let (tx, rx) = Fifo::queue(capacity);
            let producer = Producer { sim: sim.clone(), scope, books: books.clone(), id, n: 0 };
            tasks.push(sim.spawn("producer", producer.produce(tx)));
            if sim.choose(3) == 0 {
                tasks.push(sim.spawn("consumer", consume(sim.clone(), books.clone(), rx.clone(), false)));
            }
            queues.push((books, rx));
        }
        for faithful in [true, false] {
            let (sim, books) = (sim.clone(), queues.iter().map(|(books, _)| books.clone()).collect::<Vec<_>>());
            let mut all = Receivers::new(queues.iter().map(|(_, rx)| rx.clone()));
            tasks.push(sim.clone().spawn("several", async move {
                while faithful || sim.choose(4) > 0 {
                    let patience = ms(sim.choose(3) as u64 + 1);
                    match within(&sim, patience, all.recv()).await {
                        Some(Ok((at, item))) => books[at].received(item),
                        Some(Err(RecvError)) => break,
                        None => {}
                    }
                }
            }));
        }
        let books: Vec<Books> = queues.into_iter().map(|(books, _)| books).collect();
        for task in tasks {
            task.await;
        }
        books.iter().for_each(|books| books.balance(capacity, true));
    });
}

#[test]
fn a_thousand_items_of_a_second_on_fifty_workers_take_twenty_seconds() {
    sim::check(|sim| async move {
        let books = Books::default();
        let (tx, rx) = queue::bounded(nz(100));
        let workers: Vec<_> = (0..50)
            .map(|_| {
                let (time, rx, books) = (sim.time(), rx.clone(), books.clone());
                sim.spawn("worker", async move {
                    while let Ok(item) = rx.recv().await {
                        time.sleep(Duration::from_secs(1)).await;
                        books.received(item);
                    }
                })
            })
            .collect();
        for n in 0..1000 {
            tx.send(Item { producer: 0, lane: Lane::at::<0>(), n }).await.unwrap();
            books.look(tx.len());
        }
        drop(tx);
        for worker in workers {
            worker.await;
        }
        assert_eq!(sim.now().as_nanos(), 20_000_000_000);
        let books = books.0.lock().unwrap();
        assert_eq!((books.received.len(), books.most), (1000, 100));
    });
}

#[test]
fn three_workers_drain_a_closed_queue_of_five_in_turns() {
    sim::check(|sim| async move {
        let (tx, rx) = queue::bounded(nz(5));
        (0..5).for_each(|n| tx.try_send(n).unwrap());
        tx.close();
        let workers: Vec<_> = (0..3)
            .map(|_| {
                let (time, rx) = (sim.time(), rx.clone());
                sim.spawn("worker", async move {
                    let mut done = 0;
                    while rx.recv().await.is_ok() {
                        time.sleep(ms(10)).await;
                        done += 1;
                    }
                    done
                })
            })
            .collect();
        let mut done = Vec::new();
        for worker in workers {
            done.push(worker.await);
        }
        done.sort_unstable();
        assert_eq!((done, sim.now().as_nanos()), (vec![1, 2, 2], 20_000_000));
    });
}

#[test]
fn a_deadlock_names_the_queue_that_is_waited_for() {
    let failure = Builder::new()
        .run(|_| async move {
            let (tx, rx) = queue::bounded::<u8>(nz(1));
            rx.recv().await.unwrap();
            drop(tx);
        })
        .unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Deadlock);
    let report = failure.to_string();
    assert!(report.contains("queue recv #1 made at tests/queue_sim.rs"), "{report}");
}
