//! Short names for what many tests write.

use std::num::NonZeroU32;
use std::time::Duration;
use wakeful::docket::{
    Claim, Claimed, Claims, Close, Ending, Entry, Excess, Gate, Renewal, Row, Rule, State, Store, When,
};

pub(crate) const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub(crate) const fn n(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

/// The lease of claims.
pub(crate) const LEASE: Duration = ms(100);

/// Of the task `t`, due at once, whose end is kept.
pub(crate) fn entry(key: &str) -> Entry {
    Entry { keep: Duration::MAX, ..Entry::new("t", key, serde_json::json!({ "of": key })) }
}

pub(crate) fn after(key: &str, after: Duration) -> Entry {
    Entry { due: When::In(after), ..entry(key) }
}

pub(crate) fn gate(name: &str, most: u32) -> Gate {
    Gate { name: name.into(), rule: Rule::AtMost(n(most)), excess: Excess::Wait }
}

/// Of the task `t`, under limits.
pub(crate) fn gated(key: &str, gates: &[Gate]) -> Entry {
    Entry { gates: gates.to_vec(), ..entry(key) }
}

pub(crate) async fn claims(store: &impl Store, most: usize) -> Claims {
    let claim = Claim { worker: "w".into(), names: vec!["t".into(), "u".into()], most, lease: LEASE };
    store.claim(&claim).await.unwrap()
}

/// All that can be claimed.
pub(crate) async fn claim_all(store: &impl Store) -> Vec<Claimed> {
    claims(store, usize::MAX).await.taken
}

/// The keys of all that can be claimed, in order.
pub(crate) async fn keys(store: &impl Store) -> Vec<String> {
    claim_all(store).await.into_iter().map(|claimed| claimed.key).collect()
}

pub(crate) async fn done(store: &impl Store, claimed: &Claimed) -> wakeful::docket::Finished {
    close(store, claimed, Close::End(Ending::Done(1.into()), None)).await
}

pub(crate) async fn close(store: &impl Store, claimed: &Claimed, close: Close) -> wakeful::docket::Finished {
    store.finish(&claimed.key, claimed.fence, close).await.unwrap()
}

pub(crate) async fn renew(store: &impl Store, claimed: &Claimed) -> wakeful::docket::Renewed {
    let renewal = Renewal { lease: LEASE, runs: vec![(claimed.key.clone(), claimed.fence, None)] };
    store.renew(&renewal).await.unwrap()[0]
}

pub(crate) async fn row(store: &impl Store, key: &str) -> Row {
    store.look(key, None).await.unwrap().unwrap()
}

/// How the newest row of this key ended.
pub(crate) async fn ending(store: &impl Store, key: &str) -> Ending {
    match row(store, key).await.state {
        State::Ended(ending) => ending,
        state => panic!("{key} is {state:?}"),
    }
}
