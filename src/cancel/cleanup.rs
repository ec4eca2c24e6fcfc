//! What is done after a body was cut short.

use super::outcome::{Cancelled, Outcome};
use super::reason::Reason;
use super::run::{Engine, Run};
use super::scope::Scope;
use super::shield::Shelter;
use super::stay::Stay;
use crate::sys::slot;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use pin_project_lite::pin_project;

impl<'s, F: Future> Run<'s, F> {
    /// Runs `cleanup` after the body, if that is cut short, with the reason: in a [shield](Scope::shield) with `budget`,
    /// counted from when the body is gone. So it is not cut short by the same cancelling, and does not hold the program up
    /// for longer.
    ///
    /// A body that comes to its end, or never begins, is followed by nothing. The outcome is that of the body; when it is
    /// given the cleanup is over. A run inside others whose scopes are cancelled ends its body and cleans up before they
    /// go; what follows it in their bodies does not run, as ever.
    ///
    /// # Cancel safety
    /// As that of a [shield](Scope::shield): dropping the future drops the body, or the cleanup, wherever it is.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use wakeful::cancel::{ReasonKind, Scope};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let (scope, second) = (Scope::new(sim.time()).child_after(Duration::from_secs(3)), Duration::from_secs(1));
    ///     let time = sim.time();
    ///     let outcome = scope
    ///         .run(std::future::pending::<()>())
    ///         .cleanup(async |reason| {
    ///             assert_eq!(reason.kind(), ReasonKind::Deadline);
    ///             time.sleep(second).await; // says goodbye
    ///         }, 5 * second)
    ///         .await;
    ///     assert!(outcome.is_cancelled());
    ///     assert_eq!(sim.now().as_nanos(), 4_000_000_000);
    /// });
    /// ```
    pub fn cleanup<C, G>(self, cleanup: C, budget: Duration) -> Cleanup<'s, F, C, G>
    where
        C: FnOnce(Reason) -> G,
        G: Future<Output = ()>,
    {
        let (scope, body) = self.into_parts();
        Cleanup {
            scope,
            body: Engine::new(body, false, false).on_its_own(),
            after: None,
            shelter: None,
            cleanup: Some(cleanup),
            budget,
            cancelled: None,
            stay: Stay::new(),
        }
    }
}

pin_project! {
    /// Runs a body, and something after it if it is cut short; made by [`Run::cleanup`].
    ///
    /// # Panics
    /// If it is polled after it has given what its body returned.
    ///
    /// # Cancel safety
    /// Dropping it drops the body, or what runs after it, with its scope current.
    #[must_use = "a run does nothing unless it is awaited"]
    pub struct Cleanup<'s, F, C, G>
    where
        F: Future,
        G: Future,
    {
        scope: &'s Scope,
        #[pin]
        body: Engine<F>,
        #[pin]
        after: Option<Engine<G>>,
        // After those that run in it.
        shelter: Option<Shelter>,
        cleanup: Option<C>,
        budget: Duration,
        cancelled: Option<Cancelled>,
        stay: Stay,
    }

    impl<F, C, G> PinnedDrop for Cleanup<'_, F, C, G>
    where
        F: Future,
        G: Future,
    {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let (Some(after), Some(shelter)) = (this.after.as_pin_mut(), this.shelter) {
                let (after, frame) = after.left(shelter.scope());
                slot::end_in(frame, shelter.scope(), after);
            }
            let (body, frame) = this.body.left(this.scope);
            slot::end_in(frame, this.scope, body);
        }
    }
}

impl<F, C, G> Future for Cleanup<'_, F, C, G>
where
    F: Future,
    C: FnOnce(Reason) -> G,
    G: Future<Output = ()>,
{
    type Output = Outcome<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.as_mut().project().cancelled.is_none() {
            let outcome = ready!(self.as_mut().poll_body(cx));
            let has_begun = self.as_mut().project().body.has_begun();
            match outcome {
                Outcome::Cancelled(cancelled) if has_begun => self.as_mut().begin_cleanup(cancelled),
                outcome => return Poll::Ready(outcome),
            }
        }
        let mut this = self.project();
        let cancelled = this.cancelled.as_ref().expect("set above");
        if let (Some(after), Some(shelter)) = (this.after.as_mut().as_pin_mut(), this.shelter.as_mut()) {
            shelter.place();
            // Whether it was cut short in its turn is for itself to note.
            let _ = ready!(after.poll(shelter.scope(), cx));
            this.after.set(None);
        }
        *this.shelter = None;
        match this.stay.stays(this.scope, cx) {
            true => Poll::Pending,
            false => Poll::Ready(Outcome::Cancelled(cancelled.clone())),
        }
    }
}

impl<F, C, G> Cleanup<'_, F, C, G>
where
    F: Future,
    C: FnOnce(Reason) -> G,
    G: Future<Output = ()>,
{
    /// Polls the body. While it runs the runs around it know that it has something to do before they go.
    fn poll_body(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome<F::Output>> {
        let mut this = self.project();
        let polled = this.body.as_mut().poll(this.scope, cx);
        let begun = this.body.as_mut().has_begun();
        match &polled {
            Poll::Ready(Outcome::Done(_)) => *this.shelter = None,
            _ if begun => {
                let shelter = this.shelter.get_or_insert_with(|| Shelter::new(this.scope, *this.budget));
                shelter.place_for(this.body.number());
            }
            _ => {}
        }
        polled
    }

    fn begin_cleanup(self: Pin<&mut Self>, cancelled: Cancelled) {
        let mut this = self.project();
        let cleanup = this.cleanup.take().expect("a body is cut short once");
        let reason = cancelled.reason().clone();
        *this.cancelled = Some(cancelled);
        if let Some(shelter) = this.shelter {
            shelter.enter();
        }
        this.after.set(Some(Engine::new(cleanup(reason), false, false)));
    }
}

impl<F, C, G> fmt::Debug for Cleanup<'_, F, C, G>
where
    F: Future,
    G: Future,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cleanup").field("scope", self.scope).field("cut_short", &self.cancelled).finish_non_exhaustive()
    }
}
