//! Programs made at random of everything that scopes offer, nested at will, cancelled and wound down from outside: whatever
//! the schedule, they end in time, nothing is left behind, and no shield gives way before its budget is spent.

use futures::future::{BoxFuture, FutureExt, join};
use futures::stream::{FuturesUnordered, StreamExt};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use wakeful::cancel::{FailError, Outcome, Scope};
use wakeful::sim::{Builder, JoinHandle, Sim};
use wakeful::time::Instant;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// How many constructs lie inside one another.
const DEPTH: usize = 4;

/// Nothing takes longer after all is cancelled: a shield and a cleanup at each depth, here and in a task that was started
/// there, of three milliseconds each.
const LONGEST: Duration = ms(2 * 2 * 3 * (DEPTH as u64 + 1));

/// What a program is made with, and watched by.
#[derive(Clone)]
struct Program {
    sim: Sim,
    /// Bodies that are alive have a count each.
    alive: Arc<()>,
    tasks: Arc<std::sync::Mutex<Vec<JoinHandle<()>>>>,
    /// What the constructs came to: whether the programs do what they are to test.
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    shields_done: AtomicUsize,
    shields_spent: AtomicUsize,
    cleanups: AtomicUsize,
    cut: AtomicUsize,
}

/// A shielded body: it comes to its end, or its budget is spent.
struct Shielded {
    sim: Sim,
    seen: Arc<Seen>,
    until: Instant,
    done: bool,
}

impl Drop for Shielded {
    fn drop(&mut self) {
        let in_time = self.done || self.sim.now() >= self.until;
        assert!(in_time || std::thread::panicking(), "a shield gave way before its budget was spent");
        let count = if self.done { &self.seen.shields_done } else { &self.seen.shields_spent };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

impl Program {
    fn span(&self) -> Duration {
        ms(self.sim.choose(4) as u64)
    }

    /// One construct in `scope`, with others inside.
    fn part<'a>(&'a self, scope: &'a Scope, depth: usize) -> BoxFuture<'a, ()> {
        let kind = if depth == 0 { self.sim.choose(3) } else { self.sim.choose(10) };
        let alive = self.alive.clone();
        Box::pin(async move {
            let _alive = alive;
            let next = depth.saturating_sub(1);
            let sim = &self.sim;
            let cut = match kind {
                0 => return self.sim.yield_now().await,
                1 => return scope.sleep(self.span()).await,
                2 => {
                    let child = scope.child();
                    let slow = child.run(async { scope.sleep(ms(50)).await });
                    let (cut, ()) = join(slow, async {
                        scope.sleep(self.span()).await;
                        child.cancel("itself");
                    })
                    .await;
                    cut.is_cancelled()
                }
                3 => scope.move_on_after(self.span(), async |s| self.part(s, next).await).await.is_cancelled(),
                4 => {
                    let child = scope.child();
                    child.run(self.part(&child, next)).await.is_cancelled()
                }
                5 => {
                    let budget = self.span();
                    let until = sim.now() + budget;
                    let outcome = scope.shield(budget, async |s| {
                        let mut body = Shielded { sim: sim.clone(), seen: self.seen.clone(), until, done: false };
                        self.part(s, next).await;
                        body.done = true;
                    });
                    outcome.await.is_cancelled()
                }
                6 => {
                    let (child, budget) = (scope.child_after(self.span()), self.span());
                    let (begun, cleaned) = (AtomicUsize::new(0), AtomicUsize::new(0));
                    let body = async {
                        begun.store(1, Ordering::Relaxed);
                        self.part(&child, next).await;
                    };
                    let cleanup = async |_| {
                        cleaned.store(1, Ordering::Relaxed);
                        sim.time().sleep(self.span()).await;
                    };
                    let cut = child.run(body).cleanup(cleanup, budget).await.is_cancelled();
                    let (begun, cleaned) = (begun.into_inner() == 1, cleaned.into_inner() == 1);
                    assert!(!cleaned || cut && begun, "it follows a body that was cut short");
                    assert!(cleaned || !cut || !begun || budget == Duration::ZERO, "it does follow one");
                    self.seen.cleanups.fetch_add(usize::from(cleaned), Ordering::Relaxed);
                    cut
                }
                7 => {
                    join(self.part(scope, next), self.part(scope, next)).await;
                    false
                }
                8 => {
                    let mut parts: FuturesUnordered<_> = (0..3).map(|_| self.part(scope, next)).collect();
                    while parts.next().await.is_some() {}
                    false
                }
                _ => {
                    let (program, child) = (self.clone(), scope.child());
                    let task = self.sim.spawn("task", async move {
                        let _ = child.run(program.part(&child, next)).await;
                    });
                    self.tasks.lock().unwrap().push(task);
                    false
                }
            };
            self.seen.cut.fetch_add(usize::from(cut), Ordering::Relaxed);
        })
    }
}

async fn program(sim: Sim, seen: Arc<Seen>) {
    let program = Program { sim: sim.clone(), alive: Arc::new(()), tasks: Arc::default(), seen };
    let root = Scope::new(sim.time());
    let canceller = {
        let (root, time, after, grace) = (root.clone(), sim.time(), program.span(), program.span());
        sim.spawn("canceller", async move {
            time.sleep(after).await;
            root.cancel_with_grace("over", grace);
            time.now() + grace
        })
    };
    let outcome = root.run(async { program.part(&root, DEPTH).await }).await;
    // What is left in tasks ends too, and what these have started.
    loop {
        let task = program.tasks.lock().unwrap().pop();
        let Some(task) = task else { break };
        task.await;
    }
    let over = canceller.await;
    assert!(sim.now() - over <= LONGEST, "{:?} after the end", sim.now() - over);
    assert!(matches!(outcome, Outcome::Done(()) | Outcome::Cancelled(_)));
    assert_eq!((Arc::strong_count(&program.alive), sim.time().pending()), (1, 0));
}

#[test]
fn programs_of_nested_scopes_end_in_time_and_leave_nothing_behind() {
    const RUNS: u32 = 10_000;
    let seen = Arc::new(Seen::default());
    let of_programs = seen.clone();
    Builder::new().runs(RUNS).check(move |sim| program(sim, of_programs.clone()));
    let Seen { shields_done, shields_spent, cleanups, cut } = &*seen;
    for (what, count) in
        [("shields done", shields_done), ("shields spent", shields_spent), ("cleanups", cleanups), ("cut short", cut)]
    {
        let count = count.load(Ordering::Relaxed);
        assert!(count > RUNS as usize / 50, "only {count} {what}");
    }
}

/// Rule b, where there is no scope around.
#[test]
fn a_free_timeout_without_time_begins_nothing() {
    let begun = AtomicBool::new(false);
    let body = || async { begun.store(true, Ordering::Relaxed) };
    let late = wakeful::fail_after(Duration::ZERO, body()).now_or_never().expect("nothing to wait for");
    assert!(matches!(late, Err(FailError::TimedOut(_))), "{late:?}");
    let past = wakeful::move_on_at(Instant::EPOCH, body()).now_or_never().expect("nothing to wait for");
    assert!(past.is_cancelled() && !begun.load(Ordering::Relaxed));
    let done = wakeful::fail_after(Duration::MAX, body()).now_or_never().expect("the body is ready");
    assert!(done.is_ok() && begun.load(Ordering::Relaxed));
}
