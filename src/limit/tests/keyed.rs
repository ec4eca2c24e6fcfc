//! Limits for many keys: what holds whatever keys do, and what memory they take.

use super::*;
use alloc::string::String;
use core::cell::{Cell, RefCell};
use core::hash::{BuildHasherDefault, Hash, Hasher};
use core::num::NonZeroUsize;

/// Ten a second for each key, two at once.
pub(super) fn ten_each<K: Hash + Eq>(clock: &ManualClock) -> KeyedLimiter<K> {
    KeyedLimiter::new(&clock.time(), Quota::per_second(nz(10)).burst(nz(2)))
}

#[test]
fn each_key_has_its_own_permits() {
    let clock = ManualClock::new();
    let limiter = ten_each::<String>(&clock);
    for key in ["ann", "bob"] {
        assert_eq!(limiter.available(key), 2);
        assert_eq!(limiter.try_acquire(key, 2), Ok(()));
        assert_eq!(limiter.try_acquire(key, 1), not_yet(ms(100)));
        assert_eq!((limiter.peek(key, 1), limiter.available(key)), (not_yet(ms(100)), 0));
    }
    clock.advance_to(at(99_999_999));
    assert!(limiter.try_acquire("ann", 1).is_err());
    clock.advance_to(ms(100));
    assert_eq!(limiter.try_acquire("ann", 1), Ok(()));
    let exceeds = Err(TryAcquireError::ExceedsBurst { permits: 3, burst: 2 });
    assert_eq!((limiter.try_acquire("ann", 3), limiter.try_acquire("eve", 3)), (exceeds, exceeds));
    assert_eq!((limiter.peek("ann", 3), limiter.peek("eve", 3)), (exceeds, exceeds));
    assert_eq!((limiter.sweep(), limiter.try_acquire("eve", 0)), (2, Ok(())), "those who are refused leave nothing");
    assert_eq!(limiter.sweep(), 2);
}

#[test]
fn no_permits_at_all_are_granted_to_a_key_by_every_algorithm() {
    fn of<A: Algorithm>(algorithm: A) {
        let clock = ManualClock::new();
        let limiter = KeyedLimiter::<u8, A>::with(&clock.time(), algorithm);
        while limiter.try_acquire(&1, 1).is_ok() {}
        let refused = limiter.peek(&1, 1);
        assert_eq!((limiter.try_acquire(&1, 0), limiter.peek(&1, 0)), (Ok(()), Ok(())), "{limiter:?}");
        assert_eq!(limiter.try_reserve(&1, 0).unwrap().permits(), 0);
        assert_eq!(limiter.peek(&1, 1), refused, "it takes nothing");
    }
    let quota = Quota::per_second(nz(10)).burst(nz(2));
    of(Gcra::new(quota));
    of(LeakyBucket::new(quota));
    of(LeakyQueue::new(quota));
    of(FixedWindow::new(nz(2), ms(10) - Instant::EPOCH).unwrap());
    of(SlidingCounter::new(nz(2), ms(10) - Instant::EPOCH).unwrap());
    of(SlidingLog::new(nz(2), ms(10) - Instant::EPOCH).unwrap());
}

#[test]
fn keys_are_dropped_when_they_are_full_again_and_not_before() {
    let clock = ManualClock::new();
    let limiter = ten_each(&clock);
    for key in 0..1_000_u64 {
        limiter.try_acquire(&key, 1 + (key % 2) as u32).unwrap();
    }
    for (now, left) in [(99_999_999, 1_000), (100_000_000, 500), (199_999_999, 500), (200_000_000, 0)] {
        clock.advance_to(at(now));
        assert_eq!(limiter.sweep(), left);
    }
}

#[test]
fn insertions_drop_idle_keys_by_and_by() {
    let clock = ManualClock::new();
    let limiter = ten_each(&clock);
    // Each is idle before a thousand others have come.
    for key in 0..100_000_u64 {
        limiter.try_acquire(&key, 1).unwrap();
        clock.advance_to(at(100_000 * (key + 1)));
        if key % 10_000 == 0 {
            let held = limiter.keys.held();
            assert!(held < 5_000, "{held} keys, of which a thousand are not idle");
        }
    }
    assert_eq!(limiter.sweep(), 999);
}

#[test]
fn a_line_is_there_only_while_somebody_waits() {
    let clock = ManualClock::new();
    let limiter = ten_each::<u8>(&clock);
    limiter.try_acquire(&1, 2).unwrap();
    assert_eq!(limiter.keys.busy(), 0);
    let mut tasks = [1, 1, 2].map(|permits| KeyTask::waiting(limiter.acquire(&1, permits)));
    assert_eq!((limiter.keys.busy(), clock.time().pending()), (1, 1));
    assert_eq!(limiter.try_acquire(&1, 1), not_yet(ms(500)));
    assert_eq!(limiter.try_acquire(&2, 1), Ok(()), "nobody waits for that");
    for (now, task) in [100, 200, 400].into_iter().zip(&mut tasks) {
        clock.advance_to(at(now * 1_000_000 - 1));
        assert_eq!(task.wakes(), 0);
        clock.advance_to(ms(now));
        assert_eq!((task.wakes(), task.poll()), (1, Ready(Ok(()))));
    }
    assert_eq!((limiter.keys.busy(), clock.time().pending()), (0, 0), "also while those who were served are there");
    drop(tasks);
    assert_eq!((limiter.available(&1), limiter.sweep()), (0, 1), "and what they have taken stays taken");
}

#[test]
fn one_who_gives_up_leaves_his_place_and_his_permits() {
    let clock = ManualClock::new();
    let limiter = ten_each::<u8>(&clock);
    limiter.try_acquire(&1, 2).unwrap();
    let first = KeyTask::waiting(limiter.acquire(&1, 2));
    let mut second = KeyTask::waiting(limiter.acquire(&1, 1));
    clock.advance_to(ms(50));
    drop(first);
    clock.advance_to(ms(100));
    assert_eq!(second.poll(), Ready(Ok(())));
    let granted = KeyTask::waiting(limiter.acquire(&1, 1));
    clock.advance_to(ms(200));
    assert_eq!(granted.wakes(), 1);
    drop(granted);
    assert_eq!((limiter.available(&1), limiter.keys.busy()), (1, 0));
}

#[test]
fn what_would_come_too_late_is_refused_at_once() {
    let clock = ManualClock::new();
    let limiter = ten_each::<u8>(&clock);
    limiter.try_acquire(&1, 2).unwrap();
    let too_late = |deadline| Ready(Err(AcquireError::TooLate { earliest: ms(100), deadline }));
    assert_eq!(KeyTask::new(limiter.acquire_before(&1, 1, ms(100))).poll(), too_late(ms(100)));
    assert_eq!(limiter.keys.busy(), 0, "nobody has waited");
    let _waits = KeyTask::waiting(limiter.acquire_before(&1, 1, at(100_000_001)));
    let behind = KeyTask::new(limiter.acquire_before(&1, 1, ms(200))).poll();
    assert_eq!(behind, Ready(Err(AcquireError::TooLate { earliest: ms(200), deadline: ms(200) })));
    clock.advance_to(ms(50));
    let past = AcquireError::TooLate { earliest: ms(50), deadline: ms(50) };
    assert_eq!(KeyTask::new(limiter.acquire_before(&2, 1, ms(50))).poll(), Ready(Err(past)), "a new key too");
    let scope = Scope::new(clock.time());
    scope.cancel("over");
    assert_eq!(KeyTask::new(limiter.acquire_in(&scope, &2, 1)).poll(), Ready(Err(AcquireError::Cancelled)));
    assert_eq!(limiter.sweep(), 1);
}

#[test]
fn a_bounded_one_refuses_a_new_key_until_another_is_idle() {
    let clock = ManualClock::new();
    let gcra = Gcra::new(Quota::per_second(nz(10)).burst(nz(2)));
    let limiter = KeyedLimiter::bounded(&clock.time(), gcra, NonZeroUsize::new(3).unwrap());
    for (key, permits) in [(1, 2), (2, 1), (3, 2)] {
        limiter.try_acquire(&key, permits).unwrap();
    }
    let error = TooManyKeys { most: 3, earliest: ms(100) };
    assert_eq!((error.most(), error.earliest()), (3, ms(100)));
    let when = Some(ms(100));
    assert_eq!((AcquireError::from(error).earliest(), TryAcquireError::from(error).earliest()), (when, when));
    for _ in 0..3 {
        assert_eq!(limiter.try_acquire(&4, 1), Err(error.into()));
        assert_eq!(KeyTask::new(limiter.acquire(&4, 1)).poll(), Ready(Err(error.into())));
        assert_eq!(limiter.penalize_until(&4, ms(500)), Err(error));
        assert_eq!(limiter.override_key(&4, gcra, Carry::Clamp), Err(error));
    }
    assert_eq!(limiter.try_acquire(&2, 1), Ok(()), "those who are there have what is theirs");
    clock.advance_to(ms(199));
    // That one was touched since.
    assert!(matches!(limiter.try_acquire(&4, 1), Err(TryAcquireError::TooManyKeys(_))));
    clock.advance_to(ms(200));
    assert_eq!(limiter.try_acquire(&4, 1), Ok(()));
    assert_eq!(limiter.sweep(), 1);
}

#[test]
fn a_key_with_numbers_of_its_own_keeps_them_until_they_are_taken_back() {
    let clock = ManualClock::new();
    let limiter = ten_each::<u8>(&clock);
    let own = Gcra::new(Quota::per_second(nz(1_000)).burst(nz(8)));
    limiter.try_acquire(&1, 1).unwrap();
    limiter.override_key(&1, own, Carry::Fraction).unwrap();
    assert_eq!((limiter.available(&1), limiter.available(&2)), (4, 2));
    clock.advance_to(ms(10_000));
    assert_eq!((limiter.sweep(), limiter.available(&1)), (1, 8), "it stays, idle or not");
    limiter.try_acquire(&1, 4).unwrap();
    limiter.restore_key(&1, Carry::Fraction);
    limiter.restore_key(&2, Carry::Fraction);
    assert_eq!((limiter.available(&1), limiter.keys.busy()), (1, 0));
    clock.advance_to(ms(10_100));
    assert_eq!(limiter.sweep(), 0);
}

#[test]
fn what_is_imposed_on_a_key_ends_with_it_or_when_it_is_taken_back() {
    let clock = ManualClock::new();
    let limiter = ten_each::<u8>(&clock);
    limiter.penalize_until(&1, ms(500)).unwrap();
    limiter.penalize_until(&2, Instant::NEVER).unwrap();
    assert_eq!((limiter.try_acquire(&1, 1), limiter.try_acquire(&2, 1)), (not_yet(ms(500)), not_yet(Instant::NEVER)));
    clock.advance_to(ms(499));
    assert_eq!(limiter.sweep(), 2);
    clock.advance_to(ms(500));
    assert_eq!((limiter.sweep(), limiter.available(&1)), (1, 2));
    limiter.open(&2);
    limiter.open(&3);
    assert_eq!((limiter.available(&2), limiter.sweep()), (2, 0));
}

#[test]
fn permits_that_come_back_may_leave_a_key_idle() {
    let clock = ManualClock::new();
    let limiter = ten_each::<u8>(&clock);
    limiter.try_acquire(&1, 2).unwrap();
    limiter.refund(&1, 1);
    assert_eq!((limiter.available(&1), limiter.sweep()), (1, 1));
    limiter.refund(&1, 7);
    limiter.refund(&2, 7);
    assert_eq!((limiter.available(&1), limiter.sweep()), (2, 0));
}

#[test]
fn l7_a_dropped_key_is_not_new_again_at_an_earlier_reading() {
    let clock = ManualClock::new();
    let limiter = ten_each::<u8>(&clock);
    clock.advance_to(ms(1_000));
    limiter.try_acquire(&1, 2).unwrap();
    clock.advance_to(ms(1_200));
    assert_eq!(limiter.sweep(), 0);
    assert_eq!(limiter.try_acquire_at(&1, ms(1_000), 2), Ok(()));
    assert_eq!(limiter.try_acquire_at(&1, ms(1_000), 1), not_yet(ms(1_300)), "taken at the latest that it was told");
}

#[test]
fn words_that_would_run_over_begin_anew() {
    // So many ticks to a nanosecond that a word lasts for some seconds.
    let (clock, rate) = (ManualClock::new(), Quota::per_second(nz(999_999_937)).burst(nz(1_000)).strict());
    let (limiter, plain) = (KeyedLimiter::<u8>::new(&clock.time(), rate), Limiter::new(&clock.time(), rate));
    let mut random = Random(3);
    for _ in 0..2_000 {
        clock.jump_to(clock.time().now() + Duration::from_nanos(1 << random.below(34)));
        let permits = 1 + random.below(1_000) as u32;
        assert_eq!(limiter.try_acquire(&1, permits), plain.try_acquire(permits));
    }
    assert!(clock.time().now() > ms(100_000));
}

crate::sys::with_counter_clock! {
    #[test]
    fn l10_by_a_counter_keys_are_granted_what_there_is_and_refused_the_rest() {
        use crate::time::{CounterClock, SystemClock};
        let time = CounterClock::start(SystemClock::SLACK);
        let limiter = KeyedLimiter::<u64>::new(&time, Quota::per_hour(NonZeroU32::MIN).burst(nz(2)));
        for key in 0..1_000 {
            let before = time.now();
            assert_eq!(limiter.try_acquire(&key, 1), Ok(()));
            let after = time.now();
            assert_eq!(limiter.try_acquire(&key, 1), Ok(()));
            let Err(TryAcquireError::NotYet { earliest }) = limiter.try_acquire(&key, 1) else { panic!("a third one") };
            assert!((before..=after).contains(&(earliest - Duration::from_secs(3600))));
            let exceeds = TryAcquireError::ExceedsBurst { permits: 3, burst: 2 };
            assert_eq!((limiter.try_acquire(&key, 3), limiter.try_acquire(&key, 0)), (Err(exceeds), Ok(())));
        }
        assert_eq!(limiter.sweep(), 1_000);
    }
}

#[test]
fn keys_take_a_few_bytes_each() {
    let clock = ManualClock::new();
    let limiter = ten_each(&clock);
    for key in 0..100_000_u64 {
        limiter.try_acquire(&key, 1).unwrap();
    }
    let bytes = limiter.keys.bytes();
    assert!(bytes <= 3_000_000, "{bytes} bytes");
    clock.advance_to(ms(100));
    assert_eq!(limiter.sweep(), 0);
    assert!(limiter.keys.bytes() < 64 * 512, "{} bytes", limiter.keys.bytes());
}

/// A key whose code looks at the limiter that holds it, and may panic.
struct Meddler(u8);

type Meddled = KeyedLimiter<Meddler, Gcra, BuildHasherDefault<Worst>>;

std::thread_local! {
    static MEDDLES: RefCell<Option<Meddled>> = const { RefCell::new(None) };
    static PANICS: Cell<&'static str> = const { Cell::new("") };
    static CALLED: Cell<u32> = const { Cell::new(0) };
    /// How many comparisons go well before one panics.
    static COMPARES: Cell<Option<usize>> = const { Cell::new(None) };
    /// How many calls there were under the lock of a shard.
    static LOCKED: Cell<u32> = const { Cell::new(0) };
}

fn panic_if(what: &'static str) {
    if PANICS.get() == what {
        PANICS.set("");
        panic!("{what}");
    }
}

fn meddle(what: &'static str) {
    CALLED.set(CALLED.get() + 1);
    panic_if(what);
    // Without the limiter, so that it is not meddled with from within.
    if let Some(limiter) = MEDDLES.take() {
        if limiter.keys.is_locked() {
            LOCKED.set(LOCKED.get() + 1);
            return MEDDLES.set(Some(limiter));
        }
        assert_eq!(limiter.sweep() + limiter.sweep(), 2 * limiter.sweep());
        MEDDLES.set(Some(limiter));
    }
}

impl Clone for Meddler {
    fn clone(&self) -> Self {
        meddle("clone");
        Self(self.0)
    }
}

impl Hash for Meddler {
    fn hash<H: Hasher>(&self, state: &mut H) {
        meddle("hash");
        self.0.hash(state);
    }
}

impl PartialEq for Meddler {
    fn eq(&self, other: &Self) -> bool {
        panic_if("eq");
        match COMPARES.take() {
            Some(0) => panic!("compared"),
            left => COMPARES.set(left.map(|left| left - 1)),
        }
        self.0 == other.0
    }
}

impl Eq for Meddler {}

impl Drop for Meddler {
    fn drop(&mut self) {
        meddle("drop");
    }
}

#[test]
fn the_code_of_keys_runs_outside_the_locks() {
    let clock = ManualClock::new();
    let limiter = meddled(&clock);
    for round in 0..3 {
        for key in (0..100).map(Meddler) {
            limiter.try_acquire(&key, 2).unwrap();
            let _waits = KeyTask::waiting(limiter.acquire(&key, 1));
            limiter.penalize_until(&key, clock.time().now()).unwrap();
            limiter.override_key(&key, limiter.algorithm(), Carry::Clamp).unwrap();
            limiter.restore_key(&key, Carry::Clamp);
        }
        clock.advance_to(ms(1_000 * (round + 1)));
    }
    assert!(CALLED.get() > 3 * 100 * 10);
    assert_eq!(LOCKED.get(), 0);
    MEDDLES.set(None);
}

#[test]
fn a_key_whose_comparison_panics_is_dropped_outside_the_lock() {
    fn each_comparison(act: impl Fn(&Meddled, Meddler)) -> usize {
        for at in 0.. {
            let clock = ManualClock::new();
            let limiter = meddled(&clock);
            limiter.try_acquire(&Meddler(1), 2).unwrap();
            limiter.override_key(&Meddler(2), limiter.algorithm(), Carry::Clamp).unwrap();
            COMPARES.set(Some(at));
            let acted = catch_unwind(AssertUnwindSafe(|| act(&limiter, Meddler(3))));
            let panicked = COMPARES.take().is_none();
            MEDDLES.set(None);
            assert_eq!((acted.is_err(), LOCKED.get()), (panicked, 0), "comparison {at}");
            clock.advance_to(ms(1_000));
            limiter.restore_key(&Meddler(2), Carry::Clamp);
            limiter.restore_key(&Meddler(3), Carry::Clamp);
            limiter.sweep();
            assert_eq!((limiter.keys.held(), limiter.keys.busy()), (0, 0), "comparison {at}");
            if !panicked {
                return at;
            }
        }
        unreachable!("some comparison is the last")
    }
    // The last of them are those of a key that comes: with both that are here.
    let comes = each_comparison(|limiter, key| limiter.try_acquire(&key, 1).unwrap());
    let waits = each_comparison(|limiter, key| {
        limiter.try_acquire(&key, 2).unwrap();
        KeyTask::waiting(limiter.acquire(&key, 1));
    });
    let own = each_comparison(|limiter, key| limiter.override_key(&key, limiter.algorithm(), Carry::Clamp).unwrap());
    assert!(comes >= 4 && waits > comes && own >= 2, "{comes}, {waits}, {own}");
}

/// Ten a second for each key, two at once; keys look at it.
fn meddled(clock: &ManualClock) -> Meddled {
    let gcra = Gcra::new(Quota::per_second(nz(10)).burst(nz(2)));
    let limiter = KeyedLimiter::with_hasher(&clock.time(), gcra, None, BuildHasherDefault::default());
    MEDDLES.set(Some(limiter.clone()));
    limiter
}

#[test]
fn a_key_whose_code_panics_leaves_the_limiter_as_it_was() {
    let clock = ManualClock::new();
    let gcra = Gcra::new(Quota::per_second(nz(10)).burst(nz(2)));
    let limiter = KeyedLimiter::bounded(&clock.time(), gcra, NonZeroUsize::new(2).unwrap());
    limiter.try_acquire(&Meddler(1), 1).unwrap();
    for what in ["hash", "eq", "clone"] {
        let key = Meddler(if what == "eq" { 1 } else { 2 });
        PANICS.set(what);
        let tried = catch_unwind(AssertUnwindSafe(|| limiter.try_acquire(&key, 1)));
        assert!(tried.is_err(), "{what}");
        PANICS.set("");
        assert_eq!((limiter.sweep(), limiter.available(&key)), (1, if what == "eq" { 1 } else { 2 }));
    }
    limiter.try_acquire(&Meddler(2), 1).expect("there is room");
    clock.advance_to(ms(1_000));
    PANICS.set("drop");
    assert!(catch_unwind(AssertUnwindSafe(|| limiter.sweep())).is_err());
    assert_eq!(limiter.sweep(), 0);
}

#[derive(Default)]
struct Worst;

impl Hasher for Worst {
    fn write(&mut self, _: &[u8]) {}

    fn finish(&self) -> u64 {
        0
    }
}

#[test]
fn keys_with_the_same_hash_are_told_apart() {
    let clock = ManualClock::new();
    let gcra = Gcra::new(Quota::per_second(nz(1)));
    let hasher = BuildHasherDefault::<Worst>::default();
    let limiter = KeyedLimiter::with_hasher(&clock.time(), gcra, None, hasher);
    for key in 0..500_u32 {
        assert_eq!(limiter.try_acquire(&key, 1), Ok(()));
    }
    let tasks: Vec<_> = (0..100).map(|key| KeyTask::waiting(limiter.acquire(&key, 1))).collect();
    for key in 0..500_u32 {
        assert!(limiter.try_acquire(&key, 1).is_err());
    }
    drop(tasks);
    assert_eq!(limiter.sweep(), 500);
}

/// A future that is polled by hand.
pub(super) struct KeyTask<F> {
    future: Pin<Box<F>>,
    count: Arc<Count>,
}

impl<T, F: Future<Output = T>> KeyTask<F> {
    pub(super) fn new(future: F) -> Self {
        Self { future: Box::pin(future), count: Arc::new(Count(AtomicUsize::new(0))) }
    }

    /// One that waits already.
    pub(super) fn waiting(future: F) -> Self {
        let mut task = Self::new(future);
        assert!(task.poll().is_pending());
        task
    }

    pub(super) fn poll(&mut self) -> Poll<T> {
        self.future.as_mut().poll(&mut Context::from_waker(&waker(self.count.clone())))
    }

    pub(super) fn wakes(&self) -> usize {
        self.count.0.load(Ordering::Relaxed)
    }
}
