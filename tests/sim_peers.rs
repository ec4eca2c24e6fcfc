//! Correct programs on the primitives of others, under all that is done to wakers and polls at once: nothing is reported.

use futures::SinkExt as _;
use futures::channel::mpsc;
use futures::future::{self, FutureExt as _};
use futures::stream::{self, FuturesUnordered, StreamExt as _};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, Notify, RwLock, Semaphore, broadcast, oneshot, watch};
use wakeful::sim::{Builder, JoinHandle, Sim};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Makes 200 runs of a portfolio with each of the twists more often than it has them, and with all of them.
fn is_left_alone(body: impl AsyncFn(Sim) + Sync) {
    let plain = || Builder::new().runs(200).repeat_every(0);
    let all = plain().fresh_wakers(true).spurious(3).probe(true);
    for builder in [plain(), plain().fresh_wakers(true), plain().spurious(2), plain().probe(true), all] {
        if let Err(failure) = builder.explore(|sim| body(sim)) {
            panic!("{failure}");
        }
    }
}

async fn all(tasks: impl IntoIterator<Item = JoinHandle<()>>) {
    for task in tasks {
        task.await;
    }
}

#[test]
fn locks_and_signals_of_tokio() {
    is_left_alone(async |sim: Sim| {
        let (permits, lock, shared) = (Arc::new(Semaphore::new(2)), Arc::new(Mutex::new(0)), Arc::new(RwLock::new(0)));
        let (set, seen) = watch::channel(0);
        let ((said, _), notify) = (broadcast::channel(4), Arc::new(Notify::new()));
        let workers = [0, 1, 2].map(|n| {
            let (sim, permits, lock, shared) = (sim.clone(), permits.clone(), lock.clone(), shared.clone());
            let (mut seen, mut heard, notify) = (seen.clone(), said.subscribe(), notify.clone());
            sim.clone().spawn("worker", async move {
                let permit = permits.acquire().await.unwrap();
                let mut held = lock.lock().await;
                sim.yield_now().await;
                *held += 1;
                drop((held, permit));
                *shared.write().await += 1;
                let read = shared.read().await;
                sim.time().sleep(ms(n)).await;
                assert!(*read > 0);
                drop(read);
                seen.wait_for(|count| *count == 3).await.unwrap();
                assert_eq!(heard.recv().await, Ok("done"));
                notify.notify_one();
            })
        });
        let (answer, asked) = oneshot::channel();
        let waits = sim.spawn("waits", async move {
            notify.notified().await;
            answer.send(7).unwrap();
        });
        for count in 1..=3 {
            sim.time().sleep(ms(1)).await;
            set.send(count).unwrap();
        }
        said.send("done").unwrap();
        assert_eq!(asked.await, Ok(7));
        all(workers.into_iter().chain([waits])).await;
        assert_eq!((*lock.lock().await, *shared.read().await), (3, 3));
    });
}

#[test]
fn channels_of_tokio_futures_and_async_channel() {
    is_left_alone(async |sim: Sim| {
        let (tokio, mut from_tokio) = tokio::sync::mpsc::channel(2);
        let (futures, mut from_futures) = mpsc::channel(1);
        let (smol, from_smol) = async_channel::bounded(1);
        let senders = [0, 1, 2].map(|n| {
            let (sim, tokio, mut futures, smol) = (sim.clone(), tokio.clone(), futures.clone(), smol.clone());
            sim.clone().spawn("sender", async move {
                for item in 0..3 {
                    tokio.send(item).await.unwrap();
                    futures.send(item).await.unwrap();
                    smol.send(item).await.unwrap();
                    sim.time().sleep(ms(n)).await;
                }
            })
        });
        drop((tokio, futures, smol));
        let count = stream::unfold(&mut from_tokio, async |rx| Some((rx.recv().await?, rx))).count();
        let counts = future::join3(count, from_futures.by_ref().count(), from_smol.count());
        assert_eq!(counts.await, (9, 9, 9));
        all(senders).await;
    });
}

#[test]
fn locks_of_async_lock_and_events_of_event_listener() {
    is_left_alone(async |sim: Sim| {
        let (lock, permits) = (Arc::new(async_lock::Mutex::new(0)), Arc::new(async_lock::Semaphore::new(1)));
        let (barrier, event) = (Arc::new(async_lock::Barrier::new(3)), Arc::new(event_listener::Event::new()));
        let workers = [0, 1, 2].map(|_| {
            let (sim, lock, permits) = (sim.clone(), lock.clone(), permits.clone());
            let (barrier, listener) = (barrier.clone(), event.listen());
            sim.clone().spawn("worker", async move {
                barrier.wait().await;
                let permit = permits.acquire().await;
                let mut held = lock.lock().await;
                sim.yield_now().await;
                *held += 1;
                drop((held, permit));
                listener.await;
            })
        });
        sim.time().sleep(ms(1)).await;
        event.notify(3);
        all(workers).await;
        assert_eq!(*lock.lock().await, 3);
    });
}

#[test]
fn combinators_of_futures() {
    is_left_alone(async |sim: Sim| {
        let slow = |n: u64| {
            let sim = sim.clone();
            async move {
                sim.yield_now().await;
                sim.time().sleep(ms(n % 3)).await;
                n
            }
        };
        let unordered: FuturesUnordered<_> = (0..5).map(slow).collect();
        let buffered = stream::iter(0..10).map(slow).buffer_unordered(3);
        let both = stream::select(unordered, buffered);
        assert_eq!(both.fold(0, async |sum, n| sum + n).await, 10 + 45);
        assert_eq!(future::join_all((0..40).map(slow)).await, Vec::from_iter(0..40));
        let shared = slow(2).boxed().shared();
        let sharers = [0, 1, 2].map(|_| {
            let shared = shared.clone();
            sim.spawn("sharer", async move { assert_eq!(shared.await, 2) })
        });
        let (first, second) = (pin!(slow(1)), pin!(slow(2)));
        let (won, other) = future::select(first, second).await.factor_first();
        assert_eq!((won, other.await), (1, 2));
        all(sharers).await;
    });
}
