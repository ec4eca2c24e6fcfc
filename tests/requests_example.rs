//! The example with HTTP requests, on every runtime over real sockets; and its client and server in virtual time, over pipes in
//! memory, where every instant is known.

#[path = "../examples/requests/main.rs"]
#[expect(dead_code, reason = "`main` is called in the example's own binary alone")]
mod requests;

use requests::http::client::{Client, Limits};
use requests::http::failure::Failure;
use requests::http::memory::Memory;
use requests::http::server::Server;
use requests::http::{Program, Runtime, with_server};
use requests::{Account, ILL, Options, WELL};
use std::collections::BTreeSet;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::limit::Quota;
use wakeful::resilience::{BreakerConfig, GaveUp};
use wakeful::sim::{self, Sim};
use wakeful::work::{GetError, GetStage};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What a test has in its hands.
struct World<'a> {
    sim: Sim,
    scope: &'a Scope,
    server: &'a Server,
    client: &'a Client<Memory>,
}

impl World<'_> {
    /// Gets a page of the first host; when that was, why it failed, and after how many attempts.
    async fn get(&self, path: &str) -> (u64, Result<(), (Failure, u32, GaveUp)>) {
        let got = self.client.get(self.scope, &self.server.hosts[0], path).await;
        let now = self.sim.now().as_nanos() / 1_000_000;
        (now, got.map(drop).map_err(|error| (error.error, error.attempts, error.why)))
    }

    fn asked(&self, path: &str) -> u32 {
        self.server.asked().pages.get(&(0, path.to_owned())).copied().unwrap_or(0)
    }
}

/// Runs `body` with a client that keeps to `limits`, and a server with one host.
fn simulated(limits: Limits, body: impl AsyncFnOnce(&World<'_>) + 'static) {
    sim::run(move |sim| async move {
        let (net, scope, wall) = (Memory::new(&sim), Scope::new(sim.time()), Arc::new(sim.wall()));
        let body = async |server: &Server, client: &Client<Memory>| {
            body(&World { sim: sim.clone(), scope: &scope, server, client }).await;
        };
        with_server(&net, &scope, wall, NonZeroUsize::MIN, limits, body).await.unwrap();
    });
}

fn no_retries() -> Limits {
    Limits { retries: 0, ..Limits::default() }
}

#[test]
fn a_connection_is_kept_and_asked_again() {
    simulated(Limits::default(), async |world| {
        for _ in 0..3 {
            assert!(matches!(world.get("/ok").await, (0, Ok(()))));
        }
        let totals = world.client.totals();
        assert_eq!((totals.attempts, totals.opened, totals.reused, totals.broken), (3, 1, 2, 0));
    });
}

#[test]
fn who_is_refused_comes_back_when_the_host_says_and_so_does_everybody_else() {
    simulated(Limits::default(), async |world| {
        let other = async {
            world.sim.time().sleep(ms(10)).await;
            world.get("/ok").await
        };
        let (busy, other) = futures::join!(world.get("/busy/3"), other);
        assert!(matches!((&busy, &other), ((3_000, Ok(())), (3_000, Ok(())))), "{busy:?} {other:?}");
        let totals = world.client.totals();
        assert_eq!((totals.attempts, totals.retries, totals.hints), (3, 1, 1));
        assert_eq!((world.asked("/busy/3"), world.asked("/ok")), (2, 1));
    });
}

#[test]
fn a_date_is_kept_to_like_a_number_of_seconds() {
    simulated(Limits::default(), async |world| {
        world.sim.time().sleep(ms(250)).await;
        // Dates are of whole seconds, and the second began a quarter of one ago.
        assert!(matches!(world.get("/dated/3").await, (3_000, Ok(()))));
        assert_eq!(world.client.totals().hints, 1);
    });
}

#[test]
fn each_piece_of_a_body_renews_the_time_for_progress_and_one_that_stops_is_given_up() {
    let limits = Limits { progress: ms(150), ..no_retries() };
    simulated(limits, async |world| {
        assert!(matches!(world.get("/trickle/15/100").await, (1_500, Ok(()))));
        let (at, stalled) = world.get("/stalls").await;
        let Err((Failure::Stalled(limit), 1, GaveUp::Exhausted)) = stalled else { panic!("{stalled:?}") };
        assert_eq!((at, limit), (1_650, ms(150)));
        // The head is a piece too.
        let (at, slow) = world.get("/slow/151").await;
        assert!(matches!((at, &slow), (1_800, Err((Failure::Stalled(_), ..)))), "{slow:?}");
        assert!(matches!(world.get("/slow/149").await, (1_949, Ok(()))));
        let totals = world.client.totals();
        assert_eq!(
            (totals.opened, totals.reused, totals.broken),
            (3, 1, 2),
            "who was not heard out is not asked again"
        );
    });
}

#[test]
fn a_body_that_trickles_in_for_ever_ends_with_the_time_for_the_whole_answer() {
    simulated(Limits::default(), async |world| {
        let (at, slow) = world.get("/trickle/1000/100").await;
        assert!(matches!((at, &slow), (2_000, Err((Failure::Slow(_), 1, GaveUp::NotRetried)))), "{slow:?}");
        assert_eq!(world.client.totals().broken, 1);
    });
}

#[test]
fn a_connection_that_breaks_in_the_middle_is_not_used_again_and_the_page_is_asked_for_once_more() {
    simulated(Limits::default(), async |world| {
        let (at, got) = world.get("/breaks/1").await;
        assert!(got.is_ok() && (25..=50).contains(&at), "{got:?} at {at} ms: half of the delay is up to chance");
        let totals = world.client.totals();
        assert_eq!((totals.opened, totals.reused, totals.broken, totals.retries), (2, 0, 1, 1));
    });
}

#[test]
fn those_who_failed_together_do_not_come_back_together() {
    simulated(Limits::default(), async |world| {
        let pages: Vec<_> = (0..8).map(|n| format!("/down/1/{n}")).collect();
        let got = futures::future::join_all(pages.iter().map(|page| world.get(page))).await;
        assert!(got.iter().all(|(at, got)| got.is_ok() && (25..=50).contains(at)), "{got:?}");
        let times: BTreeSet<_> = got.iter().map(|(at, _)| at).collect();
        assert!(times.len() > 1, "all at {times:?} ms");
    });
}

#[test]
fn a_host_that_is_down_is_not_asked_again_for_each_request() {
    // Nothing else holds them back.
    let many = NonZeroU32::new(1_000).unwrap();
    let (breaker, rate) = (BreakerConfig::consecutive(many), Quota::per_second(many).burst(many));
    simulated(Limits { breaker, rate, ..Limits::default() }, async |world| {
        let got = futures::future::join_all((0..40).map(|_| world.get("/down/1000"))).await;
        let refused = got.iter().filter(|(_, got)| matches!(got, Err((_, _, GaveUp::NoBudget)))).count();
        // Twenty are in hand, and in less than a second come no more than ten.
        let retries = world.client.totals().retries;
        assert!((20..=30).contains(&retries) && refused >= 20, "{retries} retries, {refused} refused");
        assert!(world.sim.now().as_nanos() < 1_000_000_000);
    });
}

#[test]
fn waiting_for_a_connection_and_making_one_have_limits_of_their_own() {
    let limits = Limits { connections: NonZeroUsize::MIN, pool: ms(100), ..no_retries() };
    simulated(limits, async |world| {
        let (slow, waits) = futures::join!(world.get("/slow/300"), world.get("/ok"));
        assert!(matches!(slow, (300, Ok(()))), "{slow:?}");
        let (100, Err((Failure::NoConnection(GetError::TimedOut(GetStage::Wait, _)), ..))) = waits else {
            panic!("{waits:?}")
        };
        assert_eq!(world.asked("/ok"), 0);
        let nowhere = world.client.get(world.scope, "nowhere", "/").await.unwrap_err();
        assert!(matches!(nowhere.error, Failure::NoConnection(GetError::TimedOut(GetStage::Create, _))), "{nowhere:?}");
        assert_eq!(world.sim.now().as_nanos(), 1_300_000_000);
    });
}

#[test]
fn a_host_that_fails_is_left_alone_and_one_that_is_asked_for_too_much_is_not() {
    let three = NonZeroU32::new(3).unwrap();
    let breaker = BreakerConfig::consecutive(three).open_for(ms(300)).probes(NonZeroU32::MIN);
    simulated(Limits { breaker, ..no_retries() }, async |world| {
        for _ in 0..5 {
            let (_, missing) = world.get("/gone").await;
            assert!(matches!(missing, Err((Failure::Status(..), 1, GaveUp::NotRetried))), "{missing:?}");
        }
        for n in 0..5 {
            let (0, Err((failure, ..))) = world.get("/down/3").await else { panic!("it takes no time") };
            assert_eq!(matches!(failure, Failure::Open(_)), n >= 3, "{failure}");
        }
        assert_eq!(world.asked("/down/3"), 3);
        world.sim.time().sleep(ms(300)).await;
        assert!(matches!(world.get("/down/3").await, (300, Ok(()))), "the probe is well");
        assert!(world.get("/ok").await.1.is_ok());
    });
}

#[test]
fn who_finds_a_host_left_alone_comes_back_when_it_is_asked_again() {
    let three = NonZeroU32::new(3).unwrap();
    let breaker = BreakerConfig::consecutive(three).open_for(ms(2_000));
    simulated(Limits { breaker, ..Limits::default() }, async |world| {
        let (at, got) = world.get("/down/3").await;
        // The third attempt opens the breaker, the fourth finds it open, and the fifth is its probe.
        assert!(got.is_ok() && (2_075..=2_150).contains(&at), "{got:?} at {at} ms");
        assert_eq!((world.client.totals().attempts, world.asked("/down/3")), (5, 4));
    });
}

#[test]
fn too_many_for_the_pool_is_no_fault_of_the_host_but_not_to_be_reached_is() {
    let breaker = BreakerConfig::consecutive(NonZeroU32::MIN);
    let limits = Limits { connections: NonZeroUsize::MIN, pool: ms(100), breaker, ..no_retries() };
    simulated(limits, async |world| {
        let (slow, waits) = futures::join!(world.get("/slow/300"), world.get("/ok"));
        assert!(slow.1.is_ok() && matches!(waits.1, Err((Failure::NoConnection(_), ..))), "{slow:?} {waits:?}");
        assert!(matches!(world.get("/ok").await, (300, Ok(()))));
        for is_left_alone in [false, true] {
            let error = world.client.get(world.scope, "nowhere", "/").await.unwrap_err().error;
            assert_eq!(matches!(error, Failure::Open(_)), is_left_alone, "{error}");
        }
    });
}

#[test]
fn a_page_that_is_there_after_the_deadline_is_given_up_at_once() {
    simulated(Limits::default(), async |world| {
        let within = world.scope.move_on_after(ms(2_999), async |s| {
            let error = world.client.get(s, &world.server.hosts[0], "/busy/3").await.unwrap_err();
            assert!(matches!(error.why, GaveUp::TooLate { .. }), "{error:?}");
        });
        assert!(within.await.done().is_some());
        assert_eq!(world.sim.now().as_nanos(), 0);
    });
}

fn sum(account: &Account) -> u64 {
    let Account { done, failed, timed_out, skipped, not_started, .. } = account;
    done + failed + timed_out + skipped + *not_started as u64
}

#[test]
fn what_fails_for_want_of_time_counts_as_timed_out() {
    let options = Options { rounds: 1, deadline: ms(300), ..Options::default() };
    let account = Runtime::Simulated.run(&options).unwrap();
    // In time are two pages, and that there is no third. The others are cut short, or would be asked for again too late.
    let Account { done, failed, timed_out, why, elapsed, .. } = &account;
    assert_eq!((*done, *failed, *timed_out), (2, 1, 8), "{account:?}");
    assert_eq!(why["404 Not Found"], ["/gone/0"]);
    assert_eq!(*elapsed, ms(300));
}

#[test]
fn whatever_the_deadline_cuts_short_every_request_is_accounted_for() {
    sim::Builder::new().runs(50).check(|sim| async move {
        let options = Options {
            rounds: 2,
            workers: NonZeroUsize::new(1 + sim.choose(12)).unwrap(),
            deadline: ms(100 * sim.choose(40) as u64),
            ..Options::default()
        };
        let scope = Scope::new(sim.time());
        let account = options.run(Memory::new(&sim), &scope, Arc::new(sim.wall())).await.unwrap();
        assert_eq!(sum(&account), 2 * (WELL.len() + ILL.len()) as u64, "{account:?}");
        assert!(account.elapsed <= options.deadline);
        assert_eq!(account.why.values().flatten().count() as u64, account.failed);
        let totals = account.totals;
        assert!(totals.attempts >= totals.retries + account.done, "{totals:?}");
    });
}

#[test]
fn given_time_what_can_be_got_is_got_and_the_hints_are_kept_to() {
    sim::Builder::new().runs(20).check(|sim| async move {
        let scope = Scope::new(sim.time());
        let options = Options::default();
        let account = options.run(Memory::new(&sim), &scope, Arc::new(sim.wall())).await.unwrap();
        settled(&account, &options);
        assert_eq!(account.totals.hints, 8);
        assert_eq!(account.why["404 Not Found"].len(), 4);
    });
}

/// All pages came but those that never do.
fn settled(account: &Account, options: &Options) {
    let done = options.rounds * (WELL.len() - 1);
    let failed = options.rounds * (ILL.len() + 1);
    assert_eq!((account.done, account.failed), (done as u64, failed as u64), "{account:?}");
    assert_eq!(sum(account), (done + failed) as u64);
}

#[test]
fn the_table_has_a_line_for_each_runtime_and_says_why_what_failed_did() {
    let options = Options { rounds: 1, ..Options::default() };
    let account = Runtime::Simulated.run(&options).unwrap();
    let mut out = Vec::new();
    requests::print(&[("simulated", account)], &mut out).unwrap();
    let out = String::from_utf8(out).unwrap();
    let line = out.lines().find(|line| line.starts_with("simulated ")).expect("there is a line for it");
    assert_eq!(line.split_whitespace().skip(1).take(5).collect::<Vec<_>>(), ["7", "4", "0", "0", "0"], "{out}");
    assert!(out.contains("\nsimulated: 404 Not Found: /gone/0\n"), "{out}");
}

fn on(runtime: Runtime) {
    let options = Options { rounds: 2, ..Options::default() };
    let account = runtime.run(&options).unwrap();
    settled(&account, &options);
    let totals = account.totals;
    // Those that are refused at first come back when they were told: no more than a second later.
    assert_eq!(totals.hints, 4, "{account:?}");
    assert!(account.elapsed >= ms(1_000), "{account:?}");
    assert!(totals.retries >= 10 && totals.reused > 0 && totals.opened < totals.attempts, "{account:?}");
}

#[test]
fn it_runs_on_every_runtime_over_sockets() {
    // Side by side, since each waits most of the time.
    std::thread::scope(|threads| {
        for runtime in Runtime::ALL {
            let thread = std::thread::Builder::new().name(runtime.name().to_owned());
            thread.spawn_scoped(threads, move || on(runtime)).unwrap();
        }
    });
}
