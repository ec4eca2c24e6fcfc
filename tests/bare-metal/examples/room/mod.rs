//! What the program of each room stands on: a heap, and a clock that moves on whenever everybody waits. Nothing is printed,
//! so that what the room costs is not hidden by what formatting costs.
#![allow(dead_code, reason = "no program uses all of it")]

use core::mem::MaybeUninit;
use core::panic::PanicInfo;
use core::ptr::addr_of_mut;
use core::time::Duration;
use cortex_m_semihosting::debug;
use embedded_alloc::LlffHeap;
use wakeful::spawn::block_on_with;
use wakeful::time::{ManualClock, Time};

const HEAP_BYTES: usize = 64 * 1024;

#[global_allocator]
static HEAP: LlffHeap = LlffHeap::empty();

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    exit(false)
}

/// Ends the program, and with it the emulator.
pub(crate) fn exit(well: bool) -> ! {
    loop {
        debug::exit(if well { debug::EXIT_SUCCESS } else { debug::EXIT_FAILURE });
    }
}

/// Sets up the heap. To be called once.
pub(crate) fn start() {
    static mut MEMORY: [MaybeUninit<u8>; HEAP_BYTES] = [MaybeUninit::uninit(); HEAP_BYTES];
    // SAFETY: this function is called once, so nobody else has the memory, and it lies still for ever.
    unsafe { HEAP.init(addr_of_mut!(MEMORY).addr(), HEAP_BYTES) };
}

/// Runs the body, which says whether all went well, and ends the program.
pub(crate) fn run(body: impl AsyncFnOnce(&Time) -> bool) -> ! {
    start();
    let clock = ManualClock::new();
    let time = clock.time();
    exit(block_on_with(body(&time), || clock.advance(Duration::from_millis(1))))
}
