use super::*;

fn acquire(semaphore: &Semaphore, permits: usize) -> Task<Result<OwnedPermit, AcquireError>> {
    let semaphore = semaphore.clone();
    Task::new(async move { semaphore.acquire_many(permits).await.map(Permit::into_owned) })
}

#[test]
fn loom_a_permit_given_back_while_one_joins_the_line_is_theirs() {
    model(|| {
        let semaphore = Semaphore::new(1);
        let held = semaphore.try_acquire().unwrap().into_owned();
        let mut task = acquire(&semaphore, 1);
        let other = spawn(move || drop(held));
        let first = task.poll();
        other.join().unwrap();
        drop(task.finish(first).unwrap());
        assert_eq!((semaphore.available(), semaphore.waiting()), (1, 0));
    });
}

#[test]
fn loom_a_permit_taken_without_the_lock_is_given_back_to_who_joined_meanwhile() {
    model(|| {
        let semaphore = Semaphore::new(1);
        let mut task = acquire(&semaphore, 1);
        let other = {
            let semaphore = semaphore.clone();
            spawn(move || semaphore.try_acquire().map(drop).is_ok())
        };
        let first = task.poll();
        other.join().unwrap();
        drop(task.finish(first).unwrap());
        assert_eq!((semaphore.available(), semaphore.waiting()), (1, 0));
    });
}

#[test]
fn loom_two_permits_given_back_at_once_make_up_what_one_waits_for() {
    model(|| {
        let semaphore = Semaphore::new(2);
        let mut one = semaphore.try_acquire_many(2).unwrap().into_owned();
        let two = one.split(1).unwrap();
        let large = acquire(&semaphore, 2).waiting();
        let small = acquire(&semaphore, 1).waiting();
        let other = spawn(move || drop(one));
        drop(two);
        other.join().unwrap();
        assert!(!small.woken(), "nobody overtakes");
        drop(large.finish(Pending).unwrap());
        drop(small.finish(Pending).unwrap());
        assert_eq!((semaphore.available(), semaphore.waiting()), (2, 0));
    });
}

#[test]
fn loom_one_that_is_dropped_while_it_is_granted_passes_its_permit_on() {
    model(|| {
        let semaphore = Semaphore::new(1);
        let held = semaphore.try_acquire().unwrap().into_owned();
        let leaver = acquire(&semaphore, 1).waiting();
        let stays = acquire(&semaphore, 1).waiting();
        let other = spawn(move || drop(held));
        drop(leaver);
        other.join().unwrap();
        drop(stays.finish(Pending).unwrap());
        assert_eq!((semaphore.available(), semaphore.waiting()), (1, 0));
    });
}

#[test]
fn loom_a_large_request_that_is_dropped_while_permits_come_lets_the_small_one_go() {
    model(|| {
        let semaphore = Semaphore::new(1);
        let held = semaphore.try_acquire().unwrap().into_owned();
        let large = acquire(&semaphore, 2).waiting();
        let small = acquire(&semaphore, 1).waiting();
        let other = spawn(move || drop(held));
        drop(large);
        other.join().unwrap();
        drop(small.finish(Pending).unwrap());
        assert_eq!((semaphore.available(), semaphore.waiting()), (1, 0));
    });
}

#[test]
fn loom_closing_while_a_permit_comes_back_turns_away_who_waits() {
    model(|| {
        let semaphore = Semaphore::new(1);
        let held = semaphore.try_acquire().unwrap().into_owned();
        let task = acquire(&semaphore, 1).waiting();
        let other = spawn(move || drop(held));
        semaphore.close();
        other.join().unwrap();
        assert!(task.finish(Pending).is_err());
        assert_eq!((semaphore.available(), semaphore.waiting()), (1, 0));
    });
}

#[test]
fn loom_permits_that_are_forgotten_while_others_take_them_are_forgotten_or_taken() {
    model(|| {
        let semaphore = Semaphore::new(1);
        let other = {
            let semaphore = semaphore.clone();
            spawn(move || semaphore.forget_permits(1))
        };
        let taken = semaphore.try_acquire().is_ok();
        let forgotten = other.join().unwrap();
        assert_eq!((semaphore.available(), semaphore.total()), (1 - forgotten, 1 - forgotten));
        assert!(taken || forgotten == 1);
    });
}

#[test]
fn loom_a_permit_given_back_while_the_total_is_lowered_is_gone_or_was_the_last() {
    model(|| {
        let semaphore = Semaphore::new(2);
        let mut one = semaphore.try_acquire_many(2).unwrap().into_owned();
        let two = one.split(1).unwrap();
        let other = {
            let semaphore = semaphore.clone();
            spawn(move || {
                semaphore.set_total(1);
                assert!(semaphore.try_acquire().is_err(), "the one that there is, is out");
            })
        };
        drop(one);
        other.join().unwrap();
        assert_eq!((semaphore.available(), semaphore.total()), (0, 1));
        drop(two);
        assert_eq!((semaphore.available(), semaphore.waiting()), (1, 0));
    });
}

#[test]
fn loom_one_who_joins_while_the_total_is_lowered_is_granted_what_comes_back_after_that() {
    model(|| {
        let semaphore = Semaphore::new(2);
        let mut one = semaphore.try_acquire_many(2).unwrap().into_owned();
        let two = one.split(1).unwrap();
        let mut task = acquire(&semaphore, 1);
        let lowers = {
            let semaphore = semaphore.clone();
            spawn(move || semaphore.set_total(1))
        };
        let brings = spawn(move || drop(one));
        let first = task.poll();
        lowers.join().unwrap();
        brings.join().unwrap();
        drop(two);
        drop(task.finish(first).unwrap());
        assert_eq!((semaphore.available(), semaphore.total(), semaphore.waiting()), (1, 1, 0));
    });
}

#[test]
fn loom_of_two_that_borrow_for_one_at_once_one_is_refused() {
    model(|| {
        let limiter = CapacityLimiter::new(2);
        let other = {
            let limiter = limiter.clone();
            spawn(move || limiter.try_acquire(7))
        };
        let mine = limiter.try_acquire(7);
        let theirs = other.join().unwrap();
        assert_eq!([mine.is_ok(), theirs.is_ok()].iter().filter(|ok| **ok).count(), 1);
        drop((mine, theirs));
        assert_eq!((limiter.borrowed(), limiter.waiting()), (0, 0));
    });
}

#[test]
fn loom_a_token_given_back_while_one_who_waits_is_dropped_goes_to_the_next() {
    model(|| {
        let limiter = CapacityLimiter::new(1);
        let token = limiter.try_acquire(0).unwrap();
        let waiter = |n| {
            let limiter = limiter.clone();
            Task::new(async move { limiter.acquire(n).await }).waiting()
        };
        let (leaver, stays) = (waiter(1), waiter(2));
        let other = spawn(move || drop(token));
        drop(leaver);
        other.join().unwrap();
        assert_eq!(*stays.finish(Pending).unwrap().borrower(), 2);
        assert_eq!((limiter.borrowed(), limiter.waiting()), (0, 0));
    });
}
