use super::*;
use alloc::boxed::Box;

fn notified(notify: &Notify) -> Task<()> {
    let notify = notify.clone();
    Task::new(async move { notify.notified().await })
}

#[test]
fn loom_a_signal_given_while_one_begins_to_wait_is_taken_or_heard() {
    model(|| {
        let notify = Notify::new();
        let mut task = notified(&notify);
        let other = {
            let notify = notify.clone();
            spawn(move || notify.notify_one())
        };
        let first = task.poll();
        other.join().unwrap();
        task.finish(first);
        assert!(notified(&notify).poll().is_pending(), "one signal wakes one");
    });
}

#[test]
fn loom_two_signals_given_at_once_reach_two_who_wait() {
    model(|| {
        let notify = Notify::new();
        let tasks = [notified(&notify).waiting(), notified(&notify).waiting()];
        let other = {
            let notify = notify.clone();
            spawn(move || notify.notify_one())
        };
        notify.notify_one();
        other.join().unwrap();
        tasks.into_iter().for_each(|task| task.finish(Pending));
    });
}

#[test]
fn loom_one_that_is_dropped_while_it_is_notified_passes_the_signal_on() {
    model(|| {
        let notify = Notify::new();
        let (leaver, stays) = (notified(&notify).waiting(), notified(&notify).waiting());
        let other = {
            let notify = notify.clone();
            spawn(move || notify.notify_one())
        };
        drop(leaver);
        other.join().unwrap();
        stays.finish(Pending);
    });
}

#[test]
fn loom_a_signal_that_nobody_waits_for_any_more_is_kept() {
    model(|| {
        let notify = Notify::new();
        let leaver = notified(&notify).waiting();
        let other = {
            let notify = notify.clone();
            spawn(move || notify.notify_one())
        };
        drop(leaver);
        other.join().unwrap();
        assert!(notified(&notify).poll().is_ready());
        assert!(notified(&notify).poll().is_pending());
    });
}

#[test]
fn loom_a_signal_passes_on_what_was_done_before_it() {
    model(|| {
        let (notify, done) = (Notify::new(), Arc::new(AtomicUsize::new(0)));
        let other = {
            let (notify, done) = (notify.clone(), done.clone());
            spawn(move || {
                done.store(1, Ordering::Relaxed);
                notify.notify_one();
            })
        };
        let mut task = notified(&notify);
        if task.poll().is_ready() || (task.woken() && task.poll().is_ready()) {
            assert_eq!(done.load(Ordering::Relaxed), 1);
        }
        other.join().unwrap();
    });
}

#[test]
fn loom_a_signal_for_all_reaches_who_was_made_before() {
    model(|| {
        let notify: &'static Notify = Box::leak(Box::new(Notify::new()));
        let mut task = Task::new(notify.notified());
        let other = spawn(move || notify.notify_all());
        let first = task.poll();
        other.join().unwrap();
        task.finish(first);
    });
}
