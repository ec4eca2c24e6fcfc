//! A server that keeps a journal of the lines it is sent, and shuts down in phases when it is asked to by a signal.
//!
//! On SIGTERM or SIGINT it first stops to accept, then tells each client, which may finish what it has begun, and at last lets
//! the journal write down what it was given. Each phase has its limits, and the report says who kept to them: a client that
//! does not go is cut short, and costs no more than the limit.
//!
//! ```text
//! cargo run --example journal -- FILE [--port PORT] [--drain MILLISECONDS]
//! kill -TERM %1
//! ```

use async_signal::{Signal, Signals};
use smol::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use smol::net::{Ipv4Addr, TcpListener, TcpStream};
use smol::stream::StreamExt;
use std::fs::File;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;
use wakeful::cancel::{Reason, Scope};
use wakeful::queue::{self, Receiver, Sender};
use wakeful::spawn::Job;
use wakeful::task::{Phase, Registry, offload};
use wakeful::time::Time;

/// What is asked for.
pub(crate) struct Options {
    pub(crate) file: PathBuf,
    /// 0: any.
    pub(crate) port: u16,
    /// What connections have to answer what they have begun.
    pub(crate) drain: Duration,
}

impl Options {
    pub(crate) fn new(file: impl Into<PathBuf>) -> Self {
        Self { file: file.into(), port: 0, drain: Duration::from_secs(2) }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    use lexopt::ValueExt;
    let mut options = Options::new("");
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            lexopt::Arg::Long("port") => options.port = args.value()?.parse()?,
            lexopt::Arg::Long("drain") => options.drain = Duration::from_millis(args.value()?.parse()?),
            lexopt::Arg::Value(file) if options.file.as_os_str().is_empty() => options.file = file.into(),
            other => return Err(other.unexpected().into()),
        }
    }
    run(&options, &mut io::stdout())?;
    Ok(())
}

/// The whole example.
pub(crate) fn run(options: &Options, out: &mut impl Write) -> io::Result<()> {
    smol::block_on(serve(options, out))
}

async fn serve(options: &Options, out: &mut impl Write) -> io::Result<()> {
    // Before anybody knows that the server is there.
    let mut signals = Signals::new([Signal::Term, Signal::Int])?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
    let registry = Registry::new(&Scope::new(Time::system()));
    let second = Duration::from_secs(1);
    let accepting = registry.phase("accepting", second, second);
    let connections = registry.phase("connections", options.drain, second);
    let journal = registry.phase("journal", 5 * second, second);

    let (lines, received) = queue::bounded(NonZeroUsize::new(64).expect("not zero"));
    let file = File::options().create(true).append(true).open(&options.file)?;
    let keeps = keep(journal.clone(), file, received);
    smol::spawn(journal.track("writer", keeps).expect("it is open")).detach();
    writeln!(out, "listening on {}", listener.local_addr()?)?;
    out.flush()?;
    let accepts = accept(listener, accepting.clone(), connections, lines);
    smol::spawn(accepting.track("listener", accepts).expect("it is open")).detach();

    let signal = signals.next().await.transpose()?;
    let name = signal.map_or("no signal", |signal| if signal == Signal::Term { "SIGTERM" } else { "SIGINT" });
    let report = registry.shutdown(Reason::shutdown().with_text(name)).await;
    writeln!(out, "{name}: {report}")
}

/// Accepts until the server winds down.
async fn accept(listener: TcpListener, phase: Phase, connections: Phase, lines: Sender<Vec<u8>>) {
    while let Some(accepted) = phase.scope().unless_draining(listener.accept()).await {
        // A client that is gone before it was accepted is no trouble of the server's.
        let Ok((client, _)) = accepted else { continue };
        let answers = answer(client, connections.clone(), lines.clone());
        if let Ok(answers) = connections.track("connection", answers) {
            smol::spawn(answers).detach();
        }
    }
}

/// Journals the lines of a client, and answers each. When the server winds down the client is told, and may finish.
async fn answer(client: TcpStream, phase: Phase, journal: Sender<Vec<u8>>) -> io::Result<()> {
    let (mut requests, mut answers) = (BufReader::new(client.clone()), client);
    let (mut line, mut told) = (Vec::new(), false);
    loop {
        let winds_down = async {
            if told {
                std::future::pending::<()>().await;
            }
            drop(phase.scope().draining().await);
            Ok(true)
        };
        // What was read of a line stays in `line` when the wait for the rest is given up.
        let read = async { requests.read_until(b'\n', &mut line).await.map(|_| false) };
        if smol::future::or(read, winds_down).await? {
            told = true;
            answers.write_all(b"closing\n").await?;
        } else if line.ends_with(b"\n") {
            let sent = journal.send(std::mem::take(&mut line)).await;
            answers.write_all(if sent.is_ok() { b"noted\n" } else { b"too late\n" }).await?;
        } else {
            return Ok(());
        }
    }
}

/// Writes down what it is given, until nobody is left to give anything.
async fn keep(phase: Phase, mut file: File, lines: Receiver<Vec<u8>>) -> io::Result<()> {
    let blocking = |job: Job| blocking::unblock(|| job.run()).detach();
    while let Ok(line) = lines.recv().await {
        let work = move || file.write_all(&line).and_then(|()| file.sync_data()).map(|()| file);
        // Not by the phase itself, which takes nothing new once it winds down: what waits in the queue then is written, too.
        file = offload(phase.scope(), &blocking, "write", work).await.map_err(io::Error::other)??;
    }
    Ok(())
}
