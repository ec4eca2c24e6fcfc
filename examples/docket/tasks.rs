//! What can be done.

use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;
use std::time::Duration;
use wakeful::docket::{Cx, Limit, Policy, RegisterError, Registry, StoreError, Task};

/// How long ends are shown.
const KEEP: Duration = Duration::from_secs(600);

pub(crate) fn registry() -> Result<Registry, RegisterError> {
    Registry::new().task::<Echo>()?.task::<Count>()
}

/// Says something.
#[derive(Serialize, Deserialize)]
struct Echo {
    words: String,
}

impl Task for Echo {
    const NAME: &'static str = "echo";
    const POLICY: Policy = Policy::new().keep(KEEP);
    type Output = String;
    type Error = String;

    async fn run(self, cx: Cx) -> Result<String, String> {
        println!("{}: begins, delivery {}", cx.key(), cx.delivery());
        Ok(self.words)
    }
}

/// Counts.
#[derive(Serialize, Deserialize)]
struct Count {
    to: u64,
}

impl Task for Count {
    const NAME: &'static str = "count";
    const POLICY: Policy = Policy::new()
        .keep(KEEP)
        .timeout(Duration::from_secs(3600))
        .deliveries(NonZeroU32::new(3).unwrap())
        .limits(&[Limit::at_most(1).shared("counting")]);
    type Output = u64;
    type Error = StoreError;

    async fn run(self, cx: Cx) -> Result<u64, StoreError> {
        println!("{}: begins, delivery {}", cx.key(), cx.delivery());
        for n in 1..=self.to {
            cx.scope().sleep(Duration::from_millis(10)).await;
            cx.progress(n).await?;
        }
        Ok(self.to)
    }
}
