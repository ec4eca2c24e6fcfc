//! What a program that speaks HTTP needs of a runtime: to spawn, to listen and to connect. Time it needs of none.

use async_std::net::{TcpListener as AsyncStdListener, TcpStream as AsyncStdStream};
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use smol::net::{TcpListener as SmolListener, TcpStream as SmolStream};
use smol_hyper::rt::FuturesIo;
use std::io;
use tokio::net::{TcpListener as TokioListener, TcpStream as TokioStream};
use wakeful::spawn::{Spawn, Task};

/// Where the listeners are: a port of this machine that is free.
const ANY: (&str, u16) = ("127.0.0.1", 0);

pub(crate) trait Net: Spawn + Clone + Send + Sync + 'static {
    type Listener: Send + 'static;
    type Stream: Read + Write + Unpin + Send + 'static;

    /// Listens, and says at which address.
    fn listen(&self) -> impl Future<Output = io::Result<(Self::Listener, String)>> + Send;

    fn accept(listener: &Self::Listener) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    fn connect(&self, address: &str) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// Both kinds of tokio's runtimes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tokio;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Smol;

#[derive(Clone, Copy, Debug)]
pub(crate) struct AsyncStd;

impl Spawn for Tokio {
    fn spawn(&self, task: Task) {
        tokio::spawn(task);
    }
}

impl Spawn for Smol {
    fn spawn(&self, task: Task) {
        smol::spawn(task).detach();
    }
}

impl Spawn for AsyncStd {
    fn spawn(&self, task: Task) {
        async_std::task::spawn(task);
    }
}

impl Net for Tokio {
    type Listener = TokioListener;
    type Stream = TokioIo<TokioStream>;

    async fn listen(&self) -> io::Result<(Self::Listener, String)> {
        let listener = TokioListener::bind(ANY).await?;
        let address = listener.local_addr()?.to_string();
        Ok((listener, address))
    }

    async fn accept(listener: &Self::Listener) -> io::Result<Self::Stream> {
        Ok(TokioIo::new(listener.accept().await?.0))
    }

    async fn connect(&self, address: &str) -> io::Result<Self::Stream> {
        Ok(TokioIo::new(TokioStream::connect(address).await?))
    }
}

impl Net for Smol {
    type Listener = SmolListener;
    type Stream = FuturesIo<SmolStream>;

    async fn listen(&self) -> io::Result<(Self::Listener, String)> {
        let listener = SmolListener::bind(ANY).await?;
        let address = listener.local_addr()?.to_string();
        Ok((listener, address))
    }

    async fn accept(listener: &Self::Listener) -> io::Result<Self::Stream> {
        Ok(FuturesIo::new(listener.accept().await?.0))
    }

    async fn connect(&self, address: &str) -> io::Result<Self::Stream> {
        Ok(FuturesIo::new(SmolStream::connect(address).await?))
    }
}

impl Net for AsyncStd {
    type Listener = AsyncStdListener;
    type Stream = FuturesIo<AsyncStdStream>;

    async fn listen(&self) -> io::Result<(Self::Listener, String)> {
        let listener = AsyncStdListener::bind(ANY).await?;
        let address = listener.local_addr()?.to_string();
        Ok((listener, address))
    }

    async fn accept(listener: &Self::Listener) -> io::Result<Self::Stream> {
        Ok(FuturesIo::new(listener.accept().await?.0))
    }

    async fn connect(&self, address: &str) -> io::Result<Self::Stream> {
        Ok(FuturesIo::new(AsyncStdStream::connect(address).await?))
    }
}
