//! What a limiter must decide, by rules that are simple enough to be right: whether something is allowed is a question to
//! all that was granted, and when it is allowed is found by asking that question of one instant after another.

use std::collections::BTreeMap;
use wakeful::limit::Carry;

/// The algorithms of the room. GCRA and the leaky bucket as a meter decide alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Bucket,
    Queue,
    Fixed,
    Counter,
    Log,
}

/// What an algorithm is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Numbers {
    /// Permits to a period; for windows `burst` to a window as long as the period.
    pub(crate) permits: u32,
    pub(crate) period: u64,
    pub(crate) burst: u32,
    pub(crate) credit: u64,
}

impl Numbers {
    /// When one of the fixed windows begins.
    pub(crate) const EDGE: u64 = 70;

    /// Ticks of a nanosecond, and of a permit.
    fn ticks(&self) -> (u128, u128) {
        let gcd = (1..=self.permits).rev().find(|n| self.permits % n == 0 && self.period % u64::from(*n) == 0).unwrap();
        (u128::from(self.permits / gcd), u128::from(self.period / u64::from(gcd)))
    }
}

/// Where a grant stands: the tick at which it ends, the number of a window, or an instant.
type Mark = u128;

/// An algorithm, and what it granted.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    kind: Kind,
    pub(crate) numbers: Numbers,
    /// The tick at which all that was granted will have been paid for.
    paid: u128,
    /// By how many ticks that has moved down.
    moved: u128,
    /// What was granted in which window, and the latest of these.
    windows: BTreeMap<u128, u32>,
    window: u128,
    /// What was granted when.
    log: Vec<(u64, u32)>,
}

impl Rule {
    pub(crate) fn new(kind: Kind, numbers: Numbers) -> Self {
        Self { kind, numbers, paid: 0, moved: 0, windows: BTreeMap::new(), window: 0, log: Vec::new() }
    }

    /// The most permits that may be waited for.
    pub(crate) fn backlog(&self) -> u64 {
        if self.kind == Kind::Queue { self.numbers.burst.into() } else { u64::MAX }
    }

    /// How far back a late grant is charged.
    pub(crate) fn credit(&self) -> u64 {
        if matches!(self.kind, Kind::Bucket | Kind::Queue) { self.numbers.credit } else { 0 }
    }

    /// The number of the window of an instant, and how much of it has passed.
    fn window(&self, at: u64) -> (u128, u128) {
        let length = u128::from(self.numbers.period);
        let edge = if self.kind == Kind::Fixed { u128::from(Numbers::EDGE) % length } else { 0 };
        let since = u128::from(at) + length - edge;
        (since / length, since % length)
    }

    fn used(&self, window: Option<u128>) -> u32 {
        window.and_then(|window| self.windows.get(&window).copied()).unwrap_or(0)
    }

    /// What of the window before counts as used, times the length of a window.
    fn weight(&self, at: u64) -> u128 {
        let (window, passed) = self.window(at);
        u128::from(self.used(window.checked_sub(1))) * (u128::from(self.numbers.period) - passed)
    }

    /// Whether `permits` are allowed at an instant. If they are, so they are later, should nothing else be granted.
    pub(crate) fn is_ready(&self, permits: u32, at: u64) -> bool {
        let Numbers { period, burst, .. } = self.numbers;
        let (nano, permit) = self.numbers.ticks();
        let tick = u128::from(at) * nano;
        match self.kind {
            Kind::Bucket => self.paid + u128::from(permits) * permit <= tick + u128::from(burst) * permit,
            Kind::Queue => self.paid <= tick,
            Kind::Fixed => self.used(Some(self.window(at).0)) + permits <= burst,
            Kind::Counter => {
                let used = self.used(Some(self.window(at).0)) + permits;
                used <= burst && self.weight(at) <= u128::from(burst - used) * u128::from(period)
            }
            Kind::Log => {
                let counts = self.log.iter().filter(|(then, _)| then.saturating_add(period) > at);
                counts.map(|(_, permits)| *permits).sum::<u32>() + permits <= burst
            }
        }
    }

    /// The first instant, not before `from`, at which `permits` are allowed; `u64::MAX` for never.
    pub(crate) fn due(&self, permits: u32, from: u64) -> u64 {
        if from == u64::MAX || self.is_ready(permits, from) {
            return from;
        }
        let (mut not_yet, mut ready) = (from, u64::MAX);
        while ready - not_yet > 1 {
            let middle = not_yet + (ready - not_yet) / 2;
            if self.is_ready(permits, middle) { ready = middle } else { not_yet = middle }
        }
        ready
    }

    /// Grants `permits` as of the first instant, not before `from`, at which they are allowed.
    pub(crate) fn charge(&mut self, permits: u32, from: u64) -> (Mark, u128) {
        let (nano, permit) = self.numbers.ticks();
        let mark = match self.kind {
            Kind::Bucket | Kind::Queue => {
                self.paid = self.paid.max(u128::from(from) * nano) + u128::from(permits) * permit;
                self.paid
            }
            Kind::Fixed | Kind::Counter => {
                self.window = self.window(from).0;
                let kept = self.window.saturating_sub(u128::from(self.kind == Kind::Counter));
                self.windows.retain(|window, _| *window >= kept);
                *self.windows.entry(self.window).or_default() += permits;
                self.window
            }
            Kind::Log => {
                self.log.push((from, permits));
                from.into()
            }
        };
        (mark, self.moved)
    }

    /// Takes back `permits` of a grant, as far as that still counts.
    pub(crate) fn give_back(&mut self, permits: u32, (mark, moved): (Mark, u128), now: u64) {
        let (nano, permit) = self.numbers.ticks();
        match self.kind {
            Kind::Bucket | Kind::Queue => {
                let ahead = mark.saturating_sub(self.moved - moved).saturating_sub(u128::from(now) * nano);
                let back = ahead.min(u128::from(permits) * permit);
                self.paid -= back;
                self.moved += back;
            }
            Kind::Fixed | Kind::Counter => {
                if let Some(used) = self.windows.get_mut(&mark) {
                    *used = used.saturating_sub(permits);
                }
            }
            Kind::Log => {
                let mut left = permits;
                for (_, granted) in self.log.iter_mut().filter(|(then, _)| u128::from(*then) == mark) {
                    let back = left.min(*granted);
                    *granted -= back;
                    left -= back;
                }
            }
        }
    }

    /// Takes back what was granted last.
    pub(crate) fn give_back_latest(&mut self, permits: u32, now: u64) {
        match self.kind {
            Kind::Bucket | Kind::Queue => self.give_back(permits, (self.paid, self.moved), now),
            Kind::Fixed | Kind::Counter => {
                let older = permits.saturating_sub(self.used(Some(self.window)));
                self.give_back(permits, (self.window, 0), now);
                if let Some(before) = self.window.checked_sub(1) {
                    self.give_back(older, (before, 0), now);
                }
            }
            Kind::Log => {
                let mut left = permits;
                for (_, granted) in self.log.iter_mut().rev() {
                    let back = left.min(*granted);
                    *granted -= back;
                    left -= back;
                }
            }
        }
    }

    /// Goes on by other numbers.
    pub(crate) fn change(&mut self, numbers: Numbers, carry: Carry, now: u64) {
        let old = self.clone();
        self.numbers = numbers;
        let ((nano, permit), (old_nano, old_permit)) = (numbers.ticks(), old.numbers.ticks());
        let [most, old_most] = [numbers.burst, old.numbers.burst].map(u64::from);
        let (full, old_full) = (u128::from(most) * permit, u128::from(old_most) * old_permit);
        let spent = old.paid.saturating_sub(u128::from(now) * old_nano).min(old_full);
        let counted = |used: u64| match carry {
            Carry::Fraction => (used * most).div_ceil(old_most),
            Carry::Clamp => used,
            _ => unreachable!("the model knows two"),
        };
        match self.kind {
            Kind::Bucket => {
                let left = match carry {
                    Carry::Fraction => full * (old_full - spent) / old_full,
                    Carry::Clamp => permit * (old_full - spent) / old_permit,
                    _ => unreachable!("the model knows two"),
                };
                self.paid = u128::from(now) * nano + full.saturating_sub(left);
            }
            Kind::Queue => self.paid = u128::from(now) * nano + (permit * spent).div_ceil(old_permit),
            Kind::Fixed | Kind::Counter => {
                let mut used = old.used(Some(old.window(now).0)).into();
                if self.kind == Kind::Counter {
                    let weight = old.weight(now).div_ceil(u128::from(old.numbers.period));
                    used += u64::try_from(weight).unwrap();
                }
                self.window = self.window(now).0;
                self.windows = BTreeMap::from([(self.window, u32::try_from(counted(used).min(most)).unwrap())]);
            }
            Kind::Log => {
                self.log.retain(|(then, _)| then.saturating_add(old.numbers.period) > now);
                let (mut before, mut after) = (0, 0);
                for (_, permits) in &mut self.log {
                    before += u64::from(*permits);
                    *permits = u32::try_from(counted(before) - after).unwrap();
                    after = counted(before);
                }
            }
        }
    }
}
