//! The workers: an arena of slots, each with at most one body.

use super::idle::Idle;
use super::lease::{Home, Lease};
use super::outcome::ItemOutcome;
use super::tag::Tag;
use crate::cancel::Scope;
use crate::spawn::Panic;
use crate::sys::arena::Arena;
use crate::sys::thread::catch;
use crate::sys::trace::Span;
use crate::sys::waker::TaggedWaker;
use crate::time::Instant;
use crate::wait::Ready;
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::any::Any;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use pin_project_lite::pin_project;

pin_project! {
    #[project = Projected]
    /// A worker. Its slot is made once; bodies replace one another in it.
    struct Worker<G, T, Fut> {
        #[pin]
        body: Option<Fut>,
        home: Home<T>,
        // Of the item it works on.
        tag: G,
        given: u64,
        // Of that item.
        span: Span,
    }
}

/// All workers that were needed so far.
pub(super) struct Crew<G: Tag<T>, T, Fut> {
    scope: Scope,
    workers: Arena<Worker<G, T, Fut>>,
    books: Books,
}

/// Who has something to do.
struct Books {
    most: usize,
    idle: Idle,
    running: usize,
    /// No running item's own deadline is before this.
    soonest: Instant,
    timeout: Duration,
    /// Whether there is such a timeout.
    has_timeout: bool,
    /// When each one's item was started, if anybody is to know.
    started: Option<Vec<Instant>>,
}

/// The place of an item whose body was cut short.
pub(super) type Place<T, O, E> = fn(Option<T>) -> ItemOutcome<T, O, E>;

/// What became of a body, of which item.
pub(super) type Fate<G, T, O, E> = (G, ItemOutcome<T, O, E>);

/// What a poll of a body comes to.
pub(super) enum Polled<G, T, O, E> {
    /// It goes on.
    Pending,
    /// The most frequent end, apart from the others: so it is known to be that wherever it is asked.
    Done(G, O),
    Ended(Fate<G, T, O, E>),
}

impl<G: Tag<T>, T, Fut> Crew<G, T, Fut> {
    /// Nobody yet, of `most` at once; `ever`, if that never changes. Somebody may want to know when items were started, or they
    /// have a timeout.
    pub(super) fn new(scope: Scope, most: usize, ever: bool, is_timed: bool, timeout: Duration) -> Self {
        let (soonest, has_timeout) = (Instant::NEVER, timeout != Duration::MAX);
        let started = (is_timed || has_timeout).then(Vec::new);
        let books = Books { most, idle: Idle::new(), running: 0, soonest, timeout, has_timeout, started };
        Self { scope, workers: Arena::bounded(if ever { most } else { usize::MAX }), books }
    }

    /// As many are to be busy at once from now on. Whoever is too many ends with the item he has.
    pub(super) fn resize(&mut self, most: usize) {
        self.books.most = most;
    }

    /// How many bodies there are.
    #[inline]
    pub(super) fn running(&self) -> usize {
        self.books.running
    }

    /// No running item's own deadline is before this.
    #[inline]
    pub(super) fn soonest(&self) -> Instant {
        self.books.soonest
    }

    /// How many workers were made.
    pub(super) fn made(&self) -> usize {
        self.workers.made()
    }

    pub(super) fn per_worker(&mut self) -> Vec<u64> {
        (0..self.made()).filter_map(|worker| Some(self.workers.get(worker)?.given)).collect()
    }

    /// A worker with nothing to do, if there may be one more with something to do; it is made if there is none.
    #[inline(always)]
    pub(super) fn free<'a>(&'a mut self, ready: &'a mut Ready) -> Option<Seat<'a, G, T, Fut>> {
        if self.books.running >= self.books.most {
            return None;
        }
        let number = match self.books.idle.first() {
            Some(worker) => worker,
            None => self.make(ready),
        };
        let worker = self.workers.get(number)?;
        Some(Seat { worker, number, waker: ready.waker(number), ready, books: &mut self.books })
    }

    #[cold]
    fn make(&mut self, ready: &mut Ready) -> usize {
        let home = Home::new();
        let worker = self.workers.insert(Worker { body: None, home, tag: G::NONE, given: 0, span: Span::new() });
        if let Some(started) = &mut self.books.started {
            started.push(Instant::EPOCH);
        }
        ready.reach(worker);
        self.books.idle.insert(worker);
        worker
    }

    /// A worker, if it has something to do.
    #[inline(always)]
    pub(super) fn taken<'a>(&'a mut self, number: usize, ready: &'a Ready) -> Option<Seat<'a, G, T, Fut>> {
        let worker = self.workers.get(number).filter(|worker| worker.body.is_some())?;
        Some(Seat { worker, number, waker: ready.waker(number), ready, books: &mut self.books })
    }

    /// Whether a worker's item has a deadline of its own that was reached.
    pub(super) fn is_late(&mut self, worker: usize, now: Instant) -> bool {
        self.books.started(worker) + self.books.timeout <= now
            && self.workers.get(worker).is_some_and(|worker| worker.body.is_some())
    }

    /// Looks anew for the soonest of the items' own deadlines.
    pub(super) fn find_soonest(&mut self) {
        let workers = 0..self.made();
        let is_busy = |&worker: &usize| self.workers.get(worker).is_some_and(|worker| worker.body.is_some());
        let first = workers.filter(is_busy).map(|worker| self.books.started(worker)).min();
        self.books.soonest = first.map_or(Instant::NEVER, |first| first + self.books.timeout);
    }
}

impl Books {
    /// Notes that a worker's item is started.
    #[inline]
    fn start(&mut self, worker: usize, now: Instant) {
        if let Some(started) = &mut self.started {
            started[worker] = now;
            if self.has_timeout {
                self.soonest = self.soonest.min(now + self.timeout);
            }
        }
    }

    /// When the item was started that a worker has, or had, if anybody is to know.
    fn started(&self, worker: usize) -> Instant {
        self.started.as_ref().map_or(Instant::EPOCH, |started| started[worker])
    }
}

/// A worker at hand.
pub(super) struct Seat<'a, G, T, Fut> {
    worker: Pin<&'a mut Worker<G, T, Fut>>,
    pub(super) number: usize,
    /// Its own.
    waker: TaggedWaker<'a>,
    pub(super) ready: &'a Ready,
    books: &'a mut Books,
}

impl<G: Tag<T>, T, O, E, Fut: Future<Output = Result<O, E>>> Seat<'_, G, T, Fut> {
    /// Gives the worker an item, and polls its body for the first time. `OFTEN` as in [`poll`](Self::poll); `PLAIN`: nobody is
    /// to know when the item was started.
    #[inline(always)]
    pub(super) fn start<const OFTEN: bool, const PLAIN: bool>(
        &mut self,
        mut tag: G,
        started: Instant,
        item: T,
        make: impl FnOnce(Lease<T>) -> Fut,
    ) -> Polled<G, T, O, E> {
        let mut w = self.worker.as_mut().project();
        let index = tag.index();
        *w.given += 1;
        if !PLAIN {
            self.books.start(self.number, started);
        }
        let lease = w.home.lend(item);
        let (body, waker) = (&mut w.body, &*self.waker);
        let polled = w.home.watch(|| {
            let _entered = w.span.item(index);
            catch(|| {
                body.set(Some(make(lease)));
                poll_body(body, &mut Context::from_waker(waker))
            })
        });
        // A tag that is not kept is a store less, of which a processor takes one in a cycle.
        let ended = settle(w.body, w.home, w.span, &mut tag, polled);
        if let Polled::Pending = ended {
            *w.tag = tag;
        }
        ended
    }

    /// Polls the worker's body. `OFTEN` or not, in a run that is `PLAIN` or not, are functions of their own, each called in one
    /// place: so the compiler puts the whole of each into the loop that it is called in.
    #[inline(always)]
    pub(super) fn poll<const OFTEN: bool, const PLAIN: bool>(&mut self) -> Polled<G, T, O, E> {
        let mut w = self.worker.as_mut().project();
        let (body, waker) = (&mut w.body, &*self.waker);
        let polled = w.home.watch(|| {
            let _entered = w.span.item(w.tag.index());
            catch(|| poll_body(body, &mut Context::from_waker(waker)))
        });
        settle(w.body, w.home, w.span, w.tag, polled)
    }

    /// Drops the worker's body.
    pub(super) fn cut(mut self, scope: &Scope, place: Place<T, O, E>) -> Fate<G, T, O, E> {
        let mut w = self.worker.as_mut().project();
        let dropped = scope.dropping(|| catch(|| w.body.set(None)));
        let item = w.home.back();
        let outcome = match dropped {
            Ok(()) => place(item),
            Err(panic) => ItemOutcome::Panicked { message: message(panic), item },
        };
        let tag = w.tag.hand_on();
        *w.span = Span::new();
        self.rise();
        (tag, outcome)
    }

    /// When the item that it has, or had, was started, if anybody is to know.
    pub(super) fn started(&self) -> Instant {
        self.books.started(self.number)
    }

    /// Whether the worker may be given another item when it is done with one.
    #[inline]
    pub(super) fn is_wanted(&self) -> bool {
        self.books.running <= self.books.most
    }

    /// One that had nothing to do has something from now on.
    #[inline(always)]
    pub(super) fn sit(self) {
        self.books.idle.remove(self.number);
        self.books.running += 1;
    }

    /// One that had something to do has nothing from now on.
    #[inline(always)]
    pub(super) fn rise(self) {
        self.books.idle.insert(self.number);
        self.books.running -= 1;
    }
}

/// Polls a body, and drops it when it is ready.
#[inline(always)]
fn poll_body<F: Future>(body: &mut Pin<&mut Option<F>>, cx: &mut Context<'_>) -> Poll<F::Output> {
    let Some(running) = body.as_mut().as_pin_mut() else { unreachable!("a worker with a body") };
    let polled = running.poll(cx);
    if polled.is_ready() {
        body.set(None);
    }
    polled
}

/// What a poll comes to.
#[inline(always)]
fn settle<G: Tag<T>, T, O, E, Fut>(
    body: Pin<&mut Option<Fut>>,
    home: &mut Home<T>,
    span: &mut Span,
    tag: &mut G,
    polled: Result<Poll<Result<O, E>>, Box<dyn Any + Send>>,
) -> Polled<G, T, O, E> {
    let outcome = match polled {
        Ok(Poll::Pending) if tag.is_given_up() => given_up(body, home),
        Ok(Poll::Pending) => return Polled::Pending,
        Ok(Poll::Ready(Ok(result))) => match drop_item(home.back()) {
            Ok(()) => {
                *span = Span::new();
                return Polled::Done(tag.hand_on(), result);
            }
            Err(panic) => ItemOutcome::Panicked { message: message(panic), item: None },
        },
        Ok(Poll::Ready(Err(error))) => ItemOutcome::Failed { error, item: home.back() },
        Err(panic) => panicked(body, home, panic),
    };
    *span = Span::new();
    Polled::Ended((tag.hand_on(), outcome))
}

/// The outcome of a body that is dropped because its item was given up.
#[cold]
fn given_up<T, O, E, Fut>(mut body: Pin<&mut Option<Fut>>, home: &mut Home<T>) -> ItemOutcome<T, O, E> {
    match catch(|| body.set(None)) {
        Ok(()) => ItemOutcome::Cancelled { item: home.back() },
        Err(panic) => ItemOutcome::Panicked { message: message(panic), item: home.back() },
    }
}

/// The outcome of a body that has panicked. It may panic once more when it is dropped; the first one counts.
#[cold]
fn panicked<T, O, E, Fut>(
    mut body: Pin<&mut Option<Fut>>,
    home: &mut Home<T>,
    panic: Box<dyn Any + Send>,
) -> ItemOutcome<T, O, E> {
    if let Err(again) = catch(|| body.set(None)) {
        message(again);
    }
    ItemOutcome::Panicked { message: message(panic), item: home.back() }
}

/// Drops the item of a body that is done.
#[inline]
fn drop_item<T>(item: Option<T>) -> Result<(), Box<dyn Any + Send>> {
    if core::mem::needs_drop::<T>() { catch(|| drop(item)) } else { Ok(()) }
}

/// What a panic said.
fn message(panic: Box<dyn Any + Send>) -> String {
    Panic::new(panic).message().to_owned()
}

impl<G: Tag<T>, T, Fut> Drop for Crew<G, T, Fut> {
    /// Drops what still runs, each in its own guard.
    fn drop(&mut self) {
        for worker in 0..self.workers.made() {
            let Some(mut w) = self.workers.get(worker).map(Worker::project) else { continue };
            if w.body.is_some() {
                if let Err(panic) = self.scope.dropping(|| catch(|| w.body.set(None))) {
                    message(panic);
                }
                w.tag.lost(|| w.home.back());
            }
        }
    }
}
