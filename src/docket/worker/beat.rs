//! The heartbeat: prolongs leases, and hears of what is to end.

use super::{Order, Running, Shop, any};
use crate::docket::{Fence, Renewal, Renewed, StoreError, Topic};
use alloc::vec::Vec;
use core::pin::pin;

impl Shop {
    pub(super) async fn beat(&self) -> Result<(), StoreError> {
        let docket = &self.setup.docket;
        let mut seen = 0;
        loop {
            let mut now_seen = seen;
            {
                let order = async {
                    if let Ok(number) = docket.store().changed(Topic::Orders, seen).await {
                        now_seen = number;
                    }
                };
                any([pin!(order), pin!(docket.time().sleep(self.setup.lease / 3))]).await;
            }
            seen = now_seen;
            self.renew().await?;
        }
    }

    async fn renew(&self) -> Result<(), StoreError> {
        let run = |(fence, run): (&Fence, &Running)| (run.cx.key().into(), *fence, None);
        let runs: Vec<_> = self.running.with(|running| running.iter().map(run).collect());
        if runs.is_empty() {
            return Ok(());
        }
        let renewal = Renewal { lease: self.setup.lease, runs };
        let renewed = self.setup.docket.store().renew(&renewal).await?;
        for ((_, fence, _), renewed) in renewal.runs.iter().zip(renewed) {
            let (order, reason, grace) = match renewed {
                Renewed::Held => continue,
                Renewed::Cancelled(grace) => (Order::Cancelled, "the task was cancelled", grace),
                Renewed::Lost => (Order::Lost, "the lease was lost", core::time::Duration::ZERO),
            };
            let scope = self.running.with(|running| {
                let run = running.get_mut(fence)?;
                run.order = Some(order);
                Some(run.cx.scope().clone())
            });
            match scope {
                Some(scope) if grace.is_zero() => drop(scope.cancel(reason)),
                Some(scope) => drop(scope.cancel_with_grace(reason, grace)),
                None => {}
            }
        }
        Ok(())
    }
}
