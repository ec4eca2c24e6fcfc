//! One bare transaction.

use super::harness::{cpu_ns, wall_ns};
use super::{FLUSHED, TASKS};
use rusqlite::{Connection, TransactionBehavior};

fn transactions(mut sql: Connection, count: i64) {
    for n in 0..count {
        let tx = sql.transaction_with_behavior(TransactionBehavior::Immediate).expect("begun");
        tx.prepare_cached("INSERT INTO t VALUES (?, ?)").expect("a table").execute((n, "a task")).expect("put");
        tx.commit().expect("done");
    }
}

fn with_table(sql: Connection) -> Connection {
    sql.execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT").expect("a table");
    sql
}

pub fn memory() -> f64 {
    let sql = with_table(Connection::open_in_memory().expect("opened"));
    cpu_ns(TASKS as usize, || transactions(sql, TASKS as i64))
}

pub fn file() -> f64 {
    let folder = tempfile::tempdir().expect("a folder");
    let sql = Connection::open(folder.path().join("floor")).expect("opened");
    sql.pragma_update(None, "journal_mode", "WAL").expect("set");
    sql.pragma_update(None, "synchronous", "FULL").expect("set");
    let sql = with_table(sql);
    wall_ns(FLUSHED as usize, || transactions(sql, FLUSHED as i64))
}
