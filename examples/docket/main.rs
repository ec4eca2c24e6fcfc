//! Tasks in a file, which workers in several processes share, and which survives them: kill any of them, whenever you like.
//!
//! ```text
//! cargo run --features sqlite --example docket -- worker FILE [--name NAME] [--concurrency N] [--lease MS] [--until-finished]
//! cargo run --features sqlite --example docket -- add FILE TASK FIELDS [--key KEY] [--after MS]
//! cargo run --features sqlite --example docket -- cancel FILE KEY
//! cargo run --features sqlite --example docket -- strike FILE TASK [FIELD ==|!=|<|<=|>|>= VALUE]
//! cargo run --features sqlite --example docket -- restore FILE NUMBER
//! cargo run --features sqlite --example docket -- snapshot FILE
//! ```
//!
//! There are two tasks: `echo`, which says its `words`, and `count`, which counts `to` a number, one each 10 ms, and one count at
//! a time. FIELDS and VALUE are JSON:
//!
//! ```text
//! docket worker tasks.db &
//! docket add tasks.db count '{"to": 1000}' --key long
//! kill -9 %1; docket worker tasks.db --until-finished
//! ```

mod tasks;

use std::collections::VecDeque;
use std::error::Error;
use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::docket::{
    Cancelled, Docket, Event, EventKind, Put, SqliteStore, State, Strike, StrikeId, Test, Value, Worker,
};
use wakeful::spawn::{Job, block_on};
use wakeful::time::{SystemWall, Time};

/// How soon one process is to hear of another.
const POLL: Duration = Duration::from_millis(50);

/// What is asked for: words in order, and what is named.
struct Options {
    words: VecDeque<OsString>,
    name: String,
    concurrency: NonZeroUsize,
    lease: Duration,
    until_finished: bool,
    key: Option<String>,
    after: Duration,
}

fn main() -> Result<(), Box<dyn Error>> {
    use lexopt::ValueExt;
    let mut options = Options {
        words: VecDeque::new(),
        name: format!("worker {}", std::process::id()),
        concurrency: Worker::CONCURRENCY,
        lease: Duration::from_secs(2),
        until_finished: false,
        key: None,
        after: Duration::ZERO,
    };
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            lexopt::Arg::Long("name") => options.name = args.value()?.string()?,
            lexopt::Arg::Long("concurrency") => options.concurrency = args.value()?.parse()?,
            lexopt::Arg::Long("lease") => options.lease = Duration::from_millis(args.value()?.parse()?),
            lexopt::Arg::Long("until-finished") => options.until_finished = true,
            lexopt::Arg::Long("key") => options.key = Some(args.value()?.string()?),
            lexopt::Arg::Long("after") => options.after = Duration::from_millis(args.value()?.parse()?),
            lexopt::Arg::Value(word) => options.words.push_back(word),
            other => return Err(other.unexpected().into()),
        }
    }
    run(options)
}

impl Options {
    /// The next word, which is said to be `what` if it is missing.
    fn word(&mut self, what: &str) -> Result<String, Box<dyn Error>> {
        let word = self.words.pop_front().ok_or_else(|| format!("{what} is needed"))?;
        word.into_string().map_err(|word| format!("{word:?} is no text").into())
    }
}

fn run(mut options: Options) -> Result<(), Box<dyn Error>> {
    let command = options.word("a command: worker, add, cancel, strike, restore or snapshot")?;
    let file = options.words.pop_front().ok_or("a file is needed")?;
    let time = Time::system();
    let threads = |job: Job| blocking::unblock(|| job.run()).detach();
    let store = SqliteStore::builder(&time, SystemWall, threads).poll_every(POLL).open(file)?;
    let docket = Docket::on(store, &time, tasks::registry()?);
    match command.as_str() {
        "worker" => work(&docket, &options, time),
        "add" => add(&docket, &mut options),
        "cancel" => cancel(&docket, &mut options),
        "strike" => strike(&docket, &mut options),
        "restore" => restore(&docket, &mut options),
        "snapshot" => snapshot(&docket),
        other => Err(format!("`{other}` is no command").into()),
    }
}

fn work(docket: &Docket, options: &Options, time: Time) -> Result<(), Box<dyn Error>> {
    let tell = |Event { key, attempt, kind, .. }: &Event| match kind {
        EventKind::Begun => {}
        EventKind::Retried(after, why) => println!("{key}: attempt {attempt} failed, once more in {after:?}: {why}"),
        EventKind::Ended(ending) => println!("{key}: {ending:?}"),
        EventKind::Lost => println!("{key}: another worker has it"),
        // What comes to pass without this worker.
        _ => {}
    };
    let worker = docket.worker(&options.name).concurrency(options.concurrency).lease(options.lease).listen(tell);
    let scope = Scope::new(time);
    println!("{} works", options.name);
    match options.until_finished {
        true => block_on(worker.until_finished(&scope))?,
        false => block_on(worker.run(&scope))?,
    }
    Ok(())
}

fn add(docket: &Docket, options: &mut Options) -> Result<(), Box<dyn Error>> {
    let (task, fields) = (options.word("a task")?, options.word("the fields")?);
    let mut add = docket.raw(&task, serde_json::from_str::<Value>(&fields)?)?.after(options.after);
    if let Some(key) = options.key.take() {
        add = add.key(key);
    }
    let added = block_on(add.send())?;
    let key = added.handle.key();
    match added.put {
        Put::Exists { running: true, .. } => println!("{key} runs already"),
        Put::Exists { .. } => println!("{key} is queued already"),
        _ => println!("{key} is added"),
    }
    Ok(())
}

fn cancel(docket: &Docket, options: &mut Options) -> Result<(), Box<dyn Error>> {
    let key = options.word("a key")?;
    match block_on(docket.cancel(&key, Duration::ZERO))? {
        Cancelled::Queued(_) => println!("{key} is cancelled"),
        Cancelled::Running(_) => println!("{key} runs, and is told"),
        Cancelled::Unknown => return Err(format!("nothing is queued or runs under {key}").into()),
    }
    Ok(())
}

fn strike(docket: &Docket, options: &mut Options) -> Result<(), Box<dyn Error>> {
    let task = options.word("a task")?;
    let mut strike = Strike::task(&task);
    if !options.words.is_empty() {
        let (field, how, to) = (options.word("a field")?, options.word("a test")?, options.word("a value")?);
        let to: Value = serde_json::from_str(&to)?;
        let test = match how.as_str() {
            "==" => Test::Eq(to),
            "!=" => Test::Ne(to),
            "<" => Test::Lt(to),
            "<=" => Test::Le(to),
            ">" => Test::Gt(to),
            ">=" => Test::Ge(to),
            _ => return Err(format!("`{how}` is no test").into()),
        };
        strike.field = Some((field, test));
    }
    println!("strike {}", block_on(docket.strike(strike))?.0);
    Ok(())
}

fn restore(docket: &Docket, options: &mut Options) -> Result<(), Box<dyn Error>> {
    let number = options.word("a number")?.parse()?;
    match block_on(docket.restore(StrikeId(number)))? {
        true => println!("strike {number} is taken back"),
        false => return Err(format!("there is no strike {number}").into()),
    }
    Ok(())
}

fn snapshot(docket: &Docket) -> Result<(), Box<dyn Error>> {
    let snapshot = block_on(docket.snapshot())?;
    for row in snapshot.rows {
        let state = match row.state {
            State::Future => format!("due in {:?}", row.due.since(snapshot.now)),
            State::Queued => "queued".into(),
            State::Waiting => "waits at a limit".into(),
            State::Running { worker, cancelled: false, .. } => format!("runs on {worker}"),
            State::Running { worker, .. } => format!("runs on {worker}, which is told to end it"),
            State::Following => "comes after what runs".into(),
            State::Ended(ending) => format!("{ending:?}"),
        };
        let progress = row.progress.map(|progress| format!(", {progress}")).unwrap_or_default();
        println!("{} {} {}: {state}{progress}", row.key, row.name, row.args);
    }
    for gate in snapshot.gates {
        println!("limit {}: {} in, {} wait", gate.name, gate.held, gate.waiting);
    }
    for (id, strike) in snapshot.strikes {
        println!("strike {}: {strike:?}", id.0);
    }
    Ok(())
}
