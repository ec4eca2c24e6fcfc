//! A spawned child: the future that its task runs, and what that shares with the child's handle.

use super::outcome::{Label, Status};
use super::state::{Core, Side};
use super::tally::How;
use crate::cancel::{Cancelled, Scope, Ward};
use crate::spawn::Panic;
use crate::sys::atomic::Ordering;
use crate::sys::thread::catch;
use crate::sys::waker::{Wake, waker};
use crate::sys::{Arc, Lock, Weak};
use crate::wait::Seen;
use alloc::boxed::Box;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use pin_project_lite::pin_project;

/// What a child shares with its handle.
pub(super) struct Record<T, E> {
    pub(super) core: Arc<Core<E>>,
    pub(super) index: usize,
    pub(super) label: Label,
    /// The child's own.
    pub(super) scope: Scope,
    side: Side,
    slot: Lock<Slot<T>>,
}

struct Slot<T> {
    end: End<T>,
    /// Who waits for the end.
    joiner: Option<Waker>,
}

/// How far the child has come.
pub(super) enum End<T> {
    Running,
    Done(T),
    /// It has ended, and there is no result, or none any more.
    Ended(Ended),
}

/// How a child has ended.
#[derive(Clone)]
pub(super) enum Ended {
    Done,
    Failed,
    Panicked,
    Cancelled(Cancelled),
    Lost,
}

impl<T, E> Record<T, E> {
    pub(super) fn new(core: Arc<Core<E>>, index: usize, label: Label, side: Side) -> Self {
        let scope = core.shared.scopes[side as usize].child();
        let slot = Lock::new(Slot { end: End::Running, joiner: None });
        Self { core, index, label, scope, side, slot }
    }

    pub(super) fn status(&self) -> Status {
        self.slot.with(|slot| match slot.end {
            End::Running => Status::Running,
            End::Done(_) | End::Ended(Ended::Done) => Status::Done,
            End::Ended(Ended::Failed) => Status::Failed,
            End::Ended(Ended::Panicked) => Status::Panicked,
            End::Ended(Ended::Cancelled(_)) => Status::Cancelled,
            End::Ended(Ended::Lost) => Status::Lost,
        })
    }

    /// The end, once it has come. A result is given once; the rest stays.
    pub(super) fn take(&self) -> Option<End<T>> {
        self.slot.with(Slot::take)
    }

    /// As [`take`](Self::take); the waker is kept until it has come.
    pub(super) fn poll_end(&self, cx: &mut Context<'_>) -> Poll<End<T>> {
        self.poll(cx, Slot::take)
    }

    /// How the child has ended, without its result; the waker is kept until it has.
    pub(super) fn poll_ended(&self, cx: &mut Context<'_>) -> Poll<Ended> {
        self.poll(cx, |slot| slot.end.ended())
    }

    fn poll<R>(&self, cx: &mut Context<'_>, look: impl Fn(&mut Slot<T>) -> Option<R>) -> Poll<R> {
        if let Some(end) = self.slot.with(&look) {
            return Poll::Ready(end);
        }
        let waker = cx.waker().clone();
        let (end, unused) = self.slot.with(|slot| match look(slot) {
            Some(end) => (Poll::Ready(end), Some(waker)),
            None => (Poll::Pending, slot.joiner.replace(waker)),
        });
        drop(unused);
        end
    }

    /// Whoever waits for the end waits no more.
    pub(super) fn forget_joiner(&self) {
        let waker = self.slot.with(|slot| slot.joiner.take());
        drop(waker);
    }

    /// The child has ended: its handle is told, and the group counts it.
    fn ended(&self, end: End<T>, how: How<E>) {
        let (before, joiner) = self.slot.with(|slot| (core::mem::replace(&mut slot.end, end), slot.joiner.take()));
        debug_assert!(matches!(before, End::Running), "a child ends once");
        /// Wakes the joiner also if the other wakers panic.
        struct Tell(Option<Waker>);
        impl Drop for Tell {
            fn drop(&mut self) {
                if let Some(waker) = self.0.take() {
                    waker.wake();
                }
            }
        }
        let _tell = Tell(joiner);
        self.core.ended(self.index, how);
    }
}

impl<T> Slot<T> {
    fn take(&mut self) -> Option<End<T>> {
        match &self.end {
            End::Running => None,
            End::Done(_) => Some(core::mem::replace(&mut self.end, End::Ended(Ended::Done))),
            End::Ended(ended) => Some(End::Ended(ended.clone())),
        }
    }
}

impl<T> End<T> {
    fn ended(&self) -> Option<Ended> {
        match self {
            Self::Running => None,
            Self::Done(_) => Some(Ended::Done),
            Self::Ended(ended) => Some(ended.clone()),
        }
    }
}

/// What a body returns: its result, or its error, unless that went elsewhere.
pub(super) type Returned<T, E> = Result<T, Option<E>>;

pin_project! {
    /// What a child's task runs.
    pub(super) struct Child<F, T, E>
    where
        F: Future<Output = Returned<T, E>>,
    {
        #[pin]
        body: Ward<F>,
        // None: it has ended.
        record: Option<Arc<Record<T, E>>>,
        // How it ended, while groups that it left behind are waited for.
        ending: Option<Box<(End<T>, How<E>)>>,
        begun: bool,
        // The waker that is noted in the group, and when it was (T4).
        seen: Seen,
        epoch: usize,
    }

    impl<F, T, E> PinnedDrop for Child<F, T, E>
    where
        F: Future<Output = Returned<T, E>>,
    {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(record) = this.record.take() {
                let body = this.body.as_mut();
                let dropped = catch(|| body.end(&record.scope)).map_err(Panic::new);
                let (end, how) = match (this.ending.take(), dropped) {
                    (Some(ending), _) => *ending,
                    (None, Ok(())) => (End::Ended(Ended::Lost), How::Lost),
                    (None, Err(panic)) => (End::Ended(Ended::Panicked), How::Panicked(panic)),
                };
                record.ended(end, how);
            }
        }
    }
}

impl<F: Future<Output = Returned<T, E>>, T, E> Child<F, T, E> {
    pub(super) fn new(record: Arc<Record<T, E>>, body: F) -> Self {
        Self { body: Ward::new(body), record: Some(record), ending: None, begun: false, seen: Seen::NONE, epoch: 0 }
    }
}

/// Drops a body in a panic guard.
fn clear<F: Future>(body: Pin<&mut Ward<F>>, scope: &Scope) -> Result<(), Panic> {
    catch(|| body.clear(scope)).map_err(Panic::new)
}

impl<F: Future<Output = Returned<T, E>>, T, E: Send + 'static> Future for Child<F, T, E> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let Some(record) = this.record.as_ref() else { return Poll::Ready(()) };
        let scope = &record.scope;
        if this.ending.is_some() && this.body.as_mut().lingers(scope, cx) {
            return Poll::Pending;
        }
        if let Some(ending) = this.ending.take() {
            let (end, how) = *ending;
            if let Some(record) = this.record.take() {
                record.ended(end, how);
            }
            return Poll::Ready(());
        }
        if !*this.begun {
            // Rule b. What is wrong by now is read from the flags below.
            *this.begun = scope.check().is_ok();
        }
        let polled = match *this.begun {
            true => catch(|| this.body.as_mut().poll(scope, cx)),
            false => Ok(Poll::Pending),
        };
        let (end, how) = match polled {
            Ok(Poll::Pending) => match rest(record, this.seen, this.epoch, cx) {
                None => return Poll::Pending,
                // Rule h.
                Some(_) if this.body.as_mut().shelters(scope, cx) => return Poll::Pending,
                Some(cancelled) => match clear(this.body.as_mut(), scope) {
                    Ok(()) => {
                        let from_above = !cancelled.is_own();
                        (End::Ended(Ended::Cancelled(cancelled)), How::Cancelled { from_above })
                    }
                    Err(panic) => (End::Ended(Ended::Panicked), How::Panicked(panic)),
                },
            },
            Ok(Poll::Ready(returned)) => match (clear(this.body.as_mut(), scope), returned) {
                (Ok(()), Ok(value)) => kept(record, value),
                (Ok(()), Err(error)) => (End::Ended(Ended::Failed), How::Failed(error)),
                (Err(panic), returned) => {
                    // The panic is how it ended; an error is kept beside it.
                    match returned {
                        Ok(value) => drop(catch(|| drop(value)).map_err(Panic::new)),
                        Err(Some(error)) => record.core.failed_late(record.label.clone(), error),
                        Err(None) => {}
                    }
                    (End::Ended(Ended::Panicked), How::Panicked(panic))
                }
            },
            Err(payload) => {
                // What panics when it is polled may panic again when it is dropped: the first one counts.
                let panic = Panic::new(payload);
                drop(clear(this.body.as_mut(), scope));
                (End::Ended(Ended::Panicked), How::Panicked(panic))
            }
        };
        if this.body.as_mut().lingers(scope, cx) {
            *this.ending = Some(Box::new((end, how)));
            return Poll::Pending;
        }
        if let Some(record) = this.record.take() {
            record.ended(end, how);
        }
        Poll::Ready(())
    }
}

/// A result that nobody will take is dropped here, in a guard.
#[inline]
fn kept<T, E>(record: &Arc<Record<T, E>>, value: T) -> (End<T>, How<E>) {
    if !core::mem::needs_drop::<T>() || Arc::strong_count(record) > 1 {
        return (End::Done(value), How::Done);
    }
    match catch(|| drop(value)) {
        Ok(()) => (End::Ended(Ended::Done), How::Done),
        Err(payload) => (End::Ended(Ended::Panicked), How::Panicked(Panic::new(payload))),
    }
}

/// What follows a `Pending` of the body: why the child is cut short; if it is not, it will be woken when it may be (T4).
#[inline]
fn rest<T, E: Send + 'static>(
    record: &Record<T, E>,
    seen: &mut Seen,
    epoch: &mut usize,
    cx: &mut Context<'_>,
) -> Option<Cancelled> {
    let (shared, side) = (&record.core.shared, record.side as usize);
    let hook = || waker(Arc::new(Hook { core: Arc::downgrade(&record.core), side: record.side }));
    loop {
        if let Some(cancelled) = record.scope.cause() {
            return Some(cancelled);
        }
        // Acquire: partner of the store in `next_epoch`.
        if seen.is(cx.waker()) && *epoch == shared.epoch.load(Ordering::Acquire) {
            if shared.watches[side].arm(&shared.scopes[side], hook) {
                record.core.wake_side(record.side);
            }
            return record.scope.cause();
        }
        let waker = cx.waker().clone();
        *seen = Seen::of(&waker);
        let (at, old) = record.core.register(record.index, waker);
        *epoch = at;
        drop(old);
    }
}

/// Wakes all children of a side, when their scope may be cancelled.
struct Hook<E> {
    core: Weak<Core<E>>,
    side: Side,
}

impl<E: Send + 'static> Wake for Hook<E> {
    fn wake(this: &Arc<Self>) {
        if let Some(core) = this.core.upgrade() {
            core.shared.watches[this.side as usize].fired();
            core.wake_side(this.side);
        }
    }
}
