//! The workers: an arena of slots, each with at most one body.

use super::idle::Idle;
use super::lease::{Home, Lease};
use super::outcome::ItemOutcome;
use crate::cancel::Scope;
use crate::sys::thread::catch;
use crate::time::Instant;
use crate::wait::Ready;
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::any::Any;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

/// A worker. Its slot is made once; bodies replace one another in it.
struct Worker<T, Fut> {
    body: Pin<Box<Option<Fut>>>,
    home: Home<T>,
    waker: Waker,
    /// Of the item it works on.
    index: u64,
    /// The item's own deadline.
    until: Instant,
    given: u64,
}

/// All workers that were needed so far.
pub(super) struct Crew<T, Fut> {
    scope: Scope,
    workers: Vec<Worker<T, Fut>>,
    most: usize,
    idle: Idle,
    running: usize,
    /// No running item's own deadline is before this.
    pub(super) soonest: Instant,
}

/// The place of an item whose body was cut short.
pub(super) type Place<T, O, E> = fn(Option<T>) -> ItemOutcome<T, O, E>;

/// What became of a body, of which item.
pub(super) type Fate<T, O, E> = Option<(u64, ItemOutcome<T, O, E>)>;

impl<T, O, E, Fut: Future<Output = Result<O, E>>> Crew<T, Fut> {
    pub(super) fn new(scope: Scope, most: usize) -> Self {
        Self { scope, workers: Vec::new(), most, idle: Idle::new(), running: 0, soonest: Instant::NEVER }
    }

    /// How many bodies there are.
    #[inline]
    pub(super) fn running(&self) -> usize {
        self.running
    }

    /// How many workers were made.
    pub(super) fn made(&self) -> usize {
        self.workers.len()
    }

    pub(super) fn per_worker(&self) -> Vec<u64> {
        self.workers.iter().map(|worker| worker.given).collect()
    }

    /// A worker with nothing to do; it is made if there is none and there may be more.
    #[inline]
    pub(super) fn idle(&mut self, ready: &mut Ready) -> Option<usize> {
        if let Some(worker) = self.idle.first() {
            return Some(worker);
        }
        let worker = self.workers.len();
        if worker == self.most {
            return None;
        }
        ready.reach(worker);
        let waker = ready.waker(worker).clone();
        let (body, home) = (Box::pin(None), Home::new());
        self.workers.push(Worker { body, home, waker, index: 0, until: Instant::NEVER, given: 0 });
        self.idle.insert(worker);
        Some(worker)
    }

    /// Gives an item to an idle worker and polls its body for the first time.
    #[inline]
    pub(super) fn start(
        &mut self,
        worker: usize,
        index: u64,
        until: Instant,
        item: T,
        make: impl FnOnce(Lease<T>) -> Fut,
    ) -> Fate<T, O, E> {
        let w = &mut self.workers[worker];
        (w.index, w.until) = (index, until);
        w.given += 1;
        self.soonest = self.soonest.min(until);
        let lease = w.home.lend(item);
        let body = &mut w.body;
        let cx = &mut Context::from_waker(&w.waker);
        let polled = catch(|| {
            body.set(Some(make(lease)));
            poll_body(body, cx)
        });
        match settle(w, polled) {
            None => {
                self.idle.remove(worker);
                self.running += 1;
                None
            }
            fate => fate,
        }
    }

    /// Polls a worker's body, if it has one.
    #[inline]
    pub(super) fn poll(&mut self, worker: usize) -> Fate<T, O, E> {
        let w = self.workers.get_mut(worker)?;
        if w.body.is_none() {
            return None;
        }
        let body = &mut w.body;
        let cx = &mut Context::from_waker(&w.waker);
        let polled = catch(|| poll_body(body, cx));
        let fate = settle(w, polled);
        if fate.is_some() {
            self.idle.insert(worker);
            self.running -= 1;
        }
        fate
    }

    /// Whether a worker's item has a deadline of its own that was reached.
    pub(super) fn is_late(&self, worker: usize, now: Instant) -> bool {
        let worker = &self.workers[worker];
        worker.until <= now && worker.body.is_some()
    }

    /// Drops a worker's body, if it has one.
    pub(super) fn cut(&mut self, worker: usize, place: Place<T, O, E>) -> Fate<T, O, E> {
        let w = &mut self.workers[worker];
        if w.body.is_none() {
            return None;
        }
        self.idle.insert(worker);
        self.running -= 1;
        let dropped = self.scope.dropping(|| catch(|| w.body.set(None)));
        let item = w.home.back();
        let outcome = match dropped {
            Ok(()) => place(item),
            Err(panic) => ItemOutcome::Panicked { message: message(panic), item },
        };
        Some((w.index, outcome))
    }

    /// Looks anew for the soonest of the items' own deadlines.
    pub(super) fn find_soonest(&mut self) {
        let running = self.workers.iter().filter(|worker| worker.body.is_some());
        self.soonest = running.map(|worker| worker.until).min().unwrap_or(Instant::NEVER);
    }
}

/// Polls a body, and drops it when it is ready.
#[inline]
fn poll_body<F: Future>(body: &mut Pin<Box<Option<F>>>, cx: &mut Context<'_>) -> Poll<F::Output> {
    let Some(running) = body.as_mut().as_pin_mut() else { unreachable!("a worker with a body") };
    let polled = running.poll(cx);
    if polled.is_ready() {
        body.set(None);
    }
    polled
}

/// What a poll comes to. None: the body goes on.
#[inline]
fn settle<T, O, E, Fut>(
    w: &mut Worker<T, Fut>,
    polled: Result<Poll<Result<O, E>>, Box<dyn Any + Send>>,
) -> Fate<T, O, E> {
    let outcome = match polled {
        Ok(Poll::Pending) => return None,
        Ok(Poll::Ready(Ok(result))) => match drop_item(w.home.back()) {
            Ok(()) => ItemOutcome::Done(result),
            Err(panic) => ItemOutcome::Panicked { message: message(panic), item: None },
        },
        Ok(Poll::Ready(Err(error))) => ItemOutcome::Failed { error, item: w.home.back() },
        Err(panic) => {
            // What panicked while it was polled may panic once more when it is dropped; the first one counts.
            if let Err(again) = catch(|| w.body.set(None)) {
                message(again);
            }
            ItemOutcome::Panicked { message: message(panic), item: w.home.back() }
        }
    };
    Some((w.index, outcome))
}

/// Drops the item of a body that is done.
#[inline]
fn drop_item<T>(item: Option<T>) -> Result<(), Box<dyn Any + Send>> {
    if core::mem::needs_drop::<T>() { catch(|| drop(item)) } else { Ok(()) }
}

/// What a panic said.
fn message(panic: Box<dyn Any + Send>) -> String {
    let text = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "a panic without a text".to_owned(),
    };
    // What was thrown may panic in turn when it is dropped; that one is let go.
    if let Err(again) = catch(|| drop(panic)) {
        core::mem::forget(again);
    }
    text
}

impl<T, Fut> Drop for Crew<T, Fut> {
    /// Drops what still runs, each in its own guard.
    fn drop(&mut self) {
        for worker in &mut self.workers {
            if worker.body.is_some() {
                if let Err(panic) = self.scope.dropping(|| catch(|| worker.body.set(None))) {
                    message(panic);
                }
            }
        }
    }
}
