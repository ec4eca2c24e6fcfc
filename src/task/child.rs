//! A spawned child: the future that its task runs, and what that shares with the child's handle.

use super::life::{Ending, Life, Returned};
use super::outlet::{self, End, Ended, Tell};
use super::state::{Core, Place, Side};
use super::tally::How;
use crate::cancel::{Nested, Scope};
use crate::sys::atomic::Ordering;
use crate::sys::joint::{Joined, Label, Labelled, Near};
use crate::sys::trace::{self, Span};
use crate::sys::waker::{Wake, waker};
use crate::sys::{Arc, Weak};
use crate::wait::Seen;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use pin_project_lite::pin_project;

/// What a child shares with its handle. In this order, so that polls touch little of it.
#[repr(C)]
pub(super) struct Record<E> {
    /// The child's own scope, inside that of its side, and the group.
    nested: Nested<Core<E>>,
    place: Place,
    pub(super) label: Label,
}

impl<E> Record<E> {
    pub(super) fn new(core: Arc<Core<E>>, place: Place, label: Label) -> Self {
        let nested = Nested::new(core, |core| &core.shared.scopes[place.side as usize]);
        Self { nested, place, label }
    }

    /// The child's own.
    #[inline]
    pub(super) fn scope(&self) -> &Scope {
        self.nested.scope()
    }

    #[inline]
    pub(super) fn core(&self) -> &Arc<Core<E>> {
        self.nested.owner()
    }

    /// Wakes the child's task.
    pub(super) fn wake(&self) {
        self.core().wake_child(self.place);
    }
}

/// The child has ended: its handle is told, and the group counts it.
///
/// `alone`: there is no handle, and will be none.
#[inline(always)]
fn ended<T, E>(near: Near<'_, Record<E>, End<T>>, (end, how): Ending<T, E>, alone: bool) {
    let record = near.shared();
    // Its handle may have been dropped meanwhile. The result is gone then before the child is counted (T2).
    let (tell, how) = if alone { (Tell::NOBODY, how) } else { outlet::send(near, end, how) };
    trace::child_ended(&record.core().shared.name, || &record.label, how.word());
    record.core().ended(record.place, &record.label, how);
    tell.now();
}

impl<E> Labelled for Record<E> {
    fn label(&self) -> &Label {
        &self.label
    }

    fn label_mut(&mut self) -> &mut Label {
        &mut self.label
    }
}

pin_project! {
    /// What a child's task runs, beside the record.
    pub(super) struct Child<F, T, E> {
        #[pin]
        life: Life<F, T, E>,
        // The waker that is noted in the group, and when it was (T4).
        seen: Seen,
        epoch: usize,
        span: Span,
    }
}

impl<F: Future<Output = Returned<T, E>>, T, E> Child<F, T, E> {
    pub(super) fn new(body: F) -> Self {
        Self { life: Life::new(body), seen: Seen::NONE, epoch: 0, span: Span::new() }
    }
}

impl<F, T, E> Joined<Record<E>> for Child<F, T, E>
where
    F: Future<Output = Returned<T, E>>,
    E: Send + 'static,
{
    type Ask = ();
    type Said = ();
    type Out = End<T>;

    fn poll(self: Pin<&mut Self>, near: Near<'_, Record<E>, End<T>>, (): (), cx: &mut Context<'_>) -> Poll<Option<()>> {
        let this = self.project();
        let (record, alone) = (near.shared(), near.is_alone());
        let (seen, epoch) = (this.seen, this.epoch);
        let rest = |cx: &mut Context<'_>| rest(record, seen, epoch, cx);
        let polled = {
            let _entered = this.span.child(&record.label.name, record.label.made);
            this.life.poll(record.scope(), || record.scope().check().is_ok(), alone, cx, rest)
        };
        if let Some(ending) = ready!(polled) {
            ended(near, ending, alone);
        }
        Poll::Ready(Some(()))
    }

    fn left(self: Pin<&mut Self>, near: Near<'_, Record<E>, End<T>>) -> Option<()> {
        let lost = || (End::Ended(Ended::Lost), How::Lost);
        let ending = self.project().life.leave(near.shared().scope(), lost)?;
        ended(near, ending, false);
        Some(())
    }
}

/// What follows a `Pending` of the body: the child will be woken when it may have to be cut short (T4).
#[inline]
fn rest<E: Send + 'static>(record: &Record<E>, seen: &mut Seen, epoch: &mut usize, cx: &mut Context<'_>) {
    let (shared, side) = (&record.core().shared, record.place.side);
    let hook = || waker(Arc::new(Hook { core: Arc::downgrade(record.core()), side }));
    // Acquire: partner of the store in `next_epoch`.
    let epoch_now = || shared.epoch.load(Ordering::Acquire);
    if !(seen.is(cx.waker()) && *epoch == epoch_now()) {
        loop {
            let waker = cx.waker().clone();
            *seen = Seen::of(&waker);
            let (at, old) = record.core().register(record.place, waker);
            *epoch = at;
            drop(old);
            // A clone need not look like its original, so only the epoch tells whether to note it once more.
            if *epoch == epoch_now() {
                break;
            }
        }
    }
    if shared.watches[side as usize].arm(&shared.scopes[side as usize], hook) {
        record.core().wake_side(side);
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
