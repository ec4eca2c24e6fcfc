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

/// What becomes of an attempt.
enum Fate {
    /// The row ends.
    Ends(Ending),
    /// It is tried again, after this time; with why.
    Retried(Duration, String),
    /// Another worker has the row.
    Lost,
    /// Another worker will have it.
    Abandoned,
}

impl Fate {
    /// What the store is told.
    fn close(self, next: Option<Entry>) -> Close {
        match self {
            Self::Ends(ending) => Close::End(ending, next),
            Self::Retried(after, why) => Close::Retry(after, why),
            Self::Lost | Self::Abandoned => unreachable!("that is not the worker's any more"),
        }
    }
}

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
        let scope = group.scope().child_at(now + kind.policy.timeout);
        let name = kind.label.clone();
        let cx = Cx::new(&self.setup.docket, scope, &self.setup.name, self.setup.lease, claimed);
        self.running.with(|all| all.insert(fence, Running { cx: cx.clone(), until, order: None }));
        if until < now + self.setup.lease / 3 {
            self.soon.notify_all();
        }
        if group.spawn(name, Box::pin(self.attempt(kind, cx.clone()))).is_err() {
            // It winds down.
            self.forget(cx.claimed());
            return self.give_back(cx.claimed()).await;
        }
        Ok(())
    }

    async fn give_back(&self, claimed: &Claimed) -> Result<(), StoreError> {
        self.ask(|store| store.finish(&claimed.key, claimed.fence, Close::Back)).await.map(drop)
    }

    /// Ends what is not to be run at all.
    async fn end_unrun(&self, claimed: &Claimed) -> Result<(), StoreError> {
        let close = || Close::End(Ending::Cancelled, None);
        let kind = match self.ask(|store| store.finish(&claimed.key, claimed.fence, close())).await?.1 {
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

    async fn attempt(&self, kind: &Kind, cx: Cx) -> Result<(), StoreError> {
        let (claimed, scope) = (cx.claimed(), cx.scope());
        let began = scope.now();
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
        let now = scope.now();
        let fate = self.fate(kind, claimed, outcome, &fallen, (run, began, now));
        // Told of afterwards, if somebody listens.
        let event = match &fate {
            Fate::Ends(ending) => self.is_heard().then(|| Box::new(EventKind::Ended(ending.clone()))),
            Fate::Retried(after, why) => self.is_heard().then(|| Box::new(EventKind::Retried(*after, why.clone()))),
            Fate::Lost => {
                self.forget(claimed);
                run.lost(now - began);
                self.tell(claimed, || EventKind::Lost);
                return Ok(());
            }
            // The group, whose scope is cancelled too, cuts this short: that something ran is what it reports.
            Fate::Abandoned => return pending().await,
        };
        let next = match &fate {
            Fate::Ends(ending) if *ending != Ending::Cancelled => self.next(kind, &cx, now - began).await?,
            _ => None,
        };
        let retries = matches!(fate, Fate::Retried(..));
        let close = fate.close(next);
        let finished = self.ask(|store| store.finish(&claimed.key, claimed.fence, close.clone())).await;
        self.forget(claimed);
        match (finished?.1, event) {
            (Finished::Lost, _) => {
                run.lost(now - began);
                self.tell(claimed, || EventKind::Lost);
            }
            // It was cancelled just now: the store has told of it.
            (Finished::Done(of), _) if retries && of != Some(claimed.generation) => {
                self.tell_listener(claimed, || EventKind::Ended(Ending::Cancelled));
            }
            (Finished::Done(_), Some(event)) => self.tell(claimed, || *event),
            (Finished::Done(_), None) => {}
        }
        Ok(())
    }

    /// What becomes of an attempt that ended so, which is told to whoever logs.
    fn fate(
        &self,
        kind: &Kind,
        claimed: &Claimed,
        outcome: Outcome<Result<Result<Value, Failure>, Panic>>,
        fallen: &Lock<Option<Panic>>,
        (run, began, now): (Run<'_>, Instant, Instant),
    ) -> Fate {
        let order = self.running.with(|running| running.get(&claimed.fence).and_then(|run| run.order));
        let mut quotes = false;
        let fate = match outcome {
            _ if order == Some(Order::Lost) => Fate::Lost,
            Outcome::Cancelled(_) if order == Some(Order::Cancelled) => Fate::Ends(Ending::Cancelled),
            // The run has cancelled itself.
            Outcome::Cancelled(cancelled) if cancelled.is_own() && !cancelled.is_timeout() => {
                Fate::Ends(Ending::Cancelled)
            }
            // The worker ends: its lease lapses, and another takes over.
            Outcome::Cancelled(cancelled) if !cancelled.is_timeout() => Fate::Abandoned,
            outcome => {
                let outcome = outcome.done().or_else(|| fallen.with(Option::take).map(Err));
                // Why fields can't be read may quote them.
                quotes = matches!(&outcome, Some(Ok(Err(failure))) if failure.quotes_args);
                match judge(kind, claimed, outcome, now) {
                    // It is not tried again.
                    Fate::Retried(..) if order == Some(Order::Cancelled) => Fate::Ends(Ending::Cancelled),
                    fate => fate,
                }
            }
        };
        match &fate {
            Fate::Ends(ending) => run.ended(ending.word(), ending.why().filter(|_| !quotes), now - began),
            Fate::Retried(after, why) => run.retried(why, *after, now - began),
            Fate::Abandoned => run.ended("abandoned", None, now - began),
            Fate::Lost => {}
        }
        fate
    }

    /// What comes under the key after a run that took so long.
    async fn next(&self, kind: &Kind, cx: &Cx, took: Duration) -> Result<Option<Entry>, StoreError> {
        let claimed = cx.claimed();
        if self.is_spent(&claimed.key) {
            return Ok(None);
        }
        let (args, due) = match (cx.next(), kind.policy.perpetual.map(|perpetual| perpetual.rhythm), &kind.ticks) {
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
        let (_, now) = self.ask(|store| store.unix()).await?;
        Ok(ticks.after(claimed.planned.map_or(now, |planned| now.max(planned))).map(When::At))
    }
}

/// What becomes of an attempt that gave this; none: its time was over.
fn judge(kind: &Kind, claimed: &Claimed, outcome: Option<Result<Result<Value, Failure>, Panic>>, now: Instant) -> Fate {
    let (ending, why, least) = match outcome {
        Some(Ok(Ok(output))) => return Fate::Ends(Ending::Done(output)),
        Some(Ok(Err(Failure { text, verdict, .. }))) => {
            let least = match verdict {
                Verdict::GiveUp => return Fate::Ends(Ending::Failed(text)),
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
        Some(delay) if !(now + delay).is_never() => Fate::Retried(delay, why),
        _ => Fate::Ends(ending),
    }
}
