//! The memory of a run does not grow with its items. A test binary of its own, since it counts what is allocated.
#![expect(unsafe_code, reason = "an allocator that counts is an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::task::Poll;
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::spawn::block_on;
use wakeful::time::ManualClock;
use wakeful::work::{Count, FromIter, Lease, Results, Work, work};

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
    let scope = scope();
    let (report, allocations, bytes) = measured(|| set(items).run(&scope, body, Count::new()));
    assert_eq!((report.pulled(), report.count.failed), (items, items.div_ceil(3)));
    (allocations, bytes)
}

fn set(items: u64) -> Work<FromIter<Range<u64>>> {
    let set = work(0..items).workers(NonZeroUsize::new(50).unwrap());
    set.deadline_after(Duration::from_secs(1)).item_timeout(Duration::from_millis(10))
}

/// Of a clock that stands still.
fn scope() -> Scope {
    Scope::new(ManualClock::new().time())
}

/// What a run comes to, how many allocations it makes, and how many bytes it takes.
fn measured<R: Future>(run: impl FnOnce() -> R) -> (R::Output, usize, usize) {
    let (before, in_use) = (ALLOCATIONS.get(), IN_USE.get());
    PEAK.set(in_use);
    let run = run();
    let size = size_of_val(&run);
    let value = block_on(run);
    (value, ALLOCATIONS.get() - before, size + PEAK.get() - in_use)
}

/// Is pending once; every third fails.
fn body(item: Lease<u64>) -> impl Future<Output = Result<(), ()>> {
    let mut waited = false;
    core::future::poll_fn(move |cx| {
        if core::mem::replace(&mut waited, true) {
            return Poll::Ready(if *item % 3 == 0 { Err(()) } else { Ok(()) });
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}

/// Takes all results.
async fn take(mut results: Results<u64, (), ()>) -> u64 {
    let mut taken = 0;
    while results.next().await.is_some() {
        taken += 1;
    }
    taken
}

#[test]
fn a_million_items_allocate_no_more_than_a_hundred() {
    let (few, _) = cost(100);
    assert!(few > 50, "{few}: the allocator counts");
    assert_eq!(cost(1_000_000).0, few);
}

#[test]
fn neither_results_nor_bounds_for_keys_allocate_for_each_item() {
    let scope = scope();
    let driven = |items, in_order| {
        let drive = set(items).drive();
        let drive = if in_order { drive.in_order() } else { drive };
        let (driven, allocations, _) = measured(|| drive.run(&scope, body, take));
        assert_eq!(driven.value, items);
        allocations
    };
    let bounded = |items, keys| {
        let bounded = set(items).per_key(NonZeroUsize::MIN, move |item| item % keys);
        let bounded = bounded.look_ahead(NonZeroUsize::new(64).unwrap());
        let (report, allocations, _) = measured(|| bounded.run(&scope, body, Count::new()));
        assert_eq!(report.pulled(), items);
        allocations
    };
    for yes in [false, true] {
        assert_eq!(driven(20_000, yes), driven(1_000, yes), "in order: {yes}");
    }
    for keys in [1_000, 7] {
        // Tables may grow once more as keys come and go.
        let (few, many) = (bounded(1_000, keys), bounded(20_000, keys));
        assert!(many <= few + 4, "{few} and {many} allocations, with {keys} keys");
    }
}

#[test]
fn fifty_workers_take_no_more_than_eight_kibibytes_however_many_items() {
    let (_, bytes) = cost(100_000);
    // With the feature `tracing` an item that is worked on has a span, which is no part of that.
    let spans = if cfg!(feature = "tracing") { 50 * size_of::<tracing::Span>() } else { 0 };
    assert!(bytes > 2_000 && bytes <= 8_192 + spans, "{bytes} bytes, of them {spans} for spans");
}
