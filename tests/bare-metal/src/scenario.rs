//! One scenario with the same figures on a board and on a host: time, cancel, sync, queue, limit, task and work, all in the
//! task that polls it, on whichever clock it is given. The program here and `tests/bare_metal.rs` both include this file.

use alloc::boxed::Box;
use core::cell::Cell;
use core::num::{NonZeroU32, NonZeroUsize};
use core::time::Duration;
use wakeful::cancel::Scope;
use wakeful::limit::{Limiter, Quota};
use wakeful::queue;
use wakeful::sync::{Event, Semaphore};
use wakeful::task::{GroupError, as_completed, join_all, local_group};
use wakeful::time::Time;
use wakeful::work::{Count, Lease, work};

/// What came of a part, and how many milliseconds it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Figure {
    pub(crate) part: &'static str,
    pub(crate) result: u32,
    pub(crate) milliseconds: u32,
}

/// What each part gives, wherever it runs.
pub(crate) const EXPECTED: [Figure; 6] = [
    // A hundred items, the sum of 1 to 50 twice; each producer rests a millisecond after every tenth item.
    Figure { part: "queue", result: 2 * 1275, milliseconds: 5 },
    // Five at once, then one in ten milliseconds.
    Figure { part: "limit", result: 25, milliseconds: 200 },
    // Six holders of two permits, for three milliseconds each, once the event has been set after seven.
    Figure { part: "sync", result: 6, milliseconds: 7 + 3 * 3 },
    // Each of two workers ends nine items of 100 ms, is cut short in the tenth, and ten of thirty are not started.
    Figure { part: "work", result: 18 * 10_000 + 2 * 100 + 10, milliseconds: 950 },
    // Ticks of an hour that is cancelled after 100 ms, by what the group beside it fails with.
    Figure { part: "cancel", result: 14, milliseconds: 100 },
    // Of 32 sleeps that begin together, the longest; those that began last end first.
    Figure { part: "time", result: 32, milliseconds: 32 * 3 },
];

const fn count(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Runs all parts, one after the other.
pub(crate) async fn run(time: &Time) -> [Figure; 6] {
    // Boxed, so that the stack holds one part at a time.
    [
        figure("queue", time, Box::pin(items_through_a_queue(time))).await,
        figure("limit", time, Box::pin(permits_of_a_limiter(time))).await,
        figure("sync", time, Box::pin(holders_of_permits(time))).await,
        figure("work", time, Box::pin(a_batch_that_is_cut_short(time))).await,
        figure("cancel", time, Box::pin(ticks_until_cancelled(time))).await,
        figure("time", time, Box::pin(sleeps_side_by_side(time))).await,
    ]
}

async fn figure(part: &'static str, time: &Time, run: impl Future<Output = u32> + Unpin) -> Figure {
    let start = time.now();
    let result = run.await;
    Figure { part, result, milliseconds: (time.now() - start).as_millis() as u32 }
}

async fn items_through_a_queue(time: &Time) -> u32 {
    let (tx, rx) = queue::bounded(count(4));
    let sum = local_group::<()>().run(&Scope::new(time.clone()), async |group| {
        for _ in 0..2 {
            let tx = tx.clone();
            let producer = async move {
                for n in 1..=50 {
                    tx.send(n).await.map_err(drop)?;
                    if n % 10 == 0 {
                        time.sleep(ms(1)).await;
                    }
                }
                Ok(())
            };
            drop(group.spawn("producer", producer).map_err(drop)?);
        }
        drop(tx);
        let mut sum = 0;
        while let Ok(n) = rx.recv().await {
            sum += n;
        }
        Ok(sum)
    });
    sum.await.unwrap_or(0)
}

async fn permits_of_a_limiter(time: &Time) -> u32 {
    const BURST: NonZeroU32 = NonZeroU32::new(5).unwrap();
    const RATE: NonZeroU32 = NonZeroU32::new(100).unwrap();
    let limiter = Limiter::new(time, Quota::per_second(RATE).burst(BURST));
    let mut granted = 0;
    while granted < 25 && limiter.acquire(1).await.is_ok() {
        granted += 1;
    }
    granted
}

async fn holders_of_permits(time: &Time) -> u32 {
    let (event, permits) = (Event::new(), Semaphore::new(2));
    let holders = (0..6).map(|_| async {
        event.wait().await;
        let held = permits.acquire().await;
        time.sleep(ms(3)).await;
        u32::from(held.is_ok())
    });
    let opener = async {
        time.sleep(ms(7)).await;
        event.set();
        Ok(())
    };
    let held = local_group::<()>().run(&Scope::new(time.clone()), async |group| {
        drop(group.spawn("opener", opener).map_err(drop)?);
        Ok(join_all(holders).await.into_iter().sum())
    });
    held.await.unwrap_or(0)
}

async fn a_batch_that_is_cut_short(time: &Time) -> u32 {
    let scope = Scope::new(time.clone());
    let body = |_: Lease<u32>| async {
        time.sleep(ms(100)).await;
        Ok::<(), ()>(())
    };
    let batch = work(0..30).workers(count(2)).deadline_after(ms(950));
    let report = batch.run(&scope, body, Count::new()).await;
    let not_started = report.not_started.unwrap_or(0) as u64;
    (report.count.done * 10_000 + report.count.cancelled * 100 + not_started) as u32
}

async fn ticks_until_cancelled(time: &Time) -> u32 {
    let ticks = Cell::new(0);
    let hour = local_group::<&str>().not_send().deadline_after(Duration::from_secs(3600));
    let ended = hour.run(&Scope::new(time.clone()), async |group| {
        let ticker = async {
            let mut interval = time.interval(ms(7));
            loop {
                interval.tick().await;
                ticks.set(ticks.get() + 1);
            }
        };
        drop(group.spawn_background("ticker", ticker).map_err(|_| "over")?);
        let cutter = async {
            time.sleep(ms(100)).await;
            Err::<(), _>("power is lost")
        };
        let mut cutter = group.spawn("cutter", cutter).map_err(|_| "over")?;
        let lost = (&mut cutter).await;
        group.scope().cancelled().await;
        lost.map_err(|_| "the cutter failed")
    });
    match ended.await {
        Err(GroupError::Failed(failures)) if failures.first.error() == Some(&"power is lost") => ticks.get(),
        _ => 0,
    }
}

async fn sleeps_side_by_side(time: &Time) -> u32 {
    let mut sleeps = as_completed((0..32).map(|n| time.sleep(ms(3 * (32 - n)))));
    let mut in_order = 0;
    while let Some((n, ())) = sleeps.join_next().await {
        in_order += u32::from(n == 31 - in_order as usize);
    }
    in_order
}
