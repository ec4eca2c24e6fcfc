//! The scope that is current by itself: free functions for code that was handed none.

use super::outcome::{Deadline, FailError, Outcome};
use super::run::{Engine, with_current};
use super::scope::Scope;
use super::shield::Shelter;
use crate::sys::slot;
use crate::time::{Instant, Sleep, Time};
use core::fmt;
use core::future::Future;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use pin_project_lite::pin_project;

/// The scope whose run is being polled, or whose body is being dropped, on this thread; the innermost, if several are.
///
/// # Examples
/// ```
/// use wakeful::cancel::{self, Scope};
///
/// wakeful::sim::run(|sim| async move {
///     let scope = Scope::new(sim.time()).child();
///     let inside = scope.run(async { cancel::current().unwrap() }).await.done().unwrap();
///     assert!(inside.same(&scope));
/// });
/// ```
pub fn current() -> Option<Scope> {
    with_current(|scope| scope.cloned())
}

/// The present instant, of the current scope or, outside any, of [`Time::system`].
pub fn now() -> Instant {
    with_time(Time::now)
}

/// Waits for `duration`, by the time of the current scope or, outside any, by [`Time::system`].
///
/// For code that was handed no scope. It is the call that looks for the current scope, not the first poll. Where a scope is at
/// hand, [`Scope::sleep`] says by which time.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::cancel::Scope;
///
/// async fn pause() {
///     wakeful::sleep(Duration::from_secs(1)).await;
/// }
///
/// wakeful::sim::run(|sim| async move {
///     assert!(Scope::new(sim.time()).run(pause()).await.done().is_some());
///     assert_eq!(sim.now().as_nanos(), 1_000_000_000);
/// });
/// ```
pub fn sleep(duration: Duration) -> Sleep {
    with_time(|time| time.sleep(duration))
}

/// Waits until `at`, by the time of the current scope or, outside any, by [`Time::system`].
pub fn sleep_until(at: Instant) -> Sleep {
    with_time(|time| time.sleep_until(at))
}

/// How much time the current scope has; never ending, outside any.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::cancel::{Deadline, Scope};
///
/// wakeful::sim::run(|sim| async move {
///     let scope = Scope::new(sim.time()).child_after(Duration::from_secs(5));
///     let seen = scope.run(async { wakeful::effective_deadline() }).await.done();
///     assert_eq!(seen, Some(Deadline::At(scope.deadline())));
///     assert_eq!(wakeful::effective_deadline(), Deadline::Never);
/// });
/// ```
pub fn effective_deadline() -> Deadline {
    with_current(|scope| scope.map_or(Deadline::Never, Scope::effective_deadline))
}

fn with_time<R>(f: impl FnOnce(&Time) -> R) -> R {
    with_current(|scope| match scope {
        Some(scope) => f(scope.time()),
        None => f(Time::shared()),
    })
}

/// Runs `body` until `duration` has passed since its first poll; goes on without its result then.
///
/// The new scope lies inside the one that is current at the first poll; outside any it counts by [`Time::system`].
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::{block_on, move_on_after, sleep};
///
/// let outcome = block_on(move_on_after(Duration::from_millis(1), sleep(Duration::MAX)));
/// assert!(outcome.is_cancelled());
/// ```
pub fn move_on_after<F: Future>(duration: Duration, body: F) -> MoveOn<F> {
    MoveOn::new(When::After(duration), body)
}

/// Runs `body` until `at`; goes on without its result then. See [`move_on_after`].
pub fn move_on_at<F: Future>(at: Instant, body: F) -> MoveOn<F> {
    MoveOn::new(When::At(at), body)
}

/// Runs `body` until `duration` has passed since its first poll, which is an error then. See [`move_on_after`] for the
/// scope that it lies in.
///
/// # Errors
/// [`FailError::TimedOut`] if the time was up first, [`FailError::Cancelled`] if a scope around it was cancelled.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::cancel::{FailError, Scope};
///
/// wakeful::sim::run(|sim| async move {
///     let scope = Scope::new(sim.time());
///     let patient = async {
///         wakeful::fail_after(Duration::from_secs(1), wakeful::sleep(Duration::from_secs(9))).await
///     };
///     let late = scope.run(patient).await.done().unwrap();
///     assert!(matches!(late, Err(FailError::TimedOut(_))));
///     assert_eq!(sim.now().as_nanos(), 1_000_000_000);
/// });
/// ```
pub fn fail_after<F: Future>(duration: Duration, body: F) -> Fail<F> {
    Fail { inner: move_on_after(duration, body) }
}

/// Runs `body` until `at`, which is an error then. See [`fail_after`].
///
/// # Errors
/// As [`fail_after`].
pub fn fail_at<F: Future>(at: Instant, body: F) -> Fail<F> {
    Fail { inner: move_on_at(at, body) }
}

/// Runs `body` in a shield inside the current scope; outside any, there is nothing to hold back. See [`Scope::shield`].
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::cancel::Scope;
///
/// wakeful::sim::run(|sim| async move {
///     let (scope, second) = (Scope::new(sim.time()), Duration::from_secs(1));
///     let farewell = async {
///         wakeful::shield(5 * second, wakeful::sleep(2 * second)).await.done().expect("within the budget");
///     };
///     let outcome = scope.move_on_after(second, async |_| farewell.await).await;
///     assert_eq!(outcome.done(), Some(()), "a body that is ready when the shield is over is done");
///     assert_eq!(sim.now().as_nanos(), 2_000_000_000);
/// });
/// ```
pub fn shield<F: Future>(budget: Duration, body: F) -> Shield<F> {
    Shield { budget, shelter: None, engine: Engine::new(body, true, false) }
}

enum When {
    At(Instant),
    After(Duration),
}

pin_project! {
    /// Runs a future in a scope of its own; made by [`move_on_after()`] and [`move_on_at()`].
    ///
    /// # Panics
    /// If it is polled after it has given what its future returned.
    ///
    /// # Cancel safety
    /// Dropping it drops the future that it runs.
    #[must_use = "it does nothing unless it is awaited"]
    pub struct MoveOn<F>
    where
        F: Future,
    {
        when: When,
        scope: Option<Scope>,
        #[pin]
        engine: Engine<F>,
    }

    impl<F> PinnedDrop for MoveOn<F>
    where
        F: Future,
    {
        fn drop(this: Pin<&mut Self>) {
            if this.scope.is_some() {
                this.leave();
            }
        }
    }
}

impl<F: Future> MoveOn<F> {
    fn new(when: When, body: F) -> Self {
        Self { when, scope: None, engine: Engine::new(body, true, false) }
    }

    /// Enters the scope at the first poll. Whether the body is there to be polled.
    #[inline]
    fn open(self: Pin<&mut Self>, cx: &mut Context<'_>) -> bool {
        let this = self.project();
        let mut now = None;
        let scope = match this.scope {
            Some(scope) => scope,
            None => {
                let (scope, at) = open(this.when);
                // Nothing but its end keeps a new scope that lies in no other from beginning (rule b).
                if scope.alone().is_some_and(|(_, until)| until > at) {
                    *this.scope = Some(scope);
                    return this.engine.begin_clear();
                }
                now = Some(at);
                this.scope.insert(scope)
            }
        };
        this.engine.is_open(scope, now, cx)
    }

    #[cold]
    fn closed(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome<F::Output>> {
        let (engine, scope) = self.parts();
        engine.closed(scope, cx)
    }

    #[inline]
    fn polled(mut self: Pin<&mut Self>, polled: Poll<F::Output>, cx: &mut Context<'_>) -> Poll<Outcome<F::Output>> {
        let (mut engine, scope) = self.as_mut().parts();
        let Poll::Ready(value) = polled else {
            return engine.pended(scope, cx);
        };
        if engine.as_mut().close(scope) {
            return engine.linger(scope, Outcome::Done(value), cx);
        }
        self.shut();
        Poll::Ready(Outcome::Done(value))
    }

    fn parts(self: Pin<&mut Self>) -> (Pin<&mut Engine<F>>, &Scope) {
        let this = self.project();
        (this.engine, this.scope.as_ref().expect("opened at the first poll"))
    }

    /// Drops what is to be dropped inside the scope, which was opened.
    #[inline(never)]
    fn leave(mut self: Pin<&mut Self>) {
        let (engine, scope) = self.as_mut().parts();
        let (body, frame) = engine.left(scope);
        slot::end_in(frame, scope, body);
        self.shut();
    }

    /// Lets the scope go, its body being gone, so that this has nothing left to be dropped. One that holds nothing is forgotten,
    /// which is quicker.
    #[inline]
    fn shut(self: Pin<&mut Self>) {
        let scope = self.project().scope;
        if scope.as_ref().is_some_and(|scope| scope.alone().is_some()) {
            mem::forget(scope.take());
        } else {
            *scope = None;
        }
    }

    #[inline(always)]
    fn poll_body(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let (engine, scope) = self.parts();
        engine.poll_body(scope, cx)
    }
}

/// The scope of a body that is polled for the first time, with the present instant.
#[inline(always)]
fn open(when: &When) -> (Scope, Instant) {
    let (parent, now) = with_current(|scope| match scope {
        Some(scope) => (Ok(scope.branch()), scope.now()),
        None => {
            let time = Time::shared();
            (Err(time), time.now())
        }
    });
    let at = match *when {
        When::At(at) => at,
        When::After(duration) => now + duration,
    };
    (Scope::below(parent, at), now)
}

impl<F: Future> Future for MoveOn<F> {
    type Output = Outcome<F::Output>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if !self.as_mut().open(cx) {
            return self.closed(cx);
        }
        let polled = self.as_mut().poll_body(cx);
        self.polled(polled, cx)
    }
}

impl<F: Future> fmt::Debug for MoveOn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MoveOn").field("scope", &self.scope).finish_non_exhaustive()
    }
}

pin_project! {
    /// Runs a future in a scope of its own, being cut short is an error; made by [`fail_after()`] and [`fail_at()`].
    ///
    /// # Panics
    /// If it is polled after it has given what its future returned.
    ///
    /// # Cancel safety
    /// Dropping it drops the future that it runs.
    #[must_use = "it does nothing unless it is awaited"]
    pub struct Fail<F>
    where
        F: Future,
    {
        #[pin]
        inner: MoveOn<F>,
    }
}

impl<F: Future> Future for Fail<F> {
    type Output = Result<F::Output, FailError>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = ready!(self.project().inner.poll(cx));
        Poll::Ready(outcome.into_result().map_err(FailError::from))
    }
}

impl<F: Future> fmt::Debug for Fail<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

pin_project! {
    /// Runs a future in a shield; made by [`shield()`].
    ///
    /// # Panics
    /// If it is polled after it has given what its future returned.
    ///
    /// # Cancel safety
    /// Dropping it drops the future that it runs. A shield holds against scopes, not against whoever drops it.
    #[must_use = "it does nothing unless it is awaited"]
    pub struct Shield<F>
    where
        F: Future,
    {
        budget: Duration,
        #[pin]
        engine: Engine<F>,
        // After what runs in it.
        shelter: Option<Shelter>,
    }

    impl<F> PinnedDrop for Shield<F>
    where
        F: Future,
    {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(shelter) = this.shelter {
                let (body, frame) = this.engine.left(shelter.scope());
                slot::end_in(frame, shelter.scope(), body);
            }
        }
    }
}

impl<F: Future> Future for Shield<F> {
    type Output = Outcome<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let shelter = this.shelter.get_or_insert_with(|| {
            with_current(|scope| match scope {
                Some(scope) => Shelter::new(scope, *this.budget),
                None => Shelter::new(&Scope::new(Time::system()), *this.budget),
            })
        });
        shelter.place();
        let outcome = ready!(this.engine.poll(shelter.scope(), cx));
        *this.shelter = None;
        Poll::Ready(outcome)
    }
}

impl<F: Future> fmt::Debug for Shield<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scope = self.shelter.as_ref().map(Shelter::scope);
        f.debug_struct("Shield").field("budget", &self.budget).field("scope", &scope).finish_non_exhaustive()
    }
}
