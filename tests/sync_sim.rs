//! Synchronisation in the simulator: whatever the schedule and whoever gives up, the books balance.

use async_lock::Mutex;
use futures::stream::{FusedStream, Stream, StreamExt};
use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::num::NonZeroUsize;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex as Books};
use std::task::Poll;
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::sim::{Builder, FailureKind, Sim};
use wakeful::sync::{Barrier, CapacityLimiter, Condition, Event, Latch, Notify, Semaphore, WaitGroup, oneshot, watch};

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// How often a task gives up at the most, so that each comes to its end whatever the oracle chooses.
struct Patience(u8);

impl Patience {
    fn new() -> Self {
        Self(3)
    }

    /// Gives up on `future` after some time that the oracle chooses, or never: by a scope, or by looking at the clock
    /// before the future, which so may be dropped with a grant that it never saw.
    async fn with<T>(&mut self, sim: &Sim, future: impl Future<Output = T>) -> Option<T> {
        let ways = if self.0 == 0 { 1 } else { 3 };
        let patience = ms(sim.choose(4) as u64);
        let done = match sim.choose(ways) {
            0 => return Some(future.await),
            1 => Scope::new(sim.time()).move_on_after(patience, async |_| future.await).await.done(),
            _ => {
                let (mut sleep, mut future) = (pin!(sim.time().sleep(patience)), pin!(future));
                poll_fn(|cx| match sleep.as_mut().poll(cx) {
                    Poll::Ready(()) => Poll::Ready(None),
                    Poll::Pending => future.as_mut().poll(cx).map(Some),
                })
                .await
            }
        };
        self.0 -= u8::from(done.is_none());
        done
    }
}

/// Lets some time pass, or a turn, or nothing.
async fn dawdle(sim: &Sim) {
    match sim.choose(4) {
        0 => sim.yield_now().await,
        1 => sim.time().sleep(ms(1 + sim.choose(2) as u64)).await,
        _ => {}
    }
}

/// Who holds how many permits, and how many there are.
#[derive(Default)]
struct Permits {
    held: usize,
    most: usize,
    turned_away: bool,
}

#[test]
fn permits_are_never_more_than_there_are_and_all_come_back() {
    Builder::new().runs(8_000).check(|sim| async move {
        let total = 1 + sim.choose(4);
        let semaphore = Semaphore::new(total);
        let books = Arc::new(Books::new(Permits { most: total, ..Permits::default() }));
        let mut tasks = Vec::new();
        for _ in 0..2 + sim.choose(3) {
            let (sim_, semaphore, books) = (sim.clone(), semaphore.clone(), books.clone());
            tasks.push(sim.spawn("holder", async move {
                let (sim, mut patience) = (sim_, Patience::new());
                for _ in 0..1 + sim.choose(3) {
                    let wanted = 1 + sim.choose(total);
                    let got = match sim.choose(3) {
                        0 => semaphore.try_acquire_many(wanted).ok(),
                        _ => match patience.with(&sim, semaphore.acquire_many(wanted)).await {
                            Some(Ok(permit)) => Some(permit),
                            Some(Err(_)) => {
                                books.lock().unwrap().turned_away = true;
                                None
                            }
                            None => None,
                        },
                    };
                    let Some(permit) = got else { continue };
                    {
                        let mut books = books.lock().unwrap();
                        books.held += wanted;
                        assert!(books.held <= books.most, "{} of {} permits are held", books.held, books.most);
                    }
                    dawdle(&sim).await;
                    books.lock().unwrap().held -= wanted;
                    if sim.choose(8) == 0 { drop(permit.into_owned()) } else { drop(permit) }
                }
            }));
        }
        dawdle(&sim).await;
        match sim.choose(7) {
            0 => semaphore.close(),
            1 => {
                books.lock().unwrap().most += 2;
                semaphore.add_permits(2);
            }
            2 => {
                let taken = semaphore.forget_permits(1);
                // Whoever wants more than there are now has to get them some time.
                dawdle(&sim).await;
                semaphore.add_permits(taken);
            }
            3 => {
                semaphore.set_total(sim.choose(total));
                dawdle(&sim).await;
                semaphore.set_total(total);
            }
            _ => {}
        }
        for task in tasks {
            task.await;
        }
        let books = books.lock().unwrap();
        assert_eq!((semaphore.available(), semaphore.total()), (books.most, books.most));
        assert!(!books.turned_away || semaphore.is_closed());
    });
}

#[test]
fn permits_are_granted_in_the_order_of_the_first_polls() {
    Builder::new().runs(1_000).check(|sim| async move {
        let semaphore = Semaphore::new(2);
        let (asked, granted) = (Arc::new(Books::new(Vec::new())), Arc::new(Books::new(Vec::new())));
        let held = semaphore.try_acquire_many(2).unwrap();
        let tasks: Vec<_> = (0..5)
            .map(|id| {
                let (task, semaphore, asked, granted) =
                    (sim.clone(), semaphore.clone(), asked.clone(), granted.clone());
                sim.spawn("waiter", async move {
                    let wanted = 1 + task.choose(2);
                    let mut acquire = pin!(semaphore.acquire_many(wanted));
                    let first = poll_fn(|cx| Poll::Ready(acquire.as_mut().poll(cx).is_pending())).await;
                    assert!(first);
                    asked.lock().unwrap().push(id);
                    let _permit = acquire.await.unwrap();
                    granted.lock().unwrap().push((id, task.now()));
                    task.time().sleep(ms(1)).await;
                })
            })
            .collect();
        sim.idle().await;
        drop(held);
        for task in tasks {
            task.await;
        }
        // Those who are granted at one instant are polled in any order.
        let asked = asked.lock().unwrap();
        let place = |id: &i32| asked.iter().position(|asked| asked == id);
        let mut granted = granted.lock().unwrap().clone();
        granted.sort_by_key(|(id, at)| (*at, place(id)));
        assert!(granted.iter().map(|(id, _)| id).eq(asked.iter()), "{granted:?} {asked:?}");
    });
}

#[test]
fn tokens_are_held_by_as_many_as_may_each_once() {
    Builder::new().runs(4_000).check(|sim| async move {
        let limiter = CapacityLimiter::new(1 + sim.choose(2));
        let holders = Arc::new(Books::new(BTreeSet::new()));
        let mut tasks = Vec::new();
        for _ in 0..2 + sim.choose(3) {
            let (sim_, limiter, holders) = (sim.clone(), limiter.clone(), holders.clone());
            tasks.push(sim.spawn("borrower", async move {
                let (sim, mut patience) = (sim_, Patience::new());
                for _ in 0..1 + sim.choose(3) {
                    let key = sim.choose(4);
                    let got = match sim.choose(3) {
                        0 => limiter.try_acquire(key).ok(),
                        _ => patience.with(&sim, limiter.acquire(key)).await.and_then(Result::ok),
                    };
                    let Some(token) = got else { continue };
                    assert_eq!(*token.borrower(), key);
                    assert!(holders.lock().unwrap().insert(key), "borrowed twice");
                    assert!(limiter.holders().contains(&key));
                    dawdle(&sim).await;
                    holders.lock().unwrap().remove(&key);
                }
            }));
        }
        dawdle(&sim).await;
        let before = limiter.borrowed();
        limiter.set_total(sim.choose(3));
        assert!(limiter.borrowed() <= before.max(limiter.total()));
        dawdle(&sim).await;
        limiter.set_total(1);
        for task in tasks {
            task.await;
        }
        assert_eq!((limiter.borrowed(), limiter.waiting(), limiter.holders().len()), (0, 0, 0));
    });
}

#[test]
fn a_buffer_under_a_mutex_and_two_conditions_loses_nothing() {
    Builder::new().runs(4_000).check(|sim| async move {
        let (buffer, room, items) = (Arc::new(Mutex::new(Vec::new())), Condition::new(), Condition::new());
        let sent = Arc::new(Books::new(0));
        let mut producers = Vec::new();
        for _ in 0..1 + sim.choose(3) {
            let (sim_, buffer, room, items, sent) =
                (sim.clone(), buffer.clone(), room.clone(), items.clone(), sent.clone());
            producers.push(sim.spawn("producer", async move {
                let (sim, mut patience) = (sim_, Patience::new());
                for _ in 0..1 + sim.choose(3) {
                    let put = async {
                        let mut guard = buffer.lock().await;
                        while guard.len() == 1 {
                            guard = room.wait(guard, || buffer.lock()).await;
                        }
                        guard.push(());
                        *sent.lock().unwrap() += 1;
                        items.notify_one();
                    };
                    patience.with(&sim, put).await;
                    dawdle(&sim).await;
                }
            }));
        }
        let done = Event::new();
        let consumer = {
            let (sim_, buffer, room, items, done) =
                (sim.clone(), buffer.clone(), room.clone(), items.clone(), done.clone());
            sim.spawn("consumer", async move {
                let (sim, mut patience, mut taken) = (sim_, Patience::new(), 0);
                loop {
                    let take = async {
                        let guard = buffer.lock().await;
                        let empty =
                            |buffer: &mut async_lock::MutexGuard<'_, Vec<()>>| buffer.is_empty() && !done.is_set();
                        let mut guard = items.wait_while(guard, empty, || buffer.lock()).await;
                        let item = guard.pop();
                        room.notify_one();
                        item
                    };
                    match patience.with(&sim, take).await {
                        Some(Some(())) => taken += 1,
                        Some(None) => return taken,
                        None => {}
                    }
                    dawdle(&sim).await;
                }
            })
        };
        for producer in producers {
            producer.await;
        }
        done.set();
        drop(buffer.lock().await);
        items.notify_all();
        assert_eq!(consumer.await, *sent.lock().unwrap());
        assert!(buffer.lock().await.is_empty());
    });
}

#[test]
fn signals_for_one_lose_no_letter() {
    Builder::new().runs(3_000).check(|sim| async move {
        let (mail, arrived) = (Arc::new(Books::new((0, 0))), Notify::new());
        let letters = 1 + sim.choose(4);
        let mut readers = Vec::new();
        for _ in 0..1 + sim.choose(3) {
            let (sim_, mail, arrived) = (sim.clone(), mail.clone(), arrived.clone());
            readers.push(sim.spawn("reader", async move {
                let (sim, mut patience) = (sim_, Patience::new());
                loop {
                    let mut notified = pin!(arrived.notified());
                    // In line before the mailbox is looked at, so each signal reaches another reader.
                    notified.as_mut().enable();
                    {
                        let mut mail = mail.lock().unwrap();
                        if mail.0 > 0 {
                            mail.0 -= 1;
                            mail.1 += 1;
                            continue;
                        }
                        if mail.1 == letters {
                            // The last one tells the others.
                            arrived.notify_all();
                            return;
                        }
                    }
                    patience.with(&sim, notified).await;
                }
            }));
        }
        for _ in 0..letters {
            dawdle(&sim).await;
            mail.lock().unwrap().0 += 1;
            arrived.notify_one();
        }
        for reader in readers {
            reader.await;
        }
        assert_eq!(*mail.lock().unwrap(), (0, letters));
    });
}

#[test]
fn phases_begin_when_all_have_ended_the_one_before() {
    Builder::new().runs(3_000).check(|sim| async move {
        let size = 2 + sim.choose(2);
        let (barrier, begun) = (Barrier::new(NonZeroUsize::new(size).unwrap()), Event::new());
        let (ready, running) = (Latch::new(size), WaitGroup::new());
        let phase = Arc::new(Books::new(vec![0; size]));
        for id in 0..size {
            let (sim_, barrier, begun, ready, guard, phase) =
                (sim.clone(), barrier.clone(), begun.clone(), ready.clone(), running.add(), phase.clone());
            sim.spawn("worker", async move {
                let (sim, mut patience, _guard) = (sim_, Patience::new(), guard);
                ready.count_down();
                while !begun.is_set() {
                    patience.with(&sim, begun.wait()).await;
                }
                for n in 1..4 {
                    phase.lock().unwrap()[id] = n;
                    dawdle(&sim).await;
                    barrier.wait().await;
                    let phases = phase.lock().unwrap();
                    assert!(phases.iter().all(|phase| *phase == n || *phase == n + 1), "{phases:?} in phase {n}");
                }
            });
        }
        ready.wait().await;
        begun.set();
        running.wait().await;
        assert_eq!((barrier.arrived(), phase.lock().unwrap().iter().sum::<i32>()), (0, 3 * size as i32));
    });
}

#[test]
fn arrivals_that_are_withdrawn_count_for_nothing() {
    Builder::new().runs(2_000).check(|sim| async move {
        let (barrier, led) = (Barrier::new(NonZeroUsize::new(2).unwrap()), Arc::new(Books::new(0)));
        let mut tasks = Vec::new();
        for _ in 0..3 {
            let (sim_, barrier, led) = (sim.clone(), barrier.clone(), led.clone());
            tasks.push(sim.spawn("arrives", async move {
                let (sim, mut patience) = (sim_, Patience::new());
                for _ in 0..3 {
                    if patience.with(&sim, barrier.wait()).await.is_some_and(|result| result.is_leader()) {
                        *led.lock().unwrap() += 1;
                    }
                    assert!(barrier.arrived() < 2);
                    dawdle(&sim).await;
                }
            }));
        }
        // Who is left without company gets some.
        let mut company = 0;
        loop {
            sim.advance(ms(10)).await;
            if tasks.iter().all(|task| task.is_finished()) {
                break;
            }
            assert_eq!(barrier.arrived(), 1, "nobody waits for nothing");
            assert!(barrier.wait().await.is_leader());
            company += 1;
        }
        assert!(barrier.arrived() == 0 && *led.lock().unwrap() + company <= 9);
    });
}

/// A watcher that waits anew for each value, or has a place in line of its own.
enum Watching<T> {
    Wait(watch::Receiver<T>),
    Stream(Pin<Box<watch::Changes<T>>>),
}

impl<T> Watching<T> {
    async fn next(&mut self) -> Result<watch::Snapshot<T>, watch::RecvError> {
        match self {
            Self::Wait(rx) => rx.changed().await,
            Self::Stream(changes) => changes.next().await.ok_or(watch::RecvError),
        }
    }
}

#[test]
fn watchers_see_values_in_order_and_the_last_one_always() {
    Builder::new().runs(3_000).check(|sim| async move {
        let (tx, rx) = watch::channel((0, 0));
        let mut watchers = Vec::new();
        for _ in 0..1 + sim.choose(3) {
            let (sim_, mut rx, streams) = (sim.clone(), rx.clone(), sim.choose(2) == 0);
            watchers.push(sim.spawn("watcher", async move {
                let (sim, mut patience, mut seen) = (sim_, Patience::new(), *rx.see());
                let mut waits = if streams { Watching::Stream(Box::pin(rx.into_stream())) } else { Watching::Wait(rx) };
                loop {
                    match patience.with(&sim, waits.next()).await {
                        Some(Ok(value)) => {
                            assert!(
                                value.0 >= seen.0 && value.1 >= seen.1 && *value != seen,
                                "{value:?} after {seen:?}"
                            );
                            seen = *value;
                        }
                        Some(Err(watch::RecvError)) => return seen,
                        None => {}
                    }
                }
            }));
        }
        drop(rx);
        let senders: Vec<_> = (0..2)
            .map(|sender| {
                let (sim_, tx) = (sim.clone(), tx.clone());
                sim.spawn("sender", async move {
                    for _ in 0..3 {
                        dawdle(&sim_).await;
                        let next = |(one, two): &(u8, u8)| Some((one + (1 - sender), two + sender));
                        assert!(tx.update(next).is_some());
                    }
                })
            })
            .collect();
        drop(tx);
        for sender in senders {
            sender.await;
        }
        for watcher in watchers {
            assert_eq!(watcher.await, (3, 3));
        }
    });
}

#[test]
fn a_stream_of_changes_begins_where_its_receiver_is_and_ends_with_the_senders() {
    Builder::new().runs(300).check(|sim| async move {
        let (tx, mut rx) = watch::channel(0);
        let mut changes = Box::pin(rx.clone().into_stream());
        let sim_ = sim.clone();
        sim.spawn("sender", async move {
            for n in 1..=3 {
                dawdle(&sim_).await;
                tx.send(n).unwrap();
            }
        });
        let first = *changes.next().await.unwrap();
        assert!((1..=3).contains(&first) && changes.size_hint() == (0, None) && !changes.is_terminated());
        let rest: Vec<_> = changes.by_ref().map(|value| *value).collect().await;
        assert!(rest.iter().is_sorted_by(|a, b| a < b) && rest.first().is_none_or(|next| *next > first), "{rest:?}");
        assert_eq!(*rest.last().unwrap_or(&first), 3);
        assert!(changes.is_terminated() && changes.size_hint() == (0, Some(0)) && changes.next().await.is_none());
        assert!(!changes.receiver().has_changed());
        let last = (*rx.see(), rx.has_changed());
        rx.mark_unseen();
        assert_eq!((last, rx.has_changed()), ((3, false), true));
        assert_eq!(rx.into_stream().map(|value| *value).collect::<Vec<_>>().await, [3]);
    });
}

#[test]
fn an_answer_arrives_or_comes_back() {
    Builder::new().runs(1_000).check(|sim| async move {
        let (mut tx, mut rx) = oneshot::channel();
        let value = Arc::new(());
        let (task, sent) = (sim.clone(), value.clone());
        let answers = sim.spawn("answers", async move {
            let soon = ms(task.choose(4) as u64);
            if !Scope::new(task.time()).move_on_after(soon, async |_| tx.closed().await).await.is_cancelled() {
                assert!(tx.send(sent).is_err());
                return false;
            }
            tx.send(sent).is_ok()
        });
        let received = match Patience::new().with(&sim, rx.recv()).await {
            Some(received) => received.is_ok(),
            None => rx.try_recv().is_ok(),
        };
        drop(rx);
        let sent = answers.await;
        assert!(sent || !received);
        assert_eq!(Arc::strong_count(&value), 1, "nothing is kept");
    });
}

/// What a run is reported to wait for that never ends.
fn report_of<F: Future<Output = ()> + Send + 'static>(body: fn() -> F) -> String {
    let failure = Builder::new().run(move |_| body()).unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Deadlock);
    failure.to_string()
}

#[test]
fn a_deadlock_names_what_is_waited_for() {
    let report = report_of(|| async { drop(Semaphore::new(0).acquire().await) });
    assert!(report.contains("semaphore #1 made at tests/sync_sim.rs"), "{report}");
    let report = report_of(|| async {
        let _other = Event::new();
        Event::new().wait().await;
    });
    assert!(report.contains("event #2 made at tests/sync_sim.rs"), "{report}");
}
