//! Runs: claiming, renewing, ending.

use super::super::gates::GateState;
use super::super::row::{Phase, Run};
use super::super::types::{
    Claim, Claimed, Close, Ending, Entry, Excess, Fence, Finished, Gate, Generation, Renewal, Renewed,
};
use super::Ledger;
use crate::sys::Arc;
use crate::time::Instant;
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
        while taken.len() < claim.most {
            let Some(generation) = self.pop_ready(&claim.names) else { break };
            if let Some(claimed) = self.try_claim(generation, &worker, claim.lease, now) {
                if taken.is_empty() {
                    taken.reserve(claim.most.min(16));
                }
                taken.push(claimed);
            }
        }
        let next = self.next();
        self.news.work |= next < before;
        let more = claim.names.iter().any(|name| self.names.get(name).is_some_and(|name| !name.ready.is_empty()));
        (taken, if more { Duration::ZERO } else { again(next, now) })
    }

    /// The first of those that are ready under one of these names.
    fn pop_ready(&mut self, names: &[String]) -> Option<Generation> {
        let firsts = names.iter().filter_map(|name| Some((*self.names.get(name)?.ready.first()?, name)));
        let (rank, name) = firsts.min()?;
        self.unready(name, rank);
        Some(rank.2)
    }

    fn try_claim(
        &mut self,
        generation: Generation,
        worker: &Arc<str>,
        lease: Duration,
        now: Instant,
    ) -> Option<Claimed> {
        let slot = &self.rows[&generation];
        if let Some(strike) = self.struck(&slot.entry) {
            self.leave_lines(generation, now);
            self.end(generation, Ending::Struck(strike), now);
            return None;
        }
        if let Some(gate) = self.dropping_gate(generation, now) {
            self.leave_lines(generation, now);
            self.end(generation, Ending::Dropped(gate), now);
            return None;
        }
        let closed = self.closed_gates(&self.rows[&generation], now).next();
        if let Some(at) = closed {
            self.join_lines(generation, at, now);
            return None;
        }
        self.enter_gates(generation, now);
        let fence = Fence(self.serial());
        let until = now + lease;
        let slot = self.slot(generation);
        slot.deliveries += 1;
        slot.progress = None;
        slot.phase = Phase::Running(Run { worker: worker.clone(), fence, until, cancelled: None });
        let claimed = Claimed {
            key: slot.entry.key.clone(),
            generation,
            fence,
            name: slot.entry.name.clone(),
            args: slot.entry.args.clone(),
            attempt: slot.errors + 1,
            delivery: slot.deliveries,
            late: now.since(slot.due),
            age: now.since(slot.first_due),
            planned: slot.entry.planned(),
        };
        self.leases.insert((until, generation));
        Some(claimed)
    }

    /// The first closed gate at which this row is not to wait.
    fn dropping_gate(&self, generation: Generation, now: Instant) -> Option<String> {
        let slot = &self.rows[&generation];
        let mut closed = self.closed_gates(slot, now).map(|at| &slot.entry.gates[at]);
        closed.find(|gate| gate.excess == Excess::Drop).map(|gate| gate.name.clone())
    }

    fn enter_gates(&mut self, generation: Generation, now: Instant) {
        let rank = self.slot(generation).rank();
        let enter = |state: &mut GateState, gate: &Gate| {
            state.waiting.remove(&rank);
            state.enter(gate.rule, now);
        };
        self.at_gates(generation, enter, now);
    }

    pub(in super::super) fn renew(&mut self, renewal: &Renewal, now: Instant) -> Vec<Renewed> {
        let renew = |(key, fence, progress): &(String, Fence, Option<Value>)| {
            let Some(generation) = self.held(key, *fence) else { return Renewed::Lost };
            let slot = self.slot(generation);
            if progress.is_some() {
                slot.progress.clone_from(progress);
            }
            let Phase::Running(run) = &mut slot.phase else { unreachable!("it is held") };
            let (from, until) = (run.until, now + renewal.lease);
            run.until = until;
            let cancelled = run.cancelled;
            self.leases.remove(&(from, generation));
            self.leases.insert((until, generation));
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

    /// Ends a run; `due` is when what is to come is due, if something is.
    pub(in super::super) fn finish(
        &mut self,
        key: &str,
        fence: Fence,
        close: Close,
        due: Instant,
        now: Instant,
    ) -> Finished {
        let Some(generation) = self.held(key, fence) else { return Finished::Lost };
        let slot = self.slot(generation);
        let Phase::Running(run) = &slot.phase else { unreachable!("it is held") };
        let (until, cancelled) = (run.until, run.cancelled.is_some());
        self.leases.remove(&(until, generation));
        self.leave_gates(generation, !matches!(close, Close::Back), now);
        match close {
            Close::End(ending, next) => self.end_run(generation, ending, next.filter(|_| !cancelled), due, now),
            Close::Retry(..) | Close::Back if cancelled => self.end(generation, Ending::Cancelled, now),
            Close::Retry(after, error) => {
                let slot = self.slot(generation);
                slot.errors += 1;
                slot.deliveries = 0;
                slot.last_error = Some(error);
                slot.due = now + after;
                self.queue(generation, now);
            }
            Close::Back => {
                self.slot(generation).deliveries -= 1;
                self.queue(generation, now);
            }
        }
        Finished::Done(self.live(key).map(|live| live.current))
    }

    fn end_run(&mut self, generation: Generation, ending: Ending, next: Option<Entry>, due: Instant, now: Instant) {
        if let Some(next) = next {
            self.put_next(next, due, now);
        }
        self.close(generation, ending, now);
    }
}

/// How long it is until then.
fn again(next: Instant, now: Instant) -> Duration {
    if next.is_never() { Duration::MAX } else { next.since(now) }
}
