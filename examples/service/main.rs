//! A service as it goes into production: it takes requests in over TCP, bounds what it takes, and leaves no request that it
//! has accepted without an answer when it is asked to end.
//!
//! ```text
//! cargo run --example service -- --backend ADDRESS [OPTIONS]
//! ```
//!
//! A request is a line, `NAME TEXT`; its answer is one too, `NAME` and what became of it, as soon as that is known. The text
//! is passed on to the back end, another service that answers a line with a line.
//!
//! | part | made of |
//! |---|---|
//! | no more requests a second than so many | [`Limiter`](wakeful::limit::Limiter) |
//! | a queue of bounded length, and workers | [`WorkerPool`](wakeful::work::WorkerPool) |
//! | a back end that is down is left alone | [`CircuitBreaker`](wakeful::resilience::CircuitBreaker) |
//! | a log, written in the background | [`queue`](wakeful::queue) |
//! | a status line every few seconds | [`periodic`](wakeful::work::periodic()) |
//! | an end in order | [`Registry`](wakeful::task::Registry) |
//!
//! **The end.** On SIGTERM or Ctrl-C it stops accepting connections and reading requests; what was accepted by then has the
//! grace to be worked on, in the queue too; what is not done then is cancelled, and its client told. When all answers are
//! written the log is, and a report says what became of every request. A second signal cuts everything short.
//!
//! | status | means |
//! |---|---|
//! | 0 | every request that was accepted was worked on, and answered |
//! | 1 | some were cut short by the end of the grace, or not answered |
//! | 2 | the options are wrong, or it could not start |
//! | 130, 143 | a second signal, Ctrl-C or SIGTERM, has cut it short |

mod backend;
mod net;
mod service;
mod signals;

use net::{AsyncStd, Smol, Tokio};
use service::{Config, Stopped};
use signals::Signals;
use std::num::{NonZeroU32, NonZeroUsize};
use std::process::ExitCode;
use std::time::Duration;
use std::{fmt, io};

const HELP: &str = "service --backend ADDRESS [OPTIONS]
  --runtime NAME     tokio (default), tokio-current-thread, smol, async-std
  --listen ADDRESS   default: a free port of this machine
  --workers N        requests that are worked on side by side (8)
  --queue N          requests that may wait (64)
  --rate N           requests a second (1000)
  --timeout MS       for the back end to answer (1000)
  --grace MS         for what was accepted when it is asked to end (5000)
  --status MS        between status lines on stderr (10000)
  --log FILE         what became of each request
";

fn main() -> ExitCode {
    let config = match options() {
        Ok(Some(config)) => config,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => return failed(&error),
    };
    match run(config) {
        Ok(stopped) => {
            println!("{stopped}");
            ExitCode::from(stopped.status())
        }
        Err(error) => failed(&error),
    }
}

fn failed(error: &dyn fmt::Display) -> ExitCode {
    eprintln!("service: {error}");
    ExitCode::from(2)
}

fn options() -> Result<Option<(String, Config)>, lexopt::Error> {
    use lexopt::{Arg, ValueExt};
    let count = |n| NonZeroUsize::new(n).expect("not zero");
    let mut runtime = "tokio".to_owned();
    let mut config = Config {
        listen: "127.0.0.1:0".to_owned(),
        backend: String::new(),
        workers: count(8),
        queue: count(64),
        rate: NonZeroU32::new(1_000).expect("not zero"),
        timeout: Duration::from_secs(1),
        grace: Duration::from_secs(5),
        status: Duration::from_secs(10),
        log: None,
    };
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Arg::Long("help") => return Ok(None),
            Arg::Long("runtime") => runtime = args.value()?.string()?,
            Arg::Long("listen") => config.listen = args.value()?.string()?,
            Arg::Long("backend") => config.backend = args.value()?.string()?,
            Arg::Long("workers") => config.workers = args.value()?.parse()?,
            Arg::Long("queue") => config.queue = args.value()?.parse()?,
            Arg::Long("rate") => config.rate = args.value()?.parse()?,
            Arg::Long("timeout") => config.timeout = Duration::from_millis(args.value()?.parse()?),
            Arg::Long("grace") => config.grace = Duration::from_millis(args.value()?.parse()?),
            Arg::Long("status") => {
                config.status = Duration::from_millis(args.value()?.parse::<NonZeroU32>()?.get().into())
            }
            Arg::Long("log") => config.log = Some(args.value()?.into()),
            other => return Err(other.unexpected()),
        }
    }
    match config.backend.is_empty() {
        true => Err("--backend is missing".into()),
        false => Ok(Some((runtime, config))),
    }
}

/// All of it, on the runtime of that name. Of tokio only sockets are asked for: its timer is not switched on.
fn run((runtime, config): (String, Config)) -> io::Result<Stopped> {
    // First of all: until they are listened to, they end the process, which is right as long as nothing has begun.
    let signals = Signals::listen()?;
    match &*runtime {
        "tokio" => tokio(tokio::runtime::Builder::new_multi_thread(), config, signals),
        "tokio-current-thread" => tokio(tokio::runtime::Builder::new_current_thread(), config, signals),
        "smol" => smol::block_on(service::run(Smol, config, signals)),
        "async-std" => async_std::task::block_on(service::run(AsyncStd, config, signals)),
        other => Err(io::Error::other(format!("--runtime {other}: there is no such runtime"))),
    }
}

fn tokio(mut builder: tokio::runtime::Builder, config: Config, signals: Signals) -> io::Result<Stopped> {
    builder.enable_io().build()?.block_on(service::run(Tokio, config, signals))
}
