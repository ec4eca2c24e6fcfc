//! Numbers for an exporter.

use super::histogram::Histogram;
use crate::sys::{Arc, Told};
use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

/// What a number is, as exporters tell them apart.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Value {
    /// How often something has happened; it only grows, for as long as what it is of is there.
    Count(u64),
    /// How much of something there is; it rises and falls.
    Gauge(u64),
    /// How long something has taken altogether; it only grows.
    Time(Duration),
    /// How often which durations came.
    Histogram(Box<Histogram>),
}

/// A number of something of the kit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metric {
    /// Of what it is, and which one: `queue_len`. The same for all of that kind. In the text for Prometheus what is not a letter or
    /// a digit of ASCII is an underscore, as nothing else is allowed there.
    pub name: &'static str,
    /// The number now.
    pub value: Value,
}

/// Something with numbers, which an exporter can read.
///
/// Queues, semaphores, limits, breakers, groups, pools, counts of work, and the monitors of this room have some; their names
/// are those of the methods that give them. A closure has those that it tells.
///
/// # Examples
/// ```
/// use core::num::NonZeroUsize;
/// use wakeful::observe::{Measure, Value};
///
/// let (tx, _rx) = wakeful::queue::bounded(NonZeroUsize::new(10).unwrap());
/// tx.try_send(1).unwrap();
/// let mut len = None;
/// tx.measure(&mut |metric| {
///     if metric.name == "queue_len" {
///         len = Some(metric.value);
///     }
/// });
/// assert_eq!(len, Some(Value::Gauge(1)));
/// ```
pub trait Measure {
    /// Tells each of its numbers, as they are now.
    fn measure(&self, tell: &mut dyn FnMut(Metric));
}

impl<F: Fn(&mut dyn FnMut(Metric))> Measure for F {
    fn measure(&self, tell: &mut dyn FnMut(Metric)) {
        self(tell);
    }
}

impl Metric {
    /// A number of one's own.
    pub const fn new(name: &'static str, value: Value) -> Self {
        Self { name, value }
    }
}

type Source = Box<dyn Measure + Send + Sync>;

/// What is to be measured, each by a name.
///
/// An exporter takes a [snapshot](Self::snapshot) when it is asked for the numbers, by whichever protocol. The `Display` of
/// a snapshot is the text format that Prometheus reads. It is nobody's global: make one, and hand clones around.
///
/// What is added is kept until it is [removed](Self::remove). A handle that keeps alive what it is of, such as a queue's
/// sender, does so here too; take its weak handle, or a closure over one.
///
/// # Examples
/// ```
/// use wakeful::observe::MetricSet;
/// use wakeful::sync::Semaphore;
/// use std::sync::Arc;
///
/// let set = MetricSet::new();
/// let connections = Arc::new(Semaphore::new(5));
/// let measured = connections.clone();
/// set.add("connections", move |tell: &mut dyn FnMut(_)| wakeful::observe::Measure::measure(&*measured, tell));
/// let _permit = connections.try_acquire().unwrap();
///
/// let text = set.snapshot().to_string();
/// assert!(text.contains("# TYPE wakeful_semaphore_available gauge\n"), "{text}");
/// assert!(text.contains("wakeful_semaphore_available{name=\"connections\"} 4\n"), "{text}");
/// ```
pub struct MetricSet(Arc<Told<Vec<Named>>>);

#[derive(Clone)]
struct Named {
    name: Arc<Cow<'static, str>>,
    source: Arc<Source>,
}

impl MetricSet {
    /// An empty one.
    pub fn new() -> Self {
        Self(Arc::new(Told::new(Vec::new())))
    }

    /// Adds `source` by `name`. Several may have the same; in the text for Prometheus their numbers are then told apart by nothing,
    /// and it takes one of each kind.
    pub fn add(&self, name: impl Into<Cow<'static, str>>, source: impl Measure + Send + Sync + 'static) {
        let named = Named { name: Arc::new(name.into()), source: Arc::new(Box::new(source)) };
        self.0.with(|all| all.push(named));
    }

    /// Removes what was added by `name`, and says how many that were.
    pub fn remove(&self, name: &str) -> usize {
        let removed: Vec<Named> = self.0.with(|all| {
            let (removed, kept) = core::mem::take(all).into_iter().partition(|named| **named.name == *name);
            *all = kept;
            removed
        });
        removed.len()
    }

    /// All numbers now. Each source is asked outside the lock, one after the other: they are of the same time as near as that.
    pub fn snapshot(&self) -> Snapshot {
        let mut samples = Vec::new();
        for Named { name, source } in self.0.read(Vec::clone) {
            source.measure(&mut |metric| samples.push(Sample { of: (*name).clone(), metric }));
        }
        Snapshot { samples }
    }
}

impl Clone for MetricSet {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl Default for MetricSet {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MetricSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.read(|all| all.iter().map(|named| named.name.clone()).collect::<Vec<_>>());
        f.debug_tuple("MetricSet").field(&names).finish()
    }
}

/// A number, and of what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sample {
    /// The name by which it was added.
    pub of: Cow<'static, str>,
    /// The number.
    pub metric: Metric,
}

/// All numbers at one moment; made by [`MetricSet::snapshot`].
///
/// `Display` gives them in the text format of Prometheus, version 0.0.4: names begin with `wakeful_`, times are in seconds, and each
/// has the label `name`. Of a histogram these are always the same 31 buckets, whatever is in it, since a rate needs each of them at both of
/// its ends: their bounds double from a microsecond to 18 minutes. [`Histogram::buckets`](super::Histogram::buckets) are finer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// In the order in which they were added and told.
    pub samples: Vec<Sample>,
}

impl Snapshot {
    /// The number with this name of what was added as `of`; the first, if there are several.
    pub fn get(&self, of: &str, name: &str) -> Option<&Value> {
        let wanted = |sample: &&Sample| sample.of == of && sample.metric.name == name;
        self.samples.iter().find(wanted).map(|sample| &sample.metric.value)
    }
}

/// The bounds of a histogram's buckets in the text format: just below these powers of two, in nanoseconds. Each is one of the
/// histogram's own.
const BOUNDS: core::ops::RangeInclusive<u32> = 10..=40;

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // All samples of a name stand together, and so do those of a kind, which the text tells apart by their names.
        let mut sorted: Vec<_> = self
            .samples
            .iter()
            .map(|sample| (allowed(sample.metric.name), suffix(&sample.metric.value), sample))
            .collect();
        sorted.sort_by(|(name, (unit, _), _), (other, (others, _), _)| (name, unit).cmp(&(other, others)));
        let mut last = None;
        for (name, (unit, kind), Sample { of, metric: Metric { value, .. } }) in &sorted {
            if last.replace((name, unit)) != Some((name, unit)) {
                writeln!(f, "# TYPE wakeful_{name}{unit} {kind}")?;
            }
            let of = Label(of);
            match value {
                Value::Count(n) | Value::Gauge(n) => writeln!(f, "wakeful_{name}{unit}{{name=\"{of}\"}} {n}")?,
                Value::Time(time) => writeln!(f, "wakeful_{name}{unit}{{name=\"{of}\"}} {}", Seconds(*time))?,
                Value::Histogram(all) => {
                    let (mut seen, mut buckets) = (0, all.buckets().peekable());
                    for power in BOUNDS {
                        let most = Duration::from_nanos((1 << power) - 1);
                        while let Some(bucket) = buckets.next_if(|bucket| bucket.most <= most) {
                            seen += u64::from(bucket.count);
                        }
                        let most = Seconds(most);
                        writeln!(f, "wakeful_{name}{unit}_bucket{{name=\"{of}\",le=\"{most}\"}} {seen}")?;
                    }
                    writeln!(f, "wakeful_{name}{unit}_bucket{{name=\"{of}\",le=\"+Inf\"}} {}", all.len())?;
                    writeln!(f, "wakeful_{name}{unit}_sum{{name=\"{of}\"}} {}", Seconds(all.sum()))?;
                    writeln!(f, "wakeful_{name}{unit}_count{{name=\"{of}\"}} {}", all.len())?;
                }
            }
        }
        Ok(())
    }
}

/// The name of a number as the text may have it.
fn allowed(name: &'static str) -> Cow<'static, str> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match name.chars().all(is_allowed) {
        true => name.into(),
        false => name.chars().map(|c| if is_allowed(c) { c } else { '_' }).collect(),
    }
}

/// What the name of such a number ends with, and what the text says that it is.
fn suffix(value: &Value) -> (&'static str, &'static str) {
    match value {
        Value::Count(_) => ("_total", "counter"),
        Value::Gauge(_) => ("", "gauge"),
        Value::Time(_) => ("_seconds_total", "counter"),
        Value::Histogram(_) => ("_seconds", "histogram"),
    }
}

/// A label's value, with what would end it escaped.
struct Label<'a>(&'a str);

impl fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '\\' => f.write_str("\\\\"),
            '"' => f.write_str("\\\""),
            '\n' => f.write_str("\\n"),
            c => fmt::Write::write_char(f, c),
        })
    }
}

/// A duration in seconds, exactly.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}", self.0.as_secs(), self.0.subsec_nanos())
    }
}
