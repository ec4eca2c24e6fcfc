//! Scheduled, keyed, repeating tasks, in process.
//!
//! # Which part do I want?
//!
//! | you want to | use |
//! |---|---|
//! | keep tasks in memory | [`MemoryStore`] |
//! | keep them elsewhere | [`Store`], a trait of whole transitions, and the suite in `tests/docket` to hold it to its promises |
//! | add a task, with a key that it has once at a time | [`Store::put`] of an [`Entry`]; [`Existing`] for what happens if it is there |
//! | have few at once for each value of something, a rate, a cooldown | [`Gate`]s |
//! | put off what comes again and again until it has settled | [`Settle`] |
//! | keep tasks from being run, by name or by what they are about | [`Strike`], [`Test`] |
//! | work on them | [`Store::claim`], [`Store::renew`], [`Store::finish`] |
//! | see all there is | [`Store::scan`] |
//!
//! What stores promise stands at [`Store`], as D1–D7; tests cite it by number.
//!
//! ```
//! use core::time::Duration;
//! use serde_json::json;
//! use wakeful::docket::{Claim, Close, Ending, Entry, MemoryStore, Put, Store, When};
//!
//! wakeful::sim::run(|sim| async move {
//!     let store = MemoryStore::new(&sim.time());
//!     let minute = Duration::from_secs(60);
//!     let entry = || Entry { due: When::In(minute), ..Entry::new("send_mail", "welcome 7", json!({ "user": 7 })) };
//!     assert!(matches!(store.put(entry()).await, Ok(Put::Added(_))));
//!     assert!(matches!(store.put(entry()).await, Ok(Put::Exists { .. })), "one of a key");
//!
//!     let claim = Claim { worker: "w1".into(), names: vec!["send_mail".into()], most: 10, lease: minute };
//!     let claims = store.claim(&claim).await.unwrap();
//!     assert!(claims.taken.is_empty());
//!     sim.time().sleep(claims.again).await;
//!     let run = store.claim(&claim).await.unwrap().taken.remove(0);
//!     assert_eq!((run.args["user"].as_u64(), run.attempt), (Some(7), 1));
//!     store.finish(&run.key, run.fence, Close::End(Ending::Done(json!("sent")), None)).await.unwrap();
//! });
//! ```

mod store;
mod strike;

pub use serde_json::Value;
pub use store::{
    Answer, Cancelled, Claim, Claimed, Claims, Close, Ending, Entry, Excess, Existing, Fence, Finished, Gate, GateUse,
    Generation, MemoryStore, Put, Renewal, Renewed, Row, Rule, Settle, Snapshot, State, Store, StoreError, StrikeId,
    Topic, When,
};
pub use strike::{Strike, Test};
