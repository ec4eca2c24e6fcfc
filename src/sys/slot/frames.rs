//! Slots that are thread-locals, and frames that are linked while their runs poll.
#![expect(unsafe_code, reason = "a slot refers to what is borrowed for the length of the call that set it")]

use super::{Act, Host, Relied};
use core::cell::Cell;
use core::mem::needs_drop;
use core::pin::Pin;
use core::ptr;
use core::task::{Context, Poll, Waker};

/// Nothing: frames say all.
pub(crate) struct Mark;

impl Mark {
    pub(crate) fn new() -> Self {
        Self
    }

    pub(crate) fn copy(&self) -> Self {
        Self
    }
}

/// A run, as a slot knows it: told apart by its address.
///
/// Invariant N1: what it refers to is set, and the slot of a thread refers to it, only during a call that has borrowed
/// all of it; on that thread alone is it then looked at.
pub(crate) struct Frame<T> {
    value: Cell<*const T>,
    /// The waker of a poll; null, if there is not one.
    waker: Cell<*const Waker>,
    stack: Cell<usize>,
    below: Cell<*const Frame<T>>,
    does: Cell<Does>,
    relied: Cell<bool>,
    noted: Cell<bool>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Does {
    Poll,
    /// For somebody whose frame is not that of a run.
    PollSome,
    Drop,
    End,
}

// SAFETY: N1: it moves to another thread only while it refers to nothing.
unsafe impl<T> Send for Frame<T> {}
// SAFETY: N1, and a shared reference from outside the slot gives its address only.
unsafe impl<T> Sync for Frame<T> {}

impl<T> Frame<T> {
    pub(crate) fn new() -> Self {
        Self {
            value: Cell::new(ptr::null()),
            waker: Cell::new(ptr::null()),
            stack: Cell::new(0),
            below: Cell::new(ptr::null()),
            does: Cell::new(Does::End),
            relied: Cell::new(false),
            noted: Cell::new(false),
        }
    }

    /// What tells the run from others, as long as its frame stays where it is.
    #[inline]
    pub(crate) fn number(&self) -> usize {
        ptr::from_ref(self).addr()
    }

    /// Whether [`each_run`] has come upon the run.
    #[inline]
    pub(crate) fn was_noted(&mut self) -> bool {
        self.noted.get()
    }
}

/// What a slot holds: the innermost frame, or null.
pub(crate) struct Slot<T>(Cell<*const Frame<T>>);

impl<T> Slot<T> {
    pub(crate) const fn new() -> Self {
        Self(Cell::new(ptr::null()))
    }
}

/// A slot of each thread.
pub(crate) type Key<T> = std::thread::LocalKey<Slot<T>>;

/// A call in a frame. Its end, unwinding too, puts back what was innermost before.
struct Inside<'f, T: Host>(&'f Frame<T>);

impl<'f, T: Host> Inside<'f, T> {
    #[inline]
    fn of(frame: &'f mut Frame<T>, value: &'f T, act: Act<'f>) -> Self {
        let frame = &*frame;
        frame.value.set(value);
        frame.waker.set(if let Act::Poll(waker) = act { waker } else { ptr::null() });
        frame.does.set(match act {
            Act::Poll(_) => Does::Poll,
            Act::Polls => Does::PollSome,
            Act::Drop => Does::Drop,
            Act::End => Does::End,
        });
        frame.stack.set(stack());
        frame.below.set(put(frame));
        Self(frame)
    }
}

impl<T: Host> Drop for Inside<'_, T> {
    #[inline]
    fn drop(&mut self) {
        put(self.0.below.get());
    }
}

/// Replaces the innermost frame. A thread whose locals are gone has no slot any more.
#[inline]
fn put<T: Host>(frame: *const Frame<T>) -> *const Frame<T> {
    T::slot().try_with(|slot| slot.0.replace(frame)).unwrap_or(ptr::null())
}

/// Runs `f` with `value` current.
#[inline]
pub(crate) fn enter<T: Host, R>(frame: &mut Frame<T>, value: &T, act: Act<'_>, f: impl FnOnce() -> R) -> R {
    let _inside = Inside::of(frame, value, act);
    f()
}

/// Polls `future` with `value` current.
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

/// Drops what is in `place`, for a run that goes on, with `value` current. If the run was relied on, its value is told after
/// that.
#[inline]
pub(crate) fn clear_in<T: Host, F>(frame: &mut Frame<T>, value: &T, mut place: Pin<&mut Option<F>>) {
    if !needs_drop::<F>() {
        place.set(None);
        return tell_left(frame, value);
    }
    let _leaving = Leaving(Inside::of(frame, value, Act::Drop));
    place.set(None);
}

/// The same for a run that is being dropped.
#[inline(always)]
pub(crate) fn end_in<T: Host, F>(frame: &mut Frame<T>, value: &T, mut place: Pin<&mut Option<F>>) {
    if place.is_none() || !needs_drop::<F>() {
        place.set(None);
        return tell_left(frame, value);
    }
    let _leaving = Leaving(Inside::of(frame, value, Act::End));
    place.set(None);
}

/// Tells the value of a run whose body is gone, if it was relied on.
#[inline]
fn tell_left<T: Host>(frame: &Frame<T>, value: &T) {
    if frame.relied.replace(false) {
        value.left();
    }
}

/// A call that drops a body. Its end, unwinding too, says so to those who relied on it.
struct Leaving<'f, T: Host>(Inside<'f, T>);

impl<T: Host> Drop for Leaving<'_, T> {
    #[inline]
    fn drop(&mut self) {
        let frame = self.0.0;
        tell_left(frame, value(frame));
    }
}

/// The innermost frame.
#[inline]
fn top<T: Host>() -> *const Frame<T> {
    T::slot().try_with(|slot| slot.0.get()).unwrap_or(ptr::null())
}

/// Runs `f` with the current value.
#[inline]
pub(crate) fn current<T: Host, R>(f: impl FnOnce(Option<&T>) -> R) -> R {
    // SAFETY: N1: a frame that the slot of this thread refers to is borrowed by a call further out, which outlives `f`.
    let frame = unsafe { top::<T>().as_ref() };
    f(frame.map(|frame| value(frame)))
}

/// The value of a frame that a slot refers to.
#[inline]
fn value<T>(frame: &Frame<T>) -> &T {
    // SAFETY: N1: the value is borrowed for as long as the slot refers to the frame, and so for as long as `frame`, which
    // is made of what the slot says, within the call that the slot was set by.
    unsafe { &*frame.value.get() }
}

/// Calls `f` with the frames of this stack, innermost first, until it gives something.
#[inline]
fn find<T: Host, R>(mut f: impl FnMut(&Frame<T>) -> Option<R>) -> Option<R> {
    let (mut at, stack) = (top::<T>(), stack());
    loop {
        // SAFETY: as in `current`; and the call of a frame outlasts those of all frames on top of it.
        let frame = unsafe { at.as_ref() }.filter(|frame| frame.stack.get() == stack)?;
        if let Some(found) = f(frame) {
            return Some(found);
        }
        at = frame.below.get();
    }
}

/// Calls `f` with each run that polls, on this stack, a value on `path`, innermost first, as long as it says so.
///
/// `path` leads outwards, in the order in which the polls nest; each is then found at once.
pub(crate) fn polls_along<'m, T: Host, V: Copy>(
    path: impl Iterator<Item = V> + Clone,
    _: impl Fn(V) -> &'m Mark,
    is: impl Fn(V, &T) -> bool,
    mut f: impl FnMut(V, usize) -> bool,
) {
    let mut rest = path;
    find(|frame| {
        let mut at = rest.clone();
        while does_poll(frame) {
            let here = at.clone();
            match at.next()? {
                view if is(view, value(frame)) => {
                    // Another run of the same value may follow.
                    rest = here;
                    return (!f(view, frame.number())).then_some(());
                }
                _ => {}
            }
        }
        None
    });
}

fn does_poll<T>(frame: &Frame<T>) -> bool {
    matches!(frame.does.get(), Does::Poll | Does::PollSome)
}

/// Calls `f` with each run on this stack that polls, or drops its body and goes on, with the value which `is` knows.
pub(crate) fn each_run<T: Host>(_: &Mark, is: impl Fn(&T) -> bool, mut f: impl FnMut(usize)) {
    find(|frame| {
        if matches!(frame.does.get(), Does::Poll | Does::Drop) && is(value(frame)) {
            frame.noted.set(true);
            f(frame.number());
        }
        None::<()>
    });
}

/// Whether nothing runs on this stack. Without `std` that can't be said.
#[inline]
pub(crate) fn is_bare<T: Host>() -> bool {
    // SAFETY: as in `current`.
    unsafe { top::<T>().as_ref() }.is_none_or(|frame| frame.stack.get() != stack())
}

/// The innermost run on this stack, or 0; without `std` always 0.
pub(crate) fn innermost<T: Host>() -> usize {
    find(|frame: &Frame<T>| Some(frame.number())).unwrap_or(0)
}

/// Looks for a run that polls, on this stack, the value which `is` knows. If it does so with `waker`, and `notes` is
/// set, that is noted.
#[inline]
pub(crate) fn rely<T: Host>(_: &Mark, waker: &Waker, notes: bool, is: impl Fn(&T) -> bool) -> Relied {
    let mut relied = Relied::NoPoll;
    find(|frame| {
        if !does_poll(frame) || !is(value(frame)) {
            return None;
        }
        relied = Relied::OtherWaker;
        // SAFETY: N1: the waker is borrowed for as long as the slot refers to the frame.
        unsafe { frame.waker.get().as_ref() }.filter(|with| address(with) == address(waker)).map(|_| {
            relied = Relied::SameWaker;
            frame.relied.set(frame.relied.get() | notes);
        })
    });
    relied
}

/// What tells one waker from another.
fn address(waker: &Waker) -> [usize; 2] {
    [waker.data().addr(), ptr::from_ref(waker.vtable()).addr()]
}

std::thread_local! {
    static STACK: Cell<usize> = const { Cell::new(0) };
}

/// The token of this poll stack.
#[inline]
fn stack() -> usize {
    STACK.try_with(Cell::get).unwrap_or(0)
}

/// Runs `f` on a poll stack of its own.
pub(crate) fn barrier<R>(f: impl FnOnce() -> R) -> R {
    struct Back(usize);
    impl Drop for Back {
        fn drop(&mut self) {
            let _ = STACK.try_with(|stack| stack.set(self.0));
        }
    }
    // The address of a local of this call is taken by nobody else while the call lasts.
    let level = 0u8;
    let level = ptr::from_ref(&level).addr();
    let before = STACK.try_with(|stack| stack.replace(level)).unwrap_or(0);
    let _back = Back(before);
    f()
}
