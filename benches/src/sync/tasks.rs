//! Tasks that take turns on one thread, at as little cost as can be.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::ptr;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

/// A task that borrows what it works on.
pub type Task<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

thread_local! {
    /// Who is ready, in the order of the wake-ups.
    static READY: RefCell<VecDeque<usize>> = const { RefCell::new(VecDeque::new()) };
}

/// Makes task `number` ready.
fn wake(number: usize) {
    READY.with_borrow_mut(|ready| ready.push_back(number));
}

/// A waker of task `number` that costs nothing to clone and to drop.
fn waker(number: usize) -> Waker {
    const TABLE: RawWakerVTable = RawWakerVTable::new(
        |data| RawWaker::new(data, &TABLE),
        |data| wake(data.addr()),
        |data| wake(data.addr()),
        |_| {},
    );
    // SAFETY: the table's functions use `data` as a number and own nothing.
    unsafe { Waker::from_raw(RawWaker::new(ptr::without_provenance(number), &TABLE)) }
}

/// Polls those that are ready, in order, until all are done.
///
/// # Panics
/// When nobody is ready and somebody is not done.
pub fn run(tasks: Vec<Task<'_>>) {
    let mut tasks: Vec<Option<Task<'_>>> = tasks.into_iter().map(Some).collect();
    let mut left = tasks.len();
    (0..tasks.len()).for_each(wake);
    while left > 0 {
        let number = READY.with_borrow_mut(VecDeque::pop_front).expect("somebody is ready");
        let waker = waker(number);
        if let Some(task) = &mut tasks[number] {
            if task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                tasks[number] = None;
                left -= 1;
            }
        }
    }
    READY.with_borrow_mut(VecDeque::clear);
}

/// Lets the others have a turn.
pub async fn again() {
    let mut polled = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut polled, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
