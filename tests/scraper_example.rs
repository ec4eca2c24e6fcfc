//! The example that follows links over HTTP, on every runtime over real sockets; and in virtual time, where every instant is known.

#[path = "../examples/scraper/main.rs"]
#[expect(dead_code, reason = "`main` is called in the example's own binary alone")]
mod scraper;

use scraper::http::memory::Memory;
use scraper::http::{Program, Runtime};
use scraper::{Found, Options};
use std::collections::BTreeSet;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::sim;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn some(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

fn rate(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

/// A page by the number of its host; the number of the page, or of one that is not there.
type Page = (usize, Result<u64, u64>);

/// What there is to be found: pages by depth, those that are not there, and those that are too deep.
fn site(hosts: usize, depth: usize) -> (Vec<u64>, BTreeSet<Page>, BTreeSet<Page>) {
    let links = |(host, n): (usize, u64)| {
        let gone = (n % 4 == 3).then_some((host, Err(n)));
        let here = [0, 2 * n + 1, 2 * n + 2].map(|n| (host, Ok(n)));
        here.into_iter().chain([((host + 1) % hosts, Ok(n))]).chain(gone)
    };
    let (mut read, mut gone) = (Vec::new(), BTreeSet::new());
    let mut known = BTreeSet::from([(0, Ok(0))]);
    let mut level = known.clone();
    for _ in 0..=depth {
        let is_there = |&(host, page): &Page| page.ok().map(|n| (host, n));
        let pages: Vec<_> = level.iter().filter_map(is_there).collect();
        gone.extend(level.iter().filter(|(_, page)| page.is_err()));
        read.push(pages.len() as u64);
        level = pages.into_iter().flat_map(links).filter(|page| known.insert(*page)).collect();
    }
    (read, gone, level)
}

/// Everything was found that there is.
fn whole(found: &Found, options: &Options) {
    let (read, gone, too_deep) = site(options.hosts.get(), options.depth);
    assert_eq!(found.read, read);
    assert_eq!((found.failed.len(), found.too_deep.len(), found.too_late.len()), (gone.len(), too_deep.len(), 0));
    assert!(
        found.failed.iter().all(|(url, why)| url.path.starts_with("/gone/") && why == "404 Not Found"),
        "{found:?}"
    );
    assert!(found.most_in_flight <= options.per_host.get(), "{found:?}");
}

fn simulated(options: &Options) -> Found {
    Runtime::Simulated.run(options).unwrap()
}

#[test]
fn each_page_is_read_once_and_at_its_depth() {
    for (hosts, depth) in [(1, 0), (1, 4), (2, 3), (3, 5)] {
        let options = Options { hosts: some(hosts), depth, ..Options::default() };
        whole(&simulated(&options), &options);
    }
}

#[test]
fn a_host_has_no_more_requests_in_flight_than_it_may_and_as_many() {
    let options = Options { per_host: some(3), rate: rate(10_000), burst: rate(100), ..Options::default() };
    let found = simulated(&options);
    whole(&found, &options);
    assert_eq!(found.most_in_flight, 3);
    // Connections are as many, to each of the three hosts, and are used again.
    assert_eq!(found.totals.opened, 9);
    assert_eq!(found.totals.reused + 9, found.totals.attempts);
}

#[test]
fn a_host_is_asked_at_its_rate() {
    let options = Options { hosts: some(1), depth: 4, rate: rate(10), burst: NonZeroU32::MIN, ..Options::default() };
    let found = simulated(&options);
    whole(&found, &options);
    // One each tenth of a second, of which the last takes 20 ms, unless it is one that is not there.
    let asked = found.read.iter().sum::<u64>() + found.failed.len() as u64;
    assert!(
        [0, 20].map(|last| ms(100 * (asked - 1) + last)).contains(&found.elapsed),
        "{asked} in {:?}",
        found.elapsed
    );
}

#[test]
fn what_there_is_no_time_for_is_known_by_name() {
    let options = Options {
        hosts: some(1),
        depth: 4,
        rate: rate(10),
        burst: NonZeroU32::MIN,
        deadline: ms(500),
        ..Options::default()
    };
    let found = simulated(&options);
    // At 0, 100, 200, 300 and 400 ms: the start, two pages, and two of the four that they link to.
    assert_eq!(found.read, [1, 2, 2, 0, 0]);
    assert_eq!(found.elapsed, ms(420), "nobody waits for what is too late");
    assert_eq!((found.failed.len(), found.too_deep.len()), (0, 0));
    let late: Vec<_> = found.too_late.iter().map(|url| &*url.path).collect();
    // Two of the same depth, and what the others of it link to.
    assert_eq!(late, ["/gone/3", "/site/10", "/site/5", "/site/6", "/site/7", "/site/8", "/site/9"]);
}

#[test]
fn whenever_time_is_up_each_page_that_was_found_is_in_one_place() {
    sim::Builder::new().runs(50).check(|sim| async move {
        let options = Options {
            hosts: some(1 + sim.choose(3)),
            depth: sim.choose(5),
            workers: some(1 + sim.choose(8)),
            per_host: some(1 + sim.choose(4)),
            deadline: ms(10 * sim.choose(60) as u64),
            ..Options::default()
        };
        let scope = Scope::new(sim.time());
        let found = options.run(Memory::new(&sim), &scope, Arc::new(sim.wall())).await.unwrap();
        let places = [&found.too_late, &found.too_deep, &found.failed.keys().cloned().collect()];
        let unread = places.iter().copied().flatten().collect::<BTreeSet<_>>();
        assert_eq!(unread.len(), places.iter().map(|place| place.len()).sum::<usize>(), "{found:?}");
        assert!(found.elapsed <= options.deadline && found.most_in_flight <= options.per_host.get(), "{found:?}");
        let read: u64 = found.read.iter().sum();
        assert!(read > 0 || unread.len() == 1, "{found:?}");
        if found.too_late.is_empty() {
            whole(&found, &options);
        }
    });
}

fn on(runtime: Runtime) {
    let options = Options { deadline: Duration::from_secs(60), ..Options::default() };
    whole(&runtime.run(&options).unwrap(), &options);
}

#[test]
fn it_runs_on_the_threads_of_tokio() {
    on(Runtime::TokioMultiThread);
}

#[test]
fn it_runs_on_tokio_in_one_thread() {
    on(Runtime::TokioCurrentThread);
}

#[test]
fn it_runs_on_smol() {
    on(Runtime::Smol);
}

#[test]
fn it_runs_on_async_std() {
    on(Runtime::AsyncStd);
}
