//! SHA-256 of every file under a directory, against a deadline, on every runtime, and in virtual time.
//!
//! ```text
//! cargo run --release --example batch -- [OPTIONS] [DIR]
//! ```
//!
//! One generic function, [`job::job`], does the work of every row of the table. What differs is passed in: the scope, which
//! brings the time and the deadline, and `read`, which is a blocking read on a pool of threads in the first rows and a sleep
//! in virtual time in the last. That row, the rehearsal, costs every file by what the first row measured, and so says within
//! milliseconds how far the deadline would get. It reckons with means: a line of least squares through the files that the
//! first row finished gives a cost for a file and a cost for a byte, and a timeout close to a file's mean cost is all or
//! nothing to it.
//!
//! The files are read once before the first row, for no longer than the deadline, so that the rows compare: all of them
//! find the system's page cache warm.
//!
//! **What a timeout can't do.** A read that timed out, or that the deadline cut off, still holds its thread of the blocking
//! pool: nobody can call a blocking system call back. Here it looks before each piece of 1 MiB whether anybody still wants
//! it, and stops then; one that hangs inside the system, as on a dead network drive, hangs on. One that was still queued for
//! the pool is not begun.

mod files;
mod job;
mod model;
mod options;
mod runtimes;
#[cfg(test)]
pub(crate) mod scratch;
mod table;

use files::{File, Found};
use indicatif::{ProgressBar, ProgressStyle};
use job::{Read, Row};
use model::Model;
use options::{Command, Options, Timeline};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;
use table::{Table, shown, took};
use wakeful::cancel::Scope;
use wakeful::sim::trace::Trace;
use wakeful::sim::{Builder, Rng};
use wakeful::time::Time;

fn main() -> ExitCode {
    let done = match options::parse(std::env::args_os().skip(1)) {
        Ok(Command::Help) => print(options::HELP).map(|()| ExitCode::SUCCESS),
        Ok(Command::Run(options)) => run(&options),
        Err(message) => Err(Stop::Usage(message)),
    };
    match done {
        Ok(code) => code,
        Err(Stop::Usage(message)) => {
            eprintln!("batch: {message}\n(--help explains the options)");
            ExitCode::from(2)
        }
        // Whoever read the output wants no more of it.
        Err(Stop::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(Stop::Output(error)) => {
            eprintln!("batch: cannot write the output: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Why the program ends early.
enum Stop {
    /// It was asked for something that can't be done.
    Usage(String),
    /// The output can't be written.
    Output(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

fn print(text: &str) -> Result<(), Stop> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

fn run(options: &Options) -> Result<ExitCode, Stop> {
    let dir = dir(options);
    let found = files::walk(dir).map_err(|error| Stop::Usage(format!("cannot list {}: {error}", shown(dir))))?;
    print(&format!("{}: {found}; {}\n\n", shown(dir), settings(options)))?;
    let files = ordered(found, options.seed);

    warm(&files, options);
    let table = Table::new(files.len());
    print(&format!("{}\n", table.head()))?;
    let mut rows = Vec::new();
    for runtime in &options.runtimes {
        let row = (runtime.run)(Box::pin(real(files.clone(), options.clone(), bar(files.len(), runtime.name))));
        print(&format!("{}\n", table.row(runtime.name, &row)))?;
        rows.push((runtime.name, row));
    }
    let began = Instant::now();
    let rehearsal = match rows[0].1.fit.model() {
        None => {
            let why = format!("no rehearsal: {} finished no file to measure a cost on", rows[0].0);
            (table.gap("rehearsal"), why)
        }
        Some(model) => {
            let (row, trace) = rehearse(expected(&files, &rows[0].1), options, model);
            let how = format!(
                "rehearsal: took {} for {} of virtual time, at {model} as measured on {}",
                took(began.elapsed()),
                took(row.elapsed),
                rows[0].0
            );
            let drawn = draw(options.timeline.as_ref(), trace.as_ref())?;
            (table.row("rehearsal", &row), how + &drawn)
        }
    };
    print(&format!("{}\n\n{}\n", rehearsal.0, rehearsal.1))?;
    for line in table::failures(&rows, &files) {
        print(&format!("{line}\n"))?;
    }
    let (said, code) = match table::agreement(&rows, &files) {
        Ok(said) => (said, ExitCode::SUCCESS),
        Err(said) => (said, ExitCode::FAILURE),
    };
    print(&format!("{said}\n"))?;
    Ok(code)
}

/// Where the files are.
fn dir(options: &Options) -> &Path {
    options.dir.as_deref().unwrap_or(Path::new(env!("CARGO_MANIFEST_DIR")))
}

/// The settings as they are printed above the table.
fn settings(options: &Options) -> String {
    let mut said = format!("{} workers, deadline {:?}", options.workers, options.deadline);
    if let Some(timeout) = options.timeout {
        said += &format!(", timeout {timeout:?}");
    }
    if let Some(rate) = options.rate {
        said += &format!(", {rate} files/s at most");
    }
    said
}

/// The files in the order in which they are taken: shuffled, if there is a seed.
fn ordered(found: Found, seed: Option<u64>) -> Arc<[File]> {
    let mut files = found.files;
    if let Some(seed) = seed {
        let mut rng = Rng::new(seed);
        for last in (1..files.len()).rev() {
            files.swap(last, rng.below(last + 1));
        }
    }
    files.into()
}

/// Reads the files once, by the job itself and so until the deadline at most, for the page cache to hold them.
fn warm(files: &Arc<[File]>, options: &Options) {
    let options = Options { rate: None, ..options.clone() };
    // What can't be read is reported when its turn comes.
    wakeful::block_on(real(files.clone(), options, bar(files.len(), "warming up")));
}

/// A bar on stderr; nothing, where that is not a terminal.
fn bar(files: usize, name: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix:20} {wide_bar} {pos}/{len} {elapsed}");
    let style = style.expect("the template is well formed");
    ProgressBar::new(files as u64).with_style(style).with_prefix(name)
}

/// A row by the system's clock, with real reads.
async fn real(files: Arc<[File]>, options: Options, bar: ProgressBar) -> Row {
    let scope = Scope::new(Time::system());
    let row = job::job(&scope, &files, &options, || bar.inc(1), job::read).await;
    bar.finish_and_clear();
    row
}

/// The files as the rehearsal sees them: those that failed before fail again.
fn expected(files: &[File], before: &Row) -> Arc<[File]> {
    let mut files = files.to_vec();
    for (file, reason) in &before.failures {
        files[*file].trouble = Some(reason.clone());
    }
    files.into()
}

/// Writes the timeline of the rehearsal, if it is wanted; says where it is.
fn draw(timeline: Option<&Timeline>, trace: Option<&Trace>) -> Result<String, Stop> {
    let Some((Timeline { path, json }, trace)) = timeline.zip(trace) else { return Ok(String::new()) };
    let drawn = if *json { trace.to_chrome() } else { trace.to_svg() };
    match std::fs::write(path, drawn) {
        Ok(()) => Ok(format!("\nrehearsal: drawn in {}", shown(path))),
        Err(error) => Err(Stop::Usage(format!("--timeline {}: cannot be written: {error}", shown(path)))),
    }
}

/// A row in virtual time, in which reading a file is a sleep as long as the model says; recorded, if it is to be drawn.
fn rehearse(files: Arc<[File]>, options: &Options, model: Model) -> (Row, Option<Trace>) {
    let events = if options.timeline.is_some() { Trace::EVENTS } else { 0 };
    let builder = Builder::new().seed(options.seed.unwrap_or(0)).max_steps(u64::MAX).trace(events);
    let rehearsed = builder.run(|sim| {
        let options = options.clone();
        async move {
            let scope = Scope::new(sim.time());
            let read = |file: &File| {
                let (sleep, bytes) = (scope.sleep(model.cost(file.bytes)), file.bytes);
                // Until the reading is over or given up.
                let span = sim.span(shown(file.path.strip_prefix(dir(&options)).unwrap_or(&file.path)));
                async move {
                    sleep.await;
                    drop(span);
                    Ok(Read { digest: None, bytes })
                }
            };
            job::job(&scope, &files, &options, || (), read).await
        }
    });
    match rehearsed {
        Ok(report) => (report.output, report.trace),
        Err(failure) => panic!("{failure}"),
    }
}
