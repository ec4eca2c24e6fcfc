//! The main job, as a user runs it; and the tests of its parts, which `cargo test` does not run inside an example.

#[path = "../examples/batch/main.rs"]
#[expect(dead_code, reason = "`main` is called in the example's own binary alone")]
mod batch;

use batch::scratch::Scratch;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const ROWS: [&str; 5] = ["tokio-multi-thread", "tokio-current-thread", "smol", "async-std", "rehearsal"];

/// The example's binary, which `cargo test` builds beside the tests.
fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let profile = test.parent().and_then(Path::parent).expect("a test lies in the folder `deps` of its profile");
    let binary = profile.join("examples").join(format!("batch{}", std::env::consts::EXE_SUFFIX));
    assert!(
        binary.is_file(),
        "{} is not there: `cargo test` builds it, `cargo test --test` does not; run `cargo build --example batch` first",
        binary.display()
    );
    binary
}

fn batch(args: &[&str]) -> Output {
    Command::new(binary()).args(args).output().expect("the example starts")
}

/// What it printed, given that it ended well.
fn printed(output: Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    // Not a terminal, so no progress bar.
    assert_eq!(errors, "");
    String::from_utf8(output.stdout).unwrap()
}

/// The counts of a row: done, failed, timed out, skipped, not started.
fn counts(printed: &str, row: &str) -> [usize; 5] {
    let line = printed.lines().find(|line| line.split_whitespace().next() == Some(row));
    let line = line.unwrap_or_else(|| panic!("no row {row} in:\n{printed}"));
    let mut cells = line.split_whitespace().skip(1).map(|cell| cell.parse().expect(line));
    std::array::from_fn(|_| cells.next().expect(line))
}

#[test]
fn every_runtime_and_the_rehearsal_finish_a_small_tree_and_the_digests_agree() {
    let scratch = Scratch::new();
    for n in 0..20 {
        scratch.write(&format!("{}/{n}", n % 3), &vec![n; usize::from(n) * 5_000]);
    }
    // Longer than one piece.
    scratch.write("long", &vec![1; 3_000_000]);
    let printed = printed(batch(&["--deadline", "10m", "--seed", "3", scratch.path().to_str().unwrap()]));
    for row in ROWS {
        assert_eq!(counts(&printed, row), [21, 0, 0, 0, 0], "{row} in:\n{printed}");
    }
    assert!(printed.contains("digests agree on all 21 files"), "{printed}");
    assert!(!printed.contains("failed: "), "{printed}");
}

#[cfg(unix)]
#[test]
fn what_cannot_be_read_is_a_failed_item_with_path_and_reason() {
    let scratch = Scratch::new();
    scratch.write("good", b"good");
    let socket = scratch.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let pipe = scratch.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo starts").success());
    std::os::unix::fs::symlink("nowhere", scratch.path().join("dangling")).unwrap();

    // Were the pipe opened, each row would wait for its end.
    let printed = printed(batch(&["--deadline", "20s", scratch.path().to_str().unwrap()]));
    for row in ROWS {
        assert_eq!(counts(&printed, row), [1, 2, 0, 0, 0], "{row} in:\n{printed}");
    }
    for path in [socket, pipe] {
        let line = format!("failed: {}: not a regular file\n", path.display());
        assert_eq!(printed.matches(&line).count(), 1, "{printed}");
    }
    assert!(printed.contains("links not followed: 1"), "{printed}");
}

#[test]
fn a_deadline_that_comes_too_soon_leaves_files_that_are_accounted_for() {
    let scratch = Scratch::new();
    for n in 0..30 {
        scratch.write(&n.to_string(), b"content");
    }
    let dir = scratch.path().to_str().unwrap();
    // The rate lets one file start at once, and the next after the deadline.
    let slow = printed(batch(&["--deadline", "900ms", "--rate", "1", dir]));
    for row in ROWS {
        let counts = counts(&slow, row);
        assert_eq!(counts.iter().sum::<usize>(), 30, "{row} in:\n{slow}");
        assert!(counts[4] >= 29, "{row} in:\n{slow}");
    }
    let none = printed(batch(&["--deadline", "0s", "--runtime", "smol", dir]));
    assert_eq!(counts(&none, "smol"), [0, 0, 0, 0, 30]);
    assert!(none.contains("no rehearsal: smol finished no file"), "{none}");
}

#[test]
fn what_makes_no_sense_is_a_clear_message_and_status_2() {
    let scratch = Scratch::new();
    scratch.write("file", b"");
    let missing = scratch.path().join("missing");
    let file = scratch.path().join("file");
    let cases: [(&[&str], &str); 6] = [
        (&[missing.to_str().unwrap()], missing.to_str().unwrap()),
        (&[file.to_str().unwrap()], file.to_str().unwrap()),
        (&["--rate", "0"], "--rate 0: should be"),
        (&["--timeline", "x.png"], "--timeline x.png: should be"),
        (&["--deadline", "5parsecs"], "--deadline 5parsecs: should be"),
        (&["--frobnicate"], "--frobnicate"),
    ];
    for (args, message) in cases {
        let output = batch(args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(message), "{args:?}: {said}");
        assert!(output.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn the_rehearsal_is_drawn_with_each_file_and_its_end() {
    let (scratch, drawings) = (Scratch::new(), Scratch::new());
    for n in 0..5 {
        scratch.write(&format!("dir/file {n}"), b"content");
    }
    let dir = scratch.path().to_str().unwrap();
    let draw = |name: &str| {
        let file = drawings.path().join(name);
        let printed = printed(batch(&["--runtime", "smol", "--timeline", file.to_str().unwrap(), dir]));
        assert!(printed.contains(&format!("rehearsal: drawn in {}\n", file.display())), "{printed}");
        std::fs::read_to_string(file).unwrap()
    };
    let svg = draw("rehearsal.svg");
    roxmltree::Document::parse(&svg).unwrap();
    let json: serde_json::Value = serde_json::from_str(&draw("rehearsal.json")).unwrap();
    for n in 0..5 {
        let name = format!("dir/file {n}");
        assert!(svg.contains(&format!("<title>{name}, from ")), "{svg}");
        let drawn = json["traceEvents"].as_array().unwrap().iter().find(|event| event["name"] == *name);
        assert!(drawn.is_some_and(|slice| slice["ph"] == "X" && slice["dur"].as_f64() > Some(0.0)), "{drawn:?}");
    }
    let nowhere = drawings.path().join("no/such/place.svg");
    let output = batch(&["--runtime", "smol", "--timeline", nowhere.to_str().unwrap(), dir]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains("place.svg: cannot be written: "), "{said}");
}

#[test]
fn help_explains_every_option() {
    let printed = printed(batch(&["--help"]));
    for option in [
        "--workers",
        "--deadline",
        "--timeout",
        "--rate",
        "--runtime",
        "--seed",
        "--timeline",
        "still holds its thread",
    ] {
        assert!(printed.contains(option), "{option} in:\n{printed}");
    }
}
