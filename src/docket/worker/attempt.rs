//! One attempt at a task, from its claim to its end.

use super::{EventKind, Order, Running, Shop};
use crate::cancel::Outcome;
use crate::docket::context::Next;
use crate::docket::registry::{Failure, Kind};
use crate::docket::{Claimed, Close, Cx, Ending, Entry, Finished, StoreError, When};
use crate::resilience::Verdict;
use crate::spawn::Panic;
use crate::sys::mix;
use crate::task::{Guarded, LocalGroup};
use crate::time::Instant;
use alloc::format;
use alloc::string::{String, ToString};
use core::time::Duration;
use serde_json::Value;

impl Shop {
    /// Has a claimed task run beside the others.
    pub(super) async fn start<'env>(
        &'env self,
        group: &LocalGroup<'env, StoreError>,
        claimed: Claimed,
        until: Instant,
    ) -> Result<(), StoreError> {
        let (fence, now) = (claimed.fence, self.setup.docket.time().now());
        if until <= now {
            // The claim was answered too late: another worker may have it.
            return self.give_back(&claimed).await;
        }
        let Some(kind) = self.setup.docket.registry().kind(&claimed.name) else {
            return self.give_back(&claimed).await;
        };
        let scope = group.scope().child_after(kind.policy.timeout);
        let name = claimed.name.clone();
        let cx = Cx::new(&self.setup.docket, scope, &self.setup.name, self.setup.lease, claimed);
        self.running.with(|all| all.insert(fence, Running { cx: cx.clone(), until, order: None }));
        if until < now + self.setup.lease / 3 {
            self.soon.notify_all();
        }
        if group.spawn(name, self.attempt(cx.clone())).is_err() {
            // It winds down.
            self.forget(cx.claimed());
            return self.give_back(cx.claimed()).await;
        }
        Ok(())
    }

    async fn give_back(&self, claimed: &Claimed) -> Result<(), StoreError> {
        self.setup.docket.store().finish(&claimed.key, claimed.fence, Close::Back).await.map(drop)
    }

    fn forget(&self, claimed: &Claimed) -> Option<Order> {
        let run = self.running.with(|running| running.remove(&claimed.fence));
        self.freed.notify_all();
        run.and_then(|run| run.order)
    }

    async fn attempt(&self, cx: Cx) -> Result<(), StoreError> {
        let (docket, claimed, scope) = (&self.setup.docket, cx.claimed(), cx.scope());
        let began = scope.now();
        let kind = docket.registry().kind(&claimed.name).expect("looked for before it was started");
        self.tell(claimed, || EventKind::Begun);
        let body = async { kind.run(&claimed.args, cx.clone())?.await };
        let outcome = scope.run(Guarded::new(body)).await;
        let order = self.running.with(|running| running.get(&claimed.fence).and_then(|run| run.order));
        let now = scope.now();
        let close = match outcome {
            _ if order == Some(Order::Lost) => {
                self.forget(claimed);
                self.tell(claimed, || EventKind::Lost);
                return Ok(());
            }
            Outcome::Cancelled(_) if order == Some(Order::Cancelled) => Close::End(Ending::Cancelled, None),
            // The worker ends: its lease lapses, and another takes over.
            Outcome::Cancelled(cancelled) if !cancelled.is_timeout() => return Ok(()),
            outcome => self.judge(kind, claimed, outcome.done(), now),
        };
        // Told of afterwards, if somebody listens.
        let event = self.setup.listener.as_ref().map(|_| match &close {
            Close::End(ending, _) => EventKind::Ended(ending.clone()),
            Close::Retry(after, why) => EventKind::Retried(*after, why.clone()),
            Close::Back => unreachable!("what has begun is not given back"),
        });
        let close = match close {
            Close::End(ending, _) => Close::End(ending, self.next(kind, claimed, cx.next(), now - began)),
            retry => retry,
        };
        let finished = docket.store().finish(&claimed.key, claimed.fence, close).await;
        self.forget(claimed);
        let lost = finished? == Finished::Lost;
        self.tell(claimed, || event.filter(|_| !lost).unwrap_or(EventKind::Lost));
        Ok(())
    }

    /// What becomes of an attempt that gave this; none: its time was over.
    fn judge(
        &self,
        kind: &Kind,
        claimed: &Claimed,
        outcome: Option<Result<Result<Value, Failure>, Panic>>,
        now: Instant,
    ) -> Close {
        let (ending, why, least) = match outcome {
            Some(Ok(Ok(output))) => return Close::End(Ending::Done(output), None),
            Some(Ok(Err(Failure { text, verdict }))) => {
                let least = match verdict {
                    Verdict::GiveUp => return Close::End(Ending::Failed(text), None),
                    Verdict::Retry => Duration::ZERO,
                    Verdict::After(least) => least,
                    Verdict::NotBefore(at) => at.since(now),
                };
                (Ending::Failed(text.clone()), text, least)
            }
            Some(Err(panic)) => {
                let text = panic.message().to_string();
                (Ending::Panicked(text.clone()), format!("panicked: {text}"), Duration::ZERO)
            }
            None => (Ending::TimedOut, String::from("timed out"), Duration::ZERO),
        };
        let seed = mix::hash(&claimed.key) ^ claimed.generation.0;
        match (kind.policy.delays)(claimed.attempt as usize - 1, seed) {
            Some(delay) if delay != Duration::MAX => Close::Retry(delay.max(least), why),
            _ => Close::End(ending, None),
        }
    }

    /// What comes under the key after a run that took so long.
    fn next(&self, kind: &Kind, claimed: &Claimed, next: Next, took: Duration) -> Option<Entry> {
        let bound = self.setup.at_most.get(&claimed.key);
        let spent = bound.is_some_and(|most| {
            self.runs.with(|runs| {
                let runs = runs.entry(claimed.key.clone()).or_default();
                *runs += 1;
                *runs >= *most
            })
        });
        let (args, due) = match next {
            _ if spent => return None,
            Next::Nothing => return None,
            Next::Again(args, due) => (args.unwrap_or_else(|| claimed.args.clone()), due),
            Next::Policy => {
                let every = kind.policy.perpetual?.every;
                (claimed.args.clone(), When::In(every.saturating_sub(claimed.age + took)))
            }
        };
        let entry = kind.entry(&claimed.name, args).ok()?;
        Some(Entry { key: claimed.key.clone(), due, ..entry })
    }
}
