//! A network in memory, for the simulator: the same HTTP over pipes, in virtual time.

use super::net::Net;
use hyper_util::rt::TokioIo;
use std::collections::BTreeMap;
use std::future::pending;
use std::io;
use std::sync::{Arc, Mutex};
use tokio::io::{DuplexStream, duplex};
use wakeful::sim::{Sim, Spawner};
use wakeful::spawn::{Spawn, Task};

/// How many bytes are under way at most.
const WINDOW: usize = 4096;

#[derive(Clone)]
pub(crate) struct Memory {
    spawner: Spawner,
    listeners: Arc<Mutex<BTreeMap<String, async_channel::Sender<DuplexStream>>>>,
}

impl Memory {
    pub(crate) fn new(sim: &Sim) -> Self {
        Self { spawner: sim.spawner(), listeners: Arc::default() }
    }
}

impl Spawn for Memory {
    fn spawn(&self, task: Task) {
        self.spawner.spawn(task);
    }
}

impl Net for Memory {
    type Listener = async_channel::Receiver<DuplexStream>;
    type Stream = TokioIo<DuplexStream>;

    async fn listen(&self) -> io::Result<(Self::Listener, String)> {
        let (sender, receiver) = async_channel::unbounded();
        let mut listeners = self.listeners.lock().expect("nobody panics who has it");
        let address = format!("host-{}", listeners.len());
        listeners.insert(address.clone(), sender);
        Ok((receiver, address))
    }

    async fn accept(listener: &Self::Listener) -> io::Result<Self::Stream> {
        match listener.recv().await {
            Ok(stream) => Ok(TokioIo::new(stream)),
            Err(_) => pending().await,
        }
    }

    /// Where nobody listens, nobody answers.
    async fn connect(&self, address: &str) -> io::Result<Self::Stream> {
        let listener = self.listeners.lock().expect("nobody panics who has it").get(address).cloned();
        let Some(listener) = listener else { return pending().await };
        let (here, there) = duplex(WINDOW);
        listener.send(there).await.map_err(io::Error::other)?;
        Ok(TokioIo::new(here))
    }
}
