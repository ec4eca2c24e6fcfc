//! The tables, and whose file it is.

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use super::OpenError;

/// "wake", in the header of each file.
const APPLICATION: i64 = 0x7761_6b65;
/// Counts up with each change of the tables.
const VERSION: i64 = 1;

/// Phases are numbers: 0 future, 1 ready, 2 parked, 3 running, 4 following, 5 ended. The unique indexes are what is promised
/// of keys. Instants are nanoseconds of the store's time, and the greatest number is never.
const TABLES: &str = "
    CREATE TABLE meta (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        serial INTEGER NOT NULL,
        work INTEGER NOT NULL,
        orders INTEGER NOT NULL,
        strikes INTEGER NOT NULL,
        clock INTEGER NOT NULL,
        ahead INTEGER NOT NULL,
        jumps INTEGER NOT NULL
    ) STRICT;
    INSERT INTO meta VALUES (1, 0, 0, 0, 0, 0, 0, 0);

    CREATE TABLE task (
        generation INTEGER PRIMARY KEY,
        key TEXT NOT NULL,
        name TEXT NOT NULL,
        args TEXT NOT NULL,
        urgency INTEGER NOT NULL,
        due INTEGER NOT NULL,
        added INTEGER NOT NULL,
        first_due INTEGER NOT NULL,
        -- The Unix time that it was put or moved to, if it was one.
        planned INTEGER,
        cap INTEGER NOT NULL,
        keep INTEGER NOT NULL,
        gates TEXT,
        errors INTEGER NOT NULL,
        deliveries INTEGER NOT NULL,
        last_error TEXT,
        progress TEXT,
        phase INTEGER NOT NULL,
        -- Of what is parked: the number of the gate at which it was turned away.
        gate INTEGER,
        -- Of what runs.
        worker TEXT,
        fence INTEGER,
        lease INTEGER,
        beat INTEGER,
        cancelled INTEGER,
        -- Of what runs, when the lease lapses; of what has ended, when it is forgotten.
        until INTEGER,
        ending TEXT
    ) STRICT;
    CREATE UNIQUE INDEX current ON task (key) WHERE phase < 4;
    CREATE UNIQUE INDEX follower ON task (key) WHERE phase = 4;
    CREATE INDEX ended ON task (key, generation) WHERE phase = 5;
    CREATE INDEX alive ON task (name) WHERE phase < 5;
    CREATE INDEX future ON task (due, generation) WHERE phase = 0;
    CREATE INDEX ready ON task (name, urgency, due, generation) WHERE phase = 1;
    CREATE INDEX parked ON task (name) WHERE phase = 2;
    CREATE INDEX lease ON task (until, generation) WHERE phase = 3;
    CREATE INDEX forget ON task (until) WHERE phase = 5;

    CREATE TABLE gate (
        name TEXT PRIMARY KEY,
        held INTEGER NOT NULL,
        next INTEGER NOT NULL,
        opens INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX opens ON gate (opens) WHERE opens IS NOT NULL;

    CREATE TABLE line (
        gate TEXT NOT NULL,
        urgency INTEGER NOT NULL,
        due INTEGER NOT NULL,
        generation INTEGER NOT NULL,
        blocked INTEGER NOT NULL,
        PRIMARY KEY (gate, urgency, due, generation)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX blocked ON line (gate, urgency, due, generation) WHERE blocked = 1;

    CREATE TABLE strike (id INTEGER PRIMARY KEY, name TEXT, test TEXT) STRICT;
";

/// Whether there is nothing in the file yet. An error, if there is something else than a docket.
fn is_new(sql: &Connection) -> Result<bool, OpenError> {
    let pragma = |name| sql.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let tables = |sql: &Connection| sql.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
    match (pragma("application_id").map_err(failed)?, pragma("user_version").map_err(failed)?) {
        (APPLICATION, VERSION) => Ok(false),
        (APPLICATION, version) if version > VERSION => Err(OpenError::Newer { version, known: VERSION }),
        (0, 0) if tables(sql).map_err(failed)? == 0 => Ok(true),
        _ => Err(OpenError::Foreign),
    }
}

/// Makes the tables, unless they are there. Nothing is changed in a file of somebody else.
pub(super) fn prepare(
    sql: &mut Connection,
    before: impl Fn(&Connection) -> rusqlite::Result<()>,
) -> Result<(), OpenError> {
    // Looked at as a whole, since another process may make them at the same time.
    let look = sql.transaction().map_err(failed)?;
    is_new(&look)?;
    drop(look);
    while let Err(error) = before(sql) {
        if error.sqlite_error_code() != Some(ErrorCode::DatabaseBusy) {
            return Err(failed(error));
        }
        // SQLite changes to the log at once or not at all, and waits for nobody. This transaction waits for who has the file, to read
        // it as well as to write; where that takes too long, it fails.
        drop(sql.transaction_with_behavior(TransactionBehavior::Exclusive).map_err(failed)?);
    }
    let tx = sql.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    // Another process may have been first.
    if is_new(&tx)? {
        tx.execute_batch(TABLES).map_err(failed)?;
        tx.pragma_update(None, "application_id", APPLICATION).map_err(failed)?;
        tx.pragma_update(None, "user_version", VERSION).map_err(failed)?;
    }
    tx.commit().map_err(failed)
}

pub(super) fn failed(error: rusqlite::Error) -> OpenError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenError::Foreign,
        _ => OpenError::Failed(alloc::string::ToString::to_string(&error)),
    }
}
