//! A spawned child: the future that its task runs, and what that shares with the child's handle.

use super::outcome::Status;
use super::state::{Core, Place, Side};
use super::tally::How;
use crate::cancel::{Cancelled, Scope, Ward};
use crate::spawn::Panic;
use crate::sys::atomic::Ordering;
use crate::sys::joint::{Joined, Label, Labelled};
use crate::sys::thread::catch;
use crate::sys::waker::{Wake, waker};
use crate::sys::{Arc, Told, Weak, probe};
use crate::wait::Seen;
use alloc::boxed::Box;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use pin_project_lite::pin_project;

/// What a child shares with its handle. In this order, so that polls touch little of it.
#[repr(C)]
pub(super) struct Record<T, E> {
    pub(super) core: Arc<Core<E>>,
    /// The child's own.
    pub(super) scope: Scope,
    slot: Told<Slot<T>>,
    place: Place,
    pub(super) label: Label,
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
    /// Apart, so that a child takes little room.
    Cancelled(Box<Cancelled>),
    Lost,
}

impl<T, E> Record<T, E> {
    pub(super) fn new(core: Arc<Core<E>>, place: Place, label: Label) -> Self {
        let scope = core.shared.scopes[place.side as usize].child();
        let slot = Told::new(Slot { end: End::Running, joiner: None });
        Self { core, scope, slot, place, label }
    }

    pub(super) fn status(&self) -> Status {
        self.slot.read(|slot| match slot.end {
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
        probe::keeping(&waker);
        let (end, unused) = self.slot.with(|slot| match look(slot) {
            Some(end) => (Poll::Ready(end), Some(waker)),
            None => (Poll::Pending, slot.joiner.replace(waker)),
        });
        drop(unused);
        end
    }

    /// Wakes the child's task.
    pub(super) fn wake(&self) {
        self.core.wake_child(self.place);
    }

    /// Whoever waits for the end waits no more.
    pub(super) fn forget_joiner(&self) {
        let waker = self.slot.with(|slot| slot.joiner.take());
        drop(waker);
    }

    /// The child has ended: its handle is told, and the group counts it.
    fn ended(&self, (end, how): Ending<T, E>) {
        let (before, joiner) = self.slot.with(|slot| (core::mem::replace(&mut slot.end, end), slot.joiner.take()));
        debug_assert!(matches!(before, End::Running), "a child ends once");
        /// Wakes the joiner also if the other wakers panic.
        struct Tell(Option<Waker>);
        impl Drop for Tell {
            fn drop(&mut self) {
                if let Some(waker) = self.0.take() {
                    probe::firing(&waker);
                    waker.wake();
                }
            }
        }
        let _tell = Tell(joiner);
        self.core.ended(self.place, &self.label, how);
    }
}

impl<T: Send, E: Send> Labelled for Record<T, E> {
    fn label(&self) -> &Label {
        &self.label
    }

    fn label_mut(&mut self) -> &mut Label {
        &mut self.label
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
    /// What a child's task runs, beside the record.
    pub(super) struct Child<F, T, E> {
        #[pin]
        body: Ward<F>,
        // How it ended, while groups that it left behind are waited for.
        ending: Option<Box<Ending<T, E>>>,
        stage: Stage,
        // The waker that is noted in the group, and when it was (T4).
        seen: Seen,
        epoch: usize,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    New,
    Begun,
    /// It has been counted out.
    Over,
}

/// How a child ended, for its handle and for its group.
type Ending<T, E> = (End<T>, How<E>);

impl<F: Future, T, E> Child<F, T, E> {
    pub(super) fn new(body: F) -> Self {
        Self { body: Ward::new(body), ending: None, stage: Stage::New, seen: Seen::NONE, epoch: 0 }
    }
}

fn panicked<T, E>(panic: Panic) -> Ending<T, E> {
    (End::Ended(Ended::Panicked), How::Panicked(panic))
}

/// Drops a body in a panic guard.
fn clear<F: Future>(body: Pin<&mut Ward<F>>, scope: &Scope) -> Result<(), Panic> {
    catch(|| body.clear(scope)).map_err(Panic::new)
}

impl<F, T, E> Joined<Record<T, E>> for Child<F, T, E>
where
    F: Future<Output = Returned<T, E>> + Send,
    T: Send,
    E: Send + 'static,
{
    fn poll(self: Pin<&mut Self>, record: &Record<T, E>, alone: bool, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let scope = &record.scope;
        let ending = match this.ending.take() {
            Some(ending) => *ending,
            None => {
                if *this.stage == Stage::New && scope.check().is_ok() {
                    *this.stage = Stage::Begun;
                }
                let polled = match this.stage {
                    Stage::Begun => catch(|| this.body.as_mut().poll(scope, cx)),
                    // Rule b. Why it may not begin is read from the flags below.
                    Stage::New => Ok(Poll::Pending),
                    Stage::Over => return Poll::Ready(()),
                };
                match polled {
                    Ok(Poll::Pending) => match rest(record, this.seen, this.epoch, cx) {
                        None => return Poll::Pending,
                        // Rule h.
                        Some(_) if this.body.as_mut().shelters(scope, cx) => return Poll::Pending,
                        Some(cancelled) => cut(clear(this.body.as_mut(), scope), cancelled),
                    },
                    Ok(Poll::Ready(returned)) => {
                        returned_with(record, clear(this.body.as_mut(), scope), returned, alone)
                    }
                    Err(payload) => {
                        // What panics when it is polled may panic again when it is dropped: the first one counts.
                        let panic = Panic::new(payload);
                        drop(clear(this.body.as_mut(), scope));
                        panicked(panic)
                    }
                }
            }
        };
        if this.body.as_mut().lingers(scope, cx) {
            *this.ending = Some(Box::new(ending));
            return Poll::Pending;
        }
        // Before others are told, whose wakers may panic.
        *this.stage = Stage::Over;
        record.ended(ending);
        Poll::Ready(())
    }

    fn left(self: Pin<&mut Self>, record: &Record<T, E>) {
        let this = self.project();
        if *this.stage == Stage::Over {
            return;
        }
        *this.stage = Stage::Over;
        let dropped = catch(|| this.body.end(&record.scope)).map_err(Panic::new);
        record.ended(match (this.ending.take(), dropped) {
            (Some(ending), _) => *ending,
            (None, Ok(())) => (End::Ended(Ended::Lost), How::Lost),
            (None, Err(panic)) => panicked(panic),
        });
    }
}

/// The end of a child whose body was cut short, or not begun.
fn cut<T, E>(cleared: Result<(), Panic>, cancelled: Cancelled) -> Ending<T, E> {
    match cleared {
        Ok(()) => {
            let from_above = !cancelled.is_own();
            (End::Ended(Ended::Cancelled(Box::new(cancelled))), How::Cancelled { from_above })
        }
        Err(panic) => panicked(panic),
    }
}

/// The end of a child whose body has returned.
#[inline]
fn returned_with<T, E>(
    record: &Record<T, E>,
    cleared: Result<(), Panic>,
    returned: Returned<T, E>,
    alone: bool,
) -> Ending<T, E> {
    match (cleared, returned) {
        (Ok(()), Ok(value)) => kept(alone, value),
        (Ok(()), Err(error)) => (End::Ended(Ended::Failed), How::Failed(error)),
        (Err(panic), returned) => {
            // The panic is how it ended; an error is kept beside it.
            match returned {
                Ok(value) => drop(catch(|| drop(value)).map_err(Panic::new)),
                Err(Some(error)) => record.core.failed_late(record.label.clone(), error),
                Err(None) => {}
            }
            panicked(panic)
        }
    }
}

/// A result that nobody will take is dropped here, in a guard.
#[inline]
fn kept<T, E>(alone: bool, value: T) -> Ending<T, E> {
    if !(alone && core::mem::needs_drop::<T>()) {
        return (End::Done(value), How::Done);
    }
    match catch(|| drop(value)) {
        Ok(()) => (End::Ended(Ended::Done), How::Done),
        Err(payload) => panicked(Panic::new(payload)),
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
    let (shared, side) = (&record.core.shared, record.place.side);
    let hook = || waker(Arc::new(Hook { core: Arc::downgrade(&record.core), side }));
    // Acquire: partner of the store in `next_epoch`.
    while !(seen.is(cx.waker()) && *epoch == shared.epoch.load(Ordering::Acquire)) {
        let waker = cx.waker().clone();
        *seen = Seen::of(&waker);
        let (at, old) = record.core.register(record.place, waker);
        *epoch = at;
        drop(old);
    }
    if shared.watches[side as usize].arm(&shared.scopes[side as usize], hook) {
        record.core.wake_side(side);
    }
    if record.scope.is_cancelled() { record.scope.cause() } else { None }
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
