//! Calls and streams that wait for their turn: L3 and L4 for both.

use super::*;
use core::task::ready;
use futures_core::Stream;
use std::sync::Mutex;

/// Counts up, when it is let.
struct Numbers {
    next: u32,
    end: u32,
    /// Items that it may give, others are waited for.
    gives: Arc<Mutex<u32>>,
}

impl Numbers {
    fn to(end: u32) -> Self {
        Self { next: 0, end, gives: Arc::new(Mutex::new(u32::MAX)) }
    }
}

impl Stream for Numbers {
    type Item = u32;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u32>> {
        if self.next == self.end {
            return Ready(None);
        }
        let mut gives = self.gives.lock().unwrap();
        ready!(if *gives == 0 { Pending } else { Ready(()) });
        *gives -= 1;
        drop(gives);
        self.next += 1;
        Ready(Some(self.next - 1))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.end - self.next) as usize;
        (left, Some(left))
    }
}

fn next<A: Algorithm>(stream: &mut Pin<Box<Throttled<Numbers, A>>>) -> Poll<Option<u32>> {
    stream.as_mut().poll_next(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_stream_gives_an_item_for_each_permit_and_holds_one_at_most() {
    let clock = ManualClock::new();
    let limiter = ten(&clock, 1);
    let mut stream = Box::pin(limiter.throttle(Numbers::to(3)));
    assert_eq!(stream.size_hint(), (3, Some(3)));
    assert_eq!(next(&mut stream), Ready(Some(0)));
    for _ in 0..3 {
        assert_eq!(next(&mut stream), Pending);
        assert_eq!((stream.get_ref().next, stream.size_hint()), (2, (2, Some(2))));
    }
    clock.advance_to(ms(99));
    assert_eq!(next(&mut stream), Pending);
    clock.advance_to(ms(100));
    assert_eq!(next(&mut stream), Ready(Some(1)));
    clock.advance_to(ms(5_000));
    assert_eq!((next(&mut stream), next(&mut stream)), (Ready(Some(2)), Ready(None)));
    assert_eq!(limiter.peek(1), not_yet(ms(5_100)), "the end took no permit");
}

#[test]
fn l3_the_items_of_a_stream_stand_in_line_with_all_others() {
    let clock = ManualClock::new();
    let limiter = ten(&clock, 1);
    limiter.try_acquire(1).unwrap();
    let mut before = Task::waiting(limiter.acquire(1));
    let mut stream = Box::pin(limiter.throttle(Numbers::to(2)));
    assert_eq!(next(&mut stream), Pending);
    let mut behind = Task::waiting(limiter.acquire(1));
    clock.advance_to(ms(100));
    assert_eq!((before.poll(), next(&mut stream), behind.poll()), (Ready(Ok(())), Pending, Pending));
    clock.advance_to(ms(200));
    assert_eq!((next(&mut stream), behind.poll()), (Ready(Some(0)), Pending));
    assert_eq!(next(&mut stream), Pending);
    clock.advance_to(ms(300));
    assert_eq!((next(&mut stream), behind.poll()), (Pending, Ready(Ok(()))));
}

#[test]
fn l4_a_stream_that_waits_or_was_granted_gives_its_place_back() {
    for granted in [false, true] {
        let clock = ManualClock::new();
        let limiter = ten(&clock, 1);
        limiter.try_acquire(1).unwrap();
        let mut stream = Box::pin(limiter.throttle(Numbers::to(9)));
        assert_eq!(next(&mut stream), Pending);
        let mut behind = Task::waiting(limiter.acquire(1));
        clock.advance_to(ms(if granted { 100 } else { 99 }));
        drop(stream);
        clock.advance_to(ms(100));
        assert_eq!((behind.wakes(), behind.poll()), (1, Ready(Ok(()))));
    }
}

#[test]
fn an_item_that_waits_can_be_had_without_a_permit() {
    let clock = ManualClock::new();
    let limiter = ten(&clock, 1);
    let mut stream = Box::pin(limiter.throttle(Numbers::to(9)));
    assert_eq!(stream.as_mut().take_waiting(), None);
    assert_eq!((next(&mut stream), next(&mut stream)), (Ready(Some(0)), Pending));
    let mut behind = Task::waiting(limiter.acquire(1));
    assert_eq!(stream.as_mut().take_waiting(), Some(1));
    clock.advance_to(ms(100));
    assert_eq!(behind.poll(), Ready(Ok(())));
    assert_eq!(next(&mut stream), Pending);
    clock.advance_to(ms(200));
    assert_eq!(next(&mut stream), Ready(Some(2)));
}

#[test]
fn no_permit_is_spent_while_the_stream_has_nothing_to_give() {
    let clock = ManualClock::new();
    let limiter = ten(&clock, 2);
    let numbers = Numbers::to(9);
    let gives = numbers.gives.clone();
    *gives.lock().unwrap() = 0;
    let mut stream = Box::pin(limiter.throttle(numbers));
    assert_eq!(next(&mut stream), Pending);
    assert_eq!(limiter.available(), 2);
    *gives.lock().unwrap() = 1;
    assert_eq!((next(&mut stream), next(&mut stream)), (Ready(Some(0)), Pending));
    assert_eq!(limiter.available(), 1);
}

#[test]
fn a_stream_waits_also_where_a_queue_is_full() {
    let clock = ManualClock::new();
    let limiter = Limiter::with(&clock.time(), LeakyQueue::new(Quota::per_second(nz(10))));
    limiter.try_acquire(1).unwrap();
    let _full = Task::waiting(limiter.acquire(1));
    let refused = AcquireError::Full { permits: 1, queued: 1 };
    assert_eq!(Task::new(limiter.acquire(1)).poll(), Ready(Err(refused)));
    let mut stream = Box::pin(limiter.throttle(Numbers::to(1)));
    assert_eq!(next(&mut stream), Pending);
    clock.advance_to(ms(200));
    assert_eq!((next(&mut stream), next(&mut stream)), (Ready(Some(0)), Ready(None)));
}

#[test]
fn a_call_that_is_dropped_before_its_turn_was_never_made_and_takes_nothing() {
    let clock = ManualClock::new();
    let limiter = ten(&clock, 1);
    limiter.try_acquire(1).unwrap();
    let noop = &mut Context::from_waker(Waker::noop());
    for advance in [0, 100] {
        let mut made = 0;
        let mut call = Box::pin(limiter.call(async || made += 1));
        assert_eq!(call.as_mut().poll(noop), Pending);
        clock.advance(Duration::from_millis(advance));
        drop(call);
        assert_eq!(made, 0);
    }
    assert_eq!(Box::pin(limiter.call(async || 7)).as_mut().poll(noop), Ready(Ok(7)));
    assert_eq!(limiter.peek(1), not_yet(ms(200)));
}

#[test]
fn l5_a_call_that_could_not_begin_in_time_is_not_made() {
    let clock = ManualClock::new();
    let limiter = ten(&clock, 1);
    limiter.try_acquire(1).unwrap();
    let scope = Scope::new(clock.time());
    let noop = &mut Context::from_waker(Waker::noop());
    let made = Mutex::new(false);
    let call = scope.move_on_at(ms(100), async |s| limiter.call_in(s, async || *made.lock().unwrap() = true).await);
    let refused = AcquireError::TooLate { earliest: ms(100), deadline: ms(100) };
    let Ready(outcome) = Box::pin(call).as_mut().poll(noop) else { panic!("it knows at once") };
    assert_eq!(outcome.done(), Some(Err(refused)));
    assert!(!*made.lock().unwrap());
}
