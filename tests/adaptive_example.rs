//! The example of an adaptive limit, as a user runs it, and its numbers.

#[path = "../examples/adaptive/main.rs"]
#[expect(dead_code, reason = "`main` is called in the example's own binary alone")]
mod adaptive;

use adaptive::{Options, Point, run, story};
use std::time::Duration;

/// What was seen in a second: the last point of it, and all calls.
fn second(story: &[Point], n: usize) -> (Point, u32, u32) {
    let window = &story[10 * n..10 * (n + 1)];
    let answered = window.iter().map(|point| point.answered).sum();
    let refused = window.iter().map(|point| point.refused).sum();
    (window[9], answered, refused)
}

#[test]
fn the_limit_follows_what_the_service_can_take() {
    let story = story();
    // Second, workers, limit, in flight, longest round trip in milliseconds, answered, refused.
    for (n, workers, limit, in_flight, latency, answered, refused) in [
        (9, 20, 27, 27, Some(200), 200, 0),
        // Half of them are gone: as many calls are answered as those who are left can do, and soon no more wait than before.
        (10, 10, 25, 25, Some(300), 110, 0),
        (14, 10, 16, 16, Some(200), 100, 0),
        (19, 10, 16, 16, Some(200), 100, 0),
        // All are gone: one call at a time finds out.
        (20, 0, 1, 1, None, 0, 58),
        (24, 0, 1, 1, None, 0, 50),
        // They are back: after a second all of them have work.
        (25, 20, 26, 26, Some(200), 119, 3),
        (26, 20, 26, 26, Some(200), 200, 0),
        (34, 20, 27, 27, Some(200), 200, 0),
        // Few clients are left, who say nothing about the limit.
        (36, 20, 27, 4, Some(100), 40, 0),
        (39, 20, 27, 4, Some(100), 40, 0),
    ] {
        let latency = latency.map(Duration::from_millis);
        let (last, all, lost) = second(&story, n);
        let seen = (last.workers, last.limit, last.in_flight, last.latency, all, lost);
        assert_eq!(seen, (workers, limit, in_flight, latency, answered, refused), "second {n}");
    }
    // What was in flight when half of them went away may still be.
    let most = |from: usize, to: usize| story[from..to].iter().map(|point| point.in_flight).max().unwrap();
    assert_eq!((most(10, 100), most(150, 200), most(210, 250), most(260, 350)), (28, 16, 1, 28));
    let before = story.windows(2).filter(|pair| pair[1].in_flight > pair[1].limit.max(pair[0].limit));
    assert_eq!(before.count(), 0, "nobody is let in beyond the limit");
}

#[test]
fn the_example_prints_and_draws_the_same_each_time() {
    let dir = tempfile::tempdir().unwrap();
    let runs = ["first.svg", "second.svg"].map(|name| {
        let file = dir.path().join(name);
        let mut out = Vec::new();
        run(&Options { svg: Some(file.clone()) }, &mut out).unwrap();
        let said = String::from_utf8(out).unwrap().replace(name, "it");
        (said, std::fs::read_to_string(file).unwrap())
    });
    assert_eq!(runs[0], runs[1]);
    let (said, svg) = &runs[0];
    assert!(said.contains("\n 19.95 s       10     16         16   200 ms       100        0\n"), "{said}");
    let drawing = roxmltree::Document::parse(svg).unwrap();
    let texts: Vec<_> = drawing.descendants().filter_map(|node| node.text()).map(str::trim).collect();
    for name in ["workers of the service", "limit", "in flight", "longest round trip", "virtual time in seconds"] {
        assert!(texts.contains(&name), "{name}");
    }
    assert!(drawing.descendants().filter(|node| node.has_tag_name("polyline")).count() >= 4, "four curves");
}
