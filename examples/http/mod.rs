//! HTTP on any runtime, for the examples `requests` and `scraper`: a server on which things go wrong, and a client that copes.

pub(crate) mod client;
pub(crate) mod failure;
pub(crate) mod memory;
pub(crate) mod net;
pub(crate) mod server;

use client::{Client, Limits};
use memory::Memory;
use net::{AsyncStd, Net, Smol, Tokio};
use server::Server;
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use wakeful::cancel::Scope;
use wakeful::sim;
use wakeful::task::{TaskGroup, group};
use wakeful::time::{SystemWall, Time, Wall};

/// What runs on any runtime.
pub(crate) trait Program {
    type Output;

    async fn run<N: Net>(self, net: N, scope: &Scope, wall: Arc<dyn Wall>) -> io::Result<Self::Output>;
}

/// The runtimes: over sockets, and in virtual time over pipes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runtime {
    TokioMultiThread,
    TokioCurrentThread,
    Smol,
    AsyncStd,
    Simulated,
}

impl Runtime {
    pub(crate) const ALL: [Self; 5] =
        [Self::TokioMultiThread, Self::TokioCurrentThread, Self::Smol, Self::AsyncStd, Self::Simulated];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::TokioMultiThread => "tokio-multi-thread",
            Self::TokioCurrentThread => "tokio-current-thread",
            Self::Smol => "smol",
            Self::AsyncStd => "async-std",
            Self::Simulated => "simulated",
        }
    }

    /// Runs a program to its end.
    pub(crate) fn run<P: Program>(self, program: P) -> io::Result<P::Output> {
        let (scope, wall) = (Scope::new(Time::system()), Arc::new(SystemWall));
        match self {
            // Of tokio only sockets are asked for: its timer is not switched on.
            Self::TokioMultiThread => {
                let runtime = tokio::runtime::Builder::new_multi_thread().enable_io().build()?;
                runtime.block_on(program.run(Tokio, &scope, wall))
            }
            Self::TokioCurrentThread => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
                runtime.block_on(program.run(Tokio, &scope, wall))
            }
            Self::Smol => smol::block_on(program.run(Smol, &scope, wall)),
            Self::AsyncStd => async_std::task::block_on(program.run(AsyncStd, &scope, wall)),
            Self::Simulated => sim::run(|sim| async move {
                program.run(Memory::new(&sim), &Scope::new(sim.time()), Arc::new(sim.wall())).await
            }),
        }
    }
}

/// Runs `body` with a server that has so many hosts, and a client. When it returns, all connections are closed, and no task of
/// either is left.
pub(crate) async fn with_server<N: Net, T>(
    net: &N,
    scope: &Scope,
    wall: Arc<dyn Wall>,
    hosts: NonZeroUsize,
    limits: Limits,
    body: impl AsyncFnOnce(&Server, &Client<N>) -> T,
) -> io::Result<T> {
    // Connections are background children: they are cancelled when the body is done.
    let all = group(net.clone()).named("http").run(scope, async |g: TaskGroup<io::Error>| {
        let server = Server::start(net, &g, wall.clone(), hosts).await?;
        let client = Client::new(net, &g, wall, limits);
        Ok(body(&server, &client).await)
    });
    all.await.map_err(|error| io::Error::other(error.to_string()))
}
