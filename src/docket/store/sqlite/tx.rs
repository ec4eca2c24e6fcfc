//! One transition: a transaction, at one instant.

use super::super::fates::Listeners;
use super::super::ledger::News;
use super::super::strikes::Strikes;
use super::super::types::{Generation, StoreError, When};
use super::clock::{Hand, Kept, Look};
use crate::sys::Arc;
use crate::time::{Instant, Time, Wall, nanos};
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;
use rusqlite::{Connection, Params, Row};

/// Why a transition did not happen.
#[derive(Debug)]
pub(super) struct Fault(pub(super) StoreError);

impl Fault {
    pub(super) fn text(why: String) -> Self {
        Self(StoreError::Failed(why))
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::text(error.to_string())
    }
}

/// A connection, and what it knows from one transition to the next.
pub(super) struct Seat {
    pub(super) sql: Connection,
    pub(super) time: Time,
    pub(super) wall: Box<dyn Wall>,
    pub(super) hand: Hand,
    pub(super) strikes: Known,
    pub(super) listeners: Arc<Listeners>,
    /// What SQLite says of commits by others.
    pub(super) data_version: i64,
}

/// The strikes, as of this version.
#[derive(Default)]
pub(super) struct Known {
    pub(super) version: i64,
    pub(super) all: Strikes,
}

/// The numbers of the whole store.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Meta {
    pub(super) serial: i64,
    pub(super) work: i64,
    pub(super) orders: i64,
    pub(super) strikes: i64,
    pub(super) kept: Kept,
}

pub(super) struct Tx<'a> {
    pub(super) sql: &'a Connection,
    pub(super) meta: Meta,
    pub(super) look: Look,
    pub(super) now: Instant,
    pub(super) unix: Duration,
    pub(super) strikes: &'a mut Known,
    pub(super) news: News<Generation>,
}

impl Seat {
    /// Does a whole transition or nothing. With the news of it, and the numbers after it.
    pub(super) fn transact<R>(
        &mut self,
        f: impl FnOnce(&mut Tx<'_>) -> Result<R, Fault>,
    ) -> Result<(R, News<Generation>, Meta), Fault> {
        let sql = &self.sql;
        sql.prepare_cached("BEGIN IMMEDIATE")?.execute(())?;
        let open = Open(sql);
        let before = Meta::load(sql)?;
        let mut meta = before;
        // Read when nobody else can write: waiting for the file is over by now.
        let (mono, unix) = (self.time.now(), self.wall.unix());
        let (hand, look) = self.hand.look(&mut meta.kept, meta.serial, mono, unix);
        let mut news = News::default();
        news.fates.is_heard = self.listeners.are_there();
        let mut tx = Tx { sql, meta, look, now: look.now, unix, strikes: &mut self.strikes, news };
        if look.jumped {
            tx.begin_leases_anew()?;
        }
        let reply = f(&mut tx)?;
        let Tx { mut meta, news, .. } = tx;
        meta.work += i64::from(news.work || news.finished);
        meta.orders += i64::from(news.orders);
        if meta != before {
            meta.kept.clock = look.now;
            meta.save(sql)?;
        }
        sql.prepare_cached("COMMIT")?.execute(())?;
        drop(open);
        self.hand = hand;
        Ok((reply, news, meta))
    }
}

/// A transaction, which is rolled back unless it was committed.
struct Open<'a>(&'a Connection);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if !self.0.is_autocommit() {
            // If even that fails, the next transaction can't begin, and says so.
            let _ = self.0.execute_batch("ROLLBACK");
        }
    }
}

impl Meta {
    pub(super) fn load(sql: &Connection) -> Result<Self, Fault> {
        let load = |row: &Row<'_>| {
            Ok(Self {
                serial: row.get(0)?,
                work: row.get(1)?,
                orders: row.get(2)?,
                strikes: row.get(3)?,
                kept: Kept { clock: instant(row.get(4)?), ahead: row.get(5)?, jumps: row.get(6)? },
            })
        };
        let mut query = sql.prepare_cached("SELECT serial, work, orders, strikes, clock, ahead, jumps FROM meta")?;
        Ok(query.query_row([], load)?)
    }

    fn save(&self, sql: &Connection) -> Result<(), Fault> {
        let all = (
            self.serial,
            self.work,
            self.orders,
            self.strikes,
            number(self.kept.clock),
            self.kept.ahead,
            self.kept.jumps,
        );
        let update = "UPDATE meta SET serial = ?, work = ?, orders = ?, strikes = ?, clock = ?, ahead = ?, jumps = ?";
        sql.prepare_cached(update)?.execute(all)?;
        Ok(())
    }
}

impl Tx<'_> {
    /// The next number: generations, fences, strikes and beats share them.
    pub(super) fn serial(&mut self) -> i64 {
        self.meta.serial += 1;
        self.meta.serial
    }

    /// Changes something; with how many rows that were.
    pub(super) fn run(&self, sql: &str, params: impl Params) -> Result<usize, Fault> {
        Ok(self.sql.prepare_cached(sql)?.execute(params)?)
    }

    /// The first row that is found.
    pub(super) fn first<T>(
        &self,
        sql: &str,
        params: impl Params,
        f: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, Fault> {
        let mut query = self.sql.prepare_cached(sql)?;
        let mut rows = query.query(params)?;
        Ok(rows.next()?.map(f).transpose()?)
    }

    pub(super) fn all<T>(
        &self,
        sql: &str,
        params: impl Params,
        f: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Fault> {
        Ok(self.sql.prepare_cached(sql)?.query_map(params, f)?.collect::<Result<_, _>>()?)
    }

    /// When that is, by the store's time.
    pub(super) fn due(&self, when: When) -> Instant {
        match when {
            When::Now => self.now,
            When::In(after) => self.now + after,
            When::At(unix) => self.now + unix.saturating_sub(self.unix),
        }
    }

    /// The wall clock has jumped: no lease is measured across that.
    fn begin_leases_anew(&mut self) -> Result<(), Fault> {
        let (now, beat) = (number(self.now), self.serial());
        // A sum that is too great would no longer be a whole number.
        let until = "min(lease, 9223372036854775807 - ?1) + ?1";
        self.run(&alloc::format!("UPDATE task SET until = {until}, beat = ?2 WHERE phase = 3"), (now, beat))?;
        Ok(())
    }
}

/// As it is written down.
pub(super) fn number(instant: Instant) -> i64 {
    i64::try_from(instant.as_nanos()).unwrap_or(i64::MAX)
}

pub(super) fn length(duration: Duration) -> i64 {
    i64::try_from(nanos(duration)).unwrap_or(i64::MAX)
}

/// As it is read.
pub(super) fn instant(number: i64) -> Instant {
    if number == i64::MAX { Instant::NEVER } else { Instant::from_nanos(u64::try_from(number).unwrap_or(0)) }
}

/// Serials begin at 1, and are written down as they are.
pub(super) fn generation(number: i64) -> Generation {
    Generation(unsigned(number))
}

pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// A number that somebody shows, as it is written down; one that was never given out, if it can't be.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(-1)
}
