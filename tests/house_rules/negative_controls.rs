//! Each rule reports a bad snippet and passes over a good one.

use super::*;

fn at(path: &str, text: &str) -> Source {
    Source { path: path.into(), text: text.into() }
}

#[track_caller]
fn reports(rule: fn(&Source) -> Vec<String>, path: &str, text: &str) {
    assert_eq!(rule(&at(path, text)).len(), 1, "one complaint about {path}: {text}");
}

#[track_caller]
fn passes(rule: fn(&Source) -> Vec<String>, path: &str, text: &str) {
    assert_eq!(rule(&at(path, text)), Vec::<String>::new(), "{path}: {text}");
}

#[test]
fn imports() {
    reports(upward_imports, "src/time/mod.rs", "use crate::cancel::Scope;");
    reports(upward_imports, "src/queue/fifo.rs", "use crate::limit::Gcra;");
    reports(upward_imports, "src/time/mod.rs", "use crate::{sys::Lock, cancel::{Scope, Reason}};");
    reports(upward_imports, "src/work/mod.rs", "fn f() { crate::sim::check(); }");
    reports(upward_imports, "src/sim/mod.rs", "use crate::observe::Dump;");
    reports(upward_imports, "src/time/mod.rs", "use crate::Scope;");
    reports(upward_imports, "src/time/wheel.rs", "use super::super::cancel::Scope;");
    reports(upward_imports, "src/time.rs", "use super::cancel::Scope;");
    reports(upward_imports, "src/shed/mod.rs", "");
    passes(upward_imports, "src/cancel/mod.rs", "use crate::{sys::{Arc, Lock}, time::Time};\nuse crate::cancel::tree;");
    passes(upward_imports, "src/sim/mod.rs", "use crate::docket::Docket;");
    passes(upward_imports, "src/time/wheel.rs", "use super::Instant; // see crate::cancel");
    passes(upward_imports, "src/lib.rs", "pub use crate::sim::check;");
    reports(upward_imports, "src/sys/marks.rs", "fn f() { crate::__marks::watched() }");
    passes(upward_imports, "src/sys/marks.rs", "macro_rules! m { () => { $crate::__marks::watched() } }");
    passes(upward_imports, "src/queue/state.rs", "fn f() { crate::reachable!(\"\") }");
}

#[test]
fn cfgs() {
    reports(cfg_switches, "src/time/mod.rs", "#[cfg(feature = \"std\")]\nmod system;");
    reports(cfg_switches, "src/time/mod.rs", "#[cfg_attr(docsrs, doc(hidden))]\nmod system;");
    reports(cfg_switches, "src/wait/mod.rs", "fn f() { if cfg!(wakeful_loom) {} }");
    reports(cfg_switches, "src/wait/mod.rs", "#[cfg(not(test))]\nfn f() {}");
    reports(cfg_switches, "src/wait/mod.rs", "#[cfg(any(test, target_has_atomic = \"ptr\"))]\nfn f() {}");
    passes(
        cfg_switches,
        "src/wait/mod.rs",
        "#[cfg(test)]\nmod tests;\n#[cfg(all(test, wakeful_loom))]\nmod loom_tests;",
    );
    passes(cfg_switches, "src/wait/mod.rs", "/// Behind `#[cfg(unix)]`.\nfn f() -> &'static str { \"cfg!(unix)\" }");
    passes(cfg_switches, "src/sys/atomic.rs", "#[cfg(wakeful_loom)]\nuse loom::sync;");
    passes(cfg_switches, "src/lib.rs", "#[cfg(feature = \"sim\")]\npub mod sim;");
}

#[test]
fn sync() {
    reports(foreign_sync, "src/time/mod.rs", "use core::sync::atomic::AtomicBool;");
    reports(foreign_sync, "src/time/mod.rs", "fn f() -> alloc::sync::Arc<u8> { g() }");
    reports(foreign_sync, "src/lib.rs", "use std::{fmt, sync::Mutex};");
    passes(foreign_sync, "src/sys/atomic.rs", "use core::sync::atomic::AtomicBool;");
    passes(foreign_sync, "src/time/mod.rs", "use core::{fmt, task::Waker}; // not core::sync");
    passes(foreign_sync, "src/time/mod.rs", "fn f() {}\n#[cfg(test)]\nmod tests { use std::sync::Mutex; }");
    reports(foreign_sync, "src/time/mod.rs", "#[cfg(test)]\nmod tests { use std::sync::Mutex; }\nuse std::sync::Arc;");
}

#[test]
fn unsafe_code() {
    reports(stray_unsafe, "src/time/mod.rs", "fn f() { unsafe { g() } }");
    reports(stray_unsafe, "src/time/mod.rs", "#![expect(unsafe_code, reason = \"because\")]");
    passes(stray_unsafe, "src/wait/list.rs", "fn f() { unsafe { g() } }");
    passes(
        stray_unsafe,
        "src/time/mod.rs",
        "// unsafe\nconst S: &str = r#\"\"unsafe\"#; const C: char = '\"'; // unsafe \"",
    );
    assert!(opens_with_expectation("//! Docs.\n\n#![expect(unsafe_code, reason = \"because\")]\n"));
    assert!(!opens_with_expectation("//! Docs.\nuse core::fmt;\n#![expect(unsafe_code, reason = \"because\")]\n"));
}

#[test]
fn locks() {
    reports(bare_locks, "src/flow/topic/mod.rs", "struct Topic { state: Lock<State> }");
    reports(bare_locks, "src/task/watch.rs", "use crate::sys::Lock;");
    passes(bare_locks, "src/sim/node.rs", "use crate::sys::Lock;");
    passes(bare_locks, "src/task/watch.rs", "use crate::sys::Told; // not Lock\nfn f() -> OnceLock<u8> { g() }");
    passes(bare_locks, "src/task/watch.rs", "#[cfg(test)]\nmod tests { use crate::sys::Lock; }");
}

#[test]
fn length() {
    reports(long_file, "src/time/mod.rs", &"\n".repeat(LONGEST_FILE + 1));
    passes(long_file, "src/time/mod.rs", &"\n".repeat(LONGEST_FILE));
}

#[test]
fn futures() {
    fn rule(source: &Source) -> Vec<String> {
        silent_futures(&[source])
    }
    let path = "src/time/sleep.rs";
    let end = "impl<'a, T: Send> core::future::Future for Sleep<'a, T> { type Output = (); }";
    reports(rule, path, &format!("/// Waits.\n#[derive(Debug)]\npub struct Sleep<'a, T> {{\n}}\n{end}"));
    reports(rule, path, &format!("/// # Cancel safety\npub struct Other;\npub struct Sleep<'a, T> {{\n}}\n{end}"));
    reports(rule, path, "/// Waits.\npub async fn wait() {}");
    reports(rule, path, "/// Waits.\npub fn wait<F: Fn() -> u8>(\n    f: F,\n) -> impl Future<Output = ()> + Send {}");
    reports(rule, path, "/// Waits.\npub fn wait<F>(f: F) -> impl Future<Output = ()>\nwhere\n    F: Fn() -> u8,\n{}");
    passes(
        rule,
        path,
        &format!("/// # Cancel safety\n/// Loses nothing.\n#[must_use]\npub struct Sleep<'a, T> {{\n}}\n{end}"),
    );
    passes(rule, path, &format!("pub(crate) struct Sleep<'a, T> {{\n}}\n{end}"));
    passes(rule, path, "/// # Cancel safety\n/// Loses nothing.\npub async fn wait() {}");
    passes(rule, path, "pub fn sleep() -> Sleep {}\npub fn spawn(f: impl Future) -> Handle {}\npub struct Plain;");
    let (here, there) = (at(path, "pub struct Sleep;"), at("src/time/poll.rs", "impl Future for super::Sleep {}"));
    assert_eq!(silent_futures(&[&here, &there]).len(), 1, "a type in one file, its impl in another");
}

#[test]
fn sweeps() {
    let text = "\
        pub struct Sleep;\nimpl Future for Sleep { type Output = (); }\n\
        impl<'a, T: Fn() -> u8> Scope<'a, T> { pub async fn run(&self) { while self.go() {} } }\n\
        impl Default for Clock { fn default() -> Self { loop {} } }\n\
        pub fn pump(f: impl Future) -> impl Future<Output = ()> {}\n\
        macro_rules! inside { () => { impl Scope { pub async fn fail(self) {} } } }";
    let room = at("src/time/sleep.rs", text);
    let complaints = |sweeps: &[&str]| {
        let sweeps: Vec<String> = sweeps.iter().map(|name| (*name).to_owned()).collect();
        unswept_futures("time", &[&room], &sweeps)
    };
    let all = ["time::Sleep", "time::Scope::run", "time::pump", "time::Scope::fail"];
    assert_eq!(complaints(&all), Vec::<String>::new());
    for missing in all {
        let rest: Vec<&str> = all.into_iter().filter(|name| *name != missing).collect();
        let said = complaints(&rest);
        assert!(said.len() == 1 && said[0].contains(&format!("\"{missing}\"")), "{said:?}");
    }
    let stale = complaints(&[
        "time::Sleep",
        "time::Scope::run",
        "time::pump",
        "time::Scope::fail",
        "time::Gone",
        "cancel::Run",
    ]);
    assert!(stale.len() == 1 && stale[0].contains("time::Gone"), "{stale:?}");
    assert_eq!(swept_futures("sweeps! {\n    \"time::Sleep\" => sleep,\n}\nlet x = \"a\";"), ["time::Sleep"]);
}

#[test]
fn runtimes() {
    let one = |manifest: &str| assert_eq!(runtime_features(manifest).len(), 1, "{manifest}");
    one("[features]\ntokio = []");
    one("[features]\nfull = [\"dep:async-std\"]");
    one("[features]\ntokio_time = []");
    one("[dependencies]\nasync-io = { version = \"2\", optional = true }");
    one("[dependencies.smol]\nversion = \"2\"");
    let good = "[package]\nkeywords = [\"tokio\"]\n[features]\nstd = [] # not tokio\n[dev-dependencies]\ntokio = \"1\"";
    assert!(runtime_features(good).is_empty());
}

#[test]
fn features() {
    let manifest = "[features]\ndefault = [\"std\"]\n## More.\nstd = []\nsim = []\n\n[dependencies]\nserde = \"1\"";
    let said = |text: &str| untold_features(manifest, "README.md", text);
    assert!(said("# Features\n| `std` | x |\n| `sim` | y |\n## Next\n| `other` | z |").is_empty());
    assert!(said("//! # Features\n//!\n//! | `std` | x |\n//! | `sim` | y |").is_empty());
    assert_eq!(said("# Features\n| `std` | x |"), ["README.md: the table of features lacks `sim`"]);
    assert_eq!(said("| `sim` | y |\n# Features\n| `std` | x |").len(), 1, "a table elsewhere does not count");
    let stale = said("# Features\n| `std` | x |\n| `sim` | y |\n| `gone` | z |");
    assert_eq!(stale, ["README.md: there is no feature `gone`"]);
}

#[test]
fn modules_for_tests_are_found() {
    let room =
        at("src/time/mod.rs", "mod wheel;\n#[cfg(test)]\nmod tests;\n#[cfg(all(test, wakeful_loom))]\nmod loom_tests;");
    let modules = test_modules(&[room]);
    assert!(is_test(&at("src/time/tests.rs", ""), &modules));
    assert!(is_test(&at("src/time/loom_tests/mod.rs", ""), &modules));
    assert!(!is_test(&at("src/time/wheel.rs", ""), &modules));
}
