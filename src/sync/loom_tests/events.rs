use super::*;

fn wait(event: &Event) -> Task<()> {
    let event = event.clone();
    Task::new(async move { event.wait().await })
}

#[test]
fn loom_an_event_set_while_one_begins_to_wait_is_heard() {
    model(|| {
        let event = Event::new();
        let mut task = wait(&event);
        let other = {
            let event = event.clone();
            spawn(move || event.set())
        };
        let first = task.poll();
        other.join().unwrap();
        task.finish(first);
    });
}

#[test]
fn loom_who_waits_when_an_event_is_set_goes_on_though_it_is_reset_and_set_again() {
    model(|| {
        let event = Event::new();
        let task = wait(&event).waiting();
        let other = {
            let event = event.clone();
            spawn(move || {
                event.set();
                event.reset();
            })
        };
        event.set();
        other.join().unwrap();
        task.finish(Pending);
    });
}

#[test]
fn loom_a_reset_sees_what_was_done_before_the_set_that_it_undoes() {
    model(|| {
        let (event, done) = (Event::new(), Arc::new(AtomicUsize::new(0)));
        let other = {
            let (event, done) = (event.clone(), done.clone());
            spawn(move || {
                done.store(1, Ordering::Relaxed);
                event.set();
            })
        };
        // If it undoes nothing, it comes before the set, which therefore stays.
        if event.reset() {
            assert_eq!(done.load(Ordering::Relaxed), 1, "neither seen nor to be heard of");
        }
        other.join().unwrap();
    });
}

#[test]
fn loom_a_waiter_that_is_dropped_while_an_event_is_set_harms_nobody() {
    model(|| {
        let event = Event::new();
        let (leaver, stays) = (wait(&event).waiting(), wait(&event).waiting());
        let other = {
            let event = event.clone();
            spawn(move || event.set())
        };
        drop(leaver);
        other.join().unwrap();
        stays.finish(Pending);
    });
}

#[test]
fn loom_a_latch_passes_on_what_was_done_before_each_counting_down() {
    model(|| {
        let (latch, done) = (Latch::new(2), Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]));
        let mut task = {
            let latch = latch.clone();
            Task::new(async move { latch.wait().await })
        };
        let first = task.poll();
        let others = [0, 1].map(|n| {
            let (latch, done) = (latch.clone(), done.clone());
            spawn(move || {
                done[n].store(1, Ordering::Relaxed);
                latch.count_down();
            })
        });
        // The waiter hears of the threads by the latch alone.
        let opened = task.woken() && task.poll().is_ready();
        if opened || latch.is_open() {
            assert!(done.iter().all(|done| done.load(Ordering::Relaxed) == 1));
        }
        others.into_iter().for_each(|other| other.join().unwrap());
        if !opened {
            task.finish(first);
        }
    });
}

#[test]
fn loom_a_group_whose_last_guards_go_at_once_is_empty() {
    model(|| {
        let group = WaitGroup::new();
        let (one, two) = (group.add(), group.add());
        let mut task = {
            let group = group.clone();
            Task::new(async move { group.wait().await })
        };
        let other = spawn(move || drop(one));
        let first = task.poll();
        drop(two);
        other.join().unwrap();
        task.finish(first);
        assert_eq!(group.count(), 0);
    });
}

#[test]
fn loom_a_group_that_is_never_empty_lets_nobody_go() {
    model(|| {
        let group = WaitGroup::new();
        let one = group.add();
        let mut task = {
            let group = group.clone();
            Task::new(async move { group.wait().await })
        };
        let other = spawn(move || {
            let next = one.clone();
            drop(one);
            next
        });
        assert!(task.poll().is_pending());
        let next = other.join().unwrap();
        assert!(!task.woken());
        drop(next);
        task.finish(Pending);
    });
}
