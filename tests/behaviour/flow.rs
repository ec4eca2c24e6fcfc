//! Calls that come too often, and messages for many.

use crate::support::{Cx, Spawner, ms};
use futures::{FutureExt, StreamExt};
use std::num::NonZeroUsize;
use wakeful::flow::handlers::{HandlerError, Handlers, HandlersError, Message};
use wakeful::flow::topic::{RecvError, Slow, Topic};
use wakeful::flow::{Debounce, FlowExt, Skipped, Spaced, merge};
use wakeful::queue;

pub(crate) async fn a_debounce_runs_the_last_of_three_calls(cx: Cx<impl Spawner>) {
    let debounce = Debounce::new(&cx.time, ms(50));
    let mut calls = [1, 2, 3].map(|n| Box::pin(debounce.call(async move || n)));
    for call in &mut calls {
        // A machine that stands still meanwhile may let one have its turn.
        let begun = call.as_mut().now_or_never();
        assert!(begun.is_none() || !cx.exact(), "{begun:?}");
        if begun.is_some() {
            return;
        }
    }
    let [first, second, third] = calls;
    assert_eq!(third.await, Ok(3));
    cx.assert_at(50);
    assert!(first.await == Err(Skipped::Superseded) || !cx.exact());
    assert!(second.await == Err(Skipped::Superseded) || !cx.exact());
    assert!(!debounce.is_pending());
}

pub(crate) async fn spaced_calls_keep_their_distance(cx: Cx<impl Spawner>) {
    let spaced = Spaced::new(&cx.time, ms(20)).unwrap();
    let calls = [(); 3].map(|()| {
        let (spaced, time) = (spaced.clone(), cx.time.clone());
        cx.spawn("caller", async move { spaced.call(async || time.now()).await })
    });
    let mut ran = Vec::new();
    for call in calls {
        ran.push(call.await);
    }
    ran.sort();
    for (n, at) in ran.into_iter().enumerate() {
        cx.assert_instant(at, 20 * n as u64);
    }
}

pub(crate) async fn subscribers_see_what_their_policies_promise(cx: Cx<impl Spawner>) {
    const MESSAGES: u64 = 1_000;
    let topic = Topic::new(NonZeroUsize::new(8).unwrap());
    let readers = [Slow::Wait, Slow::Wait, Slow::DropOldest, Slow::Latest].map(|slow| {
        let mut reader = topic.subscribe(slow);
        cx.spawn("reader", async move {
            let (mut read, mut missed, mut last) = (0, 0, None);
            loop {
                match reader.recv().await {
                    Ok(n) => {
                        assert!(last < Some(n), "{slow:?}: {n} after {last:?}");
                        assert!(slow == Slow::Latest || n == read + missed, "{slow:?}: {n} after {read} and {missed}");
                        (read, last) = (read + 1, Some(n));
                    }
                    Err(RecvError::Missed(n)) => missed += n,
                    Err(RecvError::Closed) => return (slow, read, missed, last),
                }
            }
        })
    });
    for n in 0..MESSAGES {
        assert_eq!(topic.publish(n).await, Ok(4));
    }
    topic.close();
    topic.drained().await;
    for reader in readers {
        let (slow, read, missed, last) = reader.await;
        assert_eq!(last, Some(MESSAGES - 1));
        match slow {
            Slow::Wait => assert_eq!((read, missed), (MESSAGES, 0)),
            Slow::DropOldest => assert_eq!(read + missed, MESSAGES),
            _ => assert!((1..=MESSAGES).contains(&read) && missed == 0),
        }
    }
}

pub(crate) async fn merged_streams_give_all_that_their_tasks_send(cx: Cx<impl Spawner>) {
    const SOURCES: u64 = 20;
    const ITEMS: u64 = 100;
    let sources = (0..SOURCES).map(|source| {
        let (tx, rx) = queue::bounded(NonZeroUsize::new(4).unwrap());
        let time = cx.time.clone();
        let sender = cx.spawn("sender", async move {
            for n in 0..ITEMS {
                tx.send((source, n)).await.unwrap();
                if n % 50 == 49 {
                    time.sleep(ms(2)).await;
                }
            }
        });
        (Box::pin(rx.into_stream()), sender)
    });
    let (streams, senders): (Vec<_>, Vec<_>) = sources.unzip();
    let mut merged = merge(streams);
    let mut next = [0; SOURCES as usize];
    while let Some((source, n)) = merged.next().await {
        assert_eq!(n, next[source as usize], "each source keeps its order");
        next[source as usize] += 1;
    }
    assert_eq!(next, [ITEMS; SOURCES as usize]);
    for sender in senders {
        sender.await;
    }
    cx.assert_at(4);
}

pub(crate) async fn the_items_of_a_key_keep_their_order_where_bodies_wait_for_other_tasks(cx: Cx<impl Spawner>) {
    const KEYS: u64 = 4;
    let items = futures::stream::iter(0..20 * KEYS);
    let body = |n| {
        let time = cx.time.clone();
        cx.spawn("body", async move {
            if n % KEYS == 0 {
                time.sleep(ms(1)).await;
            }
            n
        })
    };
    let all: Vec<_> = items.partition_by(NonZeroUsize::new(3).unwrap(), |n| n % KEYS, body).collect().await;
    for key in 0..KEYS {
        let of_key: Vec<_> = all.iter().copied().filter(|n| n % KEYS == key).collect();
        assert_eq!(of_key, (0..20).map(|n| n * KEYS + key).collect::<Vec<_>>());
    }
    cx.assert_at(20);
}

pub(crate) async fn handlers_fail_each_for_itself(cx: Cx<impl Spawner>) {
    let (errors, sunk) = async_channel::unbounded();
    let handlers = Handlers::new(move |error: HandlerError<&str>| errors.try_send(error.to_string()).unwrap());
    let time = cx.time.clone();
    let _well = handlers.on("well", move |_: Message<u32>| {
        let sleep = time.sleep(ms(5));
        async move {
            sleep.await;
            Ok(())
        }
    });
    let _fails = handlers.on("fails", async |_: Message<u32>| Err("as it was asked to"));
    let _panics = handlers.on("panics", async |_: Message<u32>| panic!("as it was asked to"));
    let Err(HandlersError::Failed { handlers: 3, errors }) = handlers.publish(1).await else { panic!("two fail") };
    assert_eq!(errors.len(), 2);
    cx.assert_at(5);
    handlers.post(&cx.spawner, 2).unwrap();
    handlers.close();
    handlers.drained().await;
    cx.assert_at(10);
    assert_eq!(sunk.recv().await.unwrap(), "fails: as it was asked to");
    assert_eq!(sunk.recv().await.unwrap(), "panics panicked: as it was asked to");
}
