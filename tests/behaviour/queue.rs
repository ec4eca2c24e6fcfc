//! Queues between tasks.

use crate::support::{Counter, Cx, LONG, Log, Spawner, ms, poll};
use futures::future::{join, join_all};
use std::num::NonZeroUsize;
use std::task::{Poll, Waker};
use wakeful::queue::{self, Receiver, RecvError, SendError, Sender, TryRecvError};

fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    queue::bounded(NonZeroUsize::new(capacity).unwrap())
}

pub(crate) async fn items_arrive_in_order_and_the_capacity_is_kept(cx: Cx<impl Spawner>) {
    const EACH: usize = 50;
    let (tx, rx) = bounded(3);
    let producers = (0..3).map(|producer| {
        let tx = tx.clone();
        cx.spawn("producer", async move {
            for n in 0..EACH {
                tx.send((producer, n)).await.unwrap();
                assert!(tx.len() <= tx.capacity());
            }
        })
    });
    let producers: Vec<_> = producers.collect();
    drop(tx);
    let mut next = [0; 3];
    while let Ok((producer, n)) = rx.recv().await {
        assert_eq!(n, next[producer], "each producer's items in its order");
        next[producer] += 1;
    }
    assert_eq!(next, [EACH; 3]);
    join_all(producers).await;
}

pub(crate) async fn several_consumers_share_what_there_is(cx: Cx<impl Spawner>) {
    let (tx, rx) = bounded(2);
    let consumers: Vec<_> = (0..3)
        .map(|_| {
            let (rx, time) = (rx.clone(), cx.time.clone());
            cx.spawn("consumer", async move {
                let mut taken = Vec::new();
                while let Ok(n) = rx.recv().await {
                    time.sleep(ms(2)).await;
                    taken.push(n);
                }
                taken
            })
        })
        .collect();
    for n in 0..9 {
        tx.send(n).await.unwrap();
    }
    tx.close();
    let mut all = join_all(consumers).await.concat();
    all.sort_unstable();
    assert!(all.into_iter().eq(0..9), "nothing lost, nothing twice");
    cx.assert_at(6);
}

pub(crate) async fn closing_drains(_: Cx<impl Spawner>) {
    let (tx, rx) = bounded(4);
    for n in 0..3 {
        tx.send(n).await.unwrap();
    }
    tx.close();
    assert_eq!(tx.send(9).await, Err(SendError(9)));
    assert_eq!([rx.recv().await, rx.recv().await, rx.recv().await], [Ok(0), Ok(1), Ok(2)]);
    assert_eq!(rx.recv().await, Err(RecvError));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
}

pub(crate) async fn a_dropped_send_that_waited_takes_its_value_along(_: Cx<impl Spawner>) {
    let (tx, rx) = bounded(1);
    let count = Counter::new();
    tx.send(None).await.unwrap();
    let mut waits = Box::pin(tx.send(Some(count.on_drop())));
    let mut next = Box::pin(tx.send(None));
    assert!(poll(waits.as_mut(), Waker::noop()).is_pending());
    assert!(poll(next.as_mut(), Waker::noop()).is_pending());
    assert!(rx.recv().await.unwrap().is_none());
    drop(waits);
    assert_eq!(count.count(), 1, "dropped with the future that was chosen, not sent");
    assert!(matches!(poll(next.as_mut(), Waker::noop()), Poll::Ready(Ok(()))), "its turn has passed on");
    assert!(rx.recv().await.unwrap().is_none());
    assert!(rx.is_empty());
}

pub(crate) async fn closing_gives_back_what_waits_to_be_sent(cx: Cx<impl Spawner>) {
    let (tx, rx) = bounded(1);
    tx.send(0).await.unwrap();
    let senders: Vec<_> = (1..4)
        .map(|n| {
            let tx = tx.clone();
            cx.spawn("sender", async move { tx.send(n).await })
        })
        .collect();
    cx.sleep(2).await;
    tx.close();
    assert_eq!(join_all(senders).await, [Err(SendError(1)), Err(SendError(2)), Err(SendError(3))]);
    assert_eq!((rx.recv().await, rx.recv().await), (Ok(0), Err(RecvError)));
}

pub(crate) async fn the_last_receiver_gone_gives_waiting_values_back(cx: Cx<impl Spawner>) {
    let (tx, rx) = bounded(1);
    let count = Counter::new();
    tx.send(count.on_drop()).await.unwrap();
    let guard = count.on_drop();
    let sender = cx.spawn("sender", async move { tx.send(guard).await.map_err(SendError::into_inner) });
    cx.sleep(2).await;
    drop(rx);
    let Err(back) = sender.await else { panic!("nobody is there to receive") };
    assert_eq!(count.count(), 1, "what was in the queue");
    drop(back);
    assert_eq!(count.count(), 2);
}

pub(crate) async fn a_receive_that_is_cut_short_takes_nothing(cx: Cx<impl Spawner>) {
    let (tx, rx) = bounded(1);
    let log = Log::new();
    let scope = cx.scope();
    let consume = async {
        for _ in 0..3 {
            if let Some(item) = scope.move_on_after(ms(2), async |_| rx.recv().await).await.done() {
                log.add(item.unwrap());
            }
        }
        while let Ok(item) = rx.recv().await {
            log.add(item);
        }
    };
    let produce = async {
        cx.sleep(9).await;
        for n in 0..10 {
            tx.send(n).await.unwrap();
        }
        tx.close();
    };
    assert!(!scope.move_on_after(LONG, async |_| join(consume, produce).await).await.is_cancelled());
    assert!(log.entries().into_iter().eq(0..10));
}
