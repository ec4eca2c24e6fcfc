//! Tests a program that knows nothing of `wakeful`.
//!
//! The program, `crew.rs`, is made of `async-channel` and `event-listener`. All that it takes from outside is a way to sleep
//! and a way to start tasks: so it runs on smol, and, unchanged, in the simulator, in virtual time, under many schedules, with
//! work that fails at random. With `--mistake` it forgets to wake one of two who wait, and the simulator says so.
//!
//! ```text
//! cargo run --example peers -- [--mistake] [--runs N] [--svg FILE]
//! ```

mod crew;

use crew::{Boxed, Crew, Work, World};
use lexopt::ValueExt;
use std::io::{self, Write};
use std::num::NonZeroU8;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wakeful::sim::{Builder, Failure, Faults, Sim, Summary};
use wakeful::spawn::{Spawn, Task};

const WORKERS: usize = 3;
const ORDERS: u32 = 8;

/// How long it takes to do an order, if nothing fails.
const DURATION: Duration = Duration::from_millis(5);

/// What is asked for.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) mistake: bool,
    pub(crate) runs: Option<u32>,
    pub(crate) svg: Option<PathBuf>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = Options::default();
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            lexopt::Arg::Long("mistake") => options.mistake = true,
            lexopt::Arg::Long("runs") => options.runs = Some(args.value()?.parse_with(|runs| runs.parse())?),
            lexopt::Arg::Long("svg") => options.svg = Some(args.value()?.into()),
            other => return Err(other.unexpected().into()),
        }
    }
    run(&options, &mut io::stdout())?;
    Ok(())
}

/// The whole example.
pub(crate) fn run(options: &Options, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "on smol: {ORDERS} orders done in {} ms", on_smol().as_millis())?;
    let svg = match simulated(options) {
        Ok(summary) => {
            writeln!(out, "simulated: {summary}")?;
            summary.marks.iter().try_for_each(|mark| writeln!(out, "  {mark}"))?;
            None
        }
        Err(failure) => {
            writeln!(out, "simulated: {failure}")?;
            failure.trace().map(|trace| trace.to_svg())
        }
    };
    if let (Some(svg), Some(file)) = (svg, &options.svg) {
        std::fs::write(file, svg)?;
        writeln!(out, "drawn in {}", file.display())?;
    }
    Ok(())
}

/// Runs the crew as its authors do, and gives how long it took.
fn on_smol() -> Duration {
    let sleep = |duration| -> Boxed<()> {
        Box::pin(async move {
            smol::Timer::after(duration).await;
        })
    };
    let world = World { sleep: Arc::new(sleep), spawn: Arc::new(|task| smol::spawn(task).detach()) };
    let sleep = world.sleep.clone();
    let work: Work = Arc::new(move |_| {
        let duration = sleep(DURATION);
        Box::pin(async move {
            duration.await;
            true
        })
    });
    let start = Instant::now();
    smol::block_on(async {
        let crew = Crew::start(&world, WORKERS, &work, false);
        for number in 0..ORDERS {
            crew.order(number).await;
        }
        crew.close();
        crew.all_gone().await;
        assert_eq!(crew.outcome().0.len() as u32, ORDERS);
    });
    start.elapsed()
}

/// Runs it in the simulator, with work that fails at times.
fn simulated(options: &Options) -> Result<Summary, Failure> {
    let faults = Faults::new().enabled_one_in(NonZeroU8::MIN).fires_one_in(NonZeroU8::new(2).unwrap());
    let builder = Builder::new().faults(faults).must_hit(&["an attempt fails"]);
    let builder = options.runs.iter().fold(builder, |builder, &runs| builder.runs(runs));
    builder.explore(|sim| scenario(sim, options.mistake))
}

async fn scenario(sim: Sim, mistake: bool) {
    let (time, spawner) = (sim.time(), sim.spawner());
    let sleep = move |duration| -> Boxed<()> { Box::pin(time.sleep(duration)) };
    let spawn = move |task: Boxed<()>| spawner.spawn(Task::new(task).named("worker"));
    let world = World { sleep: Arc::new(sleep), spawn: Arc::new(spawn) };
    let sleep = world.sleep.clone();
    let work: Work = Arc::new(move |_| {
        let duration = sleep(DURATION);
        Box::pin(async move {
            duration.await;
            !wakeful::buggify!("an attempt fails")
        })
    });

    let crew = Crew::start(&world, WORKERS, &work, mistake);
    // One who orders, and one who only wants to know when they have gone.
    let watched = crew.clone();
    let watcher = sim.spawn("watcher", async move { watched.all_gone().await });
    for number in 0..ORDERS {
        crew.order(number).await;
    }
    crew.close();
    crew.all_gone().await;
    watcher.await;

    let (done, given_up) = crew.outcome();
    wakeful::sometimes!(!given_up.is_empty(), "an order is given up");
    wakeful::sometimes!(given_up.is_empty(), "all orders are done");
    let mut all = [done, given_up].concat();
    all.sort_unstable();
    assert!(all.into_iter().eq(0..ORDERS), "each order is accounted for once");
    // Nobody is idle while there are orders: three times eight attempts and all pauses are the most that there can be.
    let most = (DURATION * crew::ATTEMPTS + Duration::from_millis(70)) * ORDERS.div_ceil(WORKERS as u32);
    assert!(sim.now().as_nanos() <= most.as_nanos() as u64, "it took {}", sim.now());
}
