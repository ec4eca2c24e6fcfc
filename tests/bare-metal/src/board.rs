//! A Cortex-M board: its heap, its clock, and the way out of the emulator.

use core::cell::RefCell;
use core::mem::MaybeUninit;
use core::panic::PanicInfo;
use core::ptr::addr_of_mut;
use core::time::Duration;
use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::exception;
use cortex_m_semihosting::{debug, hprintln, nr};
use critical_section::{CriticalSection, Mutex};
use embedded_alloc::LlffHeap;
use wakeful::time::{Clock, Instant, Time};

use crate::interrupts::Stage;

/// Cycles in a tick: a millisecond at 25 MHz.
const RELOAD: u32 = 25_000 - 1;
const TICK: Duration = Duration::from_millis(1);

#[cfg(not(feature = "microbit"))]
const HEAP_BYTES: usize = 256 * 1024;
/// Of 16 KB; the stack has the rest.
#[cfg(feature = "microbit")]
const HEAP_BYTES: usize = 7 * 1024 + 512;

#[global_allocator]
static HEAP: LlffHeap = LlffHeap::empty();

/// What the tick interrupt and the program share.
struct Shared {
    now: Instant,
    armed: Instant,
    time: Option<Time>,
    most_heap: usize,
    timer: Option<SYST>,
    stage: Option<&'static Stage>,
}

static SHARED: Mutex<RefCell<Shared>> = Mutex::new(RefCell::new(Shared {
    now: Instant::EPOCH,
    armed: Instant::NEVER,
    time: None,
    most_heap: 0,
    timer: None,
    stage: None,
}));

fn with<T>(f: impl FnOnce(&mut Shared) -> T) -> T {
    critical_section::with(|cs: CriticalSection<'_>| f(&mut SHARED.borrow_ref_mut(cs)))
}

/// A counter of ticks as a clock. The tick is the alarm too: it looks at what was armed.
struct Ticks;

impl Clock for Ticks {
    fn now(&self) -> Instant {
        with(|shared| shared.now)
    }

    fn arm(&self, at: Instant) {
        with(|shared| shared.armed = shared.armed.min(at));
    }
}

#[exception]
fn SysTick() {
    let next = with(|shared| shared.stage).map(Stage::strike);
    let due = with(|shared| {
        if let (Some(timer), Some((cycles, _))) = (&mut shared.timer, next) {
            timer.set_reload(cycles);
            timer.clear_current();
        }
        shared.now = shared.now + next.map_or(TICK, |(_, step)| step);
        shared.most_heap = shared.most_heap.max(HEAP.used());
        if shared.now < shared.armed {
            return None;
        }
        shared.armed = Instant::NEVER;
        shared.time.clone()
    });
    // Outside the critical section, as wakers run in there.
    if let Some(time) = due {
        Ticks.arm(time.turn());
    }
}

/// Sets up the heap and the clock. To be called once.
pub(crate) fn start() -> Time {
    static mut MEMORY: [MaybeUninit<u8>; HEAP_BYTES] = [MaybeUninit::uninit(); HEAP_BYTES];
    // SAFETY: this function is called once, so nobody else has the memory, and it lies still for ever.
    unsafe { HEAP.init(addr_of_mut!(MEMORY).addr(), HEAP_BYTES) };
    let time = Time::new(Ticks);
    let mut timer = cortex_m::Peripherals::take().expect("taken once").SYST;
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(RELOAD);
    timer.clear_current();
    timer.enable_interrupt();
    timer.enable_counter();
    with(|shared| {
        shared.time = Some(time.clone());
        shared.timer = Some(timer);
    });
    time
}

/// Lets the tick interrupt do more than tick, at instants of its own, or just tick again.
pub(crate) fn strike_with(stage: Option<&'static Stage>) {
    with(|shared| {
        shared.stage = stage;
        if let Some(timer) = &mut shared.timer {
            timer.set_reload(RELOAD);
        }
    });
}

/// Takes the clock away from the interrupt, and says how much of the heap was in use at most, at a tick, and is still.
pub(crate) fn stop() -> (usize, usize) {
    drop(with(|shared| shared.time.take()));
    (with(|shared| shared.most_heap), HEAP.used())
}

/// The number that the emulator was given with this name, as in `wrong=1`.
pub(crate) fn argument(name: &str) -> Option<u32> {
    let mut line = [0_u8; 64];
    let mut request = (line.as_mut_ptr(), line.len());
    // SAFETY: the request is a pointer and the length of what lies there, as this call is defined.
    let failed = unsafe { cortex_m_semihosting::syscall(nr::GET_CMDLINE, &mut request) };
    let line = if failed == 0 { line.get(..request.1).unwrap_or_default() } else { &[] };
    let mut arguments =
        line.split(|byte| *byte == b' ' || *byte == 0).filter_map(|word| core::str::from_utf8(word).ok());
    arguments.find_map(|word| word.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
}

/// Waits for an interrupt, or returns at once if there was one since it last returned.
pub(crate) fn idle() {
    cortex_m::asm::wfe();
}

/// Ends the program, and with it the emulator.
pub(crate) fn exit(well: bool) -> ! {
    loop {
        debug::exit(if well { debug::EXIT_SUCCESS } else { debug::EXIT_FAILURE });
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    hprintln!("{}", info);
    exit(false)
}
