//! Rows: read, written, and put where they belong.

use super::super::row::{Phase, Run};
use super::super::strikes::Strikes;
use super::super::types::{Ending, Entry, Existing, Fence, Generation, StrikeId, When};
use super::codec;
use super::slot::Slot;
use super::tx::{Fault, Tx, generation, instant, length, number, signed, unsigned};
use crate::docket::Strike;
use crate::time::Instant;
use alloc::string::String;
use alloc::vec::Vec;
use core::num::NonZeroU32;
use core::time::Duration;
use rusqlite::Row;

pub(super) const FUTURE: i64 = 0;
pub(super) const READY: i64 = 1;
pub(super) const FOLLOWING: i64 = 4;

/// The rows that a key has.
#[derive(Clone, Copy)]
pub(super) struct Live {
    pub(super) current: Generation,
    pub(super) running: bool,
    pub(super) follower: Option<Generation>,
}

/// When rows are due, leases lapse, gates open and ends are forgotten: the first of each.
#[derive(Default)]
pub(super) struct Firsts {
    due: Option<i64>,
    lapse: Option<i64>,
    opens: Option<i64>,
    forget: Option<i64>,
}

/// All columns, in the order in which [`read`] takes them.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT generation, key, name, args, urgency, due, added, first_due, cap, keep, gates, errors, deliveries, ",
            "last_error, progress, phase, gate, worker, fence, until, cancelled, ending, planned FROM task ",
            $rest
        )
    };
}
pub(super) use select;

pub(super) fn read(row: &Row<'_>) -> Result<Slot, Fault> {
    let text = |at: usize| row.get::<_, Option<String>>(at);
    let int = |at: usize| row.get::<_, i64>(at);
    let gates = text(10)?.map_or(Ok(Vec::new()), |gates| codec::read_gates(&gates))?;
    let until = || row.get::<_, Option<i64>>(19).map(|until| instant(until.unwrap_or(i64::MAX)));
    let phase = match int(15)? {
        FUTURE => Phase::Future,
        READY => Phase::Ready,
        2 => Phase::Parked(usize::try_from(int(16)?).unwrap_or(0)),
        3 => Phase::Running(Run {
            worker: text(17)?.unwrap_or_default().into(),
            fence: Fence(unsigned(int(18)?)),
            until: until()?,
            cancelled: row.get::<_, Option<i64>>(20)?.map(instant),
        }),
        FOLLOWING => Phase::Following,
        _ => Phase::Ended(codec::read_ending(&text(21)?.unwrap_or_default())?),
    };
    let entry = Entry {
        name: row.get(2)?,
        key: row.get(1)?,
        args: codec::read(row.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?)?,
        due: row.get::<_, Option<i64>>(22)?.map_or(When::Now, |at| When::At(Duration::from_nanos(unsigned(at)))),
        priority: i32::try_from(-int(4)?).unwrap_or(0),
        gates,
        deliveries: NonZeroU32::new(row.get(8)?).unwrap_or(NonZeroU32::MIN),
        keep: Duration::from_nanos(unsigned(int(9)?)),
        existing: Existing::Keep,
        settle: None,
    };
    Ok(Slot {
        entry,
        generation: generation(int(0)?),
        due: instant(int(5)?),
        added: instant(int(6)?),
        first_due: instant(int(7)?),
        errors: row.get(11)?,
        deliveries: row.get(12)?,
        last_error: text(13)?,
        progress: text(14)?.map(|progress| codec::read(&progress)).transpose()?,
        phase,
    })
}

impl Tx<'_> {
    pub(super) fn find(&self, of: Generation) -> Result<Option<Slot>, Fault> {
        let mut query = self.sql.prepare_cached(select!("WHERE generation = ?"))?;
        let mut rows = query.query((signed(of.0),))?;
        rows.next()?.map(read).transpose()
    }

    pub(super) fn slot(&self, of: Generation) -> Result<Slot, Fault> {
        self.find(of)?.ok_or_else(|| Fault::text("the file lacks a row that an index names".into()))
    }

    pub(super) fn live(&self, key: &str) -> Result<Option<Live>, Fault> {
        let first = "SELECT generation, phase = 3 FROM task WHERE key = ? AND phase < 4";
        let Some((current, running)) = self.first(first, (key,), |row| Ok((generation(row.get(0)?), row.get(1)?)))?
        else {
            return Ok(None);
        };
        Ok(Some(Live { current, running, follower: self.follower(key)? }))
    }

    pub(super) fn follower(&self, key: &str) -> Result<Option<Generation>, Fault> {
        let follower = "SELECT generation FROM task WHERE key = ? AND phase = 4";
        self.first(follower, (key,), |row| Ok(generation(row.get(0)?)))
    }

    pub(super) fn insert(
        &mut self,
        of: Generation,
        entry: &Entry,
        due: Instant,
        added: Instant,
        phase: i64,
    ) -> Result<(), Fault> {
        let insert = "INSERT INTO task (generation, key, name, args, urgency, due, added, first_due, cap, keep, gates, \
                      planned, errors, deliveries, phase) \
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?6, ?8, ?9, ?10, ?11, 0, 0, ?12)";
        let Entry { key, name, args, priority, deliveries, keep, gates, .. } = entry;
        let urgency = -i64::from(*priority);
        let (args, gates) = (codec::write(args)?, codec::write_gates(gates));
        let (due, added, keep) = (number(due), number(added), length(*keep));
        let planned = entry.planned().map(length);
        let of = signed(of.0);
        self.run(insert, (of, key, name, args, urgency, due, added, deliveries.get(), keep, gates, planned, phase))?;
        Ok(())
    }

    pub(super) fn make_ready(&mut self, of: Generation) -> Result<(), Fault> {
        self.place(of, READY)
    }

    /// Puts a row where its due time says.
    pub(super) fn queue(&mut self, of: Generation, due: Instant) -> Result<(), Fault> {
        self.place(of, if due > self.now { FUTURE } else { READY })
    }

    fn place(&mut self, of: Generation, phase: i64) -> Result<(), Fault> {
        self.run(
            "UPDATE task SET phase = ?, gate = NULL, worker = NULL, fence = NULL, lease = NULL, beat = NULL, \
                  cancelled = NULL, until = NULL WHERE generation = ?",
            (phase, signed(of.0)),
        )?;
        self.news.work = true;
        Ok(())
    }

    /// Takes a row that is queued out of the lines.
    pub(super) fn unqueue(&mut self, slot: &Slot) -> Result<(), Fault> {
        match slot.phase {
            Phase::Ready | Phase::Parked(_) => self.leave_lines(slot),
            Phase::Future | Phase::Running(_) | Phase::Following | Phase::Ended(_) => Ok(()),
        }
    }

    /// Ends a row that is in no line any more, as no worker will tell.
    pub(super) fn end(&mut self, slot: &Slot, ending: &Ending) -> Result<(), Fault> {
        self.news.fates.ended(ending, |kind| slot.event(kind));
        self.close(slot, ending).map(drop)
    }

    /// Ends a row that is in no line any more, and lets what follows it take its place; with what that is.
    pub(super) fn close(&mut self, slot: &Slot, ending: &Ending) -> Result<Option<Generation>, Fault> {
        let until = number(self.now + slot.entry.keep);
        self.run(
            "UPDATE task SET phase = 5, gate = NULL, worker = NULL, fence = NULL, lease = NULL, beat = NULL, \
             cancelled = NULL, until = ?, ending = ? WHERE generation = ?",
            (until, codec::write_ending(ending), signed(slot.generation.0)),
        )?;
        // Somebody may work until there is nothing more.
        self.news.finished |= !self.is_alive(&slot.entry.name)?;
        self.news.ended.push(slot.generation);
        if matches!(slot.phase, Phase::Following) {
            return Ok(None);
        }
        let follower = self.follower(&slot.entry.key)?;
        if let Some(follower) = follower {
            let due = self.slot(follower)?.due;
            self.queue(follower, due)?;
        }
        Ok(follower)
    }

    /// Whether a row of this task has not ended.
    pub(super) fn is_alive(&self, name: &str) -> Result<bool, Fault> {
        let alive = self.first("SELECT 1 FROM task WHERE name = ? AND phase < 5", (name,), |_| Ok(()))?;
        Ok(alive.is_some())
    }

    pub(super) fn end_by(&mut self, of: Generation, ending: &Ending) -> Result<(), Fault> {
        let slot = self.slot(of)?;
        self.end(&slot, ending)
    }

    /// When is what is due first.
    pub(super) fn firsts(&self) -> Result<Firsts, Fault> {
        let firsts = "SELECT (SELECT due FROM task WHERE phase = 0 ORDER BY due LIMIT 1), \
                      (SELECT until FROM task WHERE phase = 3 ORDER BY until LIMIT 1), \
                      (SELECT opens FROM gate WHERE opens IS NOT NULL ORDER BY opens LIMIT 1), \
                      (SELECT until FROM task WHERE phase = 5 ORDER BY until LIMIT 1)";
        let read = |row: &Row<'_>| {
            Ok(Firsts { due: row.get(0)?, lapse: row.get(1)?, opens: row.get(2)?, forget: row.get(3)? })
        };
        Ok(self.first(firsts, (), read)?.unwrap_or_default())
    }

    /// Does what is due: rows become ready, leases lapse, gates open, ended rows are forgotten. With what is due next.
    pub(super) fn advance(&mut self) -> Result<Firsts, Fault> {
        let now = number(self.now);
        let Firsts { due, lapse, opens, forget } = self.firsts()?;
        if [due, lapse, opens, forget].into_iter().flatten().all(|at| at > now) {
            return Ok(Firsts { due, lapse, opens, forget });
        }
        let lapsed = "SELECT generation FROM task WHERE phase = 3 AND until <= ? AND (beat > ? OR lease <= ?) \
                      ORDER BY until, generation";
        let watched = length(self.look.watched);
        for lapsed in self.all(lapsed, (now, self.look.strange, watched), |row| Ok(generation(row.get(0)?)))? {
            self.lapse(lapsed)?;
        }
        let due = self.run("UPDATE task SET phase = 1 WHERE phase = 0 AND due <= ?", (now,))?;
        self.news.work |= due > 0;
        for gate in self.all("SELECT name FROM gate WHERE opens <= ? ORDER BY opens, name", (now,), |row| row.get(0))? {
            let gate: String = gate;
            self.settle(&gate)?;
        }
        self.run("DELETE FROM task WHERE phase = 5 AND until <= ? AND until < 9223372036854775807", (now,))?;
        self.firsts()
    }

    fn lapse(&mut self, of: Generation) -> Result<(), Fault> {
        let slot = self.slot(of)?;
        let Phase::Running(run) = &slot.phase else { return Ok(()) };
        let cap = slot.entry.deliveries.get();
        self.leave_gates(&slot, true)?;
        if run.cancelled.is_some() {
            self.end(&slot, &Ending::Cancelled)
        } else if slot.deliveries >= cap {
            self.end(&slot, &Ending::Dead(slot.deliveries))
        } else {
            self.news.fates.lapsed(|kind| slot.event(kind));
            self.make_ready(of)
        }
    }

    /// After which instant [`advance`](Self::advance) would do something that a claim can use.
    pub(super) fn next(&self, firsts: &Firsts) -> Result<Instant, Fault> {
        let mut lapse = firsts.lapse;
        if lapse.is_some_and(|until| instant(until) <= self.now) {
            // Some are honoured longer than they say.
            let sql = "SELECT min(CASE WHEN beat > ?1 OR lease <= ?2 THEN until ELSE max(until, ?3 - ?2 + lease) END) \
                       FROM task WHERE phase = 3";
            let (watched, now) = (length(self.look.watched), number(self.now));
            lapse = self.first(sql, (self.look.strange, watched, now), |row| row.get(0))?.flatten();
        }
        Ok([firsts.due, lapse, firsts.opens].into_iter().flatten().min().map_or(Instant::NEVER, instant))
    }

    // ---- strikes -------------------------------------------------------------

    /// The first strike that matches.
    pub(super) fn struck(&mut self, entry: &Entry) -> Result<Option<StrikeId>, Fault> {
        if self.strikes.version != self.meta.strikes {
            self.strikes.all = Strikes::default();
            for (id, strike) in self.read_strikes()? {
                self.strikes.all.insert(id, strike);
            }
            self.strikes.version = self.meta.strikes;
        }
        Ok(self.strikes.all.first(&entry.name, &entry.args))
    }

    pub(super) fn read_strikes(&self) -> Result<Vec<(StrikeId, Strike)>, Fault> {
        let columns = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get(1)?, row.get::<_, Option<String>>(2)?));
        let all = self.all("SELECT id, name, test FROM strike ORDER BY id", (), columns)?;
        let strike = |(id, name, test): (i64, Option<String>, Option<String>)| {
            let field = test.map(|test| codec::read_test(&test)).transpose()?;
            Ok((StrikeId(unsigned(id)), Strike { name, field }))
        };
        all.into_iter().map(strike).collect()
    }

    pub(super) fn strike(&mut self, strike: &Strike) -> Result<StrikeId, Fault> {
        let id = self.serial();
        // Those that wait are looked at anew, so that they don't stand in anybody's way.
        let parked: Vec<Generation> = match &strike.name {
            Some(name) => {
                let of = "SELECT generation FROM task WHERE phase = 2 AND name = ? ORDER BY generation";
                self.all(of, (name,), |row| Ok(generation(row.get(0)?)))?
            }
            None => {
                let all = "SELECT generation FROM task WHERE phase = 2 ORDER BY generation";
                self.all(all, (), |row| Ok(generation(row.get(0)?)))?
            }
        };
        for parked in parked {
            let slot = self.slot(parked)?;
            match slot.phase {
                Phase::Parked(at) if strike.matches(&slot.entry.name, &slot.entry.args) => {
                    self.unblock(&slot, &slot.entry.gates[at].name)?;
                }
                _ => {}
            }
        }
        self.run("INSERT INTO strike VALUES (?, ?, ?)", (id, &strike.name, codec::write_test(strike)?))?;
        self.meta.strikes += 1;
        Ok(StrikeId(unsigned(id)))
    }

    pub(super) fn restore(&mut self, id: StrikeId) -> Result<bool, Fault> {
        let there = self.run("DELETE FROM strike WHERE id = ?", (signed(id.0),))? > 0;
        self.meta.strikes += i64::from(there);
        // Automatic tasks may begin again.
        self.news.work |= there;
        Ok(there)
    }
}
