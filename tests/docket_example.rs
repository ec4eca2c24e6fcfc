//! The store on SQLite between processes: workers of the example `docket`, killed in the middle, on one file.
#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

/// The example's binary, which `cargo test` builds beside the tests.
fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let profile = test.parent().and_then(Path::parent).expect("a test lies in the folder `deps` of its profile");
    let binary = profile.join("examples").join("docket");
    assert!(
        binary.is_file(),
        "{} is not there: `cargo test` builds it, `cargo test --test` does not; run `cargo build --features sqlite --example docket` first",
        binary.display()
    );
    binary
}

/// What a command says, and whether it does what it was asked to.
fn docket(file: &Path, command: &str, args: &[&str]) -> (String, bool) {
    let output = Command::new(binary()).arg(command).arg(file).args(args).output().expect("the example starts");
    (String::from_utf8(output.stdout).unwrap(), output.status.success())
}

/// What it says if all is well.
fn says(file: &Path, command: &str, args: &[&str]) -> String {
    let (says, success) = docket(file, command, args);
    assert!(success, "{command} {args:?}: {says}");
    says
}

/// A worker in a process of its own, which is killed if the test fails.
struct Worker(Child, BufReader<ChildStdout>);

impl Worker {
    fn start(file: &Path, name: &str, more: &[&str]) -> Self {
        let lease = ["--lease", "2000", "--concurrency", "1", "--name", name];
        let mut child = Command::new(binary());
        let child = child.arg("worker").arg(file).args(lease).args(more).stdout(Stdio::piped());
        let mut child = child.spawn().expect("the example starts");
        let lines = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut worker = Self(child, lines);
        assert_eq!(worker.line(), format!("{name} works"));
        worker
    }

    /// The next line that it says; empty, if it has ended.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.1.read_line(&mut line).expect("it is text");
        line.trim_end().to_string()
    }

    fn kill(mut self) {
        self.0.kill().unwrap();
        assert_eq!(self.0.wait().unwrap().signal(), Some(9));
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may be gone.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn what_a_killed_process_ran_is_run_again_by_another_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let file = &folder.path().join("tasks");
    let mut one = Worker::start(file, "one", &[]);
    assert_eq!(says(file, "add", &["count", r#"{"to": 1000000}"#, "--key", "long"]), "long is added\n");
    assert_eq!(one.line(), "long: begins, delivery 1");
    assert_eq!(says(file, "add", &["count", r#"{"to": 3}"#, "--key", "long"]), "long runs already\n");

    // Another process works beside it, and leaves alone what runs.
    let mut two = Worker::start(file, "two", &[]);
    says(file, "add", &["count", r#"{"to": 2}"#, "--key", "short"]);
    says(file, "add", &["echo", r#"{"words": "hello"}"#, "--key", "greeting"]);
    assert_eq!(two.line(), "greeting: begins, delivery 1");
    assert_eq!(two.line(), r#"greeting: Done(String("hello"))"#);
    let snapshot = says(file, "snapshot", &[]);
    assert!(snapshot.contains("long count {\"to\":1000000}: runs on one"), "{snapshot}");
    assert!(snapshot.contains("short count {\"to\":2}: waits at a limit\n"), "{snapshot}");
    assert!(snapshot.contains(": 1 in, 1 wait\n"), "{snapshot}");

    one.kill();
    assert_eq!(two.line(), "long: begins, delivery 2", "the oldest first, and counted");
    assert_eq!(says(file, "cancel", &["long"]), "long runs, and is told\n");
    assert_eq!(two.line(), "long: Cancelled");
    assert_eq!(two.line(), "short: begins, delivery 1");
    assert_eq!(two.line(), "short: Done(Number(2))");

    // All workers are gone; what is there stays.
    says(file, "add", &["count", r#"{"to": 1000000}"#, "--key", "again"]);
    assert_eq!(two.line(), "again: begins, delivery 1");
    says(file, "add", &["count", r#"{"to": 1}"#, "--key", "last"]);
    two.kill();
    let snapshot = says(file, "snapshot", &[]);
    assert!(snapshot.contains("again count {\"to\":1000000}: runs on two"), "its lease is honoured: {snapshot}");
    let mut three = Worker::start(file, "three", &["--until-finished"]);
    assert_eq!(three.line(), "again: begins, delivery 2");
    says(file, "cancel", &["again"]);
    let rest = ["again: Cancelled", "last: begins, delivery 1", "last: Done(Number(1))", ""];
    assert_eq!(rest.map(|_| three.line()), rest);
    assert!(three.0.wait().unwrap().success(), "it has found nothing more");
    let snapshot = says(file, "snapshot", &[]);
    let ends = ["long", "short", "greeting", "again", "last"];
    assert!(ends.iter().zip(snapshot.lines()).all(|(key, line)| line.starts_with(key)), "each once: {snapshot}");
    assert_eq!(snapshot.lines().count(), ends.len(), "no limit is held: {snapshot}");
}

#[test]
fn tasks_are_struck_and_restored_from_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let file = &folder.path().join("tasks");
    says(file, "add", &["echo", r#"{"words": "a"}"#, "--key", "a"]);
    says(file, "add", &["echo", r#"{"words": "b"}"#, "--key", "b"]);
    let strike = says(file, "strike", &["echo", "words", "==", "\"a\""]);
    let number = strike.trim_end().strip_prefix("strike ").expect(&strike);
    assert!(!docket(file, "add", &["echo", r#"{"words": "a"}"#]).1, "it is struck");
    let mut worker = Worker::start(file, "one", &["--until-finished"]);
    let told = ["b: begins, delivery 1", r#"b: Done(String("b"))"#, ""];
    assert_eq!(told.map(|_| worker.line()), told);
    assert!(says(file, "snapshot", &[]).contains("a echo {\"words\":\"a\"}: Struck("));
    assert_eq!(says(file, "restore", &[number]), format!("strike {number} is taken back\n"));
    assert!(!docket(file, "restore", &[number]).1);
    assert_eq!(says(file, "add", &["echo", r#"{"words": "a"}"#, "--key", "a"]), "a is added\n");
    assert!(!docket(file, "cancel", &["nobody"]).1);
    std::fs::write(folder.path().join("text"), "no docket at all, and long enough for a header".repeat(9)).unwrap();
    assert!(!docket(&folder.path().join("text"), "snapshot", &[]).1);
}
