//! Opening a store.

use super::super::fates::Listeners;
use super::clock::Hand;
use super::desk::Clerk;
use super::schema::{failed, prepare};
use super::tx::{Known, Meta, Seat};
use super::{Changes, Shared, SqliteStore};
use crate::spawn::Offload;
use crate::sys::Arc;
use crate::time::{Time, Wall};
use alloc::boxed::Box;
use alloc::string::String;
use core::error::Error;
use core::fmt;
use core::time::Duration;
use rusqlite::Connection;
use std::path::Path;

/// How a [`SqliteStore`] is opened; made by [`SqliteStore::builder`].
#[must_use = "nothing is opened before it is told what"]
pub struct SqliteBuilder {
    time: Time,
    wall: Box<dyn Wall>,
    pool: Box<dyn Offload + Send + Sync>,
    busy: Duration,
    poll: Duration,
    synchronous: &'static str,
}

impl SqliteBuilder {
    /// How long a transition waits for other processes to end theirs, unless it is told otherwise.
    pub const BUSY: Duration = Duration::from_secs(5);
    /// How often is looked for what other processes did, unless it is told otherwise.
    pub const POLL: Duration = Duration::from_millis(250);

    pub(super) fn new(time: &Time, wall: Box<dyn Wall>, pool: Box<dyn Offload + Send + Sync>) -> Self {
        Self { time: time.clone(), wall, pool, busy: Self::BUSY, poll: Self::POLL, synchronous: "FULL" }
    }

    /// Waits so long for other processes to end their transitions; then the answer is an error.
    pub fn busy_timeout(mut self, busy: Duration) -> Self {
        self.busy = busy;
        self
    }

    /// Looks so often whether other processes have changed something, while somebody waits for that.
    ///
    /// # Panics
    /// If `every` is zero.
    pub fn poll_every(mut self, every: Duration) -> Self {
        assert!(!every.is_zero(), "to look all the time is not to look every so often");
        self.poll = every;
        self
    }

    /// Has SQLite not wait for the disk at each commit (`synchronous = NORMAL`). What a process has confirmed still survives
    /// its own crash; the last of it may be lost when the power fails. It is much faster on disks that keep their word.
    pub fn relaxed(mut self) -> Self {
        self.synchronous = "NORMAL";
        self
    }

    /// Opens a file, and makes it if it isn't there. This blocks. A path is no more than that: names that SQLite has for what is not
    /// a file, such as `:memory:`, are those of files here.
    ///
    /// # Errors
    /// If the file is not one of a docket, or of a newer version of this crate; or if SQLite can't open it.
    pub fn open(self, path: impl AsRef<Path>) -> Result<SqliteStore, OpenError> {
        let synchronous = self.synchronous;
        // With a folder before it, it is none of the names that mean something to SQLite.
        let sql = Connection::open(Path::new(".").join(path)).map_err(failed)?;
        self.build(sql, true, |sql| {
            sql.pragma_update(None, "journal_mode", "WAL")?;
            sql.pragma_update(None, "synchronous", synchronous)
        })
    }

    /// A database of this store alone, in memory: for tests.
    ///
    /// # Errors
    /// If SQLite can't.
    pub fn in_memory(self) -> Result<SqliteStore, OpenError> {
        self.build(Connection::open_in_memory().map_err(failed)?, false, |_| Ok(()))
    }

    fn build(
        self,
        mut sql: Connection,
        shared: bool,
        before: impl Fn(&Connection) -> rusqlite::Result<()>,
    ) -> Result<SqliteStore, OpenError> {
        // SQLite knows no longer ones.
        let busy = self.busy.min(Duration::from_millis(i32::MAX.unsigned_abs().into()));
        sql.busy_timeout(busy).map_err(failed)?;
        prepare(&mut sql, before)?;
        sql.set_prepared_statement_cache_capacity(128);
        let hand = Hand::new(self.time.now());
        let (strikes, listeners) = (Known::default(), Arc::new(Listeners::new()));
        let (time, wall) = (self.time.clone(), self.wall);
        let seat = Seat { sql, time, wall, hand, strikes, listeners: listeners.clone(), data_version: -1 };
        let meta = Meta::load(&seat.sql).map_err(|fault| OpenError::Failed(alloc::format!("{}", fault.0)))?;
        let changes = Changes::new(meta, self.time.now());
        let (time, poll, clerk) = (self.time, shared.then_some(self.poll), Clerk::new(seat, self.pool));
        Ok(SqliteStore(Arc::new(Shared { time, poll, clerk, changes: Arc::new(changes), listeners })))
    }
}

impl fmt::Debug for SqliteBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteBuilder").field("synchronous", &self.synchronous).finish_non_exhaustive()
    }
}

/// A file can't be a [`SqliteStore`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// It was written by a newer version of this crate.
    Newer {
        /// The version of its tables.
        version: i64,
        /// The newest that is known here.
        known: i64,
    },
    /// It is something else than a docket's file.
    Foreign,
    /// SQLite can't open it, for this reason.
    Failed(String),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newer { version, known } => {
                write!(f, "the file is of version {version}, and this program knows none after {known}")
            }
            Self::Foreign => f.write_str("the file is not a docket's"),
            Self::Failed(why) => write!(f, "the file can't be opened: {why}"),
        }
    }
}

impl Error for OpenError {}
