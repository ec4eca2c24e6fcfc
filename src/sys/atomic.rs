//! Atomics of the platform.
//!
//! `AtomicU16` is never loom's: it is for what a lock guards anyway, which loom need not look at twice.

#[cfg(any(wakeful_loom, not(feature = "portable-atomic")))]
pub(crate) use core::sync::atomic::AtomicU16;
#[cfg(not(any(wakeful_loom, feature = "portable-atomic")))]
pub(crate) use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicUsize, Ordering};
#[cfg(wakeful_loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicUsize, Ordering};
#[cfg(all(feature = "portable-atomic", not(wakeful_loom)))]
pub(crate) use portable_atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU16, AtomicUsize, Ordering};
