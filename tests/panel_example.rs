//! The panel in the terminal: exact screens in virtual time.

#[path = "../examples/panel/main.rs"]
#[expect(dead_code, reason = "`main`, and what listens to a keyboard, is called in the example's own binary alone")]
mod panel;

use futures::future::join;
use panel::batch::{Batch, Options};
use panel::screen::draw;
use panel::{Wish, watch};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use std::cell::RefCell;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;
use wakeful::queue;
use wakeful::sim::{self, Sim};
use wakeful::work::Count;

const MS: Duration = Duration::from_millis(1);

fn options(items: u64) -> Options {
    let count = |n| NonZeroUsize::new(n).unwrap();
    Options { items, workers: count(4), queue: count(8), rate: NonZeroU32::new(20).unwrap(), deadline: 60_000 * MS }
}

/// What is on the screen, line by line.
fn lines(terminal: &Terminal<TestBackend>) -> Vec<String> {
    let text = terminal.backend().to_string();
    text.lines().map(|line| line.trim_matches('"').trim_end().to_owned()).collect()
}

/// The screen of so many columns and rows a moment after `wish` was made at an instant, and in the end; and what came of it all.
async fn screens(
    sim: &Sim,
    size: (u16, u16),
    options: Options,
    after: Duration,
    wish: Wish,
) -> (Vec<String>, Vec<String>, Count) {
    let (time, (wishes, wanted)) = (sim.time(), queue::unbounded());
    let batch = Batch::start(sim.spawner(), &time, options);
    let terminal = RefCell::new(Terminal::new(TestBackend::new(size.0, size.1)).unwrap());
    let watched = watch(&batch, &time, &wanted, |now, rates| {
        terminal.borrow_mut().draw(|frame| draw(frame, now, rates)).map(drop)
    });
    let wishing = async {
        time.sleep(after).await;
        wishes.send(wish).await.unwrap();
        time.sleep(MS).await;
        lines(&terminal.borrow())
    };
    let (count, shown) = join(watched, wishing).await;
    (shown, lines(&terminal.borrow()), count.unwrap())
}

#[test]
fn the_screen_is_exact_in_virtual_time() {
    sim::run(|sim| async move {
        let (shown, last, count) = screens(&sim, (60, 14), options(100), 2_050 * MS, Wish::Look).await;
        assert_eq!(
            shown,
            [
                "batch: 36 of 100 ended",
                "items     ███████████······················ 36/100",
                "workers   █████████████████████████████████ 4 of 4 busy",
                "queue     █████████████████████████████████ 8 of 8",
                "limit     █████████████████████████████···· 18 of 20 left",
                "deadline  ███████████████████████████████·· 57.9 s left",
                "┌ended: 17/s───────────────────────────────────────────────┐",
                "│    █             █                                       │",
                "│███ █ █ █ █  ██████                                       │",
                "│███████████████████                                       │",
                "└──────────────────────────────────────────────────────────┘",
                "33 done        2 failed       0 panicked     1 timed out",
                "0 cancelled    0 skipped",
                "q: stop   +/-: workers",
            ]
        );
        assert_eq!(last[0], "batch: 100 of 100 ended");
        assert_eq!(last[2], "workers   ································· 0 of 4 busy");
        assert_eq!(last[11], "92 done        4 failed       2 panicked     2 timed out");
        assert_eq!((count.done, count.total()), (92, 100));
        assert_eq!(sim.now().as_nanos(), 5_450_000_000);
    });
}

#[test]
fn a_narrow_terminal_has_short_bars_and_loses_no_number() {
    sim::run(|sim| async move {
        let (shown, _, count) = screens(&sim, (30, 12), options(100), 2_050 * MS, Wish::Hire(2)).await;
        assert_eq!(
            shown,
            [
                "batch: 36 of 100 ended",
                "items     █·· 36/100",
                "workers   ██· 4 of 6 busy",
                "queue     ███ 8 of 8",
                "limit     ██· 18 of 20 left",
                "deadline  ██· 57.9 s left",
                "┌ended: 17/s─────────────────┐",
                "└────────────────────────────┘",
                "33 done        2 failed",
                "0 panicked     1 timed out",
                "0 cancelled    0 skipped",
                "q: stop   +/-: workers",
            ]
        );
        assert_eq!(count.total(), 100);
        // Smaller still, and nothing panics.
        for size in [(1, 1), (10, 3), (200, 2)] {
            screens(&sim, size, options(4), MS, Wish::Hire(-9)).await;
        }
    });
}

#[test]
fn who_stops_it_sees_what_was_cancelled_and_skipped() {
    sim::run(|sim| async move {
        let (shown, last, count) = screens(&sim, (60, 14), options(100), 2_050 * MS, Wish::Stop).await;
        assert_eq!(shown[2], "workers   ································· 0 of 4 busy");
        assert_eq!(
            shown[11..13],
            ["33 done        2 failed       0 panicked     1 timed out", "4 cancelled    8 skipped"]
        );
        assert_eq!((last, count.total()), (shown, 48));
        assert_eq!(sim.now().as_nanos(), 2_051_000_000);
    });
}

#[test]
fn at_the_deadline_the_rest_is_cut_short() {
    sim::run(|sim| async move {
        let options = Options { deadline: 1_000 * MS, ..options(100) };
        let (_, last, count) = screens(&sim, (60, 14), options, 500 * MS, Wish::Look).await;
        assert_eq!(last[5], "deadline  ································· 0.0 s left");
        assert_eq!((count.cancelled, sim.now().as_nanos()), (4, 1_000_000_000));
    });
}
