//! A static library without std that uses `wakeful`: it links only if nothing in it brings std in.
//!
//! It supplies what a program without an operating system supplies: a panic handler, an allocator and a critical
//! section. Should std come in by any dependency, its panic handler is the second one, and the compiler says so.
//! `main.c` is the program around it.
#![no_std]

use core::alloc::{GlobalAlloc, Layout};
use core::panic::PanicInfo;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;

use wakeful::spawn::block_on_with;
use wakeful::time::ManualClock;

/// Sleeps three ticks of a clock that ticks whenever there is nothing to do. 0 if it took three ticks.
#[unsafe(no_mangle)]
pub extern "C" fn wakeful_three_ticks() -> i32 {
    const TICK: Duration = Duration::from_millis(1);
    let clock = ManualClock::new();
    let mut ticks = 0;
    block_on_with(clock.time().sleep(TICK * 3), || {
        ticks += 1;
        clock.advance(TICK);
    });
    ticks - 3
}

/// Simulates a node that is slow and a place that can fail, and breaks a promise. 0 if all comes out as it does with std.
#[cfg(feature = "sim")]
#[unsafe(no_mangle)]
pub extern "C" fn wakeful_simulated() -> i32 {
    use core::num::{NonZeroU8, NonZeroU32};
    use wakeful::sim::{Builder, FailureKind, Faults, Sim};

    let slow = async |sim: Sim| {
        let node = sim.node("slow");
        node.set_rate(1, NonZeroU32::new(2).unwrap());
        node.time().sleep(Duration::from_secs(1)).await;
        wakeful::always!(sim.now().as_nanos() == 2_000_000_000);
        wakeful::sometimes!(wakeful::buggify!("half of the time"));
    };
    let faults = Faults::new().enabled_one_in(NonZeroU8::MIN).fires_one_in(NonZeroU8::new(2).unwrap());
    let summary = Builder::new().runs(8).faults(faults).must_hit(&["half of the time"]).explore(slow);
    let broken = Builder::new().run(async |_| wakeful::always!(1 > 2, "one is less"));
    let found = broken.is_err_and(|failure| failure.kind() == FailureKind::Violation);
    let outside = wakeful::buggify!("nobody simulates this");
    i32::from(!(summary.is_ok() && found && !outside))
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

const HEAP: usize = 4 * 1024 * 1024;

/// Hands out a fixed block of memory from its start to its end, and takes nothing back.
#[repr(align(16))]
struct Bump {
    memory: core::cell::UnsafeCell<[u8; HEAP]>,
    used: AtomicUsize,
}

// SAFETY: `memory` is only reached through the pointers handed out, which do not overlap.
unsafe impl Sync for Bump {}

// SAFETY: each block lies behind all earlier ones and within `memory`, and is aligned as asked for.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let base = self.memory.get().cast::<u8>();
        let after = |used: usize| {
            let start = (base.addr() + used).next_multiple_of(layout.align()) - base.addr();
            start.checked_add(layout.size()).filter(|end| *end <= HEAP)
        };
        match self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, after) {
            // SAFETY: `after` found the block's end within `memory`, and its start lies before its end.
            Ok(used) => unsafe { base.add(after(used).unwrap_or(HEAP) - layout.size()) },
            Err(_) => ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ALLOCATOR: Bump = Bump { memory: core::cell::UnsafeCell::new([0; HEAP]), used: AtomicUsize::new(0) };

struct OneThread;

critical_section::set_impl!(OneThread);

// SAFETY: the program has one thread and no interrupts, so nothing has to be kept out.
unsafe impl critical_section::Impl for OneThread {
    unsafe fn acquire() -> critical_section::RawRestoreState {}

    unsafe fn release((): critical_section::RawRestoreState) {}
}
