//! Gates, and the lines of those who wait for them. What is decided stands at [`GateState`].

use super::super::gates::GateState;
use super::super::row::Rank;
use super::super::types::{Excess, Generation};
use super::slot::Slot;
use super::tx::{Fault, Tx, generation, instant, number, signed};
use crate::time::Instant;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Reverse;
use rusqlite::Row;

/// A rank, as it is written down.
fn columns((Reverse(priority), due, of): Rank) -> (i64, i64, i64) {
    (-i64::from(priority), number(due), signed(of.0))
}

/// The first three columns.
pub(super) fn rank(row: &Row<'_>) -> rusqlite::Result<Rank> {
    let priority = i32::try_from(-row.get::<_, i64>(0)?).unwrap_or(0);
    Ok((Reverse(priority), instant(row.get(1)?), generation(row.get(2)?)))
}

impl Tx<'_> {
    /// A gate, if it is held, waited for or closed; with when it is to be looked at again. Of those that wait it has the first.
    fn gate(&self, name: &str) -> Result<Option<(GateState, Option<i64>)>, Fault> {
        let gate = "SELECT held, next, opens FROM gate WHERE name = ?";
        let state = |row: &Row<'_>| {
            let state = GateState { held: row.get(0)?, next: instant(row.get(1)?), ..GateState::default() };
            Ok((state, row.get(2)?))
        };
        let Some((mut state, opens)) = self.first(gate, (name,), state)? else { return Ok(None) };
        let first =
            "SELECT urgency, due, generation FROM line WHERE gate = ? ORDER BY urgency, due, generation LIMIT 1";
        if let Some(first) = self.first(first, (name,), rank)? {
            state.waiting.insert(first);
        }
        Ok(Some((state, opens)))
    }

    /// The numbers of the gates that don't let this row in; the first of them that `of` takes.
    fn closed_gate(&self, slot: &Slot, of: impl Fn(Excess) -> bool) -> Result<Option<usize>, Fault> {
        let rank = slot.rank();
        for (at, gate) in slot.entry.gates.iter().enumerate().filter(|(_, gate)| of(gate.excess)) {
            let Some((state, _)) = self.gate(&gate.name)? else { continue };
            if state.opens(gate.rule, state.kept_from(rank), self.now) > self.now {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    pub(super) fn closed(&self, slot: &Slot) -> Result<Option<usize>, Fault> {
        self.closed_gate(slot, |_| true)
    }

    /// The first closed gate at which this row is not to wait.
    pub(super) fn dropping_gate(&self, slot: &Slot) -> Result<Option<String>, Fault> {
        let at = self.closed_gate(slot, |excess| excess == Excess::Drop)?;
        Ok(at.map(|at| slot.entry.gates[at].name.clone()))
    }

    /// Has a row wait, which was turned away at the gate of this number.
    pub(super) fn join_lines(&mut self, slot: &Slot, at: usize) -> Result<(), Fault> {
        let (urgency, due, of) = columns(slot.rank());
        for gate in &slot.entry.gates {
            self.run("INSERT OR IGNORE INTO gate VALUES (?, 0, 0, NULL)", (&gate.name,))?;
            let join = "INSERT OR IGNORE INTO line VALUES (?, ?, ?, ?, 0)";
            self.run(join, (&gate.name, urgency, due, of))?;
        }
        self.block(slot, at)?;
        self.settle(&slot.entry.gates[at].name)
    }

    fn block(&mut self, slot: &Slot, at: usize) -> Result<(), Fault> {
        let place = i64::try_from(at).unwrap_or(0);
        self.run("UPDATE task SET phase = 2, gate = ? WHERE generation = ?", (place, signed(slot.generation.0)))?;
        self.mark(slot.rank(), &slot.entry.gates[at].name, true)
    }

    fn mark(&self, rank: Rank, gate: &str, blocked: bool) -> Result<(), Fault> {
        let (urgency, due, of) = columns(rank);
        let mark = "UPDATE line SET blocked = ? WHERE gate = ? AND urgency = ? AND due = ? AND generation = ?";
        self.run(mark, (blocked, gate, urgency, due, of))?;
        Ok(())
    }

    /// Takes a row out of the line of those who are blocked, and makes it ready.
    pub(super) fn unblock(&mut self, slot: &Slot, name: &str) -> Result<(), Fault> {
        self.mark(slot.rank(), name, false)?;
        self.make_ready(slot.generation)
    }

    fn leave(&self, slot: &Slot) -> Result<(), Fault> {
        let (urgency, due, of) = columns(slot.rank());
        let leave = "DELETE FROM line WHERE gate = ? AND urgency = ? AND due = ? AND generation = ?";
        for gate in &slot.entry.gates {
            self.run(leave, (&gate.name, urgency, due, of))?;
        }
        Ok(())
    }

    pub(super) fn leave_lines(&mut self, slot: &Slot) -> Result<(), Fault> {
        self.leave(slot)?;
        self.settle_all(slot)
    }

    pub(super) fn leave_gates(&mut self, slot: &Slot, has_begun: bool) -> Result<(), Fault> {
        for gate in &slot.entry.gates {
            if has_begun {
                self.run("UPDATE gate SET held = held - 1 WHERE name = ?", (&gate.name,))?;
            } else if let Some((mut state, _)) = self.gate(&gate.name)? {
                state.leave(gate.rule, false);
                let leave = "UPDATE gate SET held = ?, next = ? WHERE name = ?";
                self.run(leave, (state.held, number(state.next), &gate.name))?;
            }
        }
        self.settle_all(slot)
    }

    pub(super) fn enter_gates(&mut self, slot: &Slot) -> Result<(), Fault> {
        self.leave(slot)?;
        for gate in &slot.entry.gates {
            let mut state = self.gate(&gate.name)?.map(|(state, _)| state).unwrap_or_default();
            state.enter(gate.rule, self.now);
            let enter = "INSERT INTO gate VALUES (?, ?, ?, NULL) \
                         ON CONFLICT DO UPDATE SET held = excluded.held, next = excluded.next";
            self.run(enter, (&gate.name, state.held, number(state.next)))?;
        }
        self.settle_all(slot)
    }

    fn settle_all(&mut self, slot: &Slot) -> Result<(), Fault> {
        slot.entry.gates.iter().try_for_each(|gate| self.settle(&gate.name))
    }

    /// Makes ready who was blocked here and can go through all of its gates, and notes when to look again. Who is blocked
    /// elsewhere now is looked at when that gate opens: so nobody is looked at here for whom this one is closed.
    pub(super) fn settle(&mut self, name: &str) -> Result<(), Fault> {
        let Some((state, before)) = self.gate(name)? else { return Ok(()) };
        let (mut let_in, mut elsewhere, mut again) = (Vec::new(), Vec::new(), None);
        {
            let blocked = "SELECT urgency, due, generation FROM line WHERE gate = ? AND blocked = 1 \
                           ORDER BY urgency, due, generation";
            let mut query = self.sql.prepare_cached(blocked)?;
            let mut blocked = query.query((name,))?;
            while let Some(row) = blocked.next()? {
                let rank = rank(row)?;
                let slot = self.slot(rank.2)?;
                let Some(gate) = slot.entry.gates.iter().find(|gate| gate.name == name) else { continue };
                let opens = state.opens(gate.rule, state.kept_from(rank).max(let_in.len()), self.now);
                if opens > self.now {
                    again = (!opens.is_never()).then_some(opens);
                    break;
                }
                match self.closed(&slot)? {
                    None => let_in.push(slot),
                    Some(at) => elsewhere.push((slot, at)),
                }
            }
        }
        if state.is_idle(self.now) {
            self.run("DELETE FROM gate WHERE name = ?", (name,))?;
        } else {
            if state.waiting.is_empty() && state.next > self.now {
                again = Some(state.next);
            }
            self.look_again(name, before, again)?;
        }
        for slot in let_in {
            self.unblock(&slot, name)?;
        }
        let mut others = BTreeSet::new();
        for (slot, at) in elsewhere {
            self.mark(slot.rank(), name, false)?;
            self.block(&slot, at)?;
            others.insert(slot.entry.gates[at].name.clone());
        }
        // They are closed to those who came, who therefore don't come back: this ends.
        others.iter().try_for_each(|other| self.settle(other))
    }

    fn look_again(&self, name: &str, before: Option<i64>, again: Option<Instant>) -> Result<(), Fault> {
        let again = again.map(number);
        if again != before {
            self.run("UPDATE gate SET opens = ? WHERE name = ?", (again, name))?;
        }
        Ok(())
    }

    /// The first of those that are ready under one of these names.
    pub(super) fn first_ready(&self, names: &[String]) -> Result<Option<Generation>, Fault> {
        let ready = "SELECT urgency, due, generation FROM task WHERE phase = 1 AND name = ? \
                     ORDER BY urgency, due, generation LIMIT 1";
        let mut first: Option<Rank> = None;
        for name in names {
            let of_name = self.first(ready, (name,), rank)?;
            first = first.into_iter().chain(of_name).min();
        }
        Ok(first.map(|rank| rank.2))
    }
}
