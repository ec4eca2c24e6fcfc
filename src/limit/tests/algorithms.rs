//! Each algorithm against a model that is simple enough to be right: exact rationals, and nothing forgotten.

use super::super::book::{Book, Receipt};
use super::super::decide::Decide;
use super::*;

/// What an algorithm should say, reckoned from all that was ever granted.
trait Model {
    /// Whether `permits` are allowed at `at`.
    fn is_ready(&self, permits: u32, at: u64) -> bool;

    fn grant(&mut self, permits: u32, at: u64);

    /// Takes a grant back as if it had never been; the number of the grant counts from the first.
    fn forget(&mut self, grant: usize, permits: u32);
}

/// Grants, in order.
type Grants = Vec<(u64, u32)>;

/// A bucket of tokens, in fractions of a permit of which `period` are one.
struct Tokens {
    permits: u128,
    period: u128,
    burst: u128,
    grants: Grants,
}

impl Tokens {
    fn new(quota: Quota) -> Self {
        let [permits, burst] = [quota.permits(), quota.max_burst()].map(|n| u128::from(n.get()));
        Self { permits, period: quota.period().as_nanos(), burst, grants: Vec::new() }
    }

    fn level(&self, at: u64) -> u128 {
        let full = self.burst * self.period;
        let (mut level, mut now) = (full, 0);
        for &(then, permits) in &self.grants {
            level = full.min(level + self.permits * u128::from(then - now)) - u128::from(permits) * self.period;
            now = then;
        }
        full.min(level + self.permits * u128::from(at - now))
    }
}

impl Model for Tokens {
    fn is_ready(&self, permits: u32, at: u64) -> bool {
        self.level(at) >= u128::from(permits) * self.period
    }

    fn grant(&mut self, permits: u32, at: u64) {
        self.grants.push((at, permits));
    }

    fn forget(&mut self, grant: usize, permits: u32) {
        self.grants[grant].1 -= permits;
    }
}

/// A drain through which one request after another passes.
struct Pace {
    permits: u128,
    period: u128,
    grants: Grants,
}

impl Model for Pace {
    fn is_ready(&self, _: u32, at: u64) -> bool {
        let mut free = 0;
        for &(then, permits) in &self.grants {
            free = u128::max(free, u128::from(then) * self.permits) + u128::from(permits) * self.period;
        }
        free <= u128::from(at) * self.permits
    }

    fn grant(&mut self, permits: u32, at: u64) {
        self.grants.push((at, permits));
    }

    fn forget(&mut self, grant: usize, permits: u32) {
        self.grants[grant].1 -= permits;
    }
}

/// Windows, by what they hold.
struct Windows {
    permits: u128,
    window: u128,
    kind: Kind,
    grants: Grants,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Fixed,
    Counter,
    Log,
}

impl Windows {
    /// Permits granted at the instants for which `of` is true.
    fn sum(&self, of: impl Fn(u128) -> bool) -> u128 {
        self.grants.iter().filter(|grant| of(u128::from(grant.0))).map(|grant| u128::from(grant.1)).sum()
    }
}

impl Model for Windows {
    fn is_ready(&self, permits: u32, at: u64) -> bool {
        let (at, wanted) = (u128::from(at), u128::from(permits));
        let start = at / self.window * self.window;
        let now = self.sum(|then| then >= start);
        match self.kind {
            Kind::Fixed => now + wanted <= self.permits,
            Kind::Counter => {
                let before = self.sum(|then| then < start && then + self.window >= start);
                let covered = self.window - (at - start);
                before * covered + (now + wanted) * self.window <= self.permits * self.window
            }
            Kind::Log => self.sum(|then| then + self.window > at) + wanted <= self.permits,
        }
    }

    fn grant(&mut self, permits: u32, at: u64) {
        self.grants.push((at, permits));
    }

    fn forget(&mut self, grant: usize, permits: u32) {
        self.grants[grant].1 -= permits;
    }
}

/// Asks both the same, at random instants that never decrease, and takes what is allowed. `scale` is about how long a permit
/// takes.
fn agree<D: Decide>(algorithm: &D, model: &mut impl Model, start: u64, scale: u64, random: &mut Random) {
    let mut state = algorithm.fresh();
    let mut now = start;
    for _ in 0..60 {
        let step = [1, scale / 3, scale, scale * 3, scale * u64::from(algorithm.burst()) * 2][random.below(5)];
        // The last instant is never.
        now = now.saturating_add(random.below(step as usize + 2) as u64).min(u64::MAX - 1);
        let permits = 1 + random.below(algorithm.burst() as usize) as u32;
        let due = algorithm.due(&state, permits, now);
        let ready = model.is_ready(permits, now);
        assert_eq!((algorithm.is_ready(&state, permits, now), due == now), (ready, ready), "{algorithm:?} at {now}");
        if due != u64::MAX {
            assert!(model.is_ready(permits, due), "{algorithm:?}: {permits} are due at {due}");
            let before = [due.saturating_sub(1), now + (due - now) / 2, now];
            assert!(before.into_iter().all(|at| due == now || !model.is_ready(permits, at)), "{algorithm:?} at {now}");
        }
        if random.below(4) == 0 && due != u64::MAX {
            now = due;
        }
        if algorithm.is_ready(&state, permits, now) {
            algorithm.charge(&mut state, permits, now);
            model.grant(permits, now);
        }
        assert_idle(algorithm, &state);
    }
}

/// At the instant at which it says so, a state is as good as fresh; and not before.
fn assert_idle<D: Decide>(algorithm: &D, state: &D::State) {
    let idle = algorithm.idle_at(state);
    if idle == u64::MAX {
        return;
    }
    let all = algorithm.burst();
    assert!(algorithm.is_ready(state, all, idle), "{algorithm:?}, {state:?}");
    assert!(idle == 0 || !algorithm.is_ready(state, all, idle - 1), "{algorithm:?}, {state:?}");
}

/// Numbers of every size that an algorithm can have.
fn quotas(random: &mut Random) -> Quota {
    let (permits, nanos) = match random.below(3) {
        0 => RATES[random.below(RATES.len())],
        1 => (1 + random.below(20) as u32, 1 + random.below(50) as u64),
        _ => (1 + (random.next() % u64::from(u32::MAX)) as u32, 1 + random.next() % SECOND),
    };
    quota(permits, nanos).burst(nz(1 + random.below(12) as u32))
}

fn start(random: &mut Random) -> u64 {
    [0, SECOND, 500 * YEAR][random.below(3)]
}

fn scale(quota: &Quota) -> u64 {
    (quota.period_nanos().get() / u64::from(quota.permits().get())).clamp(1, YEAR)
}

#[test]
fn l2_gcra_and_the_leaky_bucket_are_a_bucket_of_tokens_in_exact_rationals() {
    for seed in 0..2_000 {
        let quota = quotas(&mut Random(seed));
        let (start, scale) = (start(&mut Random(seed)), scale(&quota));
        agree(&Gcra::new(quota), &mut Tokens::new(quota), start, scale, &mut Random(seed));
        agree(&LeakyBucket::new(quota), &mut Tokens::new(quota), start, scale, &mut Random(seed));
    }
}

#[test]
fn l2_the_leaky_queue_is_a_drain_in_exact_rationals() {
    for seed in 0..2_000 {
        let quota = quotas(&mut Random(seed));
        let (permits, period) = (u128::from(quota.permits().get()), quota.period().as_nanos());
        let mut model = Pace { permits, period, grants: Vec::new() };
        let (start, scale) = (start(&mut Random(seed)), scale(&quota));
        agree(&LeakyQueue::new(quota), &mut model, start, scale, &mut Random(seed));
    }
}

/// Runs `test` with many windows, and with a model for each.
fn windows(kind: Kind, test: impl Fn(NonZeroU32, Duration, &mut Windows, u64, u64, &mut Random)) {
    for seed in 0..2_000 {
        let random = &mut Random(seed);
        let window = [1, 2, 7, 100, SECOND, 10 * YEAR][random.below(6)];
        let permits = 1 + random.below(12) as u32;
        let model = &mut Windows { permits: permits.into(), window: window.into(), kind, grants: Vec::new() };
        let scale = (window / u64::from(permits)).max(1);
        test(nz(permits), Duration::from_nanos(window), model, start(random), scale.min(YEAR), random);
    }
}

#[test]
fn l2_a_fixed_window_counts_what_it_holds() {
    windows(Kind::Fixed, |permits, window, model, start, scale, random| {
        agree(&FixedWindow::new(permits, window).unwrap(), model, start, scale, random);
    });
}

#[test]
fn l2_a_sliding_counter_weighs_the_window_before() {
    windows(Kind::Counter, |permits, window, model, start, scale, random| {
        agree(&SlidingCounter::new(permits, window).unwrap(), model, start, scale, random);
    });
}

#[test]
fn l2_a_sliding_log_knows_what_each_window_holds() {
    windows(Kind::Log, |permits, window, model, start, scale, random| {
        agree(&SlidingLog::new(permits, window).unwrap(), model, start, scale, random);
    });
}

/// Grants at random, takes some back at once or later, and compares with a model that forgets them: what is allowed then is
/// never more, and it is the same if nothing was granted in between.
fn refunds<D: Decide>(algorithm: D, model: &mut impl Model, scale: u64, random: &mut Random) {
    let mut book = Book::new(algorithm);
    let mut grants: Vec<(Receipt, u32)> = Vec::new();
    let mut now = 0;
    // Whether the two are the same, as far as is known.
    let mut same = true;
    for _ in 0..40 {
        now += random.below(2 * scale as usize + 2) as u64;
        let permits = 1 + random.below(book.algorithm.burst() as usize) as u32;
        if random.below(3) < 2 {
            if book.is_ready(permits, now) {
                assert!(model.is_ready(permits, now), "{book:?} at {now}: more than without what was given back");
                grants.push((book.grant(permits, now, now), permits));
                model.grant(permits, now);
            } else if same {
                assert!(!model.is_ready(permits, now), "{book:?} at {now}");
            }
        } else if let Some(index) = random.below(3).checked_rem(grants.len()) {
            // One of the last three, most often the last.
            let index = grants.len() - 1 - index;
            let (receipt, held) = grants[index];
            let back = random.below(held as usize + 1) as u32;
            book.refund(back, receipt, now);
            model.forget(index, back);
            grants[index].1 -= back;
            same &= index + 1 == grants.len() || back == 0;
        }
    }
}

#[test]
fn l4_what_is_given_back_is_what_would_be_there_at_most() {
    for seed in 0..3_000 {
        let random = &mut Random(seed);
        let quota = quotas(random);
        let scale = scale(&quota).min(SECOND);
        refunds(Gcra::new(quota), &mut Tokens::new(quota), scale, &mut Random(seed));
        refunds(LeakyBucket::new(quota), &mut Tokens::new(quota), scale, &mut Random(seed));
        let (permits, period) = (u128::from(quota.permits().get()), quota.period().as_nanos());
        let mut pace = Pace { permits, period, grants: Vec::new() };
        refunds(LeakyQueue::new(quota), &mut pace, scale, &mut Random(seed));
    }
    windows(Kind::Fixed, |permits, window, model, _, scale, random| {
        refunds(FixedWindow::new(permits, window).unwrap(), model, scale, random);
    });
    windows(Kind::Counter, |permits, window, model, _, scale, random| {
        refunds(SlidingCounter::new(permits, window).unwrap(), model, scale, random);
    });
    windows(Kind::Log, |permits, window, model, _, scale, random| {
        refunds(SlidingLog::new(permits, window).unwrap(), model, scale, random);
    });
}

#[test]
fn the_latest_grants_are_taken_back_and_no_more_than_fit() {
    fn test<D: Decide>(algorithm: &D) {
        let mut state = algorithm.fresh();
        let burst = algorithm.burst();
        algorithm.charge(&mut state, burst - 1, 5);
        algorithm.charge(&mut state, 1, 5);
        assert!(!algorithm.is_ready(&state, 1, 5));
        algorithm.refund_latest(&mut state, 2, 5);
        assert!(algorithm.is_ready(&state, 2, 5) && !algorithm.is_ready(&state, 3, 5), "{algorithm:?}");
        algorithm.refund_latest(&mut state, u32::MAX, 5);
        assert!(algorithm.is_ready(&state, burst, 5));
        algorithm.charge(&mut state, burst, 5);
        assert!(!algorithm.is_ready(&state, 1, 5), "{algorithm:?}: only what was taken came back");
    }
    let quota = quota(1, 1000).burst(nz(5));
    test(&Gcra::new(quota));
    test(&LeakyBucket::new(quota));
    let (five, window) = (nz(5), Duration::from_nanos(1000));
    test(&FixedWindow::new(five, window).unwrap());
    test(&SlidingCounter::new(five, window).unwrap());
    test(&SlidingLog::new(five, window).unwrap());
}

#[test]
fn l1_the_last_window_of_all_time_is_followed_by_none() {
    let clock = ManualClock::at(at(u64::MAX - 2));
    let nano = Duration::from_nanos(1);
    let fixed = Limiter::with(&clock.time(), FixedWindow::new(nz(2), nano).unwrap());
    let counter = Limiter::with(&clock.time(), SlidingCounter::new(nz(2), nano).unwrap());
    let next = at(u64::MAX - 1);
    assert_eq!((fixed.try_acquire(2), fixed.try_acquire(1)), (Ok(()), not_yet(next)));
    assert_eq!(counter.try_acquire(1), Ok(()));
    clock.advance_to(next);
    assert_eq!((fixed.try_acquire(2), fixed.try_acquire(1)), (Ok(()), not_yet(Instant::NEVER)));
    assert_eq!((counter.try_acquire(1), counter.try_acquire(1)), (Ok(()), not_yet(Instant::NEVER)));
}

#[test]
fn of_the_largest_burst_all_is_available() {
    let (time, most) = (ManualClock::new().time(), nz(u32::MAX));
    let all = Gcra::new(quota(1, SECOND).burst(most));
    let (limiter, keys) = (Limiter::with(&time, all), KeyedLimiter::with(&time, all));
    let window = Limiter::with(&time, FixedWindow::new(most, Duration::from_secs(1)).unwrap());
    for left in [u32::MAX, u32::MAX - 1] {
        assert_eq!([limiter.available(), keys.available(&1), window.available()], [left; 3]);
        limiter.try_acquire(1).unwrap();
        keys.try_acquire(&1, 1).unwrap();
        window.try_acquire(1).unwrap();
    }
}

/// How much is left after a change, of which `used` of ten have been used.
fn left<D: Decide>([old, new]: [&D; 2], used: u32, carry: Carry) -> u32 {
    let mut state = old.fresh();
    old.charge(&mut state, used, 100);
    let state = new.carry(old, &state, carry, 100);
    let ready = |n: u32| n == 0 || new.is_ready(&state, n, 100);
    (0..u32::BITS).rev().fold(0, |left, bit| {
        if ready(left | 1 << bit) && left | 1 << bit <= new.burst() { left | 1 << bit } else { left }
    })
}

#[test]
fn a_change_keeps_the_fraction_or_the_number() {
    let quota = |burst| quota(7, 1000).burst(nz(burst));
    let gcra = |burst| Gcra::new(quota(burst));
    let meter = |burst| LeakyBucket::new(quota(burst));
    let window = Duration::from_secs(1);
    let fixed = |n| FixedWindow::new(nz(n), window).unwrap();
    let counter = |n| SlidingCounter::new(nz(n), window).unwrap();
    let log = |n| SlidingLog::new(nz(n), window).unwrap();
    for (used, to, fraction, tokens, counted) in
        [(4, 20, 12, 6, 16), (4, 5, 3, 5, 1), (10, 5, 0, 0, 0), (0, 20, 20, 10, 20)]
    {
        let ten = 10;
        assert_eq!(left([&gcra(ten), &gcra(to)], used, Carry::Fraction), fraction);
        assert_eq!(left([&meter(ten), &meter(to)], used, Carry::Fraction), fraction);
        assert_eq!(left([&fixed(ten), &fixed(to)], used, Carry::Fraction), fraction);
        assert_eq!(left([&counter(ten), &counter(to)], used, Carry::Fraction), fraction);
        assert_eq!(left([&log(ten), &log(to)], used, Carry::Fraction), fraction);
        assert_eq!(left([&gcra(ten), &gcra(to)], used, Carry::Clamp), tokens);
        assert_eq!(left([&meter(ten), &meter(to)], used, Carry::Clamp), tokens);
        assert_eq!(left([&fixed(ten), &fixed(to)], used, Carry::Clamp), counted);
        assert_eq!(left([&counter(ten), &counter(to)], used, Carry::Clamp), counted);
        assert_eq!(left([&log(ten), &log(to)], used, Carry::Clamp), counted);
    }
}

#[test]
fn a_change_of_the_rate_leaves_the_same_fraction_of_the_largest_and_the_smallest() {
    for from in RATES {
        for to in RATES {
            let [old, new] = [from, to].map(|(permits, nanos)| Gcra::new(quota(permits, nanos).burst(nz(u32::MAX))));
            let half = u32::MAX / 2;
            assert_eq!(left([&old, &new], half, Carry::Fraction), u32::MAX - half, "{from:?} to {to:?}");
            assert_eq!(left([&old, &new], half, Carry::Clamp), u32::MAX - half, "{from:?} to {to:?}");
        }
    }
}

#[test]
fn windows_are_aligned_with_an_instant() {
    let window = FixedWindow::new(nz(1), Duration::from_nanos(100)).unwrap().aligned(at(1030));
    let mut count = window.fresh();
    for (from, due) in [(0, 0), (1, 30), (29, 30), (30, 30), (31, 130), (129, 130)] {
        assert_eq!(window.due(&count, 1, from), due);
        if from == due {
            window.charge(&mut count, 1, from);
        }
    }
}
