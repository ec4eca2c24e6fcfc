//! The scenario of the boards in a host of WebAssembly, which has the clock and the loop: `run.mjs`.
#![no_std]

extern crate alloc;

#[path = "../../bare-metal/src/scenario.rs"]
mod scenario;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::task::Wake;
use core::cell::RefCell;
use core::future::Future;
use core::panic::PanicInfo;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use scenario::Figure;
use wakeful::time::{Clock, Instant, Time};

mod host {
    #[link(wasm_import_module = "host")]
    unsafe extern "C" {
        pub(crate) safe fn now() -> f64;
        pub(crate) safe fn arm(milliseconds: f64);
        pub(crate) safe fn wake();
    }
}

#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

/// Milliseconds of the host's, in whole numbers.
struct HostClock;

impl Clock for HostClock {
    fn now(&self) -> Instant {
        Instant::EPOCH + Duration::from_millis(host::now() as u64)
    }

    fn arm(&self, at: Instant) {
        // `NEVER` is a time that the host need not wait for either.
        host::arm(at.as_nanos() as f64 / 1e6);
    }
}

struct HostWaker;

impl Wake for HostWaker {
    fn wake(self: Arc<Self>) {
        host::wake();
    }
}

type Scenario = Pin<Box<dyn Future<Output = [Figure; 6]>>>;

struct State {
    time: Option<Time>,
    scenario: Option<Scenario>,
    figures: [Figure; 6],
}

/// There is one thread.
struct OneThread<T>(RefCell<T>);

// SAFETY: there is one thread.
unsafe impl<T> Sync for OneThread<T> {}

static STATE: OneThread<State> =
    OneThread(RefCell::new(State { time: None, scenario: None, figures: scenario::EXPECTED }));

/// Begins the scenario.
#[unsafe(no_mangle)]
pub extern "C" fn start() {
    let time = Time::new(HostClock);
    let mut state = STATE.0.borrow_mut();
    state.time = Some(time.clone());
    state.scenario = Some(Box::pin(async move { scenario::run(&time).await }));
}

/// Rings the alarm.
#[unsafe(no_mangle)]
pub extern "C" fn turn() {
    let time = STATE.0.borrow().time.clone();
    if let Some(time) = time {
        HostClock.arm(time.turn());
    }
}

/// Goes on with the scenario. Whether it is done.
#[unsafe(no_mangle)]
pub extern "C" fn poll() -> bool {
    let Some(mut scenario) = STATE.0.borrow_mut().scenario.take() else { return true };
    let polled = scenario.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::new(HostWaker))));
    let mut state = STATE.0.borrow_mut();
    match polled {
        Poll::Pending => state.scenario = Some(scenario),
        Poll::Ready(figures) => state.figures = figures,
    }
    polled.is_ready()
}

/// What a part gave.
#[unsafe(no_mangle)]
pub extern "C" fn result(part: usize) -> u32 {
    STATE.0.borrow().figures[part].result
}

/// How long it took.
#[unsafe(no_mangle)]
pub extern "C" fn milliseconds(part: usize) -> u32 {
    STATE.0.borrow().figures[part].milliseconds
}

/// What it gives on every host.
#[unsafe(no_mangle)]
pub extern "C" fn expected_result(part: usize) -> u32 {
    scenario::EXPECTED[part].result
}

/// How long it takes where nothing else takes time.
#[unsafe(no_mangle)]
pub extern "C" fn expected_milliseconds(part: usize) -> u32 {
    scenario::EXPECTED[part].milliseconds
}
