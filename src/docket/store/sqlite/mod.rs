//! The store on SQLite: the same transitions as the [ledger](super::ledger)'s, each a transaction.

mod changes;
mod clock;
mod codec;
mod desk;
mod lines;
mod open;
mod put;
mod rows;
mod runs;
mod schema;
mod slot;
mod tx;

pub use open::{OpenError, SqliteBuilder};

use super::fates::{Listener, Listeners};
use super::ledger::Ledger;
use super::types::{
    Cancelled, Claim, Claims, Close, Entry, Fence, Finished, Generation, Put, Renewal, Renewed, Row, Snapshot,
    StoreError, StrikeId, Topic, When,
};
use super::{Answer, Store};
use crate::docket::Strike;
use crate::spawn::Offload;
use crate::sys::Arc;
use crate::sys::thread::contain;
use crate::time::{Time, Wall};
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use changes::{Changes, Counted};
use core::fmt;
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use desk::Clerk;
use tx::{Fault, Meta, Tx, unsigned};

/// A [`Store`] in a file, which outlives the process, and which several processes may share. Clones are the same store.
///
/// It is SQLite, built in. Each transition is one transaction, on a connection that one thread has at a time: the thread comes
/// from the [`Offload`] that the store is given, so no executor is blocked. For what may be lost with the process,
/// [`MemoryStore`](super::MemoryStore) is some ten times as fast, and waits for no disk. Network file systems can't be relied on:
/// all processes have to be on one machine.
///
/// # What survives
/// What was answered has happened, and stays so, whatever becomes of the process or of the machine: the write-ahead log is
/// flushed to the disk before an answer is given (`synchronous = FULL`), unless the store is
/// [relaxed](SqliteBuilder::relaxed). What was asked and not answered has happened as a whole, or not at all. What ran in a
/// process that died lapses with its lease, and is claimed anew; how often it was, is written down too.
///
/// Values are kept as JSON, numbers exactly. Arguments that are nested more than 120 deep are refused, and a run whose output is,
/// or what it is to run with once more, ends as [failed](super::Ending::Failed).
///
/// `file`, `file-wal` and `file-shm` belong together: who copies one while somebody works on it copies nothing whole.
///
/// # Several processes
/// Each opens the file by itself. One changes it at a time, and the others wait, for as long as the
/// [timeout](SqliteBuilder::busy_timeout) says. What happens in this process is known here at once. What others did is looked for
/// while somebody waits for it, [every so often](SqliteBuilder::poll_every): that is how late an added task of another process
/// may begin here, or its cancel be heard.
///
/// # Time
/// The store's time is the wall clock's, as processes have no other in common; [`Instant`](crate::time::Instant)s in rows are
/// Unix time. It is read inside of the transaction, and never goes back: when the wall clock is put back, the store's time goes
/// on from where it is. When it is put forward, by hand or because the machine slept, what is due by then is due.
///
/// Leases are safe from that. Each process compares the wall clock with its monotonic one; the first to see that they went
/// apart, by more than a quarter of a second, has all leases begin anew, before it looks at any. And a process that comes in
/// honours the leases that it finds for their whole length, since it can't know what the clock did before: so the runs of a
/// process that died, and is started again at once, are taken up a whole lease after the start.
///
/// # Versions
/// The version of the tables stands in the file; this is the first. Later ones bring older files up to date when they open them. A
/// file of a newer version is refused, as is one of somebody else, and neither is changed: [`OpenError`].
///
/// # What it costs
/// A task that is added, claimed and finished by itself takes three transitions; a worker claims several at a time.
/// A transition is a handful of look-ups in indexes and as many changes of rows; none takes longer because many tasks wait, but
/// for those of a gate that opens, and those that are struck. On most disks the flush at its end costs more than all the rest.
/// Strikes that ask for one number or text are found by that; others are tested one by one.
///
/// # Errors
/// [`StoreError::Failed`], with what SQLite says: the disk is full, another process has had the file for longer than the
/// [timeout](SqliteBuilder::busy_timeout), or the threads dropped the work. Nothing has changed then.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use wakeful::docket::{Entry, SqliteStore, Store};
///
/// wakeful::sim::run(|sim| async move {
///     let disk = sim.offloader(Duration::from_millis(2));
///     let store = SqliteStore::builder(&sim.time(), sim.wall(), disk).in_memory().unwrap();
///     store.put(Entry::new("greet", "greet 7", 7.into())).await.unwrap();
///     assert_eq!(store.scan().await.unwrap().rows.len(), 1);
///     assert_eq!(sim.now().as_nanos(), 4_000_000);
/// });
/// ```
/// With threads and a file:
/// ```
/// use wakeful::docket::SqliteStore;
/// use wakeful::spawn::Job;
/// use wakeful::time::{SystemWall, Time};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("docket.sqlite");
/// let threads = |job: Job| drop(std::thread::spawn(|| job.run()));
/// let store = SqliteStore::builder(&Time::system(), SystemWall, threads).open(path).unwrap();
/// # let _ = store;
/// ```
#[derive(Clone)]
pub struct SqliteStore(Arc<Shared>);

struct Shared {
    time: Time,
    /// How often others are looked for; none, if there can't be any.
    poll: Option<Duration>,
    clerk: Clerk,
    changes: Arc<Changes>,
    listeners: Arc<Listeners>,
}

impl SqliteStore {
    /// How to open one: with the clock that sleeps are measured by, the wall clock, which is to be the same in all processes, and
    /// the threads for its calls, which block.
    pub fn builder(time: &Time, wall: impl Wall, threads: impl Offload + Send + Sync + 'static) -> SqliteBuilder {
        SqliteBuilder::new(time, Box::new(wall), Box::new(threads))
    }

    /// One transition, and then the news of it; with the numbers after it.
    async fn numbered<R: Send + 'static>(
        &self,
        f: impl FnOnce(&mut Tx<'_>) -> Result<R, Fault> + Send + 'static,
    ) -> Result<(R, Meta), StoreError> {
        let changes = self.0.changes.clone();
        let transition = move |seat: &mut tx::Seat| {
            let (reply, news, meta) = seat.transact(f).map_err(|fault| fault.0)?;
            // It has happened: who asked is told so, whoever panics of those who hear of it.
            contain(|| changes.tell(meta, news.ended));
            contain(|| seat.listeners.tell(news.fates));
            Ok((reply, meta))
        };
        self.0.clerk.ask(transition).await
    }

    fn transition<R: Send + 'static>(
        &self,
        f: impl FnOnce(&mut Tx<'_>) -> Result<R, Fault> + Send + 'static,
    ) -> Answer<'_, R> {
        Answer::later(async move { Ok(self.numbered(f).await?.0) })
    }

    /// The same, after what is due by then.
    fn advanced<R: Send + 'static>(
        &self,
        f: impl FnOnce(&mut Tx<'_>) -> Result<R, Fault> + Send + 'static,
    ) -> Answer<'_, R> {
        self.transition(|tx| {
            tx.advance()?;
            f(tx)
        })
    }

    /// Waits until a number is greater than `seen`.
    async fn beyond(&self, of: Counted, seen: u64) -> Result<u64, StoreError> {
        loop {
            let changed = self.0.changes.of(of).notified();
            let number = self.0.changes.number(of);
            if number > seen {
                return Ok(number);
            }
            self.or_others(changed).await?;
        }
    }

    async fn ended(&self, generation: Generation) -> Result<(), StoreError> {
        let event = self.0.changes.end(generation);
        let changes = self.0.changes.clone();
        // Looked at after the event is there: whoever ends the row from now on sets it.
        let look = move |seat: &mut tx::Seat| changes.look_at(seat, [generation]);
        self.0.clerk.ask(look).await?;
        while !event.is_set() {
            self.or_others(event.wait()).await?;
        }
        Ok(())
    }

    /// Waits for a change here, or until it is time to look for what others did, and does so.
    async fn or_others(&self, change: impl Future<Output = ()>) -> Result<(), StoreError> {
        let Some(every) = self.0.poll else {
            change.await;
            return Ok(());
        };
        let (mut change, mut sleep) = (pin!(change), pin!(self.0.time.sleep(every)));
        let changed = poll_fn(|cx| match (change.as_mut().poll(cx), sleep.as_mut().poll(cx)) {
            (Poll::Ready(()), _) => Poll::Ready(true),
            (_, Poll::Ready(())) => Poll::Ready(false),
            _ => Poll::Pending,
        });
        if !changed.await && self.0.changes.is_time(self.0.time.now(), every) {
            let changes = self.0.changes.clone();
            self.0.clerk.ask(move |seat| changes.look(seat)).await?;
        }
        Ok(())
    }
}

impl Store for SqliteStore {
    fn put(&self, entry: Entry) -> Answer<'_, Put> {
        if let Some(gate) = Ledger::same_gate(&entry) {
            return Answer::ready(Err(StoreError::SameGate(gate)));
        }
        self.advanced(|tx| tx.put(entry))
    }

    fn put_all(&self, entries: Vec<Entry>) -> Answer<'_, (Vec<Put>, Option<StoreError>)> {
        if let Some(gate) = entries.iter().find_map(Ledger::same_gate) {
            return Answer::ready(Ok((Vec::new(), Some(StoreError::SameGate(gate)))));
        }
        Answer::later(async move {
            let put = self.advanced(|tx| entries.into_iter().map(|entry| tx.put(entry)).collect::<Result<Vec<_>, _>>());
            // All are put or none.
            Ok(put.await.map_or_else(|error| (Vec::new(), Some(error)), |puts| (puts, None)))
        })
    }

    fn cancel(&self, key: &str, grace: Duration) -> Answer<'_, Cancelled> {
        let key = key.to_owned();
        self.advanced(move |tx| tx.cancel(&key, grace))
    }

    fn reschedule(&self, key: &str, due: When) -> Answer<'_, bool> {
        let key = key.to_owned();
        self.advanced(move |tx| tx.reschedule(&key, due))
    }

    fn clear(&self) -> Answer<'_, usize> {
        self.advanced(|tx| tx.clear())
    }

    fn claim(&self, claim: &Claim) -> Answer<'_, Claims> {
        let claim = claim.clone();
        Answer::later(async move {
            let ((taken, again), meta) = self.numbered(move |tx| tx.claim(&claim)).await?;
            Ok(Claims { taken, again, seen: unsigned(meta.work) })
        })
    }

    fn renew(&self, renewal: &Renewal) -> Answer<'_, Vec<Renewed>> {
        let renewal = renewal.clone();
        self.advanced(move |tx| tx.renew(&renewal))
    }

    fn finish(&self, key: &str, fence: Fence, close: Close) -> Answer<'_, Finished> {
        let key = key.to_owned();
        self.advanced(move |tx| tx.finish(&key, fence, close))
    }

    fn strike(&self, strike: Strike) -> Answer<'_, StrikeId> {
        self.transition(move |tx| tx.strike(&strike))
    }

    fn restore(&self, strike: StrikeId) -> Answer<'_, bool> {
        self.transition(move |tx| tx.restore(strike))
    }

    fn look(&self, key: &str, generation: Option<Generation>) -> Answer<'_, Option<Row>> {
        let key = key.to_owned();
        self.advanced(move |tx| tx.row(&key, generation))
    }

    fn is_finished(&self, names: &[String]) -> Answer<'_, bool> {
        let names = names.to_vec();
        self.advanced(move |tx| {
            for name in &names {
                if tx.is_alive(name)? {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }

    fn scan(&self) -> Answer<'_, Snapshot> {
        self.advanced(|tx| tx.scan())
    }

    fn unix(&self) -> Answer<'_, Duration> {
        self.transition(|tx| Ok(tx.unix))
    }

    fn listen(&self, listener: Listener) {
        self.0.listeners.add(listener);
    }

    fn changed(&self, topic: Topic, seen: u64) -> Answer<'_, u64> {
        Answer::later(async move {
            match topic {
                Topic::Work => self.beyond(Counted::Work, seen).await,
                Topic::Orders => self.beyond(Counted::Orders, seen).await,
                Topic::End(generation) => self.ended(generation).await.map(|()| seen + 1),
            }
        })
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").finish_non_exhaustive()
    }
}
