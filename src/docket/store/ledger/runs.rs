//! Runs: claiming, renewing, ending.

use super::super::row::{Phase, Run};
use super::super::types::{Claim, Claimed, Close, Ending, Entry, Fence, Finished, Generation, Renewal, Renewed};
use super::Ledger;
use super::gates::Closed;
use super::named::Number;
use crate::sys::Arc;
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use serde_json::Value;

impl Ledger {
    /// Takes what is due, and says when there may be more.
    pub(in super::super) fn claim(&mut self, claim: &Claim, now: Instant) -> (Vec<Claimed>, Duration) {
        self.advance(now);
        // Whoever waits for work has been told when this would be due.
        self.news.work = false;
        let before = self.next();
        let (mut taken, worker) = (Vec::new(), Arc::from(claim.worker.as_str()));
        // Nothing comes under another name while this goes on.
        let names: Vec<_> = claim.names.iter().filter_map(|name| self.names.find(name)).collect();
        while taken.len() < claim.most {
            let Some(generation) = self.pop_ready(&names) else { break };
            if let Some(claimed) = self.try_claim(generation, &worker, claim.lease, now) {
                if taken.is_empty() {
                    taken.reserve(claim.most.min(16));
                }
                taken.push(claimed);
            }
        }
        let next = self.next();
        self.news.work |= next < before;
        let more = names.iter().any(|of| self.names.get(*of).is_some_and(|name| !name.ready.is_empty()));
        (taken, if more { Duration::ZERO } else { again(next, now) })
    }

    /// The first of those that are ready under one of these names.
    fn pop_ready(&mut self, names: &[Number]) -> Option<Generation> {
        let firsts = names.iter().filter_map(|of| Some((*self.names.get(*of)?.ready.first()?, *of)));
        let (rank, of) = firsts.min()?;
        self.names[of].ready.remove(&rank);
        Some(rank.2)
    }

    fn try_claim(
        &mut self,
        generation: Generation,
        worker: &Arc<str>,
        lease: Duration,
        now: Instant,
    ) -> Option<Claimed> {
        let slot = &self.rows[generation];
        if let Some(strike) = self.struck_since(slot) {
            self.leave_lines(generation, now);
            self.end(generation, Ending::Struck(strike), now);
            return None;
        }
        if !slot.passes.is_empty() {
            if let Some(closed) = self.closed(slot, now) {
                self.turn_away(generation, closed, now);
                return None;
            }
            self.enter_gates(generation, now);
        }
        let fence = Fence(self.serial());
        let until = now + lease;
        let slot = self.slot(generation);
        slot.deliveries += 1;
        slot.progress = None;
        slot.phase = Phase::Running(Run { worker: worker.clone(), fence, until, cancelled: None });
        let claimed = Claimed {
            key: slot.key(),
            generation,
            fence,
            name: slot.name.as_ref().into(),
            args: slot.args.clone(),
            attempt: slot.errors + 1,
            delivery: slot.deliveries,
            late: now.since(slot.due),
            age: now.since(slot.first_due),
            planned: slot.planned,
        };
        self.leases.insert((until, fence, generation));
        Some(claimed)
    }

    /// Has a row wait at a gate, or end.
    fn turn_away(&mut self, generation: Generation, closed: Closed, now: Instant) {
        let Some(at) = closed.dropping else { return self.join_lines(generation, closed.first, now) };
        let gate = self.gates.name(self.rows[generation].passes[at].gate).into();
        self.leave_lines(generation, now);
        self.end(generation, Ending::Dropped(gate), now);
    }

    pub(in super::super) fn renew(&mut self, renewal: &Renewal, now: Instant) -> Vec<Renewed> {
        let renew = |(key, fence, progress): &(String, Fence, Option<Value>)| {
            let Some(generation) = self.held(key, *fence) else { return Renewed::Lost };
            let slot = self.slot(generation);
            if let Some(progress) = progress {
                slot.progress = Some(Box::new(progress.clone()));
            }
            let Phase::Running(run) = &mut slot.phase else { unreachable!("it is held") };
            let (from, until) = (run.until, now + renewal.lease);
            run.until = until;
            let cancelled = run.cancelled;
            self.leases.remove(&(from, *fence, generation));
            self.leases.insert((until, *fence, generation));
            cancelled.map_or(Renewed::Held, |by| Renewed::Cancelled(by.since(now)))
        };
        renewal.runs.iter().map(renew).collect()
    }

    /// The row that runs under this key by this fence.
    fn held(&mut self, key: &str, fence: Fence) -> Option<Generation> {
        let generation = self.live(key)?.current;
        match &self.slot(generation).phase {
            Phase::Running(run) if run.fence == fence => Some(generation),
            _ => None,
        }
    }

    /// Ends a run; `after` is the time after which what is to come is due, if something is.
    pub(in super::super) fn finish(
        &mut self,
        key: &str,
        fence: Fence,
        close: Close,
        after: Duration,
        now: Instant,
    ) -> Finished {
        let Some(generation) = self.held(key, fence) else { return Finished::Lost };
        let slot = self.slot(generation);
        let Phase::Running(run) = &slot.phase else { unreachable!("it is held") };
        let (until, cancelled) = (run.until, run.cancelled.is_some());
        self.leases.remove(&(until, fence, generation));
        self.leave_gates(generation, !matches!(close, Close::Back), now);
        match close {
            Close::End(ending, next) => self.end_run(generation, ending, next.filter(|_| !cancelled), after, now),
            Close::Retry(..) | Close::Back if cancelled => self.end(generation, Ending::Cancelled, now),
            Close::Retry(delay, error) => {
                let slot = self.slot(generation);
                slot.errors += 1;
                slot.deliveries = 0;
                slot.last_error = Some(error.into());
                slot.due = now + delay;
                self.queue(generation, now);
            }
            Close::Back => {
                self.slot(generation).deliveries -= 1;
                self.queue(generation, now);
            }
        }
        Finished::Done(self.current(generation))
    }

    fn end_run(&mut self, generation: Generation, ending: Ending, next: Option<Entry>, after: Duration, now: Instant) {
        if let Some(next) = next {
            self.put_next(next, after, now);
        }
        self.close(generation, ending, now);
    }
}

/// How long it is until then.
fn again(next: Instant, now: Instant) -> Duration {
    if next.is_never() { Duration::MAX } else { next.since(now) }
}
