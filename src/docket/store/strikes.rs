//! Strikes, found by what they test: those that ask for one number or text are not looked at one by one.

use super::types::StrikeId;
use crate::docket::strike::whole;
use crate::docket::{Strike, Test};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use serde_json::{Number, Value};

/// All strikes, each of them in `all` and in one place of a group.
#[derive(Debug, Default)]
pub(super) struct Strikes {
    all: BTreeMap<StrikeId, Strike>,
    /// Those of tasks of all names.
    any: Group,
    named: BTreeMap<String, Group>,
}

/// The strikes of one name.
#[derive(Debug, Default)]
struct Group {
    whole: BTreeSet<StrikeId>,
    fields: BTreeMap<String, Field>,
}

/// The strikes of one field.
#[derive(Debug, Default)]
struct Field {
    numbers: BTreeMap<Exact, BTreeSet<StrikeId>>,
    texts: BTreeMap<String, BTreeSet<StrikeId>>,
    others: BTreeSet<StrikeId>,
}

/// A number by its value: whole ones are one, however they are written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Exact {
    Whole(i128),
    Bits(u64),
}

impl Exact {
    fn of(number: &Number) -> Option<Self> {
        if let Some(whole) = whole(number) {
            return Some(Self::Whole(whole));
        }
        let float = number.as_f64()?;
        // The cast stays at the ends where it would be outside: what it gives there is another number.
        let whole = float as i128;
        Some(if whole as f64 == float { Self::Whole(whole) } else { Self::Bits(float.to_bits()) })
    }
}

/// Where a strike is in its group.
enum Place<'a> {
    Whole,
    Number(&'a str, Exact),
    Text(&'a str, &'a str),
    Other(&'a str),
}

impl Place<'_> {
    fn of(strike: &Strike) -> Place<'_> {
        match &strike.field {
            None => Place::Whole,
            Some((field, Test::Eq(Value::String(text)))) => Place::Text(field, text),
            Some((field, Test::Eq(Value::Number(number)))) => match Exact::of(number) {
                Some(exact) => Place::Number(field, exact),
                None => Place::Other(field),
            },
            Some((field, _)) => Place::Other(field),
        }
    }
}

impl Group {
    fn insert(&mut self, strike: &Strike, id: StrikeId) {
        let place = match Place::of(strike) {
            Place::Whole => &mut self.whole,
            Place::Number(field, exact) => {
                self.fields.entry(field.into()).or_default().numbers.entry(exact).or_default()
            }
            Place::Text(field, text) => {
                self.fields.entry(field.into()).or_default().texts.entry(text.into()).or_default()
            }
            Place::Other(field) => &mut self.fields.entry(field.into()).or_default().others,
        };
        place.insert(id);
    }

    fn remove(&mut self, strike: &Strike, id: StrikeId) {
        let (Place::Number(field, _) | Place::Text(field, _) | Place::Other(field)) = Place::of(strike) else {
            self.whole.remove(&id);
            return;
        };
        let Some(of) = self.fields.get_mut(field) else { return };
        match Place::of(strike) {
            Place::Number(_, exact) => drop_from(&mut of.numbers, &exact, id),
            Place::Text(_, text) => drop_from(&mut of.texts, text, id),
            Place::Whole | Place::Other(_) => {
                of.others.remove(&id);
            }
        }
        if of.numbers.is_empty() && of.texts.is_empty() && of.others.is_empty() {
            self.fields.remove(field);
        }
    }

    /// The first that matches these arguments.
    fn first(&self, all: &BTreeMap<StrikeId, Strike>, name: &str, args: &Value) -> Option<StrikeId> {
        let of_field = |(field, of): (&String, &Field)| {
            let value = args.get(field)?;
            let equal = match value {
                Value::Number(number) => Exact::of(number).and_then(|exact| of.numbers.get(&exact)),
                Value::String(text) => of.texts.get(text),
                _ => None,
            };
            let other = of.others.iter().find(|id| all[*id].matches(name, args));
            equal.and_then(BTreeSet::first).into_iter().chain(other).min().copied()
        };
        let fields = self.fields.iter().filter_map(of_field);
        self.whole.first().copied().into_iter().chain(fields).min()
    }
}

/// Takes a strike out of the set under this key, and the set if it was the last.
fn drop_from<Q: Ord + ?Sized, K: Ord + core::borrow::Borrow<Q>>(
    sets: &mut BTreeMap<K, BTreeSet<StrikeId>>,
    key: &Q,
    id: StrikeId,
) {
    if let Some(set) = sets.get_mut(key) {
        set.remove(&id);
        if set.is_empty() {
            sets.remove(key);
        }
    }
}

impl Strikes {
    pub(super) fn insert(&mut self, id: StrikeId, strike: Strike) {
        match &strike.name {
            None => self.any.insert(&strike, id),
            Some(name) => self.named.entry(name.clone()).or_default().insert(&strike, id),
        }
        self.all.insert(id, strike);
    }

    /// False if it isn't there.
    pub(super) fn remove(&mut self, id: StrikeId) -> bool {
        let Some(strike) = self.all.remove(&id) else { return false };
        let Some(name) = &strike.name else {
            self.any.remove(&strike, id);
            return true;
        };
        if let Some(group) = self.named.get_mut(name) {
            group.remove(&strike, id);
            if group.whole.is_empty() && group.fields.is_empty() {
                self.named.remove(name);
            }
        }
        true
    }

    /// The one that was added last.
    pub(super) fn newest(&self) -> Option<StrikeId> {
        self.all.last_key_value().map(|(id, _)| *id)
    }

    /// The oldest one that matches.
    pub(super) fn first(&self, name: &str, args: &Value) -> Option<StrikeId> {
        if self.all.is_empty() {
            return None;
        }
        let named = self.named.get(name).and_then(|group| group.first(&self.all, name, args));
        self.any.first(&self.all, name, args).into_iter().chain(named).min()
    }

    /// In the order of adding.
    pub(super) fn list(&self) -> Vec<(StrikeId, Strike)> {
        self.all.iter().map(|(id, strike)| (*id, strike.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// What is found is what is found by looking at each, whatever was taken back.
    #[test]
    fn the_first_strike_is_the_one_that_looking_at_each_finds() {
        let values = [json!(1), json!(1.0), json!(-0.0), json!(0), json!(1.5), json!("1"), json!(true), json!(null)];
        let more = [json!(u64::MAX), json!(1e300), json!(18446744073709551616.0), json!([1]), json!([1.0]), json!("")];
        let values: Vec<_> = values.into_iter().chain(more).collect();
        let (mut strikes, mut plain) = (Strikes::default(), BTreeMap::new());
        let tests = |value: &Value| [Test::Eq(value.clone()), Test::Lt(value.clone()), Test::Ne(value.clone())];
        let of = |name: &str, strike: Strike| if name.is_empty() { strike } else { strike.of(name) };
        let mut all: Vec<_> = ["t", "u"].map(Strike::task).into();
        for name in ["", "t"] {
            for field in ["a", "b"] {
                all.extend(values.iter().flat_map(tests).map(|test| of(name, Strike::field(field, test))));
            }
        }
        // In an order in which neither kinds nor names stand together.
        let len = all.len();
        for at in 0..len {
            let (id, strike) = (StrikeId(at as u64), &all[at * 47 % len]);
            strikes.insert(id, strike.clone());
            plain.insert(id, strike.clone());
        }
        for round in 0..len {
            for value in &values {
                for (name, args) in [("t", json!({ "a": value })), ("v", json!({ "b": value, "a": 7 }))] {
                    let each = plain.iter().find(|(_, strike)| strike.matches(name, &args)).map(|(id, _)| *id);
                    assert_eq!(strikes.first(name, &args), each, "{name} {args}");
                }
            }
            let id = StrikeId((round * 31 % len) as u64);
            assert_eq!(strikes.remove(id), plain.remove(&id).is_some());
            assert!(!strikes.remove(id));
        }
        assert!(strikes.named.is_empty() && strikes.any.fields.is_empty(), "nothing is left of them");
    }
}
