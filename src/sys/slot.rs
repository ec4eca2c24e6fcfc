//! The ambient slots of a thread, and what is being polled on its stack.
//!
//! [`ambient`] declares a slot for values of one type, which is a [`Host`]. [`poll_in`] makes a value current for the length
//! of a poll, [`clear_in`] and [`end_in`] for that of a drop, [`enter`] for that of a call. [`current`] reads it.
//!
//! Each such call belongs to a run, whose [`Frame`] lies in its future, not on the stack, so that they nest deep. While the
//! call lasts, the frame says of what and with which waker it is; [`polls_along`], [`rely`] and [`each_run`] look through the
//! frames of a stack. They end at a [`barrier`]: what lies below it is on another poll stack.
//!
//! Without `std` there are no slots: nothing is ever current, and nobody can be relied on. What is being polled is then
//! noted in a [`Mark`] of the value itself, as if there were one poll stack; on several cores such a mark may be that of
//! another core. With `std` a mark is nothing.

use core::task::Waker;
pub(crate) use imp::{
    Frame, Key, Mark, Slot, barrier, clear_in, current, each_run, end_in, enter, innermost, is_bare, poll_in,
    polls_along, rely,
};

/// Declares a slot: `ambient!(CURRENT: Scope)`.
#[cfg(feature = "std")]
macro_rules! ambient {
    ($name:ident: $kind:ty) => {
        std::thread_local! {
            static $name: $crate::sys::slot::Slot<$kind> = const { $crate::sys::slot::Slot::new() };
        }
    };
}
/// Declares a slot: `ambient!(CURRENT: Scope)`.
#[cfg(not(feature = "std"))]
macro_rules! ambient {
    ($name:ident: $kind:ty) => {
        static $name: $crate::sys::slot::Key<$kind> = $crate::sys::slot::Slot::new();
    };
}
pub(crate) use ambient;

/// A value that can be current.
pub(crate) trait Host: Sized + 'static {
    /// Its slot.
    #[cfg_attr(not(feature = "std"), expect(dead_code, reason = "without std there are no slots"))]
    fn slot() -> &'static Key<Self>;

    /// Called after a run that was [relied on](rely) has dropped its body.
    #[cfg_attr(not(feature = "std"), expect(dead_code, reason = "without std nobody is relied on"))]
    fn left(&self);

    /// Its marks: it may have two while it is handed over from one place to another.
    #[cfg_attr(feature = "std", expect(dead_code, reason = "with std marks are nothing"))]
    fn marks(&self) -> [Option<&Mark>; 2];
}

/// What is done in a frame.
#[derive(Clone, Copy)]
pub(crate) enum Act<'a> {
    /// A poll with this waker.
    Poll(&'a Waker),
    /// Polls with other wakers.
    Polls,
    /// The run drops its body, and goes on.
    Drop,
    /// The run is dropped.
    End,
}

/// What [`rely`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relied {
    /// Nobody polls it on this stack.
    NoPoll,
    /// Somebody polls it, with another waker: whoever waits inside may be blocked by an executor that does not return there.
    OtherWaker,
    /// It is polled with this waker.
    SameWaker,
}

#[cfg(feature = "std")]
#[path = "slot/frames.rs"]
mod imp;
#[cfg(not(feature = "std"))]
#[path = "slot/marks.rs"]
mod imp;
#[cfg(all(test, feature = "std", not(wakeful_loom)))]
mod tests;
