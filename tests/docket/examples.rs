//! What the example `tasks` prints.

#[path = "../../examples/tasks/main.rs"]
#[expect(dead_code, reason = "`main` is called in the example's own binary alone")]
mod tasks;

/// What is at one instant may come in any order.
fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

#[test]
fn what_is_found_is_added_once() {
    let lines = sorted(tasks::flood());
    let said = |what: &str| lines.iter().filter(|line| line.ends_with(what)).count();
    assert_eq!([said(": added"), said(" sent"), said(": there already")], [6, 6, 2], "{lines:#?}");
    assert_eq!(lines.last().unwrap(), " 16 s  nothing left to find");
}

#[test]
fn steps_follow_each_other_and_one_is_tried_again() {
    let says = [
        "  2 s  cat: Fetch done",
        "  4 s  no memory: Shrink is tried again",
        " 11 s  cat: Shrink done",
        " 13 s  cat: Publish done",
    ];
    assert_eq!(tasks::chain(), says);
}

#[test]
fn what_needs_all_parts_comes_after_the_last() {
    let lines = tasks::fan();
    assert_eq!(lines.len(), 5);
    assert_eq!(lines[2..], ["  4 s  part 3 written", "  6 s  part 4 written", "  6 s  4 parts bound"]);
}

#[test]
fn what_comes_next_depends_on_what_was_seen() {
    let says = [
        "  0 s  a is 50 % full",
        "  0 s  b is 90 % full",
        "  0 s  c is 99 % full",
        "  0 s  somebody is woken up for c",
        " 30 s  b tidied",
        " 90 s  b is 60 % full",
    ];
    assert_eq!(sorted(tasks::follow()), says);
}
