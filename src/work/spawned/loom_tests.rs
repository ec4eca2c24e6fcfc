//! What workers and who resizes them may do to each other, in every order.

use super::turn::{Common, Line};
use super::*;
use crate::sys::model::{Task, model, spawn};
use crate::time::{Clock, Time};
use crate::work::intake::{Feed, Intake};
use crate::work::outcome::{Count, Ended, ItemOutcome, Sink};
use crate::work::source::Source;
use core::future::poll_fn;
use core::task::Context;

/// A clock that stands still: nothing here waits for time.
struct Still;

impl Clock for Still {
    fn now(&self) -> Instant {
        Instant::EPOCH
    }

    fn arm(&self, _: Instant) {}
}

/// A source from which nothing ever comes.
struct Never;

impl Source for Never {
    type Item = u8;
    type Rest = ();

    fn poll_pull(&mut self, _: &mut Context<'_>) -> Poll<Option<u8>> {
        Poll::Pending
    }

    fn remaining(&self) -> Option<usize> {
        None
    }

    fn into_rest(self) {}
}

/// A source of so many items.
struct Few(u8);

impl Source for Few {
    type Item = u8;
    type Rest = ();

    fn poll_pull(&mut self, _: &mut Context<'_>) -> Poll<Option<u8>> {
        let left = self.0.checked_sub(1);
        self.0 = left.unwrap_or(0);
        Poll::Ready(left)
    }

    fn remaining(&self) -> Option<usize> {
        None
    }

    fn into_rest(self) {}
}

type Run = Arc<Team<Common<Never, Count, u8, u8>>>;

/// A run that has two workers.
fn run() -> (Run, [Line<Never, Count, u8, u8>; 2]) {
    let common = Common::new(Intake::new(Never, None), Count::new());
    let team = Arc::new(Team::new(common, two(), true, None, Scope::new(Time::new(Still))));
    let lines = [(); 2].map(|()| {
        let number = team.change(Crowd::hire).expect("there are to be two");
        Common::equip(&team, number).0
    });
    (team, lines)
}

fn two() -> NonZeroUsize {
    NonZeroUsize::MIN.saturating_add(1)
}

fn resize(run: &Run, most: NonZeroUsize) -> impl FnOnce() + Send + 'static {
    let run = run.clone();
    move || {
        let resized = run.change(|crowd| crowd.resize(most));
        run.resized(resized);
    }
}

/// Waits for all to be gone, until it has hired somebody.
fn overseer(run: &Run) -> Task<usize> {
    let run = run.clone();
    Task::new(async move {
        poll_fn(|cx| {
            let mut waker = Some(cx.waker().clone());
            let _old = run.crowd.with(|crowd| crowd.poll_gone(&mut waker));
            run.change(Crowd::hire).map_or(Poll::Pending, Poll::Ready)
        })
        .await
    })
}

/// A worker who asks for items until he leaves, or nothing is started any more.
fn asks(mut line: Line<Never, Count, u8, u8>) -> Task<(bool, Stop)> {
    Task::new(async move {
        let stop =
            poll_fn(|cx| line.poll_feed::<false>(cx, Instant::NEVER).map(|fed| fed.expect_err("nothing comes"))).await;
        (line.has_left(), stop)
    })
}

#[test]
fn loom_who_goes_into_line_while_there_are_to_be_fewer_leaves() {
    model(|| {
        let (run, [holder, other]) = run();
        let holder = asks(holder).waiting();
        let mut other = asks(other);
        let resizer = spawn(resize(&run, NonZeroUsize::MIN));
        let first = other.poll();
        resizer.join().unwrap();
        assert!(other.finish(first).0, "he has left");
        drop(holder);
    });
}

#[test]
fn loom_who_goes_into_line_while_a_run_stops_is_told() {
    model(|| {
        let (run, [holder, other]) = run();
        let holder = asks(holder).waiting();
        let mut other = asks(other);
        let stopper = spawn({
            let run = run.clone();
            move || run.stock.stop(&Stop::OutOfTime)
        });
        let first = other.poll();
        stopper.join().unwrap();
        assert_eq!(other.finish(first), (false, Stop::OutOfTime));
        drop(holder);
    });
}

#[test]
fn loom_who_waits_with_the_source_while_a_run_stops_is_told_and_puts_it_back() {
    model(|| {
        let (run, [holder, _other]) = run();
        let mut holder = asks(holder);
        let stopper = spawn({
            let run = run.clone();
            move || run.stock.stop(&Stop::OutOfTime)
        });
        let first = holder.poll();
        stopper.join().unwrap();
        assert_eq!(holder.finish(first), (false, Stop::OutOfTime));
        assert!(run.stock.intake.is_there());
    });
}

#[test]
fn loom_who_goes_into_line_while_the_source_is_put_back_has_it() {
    model(|| {
        let (run, [holder, other]) = run();
        let holder = asks(holder).waiting();
        let mut other = asks(other);
        let leaves = spawn(move || drop(holder));
        let first = other.poll();
        leaves.join().unwrap();
        assert!(first.is_pending());
        if other.woken() {
            assert!(other.poll().is_pending());
        }
        assert!(
            !run.stock.intake.is_there() && run.stock.turn.read(|turn| turn.line.is_empty()),
            "it does not lie there"
        );
    });
}

/// A run over so many items.
fn run_of(items: u8) -> Arc<Team<Common<Few, Count, u8, u8>>> {
    let common = Common::new(Intake::new(Few(items), None), Count::new());
    Arc::new(Team::new(common, two(), false, None, Scope::new(Time::new(Still))))
}

#[test]
fn loom_who_goes_into_line_while_another_pulls_is_called() {
    model(|| {
        let team = run_of(2);
        let asks = |number| {
            let (mut line, _) = Common::equip(&team, number);
            Task::new(async move {
                let fed = poll_fn(|cx| line.poll_feed::<false>(cx, Instant::NEVER)).await;
                // It is busy, and does not come again.
                (fed.map(|(_, item)| item), line)
            })
        };
        let [mut one, mut other] = [0, 1].map(asks);
        let there = spawn(move || {
            let first = other.poll();
            (other, first)
        });
        let first = one.poll();
        let (other, others_first) = there.join().unwrap();
        let [(one, _busy), (other, _as_well)] = [one.finish(first), other.finish(others_first)];
        assert!(matches!((one, other), (Ok(0), Ok(1)) | (Ok(1), Ok(0))));
    });
}

#[test]
fn loom_nothing_is_pulled_once_a_run_has_stopped() {
    model(|| {
        let team = run_of(2);
        let asks = |number| {
            let (mut line, _) = Common::equip(&team, number);
            Task::new(
                async move { poll_fn(|cx| line.poll_feed::<false>(cx, Instant::NEVER)).await.map(|(_, item)| item) },
            )
        };
        let [mut one, mut other] = [0, 1].map(asks);
        let there = spawn(move || one.poll());
        team.stock.stop(&Stop::OutOfTime);
        assert!(matches!(other.poll(), Poll::Ready(Err(Stop::OutOfTime))), "although it may lie there");
        assert!(matches!(there.join().unwrap(), Poll::Ready(Ok(1) | Err(Stop::OutOfTime))));
    });
}

#[test]
fn loom_what_becomes_of_each_item_is_told_once() {
    model(|| {
        let team = run_of(2);
        let works = |number| {
            let (mut line, mut teller) = Common::<Few, Count, u8, u8>::equip(&team, number);
            Task::new(poll_fn(move |cx| {
                loop {
                    match line.poll_feed::<false>(cx, Instant::NEVER) {
                        Poll::Ready(Ok((index, item))) => {
                            teller.accept(Ended::new(index, Some(0), ItemOutcome::Done(item)));
                        }
                        Poll::Ready(Err(stop)) => return Poll::Ready(stop),
                        Poll::Pending => return Poll::Pending,
                    }
                }
            }))
        };
        let [mut one, mut other] = [0, 1].map(works);
        let there = spawn(move || {
            let first = other.poll();
            (other, first)
        });
        let first = one.poll();
        let (other, others_first) = there.join().unwrap();
        assert_eq!((one.finish(first), other.finish(others_first)), (Stop::Exhausted, Stop::Exhausted));
        let (sink, count, per_worker) = team.stock.outbox.empty();
        assert_eq!((sink.map(|sink| sink.done), count.done, per_worker.iter().sum()), (Some(2), 2, 2));
        assert!(team.stock.intake.is_there());
    });
}

#[test]
fn loom_who_waits_for_all_to_be_gone_hires_those_that_are_to_come() {
    model(|| {
        let (run, _lines) = run();
        let mut task = overseer(&run);
        let resizer = spawn(resize(&run, two().saturating_add(1)));
        let first = task.poll();
        resizer.join().unwrap();
        assert_eq!(task.finish(first), 2);
    });
}

#[test]
fn loom_who_waits_for_all_to_be_gone_hires_when_nobody_waits_for_an_item() {
    model(|| {
        let (run, _lines) = run();
        let last = run.change(|crowd| {
            crowd.resize(NonZeroUsize::MAX);
            let last = core::iter::from_fn(|| crowd.hire()).last().expect("there are to be more");
            (0..=last).for_each(|number| crowd.came(number));
            last
        });
        let mut task = overseer(&run);
        let asks = spawn({
            let run = run.clone();
            move || run.asked(0, &mut false, true)
        });
        let first = task.poll();
        asks.join().unwrap();
        assert_eq!(task.finish(first), last + 1);
    });
}

#[test]
fn loom_who_waits_for_all_to_be_gone_is_told_by_the_last_one() {
    model(|| {
        let (run, _lines) = run();
        let goes = |number| {
            let team = run.clone();
            spawn(move || drop(Present { team, number }))
        };
        let going = [0, 1].map(goes);
        let crowd = run.clone();
        let mut task = Task::new(async move {
            poll_fn(|cx| {
                let mut waker = Some(cx.waker().clone());
                let (is_over, _old) = crowd.crowd.with(|crowd| crowd.poll_gone(&mut waker));
                if is_over { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        });
        let first = task.poll();
        for goes in going {
            goes.join().unwrap();
        }
        task.finish(first);
    });
}
