//! A keyed limiter beside a plain one for each key, which is never dropped.

use super::World;
use super::limiter::{Seldom, at, nz, quota};
use super::rules::Numbers;
use super::waiting::{Phase, Places, Waiting, place, spending};
use arbitrary::Arbitrary;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::future::Future;
use std::hash::{BuildHasher, Hasher};
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;
use wakeful::limit::{
    AcquireError, Algorithm, Carry, FixedWindow, Gcra, KeyedLimiter, LeakyBucket, LeakyQueue, Limiter, RandomState,
    SlidingCounter, SlidingLog, TooManyKeys, TryAcquireError,
};
use wakeful::time::{Instant, ManualClock};

/// One step.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) enum Op {
    /// Begins anew with another algorithm and another bound, at an instant of a clock of its own.
    Begin(u8, u8, Seldom, u8),
    TryAcquire(u8, u8),
    /// The reading that it is told lies so far before the clock's.
    TryAcquireAt(u8, u8, u8),
    /// Some of what is reserved is spent.
    TryReserve(u8, u8, u8),
    /// A future is put in a place, where another may have been, maybe with a deadline, and polled; it reserves or acquires.
    Ask(u8, u8, u8, Option<u8>, bool),
    Poll(u8, bool),
    Drop(u8),
    /// Some of what a reservation holds is spent, and the rest goes back.
    Commit(u8, u8),
    Peek(u8, u8),
    Available(u8),
    Refund(u8, u8),
    Observe(u8, u8, u8),
    Open(u8),
    Override(u8, u8, bool),
    Restore(u8, bool),
    /// All keys go on by other numbers.
    Reconfigure(Seldom, bool),
    Sweep,
    /// Time passes, and timers ring when they are due.
    Advance(u8),
    /// Time passes at once, and timers ring late.
    Jump(u8),
    /// Enough time for all to be idle that can be.
    Rest,
}

/// A key that counts how many there are: every one must be dropped at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key(u8);

/// Puts all keys in one shard, some under one tag; or as it is done by itself.
#[derive(Clone)]
enum Hash {
    Few,
    Spread(RandomState),
}

enum KeyHasher {
    Few(u64),
    Spread(<RandomState as BuildHasher>::Hasher),
}

impl BuildHasher for Hash {
    type Hasher = KeyHasher;

    fn build_hasher(&self) -> KeyHasher {
        match self {
            Self::Few => KeyHasher::Few(0),
            Self::Spread(state) => KeyHasher::Spread(state.build_hasher()),
        }
    }
}

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        match self {
            Self::Few(sum) => *sum = bytes.iter().fold(*sum, |sum, byte| sum + u64::from(*byte) % 5),
            Self::Spread(hasher) => hasher.write(bytes),
        }
    }

    fn finish(&self) -> u64 {
        match self {
            // Only bits that say nothing about the shard.
            Self::Few(sum) => *sum,
            Self::Spread(hasher) => hasher.finish(),
        }
    }
}

type Acquiring = dyn Future<Output = Result<(), AcquireError>>;

/// How far it is, if it reserves.
type Reserves = Option<Rc<Cell<Phase>>>;

/// What keyed limiters do, whatever their algorithm; beside it the plain one of each key.
trait Real {
    fn try_acquire(&self, key: Key, now: Instant, permits: u32) -> Result<(), TryAcquireError>;
    fn try_reserve(&self, key: Key, permits: u32, spend: u32) -> Result<(), TryAcquireError>;
    fn acquire(&self, key: Key, permits: u32, deadline: Option<Instant>, phase: Reserves) -> Pin<Box<Acquiring>>;
    fn peek(&self, key: Key, permits: u32) -> Result<(), TryAcquireError>;
    fn available(&self, key: Key) -> u32;
    fn refund(&self, key: Key, permits: u32);
    fn observe(&self, key: Key, remaining: u32, reset: Instant) -> Result<(), TooManyKeys>;
    fn open(&self, key: Key);
    fn override_key(&self, key: Key, numbers: Numbers, carry: Carry) -> Result<(), TooManyKeys>;
    fn restore_key(&self, key: Key, carry: Carry);
    fn reconfigure(&self, numbers: Numbers, carry: Carry);
    fn sweep(&self) -> usize;
}

struct Many<A: Algorithm> {
    limiter: KeyedLimiter<Key, A, Hash>,
    made: fn(Numbers) -> A,
}

impl<A: Algorithm> Real for Many<A> {
    fn try_acquire(&self, key: Key, now: Instant, permits: u32) -> Result<(), TryAcquireError> {
        self.limiter.try_acquire_at(&key, now, permits)
    }

    fn try_reserve(&self, key: Key, permits: u32, spend: u32) -> Result<(), TryAcquireError> {
        self.limiter.try_reserve(&key, permits).map(|reserved| reserved.commit_only(spend))
    }

    fn acquire(&self, key: Key, permits: u32, deadline: Option<Instant>, phase: Reserves) -> Pin<Box<Acquiring>> {
        let limiter = self.limiter.clone();
        Box::pin(async move {
            let acquire = match deadline {
                Some(deadline) => limiter.acquire_before(&key, permits, deadline),
                None => limiter.acquire(&key, permits),
            };
            let Some(phase) = phase else { return acquire.await };
            let reserved = acquire.reserving().await?;
            assert_eq!(reserved.permits(), permits);
            reserved.commit_only(spending(&phase).await);
            Ok(())
        })
    }

    fn peek(&self, key: Key, permits: u32) -> Result<(), TryAcquireError> {
        self.limiter.peek(&key, permits)
    }

    fn available(&self, key: Key) -> u32 {
        self.limiter.available(&key)
    }

    fn refund(&self, key: Key, permits: u32) {
        self.limiter.refund(&key, permits);
    }

    fn observe(&self, key: Key, remaining: u32, reset: Instant) -> Result<(), TooManyKeys> {
        self.limiter.observe(&key, remaining, reset)
    }

    fn open(&self, key: Key) {
        self.limiter.open(&key);
    }

    fn override_key(&self, key: Key, numbers: Numbers, carry: Carry) -> Result<(), TooManyKeys> {
        self.limiter.override_key(&key, (self.made)(numbers), carry)
    }

    fn restore_key(&self, key: Key, carry: Carry) {
        self.limiter.restore_key(&key, carry);
    }

    fn reconfigure(&self, numbers: Numbers, carry: Carry) {
        self.limiter.reconfigure((self.made)(numbers), carry);
    }

    fn sweep(&self) -> usize {
        self.limiter.sweep()
    }
}

/// The plain limiter of a key.
trait Plain {
    fn try_acquire_at(&self, now: Instant, permits: u32) -> Result<(), TryAcquireError>;
    fn try_reserve(&self, permits: u32, spend: u32) -> Result<(), TryAcquireError>;
    fn acquire(&self, permits: u32, deadline: Option<Instant>, phase: Reserves) -> Pin<Box<Acquiring>>;
    fn peek(&self, permits: u32) -> Result<(), TryAcquireError>;
    fn available(&self) -> u32;
    fn refund(&self, permits: u32);
    fn observe(&self, remaining: u32, reset: Instant);
    fn open(&self);
    fn reconfigure(&self, numbers: Numbers, carry: Carry);
}

struct One<A: Algorithm> {
    limiter: Limiter<A>,
    made: fn(Numbers) -> A,
}

impl<A: Algorithm> Plain for One<A> {
    fn try_acquire_at(&self, now: Instant, permits: u32) -> Result<(), TryAcquireError> {
        self.limiter.try_acquire_at(now, permits)
    }

    fn try_reserve(&self, permits: u32, spend: u32) -> Result<(), TryAcquireError> {
        self.limiter.try_reserve(permits).map(|reserved| reserved.commit_only(spend))
    }

    fn acquire(&self, permits: u32, deadline: Option<Instant>, phase: Reserves) -> Pin<Box<Acquiring>> {
        let limiter = self.limiter.clone();
        Box::pin(async move {
            let acquire = match deadline {
                Some(deadline) => limiter.acquire_before(permits, deadline),
                None => limiter.acquire(permits),
            };
            let Some(phase) = phase else { return acquire.await };
            let reserved = acquire.reserving().await?;
            reserved.commit_only(spending(&phase).await);
            Ok(())
        })
    }

    fn peek(&self, permits: u32) -> Result<(), TryAcquireError> {
        self.limiter.peek(permits)
    }

    fn available(&self) -> u32 {
        self.limiter.available()
    }

    fn refund(&self, permits: u32) {
        self.limiter.refund(permits);
    }

    fn observe(&self, remaining: u32, reset: Instant) {
        self.limiter.observe(remaining, reset);
    }

    fn open(&self) {
        self.limiter.open();
    }

    fn reconfigure(&self, numbers: Numbers, carry: Carry) {
        self.limiter.reconfigure((self.made)(numbers), carry);
    }
}

/// Numbers for a byte, of which all keys are idle before long.
fn numbers(byte: u8) -> Numbers {
    let (permits, period) = [(1, 20), (3, 20), (3, 200), (7, 50), (1, 1), (5, 2)][usize::from(byte) % 6];
    let (burst, credit) = (1 + u32::from(byte) / 6 % 6, [0, 15][usize::from(byte) / 36 % 2]);
    Numbers { permits, period, burst, credit }
}

fn window(numbers: Numbers) -> (std::num::NonZeroU32, Duration) {
    (nz(numbers.burst), Duration::from_nanos(numbers.period))
}

/// Makes the plain limiter of a key.
type Make = Box<dyn Fn(Numbers) -> Box<dyn Plain>>;

/// A keyed limiter by the `n`th algorithm, and what makes plain ones that decide alike.
fn real(n: u8, numbers: Numbers, most: Option<NonZeroUsize>, hash: Hash, clock: &ManualClock) -> (Box<dyn Real>, Make) {
    fn by<A: Algorithm>(
        made: fn(Numbers) -> A,
        numbers: Numbers,
        most: Option<NonZeroUsize>,
        hash: Hash,
        clock: &ManualClock,
    ) -> (Box<dyn Real>, Make) {
        let limiter = KeyedLimiter::with_hasher(&clock.time(), made(numbers), most, hash);
        let time = clock.time();
        let plain =
            move |numbers| -> Box<dyn Plain> { Box::new(One { limiter: Limiter::with(&time, made(numbers)), made }) };
        (Box::new(Many { limiter, made }), Box::new(plain))
    }
    match n % 6 {
        0 => by(|n| Gcra::new(quota(n)), numbers, most, hash, clock),
        1 => by(|n| LeakyBucket::new(quota(n)), numbers, most, hash, clock),
        2 => by(|n| LeakyQueue::new(quota(n)), numbers, most, hash, clock),
        3 => {
            let made = |n| FixedWindow::new(window(n).0, window(n).1).unwrap();
            by(made, numbers, most, hash, clock)
        }
        4 => {
            let made = |n| SlidingCounter::new(window(n).0, window(n).1).unwrap();
            by(made, numbers, most, hash, clock)
        }
        _ => {
            let made = |n| SlidingLog::new(window(n).0, window(n).1).unwrap();
            by(made, numbers, most, hash, clock)
        }
    }
}

/// A key in the model.
struct Alone {
    plain: Box<dyn Plain>,
    own: bool,
    /// The most at once.
    burst: u32,
    /// How many wait for it, or hold what they have reserved.
    waiting: usize,
    /// Whether it may have been granted something late that is made up for: then it is kept for a while longer.
    late: bool,
}

/// Whether there is no room for a key, as far as that is known.
#[derive(Clone, Copy)]
struct Full {
    surely: bool,
    maybe: bool,
}

impl Full {
    #[track_caller]
    fn check(self, refused: bool) {
        assert!(!refused || self.maybe, "there is room");
        assert!(refused || !self.surely, "there is no room");
    }

    /// The same, for one who needs none.
    fn unless(self, needless: bool) -> Self {
        Self { surely: self.surely && !needless, maybe: self.maybe && !needless }
    }
}

impl Alone {
    fn is_idle(&self) -> bool {
        !self.own && self.waiting == 0 && self.plain.available() == self.burst
    }
}

/// A future that asks, ours and theirs.
struct Asked {
    key: Key,
    ours: Reserves,
    theirs: Reserves,
}

impl Asked {
    fn of(key: Key, reserves: bool) -> Self {
        let [ours, theirs] = [(), ()].map(|()| reserves.then(|| Rc::new(Cell::new(Phase::Waits))));
        Self { key, ours, theirs }
    }

    /// How far they are: the same.
    fn phase(&self) -> Option<Phase> {
        let [ours, theirs] = [&self.ours, &self.theirs].map(|phase| phase.as_ref().map(|phase| phase.get()));
        assert_eq!(ours, theirs);
        ours
    }
}

/// A keyed limiter and its model.
pub(crate) struct Keyed {
    clock: ManualClock,
    real: Box<dyn Real>,
    make: Make,
    numbers: Numbers,
    most: Option<usize>,
    /// Whether what one key is told counts for all.
    one_shard: bool,
    keys: BTreeMap<Key, Alone>,
    next: u64,
    ours: Places<Acquiring>,
    theirs: Places<Acquiring>,
    asked: BTreeMap<u64, Asked>,
    /// What holds a reservation, ours and theirs.
    held: Vec<[Waiting<Acquiring>; 2]>,
}

impl Keyed {
    fn begin(algorithm: u8, byte: u8, start: u8, most: u8) -> Self {
        let start = [0, 1_000_000_000, 1 << 62][usize::from(start) % 3];
        let (clock, numbers) = (ManualClock::at(at(start)), numbers(byte));
        let most = NonZeroUsize::new(usize::from(most) % 8);
        let one_shard = algorithm < 192;
        let hash = if one_shard { Hash::Few } else { Hash::Spread(RandomState::default()) };
        let (real, make) = real(algorithm, numbers, most, hash, &clock);
        let (keys, ours, theirs, asked, held) = Default::default();
        let most = most.map(NonZeroUsize::get);
        Self { clock, real, make, numbers, most, one_shard, keys, next: 0, ours, theirs, asked, held }
    }

    fn now(&self) -> u64 {
        self.clock.time().now().as_nanos()
    }

    /// The model of a key, made as it comes.
    fn alone(&mut self, key: Key) -> &mut Alone {
        let (make, numbers) = (&self.make, self.numbers);
        let burst = numbers.burst;
        self.keys.entry(key).or_insert_with(|| Alone {
            plain: make(numbers),
            own: false,
            burst,
            waiting: 0,
            late: false,
        })
    }

    /// Keys that are not idle: so many at least, and at most.
    fn busy(&self) -> RangeInclusive<usize> {
        let count = |late| self.keys.values().filter(|alone| !alone.is_idle() || late && alone.late).count();
        count(false)..=count(true)
    }

    /// Whether there is no room for `key`.
    fn is_full_for(&self, key: Key) -> Full {
        let (alone, busy) = (self.keys.get(&key), self.busy());
        let there = alone.is_some_and(|alone| !alone.is_idle());
        let may_be_there = there || alone.is_some_and(|alone| alone.late);
        let most = self.most.unwrap_or(usize::MAX);
        Full { surely: !may_be_there && *busy.start() >= most, maybe: !there && *busy.end() >= most }
    }

    fn check_error(&self, error: TooManyKeys) {
        assert_eq!(Some(error.most()), self.most);
        assert!(error.earliest().as_nanos() > self.now(), "{error}");
    }

    /// Asks the real one, and the model if there is room. All have been told the time before.
    fn attempt(
        &mut self,
        key: Key,
        permits: u32,
        real: impl FnOnce(&dyn Real) -> Result<(), TryAcquireError>,
        model: impl FnOnce(&dyn Plain) -> Result<(), TryAcquireError>,
    ) {
        let full = self.is_full_for(key).unless(permits > self.numbers.burst);
        let answer = real(&*self.real);
        full.check(matches!(answer, Err(TryAcquireError::TooManyKeys(_))));
        match answer {
            Err(TryAcquireError::TooManyKeys(error)) => self.check_error(error),
            answer => assert_eq!(answer, model(&*self.alone(key).plain)),
        }
    }

    fn try_acquire(&mut self, key: Key, told: u64, permits: u32) {
        let now = at(self.now().max(told));
        self.attempt(
            key,
            permits,
            |real| real.try_acquire(key, at(told), permits),
            |plain| plain.try_acquire_at(now, permits),
        );
    }

    fn leave(&mut self, who: u64) {
        if let Some(asked) = self.asked.remove(&who) {
            self.alone(asked.key).waiting -= 1;
        }
    }

    fn poll(&mut self, place_at: u8, new_waker: bool) {
        let Some(ours) = place(&mut self.ours, place_at) else { return };
        let (who, answer) = (ours.who, ours.poll(new_waker));
        let Some(theirs) = place(&mut self.theirs, place_at) else { unreachable!("they wait together") };
        assert_eq!(answer, theirs.poll(new_waker));
        self.settle(place_at, who, answer);
    }

    /// Takes out of its place what has got an answer, or holds what it has reserved.
    fn settle(&mut self, place_at: u8, who: u64, answer: Poll<Result<(), AcquireError>>) {
        let holds = self.asked[&who].phase() == Some(Phase::Held) && answer.is_pending();
        if answer.is_ready() || holds {
            let both = [&mut self.ours, &mut self.theirs].map(|places| place(places, place_at).take().unwrap());
            if holds {
                self.held.push(both);
            } else {
                self.leave(who);
            }
        }
    }

    fn commit(&mut self, which: usize, spend: u32) {
        let [mut ours, mut theirs] = self.held.swap_remove(which);
        let asked = &self.asked[&ours.who];
        for phase in [&asked.ours, &asked.theirs].into_iter().flatten() {
            phase.set(Phase::Spend(spend));
        }
        assert_eq!((ours.poll(false), theirs.poll(false)), (Poll::Ready(Ok(())), Poll::Ready(Ok(()))));
        self.leave(ours.who);
    }

    fn ask(&mut self, place_at: u8, key: Key, permits: u32, deadline: Option<u64>, reserves: bool) {
        self.take(Op::Drop(place_at));
        let (who, deadline, asked) = (self.next, deadline.map(at), Asked::of(key, reserves));
        self.next += 1;
        let now = self.now();
        let needless = permits > self.numbers.burst || deadline.is_some_and(|deadline| deadline <= at(now));
        let full = self.is_full_for(key).unless(needless);
        let mut ours = Waiting::new(who, self.real.acquire(key, permits, deadline, asked.ours.clone()));
        let answer = ours.poll(false);
        full.check(matches!(answer, Poll::Ready(Err(AcquireError::TooManyKeys(_)))));
        if let Poll::Ready(Err(AcquireError::TooManyKeys(error))) = answer {
            return self.check_error(error);
        }
        let alone = self.alone(key);
        let mut theirs = Waiting::new(who, alone.plain.acquire(permits, deadline, asked.theirs.clone()));
        assert_eq!(answer, theirs.poll(false), "{key:?}");
        alone.waiting += 1;
        self.asked.insert(who, asked);
        *place(&mut self.ours, place_at) = Some(ours);
        *place(&mut self.theirs, place_at) = Some(theirs);
        self.settle(place_at, who, answer);
    }

    /// All go on by other numbers: a key that is idle begins anew.
    fn reconfigure(&mut self, byte: u8, carry: Carry) {
        // What is imposed shows only in a burst that is not smaller.
        for (key, alone) in self.keys.iter().filter(|_| numbers(byte).burst < self.numbers.burst) {
            self.real.open(*key);
            alone.plain.open();
        }
        self.real.reconfigure(numbers(byte), carry);
        self.keys.retain(|_, alone| !alone.is_idle());
        self.numbers = numbers(byte);
        for alone in self.keys.values_mut().filter(|alone| !alone.own) {
            alone.plain.reconfigure(numbers(byte), carry);
            (alone.burst, alone.late) = (numbers(byte).burst, false);
        }
    }

    fn take(&mut self, op: Op) {
        let now = self.now();
        let permits = |byte| 1 + u32::from(byte) % 7;
        let key = |byte| Key(byte % 16);
        let later = |byte: u8| now + u64::from(byte);
        let carry = |fraction| if fraction { Carry::Fraction } else { Carry::Clamp };
        match op {
            Op::Begin(algorithm, numbers, start, most) => {
                let Some(start) = start.get() else { return };
                *self = Self::begin(algorithm, numbers, start, most);
            }
            Op::TryAcquire(k, n) => self.try_acquire(key(k), now, permits(n)),
            Op::TryAcquireAt(k, n, ago) => {
                if self.one_shard {
                    // It has been told the present already.
                    let _ = self.real.peek(key(k), 1);
                    self.try_acquire(key(k), now.saturating_sub(ago.into()), permits(n));
                }
            }
            Op::TryReserve(k, n, spend) => {
                let (permits, spend) = (permits(n), u32::from(spend) % 8);
                self.attempt(
                    key(k),
                    permits,
                    |real| real.try_reserve(key(k), permits, spend),
                    |plain| plain.try_reserve(permits, spend),
                );
            }
            Op::Ask(place_at, k, n, deadline, reserves) => {
                self.ask(place_at, key(k), permits(n), deadline.map(later), reserves);
            }
            Op::Poll(place_at, new_waker) => self.poll(place_at, new_waker),
            Op::Drop(place_at) => {
                let Some(ours) = place(&mut self.ours, place_at).take() else { return };
                let who = ours.who;
                drop(ours);
                *place(&mut self.theirs, place_at) = None;
                self.leave(who);
            }
            Op::Commit(which, spend) => {
                if let Some(which) = usize::from(which).checked_rem(self.held.len()) {
                    self.commit(which, u32::from(spend) % 8);
                }
            }
            Op::Peek(k, n) => {
                let answer = self.real.peek(key(k), permits(n));
                assert_eq!(answer, self.alone(key(k)).plain.peek(permits(n)));
            }
            Op::Available(k) => {
                let answer = self.real.available(key(k));
                assert_eq!(answer, self.alone(key(k)).plain.available());
            }
            Op::Refund(k, n) => {
                self.real.refund(key(k), n.into());
                self.alone(key(k)).plain.refund(n.into());
            }
            Op::Observe(k, left, until) => {
                // So few that the plain one shows it as long as it holds.
                let (full, left) = (self.is_full_for(key(k)), u32::from(left) % self.numbers.burst);
                let answer = self.real.observe(key(k), left, at(later(until)));
                full.check(answer.is_err());
                if answer.is_ok() {
                    self.alone(key(k)).plain.observe(left, at(later(until)));
                }
            }
            Op::Open(k) => {
                self.real.open(key(k));
                self.alone(key(k)).plain.open();
            }
            Op::Override(k, byte, fraction) => {
                let full = self.is_full_for(key(k));
                let answer = self.real.override_key(key(k), numbers(byte), carry(fraction));
                full.check(answer.is_err());
                if answer.is_ok() {
                    let alone = self.alone(key(k));
                    alone.plain.reconfigure(numbers(byte), carry(fraction));
                    (alone.own, alone.burst) = (true, numbers(byte).burst);
                }
            }
            Op::Restore(k, fraction) => {
                self.real.restore_key(key(k), carry(fraction));
                let numbers = self.numbers;
                let alone = self.alone(key(k));
                if std::mem::take(&mut alone.own) {
                    alone.plain.reconfigure(numbers, carry(fraction));
                    alone.burst = numbers.burst;
                }
            }
            Op::Reconfigure(byte, fraction) => {
                if let Some(byte) = byte.get() {
                    self.reconfigure(byte.wrapping_mul(29), carry(fraction));
                }
            }
            Op::Sweep => {
                let (busy, left) = (self.busy(), self.real.sweep());
                assert!(busy.contains(&left), "{left} keys, of which {busy:?} are not idle");
            }
            Op::Advance(by) => self.clock.advance_to(at(later(by))),
            Op::Jump(by) => {
                self.clock.jump_to(at(later(by)));
                let credit = self.numbers.credit > 0;
                self.keys.values_mut().for_each(|alone| alone.late |= credit && alone.waiting > 0);
            }
            Op::Rest => {
                self.clock.advance(Duration::from_nanos(4_000));
                self.keys.values_mut().for_each(|alone| alone.late &= alone.waiting > 0);
            }
        }
    }
}

impl World for Keyed {
    type Op = Op;

    fn new() -> Self {
        Self::begin(0, 0, 0, 0)
    }

    fn step(&mut self, op: Op) {
        self.take(op);
        for (ours, theirs) in self.ours.iter().zip(&self.theirs) {
            let (ours, theirs) = (ours.as_ref(), theirs.as_ref());
            assert_eq!(ours.map(Waiting::was_woken), theirs.map(Waiting::was_woken), "woken together");
        }
        assert_eq!(self.clock.time().pending() % 2, 0, "a timer for each key that is waited for");
    }

    fn end(self) {
        let Self { clock, real, ours, theirs, held, .. } = self;
        drop((ours, theirs, held));
        assert_eq!(clock.time().pending(), 0);
        clock.jump_to(at(u64::MAX - 1));
        let _ = real;
    }
}
