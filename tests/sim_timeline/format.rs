//! What the Trace Event Format asks of a file (Google, 2016), as far as ours makes use of it; viewers drop without a word what
//! does not keep to it.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) fn events(json: &Value) -> &Vec<Value> {
    json["traceEvents"].as_array().expect("the events are a list")
}

/// A time of the format, which is in microseconds.
pub(crate) fn nanos(value: &Value) -> u64 {
    (value.as_f64().unwrap_or_else(|| panic!("{value} is no number")) * 1_000.0).round() as u64
}

fn whole(event: &Value, key: &str) -> u64 {
    event[key].as_u64().unwrap_or_else(|| panic!("no whole number is {key} of {event}"))
}

/// Fails unless all of it keeps to the rules.
pub(crate) fn holds(json: &Value) {
    assert!(["ms", "ns"].map(Value::from).contains(&json["displayTimeUnit"]) && json["otherData"].is_object());
    let mut processes = BTreeSet::new();
    let mut threads = BTreeMap::new();
    let mut slices = BTreeMap::<u64, Vec<(u64, u64)>>::new();
    let mut flows = BTreeMap::<u64, (Vec<&Value>, Vec<&Value>)>::new();
    for event in events(json) {
        let (pid, name) = (whole(event, "pid"), event["name"].as_str().unwrap_or_else(|| panic!("no name: {event}")));
        let phase = event["ph"].as_str().unwrap_or_else(|| panic!("no phase: {event}"));
        if phase == "M" {
            match name {
                "process_name" => assert!(processes.insert(pid), "named twice: {event}"),
                "thread_name" => assert_eq!(threads.insert(whole(event, "tid"), pid), None, "of two names: {event}"),
                "thread_sort_index" => assert!(event["args"]["sort_index"].is_i64(), "{event}"),
                _ => panic!("no viewer knows {event}"),
            }
            assert!(name.ends_with("_index") || event["args"]["name"].is_string(), "{event}");
            continue;
        }
        let (tid, ts) = (whole(event, "tid"), nanos(&event["ts"]));
        assert_eq!(threads.get(&tid), Some(&pid), "its thread has no name, or is of another process: {event}");
        assert!(
            (event["cat"] == "note" || !name.is_empty()) && event["cat"].as_str().is_some_and(|cat| !cat.is_empty()),
            "{event}"
        );
        match phase {
            "X" => {
                let args = event["args"].as_object().unwrap_or_else(|| panic!("no arguments: {event}"));
                assert!(args.values().all(Value::is_string), "{event}");
                slices.entry(tid).or_default().push((ts, ts + nanos(&event["dur"])));
            }
            "i" => assert!(["g", "p", "t"].map(Value::from).contains(&event["s"]), "no scope: {event}"),
            "s" => flows.entry(whole(event, "id")).or_default().0.push(event),
            "f" => flows.entry(whole(event, "id")).or_default().1.push(event),
            _ => panic!("no viewer knows {event}"),
        }
    }
    assert!(threads.values().all(|pid| processes.contains(pid)), "a process without a name");

    // Slices of one thread either follow each other or lie within each other. Of ours, all follow each other.
    for (tid, slices) in &mut slices {
        slices.sort_unstable();
        assert!(slices.iter().all(|(from, to)| from < to), "of thread {tid}, one takes no time");
        let overlap = slices.windows(2).find(|pair| pair[0].1 > pair[1].0);
        assert_eq!(overlap, None, "of thread {tid}");
    }

    // Both ends of an arrow are bound to the slices around them; one that has none is not drawn.
    let bound = |event: &Value| {
        let (slices, ts) = (slices.get(&whole(event, "tid")), nanos(&event["ts"]));
        slices.is_some_and(|slices| slices.iter().any(|&(from, to)| (from..=to).contains(&ts)))
    };
    for (id, (starts, finishes)) in flows {
        let ([start], [finish]) = (&starts[..], &finishes[..]) else { panic!("flow {id}: {starts:?} {finishes:?}") };
        assert_eq!(
            (&start["name"], &start["cat"]),
            (&finish["name"], &finish["cat"]),
            "what joins them besides the id"
        );
        assert_eq!(finish["bp"], "e", "else it would lead to the next slice: {finish}");
        assert!(nanos(&start["ts"]) <= nanos(&finish["ts"]), "{start} {finish}");
        assert!(bound(start) && bound(finish), "{start} {finish}");
    }
}
