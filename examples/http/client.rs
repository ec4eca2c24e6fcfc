//! A client that asks many times of hosts that fail: connections that are kept, timeouts, retries, limits.
//!
//! An answer is got by these, from outside inwards; the deadline of the scope is around all of them.
//!
//! | what | why there |
//! |---|---|
//! | a retry | each attempt passes all that follows; its waits hold no connection and no permit |
//! | a limiter of the host's rate | each attempt takes a permit, and who was refused keeps all others from asking too |
//! | a breaker of the host | it judges what the host does; being too fast or too many is no fault of the host |
//! | a pool of connections to the host | no more requests are in flight; a wait for one has a limit, and so has a connect |
//! | a limit for the whole answer | a body that trickles in for ever ends |
//! | a limit for each piece of it | a body that stops is found out soon, and a long one has all the time that it needs |

use super::failure::Failure;
use super::net::Net;
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{HOST, RETRY_AFTER};
use hyper::{Request, StatusCode};
use std::collections::BTreeMap;
use std::io;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wakeful::cancel::{FailError, Scope};
use wakeful::limit::{KeyedLimiter, Quota};
use wakeful::resilience::{
    BreakerConfig, CircuitBreaker, Exponential, Jitter, Mark, Retry, RetryBudget, RetryError, Schedule, retry_after,
};
use wakeful::task::TaskGroup;
use wakeful::time::Wall;
use wakeful::work::{Manage, ResourceCount, ResourcePool, Usage};

const fn some(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).expect("not zero")
}

/// What a client keeps to.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// Connections to a host, and so requests in flight.
    pub(crate) connections: NonZeroUsize,
    /// Requests to a host.
    pub(crate) rate: Quota,
    /// How long a connection is waited for while others have them all.
    pub(crate) pool: Duration,
    /// How long a connection may take to be made.
    pub(crate) connect: Duration,
    /// How long an answer may take, from the request to its last byte.
    pub(crate) read: Duration,
    /// How long nothing of it may come.
    pub(crate) progress: Duration,
    /// The longest that a host is left alone because it says so.
    pub(crate) hint: Duration,
    /// How many times it is asked again.
    pub(crate) retries: u32,
    /// When a host is left alone, and for how long.
    pub(crate) breaker: BreakerConfig,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: NonZeroUsize::new(8).expect("eight"),
            rate: Quota::per_second(some(200)).burst(some(20)),
            pool: Duration::from_secs(2),
            connect: Duration::from_secs(1),
            read: Duration::from_secs(2),
            progress: Duration::from_millis(400),
            hint: Duration::from_secs(600),
            retries: 4,
            breaker: BreakerConfig::calls(some(20))
                .least_calls(some(20))
                .failures(75)
                .open_for(Duration::from_millis(300)),
        }
    }
}

/// A connection, over which requests go one after another.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: SendRequest<Empty<Bytes>>,
    /// It has been asked, and not all of the answer was read: it can't be asked again.
    asked: bool,
}

/// Makes connections to a host.
pub(crate) struct Connect<N> {
    net: N,
    host: String,
    group: TaskGroup<io::Error>,
}

impl<N: Net> Manage for Connect<N> {
    type Object = Connection;
    type Error = io::Error;

    async fn create(&self) -> io::Result<Connection> {
        let stream = self.net.connect(&self.host).await?;
        let (sender, connection) = http1::handshake(stream).await.map_err(io::Error::other)?;
        // It ends when the sender is dropped, and says why the connection broke to whoever asks.
        let drive = async move {
            drop(connection.await);
            Ok(())
        };
        let driver = self.group.spawn_background("connection", drive);
        drop(driver.map_err(|refused| io::Error::other(refused.to_string()))?);
        Ok(Connection { sender, asked: false })
    }

    async fn recycle(&self, connection: &mut Connection, _: &Usage) -> io::Result<()> {
        connection.sender.ready().await.map_err(io::Error::other)
    }

    fn is_broken(&self, connection: &mut Connection) -> bool {
        connection.asked || connection.sender.is_closed()
    }
}

/// How often it has asked.
#[derive(Debug, Default)]
struct Tally {
    attempts: AtomicU64,
    retries: AtomicU64,
    hints: AtomicU64,
}

/// The numbers of a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) attempts: u64,
    /// Attempts after the first.
    pub(crate) retries: u64,
    /// Retries that waited for as long as the host said.
    pub(crate) hints: u64,
    /// Connections that were made, and how often one was used again.
    pub(crate) opened: u64,
    pub(crate) reused: u64,
    /// Connections that were in no state to be used again.
    pub(crate) broken: u64,
}

pub(crate) struct Client<N: Net> {
    net: N,
    group: TaskGroup<io::Error>,
    wall: Arc<dyn Wall>,
    limits: Limits,
    hosts: Mutex<BTreeMap<String, Arc<Host<N>>>>,
    rates: KeyedLimiter<String>,
    tally: Tally,
}

/// What is kept for a host.
struct Host<N: Net> {
    pool: ResourcePool<Connect<N>>,
    breaker: CircuitBreaker,
    /// So that one which is down does not use up the retries of the others.
    budget: RetryBudget,
}

impl<N: Net> Client<N> {
    /// One whose tasks end with the group, and whose clock is that of the group's scope. Dates are compared with `wall`.
    pub(crate) fn new(net: &N, group: &TaskGroup<io::Error>, wall: Arc<dyn Wall>, limits: Limits) -> Self {
        let rates = KeyedLimiter::new(group.scope().time(), limits.rate);
        let (net, group) = (net.clone(), group.clone());
        Self { net, group, wall, limits, hosts: Mutex::default(), rates, tally: Tally::default() }
    }

    /// Gets a page, in as many attempts as it takes and the limits allow.
    pub(crate) async fn get(&self, scope: &Scope, host: &str, path: &str) -> Result<Bytes, RetryError<Failure>> {
        let known = self.host(host);
        let mark = |result: &Result<_, Failure>| result.as_ref().map_or_else(Failure::mark, |_| Some(Mark::Success));
        let schedule = Exponential::new(Duration::from_millis(50)).cap(Duration::from_secs(1)).jitter(Jitter::Equal);
        let retry = Retry::new(schedule.up_to(self.limits.retries))
            .when(Failure::verdict)
            .budget(&known.budget)
            .notify(|retrying| {
                let hinted = matches!(retrying.error, Failure::Status(_, Some(_)));
                self.tally.retries.fetch_add(1, Ordering::Relaxed);
                self.tally.hints.fetch_add(hinted.into(), Ordering::Relaxed);
            });
        let attempt = async |_| {
            self.tally.attempts.fetch_add(1, Ordering::Relaxed);
            self.rates.acquire_in(scope, host, 1).await.map_err(Failure::NoTurn)?;
            let answer = known.breaker.call_with(mark, async || self.attempt(scope, &known.pool, host, path).await);
            answer.await.unwrap_or_else(|open| Err(Failure::Open(open)))
        };
        retry.run(scope, attempt).await
    }

    async fn attempt(
        &self,
        scope: &Scope,
        pool: &ResourcePool<Connect<N>>,
        host: &str,
        path: &str,
    ) -> Result<Bytes, Failure> {
        let mut connection = pool.get().await.map_err(Failure::NoConnection)?;
        let read = self.limits.read;
        // Should this be cut short, the connection has been asked, and is not lent again.
        let answer = scope.fail_after(read, async |s| self.ask(s, &mut connection, host, path).await);
        match answer.await {
            Ok(answer) => answer,
            Err(FailError::TimedOut(_)) => Err(Failure::Slow(read)),
            Err(FailError::Cancelled(_)) => Err(Failure::Cancelled),
        }
    }

    /// Asks, and reads all of the answer.
    async fn ask(&self, scope: &Scope, connection: &mut Connection, host: &str, path: &str) -> Result<Bytes, Failure> {
        let request = Request::get(path).header(HOST, host).body(Empty::new()).expect("a page has a name");
        connection.asked = true;
        let response = self.piece(scope, connection.sender.send_request(request)).await?;
        let (head, mut body) = response.map_err(Failure::Broken)?.into_parts();
        let mut bytes = Vec::new();
        while let Some(frame) = self.piece(scope, body.frame()).await? {
            if let Some(data) = frame.map_err(Failure::Broken)?.data_ref() {
                bytes.extend_from_slice(data);
            }
        }
        connection.asked = false;
        if head.status.is_success() {
            return Ok(bytes.into());
        }
        let hint = head.headers.get(RETRY_AFTER).and_then(|value| retry_after(value.to_str().ok()?, &*self.wall).ok());
        // Only with those that ask for patience, and no more of it than there is.
        let busy = matches!(head.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        let until = hint.filter(|_| busy).map(|delay| scope.now() + delay.min(self.limits.hint));
        if let Some(until) = until {
            self.rates.penalize_until(host, until).expect("there is no bound on hosts");
        }
        Err(Failure::Status(head.status, until))
    }

    /// Waits for the next piece of an answer.
    async fn piece<T>(&self, scope: &Scope, piece: impl Future<Output = T>) -> Result<T, Failure> {
        let limit = self.limits.progress;
        scope.fail_after(limit, async |_| piece.await).await.map_err(|error| match error {
            FailError::TimedOut(_) => Failure::Stalled(limit),
            FailError::Cancelled(_) => Failure::Cancelled,
        })
    }

    fn host(&self, name: &str) -> Arc<Host<N>> {
        let mut hosts = self.hosts.lock().expect("nobody panics who has it");
        if let Some(host) = hosts.get(name) {
            return host.clone();
        }
        let Limits { connections, pool, connect, progress, breaker, .. } = self.limits;
        let time = self.group.scope().time();
        let connects = Connect { net: self.net.clone(), host: name.to_owned(), group: self.group.clone() };
        let pool = ResourcePool::builder(time, connects)
            .max_size(connections)
            .wait_timeout(pool)
            .create_timeout(connect)
            .recycle_timeout(progress)
            .max_idle_time(Duration::from_secs(60))
            .build();
        let breaker = CircuitBreaker::new(time, breaker).expect("its numbers are right");
        let host = Arc::new(Host { pool, breaker, budget: RetryBudget::new(20, 10, some(20)) });
        hosts.insert(name.to_owned(), host.clone());
        host
    }

    /// What it has done so far.
    pub(crate) fn totals(&self) -> Totals {
        let Tally { attempts, retries, hints } = &self.tally;
        let [attempts, retries, hints] = [attempts, retries, hints].map(|count| count.load(Ordering::Relaxed));
        let mut totals = Totals { attempts, retries, hints, ..Totals::default() };
        for host in self.hosts.lock().expect("nobody panics who has it").values() {
            let ResourceCount { created, reused, broken, invalid, .. } = host.pool.count();
            totals.opened += created;
            totals.reused += reused;
            totals.broken += broken + invalid;
        }
        totals
    }
}
