//! The memory of a run does not grow with its items. A test binary of its own, since it counts what is allocated.
#![expect(unsafe_code, reason = "an allocator that counts is an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::num::NonZeroUsize;
use std::task::Poll;
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::spawn::block_on;
use wakeful::time::ManualClock;
use wakeful::work::{Count, Lease, work};

struct Counting;

std::thread_local! {
    /// On this thread: the test's own.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    /// Bytes in use, and the most that ever were.
    static IN_USE: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

fn taken(bytes: usize) {
    let _ = ALLOCATIONS.try_with(|n| n.set(n.get() + 1));
    let now = IN_USE.try_with(|n| n.replace(n.get().wrapping_add(bytes)).wrapping_add(bytes)).unwrap_or(0);
    let _ = PEAK.try_with(|n| n.set(n.get().max(now)));
}

// SAFETY: it passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        // SAFETY: by the contract of this function.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        let _ = IN_USE.try_with(|n| n.set(n.get().wrapping_sub(layout.size())));
        // SAFETY: by the contract of this function.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static GLOBAL: Counting = Counting;

/// How many allocations a run of `items` makes, each of which is pending once, and how many bytes it takes at most, those of
/// the future itself among them.
fn cost(items: u64) -> (usize, usize) {
    let clock = ManualClock::new();
    let scope = Scope::new(clock.time());
    let (before, in_use) = (ALLOCATIONS.get(), IN_USE.get());
    PEAK.set(in_use);
    let body = |item: Lease<u64>| {
        let mut waited = false;
        core::future::poll_fn(move |cx| {
            if core::mem::replace(&mut waited, true) {
                return Poll::Ready(if *item % 3 == 0 { Err(()) } else { Ok(()) });
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
    };
    let set = work(0..items).workers(NonZeroUsize::new(50).unwrap());
    let set = set.deadline_after(Duration::from_secs(1)).item_timeout(Duration::from_millis(10));
    let run = set.run(&scope, body, Count::new());
    let size = size_of_val(&run);
    let report = block_on(run);
    assert_eq!((report.pulled(), report.count.failed), (items, items.div_ceil(3)));
    (ALLOCATIONS.get() - before, size + PEAK.get() - in_use)
}

#[test]
fn a_million_items_allocate_no_more_than_a_hundred() {
    let (few, _) = cost(100);
    assert!(few > 50, "{few}: the allocator counts");
    assert_eq!(cost(1_000_000).0, few);
}

#[test]
fn fifty_workers_take_no_more_than_eight_kibibytes_however_many_items() {
    let (_, bytes) = cost(100_000);
    assert!(bytes > 2_000 && bytes <= 8_192, "{bytes} bytes");
}
