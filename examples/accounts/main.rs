//! Transfers between accounts in a real SQLite database, over a pool of connections, on any runtime: each happens as a whole
//! or not at all.
//!
//! Before a transfer is committed a notary is asked, who may not answer: it is given up then, after a while, and rolled back.
//! At the end every transfer is accounted for, and no money is lost.
//!
//! ```text
//! cargo run --example accounts -- [FILE] [--transfers N] [--workers N] [--connections N]
//! ```

pub(crate) mod store;

use rusqlite::OptionalExtension;
use std::future::pending;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;
use store::{Failure, Store};
use wakeful::cancel::Scope;
use wakeful::spawn::{Job, Offload};
use wakeful::time::Time;
use wakeful::work::{Ended, ItemOutcome, Lease, work};

/// Numbers of accounts go from zero to this.
pub(crate) const ACCOUNTS: i64 = 10;
/// What each of them has in the beginning.
pub(crate) const BALANCE: i64 = 100;
/// What a transfer may take.
pub(crate) const PATIENCE: Duration = Duration::from_millis(200);

/// What is asked for.
pub(crate) struct Options {
    pub(crate) transfers: u64,
    pub(crate) workers: NonZeroUsize,
    pub(crate) connections: NonZeroUsize,
}

impl Default for Options {
    fn default() -> Self {
        let some = |n| NonZeroUsize::new(n).expect("not zero");
        Self { transfers: 100, workers: some(8), connections: some(4) }
    }
}

/// An amount that goes from one account to another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transfer {
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) amount: i64,
    /// Whether the notary answers.
    pub(crate) answers: bool,
}

impl Transfer {
    /// One of many different ones. The notary does not answer for every twentieth.
    fn number(n: u64) -> Self {
        let n = n as i64;
        Self { from: n * 7 % ACCOUNTS, to: (n * 3 + 1) % ACCOUNTS, amount: n * 13 % 60, answers: n % 20 != 19 }
    }
}

/// What became of all transfers.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) done: u64,
    pub(crate) refused: u64,
    pub(crate) given_up: u64,
    pub(crate) failed: u64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    use lexopt::ValueExt;
    let (mut file, mut options) = (None, Options::default());
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            lexopt::Arg::Long("transfers") => options.transfers = args.value()?.parse()?,
            lexopt::Arg::Long("workers") => options.workers = args.value()?.parse()?,
            lexopt::Arg::Long("connections") => options.connections = args.value()?.parse()?,
            lexopt::Arg::Value(value) if file.is_none() => file = Some(PathBuf::from(value)),
            other => return Err(other.unexpected().into()),
        }
    }
    let folder = tempfile::tempdir()?;
    let file = file.unwrap_or_else(|| folder.path().join("accounts"));
    run(&file, &options, &mut io::stdout())?;
    Ok(())
}

/// The whole example.
pub(crate) fn run(file: &Path, options: &Options, out: &mut impl Write) -> Result<Totals, Box<dyn std::error::Error>> {
    let threads = |job: Job| blocking::unblock(|| job.run()).detach();
    let scope = Scope::new(Time::system());
    let store = Store::new(&scope, threads, file.to_path_buf(), options.connections);
    smol::block_on(async {
        create(&store, &scope).await?;
        let totals = transfers(&store, &scope, options).await;
        let Totals { done, refused, given_up, failed } = totals;
        let transfers = options.transfers;
        writeln!(out, "{transfers} transfers: {done} done, {refused} refused, {given_up} given up, {failed} failed")?;
        let (sum, count) = (sum(&store, &scope).await?, store.pool().count());
        writeln!(out, "{sum} in all accounts; {} connections made, {} times lent again", count.created, count.reused)?;
        Ok(totals)
    })
}

/// Makes the accounts anew.
pub(crate) async fn create<P: Offload>(store: &Store<P>, scope: &Scope) -> Result<(), Failure> {
    let create = store.transaction(scope, async |session| {
        session
            .call(|connection| {
                connection.execute_batch(
                    "DROP TABLE IF EXISTS account;
                     CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL CHECK (balance >= 0));",
                )?;
                let mut insert = connection.prepare("INSERT INTO account VALUES (?1, ?2)")?;
                (0..ACCOUNTS).try_for_each(|id| insert.execute([id, BALANCE]).map(drop))
            })
            .await
    });
    create.await
}

/// All that there is.
pub(crate) async fn sum<P: Offload>(store: &Store<P>, scope: &Scope) -> Result<i64, Failure> {
    store.read(scope, |c| c.query_row("SELECT sum(balance) FROM account", [], |row| row.get(0))).await
}

/// What an account has.
pub(crate) async fn balance<P: Offload>(store: &Store<P>, scope: &Scope, account: i64) -> Result<i64, Failure> {
    store.read(scope, move |c| c.query_row("SELECT balance FROM account WHERE id = ?1", [account], |r| r.get(0))).await
}

/// Takes the amount from one account, asks the notary, and gives it to the other.
pub(crate) async fn transfer<P: Offload>(store: &Store<P>, scope: &Scope, transfer: Transfer) -> Result<(), Failure> {
    let Transfer { from, to, amount, answers } = transfer;
    let body = store.transaction(scope, async |session| {
        const TAKE: &str =
            "UPDATE account SET balance = balance - ?2 WHERE id = ?1 AND balance >= ?2 RETURNING balance";
        let take = move |c: &mut rusqlite::Connection| c.query_row(TAKE, [from, amount], |row| row.get(0)).optional();
        let left: Option<i64> = session.call(take).await?;
        if left.is_none() {
            return Err(Failure::Refused(format!("account {from} has less than {amount}")));
        }
        if !answers {
            pending::<()>().await;
        }
        session
            .call(move |c| c.execute("UPDATE account SET balance = balance + ?2 WHERE id = ?1", [to, amount]))
            .await?;
        Ok(())
    });
    body.await
}

/// Does all transfers, some at a time.
async fn transfers<P: Offload>(store: &Store<P>, scope: &Scope, options: &Options) -> Totals {
    let mut totals = Totals::default();
    let body = |n: Lease<u64>| async move {
        let wanted = Transfer::number(*n);
        let within = scope.move_on_after(PATIENCE, async |s| {
            // Many read at a time, so what is hopeless takes nobody's turn to write.
            if balance(store, s, wanted.from).await? < wanted.amount {
                return Err(Failure::Refused(format!("account {} had less than {}", wanted.from, wanted.amount)));
            }
            transfer(store, s, wanted).await
        });
        within.await.into_result()?
    };
    let count = |ended: Ended<u64, (), Failure>| match ended.outcome {
        ItemOutcome::Done(()) => totals.done += 1,
        ItemOutcome::Failed { error: Failure::Refused(_), .. } => totals.refused += 1,
        ItemOutcome::Failed { error: Failure::Cancelled(_), .. } => totals.given_up += 1,
        _ => totals.failed += 1,
    };
    work(0..options.transfers).workers(options.workers).run(scope, body, count).await;
    totals
}
