//! The docket: who waits for news of a store and is dropped takes nothing from the others who wait.

use crate::ms;
use serde_json::json;
use wakeful::docket::{Entry, Generation, MemoryStore, Put, Store, Topic, When};
use wakeful::sim::Sim;

crate::sweeps! {
    "docket::Answer" => news,
}

async fn news(sim: Sim) {
    let store = MemoryStore::new(&sim.time());
    let entry = |key: &str| Entry { due: When::In(ms(1_000)), ..Entry::new("t", key, json!(null)) };
    let Ok(Put::Added(first)) = store.put(entry("a")).await else { panic!("it is the first") };
    assert_eq!(first, Generation(1));
    let (theirs, mine) = (store.clone(), store.clone());
    let other = sim.spawn("other", async move {
        theirs.changed(Topic::End(first), 0).await.unwrap();
        theirs.changed(Topic::Work, 1).await.unwrap()
    });
    let actor = sim.spawn("actor", async move {
        mine.cancel("a", ms(0)).await.unwrap();
        mine.put(entry("b")).await.unwrap();
    });
    let swept = async {
        store.changed(Topic::End(first), 0).await.unwrap();
        store.changed(Topic::Work, 1).await.unwrap()
    };
    if let Some(number) = sim.cancel_at_each(swept).await {
        assert_eq!(number, 2);
    }
    actor.await;
    assert_eq!(other.await, 2);
}
