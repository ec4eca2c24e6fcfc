//! A million items, fifty at a time, in memory that does not grow with them: the most that was in use is counted and shown.
//!
//! Items come from an iterator, bodies borrow, nothing is spawned and nothing is allocated for an item.
//!
//! ```text
//! cargo run --release --example million
//! ```
#![expect(unsafe_code, reason = "an allocator that counts is an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::future::poll_fn;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::task::Poll;
use wakeful::cancel::Scope;
use wakeful::spawn::block_on;
use wakeful::time::Time;
use wakeful::work::{Count, Lease, work};

/// The system's allocator, which counts the bytes that are in use.
struct Counting;

thread_local! {
    /// By this thread, which does all the work: others allocate when they like. It begins in the middle, since a thread may free
    /// what another one has allocated.
    static IN_USE: Cell<usize> = const { Cell::new(usize::MAX / 2) };
    static MOST: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: it passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let in_use = IN_USE.get() + layout.size();
        IN_USE.set(in_use);
        MOST.set(MOST.get().max(in_use));
        // SAFETY: by the contract of this function.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        IN_USE.set(IN_USE.get() - layout.size());
        // SAFETY: by the contract of this function.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static GLOBAL: Counting = Counting;

/// What a run came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) done: u64,
    pub(crate) sum: u64,
    /// The most bytes that it had on the heap at any time.
    pub(crate) peak: usize,
}

fn main() -> io::Result<()> {
    let mut out = io::stdout();
    for items in [1_000, 1_000_000] {
        let Outcome { done, peak, .. } = run(items);
        writeln!(out, "{items} items: {done} done, at most {peak} bytes on the heap")?;
    }
    Ok(())
}

/// Works on so many items, each of which is pending once.
pub(crate) fn run(items: u64) -> Outcome {
    let scope = Scope::new(Time::system());
    let sum = Cell::new(0);
    let body = |item: Lease<u64>| {
        let (sum, mut was_pending) = (&sum, false);
        poll_fn(move |cx| {
            if !std::mem::replace(&mut was_pending, true) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            sum.set(sum.get() + *item);
            Poll::Ready(Ok::<_, ()>(()))
        })
    };
    let before = IN_USE.get();
    MOST.set(before);
    let fifty = NonZeroUsize::new(50).expect("not zero");
    let report = block_on(work(0..items).workers(fifty).run(&scope, body, Count::new()));
    let peak = MOST.get() - before;
    Outcome { done: report.count.done, sum: sum.get(), peak }
}
