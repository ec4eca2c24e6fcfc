//! The pictures of a run: as text, as SVG and for trace viewers.
//!
//! The exact output for one run lies in `sim_timeline/`. `WAKEFUL_BLESS=1 cargo test --test sim_timeline` writes it anew; look at
//! the SVG before you keep it.

#[path = "sim_timeline/format.rs"]
mod format;
#[path = "sim_timeline/story.rs"]
mod story;

use format::{events, nanos};
use serde_json::Value;
use std::collections::BTreeSet;
use std::future::poll_fn;
use std::num::NonZeroU8;
use std::path::Path;
use std::pin::{Pin, pin};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::Poll;
use std::time::Duration;
use story::story;
use wakeful::sim::trace::{Event, Trace, What};
use wakeful::sim::{self, Builder, Failure, FailureKind, Faults, Report, Sim};

const SECOND: Duration = Duration::from_secs(1);

fn recorded<T>(outcome: Result<Report<T>, Failure>) -> Trace {
    match outcome {
        Ok(report) => report.trace.unwrap(),
        Err(failure) => failure.trace().unwrap().clone(),
    }
}

fn tracing() -> Builder {
    Builder::new().trace(Trace::EVENTS).bytes([])
}

/// Compares with a file of this test's folder.
fn golden(name: &str, is: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sim_timeline").join(name);
    if std::env::var_os("WAKEFUL_BLESS").is_some() {
        std::fs::write(&path, is).unwrap();
    }
    let wanted = std::fs::read_to_string(&path).unwrap();
    if let Some((n, (is, wanted))) = is.lines().zip(wanted.lines()).enumerate().find(|(_, (is, wanted))| is != wanted) {
        panic!("{name}:{}: it is\n{is}\nand should be\n{wanted}", n + 1);
    }
    assert_eq!(is, wanted);
}

/// What viewers are given, of which it is certain that they can read it.
fn json(trace: &Trace) -> Value {
    let json = serde_json::from_str(&trace.to_chrome()).unwrap();
    format::holds(&json);
    json
}

#[test]
fn each_format_of_one_run_is_as_it_was() {
    let trace = recorded(tracing().run(story));
    assert_eq!(trace.failure().unwrap().0, FailureKind::Deadlock);
    golden("story.txt", &format!("{trace}\n"));
    golden("story.svg", &trace.to_svg());
    golden("story.json", &trace.to_chrome());
}

/// Names and notes as nobody should choose them.
const HOSTILE: [&str; 6] = [
    "<script>alert(\"1\")</script>",
    "]]> -->&amp;&#0; '",
    "two\nlines\r\twith \\ and \u{1b}[2J",
    "nul \u{0} \u{ffff} \u{202e}turned\u{2028}",
    "",
    "😀 a name that is longer than any column could be, by far, and then some more",
];

async fn hostile(sim: Sim) {
    for name in HOSTILE {
        let other = sim.clone();
        let task = sim.spawn(name, async move { other.note(name) });
        task.await;
    }
    let last = sim.spawn(HOSTILE[0], async move { panic!("{}", HOSTILE[3]) });
    last.await
}

#[test]
fn hostile_names_leave_each_format_well_formed() {
    let trace = recorded(tracing().run(hostile));
    let svg = trace.to_svg();
    let document = roxmltree::Document::parse(&svg).unwrap();
    let names = ["svg", "style", "rect", "text", "title", "g", "path", "circle"];
    let strange = document.descendants().find(|node| node.is_element() && !names.contains(&node.tag_name().name()));
    assert!(strange.is_none(), "{strange:?}");
    let said: String = document.descendants().filter_map(|node| node.text()).collect();
    for part in ["<script>alert(\"1\")</script>", "]]> -->&amp;&#0; '", "two\\nlines\\u{d}", "\\u{202e}turned"] {
        assert!(said.contains(part), "{part}");
    }
    assert!(
        !svg.contains("http:") || svg.matches("http:").count() == 1,
        "nothing from outside but the name of the format"
    );

    let json = json(&trace);
    let noted = |text: &&str| events(&json).iter().any(|event| event["cat"] == "note" && event["name"] == **text);
    assert_eq!(HOSTILE.iter().filter(|text| noted(text)).count(), HOSTILE.len());

    let text = trace.to_string();
    assert!(text.lines().all(|line| line.chars().count() <= 100 && !line.contains(char::is_control)), "{text}");
    assert!(text.contains("two\\nlines\\u{d}"), "{text}");
}

/// As many tasks as asked for, each with a few polls; the last one fails.
async fn crowd(sim: Sim, tasks: u64) {
    let mut all = Vec::new();
    for n in 0..tasks {
        let other = sim.clone();
        all.push(sim.spawn(format!("task {n}"), async move {
            for k in 0..4 {
                other.time().sleep(Duration::from_millis(n * k % 7)).await;
                other.yield_now().await;
            }
            assert!(n + 1 < tasks, "the last fails");
        }));
    }
    for task in all {
        task.await;
    }
}

#[test]
fn a_text_has_at_most_thirty_lines_of_a_hundred_columns() {
    for tasks in [1, 3, 12, 40, 300] {
        for seed in 0..10 {
            let builder = Builder::new().trace(Trace::EVENTS).seed(seed);
            let trace = recorded(builder.run(|sim| crowd(sim, tasks)));
            let text = trace.to_string();
            let wide = text.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(text.lines().count() <= 30 && wide <= 100, "{text}");
            let last = text.lines().last().unwrap();
            assert!(last.contains('x') && last.ends_with("panics: the last fails"), "{text}");
        }
    }
    let nothing = recorded(Builder::new().trace(1).run(|_| async {}));
    assert!(nothing.to_string().starts_with("the end of the run, 0 of 1 polls"), "{nothing}");
}

#[test]
fn a_text_shows_the_last_poll_of_those_that_are_stuck_long_since() {
    let body = async |sim: Sim| {
        let _stuck = sim.spawn("stuck", sim.time().sleep(SECOND));
        sim.idle().await;
        for n in 0..100 {
            sim.spawn(format!("short {n}"), async {}).await;
        }
    };
    let leak = Builder::new().trace(Trace::EVENTS).run(body).unwrap_err();
    let text = leak.trace().unwrap().to_string();
    assert!(text.lines().count() <= 30 && text.contains("stuck: waits for sleep until 1s"), "{text}");
    assert!(text.contains(" polls ..."), "{text}");
    let last = text.lines().last().unwrap();
    assert!(last.contains('X') && last.contains("leak: the root is done"), "{text}");
    assert!(leak.to_string().contains(&text), "the report holds it");

    let many = async |sim: Sim| {
        for n in 0..40 {
            if n < 8 {
                drop(sim.spawn(format!("stuck {n}"), sim.time().sleep(SECOND)));
            }
            sim.spawn(format!("short {n}"), async {}).await;
        }
    };
    let text = recorded(tracing().run(many)).to_string();
    assert!(text.lines().count() == 29 && text.matches(" polls ...").count() == 4, "{text}");

    let spins = Builder::new().trace(Trace::EVENTS).max_steps(500).run(async |sim: Sim| {
        loop {
            sim.yield_now().await;
        }
    });
    let text = recorded(spins.map(|report: Report<()>| report)).to_string();
    assert!(text.contains("root: yields, after 499 polls that did the same"), "{text}");
}

/// Does what it draws: all that a recording can hold, in any order.
fn anything(sim: Sim, depth: u32) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        let mut rng = sim.rng();
        let (mut tasks, mut span) = (Vec::new(), None);
        for n in 0..rng.below(8) {
            let child = (depth > 0).then(|| anything(sim.clone(), depth.saturating_sub(1)));
            match (rng.below(11), child) {
                (0, _) => sim.time().sleep(Duration::from_nanos(1 << rng.below(40))).await,
                (1, _) => sim.yield_now().await,
                (2, _) => sim.note(format_args!("note {n} <&>\n")),
                (3, _) => span = Some(sim.span("a stretch")),
                (4, _) => drop(span.take()),
                (5, _) => sim.idle().await,
                (6, _) => sim.jump(Duration::from_millis(rng.below(3) as u64)).await,
                (7, _) => drop(sim.choose(1 + rng.below(3))),
                (8, _) => drop(sim.cancel_at_each(sim.time().sleep(Duration::from_millis(1))).await),
                (9, _) if rng.below(20) == 0 => panic!("so be it"),
                (10, Some(child)) => tasks.push(sim.node(["left", "right"][rng.below(2)]).spawn("", child)),
                (_, Some(child)) => tasks.push(sim.spawn(n.to_string(), child)),
                _ => {}
            }
        }
        for task in tasks.into_iter().skip(rng.below(2)) {
            task.await;
        }
    })
}

#[test]
fn whatever_happens_and_wherever_the_recording_begins_each_format_is_well_formed() {
    let mut kinds = BTreeSet::new();
    for seed in 0..300 {
        let events = [1, 2, 5, 20, 100, Trace::EVENTS][seed as usize % 6];
        let builder =
            Builder::new().seed(seed).trace(events).spurious(seed as u8 % 5).max_steps([400, 15][seed as usize % 2]);
        let trace = recorded(builder.run(|sim| anything(sim, 3)));
        kinds.insert(trace.failure().map(|(kind, _)| kind.to_string()));
        let text = trace.to_string();
        assert!(text.lines().count() <= 30 && text.lines().all(|line| line.chars().count() <= 100), "{seed}: {text}");
        assert!(roxmltree::Document::parse(&trace.to_svg()).is_ok(), "{seed}");
        json(&trace);
    }
    assert!(kinds.len() > 3, "{kinds:?}");
}

/// Numbers of an attribute of all elements of this name.
fn numbers(document: &roxmltree::Document<'_>, element: &str, attribute: &str) -> Vec<f32> {
    let named = document.descendants().filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", element)));
    named.filter_map(|node| node.attribute(attribute)?.parse().ok()).collect()
}

#[test]
fn a_picture_stays_within_its_frame_with_three_tasks_and_with_three_hundred() {
    for tasks in [1, 3, 40, 300] {
        let trace = recorded(Builder::new().seed(1).trace(Trace::EVENTS).run(|sim| crowd(sim, tasks)));
        let svg = trace.to_svg();
        let document = roxmltree::Document::parse(&svg).unwrap();
        let size = |name| document.root_element().attribute(name).unwrap().parse::<f32>().unwrap();
        let (width, height) = (size("width"), size("height"));
        assert!(width <= 3_000.0 && height <= 200.0 * 41.0 + 200.0, "{width} {height}");
        for (element, attribute, most) in
            [("text", "x", width), ("rect", "x", width), ("text", "y", height), ("rect", "y", height)]
        {
            let out = numbers(&document, element, attribute).into_iter().find(|&at| at < -9.0 || at > most);
            assert_eq!(out, None, "{element} {attribute}");
        }
        let lanes = svg.matches("class=\"life\"").count() as u64;
        assert_eq!(lanes, (tasks + 1).min(200));
        assert_eq!(svg.contains("tasks are not shown"), tasks > 199);
        assert!(svg.contains("Panic at ") && svg.contains("the last fails"));
    }
}

#[test]
fn a_long_run_is_drawn_from_its_end_and_says_so() {
    let body = async |sim: Sim| {
        for _ in 0..5_000 {
            sim.time().sleep(SECOND).await;
        }
    };
    let trace = recorded(tracing().run(body));
    let svg = trace.to_svg();
    let shown = svg.matches("class=\"poll\"").count() - 1;
    assert!(
        (100..1_000).contains(&shown) && svg.contains(&format!("; the last {} polls are shown", shown + 1)),
        "{shown}"
    );
    assert!(svg.contains(">5000s<"), "the last instant is there");
    assert!(svg.len() < 1 << 20, "{}", svg.len());
}

#[test]
fn slices_for_viewers_keep_order_meet_instants_and_are_joined_by_arrows() {
    let trace = recorded(Builder::new().seed(2).trace(Trace::EVENTS).run(|sim| crowd(sim, 5)));
    let json = json(&trace);
    let slices: Vec<&Value> = events(&json).iter().filter(|event| event["ph"] == "X").collect();
    let polls: Vec<&&Value> = slices.iter().filter(|slice| slice["cat"] == "poll").collect();
    assert_eq!(polls.len() as u64, trace.end().poll);
    let instants = ["0s", "1ms", "2ms", "3ms", "4ms"];
    for (n, instant) in instants.iter().enumerate() {
        let of = |poll: &&&&Value| poll["args"]["at"] == *instant;
        let first = polls.iter().find(of).map(|poll| nanos(&poll["ts"]));
        assert!(
            first.is_none_or(|ts| ts >= n as u64 * 1_000_000 && ts < n as u64 * 1_000_000 + 500_000),
            "{instant} {first:?}"
        );
    }
    let woken = events(&json).iter().filter(|event| event["ph"] == "f" && event["cat"] == "wake");
    let to: BTreeSet<(u64, u64)> = woken.map(|end| (end["tid"].as_u64().unwrap(), nanos(&end["ts"]))).collect();
    let later = polls.iter().filter(|poll| poll["args"]["at"] != "0s");
    assert!(
        later.clone().count() > 10
            && later.clone().all(|poll| to.contains(&(poll["tid"].as_u64().unwrap(), nanos(&poll["ts"]) + 1)))
    );
    let failure: Vec<&Value> = events(&json).iter().filter(|event| event["cat"] == "failure").collect();
    assert!(failure.len() == 1 && failure[0]["name"].as_str().unwrap().contains("the last fails"));
}

#[test]
fn polls_that_crowd_between_two_instants_push_later_ones_on_and_never_back() {
    let body = async |sim: Sim| {
        for _ in 0..50 {
            sim.yield_now().await;
        }
        sim.time().sleep(Duration::from_nanos(100)).await;
        sim.time().sleep(SECOND).await;
    };
    let json = json(&recorded(tracing().run(body)));
    let starts: Vec<f64> = events(&json)
        .iter()
        .filter(|event| event["cat"] == "poll")
        .map(|event| event["ts"].as_f64().unwrap())
        .collect();
    assert!(starts.is_sorted_by(|a, b| a < b), "{starts:?}");
    let last = events(&json).iter().find(|event| event["args"]["at"] == "1.0000001s").unwrap();
    assert_eq!((starts[0], last["ts"].as_f64()), (0.0, Some(1_000_000.1)));
}

#[test]
fn nodes_are_processes_and_faults_are_told() {
    let always = Faults::new().enabled_one_in(NonZeroU8::MIN).fires_one_in(NonZeroU8::MIN);
    let trace = recorded(tracing().faults(always).run(async |sim: Sim| {
        let tasks = ["db", "web"].map(|name| {
            let node = sim.node(name);
            node.spawn("serve", async { assert!(wakeful::buggify!("the disk <fails>")) })
        });
        for task in tasks {
            task.await;
        }
    }));
    let json = json(&trace);
    let pid = |ph: &str, name: &str| {
        let named = |event: &&Value| event["ph"] == ph && (event["args"]["name"] == name || event["name"] == name);
        events(&json).iter().find(named).and_then(|event| event["pid"].as_u64())
    };
    assert_eq!((pid("M", "simulation"), pid("M", "db"), pid("M", "web")), (Some(1), Some(2), Some(3)));
    assert_eq!((pid("M", "root"), pid("M", "serve [1]")), (Some(1), Some(3)));
    assert_eq!(pid("i", "fault: the disk <fails>"), Some(2));
    let svg = trace.to_svg();
    assert!(svg.contains(">web/serve<") && svg.contains("fault: the disk &lt;fails&gt;"), "{svg}");
    let text = trace.to_string();
    assert!(text.contains("db/serve: meets a fault, \"the disk <fails>\"; wakes root; is done"), "{text}");
    let told = |event: &&Event| matches!(event.what, What::Fault { task: Some(_), text: "the disk <fails>", .. });
    assert_eq!(trace.events().iter().filter(told).count(), 2);
}

#[test]
fn polls_that_look_for_lost_wake_ups_are_told_and_what_comes_after_the_end_is_not() {
    let lost = async |sim: Sim| {
        let (time, flag) = (sim.time(), Arc::new(AtomicBool::new(false)));
        let set = flag.clone();
        let waits = sim.spawn("waits", async move {
            let mut late = pin!(time.sleep(2 * SECOND));
            poll_fn(|cx| match flag.load(Relaxed) {
                true => Poll::Ready(()),
                false => late.as_mut().poll(cx),
            })
            .await;
        });
        sim.time().sleep(SECOND).await;
        set.store(true, Relaxed);
        waits.await;
    };
    let probed = tracing().probe(true).run(lost).unwrap_err();
    assert_eq!(probed.kind(), FailureKind::LostWakeup);
    let text = probed.trace().unwrap().to_string();
    assert!(text.contains("waits: is polled though nobody woke it; wakes root; is done"), "{text}");

    let stuck = tracing().run(story).unwrap_err();
    let trace = stuck.trace().unwrap();
    let polls = trace.events().iter().filter(|event| matches!(event.what, What::Polled { .. })).count() as u64;
    assert_eq!((polls, trace.end().poll), (stuck.steps(), stuck.steps()));
}

#[test]
fn many_runs_record_the_last_or_the_one_that_failed() {
    let body = async |sim: Sim| {
        let one = sim.spawn("one", async {});
        sim.yield_now().await;
        one.await;
    };
    assert_eq!(Builder::new().explore(body).unwrap().trace, None);
    let summary = Builder::new().trace(100).explore(body).unwrap();
    assert!(summary.trace.unwrap().failure().is_none());
    let all = Builder::new().strategy(sim::Strategy::Exhaustive).trace(100).explore(body).unwrap();
    assert_eq!(all.trace.unwrap().tasks().len(), 2);

    let failure = Builder::new().explore(story).unwrap_err();
    let trace = failure.trace().unwrap();
    assert_eq!((trace.failure(), trace.replay()), (Some((failure.kind(), failure.message())), failure.replay()));
    assert!(failure.to_string().contains(&trace.to_string()));
    let kept = Builder::new().trace(5).explore(story).unwrap_err();
    assert_eq!(
        kept.trace().unwrap().events().len(),
        Trace::EVENTS.min(trace.events().len()),
        "no less than by default"
    );
}

/// Set in the processes that this test starts: which of the runs below they make.
const PLANTED: &str = "WAKEFUL_TEST_PLANTED";

#[test]
fn planted() {
    let passes = async |sim: Sim| sim.note("it passes");
    match std::env::var(PLANTED).as_deref() {
        Ok("run") => sim::run(passes),
        Ok("check") => sim::check(passes),
        Ok("builder") => drop(Builder::new().run(passes)),
        Ok("fails") => {
            let failed = std::panic::catch_unwind(|| sim::check(story));
            sim::run(passes);
            assert!(failed.is_ok(), "a failure outweighs the run after it");
        }
        _ => {}
    }
}

/// Runs [`planted`] in a process of its own; gives what it wrote.
fn write(planted: &str, file: &Path) -> (Output, Option<String>) {
    let mut test = Command::new(std::env::current_exe().expect("a test knows its own path"));
    test.args(["--exact", "planted", "--nocapture"]).env("RUST_BACKTRACE", "0");
    test.env_remove("WAKEFUL_SIM").env_remove("WAKEFUL_SIM_RUNS");
    let output = test.env(PLANTED, planted).env("WAKEFUL_SIM_TRACE", file).output().expect("the test starts");
    (output, std::fs::read_to_string(file).ok())
}

#[test]
fn the_environment_has_the_last_run_or_the_one_that_failed_written() {
    let dir = tempfile::tempdir().unwrap();
    for planted in ["run", "check", "builder"] {
        let (output, svg) = write(planted, &dir.path().join(format!("{planted}.svg")));
        let svg = svg.unwrap_or_else(|| panic!("{output:?}"));
        assert!(output.status.success() && svg.contains(">it passes<") && roxmltree::Document::parse(&svg).is_ok());
    }
    let (output, json) = write("fails", &dir.path().join("fails.json"));
    let json: Value = serde_json::from_str(&json.unwrap()).unwrap();
    assert!(!output.status.success());
    assert!(json["otherData"]["outcome"].as_str().unwrap().starts_with("deadlock: "), "{json}");
    assert!(json["otherData"]["replay"].as_str().unwrap().starts_with("WAKEFUL_SIM="));
    for (file, message) in [("run.png", "should end in .svg or .json"), ("no/such/folder.svg", "can't be written")] {
        let (output, written) = write("run", &dir.path().join(file));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && written.is_none() && said.contains(message), "{said}");
        assert!(said.contains("WAKEFUL_SIM_TRACE="), "{said}");
    }
}
