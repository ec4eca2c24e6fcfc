//! Winding down before the end.

use super::reason::Reason;
use super::scope::Scope;
use super::tree::{self, CANCELLED, DRAINING};
use super::view::View;
use super::watch::Watch;
use crate::sys::probe;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use pin_project_lite::pin_project;

impl Scope {
    /// Cancels the scope `grace` from now, and lets everybody inside know at once. False: it had begun before, or the scope
    /// was cancelled; the first reason stays, and the earlier end counts.
    ///
    /// During the grace [`draining`](Self::draining) resolves and [`is_draining`](Self::is_draining) is true, and groups,
    /// workers and queues that belong to the scope take nothing new. What has begun goes on, and may begin scopes of its own;
    /// the [effective deadline](Self::effective_deadline) is the end of the grace, so that nothing is tried that would take
    /// longer. At its end the scope is [cancelled](Self::cancel) with `reason`. [`Duration::MAX`] never ends by itself; a
    /// [`cancel`](Self::cancel) ends it at once.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use wakeful::cancel::{Reason, ReasonKind, Scope};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let (program, second) = (Scope::new(sim.time()), Duration::from_secs(1));
    ///     let scope = program.child();
    ///     let polite = sim.spawn("polite", async move {
    ///         scope.run(async {
    ///             scope.draining().await;
    ///             scope.sleep(second).await; // finishes what it is at
    ///             "bye"
    ///         }).await
    ///     });
    ///     let scope = program.child();
    ///     let busy = sim.spawn("busy", async move { scope.run(scope.sleep(Duration::MAX)).await });
    ///     sim.idle().await;
    ///     assert!(program.cancel_with_grace(Reason::shutdown(), 5 * second));
    ///     assert!(program.is_draining() && !program.is_cancelled());
    ///     assert_eq!(polite.await.done(), Some("bye"));
    ///     let cut = busy.await.into_result().unwrap_err();
    ///     assert_eq!(cut.reason().kind(), ReasonKind::Shutdown);
    ///     assert_eq!(sim.now().as_nanos(), 5_000_000_000);
    /// });
    /// ```
    pub fn cancel_with_grace(&self, reason: impl Into<Reason>, grace: Duration) -> bool {
        let now = self.now();
        match grace {
            Duration::ZERO => tree::cancel(&self.branch(), reason.into(), now),
            _ => tree::drain(&self.branch(), reason.into(), now + grace),
        }
    }

    /// Whether nothing new is to be begun here: a grace of this scope, or of one around it, has begun, or it is cancelled.
    ///
    /// Reads flags, never the clock. It does not become false again. What a [shield](Self::shield) hides does not count.
    #[inline]
    pub fn is_draining(&self) -> bool {
        self.view().any(DRAINING | CANCELLED)
    }

    /// Why nothing new is to be begun here; none, if [that is not so](Self::is_draining). The outermost scope concerned
    /// gives the reason.
    pub fn drain_reason(&self) -> Option<Reason> {
        let concerned = self.view().up().filter(|view| view.flags() & (DRAINING | CANCELLED) != 0).last()?;
        match concerned {
            View::Shared(branch) => tree::drains(branch),
            View::Inline(inline) => inline.reason(),
        }
    }

    /// Waits until [nothing new is to be begun](Self::is_draining), and gives the reason.
    ///
    /// For bodies that end by themselves when they are told. Those that wait for one thing after another to begin with have
    /// [`unless_draining`](Self::unless_draining); those that can be cut short anywhere need neither. See
    /// [`cancel_with_grace`](Self::cancel_with_grace).
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use wakeful::cancel::Scope;
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let (program, second) = (Scope::new(sim.time()), Duration::from_secs(1));
    ///     let scope = program.child();
    ///     let listener = sim.spawn("listener", async move {
    ///         let reason = scope.draining().await;
    ///         scope.sleep(2 * second).await; // the calls that are under way
    ///         reason.to_string()
    ///     });
    ///     sim.idle().await;
    ///     program.cancel_with_grace("moving house", 10 * second);
    ///     assert_eq!(listener.await, "moving house");
    ///     assert_eq!(sim.now().as_nanos(), 2_000_000_000);
    /// });
    /// ```
    pub fn draining(&self) -> UntilDraining {
        UntilDraining { scope: self.clone(), watch: Watch::new() }
    }

    /// Waits for `wait`, unless [nothing new is to be begun](Self::is_draining): then `wait` is dropped, and there is nothing.
    ///
    /// For loops that take what is to be begun, one after the other: they end when a grace begins, and what has been taken is
    /// seen to. What `wait` gives must not be lost if it is dropped: receiving from a queue and accepting from a listener are
    /// safe so. What is to go on until the grace is over is a [run](Self::run).
    ///
    /// Once the grace has begun, `wait` is not polled any more: what was ready then is left where it is. It runs in whatever scope is
    /// current, and is not kept by a shield inside it.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroUsize;
    /// use core::time::Duration;
    /// use wakeful::cancel::Scope;
    /// use wakeful::queue;
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let (program, second) = (Scope::new(sim.time()), Duration::from_secs(1));
    ///     let (calls, incoming) = queue::bounded(NonZeroUsize::MIN);
    ///     let scope = program.child();
    ///     let server = sim.spawn("server", async move {
    ///         let mut served = Vec::new();
    ///         while let Some(Ok(call)) = scope.unless_draining(incoming.recv()).await {
    ///             scope.sleep(2 * second).await; // serves it, also during the grace
    ///             served.push(call);
    ///         }
    ///         (served, incoming.len())
    ///     });
    ///     calls.send("first").await.unwrap();
    ///     sim.idle().await;
    ///     calls.send("second").await.unwrap();
    ///     program.cancel_with_grace("closing time", 10 * second);
    ///     assert_eq!(server.await, (vec!["first"], 1));
    ///     assert_eq!(sim.now().as_nanos(), 2_000_000_000);
    /// });
    /// ```
    pub fn unless_draining<F: Future>(&self, wait: F) -> UnlessDraining<'_, F> {
        UnlessDraining { scope: self, wait: Some(wait), watch: Watch::new() }
    }
}

pin_project! {
    /// Waits until nothing new is to be begun in a scope; made by [`Scope::draining`].
    ///
    /// # Cancel safety
    /// Dropping it changes nothing; the grace is not missed, being a state.
    #[must_use = "it waits for nothing unless it is awaited"]
    pub struct UntilDraining {
        scope: Scope,
        #[pin]
        watch: Watch,
    }
}

impl Future for UntilDraining {
    type Output = Reason;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Reason> {
        let mut this = self.project();
        loop {
            if let Some(reason) = this.scope.drain_reason() {
                this.watch.clear();
                return Poll::Ready(reason);
            }
            if this.watch.as_mut().poll(this.scope, false, cx).is_pending() {
                probe::waiting("draining", None, u64::MAX);
                return Poll::Pending;
            }
        }
    }
}

impl fmt::Debug for UntilDraining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UntilDraining").field("scope", &self.scope).finish()
    }
}

pin_project! {
    /// Waits for something unless nothing new is to be begun in a scope; made by [`Scope::unless_draining`].
    ///
    /// # Panics
    /// If it is polled after it was ready.
    ///
    /// # Cancel safety
    /// That of what it waits for, which is dropped with it.
    #[must_use = "it waits for nothing unless it is awaited"]
    pub struct UnlessDraining<'s, F> {
        scope: &'s Scope,
        // None, once this is over.
        #[pin]
        wait: Option<F>,
        #[pin]
        watch: Watch,
    }
}

impl<F: Future> Future for UnlessDraining<'_, F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let wait = this.wait.as_mut().as_pin_mut().expect("`UnlessDraining` was polled after it was ready");
        let polled = if this.scope.is_draining() { Poll::Pending } else { wait.poll(cx) };
        let given = match polled {
            Poll::Ready(value) => Some(value),
            Poll::Pending => loop {
                if this.scope.is_draining() {
                    break None;
                }
                if this.watch.as_mut().poll(this.scope, false, cx).is_pending() {
                    return Poll::Pending;
                }
            },
        };
        this.watch.clear();
        this.wait.set(None);
        Poll::Ready(given)
    }
}

impl<F> fmt::Debug for UnlessDraining<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnlessDraining").field("scope", self.scope).finish_non_exhaustive()
    }
}
