//! Runs: claiming, renewing, ending; and looking on.

use super::super::row::Phase;
use super::super::types::{
    Claim, Claimed, Close, Ending, Fence, Finished, GateUse, Generation, Renewal, Renewed, Row, Snapshot,
};
use super::codec;
use super::rows::{self, select};
use super::slot::Slot;
use super::tx::{Fault, Tx, generation, instant, length, number, signed, unsigned};
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use serde_json::Value;

impl Tx<'_> {
    /// Takes what is due, and says when there may be more.
    pub(super) fn claim(&mut self, claim: &Claim) -> Result<(Vec<Claimed>, Duration), Fault> {
        let firsts = self.advance()?;
        // Whoever waits for work has been told when this would be due.
        self.news.work = false;
        let before = self.next(&firsts)?;
        let mut taken = Vec::new();
        while taken.len() < claim.most {
            let Some(of) = self.first_ready(&claim.names)? else { break };
            taken.extend(self.try_claim(of, claim)?);
        }
        let next = self.next(&self.firsts()?)?;
        self.news.work |= next < before;
        let again = match self.first_ready(&claim.names)? {
            Some(_) => Duration::ZERO,
            None if next.is_never() => Duration::MAX,
            None => next.since(self.now),
        };
        Ok((taken, again))
    }

    fn try_claim(&mut self, of: Generation, claim: &Claim) -> Result<Option<Claimed>, Fault> {
        let slot = self.slot(of)?;
        if let Some(strike) = self.struck(&slot.entry)? {
            self.leave_lines(&slot)?;
            self.end(&slot, &Ending::Struck(strike))?;
            return Ok(None);
        }
        if let Some(gate) = self.dropping_gate(&slot)? {
            self.leave_lines(&slot)?;
            self.end(&slot, &Ending::Dropped(gate))?;
            return Ok(None);
        }
        if let Some(at) = self.closed(&slot)? {
            self.join_lines(&slot, at)?;
            return Ok(None);
        }
        self.enter_gates(&slot)?;
        let fence = self.serial();
        let run = "UPDATE task SET phase = 3, worker = ?, fence = ?, beat = ?, lease = ?, until = ?, \
                   deliveries = deliveries + 1, progress = NULL WHERE generation = ?";
        let until = number(self.now + claim.lease);
        self.run(run, (&claim.worker, fence, fence, length(claim.lease), until, signed(of.0)))?;
        Ok(Some(Claimed {
            generation: of,
            fence: Fence(unsigned(fence)),
            attempt: slot.errors + 1,
            delivery: slot.deliveries + 1,
            late: self.now.since(slot.due),
            age: self.now.since(slot.first_due),
            planned: slot.entry.planned(),
            key: slot.entry.key,
            name: slot.entry.name,
            args: slot.entry.args,
        }))
    }

    pub(super) fn renew(&mut self, renewal: &Renewal) -> Result<Vec<Renewed>, Fault> {
        let beat = self.serial();
        let until = number(self.now + renewal.lease);
        let one = |(key, fence, progress): &(String, Fence, Option<Value>)| {
            let Some((of, cancelled)) = self.held(key, *fence)? else { return Ok(Renewed::Lost) };
            let renew = "UPDATE task SET until = ?, lease = ?, beat = ?, progress = coalesce(?, progress) \
                         WHERE generation = ?";
            let progress = progress.as_ref().map(codec::write).transpose()?;
            self.run(renew, (until, length(renewal.lease), beat, progress, signed(of.0)))?;
            Ok(cancelled.map_or(Renewed::Held, |by| Renewed::Cancelled(instant(by).since(self.now))))
        };
        renewal.runs.iter().map(one).collect()
    }

    /// The row that runs under this key by this fence, and when it is to have ended, if it was cancelled.
    fn held(&self, key: &str, fence: Fence) -> Result<Option<(Generation, Option<i64>)>, Fault> {
        let held = "SELECT generation, cancelled FROM task WHERE key = ? AND phase < 4 AND phase = 3 AND fence = ?";
        self.first(held, (key, signed(fence.0)), |row| Ok((generation(row.get(0)?), row.get(1)?)))
    }

    fn held_slot(&self, key: &str, fence: Fence) -> Result<Option<Slot>, Fault> {
        let mut query = self.sql.prepare_cached(select!("WHERE key = ? AND phase < 4 AND phase = 3 AND fence = ?"))?;
        let mut rows = query.query((key, signed(fence.0)))?;
        rows.next()?.map(rows::read).transpose()
    }

    pub(super) fn finish(&mut self, key: &str, fence: Fence, close: Close) -> Result<Finished, Fault> {
        let Some(slot) = self.held_slot(key, fence)? else { return Ok(Finished::Lost) };
        let (of, is_cancelled) =
            (slot.generation, matches!(&slot.phase, Phase::Running(run) if run.cancelled.is_some()));
        self.leave_gates(&slot, !matches!(close, Close::Back))?;
        match close {
            Close::End(ending, next) => {
                let next = next.filter(|_| !is_cancelled);
                let refused = next.as_ref().and_then(codec::refused);
                if let Some(next) = next.filter(|_| refused.is_none()) {
                    self.put_next(&next)?;
                }
                return self.close(&slot, &refused.unwrap_or(ending)).map(Finished::Done);
            }
            Close::Retry(..) | Close::Back if is_cancelled => {
                self.end(&slot, &Ending::Cancelled)?;
                return Ok(Finished::Done(self.live(key)?.map(|live| live.current)));
            }
            Close::Retry(after, error) => {
                let due = self.now + after;
                let retry = "UPDATE task SET errors = errors + 1, deliveries = 0, last_error = ?, due = ? \
                             WHERE generation = ?";
                self.run(retry, (error, number(due), signed(of.0)))?;
                self.queue(of, due)?;
            }
            Close::Back => {
                self.run("UPDATE task SET deliveries = deliveries - 1 WHERE generation = ?", (signed(of.0),))?;
                self.queue(of, slot.due)?;
            }
        }
        Ok(Finished::Done(Some(of)))
    }

    // ---- looking on ----------------------------------------------------------

    pub(super) fn row(&self, key: &str, of: Option<Generation>) -> Result<Option<Row>, Fault> {
        let newest = || {
            let ended = "SELECT generation FROM task WHERE key = ? AND phase = 5 ORDER BY generation DESC LIMIT 1";
            match self.live(key)? {
                Some(live) => Ok(Some(live.current)),
                None => self.first(ended, (key,), |row| Ok(generation(row.get(0)?))),
            }
        };
        let Some(of) = of.map_or_else(newest, |of| Ok(Some(of)))? else { return Ok(None) };
        Ok(self.find(of)?.filter(|slot| slot.entry.key == key).map(|slot| slot.view(self.now)))
    }

    pub(super) fn scan(&self) -> Result<Snapshot, Fault> {
        let mut query = self.sql.prepare_cached(select!("ORDER BY generation"))?;
        let (mut found, mut rows) = (query.query(())?, Vec::new());
        while let Some(row) = found.next()? {
            rows.push(rows::read(row)?.view(self.now));
        }
        let gates =
            "SELECT name, held, (SELECT count(*) FROM line WHERE line.gate = gate.name) FROM gate ORDER BY name";
        let gate = |row: &rusqlite::Row<'_>| {
            let waiting = usize::try_from(row.get::<_, i64>(2)?).unwrap_or(0);
            Ok(GateUse { name: row.get(0)?, held: row.get(1)?, waiting })
        };
        let mut gates = self.all(gates, (), gate)?;
        gates.retain(|gate| gate.held > 0 || gate.waiting > 0);
        Ok(Snapshot { now: self.now, rows, gates, strikes: self.read_strikes()? })
    }
}

/// Whether a row has ended, or is forgotten.
pub(super) fn is_over(sql: &rusqlite::Connection, of: Generation) -> Result<bool, Fault> {
    let mut query = sql.prepare_cached("SELECT phase < 5 FROM task WHERE generation = ?")?;
    let mut rows = query.query((signed(of.0),))?;
    Ok(match rows.next()? {
        Some(row) => !row.get::<_, bool>(0)?,
        None => true,
    })
}
