//! Bulkheads in the simulator: never too many, nobody turned away for nothing, in order.

use std::future::Future;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use wakeful::cancel::{Outcome, Scope};
use wakeful::resilience::{Bulkhead, BulkheadConfig, BulkheadError, CallError};
use wakeful::sim::{self, Builder, Sim};
use wakeful::time::ManualClock;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn nz(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

#[test]
fn who_finds_no_room_is_turned_away_at_once_or_after_the_longest_wait() {
    sim::check(|sim| async move {
        let bulkhead = Bulkhead::new(&sim.time(), BulkheadConfig::new(nz(1)).waiting(1).longest_wait(ms(30)));
        let seat = bulkhead.try_enter().unwrap();
        let full = BulkheadError::Full { in_flight: 1, waiting: 1 };
        assert_eq!(bulkhead.try_enter().unwrap_err(), full);
        let waits = {
            let bulkhead = bulkhead.clone();
            sim.spawn("waits", async move { bulkhead.enter().await.map(drop) })
        };
        sim.idle().await;
        assert_eq!((bulkhead.in_flight(), bulkhead.waiting()), (1, 1));
        assert_eq!(bulkhead.enter().await.unwrap_err(), full);
        assert_eq!(bulkhead.call(async || Ok::<_, ()>(())).await, Err(CallError::Refused(full)));
        assert_eq!(full.to_string(), "the bulkhead is full, with 1 in flight and 1 waiting");
        assert_eq!(sim.now().as_nanos(), 0);
        assert_eq!(waits.await, Err(BulkheadError::TooLong { waited: ms(30) }));
        assert_eq!((sim.now().as_nanos(), bulkhead.waiting()), (30_000_000, 0));
        drop(seat);
        assert_eq!(bulkhead.call(async || Err::<(), _>("down")).await, Err(CallError::Failed("down")));
        assert_eq!((bulkhead.in_flight(), sim.time().pending()), (0, 0));
    });
}

#[test]
fn room_that_was_granted_and_not_noticed_leaves_a_place_to_wait_in() {
    sim::check(|sim| async move {
        let bulkhead = Bulkhead::new(&sim.time(), BulkheadConfig::new(nz(1)).waiting(1));
        let seat = bulkhead.try_enter().unwrap();
        let (mut first, mut second) = (Box::pin(bulkhead.enter()), Box::pin(bulkhead.enter()));
        assert!(futures::poll!(first.as_mut()).is_pending());
        drop(seat);
        // The first has room and has not been polled: the second may wait.
        assert!(futures::poll!(second.as_mut()).is_pending());
        drop(first);
        assert!(second.await.is_ok());
    });
}

/// Enters, without waiting, as soon as it is woken.
struct Enters(Bulkhead, Mutex<Option<BulkheadError>>);

impl std::task::Wake for Enters {
    fn wake(self: Arc<Self>) {
        let mut enter = Box::pin(self.0.enter());
        if let Poll::Ready(result) = enter.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            *self.1.lock().unwrap() = result.err();
        }
    }
}

#[test]
fn who_leaves_has_left_before_the_next_one_is_called() {
    let bulkhead = Bulkhead::new(&ManualClock::new().time(), BulkheadConfig::new(nz(1)).waiting(1));
    let enters = Arc::new(Enters(bulkhead.clone(), Mutex::new(None)));
    let seat = bulkhead.try_enter().unwrap();
    let mut waits = Box::pin(bulkhead.enter());
    assert!(waits.as_mut().poll(&mut Context::from_waker(&enters.clone().into())).is_pending());
    drop(seat);
    assert_eq!(*enters.1.lock().unwrap(), None, "there is a place to wait in");
}

#[test]
fn a_wait_of_no_time_is_none() {
    sim::check(|sim| async move {
        let bulkhead = Bulkhead::new(&sim.time(), BulkheadConfig::new(nz(1)).waiting(9).longest_wait(ms(0)));
        let _seat = bulkhead.enter().await.unwrap();
        assert_eq!(bulkhead.enter().await.unwrap_err(), BulkheadError::TooLong { waited: ms(0) });
        assert_eq!(sim.now().as_nanos(), 0);
    });
}

#[derive(Default)]
struct Account {
    in_flight: u32,
    /// In the order in which they began to wait.
    waiting: Vec<u32>,
    tickets: u32,
}

/// Callers who stay, give up, and come when it is full.
async fn traffic(sim: Sim) {
    let (most, places) = (1 + sim.choose(3) as u32, sim.choose(3) as u32);
    let longest = [ms(7), ms(15), Duration::MAX][sim.choose(3)];
    let config = BulkheadConfig::new(nz(most)).waiting(places).longest_wait(longest);
    let (bulkhead, account) = (Bulkhead::new(&sim.time(), config), Arc::<Mutex<Account>>::default());
    let tasks: Vec<_> = (0..5)
        .map(|_| {
            let (sim, bulkhead, account) = (sim.clone(), bulkhead.clone(), account.clone());
            sim.clone().spawn("caller", async move {
                for _ in 0..3 {
                    caller(&sim, &bulkhead, &account, most, places, longest).await;
                    sim.time().sleep(ms(sim.choose(9) as u64)).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await;
    }
    assert_eq!((bulkhead.in_flight(), bulkhead.waiting(), sim.time().pending()), (0, 0, 0));
    let all: Vec<_> = (0..most).map(|_| bulkhead.try_enter().unwrap()).collect();
    assert!(bulkhead.try_enter().is_err());
    drop(all);
}

async fn caller(sim: &Sim, bulkhead: &Bulkhead, account: &Mutex<Account>, most: u32, places: u32, longest: Duration) {
    let (scope, came) = (Scope::new(sim.time()), sim.now());
    let (takes, patience) = (ms(sim.choose(9) as u64), ms(1 + 2 * sim.choose(9) as u64));
    let ticket = {
        let mut account = account.lock().unwrap();
        account.tickets += 1;
        let ticket = account.tickets;
        account.waiting.push(ticket);
        ticket
    };
    let leave = |account: &mut Account| account.waiting.retain(|other| *other != ticket);
    let outcome = scope.move_on_after(patience, async |s| {
        let called = bulkhead.call(async || {
            {
                let mut account = account.lock().unwrap();
                // Those that were granted together may be polled in any order.
                let ahead = account.waiting.iter().position(|other| *other == ticket).unwrap() as u32;
                assert!(ahead < most, "overtook");
                leave(&mut account);
                account.in_flight += 1;
                assert!(account.in_flight <= most);
            }
            s.sleep(takes).await;
            account.lock().unwrap().in_flight -= 1;
            Ok::<_, ()>(())
        });
        called.await
    });
    let in_flight = account.lock().unwrap().in_flight;
    let outcome = outcome.await;
    let mut account = account.lock().unwrap();
    match outcome {
        Outcome::Done(Ok(())) => {}
        Outcome::Done(Err(CallError::Refused(BulkheadError::Full { in_flight: n, waiting }))) => {
            assert_eq!((n, waiting, sim.now()), (most, places, came), "{in_flight}");
            leave(&mut account);
        }
        Outcome::Done(Err(CallError::Refused(error))) => {
            assert_eq!((error, sim.now() - came), (BulkheadError::TooLong { waited: longest }, longest));
            leave(&mut account);
        }
        Outcome::Done(Err(CallError::Failed(()))) => unreachable!("none fails"),
        Outcome::Cancelled(_) if account.waiting.contains(&ticket) => leave(&mut account),
        Outcome::Cancelled(_) => account.in_flight -= 1,
    }
}

#[test]
fn whatever_happens_no_more_are_let_in_than_there_is_room_for_and_none_is_lost() {
    Builder::new().runs(4_000).check(traffic);
}
