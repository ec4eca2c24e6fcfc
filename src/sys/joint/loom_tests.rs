use super::*;
use crate::sys::row::Rows;
use crate::sys::{Arc, model};

impl Joined<Arc<()>> for Arc<()> {
    type Ask = ();
    type Said = bool;

    fn poll(self: Pin<&mut Self>, _: &Self, alone: bool, (): (), _: &mut Context<'_>) -> Poll<Option<bool>> {
        Poll::Ready(Some(alone))
    }

    fn left(self: Pin<&mut Self>, _: &Self) -> Option<bool> {
        None
    }
}

#[test]
fn loom_the_last_of_two_ends_drops_what_is_shared() {
    model::model(|| {
        let (mut rows, value) = (Rows::new(), Arc::new(()));
        let (runner, shared) = join(rows.take(), value.clone(), value.clone());
        let runner = runner.into_sendable();
        let other = model::spawn(move || drop(runner));
        drop((rows, shared));
        other.join().unwrap();
        assert_eq!(Arc::strong_count(&value), 1);
    });
}

#[test]
fn loom_who_is_alone_has_seen_the_other_go() {
    model::model(|| {
        let (mut rows, value) = (Rows::new(), Arc::new(()));
        let (runner, shared) = join(rows.take(), value.clone(), value.clone());
        let mut runner = runner.into_sendable();
        let other = model::spawn(move || {
            let cx = &mut Context::from_waker(core::task::Waker::noop());
            let Poll::Ready(Some(alone)) = runner.poll_told((), cx) else { unreachable!("it is ready") };
            (alone, runner)
        });
        drop((rows, shared));
        let (_, mut runner) = other.join().unwrap();
        let cx = &mut Context::from_waker(core::task::Waker::noop());
        assert_eq!(runner.poll_told((), cx), Poll::Ready(Some(true)));
        drop(runner);
        assert_eq!(Arc::strong_count(&value), 1);
    });
}
