//! Finds a bug in a small semaphore, makes it small, and shows it.
//!
//! The semaphore, `semaphore.rs`, loses a permit if a future is dropped between being given it and taking it. That takes a
//! timeout and a release at one instant, in the right order: a test that runs once does not see it.
//!
//! ```text
//! cargo run --example semaphore -- [--fixed] [--svg FILE]
//! ```

mod semaphore;

use futures::future::{Either, select};
use semaphore::Semaphore;
use std::io::{self, Write};
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;
use wakeful::sim::{Builder, Sim};

/// What is asked for.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) fixed: bool,
    pub(crate) svg: Option<PathBuf>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = Options::default();
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            lexopt::Arg::Long("fixed") => options.fixed = true,
            lexopt::Arg::Long("svg") => options.svg = Some(args.value()?.into()),
            other => return Err(other.unexpected().into()),
        }
    }
    run(&options, &mut io::stdout())?;
    Ok(())
}

/// The whole example.
pub(crate) fn run(options: &Options, out: &mut impl Write) -> io::Result<()> {
    match Builder::new().runs(2_000).explore(|sim| scenario(sim, options.fixed)) {
        Ok(summary) => writeln!(out, "{summary}: nothing was found"),
        Err(failure) => {
            writeln!(out, "{failure}")?;
            let svg = failure.trace().map(|trace| trace.to_svg());
            match (svg, &options.svg) {
                (Some(svg), Some(file)) => {
                    std::fs::write(file, svg)?;
                    writeln!(out, "drawn in {}", file.display())
                }
                _ => Ok(()),
            }
        }
    }
}

/// Four tasks share two permits. Each holds one for a while, and none waits for longer than ten milliseconds. In the end
/// both permits must be there.
pub(crate) async fn scenario(sim: Sim, fixed: bool) {
    let semaphore = Semaphore::new(2, fixed);
    let tasks = ["ada", "ben", "cleo", "dan"].map(|name| {
        let (semaphore, sim) = (semaphore.clone(), sim.clone());
        sim.clone().spawn(name, async move {
            let (time, needs) = (sim.time(), 9 + sim.choose(3) as u64);
            let patience = time.sleep(Duration::from_millis(10));
            match select(pin!(patience), pin!(semaphore.acquire())).await {
                Either::Left(_) => sim.note("gives up"),
                Either::Right((permit, _)) => {
                    time.sleep(Duration::from_millis(needs)).await;
                    drop(permit);
                }
            }
        })
    });
    for task in tasks {
        task.await;
    }
    let _both = [semaphore.acquire().await, semaphore.acquire().await];
}
