//! A service with so many workers, before whom calls wait.

use std::sync::Mutex;
use std::time::Duration;
use wakeful::time::{Instant, Time};

/// From when on half of the workers are gone.
pub(crate) const HALVED: Duration = Duration::from_secs(10);
/// From when on nobody is there.
pub(crate) const AWAY: Duration = Duration::from_secs(20);
/// From when on all are there again.
pub(crate) const BACK: Duration = Duration::from_secs(25);
/// From when on few clients are left.
pub(crate) const QUIET: Duration = Duration::from_secs(35);
/// When all is over.
pub(crate) const END: Duration = Duration::from_secs(40);

const WORKERS: usize = 20;
const WORK: Duration = Duration::from_millis(100);
/// How long it takes to see that nobody is there.
const REFUSAL: Duration = Duration::from_millis(20);

/// The service has too much to do, or is away.
#[derive(Debug)]
pub(crate) struct Refused;

pub(crate) struct Service {
    time: Time,
    /// When each worker will be free.
    free: Mutex<[Instant; WORKERS]>,
}

impl Service {
    pub(crate) fn new(time: Time) -> Self {
        Self { time, free: Mutex::new([Instant::EPOCH; WORKERS]) }
    }

    /// How many work at this instant.
    pub(crate) fn workers(&self) -> usize {
        match self.time.now() - Instant::EPOCH {
            now if now < HALVED => WORKERS,
            now if now < AWAY => WORKERS / 2,
            now if now < BACK => 0,
            _ => WORKERS,
        }
    }

    /// Does the work, and says how long that took.
    pub(crate) async fn call(&self) -> Result<Duration, Refused> {
        let came = self.time.now();
        let done = {
            let mut free = self.free.lock().unwrap();
            let first = free[..self.workers()].iter_mut().min();
            first.map(|free| {
                *free = came.max(*free) + WORK;
                *free
            })
        };
        match done {
            Some(done) => self.time.sleep_until(done).await,
            None => self.time.sleep(REFUSAL).await,
        }
        // What was waiting when all went away is lost.
        if self.workers() == 0 || done.is_none() { Err(Refused) } else { Ok(self.time.now() - came) }
    }
}
