//! What a pool, its workers and its tickets may do to each other, in every order.

use super::feed::{Puller, Queue};
use super::job::{Job, Ticket};
use super::line::Bell;
use super::state::Shared;
use crate::cancel::Scope;
use crate::limit::{Limiter, Quota};
use crate::sys::Arc;
use crate::sys::model::{Task, model, spawn};
use crate::time::{Clock, Instant, Time};
use crate::work::crowd::Crowd;
use crate::work::intake::Feed;
use crate::work::outcome::ItemOutcome;
use crate::work::report::Stop;
use crate::work::spawned::{Stock, Team};
use crate::work::tag::Tag;
use alloc::vec::Vec;
use core::future::poll_fn;
use core::num::{NonZeroU32, NonZeroUsize};
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
    Arc::new(Shared::new(1, Scope::new(Time::new(Still)), Duration::ZERO, None))
}

/// One that has room for two, and a limiter before it that lets everybody pass.
fn limited() -> Pool {
    let scope = Scope::new(Time::new(Still));
    let two = NonZeroU32::MIN.saturating_add(1);
    let limiter = Limiter::new(scope.time(), Quota::per_second(two).burst(two));
    Arc::new(Shared::new(2, scope, Duration::ZERO, Some(&limiter)))
}

/// Submits an item, if the pool is open.
fn submit(pool: &Pool) -> Option<Ticket<u8, u8, u8>> {
    pool.room.try_acquire().ok()?.keep_out();
    let (job, ticket) = Job::new(Instant::NEVER, pool);
    match pool.push(7, job) {
        Ok(()) => Some(ticket),
        Err((item, job)) => {
            assert_eq!(item, 7);
            job.refuse();
            None
        }
    }
}

type Pulled = Result<(Job<u8, u8, u8>, u8), Stop>;

type Workers = (Arc<Team<Queue<u8, u8, u8>>>, Vec<Puller<u8, u8, u8>>);

/// The workers of a pool, as many as there are to be.
fn team(pool: &Pool, workers: usize) -> Workers {
    let most = NonZeroUsize::new(workers).unwrap();
    let team = Arc::new(Team::new(Queue(pool.clone()), most, true, None, pool.scope.clone()));
    let pullers = (0..workers).map(|_| Queue::equip(&team, team.change(Crowd::hire).unwrap()).0).collect();
    (team, pullers)
}

/// A worker who asks for an item, and is there until he has been given one.
fn pulls(mut puller: Puller<u8, u8, u8>) -> Task<Pulled> {
    Task::new(async move {
        poll_fn(|cx| {
            puller.enter(Bell { feed: cx.waker().clone(), body: cx.waker().clone() });
            puller.poll_feed::<false>(cx, Instant::NEVER)
        })
        .await
    })
}

fn pull(pool: &Pool) -> Task<Pulled> {
    pulls(team(pool, 1).1.remove(0))
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
        let (job, item) = task.finish(first).expect("there is one");
        job.skip(&pool, item);
        assert!(ticket.is_resolved());
    });
}

#[test]
fn loom_who_awaits_a_ticket_is_told() {
    model(|| {
        let pool = pool();
        let ticket = submit(&pool).unwrap();
        let (job, _) = ready(pull(&pool)).unwrap();
        let mut task = wait(ticket);
        let worker = spawn(move || job.end(&pool, ItemOutcome::Done(1)));
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
            let (mut task, pool) = (pull(&pool), pool.clone());
            move || match task.poll() {
                Poll::Ready(Ok((job, _))) if !job.is_given_up() => {
                    job.end(&pool, ItemOutcome::Done(1));
                    Some(ItemOutcome::Done(1))
                }
                Poll::Ready(Ok((mut job, item))) => {
                    job.lost(|| Some(item));
                    Some(ItemOutcome::Cancelled { item: Some(7) })
                }
                _ => None,
            }
        });
        ticket.cancel();
        let ended = worker.join().unwrap();
        assert_eq!(ready(wait(ticket)), ended.unwrap_or(ItemOutcome::Skipped { item: 7 }));
        assert_eq!((pool.status().0.total(), pool.status().2, pool.room.available()), (1, 0, 1));
    });
}

#[test]
fn loom_a_worker_that_rests_is_called_when_its_item_is_given_up() {
    model(|| {
        let pool = pool();
        let ticket = submit(&pool).unwrap();
        let mut puller = team(&pool, 1).1.remove(0);
        let mut pulled = None;
        let mut task = Task::new(async move {
            poll_fn(|cx| {
                if pulled.is_none() {
                    puller.enter(Bell { feed: cx.waker().clone(), body: cx.waker().clone() });
                    match puller.poll_feed::<false>(cx, Instant::NEVER) {
                        Poll::Ready(fed) => pulled = fed.ok(),
                        Poll::Pending => return Poll::Ready(None),
                    }
                }
                let cut = pulled.take_if(|(job, _)| job.is_given_up());
                if cut.is_some() { Poll::Ready(cut) } else { Poll::Pending }
            })
            .await
        });
        let canceller = spawn(move || {
            ticket.cancel();
            ticket
        });
        let first = task.poll();
        let ticket = canceller.join().unwrap();
        let outcome = match task.finish(first) {
            Some((mut job, item)) => {
                job.lost(|| Some(item));
                ItemOutcome::Cancelled { item: Some(7) }
            }
            None => ItemOutcome::Skipped { item: 7 },
        };
        assert_eq!(ready(wait(ticket)), outcome);
    });
}

#[test]
fn loom_who_is_called_and_leaves_calls_the_next() {
    model(|| {
        let pool = pool();
        let mut pullers = team(&pool, 2).1.into_iter().map(pulls);
        let (first, second) = (pullers.next().unwrap().waiting(), pullers.next().unwrap().waiting());
        let leaver = spawn(move || drop(first));
        let ticket = submit(&pool).unwrap();
        leaver.join().unwrap();
        let (job, item) = second.finish(Poll::Pending).expect("there is one");
        job.skip(&pool, item);
        assert!(ticket.is_resolved());
    });
}

/// Whether every worker that may go on has done so: `tasks` are polled as long as one of them was woken. Gives what they pulled.
fn all(mut tasks: Vec<Task<Pulled>>) -> Vec<Pulled> {
    let mut pulled = Vec::new();
    while let Some(at) = tasks.iter().position(Task::woken) {
        let mut task = tasks.remove(at);
        match task.poll() {
            Poll::Ready(fed) => pulled.push(fed),
            Poll::Pending => tasks.push(task),
        }
    }
    pulled
}

#[test]
fn loom_nothing_stays_in_the_queue_while_a_worker_waits() {
    for limited in [false, true] {
        model(move || {
            let pool = if limited {
                self::limited()
            } else {
                Arc::new(Shared::new(2, pool().scope.clone(), Duration::ZERO, None))
            };
            let mut tasks: Vec<_> = team(&pool, 2).1.into_iter().map(pulls).collect();
            let mut late = tasks.pop().unwrap();
            let waits = tasks.pop().unwrap().waiting();
            let submitter = spawn({
                let pool = pool.clone();
                move || [submit(&pool), submit(&pool)]
            });
            let first = late.poll();
            let _tickets = submitter.join().unwrap();
            let mut tasks = Vec::from([waits]);
            let mut pulled = Vec::new();
            match first {
                Poll::Ready(fed) => pulled.push(fed),
                Poll::Pending => tasks.push(late),
            }
            pulled.extend(all(tasks));
            assert_eq!((pulled.iter().filter(|fed| fed.is_ok()).count(), pool.status().1), (2, 0));
        });
    }
}

#[test]
fn loom_who_goes_into_line_while_there_are_to_be_fewer_leaves() {
    model(|| {
        let pool = pool();
        let (team, pullers) = team(&pool, 2);
        let mut tasks: Vec<_> = pullers.into_iter().map(pulls).collect();
        let (mut late, waits) = (tasks.pop().unwrap(), tasks.pop().unwrap().waiting());
        let resizer = spawn(move || {
            let resized = team.change(|crowd| crowd.resize(NonZeroUsize::MIN));
            team.resized(resized);
        });
        let first = late.poll();
        resizer.join().unwrap();
        let (tasks, mut left) = match first {
            Poll::Ready(fed) => (Vec::from([waits]), Vec::from([fed])),
            Poll::Pending => (Vec::from([waits, late]), Vec::new()),
        };
        left.extend(all(tasks));
        assert!(matches!(left[..], [Err(Stop::Lost)]), "one of them has left");
    });
}

#[test]
fn loom_who_goes_into_line_while_a_pool_closes_is_told() {
    model(|| {
        let pool = pool();
        let mut task = pull(&pool);
        let closer = spawn({
            let pool = pool.clone();
            move || pool.close()
        });
        let first = task.poll();
        closer.join().unwrap();
        assert!(matches!(task.finish(first), Err(Stop::Exhausted)));
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
        let (job, _) = ready(pull(&pool)).unwrap();
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
