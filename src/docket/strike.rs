//! What is not to run: tests of names and fields.

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::cmp::Ordering;
use serde_json::{Number, Value};

/// How a field is compared in a [`Strike`].
///
/// Numbers are compared by value, whole and broken ones too, text by its Unicode code points, `false` is below `true`. Values
/// of unlike kinds are not equal, and in no order: nothing but [`Ne`](Self::Ne) matches them. What has no order of its own
/// (lists, maps, null) is equal or not.
#[derive(Clone, PartialEq, Debug)]
pub enum Test {
    /// Is equal.
    Eq(Value),
    /// Is not equal. A field that is not there is not tested, and does not match.
    Ne(Value),
    /// Is less.
    Lt(Value),
    /// Is less or equal.
    Le(Value),
    /// Is greater.
    Gt(Value),
    /// Is greater or equal.
    Ge(Value),
    /// Is in between, or one of the two.
    Between(Value, Value),
}

impl Test {
    /// Whether `value` passes.
    ///
    /// # Examples
    /// ```
    /// use wakeful::docket::Test;
    ///
    /// assert!(Test::Lt(3.into()).matches(&2.5.into()));
    /// assert!(Test::Eq(1.into()).matches(&1.0.into()));
    /// assert!(!Test::Eq(1.into()).matches(&"1".into()), "unlike kinds");
    /// assert!(!Test::Le(1.into()).matches(&"0".into()), "unlike kinds have no order");
    /// assert!(Test::Between("b".into(), "d".into()).matches(&"czar".into()));
    /// ```
    pub fn matches(&self, value: &Value) -> bool {
        let order = |to: &Value| order(value, to);
        match self {
            Self::Eq(to) => same(value, to),
            Self::Ne(to) => !same(value, to),
            Self::Lt(to) => order(to).is_some_and(Ordering::is_lt),
            Self::Le(to) => order(to).is_some_and(Ordering::is_le),
            Self::Gt(to) => order(to).is_some_and(Ordering::is_gt),
            Self::Ge(to) => order(to).is_some_and(Ordering::is_ge),
            Self::Between(low, high) => {
                order(low).is_some_and(Ordering::is_ge) && order(high).is_some_and(Ordering::is_le)
            }
        }
    }
}

/// Equal by value; numbers of all types among each other.
fn same(a: &Value, b: &Value) -> bool {
    order(a, b).map_or_else(|| a == b, Ordering::is_eq)
}

/// The order of two values of one kind that has an order.
fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Number(a), Value::Number(b)) => match (whole(a), whole(b)) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            (Some(a), None) => against(a, b.as_f64()?),
            (None, Some(b)) => against(b, a.as_f64()?).map(Ordering::reverse),
            (None, None) => a.as_f64()?.partial_cmp(&b.as_f64()?),
        },
        _ => None,
    }
}

pub(super) fn whole(number: &Number) -> Option<i128> {
    number.as_u64().map(i128::from).or_else(|| number.as_i64().map(i128::from))
}

/// The order of a whole number and another, exactly: no whole number is rounded to be compared.
fn against(whole: i128, other: f64) -> Option<Ordering> {
    if other.is_nan() {
        return None;
    }
    // The cast rounds towards zero, and stays at the ends where it would be outside.
    let cut = other as i128;
    Some(whole.cmp(&cut).then_with(|| {
        // Below 2^53 the part behind the point is exact; above it there is none.
        0.0.partial_cmp(&(other - cut as f64)).unwrap_or(Ordering::Equal)
    }))
}

/// What is not to run: a whole task, any task with a field that passes a [`Test`], or a task by its field.
///
/// # Examples
/// ```
/// use serde_json::json;
/// use wakeful::docket::{Strike, Test};
///
/// let strike = Strike::field("user", Test::Eq(7.into())).of("send_mail");
/// assert!(strike.matches("send_mail", &json!({ "user": 7 })));
/// assert!(!strike.matches("send_mail", &json!({ "user": "7" })));
/// assert!(!strike.matches("bill", &json!({ "user": 7 })));
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Strike {
    /// The task's name; none: tasks of all names.
    pub name: Option<String>,
    /// The field and its test; none: whatever the fields are.
    pub field: Option<(String, Test)>,
}

impl Strike {
    /// All of one task.
    pub fn task(name: &str) -> Self {
        Self { name: Some(name.to_owned()), field: None }
    }

    /// Whichever task has such a field.
    pub fn field(field: &str, test: Test) -> Self {
        Self { name: None, field: Some((field.to_owned(), test)) }
    }

    /// Of this task only.
    pub fn of(self, name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..self }
    }

    /// Whether the task of this name and with these arguments is struck.
    pub fn matches(&self, name: &str, args: &Value) -> bool {
        self.name.as_deref().is_none_or(|of| of == name)
            && self.field.as_ref().is_none_or(|(field, test)| args.get(field).is_some_and(|value| test.matches(value)))
    }
}
