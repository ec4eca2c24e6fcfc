//! Children that say when they have started.
//!
//! # How it works
//!
//! Child and waiter share a handshake. The child's body says `Started`, or fails before, or its [`Starting`] is dropped. While
//! the body is being polled such a drop may be part of a failure, so what it means is decided when the poll is over.

use super::handle::Handle;
use super::life::Returned;
use super::outcome::StartError;
use super::outlet::Ended;
use crate::cancel::Reason;
use crate::sys::probe::{self, Id};
use crate::sys::thread::contain;
use crate::sys::{Arc, Told};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use pin_project_lite::pin_project;

/// By which a child says what it has started with: an address, a connection, a way to reach it.
///
/// Given to the closure of [`TaskGroup::start`](super::TaskGroup::start) or [`LocalGroup::start`](super::LocalGroup::start). It may be handed on, to another task even. To drop
/// it unused is to give up: the child is cancelled, and whoever waits for it has an error.
#[must_use = "a child that never says that it has started is cancelled"]
pub struct Starting<V, E>(Shared<V, E>);

type Shared<V, E> = Arc<Told<Handshake<V, E>>>;

struct Handshake<V, E> {
    state: State<V, E>,
    /// The body is being polled.
    polling: bool,
    /// Who waits.
    waker: Option<Waker>,
}

enum State<V, E> {
    /// The child has yet to say something.
    Open,
    /// Its `Starting` was dropped during a poll that may still fail.
    Silent,
    Started(V),
    Failed(E),
    GivenUp,
    /// Whoever waited knows, or waits no more.
    Over,
}

impl<V, E> Handshake<V, E> {
    /// Says `state`, if nothing was said yet and somebody waits; else gives it back.
    fn say(&mut self, state: State<V, E>) -> Result<Option<Waker>, State<V, E>> {
        match self.state {
            State::Open | State::Silent => {
                self.state = state;
                Ok(self.waker.take())
            }
            _ => Err(state),
        }
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        probe::firing(&waker);
        waker.wake();
    }
}

impl<V, E> Starting<V, E> {
    /// Tells whoever waits that the child has started.
    ///
    /// # Errors
    /// With `value`, if nobody waits any more. The child has been cancelled then.
    pub fn started(self, value: V) -> Result<(), V> {
        match self.0.with(|handshake| handshake.say(State::Started(value))) {
            Ok(waker) => {
                wake(waker);
                Ok(())
            }
            Err(State::Started(value)) => Err(value),
            Err(_) => unreachable!("it gives back what was said"),
        }
    }
}

impl<V, E> Drop for Starting<V, E> {
    /// A drop may be part of an unwinding, which a second panic would turn into the end of the process.
    fn drop(&mut self) {
        let waker = self.0.with(|handshake| match (&handshake.state, handshake.polling) {
            (State::Open, true) => {
                handshake.state = State::Silent;
                None
            }
            (State::Open, false) => handshake.say(State::GivenUp).ok().flatten(),
            _ => None,
        });
        contain(|| wake(waker));
    }
}

impl<V, E> fmt::Debug for Starting<V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Starting").finish_non_exhaustive()
    }
}

pin_project! {
    /// The body of a child that is to start: its error goes to whoever waits for that.
    pub(super) struct StartBody<F, V, E> {
        #[pin]
        body: F,
        handshake: Shared<V, E>,
    }
}

impl<F: Future<Output = Result<T, E>>, T, V, E> Future for StartBody<F, V, E> {
    type Output = Returned<T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.handshake.with(|handshake| handshake.polling = true);
        let polled = this.body.poll(cx);
        let (polled, waker) = this.handshake.with(|handshake| {
            handshake.polling = false;
            match polled {
                Poll::Ready(Ok(value)) => (Poll::Ready(Ok(value)), None),
                Poll::Ready(Err(error)) => match handshake.say(State::Failed(error)) {
                    Ok(waker) => (Poll::Ready(Err(None)), waker),
                    Err(State::Failed(error)) => (Poll::Ready(Err(Some(error))), None),
                    Err(_) => unreachable!("it gives back what was said"),
                },
                Poll::Pending => match handshake.state {
                    State::Silent => (Poll::Pending, handshake.say(State::GivenUp).ok().flatten()),
                    _ => (Poll::Pending, None),
                },
            }
        });
        wake(waker);
        polled
    }
}

/// A handshake: the body that calls `make`, and what waits for it.
pub(super) fn handshake<M, F, T, V, E>(
    make: M,
) -> (StartBody<impl Future<Output = F::Output> + use<M, F, T, V, E>, V, E>, Waiting<V, E>)
where
    M: FnOnce(Starting<V, E>) -> F,
    F: Future<Output = Result<T, E>>,
{
    let handshake = Arc::new(Told::new(Handshake { state: State::Open, polling: false, waker: None }));
    let starting = Starting(handshake.clone());
    let body = async move { make(starting).await };
    (StartBody { body, handshake: handshake.clone() }, Waiting(handshake))
}

/// The end of a handshake that waits.
pub(super) struct Waiting<V, E>(Shared<V, E>);

/// A child that is to start, to whoever waits for that.
pub(super) trait Recruit<E> {
    fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<Ended>;
    fn forget_joiner(&mut self);
    fn cancel(&self, reason: Reason) -> bool;

    /// Nobody waits for its start any more.
    fn started(&self);

    /// Gives an error of the child, which nobody waits for, to its group.
    fn failed_late(&self, error: E);
}

impl<T, E> Recruit<E> for Handle<T, E> {
    fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        self.end().poll_sent(cx).map(|end| end.ended())
    }

    fn forget_joiner(&mut self) {
        self.end().forget_waker();
    }

    fn cancel(&self, reason: Reason) -> bool {
        Self::cancel(self, reason)
    }

    fn started(&self) {
        self.record().core().started();
    }

    fn failed_late(&self, error: E) {
        self.record().core().failed_late(self.record().label.clone(), error);
    }
}

/// Waits until a child has started.
pub(super) struct Wait<V, E, H: Recruit<E>> {
    waiting: Waiting<V, E>,
    /// None: it is over.
    handle: Option<H>,
    /// The child has been cancelled because it gave up.
    dismissed: bool,
    id: Id,
}

impl<V, E, H: Recruit<E>> Wait<V, E, H> {
    pub(super) fn new(waiting: Waiting<V, E>, handle: H, id: Id) -> Self {
        Self { waiting, handle: Some(handle), dismissed: false, id }
    }

    /// What was said for good. The waker is noted, if nothing was.
    fn listen(&self, waker: Waker) -> State<V, E> {
        let (said, old) = self.waiting.0.with(|handshake| match handshake.state {
            State::Started(_) | State::Failed(_) => {
                (core::mem::replace(&mut handshake.state, State::Over), Some(waker))
            }
            State::GivenUp => (State::GivenUp, Some(waker)),
            _ => (State::Open, handshake.waker.replace(waker)),
        });
        drop(old);
        said
    }

    /// What was said; nothing can be said from now on.
    fn close(&self) -> State<V, E> {
        self.waiting.0.with(|handshake| core::mem::replace(&mut handshake.state, State::Over))
    }

    fn over(&mut self) -> Option<H> {
        let mut handle = self.handle.take()?;
        handle.forget_joiner();
        handle.started();
        Some(handle)
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(H, V), StartError<E>>> {
        assert!(self.handle.is_some(), "a start was polled after it was over");
        let waker = cx.waker().clone();
        probe::keeping(&waker);
        let mut said = self.listen(waker);
        let handle = self.handle.as_mut().expect("looked at above");
        if matches!(said, State::GivenUp) && !self.dismissed {
            self.dismissed = handle.cancel(Reason::explicit("it gave up saying that it had started"));
        }
        let mut ended = None;
        if !matches!(said, State::Started(_) | State::Failed(_)) {
            let Poll::Ready(end) = handle.poll_ended(cx) else {
                probe::waiting("the start of a child", Some(self.id), u64::MAX);
                return Poll::Pending;
            };
            ended = Some(end);
            // Said between the two looks.
            said = self.close();
        }
        let dismissed = self.dismissed;
        let handle = self.over().expect("it is not over");
        Poll::Ready(match (said, ended) {
            (State::Started(value), _) => Ok((handle, value)),
            (State::Failed(error), _) => Err(StartError::Failed(error)),
            (_, Some(Ended::Panicked)) => Err(StartError::Panicked),
            (_, Some(Ended::Lost)) => Err(StartError::Lost),
            (_, Some(Ended::Cancelled(cancelled))) if !(dismissed && cancelled.is_own()) => {
                Err(StartError::Cancelled(*cancelled))
            }
            _ => Err(StartError::Unstarted),
        })
    }
}

impl<V, E, H: Recruit<E>> Drop for Wait<V, E, H> {
    /// Wakers may panic, and a drop may be part of an unwinding, which a second panic would turn into the end of the process.
    fn drop(&mut self) {
        let Some(handle) = &self.handle else { return };
        match self.close() {
            State::Failed(error) => {
                contain(|| handle.failed_late(error));
            }
            said => {
                contain(|| {
                    handle.cancel(Reason::owner_dropped());
                });
                drop(said);
            }
        }
        contain(|| {
            self.over();
        });
    }
}

/// Waits until a child has started; made by [`TaskGroup::start`](super::TaskGroup::start).
///
/// # Cancel safety
/// Dropping it before it is ready cancels the child, which the group waits for. An error that the child had returned by then,
/// or returns afterwards, goes to the group.
///
/// # Errors
/// [`StartError`], if the child has not started. It is gone then, and has been counted.
#[must_use = "dropping it cancels the child"]
pub struct Start<V, T, E>(Wait<V, E, Handle<T, E>>);

impl<V, T, E> Start<V, T, E> {
    pub(super) fn new(waiting: Waiting<V, E>, handle: Handle<T, E>, id: Id) -> Self {
        Self(Wait::new(waiting, handle, id))
    }
}

impl<V, T, E> Future for Start<V, T, E> {
    type Output = Result<(Handle<T, E>, V), StartError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(cx)
    }
}

impl<V, T, E> Unpin for Start<V, T, E> {}

impl<V, T, E> fmt::Debug for Start<V, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Start").field("child", &self.0.handle).finish_non_exhaustive()
    }
}
