//! A slow server that keeps one file, on threads of its own.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long it takes to put a piece away.
const PACE: Duration = Duration::from_millis(5);

pub(crate) struct Server {
    address: SocketAddr,
    /// The pieces so far, and whether they are all.
    kept: Arc<Mutex<(Vec<u8>, bool)>>,
}

impl Server {
    pub(crate) fn start(silent: bool) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let (address, kept) = (listener.local_addr()?, Arc::default());
        let shared: Arc<Mutex<(Vec<u8>, bool)>> = Arc::clone(&kept);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let kept = shared.clone();
                // A client that goes away is no trouble of the server's.
                std::thread::spawn(move || serve(client, &kept, silent));
            }
        });
        Ok(Self { address, kept })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How much it keeps: all that it was sent, if it was all.
    pub(crate) fn stop(self) -> usize {
        let kept = self.kept.lock().expect("no thread of the server panics");
        if kept.1 { kept.0.len() } else { 0 }
    }
}

fn serve(client: TcpStream, kept: &Mutex<(Vec<u8>, bool)>, silent: bool) -> io::Result<()> {
    let (mut requests, mut answers) = (BufReader::new(client.try_clone()?), client);
    let mut line = String::new();
    while requests.read_line(&mut line)? > 0 {
        match line.trim_end().strip_prefix("piece ").map(str::parse) {
            Some(Ok(len)) => {
                let mut piece = vec![0; len];
                requests.read_exact(&mut piece)?;
                std::thread::sleep(PACE);
                let mut kept = kept.lock().expect("no thread of the server panics");
                kept.0.append(&mut piece);
                kept.1 = len == 0;
                writeln!(answers, "got it")?;
            }
            _ if silent => {}
            _ => {
                kept.lock().expect("no thread of the server panics").0.clear();
                writeln!(answers, "forgotten")?;
            }
        }
        line.clear();
    }
    Ok(())
}
