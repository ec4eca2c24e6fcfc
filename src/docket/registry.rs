//! The tasks that are known, by name, with their types forgotten.

use super::store::push;
use super::{AddError, Cx, Entry, Gate, Limit, Perpetual, Policy, Rhythm, Rule, Show, Task};
use crate::resilience::Verdict;
use crate::sys::Arc;
use crate::sys::ticks::Ticks;
use alloc::borrow::{Cow, ToOwned};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::collections::btree_map;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::any::{Any, TypeId};
use core::error::Error;
use core::fmt::{self, Write};
use core::future::Future;
use core::pin::Pin;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// An error of a run, and what is to be done about it.
pub(super) struct Failure {
    pub(super) text: String,
    pub(super) verdict: Verdict,
    /// Whether the text may quote arguments.
    pub(super) quotes_args: bool,
}

pub(super) type Running = Pin<Box<dyn Future<Output = Result<Value, Failure>> + Send>>;

type Run = dyn Fn(&Value, Cx) -> Result<Running, Failure> + Send + Sync;

/// A task whose type is forgotten.
pub(super) struct Kind {
    pub(super) name: Arc<str>,
    /// The same, for groups.
    pub(super) label: Cow<'static, str>,
    pub(super) policy: Policy,
    /// Those of its policy.
    pub(super) ticks: Option<Ticks>,
    /// What stands for no fields, of a task that begins by itself.
    pub(super) empty: fn() -> Option<Value>,
    check: fn(&Value) -> Result<(), serde_json::Error>,
    run: Box<Run>,
}

impl Kind {
    /// Begins an attempt.
    pub(super) fn run(&self, args: &Value, cx: Cx) -> Result<Running, Failure> {
        (self.run)(args, cx)
    }

    /// The entry of a task with these arguments; the key is made up by the store.
    pub(super) fn entry(&self, name: &str, args: Value) -> Result<Entry, AddError> {
        let why = |error: serde_json::Error| AddError::Args { name: name.to_owned(), why: error.to_string() };
        (self.check)(&args).map_err(why)?;
        let policy = &self.policy;
        if let Some(show) = policy.log.iter().find(|show| args.get(show.field()).is_none()) {
            return Err(AddError::NoField { name: name.to_owned(), field: show.field().to_owned() });
        }
        let mut gates = Vec::with_capacity(policy.limits.len());
        for limit in policy.limits {
            gates.push(gate(limit, name, &args)?);
        }
        let mut entry = Entry::new(name, "", args);
        (entry.priority, entry.deliveries, entry.keep) = (policy.priority, policy.deliveries, policy.keep);
        entry.gates = gates;
        Ok(entry)
    }
}

/// What may be seen of arguments in logs.
pub(super) fn shown(log: &[Show], args: &Value) -> String {
    let shown = |show: &Show| {
        let value = args.get(show.field())?;
        let length = match (show, value) {
            (Show::Value(field), value) => return Some(format!("{field}={value}")),
            (Show::Length(_), Value::String(text)) => text.chars().count(),
            (Show::Length(_), Value::Array(items)) => items.len(),
            (Show::Length(_), Value::Object(fields)) => fields.len(),
            (Show::Length(field), _) => return Some(format!("{field}=…")),
        };
        Some(format!("{}.len={length}", show.field()))
    };
    log.iter().filter_map(shown).collect::<Vec<_>>().join(" ")
}

/// The gate of these arguments. Its name holds the value as JSON, so that values of unlike types are never the same gate; a scope
/// in quotes, so that it is never a task's; and the time of a rate, so that a task may have several.
fn gate(limit: &Limit, name: &str, args: &Value) -> Result<Gate, AddError> {
    // Put together piece by piece: it is made for each limit of each task that is added.
    let mut whose = String::with_capacity(64);
    match limit.scope {
        Some(scope) => _ = write!(whose, "{scope:?}"),
        None => whose.push_str(name),
    }
    if let Some(field) = limit.field {
        if limit.scope.is_none() {
            whose.push('.');
            whose.push_str(field);
        }
        let no_field = || AddError::NoField { name: name.to_owned(), field: field.to_owned() };
        whose.push('=');
        match args.get(field).ok_or_else(no_field)? {
            // As below, without the way through the formatter: most limits are for these.
            Value::Number(number) if number.is_u64() => push(&mut whose, number.as_u64().unwrap_or_default()),
            value => _ = write!(whose, "{value}"),
        }
    }
    match limit.rule {
        Rule::AtMost(_) => whose.push_str(" at once"),
        Rule::Rate { every, .. } => _ = write!(whose, " by rate in {every:?}"),
    }
    Ok(Gate { name: whose, rule: limit.rule, excess: limit.excess })
}

/// The tasks that a [`Docket`](super::Docket) knows, and what its runs share.
///
/// # Examples
/// ```
/// use serde::{Deserialize, Serialize};
/// use wakeful::docket::{Cx, Policy, Registry, Task};
///
/// #[derive(Serialize, Deserialize)]
/// struct Tidy {}
///
/// impl Task for Tidy {
///     const NAME: &'static str = "tidy";
///     type Output = ();
///     type Error = &'static str;
///
///     async fn run(self, cx: Cx) -> Result<(), &'static str> {
///         let _rooms: &Vec<u32> = cx.get().ok_or("no rooms")?;
///         Ok(())
///     }
/// }
///
/// let registry = Registry::new()
///     .task::<Tidy>()?
///     .closure("add", Policy::new(), async |(a, b): (u32, u32), _: Cx| Ok::<_, String>(a + b))?
///     .provide(vec![1u32, 2, 3]);
/// assert!(registry.task::<Tidy>().is_err(), "a name is there once");
/// # Ok::<(), wakeful::docket::RegisterError>(())
/// ```
#[derive(Default)]
pub struct Registry {
    kinds: BTreeMap<String, Kind>,
    shared: BTreeMap<TypeId, Box<dyn Any + Send + Sync>>,
}

impl Registry {
    /// One that knows nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Learns a task.
    ///
    /// # Errors
    /// If there is one of that name, or it is to begin by itself and it or its policy needs fields, or its policy's cron
    /// expression is none.
    pub fn task<T: Task>(self) -> Result<Self, RegisterError> {
        let run = |args: T, cx: Cx| async move {
            let failure =
                |error: T::Error| Failure { verdict: T::verdict(&error), text: error.to_string(), quotes_args: false };
            args.run(cx).await.map_err(failure)
        };
        self.learn(T::NAME.into(), T::POLICY, run)
    }

    /// Learns a closure, whose argument holds the fields.
    ///
    /// # Errors
    /// As [`task`](Self::task).
    pub fn closure<A, O, E, F, Fut>(self, name: &str, policy: Policy, run: F) -> Result<Self, RegisterError>
    where
        A: Serialize + DeserializeOwned + Send + 'static,
        O: Serialize + Send + 'static,
        E: fmt::Display + Send + 'static,
        F: Fn(A, Cx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<O, E>> + Send + 'static,
    {
        let run = move |args: A, cx: Cx| {
            let running = run(args, cx);
            async move {
                let failure =
                    |error: E| Failure { verdict: Verdict::Retry, text: error.to_string(), quotes_args: false };
                running.await.map_err(failure)
            }
        };
        self.learn(name.to_owned().into(), policy, run)
    }

    fn learn<A, O, F, Fut>(mut self, label: Cow<'static, str>, policy: Policy, run: F) -> Result<Self, RegisterError>
    where
        A: DeserializeOwned + Send + 'static,
        O: Serialize + Send + 'static,
        F: Fn(A, Cx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<O, Failure>> + Send + 'static,
    {
        let name = &*label;
        let hopeless = |text: String| Failure { text, verdict: Verdict::GiveUp, quotes_args: true };
        let run = move |args: &Value, cx: Cx| {
            let args = A::deserialize(args).map_err(|error| hopeless(error.to_string()))?;
            let running = run(args, cx);
            let with_value = async move {
                let output = running.await?;
                serde_json::to_value(output).map_err(|error| hopeless(error.to_string()))
            };
            Ok(Box::pin(with_value) as Running)
        };
        let ticks = match policy.perpetual.map(|perpetual| perpetual.rhythm) {
            Some(Rhythm::Cron { expression, zone }) => {
                let wrong = |why| RegisterError::NoSchedule { name: name.to_owned(), expression, zone, why };
                Some(Ticks::new(expression, zone).map_err(wrong)?)
            }
            _ => None,
        };
        let kind = Kind {
            name: name.into(),
            label: label.clone(),
            policy,
            ticks,
            empty: || {
                [Value::Object(serde_json::Map::new()), Value::Null]
                    .into_iter()
                    .find(|empty| A::deserialize(empty).is_ok())
            },
            check: |args| A::deserialize(args).map(drop),
            run: Box::new(run),
        };
        if matches!(policy.perpetual, Some(Perpetual { automatic: true, .. })) {
            let needs_fields = || RegisterError::NeedsFields(name.to_owned());
            let entry = kind.entry(name, (kind.empty)().ok_or_else(needs_fields)?);
            entry.map_err(|error| match error {
                AddError::NoField { name, field } => RegisterError::NoField { name, field },
                _ => needs_fields(),
            })?;
        }
        match self.kinds.entry(name.to_owned()) {
            btree_map::Entry::Occupied(_) => Err(RegisterError::Duplicate(name.to_owned())),
            btree_map::Entry::Vacant(place) => {
                place.insert(kind);
                Ok(self)
            }
        }
    }

    /// Shares a value among all runs, which [get](Cx::get) it by its type. One of the same type takes its place.
    pub fn provide<D: Any + Send + Sync>(mut self, value: D) -> Self {
        self.shared.insert(TypeId::of::<D>(), Box::new(value));
        self
    }

    pub(super) fn get<D: Any>(&self) -> Option<&D> {
        self.shared.get(&TypeId::of::<D>())?.downcast_ref()
    }

    /// The names of the tasks that it knows, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.kinds.keys().map(String::as_str)
    }

    pub(super) fn kind(&self, name: &str) -> Option<&Kind> {
        self.kinds.get(name)
    }

    /// Those that begin by themselves.
    pub(super) fn automatic(&self) -> impl Iterator<Item = (&str, &Kind)> {
        let automatic = |kind: &Kind| matches!(kind.policy.perpetual, Some(Perpetual { automatic: true, .. }));
        self.kinds.iter().filter(move |(_, kind)| automatic(kind)).map(|(name, kind)| (name.as_str(), kind))
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

/// A task could not be learnt.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RegisterError {
    /// There is a task of this name already.
    Duplicate(String),
    /// It is to begin by itself, and has fields without which it can't.
    NeedsFields(String),
    /// It is to begin by itself, and a limit of it, or what is shown of it in logs, is for a field that it doesn't have then.
    NoField {
        /// The task.
        name: String,
        /// The field.
        field: String,
    },
    /// It is to repeat at the ticks of a cron expression, and one can't read that, or the zone, or it is never true.
    NoSchedule {
        /// The task.
        name: String,
        /// The expression.
        expression: &'static str,
        /// The time zone.
        zone: &'static str,
        /// What is wrong with one of them.
        why: String,
    },
}

impl fmt::Display for RegisterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicate(name) => write!(f, "there is a task named `{name}` already"),
            Self::NeedsFields(name) => write!(f, "`{name}` is to begin by itself, and needs fields"),
            Self::NoField { name, field } => {
                write!(f, "`{name}` is to begin by itself, and has a policy for `{field}`, and no such field")
            }
            Self::NoSchedule { name, expression, zone, why } => {
                write!(f, "`{name}` can't repeat at `{expression}` in `{zone}`: {why}")
            }
        }
    }
}

impl Error for RegisterError {}
