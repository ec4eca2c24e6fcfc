//! Adjusts the number of calls in flight to a service whose capacity halves, that goes away altogether, and that recovers.
//!
//! In virtual time, so that every number is the same each time: sixty clients call a service of twenty workers, each of which
//! takes a hundred milliseconds for a call, as fast as they are let. In the end only four of the clients are left.
//!
//! ```text
//! cargo run --example adaptive -- [--svg FILE]
//! ```

mod draw;
mod service;

use service::{Refused, Service};
use std::io::{self, Write};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wakeful::limit::{Bounds, Concurrency, Feedback, Vegas};
use wakeful::sim::{self, Sim};
use wakeful::time::{Instant, Time};

/// What is asked for.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) svg: Option<PathBuf>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = Options::default();
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            lexopt::Arg::Long("svg") => options.svg = Some(args.value()?.into()),
            other => return Err(other.unexpected().into()),
        }
    }
    run(&options, &mut io::stdout())?;
    Ok(())
}

/// The whole example.
pub(crate) fn run(options: &Options, out: &mut impl Write) -> io::Result<()> {
    let story = story();
    writeln!(out, "    time  workers  limit  in flight  latency  answered  refused")?;
    for window in story.chunks(SECOND_STEPS).filter(|window| window.len() == SECOND_STEPS) {
        let Point { at, workers, limit, in_flight, latency, .. } = window[window.len() - 1];
        let answered: u32 = window.iter().map(|point| point.answered).sum();
        let refused: u32 = window.iter().map(|point| point.refused).sum();
        let latency = latency.map_or_else(|| "-".into(), |latency| format!("{} ms", latency.as_millis()));
        let seconds = at.as_secs_f64();
        writeln!(
            out,
            "{seconds:6.2} s  {workers:7}  {limit:5}  {in_flight:9}  {latency:>7}  {answered:8}  {refused:7}"
        )?;
    }
    if let Some(file) = &options.svg {
        draw::draw(&story, file).map_err(io::Error::other)?;
        writeln!(out, "drawn in {}", file.display())?;
    }
    Ok(())
}

/// How often is looked, and how many looks make a second.
const STEP: Duration = Duration::from_millis(100);
const SECOND_STEPS: usize = 10;

/// What was seen at an instant, and since the one before it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    pub(crate) at: Duration,
    /// Workers that the service has.
    pub(crate) workers: usize,
    pub(crate) limit: u32,
    pub(crate) in_flight: u32,
    /// The longest round trip that was answered.
    pub(crate) latency: Option<Duration>,
    pub(crate) answered: u32,
    pub(crate) refused: u32,
}

/// What clients have seen since this was last asked.
#[derive(Default)]
struct Seen {
    latency: Option<Duration>,
    answered: u32,
    refused: u32,
}

/// Runs it, from the first second to the last.
pub(crate) fn story() -> Vec<Point> {
    sim::run(tell)
}

async fn tell(sim: Sim) -> Vec<Point> {
    let [least, first, most] = [1, 10, 100].map(|n| NonZeroU32::new(n).unwrap());
    let bounds = Bounds::new(least, first, most).expect("ten lies between one and a hundred");
    let calls = Concurrency::new(&sim.time(), Vegas::new(bounds));
    let service = Arc::new(Service::new(sim.time()));
    let seen = Arc::<Mutex<Seen>>::default();
    for n in 0..60 {
        let stays = if n < 4 { service::END } else { service::QUIET };
        let client = client(sim.time(), calls.clone(), service.clone(), seen.clone(), stays);
        sim.spawn_background("client", client);
    }
    let (start, mut story) = (sim.now(), Vec::new());
    // Between the instants at which many calls end.
    let mut looks = Instant::EPOCH + STEP / 2;
    while looks < Instant::EPOCH + service::END {
        sim.time().sleep_until(looks).await;
        looks += STEP;
        let Seen { latency, answered, refused } = std::mem::take(&mut *seen.lock().unwrap());
        let (at, workers) = (sim.now() - start, service.workers());
        let (limit, in_flight) = (calls.limit(), calls.in_flight());
        story.push(Point { at, workers, limit, in_flight, latency, answered, refused });
    }
    story
}

/// Calls as often as it is let.
async fn client(time: Time, calls: Concurrency<Vegas>, service: Arc<Service>, seen: Arc<Mutex<Seen>>, stays: Duration) {
    while time.now() < Instant::EPOCH + stays {
        let judge = |answer: &Result<Duration, Refused>| {
            Some(if answer.is_ok() { Feedback::Answered } else { Feedback::Overloaded })
        };
        let answer = calls.call(async || service.call().await, judge).await;
        let seen = &mut *seen.lock().unwrap();
        match answer {
            Ok(latency) => {
                seen.answered += 1;
                seen.latency = seen.latency.max(Some(latency));
            }
            Err(Refused) => seen.refused += 1,
        }
    }
}
