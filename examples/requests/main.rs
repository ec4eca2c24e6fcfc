//! A batch of HTTP requests against a deadline, to a server on which everything goes wrong that can, on every runtime,
//! and in virtual time.
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
use http::failure::Failure;
use http::net::Net;
use http::server::Server;
use http::{Program, Runtime, with_server};
use hyper::body::Bytes;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::resilience::RetryError;
use wakeful::time::Wall;
use wakeful::work::{Ended, ItemOutcome, Lease, work};

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
    pub(crate) done: u64,
    pub(crate) failed: u64,
    /// Cut short when time was up, or given up because it would have been.
    pub(crate) timed_out: u64,
    pub(crate) skipped: u64,
    pub(crate) not_started: usize,
    pub(crate) totals: Totals,
    /// Which pages failed, by why they did at last.
    pub(crate) why: BTreeMap<String, Vec<String>>,
    pub(crate) elapsed: Duration,
}

impl Program for &Options {
    type Output = Account;

    async fn run<N: Net>(self, net: N, scope: &Scope, wall: Arc<dyn Wall>) -> io::Result<Account> {
        let body = async |server: &Server, client: &Client<N>| requests(client, scope, &server.hosts, self).await;
        with_server(&net, scope, wall, HOSTS, self.limits.clone(), body).await
    }
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
    let chosen = Runtime::ALL.into_iter().filter(|runtime| only.as_ref().is_none_or(|only| only == runtime.name()));
    let rows = chosen.map(|runtime| Ok((runtime.name(), runtime.run(&options)?))).collect::<io::Result<Vec<_>>>()?;
    if rows.is_empty() {
        return Err("there is no such runtime".into());
    }
    print(&rows, &mut io::stdout())?;
    Ok(())
}

/// Makes all requests, some at a time.
async fn requests<'h, N: Net>(client: &Client<N>, scope: &Scope, hosts: &'h [String], options: &Options) -> Account {
    let requests: Vec<(&'h str, String)> = (0..options.rounds)
        .flat_map(|round| {
            let (well, ill) = (WELL.iter().map(|page| (&*hosts[0], page)), ILL.iter().map(|page| (&*hosts[1], page)));
            well.chain(ill).map(move |(host, page)| (host, format!("{page}/{round}")))
        })
        .collect();
    // The client is told too when time is up: what could not begin before that is given up at once.
    let scope = &scope.child_after(options.deadline);
    let body = |request: Lease<(&'h str, String)>| async move {
        let (host, path) = &*request;
        client.get(scope, host, path).await
    };
    let mut account = Account::default();
    let sink = |ended: Ended<(&'h str, String), Bytes, RetryError<Failure>>| match ended.outcome {
        ItemOutcome::Done(_) => account.done += 1,
        ItemOutcome::Failed { error, item } if !Failure::is_late(&error) => {
            account.failed += 1;
            account.why.entry(error.error.to_string()).or_default().extend(item.map(|(_, path)| path));
        }
        ItemOutcome::Skipped { .. } => account.skipped += 1,
        ItemOutcome::Panicked { message, .. } => panic!("{message}"),
        _ => account.timed_out += 1,
    };
    let report = work(requests).workers(options.workers).run(scope, body, sink).await;
    account.not_started = report.not_started.expect("a list knows its length");
    account.totals = client.totals();
    account.elapsed = report.elapsed();
    account
}

/// A line for each runtime, and why requests failed.
pub(crate) fn print(rows: &[(&str, Account)], out: &mut impl Write) -> io::Result<()> {
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
    for (name, Account { done, failed, timed_out, skipped, not_started, totals, elapsed, .. }) in rows {
        let Totals { attempts, retries, hints, opened, reused, broken } = totals;
        let seconds = elapsed.as_secs_f64();
        writeln!(
            out,
            "{name:<22}{done:>6}{failed:>8}{timed_out:>11}{skipped:>9}{not_started:>13}{attempts:>10}{retries:>9}{hints:>7}{opened:>8}{reused:>8}{broken:>8}{seconds:>9.2}",
        )?;
    }
    for (name, Account { why, .. }) in rows {
        for (why, pages) in why {
            writeln!(out, "{name}: {why}: {}", pages.join(" "))?;
        }
    }
    Ok(())
}
