//! The store on SQLite: what stores promise, files, several processes, clocks that jump.

use super::support::*;
use super::{model, simulated, suite};
use rusqlite::Connection;
use std::path::Path;
use std::pin::pin;
use std::sync::Barrier;
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::docket::{
    AddError, Cancelled, Close, Cx, Docket, Ending, Entry, Excess, Existing, Finished, Gate, NoResult, OpenError,
    Policy, Put, Registry, Renewed, Rule, SqliteBuilder, SqliteStore, State, Store, StoreError, Strike, Test, Topic,
    When,
};
use wakeful::sim::{Builder, Sim};
use wakeful::spawn::Job;
use wakeful::time::{SystemWall, Time};

/// With its calls inline.
fn builder(sim: &Sim) -> SqliteBuilder {
    SqliteStore::builder(&sim.time(), sim.wall(), |job: Job| job.run())
}

fn in_memory(sim: &Sim) -> SqliteStore {
    builder(sim).in_memory().unwrap()
}

#[test]
fn the_store_on_sqlite_keeps_what_stores_promise() {
    for (name, scenario) in suite::all::<SqliteStore>() {
        println!("{name}");
        wakeful::sim::run(|sim| {
            sim.set_wall(Duration::from_secs(86_400));
            scenario(in_memory(&sim), sim.time())
        });
    }
}

#[test]
fn and_so_it_does_in_a_file() {
    for (name, scenario) in suite::all::<SqliteStore>() {
        println!("{name}");
        let folder = tempfile::tempdir().unwrap();
        wakeful::sim::run(|sim| {
            sim.set_wall(Duration::from_secs(86_400));
            scenario(builder(&sim).relaxed().open(folder.path().join("file")).unwrap(), sim.time())
        });
    }
}

#[test]
fn every_request_is_answered_as_by_a_model_that_looks_at_every_row() {
    Builder::new().runs(60).check(|sim| {
        let store = in_memory(&sim);
        model::requests(sim, store)
    });
}

#[test]
fn every_task_ends_once_whoever_crashes() {
    Builder::new().runs(40).check(|sim| {
        let store = in_memory(&sim);
        simulated::chaos(sim, store)
    });
}

/// With all kinds of rows, gates and strikes.
async fn fill(store: &SqliteStore) {
    let rate = Gate { name: "r".into(), rule: Rule::Rate { burst: n(2), every: ms(70) }, excess: Excess::Wait };
    store.put(gated("runs", &[gate("x", 1), rate.clone()])).await.unwrap();
    let run = claims(store, 1).await.taken.remove(0);
    store.put(Entry { existing: Existing::Follow, ..entry("runs") }).await.unwrap();
    store.put(gated("waits", &[gate("x", 1), rate])).await.unwrap();
    for key in ["done", "failed", "retried", "back"] {
        store.put(Entry { priority: 9, ..entry(key) }).await.unwrap();
        let run = claims(store, 1).await.taken.remove(0);
        let how = match key {
            "done" => Close::End(Ending::Done(serde_json::json!({ "a": [1.5, null] })), None),
            "failed" => Close::End(Ending::Failed("no".into()), None),
            "retried" => Close::Retry(ms(50), "not yet".into()),
            _ => Close::Back,
        };
        close(store, &run, how).await;
    }
    assert!(claims(store, 1).await.taken.iter().all(|run| run.key == "back"), "`waits` has to wait");
    store.put(Entry { due: When::In(Duration::MAX), ..entry("never") }).await.unwrap();
    store.strike(Strike::task("u")).await.unwrap();
    store.strike(Strike::field("of", Test::Between("p".into(), "q".into())).of("t")).await.unwrap();
    assert_eq!(store.cancel("runs", ms(7)).await, Ok(Cancelled::Running(run.generation)));
}

#[test]
fn a_file_that_is_opened_again_is_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    wakeful::sim::run(|sim| async move {
        let path = folder.path().join("file");
        let store = builder(&sim).open(&path).unwrap();
        fill(&store).await;
        let before = store.scan().await.unwrap();
        drop(store);
        let store = builder(&sim).open(&path).unwrap();
        assert_eq!(store.scan().await.unwrap(), before);
        assert_eq!(store.put(Entry { name: "u".into(), ..entry("a") }).await, Ok(Put::Struck(before.strikes[0].0)));
        assert!(
            matches!(store.put(entry("b")).await, Ok(Put::Added(new)) if new > before.rows.last().unwrap().generation)
        );
    });
}

/// A key is claimed in a file, and then its process is no more.
async fn claimed_and_left(sim: &Sim, path: &Path) {
    let store = builder(sim).open(path).unwrap();
    store.put(Entry { deliveries: n(2), ..entry("a") }).await.unwrap();
    assert_eq!(keys(&store).await, ["a"]);
}

#[test]
fn who_opens_a_file_honours_the_leases_that_it_finds_and_counts_on() {
    let folder = tempfile::tempdir().unwrap();
    wakeful::sim::run(|sim| async move {
        let (path, time) = (folder.path().join("file"), sim.time());
        claimed_and_left(&sim, &path).await;
        time.sleep(ms(150)).await;
        let store = builder(&sim).open(&path).unwrap();
        let first = claims(&store, 1).await;
        assert_eq!((first.taken.len(), first.again), (0, LEASE), "it may run yet: nobody knows what the clock did");
        time.sleep(ms(60)).await;
        // One more comes and goes, and changes nothing for this one.
        builder(&sim).open(&path).unwrap().scan().await.unwrap();
        assert_eq!(claims(&store, 1).await.again, ms(40));
        time.sleep(ms(40)).await;
        let second = claims(&store, 1).await;
        assert_eq!((second.taken[0].key.as_str(), second.taken[0].delivery, second.again), ("a", 2, LEASE));
        time.sleep(LEASE).await;
        assert!(claim_all(&store).await.is_empty());
        assert_eq!(ending(&store, "a").await, Ending::Dead(2));
    });
}

const HOUR: Duration = Duration::from_secs(3600);

/// Two processes with one file; what the second claims after the clock has gone from 12 o'clock to `to`.
fn jump(to: Duration, opened_before: bool) {
    let folder = tempfile::tempdir().unwrap();
    wakeful::sim::run(|sim| async move {
        sim.set_wall(12 * HOUR);
        let (path, time) = (folder.path().join("file"), sim.time());
        let one = builder(&sim).open(&path).unwrap();
        let other = opened_before.then(|| builder(&sim).open(&path).unwrap());
        if let Some(other) = &other {
            other.scan().await.unwrap();
        }
        one.put(Entry { deliveries: n(9), ..entry("a") }).await.unwrap();
        one.put(after("soon", ms(30))).await.unwrap();
        let run = claims(&one, 1).await.taken.remove(0);
        time.sleep(ms(20)).await;
        sim.set_wall(to);
        let other = other.unwrap_or_else(|| builder(&sim).open(&path).unwrap());
        let soon = claim_all(&other).await;
        assert_eq!(soon.len(), usize::from(to > 12 * HOUR), "what is due by the clock is due, and `a` runs");
        time.sleep(ms(10)).await;
        // Who comes after the clock was put back knows only how late it was when the file was last written.
        let exact = to < 12 * HOUR && opened_before;
        assert_eq!(claim_all(&other).await.len(), usize::from(exact), "as late as it was to be");
        assert_eq!(renew(&one, &run).await, Renewed::Held);
        assert_eq!(claim_all(&one).await.len(), 0, "nor has what the other claimed lapsed");
        time.sleep(ms(80)).await;
        assert_eq!(renew(&one, &run).await, Renewed::Held);
        assert!(!keys(&other).await.contains(&"a".into()), "it has heard of the jump by now");
        time.sleep(ms(99)).await;
        assert!(!keys(&other).await.contains(&"a".into()));
        time.sleep(ms(1)).await;
        assert!(keys(&other).await.contains(&"a".into()), "it lapses all the same");
        assert_eq!(done(&one, &run).await, Finished::Lost);
    });
}

#[test]
fn a_wall_clock_that_jumps_makes_no_second_run_of_a_key() {
    for opened_before in [true, false] {
        jump(36 * HOUR, opened_before);
        jump(HOUR, opened_before);
    }
}

#[test]
fn what_other_processes_do_is_seen_within_the_interval_and_what_is_done_here_at_once() {
    let folder = tempfile::tempdir().unwrap();
    wakeful::sim::run(|sim| async move {
        let (path, time) = (folder.path().join("file"), sim.time());
        let open = || builder(&sim).poll_every(ms(20)).open(&path).unwrap();
        let (one, other, scope) = (open(), open(), Scope::new(time.clone()));
        let soon = |future| scope.move_on_after(ms(21), async |_| future.await);
        let Ok(Put::Added(generation)) = other.put(entry("a")).await else { panic!() };
        let work = soon(one.changed(Topic::Work, 0)).await.done().expect("it was told").unwrap();
        assert!(soon(one.changed(Topic::Work, work)).await.is_cancelled());
        let run = claim_all(&one).await.remove(0);
        other.cancel("a", ms(0)).await.unwrap();
        assert!(soon(one.changed(Topic::Orders, 0)).await.done().is_some());
        let mut end = pin!(other.changed(Topic::End(generation), 0));
        assert!(scope.move_on_after(ms(30), async |_| end.as_mut().await).await.is_cancelled());
        done(&one, &run).await;
        assert!(scope.move_on_after(ms(21), async |_| end.await).await.done().is_some());
        let before = time.now();
        let mut end = pin!(one.changed(Topic::End(generation), 0));
        end.as_mut().await.unwrap();
        assert_eq!(time.now(), before, "it has ended");
    });
}

#[test]
fn a_file_that_several_open_at_once_is_made_for_all_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let open = |path: &Path, all: &Barrier| {
        let builder = SqliteStore::builder(&Time::system(), SystemWall, |job: Job| job.run()).busy_timeout(HOUR);
        all.wait();
        builder.open(path)
    };
    for file in 0..60 {
        let (path, all) = (folder.path().join(file.to_string()), Barrier::new(8));
        let opened: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| open(&path, &all))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        for store in opened {
            assert_eq!(store.err(), None);
        }
    }
}

#[test]
fn a_file_that_somebody_reads_all_the_while_is_not_waited_for_without_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("read");
    let reader = Connection::open(&path).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM sqlite_master").unwrap();
    let builder = || {
        let builder = SqliteStore::builder(&Time::system(), SystemWall, |job: Job| job.run());
        builder.busy_timeout(Duration::from_millis(10))
    };
    match builder().open(&path) {
        Err(OpenError::Failed(why)) => assert!(why.contains("locked"), "{why}"),
        opened => panic!("{opened:?}"),
    }
    reader.execute_batch("COMMIT").unwrap();
    assert_eq!(builder().open(&path).err(), None);
}

#[test]
fn a_path_is_that_of_a_file_whatever_it_means_to_sqlite() {
    let open =
        |path: &str| SqliteStore::builder(&Time::system(), SystemWall, |job: Job| job.run()).open(path).map(drop);
    assert!(matches!(open(""), Err(OpenError::Failed(_))), "that is a folder");
    // In a folder that is not there nothing can be made, which a database in memory would not mind.
    for path in ["file:x/x?mode=memory", "file:x/y?vfs=memdb"] {
        assert!(matches!(open(path), Err(OpenError::Failed(_))), "{path}");
    }
}

#[test]
fn files_of_others_and_of_newer_versions_are_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    wakeful::sim::run(|sim| async move {
        let text = folder.path().join("text");
        std::fs::write(&text, "nothing that SQLite has ever written, though it is long enough".repeat(99)).unwrap();
        assert_eq!(builder(&sim).open(&text).unwrap_err(), OpenError::Foreign);
        let foreign = folder.path().join("foreign");
        Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE meta (id)").unwrap();
        let before = std::fs::read(&foreign).unwrap();
        assert_eq!(builder(&sim).open(&foreign).unwrap_err(), OpenError::Foreign);
        assert_eq!(std::fs::read(&foreign).unwrap(), before);
        let newer = folder.path().join("newer");
        drop(builder(&sim).open(&newer).unwrap());
        Connection::open(&newer).unwrap().pragma_update(None, "user_version", 99).unwrap();
        let error = builder(&sim).open(&newer).unwrap_err();
        assert_eq!(error.to_string(), "the file is of version 99, and this program knows none after 1");
        assert!(matches!(builder(&sim).open(folder.path()), Err(OpenError::Failed(_))));
    });
}

#[test]
fn what_can_not_be_done_is_an_error_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    wakeful::sim::run(|sim| async move {
        let path = folder.path().join("file");
        let store = builder(&sim).busy_timeout(ms(0)).open(&path).unwrap();
        let holder = Connection::open(&path).unwrap();
        holder.execute_batch("BEGIN IMMEDIATE").unwrap();
        let error = store.put(entry("a")).await.unwrap_err();
        assert_eq!(error.to_string(), "the store failed: database is locked");
        holder.execute_batch("COMMIT").unwrap();
        // What breaks half-way is taken back as a whole, and no strike is remembered that isn't there.
        holder.execute_batch("CREATE TRIGGER no BEFORE UPDATE ON meta BEGIN SELECT raise(ABORT, 'full'); END").unwrap();
        assert!(store.strike(Strike::task("t")).await.is_err());
        assert!(store.put(entry("a")).await.is_err());
        holder.execute_batch("DROP TRIGGER no").unwrap();
        assert!(matches!(store.put(entry("a")).await, Ok(Put::Added(_))));
        assert_eq!(keys(&store).await, ["a"]);
    });
}

#[test]
fn numbers_are_read_as_they_were_written() {
    wakeful::sim::run(|sim| async move {
        let bits = |n: u64| f64::from_bits(n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let floats: Vec<f64> = (1..5_000).map(bits).filter(|float| float.is_finite()).collect();
        let run = async |floats: Vec<f64>, _: Cx| Ok::<_, String>(floats);
        let registry = Registry::new().closure("t", Policy::new(), run).unwrap();
        let docket = Docket::on(in_memory(&sim), &sim.time(), registry);
        let handle = docket.raw("t", &floats).unwrap().send().await.unwrap().handle;
        docket.worker("w").until_finished(&Scope::new(sim.time())).await.unwrap();
        let read: Vec<f64> = serde_json::from_value(handle.result().await.unwrap()).unwrap();
        assert_eq!(read, floats);
    });
}

#[test]
fn what_is_nested_too_deeply_to_be_read_again_is_refused_and_keeps_nobody_else_from_running() {
    fn nested(deep: u32) -> serde_json::Value {
        (0..deep).fold(1.into(), |inner, _| serde_json::json!([inner]))
    }
    wakeful::sim::run(|sim| async move {
        let run = async |deep: u32, _: Cx| Ok::<_, String>(nested(deep));
        let registry = Registry::new().closure("gives", Policy::new(), run).unwrap();
        let run = async |value: serde_json::Value, _: Cx| Ok::<_, String>(value);
        let registry = registry.closure("takes", Policy::new(), run).unwrap();
        let run = async |value: serde_json::Value, cx: Cx| {
            let again = if value.is_array() { 7.into() } else { nested(119 + cx.key().len() as u32) };
            if value != 7 { cx.again_raw(again, When::Now).map_err(|error| error.to_string()) } else { Ok(()) }
        };
        let registry = registry.closure("again", Policy::new(), run).unwrap();
        let docket = Docket::on(in_memory(&sim), &sim.time(), registry);
        let add = async |name, args| docket.raw(name, args).unwrap().send().await.map(|added| added.handle);
        let why = "nested more than 120 deep, which is not kept";
        assert_eq!(add("takes", nested(121)).await.unwrap_err(), AddError::Store(StoreError::Failed(why.into())));
        let error = docket.strike(Strike::field("of", Test::Eq(nested(121)))).await.unwrap_err();
        assert_eq!(error, StoreError::Failed(why.into()));
        let (takes, gives) = (add("takes", nested(120)).await.unwrap(), add("gives", 120.into()).await.unwrap());
        let too_deep = add("gives", 121.into()).await.unwrap();
        let again = async |key| docket.raw("again", 0).unwrap().key(key).send().await.unwrap().handle;
        let (comes, comes_not) = (again("a").await, again("ab").await);
        docket.worker("w").until_finished(&Scope::new(sim.time())).await.unwrap();
        assert_eq!((takes.result().await, gives.result().await), (Ok(nested(120)), Ok(nested(120))));
        let failed = Ending::Failed(format!("its output is {why}"));
        assert_eq!(too_deep.result().await, Err(NoResult::Ended(failed)));
        assert_eq!(comes.result().await, Ok(().into()));
        let failed = Ending::Failed(format!("what it runs next with is {why}"));
        assert_eq!(comes_not.result().await, Err(NoResult::Ended(failed)));
        assert_eq!(docket.snapshot().await.unwrap().rows.len(), 7, "`a` has run three times");
    });
}

#[test]
fn what_has_happened_is_answered_though_a_listener_panics() {
    wakeful::sim::run(|sim| async move {
        let store = in_memory(&sim);
        store.listen(Box::new(|_| panic!("heard that")));
        store.put(entry("a")).await.unwrap();
        let replaced = store.put(Entry { existing: Existing::Replace, ..entry("a") }).await;
        assert!(matches!(replaced, Ok(Put::Replaced(_))), "{replaced:?}");
    });
}

#[test]
fn any_time_is_one_to_wait_for_the_file() {
    wakeful::sim::run(|sim| async move {
        let store = builder(&sim).busy_timeout(Duration::MAX).in_memory().unwrap();
        assert!(store.scan().await.unwrap().rows.is_empty());
    });
}

#[test]
fn threads_that_drop_the_work_are_an_error_and_no_more() {
    use std::sync::atomic::{AtomicBool, Ordering};
    static DROPPING: AtomicBool = AtomicBool::new(true);
    wakeful::sim::run(|sim| async move {
        let threads = |job: Job| if DROPPING.load(Ordering::Relaxed) { drop(job) } else { job.run() };
        let store = SqliteStore::builder(&sim.time(), sim.wall(), threads).in_memory().unwrap();
        let error = store.scan().await.unwrap_err();
        assert!(error.to_string().ends_with("dropped by the threads that it was given to"));
        DROPPING.store(false, Ordering::Relaxed);
        assert!(store.scan().await.unwrap().rows.is_empty());
    });
}

#[test]
fn a_claim_looks_at_no_row_that_only_waits() {
    wakeful::sim::run(|sim| async move {
        let store = in_memory(&sim);
        for n in 0..50 {
            store.put(gated(&format!("a {n}"), &[gate("x", 1)])).await.unwrap();
        }
        let run = claims(&store, 99).await.taken.remove(0);
        let waiting = async |state| {
            let rows = store.scan().await.unwrap().rows;
            rows.iter().filter(|row| row.state == state).count()
        };
        assert_eq!(waiting(State::Waiting).await, 49, "they stand in line, and come back when it is their turn");
        done(&store, &run).await;
        assert_eq!((waiting(State::Queued).await, waiting(State::Waiting).await), (1, 48), "one by one");
    });
}
