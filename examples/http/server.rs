//! A server with pages on which everything goes wrong that can, one thing each. Each host of it has an address of its own.
//!
//! | page | what it answers |
//! |---|---|
//! | `/ok/…` | 200 |
//! | `/slow/MS/…` | 200, after a while |
//! | `/trickle/N/MS/…` | 200, a body of `N` pieces, each after a while |
//! | `/stalls/…` | 200, a body that stops in the middle, and never goes on |
//! | `/breaks/N/…` | the first `N` times a body in the middle of which the connection is closed, then 200 |
//! | `/busy/S/…` | 429 when asked first, to come back in so many seconds; then 200 |
//! | `/dated/S/…` | the same, to come back at a date |
//! | `/down/N/…` | 503 the first `N` times, without saying until when; then 200 |
//! | `/site/N` | 200, a page of a site without end: see [`Server::links`] |
//! | any other | 404 |

use super::net::Net;
use futures::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::RETRY_AFTER;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, UNIX_EPOCH};
use wakeful::task::TaskGroup;
use wakeful::time::{Time, Wall};

/// How long a page of a site takes.
const PAGE: Duration = Duration::from_millis(20);

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// How a body ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Well,
    /// It does not.
    Never,
    /// The connection is closed.
    Broken,
}

pub(crate) struct Server {
    time: Time,
    wall: Arc<dyn Wall>,
    /// The addresses of its hosts.
    pub(crate) hosts: Vec<String>,
    asked: Mutex<Asked>,
}

/// What it has been asked for.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// How many times, by host and page.
    pub(crate) pages: BTreeMap<(usize, String), u32>,
    in_flight: BTreeMap<usize, usize>,
    /// The most requests to one host that were answered side by side.
    pub(crate) most_in_flight: usize,
}

impl Server {
    /// Starts one with so many hosts, whose tasks end with the group.
    pub(crate) async fn start<N: Net>(
        net: &N,
        group: &TaskGroup<io::Error>,
        wall: Arc<dyn Wall>,
        hosts: NonZeroUsize,
    ) -> io::Result<Arc<Self>> {
        let (mut listeners, mut addresses) = (Vec::new(), Vec::new());
        for _ in 0..hosts.get() {
            let (listener, address) = net.listen().await?;
            listeners.push(listener);
            addresses.push(address);
        }
        let time = group.scope().time().clone();
        let server = Arc::new(Self { time, wall, hosts: addresses, asked: Mutex::default() });
        for (host, listener) in listeners.into_iter().enumerate() {
            let (server, inner) = (server.clone(), group.clone());
            let accept = async move {
                // One that can't be accepted has gone already, as a rule.
                loop {
                    if let Ok(stream) = N::accept(&listener).await {
                        let serve = server.clone().serve(host, stream);
                        // It is refused only when all is over.
                        drop(inner.spawn_background("served", serve));
                    }
                }
            };
            drop(group.spawn_background("listener", accept));
        }
        Ok(server)
    }

    pub(crate) fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().expect("nobody panics who has it")
    }

    async fn serve<S>(self: Arc<Self>, host: usize, stream: S) -> io::Result<()>
    where
        S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
    {
        let answer = service_fn(|request: Request<Incoming>| {
            let server = self.clone();
            async move { Ok::<_, Infallible>(server.answer(host, request.uri().path()).await) }
        });
        // Whoever asked goes away, or a body breaks: both are meant to be.
        drop(http1::Builder::new().auto_date_header(false).serve_connection(stream, answer).await);
        Ok(())
    }

    async fn answer(&self, host: usize, path: &str) -> Response<Body> {
        let _here = InFlight::enter(self, host);
        let asked = {
            let mut asked = self.asked();
            let times = asked.pages.entry((host, path.to_owned())).or_default();
            *times += 1;
            *times
        };
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let number = |at: usize| parts.get(at).and_then(|part| part.parse::<u64>().ok()).unwrap_or(0);
        let millis = |at| Duration::from_millis(number(at));
        match parts[0] {
            "ok" => self.text("all is well\n"),
            "slow" => {
                self.time.sleep(millis(1)).await;
                self.text("at last\n")
            }
            "trickle" => self.pieces(number(1), millis(2), End::Well),
            "stalls" => self.pieces(1, Duration::ZERO, End::Never),
            "breaks" if u64::from(asked) <= number(1) => self.pieces(1, Duration::ZERO, End::Broken),
            "busy" if asked == 1 => self.refuse(StatusCode::TOO_MANY_REQUESTS, Some(number(1).to_string())),
            "dated" if asked == 1 => {
                // A date is a whole second, so this is a little earlier.
                let until = Duration::from_secs(self.wall.unix().as_secs() + number(1));
                self.refuse(StatusCode::TOO_MANY_REQUESTS, Some(httpdate::fmt_http_date(UNIX_EPOCH + until)))
            }
            "down" if u64::from(asked) <= number(1) => self.refuse(StatusCode::SERVICE_UNAVAILABLE, None),
            "breaks" | "busy" | "dated" | "down" => self.text("well again\n"),
            "site" => {
                self.time.sleep(PAGE).await;
                let link = |link| format!("<a href=\"{link}\">more</a>\n");
                self.text(self.links(host, number(1)).map(link).collect::<String>())
            }
            _ => self.refuse(StatusCode::NOT_FOUND, None),
        }
    }

    /// What page `n` of a host's site links to: its start, two pages that follow, one of the next host, and, if it is one of every
    /// four, a page that is not there.
    pub(crate) fn links(&self, host: usize, n: u64) -> impl Iterator<Item = String> {
        let next = &self.hosts[(host + 1) % self.hosts.len()];
        let here = [0, 2 * n + 1, 2 * n + 2].map(|n| format!("/site/{n}"));
        let gone = (n % 4 == 3).then(|| format!("/gone/{n}"));
        here.into_iter().chain([format!("http://{next}/site/{n}")]).chain(gone)
    }

    fn text(&self, text: impl Into<Bytes>) -> Response<Body> {
        Response::new(Full::new(text.into()).map_err(|never| match never {}).boxed_unsync())
    }

    fn refuse(&self, status: StatusCode, retry_after: Option<String>) -> Response<Body> {
        let mut response = self.text(format!("{status}\n"));
        *response.status_mut() = status;
        if let Some(value) = retry_after {
            response.headers_mut().insert(RETRY_AFTER, value.parse().expect("digits and letters"));
        }
        response
    }

    /// So many pieces, one after each `every`, and an end.
    fn pieces(&self, pieces: u64, every: Duration, end: End) -> Response<Body> {
        let time = self.time.clone();
        let body = stream::try_unfold(0, move |given| {
            let time = time.clone();
            async move {
                if given < pieces {
                    time.sleep(every).await;
                    return Ok(Some((Frame::data(Bytes::from(format!("piece {given}\n"))), given + 1)));
                }
                match end {
                    End::Well => Ok(None),
                    End::Never => pending().await,
                    End::Broken => Err(io::Error::other("it breaks")),
                }
            }
        });
        Response::new(StreamBody::new(body).boxed_unsync())
    }
}

/// A request that is being answered.
struct InFlight<'a>(&'a Server, usize);

impl<'a> InFlight<'a> {
    fn enter(server: &'a Server, host: usize) -> Self {
        let mut asked = server.asked();
        let here = asked.in_flight.entry(host).or_default();
        *here += 1;
        let here = *here;
        asked.most_in_flight = asked.most_in_flight.max(here);
        drop(asked);
        Self(server, host)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        *self.0.asked().in_flight.entry(self.1).or_default() -= 1;
    }
}
