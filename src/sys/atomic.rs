//! Atomics of the platform.
//!
//! `GuardedU32` is never loom's: it is for what a lock guards anyway, which loom need not look at twice.

#[cfg(any(wakeful_loom, not(feature = "portable-atomic")))]
pub(crate) use core::sync::atomic::AtomicU32 as GuardedU32;
#[cfg(all(feature = "sim", not(wakeful_loom)))]
pub(crate) use core::sync::atomic::fence;
#[cfg(not(any(wakeful_loom, feature = "portable-atomic")))]
pub(crate) use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicUsize, Ordering};
#[cfg(all(feature = "sim", wakeful_loom))]
pub(crate) use loom::sync::atomic::fence;
#[cfg(wakeful_loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicUsize, Ordering};
#[cfg(all(feature = "portable-atomic", not(wakeful_loom)))]
pub(crate) use portable_atomic::{
    AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU32 as GuardedU32, AtomicUsize, Ordering,
};
