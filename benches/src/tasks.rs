//! Tasks that take turns on one thread, at as little cost as can be.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::ptr;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

/// A task that borrows what it works on.
pub type Task<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// So many wake-ups may be under way at once: a power of two.
const RING: usize = 256;

/// Who is ready, in the order of the wake-ups.
struct Ready {
    ring: [Cell<usize>; RING],
    first: Cell<usize>,
    end: Cell<usize>,
}

impl Ready {
    fn push(&self, number: usize) {
        let end = self.end.get();
        assert!(end - self.first.get() < RING, "fewer wake-ups than that are under way");
        self.ring[end % RING].set(number);
        self.end.set(end + 1);
    }

    fn pop(&self) -> Option<usize> {
        let first = self.first.get();
        (first < self.end.get()).then(|| {
            self.first.set(first + 1);
            self.ring[first % RING].get()
        })
    }
}

thread_local! {
    static READY: Ready =
        const { Ready { ring: [const { Cell::new(0) }; RING], first: Cell::new(0), end: Cell::new(0) } };
}

/// Makes task `number` ready.
fn wake(number: usize) {
    READY.with(|ready| ready.push(number));
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
        let number = READY.with(Ready::pop).expect("somebody is ready");
        let waker = waker(number);
        if let Some(task) = &mut tasks[number] {
            if task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                tasks[number] = None;
                left -= 1;
            }
        }
    }
    while READY.with(Ready::pop).is_some() {}
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

/// Acquires, yields and gives back, as often as is `left` for all together; counts how often in `turns`.
pub async fn take_turns<F: Future>(acquire: impl Fn() -> F, left: &Cell<usize>, turns: &Cell<usize>) {
    while left.get() > 0 {
        let permit = acquire().await;
        left.set(left.get().saturating_sub(1));
        turns.set(turns.get() + 1);
        again().await;
        drop(permit);
    }
}
