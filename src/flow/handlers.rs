//! Handlers that are called with each message, by whoever publishes it.
//!
//! # Examples
//! See [`Handlers`].

use crate::spawn::{Panic, Spawn, Task};
use crate::sync::{WaitGroup, WaitGuard};
use crate::sys::thread::{catch, contain};
use crate::sys::{Arc, Told, Weak};
use crate::task::{FutureSet, Guarded};
use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::error::Error;
use core::fmt;
use core::future::Future;
use core::mem;
use core::ops::Deref;
use core::pin::Pin;

type Handling<E> = Pin<Box<dyn Future<Output = Result<(), E>> + Send>>;
type Call<T, E> = dyn Fn(Message<T>) -> Handling<E> + Send + Sync;
type Sink<E> = dyn Fn(HandlerError<E>) + Send + Sync;

/// Calls every handler with each message. Clones share the handlers.
///
/// [`publish`](Self::publish) waits for all of them and collects their errors; [`post`](Self::post) waits for none, and their errors
/// go to the sink. Handlers of a message run concurrently, each call of one in a guard of its own: what panics, or fails, touches
/// nobody else. There is no buffer: what is published is handled at once, also while the message before is. For subscribers with a
/// buffer and a pace of their own, take a [`Topic`](super::topic::Topic).
///
/// A message is allocated once, and so is each call.
///
/// # Examples
/// ```
/// use wakeful::flow::handlers::{HandlerError, Handlers, HandlersError, Message};
///
/// wakeful::sim::check(|sim| async move {
///     let orders = Handlers::new(|error: HandlerError<&str>| panic!("nobody posts: {error:?}"));
///     let _stock = orders.on("stock", async |order: Message<u32>| if *order > 9 { Err("sold out") } else { Ok(()) });
///     let _mail = orders.on("mail", async |_: Message<u32>| Ok(()));
///     assert_eq!(orders.publish(3).await.unwrap(), 2);
///     let Err(HandlersError::Failed { handlers, errors }) = orders.publish(10).await else { panic!("it is sold out") };
///     assert_eq!((handlers, errors.len(), errors[0].to_string()), (2, 1, "stock: sold out".to_owned()));
/// });
/// ```
pub struct Handlers<T, E> {
    shared: Arc<Shared<T, E>>,
}

struct Shared<T, E> {
    list: Told<List<T, E>>,
    /// Messages that are being handled.
    busy: WaitGroup,
    sink: Box<Sink<E>>,
}

/// Handlers as they were at some moment.
type Taken<T, E> = Arc<[Arc<Entry<T, E>>]>;

struct List<T, E> {
    /// A new one for each change, so that who publishes takes a share.
    handlers: Taken<T, E>,
    closed: bool,
}

struct Entry<T, E> {
    name: Cow<'static, str>,
    call: Box<Call<T, E>>,
}

/// A handler; dropping it takes the handler off. Calls that have begun go on.
#[must_use = "a handler is taken off when this is dropped"]
pub struct Handler<T, E> {
    shared: Weak<Shared<T, E>>,
    entry: Arc<Entry<T, E>>,
}

/// What one handler made of one message.
#[derive(Debug)]
pub struct HandlerError<E> {
    /// The name of the handler.
    pub handler: Cow<'static, str>,
    /// What was wrong.
    pub cause: HandlerFault<E>,
}

/// How a handler failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum HandlerFault<E> {
    /// It gave an error.
    Failed(E),
    /// It panicked. Never without `std`, where a panic is the end of everything.
    Panicked(Panic),
}

/// Why a message was not handled, or not by all.
#[non_exhaustive]
pub enum HandlersError<T, E> {
    /// Nothing is published any more: the message is handed back.
    Closed(T),
    /// Some handlers failed; all others have handled it.
    Failed {
        /// How many handlers there were.
        handlers: usize,
        /// What was wrong with some, in the order in which they ended.
        errors: Vec<HandlerError<E>>,
    },
}

/// Nothing is published any more: the message is handed back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PostError<T>(pub T);

/// A message, as handlers get it: they share it.
pub struct Message<T>(Arc<T>);

impl<T> Deref for Message<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> AsRef<T> for Message<T> {
    fn as_ref(&self) -> &T {
        self
    }
}

impl<T> Clone for Message<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: fmt::Debug> fmt::Debug for Message<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T, E> Handlers<T, E>
where
    T: Send + Sync + 'static,
    E: Send + 'static,
{
    /// No handler yet. Errors of what is [posted](Self::post) go to `sink`, which is called by the task that has them.
    #[must_use]
    pub fn new(sink: impl Fn(HandlerError<E>) + Send + Sync + 'static) -> Self {
        let list = Told::new(List { handlers: Arc::from(Vec::new()), closed: false });
        Self { shared: Arc::new(Shared { list, busy: WaitGroup::new(), sink: Box::new(sink) }) }
    }

    /// Has `handler` called with each message that is published from now on, until what this gives is dropped. The name is for
    /// errors.
    pub fn on<F>(
        &self,
        name: impl Into<Cow<'static, str>>,
        handler: impl Fn(Message<T>) -> F + Send + Sync + 'static,
    ) -> Handler<T, E>
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        let call: Box<Call<T, E>> = Box::new(move |message| Box::pin(handler(message)));
        let entry = Arc::new(Entry { name: name.into(), call });
        self.shared.change(|handlers| handlers.push(entry.clone()));
        Handler { shared: Arc::downgrade(&self.shared), entry }
    }

    /// Calls all handlers with `message`, waits for them, and gives their number.
    ///
    /// # Cancel safety
    /// Dropping it drops the calls that are not over: their handlers have handled the message in part.
    ///
    /// # Errors
    /// [`HandlersError::Failed`] with all that went wrong, after all handlers are done; [`HandlersError::Closed`] with the message, if
    /// this is closed.
    pub async fn publish(&self, message: T) -> Result<usize, HandlersError<T, E>> {
        let Some((handlers, busy)) = self.shared.begin() else { return Err(HandlersError::Closed(message)) };
        let mut errors = Vec::new();
        handle(&handlers, message, |error| errors.push(error)).await;
        drop(busy);
        if errors.is_empty() {
            Ok(handlers.len())
        } else {
            Err(HandlersError::Failed { handlers: handlers.len(), errors })
        }
    }

    /// Starts a task in which all handlers are called with `message`, and goes on. Their errors go to the sink.
    ///
    /// # Errors
    /// [`PostError`] with the message, if this is closed.
    ///
    /// # Examples
    /// ```
    /// use std::sync::{Arc, Mutex};
    /// use wakeful::flow::handlers::{HandlerError, Handlers, Message};
    ///
    /// wakeful::sim::check(|sim| async move {
    ///     let log = Arc::new(Mutex::new(Vec::new()));
    ///     let sink = log.clone();
    ///     let orders = Handlers::new(move |error: HandlerError<&str>| sink.lock().unwrap().push(error.to_string()));
    ///     let _stock = orders.on("stock", async |_: Message<u32>| Err("sold out"));
    ///     orders.post(&sim.spawner(), 3).unwrap();
    ///     orders.close();
    ///     orders.drained().await;
    ///     assert_eq!(*log.lock().unwrap(), ["stock: sold out"]);
    ///     assert_eq!(orders.post(&sim.spawner(), 4).unwrap_err().0, 4);
    /// });
    /// ```
    pub fn post(&self, spawn: &(impl Spawn + ?Sized), message: T) -> Result<(), PostError<T>> {
        let Some((handlers, busy)) = self.shared.begin() else { return Err(PostError(message)) };
        let shared = self.shared.clone();
        spawn.spawn(Task::new(async move {
            handle(&handlers, message, |error| contain(|| (shared.sink)(error))).await;
            drop(busy);
        }));
        Ok(())
    }

    /// Lets nothing be published any more. False: it was closed already.
    pub fn close(&self) -> bool {
        self.shared.list.with(|list| !mem::replace(&mut list.closed, true))
    }

    /// Waits until no message is being handled, posted or published. After [`close`](Self::close) that stays so.
    ///
    /// # Cancel safety
    /// Dropping it changes nothing.
    pub async fn drained(&self) {
        self.shared.busy.wait().await;
    }

    /// How many handlers there are.
    pub fn handlers(&self) -> usize {
        self.shared.list.read(|list| list.handlers.len())
    }
}

/// Calls all handlers and waits for them.
async fn handle<T, E>(handlers: &[Arc<Entry<T, E>>], message: T, mut failed: impl FnMut(HandlerError<E>)) {
    let message = Message(Arc::new(message));
    let mut calls = FutureSet::with_capacity(handlers.len());
    let mut callers = Vec::new();
    for entry in handlers {
        match catch(|| (entry.call)(message.clone())) {
            Ok(handling) => {
                calls.push(Guarded::new(handling));
                callers.push(entry);
            }
            Err(payload) => failed(entry.error(HandlerFault::Panicked(Panic::new(payload)))),
        }
    }
    drop(message);
    while let Some((call, ended)) = calls.join_next().await {
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(error)) => failed(callers[call].error(HandlerFault::Failed(error))),
            Err(panic) => failed(callers[call].error(HandlerFault::Panicked(panic))),
        }
    }
}

impl<T, E> Entry<T, E> {
    fn error(&self, cause: HandlerFault<E>) -> HandlerError<E> {
        HandlerError { handler: self.name.clone(), cause }
    }
}

impl<T, E> Shared<T, E> {
    /// The handlers of a message, which is counted as busy; unless this is closed.
    fn begin(&self) -> Option<(Taken<T, E>, WaitGuard)> {
        // Counted first: who closes and then waits finds either this, or nothing that begins.
        let busy = self.busy.add();
        let handlers = self.list.with(|list| (!list.closed).then(|| list.handlers.clone()));
        handlers.map(|handlers| (handlers, busy))
    }

    /// Changes the handlers; nothing is dropped under the lock.
    fn change(&self, mut change: impl FnMut(&mut Vec<Arc<Entry<T, E>>>)) {
        let mut old = self.list.read(|list| list.handlers.clone());
        loop {
            let mut handlers = old.to_vec();
            change(&mut handlers);
            let new: Arc<[_]> = Arc::from(handlers);
            let replaced = self.list.with(|list| match Arc::ptr_eq(&list.handlers, &old) {
                true => Ok(mem::replace(&mut list.handlers, new)),
                false => Err((list.handlers.clone(), new)),
            });
            match replaced {
                Ok(_) => return,
                Err((newer, _)) => old = newer,
            }
        }
    }
}

impl<T, E> Handler<T, E> {
    /// The name that it was given.
    pub fn name(&self) -> &str {
        &self.entry.name
    }
}

impl<T, E> Drop for Handler<T, E> {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            contain(|| shared.change(|handlers| handlers.retain(|entry| !Arc::ptr_eq(entry, &self.entry))));
        }
    }
}

impl<T, E> Clone for Handlers<T, E> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<T, E> fmt::Debug for Handlers<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (handlers, closed) = self.shared.list.read(|list| (list.handlers.len(), list.closed));
        f.debug_struct("Handlers").field("handlers", &handlers).field("closed", &closed).finish_non_exhaustive()
    }
}

impl<T, E> fmt::Debug for Handler<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler").field("name", &self.entry.name).finish_non_exhaustive()
    }
}

impl<E: fmt::Display> fmt::Display for HandlerError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            HandlerFault::Failed(error) => write!(f, "{}: {error}", self.handler),
            HandlerFault::Panicked(panic) => write!(f, "{} panicked: {}", self.handler, panic.message()),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> Error for HandlerError<E> {}

impl<T, E: fmt::Debug> fmt::Debug for HandlersError<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(_) => f.write_str("Closed(..)"),
            Self::Failed { handlers, errors } => {
                f.debug_struct("Failed").field("handlers", handlers).field("errors", errors).finish()
            }
        }
    }
}

impl<T, E> fmt::Display for HandlersError<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(_) => f.pad("publish where handlers are closed"),
            Self::Failed { handlers, errors } => write!(f, "{} of {handlers} handlers failed", errors.len()),
        }
    }
}

impl<T, E: fmt::Debug> Error for HandlersError<T, E> {}

impl<T> fmt::Debug for PostError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PostError(..)")
    }
}

impl<T> fmt::Display for PostError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("post where handlers are closed")
    }
}

impl<T> Error for PostError<T> {}
