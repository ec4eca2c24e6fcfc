//! A future and what others share with it, in one place.
//!
//! [`join`] makes the two ends: a [`Runner`], through which the future is polled, and a [`Shared`], which outlives it as long
//! as it is kept. [`alone`] makes a runner that shares nothing but its [`Label`].
//!
//! # Invariants
//!
//! - **J1** There is one runner, and the future is reached through an exclusive borrow of it only. It is never moved.
//! - **J2** The future is dropped when the runner is, at the latest: what is left for the others is what they share. So a
//!   [`Shared`] may outlive what the future borrows, and be where the future may not.
//! - **J3** There are two ends at most, the runner and one that is shared, which receives what the future [sends](Near::send).
//!   The first that is dropped says so in `single`, and the other, which finds that, drops what is shared.
#![expect(unsafe_code, reason = "a runner alone reaches the future that lies beside what is shared")]

use super::atomic::{AtomicBool, Ordering};
use super::cell::Cell;
pub(crate) use super::label::{Label, Labelled};
use super::post::{Post, Sent};
use super::row::{Origin, Place, vacate};
use core::fmt;
use core::future::Future;
use core::ops::Deref;
use core::pin::Pin;
use core::ptr::NonNull;
use core::task::{Context, Poll};
use pin_project_lite::pin_project;

/// A future that is given what it shares at each call.
pub(crate) trait Joined<S> {
    /// What it is told at each poll.
    type Ask;
    /// What it says when it is over.
    type Said;
    /// What it may send to the other end.
    type Out;

    fn poll(
        self: Pin<&mut Self>,
        near: Near<'_, S, Self::Out>,
        ask: Self::Ask,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Self::Said>>;

    /// The runner is dropped before this was ready.
    fn left(self: Pin<&mut Self>, near: Near<'_, S, Self::Out>) -> Option<Self::Said>;
}

/// What a future shares with the other end, as the future has it.
pub(crate) struct Near<'a, S, O>(&'a Common<S, O>);

impl<'a, S, O> Near<'a, S, O> {
    #[inline]
    pub(crate) fn shared(&self) -> &'a S {
        &self.0.shared
    }

    /// Whether nobody else has what is shared, or will.
    #[inline]
    pub(crate) fn is_alone(&self) -> bool {
        self.0.head.is_single()
    }

    /// Sends a value to the other end, [once](Post::send).
    #[inline]
    pub(crate) fn send(self, value: O, mark: u8) -> Sent<O> {
        // SAFETY: P1: this was made for the future, which is called by its runner, which is borrowed exclusively (J1).
        unsafe { self.0.post.send(value, mark) }
    }
}

/// What a joint begins with, whatever its type.
#[repr(C)]
struct Head {
    /// There is one end (J3).
    single: AtomicBool,
    origin: Origin,
    table: &'static Table,
}

/// What is done with a joint, whatever its type. Safety: it is the one that begins with the head that is given.
struct Table {
    /// Drops the future, which nobody else reaches (J1).
    clear: unsafe fn(NonNull<Head>),
    /// Drops what is shared, and gives the place back. The joint is not used afterwards.
    vacate: unsafe fn(NonNull<Head>),
}

/// What both ends reach.
#[repr(C)]
struct Common<S, O> {
    head: Head,
    shared: S,
    /// The future sends, and the other end receives.
    post: Post<O>,
}

/// A future, and what is common to both ends, to which a pointer to the whole is one too.
#[repr(C)]
pub(crate) struct Joint<S, O, F> {
    common: Common<S, O>,
    /// Gone once it has been left.
    future: Cell<Option<F>>,
}

// SAFETY: J1 and J2: a joint that goes to another thread takes the future with it, what that sends, and a share in `S`.
unsafe impl<S: Send + Sync, O: Send, F: Send> Send for Joint<S, O, F> {}
// SAFETY: J1: sharing a joint shares `S` alone; the future moves to the thread of the runner.
unsafe impl<S: Send + Sync, O: Send, F: Send> Sync for Joint<S, O, F> {}

impl<S, F: Joined<S>> Joint<S, F::Out, F> {
    const TABLE: &'static Table = &Table { clear: Self::clear, vacate: Self::vacate };

    fn new(place: Place<Self>, shared: S, future: F, single: bool) -> NonNull<Self> {
        let head = Head { single: AtomicBool::new(single), origin: place.origin(), table: Self::TABLE };
        place.fill(Self { common: Common { head, shared, post: Post::new() }, future: Cell::new(Some(future)) })
    }

    /// # Safety
    /// As that of [`Table::clear`].
    unsafe fn clear(head: NonNull<Head>) {
        // SAFETY: by the contract of this function.
        let joint = unsafe { head.cast::<Self>().as_ref() };
        // SAFETY: by the contract of this function.
        drop(unsafe { joint.leave() });
    }

    /// # Safety
    /// As that of [`Table::vacate`].
    unsafe fn vacate(head: NonNull<Head>) {
        // SAFETY: the joint is there until it is vacated below.
        let origin = unsafe { head.as_ref() }.origin;
        // SAFETY: by the contract of this function; `new` has filled the place of this origin.
        unsafe { vacate(head.cast::<Self>(), origin) };
    }
}

impl<S, O, F> Joint<S, O, F> {
    /// # Safety
    /// The caller has the runner to itself (J1), for as long as it uses the result.
    #[expect(clippy::mut_from_ref, reason = "the runner is what makes it exclusive")]
    #[inline]
    unsafe fn future(&self) -> Pin<&mut Option<F>> {
        // SAFETY: J1, by the contract above.
        let future = unsafe { &mut *self.future.write() };
        // SAFETY: J1: it is never moved out of the joint, nor the joint out of its place.
        unsafe { Pin::new_unchecked(future) }
    }
}

impl Head {
    /// Whether there is one end.
    #[inline]
    fn is_single(&self) -> bool {
        // Acquire: partner of the exchange in `let_go`; what the other end did comes before.
        self.single.load(Ordering::Acquire)
    }
}

/// Gives up an end (J3).
///
/// # Safety
/// It is an end of the joint that begins with this head, and is not used afterwards.
#[inline]
unsafe fn let_go(head: NonNull<Head>) {
    // A reference to the flag alone: once it is raised, the other end may give the rest back.
    // SAFETY: it is there as long as it has an end.
    let single = unsafe { &(*head.as_ptr()).single };
    // Acquire, AcqRel: the exchange is the partner of itself and of the loads.
    if single.load(Ordering::Acquire) || single.swap(true, Ordering::AcqRel) {
        // SAFETY: J3: the other end is gone, and this one is still there.
        let table = unsafe { head.as_ref() }.table;
        // SAFETY: J3: the last end is given up here.
        unsafe { (table.vacate)(head) };
    }
}

/// Gives an end up when it is dropped, also on unwinding.
struct LetGo(NonNull<Head>);

impl Drop for LetGo {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: whoever makes one has an end, whose last use was before.
        unsafe { let_go(self.0) };
    }
}

/// A joint, to its runner, which asks `A` at each poll and is told `R` at the end. Nothing else is one.
pub trait Runs<A, R> {
    /// Polls the future. `Ready(None)`: it was over before.
    ///
    /// # Safety
    /// The caller has the runner to itself (J1).
    unsafe fn poll(&self, ask: A, cx: &mut Context<'_>) -> Poll<Option<R>>;

    /// Drops the future, and says what it says if it is left before it was over.
    ///
    /// # Safety
    /// The caller has the runner to itself (J1).
    unsafe fn leave(&self) -> Option<R>;
}

/// A joint, to a runner with a label.
pub trait Titled<A, R>: Runs<A, R> + Labelled {}

impl<S: Labelled, F: Joined<S>> Titled<F::Ask, F::Said> for Joint<S, F::Out, F> {}

impl<S: Labelled, O, F> Labelled for Joint<S, O, F> {
    fn label(&self) -> &Label {
        self.common.shared.label()
    }

    fn label_mut(&mut self) -> &mut Label {
        self.common.shared.label_mut()
    }
}

impl<S, F: Joined<S>> Runs<F::Ask, F::Said> for Joint<S, F::Out, F> {
    #[inline]
    unsafe fn poll(&self, ask: F::Ask, cx: &mut Context<'_>) -> Poll<Option<F::Said>> {
        // SAFETY: by the contract of this method.
        let future = unsafe { self.future() };
        match future.as_pin_mut() {
            Some(future) => future.poll(Near(&self.common), ask, cx),
            None => Poll::Ready(None),
        }
    }

    unsafe fn leave(&self) -> Option<F::Said> {
        /// Drops the future, also if its last words unwind (J2).
        struct Clear<'a, F>(Pin<&'a mut Option<F>>);
        impl<F> Drop for Clear<'_, F> {
            fn drop(&mut self) {
                self.0.set(None);
            }
        }
        // SAFETY: by the contract of this method.
        let mut place = Clear(unsafe { self.future() });
        place.0.as_mut().as_pin_mut()?.left(Near(&self.common))
    }
}

/// The end that runs the future.
pub struct Runner<D: ?Sized>(NonNull<D>);

// SAFETY: J1 and J3: it is what reaches the future, and shares the rest, which a joint that is `Send` allows.
unsafe impl<D: ?Sized + Send> Send for Runner<D> {}
// SAFETY: a shared runner gives away shared references to the joint.
unsafe impl<D: ?Sized + Sync> Sync for Runner<D> {}

/// The end that others have.
pub(crate) struct Shared<S, O>(NonNull<Common<S, O>>);

// SAFETY: J2 and J3: it shares `S`, receives what is sent, and may be what drops both.
unsafe impl<S: Send + Sync, O: Send> Send for Shared<S, O> {}
// SAFETY: it shares `S`; what is sent it reaches by an exclusive borrow only.
unsafe impl<S: Send + Sync, O: Send> Sync for Shared<S, O> {}

/// Room for a future and what it shares.
pub(crate) type Room<S, F> = Place<Joint<S, <F as Joined<S>>::Out, F>>;

/// The end that runs a future of this type.
pub(crate) type RunnerOf<S, F> = Runner<Joint<S, <F as Joined<S>>::Out, F>>;

/// The two ends of a future and what it shares.
#[inline]
pub(crate) fn join<S, F: Joined<S>>(room: Room<S, F>, shared: S, future: F) -> (RunnerOf<S, F>, Shared<S, F::Out>) {
    let joint = Joint::new(room, shared, future, false);
    (Runner(joint), Shared(joint.cast()))
}

/// A runner that shares its label with nobody.
pub(crate) fn alone(label: Label, future: impl Future<Output = ()> + Send + 'static) -> Task {
    Runner(Joint::new(Place::alone(), label, Alone { future }, true)).into_task()
}

/// What an executor has.
pub(crate) type Task = Runner<dyn Titled<(), ()> + Send + Sync>;

pin_project! {
    /// An ordinary future.
    struct Alone<F> {
        #[pin]
        future: F,
    }
}

impl<F: Future<Output = ()> + Send> Joined<Label> for Alone<F> {
    type Ask = ();
    type Said = ();
    type Out = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, _: Near<'_, Label, ()>, (): (), cx: &mut Context<'_>) -> Poll<Option<()>> {
        self.project().future.poll(cx).map(Some)
    }

    fn left(self: Pin<&mut Self>, _: Near<'_, Label, ()>) -> Option<()> {
        None
    }
}

impl<S, F: Joined<S>> RunnerOf<S, F> {
    /// Takes the joint out, which nobody runs then.
    fn into_joint(self) -> NonNull<Joint<S, F::Out, F>> {
        core::mem::ManuallyDrop::new(self).0
    }

    pub(crate) fn into_task(self) -> Task
    where
        S: Labelled + Send + Sync + 'static,
        F: Joined<S, Ask = (), Said = (), Out: Send> + Send + 'static,
    {
        Runner(self.into_joint())
    }

    pub(crate) fn into_sendable<'a>(self) -> Runner<dyn Titled<F::Ask, F::Said> + Send + Sync + 'a>
    where
        S: Labelled + Send + Sync + 'a,
        F: Joined<S, Out: Send> + Send + 'a,
    {
        Runner(self.into_joint())
    }

    pub(crate) fn into_staying<'a>(self) -> Runner<dyn Titled<F::Ask, F::Said> + 'a>
    where
        S: Labelled + 'a,
        F: 'a,
    {
        Runner(self.into_joint())
    }
}

impl<D: ?Sized> Runner<D> {
    #[inline]
    fn joint(&self) -> &D {
        // SAFETY: it is there as long as it has an end (J3).
        unsafe { self.0.as_ref() }
    }

    /// What the joint begins with, as every one does.
    #[inline]
    fn head(&self) -> NonNull<Head> {
        self.0.cast()
    }

    /// Polls the future. `Ready(None)`: it was over before. Its owner drops the runner, or lets it [leave](Self::leave), when it
    /// is over.
    #[inline]
    pub(crate) fn poll_told<A, R>(&mut self, ask: A, cx: &mut Context<'_>) -> Poll<Option<R>>
    where
        D: Runs<A, R>,
    {
        // SAFETY: the runner is borrowed exclusively (J1).
        unsafe { self.joint().poll(ask, cx) }
    }

    /// Drops the future, and says what it says if it is left before it was over.
    pub(crate) fn leave<A, R>(&mut self) -> Option<R>
    where
        D: Runs<A, R>,
    {
        // SAFETY: the runner is borrowed exclusively (J1).
        unsafe { self.joint().leave() }
    }
}

impl<D: ?Sized + Labelled> Runner<D> {
    pub(crate) fn label(&self) -> &Label {
        self.joint().label()
    }
}

impl Task {
    /// The label, to be changed. None: others may be looking at it.
    pub(crate) fn label_mut(&mut self) -> Option<&mut Label> {
        // SAFETY: it is there as long as it has an end (J3).
        if !unsafe { self.head().as_ref() }.is_single() {
            return None;
        }
        // SAFETY: J3: nobody else reaches the joint, and the runner is borrowed exclusively.
        Some(unsafe { self.0.as_mut() }.label_mut())
    }
}

impl<D: ?Sized> fmt::Debug for Runner<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner").finish_non_exhaustive()
    }
}

impl Future for Task {
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let polled = this.poll_told((), cx);
        if polled.is_ready() {
            this.leave();
        }
        polled.map(drop)
    }
}

impl<D: ?Sized> Drop for Runner<D> {
    fn drop(&mut self) {
        let head = self.head();
        let _let_go = LetGo(head);
        // SAFETY: it is there as long as it has an end (J3).
        let table = unsafe { head.as_ref() }.table;
        // SAFETY: the runner is borrowed exclusively (J1).
        unsafe { (table.clear)(head) };
    }
}

impl<S, O> Shared<S, O> {
    #[inline]
    fn common(&self) -> &Common<S, O> {
        // SAFETY: it is there as long as it has an end (J3).
        unsafe { self.0.as_ref() }
    }

    /// Whether the runner is gone.
    #[inline]
    pub(crate) fn is_single(&self) -> bool {
        self.common().head.is_single()
    }

    /// The mark of what the future has sent.
    #[inline]
    pub(crate) fn mark(&self) -> Option<u8> {
        self.common().post.mark()
    }

    /// What the future has sent.
    #[inline]
    pub(crate) fn sent(&mut self) -> Option<&mut O> {
        // SAFETY: P1: there is one such end, which is borrowed exclusively.
        unsafe { self.common().post.get_mut() }
    }

    /// The same; the waker is kept until it has.
    #[inline]
    pub(crate) fn poll_sent(&mut self, cx: &Context<'_>) -> Poll<&mut O> {
        // SAFETY: as above.
        unsafe { self.common().post.poll(cx) }
    }

    /// Forgets the waker that was kept.
    pub(crate) fn forget_waker(&mut self) {
        // SAFETY: as above.
        unsafe { self.common().post.forget() };
    }
}

impl<S, O> Drop for Shared<S, O> {
    /// What was sent goes with it; with the runner, if that is still there and sends something later.
    fn drop(&mut self) {
        let _let_go = LetGo(self.0.cast());
        // If the runner is gone, all goes with the joint.
        if !self.is_single() {
            // SAFETY: P1: there is one such end, and this is its last use.
            drop(unsafe { self.common().post.leave() });
        }
    }
}

impl<S, O> Deref for Shared<S, O> {
    type Target = S;

    #[inline]
    fn deref(&self) -> &S {
        &self.common().shared
    }
}

#[cfg(test)]
mod loom_tests;
#[cfg(all(test, not(wakeful_loom)))]
mod tests;
