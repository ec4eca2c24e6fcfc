//! How workers come by what is in the queue of a pool, and what they say of it.

use super::job::Job;
use super::line::Bell;
use super::state::{Pull, Shared};
use crate::cancel::Scope;
use crate::spawn::Spawn;
use crate::sys::Arc;
use crate::time::Instant;
use crate::wait::Ready;
use crate::work::intake::{Fed, Feed, Toll};
use crate::work::lease::Lease;
use crate::work::options::Options;
use crate::work::outcome::ItemOutcome;
use crate::work::report::Stop;
use crate::work::spawned::{Member, Stock, Team, oversee};
use crate::work::tag::Outcomes;
use alloc::boxed::Box;
use core::future::Future;
use core::task::{Context, Poll};

/// The queue, as what the workers of a run share.
pub(super) struct Queue<T, O, E>(pub(super) Arc<Shared<T, O, E>>);

impl<T, O, E> Stock for Queue<T, O, E> {
    type Feed = Puller<T, O, E>;
    type Teller = Tell<T, O, E>;

    fn equip(team: &Arc<Team<Self>>, number: usize) -> (Puller<T, O, E>, Tell<T, O, E>) {
        let pool = team.stock.0.clone();
        let tell = Tell(pool.clone());
        (Puller { team: team.clone(), pool, number, is_new: true, toll: None, has_left: false }, tell)
    }

    fn stop(&self, stop: &Stop) {
        self.0.stop(stop);
    }

    fn is_stopped(&self) -> bool {
        self.0.is_stopped()
    }

    fn call_all(&self) {
        self.0.call_all();
    }
}

/// A worker's way to the queue.
pub(super) struct Puller<T, O, E> {
    team: Arc<Team<Queue<T, O, E>>>,
    pool: Arc<Shared<T, O, E>>,
    number: usize,
    /// It has not asked for an item yet.
    is_new: bool,
    /// While this one has it.
    toll: Option<Box<Toll>>,
    /// P5.
    has_left: bool,
}

impl<T, O, E> Puller<T, O, E> {
    /// From now on this one is called by these.
    pub(super) fn enter(&self, bell: Bell) {
        self.pool.enter(self.number, Arc::new(bell));
    }

    /// Lets the next one have what stands before the queue.
    fn pass_on(&mut self) {
        if let Some(toll) = self.toll.take() {
            self.pool.put_back(toll);
        }
    }

    fn end(&mut self, stop: Stop) -> Fed<Job<T, O, E>, T> {
        self.pool.stop(&stop);
        self.pass_on();
        Poll::Ready(Err(stop))
    }
}

impl<T, O, E> Feed for Puller<T, O, E> {
    type Item = T;
    type Tag = Job<T, O, E>;

    fn begin(&mut self, ready: &mut Ready) {
        // It has a crew of one.
        ready.reach(0);
        self.enter(Bell { feed: ready.control_waker(0), body: ready.waker(0).clone() });
    }

    #[inline]
    fn poll_feed<const PLAIN: bool>(&mut self, cx: &mut Context<'_>, closes: Instant) -> Fed<Job<T, O, E>, T> {
        loop {
            if let Some(toll) = &mut self.toll {
                if !toll.has_permit && self.pool.remaining() == Some(0) {
                    return self.end(Stop::Exhausted);
                }
                match toll.poll_paid(cx, closes) {
                    Poll::Ready(true) => {}
                    Poll::Ready(false) => return self.end(Stop::OutOfTime),
                    // It is this one whom the limiter will wake.
                    Poll::Pending => return Poll::Pending,
                }
            }
            let (pull, nobody_waits) = self.pool.pull(self.number, &mut self.toll, || self.team.is_crowded());
            let has_item = matches!(pull, Pull::Item(..));
            self.team.asked(self.number, &mut self.is_new, has_item && nobody_waits);
            match pull {
                Pull::Item(item, job) => {
                    if job.is_late() {
                        job.skip(&self.pool, item);
                        continue;
                    }
                    if let Some(toll) = &mut self.toll {
                        toll.has_permit = false;
                        self.pass_on();
                    }
                    return Poll::Ready(Ok((job, item)));
                }
                Pull::Pending => return Poll::Pending,
                Pull::Toll => {}
                Pull::Exhausted => return self.end(Stop::Exhausted),
                Pull::Stopped(stop) => {
                    self.pass_on();
                    return Poll::Ready(Err(stop));
                }
                Pull::Crowded => {
                    self.has_left = self.team.excuse(self.number);
                    if self.has_left {
                        self.pass_on();
                        return Poll::Ready(Err(Stop::Lost));
                    }
                }
            }
        }
    }

    fn poll_ahead(&mut self, _: &mut Context<'_>) {}

    fn ask_anew(&mut self) {
        if let Some(toll) = &mut self.toll {
            toll.ask_anew();
        }
    }

    /// Nobody knows how many of them are this worker's.
    fn remaining(&self) -> Option<usize> {
        None
    }

    fn out_of_time(&mut self) -> Stop {
        match self.pool.remaining() {
            Some(0) => Stop::Exhausted,
            _ => Stop::OutOfTime,
        }
    }
}

impl<T, O, E> Member for Puller<T, O, E> {
    fn has_left(&self) -> bool {
        self.has_left
    }
}

impl<T, O, E> Drop for Puller<T, O, E> {
    fn drop(&mut self) {
        self.pass_on();
        self.pool.leave(self.number);
    }
}

/// Tells each job what became of it.
pub(super) struct Tell<T, O, E>(Arc<Shared<T, O, E>>);

impl<T, O, E> Outcomes<Job<T, O, E>, T, O, E> for Tell<T, O, E> {
    #[inline]
    fn tell(&mut self, job: Job<T, O, E>, _: Option<usize>, outcome: ItemOutcome<T, O, E>) {
        job.end(&self.0, outcome);
    }
}

/// Has workers at the queue until nothing more is started and all of them are gone.
pub(super) async fn run<P, T, O, E, F, Fut>(spawner: P, pool: Arc<Shared<T, O, E>>, options: Options, body: F) -> Stop
where
    P: Spawn,
    F: Fn(Lease<T>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<O, E>> + Send + 'static,
    T: Send + 'static,
    O: Send + 'static,
    E: Send + 'static,
{
    let scope: &Scope = &pool.scope;
    oversee(spawner, Queue(pool.clone()), options, Instant::NEVER, scope, body).await;
    pool.stopped()
}
