//! Queues in the simulator: whatever the schedule, nothing is lost, nothing comes twice, order and capacity are kept.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;
use wakeful::cancel::{Outcome, Scope};
use wakeful::queue::{self, Receiver, RecvError, Sender, TrySendError};
use wakeful::sim::{self, Builder, FailureKind, Sim};

/// What an item is known by: its producer and its number there.
type Item = (usize, u32);

/// Everything that was sent and received, in order.
#[derive(Clone, Default)]
struct Books(Arc<Mutex<Entries>>);

#[derive(Default)]
struct Entries {
    sent: Vec<Item>,
    received: Vec<Item>,
    most: usize,
}

impl Books {
    fn sent(&self, item: Item) {
        self.0.lock().unwrap().sent.push(item);
    }

    fn received(&self, item: Item) {
        self.0.lock().unwrap().received.push(item);
    }

    /// Takes note of how much is in the queue.
    fn look(&self, len: usize) {
        let mut books = self.0.lock().unwrap();
        books.most = books.most.max(len);
    }

    /// What was sent was received, once, and in the order of each producer.
    fn balance(&self, capacity: usize) {
        let books = self.0.lock().unwrap();
        let by_producer = |items: &[Item]| {
            let mut map: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
            items.iter().for_each(|&(producer, n)| map.entry(producer).or_default().push(n));
            map
        };
        assert_eq!(by_producer(&books.sent), by_producer(&books.received));
        assert!(books.most <= capacity, "{} items in a queue of {capacity}", books.most);
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

/// Sends some items, in any of the ways there are, and gives up on some of them.
async fn produce(sim: Sim, books: Books, tx: Sender<Item>, id: usize) {
    let scope = Scope::new(sim.time());
    for n in 0..1 + sim.choose(4) as u32 {
        let item = (id, n);
        let patience = ms(sim.choose(4) as u64);
        let sent = match sim.choose(5) {
            0 => tx.send(item).await.is_ok(),
            4 => within(&sim, patience, tx.send(item)).await == Some(Ok(())),
            1 => {
                let sent = scope.move_on_after(patience, async |_| tx.send(item).await).await;
                matches!(sent, Outcome::Done(Ok(())))
            }
            2 => match scope.move_on_after(patience, async |_| tx.reserve().await).await {
                Outcome::Done(Ok(permit)) => {
                    sim.time().sleep(patience).await;
                    sim.choose(3) > 0 && permit.send(item).is_ok()
                }
                _ => false,
            },
            _ => match tx.try_send(item) {
                Ok(()) => true,
                Err(TrySendError::Full(back) | TrySendError::Closed(back)) => {
                    assert_eq!(back, item);
                    false
                }
            },
        };
        if sent {
            books.sent(item);
        }
        books.look(tx.len());
    }
}

/// Receives until nothing can come any more, or until it has had enough.
async fn consume(sim: Sim, books: Books, rx: Receiver<Item>, faithful: bool) {
    let scope = Scope::new(sim.time());
    while faithful || sim.choose(4) > 0 {
        let patience = ms(sim.choose(3) as u64 + 1);
        let got = match sim.choose(3) {
            0 => scope.move_on_after(patience, async |_| rx.recv().await).await.done(),
            1 => within(&sim, patience, rx.recv()).await,
            _ => Some(rx.recv().await),
        };
        match got {
            Some(Ok(item)) => books.received(item),
            Some(Err(RecvError)) => break,
            None => {}
        }
        if sim.choose(3) == 0 {
            sim.time().sleep(ms(1)).await;
        }
    }
}

#[test]
fn whatever_happens_when_the_books_balance() {
    Builder::new().runs(10_000).check(|sim| async move {
        let books = Books::default();
        let capacity = 1 + sim.choose(3);
        let (tx, rx) = queue::bounded(nz(capacity));
        let mut tasks = Vec::new();
        for id in 0..1 + sim.choose(3) {
            tasks.push(sim.spawn("producer", produce(sim.clone(), books.clone(), tx.clone(), id)));
        }
        for id in 0..1 + sim.choose(3) {
            tasks.push(sim.spawn("consumer", consume(sim.clone(), books.clone(), rx.clone(), id == 0)));
        }
        let mut rest = Vec::new();
        match sim.choose(4) {
            0 => {
                sim.time().sleep(ms(sim.choose(6) as u64)).await;
                if sim.choose(2) == 0 { tx.close() } else { rx.close() }
            }
            1 => {
                sim.time().sleep(ms(sim.choose(6) as u64)).await;
                rest = rx.shutdown();
            }
            2 => {
                sim.time().sleep(ms(sim.choose(3) as u64)).await;
                tx.set_capacity(nz(1 + sim.choose(capacity)));
            }
            _ => {}
        }
        rest.into_iter().for_each(|item| books.received(item));
        drop((tx, rx));
        for task in tasks {
            task.await;
        }
        books.balance(capacity);
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
            tx.send((0, n)).await.unwrap();
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
