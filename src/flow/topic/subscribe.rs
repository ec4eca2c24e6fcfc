//! The subscribing side.

use super::state::{Brought, Found, Hub, Outs, READERS, Slow, Topical};
use super::{Missed, RecvError, TryRecvError};
use crate::sys::Arc;
use crate::sys::atomic::Ordering;
use crate::sys::probe;
use crate::sys::thread::contain;
use crate::wait::{Batch, Held, Home, Seen, Waiter};
use core::fmt;
use core::future::Future;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll};
use futures_core::stream::{FusedStream, Stream};
use pin_project_lite::pin_project;

/// Reads the messages of a [`Topic`](super::Topic) that are published after it was made; dropping it unsubscribes.
///
/// What it does when it is slow was said when it was made: see [`Slow`].
pub struct Subscriber<T> {
    hub: Arc<Topical<T>>,
    reader: Reader,
}

/// Where a subscriber stands.
struct Reader {
    /// The number of the message that it reads next.
    at: u64,
    slow: Slow,
    /// It has been told of the end.
    ended: bool,
}

impl Reader {
    /// Reads what is there.
    #[inline(always)]
    fn read<T>(&mut self, hub: &Topical<T>) -> Found<T> {
        let found = match self.slow {
            Slow::Wait => self.read_waited(hub),
            Slow::DropOldest => hub.with(|held| held.read_oldest(&mut self.at)),
            Slow::Latest => hub.with(|held| held.read(&mut self.at, Slow::Latest)),
        };
        if let Found::End = found {
            self.end(hub);
        }
        found
    }

    #[inline(never)]
    fn read_waited<T>(&mut self, hub: &Topical<T>) -> Found<T> {
        let (mut outs, mut batch) = (Outs::new(), Batch::new());
        let (found, more) = hub.with(|held| self.read_held(held, &mut outs, &mut batch));
        follow(hub, &mut outs, &mut batch, more);
        found
    }

    /// Reads under the lock, and lets a publisher go on that waited for it. True: there is more to do.
    #[inline]
    fn read_held<T>(&mut self, held: &mut Held<'_, Hub<T>>, outs: &mut Outs<T>, batch: &mut Batch) -> (Found<T>, bool) {
        let found = held.read(&mut self.at, self.slow);
        let more = self.slow == Slow::Wait && matches!(found, Found::Message(_)) && held.admit(outs, batch);
        (found, more)
    }

    /// It has been told of the end.
    #[cold]
    fn end<T>(&mut self, hub: &Topical<T>) {
        if !mem::replace(&mut self.ended, true) && hub.with(|held| held.end()) {
            hub.settle();
        }
    }

    /// Whether there may be something to read, asked without the lock.
    #[inline]
    fn may_find<T>(&self, hub: &Topical<T>) -> bool {
        // Relaxed: it is a hint.
        hub.look().hint.load(Ordering::Relaxed) != self.at as usize
    }
}

/// What a read gives, outside the lock.
#[inline]
fn give<T: Clone>(found: Found<T>) -> Option<Result<T, RecvError>> {
    if let Found::Message(out) = found {
        return Some(Ok(out.into_message()));
    }
    match found {
        Found::Missed(missed) => Some(Err(RecvError::Missed(missed))),
        Found::End => Some(Err(RecvError::Closed)),
        _ => None,
    }
}

/// Wakes whom a read let go, and drops what their messages displaced. Nobody's panic gets in the way of the message.
///
/// Both are lent: what is there to hold many would be moved as a whole, although it is empty nearly always.
#[inline]
fn follow<T>(hub: &Topical<T>, outs: &mut Outs<T>, batch: &mut Batch, more: bool) {
    if !batch.is_empty() || more || !outs.is_empty() {
        follow_all(hub, outs, batch, more);
    }
}

#[inline(never)]
fn follow_all<T>(hub: &Topical<T>, outs: &mut Outs<T>, batch: &mut Batch, more: bool) {
    contain(|| batch.fire());
    if more {
        contain(|| hub.settle());
    }
    contain(|| drop(mem::take(outs)));
}

/// Reads, or waits in line.
#[inline(always)]
fn poll_read<T: Clone, H: Home<Hub<T>>>(
    waiter: Pin<&Waiter<Hub<T>, H>>,
    seen: &mut Seen,
    reader: &mut Reader,
    cx: &mut Context<'_>,
) -> Poll<Result<T, RecvError>> {
    let hub = waiter.home().hall();
    if reader.may_find(hub) {
        if let Some(given) = give(reader.read(hub)) {
            return Poll::Ready(given);
        }
    }
    wait_to_read(waiter, seen, reader, cx)
}

/// Waits in line, unless there is something to read by now.
#[inline(never)]
fn wait_to_read<T: Clone, H: Home<Hub<T>>>(
    waiter: Pin<&Waiter<Hub<T>, H>>,
    seen: &mut Seen,
    reader: &mut Reader,
    cx: &mut Context<'_>,
) -> Poll<Result<T, RecvError>> {
    let hub = waiter.home().hall();
    if !(waiter.is_waiting() && seen.is(cx.waker())) {
        let waker = cx.waker().clone();
        *seen = Seen::of(&waker);
        let (mut outs, mut batch) = (Outs::new(), Batch::new());
        let (found, more, old) = waiter.with(|seat| {
            let (found, more) = reader.read_held(seat.held, &mut outs, &mut batch);
            if !matches!(found, Found::Nothing) {
                return (found, more, Some(waker));
            }
            if seat.is_waiting() {
                return (found, more, seat.set_waker(waker));
            }
            mem::forget(mem::replace(seat.slot(), Brought::Reader(reader.at)));
            seat.accept();
            seat.enter(READERS, waker);
            (found, more, None)
        });
        drop(old);
        follow(hub, &mut outs, &mut batch, more);
        if let Found::End = found {
            reader.end(hub);
        }
        if let Some(given) = give(found) {
            return Poll::Ready(given);
        }
    }
    probe::waiting("topic recv", Some(hub.shared.id), u64::MAX);
    Poll::Pending
}

impl<T> Subscriber<T> {
    pub(super) fn new(hub: Arc<Topical<T>>, slow: Slow) -> Self {
        let at = hub.with(|held| held.enter(slow));
        Self { hub, reader: Reader { at, slow, ended: false } }
    }

    /// What it does when it is slow.
    pub fn slow(&self) -> Slow {
        self.reader.slow
    }
}

impl<T: Clone> Subscriber<T> {
    /// Reads the next message, and waits for it if need be.
    ///
    /// # Errors
    /// [`RecvError::Missed`] where messages have been displaced that it had not read; the next read gives the oldest that is left.
    /// [`RecvError::Closed`] when it has read all, and there will be no other.
    #[inline]
    pub fn recv(&mut self) -> Recv<'_, T> {
        Recv { waiter: Waiter::new(&self.hub, Brought::Nothing), seen: Seen::NONE, reader: &mut self.reader }
    }

    /// Reads the next message, if it is there.
    ///
    /// # Errors
    /// [`TryRecvError::Empty`] if it is not there yet; else as [`recv`](Self::recv).
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        match give(self.reader.read(&self.hub)) {
            Some(given) => given.map_err(Into::into),
            None => Err(TryRecvError::Empty),
        }
    }

    /// Makes a stream of it, which ends with the topic.
    pub fn into_stream(self) -> Messages<T> {
        Messages { waiter: Waiter::new(self.hub.clone(), Brought::Nothing), seen: Seen::NONE, subscriber: self }
    }
}

impl<T> Drop for Subscriber<T> {
    fn drop(&mut self) {
        let Reader { ref mut at, slow, ended } = self.reader;
        let mut end = None;
        // A drop may be part of an unwinding, and what it drops may panic: each is dropped by itself.
        loop {
            let (mut outs, mut batch) = (Outs::new(), Batch::new());
            let (out, more) = self.hub.with(|held| {
                let mut more = false;
                let end = *end.get_or_insert_with(|| {
                    more = !ended && held.end() && held.release(&mut batch);
                    held.exit(slow)
                });
                let out = held.forgo(at, end, slow);
                (out, more | held.admit(&mut outs, &mut batch))
            });
            let goes_on = out.is_some();
            follow(&self.hub, &mut outs, &mut batch, more);
            contain(|| drop(out));
            if !goes_on {
                break;
            }
        }
    }
}

impl<T> fmt::Debug for Subscriber<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriber").field("slow", &self.reader.slow).field("ended", &self.reader.ended).finish()
    }
}

pin_project! {
    /// Reads the next message; made by [`Subscriber::recv`].
    ///
    /// # Fairness
    /// All who wait are told of a message together.
    ///
    /// # Cancel safety
    /// Dropping it loses nothing: a message counts as read only when this has given it.
    #[must_use = "it reads nothing unless it is awaited"]
    pub struct Recv<'a, T> {
        #[pin]
        waiter: Waiter<Hub<T>, &'a Arc<Topical<T>>>,
        seen: Seen,
        reader: &'a mut Reader,
    }
}

impl<T: Clone> Future for Recv<'_, T> {
    type Output = Result<T, RecvError>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        poll_read(this.waiter.as_ref(), this.seen, this.reader, cx)
    }
}

impl<T> fmt::Debug for Recv<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recv").field("waiting", &self.waiter.is_waiting()).finish_non_exhaustive()
    }
}

pin_project! {
    /// The messages of a topic as a stream; made by [`Subscriber::into_stream`].
    ///
    /// # Cancel safety
    /// A future of its next message may be dropped: nothing is lost.
    #[must_use = "streams do nothing unless they are polled"]
    pub struct Messages<T> {
        #[pin]
        waiter: Waiter<Hub<T>, Arc<Topical<T>>>,
        seen: Seen,
        subscriber: Subscriber<T>,
    }
}

impl<T: Clone> Stream for Messages<T> {
    type Item = Result<T, Missed>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        poll_read(this.waiter.as_ref(), this.seen, &mut this.subscriber.reader, cx).map(|read| match read {
            Ok(message) => Some(Ok(message)),
            Err(RecvError::Missed(missed)) => Some(Err(Missed(missed))),
            Err(RecvError::Closed) => None,
        })
    }
}

impl<T: Clone> FusedStream for Messages<T> {
    fn is_terminated(&self) -> bool {
        self.subscriber.reader.ended
    }
}

impl<T> fmt::Debug for Messages<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messages").field("subscriber", &self.subscriber).finish_non_exhaustive()
    }
}
