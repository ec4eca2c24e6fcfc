//! The run of which the files in this folder are pictures. They name its lines.

use std::num::NonZeroUsize;
use std::time::Duration;
use wakeful::queue;
use wakeful::sim::Sim;

/// A producer that is done, a consumer that is stuck in the end, and a heart that beats three times.
pub(crate) async fn story(sim: Sim) {
    let (tx, rx) = queue::bounded(NonZeroUsize::MIN);
    let (_never, orders) = queue::bounded::<()>(NonZeroUsize::MIN);
    let other = sim.clone();
    let producer = sim.spawn("producer", async move {
        other.time().sleep(Duration::from_millis(100)).await;
        for n in 0..2 {
            other.note(format_args!("item {n}"));
            tx.send(n).await.unwrap();
            other.yield_now().await;
        }
    });
    let other = sim.clone();
    let consumer = sim.spawn("consumer", async move {
        rx.recv().await.unwrap();
        other.choose(3);
        let work = other.span("hard work");
        other.time().sleep(Duration::from_micros(2_500)).await;
        drop(work);
        orders.recv().await.unwrap();
    });
    let time = sim.time();
    sim.spawn_background("heart", async move {
        for _ in 0..3 {
            time.sleep(Duration::from_millis(75)).await;
        }
    });
    producer.await;
    consumer.await;
}
