//! The gates that rows go through, and the lines before them.

use super::super::gates::GateState;
use super::super::row::Phase;
use super::super::types::{Excess, Gate, Generation};
use super::Ledger;
use super::named::Number;
use super::slot::{Pass, Passes, Slot};
use crate::time::Instant;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::mem;

/// Which of its gates don't let a row in, by their numbers in its passes.
pub(super) struct Closed {
    /// The first.
    pub(super) first: usize,
    /// The first at which it is not to wait.
    pub(super) dropping: Option<usize>,
}

impl Ledger {
    /// The passes for these gates, which are known from now on.
    pub(super) fn passes(&mut self, gates: Vec<Gate>) -> Passes {
        let pass = |Gate { name, rule, excess }| {
            let gate = self.gates.enter(name, |_| GateState::default());
            self.gates[gate].rows += 1;
            Pass { gate, rule, excess }
        };
        gates.into_iter().map(pass).collect()
    }

    /// A row that was under this gate has ended.
    pub(super) fn part(&mut self, gate: Number, now: Instant) {
        let state = &mut self.gates[gate];
        state.rows -= 1;
        self.forget_idle(gate, now);
    }

    fn forget_idle(&mut self, gate: Number, now: Instant) {
        let state = &self.gates[gate];
        if state.rows == 0 && state.opens.is_none() && state.is_idle(now) {
            self.gates.remove(gate);
        }
    }

    /// The gates that don't let this row in, if there are some.
    pub(super) fn closed(&self, slot: &Slot, now: Instant) -> Option<Closed> {
        let mut closed = None;
        for (at, pass) in slot.passes.iter().enumerate() {
            let state = &self.gates[pass.gate];
            if state.opens(pass.rule, state.kept_from(slot.rank()), now) <= now {
                continue;
            }
            let closed = closed.get_or_insert(Closed { first: at, dropping: None });
            if pass.excess == Excess::Drop {
                closed.dropping = Some(at);
                break;
            }
        }
        closed
    }

    /// Has a row wait, which was turned away at the gate of this number.
    pub(super) fn join_lines(&mut self, generation: Generation, at: usize, now: Instant) {
        let slot = &self.rows[generation];
        let (rank, gate) = (slot.rank(), slot.passes[at].gate);
        for pass in slot.passes.iter() {
            let waiting = &mut self.gates[pass.gate].waiting;
            // It may have been turned away before.
            if !waiting.contains(&rank) {
                waiting.insert(rank);
            }
        }
        self.block(generation, at);
        self.settle(gate, now);
    }

    fn block(&mut self, generation: Generation, at: usize) {
        let slot = self.rows.get_mut(generation).expect("what an index names is there");
        slot.phase = Phase::Parked(at);
        self.gates[slot.passes[at].gate].blocked.insert(slot.rank());
    }

    /// Takes a row out of the line of those who are blocked, and makes it ready.
    pub(super) fn unblock(&mut self, generation: Generation, gate: Number) {
        let rank = self.slot(generation).rank();
        self.gates[gate].blocked.remove(&rank);
        self.make_ready(generation);
    }

    pub(super) fn leave_lines(&mut self, generation: Generation, now: Instant) {
        let rank = self.slot(generation).rank();
        let leave = |state: &mut GateState, _: &Pass| {
            state.waiting.remove(&rank);
            state.blocked.remove(&rank);
        };
        self.at_gates(generation, leave, now);
    }

    pub(super) fn enter_gates(&mut self, generation: Generation, now: Instant) {
        let rank = self.slot(generation).rank();
        let enter = |state: &mut GateState, pass: &Pass| {
            state.waiting.remove(&rank);
            state.enter(pass.rule, now);
        };
        self.at_gates(generation, enter, now);
    }

    pub(super) fn leave_gates(&mut self, generation: Generation, has_begun: bool, now: Instant) {
        self.at_gates(generation, |state, pass| state.leave(pass.rule, has_begun), now);
    }

    /// Does this at all gates of a row that is blocked at none of them from then on, and sees who can go in now.
    fn at_gates(&mut self, generation: Generation, each: impl Fn(&mut GateState, &Pass), now: Instant) {
        if self.slot(generation).passes.is_empty() {
            return;
        }
        let passes = mem::take(&mut self.slot(generation).passes);
        for pass in passes.iter() {
            each(&mut self.gates[pass.gate], pass);
        }
        for pass in passes.iter() {
            self.settle(pass.gate, now);
        }
        self.slot(generation).passes = passes;
    }

    /// Makes ready who was blocked here and can go through all of its gates, and notes when to look again. Who is blocked
    /// elsewhere now is looked at when that gate opens: so nobody is looked at here for whom this one is closed.
    pub(super) fn settle(&mut self, gate: Number, now: Instant) {
        // Used again: somebody is let in wherever a run ends.
        let mut let_in = mem::take(&mut self.let_in);
        let state = &self.gates[gate];
        let (mut elsewhere, mut again) = (Vec::new(), None);
        let blocked = (!state.blocked.is_empty()).then(|| state.blocked.iter());
        for rank in blocked.into_iter().flatten() {
            let slot = &self.rows[rank.2];
            let Some(pass) = slot.passes.iter().find(|pass| pass.gate == gate) else { continue };
            let opens = state.opens(pass.rule, state.kept_from(*rank).max(let_in.len()), now);
            if opens > now {
                again = (!opens.is_never()).then_some(opens);
                break;
            }
            match self.closed(slot, now) {
                None => let_in.push(rank.2),
                Some(closed) => elsewhere.push((*rank, closed.first)),
            }
        }
        if state.waiting.is_empty() && state.next > now {
            again = Some(state.next);
        }
        if state.opens != again {
            self.look_again(gate, again);
        }
        for generation in let_in.drain(..) {
            self.unblock(generation, gate);
        }
        self.let_in = let_in;
        if elsewhere.is_empty() {
            return self.forget_idle(gate, now);
        }
        let mut others = BTreeSet::new();
        for (rank, at) in elsewhere {
            self.gates[gate].blocked.remove(&rank);
            self.block(rank.2, at);
            others.insert(self.rows[rank.2].passes[at].gate);
        }
        // They are closed to those who came, who therefore don't come back: this ends.
        for other in others {
            self.settle(other, now);
        }
        self.forget_idle(gate, now);
    }

    /// Notes when to look at a gate again: once for each, however many go through it.
    fn look_again(&mut self, gate: Number, again: Option<Instant>) {
        if let Some(before) = mem::replace(&mut self.gates[gate].opens, again) {
            self.opens.remove(&(before, gate));
        }
        if let Some(at) = again {
            self.opens.insert((at, gate));
        }
    }
}
