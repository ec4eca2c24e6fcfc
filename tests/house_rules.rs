//! Reads `src/` and `Cargo.toml` and fails where the layout of the crate is broken.
//!
//! Each rule is a function from text to a list of complaints, so that it can be fed a bad snippet: the tests in
//! [`negative_controls`] show for each rule that it reports what it is there to report.

#[path = "house_rules/futures.rs"]
mod futures;
#[path = "house_rules/negative_controls.rs"]
mod negative_controls;
#[path = "house_rules/rust.rs"]
mod rust;

use futures::{PublicFuture, public_futures};
use rust::{braced, code_only, docs_above, paths_from_root, test_items, without_tests, words};
use std::fs;
use std::path::Path;

/// The rooms by level. A room may import itself and the rooms of lower levels.
const ORDER: &[&[&str]] = &[
    &["sys"],
    &["wait"],
    &["time"],
    &["spawn"],
    &["cancel"],
    &["sync"],
    &["queue", "limit", "task"],
    &["resilience"],
    &["work"],
    &["flow"],
    &["docket"],
];

/// Rooms that may import every room of [`ORDER`] and that no other room imports.
const BESIDE: &[&str] = &["observe", "sim"];

/// Rooms of prose, which import nothing.
const PROSE: &[&str] = &["guide"];

/// The home of cfg switches and of the standard library's atomics and locks.
const SWITCHES: &str = "src/sys/";

/// Folders (ending in `/`) and files in which `unsafe` may be written.
const UNSAFE_HOMES: &[&str] = &[
    "src/sys/",
    "src/wait/",
    "src/cancel/scope.rs",
    "src/cancel/timeouts.rs",
    "src/cancel/tree.rs",
    "src/queue/ring.rs",
];

/// How a file with `unsafe` outside `src/sys/` and `src/wait/` opens, after its docs.
const UNSAFE_OPENING: &str = "#![expect(unsafe_code, reason";

/// Rooms, and files of others, that may have a bare lock, and why: what tasks meet at stands behind a `Told`, of which the simulator
/// hears. A search leaves out schedules that differ in what it did not hear of.
const BARE_LOCKS: &[(&str, &str)] = &[
    ("src/sys/", "what `Told` is made of"),
    ("src/wait/", "a hall tells by itself"),
    ("src/observe/", "it looks on"),
    ("src/sim/", "it is who is told"),
    ("src/docket/worker/", "a worker is one task"),
    ("src/limit/keyed/", "the table of keys tells, whichever shard is looked at"),
    ("src/spawn/panic.rs", "for `Sync` only: who has it takes it"),
    ("src/task/guarded.rs", "a future, and who drops it"),
    ("src/work/drive/hub.rs", "for `Sync` only: a share has one owner"),
    ("src/work/periodic.rs", "as in `task/guarded.rs`"),
];

/// A file in `src/` that is longer asks to be two.
const LONGEST_FILE: usize = 500;

/// The home of the sweeps over public futures.
const SWEEPS: &str = "tests/sweeps/";

/// Runtimes and their parts, none of which a feature or a dependency of the library may name.
const RUNTIMES: &[&str] = &[
    "tokio",
    "smol",
    "async-std",
    "async-io",
    "async-executor",
    "async-global-executor",
    "embassy-executor",
    "monoio",
    "glommio",
    "compio",
    "actix-rt",
];

/// One source file: its path from the package's root, with `/` between the parts, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The room the file belongs to, or `None` for `lib.rs`.
    fn room(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        let room = inside.split('/').next()?;
        let room = room.strip_suffix(".rs").unwrap_or(room);
        (room != "lib").then_some(room)
    }

    /// How many modules deep the file lies: 1 for a room's `mod.rs`.
    fn depth(&self) -> usize {
        let parts = self.path.split('/').count() - 1;
        if self.path.ends_with("/mod.rs") { parts - 1 } else { parts }
    }

    /// A complaint about the line that holds byte `at`.
    fn complain(&self, at: usize, what: &str) -> String {
        let line = self.text[..at].matches('\n').count() + 1;
        format!("{}:{line}: {what}", self.path)
    }
}

// ---- the rules ------------------------------------------------------------

/// No room imports one of its own level or above, or reaches another room without naming it.
fn upward_imports(source: &Source) -> Vec<String> {
    let Some(room) = source.room() else {
        return Vec::new();
    };
    let level = |name: &str| ORDER.iter().position(|rooms| rooms.contains(&name));
    let known = level(room).is_some() || BESIDE.contains(&room) || PROSE.contains(&room);
    if !known {
        return vec![format!("{}: `{room}` has no place in the import order", source.path)];
    }
    let code = code_only(&source.text);
    let mut complaints = Vec::new();
    for (at, name) in paths_from_root(&code) {
        // Macros stand above all rooms, and name what their users reach, hidden from them.
        let of_macros = code[..at].ends_with('$') && name.starts_with("__");
        let called = code[at..].starts_with(&format!("crate::{name}!"));
        let allowed = match (level(&name), level(room)) {
            _ if name == room || of_macros || called => true,
            (Some(theirs), Some(ours)) => theirs < ours,
            (Some(_), None) => BESIDE.contains(&room),
            (None, _) => false,
        };
        if !allowed {
            complaints.push(source.complain(at, &format!("`{room}` may not import `crate::{name}`")));
        }
    }
    let code = without_tests(&code);
    for (at, _) in words(&code, "super") {
        let supers = code[at..].split("::").take_while(|part| part.trim() == "super").count();
        let continued = code[..at].ends_with("super::");
        if !continued && supers >= source.depth() {
            complaints.push(source.complain(at, "reaches the root of the crate by `super`: write `crate::`"));
        }
    }
    complaints
}

/// cfg switches are made in `src/sys`, and rooms are gated in `lib.rs`; only tests are gated elsewhere.
fn cfg_switches(source: &Source) -> Vec<String> {
    if source.path.starts_with(SWITCHES) || source.path == "src/lib.rs" {
        return Vec::new();
    }
    let code = code_only(&source.text);
    let mut complaints = Vec::new();
    for word in ["cfg", "cfg_attr", "cfg_select"] {
        for (at, after) in words(&code, word) {
            let rest = code[after..].trim_start_matches('!').trim_start();
            let gates_tests = rest.starts_with("(test)") || rest.starts_with("(all(test,");
            if rest.starts_with(['(', '{']) && !gates_tests {
                complaints.push(source.complain(at, "a cfg switch outside src/sys"));
            }
        }
    }
    complaints
}

/// Atomics, locks and `Arc` come from `src/sys`, which knows loom and targets without compare-and-swap.
fn foreign_sync(source: &Source) -> Vec<String> {
    if source.path.starts_with(SWITCHES) {
        return Vec::new();
    }
    let code = without_tests(&code_only(&source.text));
    let mut complaints = Vec::new();
    for library in ["core", "std", "alloc"] {
        for (at, after) in words(&code, library) {
            let rest = &code[after..];
            let direct = rest.starts_with("::sync");
            let grouped = rest.starts_with("::{") && !words(braced(&rest[2..]), "sync").is_empty();
            if direct || grouped {
                complaints.push(source.complain(at, &format!("`{library}::sync` outside src/sys")));
            }
        }
    }
    complaints
}

/// `unsafe` is written in its named homes only.
fn stray_unsafe(source: &Source) -> Vec<String> {
    let home =
        UNSAFE_HOMES.iter().any(|home| source.path == *home || home.ends_with('/') && source.path.starts_with(home));
    let code = code_only(&source.text);
    let mut complaints = Vec::new();
    if !home {
        for word in ["unsafe", "unsafe_code"] {
            for (at, _) in words(&code, word) {
                complaints.push(source.complain(at, &format!("`{word}` outside its named homes")));
            }
        }
    } else if UNSAFE_HOMES.contains(&source.path.as_str()) && !opens_with_expectation(&source.text) {
        complaints.push(format!("{}: does not open with `{UNSAFE_OPENING} = \"…\")]`", source.path));
    }
    complaints
}

/// What tasks share is told to those who look on.
fn bare_locks(source: &Source) -> Vec<String> {
    if BARE_LOCKS.iter().any(|(home, _)| source.path.starts_with(home)) {
        return Vec::new();
    }
    let code = without_tests(&code_only(&source.text));
    let complain =
        |(at, _)| source.complain(at, "a `Lock` that tells nobody: take `Told`, or name the file in BARE_LOCKS");
    words(&code, "Lock").into_iter().map(complain).collect()
}

fn opens_with_expectation(text: &str) -> bool {
    let first = text.lines().find(|line| !line.starts_with("//") && !line.trim().is_empty());
    first.is_some_and(|line| line.starts_with(UNSAFE_OPENING))
}

fn long_file(source: &Source) -> Vec<String> {
    let lines = source.text.lines().count();
    if lines <= LONGEST_FILE {
        return Vec::new();
    }
    vec![format!("{}: {lines} lines, of {LONGEST_FILE} at most", source.path)]
}

/// Each [public future](public_futures) of a room says in its docs what dropping it does.
fn silent_futures(room: &[&Source]) -> Vec<String> {
    let silent = |future: &PublicFuture| !docs_above(&future.source.text, future.at).contains("# Cancel safety");
    let futures = public_futures(room).into_iter().filter(silent);
    let complain = |PublicFuture { source, at, name }: PublicFuture| {
        source.complain(at, &format!("`{name}` is a future without a `# Cancel safety` section"))
    };
    futures.map(complain).collect()
}

/// Each [public future](public_futures) of a room has a sweep in `tests/sweeps`, which says what must hold when it is
/// dropped after any of its polls; and each sweep has a future.
fn unswept_futures(name: &str, room: &[&Source], sweeps: &[String]) -> Vec<String> {
    let futures = public_futures(room);
    let missing = futures.iter().filter(|future| !sweeps.contains(&format!("{name}::{}", future.name)));
    let missing = missing.map(|PublicFuture { source, at, name: future }| {
        source.complain(*at, &format!("a future without a sweep: add `\"{name}::{future}\" => …` to {SWEEPS}"))
    });
    let stale = sweeps.iter().filter(|sweep| {
        let future = sweep.strip_prefix(name).and_then(|rest| rest.strip_prefix("::"));
        future.is_some_and(|name| !futures.iter().any(|future| future.name == name))
    });
    missing.chain(stale.map(|sweep| format!("{SWEEPS}: there is no public future `{sweep}`"))).collect()
}

/// The futures that a file of [`SWEEPS`] names.
fn swept_futures(text: &str) -> Vec<String> {
    let entry = |line: &str| Some(line.trim().strip_prefix('"')?.split_once("\" => ")?.0.to_owned());
    text.lines().filter_map(entry).collect()
}

/// No feature and no dependency of the library names a runtime; dev-dependencies may.
fn runtime_features(manifest: &str) -> Vec<String> {
    let mut watched = false;
    let mut complaints = Vec::new();
    for (number, line) in manifest.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        if line.starts_with('[') {
            let of_library = line.contains("features") || line.contains("dependencies");
            watched = of_library && !line.contains("dev-dependencies");
        }
        let named = line.split(|c: char| !(c.is_alphanumeric() || "-_".contains(c)));
        let runtime = named.map(|name| name.replace('_', "-")).find(|name| {
            let is = |runtime: &&str| name == runtime || name.starts_with(&format!("{runtime}-"));
            RUNTIMES.iter().any(is)
        });
        if let (true, Some(runtime)) = (watched, runtime) {
            complaints.push(format!("Cargo.toml:{}: names the runtime `{runtime}`", number + 1));
        }
    }
    complaints
}

/// Every feature but the default one stands in the table below the heading, which names no other.
fn untold_features(manifest: &str, path: &str, text: &str) -> Vec<String> {
    let of_manifest = manifest.lines().skip_while(|line| *line != "[features]").skip(1);
    let features: Vec<&str> = of_manifest
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| Some(line.split_once(" = ")?.0))
        .filter(|name| *name != "default" && !name.starts_with('#'))
        .collect();
    let prose = text.lines().map(|line| line.trim_start_matches("//!").trim());
    let table = prose.skip_while(|line| line.trim_start_matches('#') != " Features").skip(1);
    let told: Vec<&str> = table
        .take_while(|line| !line.starts_with("# ") && !line.starts_with("## "))
        .filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0))
        .collect();
    let untold = features.iter().filter(|name| !told.contains(name));
    let unknown = told.iter().filter(|name| !features.contains(name));
    let untold = untold.map(|name| format!("{path}: the table of features lacks `{name}`"));
    untold.chain(unknown.map(|name| format!("{path}: there is no feature `{name}`"))).collect()
}

// ---- applied to this crate ------------------------------------------------

/// Every file of `src/`.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![root.join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of src/") {
            let path = entry.expect("an entry of src/").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source file");
                let path = path.strip_prefix(root).expect("a path below the root");
                let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
                found.push(Source { path: parts.join("/"), text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// The paths, without `.rs` or `/mod.rs`, of the modules that `sources` declare for tests only.
fn test_modules(sources: &[Source]) -> Vec<String> {
    let mut modules = Vec::new();
    for source in sources {
        let stem = source.path.trim_end_matches(".rs").trim_end_matches("/mod").trim_end_matches("/lib");
        for (_, _, head) in test_items(&code_only(&source.text)) {
            if let Some((_, name)) = head.rsplit_once("mod ") {
                modules.push(format!("{stem}/{}", name.trim()));
            }
        }
    }
    modules
}

fn is_test(source: &Source, modules: &[String]) -> bool {
    let below = |module: &String| {
        source.path.strip_prefix(module.as_str()).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
    };
    modules.iter().any(below)
}

#[track_caller]
fn expect_none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

fn over_all(rule: fn(&Source) -> Vec<String>) {
    let sources = sources();
    assert!(sources.iter().any(|source| source.path == "src/lib.rs"), "src/ was not read");
    expect_none(sources.iter().flat_map(rule).collect());
}

#[test]
fn rooms_import_only_what_lies_below() {
    over_all(upward_imports);
}

#[test]
fn cfg_switches_live_in_sys() {
    over_all(cfg_switches);
}

#[test]
fn atomics_and_locks_come_from_sys() {
    let sources = sources();
    let tests = test_modules(&sources);
    expect_none(sources.iter().filter(|source| !is_test(source, &tests)).flat_map(foreign_sync).collect());
}

#[test]
fn unsafe_stays_in_its_homes() {
    over_all(stray_unsafe);
    let sources = sources();
    for home in UNSAFE_HOMES {
        assert!(sources.iter().any(|source| source.path.starts_with(home)), "{home} is not there any more");
    }
}

#[test]
fn what_tasks_share_is_told() {
    let sources = sources();
    let tests = test_modules(&sources);
    let code: Vec<&Source> = sources.iter().filter(|source| !is_test(source, &tests)).collect();
    expect_none(code.iter().flat_map(|source| bare_locks(source)).collect());
    for (home, _) in BARE_LOCKS {
        let used =
            |source: &&&Source| source.path.starts_with(home) && !words(&code_only(&source.text), "Lock").is_empty();
        assert!(code.iter().any(|source| used(&source)), "{home} has no lock any more");
    }
}

#[test]
fn no_file_is_too_long() {
    over_all(long_file);
}

/// What `rule` says of each room, given its name and those of its files that are not tests.
fn over_rooms(rule: impl Fn(&str, &[&Source]) -> Vec<String>) {
    let sources = sources();
    let tests = test_modules(&sources);
    let mut rooms: Vec<&str> = sources.iter().filter_map(Source::room).collect();
    rooms.dedup();
    let of = |room: &str| -> Vec<&Source> {
        sources.iter().filter(|source| source.room() == Some(room) && !is_test(source, &tests)).collect()
    };
    expect_none(rooms.into_iter().flat_map(|room| rule(room, &of(room))).collect());
}

#[test]
fn every_public_future_tells_its_cancel_safety() {
    over_rooms(|_, room| silent_futures(room));
}

/// The files of [`SWEEPS`] by their names, without `.rs`.
fn sweep_files() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(SWEEPS);
    let read = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.expect("an entry of the folder of sweeps").path();
        let name = path.file_stem().expect("it has a name").to_string_lossy().into_owned();
        (name, fs::read_to_string(&path).expect("a file of sweeps"))
    };
    fs::read_dir(folder).expect("the folder of sweeps").map(read).collect()
}

#[test]
fn every_public_future_has_a_cancellation_sweep() {
    let sweeps: Vec<String> = sweep_files().iter().flat_map(|(_, text)| swept_futures(text)).collect();
    over_rooms(|name, room| unswept_futures(name, room, &sweeps));
}

#[test]
fn every_table_of_sweeps_is_run() {
    let files = sweep_files();
    let (_, main) = files.iter().find(|(name, _)| name == "main").expect("the file that runs them");
    let is_run = |room: &str| room == "main" || main.contains(&format!("{room}::SWEEPS,"));
    let forgotten = files.iter().filter(|(room, _)| !is_run(room));
    expect_none(forgotten.map(|(room, _)| format!("{SWEEPS}main.rs does not run the table of `{room}`")).collect());
}

#[test]
fn no_feature_names_a_runtime() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    expect_none(runtime_features(&fs::read_to_string(manifest).expect("Cargo.toml")));
}

#[test]
fn each_feature_is_told_where_it_is_looked_for() {
    let read = |path: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect(path);
    let manifest = read("Cargo.toml");
    expect_none(
        ["README.md", "src/lib.rs"].iter().flat_map(|path| untold_features(&manifest, path, &read(path))).collect(),
    );
}
