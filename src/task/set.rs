//! Many futures of one type in one task.

use super::crew::{BUDGET, Crew, PASSES};
use crate::spawn::Panic;
use crate::sys::probe::{self, Id};
use crate::sys::thread::catch;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use futures_core::stream::{FusedStream, Stream};
use pin_project_lite::pin_project;

/// Futures of one type that run side by side inside the task that has the set, and come out as they are done.
///
/// They may borrow, need no spawner, and take no allocation each: they lie in few rows of places that are used again. A
/// wake-up of one polls that one alone. They run while the set is awaited: by [`join_next`](Self::join_next), or as a stream. For
/// children of several types, that go on while the body awaits something else, there is a [`LocalGroup`](super::LocalGroup).
///
/// # Fairness
/// Who was woken is polled in turn, whoever wakes itself again after the others; and after two rounds, or 128 polls, without
/// an output the task lets others have a turn.
///
/// # Panics
/// A future that panics is dropped, and the panic goes on to whoever polls the set, which remains usable. Dropping the set
/// drops every future in it, whichever of them panic; the first panic goes on.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::task::FutureSet;
///
/// wakeful::sim::run(|sim| async move {
///     let (time, names) = (sim.time(), ["slow", "fast"]);
///     let mut set = FutureSet::new();
///     for name in &names {
///         let time = &time;
///         set.push(async move {
///             time.sleep(Duration::from_secs(if *name == "slow" { 5 } else { 1 })).await;
///             name.len()
///         });
///     }
///     assert_eq!(set.join_next().await, Some((1, 4)));
///     assert_eq!(set.join_next().await, Some((0, 4)));
///     assert_eq!(set.join_next().await, None);
/// });
/// ```
pub struct FutureSet<F> {
    crew: Crew<Member<F>>,
    pushed: usize,
    id: Id,
}

pin_project! {
    struct Member<F> {
        index: usize,
        #[pin]
        future: F,
    }
}

impl<F> FutureSet<F> {
    /// An empty set.
    #[track_caller]
    pub fn new() -> Self {
        Self::with_capacity(0)
    }

    /// An empty set whose first so many futures take one allocation.
    #[track_caller]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { crew: Crew::new(capacity), pushed: 0, id: Id::new() }
    }

    /// Adds a future, and gives its index: how many were added before it. It is polled with the set.
    #[inline]
    pub fn push(&mut self, future: F) -> usize {
        let index = self.pushed;
        self.pushed += 1;
        self.crew.insert(Member { index, future });
        index
    }

    /// How many futures there are that are not done.
    pub fn len(&self) -> usize {
        self.crew.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Drops all futures.
    ///
    /// # Panics
    /// With the first panic of their destructors, when all were run.
    pub fn clear(&mut self) {
        if let Err(panic) = self.crew.clear() {
            panic.resume();
        }
    }
}

impl<F: Future> FutureSet<F> {
    /// Waits for the next future that is done, and gives its index and output; nothing, if the set is empty.
    pub fn join_next(&mut self) -> JoinNext<'_, F> {
        JoinNext { set: self }
    }

    /// As [`join_next`](Self::join_next), by polling.
    pub fn poll_join_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<(usize, F::Output)>> {
        if self.is_empty() {
            return Poll::Ready(None);
        }
        self.crew.begin(cx.waker());
        // Nobody but the members has anything to say.
        self.crew.ready().take_control();
        let mut budget = BUDGET;
        for _ in 0..PASSES {
            self.crew.begin_pass();
            while let Some(number) = self.crew.next() {
                if let Poll::Ready(done) = self.poll_member(number) {
                    return Poll::Ready(Some(done));
                }
                budget -= 1;
                if budget == 0 {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
            if self.crew.rest() {
                probe::waiting("the next of a set of futures", Some(self.id), u64::MAX);
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Polls each that was woken once, and gives out those that are done.
    pub(super) fn poll_woken(&mut self, mut done: impl FnMut(usize, F::Output)) {
        self.crew.begin_pass();
        while let Some(number) = self.crew.next() {
            if let Poll::Ready((index, output)) = self.poll_member(number) {
                done(index, output);
            }
        }
    }

    /// Calls `f` with each future that is not done.
    pub(super) fn each(&mut self, mut f: impl FnMut(Pin<&mut F>)) {
        for number in self.crew.numbers() {
            if let Some((mut seat, _)) = self.crew.get(number) {
                f(seat.member().project().future);
            }
        }
    }

    #[inline]
    fn poll_member(&mut self, number: usize) -> Poll<(usize, F::Output)> {
        let Some((mut seat, waker)) = self.crew.get(number) else { return Poll::Pending };
        let member = seat.member().project();
        let index = *member.index;
        match catch(|| member.future.poll(&mut Context::from_waker(&waker))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => match seat.leave() {
                Ok(()) => Poll::Ready((index, output)),
                Err(panic) => panic.resume(),
            },
            Err(payload) => {
                let first = Panic::new(payload);
                drop(seat.leave());
                first.resume()
            }
        }
    }
}

impl<F> Default for FutureSet<F> {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

impl<F> Extend<F> for FutureSet<F> {
    fn extend<I: IntoIterator<Item = F>>(&mut self, futures: I) {
        futures.into_iter().for_each(|future| {
            self.push(future);
        });
    }
}

impl<F> FromIterator<F> for FutureSet<F> {
    #[track_caller]
    fn from_iter<I: IntoIterator<Item = F>>(futures: I) -> Self {
        let futures = futures.into_iter();
        let mut set = Self::with_capacity(futures.size_hint().0);
        set.extend(futures);
        set
    }
}

impl<F: Future> Stream for FutureSet<F> {
    type Item = (usize, F::Output);

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_join_next(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len(), Some(self.len()))
    }
}

/// It has ended as long as it is empty.
impl<F: Future> FusedStream for FutureSet<F> {
    fn is_terminated(&self) -> bool {
        self.is_empty()
    }
}

/// Futures lie in allocations of their own, and stay there.
impl<F> Unpin for FutureSet<F> {}

impl<F> fmt::Debug for FutureSet<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FutureSet").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// Waits for the next future of a set that is done; made by [`FutureSet::join_next`].
///
/// # Cancel safety
/// Dropping it loses nothing: futures and outputs stay in the set.
#[must_use = "it waits for nothing unless it is awaited"]
pub struct JoinNext<'a, F> {
    set: &'a mut FutureSet<F>,
}

impl<F: Future> Future for JoinNext<'_, F> {
    type Output = Option<(usize, F::Output)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.set.poll_join_next(cx)
    }
}

impl<F> fmt::Debug for JoinNext<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinNext").field("set", self.set).finish()
    }
}
