//! What threads may do to each other, in every order.

mod channels;
mod events;
mod meetings;
mod notifies;
mod semaphores;

use super::*;
use crate::sys::Arc;
use crate::sys::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sys::model::{model, spawn};
use crate::sys::waker::{Wake, waker};
use alloc::boxed::Box;
use core::future::Future;
use core::num::NonZeroUsize;
use core::pin::Pin;
use core::task::Poll::{Pending, Ready};
use core::task::{Context, Poll};

/// Whether it was woken.
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(this: &Arc<Self>) {
        // Release: partner of the load in `woken`.
        this.0.store(true, Ordering::Release);
    }
}

/// A future that goes to other threads, with a flag for the waker of its last poll.
struct Task<T> {
    future: Pin<Box<dyn Future<Output = T> + Send>>,
    flag: Arc<Flag>,
}

impl<T> Task<T> {
    fn new(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self { future: Box::pin(future), flag: Arc::new(Flag(AtomicBool::new(false))) }
    }

    /// Polls, each time with another waker.
    fn poll(&mut self) -> Poll<T> {
        self.flag = Arc::new(Flag(AtomicBool::new(false)));
        self.future.as_mut().poll(&mut Context::from_waker(&waker(self.flag.clone())))
    }

    fn waiting(mut self) -> Self {
        assert!(self.poll().is_pending());
        self
    }

    fn woken(&self) -> bool {
        self.flag.0.load(Ordering::Acquire)
    }

    /// What it comes to, when all else is done; one that is still pending has been woken.
    fn finish(mut self, first: Poll<T>) -> T {
        if let Ready(output) = first {
            return output;
        }
        assert!(self.woken(), "asleep");
        match self.poll() {
            Ready(output) => output,
            Pending => panic!("woken for nothing"),
        }
    }
}
