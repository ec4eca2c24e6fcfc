//! The table of runs against a deadline: all its numbers.

#[path = "../examples/deadline/main.rs"]
#[expect(dead_code, reason = "`main` is called in the example's own binary alone")]
mod deadline;

use deadline::{rows, run, urgent_first};

#[test]
fn every_task_is_in_its_place_and_every_run_ends_when_it_is_to() {
    // Done, timed out, cancelled, not started, milliseconds.
    let expected = [
        ("one after another", [10, 0, 0, 10], 1_000),
        ("one after another, for a little less", [9, 0, 1, 10], 950),
        ("and those that have begun may end", [10, 0, 0, 10], 1_000),
        ("and none begins that can't end", [9, 0, 0, 11], 900),
        ("four at a time", [16, 0, 4, 0], 450),
        ("some take too long", [7, 0, 1, 12], 3_000),
        ("some take too long, and are cut", [15, 5, 0, 0], 2_500),
        ("as many as it takes", [20, 0, 0, 0], 500),
    ];
    let rows = rows();
    let seen = rows.iter().map(|row| {
        let count = row.count;
        assert_eq!(count.total() + row.not_started as u64, 20, "{row:?}");
        (row.what, [count.done, count.timed_out, count.cancelled, row.not_started as u64], row.elapsed.as_millis())
    });
    assert_eq!(seen.collect::<Vec<_>>(), expected);
}

#[test]
fn what_is_urgent_goes_before_what_was_there_first() {
    assert_eq!(urgent_first(), (vec!["fire", "flood", "burglar", "tea", "letters"], 1));
}

#[test]
fn it_prints_a_line_for_each() {
    let mut out = Vec::new();
    run(&mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap().lines().count(), 9);
}
