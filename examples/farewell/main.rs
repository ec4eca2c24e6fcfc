//! Sends a file to a server within a deadline, and takes its leave properly if that is too short.
//!
//! The server keeps what it was sent only if it was sent all of it. So a client that is cut short says so, and waits for the
//! server to have let go of the piece: cleanup that takes time, after time was up. It runs in a shield whose budget is all
//! that it may add. A server that does not answer costs that budget and no more.
//!
//! ```text
//! cargo run --example farewell -- FILE [--deadline MILLISECONDS] [--budget MILLISECONDS] [--silent]
//! ```

mod server;

use server::Server;
use smol::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use smol::net::TcpStream;
use std::cell::Cell;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;
use wakeful::cancel::{Outcome, Reason, Scope};
use wakeful::time::Time;

/// What is sent at once.
const PIECE: usize = 4096;

/// What is asked for.
pub(crate) struct Options {
    pub(crate) file: PathBuf,
    pub(crate) deadline: Duration,
    pub(crate) budget: Duration,
    /// Whether the server leaves a farewell unanswered.
    pub(crate) silent: bool,
}

impl Options {
    pub(crate) fn new(file: impl Into<PathBuf>) -> Self {
        Self {
            file: file.into(),
            deadline: Duration::from_millis(100),
            budget: Duration::from_millis(500),
            silent: false,
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = Options::new("");
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        let millis =
            |value: std::ffi::OsString| Ok::<_, lexopt::Error>(Duration::from_millis(lexopt::ValueExt::parse(&value)?));
        match arg {
            lexopt::Arg::Long("deadline") => options.deadline = millis(args.value()?)?,
            lexopt::Arg::Long("budget") => options.budget = millis(args.value()?)?,
            lexopt::Arg::Long("silent") => options.silent = true,
            lexopt::Arg::Value(file) if options.file.as_os_str().is_empty() => options.file = file.into(),
            other => return Err(other.unexpected().into()),
        }
    }
    run(&options, &mut io::stdout())?;
    Ok(())
}

/// The whole example.
pub(crate) fn run(options: &Options, out: &mut impl Write) -> io::Result<()> {
    let server = Server::start(options.silent)?;
    let scope = Scope::new(Time::system()).child_after(options.deadline);
    let sent = smol::block_on(send(&scope, options, &server))?;
    match sent {
        Sent::All(bytes) => writeln!(out, "sent all {bytes} bytes")?,
        Sent::Part { bytes, reason, released } => {
            writeln!(out, "cut short after {bytes} bytes: {reason}")?;
            let said = if released { "has let go of them" } else { "did not answer; nobody waits for it any longer" };
            writeln!(out, "the server {said}")?;
        }
    }
    writeln!(out, "the server keeps {} bytes", server.stop())
}

/// What became of it.
enum Sent {
    All(usize),
    Part { bytes: usize, reason: Reason, released: bool },
}

async fn send(scope: &Scope, options: &Options, server: &Server) -> io::Result<Sent> {
    let mut file = smol::fs::File::open(&options.file).await?;
    let mut stream = TcpStream::connect(server.address()).await?;
    let (bytes, released) = (Cell::new(0), Cell::new(false));
    let body = async {
        let (mut piece, mut answers) = (vec![0; PIECE], BufReader::new(stream.clone()));
        loop {
            let read = file.read(&mut piece).await?;
            say(&mut stream, &format!("piece {read}"), &piece[..read]).await?;
            // An empty piece is the last one.
            hear(&mut answers, "got it").await?;
            bytes.set(bytes.get() + read);
            if read == 0 {
                return Ok(bytes.get());
            }
        }
    };
    let farewell = async |_: Reason| {
        // The last piece may have been sent in part: the farewell goes over a connection of its own.
        let gone = async {
            let mut stream = TcpStream::connect(server.address()).await?;
            say(&mut stream, "forget it", &[]).await?;
            hear(&mut BufReader::new(stream), "forgotten").await
        };
        released.set(gone.await.is_ok());
    };
    let outcome: Outcome<io::Result<usize>> = scope.run(body).cleanup(farewell, options.budget).await;
    match outcome {
        Outcome::Done(sent) => sent.map(Sent::All),
        Outcome::Cancelled(why) => {
            Ok(Sent::Part { bytes: bytes.get(), reason: why.reason().clone(), released: released.get() })
        }
    }
}

async fn say(stream: &mut TcpStream, line: &str, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(format!("{line}\n").as_bytes()).await?;
    stream.write_all(bytes).await
}

async fn hear(answers: &mut BufReader<TcpStream>, expected: &str) -> io::Result<()> {
    let mut line = String::new();
    answers.read_line(&mut line).await?;
    match line.trim_end() == expected {
        true => Ok(()),
        false => Err(io::Error::other(format!("the server says `{}`, not `{expected}`", line.trim_end()))),
    }
}
