//! Cron expressions: their ticks, and tasks that repeat at them, in virtual time beside a wall clock that jumps.

use std::sync::{Arc, Mutex};
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::docket::{
    AddError, Cron, Cx, Docket, MemoryStore, Policy, RegisterError, Registry, StoreError, When, WorkerError,
};
use wakeful::sim::{self, Builder, Sim};
use wakeful::time::Wall;

const HOUR: u64 = 3600;

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// The Unix time of this time of the day in UTC, so many days after 2026-03-28, the eve of summer time in Europe.
fn utc(day: u64, hours: u64, minutes: u64) -> Duration {
    secs(1_774_656_000 + day * 24 * HOUR + hours * HOUR + minutes * 60)
}

/// The first so many ticks from then on.
fn ticks<const N: usize>(expression: &str, zone: &str, mut from: Duration) -> [Duration; N] {
    let cron = Cron::new(expression, zone).unwrap();
    [(); N].map(|()| {
        from = cron.after(from).unwrap();
        from
    })
}

/// Puts the wall clock forward or back.
fn put(sim: &Sim, forward: Duration, back: Duration) {
    sim.set_wall(sim.wall().unix() + forward - back);
}

/// Of each run: when it began, by the simulator's clock in seconds, and the tick that it was for.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Began>>>);

type Began = (u64, Option<Duration>);

impl Log {
    fn note(&self, cx: &Cx) {
        let now = cx.scope().now().as_nanos();
        assert_eq!(now % 1_000_000_000, 0, "to the nanosecond");
        self.0.lock().unwrap().push((now / 1_000_000_000, cx.planned()));
    }

    fn take(&self) -> Vec<Began> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// A docket whose task `t` has this policy, takes so many seconds, and notes its runs.
fn docket(sim: &Sim, policy: Policy) -> (Docket, Log) {
    let log = Log::default();
    let note = log.clone();
    let run = move |takes: u64, cx: Cx| {
        note.note(&cx);
        async move {
            cx.scope().sleep(secs(takes)).await;
            if takes == 7 && cx.attempt() == 1 { Err("once") } else { Ok(()) }
        }
    };
    let registry = Registry::new().closure("t", policy, run).unwrap();
    (Docket::on(MemoryStore::with_wall(&sim.time(), sim.wall()), &sim.time(), registry), log)
}

const HOURLY: Policy = Policy::new().cron("0 * * * *", "UTC");

/// Works for so many seconds of the simulator's, during which `meanwhile` happens.
async fn work(sim: &Sim, docket: &Docket, for_secs: u64, meanwhile: impl Future<Output = ()>) {
    let scope = Scope::new(sim.time());
    let stop = async {
        sim.time().sleep(secs(for_secs)).await;
        scope.cancel_with_grace("enough", secs(3 * HOUR));
    };
    let (worked, (), ()) = futures::join!(docket.worker("w").lease(secs(3 * HOUR)).run(&scope), stop, meanwhile);
    worked.unwrap();
}

#[test]
fn what_is_at_a_fixed_time_ticks_once_a_day_over_every_change_of_clocks() {
    // In Berlin 2:00 is 3:00 on the 29th of March, and 3:00 is 2:00 on the 25th of October.
    let spring = ticks("30 2 * * *", "Europe/Berlin", utc(0, 0, 0));
    assert_eq!(spring, [utc(0, 1, 30), utc(1, 1, 0), utc(2, 0, 30)], "in the gap: at its end");
    let autumn = ticks("30 2 * * *", "Europe/Berlin", utc(210, 0, 0));
    assert_eq!(autumn, [utc(210, 0, 30), utc(211, 0, 30), utc(212, 1, 30)], "in the overlap: the first time");
    let other = ticks("30 2 * * *", "UTC", utc(0, 0, 0));
    assert_eq!(other, [utc(0, 2, 30), utc(1, 2, 30), utc(2, 2, 30)]);
}

#[test]
fn what_is_at_a_fixed_time_ticks_on_after_a_day_that_a_zone_left_out() {
    // On Samoa the 31st of December 2011 followed the 29th, at 10:00 UTC of the 30th.
    let leap = secs(1_325_239_200);
    let eve = leap - secs(24 * HOUR);
    let daily = ticks("0 9 * * *", "Pacific/Apia", eve);
    assert_eq!(daily, [leap - secs(15 * HOUR), leap + secs(9 * HOUR), leap + secs(33 * HOUR)]);
    let midnight = ticks("0 0 * * *", "Pacific/Apia", eve);
    assert_eq!(midnight, [leap, leap + secs(24 * HOUR)]);
    let fridays = ticks("0 9 * * FRI", "Pacific/Apia", eve);
    assert_eq!(fridays, [leap + secs((6 * 24 + 9) * HOUR)], "the 30th was a Friday");
    assert_eq!(ticks("0 */6 * * *", "Pacific/Apia", leap - secs(6 * HOUR)), [leap, leap + secs(6 * HOUR)]);
    for expression in ["0 0 9 30 12 * 2011", "0 */20 * 30 12 * 2011"] {
        assert_eq!(Cron::new(expression, "Pacific/Apia").unwrap_err().why, "it is never true");
    }
    // In Kwajalein that was the 21st of August 1993, at 12:00 UTC.
    let leap = secs(745_934_400);
    assert_eq!(ticks("30 12 * * *", "Pacific/Kwajalein", leap), [leap + secs(25 * HOUR / 2)]);
    assert_eq!(ticks("30 12 * * *", "Pacific/Kwajalein", leap - secs(HOUR)), [leap + secs(25 * HOUR / 2)]);
}

#[test]
fn what_is_at_a_fixed_time_ticks_once_a_day_where_clocks_are_put_forward_by_three_hours() {
    // At Casey 2:00 was 5:00 on the 18th of October 2009, at 18:00 UTC of the 17th.
    let leap = secs(1_255_802_400);
    for (expression, first) in [("30 2 * * *", leap), ("30 4 * * *", leap), ("30 5 * * *", leap + secs(HOUR / 2))] {
        let [one, two] = ticks(expression, "Antarctica/Casey", leap - secs(HOUR));
        assert_eq!(one, first, "{expression}");
        assert!(two > leap + secs(20 * HOUR), "{expression}");
    }
    assert_eq!(
        ticks("30 1 * * *", "Antarctica/Casey", leap - secs(HOUR)),
        [leap - secs(HOUR / 2), leap + secs(41 * HOUR / 2)]
    );
}

#[test]
fn what_is_at_a_time_of_every_hour_ticks_in_hours_that_there_are() {
    let spring = ticks("30 * * * *", "Europe/Berlin", utc(1, 0, 0));
    assert_eq!(spring, [utc(1, 0, 30), utc(1, 1, 30), utc(1, 2, 30)], "1:30, 3:30, 4:30");
    let autumn = ticks("30 * * * *", "Europe/Berlin", utc(211, 0, 0));
    assert_eq!(autumn, [utc(211, 0, 30), utc(211, 1, 30), utc(211, 2, 30)], "2:30, 2:30, 3:30");
    // What is at several times of a day is no more than that.
    let spring = ticks("0,30 2 * * *", "Europe/Berlin", utc(1, 0, 0));
    assert_eq!(spring, [utc(2, 0, 0), utc(2, 0, 30)], "none of the 29th");
    let autumn = ticks("0 2,3 * * *", "Europe/Berlin", utc(210, 12, 0));
    assert_eq!(autumn, [utc(211, 0, 0), utc(211, 1, 0), utc(211, 2, 0)], "2:00, 2:00, 3:00");
    // Clocks on Lord Howe Island are put back by half an hour: 2:00 is 1:30 on the 5th of April.
    let half = ticks("*/20 * * * *", "Australia/Lord_Howe", utc(7, 14, 20));
    assert_eq!(half, [utc(7, 14, 40), utc(7, 15, 10), utc(7, 15, 30)], "1:40, 1:40, 2:00");
}

#[test]
fn seconds_names_last_days_and_nicknames_are_read() {
    assert_eq!(ticks("*/20 * * * * *", "UTC", utc(0, 0, 0)), [20, 40, 60].map(|n| utc(0, 0, 0) + secs(n)));
    assert_eq!(ticks("0 9 * * MON-FRI", "UTC", utc(0, 0, 0)), [utc(2, 9, 0), utc(3, 9, 0)], "the 28th is a Saturday");
    assert_eq!(ticks("0 0 L * *", "UTC", utc(0, 0, 0)), [utc(3, 0, 0), utc(33, 0, 0)]);
    assert_eq!(ticks("@daily", "UTC", utc(0, 0, 0)), [utc(1, 0, 0)]);
    let eve = utc(0, 0, 0) - Duration::from_nanos(1);
    assert_eq!(ticks("0 0 * * *", "UTC", eve), [utc(0, 0, 0)], "a nanosecond before is before");
    let once = Cron::new("0 0 9 30 3 * 2026", "UTC").unwrap();
    assert_eq!(once.after(utc(0, 0, 0)), Some(utc(2, 9, 0)), "with a second and a year");
    assert_eq!([utc(2, 9, 0), Duration::MAX].map(|from| once.after(from)), [None, None]);
}

#[test]
fn a_wrong_expression_or_zone_is_found_when_the_task_is_registered() {
    let register = |policy| {
        let registry = Registry::new().closure("report", policy, async |(): (), _: Cx| Ok::<_, String>(()));
        registry.map(drop).unwrap_err()
    };
    for (expression, zone, says) in [
        ("61 * * * *", "UTC", "61"),
        ("* * *", "UTC", "pattern"),
        ("", "UTC", "empty"),
        ("0 0 30 2 *", "UTC", "never true"),
        ("0 9 * * *", "Europe/Atlantis", "there is no time zone `Europe/Atlantis`"),
    ] {
        let error = register(Policy::new().cron(expression, zone));
        let text = error.to_string();
        assert!(text.starts_with(&format!("`report` can't repeat at `{expression}` in `{zone}`: ")), "{text}");
        assert!(text.contains(says), "{text}");
        let RegisterError::NoSchedule { name, why, .. } = error else { panic!("{error:?}") };
        assert_eq!((name.as_str(), &why), ("report", &Cron::new(expression, zone).unwrap_err().why));
    }
}

#[test]
fn a_task_runs_at_each_tick_to_the_nanosecond() {
    sim::run(|sim| async move {
        sim.set_wall(utc(0, 22, 30));
        let (docket, log) = docket(&sim, Policy::new().cron("30 2 * * *", "Europe/Berlin"));
        docket.raw("t", 5).unwrap().send().await.unwrap();
        work(&sim, &docket, 48 * HOUR, async {}).await;
        // On the 29th at the end of the gap, on the 30th at half past two.
        let half = HOUR / 2;
        assert_eq!(log.take(), [(5 * half, Some(utc(1, 1, 0))), (52 * half, Some(utc(2, 0, 30)))]);
    });
}

#[test]
fn a_wall_clock_that_is_put_back_brings_no_tick_again() {
    sim::run(|sim| async move {
        sim.set_wall(utc(0, 8, 30));
        let (docket, log) = docket(&sim, HOURLY);
        docket.raw("t", 60).unwrap().send().await.unwrap();
        // While the run of nine o'clock goes on it becomes 7:30 again.
        let back = async {
            sim.time().sleep(secs(HOUR / 2 + 30)).await;
            put(&sim, Duration::ZERO, secs(HOUR + HOUR / 2));
        };
        work(&sim, &docket, 4 * HOUR, back).await;
        let ran = log.take();
        assert_eq!(ran[0], (HOUR / 2, Some(utc(0, 9, 0))));
        assert_eq!(ran[1].1, Some(utc(0, 10, 0)), "the next one after nine, though eight and nine come again");
        assert_eq!(ran[1].0, 3 * HOUR, "at ten by the wall clock of then");
    });
}

#[test]
fn a_wall_clock_that_jumps_moves_no_sleep_and_what_it_skips_is_not_made_up_for() {
    sim::run(|sim| async move {
        sim.set_wall(utc(0, 8, 30));
        let (docket, log) = docket(&sim, HOURLY);
        docket.raw("t", 0).unwrap().send().await.unwrap();
        let jumps = async {
            sim.time().sleep(secs(600)).await;
            put(&sim, secs(3 * HOUR), Duration::ZERO);
        };
        work(&sim, &docket, 2 * HOUR, jumps).await;
        // It becomes 11:40 at 8:40. What slept until nine wakes when it would have: at noon of the wall clock.
        let half = HOUR / 2;
        assert_eq!(log.take(), [(half, Some(utc(0, 9, 0))), (3 * half, Some(utc(0, 13, 0)))]);
    });
}

#[test]
fn what_is_late_is_not_made_up_for() {
    sim::run(|sim| async move {
        sim.set_wall(utc(0, 8, 30));
        let (docket, log) = docket(&sim, HOURLY);
        docket.raw("t", 2 * HOUR + 600).unwrap().send().await.unwrap();
        // Nobody works until 12:30, and a run takes longer than two hours.
        sim.time().sleep(secs(4 * HOUR)).await;
        work(&sim, &docket, 3 * HOUR, async {}).await;
        let half = HOUR / 2;
        assert_eq!(log.take(), [(8 * half, Some(utc(0, 9, 0))), (13 * half, Some(utc(0, 15, 0)))]);
    });
}

#[test]
fn a_retry_is_for_the_same_tick() {
    sim::run(|sim| async move {
        sim.set_wall(utc(0, 8, 59));
        let (docket, log) = docket(&sim, HOURLY.retry(|_, _| Some(secs(10))));
        docket.raw("t", 7).unwrap().send().await.unwrap();
        work(&sim, &docket, 90, async {}).await;
        assert_eq!(log.take(), [(60, Some(utc(0, 9, 0))), (77, Some(utc(0, 9, 0)))]);
    });
}

#[test]
fn a_due_time_that_is_given_goes_before_the_ticks_and_they_follow() {
    sim::run(|sim| async move {
        sim.set_wall(utc(0, 8, 30));
        let (docket, log) = docket(&sim, HOURLY);
        docket.raw("t", 0).unwrap().key("now").after(Duration::ZERO).send().await.unwrap();
        docket.raw("t", 0).unwrap().key("at").at(utc(0, 8, 45)).send().await.unwrap();
        docket.raw("t", 0).unwrap().key("moved").send().await.unwrap();
        assert!(docket.reschedule("moved", When::At(utc(0, 8, 50))).await.unwrap());
        work(&sim, &docket, 1801, async {}).await;
        let nine = (1800, Some(utc(0, 9, 0)));
        let first = [(0, None), (900, Some(utc(0, 8, 45))), (1200, Some(utc(0, 8, 50)))];
        assert_eq!(log.take(), [&first[..], &[nine, nine, nine]].concat());
    });
}

#[test]
fn a_task_that_begins_by_itself_does_so_at_a_tick() {
    sim::run(|sim| async move {
        sim.set_wall(utc(0, 8, 30));
        let log = Log::default();
        let note = log.clone();
        let run = move |(): (), cx: Cx| {
            note.note(&cx);
            async { Ok::<_, String>(()) }
        };
        let registry =
            || Registry::new().closure("report", Policy::new().automatic_cron("0 9,10 * * *", "UTC"), run.clone());
        let store = MemoryStore::with_wall(&sim.time(), sim.wall());
        let docket = Docket::on(store, &sim.time(), registry().unwrap());
        work(&sim, &docket, 3 * HOUR, async {}).await;
        assert_eq!(log.take(), [(HOUR / 2, Some(utc(0, 9, 0))), (3 * HOUR / 2, Some(utc(0, 10, 0)))]);

        let without = Docket::new(&sim.time(), registry().unwrap());
        let added = without.raw("report", ()).unwrap().send().await;
        assert_eq!(added.map(drop), Err(AddError::Store(StoreError::NoWall)));
        let worked = without.worker("w").run(&Scope::new(sim.time())).await;
        assert_eq!(worked, Err(WorkerError::Store(StoreError::NoWall)));
    });
}

#[test]
fn a_run_and_whoever_adds_it_choose_a_tick() {
    sim::run(|sim| async move {
        sim.set_wall(utc(0, 8, 30));
        let log = Log::default();
        let note = log.clone();
        let run = move |left: u32, cx: Cx| {
            note.note(&cx);
            async move {
                let quarters = Cron::new("*/15 * * * *", "UTC").map_err(|error| error.to_string())?;
                cx.again_at_tick(&quarters);
                if left == 0 {
                    cx.last();
                    Ok(())
                } else {
                    cx.again_raw(left - 1, When::In(secs(60))).map_err(|e| e.to_string())
                }
            }
        };
        let registry = Registry::new().closure("t", Policy::new(), run).unwrap();
        let docket = Docket::on(MemoryStore::with_wall(&sim.time(), sim.wall()), &sim.time(), registry);
        let nightly = Cron::new("40 8 * * *", "UTC").unwrap();
        let over = Cron::new("0 0 1 1 * * 2025", "UTC").unwrap();
        let refused = docket.raw("t", 1).unwrap().at_tick(&over).send().await;
        assert_eq!(refused.map(drop), Err(AddError::NoTick { name: "t".into() }));
        docket.raw("t", 1).unwrap().at_tick(&nightly).send().await.unwrap();
        docket.worker("w").until_finished(&Scope::new(sim.time())).await.unwrap();
        assert_eq!(log.take(), [(600, Some(utc(0, 8, 40))), (660, None)]);
    });
}

#[test]
fn no_tick_is_run_twice_however_the_wall_clock_jumps() {
    let ran = Arc::new(Mutex::new(0));
    let count = ran.clone();
    Builder::new().runs(200).check(move |sim| {
        let count = count.clone();
        async move {
            sim.set_wall(utc(0, 23, 30));
            let (docket, log) = docket(&sim, Policy::new().cron("*/10 * * * *", "Europe/Berlin"));
            docket.raw("t", 20).unwrap().send().await.unwrap();
            let jumps = async {
                for _ in 0..12 {
                    sim.time().sleep(secs(sim.random() % 1200)).await;
                    let by = secs(sim.random() % (2 * HOUR));
                    if sim.random() % 2 == 0 { put(&sim, by, Duration::ZERO) } else { put(&sim, Duration::ZERO, by) }
                }
            };
            work(&sim, &docket, 6 * HOUR, jumps).await;
            let ran = log.take();
            let planned: Vec<_> = ran.iter().map(|(_, tick)| tick.expect("it is for a tick")).collect();
            assert!(planned.is_sorted_by(|a, b| a < b), "{planned:?}");
            *count.lock().unwrap() += ran.len();
        }
    });
    assert!(*ran.lock().unwrap() > 1000, "they are run");
}
