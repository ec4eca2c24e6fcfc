//! The store that keeps everything in memory.

use super::fates::{Listener, Listeners};
use super::ledger::{Ledger, News};
use super::types::{
    Cancelled, Claim, Claims, Close, Entry, Fence, Finished, Generation, Put, Renewal, Renewed, Row, Snapshot,
    StoreError, StrikeId, Topic, When,
};
use super::{Answer, Store};
use crate::docket::Strike;
use crate::sync::{Event, Notify};
use crate::sys::{Arc, Told};
use crate::time::{Instant, Time, Wall};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

/// A [`Store`] in memory: the default. Clones are the same store, so that several workers can share it.
///
/// What it holds is lost with the process. Every transition takes one short lock, and answers at once.
///
/// # Time
/// Due times and leases are on the clock that it is given. What is due at a date needs a wall clock too, and is turned into an
/// instant when it is put: a wall clock that jumps later moves nothing.
///
/// # Examples
/// ```
/// use wakeful::docket::{MemoryStore, Store};
///
/// wakeful::sim::run(|sim| async move {
///     let store = MemoryStore::new(&sim.time());
///     assert!(store.scan().await.unwrap().rows.is_empty());
/// });
/// ```
#[derive(Clone)]
pub struct MemoryStore(Arc<Shared>);

struct Shared {
    time: Time,
    wall: Option<Box<dyn Wall>>,
    ledger: Told<Ledger>,
    work: Notify,
    orders: Notify,
    listeners: Listeners,
}

impl MemoryStore {
    /// An empty one without a wall clock.
    pub fn new(time: &Time) -> Self {
        Self::build(time, None)
    }

    /// An empty one with a wall clock, for what is due at a date.
    pub fn with_wall(time: &Time, wall: impl Wall) -> Self {
        Self::build(time, Some(Box::new(wall)))
    }

    fn build(time: &Time, wall: Option<Box<dyn Wall>>) -> Self {
        Self(Arc::new(Shared {
            time: time.clone(),
            wall,
            ledger: Told::new(Ledger::default()),
            work: Notify::new(),
            orders: Notify::new(),
            listeners: Listeners::new(),
        }))
    }

    /// One transition, at one reading of the clock, and then the news of it. With the number of [`Topic::Work`] after it.
    fn numbered<R>(&self, f: impl FnOnce(&mut Ledger, Instant) -> R) -> (R, u64) {
        let now = self.0.time.now();
        let (reply, news, work) = self.0.ledger.with(|ledger| {
            let now = ledger.later(now);
            let reply = f(ledger, now);
            (reply, ledger.take_news(), ledger.work)
        });
        self.tell(news);
        (reply, work)
    }

    fn transition<R>(&self, f: impl FnOnce(&mut Ledger, Instant) -> R) -> R {
        self.numbered(f).0
    }

    /// The same, after what is due by then.
    fn advanced<R>(&self, f: impl FnOnce(&mut Ledger, Instant) -> R) -> R {
        self.transition(|ledger, now| {
            ledger.advance(now);
            f(ledger, now)
        })
    }

    fn tell(&self, news: News<Arc<Event>>) {
        if news.work {
            self.0.work.notify_all();
        }
        if news.orders {
            self.0.orders.notify_all();
        }
        for event in news.ended {
            event.set();
        }
        self.0.listeners.tell(news.fates);
    }

    /// Waits until a number of the ledger is greater than `seen`.
    async fn beyond(&self, seen: u64, changes: &Notify, number: impl Fn(&Ledger) -> u64) -> u64 {
        loop {
            let changed = changes.notified();
            let number = self.0.ledger.read(&number);
            if number > seen {
                return number;
            }
            changed.await;
        }
    }

    async fn ended(&self, generation: Generation) {
        let event = self.0.ledger.with(|ledger| ledger.end_of(generation));
        if let Some(event) = event {
            event.wait().await;
        }
    }

    /// After which time something is due.
    fn after(&self, when: When) -> Result<Duration, StoreError> {
        match when {
            When::Now => Ok(Duration::ZERO),
            When::In(after) => Ok(after),
            When::At(unix) => Ok(unix.saturating_sub(self.wall()?)),
        }
    }

    fn wall(&self) -> Result<Duration, StoreError> {
        self.0.wall.as_ref().map(|wall| wall.unix()).ok_or(StoreError::NoWall)
    }
}

impl Store for MemoryStore {
    fn put(&self, entry: Entry) -> Answer<'_, Put> {
        if let Some(gate) = Ledger::same_gate(&entry) {
            return Answer::ready(Err(StoreError::SameGate(gate)));
        }
        Answer::ready(self.after(entry.due).map(|after| self.advanced(|ledger, now| ledger.put(entry, after, now))))
    }

    fn put_all(&self, entries: Vec<Entry>) -> Answer<'_, (Vec<Put>, Option<StoreError>)> {
        let ready = |entry: Entry| match Ledger::same_gate(&entry) {
            Some(gate) => Err(StoreError::SameGate(gate)),
            None => self.after(entry.due).map(|after| (entry, after)),
        };
        let puts = match entries.into_iter().map(ready).collect::<Result<Vec<_>, _>>() {
            Ok(entries) => self.advanced(|ledger, now| {
                (entries.into_iter().map(|(entry, after)| ledger.put(entry, after, now)).collect(), None)
            }),
            Err(error) => (Vec::new(), Some(error)),
        };
        Answer::ready(Ok(puts))
    }

    fn cancel(&self, key: &str, grace: Duration) -> Answer<'_, Cancelled> {
        Answer::ready(Ok(self.advanced(|ledger, now| ledger.cancel(key, grace, now))))
    }

    fn reschedule(&self, key: &str, due: When) -> Answer<'_, bool> {
        let after = self.after(due);
        Answer::ready(after.map(|after| self.advanced(|ledger, now| ledger.reschedule(key, due, after, now))))
    }

    fn clear(&self) -> Answer<'_, usize> {
        Answer::ready(Ok(self.advanced(|ledger, now| ledger.clear(now))))
    }

    fn claim(&self, claim: &Claim) -> Answer<'_, Claims> {
        let ((taken, again), seen) = self.numbered(|ledger, now| ledger.claim(claim, now));
        Answer::ready(Ok(Claims { taken, again, seen }))
    }

    fn renew(&self, renewal: &Renewal) -> Answer<'_, Vec<Renewed>> {
        Answer::ready(Ok(self.advanced(|ledger, now| ledger.renew(renewal, now))))
    }

    fn finish(&self, key: &str, fence: Fence, close: Close) -> Answer<'_, Finished> {
        let after = match &close {
            Close::End(_, Some(next)) => self.after(next.due),
            _ => Ok(Duration::ZERO),
        };
        Answer::ready(after.map(|after| self.advanced(|ledger, now| ledger.finish(key, fence, close, after, now))))
    }

    fn strike(&self, strike: Strike) -> Answer<'_, StrikeId> {
        Answer::ready(Ok(self.transition(|ledger, _| ledger.strike(strike))))
    }

    fn restore(&self, strike: StrikeId) -> Answer<'_, bool> {
        Answer::ready(Ok(self.transition(|ledger, _| ledger.restore(strike))))
    }

    fn look(&self, key: &str, generation: Option<Generation>) -> Answer<'_, Option<Row>> {
        Answer::ready(Ok(self.advanced(|ledger, now| ledger.look(key, generation, now))))
    }

    fn is_finished(&self, names: &[String]) -> Answer<'_, bool> {
        Answer::ready(Ok(self.advanced(|ledger, _| ledger.is_finished(names))))
    }

    fn scan(&self) -> Answer<'_, Snapshot> {
        Answer::ready(Ok(self.advanced(|ledger, now| ledger.scan(now))))
    }

    fn unix(&self) -> Answer<'_, Duration> {
        Answer::ready(self.wall())
    }

    fn listen(&self, listener: Listener) {
        self.0.listeners.add(listener);
        let is_heard = self.0.listeners.are_there();
        self.0.ledger.with(|ledger| ledger.hear(is_heard));
    }

    fn changed(&self, topic: Topic, seen: u64) -> Answer<'_, u64> {
        Answer::later(async move {
            Ok(match topic {
                Topic::Work => self.beyond(seen, &self.0.work, |ledger| ledger.work).await,
                Topic::Orders => self.beyond(seen, &self.0.orders, |ledger| ledger.orders).await,
                Topic::End(generation) => {
                    self.ended(generation).await;
                    seen + 1
                }
            })
        })
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}
