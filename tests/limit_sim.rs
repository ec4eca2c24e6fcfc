//! Limiters in the simulator: exact and in order, whatever the schedule.

use std::future::{Future, poll_fn};
use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;
use wakeful::cancel::{Outcome, Scope};
use wakeful::limit::{AcquireError, Limiter, Quota};
use wakeful::sim::{self, Builder, Sim};

fn nz(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// When how many permits were granted.
type Grants = Arc<Mutex<Vec<(Duration, u32)>>>;

#[test]
fn twenty_tasks_at_ten_a_second_are_granted_a_tenth_apart() {
    sim::check(|sim| async move {
        let limiter = Limiter::new(&sim.time(), Quota::per_second(nz(10)));
        let start = sim.now();
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let (sim, limiter) = (sim.clone(), limiter.clone());
                let time = sim.time();
                sim.spawn("caller", async move {
                    limiter.acquire(1).await.unwrap();
                    time.now() - start
                })
            })
            .collect();
        let mut at = Vec::new();
        for task in tasks {
            at.push(task.await);
        }
        at.sort_unstable();
        assert!(at.iter().enumerate().all(|(n, at)| *at == ms(100 * n as u64)), "{at:?}");
    });
}

/// Looks at the clock before it looks at the future: so the future may be dropped with a grant that it never saw.
async fn within<T>(sim: &Sim, patience: Duration, future: impl Future<Output = T>) -> Option<T> {
    let (mut sleep, mut future) = (pin!(sim.time().sleep(patience)), pin!(future));
    poll_fn(|cx| match sleep.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(None),
        Poll::Pending => future.as_mut().poll(cx).map(Some),
    })
    .await
}

/// Calls by tasks that come and go, some within a scope that ends: no window holds more than its share, whoever stays is
/// granted, and refusals tell the truth.
#[test]
fn no_window_holds_more_than_its_share() {
    const BURST: u32 = 3;
    Builder::new().runs(5_000).check(|sim| async move {
        let grants = Grants::default();
        let limiter = Limiter::new(&sim.time(), Quota::per_second(nz(100)).burst(nz(BURST)).strict());
        let start = sim.now();
        let tasks: Vec<_> = (0..2 + sim.choose(4))
            .map(|_| {
                let (sim, limiter, grants) = (sim.clone(), limiter.clone(), grants.clone());
                let time = sim.time();
                sim.clone().spawn("caller", async move {
                    let scope = Scope::new(time.clone());
                    for _ in 0..3 {
                        let permits = 1 + sim.choose(BURST as usize) as u32;
                        let patience = ms(7 * sim.choose(8) as u64);
                        let granted = match sim.choose(4) {
                            0 => limiter.acquire(permits).await.is_ok(),
                            3 => within(&sim, ms(10 * sim.choose(8) as u64), limiter.acquire(permits)).await.is_some(),
                            1 => {
                                let wait = scope.move_on_after(patience, async |_| limiter.acquire(permits).await);
                                matches!(wait.await, Outcome::Done(Ok(())))
                            }
                            _ => {
                                let now = time.now();
                                let wait =
                                    scope.move_on_after(patience, async |s| limiter.acquire_in(s, permits).await);
                                match wait.await {
                                    Outcome::Done(Ok(())) => true,
                                    Outcome::Done(Err(AcquireError::TooLate { earliest, deadline })) => {
                                        assert_eq!((time.now(), deadline), (now, now + patience), "at once");
                                        assert!(earliest >= deadline);
                                        false
                                    }
                                    Outcome::Done(Err(error)) => panic!("{error}"),
                                    Outcome::Cancelled(_) => {
                                        assert_eq!(patience, Duration::ZERO, "what was let in is granted in time");
                                        false
                                    }
                                }
                            }
                        };
                        if granted {
                            grants.lock().unwrap().push((time.now() - start, permits));
                        }
                        time.sleep(ms(sim.choose(30) as u64)).await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await;
        }
        assert_eq!(sim.time().pending(), 0);
        let grants = grants.lock().unwrap();
        for (i, &(from, _)) in grants.iter().enumerate() {
            let mut sum = 0;
            for &(to, permits) in &grants[i..] {
                sum += permits;
                let allowed = f64::from(BURST) + 100.0 * (to - from).as_secs_f64();
                assert!(f64::from(sum) <= allowed + 1e-6, "{sum} permits from {from:?} to {to:?}");
            }
        }
    });
}
