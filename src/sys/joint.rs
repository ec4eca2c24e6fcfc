//! A future and what others share with it, in one allocation.
//!
//! [`join`] makes the two ends: a [`Runner`], which is itself a future, and a [`Shared`], which outlives it as long as
//! anybody keeps it. [`alone`] makes a runner that shares nothing but its [`Label`].
//!
//! # Invariants
//!
//! - **J1** There is one runner, and the future is reached through an exclusive borrow of it only, or by whoever has the last
//!   count. It is never moved.
//! - **J2** The future is dropped when the runner is, at the latest: what is left for the others is what they share.
#![expect(unsafe_code, reason = "a runner alone reaches the future that lies beside what is shared")]

use super::Arc;
use alloc::borrow::Cow;
use core::cell::UnsafeCell;
use core::fmt;
use core::future::Future;
use core::ops::Deref;
use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Poll};
use pin_project_lite::pin_project;

/// What reports call a future.
#[derive(Clone, Debug)]
pub(crate) struct Label {
    /// Empty: it has none.
    pub(crate) name: Cow<'static, str>,
    pub(crate) made: &'static Location<'static>,
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.name {
            "" => write!(f, "made at {}", self.made),
            name => write!(f, "`{name}`"),
        }
    }
}

/// What has a label.
pub(crate) trait Labelled: Send + Sync {
    fn label(&self) -> &Label;
    fn label_mut(&mut self) -> &mut Label;
}

impl Labelled for Label {
    fn label(&self) -> &Label {
        self
    }

    fn label_mut(&mut self) -> &mut Label {
        self
    }
}

/// A future that is given what it shares at each call.
pub(crate) trait Joined<S>: Send {
    /// `alone`: nobody else has what is shared, or will.
    fn poll(self: Pin<&mut Self>, shared: &S, alone: bool, cx: &mut Context<'_>) -> Poll<()>;

    /// The runner is dropped before this was ready.
    fn left(self: Pin<&mut Self>, shared: &S);
}

#[repr(C)]
struct Joint<S, F> {
    shared: S,
    /// Gone once it was ready.
    future: UnsafeCell<Option<F>>,
}

// SAFETY: J1: sharing a joint shares `S` alone; the future moves to the thread of the runner, and is dropped on any.
unsafe impl<S: Send + Sync, F: Send> Sync for Joint<S, F> {}

impl<S, F> Joint<S, F> {
    /// # Safety
    /// The caller has the runner to itself (J1), for as long as it uses the result.
    #[expect(clippy::mut_from_ref, reason = "the runner is what makes it exclusive")]
    #[inline]
    unsafe fn future(&self) -> Pin<&mut Option<F>> {
        // SAFETY: J1, by the contract above.
        let future = unsafe { &mut *self.future.get() };
        // SAFETY: J1: it is never moved out of the joint, nor the joint out of its `Arc`.
        unsafe { Pin::new_unchecked(future) }
    }
}

/// A joint, to its runner.
trait Runs: Labelled {
    /// # Safety
    /// The caller has the runner to itself (J1).
    unsafe fn poll(&self, alone: bool, cx: &mut Context<'_>) -> Poll<()>;

    /// Drops the future.
    ///
    /// # Safety
    /// The caller has the runner to itself (J1).
    unsafe fn leave(&self);
}

impl<S: Labelled, F: Send> Labelled for Joint<S, F> {
    fn label(&self) -> &Label {
        self.shared.label()
    }

    fn label_mut(&mut self) -> &mut Label {
        self.shared.label_mut()
    }
}

impl<S: Labelled, F: Joined<S>> Runs for Joint<S, F> {
    #[inline]
    unsafe fn poll(&self, alone: bool, cx: &mut Context<'_>) -> Poll<()> {
        // SAFETY: by the contract of this method.
        let mut place = unsafe { self.future() };
        let Some(future) = place.as_mut().as_pin_mut() else { return Poll::Ready(()) };
        let polled = future.poll(&self.shared, alone, cx);
        if polled.is_ready() {
            place.set(None);
        }
        polled
    }

    unsafe fn leave(&self) {
        // SAFETY: by the contract of this method.
        let mut place = unsafe { self.future() };
        if let Some(future) = place.as_mut().as_pin_mut() {
            future.left(&self.shared);
        }
        place.set(None);
    }
}

/// A joint, to those who share.
trait Shares<S>: Send + Sync {
    fn shared(&self) -> &S;
}

impl<S: Labelled, F: Send> Shares<S> for Joint<S, F> {
    #[inline]
    fn shared(&self) -> &S {
        &self.shared
    }
}

/// The end that runs the future.
pub(crate) struct Runner(Arc<dyn Runs>);

/// The end that others have.
pub(crate) struct Shared<S>(Arc<dyn Shares<S>>);

/// The two ends of a future and what it shares.
pub(crate) fn join<S: Labelled + 'static, F: Joined<S> + 'static>(shared: S, future: F) -> (Runner, Shared<S>) {
    let joint = Arc::new(Joint { shared, future: UnsafeCell::new(Some(future)) });
    let (runs, shares) = (Arc::into_raw(joint.clone()), Arc::into_raw(joint));
    // SAFETY: the pointer came from `into_raw`, and has only forgotten its type.
    let runs = unsafe { Arc::from_raw(runs as *const dyn Runs) };
    // SAFETY: as above, with the other count.
    let shares = unsafe { Arc::from_raw(shares as *const dyn Shares<S>) };
    (Runner(runs), Shared(shares))
}

/// A runner that shares its label with nobody.
pub(crate) fn alone(label: Label, future: impl Future<Output = ()> + Send + 'static) -> Runner {
    let future = Alone { future };
    let joint = Arc::into_raw(Arc::new(Joint { shared: label, future: UnsafeCell::new(Some(future)) }));
    // SAFETY: the pointer came from `into_raw`, and has only forgotten its type.
    Runner(unsafe { Arc::from_raw(joint as *const dyn Runs) })
}

pin_project! {
    /// An ordinary future.
    struct Alone<F> {
        #[pin]
        future: F,
    }
}

impl<F: Future<Output = ()> + Send> Joined<Label> for Alone<F> {
    #[inline]
    fn poll(self: Pin<&mut Self>, _: &Label, _: bool, cx: &mut Context<'_>) -> Poll<()> {
        self.project().future.poll(cx)
    }

    fn left(self: Pin<&mut Self>, _: &Label) {}
}

impl Runner {
    pub(crate) fn label(&self) -> &Label {
        self.0.label()
    }

    /// The label, to be changed. None: others may be looking at it.
    pub(crate) fn label_mut(&mut self) -> Option<&mut Label> {
        Arc::get_mut(&mut self.0).map(|joint| joint.label_mut())
    }
}

impl Future for Runner {
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let joint = &self.get_mut().0;
        // Shared ends are not cloned: once there is none, there will be none.
        let alone = Arc::strong_count(joint) == 1;
        // SAFETY: the runner is borrowed exclusively (J1).
        unsafe { joint.poll(alone, cx) }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        // SAFETY: the runner is borrowed exclusively (J1).
        unsafe { self.0.leave() }
    }
}

impl<S> Deref for Shared<S> {
    type Target = S;

    #[inline]
    fn deref(&self) -> &S {
        self.0.shared()
    }
}

#[cfg(all(test, not(wakeful_loom)))]
mod tests {
    use super::*;
    use crate::sys::Lock;
    use alloc::string::ToString;
    use alloc::vec::Vec;
    use core::task::Waker;

    /// What happened, and a label.
    struct Log(Lock<Vec<&'static str>>, Label);

    fn log(log: &Log, entry: &'static str) {
        log.0.with(|log| log.push(entry));
    }

    impl Labelled for Arc<Log> {
        fn label(&self) -> &Label {
            &self.1
        }

        fn label_mut(&mut self) -> &mut Label {
            &mut Arc::get_mut(self).expect("not shared").1
        }
    }

    fn label(name: &'static str) -> Label {
        Label { name: Cow::Borrowed(name), made: Location::caller() }
    }

    /// Ready at its second poll.
    struct Twice(bool, Arc<Log>);

    impl Joined<Arc<Log>> for Twice {
        fn poll(mut self: Pin<&mut Self>, shared: &Arc<Log>, alone: bool, _: &mut Context<'_>) -> Poll<()> {
            log(shared, if alone { "polled alone" } else { "polled" });
            if core::mem::replace(&mut self.0, true) { Poll::Ready(()) } else { Poll::Pending }
        }

        fn left(self: Pin<&mut Self>, shared: &Arc<Log>) {
            log(shared, "left");
        }
    }

    impl Drop for Twice {
        fn drop(&mut self) {
            log(&self.1, "dropped");
        }
    }

    fn twice() -> (Runner, Shared<Arc<Log>>, Arc<Log>) {
        let log = Arc::new(Log(Lock::new(Vec::new()), label("twice")));
        let (runner, shared) = join(log.clone(), Twice(false, log.clone()));
        (runner, shared, log)
    }

    fn poll(runner: &mut Runner) -> bool {
        Pin::new(runner).poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn a_future_is_dropped_when_it_is_ready_and_what_is_shared_stays() {
        let (mut runner, shared, log) = twice();
        assert!(!poll(&mut runner) && poll(&mut runner) && poll(&mut runner));
        assert_eq!(shared.deref().0.with(|log| log.clone()), ["polled", "polled", "dropped"]);
        drop(runner);
        assert_eq!(Arc::strong_count(&log), 2);
        drop(shared);
        assert_eq!((Arc::strong_count(&log), log.0.with(|log| log.len())), (1, 3));
    }

    #[test]
    fn a_runner_that_is_dropped_early_says_so_before_its_future_is_dropped() {
        let (mut runner, shared, log) = twice();
        drop(shared);
        assert!(!poll(&mut runner));
        drop(runner);
        assert_eq!(log.0.with(|log| log.clone()), ["polled alone", "left", "dropped"]);
        assert_eq!(Arc::strong_count(&log), 1);
    }

    #[test]
    fn a_label_is_changed_by_one_who_has_it_alone() {
        let mut runner = alone(label("one"), core::future::ready(()));
        runner.label_mut().expect("nobody else has it").name = Cow::Borrowed("two");
        assert_eq!(runner.label().to_string(), "`two`");
        let (mut runner, shared, _) = twice();
        assert!(runner.label_mut().is_none());
        assert_eq!((&*runner.label().name, &*shared.label().name), ("twice", "twice"));
    }
}
