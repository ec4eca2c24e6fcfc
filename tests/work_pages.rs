//! Sources that come page by page, and in chunks.

use futures::FutureExt;
use std::cell::{Cell, RefCell};
use std::future::{pending, ready};
use std::num::NonZeroUsize;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use wakeful::cancel::{Scope, current};
use wakeful::queue;
use wakeful::sim::{self, Builder, Sim};
use wakeful::sync::watch;
use wakeful::time::{Instant, Time};
use wakeful::work::{Collect, Count, Lease, Page, Source, Stop, chunks, pages, work};

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

const fn n(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

/// Takes as many milliseconds as its item says.
async fn body(item: Lease<u64>) -> Result<u64, ()> {
    wakeful::sleep(ms(*item)).await;
    Ok(*item)
}

/// Pages of so many tens, each of which takes thirty milliseconds, in three steps.
fn tens(time: Time, sizes: Vec<usize>) -> impl FnMut(usize) -> Steps + Clone {
    move |page| {
        let (time, sizes) = (time.clone(), sizes.clone());
        Box::pin(async move {
            for _ in 0..3 {
                time.sleep(ms(10)).await;
            }
            Ok(Page { items: vec![10; sizes[page]], next: Some(page + 1).filter(|next| *next < sizes.len()) })
        })
    }
}

type Steps = std::pin::Pin<Box<dyn Future<Output = Result<Page<Vec<u64>, usize>, ()>> + Send>>;

#[test]
fn the_next_page_comes_while_all_workers_are_busy() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        // What two workers need, from the first page on: it is fetched in time, and pages that are empty cost nothing but their time.
        for (sizes, took) in [(vec![6, 6, 6], 120), (vec![6, 2, 6], 120), (vec![6, 0, 6], 120), (vec![0, 0, 2], 100)] {
            let listing = || pages(0, tens(sim.time(), sizes.clone()));
            let report = work(listing()).workers(n(2)).run(&scope, body, Count::new()).await;
            assert_eq!((report.elapsed(), &report.stop), (ms(took), &Stop::Exhausted), "{sizes:?}");
            assert_eq!((report.count.done, report.not_started), (sizes.iter().sum::<usize>() as u64, Some(0)));
            let set = work(listing()).workers(n(2));
            let (report, _) = set.run_on(sim.spawner(), &scope, body, Count::new()).await;
            assert_eq!(
                (report.elapsed(), report.count.done),
                (ms(took), sizes.iter().sum::<usize>() as u64),
                "{sizes:?}"
            );
        }
    });
}

#[test]
fn it_comes_while_nobody_may_pull_too() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let listing = || pages(0, tens(sim.time(), vec![6, 6, 6]));
        let two = || work(listing()).workers(n(2));
        // No more than two of the one key there is are worked on, of three workers.
        let report = work(listing()).workers(n(3)).per_key(n(2), |_| ()).run(&scope, body, Count::new()).await;
        assert_eq!((report.elapsed(), report.count.done), (ms(120), 18));
        let driven = two().drive().run(&scope, body, async |mut results| while results.next().await.is_some() {}).await;
        assert_eq!((driven.report.elapsed(), driven.report.count.done), (ms(120), 18));
    });
}

#[test]
fn a_fetch_is_polled_in_the_scope_of_the_run_whoever_polls_it() {
    sim::check(|sim| async move {
        let (scope, time) = (Scope::new(sim.time()), sim.time());
        let listing = || {
            let time = time.clone();
            pages(0, move |page: u32| {
                let time = time.clone();
                Box::pin(async move {
                    for _ in 0..3 {
                        let deadline = current().map(|scope| scope.deadline());
                        assert_ne!(deadline, Some(Instant::NEVER), "it sees the run's");
                        assert!(deadline.is_some());
                        time.sleep(ms(10)).await;
                    }
                    Ok::<_, ()>(Page { items: vec![10; 6], next: Some(page + 1).filter(|next| *next < 3) })
                })
            })
        };
        let set = || work(listing()).workers(n(2)).deadline_after(ms(500));
        let report = set().run(&scope, body, Count::new()).await;
        let (spawned, _) = set().run_on(sim.spawner(), &scope, body, Count::new()).await;
        assert_eq!((report.count.done, spawned.count.done), (18, 18));
    });
}

#[test]
fn a_page_is_fetched_when_it_is_said_and_not_before() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        for (at, took, asked) in [(usize::MAX, 90, [0, 30]), (1, 100, [0, 40]), (0, 120, [0, 60])] {
            let (start, fetches) = (sim.now(), RefCell::new(Vec::new()));
            let mut fetch = tens(sim.time(), vec![3, 3]);
            let listing = pages(0, |page| {
                fetches.borrow_mut().push((sim.now() - start).as_millis() as u64);
                fetch(page)
            });
            let report = work(listing.fetch_at(at)).run(&scope, body, Count::new()).await;
            assert_eq!((report.elapsed(), report.count.done), (ms(took), 6), "{at}");
            assert_eq!(fetches.take(), asked, "{at}");
        }
    });
}

#[test]
fn an_error_ends_the_source_and_is_in_the_rest_with_its_cursor() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let fetch =
            |page: u32| ready(if page == 2 { Err("down") } else { Ok(Page { items: 0..2, next: Some(page + 1) }) });
        let body = |_: Lease<u32>| ready(Ok::<_, ()>(()));
        let report = work(pages(0, fetch)).run(&scope, body, Count::new()).await;
        assert_eq!((report.count.done, report.stop), (4, Stop::Exhausted));
        assert_eq!((report.rest.items.count(), report.rest.next, report.rest.error), (0, Some(2), Some("down")));
        // At a deadline what was fetched and not pulled is in the rest.
        let slow = |_: Lease<u32>| async {
            wakeful::sleep(ms(10)).await;
            Ok::<_, ()>(())
        };
        let report = work(pages(0, fetch)).deadline_after(ms(10)).run(&scope, slow, Count::new()).await;
        assert_eq!((report.count.done, report.stop, report.not_started), (1, Stop::OutOfTime, None));
        assert_eq!((report.rest.items.collect::<Vec<_>>(), report.rest.next), (vec![1, 0, 1], Some(2)));
    });
}

/// Within another future the lifetime of what is borrowed counts as any.
#[test]
fn a_future_around_a_run_over_pages_that_borrow_is_send() {
    fn assert_send<T: Send>(value: T) -> T {
        value
    }
    async fn total(scope: &Scope, words: &[String]) -> usize {
        let listing = pages(0, |at: usize| {
            let (items, next) = (&words[at..=at], Some(at + 1).filter(|next| *next < words.len()));
            async move { Ok::<_, ()>(Page { items, next }) }
        });
        let mut lengths = Collect::new();
        let body = |word: Lease<&String>| ready(Ok::<_, ()>(word.len()));
        work(listing).run(scope, body, &mut lengths).await;
        lengths.into_results().into_iter().sum()
    }
    sim::check(|sim| async move {
        let (scope, words) = (Scope::new(sim.time()), ["a".to_owned(), "bc".to_owned()]);
        assert_eq!(assert_send(async move { total(&scope, &words).await }).await, 3);
    });
}

#[test]
fn empty_pages_without_an_end_let_others_have_a_turn() {
    let mut fetched = 0;
    let mut listing = pages((), |()| {
        fetched += 1;
        ready(Ok::<_, ()>(Page { items: None::<u32>, next: Some(()) }))
    });
    assert_eq!(listing.poll_pull(&mut Context::from_waker(Waker::noop())), Poll::Pending);
    drop(listing);
    assert!((1..=16).contains(&fetched), "{fetched}");
}

/// A run over pages of any size, with fetches that take any time and fail, ended at any time: each item is done, or in the rest,
/// or can be asked for again.
async fn much(sim: Sim) {
    let (scope, time) = (Scope::new(sim.time()), sim.time());
    let sizes: Vec<usize> = (0..sim.choose(6)).map(|_| sim.choose(5)).collect();
    let starts: Vec<usize> = sizes.iter().scan(0, |sum, size| Some(std::mem::replace(sum, *sum + size))).collect();
    let all: usize = sizes.iter().sum();
    let under_way = Cell::new(0);
    let fetch = |page: usize| {
        assert_eq!(under_way.replace(1), 0, "G1");
        let sleep = time.sleep(ms(sim.choose(20) as u64));
        let ends = sim.choose(8);
        let (sizes, starts, under_way) = (&sizes, &starts, &under_way);
        async move {
            let ended = scopeguard(under_way);
            sleep.await;
            drop(ended);
            match (ends, sizes.get(page)) {
                (0, _) => Err("down"),
                (_, None) => Ok(Page { items: Vec::new(), next: None }),
                (_, Some(size)) => {
                    Ok(Page { items: (starts[page]..starts[page] + size).collect(), next: Some(page + 1) })
                }
            }
        }
    };
    let listing = pages(0, fetch).fetch_at([0, 1, 3, usize::MAX][sim.choose(4)]);
    let mut set = work(listing).workers(n(1 + sim.choose(3)));
    if sim.choose(2) == 0 {
        set = set.deadline_after(ms(sim.choose(60) as u64));
    }
    let busy = |item: Lease<usize>| {
        let sleep = time.sleep(ms(sim.choose(12) as u64));
        async move { (sleep.await, Ok::<_, ()>(*item)).1 }
    };
    let mut seen = Collect::new();
    let report = set.run(&scope, busy, &mut seen).await;
    let mut items: Vec<usize> = Vec::new();
    for ended in seen.into_vec() {
        items.push(ended.outcome.clone().into_item().or_else(|| ended.outcome.done()).expect("it comes back"));
    }
    assert_eq!(items.len() as u64, report.pulled());
    items.extend(report.rest.items);
    let next = report.rest.next.map_or(all, |page| starts.get(page).copied().unwrap_or(all));
    items.extend(next..all);
    items.sort_unstable();
    assert!(items.iter().copied().eq(0..all), "{items:?} of {sizes:?}");
    assert!(report.rest.error.is_none() || report.rest.next.is_some());
}

/// Sets the number back when it is dropped.
fn scopeguard(number: &Cell<u32>) -> impl Drop + '_ {
    struct Guard<'a>(&'a Cell<u32>);
    impl Drop for Guard<'_> {
        fn drop(&mut self) {
            self.0.set(0);
        }
    }
    Guard(number)
}

#[test]
fn no_item_of_any_page_is_lost() {
    Builder::new().runs(1_500).check(much);
}

#[test]
fn what_is_in_a_chunk_that_was_not_given_is_in_the_rest() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let (tx, rx) = queue::bounded(n(10));
        (0..5).for_each(|item| tx.try_send(item).unwrap());
        let body = |_: Lease<Vec<u64>>| ready(Ok::<_, ()>(()));
        let report = work(chunks(rx, n(3))).deadline_after(ms(10)).run(&scope, body, Count::new()).await;
        assert_eq!((report.count.done, report.not_started), (1, None));
        assert_eq!((report.rest.begun, report.rest.source.len()), (vec![3, 4], 0));
    });
}

#[test]
fn a_chunk_is_given_at_the_instant_at_which_it_has_waited_enough() {
    sim::check(|sim| async move {
        let (scope, time) = (Scope::new(sim.time()), sim.time());
        let (tx, rx) = queue::bounded(n(10));
        let producer = sim.spawn("producer", async move {
            for (n, wait) in [7, 20, 1, 1, 1, 30].into_iter().enumerate() {
                tx.send(n).await.unwrap();
                time.sleep(ms(wait)).await;
            }
        });
        let mut given = Vec::new();
        let (note, start) = (&RefCell::new(&mut given), sim.now());
        let body = |chunk: Lease<Vec<usize>>| {
            note.borrow_mut().push(((sim.now() - start).as_millis(), chunk.clone()));
            ready(Ok::<_, ()>(()))
        };
        work(chunks(rx, n(3)).max_wait(&sim.time(), ms(10))).run(&scope, body, Count::new()).await;
        producer.await;
        assert_eq!(given, [(10, vec![0, 1]), (29, vec![2, 3, 4]), (40, vec![5])]);
    });
}

#[test]
fn chunks_are_all_that_there_is_in_order_and_their_number_is_known() {
    for (items, size) in [(0_u64, 1), (1, 1), (5, 1), (5, 2), (6, 3), (7, 3), (2, 9), (3_000, 2_000)] {
        let mut source = chunks(0..items, n(size));
        let (mut left, mut next) = (source.remaining().unwrap(), 0);
        loop {
            match source.poll_pull(&mut Context::from_waker(Waker::noop())) {
                Poll::Pending => assert!(size > 1_000, "it lets others have a turn"),
                Poll::Ready(Some(chunk)) => {
                    left -= 1;
                    assert!(chunk.len() == size || left == 0);
                    assert!(chunk.iter().copied().eq(next..next + chunk.len() as u64));
                    next += chunk.len() as u64;
                }
                Poll::Ready(None) => break,
            }
            assert_eq!(source.remaining(), Some(left));
        }
        assert_eq!((left, next), (0, items));
    }
}

#[test]
fn the_most_urgent_is_first_and_what_comes_later_finds_its_place() {
    sim::check(|sim| async move {
        let (scope, time) = (Scope::new(sim.time()), sim.time());
        let (tx, rx) = queue::priority(n(10));
        for job in [(9, "letters"), (1, "fire"), (5, "tea"), (1, "flood")] {
            tx.try_send(job).unwrap();
        }
        sim.spawn("late", async move {
            time.sleep(ms(15)).await;
            tx.send((3, "burglar")).await.unwrap();
        });
        let body = |job: Lease<(u32, &'static str)>| async move {
            wakeful::sleep(ms(10)).await;
            Ok::<_, ()>(job.1)
        };
        let mut all = Collect::new();
        work(rx).run(&scope, body, &mut all).await;
        assert_eq!(all.into_results(), ["fire", "flood", "burglar", "tea", "letters"]);
    });
}

#[test]
fn a_panic_of_a_fetch_goes_through_the_run_that_pulled_or_looked_ahead() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        for (bad, when) in [(0, "made"), (0, "polled"), (1, "made"), (1, "polled")] {
            let time = sim.time();
            let fetch = move |page: u32| {
                assert!(page != bad || when != "made", "made");
                let sleep = time.sleep(ms(5));
                async move {
                    sleep.await;
                    assert!(page != bad || when != "polled", "polled");
                    Ok::<_, ()>(Page { items: [10_u64; 2], next: Some(page + 1) })
                }
            };
            let in_place = work(pages(0, fetch.clone())).run(&scope, body, Count::new());
            let panic = AssertUnwindSafe(in_place).catch_unwind().await.map(drop).unwrap_err();
            assert_eq!(panic.downcast_ref::<&str>(), Some(&when), "{bad}");
            let in_tasks = work(pages(0, fetch)).workers(n(3)).run_on(sim.spawner(), &scope, body, Count::new());
            let panic = AssertUnwindSafe(in_tasks).catch_unwind().await.map(drop).unwrap_err();
            assert_eq!(panic.downcast_ref::<&str>(), Some(&when), "{bad}, in tasks");
        }
    });
}

#[test]
fn a_fetch_that_never_ends_is_dropped_at_the_deadline_and_can_be_asked_for_again() {
    sim::check(|sim| async move {
        let (scope, held) = (Scope::new(sim.time()), Arc::new(()));
        for stuck in [0, 1] {
            let listing = || {
                let held = held.clone();
                pages(0, move |page| {
                    let held = held.clone();
                    async move {
                        if page == stuck {
                            pending::<()>().await;
                        }
                        drop(held);
                        Ok::<_, ()>(Page { items: [10_u64; 2], next: Some(page + 1) })
                    }
                })
            };
            let set = |source| work(source).workers(n(2)).deadline_after(ms(50));
            let in_place = set(listing()).run(&scope, body, Count::new()).await;
            let (in_tasks, _) = set(listing()).run_on(sim.spawner(), &scope, body, Count::new()).await;
            for report in [in_place, in_tasks] {
                assert_eq!((report.count.done, report.elapsed()), (2 * stuck, ms(50)));
                assert_eq!(
                    (report.stop, report.rest.next, report.rest.items.count()),
                    (Stop::OutOfTime, Some(stuck), 0)
                );
            }
            assert_eq!(Arc::strong_count(&held), 1, "it is dropped");
        }
    });
}

/// As `much`, in chunks, by workers that are tasks, now more and now fewer.
async fn much_in_tasks(sim: Sim) {
    let (scope, time) = (Scope::new(sim.time()), sim.time());
    let sizes: Arc<[u64]> = (0..sim.choose(6)).map(|_| sim.choose(5) as u64).collect();
    let first = |page: usize| sizes.iter().take(page).sum::<u64>();
    let all = first(sizes.len());
    let fetch = {
        let (sim, sizes) = (sim.clone(), sizes.clone());
        move |page: usize| {
            let (sleep, ends) = (sim.time().sleep(ms(sim.choose(20) as u64)), sim.choose(8));
            let (start, size) = (sizes.iter().take(page).sum::<u64>(), sizes.get(page).copied());
            let next = Some(page + 1).filter(|next| *next <= sizes.len());
            async move {
                sleep.await;
                if ends == 0 { Err("down") } else { Ok(Page { items: start..start + size.unwrap_or(0), next }) }
            }
        }
    };
    let listing = pages(0, fetch).fetch_at([0, 1, 3, usize::MAX][sim.choose(4)]);
    let (width, says) = watch::channel(n(1 + sim.choose(3)));
    let mut set = work(chunks(listing, n(1 + sim.choose(3)))).workers_follow(says);
    if sim.choose(2) == 0 {
        set = set.deadline_after(ms(sim.choose(60) as u64));
    }
    let resizer = sim.spawn("resizer", {
        let (sim, time) = (sim.clone(), time.clone());
        async move {
            for _ in 0..2 {
                time.sleep(ms(sim.choose(30) as u64)).await;
                width.send(n(1 + sim.choose(4))).ok();
            }
        }
    });
    let busy = {
        let sim = sim.clone();
        move |items: Lease<Vec<u64>>| {
            let sleep = sim.time().sleep(ms(sim.choose(12) as u64));
            async move { (sleep.await, Ok::<_, ()>(items.clone())).1 }
        }
    };
    let (report, seen) = set.run_on(sim.spawner(), &scope, busy, Collect::new()).await;
    resizer.await;
    let mut items: Vec<u64> = Vec::new();
    for ended in seen.into_vec() {
        items.extend(ended.outcome.clone().into_item().or_else(|| ended.outcome.done()).expect("it comes back"));
    }
    let rest = report.rest;
    items.extend(rest.begun);
    items.extend(rest.source.items);
    items.extend(rest.source.next.map_or(all, first)..all);
    items.sort_unstable();
    assert!(items.iter().copied().eq(0..all), "{items:?} of {sizes:?}");
    assert!(rest.source.error.is_none() || rest.source.next.is_some());
}

#[test]
fn no_item_of_any_page_is_lost_among_tasks() {
    Builder::new().runs(1_000).check(much_in_tasks);
}

#[test]
fn a_chunk_that_may_be_of_any_size_takes_no_more_room_than_what_is_in_it() {
    let mut source = chunks(0..usize::MAX, NonZeroUsize::MAX);
    assert_eq!(source.remaining(), Some(1));
    assert_eq!(source.poll_pull(&mut Context::from_waker(Waker::noop())), Poll::Pending);
    assert!(source.into_rest().begun.capacity() <= 2_048);
}
