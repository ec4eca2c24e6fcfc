//! The command line.

use super::runtimes::{self, Runtime};
use std::ffi::{OsStr, OsString};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

/// How `--help` explains the program.
pub(crate) const HELP: &str = "\
SHA-256 of every file under DIR, on one runtime after another, through one and the same function.

usage: cargo run --release --example batch -- [OPTIONS] [DIR]

DIR defaults to this project's own tree. Symbolic links are not followed; `.git` and directories
marked as caches (cargo's `target` is) are passed over.

  --workers N        files in work at once, 1 to 1024 (default: one for each core)
  --deadline TIME    the end of each row: nothing starts at or after it (default: 10s)
  --timeout TIME     the most that one file may take (default: off)
  --rate N           the most files started a second, a whole number (default: off)
  --runtime NAME     all, tokio-multi-thread, tokio-current-thread, smol or async-std (default: all)
  --seed N           take the files in an order shuffled by N, and let the simulator schedule by it
                     (default: in order of path, and 0)
  --timeline FILE    draw the rehearsal: FILE.svg for a browser, FILE.json for ui.perfetto.dev
  -h, --help         this text

TIME is a number with a unit: 250ms, 1.5s, 2m, 1h; ns and us are units too.

What the columns mean:
  done         read to its end, with a digest
  failed       unreadable, or not a regular file; listed below the table with path and reason
  timed out    begun and not finished: by --timeout, or cut off by --deadline
  skipped      taken and given up before it was begun, because it could not have been in time
  not started  still in the list at the end

A read that timed out still holds its thread of the blocking pool: nobody can call a blocking
system call back. It stops at its next piece of 1 MiB; one that hangs in the system hangs on.
";

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Command {
    /// To print [`HELP`].
    Help,
    /// To do the job.
    Run(Options),
}

/// The settings of the job, all of them with a default.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) dir: Option<PathBuf>,
    pub(crate) workers: NonZeroUsize,
    pub(crate) deadline: Duration,
    pub(crate) timeout: Option<Duration>,
    pub(crate) rate: Option<NonZeroU32>,
    pub(crate) runtimes: Vec<&'static Runtime>,
    pub(crate) seed: Option<u64>,
    pub(crate) timeline: Option<Timeline>,
}

/// A file to draw the rehearsal into.
#[derive(Clone, Debug)]
pub(crate) struct Timeline {
    pub(crate) path: PathBuf,
    /// For trace viewers, rather than as a picture.
    pub(crate) json: bool,
}

impl Timeline {
    fn parse(path: PathBuf) -> Result<Self, &'static str> {
        match path.extension().and_then(OsStr::to_str) {
            Some("svg") => Ok(Self { path, json: false }),
            Some("json") => Ok(Self { path, json: true }),
            _ => Err("should be a file that ends in .svg or .json"),
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            dir: None,
            workers: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            deadline: Duration::from_secs(10),
            timeout: None,
            rate: None,
            runtimes: runtimes::ALL.iter().collect(),
            seed: None,
            timeline: None,
        }
    }
}

/// More workers than this help nobody: the blocking pool has at most 500 threads.
const MOST_WORKERS: usize = 1024;

/// Reads the arguments that follow the program's name.
///
/// # Errors
/// A sentence that names the argument and says what it should be.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
    use lexopt::Arg::{Long, Short, Value};

    let mut options = Options::default();
    let mut parser = lexopt::Parser::from_args(args);
    while let Some(arg) = parser.next().map_err(|error| error.to_string())? {
        let name = match arg {
            Short('h') | Long("help") => return Ok(Command::Help),
            Long(name @ ("workers" | "deadline" | "timeout" | "rate" | "runtime" | "seed" | "timeline")) => {
                name.to_owned()
            }
            Value(dir) if options.dir.is_none() => {
                options.dir = Some(dir.into());
                continue;
            }
            Value(more) => return Err(format!("one DIR only: what is {more:?}?")),
            other => return Err(other.unexpected().to_string()),
        };
        let value = parser.value().map_err(|error| error.to_string())?;
        if name == "timeline" {
            let timeline = Timeline::parse(value.clone().into());
            let said = |should| format!("--timeline {}: {should}", value.to_string_lossy());
            options.timeline = Some(timeline.map_err(said)?);
            continue;
        }
        let value = value.to_string_lossy();
        set(&mut options, &name, &value).map_err(|should| format!("--{name} {value}: {should}"))?;
    }
    Ok(Command::Run(options))
}

/// Sets one option. The error says what the value should be.
fn set(options: &mut Options, name: &str, value: &str) -> Result<(), String> {
    match name {
        "workers" => {
            let workers = value.parse().ok().filter(|workers: &NonZeroUsize| workers.get() <= MOST_WORKERS);
            options.workers = workers.ok_or(format!("should be a number from 1 to {MOST_WORKERS}"))?;
        }
        "deadline" => options.deadline = duration(value)?,
        "timeout" if value == "off" => options.timeout = None,
        "timeout" => match duration(value)? {
            Duration::ZERO => return Err("should be longer than zero: no file could be read in no time".into()),
            timeout => options.timeout = Some(timeout),
        },
        "rate" if value == "off" => options.rate = None,
        "rate" => {
            let rate = value
                .parse()
                .map_err(|_| format!("should be a whole number of files a second, from 1 to {}, or `off`", u32::MAX))?;
            options.rate = Some(rate);
        }
        "runtime" if value == "all" => options.runtimes = runtimes::ALL.iter().collect(),
        "runtime" => {
            let known = || runtimes::ALL.iter().map(|runtime| runtime.name).collect::<Vec<_>>().join(", ");
            let runtime = runtimes::ALL.iter().find(|runtime| runtime.name == value);
            options.runtimes = vec![runtime.ok_or_else(|| format!("should be one of all, {}", known()))?];
        }
        _ => options.seed = Some(value.parse().map_err(|_| "should be a whole number below 2^64")?),
    }
    Ok(())
}

/// Reads a number with a unit, such as `1.5s`, exactly.
fn duration(text: &str) -> Result<Duration, String> {
    const SHOULD: &str = "should be a number with a unit, such as 250ms, 1.5s, 2m or 1h";
    const LONG: &str = "is longer than 584 years";

    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or(SHOULD)?;
    let (number, unit) = text.split_at(split);
    let nanos: u64 = match unit {
        "ns" => 1,
        "us" | "µs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" | "min" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return Err(SHOULD.into()),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.contains('.') {
        return Err(SHOULD.into());
    }
    // Digits after the ninth are cut off.
    let fraction: u64 = format!("{fraction:0<9}")[..9].parse().map_err(|_| SHOULD)?;
    let part = u128::from(nanos) * u128::from(fraction) / 1_000_000_000;
    let whole: u64 = whole.parse().map_err(|_| LONG)?;
    let total = whole.checked_mul(nanos).and_then(|total| total.checked_add(part as u64)).ok_or(LONG)?;
    Ok(Duration::from_nanos(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Result<Options, String> {
        match parse(args.iter().map(OsString::from))? {
            Command::Run(options) => Ok(options),
            Command::Help => panic!("not asked for help"),
        }
    }

    #[test]
    fn nothing_said_gives_the_defaults() {
        let options = parsed(&[]).unwrap();
        assert_eq!((options.dir, options.deadline), (None, Duration::from_secs(10)));
        assert_eq!((options.timeout, options.rate, options.seed), (None, None, None));
        assert!(options.timeline.is_none());
        assert_eq!(options.runtimes.len(), 4);
    }

    #[test]
    fn everything_said_is_heard() {
        let line = "--workers 3 --deadline=1.5s --timeout 250ms --rate 40 --runtime smol --seed 7 some/dir";
        let options = parsed(&line.split(' ').collect::<Vec<_>>()).unwrap();
        assert_eq!(options.dir, Some("some/dir".into()));
        assert_eq!(options.workers.get(), 3);
        assert_eq!(options.deadline, Duration::from_millis(1500));
        assert_eq!(options.timeout, Some(Duration::from_millis(250)));
        assert_eq!(options.rate.map(NonZeroU32::get), Some(40));
        assert_eq!(options.runtimes.iter().map(|runtime| runtime.name).collect::<Vec<_>>(), ["smol"]);
        assert_eq!(options.seed, Some(7));
        for (file, json) in [("a b.svg", false), ("dir.d/x.json", true)] {
            let timeline = parsed(&["--timeline", file]).unwrap().timeline.unwrap();
            assert_eq!((timeline.path, timeline.json), (file.into(), json));
        }
    }

    #[test]
    fn durations_are_read_exactly() {
        let nanos = |text| duration(text).map(|duration| duration.as_nanos());
        assert_eq!(nanos("0s"), Ok(0));
        assert_eq!(nanos("7ns"), Ok(7));
        assert_eq!(nanos("2.5us"), Ok(2_500));
        assert_eq!(nanos("1.000001ms"), Ok(1_000_001));
        assert_eq!(nanos("0.1s"), Ok(100_000_000));
        assert_eq!(nanos("2m"), Ok(120_000_000_000));
        assert_eq!(nanos("1.5h"), Ok(5_400_000_000_000));
    }

    #[test]
    fn malformed_durations_are_refused() {
        for text in ["", "10", "s", ".s", "1.s", ".5s", "1.2.3s", "-1s", "5parsecs", "1 s", "1e3s", "1sm"] {
            assert!(duration(text).unwrap_err().contains("with a unit"), "{text}");
        }
        for text in ["99999999999999999999s", "18446744074s", "5124096h"] {
            assert!(duration(text).unwrap_err().contains("584 years"), "{text}");
        }
    }

    #[test]
    fn refusals_name_the_option_and_the_value() {
        let cases = [
            "--rate 0",
            "--rate -3",
            "--rate 1.5",
            "--rate 4294967296",
            "--workers 0",
            "--workers 99999999999",
            "--deadline 5parsecs",
            "--deadline 10",
            "--timeout 0s",
            "--timeout soon",
            "--runtime embassy",
            "--seed x",
            "--timeline x.png",
            "--timeline svg",
        ];
        for case in cases {
            let said = parsed(&case.split(' ').collect::<Vec<_>>()).unwrap_err();
            assert!(said.starts_with(&format!("{case}: should be ")), "{said}");
        }
        assert!(parsed(&["--depth", "3"]).unwrap_err().contains("--depth"));
        assert!(parsed(&["a", "b"]).unwrap_err().contains('b'));
        assert!(parsed(&["--rate"]).unwrap_err().contains("--rate"));
    }
}
