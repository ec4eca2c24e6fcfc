//! A pipeline over files: each one in a folder is read, its words are counted, and what comes of that is written to another folder.
//!
//! Reading and writing wait for threads, counting is done by tasks in parallel, and a queue lies between each two of them, so that
//! no more texts are in memory than there is room for in those. A file that is no text is reported, and the others go on.
//!
//! ```text
//! cargo run --release --example pipeline -- FROM TO [--workers N] [--runtime NAME]
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;
use std::{fs, io, thread};
use wakeful::cancel::Scope;
use wakeful::flow::pipeline::{PipelineReport, pipeline, stage};
use wakeful::sim;
use wakeful::spawn::{Job, Offload, Spawn, Task};
use wakeful::task::offload;
use wakeful::time::Time;
use wakeful::work::{Ended, ItemOutcome, Lease};

/// What is asked for.
#[derive(Clone)]
pub(crate) struct Options {
    pub(crate) from: PathBuf,
    pub(crate) to: PathBuf,
    pub(crate) workers: NonZeroUsize,
}

/// What came of it.
pub(crate) struct Converted {
    pub(crate) report: PipelineReport<std::vec::IntoIter<PathBuf>>,
    /// How many bytes were written.
    pub(crate) bytes: usize,
    /// The files that nothing was written for, and why.
    pub(crate) failed: Vec<(PathBuf, String)>,
}

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Box<dyn Error>> {
    use lexopt::ValueExt;
    let workers = NonZeroUsize::new(4).expect("not zero");
    let mut options = Options { from: PathBuf::new(), to: PathBuf::new(), workers };
    let mut runtimes = RUNTIMES.to_vec();
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            lexopt::Arg::Long("workers") => options.workers = args.value()?.parse()?,
            lexopt::Arg::Long("runtime") => {
                let name = args.value()?.string()?;
                let known = RUNTIMES.iter().find(|known| **known == name);
                runtimes = vec![known.ok_or_else(|| format!("there is no runtime `{name}` among {RUNTIMES:?}"))?];
            }
            lexopt::Arg::Value(folder) if options.from.as_os_str().is_empty() => options.from = folder.into(),
            lexopt::Arg::Value(folder) if options.to.as_os_str().is_empty() => options.to = folder.into(),
            other => return Err(other.unexpected().into()),
        }
    }
    if options.to.as_os_str().is_empty() {
        return Err("two folders are needed: one to read from, one to write to".into());
    }
    for runtime in runtimes {
        let Converted { report, bytes, failed } = run(runtime, &options)?;
        println!("{runtime}: {bytes} bytes written in {:?}\n{report}", report.elapsed());
        failed.iter().for_each(|(file, why)| println!("{}: {why}", file.display()));
    }
    Ok(())
}

/// What it runs on.
pub(crate) const RUNTIMES: &[&str] = &["tokio-multi-thread", "tokio-current-thread", "smol", "async-std", "simulated"];

/// The whole example on one runtime.
pub(crate) fn run(runtime: &str, options: &Options) -> io::Result<Converted> {
    let on_tokio = |task: Task| drop(tokio::spawn(task));
    let scope = Scope::new(Time::system());
    match runtime {
        "tokio-multi-thread" => {
            let runtime = tokio::runtime::Builder::new_multi_thread().build()?;
            runtime.block_on(convert(&scope, on_tokio, &on_a_thread, options))
        }
        "tokio-current-thread" => {
            let runtime = tokio::runtime::Builder::new_current_thread().build()?;
            runtime.block_on(convert(&scope, on_tokio, &on_a_thread, options))
        }
        "smol" => smol::block_on(convert(&scope, |task: Task| smol::spawn(task).detach(), &on_a_thread, options)),
        "async-std" => {
            let start = |task: Task| drop(async_std::task::spawn(task));
            async_std::task::block_on(convert(&scope, start, &on_a_thread, options))
        }
        // Where each file takes two milliseconds of virtual time to be read, and to be written.
        _ => {
            let options = options.clone();
            sim::run(|sim| async move {
                let (scope, disk) = (Scope::new(sim.time()), sim.offloader(Duration::from_millis(2)));
                convert(&scope, sim.spawner(), &disk, &options).await
            })
        }
    }
}

fn on_a_thread(job: Job) {
    thread::spawn(|| job.run());
}

/// Reads, counts, writes.
async fn convert(scope: &Scope, spawner: impl Spawn, disk: &impl Offload, options: &Options) -> io::Result<Converted> {
    let mut files = Vec::new();
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", options.from.display()));
    for entry in fs::read_dir(&options.from).map_err(named)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    fs::create_dir_all(&options.to)?;
    let (mut bytes, failed, workers) = (0, Mutex::new(Vec::new()), options.workers);

    let read = |file: Lease<PathBuf>| async move {
        let path = file.clone();
        let text = offload(scope, disk, "reads", move || fs::read_to_string(path)).await??;
        Ok::<_, Failure>((file.take(), text))
    };
    let count = |item: Lease<(PathBuf, String)>| async move {
        let (file, text) = item.take();
        Ok::<_, Failure>((file, words(&text)))
    };
    let write = |item: Lease<(PathBuf, String)>| async move {
        let (to, text) = (target(&item.0, &options.to), item.1.clone());
        Ok::<_, Failure>(offload(scope, disk, "writes", move || fs::write(to, &text).map(|()| text.len())).await??)
    };
    let unread = |ended: Ended<PathBuf, _, Failure>| note(&failed, ended.outcome, |file| file);
    let unwritten = |ended: Ended<(PathBuf, String), _, Failure>| note(&failed, ended.outcome, |(file, _)| file);
    let report = pipeline(files)
        .then(stage("read").workers(workers).undone(unread), read)
        .then_on(spawner, stage("count").workers(workers), count)
        .then(stage("write").workers(workers).undone(unwritten), write)
        .run(scope, |written| bytes += written)
        .await;
    Ok(Converted { report, bytes, failed: failed.into_inner().expect("nobody panics") })
}

/// Keeps in mind what was not handed on.
fn note<T, O>(
    failed: &Mutex<Vec<(PathBuf, String)>>,
    outcome: ItemOutcome<T, O, Failure>,
    file: impl Fn(T) -> PathBuf,
) {
    let why = match &outcome {
        ItemOutcome::Failed { error, .. } => error.to_string(),
        _ => "it was cut short".into(),
    };
    if let Some(item) = outcome.into_item() {
        failed.lock().expect("nobody panics").push((file(item), why));
    }
}

/// Where what comes of `file` is written to.
pub(crate) fn target(file: &Path, to: &Path) -> PathBuf {
    let mut name = file.file_name().expect("it is a file").to_owned();
    name.push(".words");
    to.join(name)
}

/// The words of a text, in small letters, each with how often it is there: the most frequent first.
fn words(text: &str) -> String {
    let mut counts = BTreeMap::<_, u64>::new();
    for word in text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()) {
        *counts.entry(word.to_lowercase()).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|(a, m), (b, n)| n.cmp(m).then_with(|| a.cmp(b)));
    counts.iter().fold(String::new(), |mut all, (word, n)| {
        writeln!(all, "{n} {word}").expect("a string takes it");
        all
    })
}
