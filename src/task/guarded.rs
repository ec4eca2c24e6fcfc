//! A future that is polled and dropped in a panic guard.

use crate::spawn::Panic;
use crate::sys::Lock;
use crate::sys::thread::catch;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use pin_project_lite::pin_project;

pin_project! {
    /// A body whose panics are values. Dropped by itself it is not guarded: its owner [clears](Guarded::clear) it first.
    pub(crate) struct Guarded<F> {
        #[pin]
        body: Option<F>,
    }
}

impl<F> Guarded<F> {
    pub(crate) fn new(body: F) -> Self {
        Self { body: Some(body) }
    }

    /// Drops the body, if it is there.
    pub(crate) fn clear(self: Pin<&mut Self>) -> Result<(), Panic> {
        let mut this = self.project();
        catch(|| this.body.set(None)).map_err(Panic::new)
    }
}

impl<F: Future> Future for Guarded<F> {
    type Output = Result<F::Output, Panic>;

    /// A body that is ready, or has panicked, is dropped before this returns. What has panicked while it was polled may
    /// panic once more when it is dropped: the first one counts.
    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.as_mut().project();
        let polled = catch(|| {
            let polled = this.body.as_mut().as_pin_mut().expect("polled after it had ended").poll(cx);
            if polled.is_ready() {
                this.body.set(None);
            }
            polled
        });
        match polled {
            Ok(polled) => polled.map(Ok),
            Err(payload) => {
                let first = Panic::new(payload);
                drop(self.clear());
                Poll::Ready(Err(first))
            }
        }
    }
}

pin_project! {
    /// A [guarded](Guarded) body that leaves the panic of its drop where its owner finds it: for what is dropped with something
    /// else, as with the run of a scope.
    pub(crate) struct Contained<'a, F> {
        #[pin]
        body: Guarded<F>,
        panic: &'a Lock<Option<Panic>>,
    }

    impl<F> PinnedDrop for Contained<'_, F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Err(panic) = this.body.clear() {
                let none = this.panic.with(|place| place.replace(panic));
                debug_assert!(none.is_none());
            }
        }
    }
}

impl<'a, F> Contained<'a, F> {
    pub(crate) fn new(body: F, panic: &'a Lock<Option<Panic>>) -> Self {
        Self { body: Guarded::new(body), panic }
    }
}

impl<F: Future> Future for Contained<'_, F> {
    type Output = Result<F::Output, Panic>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().body.poll(cx)
    }
}
