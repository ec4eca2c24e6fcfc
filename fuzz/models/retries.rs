//! Schedules beside a slow reading of what they promise, and `Retry-After` beside a calendar that counts days.

use super::World;
use arbitrary::Arbitrary;
use std::time::Duration;
use wakeful::resilience::{
    Capped, Constant, Decorrelated, Exponential, Fibonacci, Jitter, Jittered, Schedule, Step, Then, UpTo, UpToTotal,
    retry_after,
};
use wakeful::time::Wall;

/// One step.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) enum Op {
    /// Begins with a schedule of this kind, of this delay and with this further number.
    Base(u8, u16, u8),
    /// A unit that makes all delays long enough to saturate.
    Huge(u8, u8),
    Cap(u16),
    Jitter(u8),
    UpTo(u8),
    UpToTotal(u16),
    /// Another one follows on the present one.
    Then(u8, u16, u8),
    /// The delays for a seed are what they have to be.
    Look(u16),
    /// A date in one of the forms, seen so many seconds before or after, maybe with one byte changed.
    Date(Date, i16, Option<(u8, u8)>),
    /// Whatever it is, it is read or refused.
    Raw([u8; 16]),
}

/// A date whose fields may be wrong.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) struct Date {
    form: u8,
    year: u16,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
}

/// Any schedule, as a type of its own.
#[derive(Clone, Debug)]
enum Any {
    Constant(Constant),
    Exponential(Exponential),
    Fibonacci(Fibonacci),
    Decorrelated(Decorrelated),
    Capped(Box<Capped<Any>>),
    Jittered(Box<Jittered<Any>>),
    UpTo(Box<UpTo<Any>>),
    UpToTotal(Box<UpToTotal<Any>>),
    Then(Box<Then<Any, Any>>),
}

impl Schedule for Any {
    fn delay(&mut self, step: &mut Step<'_>) -> Option<Duration> {
        match self {
            Self::Constant(s) => s.delay(step),
            Self::Exponential(s) => s.delay(step),
            Self::Fibonacci(s) => s.delay(step),
            Self::Decorrelated(s) => s.delay(step),
            Self::Capped(s) => s.delay(step),
            Self::Jittered(s) => s.delay(step),
            Self::UpTo(s) => s.delay(step),
            Self::UpToTotal(s) => s.delay(step),
            Self::Then(s) => s.delay(step),
        }
    }
}

const NEVER: u128 = u64::MAX as u128;

/// What a schedule promises, in numbers that have no end.
#[derive(Clone, Debug)]
enum Model {
    Constant(u128),
    /// The first, per cent, and how many there were.
    Exponential(u128, u128, u32),
    Fibonacci(u128, u32),
    /// The first, the longest, and the last.
    Decorrelated(u128, u128, u128),
    Cap(Box<Model>, u128),
    Jitter(Box<Model>, Jitter),
    UpTo(Box<Model>, u8),
    UpToTotal(Box<Model>, u128),
    /// When the second began, if it has.
    Then(Box<Model>, Box<Model>, Option<u128>),
}

impl Model {
    fn delay(&mut self, elapsed: u128, random: &mut Numbers) -> Option<u128> {
        Some(match self {
            Self::Constant(delay) => *delay,
            Self::Exponential(first, percent, count) => {
                *count += 1;
                let grow = |delay: u128, _| if delay >= NEVER { NEVER } else { (delay * *percent).div_ceil(100) };
                (1..*count).fold(*first, grow).min(NEVER)
            }
            Self::Fibonacci(first, count) => {
                *count += 1;
                let add = |(a, b): (u128, u128), _| (b, (a + b).min(NEVER));
                (1..*count).fold((*first, *first), add).0
            }
            Self::Decorrelated(first, most, last) => {
                *last = random.between(*first, (*last * 3).min(NEVER)).min(*most);
                *last
            }
            Self::Cap(inner, most) => inner.delay(elapsed, random)?.min(*most),
            Self::Jitter(inner, jitter) => match (inner.delay(elapsed, random)?, jitter) {
                (NEVER, _) => NEVER,
                (delay, Jitter::None) => delay,
                (delay, Jitter::Full) => random.between(0, delay),
                (delay, Jitter::Equal) => random.between(delay / 2, delay),
                _ => unreachable!("the model knows three"),
            },
            Self::UpTo(inner, left) => {
                *left = left.checked_sub(1)?;
                inner.delay(elapsed, random)?
            }
            Self::UpToTotal(inner, total) => {
                let delay = inner.delay(elapsed, random)?;
                (delay < NEVER && elapsed + delay < *total).then_some(delay)?
            }
            Self::Then(first, second, since) => {
                let none = since.is_none();
                if let Some(delay) = none.then(|| first.delay(elapsed, random)).flatten() {
                    return Some(delay);
                }
                let since = *since.get_or_insert(elapsed);
                second.delay(elapsed - since, random)?
            }
        })
    }
}

/// SplitMix64.
struct Numbers(u64);

impl Numbers {
    fn between(&mut self, low: u128, high: u128) -> u128 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        let count = high.saturating_sub(low) + 1;
        low + ((u128::from(z ^ (z >> 31)) * count) >> 64)
    }
}

fn base(kind: u8, first: u64, more: u8) -> (Any, Model) {
    let (delay, wide) = (Duration::from_nanos(first), u128::from(first));
    match kind % 4 {
        0 => (Any::Constant(Constant::new(delay)), Model::Constant(wide)),
        1 => {
            let percent = u32::from(more) * 2;
            (Any::Exponential(Exponential::new(delay).percent(percent)), Model::Exponential(wide, percent.into(), 0))
        }
        2 => (Any::Fibonacci(Fibonacci::new(delay)), Model::Fibonacci(wide, 0)),
        _ => {
            let most = first.saturating_mul(u64::from(more));
            let schedule = Decorrelated::new(delay, Duration::from_nanos(most));
            (Any::Decorrelated(schedule), Model::Decorrelated(wide, most.into(), wide))
        }
    }
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn is_leap(year: u64) -> bool {
    year % 4 == 0 && year % 100 != 0 || year % 400 == 0
}

fn length(year: u64, month: usize) -> u64 {
    [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month]
}

impl Date {
    /// Its text, and the seconds since 1970 if there is such a date.
    fn read(self) -> (String, Option<u64>) {
        let (year, month) = (1900 + u64::from(self.year) % 300, usize::from(self.month) % 12);
        let (day, hour) = (u64::from(self.day) % 33, u64::from(self.hour) % 25);
        let (minute, second) = (u64::from(self.minute) % 61, u64::from(self.second) % 62);
        let name = MONTHS[month];
        let time = format!("{hour:02}:{minute:02}:{second:02}");
        let text = match self.form % 3 {
            0 => format!("Tue, {day:02} {name} {year} {time} GMT"),
            1 => format!("Tuesday, {day:02}-{name}-{:02} {time} GMT", year % 100),
            _ => format!("Tue {name} {day:2} {time} {year}"),
        };
        let is_date = (1..=length(year, month)).contains(&day) && hour < 24 && minute < 60 && second < 61;
        if !is_date {
            return (text, None);
        }
        let years: u64 = (1970..year).map(|year| 365 + u64::from(is_leap(year))).sum();
        let days = years + (0..month).map(|month| length(year, month)).sum::<u64>() + day - 1;
        let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
        (text, Some(if year < 1970 { 0 } else { seconds }))
    }
}

struct At(u64);

impl Wall for At {
    fn unix(&self) -> Duration {
        Duration::from_secs(self.0)
    }
}

/// A schedule and what it promises.
pub(crate) struct Retries {
    schedule: Any,
    model: Model,
    depth: u32,
}

impl Retries {
    fn wrap(&mut self, any: impl FnOnce(Any) -> Any, model: impl FnOnce(Box<Model>) -> Model) {
        if self.depth < 12 {
            self.depth += 1;
            self.schedule = any(self.schedule.clone());
            self.model = model(Box::new(self.model.clone()));
        }
    }

    fn look(&self, seed: u64) {
        let (mut model, mut random, mut elapsed) = (self.model.clone(), Numbers(seed), 0);
        let mut expected = Vec::new();
        while expected.len() < 30 {
            let Some(delay) = model.delay(elapsed, &mut random) else { break };
            let shown = if delay == NEVER { Duration::MAX } else { Duration::from_nanos(delay as u64) };
            elapsed = elapsed.saturating_add(shown.as_nanos());
            expected.push(shown);
        }
        let delays: Vec<_> = self.schedule.delays(seed).take(30).collect();
        assert_eq!(delays, expected, "{:?}, seed {seed}", self.schedule);
    }
}

impl World for Retries {
    type Op = Op;

    fn new() -> Self {
        let (schedule, model) = base(0, 0, 0);
        Self { schedule, model, depth: 0 }
    }

    fn step(&mut self, op: Op) {
        match op {
            Op::Base(kind, first, more) => {
                (self.schedule, self.model) = base(kind, first.into(), more);
                self.depth = 0;
            }
            Op::Huge(kind, less) => {
                (self.schedule, self.model) = base(kind, u64::MAX - u64::from(less), 200);
                self.depth = 0;
            }
            Op::Cap(most) => {
                let wide = Duration::from_nanos(most.into());
                self.wrap(|any| Any::Capped(Box::new(any.cap(wide))), |model| Model::Cap(model, most.into()));
            }
            Op::Jitter(kind) => {
                let jitter = [Jitter::None, Jitter::Full, Jitter::Equal][usize::from(kind) % 3];
                self.wrap(|any| Any::Jittered(Box::new(any.jitter(jitter))), |model| Model::Jitter(model, jitter));
            }
            Op::UpTo(most) => {
                let most = most % 16;
                self.wrap(|any| Any::UpTo(Box::new(any.up_to(most.into()))), |model| Model::UpTo(model, most));
            }
            Op::UpToTotal(total) => {
                let wide = Duration::from_nanos(total.into());
                self.wrap(
                    |any| Any::UpToTotal(Box::new(any.up_to_total(wide))),
                    |model| Model::UpToTotal(model, total.into()),
                );
            }
            Op::Then(kind, first, more) => {
                let (next, promise) = base(kind, first.into(), more);
                self.wrap(
                    |any| Any::Then(Box::new(any.then(next))),
                    |model| Model::Then(model, Box::new(promise), None),
                );
            }
            Op::Look(seed) => self.look(seed.into()),
            Op::Date(date, offset, None) => {
                let (text, seconds) = date.read();
                // A short year is the one that it stands for only if it is near.
                let now = seconds.unwrap_or(0).saturating_add_signed(offset.into());
                let read = retry_after(&text, &At(now));
                let ahead = seconds.map(|seconds| Duration::from_secs(seconds.saturating_sub(now)));
                if date.form % 3 != 1 || seconds.is_some_and(|seconds| seconds > 0) {
                    assert_eq!(read.ok(), ahead, "{text} seen from {now}");
                }
            }
            Op::Date(date, offset, Some((place, byte))) => {
                let (text, seconds) = date.read();
                let mut bytes = text.into_bytes();
                let place = usize::from(place) % bytes.len();
                bytes[place] = byte;
                let now = seconds.unwrap_or(0).saturating_add_signed(offset.into());
                let _ = retry_after(&String::from_utf8_lossy(&bytes), &At(now));
            }
            Op::Raw(bytes) => {
                let text = String::from_utf8_lossy(&bytes);
                let trimmed = text.trim_matches([' ', '\t']);
                let digits = !trimmed.is_empty() && trimmed.bytes().all(|byte| byte.is_ascii_digit());
                let read = retry_after(&text, &At(0));
                // No date is as short as that.
                assert_eq!(read.is_ok(), digits, "{text:?}");
            }
        }
    }

    fn end(self) {
        self.look(1);
    }
}
