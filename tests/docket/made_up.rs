//! Keys that were made up by a store.

use super::support::*;
use wakeful::docket::{Cancelled, Ending, Entry, Existing, Finished, Put, State, Store};
use wakeful::time::Time;

pub(crate) async fn taken(store: impl Store, _: Time) {
    let Put::Added(first) = store.put(entry("")).await.unwrap() else { panic!() };
    // What the next two would be called.
    let taken: Vec<_> = (2..4).map(|n| wakeful::docket::Generation(first.0 + n).key_of("t")).collect();
    for key in &taken {
        assert!(matches!(store.put(entry(key)).await, Ok(Put::Added(_))));
    }
    let Put::Added(last) = store.put(entry("")).await.unwrap() else { panic!() };
    assert!(!taken.contains(&last.key_of("t")));
    assert_eq!(keys(&store).await, [first.key_of("t"), taken[0].clone(), taken[1].clone(), last.key_of("t")]);
}

pub(crate) async fn used(store: impl Store, _: Time) {
    let made = async || match store.put(entry("")).await {
        Ok(Put::Added(of)) => (of, of.key_of("t")),
        other => panic!("{other:?}"),
    };
    // Of a row that is queued,
    let (of, key) = made().await;
    assert_eq!(store.put(entry(&key)).await, Ok(Put::Exists { generation: of, running: false }));
    let replaced = store.put(Entry { existing: Existing::Replace, ..entry(&key) }).await;
    let Ok(Put::Replaced(newer)) = replaced else { panic!("{replaced:?}") };
    let old = store.look(&key, Some(of)).await.unwrap().unwrap();
    assert_eq!(old.state, State::Ended(Ending::Replaced(newer)));
    let run = claim_all(&store).await.remove(0);
    assert_eq!((&run.key, run.generation), (&key, newer));
    assert_eq!(done(&store, &run).await, Finished::Done(None));
    // that runs,
    let (_, key) = made().await;
    let run = claim_all(&store).await.remove(0);
    let following = store.put(Entry { existing: Existing::Follow, ..entry(&key) }).await;
    let Ok(Put::Following(next)) = following else { panic!("{following:?}") };
    assert_eq!(done(&store, &run).await, Finished::Done(Some(next)));
    let run = claim_all(&store).await.remove(0);
    assert_eq!((&run.key, run.generation), (&key, next));
    assert_eq!(done(&store, &run).await, Finished::Done(None));
    // and of one that has ended.
    let (of, key) = made().await;
    let run = claim_all(&store).await.remove(0);
    assert_eq!(done(&store, &run).await, Finished::Done(None));
    assert_eq!(store.look(&key, None).await.unwrap().unwrap().generation, of);
    let added = store.put(entry(&key)).await;
    let Ok(Put::Added(last)) = added else { panic!("{added:?}") };
    assert_eq!(store.look(&key, None).await.unwrap().unwrap().generation, last);
    assert_eq!(store.cancel(&key, ms(0)).await, Ok(Cancelled::Queued(last)));
    assert_eq!(store.look(&key, Some(of)).await.unwrap().unwrap().state, State::Ended(Ending::Done(1.into())));
    for other in [format!("u#{}", of.0), format!("t#0{}", of.0), format!("t#+{}", of.0), format!("t{}", of.0)] {
        assert_eq!(store.look(&other, None).await, Ok(None), "{other}");
        assert_eq!(store.look(&other, Some(of)).await, Ok(None), "{other}");
    }
}
