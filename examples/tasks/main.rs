//! How tasks of a docket beget others: four small programs, each in virtual time.
//!
//! ```text
//! cargo run --example tasks -- [flood | chain | fan | follow]...
//! ```
//!
//! Each prints what happened and when. Without a name all four are run.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::docket::{AddError, Cx, Docket, Policy, Put, Registry, Task};
use wakeful::sim::{self, Sim};

fn main() -> Result<(), lexopt::Error> {
    let mut named = Vec::new();
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        let lexopt::Arg::Value(name) = arg else { return Err(arg.unexpected()) };
        let known = PROGRAMS.iter().find(|(known, _)| name == *known);
        named.push(
            *known
                .ok_or_else(|| format!("there is no `{}`: say flood, chain, fan or follow", name.to_string_lossy()))?,
        );
    }
    for (name, program) in if named.is_empty() { PROGRAMS.to_vec() } else { named } {
        println!("{name}:");
        for line in program() {
            println!("  {line}");
        }
    }
    Ok(())
}

type Program = fn() -> Vec<String>;

const PROGRAMS: [(&str, Program); 4] = [("flood", flood), ("chain", chain), ("fan", fan), ("follow", follow)];

/// What happened, each line with the second.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

/// Writes a line into the log that all runs share.
fn note(cx: &Cx, line: impl AsRef<str>) {
    let Log(lines) = cx.get().expect("all dockets here have a log");
    let seconds = cx.scope().now().as_nanos() / 1_000_000_000;
    lines.lock().unwrap().push(format!("{seconds:>3} s  {}", line.as_ref()));
}

/// Runs a docket with these tasks until nothing is left of what `begin` adds, in virtual time.
fn run<F: Future<Output = ()> + 'static>(registry: Registry, begin: impl FnOnce(Docket, Sim) -> F) -> Vec<String> {
    let log = Log::default();
    let registry = registry.provide(log.clone());
    sim::run(move |sim| async move {
        let docket = Docket::new(&sim.time(), registry);
        begin(docket.clone(), sim.clone()).await;
        let two = NonZeroUsize::new(2).unwrap();
        docket
            .worker("w")
            .concurrency(two)
            .until_finished(&Scope::new(sim.time()))
            .await
            .expect("memory does not fail");
    });
    log.0.lock().unwrap().clone()
}

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

// ---- find and flood ---------------------------------------------------------

/// Which invoices are not sent yet.
#[derive(Clone)]
struct Unsent(Arc<Mutex<BTreeSet<u32>>>);

/// Begins by itself, looks every eight seconds for what is to be done, and adds a task for each.
#[derive(Serialize, Deserialize)]
struct Find {}

impl Task for Find {
    const NAME: &'static str = "find";
    const POLICY: Policy = Policy::new().automatic(secs(8)).priority(1);
    type Output = ();
    type Error = AddError;

    async fn run(self, cx: Cx) -> Result<(), AddError> {
        let Unsent(unsent) = cx.get().expect("it was provided");
        let found: Vec<_> = unsent.lock().unwrap().iter().copied().collect();
        if found.is_empty() {
            note(&cx, "nothing left to find");
            cx.last();
        }
        for invoice in found {
            // Under a key what is found once more before it is done is not added again.
            let added = cx.docket().add(&Send { invoice })?.key(format!("send {invoice}")).send().await?;
            note(
                &cx,
                format!("invoice {invoice}: {}", if let Put::Added(_) = added.put { "added" } else { "there already" }),
            );
        }
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Send {
    invoice: u32,
}

impl Task for Send {
    const NAME: &'static str = "send";
    type Output = ();
    type Error = String;

    async fn run(self, cx: Cx) -> Result<(), String> {
        cx.scope().sleep(secs(4)).await;
        let Unsent(unsent) = cx.get().ok_or("it was not provided")?;
        unsent.lock().unwrap().remove(&self.invoice);
        note(&cx, format!("invoice {} sent", self.invoice));
        Ok(())
    }
}

/// Six invoices that are found and sent, each but once, though they are found again before they are sent.
pub(crate) fn flood() -> Vec<String> {
    let unsent = Unsent(Arc::new(Mutex::new((1..=6).collect())));
    let registry = Registry::new().task::<Find>().and_then(|registry| registry.task::<Send>());
    run(registry.expect("the names differ").provide(unsent), |_, _| async {})
}

// ---- a chain ----------------------------------------------------------------

/// A picture on its way: each step adds the next one, so that each is retried by itself.
#[derive(Serialize, Deserialize)]
struct Picture {
    name: String,
    step: Step,
}

#[derive(Serialize, Deserialize, Clone, Copy, Debug)]
enum Step {
    Fetch,
    Shrink,
    Publish,
}

impl Task for Picture {
    const NAME: &'static str = "picture";
    const POLICY: Policy = Policy::new().retry(|error, _| (error < 3).then_some(secs(5)));
    type Output = ();
    type Error = String;

    async fn run(self, cx: Cx) -> Result<(), String> {
        cx.scope().sleep(secs(2)).await;
        let next = match self.step {
            Step::Fetch => Some(Step::Shrink),
            Step::Shrink if cx.attempt() == 1 => {
                note(&cx, "no memory: Shrink is tried again");
                return Err("no memory".into());
            }
            Step::Shrink => Some(Step::Publish),
            Step::Publish => None,
        };
        note(&cx, format!("{}: {:?} done", self.name, self.step));
        if let Some(step) = next {
            // A run that is lost after this runs again; what it adds then is there already.
            let key = format!("{} {step:?}", self.name);
            let add = cx.docket().add(&Picture { name: self.name, step }).map_err(|error| error.to_string())?;
            add.key(key).send().await.map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

/// A picture that goes through three steps, one of which fails at first.
pub(crate) fn chain() -> Vec<String> {
    let registry = Registry::new().task::<Picture>().expect("it is the only one");
    run(registry, |docket, _| async move {
        let first = Picture { name: "cat".into(), step: Step::Fetch };
        docket.add(&first).unwrap().send().await.unwrap();
    })
}

// ---- fan out, and finish ------------------------------------------------------

/// Which parts of the report are written. A set: a part that runs twice counts once.
#[derive(Default)]
struct Written(Mutex<BTreeSet<u32>>);

#[derive(Serialize, Deserialize)]
struct Part {
    part: u32,
    of: u32,
}

impl Task for Part {
    const NAME: &'static str = "part";
    type Output = ();
    type Error = String;

    async fn run(self, cx: Cx) -> Result<(), String> {
        cx.scope().sleep(secs(u64::from(self.part))).await;
        note(&cx, format!("part {} written", self.part));
        let Written(written) = cx.get().ok_or("it was not provided")?;
        let all = {
            let mut written = written.lock().unwrap();
            written.insert(self.part);
            written.len() == self.of as usize
        };
        if all {
            let add = cx.docket().add(&Bind { parts: self.of }).map_err(|error| error.to_string())?;
            add.key("bind").send().await.map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Bind {
    parts: u32,
}

impl Task for Bind {
    const NAME: &'static str = "bind";
    type Output = ();
    type Error = String;

    async fn run(self, cx: Cx) -> Result<(), String> {
        note(&cx, format!("{} parts bound", self.parts));
        Ok(())
    }
}

/// Four parts, two at a time, and then what needs all of them.
pub(crate) fn fan() -> Vec<String> {
    let registry = Registry::new().task::<Part>().and_then(|registry| registry.task::<Bind>());
    run(registry.expect("the names differ").provide(Written::default()), |docket, _| async move {
        for part in 1..=4 {
            docket.add(&Part { part, of: 4 }).unwrap().send().await.unwrap();
        }
    })
}

// ---- follow-ups on a condition --------------------------------------------------

/// Looks at a disk: what comes next depends on what it sees.
#[derive(Serialize, Deserialize)]
struct Look {
    disk: String,
    full: u32,
}

impl Task for Look {
    const NAME: &'static str = "look";
    type Output = ();
    type Error = AddError;

    async fn run(self, cx: Cx) -> Result<(), AddError> {
        note(&cx, format!("{} is {} % full", self.disk, self.full));
        match self.full {
            0..80 => {}
            80..95 => drop(cx.docket().raw("tidy", &self.disk)?.key(format!("tidy {}", self.disk)).send().await?),
            _ => drop(cx.docket().raw("page", &self.disk)?.priority(9).send().await?),
        }
        Ok(())
    }
}

/// Three disks, of which one is well, one is tidied and looked at again, and one wakes somebody up.
pub(crate) fn follow() -> Vec<String> {
    let tidy = async |disk: String, cx: Cx| {
        cx.scope().sleep(secs(30)).await;
        note(&cx, format!("{disk} tidied"));
        cx.docket().add(&Look { disk, full: 60 })?.after(secs(60)).send().await.map(drop)
    };
    let page = async |disk: String, cx: Cx| {
        note(&cx, format!("somebody is woken up for {disk}"));
        Ok::<_, AddError>(())
    };
    let registry = Registry::new().task::<Look>().and_then(|registry| registry.closure("tidy", Policy::new(), tidy));
    let registry = registry.and_then(|registry| registry.closure("page", Policy::new(), page));
    run(registry.expect("the names differ"), |docket, _| async move {
        for (disk, full) in [("a", 50), ("b", 90), ("c", 99)] {
            docket.add(&Look { disk: disk.into(), full }).unwrap().send().await.unwrap();
        }
    })
}
