use super::super::types::{Claim, Close, Entry, Excess, Existing, Gate, Rule};
use super::*;
use alloc::format;
use alloc::vec;
use core::num::NonZeroU32;
use core::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Of rows under all kinds of keys and gates, which end in all kinds of ways.
#[test]
fn nothing_is_left_of_what_is_forgotten() {
    let (mut ledger, mut now) = (Ledger::default(), Instant::EPOCH);
    let gate = |name: String, rule| Gate { name, rule, excess: Excess::Wait };
    for n in 0..200u64 {
        let key = match n % 3 {
            0 => String::new(),
            1 => format!("{}", n % 60),
            _ => Generation(n + 2).key_of("t"),
        };
        let mut gates = vec![
            gate(format!("{} at once", n % 7), Rule::AtMost(NonZeroU32::MIN)),
            gate(format!("{} by rate", n % 5), Rule::Rate { burst: NonZeroU32::MIN, every: 3 * SECOND }),
        ];
        gates.truncate(n as usize % 4);
        let entry = Entry { gates, keep: 5 * SECOND, existing: Existing::Replace, ..Entry::new("t", key, Value::Null) };
        ledger.put(entry, SECOND * (n as u32 % 4), now);
    }
    assert!(!ledger.keys.older.is_empty(), "some keys have had several rows");
    let claim = Claim { worker: "w".into(), names: vec!["t".into()], most: 10, lease: 2 * SECOND };
    let mut ends = [0; 5];
    while !ledger.is_finished(&claim.names) {
        now += SECOND;
        let (taken, _) = ledger.claim(&claim, now);
        for claimed in taken {
            let way = claimed.generation.0 as usize % 5;
            ends[way] += 1;
            let close = match way {
                0 => Close::Retry(SECOND, "no".into()),
                1 => Close::Back,
                2 => continue,
                3 => {
                    ledger.cancel(&claimed.key, SECOND, now);
                    continue;
                }
                _ => Close::End(Ending::TimedOut, None),
            };
            // Once each: at the next claim it ends.
            let close = if ends[way] % 2 == 0 { Close::End(Ending::TimedOut, None) } else { close };
            ledger.finish(&claimed.key, claimed.fence, close, Duration::ZERO, now);
        }
    }
    assert!(ends.iter().all(|ways| *ways > 10), "{ends:?}");
    assert!(ledger.gates.iter().all(|(_, gate)| gate.rows == 0 && gate.held == 0 && gate.waiting.is_empty()));
    ledger.advance(now + 60 * SECOND);
    let Ledger { rows, keys, names, future, leases, ended, awaited, gates, opens, .. } = &ledger;
    assert!(rows.pages.is_empty() && keys.all.is_empty() && keys.alike == 0, "{rows:?} {keys:?}");
    assert!(keys.older.is_empty(), "{keys:?}");
    assert!(names.iter().next().is_none() && gates.iter().next().is_none(), "{names:?} {gates:?}");
    assert!(future.is_empty() && leases.is_empty() && ended.is_empty() && awaited.is_empty() && opens.is_empty());
}
