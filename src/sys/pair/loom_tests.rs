use super::*;
use crate::sys::Arc;
use crate::sys::atomic::AtomicUsize;
use crate::sys::model::{Meeting, Task, model, spawn};
use core::future::poll_fn;

/// What was done before something else, which who sees that has to see too.
#[derive(Clone)]
struct Before(Arc<AtomicUsize>);

impl Before {
    fn new() -> Self {
        Self(Arc::new(AtomicUsize::new(0)))
    }

    /// Does it; no order is kept but that of what comes next.
    fn done(self) -> Self {
        self.0.store(1, Ordering::Relaxed);
        self
    }

    fn is_done(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 1
    }
}

/// The receiver as a task, which ends with what it receives.
fn receives<T: Send + 'static>(mut rx: RecvEnd<T>) -> Task<Option<T>> {
    Task::new(async move { poll_fn(|cx| rx.poll(cx)).await })
}

#[test]
fn loom_what_was_done_before_a_value_was_sent_is_seen_by_who_receives_it() {
    model(|| {
        let (tx, rx) = pair();
        let (before, meeting) = (Before::new(), Meeting::new());
        let other = spawn({
            let meeting = meeting.clone();
            move || {
                let sent = tx.send(before.done()).is_ok();
                meeting.over();
                sent
            }
        });
        meeting.begin();
        let mut task = receives(rx);
        let first = task.poll();
        assert!(other.join().unwrap());
        assert!(task.finish(first).is_some_and(|before| before.is_done()));
    });
}

#[test]
fn loom_a_receiver_that_does_not_wait_for_the_sender_to_leave_frees_nothing_too_early() {
    model(|| {
        let (tx, mut rx) = pair();
        let before = Before::new();
        let counts = before.clone();
        let other = spawn(move || tx.send(before.done()).is_ok());
        let received = rx.poll(&Context::from_waker(Waker::noop()));
        if let Poll::Ready(value) = &received {
            assert!(value.as_ref().is_some_and(Before::is_done));
        }
        drop((received, rx));
        other.join().unwrap();
        assert_eq!(Arc::strong_count(&counts.0), 1);
    });
}

#[test]
fn loom_a_value_sent_while_its_receiver_goes_comes_back_or_is_dropped() {
    model(|| {
        let (tx, rx) = pair();
        let before = Before::new();
        let counts = before.clone();
        let other = spawn(move || drop(rx));
        let back = tx.send(before.done());
        if let Err(before) = &back {
            assert!(before.is_done());
        }
        drop(back);
        other.join().unwrap();
        assert_eq!(Arc::strong_count(&counts.0), 1);
    });
}

#[test]
fn loom_a_value_sent_while_its_receiver_closes_comes_back_or_is_received() {
    model(|| {
        let (tx, mut rx) = pair();
        let before = Before::new();
        let counts = before.clone();
        let other = spawn(move || {
            assert!(rx.close().is_none());
            match rx.take() {
                Poll::Ready(value) => value.inspect(|before: &Before| assert!(before.is_done())).is_some(),
                Poll::Pending => panic!("it is closed"),
            }
        });
        let back = tx.send(before.done()).is_err();
        assert_ne!(other.join().unwrap(), back);
        assert_eq!(Arc::strong_count(&counts.0), 1);
    });
}

#[test]
fn loom_a_receiver_that_waits_elsewhere_is_woken_there_or_finds_the_value() {
    model(|| {
        let (tx, rx) = pair();
        let mut task = receives(rx).waiting();
        let other = spawn(move || tx.send(Before::new().done()).is_ok());
        let second = task.poll();
        assert!(other.join().unwrap());
        assert!(task.finish(second).is_some_and(|before| before.is_done()));
    });
}

#[test]
fn loom_a_receiver_that_waits_no_more_has_no_waker_left_in_it() {
    model(|| {
        let (tx, rx) = pair::<()>();
        let task = receives(rx).waiting();
        let other = spawn(move || drop(tx));
        drop(task);
        other.join().unwrap();
    });
    model(|| {
        let (tx, mut rx) = pair();
        let value = Arc::new(());
        let sent = value.clone();
        assert!(rx.poll(&Context::from_waker(Waker::noop())).is_pending());
        let other = spawn(move || tx.send(sent).is_ok());
        rx.forget();
        let received = receives(rx);
        assert!(other.join().unwrap());
        let mut received = received;
        assert!(received.poll().is_ready());
        assert_eq!(Arc::strong_count(&value), 1);
    });
}

#[test]
fn loom_a_sender_that_waits_for_a_receiver_to_go_hears_of_it() {
    model(|| {
        let (mut tx, rx) = pair::<()>();
        let before = Before::new();
        let went = before.clone();
        let other = spawn(move || {
            went.done();
            drop(rx);
        });
        let mut task = Task::new(async move {
            poll_fn(|cx| tx.poll_closed(cx)).await;
            assert!(before.is_done());
            assert_eq!(tx.send(()), Err(()));
        });
        let mut first = task.poll();
        if first.is_pending() {
            first = task.poll();
        }
        other.join().unwrap();
        task.finish(first);
    });
}

#[test]
fn loom_both_ends_that_wait_and_go_at_once_leave_nothing() {
    model(|| {
        let (mut tx, mut rx) = pair::<Arc<()>>();
        let value = Arc::new(());
        let sent = value.clone();
        let other = spawn(move || {
            let _: Poll<()> = tx.poll_closed(&Context::from_waker(Waker::noop()));
            tx.send(sent).is_ok()
        });
        let received = rx.poll(&Context::from_waker(Waker::noop()));
        drop(rx);
        let sent = other.join().unwrap();
        assert!(sent || received.is_pending());
        drop(received);
        assert_eq!(Arc::strong_count(&value), 1);
    });
}
