//! Work that may be killed at any instant, and goes on where it was when it is started again.
//!
//! What is done is kept in a checkpoint beside the journal of all that was done. An item is done again only if it was done and
//! not saved before the kill: that may be as many as are done between two saves, and those that were under way.
//!
//! ```text
//! cargo run --example resume -- FOLDER [--items N] [--workers N] [--every N]
//! kill -9 %1
//! cargo run --example resume -- FOLDER
//! ```

use std::fs::{self, File};
use std::io::{self, Write};
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::spawn::block_on;
use wakeful::time::Time;
use wakeful::work::{Checkpoint, Checkpointing, Count, Lease, resume, work};

/// How long an item takes.
const TAKES: Duration = Duration::from_millis(2);

/// What is asked for.
pub(crate) struct Options {
    pub(crate) folder: PathBuf,
    pub(crate) items: u64,
    pub(crate) workers: NonZeroUsize,
    /// After so many items it is saved which are done.
    pub(crate) every: NonZeroU64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    use lexopt::ValueExt;
    let (workers, every) = (NonZeroUsize::new(8).expect("not zero"), NonZeroU64::new(10).expect("not zero"));
    let mut options = Options { folder: PathBuf::new(), items: 1_000, workers, every };
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            lexopt::Arg::Long("items") => options.items = args.value()?.parse()?,
            lexopt::Arg::Long("workers") => options.workers = args.value()?.parse()?,
            lexopt::Arg::Long("every") => options.every = args.value()?.parse()?,
            lexopt::Arg::Value(folder) if options.folder.as_os_str().is_empty() => options.folder = folder.into(),
            other => return Err(other.unexpected().into()),
        }
    }
    if options.folder.as_os_str().is_empty() {
        return Err("a folder for the checkpoint is needed".into());
    }
    run(&options, &mut io::stdout())
}

/// The whole example. It says how many items are done whenever that is saved.
pub(crate) fn run(options: &Options, out: &mut impl Write) -> Result<(), Box<dyn std::error::Error>> {
    fs::create_dir_all(&options.folder)?;
    let file = options.folder.join("checkpoint");
    let from = load(&file)?;
    writeln!(out, "{} of {} were done before", from.finished(), options.items)?;
    let journal = File::options().create(true).append(true).open(options.folder.join("journal"))?;

    let save = |checkpoint: &Checkpoint| {
        save(&file, checkpoint)?;
        writeln!(out, "{} saved", checkpoint.finished())
    };
    let mut sink = Checkpointing::new(from.clone(), Count::new(), save).every(options.every);
    let scope = Scope::new(Time::system());
    let body = |item: Lease<u64>| {
        let mut journal = &journal;
        async move {
            wakeful::sleep(TAKES).await;
            writeln!(journal, "{}", *item)
        }
    };
    let items = resume(0..options.items, &from);
    let report = block_on(work(items).workers(options.workers).run(&scope, body, &mut sink));
    let finished = sink.finish();
    if let Some(error) = finished.error {
        return Err(error.into());
    }
    writeln!(out, "{report}: {} are done", finished.checkpoint.finished())?;
    Ok(())
}

fn load(file: &Path) -> Result<Checkpoint, Box<dyn std::error::Error>> {
    match fs::read_to_string(file) {
        Ok(text) => text.parse().map_err(|error| format!("{}: {error}", file.display()).into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Checkpoint::new()),
        Err(error) => Err(error.into()),
    }
}

/// Puts the new one in the place of the old one at once, so that there is a whole one whenever this is killed.
fn save(file: &Path, checkpoint: &Checkpoint) -> io::Result<()> {
    let new = file.with_extension("new");
    let mut writes = File::create(&new)?;
    write!(writes, "{checkpoint}")?;
    // The contents reach the disk before the name does.
    writes.sync_data()?;
    fs::rename(new, file)
}
