//! The example with SQLite, as a user runs it; and its transactions in virtual time, where every instant is known.

#[path = "../examples/accounts/main.rs"]
#[expect(dead_code, reason = "`main` is called in the example's own binary alone")]
mod accounts;

use accounts::store::{Failure, Store};
use accounts::{ACCOUNTS, BALANCE, Options, Totals, Transfer, balance, create, sum, transfer};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::sim::{self, Offloader, Sim};
use wakeful::spawn::{Job, Offload};
use wakeful::time::{Instant, Time};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn at(millis: u64) -> Instant {
    Instant::EPOCH + ms(millis)
}

/// From 0 to 1.
fn moves(amount: i64, answers: bool) -> Transfer {
    Transfer { from: 0, to: 1, amount, answers }
}

/// Accounts in a database of their own, in which every call takes a millisecond. They are there after six: a connection is opened
/// and has nothing to clean up, and a transaction has a beginning, a body and an end.
async fn opened(sim: &Sim, file: PathBuf, connections: usize) -> (Scope, Store<Offloader>) {
    let scope = Scope::new(sim.time());
    let connections = NonZeroUsize::new(connections).unwrap();
    let store = Store::new(&scope, sim.offloader(ms(1)), file, connections);
    create(&store, &scope).await.unwrap();
    (scope, store)
}

async fn balances<P: Offload>(store: &Store<P>, scope: &Scope) -> (i64, i64) {
    (balance(store, scope, 0).await.unwrap(), balance(store, scope, 1).await.unwrap())
}

/// Runs `body` in the simulator with a folder for files.
fn simulated<F: Future<Output = ()> + 'static>(body: impl Fn(Sim, PathBuf) -> F + Clone + Send + Sync + 'static) {
    sim::run(move |sim| {
        let folder = tempfile::tempdir().unwrap();
        let body = body(sim, folder.path().join("accounts"));
        async move {
            body.await;
            drop(folder);
        }
    });
}

#[test]
fn a_transfer_is_committed_and_one_that_is_refused_is_rolled_back_on_the_same_connection() {
    simulated(|sim, file| async move {
        let (scope, store) = opened(&sim, file, 4).await;
        assert_eq!(sim.now(), at(4));
        transfer(&store, &scope, moves(60, true)).await.unwrap();
        assert_eq!((sim.now(), balances(&store, &scope).await), (at(9), (40, 160)));
        let refused = transfer(&store, &scope, moves(60, true)).await.unwrap_err();
        assert_eq!(refused.to_string(), "account 0 has less than 60");
        assert_eq!(balances(&store, &scope).await, (40, 160));
        assert_eq!((store.pool().count().created, store.pool().count().broken), (1, 0));
    });
}

#[test]
fn one_that_is_cancelled_is_rolled_back_under_a_shield_and_its_connection_is_lent_again() {
    simulated(|sim, file| async move {
        let (scope, store) = opened(&sim, file, 4).await;
        let start = sim.now();
        let body = async |s: &Scope| transfer(&store, s, moves(60, false)).await;
        let outcome = scope.move_on_after(ms(100), body).await;
        assert!(matches!(outcome.done(), Some(Err(Failure::Cancelled(_)))));
        // The end of the transaction is a call of its own, after the deadline.
        assert_eq!(sim.now() - start, ms(101));
        assert_eq!(balances(&store, &scope).await, (100, 100));
        transfer(&store, &scope, moves(1, true)).await.unwrap();
        assert_eq!((store.pool().count().created, store.pool().count().broken), (1, 0));
    });
}

#[test]
fn one_whose_future_is_dropped_closes_its_connection_which_rolls_it_back() {
    simulated(|sim, file| async move {
        let (scope, store) = opened(&sim, file, 4).await;
        for polls in 0.. {
            let mut dropped = Box::pin(transfer(&store, &scope, moves(60, true)));
            let mut done = false;
            for _ in 0..polls {
                done |= futures::poll!(dropped.as_mut()).is_ready();
                if done {
                    break;
                }
                sim.time().sleep(ms(1)).await;
            }
            drop(dropped);
            // What a thread has in its hands is done by then.
            sim.time().sleep(ms(2)).await;
            let now = balances(&store, &scope).await;
            if done {
                assert_eq!(now, (40, 160));
                assert!(polls > 4, "it was dropped between any two calls");
                break;
            }
            // Once the commit has begun, it is made.
            if now == (40, 160) {
                transfer(&store, &scope, Transfer { from: 1, to: 0, amount: 60, answers: true }).await.unwrap();
            } else {
                assert_eq!(now, (100, 100), "after {polls} polls");
            }
        }
        let (status, count) = (store.pool().status(), store.pool().count());
        assert_eq!((status.size, status.in_use), (1, 0));
        assert!(count.broken > 0 && count.created == count.broken + count.invalid + 1, "{count:?}");
    });
}

#[test]
fn transfers_that_come_and_are_given_up_at_any_time_lose_no_money_and_no_connection() {
    sim::Builder::new().runs(40).check(|sim| async move {
        let folder = tempfile::tempdir().unwrap();
        let (scope, store) = opened(&sim, folder.path().join("accounts"), 2).await;
        let all = (0..6).map(|_| {
            let (from, to) = (sim.choose(3) as i64, sim.choose(3) as i64);
            let transfer_of = Transfer { from, to, amount: sim.choose(80) as i64, answers: sim.choose(4) > 0 };
            let (patience, starts) = (ms(sim.choose(20) as u64), ms(sim.choose(8) as u64));
            let (store, scope, sim) = (&store, &scope, &sim);
            async move {
                sim.time().sleep(starts).await;
                let body = async |s: &Scope| transfer(store, s, transfer_of).await;
                match scope.move_on_after(patience, body).await.into_result() {
                    Ok(Ok(()) | Err(Failure::Refused(_) | Failure::Cancelled(_))) | Err(_) => {}
                    Ok(Err(failure)) => panic!("{failure}"),
                }
            }
        });
        futures::future::join_all(all).await;
        assert_eq!(sum(&store, &scope).await.unwrap(), ACCOUNTS * BALANCE);
        let (status, count) = (store.pool().status(), store.pool().count());
        assert!(status.size <= 2 && status.in_use == 0, "{status:?}");
        assert_eq!(count.broken, 0, "all came back in a known state");
    });
}

#[test]
fn a_statement_that_takes_for_ever_ends_when_its_scope_is_cancelled() {
    let folder = tempfile::tempdir().unwrap();
    let (began, has_begun) = std::sync::mpsc::channel();
    let threads = |job: Job| blocking::unblock(|| job.run()).detach();
    let scope = Scope::new(Time::system());
    let store = Store::new(&scope, threads, folder.path().join("accounts"), NonZeroUsize::MIN);
    let inside = scope.child();
    let cancels = inside.clone();
    let canceller = std::thread::spawn(move || {
        has_begun.recv().unwrap();
        cancels.cancel("enough");
    });
    let counted = smol::block_on(store.read(&inside, move |connection| {
        began.send(()).unwrap();
        const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
        connection.query_row(ENDLESS, [], |row| row.get::<_, i64>(0))
    }));
    assert!(matches!(counted, Err(Failure::Cancelled(_))), "{counted:?}");
    canceller.join().unwrap();
    let one: i64 = smol::block_on(store.read(&scope, |c| c.query_row("SELECT 1", [], |row| row.get(0)))).unwrap();
    assert_eq!((one, store.pool().count().created), (1, 1));
}

#[test]
fn a_file_that_cannot_be_opened_is_an_error_and_costs_no_slot() {
    let scope = Scope::new(Time::system());
    let threads = |job: Job| blocking::unblock(|| job.run()).detach();
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(&scope, threads, folder.path().join("nowhere").join("accounts"), NonZeroUsize::MIN);
    for _ in 0..2 {
        let created = smol::block_on(pin!(create(&store, &scope)));
        assert!(matches!(created, Err(Failure::Sql(_))), "{created:?}");
    }
    assert_eq!((store.pool().status().size, store.pool().count().not_created), (0, 2));
}

#[test]
fn as_a_program_it_accounts_for_every_transfer() {
    let folder = tempfile::tempdir().unwrap();
    let mut out = Vec::new();
    let options = Options { transfers: 40, ..Options::default() };
    let totals = accounts::run(&folder.path().join("accounts"), &options, &mut out).unwrap();
    let Totals { done, refused, given_up, failed } = totals;
    assert_eq!((done + refused + given_up, failed), (40, 0));
    assert!(given_up + refused >= 2, "for two of them the notary does not answer");
    let out = String::from_utf8(out).unwrap();
    assert!(out.contains("\n1000 in all accounts; "), "{out}");
}
