//! The heartbeat: prolongs leases, hears of what is to end, and ends what may have lost its lease.

use super::{Order, Running, Shop, any};
use crate::docket::{Fence, Renewal, Renewed, StoreError, Topic};
use crate::time::Instant;
use alloc::vec::Vec;
use core::future::pending;
use core::pin::pin;
use core::time::Duration;

impl Shop {
    pub(super) async fn beat(&self) -> Result<(), StoreError> {
        let docket = &self.setup.docket;
        let mut seen = 0;
        loop {
            let mut now_seen = seen;
            {
                let order = async {
                    match docket.store().changed(Topic::Orders, seen).await {
                        Ok(number) => now_seen = number,
                        Err(_) => pending().await,
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
        let (asked, renewed) = self.ask(|store| store.renew(&renewal)).await?;
        let until = self.lease_from(asked);
        for ((_, fence, _), renewed) in renewal.runs.iter().zip(renewed) {
            let (order, reason, grace) = match renewed {
                Renewed::Held => (None, "", Duration::ZERO),
                Renewed::Cancelled(grace) => (Some(Order::Cancelled), "the task was cancelled", grace),
                Renewed::Lost => (Some(Order::Lost), LOST, Duration::ZERO),
            };
            let scope = self.running.with(|running| {
                let run = running.get_mut(fence).filter(|run| run.order != Some(Order::Lost))?;
                run.until = until;
                run.order = order.or(run.order);
                order.map(|_| run.cx.scope().clone())
            });
            match scope {
                Some(scope) if grace.is_zero() => drop(scope.cancel(reason)),
                Some(scope) => drop(scope.cancel_with_grace(reason, grace)),
                None => {}
            }
        }
        Ok(())
    }

    /// Until when a run has its lease for which the store was asked at `sent`: the store counts from later on. Clocks may differ by a
    /// tenth.
    pub(super) fn lease_from(&self, sent: Instant) -> Instant {
        sent + (self.setup.lease - self.setup.lease / 10)
    }

    /// Cuts short what may have lost its lease, since the store has not said by then that it holds: another worker may begin it.
    pub(super) async fn cut(&self) -> Result<(), StoreError> {
        let time = self.setup.docket.time();
        loop {
            let (soon, now) = (self.soon.notified(), time.now());
            let mut next = now + self.setup.lease / 3;
            let mut lost = Vec::new();
            self.running.with(|running| {
                for run in running.values_mut().filter(|run| run.order != Some(Order::Lost)) {
                    if run.until <= now {
                        run.order = Some(Order::Lost);
                        lost.push(run.cx.scope().clone());
                    } else {
                        next = next.min(run.until);
                    }
                }
            });
            for scope in lost {
                let _ = scope.cancel(LOST);
            }
            any([pin!(soon), pin!(time.sleep(next - now))]).await;
        }
    }
}

const LOST: &str = "the lease was lost";
