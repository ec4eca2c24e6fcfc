use super::*;

#[test]
fn loom_a_condition_misses_no_notification_given_under_the_mutex() {
    model(|| {
        // A semaphore of one permit is the mutex, and the atomic what it guards.
        let (mutex, condition, state) = (Semaphore::new(1), Condition::new(), Arc::new(AtomicUsize::new(0)));
        let other = {
            let (mutex, condition, state) = (mutex.clone(), condition.clone(), state.clone());
            spawn(move || {
                let Ok(permit) = mutex.try_acquire() else { return false };
                state.store(1, Ordering::Relaxed);
                condition.notify_one();
                drop(permit);
                true
            })
        };
        let mut task = {
            let (mutex, state) = (mutex.clone(), state.clone());
            Task::new(async move {
                let mut permit = mutex.acquire().await;
                while state.load(Ordering::Relaxed) == 0 {
                    permit = condition.wait(permit, || mutex.acquire()).await;
                }
            })
        };
        let mut polled = task.poll();
        if other.join().unwrap() {
            // It may have been woken for the mutex first, and found it locked.
            while polled.is_pending() {
                assert!(task.woken(), "asleep");
                polled = task.poll();
            }
        }
    });
}

#[test]
fn loom_a_condition_s_waiter_that_is_dropped_while_it_is_notified_passes_that_on() {
    model(|| {
        let condition = Condition::new();
        let waiter = || {
            let condition = condition.clone();
            Task::new(async move { condition.wait((), || core::future::ready(())).await }).waiting()
        };
        let (leaver, stays) = (waiter(), waiter());
        let other = {
            let condition = condition.clone();
            spawn(move || condition.notify_one())
        };
        drop(leaver);
        other.join().unwrap();
        stays.finish(Pending);
    });
}

#[test]
fn loom_of_two_that_arrive_at_once_one_leads() {
    model(|| {
        let barrier = Barrier::new(NonZeroUsize::new(2).unwrap());
        let arrive = || {
            let barrier = barrier.clone();
            Task::new(async move { barrier.wait().await.is_leader() })
        };
        let (mut one, mut two) = (arrive(), arrive());
        let other = spawn(move || {
            let polled = one.poll();
            (one, polled)
        });
        let polled = two.poll();
        let (one, first) = other.join().unwrap();
        let led = [one.finish(first), two.finish(polled)];
        assert_eq!(led.iter().filter(|led| **led).count(), 1);
    });
}

#[test]
fn loom_an_arrival_withdrawn_while_the_last_one_comes_has_taken_part_or_not() {
    model(|| {
        let barrier = Barrier::new(NonZeroUsize::new(2).unwrap());
        let arrive = || {
            let barrier = barrier.clone();
            Task::new(async move { barrier.wait().await.is_leader() })
        };
        let leaver = arrive().waiting();
        let other = spawn(move || drop(leaver));
        let mut last = arrive();
        let leads = last.poll();
        other.join().unwrap();
        assert_eq!(barrier.arrived(), usize::from(leads.is_pending()));
        assert_ne!(leads, Ready(false));
    });
}
