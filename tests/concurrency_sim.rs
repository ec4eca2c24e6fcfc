//! Adaptive limits in the simulator: whatever the schedule and whoever gives up, there is as much room as the limit says.

use std::future::{Future, poll_fn};
use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::limit::{Aimd, Bounds, Concurrency, Control, Feedback, Fixed, Gradient2, Vegas};
use wakeful::sim::{Builder, Sim};
use wakeful::time::Instant;

const MOST: u32 = 5;

fn ms(n: usize) -> Duration {
    Duration::from_millis(n as u64)
}

/// What happened.
#[derive(Default)]
struct Account {
    tickets: usize,
    /// Who was let in, by when they came, and when that was.
    launches: Vec<(usize, Instant)>,
    in_flight: u32,
}

/// A call that is counted as long as it is in flight.
struct Counted(Arc<Mutex<Account>>);

impl Counted {
    fn new(account: &Arc<Mutex<Account>>, ticket: usize, now: Instant) -> Self {
        let books = &mut *account.lock().unwrap();
        books.launches.push((ticket, now));
        books.in_flight += 1;
        assert!(books.in_flight <= MOST);
        Self(account.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.lock().unwrap().in_flight -= 1;
    }
}

/// Looks at the clock before it looks at the future, which so may be dropped with room that it never saw.
async fn within<T>(sim: &Sim, patience: Duration, future: impl Future<Output = T>) -> Option<T> {
    let (mut sleep, mut future) = (pin!(sim.time().sleep(patience)), pin!(future));
    poll_fn(|cx| match sleep.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(None),
        Poll::Pending => future.as_mut().poll(cx).map(Some),
    })
    .await
}

async fn caller<C: Control>(sim: Sim, calls: Concurrency<C>, account: Arc<Mutex<Account>>) {
    for _ in 0..4 {
        let ticket = {
            let books = &mut *account.lock().unwrap();
            books.tickets += 1;
            books.tickets
        };
        let time = sim.time();
        let judge = |feedback: &Option<Feedback>| *feedback;
        let call = calls.call(
            async || {
                let _counted = Counted::new(&account, ticket, time.now());
                time.sleep(ms(sim.choose(6))).await;
                [None, Some(Feedback::Overloaded), Some(Feedback::Answered)][sim.choose(3)]
            },
            judge,
        );
        let patience = ms(2 * sim.choose(8));
        match sim.choose(4) {
            0 => drop(within(&sim, patience, call).await),
            1 => drop(Scope::new(sim.time()).move_on_after(patience, async |_| call.await).await),
            _ => drop(call.await),
        }
        sim.time().sleep(ms(sim.choose(4))).await;
    }
}

async fn traffic<C: Control>(sim: Sim, control: C) {
    let calls = Concurrency::new(&sim.time(), control);
    let account = Arc::<Mutex<Account>>::default();
    let tasks: Vec<_> = (0..3 + sim.choose(4))
        .map(|_| sim.spawn("caller", caller(sim.clone(), calls.clone(), account.clone())))
        .collect();
    for task in tasks {
        assert!((1..=MOST).contains(&calls.limit()));
        task.await;
    }
    let books = &mut *account.lock().unwrap();
    assert_eq!((books.in_flight, calls.in_flight(), sim.time().pending()), (0, 0, 0));
    let room = std::iter::from_fn(|| calls.try_launch()).collect::<Vec<_>>().len();
    assert_eq!(room, calls.limit() as usize, "all room came back, as much as was learnt");
    books.launches.sort_unstable();
    assert!(books.launches.is_sorted_by_key(|(_, at)| *at), "out of order: {:?}", books.launches);
}

/// As many runs as the long checks make by `WAKEFUL_SIM_RUNS=20000`, or a share of them.
fn check<C: Control + Clone>(control: C) {
    Builder::new().runs(600).check(|sim| traffic(sim, control.clone()));
}

fn bounds() -> Bounds {
    let [least, first, most] = [1, 2, MOST].map(|n| NonZeroU32::new(n).unwrap());
    Bounds::new(least, first, most).unwrap()
}

#[test]
fn room_is_what_the_limit_says_and_given_in_order() {
    check(Aimd::new(bounds()));
    check(Aimd::new(bounds()).slow_after(ms(3)));
    check(Vegas::new(bounds()));
    check(Gradient2::new(bounds()));
    check(Fixed::new(NonZeroU32::new(3).unwrap()));
}
