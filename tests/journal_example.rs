//! The example that shuts down in phases on SIGTERM, as a user runs it.
#![cfg(unix)]

#[path = "../examples/journal/main.rs"]
#[expect(dead_code, reason = "`main` is called in the example's own binary alone")]
mod journal;

use journal::Options;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Gives lines to a test as they are written.
struct Lines(mpsc::Sender<String>, Vec<u8>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        for &byte in bytes {
            match byte {
                b'\n' => drop(self.0.send(String::from_utf8(std::mem::take(&mut self.1)).unwrap())),
                _ => self.1.push(byte),
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(address: &str) -> Self {
        Self(BufReader::new(TcpStream::connect(address).unwrap()))
    }

    fn send(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
    }

    /// The next line; empty, if the server has closed the connection.
    fn hear(&mut self) -> String {
        let mut line = String::new();
        // A connection that was cut short may have been reset.
        let _ = self.0.read_line(&mut line);
        line
    }
}

/// Sends this process, and the example in it, a signal. One test, since all would hear it.
fn terminate() {
    let status = Command::new("kill").args(["-TERM", &std::process::id().to_string()]).status().unwrap();
    assert!(status.success());
}

#[test]
fn on_sigterm_it_shuts_down_in_phases_and_loses_no_line_that_it_has_noted() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("journal");
    let options = Options { drain: Duration::from_millis(300), ..Options::new(&file) };
    let (out, said) = mpsc::channel();
    let server = std::thread::spawn(move || journal::run(&options, &mut Lines(out, Vec::new())).unwrap());
    let listening = said.recv().unwrap();
    let address = listening.strip_prefix("listening on ").expect(&listening);

    let (mut idle, mut busy, mut stuck) =
        (Client::connect(address), Client::connect(address), Client::connect(address));
    for client in [&mut idle, &mut busy, &mut stuck] {
        client.send("a line\n");
        assert_eq!(client.hear(), "noted\n");
    }
    // A line that has begun.
    busy.send("an");
    let asked = Instant::now();
    terminate();
    for client in [&mut idle, &mut busy, &mut stuck] {
        assert_eq!(client.hear(), "closing\n");
    }
    drop(idle);
    busy.send("other\n");
    assert_eq!(busy.hear(), "noted\n", "what had begun is finished");
    drop(busy);
    // More than are written down before it is cut short, so that some lie in the queue then.
    stuck.send(&"more\n".repeat(5_000));
    let noted = std::iter::from_fn(|| Some(stuck.hear()).filter(|line| line == "noted\n")).count();
    assert!(noted > 0, "until it is cut short, as it does not go");
    assert!(asked.elapsed() >= Duration::from_millis(300));
    server.join().unwrap();
    let report = said.recv().unwrap();
    // The writer ends when nobody is left to give it lines, which may be before its turn.
    let expected = "SIGTERM: accepting: 1 drained; connections: 2 drained, 1 forced (connection); journal: ";
    assert!(report.starts_with(expected) && !report.contains("lost"), "{report}");
    let mut journal: Vec<_> = std::fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect();
    let more = journal.extract_if(.., |line| line == "more").count();
    assert!(more >= noted, "{more} of {noted} lines");
    journal.sort();
    assert_eq!(journal, ["a line", "a line", "a line", "another"]);
}
