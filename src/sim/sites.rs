//! Where tasks' wakers were cloned, which is where somebody keeps them who is to wake the task.

use super::report::{Failure, FailureKind};
use super::world::Core;
use crate::sys::trail::{Call, Trail};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Where the waker of a task was cloned: in the future that it waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WakerSite {
    /// The task's name, or for want of one the place where it was made.
    pub task: String,
    /// In which of its polls.
    pub poll: u32,
    /// The functions that it was cloned in, with their places in the code, the innermost first. The standard library and the
    /// kit itself are left out, where there are others.
    pub calls: Vec<String>,
}

impl fmt::Display for WakerSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  {}: its waker of poll {} was last cloned by", self.task, self.poll)?;
        self.calls.iter().try_for_each(|call| write!(f, "\n    {call}"))
    }
}

/// Of how many polls of a task it is known.
const POLLS: usize = 64;
/// Of how many tasks a report tells it.
const TASKS: usize = 4;
/// How many calls it tells.
const CALLS: usize = 3;

/// The last clones in the last polls of each task, by its key.
#[derive(Default)]
pub(super) struct Sites(BTreeMap<u64, VecDeque<(u32, Trail)>>);

impl Sites {
    fn add(&mut self, key: u64, poll: u32, trail: Trail) {
        let polls = self.0.entry(key).or_default();
        // An earlier waker may be cloned again; that tells nothing of the last poll.
        if let Some(known) = polls.iter_mut().find(|known| known.0 == poll) {
            known.1 = trail;
        } else if polls.back().is_none_or(|last| last.0 < poll) {
            polls.push_back((poll, trail));
        }
        if polls.len() > POLLS {
            polls.pop_front();
        }
    }

    /// What is to be told of a failure.
    pub(super) fn of(&self, failure: &Failure) -> Vec<WakerSite> {
        use FailureKind::{Deadlock, Leak, LostWakeup, NoWaker, StaleWaker, Standstill};
        let concerned = failure.tasks().iter().filter(|task| match failure.kind() {
            LostWakeup | NoWaker | StaleWaker => true,
            // The kit's own futures say what they are.
            Deadlock | Leak | Standstill => task.waits.is_empty(),
            _ => false,
        });
        let site = |task: &super::TaskInfo| {
            let polls = self.0.get(&task.key)?;
            let told = failure.waker_of().and_then(|poll| polls.iter().find(|known| known.0 == poll));
            let (poll, trail) = told.or(polls.back())?;
            let calls = choose(&trail.calls());
            (!calls.is_empty()).then(|| WakerSite { task: task.label(), poll: *poll, calls })
        };
        concerned.take(TASKS).filter_map(site).collect()
    }
}

/// The innermost calls between the waker's clone and the poll that it happened in: those that are not the library's own, if
/// there are any.
fn choose(calls: &[Call]) -> Vec<String> {
    let begins = |call: &Call, with: &[&str]| {
        let path = call.function.trim_start_matches('<');
        with.iter().any(|library| path.starts_with(library))
    };
    let polled = calls.iter().position(|call| begins(call, &["wakeful::sim::exec::"])).unwrap_or(calls.len());
    let libraries = ["core::", "std::", "alloc::", "__rust", "wakeful::sim::", "wakeful::sys::"];
    let is_machinery = |call: &&Call| begins(call, &libraries) || call.place.as_deref().is_some_and(is_in_a_library);
    let calls: Vec<&Call> = calls[..polled].iter().filter(|call| !is_machinery(call)).collect();
    let foreign: Vec<&Call> = calls.iter().copied().filter(|call| !begins(call, &["wakeful::"])).collect();
    let mut told: Vec<String> = Vec::new();
    let mut before = "";
    for call in if foreign.is_empty() { calls } else { foreign } {
        // Of the closures that an async function is made of, the innermost is the place.
        let function = call.function.split("::{{closure}}").next().unwrap_or_default();
        // Where inlined functions have no names, they are called "{closure#0}" and the like.
        let name = if function.starts_with('{') { "" } else { function };
        if (name.is_empty() || name != before) && told.len() < CALLS {
            let place = call.place.as_deref().unwrap_or("a place that is not known");
            let at = if name.is_empty() { "" } else { " at " };
            told.push(format!("{name}{at}{place}"));
        }
        before = name;
    }
    told
}

/// Whether a place is in the standard library, or in a room of the kit that nobody asks for: some compilers call functions there
/// by no more than their own names.
fn is_in_a_library(place: &str) -> bool {
    let own = file!().strip_suffix("sim/sites.rs").and_then(|source| place.strip_prefix(source));
    place.starts_with("/rustc/") || own.is_some_and(|own| own.starts_with("sys/") || own.starts_with("sim/"))
}

impl Core {
    /// Notes where a waker of `tenant` was cloned.
    pub(super) fn note_clone(&mut self, number: u32, tenant: u32, trail: Trail) {
        let meta = &self.metas[number as usize];
        let age = meta.tenant.wrapping_sub(tenant);
        // Tenants are counted round; those before it are of other tasks.
        if let Some(sites) = self.sites.as_mut().filter(|_| age <= meta.tenant.wrapping_sub(meta.born)) {
            sites.add(meta.key, meta.polls.wrapping_sub(age), trail);
        }
    }
}

#[cfg(all(test, not(wakeful_loom)))]
mod tests {
    use super::*;

    #[test]
    fn calls_of_others_are_told_and_each_function_once() {
        let call = |(function, place): (&str, &str)| Call { function: function.into(), place: Some(place.into()) };
        let all = [
            ("wakeful::sys::trail::Trail::here", "src/sys/trail.rs:1"),
            ("<core::task::wake::Waker as core::clone::Clone>::clone", "/rustc/0/library/core/src/task/wake.rs:9"),
            ("clone<wakeful::sim::wakers::Target>", "src/sys/waker.rs:56"),
            ("poll", "/rustc/0/library/core/src/future.rs:9"),
            ("wakeful::queue::recv", "src/queue/recv.rs:8"),
            ("user::waits::{{closure}}::{{closure}}", "a.rs:1"),
            ("user::waits::{{closure}}", "a.rs:2"),
            ("{async_fn#0}", "a.rs:3"),
            ("user::works", "a.rs:4"),
            ("wakeful::sim::exec::Exec::poll", "src/sim/exec.rs:5"),
            ("user::main", "a.rs:6"),
        ];
        let told = |calls: &[(&str, &str)]| choose(&calls.iter().copied().map(call).collect::<Vec<_>>());
        assert_eq!(told(&all), ["user::waits at a.rs:1", "a.rs:3", "user::works at a.rs:4"]);
        assert_eq!(told(&all[..5]), ["wakeful::queue::recv at src/queue/recv.rs:8"]);
        assert_eq!(told(&all[9..]), [""; 0]);
    }

    #[test]
    fn the_last_clone_of_each_of_the_last_polls_is_kept() {
        let mut sites = Sites::default();
        for poll in (1..=100).chain([99, 40, 100]) {
            sites.add(7, poll, Trail::here());
        }
        let polls: Vec<u32> = sites.0[&7].iter().map(|known| known.0).collect();
        assert!(polls.into_iter().eq(101 - POLLS as u32..=100));
    }
}
