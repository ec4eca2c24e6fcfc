//! Several limits at once: all or nothing, in order, and without circles.

use super::*;
use crate::sync::Semaphore;
use core::num::NonZeroUsize;

/// Ten a second, `a` at once, and two a second, `b` at once.
fn two(clock: &ManualClock, a: u32, b: u32) -> (Limiter, Limiter) {
    let second = Limiter::new(&clock.time(), Quota::per_second(nz(2)).burst(nz(b)));
    (ten(clock, a), second)
}

fn both(a: &Limiter, b: &Limiter) -> Composite {
    Composite::new().limiter(a, 1).limiter(b, 1)
}

/// A future that is polled by hand.
struct All<'a> {
    future: Pin<Box<AcquireAll<'a>>>,
    count: Arc<Count>,
}

impl<'a> All<'a> {
    fn new(future: AcquireAll<'a>) -> Self {
        Self { future: Box::pin(future), count: Arc::new(Count(AtomicUsize::new(0))) }
    }

    fn waiting(future: AcquireAll<'a>) -> Self {
        let mut task = Self::new(future);
        assert!(task.poll().is_pending());
        task
    }

    fn poll(&mut self) -> Poll<Result<Pass<'a>, AcquireAllError>> {
        self.future.as_mut().poll(&mut Context::from_waker(&waker(self.count.clone())))
    }

    fn granted(&mut self) -> Pass<'a> {
        let Ready(Ok(pass)) = self.poll() else { panic!("not granted") };
        pass
    }

    fn refused(&mut self) -> AcquireAllError {
        let Ready(Err(error)) = self.poll() else { panic!("not refused") };
        error
    }

    fn wakes(&self) -> usize {
        self.count.0.load(Ordering::Relaxed)
    }
}

#[test]
fn nothing_is_taken_before_all_of_it_is_there() {
    let clock = ManualClock::new();
    let (a, b) = two(&clock, 5, 1);
    let both = both(&a, &b);
    drop(All::new(both.acquire()).granted());
    assert_eq!((a.available(), b.available()), (4, 0));
    let mut waits = All::waiting(both.acquire());
    clock.advance_to(ms(499));
    assert_eq!((waits.wakes(), a.available()), (0, 0), "nobody overtakes");
    clock.advance_to(ms(500));
    assert_eq!(waits.wakes(), 1);
    drop(waits.granted());
    assert_eq!((a.available(), b.available()), (4, 0), "taken at this instant, full before");
    assert_eq!(clock.time().pending(), 0);
}

#[test]
fn who_is_dropped_has_spent_nothing_anywhere() {
    let clock = ManualClock::new();
    for at in [0, 1, 400, 500, 900] {
        let (a, b) = two(&clock, 5, 1);
        let both = both(&a, &b);
        b.try_acquire(1).unwrap();
        let start = clock.time().now();
        let waits = All::waiting(both.acquire());
        let mut behind = (Task::waiting(a.acquire(5)), Task::waiting(b.acquire(1)));
        clock.advance(Duration::from_millis(at));
        drop(waits);
        assert_eq!(behind.0.poll(), Ready(Ok(())), "at once, at {at}");
        if at < 500 {
            assert_eq!(behind.1.poll(), Pending);
            clock.advance_to(start + Duration::from_millis(500));
        }
        assert_eq!(behind.1.poll(), Ready(Ok(())));
        assert_eq!(clock.time().pending(), 0);
    }
}

#[test]
fn each_is_charged_when_the_last_of_them_was_due() {
    let clock = ManualClock::new();
    let (a, b) = two(&clock, 1, 1);
    let both = both(&a, &b);
    drop(All::new(both.acquire()).granted());
    let mut waits = All::waiting(both.acquire());
    // Late, but within the credit.
    clock.jump_to(ms(510));
    drop(waits.granted());
    assert_eq!((a.try_acquire(1), b.try_acquire(1)), (not_yet(ms(600)), not_yet(ms(1_000))));
}

#[test]
fn those_who_want_one_limit_alone_wait_in_the_same_line() {
    let clock = ManualClock::new();
    let (a, b) = two(&clock, 1, 1);
    let both = both(&a, &b);
    a.try_acquire(1).unwrap();
    let mut first = Task::waiting(a.acquire(1));
    let mut second = All::waiting(both.acquire());
    let mut third = Task::waiting(a.acquire(1));
    assert_eq!(b.try_acquire(1), not_yet(ms(500)), "somebody waits, for whom it has come");
    clock.advance_to(ms(100));
    assert_eq!((first.poll(), second.wakes()), (Ready(Ok(())), 0));
    clock.advance_to(ms(200));
    assert_eq!((second.wakes(), third.wakes()), (1, 0));
    drop(second.granted());
    clock.advance_to(ms(300));
    assert_eq!(third.poll(), Ready(Ok(())));
    assert_eq!(b.try_acquire(1), not_yet(ms(700)));
}

#[test]
fn two_that_name_their_limits_in_another_order_dont_wait_for_each_other() {
    let clock = ManualClock::new();
    let (a, b) = two(&clock, 1, 1);
    let (ab, ba) = (both(&a, &b), both(&b, &a));
    drop(All::new(ab.acquire()).granted());
    let mut tasks = [&ab, &ba, &ab, &ba].map(|composite| All::waiting(composite.acquire()));
    for (n, task) in (1..).zip(&mut tasks) {
        clock.advance_to(ms(500 * n));
        assert!((1..=2).contains(&task.wakes()), "once for each limit at the most");
        drop(task.granted());
    }
    assert_eq!(clock.time().pending(), 0);
}

#[test]
fn l5_what_would_come_too_late_is_refused_at_once_and_changes_nothing() {
    let clock = ManualClock::new();
    let (a, b) = two(&clock, 5, 1);
    let both = both(&a, &b);
    b.try_acquire(1).unwrap();
    let too_late = |earliest, deadline| AcquireAllError::Limit(AcquireError::TooLate { earliest, deadline });
    let refused = All::new(both.acquire_before(ms(500))).refused();
    assert_eq!(refused, too_late(ms(500), ms(500)));
    assert_eq!((a.available(), clock.time().pending()), (5, 0));
    let mut waits = All::waiting(both.acquire_before(at(500_000_001)));
    assert_eq!(All::new(both.acquire_before(ms(1_000))).refused(), too_late(ms(1_000), ms(1_000)), "with those ahead");
    clock.advance_to(ms(500));
    drop(waits.granted());
    let scope = Scope::new(clock.time());
    scope.cancel("over");
    assert_eq!(All::new(both.acquire_in(&scope)).refused(), AcquireAllError::Limit(AcquireError::Cancelled));
}

#[test]
fn a_turn_that_slips_behind_its_deadline_is_given_up_at_the_deadline() {
    let clock = ManualClock::new();
    let (a, b) = two(&clock, 1, 1);
    let both = both(&a, &b);
    b.try_acquire(1).unwrap();
    let mut waits = All::waiting(both.acquire_before(ms(600)));
    let mut behind = Task::waiting(a.acquire(1));
    b.penalize_until(ms(5_000));
    let refused = waits.refused();
    assert_eq!(refused, AcquireAllError::Limit(AcquireError::TooLate { earliest: ms(5_000), deadline: ms(600) }));
    assert_eq!(behind.poll(), Ready(Ok(())));
    // Ahead of this one somebody is late.
    let _ahead = All::waiting(both.acquire());
    b.penalize_until(ms(5_000));
    let c = ten(&clock, 1);
    let other = self::both(&b, &c);
    b.open();
    b.penalize_until(ms(100));
    let mut waits = All::new(other.acquire_before(ms(2_000)));
    assert!(waits.poll().is_pending());
    b.penalize_until(ms(9_000));
    clock.advance_to(ms(2_000));
    assert_eq!(c.available(), 1, "it has left");
    let AcquireAllError::Limit(AcquireError::TooLate { deadline, .. }) = waits.refused() else { panic!("too late") };
    assert_eq!(deadline, ms(2_000));
}

#[test]
fn a_limit_that_changes_retimes_who_waits_for_several() {
    let clock = ManualClock::new();
    let (a, b) = two(&clock, 5, 1);
    let both = both(&a, &b);
    b.try_acquire(1).unwrap();
    let mut waits = All::waiting(both.acquire());
    a.penalize_until(ms(800));
    clock.advance_to(ms(500));
    assert!(waits.poll().is_pending());
    a.open();
    assert!(waits.wakes() > 0);
    drop(waits.granted());
    let mut large = All::waiting(both.acquire());
    b.set_quota(Quota::per_second(nz(10)), Carry::Clamp);
    clock.advance_to(ms(600));
    drop(large.granted());
    let three = Composite::new().limiter(&a, 3).limiter(&b, 1);
    let mut large = All::waiting(three.acquire());
    a.set_quota(Quota::per_second(nz(10)), Carry::Clamp);
    let exceeds = AcquireAllError::Limit(AcquireError::ExceedsBurst { permits: 3, burst: 1 });
    assert_eq!((large.wakes(), large.refused()), (1, exceeds));
    assert_eq!(clock.time().pending(), 0);
}

#[test]
fn a_limit_that_is_named_twice_is_asked_for_the_sum() {
    let clock = ManualClock::new();
    let (a, b) = two(&clock, 5, 1);
    let semaphore = Semaphore::new(3);
    let all =
        Composite::new().limiter(&a, 2).limiter(&b, 0).limiter(&a, 3).semaphore(&semaphore, 1).semaphore(&semaphore, 2);
    let pass = all.try_acquire().unwrap();
    assert_eq!((a.available(), b.available(), semaphore.available()), (0, 1, 0));
    drop(pass);
    assert_eq!((a.available(), semaphore.available()), (0, 3));
    let exceeds = Err(TryAcquireError::ExceedsBurst { permits: u32::MAX, burst: 1 }.into());
    let more = Composite::new().limiter(&b, u32::MAX).limiter(&b, 7);
    assert_eq!(more.try_acquire().map(drop), exceeds);
    assert!(Composite::new().try_acquire().is_ok(), "without limits all is granted");
}

#[test]
fn try_acquire_takes_all_or_says_when_to_come_back() {
    let clock = ManualClock::new();
    let (a, b) = two(&clock, 2, 1);
    let semaphore = Semaphore::new(1);
    let all = both(&a, &b).semaphore(&semaphore, 1);
    let pass = all.try_acquire().unwrap();
    assert_eq!(all.try_acquire().map(drop), Err(TryAcquireAllError::NoPermits));
    drop(pass);
    assert_eq!(all.try_acquire().map(drop), Err(TryAcquireError::NotYet { earliest: ms(500) }.into()));
    assert_eq!((a.available(), semaphore.available()), (1, 1));
    clock.advance_to(ms(500));
    assert!(all.try_acquire().is_ok());
    semaphore.close();
    assert_eq!(all.try_acquire().map(drop), Err(TryAcquireAllError::Closed));
    assert_eq!(All::new(all.acquire()).refused(), AcquireAllError::Closed);
}

#[test]
fn permits_of_semaphores_come_first_and_go_back() {
    let clock = ManualClock::new();
    let limiter = ten(&clock, 1);
    let (one, other) = (Semaphore::new(1), Semaphore::new(1));
    let all = Composite::new().semaphore(&one, 1).limiter(&limiter, 1).semaphore(&other, 1);
    let held = other.try_acquire().unwrap();
    let mut waits = All::waiting(all.acquire());
    assert_eq!(limiter.try_acquire(1), Ok(()), "nobody is in its line yet");
    drop(held);
    assert_eq!(waits.wakes(), 1);
    assert!(waits.poll().is_pending());
    assert_eq!((one.available(), other.available()), (0, 0));
    let dated = All::new(all.acquire_before(ms(150))).refused();
    let deadline = ms(150);
    assert_eq!(dated, AcquireAllError::Limit(AcquireError::TooLate { earliest: ms(200), deadline }), "before it waits");
    drop(waits);
    assert_eq!((one.available(), other.available(), clock.time().pending()), (1, 1, 0));
    let mut waits = All::waiting(all.acquire());
    clock.advance_to(ms(100));
    let pass = waits.granted();
    assert_eq!((one.available(), other.available()), (0, 0));
    drop(pass);
    assert_eq!((one.available(), other.available()), (1, 1));
    let mut waits = All::waiting(all.acquire_before(ms(250)));
    limiter.penalize_until(ms(5_000));
    waits.refused();
    assert_eq!((one.available(), other.available()), (1, 1), "also while who was refused is there");
}

#[test]
fn a_key_is_one_of_the_limits() {
    let clock = ManualClock::new();
    let (gcra, all) = (Gcra::new(Quota::per_second(nz(2))), ten(&clock, 3));
    let keyed = KeyedLimiter::<u8>::bounded(&clock.time(), gcra, NonZeroUsize::new(2).unwrap());
    let of = |key: u8| Composite::new().limiter(&all, 1).key(&keyed, &key, 1);
    let (one, two, three) = (of(1), of(2), of(3));
    assert!(one.try_acquire().is_ok());
    assert_eq!(one.try_acquire().map(drop), Err(TryAcquireError::NotYet { earliest: ms(500) }.into()));
    assert!(two.try_acquire().is_ok());
    let Err(TryAcquireAllError::Limit(TryAcquireError::TooManyKeys(_))) = three.try_acquire() else {
        panic!("no room")
    };
    assert_eq!(all.available(), 1);
    let mut waits = All::waiting(one.acquire());
    assert_eq!(keyed.keys.busy(), 1);
    clock.advance_to(ms(500));
    drop(waits.granted());
    assert_eq!((keyed.keys.busy(), keyed.available(&1), all.available()), (0, 0, 2));
    let twice = of(2).key(&keyed, &2, 0).key(&keyed, &2, 1);
    let exceeds = TryAcquireError::ExceedsBurst { permits: 2, burst: 1 };
    assert_eq!(twice.try_acquire().map(drop), Err(exceeds.into()), "one key");
}

#[test]
fn a_full_queue_refuses_for_all() {
    let clock = ManualClock::new();
    let a = ten(&clock, 3);
    let queue = Limiter::with(&clock.time(), LeakyQueue::new(Quota::per_second(nz(10)).burst(nz(2))));
    let both = Composite::new().limiter(&queue, 2).limiter(&a, 1);
    drop(All::new(both.acquire()).granted());
    let mut waits = All::waiting(both.acquire());
    let full = AcquireAllError::Limit(AcquireError::Full { permits: 2, queued: 2 });
    assert_eq!(All::new(both.acquire()).refused(), full);
    let Err(TryAcquireAllError::Limit(TryAcquireError::NotYet { earliest })) = both.try_acquire().map(drop) else {
        panic!("not yet")
    };
    assert_eq!(earliest, ms(400));
    clock.advance_to(ms(200));
    drop(waits.granted());
}

#[test]
fn behind_one_who_is_due_here_and_waits_elsewhere_nobody_is_told_to_come_at_once() {
    let clock = ManualClock::new();
    let (a, b) = two(&clock, 5, 1);
    let both = both(&a, &b);
    b.try_acquire(1).unwrap();
    let _waits = All::waiting(both.acquire());
    assert_eq!(a.try_acquire(1), not_yet(at(1)), "now would be in vain");
}

#[test]
fn l5_who_waits_behind_one_who_waits_elsewhere_too_is_turned_away_when_that_one_was_served() {
    let clock = ManualClock::new();
    let (a, b) = two(&clock, 1, 1);
    let both = both(&a, &b);
    b.try_acquire(1).unwrap();
    let mut first = All::waiting(both.acquire());
    // By `a` alone it would be there after 100 ms.
    let mut behind = Task::waiting(a.acquire_before(1, ms(300)));
    clock.advance_to(ms(500));
    assert_eq!((first.wakes(), behind.wakes()), (1, 0));
    drop(first.granted());
    assert_eq!(behind.wakes(), 1);
    assert_eq!(behind.poll(), Ready(Err(AcquireError::TooLate { earliest: ms(600), deadline: ms(300) })));
    assert_eq!(clock.time().pending(), 0);
}
