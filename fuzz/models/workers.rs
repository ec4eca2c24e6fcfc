//! A worker pool beside a model of who works on what, and until when.
//!
//! After each step everything that was woken is polled until nothing is, so that what the model says is exact.

use super::World;
use arbitrary::Arbitrary;
use std::collections::VecDeque;
use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::spawn::Task;
use wakeful::time::{Instant, ManualClock};
use wakeful::work::{
    Count, ItemOutcome, Lease, Refused, SubmitError, Ticket, WorkerPool, WorkerPoolReport, worker_pool,
};

/// How many may be in the queue.
const CAPACITY: usize = 2;

/// What a body may take, in milliseconds.
const TIMEOUT: u64 = 3;

/// One step.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) enum Op {
    /// Submits an item that takes so long and fails or not, to be started within so many milliseconds, if that is said; waits
    /// for room or not.
    Submit {
        takes: u8,
        fails: bool,
        within: Option<u8>,
        waits: bool,
    },
    /// Gives up one who waits for room.
    GiveUp(u8),
    /// Cancels by a ticket.
    Cancel(u8),
    /// Awaits a ticket that is told, or drops it.
    Take(u8, bool),
    /// Lets so much time pass.
    Pass(u8),
    Resize(u8),
    /// Ends the pool now and then; if it is over, there is another one.
    End(u8, End),
}

/// How a pool ends.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) enum End {
    Close,
    /// It is drained within so many milliseconds, if that is said.
    Drain(Option<u8>),
    Drop,
}

/// One of so many ends is one.
const SELDOM: u8 = 6;

/// Its number, how long it takes, and whether it fails.
type Item = (u64, u64, bool);
type Outcome = ItemOutcome<Item, u64, u64>;
type Submitted = Result<Ticket<Item, u64, u64>, SubmitError<Item>>;
type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A future that is polled when it was woken.
struct Polled<T> {
    future: Boxed<T>,
    flag: Arc<Flag>,
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl<T> Polled<T> {
    fn new(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self { future: Box::pin(future), flag: Arc::new(Flag(AtomicBool::new(true))) }
    }

    /// Nothing, if it was not woken.
    fn poll(&mut self) -> Option<Poll<T>> {
        let woken = self.flag.0.swap(false, Ordering::Relaxed);
        woken.then(|| self.future.as_mut().poll(&mut Context::from_waker(&Waker::from(self.flag.clone()))))
    }
}

/// What is known of an item that was taken.
struct Known {
    item: Item,
    ticket: Option<Ticket<Item, u64, u64>>,
    outcome: Option<Outcome>,
}

pub(crate) struct Workers {
    clock: ManualClock,
    pool: Option<WorkerPool<Item, u64, u64>>,
    spawned: Arc<Mutex<Vec<Task>>>,
    tasks: Vec<Polled<()>>,
    submits: Vec<(Item, Instant, Polled<Submitted>)>,
    drain: Option<Polled<WorkerPoolReport<Item>>>,
    known: Vec<Known>,
    items: u64,
    // The model.
    now: u64,
    width: usize,
    /// Places in `known`, and the instant from which on it is not started.
    queue: VecDeque<(usize, u64)>,
    /// Places in `known`, and when it ends.
    running: Vec<(usize, u64)>,
    is_closed: bool,
    is_over: bool,
    /// When what is left is cut short.
    end: u64,
}

impl World for Workers {
    type Op = Op;

    fn new() -> Self {
        let clock = ManualClock::new();
        let spawned = Arc::new(Mutex::new(Vec::new()));
        let spawner = {
            let spawned = spawned.clone();
            move |task| spawned.lock().unwrap().push(task)
        };
        let body = |item: Lease<Item>| async move {
            let (number, takes, fails) = *item;
            if takes > 0 {
                wakeful::sleep(Duration::from_millis(takes)).await;
            }
            if fails { Err(number) } else { Ok(number) }
        };
        let set = worker_pool(body).capacity(NonZeroUsize::new(CAPACITY).unwrap());
        let pool = set.item_timeout(Duration::from_millis(TIMEOUT)).spawn_on(spawner, &Scope::new(clock.time()));
        Self {
            clock,
            pool: Some(pool),
            spawned,
            tasks: Vec::new(),
            submits: Vec::new(),
            drain: None,
            known: Vec::new(),
            items: 0,
            now: 0,
            width: 1,
            queue: VecDeque::new(),
            running: Vec::new(),
            is_closed: false,
            is_over: false,
            end: u64::MAX,
        }
    }

    fn step(&mut self, op: Op) {
        match op {
            Op::Submit { takes, fails, within, waits } => self.submit((takes % 6).into(), fails, within, waits),
            Op::GiveUp(at) => {
                if !self.submits.is_empty() {
                    let at = usize::from(at) % self.submits.len();
                    drop(self.submits.remove(at));
                }
            }
            Op::Cancel(at) => self.cancel(at),
            Op::Take(at, awaits) => self.take(at, awaits),
            Op::Pass(millis) => {
                for _ in 0..millis % 8 {
                    self.now += 1;
                    self.clock.advance(Duration::from_millis(1));
                    self.settle();
                }
            }
            Op::Resize(workers) => {
                self.width = 1 + usize::from(workers % 4);
                if let Some(pool) = &self.pool {
                    pool.resize(NonZeroUsize::new(self.width).unwrap());
                }
            }
            Op::End(..) if self.is_over => {
                std::mem::replace(self, Self::new()).check_end();
            }
            Op::End(now, end) if now % SELDOM == 0 => self.end_by(end),
            Op::End(..) => {}
        }
        self.settle();
    }

    fn end(mut self) {
        self.end_by(End::Drain(Some(3)));
        self.settle();
        self.step(Op::Pass(7));
        self.check_end();
    }
}

impl Workers {
    fn instant(&self, within: Option<u8>) -> Instant {
        let millis = |within: u8| Instant::from_nanos((self.now + u64::from(within % 8)) * 1_000_000);
        within.map_or(Instant::NEVER, millis)
    }

    fn submit(&mut self, takes: u64, fails: bool, within: Option<u8>, waits: bool) {
        let Some(pool) = self.pool.clone() else { return };
        let (item, at) = ((self.items, takes, fails), self.instant(within));
        self.items += 1;
        if waits {
            let submit = async move { pool.submit_before(item, at).await };
            self.submits.push((item, at, Polled::new(submit)));
            return;
        }
        let deadline = at.min(self.end_instant());
        let expected = match () {
            () if self.is_closed => Some(Refused::Closed),
            () if deadline.as_nanos() <= self.now * 1_000_000 => Some(Refused::TooLate { deadline }),
            () if self.queue.len() == CAPACITY => Some(Refused::Full { capacity: CAPACITY }),
            () => None,
        };
        let submitted = pool.try_submit_before(item, at);
        assert_eq!(
            submitted.as_ref().err().map(|refused| (refused.item, refused.why)),
            expected.map(|why| (item, why))
        );
        self.taken(item, at, submitted);
    }

    /// Notes what was taken.
    fn taken(&mut self, item: Item, at: Instant, submitted: Submitted) {
        if let Ok(ticket) = submitted {
            self.queue.push_back((self.known.len(), at.as_nanos()));
            self.known.push(Known { item, ticket: Some(ticket), outcome: None });
        }
    }

    fn end_instant(&self) -> Instant {
        self.end.checked_mul(1_000_000).map_or(Instant::NEVER, Instant::from_nanos)
    }

    fn cancel(&mut self, at: u8) {
        let Some(at) = self.place(at) else { return };
        let Some(ticket) = &self.known[at].ticket else { return };
        ticket.cancel();
        let item = self.known[at].item;
        if let Some(place) = self.queue.iter().position(|(other, _)| *other == at) {
            self.queue.remove(place);
            self.known[at].outcome = Some(Outcome::Skipped { item });
        } else if let Some(place) = self.running.iter().position(|(other, _)| *other == at) {
            self.running.remove(place);
            self.known[at].outcome = Some(Outcome::Cancelled { item: Some(item) });
        }
    }

    fn take(&mut self, at: u8, awaits: bool) {
        let Some(at) = self.place(at) else { return };
        let known = &mut self.known[at];
        let Some(mut ticket) = known.ticket.take() else { return };
        if awaits {
            match Pin::new(&mut ticket).poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(outcome) => assert_eq!(Some(outcome), known.outcome),
                Poll::Pending => {
                    assert_eq!(known.outcome, None);
                    known.ticket = Some(ticket);
                }
            }
        }
    }

    fn place(&self, at: u8) -> Option<usize> {
        usize::from(at).checked_rem(self.known.len())
    }

    fn end_by(&mut self, end: End) {
        match (end, &self.pool) {
            (End::Drain(within), _) => self.drain(within),
            (End::Close, Some(pool)) => {
                pool.close();
                self.is_closed = true;
            }
            // Those who submit or drain have it too.
            (End::Drop, Some(_)) if self.submits.is_empty() && self.drain.is_none() => {
                self.pool = None;
                self.is_closed = true;
                self.end = self.end.min(self.now);
            }
            (End::Close | End::Drop, _) => {}
        }
    }

    /// It is over.
    fn check_end(mut self) {
        assert!(self.is_over && self.tasks.is_empty() && self.drain.is_none() && self.submits.is_empty());
        for at in 0..self.known.len() {
            let known = &mut self.known[at];
            if let Some(mut ticket) = known.ticket.take() {
                let Poll::Ready(outcome) = Pin::new(&mut ticket).poll(&mut Context::from_waker(Waker::noop())) else {
                    panic!("every ticket is told");
                };
                assert_eq!(Some(outcome), known.outcome);
            }
        }
        assert_eq!(self.clock.time().pending(), 0, "no timer is left");
    }

    fn drain(&mut self, within: Option<u8>) {
        let Some(pool) = self.pool.clone() else { return };
        let grace = within.map_or(Duration::MAX, |within| Duration::from_millis((within % 8).into()));
        self.is_closed = true;
        if let (Some(within), false) = (within, self.is_over) {
            self.end = self.end.min(self.now + u64::from(within % 8));
        }
        // Another one before it is given up; what it said holds.
        self.drain = Some(Polled::new(async move { pool.drain(grace).await }));
    }

    /// Polls everything that was woken, has the model do the same, and compares.
    fn settle(&mut self) {
        loop {
            let mut went_on = false;
            self.tasks.extend(self.spawned.lock().unwrap().drain(..).map(Polled::new));
            let mut tasks = std::mem::take(&mut self.tasks);
            tasks.retain_mut(|task| match task.poll() {
                None => true,
                Some(polled) => {
                    went_on = true;
                    polled.is_pending()
                }
            });
            self.tasks = tasks;
            if let Some(polled) = self.drain.as_mut().and_then(Polled::poll) {
                went_on = true;
                if let Poll::Ready(report) = polled {
                    assert_eq!(report.taken(), self.known.len() as u64);
                    self.drain = None;
                }
            }
            let mut at = 0;
            while at < self.submits.len() {
                match self.submits[at].2.poll() {
                    Some(Poll::Ready(submitted)) => {
                        went_on = true;
                        let (item, deadline, _) = self.submits.remove(at);
                        self.answered(item, deadline, submitted);
                    }
                    _ => at += 1,
                }
            }
            let is_quiet = self.spawned.lock().unwrap().is_empty();
            if !went_on && is_quiet {
                break;
            }
        }
        self.model();
        self.compare();
    }

    /// One who has waited for room, or not, was answered.
    fn answered(&mut self, item: Item, at: Instant, submitted: Submitted) {
        match &submitted {
            Ok(_) => assert!(!self.is_closed),
            Err(refused) => {
                assert_eq!(refused.item, item);
                match refused.why {
                    Refused::TooLate { deadline } => assert!(deadline == at && at.as_nanos() <= self.now * 1_000_000),
                    Refused::Closed => assert!(self.is_closed),
                    why => panic!("{why:?}, but it waits"),
                }
            }
        }
        // What came before it has made room, if there is to be room.
        self.model();
        self.taken(item, at, submitted);
        assert!(self.queue.len() <= CAPACITY);
    }

    fn model(&mut self) {
        let now = self.now;
        let (ended, running) = std::mem::take(&mut self.running).into_iter().partition(|(_, ends)| *ends <= now);
        self.running = running;
        let ended: Vec<(usize, u64)> = ended;
        for (at, _) in ended {
            let item = self.known[at].item;
            let (number, takes, fails) = item;
            self.known[at].outcome = Some(match fails {
                _ if takes > TIMEOUT => Outcome::TimedOut { item: Some(item) },
                true => Outcome::Failed { error: number, item: Some(item) },
                false => Outcome::Done(number),
            });
        }
        if self.end <= now {
            for (at, _) in self.running.drain(..) {
                self.known[at].outcome = Some(Outcome::Cancelled { item: Some(self.known[at].item) });
            }
            for (at, _) in self.queue.drain(..) {
                self.known[at].outcome = Some(Outcome::Skipped { item: self.known[at].item });
            }
        }
        while self.running.len() < self.width {
            let Some((at, closes)) = self.queue.pop_front() else { break };
            let item = self.known[at].item;
            match item {
                _ if closes <= now * 1_000_000 => self.known[at].outcome = Some(Outcome::Skipped { item }),
                (number, 0, true) => {
                    self.known[at].outcome = Some(Outcome::Failed { error: number, item: Some(item) });
                }
                (number, 0, false) => self.known[at].outcome = Some(Outcome::Done(number)),
                (_, takes, _) => self.running.push((at, now + takes.min(TIMEOUT))),
            }
        }
        self.is_over |= self.is_closed && self.queue.is_empty() && self.running.is_empty();
    }

    fn compare(&self) {
        for known in &self.known {
            if let Some(ticket) = &known.ticket {
                assert_eq!(ticket.is_resolved(), known.outcome.is_some(), "{:?}", known.item);
            }
        }
        assert!(self.submits.is_empty() || self.queue.len() == CAPACITY, "somebody waits although there is room");
        assert_eq!(self.is_over, self.tasks.is_empty(), "workers leave when it is over, and not before");
        assert!(self.drain.is_none() || !self.is_over, "who drains is told");
        let Some(pool) = &self.pool else { return };
        assert_eq!((pool.queued(), pool.running()), (self.queue.len(), self.running.len()));
        assert_eq!(pool.is_closed(), self.is_closed);
        let Count { done, failed, timed_out, cancelled, skipped, panicked, .. } = pool.count();
        let mut counts = [0; 6];
        for outcome in self.known.iter().filter_map(|known| known.outcome.as_ref()) {
            counts[match outcome {
                Outcome::Done(_) => 0,
                Outcome::Failed { .. } => 1,
                Outcome::TimedOut { .. } => 2,
                Outcome::Cancelled { .. } => 3,
                Outcome::Skipped { .. } => 4,
                Outcome::Panicked { .. } => 5,
            }] += 1;
        }
        assert_eq!([done, failed, timed_out, cancelled, skipped, panicked], counts);
    }
}
