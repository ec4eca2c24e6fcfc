//! What a pool, its workers and its tickets may do to each other, in every order.

use super::job::{Job, Ticket};
use super::state::{Queue, Shared};
use crate::cancel::Scope;
use crate::sys::Arc;
use crate::sys::model::{Task, model, spawn};
use crate::time::{Clock, Instant, Time};
use crate::work::outcome::ItemOutcome;
use crate::work::report::Stop;
use crate::work::source::Source;
use core::future::poll_fn;
use core::task::Poll;
use core::time::Duration;

type Pool = Arc<Shared<u8, u8, u8>>;
type Outcome = ItemOutcome<u8, u8, u8>;

/// A clock that stands still: nothing here waits for time.
struct Still;

impl Clock for Still {
    fn now(&self) -> Instant {
        Instant::EPOCH
    }

    fn arm(&self, _: Instant) {}
}

fn pool() -> Pool {
    Arc::new(Shared::new(1, Scope::new(Time::new(Still)), Duration::ZERO))
}

/// Submits an item, if the pool is open.
fn submit(pool: &Pool) -> Option<Ticket<u8, u8, u8>> {
    pool.room.try_acquire().ok()?.forget();
    let job = Job::new(7, Instant::NEVER, pool);
    let ticket = Ticket::new(job.slot.clone(), pool.clone());
    match pool.push(job) {
        Ok(()) => Some(ticket),
        Err(job) => {
            assert_eq!(job.refuse(), 7);
            None
        }
    }
}

fn pull(pool: &Pool) -> Task<Option<Job<u8, u8, u8>>> {
    let mut queue = Queue(pool.clone());
    Task::new(async move { poll_fn(|cx| queue.poll_pull(cx)).await })
}

fn wait(ticket: Ticket<u8, u8, u8>) -> Task<Outcome> {
    Task::new(ticket)
}

fn ready<T>(mut task: Task<T>) -> T {
    let Poll::Ready(value) = task.poll() else { panic!("not ready") };
    value
}

#[test]
fn loom_a_worker_that_waits_is_called_for_what_is_submitted() {
    model(|| {
        let pool = pool();
        let mut task = pull(&pool);
        let submitter = spawn({
            let pool = pool.clone();
            move || submit(&pool)
        });
        let first = task.poll();
        let ticket = submitter.join().unwrap().expect("it is open");
        task.finish(first).expect("there is one").skip();
        assert!(ticket.is_resolved());
    });
}

#[test]
fn loom_who_awaits_a_ticket_is_told() {
    model(|| {
        let pool = pool();
        let ticket = submit(&pool).unwrap();
        let job = ready(pull(&pool)).unwrap();
        let mut task = wait(ticket);
        let worker = spawn(move || job.end(ItemOutcome::Done(1)));
        let first = task.poll();
        worker.join().unwrap();
        assert_eq!(task.finish(first), ItemOutcome::Done(1));
    });
}

#[test]
fn loom_an_item_that_is_given_up_while_a_worker_takes_it_ends_once() {
    model(|| {
        let pool = pool();
        let ticket = submit(&pool).unwrap();
        let worker = spawn({
            let mut task = pull(&pool);
            move || match task.poll() {
                Poll::Ready(Some(job)) => {
                    job.end(ItemOutcome::Done(1));
                    true
                }
                _ => false,
            }
        });
        ticket.cancel();
        let done = worker.join().unwrap();
        let outcome = ready(wait(ticket));
        assert_eq!(outcome, if done { ItemOutcome::Done(1) } else { ItemOutcome::Skipped { item: 7 } });
        assert_eq!((pool.status().0.total(), pool.status().2, pool.room.available()), (1, 0, 1));
    });
}

#[test]
fn loom_a_worker_that_rests_is_called_when_its_item_is_given_up() {
    model(|| {
        let pool = pool();
        let ticket = submit(&pool).unwrap();
        let job = ready(pull(&pool)).unwrap();
        let slot = job.slot.clone();
        let mut task = Task::new(async move {
            poll_fn(|cx| if slot.poll_cut(cx) { Poll::Ready(()) } else { Poll::Pending }).await;
        });
        let canceller = spawn(move || {
            ticket.cancel();
            ticket
        });
        let first = task.poll();
        let ticket = canceller.join().unwrap();
        task.finish(first);
        drop(job);
        assert_eq!(ready(wait(ticket)), ItemOutcome::Cancelled { item: Some(7) });
    });
}

#[test]
fn loom_a_pool_that_is_over_while_something_is_submitted_keeps_nothing() {
    model(|| {
        let pool = pool();
        let submitter = spawn({
            let pool = pool.clone();
            move || submit(&pool)
        });
        pool.run_over(Stop::Exhausted);
        let ticket = submitter.join().unwrap();
        let taken = u64::from(ticket.is_some());
        if let Some(ticket) = ticket {
            assert_eq!(ready(wait(ticket)), ItemOutcome::Skipped { item: 7 });
        }
        let over = pool.clone();
        let report = ready(Task::new(async move { over.over().await }));
        assert_eq!((report.count.skipped, report.taken(), pool.status().1), (taken, taken, 0));
    });
}

#[test]
fn loom_who_drains_is_told_when_the_last_item_ends_and_when_the_run_does() {
    model(|| {
        let pool = pool();
        drop(submit(&pool).unwrap());
        let job = ready(pull(&pool)).unwrap();
        let over = pool.clone();
        let mut task = Task::new(async move { over.over().await });
        let worker = spawn(move || drop(job));
        let first = task.poll();
        pool.run_over(Stop::Lost);
        worker.join().unwrap();
        let report = task.finish(first);
        assert_eq!((report.count.cancelled, report.stop), (1, Stop::Lost));
    });
}
