//! Circuit breakers in the simulator: nobody is let through who should not be, and no probe is lost.

use futures::FutureExt;
use std::num::NonZeroU32;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wakeful::cancel::{Outcome, Scope};
use wakeful::resilience::{
    BreakerCause, BreakerChange, BreakerConfig, BreakerState, CallError, CircuitBreaker, CircuitBreakers, Constant,
    Exponential, Retry, Schedule, Verdict,
};
use wakeful::sim::{self, Builder, Sim};
use wakeful::time::Instant;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn nz(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

#[test]
fn a_service_that_is_down_is_left_alone_and_found_again() {
    sim::check(|sim| async move {
        let config = BreakerConfig::consecutive(nz(3)).open_for(ms(100)).growing(200, ms(1_000)).probes(nz(1));
        let breaker = CircuitBreaker::new(&sim.time(), config).unwrap();
        let scope = Scope::new(sim.time());
        let mut called = Vec::new();
        // Down until two seconds have passed, and asked every ten milliseconds.
        for n in 0..400 {
            let _ = breaker
                .call(async || {
                    called.push(n * 10);
                    if n < 200 { Err(()) } else { Ok(()) }
                })
                .await;
            scope.sleep(ms(10)).await;
        }
        assert_eq!(called[..8], [0, 10, 20, 120, 320, 720, 1_520, 2_520]);
        assert_eq!(called.len(), 7 + 148);
    });
}

#[test]
fn a_retry_waits_for_a_breaker_that_is_open_and_gives_up_one_that_somebody_opened() {
    sim::check(|sim| async move {
        let config = BreakerConfig::consecutive(nz(2)).open_for(ms(500)).probes(nz(1));
        let breaker = CircuitBreaker::new(&sim.time(), config).unwrap();
        let scope = Scope::new(sim.time());
        let retry = Retry::new(Exponential::new(ms(10)).up_to(9)).when(|error: &CallError<_, ()>| match error {
            CallError::Refused(open) => Verdict::from(*open),
            CallError::Failed(()) => Verdict::Retry,
        });
        let start = sim.now();
        let down = |until: u64| {
            let (breaker, sim) = (breaker.clone(), sim.clone());
            move |attempt: u32| {
                let (breaker, sim) = (breaker.clone(), sim.clone());
                async move { breaker.call(async || if sim.now() - start < ms(until) { Err(()) } else { Ok(attempt) }).await }
            }
        };
        // At 0 and 10 it fails, at 30 it is refused until 510.
        assert_eq!(retry.run(&scope, down(200)).await.unwrap(), 4);
        assert_eq!(sim.now() - start, ms(510));
        breaker.open();
        let error = retry.run(&scope, down(0)).await.unwrap_err();
        assert!(error.error.is_refused() && error.attempts == 1);
    });
}

/// What the listener has told, and what is under way.
#[derive(Default)]
struct Account {
    changes: Vec<BreakerChange>,
    /// Of the present state: calls let in, and those given back.
    begun: u32,
    given_back: u32,
}

impl Account {
    fn state(&self) -> BreakerState {
        self.changes.last().map_or(BreakerState::Closed, |change| change.to)
    }

    fn generation(&self) -> usize {
        self.changes.len()
    }
}

/// Tasks that call, are dropped, panic or wait for too long, while a service is down and up again.
async fn traffic(sim: Sim) {
    let account = Arc::<Mutex<Account>>::default();
    let log = account.clone();
    let probes = 1 + sim.choose(3) as u32;
    let window = 2 + sim.choose(4) as u32;
    let config = match sim.choose(2) {
        0 => BreakerConfig::calls(nz(window)).least_calls(nz(2)),
        _ => BreakerConfig::time(ms(10 * u64::from(window))).least_calls(nz(2)),
    };
    let config = config.failures(60).open_for(ms(20)).growing(150, ms(60)).probes(nz(probes)).longest_half_open(ms(30));
    let config = if sim.choose(2) == 0 { config.slow(ms(8), 70) } else { config };
    let breaker = CircuitBreaker::with_listener(&sim.time(), config, move |change| {
        let mut account = log.lock().unwrap();
        assert_eq!(account.state(), change.from);
        account.changes.push(*change);
        (account.begun, account.given_back) = (0, 0);
    })
    .unwrap();
    let up_at = sim.now() + ms(30 + 10 * sim.choose(8) as u64);
    let tasks: Vec<_> = (0..3)
        .map(|_| {
            let (sim, breaker, account) = (sim.clone(), breaker.clone(), account.clone());
            sim.clone().spawn("caller", async move {
                let scope = Scope::new(sim.time());
                for _ in 0..5 {
                    caller(&sim, &scope, &breaker, &account, up_at, probes).await;
                    scope.sleep(ms(sim.choose(12) as u64)).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await;
    }
    // Up for good: however it stands, so many probes close it.
    sim.time().sleep_until(up_at.max(sim.now()) + ms(100)).await;
    if breaker.state() != BreakerState::Closed {
        for _ in 0..probes {
            breaker.call(async || Ok::<_, ()>(())).await.unwrap();
        }
    }
    assert_eq!(breaker.state(), BreakerState::Closed);
    let account = account.lock().unwrap();
    assert!(account.changes.iter().enumerate().all(|(n, change)| change.number == n + 1));
    let recovered = account.changes.iter().filter(|change| change.cause == BreakerCause::Recovered).count();
    let first = account.changes.iter().filter(|change| change.from == BreakerState::Closed).count();
    assert_eq!(recovered, first, "each time that it opened it recovered in the end");
    assert_eq!(sim.time().pending(), 0);
}

async fn caller(
    sim: &Sim,
    scope: &Scope,
    breaker: &CircuitBreaker,
    account: &Mutex<Account>,
    up_at: Instant,
    probes: u32,
) {
    let (takes, patience) = (ms(sim.choose(12) as u64), ms(1 + sim.choose(12) as u64));
    let panics = sim.choose(8) == 0;
    let mut begun = None;
    let call = breaker.call(async || {
        {
            let mut account = account.lock().unwrap();
            account.begun += 1;
            begun = Some(account.generation());
            match account.state() {
                BreakerState::Closed => {}
                BreakerState::HalfOpen => assert!(account.begun - account.given_back <= probes),
                _ => panic!("let through"),
            }
        }
        scope.sleep(takes).await;
        if panics {
            resume_unwind(Box::new("planned"));
        }
        if sim.now() < up_at { Err(()) } else { Ok(()) }
    });
    let outcome = AssertUnwindSafe(scope.move_on_after(patience, async |_| call.await)).catch_unwind().await;
    let mut account = account.lock().unwrap();
    match outcome {
        Ok(Outcome::Cancelled(_)) if begun == Some(account.generation()) => account.given_back += 1,
        Ok(Outcome::Done(Err(CallError::Refused(open)))) => {
            assert!(begun.is_none() && open.retry_at >= sim.now());
            assert_ne!(account.state(), BreakerState::Closed);
        }
        Ok(Outcome::Done(Err(CallError::Failed(())))) => assert!(sim.now() < up_at),
        _ => {}
    }
}

#[test]
fn whatever_happens_a_breaker_lets_through_no_more_than_it_says_and_recovers() {
    Builder::new().runs(6_000).check(traffic);
}

#[test]
fn one_host_that_is_down_keeps_nobody_from_another() {
    sim::check(|sim| async move {
        let config = BreakerConfig::consecutive(nz(2));
        let hosts = CircuitBreakers::new(&sim.time(), config).unwrap();
        let scope = Scope::new(sim.time());
        let retry = Retry::new(Constant::new(ms(1)).up_to(3));
        for host in ["up.example", "down.example"] {
            let run = retry.run(&scope, |_| {
                let hosts = hosts.clone();
                async move { hosts.get(&host).call(async || if host == "up.example" { Ok(()) } else { Err(()) }).await }
            });
            assert_eq!(run.await.is_ok(), host == "up.example");
        }
        let open: Vec<_> = hosts.all().into_iter().filter(|(_, one)| one.state() != BreakerState::Closed).collect();
        assert!(open.len() == 1 && open[0].0 == "down.example");
    });
}
