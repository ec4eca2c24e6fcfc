//! What a worker of a pool does with an item, and where it says what came of it.

use super::job::Job;
use crate::sys::Arc;
use crate::sys::thread::{catch, resume};
use crate::work::crew::Place;
use crate::work::lease::{Home, Lease};
use crate::work::outcome::{Ended, ItemOutcome, Sink};
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use pin_project_lite::pin_project;

/// Why a body has not come to its end.
pub(super) enum Cut<E> {
    Failed(E),
    /// Its ticket gave it up.
    GivenUp,
}

pin_project! {
    /// The body of one item, which its ticket may give up. Its job is on loan from the run, the item from here, and W3: it is
    /// put back into the job before that goes back.
    pub(super) struct Working<T, O, E, F, Fut> {
        make: Option<Arc<F>>,
        #[pin]
        body: Option<Fut>,
        home: Home<T>,
        job: Option<Lease<Job<T, O, E>>>,
    }

    impl<T, O, E, F, Fut> PinnedDrop for Working<T, O, E, F, Fut> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let dropped = catch(|| this.body.set(None));
            if let Some(job) = this.job {
                job.item = job.item.take().or_else(|| this.home.back());
            }
            if let Err(panic) = dropped {
                resume(panic);
            }
        }
    }
}

impl<T, O, E, F, Fut> Working<T, O, E, F, Fut> {
    pub(super) fn new(make: Arc<F>, job: Lease<Job<T, O, E>>) -> Self {
        Self { make: Some(make), body: None, home: Home::new(), job: Some(job) }
    }
}

impl<T, O, E, F, Fut> Future for Working<T, O, E, F, Fut>
where
    F: Fn(Lease<T>) -> Fut,
    Fut: Future<Output = Result<O, E>>,
{
    type Output = Result<(O, Job<T, O, E>), Cut<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(job) = this.job else { unreachable!("polled after it was ready") };
        if let (Some(make), Some(item)) = (this.make.take(), job.item.take()) {
            let lease = this.home.lend(item);
            this.body.set(Some(make(lease)));
        }
        let mut body = this.body;
        let polled = this.home.watch(|| {
            let Some(running) = body.as_mut().as_pin_mut() else { unreachable!("made at the first poll") };
            let polled = running.poll(cx);
            if polled.is_ready() {
                body.set(None);
            }
            polled
        });
        let failed = match polled {
            Poll::Ready(Ok(value)) => {
                drop(this.home.back());
                let Some(job) = this.job.take() else { unreachable!("seen above") };
                return Poll::Ready(Ok((value, job.take())));
            }
            Poll::Ready(Err(error)) => Cut::Failed(error),
            Poll::Pending if job.slot.poll_cut(cx) => {
                body.set(None);
                Cut::GivenUp
            }
            Poll::Pending => return Poll::Pending,
        };
        job.item = this.home.back();
        *this.job = None;
        Poll::Ready(Err(failed))
    }
}

/// Tells each job what became of it.
pub(super) struct Tell;

impl<T, O, E> Sink<Job<T, O, E>, (O, Job<T, O, E>), Cut<E>> for Tell {
    fn accept(&mut self, ended: Ended<Job<T, O, E>, (O, Job<T, O, E>), Cut<E>>) {
        let (mut job, outcome): (_, Place<T, O, E>) = match ended.outcome {
            ItemOutcome::Done((value, job)) => return job.end(ItemOutcome::Done(value)),
            ItemOutcome::Failed { error: Cut::Failed(error), item: Some(mut job) } => {
                let item = job.item.take();
                return job.end(ItemOutcome::Failed { error, item });
            }
            ItemOutcome::Panicked { message, item: Some(mut job) } => {
                let item = job.item.take();
                return job.end(ItemOutcome::Panicked { message, item });
            }
            ItemOutcome::Skipped { item: job } => return job.skip(),
            ItemOutcome::TimedOut { item: Some(job) } => (job, |item| ItemOutcome::TimedOut { item }),
            ItemOutcome::Failed { error: Cut::GivenUp, item: Some(job) }
            | ItemOutcome::Cancelled { item: Some(job) } => (job, |item| ItemOutcome::Cancelled { item }),
            // The job was dropped with its task, and has ended by that.
            ItemOutcome::Failed { item: None, .. }
            | ItemOutcome::Panicked { item: None, .. }
            | ItemOutcome::TimedOut { item: None }
            | ItemOutcome::Cancelled { item: None } => return,
        };
        let item = job.item.take();
        job.end(outcome(item));
    }
}
