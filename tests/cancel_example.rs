//! The example that takes its leave, as a user runs it.

#[path = "../examples/farewell/main.rs"]
#[expect(dead_code, reason = "`main` is called in the example's own binary alone")]
mod farewell;

use farewell::Options;
use std::time::{Duration, Instant};

/// A file of so many pieces, each of which takes the server five milliseconds.
fn file(pieces: usize) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), vec![7; pieces * 4096]).unwrap();
    file
}

fn said(options: &Options) -> String {
    let mut out = Vec::new();
    farewell::run(options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_file_that_is_sent_in_time_is_kept() {
    let file = file(3);
    let options = Options { deadline: Duration::from_secs(60), ..Options::new(file.path()) };
    assert_eq!(said(&options), "sent all 12288 bytes\nthe server keeps 12288 bytes\n");
}

#[test]
fn a_client_that_is_cut_short_says_goodbye() {
    // Far more than can be sent.
    let file = file(4_000);
    let options = Options { budget: Duration::from_secs(60), ..Options::new(file.path()) };
    let said = said(&options);
    assert!(said.starts_with("cut short after "), "{said}");
    assert!(said.ends_with(" was reached\nthe server has let go of them\nthe server keeps 0 bytes\n"), "{said}");
}

#[test]
fn a_server_that_does_not_answer_costs_the_budget() {
    let file = file(4_000);
    let options = Options { silent: true, ..Options::new(file.path()) };
    let begun = Instant::now();
    let said = said(&options);
    assert!(begun.elapsed() >= options.deadline + options.budget);
    assert!(said.contains("the server did not answer"), "{said}");
}
