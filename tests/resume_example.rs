//! The example that goes on after a kill: a real process, killed and started again.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const ITEMS: u64 = 400;
const EVERY: u64 = 5;
const WORKERS: u64 = 8;

/// The example's binary, which `cargo test` builds beside the tests.
fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let profile = test.parent().and_then(Path::parent).expect("a test lies in the folder `deps` of its profile");
    let binary = profile.join("examples").join("resume");
    assert!(
        binary.is_file(),
        "{} is not there: `cargo test` builds it, `cargo test --test` does not; run `cargo build --example resume` first",
        binary.display()
    );
    binary
}

fn start(folder: &Path) -> Child {
    let numbers = [("--items", ITEMS), ("--every", EVERY), ("--workers", WORKERS)];
    let numbers = numbers.iter().flat_map(|(name, number)| [(*name).to_string(), number.to_string()]);
    Command::new(binary()).arg(folder).args(numbers).stdout(Stdio::piped()).spawn().expect("the example starts")
}

/// What the process says, line by line.
fn lines(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    BufReader::new(child.stdout.take().expect("it is piped")).lines().map(|line| line.expect("it is text"))
}

#[test]
fn after_two_kills_every_item_is_done_and_few_are_done_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut before = 0;
    for kill in 1..=2 {
        let mut child = start(folder.path());
        let mut says = lines(&mut child);
        let first = says.next().unwrap();
        let were: u64 = first.strip_suffix(&format!(" of {ITEMS} were done before")).expect(&first).parse().unwrap();
        assert!(were >= before, "what was saved is known");
        // It has saved several times since.
        before = were + 100;
        let saved = |line: &String| line.strip_suffix(" saved").expect(line).parse::<u64>().unwrap();
        assert!(says.by_ref().any(|line| saved(&line) >= before), "kill {kill}");
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
    }
    let mut child = start(folder.path());
    let says: Vec<String> = lines(&mut child).collect();
    assert!(child.wait().unwrap().success());
    assert!(says.last().unwrap().ends_with(&format!(": {ITEMS} are done")), "{says:?}");
    assert_eq!(std::fs::read_to_string(folder.path().join("checkpoint")).unwrap(), ITEMS.to_string());

    let journal = std::fs::read_to_string(folder.path().join("journal")).unwrap();
    let mut times = BTreeMap::new();
    for line in journal.lines() {
        *times.entry(line.parse::<u64>().unwrap()).or_insert(0_u64) += 1;
    }
    assert!(times.keys().copied().eq(0..ITEMS), "none is left out");
    let again: u64 = times.values().map(|times| times - 1).sum();
    assert!(again <= 2 * (EVERY + WORKERS), "{again} were done again");

    let mut child = start(folder.path());
    let says: Vec<String> = lines(&mut child).collect();
    assert_eq!(says[0], format!("{ITEMS} of {ITEMS} were done before"));
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_checkpoint_that_is_none_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("checkpoint"), "3 2").unwrap();
    let output = Command::new(binary()).arg(folder.path()).output().unwrap();
    assert!(!output.status.success());
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("not a checkpoint"), "{error}");
    assert_eq!(std::fs::read_to_string(folder.path().join("checkpoint")).unwrap(), "3 2");
}
