//! A value behind one word, on which threads park.
//!
//! The standard library's mutex is the same word with poisoning around it: twice a call it asks whether the thread panics, at
//! some ten instructions a lock, and a queue's send is thirty. Here a lock that is free costs a compare-and-swap and a swap,
//! and one that is not, what the standard library's condition variable costs.
//!
//! # Invariants
//!
//! - **L1** Whoever moves the word from [`FREE`] owns the value until it moves the word back.
//! - **L2** A thread waits on the condition only if, with `parking` locked, it has left [`AWAITED`] in the word and found that
//!   it was not free. So whoever frees the word finds that, and its notification, for which it locks `parking`, comes after
//!   the wait has begun. One who was notified leaves it there too, since others may wait still.
#![expect(unsafe_code, reason = "the lock hands out its value between a compare-and-swap and a swap")]

use super::atomic::{AtomicU8, Ordering};
use core::cell::UnsafeCell;
use imp::{Condvar, Mutex};

/// Nobody has the value.
const FREE: u8 = 0;
/// Somebody has it.
const TAKEN: u8 = 1;
/// Somebody has it, and somebody may wait for it.
const AWAITED: u8 = 2;

/// How often a thread looks whether the word is free before it parks. Once is as good for loom.
const LOOKS: u32 = if cfg!(wakeful_loom) { 1 } else { 6 };
/// How many pauses there are before the first look; before each other twice as many as before the last. Whoever looks less often
/// leaves the word's cache line to the owner, who gets through several calls meanwhile: with queues between two threads that
/// takes a third of the time that looking without pause does.
const PAUSES: u32 = 16;

/// A value that one thread at a time may reach.
pub(crate) struct Guarded<T> {
    word: AtomicU8,
    parking: Mutex<()>,
    freed: Condvar,
    value: UnsafeCell<T>,
}

// SAFETY: L1: one thread at a time reaches the value, so sharing the lock only moves access between threads.
unsafe impl<T: Send> Sync for Guarded<T> {}

/// Frees the word, also on unwinding. A panic under the lock is a bug of the kit; nobody else is to suffer for it, so there is
/// no poisoning.
struct Free<'a, T>(&'a Guarded<T>);

impl<T> Drop for Free<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        // Release: partner of the acquiring operations of the next owner.
        if self.0.word.swap(FREE, Ordering::Release) == AWAITED {
            self.0.tell();
        }
    }
}

impl<T> Guarded<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            word: AtomicU8::new(FREE),
            parking: Mutex::new(()),
            freed: Condvar::new(),
            value: UnsafeCell::new(value),
        }
    }

    #[inline(always)]
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        if !self.take() {
            self.wait();
        }
        let _free = Free(self);
        // SAFETY: L1: the word was free and is this call's, until `_free` is dropped after `f`.
        f(unsafe { &mut *self.value.get() })
    }

    #[inline(always)]
    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    #[inline(always)]
    pub(crate) fn try_with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        if !self.take() {
            return None;
        }
        let _free = Free(self);
        // SAFETY: L1: the word was free and is this call's, until `_free` is dropped after `f`.
        Some(f(unsafe { &mut *self.value.get() }))
    }

    #[inline(always)]
    fn take(&self) -> bool {
        // Acquire: partner of the releasing swap in `Free`.
        self.word.compare_exchange(FREE, TAKEN, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    #[cold]
    fn wait(&self) {
        for look in 0..LOOKS {
            (0..PAUSES << look).for_each(|_| core::hint::spin_loop());
            match self.word.load(Ordering::Relaxed) {
                FREE if self.take() => return,
                AWAITED => break,
                _ => {}
            }
        }
        let mut parking = imp::lock(&self.parking);
        // Acquire: partner of the releasing swap in `Free`.
        while self.word.swap(AWAITED, Ordering::Acquire) != FREE {
            parking = imp::wait(&self.freed, parking);
        }
    }

    #[cold]
    fn tell(&self) {
        drop(imp::lock(&self.parking));
        self.freed.notify_one();
    }
}

#[cfg(not(wakeful_loom))]
mod imp {
    pub(super) use std::sync::{Condvar, Mutex};
    use std::sync::{MutexGuard, PoisonError};

    pub(super) fn lock(mutex: &Mutex<()>) -> MutexGuard<'_, ()> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn wait<'a>(condvar: &Condvar, guard: MutexGuard<'a, ()>) -> MutexGuard<'a, ()> {
        condvar.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(wakeful_loom)]
mod imp {
    use loom::sync::MutexGuard;
    pub(super) use loom::sync::{Condvar, Mutex};

    pub(super) fn lock(mutex: &Mutex<()>) -> MutexGuard<'_, ()> {
        mutex.lock().unwrap()
    }

    pub(super) fn wait<'a>(condvar: &Condvar, guard: MutexGuard<'a, ()>) -> MutexGuard<'a, ()> {
        condvar.wait(guard).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::Arc;
    use crate::sys::atomic::AtomicUsize;
    use crate::sys::model::{model, spawn};
    use alloc::vec::Vec;

    /// Counts in two steps, which only a lock makes one; Relaxed, so that only the lock orders them.
    fn count(guarded: &Guarded<AtomicUsize>) {
        guarded.with(|count| {
            let before = count.load(Ordering::Relaxed);
            count.store(before + 1, Ordering::Relaxed);
        });
    }

    #[test]
    fn loom_one_thread_at_a_time_and_none_is_left_parked() {
        model(|| {
            let guarded = Arc::new(Guarded::new(AtomicUsize::new(0)));
            let others: Vec<_> = (0..2)
                .map(|_| {
                    let guarded = guarded.clone();
                    spawn(move || count(&guarded))
                })
                .collect();
            count(&guarded);
            others.into_iter().for_each(|other| other.join().unwrap());
            assert_eq!(guarded.with(|count| count.load(Ordering::Relaxed)), 3);
        });
    }

    #[test]
    fn loom_a_try_succeeds_or_finds_another_thread() {
        model(|| {
            let guarded = Arc::new(Guarded::new(AtomicUsize::new(0)));
            let other = spawn({
                let guarded = guarded.clone();
                move || count(&guarded)
            });
            let tried = guarded.try_with(|count| count.fetch_add(1, Ordering::Relaxed));
            other.join().unwrap();
            let counted = guarded.try_with(|count| count.load(Ordering::Relaxed)).expect("nobody has it");
            assert_eq!(counted, 1 + usize::from(tried.is_some()));
        });
    }

    #[cfg(not(wakeful_loom))]
    #[test]
    fn threads_that_park_are_told() {
        let guarded = Arc::new(Guarded::new(AtomicUsize::new(0)));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let guarded = guarded.clone();
                spawn(move || (0..20_000).for_each(|_| count(&guarded)))
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(guarded.with(|count| count.load(Ordering::Relaxed)), 80_000);
    }

    #[cfg(not(wakeful_loom))]
    #[test]
    fn a_panic_frees_it() {
        let guarded = Guarded::new(1);
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| guarded.with(|_| panic!("inside"))));
        assert!(caught.is_err());
        assert_eq!(guarded.try_with(|n| *n), Some(1));
    }
}
