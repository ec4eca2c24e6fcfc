//! One attempt at a task, from its claim to its end.

use super::{EventKind, Order, Running, Shop};
use crate::cancel::Outcome;
use crate::docket::context::Next;
use crate::docket::registry::{Failure, Kind, shown};
use crate::docket::{Claimed, Close, Cx, Ending, Entry, Finished, Rhythm, StoreError, When};
use crate::resilience::Verdict;
use crate::spawn::Panic;
use crate::sys::runs::Run;
use crate::sys::ticks::Ticks;
use crate::sys::trace::Span;
use crate::sys::{Lock, mix};
use crate::task::{Contained, LocalGroup};
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use core::future::{Future, pending, poll_fn};
use core::pin::pin;
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
        if self.setup.at_most.get(&claimed.key) == Some(&0) {
            return self.end_unrun(&claimed).await;
        }
        let scope = group.scope().child_after(kind.policy.timeout);
        let name = claimed.name.clone();
        let cx = Cx::new(&self.setup.docket, scope, &self.setup.name, self.setup.lease, claimed);
        self.running.with(|all| all.insert(fence, Running { cx: cx.clone(), until, order: None }));
        if until < now + self.setup.lease / 3 {
            self.soon.notify_all();
        }
        if group.spawn(name, Box::pin(self.attempt(cx.clone()))).is_err() {
            // It winds down.
            self.forget(cx.claimed());
            return self.give_back(cx.claimed()).await;
        }
        Ok(())
    }

    async fn give_back(&self, claimed: &Claimed) -> Result<(), StoreError> {
        self.setup.docket.store().finish(&claimed.key, claimed.fence, Close::Back).await.map(drop)
    }

    /// Ends what is not to be run at all.
    async fn end_unrun(&self, claimed: &Claimed) -> Result<(), StoreError> {
        let close = Close::End(Ending::Cancelled, None);
        let kind = match self.setup.docket.store().finish(&claimed.key, claimed.fence, close).await? {
            Finished::Done(_) => EventKind::Ended(Ending::Cancelled),
            Finished::Lost => EventKind::Lost,
        };
        self.tell(claimed, || kind);
        Ok(())
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
        let Claimed { name: task, key, attempt, .. } = claimed;
        let (run, mut span) = (Run { task, key, worker: cx.worker(), attempt: *attempt }, Span::new());
        let args = || shown(kind.policy.log, &claimed.args);
        run.started(args);
        // The body is dropped with this, as soon as the scope ends.
        let fallen = Lock::new(None);
        let in_span = async {
            let mut body = pin!(Contained::new(async { kind.run(&claimed.args, cx.clone())?.await }, &fallen));
            poll_fn(|context| {
                let _entered = span.run(run, args);
                body.as_mut().poll(context)
            })
            .await
        };
        let outcome = scope.run(in_span).await;
        let order = self.running.with(|running| running.get(&claimed.fence).and_then(|run| run.order));
        let now = scope.now();
        let mut quotes = false;
        let close = match outcome {
            _ if order == Some(Order::Lost) => {
                self.forget(claimed);
                run.lost(now - began);
                self.tell(claimed, || EventKind::Lost);
                return Ok(());
            }
            Outcome::Cancelled(_) if order == Some(Order::Cancelled) => Close::End(Ending::Cancelled, None),
            // The run has cancelled itself.
            Outcome::Cancelled(cancelled) if cancelled.is_own() && !cancelled.is_timeout() => {
                Close::End(Ending::Cancelled, None)
            }
            // The worker ends: its lease lapses, and another takes over.
            Outcome::Cancelled(cancelled) if !cancelled.is_timeout() => {
                run.ended("abandoned", None, now - began);
                // The group, whose scope is cancelled too, cuts this short: that something ran is what it reports.
                return pending().await;
            }
            outcome => {
                let outcome = outcome.done().or_else(|| fallen.with(Option::take).map(Err));
                // Why fields can't be read may quote them.
                quotes = matches!(&outcome, Some(Ok(Err(failure))) if failure.quotes_args);
                match self.judge(kind, claimed, outcome, now) {
                    // It is not tried again.
                    Close::Retry(..) if order == Some(Order::Cancelled) => Close::End(Ending::Cancelled, None),
                    close => close,
                }
            }
        };
        match &close {
            Close::End(ending, _) => run.ended(ending.word(), ending.why().filter(|_| !quotes), now - began),
            Close::Retry(after, why) => run.retried(why, *after, now - began),
            Close::Back => {}
        }
        // Told of afterwards, if somebody listens.
        let event = self.is_heard().then(|| match &close {
            Close::End(ending, _) => EventKind::Ended(ending.clone()),
            Close::Retry(after, why) => EventKind::Retried(*after, why.clone()),
            Close::Back => unreachable!("what has begun is not given back"),
        });
        let close = match close {
            Close::End(ending, _) if ending != Ending::Cancelled => {
                Close::End(ending, self.next(kind, claimed, cx.next(), now - began).await?)
            }
            close => close,
        };
        let retries = matches!(close, Close::Retry(..));
        let finished = docket.store().finish(&claimed.key, claimed.fence, close).await;
        self.forget(claimed);
        match (finished?, event) {
            (Finished::Lost, _) => {
                run.lost(now - began);
                self.tell(claimed, || EventKind::Lost);
            }
            // It was cancelled just now: the store has told of it.
            (Finished::Done(of), _) if retries && of != Some(claimed.generation) => {
                self.tell_listener(claimed, || EventKind::Ended(Ending::Cancelled));
            }
            (Finished::Done(_), Some(event)) => self.tell(claimed, || event),
            (Finished::Done(_), None) => {}
        }
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
            Some(Ok(Err(Failure { text, verdict, .. }))) => {
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
        match (kind.policy.delays)(claimed.attempt as usize - 1, seed).map(|delay| delay.max(least)) {
            // Never is not later.
            Some(delay) if !(now + delay).is_never() => Close::Retry(delay, why),
            _ => Close::End(ending, None),
        }
    }

    /// What comes under the key after a run that took so long.
    async fn next(
        &self,
        kind: &Kind,
        claimed: &Claimed,
        next: Next,
        took: Duration,
    ) -> Result<Option<Entry>, StoreError> {
        if self.is_spent(&claimed.key) {
            return Ok(None);
        }
        let (args, due) = match (next, kind.policy.perpetual.map(|perpetual| perpetual.rhythm), &kind.ticks) {
            (Next::Again(args, due, None), ..) => (args, Some(due)),
            (Next::Again(args, _, Some(ticks)), ..) => (args, self.tick(&ticks, claimed).await?),
            (Next::Policy, Some(Rhythm::Every(every)), _) => {
                (None, Some(When::In(every.saturating_sub(claimed.age + took))))
            }
            (Next::Policy, _, Some(ticks)) => (None, self.tick(ticks, claimed).await?),
            (Next::Policy, ..) | (Next::Nothing, ..) => (None, None),
        };
        let Some(due) = due else { return Ok(None) };
        let entry = kind.entry(&claimed.name, args.unwrap_or_else(|| claimed.args.clone())).ok();
        Ok(entry.map(|entry| Entry { key: claimed.key.clone(), due, ..entry }))
    }

    /// Whether what is under this key has run as often as it may.
    fn is_spent(&self, key: &str) -> bool {
        self.setup.at_most.get(key).is_some_and(|most| {
            self.runs.with(|runs| {
                let runs = runs.entry(key.into()).or_default();
                *runs += 1;
                *runs >= *most
            })
        })
    }

    /// The first tick after now, and after the one that this run was for: a wall clock that was put back brings none again.
    async fn tick(&self, ticks: &Ticks, claimed: &Claimed) -> Result<Option<When>, StoreError> {
        let now = self.setup.docket.store().unix().await?;
        Ok(ticks.after(claimed.planned.map_or(now, |planned| now.max(planned))).map(When::At))
    }
}
