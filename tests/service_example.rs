//! The example of a service: a real process, real signals and a back end in the test's hand, on every runtime.
//!
//! Nothing here waits for time to pass: each step waits for a line, a call of the back end, or the end of the process. A service
//! from which none of that comes for long is killed, so that the test fails instead of waiting.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

const RUNTIMES: [&str; 4] = ["tokio", "tokio-current-thread", "smol", "async-std"];

/// Longer than any test.
const LONG: &str = "3600000";

/// The example's binary, which `cargo test` builds beside the tests.
fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let profile = test.parent().and_then(Path::parent).expect("a test lies in the folder `deps` of its profile");
    let binary = profile.join("examples").join("service");
    assert!(
        binary.is_file(),
        "{} is not there: `cargo test` builds it, `cargo test --test` does not; run `cargo build --example service` first",
        binary.display()
    );
    binary
}

/// After so long something hangs.
const HANGS: Duration = Duration::from_secs(120);

/// What the service asks. It answers as the test says, call by call.
struct Backend {
    address: SocketAddr,
    calls: mpsc::Receiver<Call>,
}

struct Call {
    request: String,
    stream: TcpStream,
}

impl Backend {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, (called, calls)) = (listener.local_addr().unwrap(), mpsc::channel());
        // An accept has no time limit, a channel has. The thread ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, mut request) = (stream.unwrap(), String::new());
                BufReader::new(&stream).read_line(&mut request).unwrap();
                if called.send(Call { request: request.trim_end().to_owned(), stream }).is_err() {
                    return;
                }
            }
        });
        Self { address, calls }
    }

    /// The next call.
    fn call(&self) -> Call {
        self.calls.recv_timeout(HANGS).expect("the service calls its back end")
    }

    /// The next call, which is this one.
    fn expect(&self, request: &str) -> Call {
        let call = self.call();
        assert_eq!(call.request, request);
        call
    }
}

impl Call {
    fn answer(mut self) {
        let answer = format!("{}\n", self.request.to_uppercase());
        self.stream.write_all(answer.as_bytes()).unwrap();
    }
}

/// Is killed, if the test fails before it has ended, or if it hangs.
struct Process {
    child: Child,
    _ended: mpsc::Sender<()>,
}

impl Process {
    fn new(child: Child) -> Self {
        let (pid, (_ended, end)) = (child.id().to_string(), mpsc::channel());
        std::thread::spawn(move || {
            // It is still there: it is waited for before the other end is gone.
            if end.recv_timeout(HANGS) == Err(mpsc::RecvTimeoutError::Timeout) {
                let _ = Command::new("kill").args(["-KILL", &pid]).status();
            }
        });
        Self { child, _ended }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Service {
    process: Process,
    says: Lines<BufReader<ChildStdout>>,
    address: String,
}

impl Service {
    /// One that has not said anything yet.
    fn start(runtime: &str, backend: &Backend, options: &[&str]) -> Self {
        let backend = backend.address.to_string();
        let mut command = Command::new(binary());
        command.args(["--runtime", runtime, "--backend", &backend, "--timeout", LONG]).args(options);
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let says = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process: Process::new(process), says, address: String::new() }
    }

    /// One that takes requests.
    fn ready(runtime: &str, backend: &Backend, options: &[&str]) -> Self {
        let mut service = Self::start(runtime, backend, options);
        backend.expect("ping").answer();
        let line = service.line();
        service.address = line.strip_prefix("listening on ").expect(&line).to_owned();
        service
    }

    /// The next line that it says.
    fn line(&mut self) -> String {
        self.says.next().expect("it says something more").unwrap()
    }

    fn signal(&self, name: &str) {
        let status =
            Command::new("kill").args([format!("-{name}"), self.process.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// What it says until it ends, and its status.
    fn end(mut self) -> (Vec<String>, i32) {
        let says = self.says.map(Result::unwrap).collect();
        (says, self.process.child.wait().unwrap().code().expect("it exits by itself"))
    }
}

struct Client(BufReader<TcpStream>);

impl Client {
    fn new(service: &Service) -> Self {
        Self(BufReader::new(TcpStream::connect(&service.address).unwrap()))
    }

    fn send(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line
    }

    /// The rest of what it hears, in some order.
    fn rest(mut self) -> Vec<String> {
        let mut text = String::new();
        self.0.read_to_string(&mut text).unwrap();
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }
}

/// Everybody has gone in the grace. How many were left when their turn came differs.
fn assert_in_order(phases: &str) {
    assert!(phases.starts_with("intake: ") && phases.contains("; background: 2 drained"), "{phases}");
    assert!(!phases.contains("forced") && !phases.contains("lost"), "{phases}");
}

#[test]
fn what_was_accepted_is_answered_though_sigterm_came_in_between() {
    for runtime in RUNTIMES {
        let (backend, folder) = (Backend::new(), tempfile::tempdir().unwrap());
        let log = folder.path().join("log");
        let mut service = Service::ready(
            runtime,
            &backend,
            &["--workers", "1", "--queue", "2", "--grace", LONG, "--log", log.to_str().unwrap()],
        );
        let mut client = Client::new(&service);
        client.send("a cat\n");
        let cat = backend.expect("cat");
        client.send("b dog\nc cow\nd pig\n");
        assert_eq!(client.hear(), "d refused: the queue is full: 2 items are in it\n");

        service.signal("TERM");
        assert_eq!(service.line(), "SIGTERM: stopping, 2 queued, 1 running");
        client.send("e hen\nf");
        cat.answer();
        backend.expect("dog").answer();
        backend.expect("cow").answer();
        assert_eq!(client.rest(), ["a done: CAT", "b done: DOG", "c done: COW"], "{runtime}");

        let (mut says, status) = service.end();
        assert_in_order(&says.pop().unwrap());
        assert_eq!(
            says,
            [
                "stopped by SIGTERM",
                "refused: 0 too fast, 1 too many, 0 too late",
                "accepted: 3 (3 done, 0 failed, 0 panicked, 0 timed out, 0 cancelled, 0 skipped)",
                "answers: 3 written, 0 to clients that had gone, 0 not; 3 logged",
            ],
            "{runtime}"
        );
        assert_eq!(status, 0);
        // Each request logs by itself.
        let log = std::fs::read_to_string(&log).unwrap();
        let mut logged: Vec<_> = log.lines().collect();
        logged.sort_unstable();
        assert_eq!(logged, ["a done: CAT", "b done: DOG", "c done: COW"], "{runtime}");
    }
}

#[test]
fn after_the_grace_the_rest_is_cancelled_and_told_so() {
    for runtime in RUNTIMES {
        let backend = Backend::new();
        let service = Service::ready(runtime, &backend, &["--workers", "1", "--queue", "1", "--grace", "20"]);
        let mut client = Client::new(&service);
        client.send("a cat\n");
        let _cat = backend.expect("cat");
        client.send("b dog\nc cow\n");
        assert_eq!(client.hear(), "c refused: the queue is full: 1 items are in it\n");
        service.signal("INT");
        assert_eq!(client.rest(), ["a cancelled: the service stops", "b not begun: the service stops"], "{runtime}");
        let (mut says, status) = service.end();
        assert_in_order(&says.pop().unwrap());
        assert_eq!(
            says,
            [
                "SIGINT: stopping, 1 queued, 1 running",
                "stopped by SIGINT",
                "refused: 0 too fast, 1 too many, 0 too late",
                "accepted: 2 (0 done, 0 failed, 0 panicked, 0 timed out, 1 cancelled, 1 skipped)",
                "answers: 2 written, 0 to clients that had gone, 0 not; 2 logged",
            ],
            "{runtime}"
        );
        assert_eq!(status, 1);
    }
}

#[test]
fn a_second_signal_cuts_everything_short() {
    for runtime in RUNTIMES {
        let backend = Backend::new();
        let mut service = Service::ready(runtime, &backend, &["--grace", LONG]);
        let mut client = Client::new(&service);
        client.send("a cat\n");
        let _cat = backend.expect("cat");
        service.signal("TERM");
        assert_eq!(service.line(), "SIGTERM: stopping, 0 queued, 1 running");
        service.signal("INT");
        let (says, status) = service.end();
        assert_eq!(says[0], "stopped by SIGTERM, and cut short by SIGINT", "{runtime}");
        assert_eq!(says[2], "accepted: 1 (0 done, 0 failed, 0 panicked, 0 timed out, 1 cancelled, 0 skipped)");
        assert_eq!(number(&says[3], "written") + number(&says[3], "not"), 1, "{says:?}");
        assert!(!says[4].contains("lost"), "{says:?}");
        assert_eq!(status, 128 + 2);
    }
}

#[test]
fn a_signal_before_it_is_ready_ends_it_there_and_then() {
    for runtime in RUNTIMES {
        let backend = Backend::new();
        let service = Service::start(runtime, &backend, &[]);
        // A back end that does not answer.
        let _ping = backend.expect("ping");
        service.signal("TERM");
        assert_eq!(service.end(), (vec!["stopped by SIGTERM before it was ready".to_owned()], 0), "{runtime}");
    }
}

#[test]
fn a_signal_while_it_is_idle_waits_for_nobody() {
    for runtime in RUNTIMES {
        let backend = Backend::new();
        let service = Service::ready(runtime, &backend, &["--grace", LONG]);
        service.signal("INT");
        let (mut says, status) = service.end();
        assert_in_order(&says.pop().unwrap());
        assert_eq!(
            says,
            [
                "SIGINT: stopping, 0 queued, 0 running",
                "stopped by SIGINT",
                "refused: 0 too fast, 0 too many, 0 too late",
                "accepted: 0 (0 done, 0 failed, 0 panicked, 0 timed out, 0 cancelled, 0 skipped)",
                "answers: 0 written, 0 to clients that had gone, 0 not; 0 logged",
            ],
            "{runtime}"
        );
        assert_eq!(status, 0);
    }
}

/// Which number stands before `word` in a line of the report.
fn number(line: &str, word: &str) -> usize {
    let before = line.split(word).next().unwrap().trim_end();
    before.rsplit(|c: char| !c.is_ascii_digit()).next().unwrap().parse().expect(line)
}

/// Sends requests, another one for each answer, as long as there are answers, which it gives back. Says when the first one came.
fn press(mut client: Client, heard: &mpsc::Sender<()>) -> Vec<String> {
    client.send(&"x cat\n".repeat(20));
    let (mut lines, mut line) = (Vec::new(), String::new());
    // A connection that is closed while requests are on their way may be reset.
    while client.0.read_line(&mut line).is_ok_and(|len| len > 0) {
        lines.push(std::mem::take(&mut line));
        let _ = client.0.get_mut().write_all(b"x cat\n");
        if lines.len() == 1 {
            heard.send(()).unwrap();
        }
    }
    lines
}

#[test]
fn under_load_every_request_that_was_accepted_is_answered_and_the_report_adds_up() {
    const CLIENTS: usize = 4;
    for runtime in RUNTIMES {
        let backend = Backend::new();
        let service = Service::ready(runtime, &backend, &["--queue", "16", "--rate", "1000", "--grace", LONG]);
        let address = backend.address;
        let answers = std::thread::spawn(move || {
            let calls = std::iter::repeat_with(|| backend.call());
            calls.take_while(|call| call.request != "the test is over").for_each(Call::answer);
        });
        let (heard, each) = mpsc::channel();
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let (client, heard) = (Client::new(&service), heard.clone());
                std::thread::spawn(move || press(client, &heard))
            })
            .collect();
        each.iter().take(CLIENTS).for_each(drop);
        service.signal("TERM");
        let lines: Vec<String> = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
        let (says, status) = service.end();
        let done = lines.iter().filter(|line| *line == "x done: CAT\n").count();
        let refused = lines.iter().filter(|line| line.starts_with("x refused: ")).count();
        assert_eq!(done + refused, lines.len(), "{runtime}: {lines:?}");
        let [_, _, turned_away, accepted, written, _] = &says[..] else { panic!("{says:?}") };
        let counted: usize = ["too fast", "too many", "too late"].iter().map(|why| number(turned_away, why)).sum();
        assert_eq!(counted, refused, "{runtime}: {says:?}");
        assert_eq!((number(accepted, "("), number(accepted, "done")), (done, done), "{runtime}: {says:?}");
        assert_eq!((number(written, "written"), status), (done, 0), "{runtime}: {says:?}");
        TcpStream::connect(address).unwrap().write_all(b"the test is over\n").unwrap();
        answers.join().unwrap();
    }
}
