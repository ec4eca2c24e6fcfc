//! Queues: nothing lost, nothing twice, and the turn of the one that is dropped passes on.

use std::num::NonZeroUsize;
use wakeful::queue::{self, Receiver, Sender};
use wakeful::sim::{JoinHandle, Sim};

crate::sweeps! {
    "queue::Recv" => recv,
    "queue::SendItem" => send,
    "queue::Reserve" => reserve,
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
