//! A batch of HTTP requests against a deadline, to a server on which everything goes wrong that can, on every runtime.
//!
//! Each request is an item of [`work`]: at the end all are accounted for. How one is made, with its timeouts, retries and limits,
//! is in `http/client.rs`, and what the server does, in `http/server.rs`.
//!
//! ```text
//! cargo run --example requests -- [--rounds N] [--workers N] [--deadline MILLISECONDS] [--runtime NAME]
//! ```

#[path = "../http/mod.rs"]
pub(crate) mod http;

use http::client::{Client, Limits, Totals};
use http::net::{AsyncStd, Net, Smol, Tokio};
use http::server::Server;
use hyper::body::Bytes;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::task::{TaskGroup, group};
use wakeful::time::{SystemWall, Time, Wall};
use wakeful::work::{Count, Ended, ItemOutcome, Lease, work};

/// What each round asks the first host for, which has its troubles: but for the last page, it all is well in the end.
pub(crate) const WELL: [&str; 8] =
    ["/busy/1", "/dated/1", "/ok", "/slow/50", "/trickle/5/100", "/breaks/1", "/down/2", "/gone"];

/// And the second host, where nothing is.
pub(crate) const ILL: [&str; 3] = ["/stalls", "/trickle/1000/100", "/down/1000"];

const HOSTS: NonZeroUsize = NonZeroUsize::new(2).expect("two");

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// How often all pages are asked for.
    pub(crate) rounds: usize,
    pub(crate) workers: NonZeroUsize,
    pub(crate) deadline: Duration,
    pub(crate) limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rounds: 4,
            workers: NonZeroUsize::new(24).expect("not zero"),
            deadline: Duration::from_secs(20),
            limits: Limits::default(),
        }
    }
}

/// What became of all requests.
#[derive(Debug, Default)]
pub(crate) struct Account {
    pub(crate) count: Count,
    pub(crate) not_started: usize,
    pub(crate) totals: Totals,
    /// Which pages failed, by why they did at last.
    pub(crate) why: BTreeMap<String, Vec<String>>,
    pub(crate) elapsed: Duration,
}

/// A runtime, and how to run the whole on it.
pub(crate) struct Runtime {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Options) -> io::Result<Account>,
}

pub(crate) static RUNTIMES: [Runtime; 4] = [
    Runtime { name: "tokio-multi-thread", run: |o| tokio(tokio::runtime::Builder::new_multi_thread(), o) },
    Runtime { name: "tokio-current-thread", run: |o| tokio(tokio::runtime::Builder::new_current_thread(), o) },
    Runtime { name: "smol", run: |o| smol::block_on(real(Smol, o)) },
    Runtime { name: "async-std", run: |o| async_std::task::block_on(real(AsyncStd, o)) },
];

/// Of tokio only sockets are asked for: its timer is not switched on.
fn tokio(mut builder: tokio::runtime::Builder, options: &Options) -> io::Result<Account> {
    builder.enable_io().build()?.block_on(real(Tokio, options))
}

/// By the clocks of the system.
async fn real<N: Net>(net: N, options: &Options) -> io::Result<Account> {
    all(&net, &Scope::new(Time::system()), Arc::new(SystemWall), options).await
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    use lexopt::ValueExt;
    let (mut options, mut only) = (Options::default(), None::<String>);
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            lexopt::Arg::Long("rounds") => options.rounds = args.value()?.parse()?,
            lexopt::Arg::Long("workers") => options.workers = args.value()?.parse()?,
            lexopt::Arg::Long("deadline") => options.deadline = Duration::from_millis(args.value()?.parse()?),
            lexopt::Arg::Long("runtime") => only = Some(args.value()?.parse()?),
            other => return Err(other.unexpected().into()),
        }
    }
    let chosen = RUNTIMES.iter().filter(|runtime| only.as_ref().is_none_or(|only| only == runtime.name));
    let mut rows = Vec::new();
    for runtime in chosen {
        rows.push((runtime.name, (runtime.run)(&options)?));
    }
    print(&rows, &mut io::stdout())?;
    Ok(())
}

/// A server and a client, and all requests.
pub(crate) async fn all<N: Net>(net: &N, scope: &Scope, wall: Arc<dyn Wall>, options: &Options) -> io::Result<Account> {
    // The server's tasks and the connections are background children: they end when the body has.
    let all = group(net.clone()).named("http").run(scope, async |g: TaskGroup<io::Error>| {
        let server = Server::start(net, &g, wall.clone(), HOSTS).await?;
        let client = Client::new(net, &g, wall, options.limits.clone());
        Ok(requests(&client, scope, &server.hosts, options).await)
    });
    all.await.map_err(|error| io::Error::other(error.to_string()))
}

/// Makes all requests, some at a time.
async fn requests<'h, N: Net>(client: &Client<N>, scope: &Scope, hosts: &'h [String], options: &Options) -> Account {
    let requests: Vec<(&'h str, String)> = (0..options.rounds)
        .flat_map(|round| {
            let (well, ill) = (WELL.iter().map(|page| (&*hosts[0], page)), ILL.iter().map(|page| (&*hosts[1], page)));
            well.chain(ill).map(move |(host, page)| (host, format!("{page}/{round}")))
        })
        .collect();
    let body = |request: Lease<(&'h str, String)>| async move {
        let (host, path) = &*request;
        client.get(scope, host, path).await.map_err(|error| error.error.to_string())
    };
    let mut account = Account::default();
    let sink = |ended: Ended<(&'h str, String), Bytes, String>| {
        if let ItemOutcome::Failed { error, item: Some((_, path)) } = ended.outcome {
            account.why.entry(error).or_default().push(path);
        }
    };
    let report = work(requests).workers(options.workers).deadline_after(options.deadline).run(scope, body, sink).await;
    account.count = report.count;
    account.not_started = report.not_started.expect("a list knows its length");
    account.totals = client.totals();
    account.elapsed = report.elapsed();
    account
}

/// A line for each runtime, and why requests failed.
fn print(rows: &[(&str, Account)], out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "{:<22}{:>6}{:>8}{:>11}{:>9}{:>13}{:>10}{:>9}{:>7}{:>8}{:>8}{:>8}{:>9}",
        "runtime",
        "done",
        "failed",
        "timed out",
        "skipped",
        "not started",
        "attempts",
        "retries",
        "hints",
        "opened",
        "reused",
        "broken",
        "seconds"
    )?;
    for (name, Account { count, not_started, totals, elapsed, .. }) in rows {
        let Count { done, failed, cancelled, skipped, .. } = count;
        let Totals { attempts, retries, hints, opened, reused, broken } = totals;
        let seconds = elapsed.as_secs_f64();
        writeln!(
            out,
            "{name:<22}{done:>6}{failed:>8}{cancelled:>11}{skipped:>9}{not_started:>13}{attempts:>10}{retries:>9}{hints:>7}{opened:>8}{reused:>8}{broken:>8}{seconds:>9.2}",
        )?;
    }
    for (name, Account { why, .. }) in rows {
        for (why, pages) in why {
            writeln!(out, "{name}: {why}: {}", pages.join(" "))?;
        }
    }
    Ok(())
}
