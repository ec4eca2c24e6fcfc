use super::*;

#[test]
fn loom_a_value_sent_while_one_begins_to_wait_is_seen() {
    model(|| {
        let (tx, mut rx) = watch::channel(0);
        let mut task = Task::new(async move { rx.changed().await.map(|value| *value) });
        let other = spawn({
            // The last sender's going would wake it, too.
            let tx = tx.clone();
            move || tx.send(1)
        });
        let first = task.poll();
        assert_eq!(other.join().unwrap(), Ok(()));
        assert_eq!(task.finish(first), Ok(1));
    });
}

#[test]
fn loom_of_two_senders_that_change_a_value_neither_is_lost() {
    model(|| {
        let (tx, rx) = watch::channel(0);
        let other = {
            let tx = tx.clone();
            spawn(move || drop(tx.update(|n| Some(n + 1))))
        };
        drop(tx.update(|n| Some(n + 2)));
        other.join().unwrap();
        assert_eq!(*rx.latest(), 3);
    });
}

#[test]
fn loom_the_last_of_two_senders_gone_at_once_ends_the_wait() {
    model(|| {
        let (tx, mut rx) = watch::channel(0);
        let mut task = Task::new(async move { rx.changed().await.is_err() });
        let other = {
            let tx = tx.clone();
            spawn(move || drop(tx))
        };
        let first = task.poll();
        drop(tx);
        other.join().unwrap();
        assert!(task.finish(first));
    });
}

#[test]
fn loom_the_last_receiver_gone_while_a_sender_begins_to_wait_is_heard() {
    model(|| {
        let (tx, rx) = watch::channel(0);
        let mut task = Task::new(async move { tx.closed().await });
        let other = spawn(move || drop(rx));
        let first = task.poll();
        other.join().unwrap();
        task.finish(first);
    });
}

#[test]
fn loom_a_sender_that_waits_where_there_is_a_receiver_all_the_time_does_not_go_on() {
    model(|| {
        let (tx, rx) = watch::channel(0);
        let other = spawn(move || drop(rx));
        let stays = tx.subscribe();
        let mut task = Task::new(async move { tx.closed().await }).waiting();
        other.join().unwrap();
        assert!(!task.woken());
        assert!(task.poll().is_pending());
        drop(stays);
        task.finish(Pending);
    });
}

#[test]
fn loom_one_value_sent_while_its_receiver_goes_is_given_back_or_dropped() {
    model(|| {
        let (tx, rx) = oneshot::channel();
        let value = Arc::new(());
        let other = spawn(move || drop(rx));
        let sent = tx.send(value.clone());
        other.join().unwrap();
        drop(sent);
        assert_eq!(Arc::strong_count(&value), 1);
    });
}

#[test]
fn loom_one_value_sent_while_its_receiver_begins_to_wait_is_received() {
    model(|| {
        let (tx, mut rx) = oneshot::channel();
        let mut task = Task::new(async move { rx.recv().await });
        let other = spawn(move || tx.send(7));
        let first = task.poll();
        assert_eq!(other.join().unwrap(), Ok(()));
        assert_eq!(task.finish(first), Ok(7));
    });
}
