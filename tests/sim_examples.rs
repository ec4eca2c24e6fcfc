//! The examples that test programs of others, as a user runs them.

#[path = "../examples/peers/main.rs"]
#[expect(dead_code, reason = "`main` is called in the example's own binary alone")]
mod peers;
#[path = "../examples/semaphore/main.rs"]
#[expect(dead_code, reason = "`main` is called in the example's own binary alone")]
mod planted;

use std::path::Path;
use wakeful::sim::{Builder, FailureKind};

/// What an example prints.
fn printed(run: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    run(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[track_caller]
fn is_drawn(file: &Path) {
    let svg = std::fs::read_to_string(file).unwrap();
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{svg}");
}

#[test]
fn a_program_of_others_runs_as_it_is() {
    let options = peers::Options { runs: Some(200), ..Default::default() };
    let said = printed(|out| peers::run(&options, out));
    assert!(said.starts_with("on smol: 8 orders done in "), "{said}");
    assert!(said.contains("\nsimulated: 200 runs, "), "{said}");
    assert!(said.contains(" times: an attempt fails\n"), "{said}");
}

#[test]
fn a_mistake_of_others_is_found_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let svg = dir.path().join("mistake.svg");
    let options = peers::Options { mistake: true, svg: Some(svg.clone()), ..Default::default() };
    let said = printed(|out| peers::run(&options, out));
    assert!(said.contains("\nsimulated: deadlock at "), "{said}");
    assert!(said.contains("replay with WAKEFUL_SIM="), "{said}");
    is_drawn(&svg);
}

#[test]
fn the_bug_of_the_semaphore_is_found_made_small_and_drawn() {
    let dir = tempfile::tempdir().unwrap();
    let svg = dir.path().join("semaphore.svg");
    let options = planted::Options { svg: Some(svg.clone()), ..Default::default() };
    let said = printed(|out| planted::run(&options, out));
    assert!(said.starts_with("deadlock at "), "{said}");
    assert!(said.contains("\nshrunk from ") && said.contains(&format!("drawn in {}", svg.display())), "{said}");
    is_drawn(&svg);

    let failure = Builder::new().runs(2_000).explore(|sim| planted::scenario(sim, false)).unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Deadlock);
    assert!(failure.shrunk().unwrap().to <= 3, "{failure}");
    let fixed = planted::Options { fixed: true, ..Default::default() };
    let said = printed(|out| planted::run(&fixed, out));
    assert!(said.starts_with("2000 runs, ") && said.ends_with(": nothing was found\n"), "{said}");
}
