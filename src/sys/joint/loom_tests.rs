use super::*;
use crate::sys::atomic::AtomicUsize;
use crate::sys::model::Meeting;
use crate::sys::row::Rows;
use crate::sys::{Arc, model};

impl Joined<Arc<()>> for Arc<()> {
    type Ask = ();
    type Said = bool;
    type Out = Arc<()>;

    fn poll(self: Pin<&mut Self>, near: Near<'_, Self, Self>, (): (), _: &mut Context<'_>) -> Poll<Option<bool>> {
        Poll::Ready(Some(near.is_alone()))
    }

    /// Sends itself.
    fn left(self: Pin<&mut Self>, near: Near<'_, Self, Self>) -> Option<bool> {
        match near.send(self.clone(), 7) {
            Sent::There(waker) => waker.into_iter().for_each(core::task::Waker::wake),
            Sent::Back(back) => assert!(Arc::ptr_eq(&back, &self)),
        }
        None
    }
}

#[test]
fn loom_the_last_of_two_ends_drops_what_is_shared() {
    model::model(|| {
        let (mut rows, value) = (Rows::new(), Arc::new(()));
        let (runner, shared) = join(rows.take(), value.clone(), value.clone());
        let other = model::spawn(move || drop(runner));
        drop((rows, shared));
        other.join().unwrap();
        assert_eq!(Arc::strong_count(&value), 1);
    });
}

#[test]
fn loom_a_row_is_freed_by_who_gives_it_up_last() {
    model::model(|| {
        let (mut rows, meeting) = (Rows::new(), Meeting::new());
        let place = rows.take::<u64>();
        let other = model::spawn({
            let meeting = meeting.clone();
            move || {
                drop(place);
                meeting.over();
            }
        });
        meeting.begin();
        drop(rows);
        other.join().unwrap();
    });
}

#[test]
fn loom_who_goes_after_the_other_end_has_seen_what_that_did() {
    model::model(|| {
        let (mut rows, meeting) = (Rows::new(), Meeting::new());
        let (runner, shared) = join(rows.take(), Plain(Cell::new(0)), UntilAlone);
        let other = model::spawn({
            let meeting = meeting.clone();
            move || {
                // SAFETY: nobody writes before this end is gone.
                assert_eq!(unsafe { shared.deref().0.read().read() }, 0);
                drop(shared);
                meeting.over();
            }
        });
        meeting.begin();
        drop(runner);
        other.join().unwrap();
        drop(rows);
    });
}

#[test]
fn loom_who_finds_the_mark_sees_what_was_done_before() {
    model::model(|| {
        let (mut rows, value) = (Rows::new(), Arc::new(()));
        let (runner, shared) = join(rows.take(), value.clone(), value.clone());
        let (done, meeting) = (Arc::new(AtomicUsize::new(0)), Meeting::new());
        let other = model::spawn({
            let (done, meeting) = (done.clone(), meeting.clone());
            move || {
                done.store(1, Ordering::Relaxed);
                drop(runner);
                meeting.over();
            }
        });
        meeting.begin();
        assert!(shared.mark().is_none() || done.load(Ordering::Relaxed) == 1);
        drop((rows, shared));
        other.join().unwrap();
    });
}

#[test]
fn loom_who_goes_after_it_has_sent_knows_whether_that_was_taken() {
    model::model(|| {
        let (mut rows, value) = (Rows::new(), Arc::new(()));
        // Of its own, as its count would order the two ends.
        let (mut runner, shared) = join(rows.take(), Arc::new(()), value.clone());
        assert!(runner.leave().is_none());
        drop(rows);
        let other = model::spawn(move || drop(shared));
        drop(runner);
        other.join().unwrap();
        assert_eq!(Arc::strong_count(&value), 1);
    });
}

/// What whoever has the joint alone writes, and others read.
struct Plain(Cell<u8>);

// SAFETY: whether those who reach it take turns is what the model looks for.
unsafe impl Send for Plain {}
// SAFETY: as above.
unsafe impl Sync for Plain {}

impl Drop for Plain {
    /// Whoever drops it has it alone.
    fn drop(&mut self) {
        self.0.write();
    }
}

/// Ready when it is alone.
struct UntilAlone;

impl Joined<Plain> for UntilAlone {
    type Ask = ();
    type Said = ();
    type Out = ();

    fn poll(self: Pin<&mut Self>, near: Near<'_, Plain, ()>, (): (), _: &mut Context<'_>) -> Poll<Option<()>> {
        if !near.is_alone() {
            return Poll::Pending;
        }
        // SAFETY: nobody else has it.
        unsafe { near.shared().0.write().write(1) };
        Poll::Ready(Some(()))
    }

    fn left(self: Pin<&mut Self>, _: Near<'_, Plain, ()>) -> Option<()> {
        None
    }
}

#[test]
fn loom_who_is_alone_has_seen_the_other_go() {
    model::model(|| {
        let mut rows = Rows::new();
        let (mut runner, shared) = join(rows.take(), Plain(Cell::new(0)), UntilAlone);
        let other = model::spawn(move || {
            let cx = &mut Context::from_waker(core::task::Waker::noop());
            let _ = runner.poll_told((), cx);
            runner
        });
        // SAFETY: the runner does not write before this end is gone.
        assert_eq!(unsafe { shared.deref().0.read().read() }, 0);
        drop((rows, shared));
        let mut runner = other.join().unwrap();
        let cx = &mut Context::from_waker(core::task::Waker::noop());
        assert!(runner.poll_told((), cx).is_ready());
    });
}

/// The end of a joint that receives, as a future.
struct Receives(Shared<Arc<()>, Arc<()>>);

impl Future for Receives {
    type Output = Arc<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Arc<()>> {
        self.0.poll_sent(cx).map(|sent| sent.clone())
    }
}

#[test]
fn loom_what_is_sent_arrives_and_wakes_who_waits() {
    model::model(|| {
        let (mut rows, value) = (Rows::new(), Arc::new(()));
        let (runner, shared) = join(rows.take(), value.clone(), value.clone());
        drop(rows);
        let other = model::spawn(move || drop(runner));
        let mut task = model::Task::new(Receives(shared));
        // Each poll has a waker of its own.
        let first = match task.poll() {
            Poll::Pending => task.poll(),
            ready => ready,
        };
        other.join().unwrap();
        assert!(Arc::ptr_eq(&task.finish(first), &value));
        assert_eq!(Arc::strong_count(&value), 1);
    });
}

#[test]
fn loom_what_nobody_receives_is_dropped_once() {
    model::model(|| {
        let (mut rows, value) = (Rows::new(), Arc::new(()));
        let (runner, mut shared) = join(rows.take(), value.clone(), value.clone());
        drop(rows);
        let other = model::spawn(move || drop(runner));
        let cx = Context::from_waker(core::task::Waker::noop());
        let (ready, mark) = (shared.poll_sent(&cx).is_ready(), shared.mark());
        assert!(mark.is_none_or(|mark| mark == 7) && !(ready && mark.is_none()));
        shared.forget_waker();
        drop(shared);
        other.join().unwrap();
        assert_eq!(Arc::strong_count(&value), 1);
    });
}
