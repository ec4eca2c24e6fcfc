//! Follows links over HTTP, breadth first, to a depth and against a deadline, with a rate and a number of requests in flight for
//! each host, on every runtime, and in virtual time.
//!
//! Each depth is a batch of [`work`]: its pages are read side by side, and the links found in them, each once, are the next.
//! Every page that was found is accounted for: it was read, could not be, or was not visited. How a page is got is in
//! `http/client.rs`; the site is that of `http/server.rs`, whose links are all of one simple form.
//!
//! ```text
//! cargo run --example scraper -- [--hosts N] [--depth N] [--workers N] [--per-host N] [--rate N] [--burst N] [--deadline MILLISECONDS]
//! ```

#[path = "../http/mod.rs"]
pub(crate) mod http;

use http::client::{Client, Limits, Totals};
use http::failure::Failure;
use http::net::Net;
use http::server::Server;
use http::{Program, Runtime, with_server};
use hyper::body::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, Write};
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::limit::Quota;
use wakeful::resilience::RetryError;
use wakeful::time::Wall;
use wakeful::work::{Ended, ItemOutcome, Lease, work};

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) hosts: NonZeroUsize,
    /// How many links a page may be away from the first.
    pub(crate) depth: usize,
    pub(crate) workers: NonZeroUsize,
    /// Requests to one host that are in flight at most.
    pub(crate) per_host: NonZeroUsize,
    /// Requests to one host in a second.
    pub(crate) rate: NonZeroU32,
    /// How many of them at once.
    pub(crate) burst: NonZeroU32,
    pub(crate) deadline: Duration,
}

impl Default for Options {
    fn default() -> Self {
        let some = |n| NonZeroUsize::new(n).expect("not zero");
        Self {
            hosts: some(3),
            depth: 5,
            workers: some(16),
            per_host: some(4),
            rate: NonZeroU32::new(100).expect("not zero"),
            burst: NonZeroU32::new(10).expect("not zero"),
            deadline: Duration::from_secs(10),
        }
    }
}

/// Where a page is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Url {
    pub(crate) host: String,
    pub(crate) path: String,
}

impl Url {
    pub(crate) fn new(host: impl Into<String>, path: impl Into<String>) -> Self {
        Self { host: host.into(), path: path.into() }
    }

    /// Where `link` leads to from here.
    fn join(&self, link: &str) -> Self {
        match link.strip_prefix("http://") {
            Some(link) => {
                let path = link.find('/').unwrap_or(link.len());
                Self::new(&link[..path], &link[path..])
            }
            None => Self::new(&self.host, link),
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.host, self.path)
    }
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// How many pages were read, by depth.
    pub(crate) read: Vec<u64>,
    /// Pages that could not be read, and why.
    pub(crate) failed: BTreeMap<Url, String>,
    /// Pages that there was no time for.
    pub(crate) too_late: BTreeSet<Url>,
    /// Pages that are further away than was asked for.
    pub(crate) too_deep: BTreeSet<Url>,
    /// The most requests to one host that were in flight, as the server has seen it.
    pub(crate) most_in_flight: usize,
    pub(crate) totals: Totals,
    pub(crate) elapsed: Duration,
}

impl Program for &Options {
    type Output = Found;

    async fn run<N: Net>(self, net: N, scope: &Scope, wall: Arc<dyn Wall>) -> io::Result<Found> {
        // Those who wait for a connection wait for as long as there is time.
        let rate = Quota::per_second(self.rate).burst(self.burst);
        let limits = Limits { connections: self.per_host, rate, pool: Duration::MAX, ..Limits::default() };
        let body = async |server: &Server, client: &Client<N>| {
            let found = scrape(client, scope, Url::new(&server.hosts[0], "/site/0"), self).await;
            Found { most_in_flight: server.asked().most_in_flight, totals: client.totals(), ..found }
        };
        with_server(&net, scope, wall, self.hosts, limits, body).await
    }
}

/// Reads all pages that can be reached from `start`.
pub(crate) async fn scrape<N: Net>(client: &Client<N>, scope: &Scope, start: Url, options: &Options) -> Found {
    let began = scope.now();
    // The client is told too when time is up: what could not begin before that is given up at once.
    let scope = &scope.child_after(options.deadline);
    let mut found = Found::default();
    let mut known = BTreeSet::from([start.clone()]);
    let mut pages = vec![start];
    for _ in 0..=options.depth {
        let (mut read, mut links) = (0, BTreeSet::new());
        let sink = |ended: Ended<Url, BTreeSet<Url>, RetryError<Failure>>| match ended.outcome {
            ItemOutcome::Done(more) => {
                read += 1;
                links.extend(more);
            }
            ItemOutcome::Failed { error, item: Some(url) } if !Failure::is_late(&error) => {
                found.failed.insert(url, error.error.to_string());
            }
            other => found.too_late.extend(other.into_item()),
        };
        let body = |url: Lease<Url>| async move {
            let page = client.get(scope, &url.host, &url.path).await?;
            Ok(links_of(&url, &page))
        };
        let report = work(pages).workers(options.workers).run(scope, body, sink).await;
        found.too_late.extend(report.rest);
        found.read.push(read);
        pages = links.into_iter().filter(|url| known.insert(url.clone())).collect();
    }
    found.too_deep.extend(pages);
    found.elapsed = scope.now() - began;
    found
}

/// What a page links to. All links of the server are of this form; a site of others needs a parser of HTML here.
fn links_of(url: &Url, page: &Bytes) -> BTreeSet<Url> {
    let page = String::from_utf8_lossy(page);
    let links = page.split("href=\"").skip(1).filter_map(|rest| rest.split_once('"'));
    links.map(|(link, _)| url.join(link)).collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    use lexopt::ValueExt;
    let mut options = Options::default();
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            lexopt::Arg::Long("hosts") => options.hosts = args.value()?.parse()?,
            lexopt::Arg::Long("depth") => options.depth = args.value()?.parse()?,
            lexopt::Arg::Long("workers") => options.workers = args.value()?.parse()?,
            lexopt::Arg::Long("per-host") => options.per_host = args.value()?.parse()?,
            lexopt::Arg::Long("rate") => options.rate = args.value()?.parse()?,
            lexopt::Arg::Long("burst") => options.burst = args.value()?.parse()?,
            lexopt::Arg::Long("deadline") => options.deadline = Duration::from_millis(args.value()?.parse()?),
            other => return Err(other.unexpected().into()),
        }
    }
    for runtime in Runtime::ALL {
        print(runtime.name(), &runtime.run(&options)?, &mut io::stdout())?;
    }
    Ok(())
}

fn print(name: &str, found: &Found, out: &mut impl Write) -> io::Result<()> {
    let Found { read, failed, too_late, too_deep, most_in_flight, totals, elapsed } = found;
    writeln!(
        out,
        "{name}: {} pages in {elapsed:.2?}, {} failed, {} too late, {} too deep; {most_in_flight} in flight to one host",
        read.iter().sum::<u64>(),
        failed.len(),
        too_late.len(),
        too_deep.len()
    )?;
    writeln!(out, "  {} requests over {} connections", totals.attempts, totals.opened)?;
    for (depth, read) in read.iter().enumerate() {
        writeln!(out, "  depth {depth}: {read} read")?;
    }
    for (url, why) in failed {
        writeln!(out, "  {url}: {why}")?;
    }
    Ok(())
}
