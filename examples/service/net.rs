//! What the service needs of a runtime: to spawn, and lines over TCP. Time and cancelling it needs of none.

use async_std::net as async_std_net;
use futures::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use smol::net as smol_net;
use std::io;
use std::net::Shutdown;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net as tokio_net;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use wakeful::spawn::{Spawn, Task};

/// The longest line that is read. Whoever sends a longer one is no client of ours.
const LONGEST: u64 = 1024;

pub(crate) trait Net: Spawn + Clone + Send + Sync + 'static {
    type Listener: Send + Sync + 'static;
    type Lines: Lines;
    type Writer: Writer;

    /// Listens, and says at which address.
    fn listen(&self, address: &str) -> impl Future<Output = io::Result<(Self::Listener, String)>> + Send;

    fn accept(listener: &Self::Listener) -> impl Future<Output = io::Result<(Self::Lines, Self::Writer)>> + Send;

    fn connect(&self, address: &str) -> impl Future<Output = io::Result<(Self::Lines, Self::Writer)>> + Send;
}

pub(crate) trait Lines: Send + 'static {
    /// The next line; none at the end.
    ///
    /// # Cancel safety
    /// A line that was read in part is lost with it.
    fn next(&mut self) -> impl Future<Output = io::Result<Option<String>>> + Send;
}

pub(crate) trait Writer: Send + 'static {
    fn write(&mut self, text: &str) -> impl Future<Output = io::Result<()>> + Send;

    /// Says that nothing more will be written.
    fn close(&mut self) -> impl Future<Output = io::Result<()>> + Send;
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
    type Listener = tokio_net::TcpListener;
    type Lines = tokio::io::BufReader<OwnedReadHalf>;
    type Writer = OwnedWriteHalf;

    async fn listen(&self, address: &str) -> io::Result<(Self::Listener, String)> {
        let listener = tokio_net::TcpListener::bind(address).await?;
        let address = listener.local_addr()?.to_string();
        Ok((listener, address))
    }

    async fn accept(listener: &Self::Listener) -> io::Result<(Self::Lines, Self::Writer)> {
        let (lines, writer) = listener.accept().await?.0.into_split();
        Ok((tokio::io::BufReader::new(lines), writer))
    }

    async fn connect(&self, address: &str) -> io::Result<(Self::Lines, Self::Writer)> {
        let (lines, writer) = tokio_net::TcpStream::connect(address).await?.into_split();
        Ok((tokio::io::BufReader::new(lines), writer))
    }
}

impl Lines for tokio::io::BufReader<OwnedReadHalf> {
    async fn next(&mut self) -> io::Result<Option<String>> {
        let mut line = String::new();
        self.take(LONGEST).read_line(&mut line).await?;
        whole(line)
    }
}

impl Writer for OwnedWriteHalf {
    async fn write(&mut self, text: &str) -> io::Result<()> {
        self.write_all(text.as_bytes()).await
    }

    async fn close(&mut self) -> io::Result<()> {
        self.shutdown().await
    }
}

impl Net for Smol {
    type Listener = smol_net::TcpListener;
    type Lines = BufReader<smol_net::TcpStream>;
    type Writer = smol_net::TcpStream;

    async fn listen(&self, address: &str) -> io::Result<(Self::Listener, String)> {
        let listener = smol_net::TcpListener::bind(address).await?;
        let address = listener.local_addr()?.to_string();
        Ok((listener, address))
    }

    async fn accept(listener: &Self::Listener) -> io::Result<(Self::Lines, Self::Writer)> {
        let (stream, _) = listener.accept().await?;
        Ok((BufReader::new(stream.clone()), stream))
    }

    async fn connect(&self, address: &str) -> io::Result<(Self::Lines, Self::Writer)> {
        let stream = smol_net::TcpStream::connect(address).await?;
        Ok((BufReader::new(stream.clone()), stream))
    }
}

impl Net for AsyncStd {
    type Listener = async_std_net::TcpListener;
    type Lines = BufReader<async_std_net::TcpStream>;
    type Writer = async_std_net::TcpStream;

    async fn listen(&self, address: &str) -> io::Result<(Self::Listener, String)> {
        let listener = async_std_net::TcpListener::bind(address).await?;
        let address = listener.local_addr()?.to_string();
        Ok((listener, address))
    }

    async fn accept(listener: &Self::Listener) -> io::Result<(Self::Lines, Self::Writer)> {
        let (stream, _) = listener.accept().await?;
        Ok((BufReader::new(stream.clone()), stream))
    }

    async fn connect(&self, address: &str) -> io::Result<(Self::Lines, Self::Writer)> {
        let stream = async_std_net::TcpStream::connect(address).await?;
        Ok((BufReader::new(stream.clone()), stream))
    }
}

impl<R: futures::io::AsyncRead + Unpin + Send + 'static> Lines for BufReader<R> {
    async fn next(&mut self) -> io::Result<Option<String>> {
        let mut line = String::new();
        self.take(LONGEST).read_line(&mut line).await?;
        whole(line)
    }
}

impl Writer for smol_net::TcpStream {
    async fn write(&mut self, text: &str) -> io::Result<()> {
        self.write_all(text.as_bytes()).await
    }

    async fn close(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

impl Writer for async_std_net::TcpStream {
    async fn write(&mut self, text: &str) -> io::Result<()> {
        self.write_all(text.as_bytes()).await
    }

    async fn close(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

/// What was read, if it is a line.
fn whole(mut line: String) -> io::Result<Option<String>> {
    match line.pop() {
        None => Ok(None),
        Some('\n') => {
            line.truncate(line.trim_end_matches('\r').len());
            Ok(Some(line))
        }
        Some(_) if (line.len() as u64) < LONGEST - 1 => Err(io::ErrorKind::UnexpectedEof.into()),
        Some(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "the line is too long")),
    }
}
