//! What stands in for slots and frames where there are no thread-locals.

use super::{Act, Host, Relied};
use crate::sys::atomic::{AtomicUsize, Ordering};
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

/// The address of the frame of the run that polls, or one more, if it drops its body; [`SOME`] for polls by somebody whose
/// frame is not that of a run; 0 for none.
///
/// Relaxed throughout: who acts upon it is on the stack that wrote it, or at most polls some times more than it has to.
pub(crate) struct Mark(AtomicUsize);

impl Mark {
    pub(crate) fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    pub(crate) fn copy(&self) -> Self {
        Self(AtomicUsize::new(self.get()))
    }

    fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// A run: told apart by its address.
#[repr(align(4))]
pub(crate) struct Frame<T>(u32, PhantomData<fn() -> T>);

impl<T> Frame<T> {
    pub(crate) fn new() -> Self {
        Self(0, PhantomData)
    }

    /// What tells the run from others, as long as its frame stays where it is.
    pub(crate) fn number(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }

    /// It can't be said that it was not.
    pub(crate) fn was_noted(&mut self) -> bool {
        true
    }
}

/// See [`Mark`].
const SOME: usize = 2;

/// Nothing.
pub(crate) struct Slot<T>(PhantomData<fn() -> T>);

impl<T> Slot<T> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

/// The same nothing for all.
pub(crate) type Key<T> = Slot<T>;

/// A call in a frame. Its end puts back how the value was marked before.
struct Inside<'a, T: Host>(&'a T, usize);

impl<'a, T: Host> Inside<'a, T> {
    fn of(frame: &mut Frame<T>, value: &'a T, act: Act<'_>) -> Self {
        let before = value.marks().into_iter().flatten().map(Mark::get).next().unwrap_or(0);
        let run = frame.number();
        mark(
            value,
            match act {
                Act::Poll(_) => run,
                Act::Polls => SOME,
                Act::Drop => run | 1,
                Act::End => 0,
            },
        );
        Self(value, before)
    }
}

impl<T: Host> Drop for Inside<'_, T> {
    fn drop(&mut self) {
        mark(self.0, self.1);
    }
}

fn mark<T: Host>(value: &T, run: usize) {
    for mark in value.marks().into_iter().flatten() {
        mark.0.store(run, Ordering::Relaxed);
    }
}

pub(crate) fn enter<T: Host, R>(frame: &mut Frame<T>, value: &T, act: Act<'_>, f: impl FnOnce() -> R) -> R {
    let _inside = Inside::of(frame, value, act);
    f()
}

#[inline(always)]
pub(crate) fn poll_in<T: Host, F: Future>(
    frame: &mut Frame<T>,
    value: &T,
    future: Pin<&mut F>,
    cx: &mut Context<'_>,
) -> Poll<F::Output> {
    let _inside = Inside::of(frame, value, Act::Poll(cx.waker()));
    future.poll(cx)
}

#[inline]
pub(crate) fn clear_in<T: Host, F>(frame: &mut Frame<T>, value: &T, mut place: Pin<&mut Option<F>>) {
    let _inside = Inside::of(frame, value, Act::Drop);
    place.set(None);
}

#[inline(always)]
pub(crate) fn end_in<T: Host, F>(frame: &mut Frame<T>, value: &T, mut place: Pin<&mut Option<F>>) {
    let _inside = Inside::of(frame, value, Act::End);
    place.set(None);
}

pub(crate) fn current<T: Host, R>(f: impl FnOnce(Option<&T>) -> R) -> R {
    f(None)
}

pub(crate) fn polls_along<'m, T: Host, V: Copy>(
    mut path: impl Iterator<Item = V>,
    mark: impl Fn(V) -> &'m Mark,
    _: impl Fn(V, &T) -> bool,
    mut f: impl FnMut(V, usize) -> bool,
) {
    path.find(|view| polling(mark(*view)).is_some_and(|run| !f(*view, run)));
}

fn polling(mark: &Mark) -> Option<usize> {
    Some(mark.get()).filter(|&run| run != 0 && run & 1 == 0)
}

pub(crate) fn each_run<T: Host>(mark: &Mark, _: impl Fn(&T) -> bool, mut f: impl FnMut(usize)) {
    match mark.get() & !1 {
        0 | SOME => {}
        run => f(run),
    }
}

pub(crate) fn is_bare<T: Host>() -> bool {
    false
}

pub(crate) fn innermost<T: Host>() -> usize {
    0
}

pub(crate) fn rely<T: Host>(mark: &Mark, _: &Waker, _: bool, _: impl Fn(&T) -> bool) -> Relied {
    if polling(mark).is_some() { Relied::OtherWaker } else { Relied::NoPoll }
}

pub(crate) fn barrier<R>(f: impl FnOnce() -> R) -> R {
    f()
}
