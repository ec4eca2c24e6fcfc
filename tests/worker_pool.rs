//! Worker pools: items submitted one by one, each with a ticket.

use std::future::{Future, pending};
use std::num::{NonZeroU32, NonZeroUsize};
use std::panic::resume_unwind;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use wakeful::cancel::{Scope, current};
use wakeful::limit::{Limiter, Quota};
use wakeful::sim::{self, Builder, Rng, Sim};
use wakeful::spawn::Task;
use wakeful::time::{Instant, ManualClock};
use wakeful::work::{
    Count, ItemOutcome, Lease, Refused, Stop, SubmitError, Ticket, WorkerPool, WorkerPoolBuilder, worker_pool,
};

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

const fn at(n: u64) -> Instant {
    Instant::from_nanos(n * 1_000_000)
}

const fn n(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

type Outcome = ItemOutcome<u64, u64, u64>;

/// Sleeps as many milliseconds as its item says; then an odd one fails, and 13 panics.
async fn body(item: Lease<u64>) -> Result<u64, u64> {
    wakeful::sleep(ms(*item)).await;
    assert_ne!(*item, 13, "unlucky");
    if *item % 2 == 1 { Err(*item) } else { Ok(*item) }
}

/// A body of one kind, so that pools are.
type Works = fn(Lease<u64>) -> Boxed;

type Boxed = Pin<Box<dyn Future<Output = Result<u64, u64>> + Send>>;

fn set() -> WorkerPoolBuilder<Works> {
    worker_pool((|item| Box::pin(body(item))) as Works)
}

fn assert_send<T: Send>(value: T) -> T {
    value
}

#[test]
fn each_ticket_says_what_became_of_its_item() {
    sim::check(|sim| async move {
        let pool = set().workers(n(2)).item_timeout(ms(50)).spawn_on(sim.spawner(), &Scope::new(sim.time()));
        let mut tickets = Vec::new();
        for item in [10, 5, 13, 99, 50] {
            tickets.push(assert_send(pool.submit(item)).await.unwrap());
        }
        let mut outcomes = Vec::new();
        for ticket in tickets {
            outcomes.push(assert_send(ticket).await);
        }
        let message = outcomes[2].clone();
        let ItemOutcome::Panicked { message, item: Some(13) } = message else { panic!("{message:?}") };
        assert!(message.contains("unlucky"), "{message}");
        assert_eq!(outcomes[0], ItemOutcome::Done(10));
        assert_eq!(outcomes[1], ItemOutcome::Failed { error: 5, item: Some(5) });
        assert_eq!(outcomes[3], ItemOutcome::TimedOut { item: Some(99) });
        assert_eq!(outcomes[4], ItemOutcome::Done(50), "one that is done at that instant counts");
        let report = pool.drain(Duration::MAX).await;
        let count = report.count;
        assert_eq!((count.done, count.failed, count.panicked, count.timed_out, report.taken()), (2, 1, 1, 1, 5));
        assert_eq!((&report.stop, report.not_started.len(), report.is_complete()), (&Stop::Exhausted, 0, false));
        let numbers = "2 done, 1 failed, 1 panicked, 1 timed out, 0 cancelled, 0 skipped in 0.068000000s";
        assert_eq!(report.to_string(), format!("{numbers} (the source is exhausted)"));
    });
}

#[test]
fn who_waits_for_room_is_served_in_order_and_nobody_passes_by() {
    sim::check(|sim| async move {
        let pool = set().capacity(n(2)).spawn_on(sim.spawner(), &Scope::new(sim.time()));
        let first = pool.submit(10).await.unwrap();
        sim.idle().await;
        let queued = [pool.try_submit(10).unwrap(), pool.try_submit(10).unwrap()];
        assert_eq!((pool.queued(), pool.running(), pool.capacity()), (2, 1, 2));
        let refused = pool.try_submit(7).unwrap_err();
        assert_eq!(refused, SubmitError { item: 7, why: Refused::Full { capacity: 2 } });
        assert_eq!(refused.to_string(), "the item was not taken: the queue is full: 2 items are in it");
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut waiting = Vec::new();
        for number in 0..3 {
            let (pool, order) = (pool.clone(), order.clone());
            waiting.push(sim.spawn("submits", async move {
                let ticket = pool.submit(10).await.unwrap();
                order.lock().unwrap().push(number);
                ticket.await
            }));
            sim.idle().await;
        }
        for ticket in [first].into_iter().chain(queued) {
            assert_eq!(ticket.await, ItemOutcome::Done(10));
        }
        for task in waiting {
            assert_eq!(task.await, ItemOutcome::Done(10));
        }
        assert_eq!(sim.now(), at(60));
        assert_eq!(*order.lock().unwrap(), [0, 1, 2]);
    });
}

#[test]
fn a_submit_that_is_dropped_gives_its_place_in_line_back() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let pool = set().capacity(n(1)).spawn_on(sim.spawner(), &scope);
        let _first = pool.submit(10).await.unwrap();
        sim.idle().await;
        let _second = pool.submit(10).await.unwrap();
        assert!(scope.move_on_after(ms(5), async |_| pool.submit(1).await.is_ok()).await.is_cancelled());
        let third = pool.submit(20).await.unwrap();
        assert_eq!((sim.now(), third.await), (at(10), ItemOutcome::Done(20)));
        assert_eq!((pool.count().total(), sim.now()), (3, at(40)));
    });
}

#[test]
fn a_closed_pool_takes_nothing_and_works_on() {
    sim::check(|sim| async move {
        let pool = set().capacity(n(2)).spawn_on(sim.spawner(), &Scope::new(sim.time()));
        let first = pool.submit(10).await.unwrap();
        sim.idle().await;
        let (second, third) = (pool.submit(10).await.unwrap(), pool.submit(10).await.unwrap());
        let waits = sim.spawn("waits for room", {
            let pool = pool.clone();
            async move { pool.submit(1).await.map(drop) }
        });
        sim.time().sleep(ms(5)).await;
        assert!(!pool.is_closed());
        pool.close();
        pool.close();
        assert_eq!(waits.await.unwrap_err(), SubmitError { item: 1, why: Refused::Closed });
        assert_eq!((sim.now(), pool.is_closed()), (at(5), true));
        assert_eq!(pool.submit(2).await.unwrap_err(), SubmitError { item: 2, why: Refused::Closed });
        assert_eq!(pool.try_submit(3).unwrap_err(), SubmitError { item: 3, why: Refused::Closed });
        for ticket in [first, second, third] {
            assert_eq!(ticket.await, ItemOutcome::Done(10));
        }
        let report = pool.drain(Duration::ZERO).await;
        assert_eq!((report.count.done, report.elapsed(), report.stop), (3, ms(30), Stop::Exhausted));
        assert_eq!(pool.try_submit(4).unwrap_err().why, Refused::Closed);
    });
}

#[test]
fn a_drain_cuts_short_at_its_end_and_no_sooner() {
    sim::check(|sim| async move {
        for (grace, done, cancelled, skipped, end) in [
            (Duration::ZERO, 0, 2, 3, 5),
            (ms(5), 2, 0, 3, 10), // what is done at that instant counts
            (ms(14), 2, 2, 1, 19),
            (Duration::MAX, 5, 0, 0, 30),
        ] {
            let (scope, start) = (Scope::new(sim.time()), sim.now());
            let pool = set().workers(n(2)).spawn_on(sim.spawner(), &scope);
            let mut tickets = Vec::new();
            for item in [10; 5] {
                tickets.push(pool.submit(item).await.unwrap());
            }
            sim.time().sleep(ms(5)).await;
            let report = pool.drain(grace).await;
            let count = report.count;
            assert_eq!((count.done, count.cancelled, count.skipped), (done, cancelled, skipped), "{grace:?} {report}");
            assert_eq!((sim.now() - start, report.elapsed()), (ms(end), ms(end)), "{grace:?}");
            let stop = if grace == Duration::MAX { Stop::Exhausted } else { Stop::OutOfTime };
            assert_eq!((report.stop, report.not_started), (stop, vec![]), "{grace:?}");
            assert!(tickets.iter().all(Ticket::is_resolved));
            assert!(!scope.cancel_called());
        }
    });
}

#[test]
fn a_drain_of_a_pool_that_never_had_anything_to_do_is_over_at_once() {
    sim::check(|sim| async move {
        for grace in [Duration::ZERO, ms(10), Duration::MAX] {
            let pool = set().workers(n(3)).spawn_on(sim.spawner(), &Scope::new(sim.time()));
            let report = pool.drain(grace).await;
            assert_eq!((report.taken(), report.is_complete(), sim.now()), (0, true, at(0)));
        }
    });
}

#[test]
fn of_two_drains_the_earlier_end_holds_and_one_has_the_items() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let pool = set().spawn_on(sim.spawner(), &scope);
        (0..4).for_each(|_| drop(pool.try_submit(10).unwrap()));
        let patient = sim.spawn("patient", {
            let pool = pool.clone();
            async move { pool.drain(ms(35)).await }
        });
        sim.time().sleep(ms(1)).await;
        // One that is given up changes what it has said all the same.
        assert!(scope.move_on_after(ms(1), async |_| pool.drain(ms(24)).await).await.is_cancelled());
        let (here, there) = (pool.drain(Duration::MAX).await, patient.await);
        assert_eq!(sim.now(), at(25));
        for report in [&here, &there, &pool.drain(ms(1)).await] {
            assert_eq!((report.count.done, report.count.cancelled, report.count.skipped), (2, 1, 1), "{report}");
        }
        assert_eq!([here.not_started, there.not_started].concat(), [10]);
    });
}

#[test]
fn what_its_ticket_gives_up_is_not_started_or_cut_short() {
    sim::check(|sim| async move {
        let pool = set().capacity(n(2)).spawn_on(sim.spawner(), &Scope::new(sim.time()));
        let first = pool.submit(10).await.unwrap();
        sim.idle().await;
        let (second, third) = (pool.try_submit(20).unwrap(), pool.try_submit(30).unwrap());
        assert_eq!(pool.try_submit(1).unwrap_err().why, Refused::Full { capacity: 2 });
        second.cancel();
        second.cancel();
        assert!(second.is_resolved(), "at once");
        let fourth = pool.try_submit(40).expect("there is room at once");
        sim.time().sleep(ms(5)).await;
        first.cancel();
        assert_eq!(first.await, Outcome::Cancelled { item: Some(10) });
        assert_eq!((sim.now(), second.await), (at(5), Outcome::Skipped { item: 20 }));
        assert_eq!((third.await, sim.now()), (ItemOutcome::Done(30), at(35)));
        fourth.cancel();
        drop(fourth);
        let report = pool.drain(Duration::MAX).await;
        assert_eq!((report.count.done, report.count.cancelled, report.count.skipped), (1, 2, 1), "{report}");
        assert_eq!(report.stop, Stop::Exhausted, "the worker has gone on");
    });
}

#[test]
fn a_ticket_that_is_dropped_leaves_its_item_to_be_worked_on() {
    sim::check(|sim| async move {
        let pool = set().spawn_on(sim.spawner(), &Scope::new(sim.time()));
        drop(pool.submit(10).await.unwrap());
        let late = pool.submit(20).await.unwrap();
        sim.time().sleep(ms(15)).await;
        drop(late);
        let report = pool.drain(Duration::MAX).await;
        assert_eq!((report.count.done, report.elapsed(), report.is_complete()), (2, ms(30), true));
    });
}

#[test]
fn a_pool_that_is_dropped_tells_every_ticket_and_its_scope_waits_for_the_workers() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let gone = Arc::new(Mutex::new(0));
        let counts = gone.clone();
        let hangs = move |_: Lease<u64>| {
            let last = OnDrop(counts.clone());
            async move {
                let _last = last;
                pending::<Result<u64, u64>>().await
            }
        };
        let spawner = sim.spawner();
        let tickets = scope
            .move_on_after(ms(20), async |s| {
                let pool = worker_pool(hangs).workers(n(2)).spawn_on(spawner, s);
                let tickets = [1, 2, 3].map(|item| pool.try_submit(item).unwrap());
                s.sleep(ms(10)).await;
                let clone = pool.clone();
                drop(pool);
                assert!(!tickets[2].is_resolved() && !clone.is_closed());
                drop(clone);
                assert!(tickets[2].is_resolved() && !tickets[0].is_resolved());
                tickets
            })
            .await
            .done()
            .unwrap();
        assert_eq!((*gone.lock().unwrap(), sim.now()), (2, at(10)), "the scope has waited");
        let mut outcomes = Vec::new();
        for ticket in tickets {
            outcomes.push(ticket.await);
        }
        assert_eq!(
            outcomes,
            [Outcome::Cancelled { item: Some(1) }, Outcome::Cancelled { item: Some(2) }, Outcome::Skipped { item: 3 }]
        );
        assert!(!scope.cancel_called());
    });
}

/// Counts when it is dropped.
struct OnDrop(Arc<Mutex<u64>>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        *self.0.lock().unwrap() += 1;
    }
}

#[test]
fn a_pool_ends_with_its_scope_or_its_deadline() {
    sim::check(|sim| async move {
        for (how, done, cancelled, skipped, end, refused) in [
            ("cancel", 1, 1, 2, 15, Refused::Closed),
            ("grace", 2, 0, 2, 20, Refused::Closed),
            ("short grace", 1, 1, 2, 17, Refused::Closed),
            ("deadline", 1, 1, 2, 15, Refused::Closed),
            ("past", 0, 0, 0, 0, Refused::TooLate { deadline: sim.now() }),
        ] {
            let (scope, start) = (Scope::new(sim.time()), sim.now());
            let pool = match how {
                "deadline" => set().deadline_after(ms(15)).spawn_on(sim.spawner(), &scope),
                "past" => set().deadline_at(start).spawn_on(sim.spawner(), &scope),
                _ => set().spawn_on(sim.spawner(), &scope),
            };
            let tickets = [10; 4].map(|item| pool.try_submit(item));
            let ender = sim.spawn("ender", {
                let (scope, sleep) = (scope.clone(), sim.time().sleep(ms(15)));
                async move {
                    sleep.await;
                    match how {
                        "cancel" => drop(scope.cancel("enough")),
                        "grace" => drop(scope.cancel_with_grace("enough", ms(100))),
                        "short grace" => drop(scope.cancel_with_grace("enough", ms(2))),
                        _ => {}
                    }
                }
            });
            if how == "past" {
                let why = Refused::TooLate { deadline: start };
                assert!(
                    tickets.iter().all(|refused| refused.as_ref().is_err_and(|error| error.why == why)),
                    "{tickets:?}"
                );
                assert_eq!(pool.submit(1).await.unwrap_err(), SubmitError { item: 1, why });
                ender.await;
                assert_eq!(pool.try_submit(1).unwrap_err().why, Refused::Closed, "its workers are gone");
                continue;
            }
            ender.await;
            if how != "deadline" {
                assert_eq!(pool.try_submit(1).unwrap_err().why, refused, "{how}");
            }
            let report = pool.drain(Duration::MAX).await;
            let count = report.count;
            assert_eq!((count.done, count.cancelled, count.skipped), (done, cancelled, skipped), "{how}: {report}");
            assert_eq!(sim.now() - start, ms(end), "{how}");
            let stop = match how {
                "cancel" => Stop::Cancelled("enough".into()),
                "deadline" => Stop::OutOfTime,
                _ => Stop::Draining("enough".into()),
            };
            assert_eq!(report.stop, stop, "{how}");
            assert_eq!(pool.try_submit(1).unwrap_err().why, Refused::Closed, "{how}");
        }
    });
}

#[test]
fn who_waits_for_room_is_turned_away_when_it_is_too_late() {
    sim::check(|sim| async move {
        let limits = |own| (own, set().capacity(n(1)).min_time(ms(4)));
        for (own, pool) in [limits(true), limits(false)] {
            let start = sim.now();
            let end = start + ms(9);
            let pool = if own { pool } else { pool.deadline_at(end) }.spawn_on(sim.spawner(), &Scope::new(sim.time()));
            let _first = pool.submit(10).await.unwrap();
            sim.idle().await;
            let _second = pool.submit(10).await.unwrap();
            let refused = pool.submit_before(1, if own { end } else { Instant::NEVER }).await.unwrap_err();
            assert_eq!(refused, SubmitError { item: 1, why: Refused::TooLate { deadline: end } });
            // Less than 4 ms are left: from 1 ns after that instant.
            assert_eq!(sim.now() - start, ms(5) + Duration::from_nanos(1));
            pool.drain(Duration::MAX).await;
        }
    });
}

#[test]
fn an_item_is_not_started_at_its_deadline_and_takes_no_permit() {
    sim::check(|sim| async move {
        let limiter = Limiter::new(&sim.time(), Quota::per_second(NonZeroU32::new(100).unwrap()));
        let pool = set().rate(&limiter).spawn_on(sim.spawner(), &Scope::new(sim.time()));
        assert_eq!(
            pool.try_submit_before(1, at(0)).unwrap_err(),
            SubmitError { item: 1, why: Refused::TooLate { deadline: at(0) } }
        );
        let first = pool.submit(10).await.unwrap();
        sim.idle().await;
        let late = [10, 10].map(|end| pool.try_submit_before(2, at(end)).unwrap());
        let in_time = pool.try_submit_before(4, at(11)).unwrap();
        let begun = pool.try_submit_before(6, at(21)).unwrap();
        assert_eq!(first.await, ItemOutcome::Done(10));
        for ticket in late {
            assert_eq!(ticket.await, Outcome::Skipped { item: 2 });
        }
        assert_eq!((in_time.await, sim.now()), (ItemOutcome::Done(4), at(14)));
        assert_eq!((begun.await, sim.now()), (ItemOutcome::Done(6), at(26)), "with the permit of 20, and it goes on");
        assert_eq!(pool.count().skipped, 2);
    });
}

/// A worker waits for a permit before there is an item, and with nothing left to be had for none.
#[test]
fn a_pool_that_has_nothing_to_do_any_more_waits_for_no_permit() {
    sim::check(|sim| async move {
        for cancels in [false, true] {
            let limiter = Limiter::new(&sim.time(), Quota::per_hour(NonZeroU32::MIN));
            let pool = set().rate(&limiter).spawn_on(sim.spawner(), &Scope::new(sim.time()));
            assert_eq!(pool.submit(0).await.unwrap().await, ItemOutcome::Done(0));
            let begin = sim.now();
            let last = if cancels { Some(pool.submit(0).await.unwrap()) } else { None };
            sim.idle().await;
            pool.close();
            sim.idle().await;
            if let Some(last) = last {
                last.cancel();
                assert_eq!(last.await, ItemOutcome::Skipped { item: 0 });
            }
            let report = pool.drain(Duration::MAX).await;
            assert_eq!((report.ended, report.count.done, &report.stop), (begin, 1, &Stop::Exhausted));
        }
    });
}

#[test]
fn more_workers_come_at_once_and_those_who_are_too_many_leave_with_their_item() {
    sim::check(|sim| async move {
        let pool = set().spawn_on(sim.spawner(), &Scope::new(sim.time()));
        let tickets = [10; 15].map(|item| pool.try_submit(item).unwrap());
        let mut ends = Vec::new();
        for (when, workers) in [(15, 3), (33, 1), (55, 2)] {
            sim.time().sleep_until(at(when)).await;
            pool.resize(n(workers));
            assert_eq!(pool.workers(), n(workers));
            ends.push(pool.count().done);
        }
        for ticket in tickets {
            assert_eq!(ticket.await, ItemOutcome::Done(10), "nothing is cut short");
        }
        // 10; then 20, 25, 25, 30; then 35, 35, 40, 50; then 60, 65, 70, 75, 80, 85.
        assert_eq!((ends, sim.now()), (vec![1, 5, 9], at(85)));
        pool.drain(Duration::MAX).await;
        pool.resize(n(9));
        assert_eq!(pool.count().done, 15, "whoever resizes one that is over changes nothing");
    });
}

/// Tasks that were spawned and are nobody's yet.
type Tasks = Arc<Mutex<Vec<Pin<Box<Task>>>>>;

fn poll_all(tasks: &Tasks, cx: &mut Context<'_>) {
    let mut taken = std::mem::take(&mut *tasks.lock().unwrap());
    taken.retain_mut(|task| task.as_mut().poll(cx).is_pending());
    tasks.lock().unwrap().splice(..0, taken);
}

#[test]
fn a_ticket_is_told_when_the_executor_drops_tasks() {
    let cx = &mut Context::from_waker(Waker::noop());
    let hangs = |_: Lease<u64>| pending::<Result<u64, u64>>();
    // At once: there is no pool.
    let scope = Scope::new(ManualClock::new().time());
    let pool = worker_pool(hangs).spawn_on(|task: Task| drop(task), &scope);
    assert_eq!(pool.try_submit(1).unwrap_err(), SubmitError { item: 1, why: Refused::Closed });
    let Poll::Ready(report) = pin!(pool.drain(Duration::MAX)).poll(cx) else { panic!("nobody is there") };
    assert_eq!((report.taken(), report.stop), (0, Stop::Lost));
    // The keeper's task (0), a worker's (1), all workers' (2); an item is worked on by each of two, and one is in the queue.
    for lost in 0..3 {
        let tasks = Tasks::default();
        let spawner = {
            let tasks = tasks.clone();
            move |task| tasks.lock().unwrap().push(Box::pin(task))
        };
        let pool = worker_pool(hangs).workers(n(2)).spawn_on(spawner, &scope);
        let mut tickets = [1, 2, 3].map(|item| pool.try_submit(item).unwrap());
        drop(pool.try_submit(4).unwrap());
        poll_all(&tasks, cx);
        poll_all(&tasks, cx);
        let mut taken = std::mem::take(&mut *tasks.lock().unwrap());
        let dropped = match lost {
            0 => taken.drain(..1).collect::<Vec<_>>(),
            1 => taken.drain(1..2).collect(),
            _ => taken.drain(1..).collect(),
        };
        assert_eq!(dropped.len() + taken.len(), 3, "the keeper is the first");
        tasks.lock().unwrap().extend(taken);
        drop(dropped);
        poll_all(&tasks, cx);
        poll_all(&tasks, cx);
        let told = tickets.each_mut().map(|ticket| match Pin::new(ticket).poll(cx) {
            Poll::Ready(outcome) => Some(outcome),
            Poll::Pending => None,
        });
        let cut = |item| Some(Outcome::Cancelled { item: Some(item) });
        match lost {
            // The other one has his item still, and the next one works on the third.
            1 => assert_eq!(told.iter().filter(|told| told.is_none()).count(), 2, "{told:?}"),
            _ => assert_eq!(told, [cut(1), cut(2), Some(Outcome::Skipped { item: 3 })], "{lost}"),
        }
        if lost == 1 {
            pool.resize(n(1));
            pool.resize(n(2));
            poll_all(&tasks, cx);
            assert_eq!(tasks.lock().unwrap().len(), 3, "another one has come");
            drop(tickets);
            tasks.lock().unwrap().clear();
        }
        assert_eq!(pool.try_submit(5).unwrap_err().why, Refused::Closed);
        let Poll::Ready(report) = pin!(pool.drain(Duration::ZERO)).poll(cx) else { panic!("all are gone") };
        assert_eq!((report.taken(), &report.stop), (4, &Stop::Lost), "{report}");
        assert_eq!((report.count.cancelled, report.count.skipped), (2, 2), "{report}");
        assert!(report.not_started == [4] || lost == 1, "{:?}", report.not_started);
    }
}

/// Looks at a pool when it is dropped, as what a task holds may, of which the last waker goes.
struct Looks(WorkerPool<u64, u64, u64>, Mutex<Option<mpsc::Sender<usize>>>);

impl Wake for Looks {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Looks {
    fn drop(&mut self) {
        let running = self.0.running();
        self.1.lock().unwrap().take().map(|tx| tx.send(running));
    }
}

#[test]
fn a_ticket_that_is_dropped_lets_go_of_who_awaited_it() {
    let tasks = Mutex::new(Vec::new());
    let spawner = move |task: Task| tasks.lock().unwrap().push(task);
    let pool = set().spawn_on(spawner, &Scope::new(ManualClock::new().time()));
    let (tx, looked) = mpsc::channel();
    let waker = Waker::from(Arc::new(Looks(pool.clone(), Mutex::new(Some(tx)))));
    let mut ticket = pool.try_submit(1).unwrap();
    assert!(Pin::new(&mut ticket).poll(&mut Context::from_waker(&waker)).is_pending());
    drop(waker);
    assert!(looked.try_recv().is_err());
    drop(ticket);
    assert!(looked.try_recv().is_ok());
}

/// A waker that panics.
struct Bad;

impl Wake for Bad {
    fn wake(self: Arc<Self>) {
        resume_unwind(Box::new("a bad waker"));
    }
}

#[test]
fn a_pool_that_is_dropped_keeps_the_panic_of_a_waker_in_and_skips_what_is_queued() {
    sim::check(|sim| async move {
        let seen = Arc::new(Mutex::new(None));
        let notes = seen.clone();
        let body = move |_: Lease<u64>| {
            *notes.lock().unwrap() = current();
            pending::<Result<u64, u64>>()
        };
        let pool = worker_pool(body).spawn_on(sim.spawner(), &Scope::new(sim.time()));
        let first = pool.submit(1).await.unwrap();
        sim.idle().await;
        let queued = pool.submit(2).await.unwrap();
        let scope: Scope = seen.lock().unwrap().take().expect("the first has begun");
        let mut until = Box::pin(scope.cancelled());
        assert!(until.as_mut().poll(&mut Context::from_waker(&Arc::new(Bad).into())).is_pending());
        drop(pool);
        assert!(queued.is_resolved());
        assert_eq!(queued.await, ItemOutcome::Skipped { item: 2 });
        assert_eq!(first.await, ItemOutcome::Cancelled { item: Some(1) });
    });
}

#[test]
fn the_panic_of_a_waker_does_not_leave_the_drop_of_a_task_and_all_are_told() {
    let (noop, bad) = (&mut Context::from_waker(Waker::noop()), Waker::from(Arc::new(Bad)));
    let bad = &mut Context::from_waker(&bad);
    let scope = Scope::new(ManualClock::new().time());
    let hangs = |_: Lease<u64>| pending::<Result<u64, u64>>();
    let tasks = Tasks::default();
    let spawner = {
        let tasks = tasks.clone();
        move |task| tasks.lock().unwrap().push(Box::pin(task))
    };
    let pool = worker_pool(hangs).workers(n(2)).capacity(n(1)).spawn_on(spawner, &scope);
    poll_all(&tasks, noop);
    let mut taken = std::mem::take(&mut *tasks.lock().unwrap());
    let [_, first, second] = &mut taken[..] else { panic!("a keeper and two workers") };
    assert!(first.as_mut().poll(noop).is_pending());
    assert!(second.as_mut().poll(bad).is_pending());
    let begun = pool.try_submit(1).unwrap();
    // One that was called and has not come calls the next.
    drop(taken.remove(1));
    let worker = &mut taken[1];
    assert!(worker.as_mut().poll(noop).is_pending());
    let queued = pool.try_submit(2).unwrap();
    let mut waits = Box::pin(pool.submit(3));
    assert!(waits.as_mut().poll(bad).is_pending());
    // The pool is closed.
    drop(taken.remove(0));
    assert!(queued.is_resolved());
    let mut drain = Box::pin(pool.drain(Duration::MAX));
    assert!(drain.as_mut().poll(bad).is_pending());
    // The last item ends.
    drop(taken);
    assert!(begun.is_resolved());
    let Poll::Ready(report) = drain.as_mut().poll(noop) else { panic!("it is over") };
    assert_eq!((report.count.cancelled, report.count.skipped, report.stop), (1, 1, Stop::Lost));
}

/// An item whose drop panics.
#[derive(Debug)]
struct Bomb(bool);

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(!self.0, "a bomb");
    }
}

#[test]
fn a_panic_of_what_is_the_users_is_the_outcome_of_its_item_and_workers_go_on() {
    sim::check(|sim| async move {
        let body = |mut item: Lease<(u8, Bomb)>| {
            assert_ne!(item.0, 1, "made");
            async move {
                let _bomb = Bomb(item.0 == 3);
                wakeful::sleep(ms(1)).await;
                assert_ne!(item.0, 2, "polled");
                if item.0 == 4 {
                    item.1.0 = true;
                }
                Ok::<_, ()>(item.0)
            }
        };
        let pool = worker_pool(body).spawn_on(sim.spawner(), &Scope::new(sim.time()));
        let mut said = Vec::new();
        for number in 0..5 {
            let outcome = pool.submit((number, Bomb(false))).await.unwrap().await;
            said.push(match outcome {
                ItemOutcome::Done(_) => "done".to_owned(),
                ItemOutcome::Panicked { message, item } => {
                    format!(
                        "{} {}",
                        item.is_some(),
                        ["made", "polled", "a bomb"].into_iter().find(|text| message.contains(text)).unwrap()
                    )
                }
                other => panic!("{other:?}"),
            });
        }
        assert_eq!(said, ["done", "true made", "true polled", "true a bomb", "false a bomb"]);
        // An outcome that nobody asks for is dropped, whatever that does.
        let failing = worker_pool(|_: Lease<Bomb>| async { Err::<(), _>(()) });
        let pool = failing.spawn_on(sim.spawner(), &Scope::new(sim.time()));
        drop(pool.submit(Bomb(true)).await.unwrap());
        sim.idle().await;
        let ticket = pool.submit(Bomb(false)).await.unwrap();
        assert!(matches!(ticket.await, ItemOutcome::Failed { .. }));
        assert_eq!(pool.drain(ms(1)).await.count.failed, 2);
    });
}

#[test]
fn an_item_that_its_body_takes_does_not_come_back() {
    sim::check(|sim| async move {
        let body = |item: Lease<u64>| async move {
            let item = item.take();
            wakeful::sleep(ms(item)).await;
            Err::<u64, _>(item)
        };
        let pool = worker_pool(body).spawn_on(sim.spawner(), &Scope::new(sim.time()));
        let (first, second) = (pool.submit(5).await.unwrap(), pool.submit(50).await.unwrap());
        assert_eq!(first.await, Outcome::Failed { error: 5, item: None });
        second.cancel();
        sim.idle().await;
        assert_eq!(second.await, Outcome::Cancelled { item: None });
    });
}

/// An item that submits further ones.
#[derive(Debug)]
struct Page {
    depth: u32,
    pool: WorkerPool<Page, u32, ()>,
}

#[test]
fn items_may_submit_others_and_the_last_of_them_drops_the_pool() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let seen = Arc::new(Mutex::new(0));
        let sees = seen.clone();
        let body = move |page: Lease<Page>| {
            let sees = sees.clone();
            async move {
                wakeful::sleep(ms(1)).await;
                for _ in 0..if page.depth < 3 { 2 } else { 0 } {
                    let (depth, pool) = (page.depth + 1, page.pool.clone());
                    drop(page.pool.try_submit(Page { depth, pool }).expect("there is room"));
                }
                *sees.lock().unwrap() += 1;
                Ok(page.depth)
            }
        };
        let spawner = sim.spawner();
        let outcome = scope
            .run(async {
                let pool = worker_pool(body).workers(n(8)).spawn_on(spawner, &scope);
                let first = pool.try_submit(Page { depth: 0, pool: pool.clone() }).unwrap();
                drop(pool);
                first.await.done()
            })
            .await;
        assert_eq!(outcome.done(), Some(Some(0)));
        sim.idle().await;
        sim.time().sleep(ms(10)).await;
        assert_eq!((*seen.lock().unwrap(), sim.time().pending()), (1 + 2 + 4 + 8, 0));
    });
}

fn below(rng: &mut Rng, n: usize) -> u64 {
    rng.below(n) as u64
}

/// Who has been told what, by a ticket that was kept.
type Told = Vec<(u64, Outcome)>;

/// Submits, gives up, drops, waits.
async fn submitter(pool: WorkerPool<u64, u64, u64>, sim: Sim, first: u64) -> (u64, Told) {
    let mut rng = sim.rng();
    let (mut taken, mut tickets, mut told) = (0, Vec::new(), Vec::new());
    for item in first..first + 12 {
        let end = if below(&mut rng, 3) == 0 { sim.now() + ms(below(&mut rng, 40)) } else { Instant::NEVER };
        let submitted = match below(&mut rng, 3) {
            0 => pool.try_submit_before(item, end),
            1 => match Scope::new(sim.time())
                .move_on_after(ms(below(&mut rng, 30)), async |_| pool.submit(item).await)
                .await
                .done()
            {
                Some(submitted) => submitted,
                None => continue,
            },
            _ => pool.submit_before(item, end).await,
        };
        match submitted {
            Ok(ticket) => {
                taken += 1;
                match below(&mut rng, 6) {
                    0 => drop(ticket),
                    1 => {
                        ticket.cancel();
                        tickets.push((item, ticket));
                    }
                    2 => told.push((item, ticket.await)),
                    _ => tickets.push((item, ticket)),
                }
            }
            Err(refused) => assert_eq!(refused.item, item),
        }
        if below(&mut rng, 3) == 0 {
            sim.time().sleep(ms(below(&mut rng, 20))).await;
        }
        if below(&mut rng, 4) == 0 && !tickets.is_empty() {
            let (item, ticket) = tickets.swap_remove(below(&mut rng, tickets.len()) as usize);
            match below(&mut rng, 3) {
                0 => drop(ticket),
                1 => {
                    ticket.cancel();
                    told.push((item, ticket.await));
                }
                _ => told.push((item, ticket.await)),
            }
        }
    }
    drop(pool);
    for (item, ticket) in tickets {
        told.push((item, ticket.await));
    }
    (taken, told)
}

/// A world in which much happens: several submit, with deadlines, give up, and drop tickets; bodies take their items, fail,
/// panic and take too long; the pool is resized, closed, drained, dropped, or its scope is cancelled. Every item that was
/// taken is accounted for, and every ticket told.
async fn much(sim: Sim) {
    let mut rng = sim.rng();
    let scope = Scope::new(sim.time());
    let mut set = worker_pool(bodies(sim.rng())).workers(n(1 + below(&mut rng, 4) as usize));
    set = set.capacity(n(1 + below(&mut rng, 4) as usize)).min_time(ms(10 * below(&mut rng, 2)));
    if below(&mut rng, 2) == 0 {
        set = set.item_timeout(ms(below(&mut rng, 30)));
    }
    if below(&mut rng, 4) == 0 {
        set = set.deadline_after(ms(below(&mut rng, 150)));
    }
    if below(&mut rng, 3) == 0 {
        set = set.rate(&Limiter::new(&sim.time(), Quota::per_second(NonZeroU32::new(200).unwrap())));
    }
    let pool = set.spawn_on(sim.spawner(), &scope);
    let submitters = [0, 100, 200].map(|first| sim.spawn("submitter", submitter(pool.clone(), sim.clone(), first)));
    for _ in 0..below(&mut rng, 4) {
        sim.time().sleep(ms(below(&mut rng, 40))).await;
        pool.resize(n(1 + below(&mut rng, 5) as usize));
    }
    let drained = match below(&mut rng, 5) {
        0 => Some(
            pool.drain([Duration::ZERO, ms(below(&mut rng, 60)), Duration::MAX][below(&mut rng, 3) as usize]).await,
        ),
        1 => {
            pool.close();
            None
        }
        2 => {
            scope.cancel("by chance");
            None
        }
        3 => {
            scope.cancel_with_grace("by chance", ms(below(&mut rng, 30)));
            None
        }
        _ => None,
    };
    let is_kept = below(&mut rng, 2) == 0;
    let pool = if is_kept { Some(pool) } else { None };
    let (mut taken, mut all) = (0, Told::new());
    for submitter in submitters {
        let (some, told) = submitter.await;
        taken += some;
        all.extend(told);
    }
    let mut told = [0; 6];
    for (item, outcome) in &all {
        let back = match outcome {
            ItemOutcome::Done(value) => Some(*value),
            other => other.clone().into_item(),
        };
        assert!(back.is_none_or(|back| back == *item), "{item}: {outcome:?}");
        told[place(outcome)] += 1;
    }
    let Some(pool) = pool else { return };
    let report = pool.drain(Duration::MAX).await;
    assert_eq!((report.count.total(), pool.queued(), pool.running()), (taken, 0, 0), "{report}");
    let Count { done, failed, panicked, timed_out, cancelled, skipped, .. } = report.count;
    let counted = [done, failed, panicked, timed_out, cancelled, skipped];
    assert!(told.iter().zip(&counted).all(|(told, counted)| told <= counted), "{told:?} were told of {report}");
    let back = drained.map_or(0, |drained| drained.not_started.len()) + report.not_started.len();
    assert!(back as u64 + told[5] <= skipped, "{back} came back of {report}");
}

/// In the order of a [`Count`].
fn place(outcome: &Outcome) -> usize {
    match outcome {
        ItemOutcome::Done(_) => 0,
        ItemOutcome::Failed { .. } => 1,
        ItemOutcome::Panicked { .. } => 2,
        ItemOutcome::TimedOut { .. } => 3,
        ItemOutcome::Cancelled { .. } => 4,
        ItemOutcome::Skipped { .. } => 5,
    }
}

fn bodies(rng: Rng) -> impl Fn(Lease<u64>) -> Boxed {
    let draws = Mutex::new(rng);
    move |lease| {
        let draws = [0; 3].map(|_: u64| below(&mut draws.lock().unwrap(), 1000));
        Box::pin(async move {
            let item = *lease;
            if draws[0] < 300 {
                lease.take();
            }
            if draws[1] < 700 {
                wakeful::sleep(ms(draws[1] / 20)).await;
            }
            match draws[2] {
                0..100 => panic!("item {item}"),
                100..300 => Err(item),
                _ => Ok(item),
            }
        })
    }
}

#[test]
fn every_item_that_was_taken_is_in_exactly_one_place_and_every_ticket_told() {
    Builder::new().runs(500).check(much);
}
