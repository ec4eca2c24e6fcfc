//! What rows have that is more than a number or a text, as JSON.

use super::super::types::{Ending, Entry, Excess, Gate, Generation, Rule, StrikeId};
use super::tx::Fault;
use crate::docket::{Strike, Test};
use crate::time::nanos;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::num::NonZeroU32;
use core::time::Duration;
use serde_json::{Value, json};

/// What is there is not what was written.
fn broken(what: &str) -> Fault {
    Fault::text(alloc::format!("the file holds {what} that can't be read"))
}

pub(super) fn read(text: &str) -> Result<Value, Fault> {
    serde_json::from_str(text).map_err(|error| Fault::text(error.to_string()))
}

/// How deeply what is kept may be nested, at most: a little less than can be read again.
const DEEPEST: usize = 120;

fn is_flat(value: &Value, deepest: usize) -> bool {
    let flat = |inner: &Value| deepest.checked_sub(1).is_some_and(|left| is_flat(inner, left));
    match value {
        Value::Array(items) => items.iter().all(flat),
        Value::Object(fields) => fields.values().all(flat),
        _ => true,
    }
}

/// Of what can be read again.
pub(super) fn write(value: &Value) -> Result<String, Fault> {
    match is_flat(value, DEEPEST) {
        true => Ok(value.to_string()),
        false => Err(Fault::text(alloc::format!("nested more than {DEEPEST} deep, which is not kept"))),
    }
}

/// How a run ends that says what comes next, if that could not be read again.
pub(super) fn refused(next: &Entry) -> Option<Ending> {
    let why = || alloc::format!("what it runs next with is nested more than {DEEPEST} deep, which is not kept");
    (!is_flat(&next.args, DEEPEST)).then(|| Ending::Failed(why()))
}

pub(super) fn write_gates(gates: &[Gate]) -> Option<String> {
    let one = |gate: &Gate| {
        let (most, every) = match gate.rule {
            Rule::AtMost(most) => (most, None),
            Rule::Rate { burst, every } => (burst, Some(nanos(every))),
        };
        json!([gate.name, most.get(), every, gate.excess == Excess::Drop])
    };
    (!gates.is_empty()).then(|| Value::from_iter(gates.iter().map(one)).to_string())
}

pub(super) fn read_gates(text: &str) -> Result<Vec<Gate>, Fault> {
    let one = |gate: &Value| {
        let most = NonZeroU32::new(u32::try_from(gate[1].as_u64()?).ok()?)?;
        let rule = match gate[2].as_u64() {
            None => Rule::AtMost(most),
            Some(every) => Rule::Rate { burst: most, every: Duration::from_nanos(every) },
        };
        let excess = if gate[3].as_bool()? { Excess::Drop } else { Excess::Wait };
        Some(Gate { name: gate[0].as_str()?.into(), rule, excess })
    };
    let gates = read(text)?;
    gates.as_array().and_then(|gates| gates.iter().map(one).collect()).ok_or_else(|| broken("a limit"))
}

pub(super) fn write_ending(ending: &Ending) -> String {
    let (kind, of) = match ending {
        // Nothing but the end can be said of one that could not be read again.
        Ending::Done(output) if !is_flat(output, DEEPEST) => {
            ("failed", Value::from(alloc::format!("its output is nested more than {DEEPEST} deep, which is not kept")))
        }
        Ending::Done(output) => ("done", output.clone()),
        Ending::Failed(why) => ("failed", why.clone().into()),
        Ending::Panicked(why) => ("panicked", why.clone().into()),
        Ending::TimedOut => ("timed out", Value::Null),
        Ending::Cancelled => ("cancelled", Value::Null),
        Ending::Replaced(by) => ("replaced", by.0.into()),
        Ending::Struck(by) => ("struck", by.0.into()),
        Ending::Dropped(gate) => ("dropped", gate.clone().into()),
        Ending::Dead(deliveries) => ("dead", (*deliveries).into()),
    };
    json!([kind, of]).to_string()
}

pub(super) fn read_ending(text: &str) -> Result<Ending, Fault> {
    let mut ending = read(text)?;
    let of = ending.get_mut(1).map(Value::take).unwrap_or_default();
    let text = || of.as_str().map(String::from);
    let ending = match ending[0].as_str() {
        Some("done") => Some(Ending::Done(of.clone())),
        Some("failed") => text().map(Ending::Failed),
        Some("panicked") => text().map(Ending::Panicked),
        Some("timed out") => Some(Ending::TimedOut),
        Some("cancelled") => Some(Ending::Cancelled),
        Some("replaced") => of.as_u64().map(|by| Ending::Replaced(Generation(by))),
        Some("struck") => of.as_u64().map(|by| Ending::Struck(StrikeId(by))),
        Some("dropped") => text().map(Ending::Dropped),
        Some("dead") => of.as_u64().and_then(|of| u32::try_from(of).ok()).map(Ending::Dead),
        _ => None,
    };
    ending.ok_or_else(|| broken("an end"))
}

/// The field and its test.
pub(super) fn write_test(strike: &Strike) -> Result<Option<String>, Fault> {
    let Some((field, test)) = &strike.field else { return Ok(None) };
    let test = match test {
        Test::Eq(to) => json!([field, "==", to]),
        Test::Ne(to) => json!([field, "!=", to]),
        Test::Lt(to) => json!([field, "<", to]),
        Test::Le(to) => json!([field, "<=", to]),
        Test::Gt(to) => json!([field, ">", to]),
        Test::Ge(to) => json!([field, ">=", to]),
        Test::Between(low, high) => json!([field, "between", low, high]),
    };
    write(&test).map(Some)
}

pub(super) fn read_test(text: &str) -> Result<(String, Test), Fault> {
    let written = read(text)?;
    let to = || written[2].clone();
    let test = match written[1].as_str() {
        Some("==") => Test::Eq(to()),
        Some("!=") => Test::Ne(to()),
        Some("<") => Test::Lt(to()),
        Some("<=") => Test::Le(to()),
        Some(">") => Test::Gt(to()),
        Some(">=") => Test::Ge(to()),
        Some("between") => Test::Between(to(), written[3].clone()),
        _ => return Err(broken("a strike")),
    };
    written[0].as_str().map(|field| (field.into(), test)).ok_or_else(|| broken("a strike"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn what_is_written_is_read() {
        let rate = Rule::Rate { burst: NonZeroU32::MIN, every: Duration::from_nanos(7) };
        let gates = [
            Gate { name: "a \"b\"".into(), rule: Rule::AtMost(NonZeroU32::MAX), excess: Excess::Wait },
            Gate { name: String::new(), rule: rate, excess: Excess::Drop },
        ];
        assert_eq!(read_gates(&write_gates(&gates).unwrap()).unwrap(), gates);
        assert_eq!(write_gates(&[]), None);
        let endings = vec![
            Ending::Done(json!({ "a": [1.5, null] })),
            Ending::Failed("no".into()),
            Ending::Panicked(String::new()),
            Ending::TimedOut,
            Ending::Cancelled,
            Ending::Replaced(Generation(u64::MAX)),
            Ending::Struck(StrikeId(3)),
            Ending::Dropped("gate".into()),
            Ending::Dead(u32::MAX),
        ];
        for ending in endings {
            assert_eq!(read_ending(&write_ending(&ending)).unwrap(), ending);
        }
        let one = || Value::from(1);
        let tests = [
            Test::Eq(Value::Null),
            Test::Ne(one()),
            Test::Lt(one()),
            Test::Le(one()),
            Test::Gt(one()),
            Test::Ge(one()),
            Test::Between(one(), "z".into()),
        ];
        for test in tests {
            let strike = Strike::field("of", test);
            assert_eq!(read_test(&write_test(&strike).unwrap().unwrap()).ok(), strike.field);
        }
        assert_eq!(write_test(&Strike::task("t")).unwrap(), None);
    }

    #[test]
    fn what_somebody_else_wrote_is_refused() {
        for text in ["", "1", "[]", "[[]]", "[\"x\", 1]"] {
            assert!(read_gates(text).is_err() || text == "[]", "{text}");
            assert!(read_ending(text).is_err(), "{text}");
            assert!(read_test(text).is_err(), "{text}");
        }
    }
}
