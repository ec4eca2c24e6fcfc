//! Calls that have turns: one that is given up leaves no timer, and those behind it are not kept waiting. Messages: none is lost
//! by who gives up, and none is published that was taken back.

use crate::ms;
use std::num::NonZeroUsize;
use std::sync::Arc;
use wakeful::cancel::Scope;
use wakeful::flow::handlers::{Handlers, Message};
use wakeful::flow::pipeline::{pipeline, stage};
use wakeful::flow::topic::{RecvError, Slow, Topic};
use wakeful::flow::{Debounce, Edge, Skipped, Spaced, Throttle};
use wakeful::sim::Sim;
use wakeful::work::Lease;

crate::sweeps! {
    "flow::Debounce::call" => debounce,
    "flow::Throttle::call" => throttle,
    "flow::Spaced::call" => spaced,
    "flow::Publish" => publish,
    "flow::Recv" => recv,
    "flow::Drained" => drained,
    "flow::Handlers::publish" => handle,
    "flow::Handlers::drained" => handled,
    "flow::Pipeline::run" => pipeline_run,
}

async fn debounce(sim: Sim) {
    let (debounce, time) = (Debounce::new(&sim.time(), ms(20)), sim.time());
    let rival = sim.spawn("rival", {
        let (debounce, time) = (debounce.clone(), sim.time());
        async move {
            time.sleep(ms(10)).await;
            debounce.call(async || time.now()).await
        }
    });
    let called = sim.cancel_at_each(debounce.call(async || time.sleep(ms(5)).await)).await;
    assert!(matches!(called, None | Some(Err(Skipped::Superseded))), "the other comes in between: {called:?}");
    assert_eq!(rival.await.map(|at| at.as_nanos()), Ok(30_000_000));
    assert_eq!((debounce.is_pending(), time.pending()), (false, 0));
    // One that has been superseded by nobody runs, and its timer is gone if it is dropped.
    if let Some(called) = sim.cancel_at_each(debounce.call(async || time.sleep(ms(5)).await)).await {
        assert_eq!((called, sim.now().as_nanos()), (Ok(()), 55_000_000));
    }
    assert_eq!((debounce.is_pending(), time.pending()), (false, 0));
}

async fn throttle(sim: Sim) {
    let (throttle, time) = (Throttle::new(&sim.time(), ms(20), Edge::Both), sim.time());
    throttle.call(async || ()).await.unwrap();
    if let Some(called) = sim.cancel_at_each(throttle.call(async || time.sleep(ms(5)).await)).await {
        assert_eq!((called, sim.now().as_nanos()), (Ok(()), 25_000_000));
    }
    assert_eq!((throttle.is_pending(), time.pending()), (false, 0));
    let at = throttle.call(async || time.now()).await.unwrap();
    assert!([20, 40].contains(&(at.as_nanos() / 1_000_000)), "the period of whichever ran is kept: {at:?}");
}

async fn spaced(sim: Sim) {
    let (spaced, time) = (Spaced::new(&sim.time(), ms(20)).unwrap(), sim.time());
    spaced.call(async || ()).await;
    let rival = sim.spawn("rival", {
        let (spaced, time) = (spaced.clone(), sim.time());
        async move { spaced.call(async || time.now()).await }
    });
    let called = sim.cancel_at_each(spaced.call(async || time.now())).await;
    let mut at = vec![rival.await.as_nanos() / 1_000_000];
    at.extend(called.map(|at| at.as_nanos() / 1_000_000));
    at.sort();
    assert!(at == [20, 40] || at == [20], "who is left moves up: {at:?}");
    assert_eq!(time.pending(), 0);
}

fn small() -> Topic<u32> {
    Topic::new(NonZeroUsize::MIN)
}

async fn publish(sim: Sim) {
    let topic = small();
    let mut reader = topic.subscribe(Slow::Wait);
    topic.publish(0).await.unwrap();
    let read = sim.spawn("reader", {
        let time = sim.time();
        async move {
            let mut read = Vec::new();
            loop {
                time.sleep(ms(5)).await;
                match reader.recv().await {
                    Ok(n) => read.push(n),
                    Err(error) => return (read, error),
                }
            }
        }
    });
    let rival = sim.spawn("rival", {
        let topic = topic.clone();
        async move { topic.publish(2).await }
    });
    let published = sim.cancel_at_each(topic.publish(1)).await;
    assert_eq!(rival.await, Ok(1));
    topic.close();
    let (mut read, end) = read.await;
    read.sort_unstable();
    assert_eq!(end, RecvError::Closed);
    assert!(read == [0, 1, 2] || published.is_none() && read == [0, 2], "{published:?}: {read:?}");
}

async fn recv(sim: Sim) {
    let topic = small();
    let mut reader = topic.subscribe(Slow::Wait);
    let publisher = sim.spawn("publisher", {
        let time = sim.time();
        async move {
            for n in 0..2 {
                time.sleep(ms(5)).await;
                topic.publish(n).await.unwrap();
            }
        }
    });
    let first = sim.cancel_at_each(reader.recv()).await;
    let mut read: Vec<_> = first.into_iter().collect();
    while read.last() != Some(&Err(RecvError::Closed)) {
        read.push(reader.recv().await);
    }
    assert_eq!(read, [Ok(0), Ok(1), Err(RecvError::Closed)], "what was not given is read by the next");
    publisher.await;
}

async fn drained(sim: Sim) {
    let topic = small();
    let mut reader = topic.subscribe(Slow::Wait);
    topic.publish(0).await.unwrap();
    let read = sim.spawn("reader", {
        let time = sim.time();
        async move {
            time.sleep(ms(5)).await;
            while reader.recv().await.is_ok() {
                time.sleep(ms(5)).await;
            }
        }
    });
    topic.close();
    if sim.cancel_at_each(topic.drained()).await.is_some() {
        assert_eq!(sim.now().as_nanos(), 10_000_000);
    }
    topic.drained().await;
    read.await;
}

fn two(sim: &Sim) -> (Handlers<u32, ()>, [impl Sized + use<>; 2]) {
    let handlers = Handlers::new(|error| panic!("nothing fails: {error:?}"));
    let on = [5, 9].map(|millis| {
        let time = sim.time();
        handlers.on("sleeps", move |_: Message<u32>| {
            let sleep = time.sleep(ms(millis));
            async move {
                sleep.await;
                Ok(())
            }
        })
    });
    (handlers, on)
}

async fn handle(sim: Sim) {
    let (handlers, _on) = two(&sim);
    if let Some(handled) = sim.cancel_at_each(handlers.publish(1)).await {
        assert_eq!((handled.ok(), sim.now().as_nanos()), (Some(2), 9_000_000));
    }
    assert_eq!(sim.time().pending(), 0);
    handlers.drained().await;
}

async fn handled(sim: Sim) {
    let (handlers, on) = two(&sim);
    handlers.post(&sim.spawner(), 1).unwrap();
    drop(on);
    if sim.cancel_at_each(handlers.drained()).await.is_some() {
        assert_eq!((sim.now().as_nanos(), sim.time().pending()), (9_000_000, 0));
    }
    handlers.drained().await;
}

async fn pipeline_run(sim: Sim) {
    let (scope, held) = (Scope::new(sim.time()), Arc::new(()));
    let items: Vec<_> = (1..=5).map(|n| (n, held.clone())).collect();
    let body = |n: u64| {
        let sim = sim.clone();
        move |item: Lease<(u64, Arc<()>)>| {
            let sim = sim.clone();
            async move {
                wakeful::sleep(ms(item.0 * n)).await;
                sim.yield_now().await;
                if item.0 == n { Err(()) } else { Ok(item.take()) }
            }
        }
    };
    let two = NonZeroUsize::new(2).unwrap();
    let line = pipeline(items)
        .then(stage("here").workers(two).in_order().buffer(NonZeroUsize::MIN).item_timeout(ms(4)), body(1))
        .then_on(sim.spawner(), stage("there").workers(two).buffer(NonZeroUsize::MIN), body(2))
        .then(stage("last"), body(0));
    if let Some(report) = sim.cancel_at_each(line.deadline_after(ms(9)).run(&scope, drop)).await {
        assert_eq!(report.pulled() + report.not_started.unwrap() as u64, 5);
        assert!(report.stages.windows(2).all(|pair| pair[0].count.done == pair[1].count.total()), "{report}");
        drop(report);
    }
    // Workers who were left behind end at their next poll.
    sim.time().sleep(ms(1)).await;
    assert_eq!((Arc::strong_count(&held), sim.time().pending()), (1, 0));
    assert!(!scope.cancel_called());
}
