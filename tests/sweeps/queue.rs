//! Queues: nothing lost, nothing twice, and the turn of the one that is dropped passes on.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use wakeful::queue::{self, Receiver, Receivers, Sender};
use wakeful::sim::{JoinHandle, Sim};

crate::sweeps! {
    "queue::Recv" => recv,
    "queue::SendItem" => send,
    "queue::Reserve" => reserve,
    "queue::RecvMany" => recv_many,
    "queue::SendMany" => send_many,
    "queue::ReserveOwned" => reserve_owned,
    "queue::RecvJob" => recv_job,
    "queue::Join" => join,
    "queue::RecvAny" => recv_any,
}

fn queue() -> (Sender<u32>, Receiver<u32>) {
    queue::bounded(NonZeroUsize::MIN)
}

/// Sends these, with turns for others in between.
fn sender(sim: &Sim, tx: &Sender<u32>, items: [u32; 2]) -> JoinHandle<()> {
    let (task, tx) = (sim.clone(), tx.clone());
    sim.spawn("sender", async move {
        for item in items {
            task.yield_now().await;
            tx.send(item).await.unwrap();
        }
    })
}

/// Receives until the queue is closed and empty.
fn receiver(sim: &Sim, rx: &Receiver<u32>) -> JoinHandle<Vec<u32>> {
    let (task, rx) = (sim.clone(), rx.clone());
    sim.spawn("receiver", async move {
        let mut got = Vec::new();
        while let Ok(item) = rx.recv().await {
            got.push(item);
            task.yield_now().await;
        }
        got
    })
}

async fn recv(sim: Sim) {
    let (tx, rx) = queue();
    let senders = [sender(&sim, &tx, [10, 11]), sender(&sim, &tx, [20, 21])];
    let first = receiver(&sim, &rx);
    let got = sim.cancel_at_each(rx.recv()).await;
    drop(tx);
    for sender in senders {
        sender.await;
    }
    let others = first.await;
    for producer in [1, 2] {
        assert!(others.iter().filter(|item| **item / 10 == producer).is_sorted(), "{others:?}");
    }
    let mut all = others;
    all.extend(got.map(Result::unwrap));
    all.sort_unstable();
    assert_eq!(all, [10, 11, 20, 21]);
}

async fn send(sim: Sim) {
    let (tx, rx) = queue();
    tx.try_send(0).unwrap();
    let other = sender(&sim, &tx, [10, 11]);
    let receiver = receiver(&sim, &rx);
    let sent = sim.cancel_at_each(tx.send(1)).await;
    drop(tx);
    other.await;
    let mut got = receiver.await;
    let ours = got.iter().position(|item| *item == 1);
    assert_eq!(ours.is_some(), sent.is_some(), "what was dropped was not sent, what was not dropped was");
    ours.map(|at| got.remove(at));
    assert_eq!(got, [0, 10, 11]);
}

async fn reserve(sim: Sim) {
    let (tx, rx) = queue();
    tx.try_send(0).unwrap();
    let other = sender(&sim, &tx, [10, 11]);
    let receiver = receiver(&sim, &rx);
    let sent = match sim.cancel_at_each(tx.reserve()).await {
        Some(permit) => {
            sim.yield_now().await;
            permit.unwrap().send(1).is_ok()
        }
        None => false,
    };
    drop(tx);
    other.await;
    let got = receiver.await;
    assert_eq!(got.len(), 3 + usize::from(sent), "{got:?}");
    assert!(got.iter().filter(|item| **item != 1).eq(&[0, 10, 11]), "{got:?}");
}

/// As [`receiver`], each item as a job that takes a turn.
fn worker(sim: &Sim, rx: &Receiver<u32>) -> JoinHandle<Vec<u32>> {
    let (task, rx) = (sim.clone(), rx.clone());
    sim.spawn("worker", async move {
        let mut got = Vec::new();
        while let Ok(job) = rx.recv_job().await {
            task.yield_now().await;
            got.push(job.finish());
        }
        got
    })
}

async fn recv_many(sim: Sim) {
    let (tx, rx) = queue();
    let senders = [sender(&sim, &tx, [10, 11]), sender(&sim, &tx, [20, 21])];
    let first = receiver(&sim, &rx);
    let mut batch = Vec::new();
    let got = sim.cancel_at_each(rx.recv_many(&mut batch, 2)).await;
    assert_eq!(got.map_or(0, Result::unwrap), batch.len(), "what was dropped has received nothing");
    drop(tx);
    for sender in senders {
        sender.await;
    }
    batch.extend(first.await);
    batch.sort_unstable();
    assert_eq!(batch, [10, 11, 20, 21]);
}

async fn send_many(sim: Sim) {
    let (tx, rx) = queue();
    let other = sender(&sim, &tx, [10, 11]);
    let receiver = receiver(&sim, &rx);
    let mut items = VecDeque::from([1, 2, 3]);
    let sent = sim.cancel_at_each(tx.send_many(&mut items)).await;
    assert!(sent.is_none() || items.is_empty());
    drop(tx);
    other.await;
    let (ours, others): (Vec<u32>, _) = receiver.await.into_iter().partition(|item| *item < 10);
    assert!(ours.into_iter().chain(items).eq([1, 2, 3]), "what was not sent is here");
    assert_eq!(others, [10, 11]);
}

async fn reserve_owned(sim: Sim) {
    let (tx, rx) = queue();
    tx.try_send(0).unwrap();
    let other = sender(&sim, &tx, [10, 11]);
    let receiver = receiver(&sim, &rx);
    let permit = sim.cancel_at_each(tx.reserve_owned()).await;
    drop(tx);
    sim.yield_now().await;
    let sent = permit.is_some_and(|permit| permit.unwrap().send(1).is_ok());
    other.await;
    let got = receiver.await;
    assert_eq!(got.len(), 3 + usize::from(sent), "{got:?}");
    assert!(got.iter().filter(|item| **item != 1).eq(&[0, 10, 11]), "{got:?}");
}

async fn recv_job(sim: Sim) {
    let (tx, rx) = queue();
    let sender = sender(&sim, &tx, [10, 11]);
    let worker = worker(&sim, &rx);
    let got = sim.cancel_at_each(rx.recv_job()).await;
    sender.await;
    drop(tx);
    let mut all: Vec<u32> = got.map(|job| job.unwrap().finish()).into_iter().collect();
    rx.join().await;
    assert_eq!(rx.unfinished(), 0);
    all.extend(worker.await);
    all.sort_unstable();
    assert_eq!(all, [10, 11]);
}

async fn join(sim: Sim) {
    let (tx, rx) = queue();
    tx.try_send(9).unwrap();
    let worker = worker(&sim, &rx);
    let sender = sender(&sim, &tx, [10, 11]);
    let other = sim.spawn("joiner", {
        let rx = rx.clone();
        async move { rx.join().await }
    });
    sim.cancel_at_each(tx.join()).await;
    sender.await;
    tx.join().await;
    other.await;
    drop(tx);
    assert_eq!(worker.await, [9, 10, 11]);
}

async fn recv_any(sim: Sim) {
    let queues = [queue(), queue()];
    let senders = [sender(&sim, &queues[0].0, [10, 11]), sender(&sim, &queues[1].0, [20, 21])];
    let others = [receiver(&sim, &queues[0].1), receiver(&sim, &queues[1].1)];
    let mut all = Receivers::new(queues.each_ref().map(|(_, rx)| rx.clone()));
    let got = sim.cancel_at_each(all.recv()).await;
    for sender in senders {
        sender.await;
    }
    drop(queues);
    let mut received: Vec<u32> = got.map(|received| received.unwrap().1).into_iter().collect();
    for other in others {
        received.extend(other.await);
    }
    received.sort_unstable();
    assert_eq!(received, [10, 11, 20, 21]);
}
