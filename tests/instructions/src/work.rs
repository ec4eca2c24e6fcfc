//! Many items, fifty at once, by a clock whose reading costs nothing.

use crate::TIMES;
use crate::time::still;
use std::future::{Future, ready};
use std::hint::black_box;
use std::num::NonZeroUsize;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use wakeful::cancel::Scope;
use wakeful::work::{Count, Lease, work};

/// Not ready when it is polled for the first time, when it wakes itself.
pub struct Once(bool);

impl Once {
    pub fn new() -> Self {
        Self(false)
    }
}

impl Future for Once {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Does as many items as there are times.
fn all<F: Future<Output = ()>>(make: fn() -> F) {
    let scope = Scope::new(still());
    let width = NonZeroUsize::new(50).unwrap();
    let body = |item: Lease<usize>| async move {
        black_box(*item);
        make().await;
        Ok::<(), ()>(())
    };
    let mut run = pin!(work(0..TIMES).workers(width).run(&scope, body, Count::new()));
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(report) = run.as_mut().poll(&mut cx) {
            assert_eq!(report.count.done, TIMES as u64);
            return;
        }
    }
}

/// Each body is ready at once.
#[inline(never)]
pub fn ready_at_once() {
    all(|| ready(()));
}

/// Each body is pending once.
#[inline(never)]
pub fn pending_once() {
    all(Once::new);
}
