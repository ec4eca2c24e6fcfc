//! A group of either kind, as its body has it, and the handles to its children.

use std::future::Future;
use wakeful::cancel::Scope;
use wakeful::task::{
    ChildError, Handle, LocalGroup, LocalHandle, LocalStart, MaySend, SpawnError, Start, StartError, Starting, Status,
    TaskGroup,
};

/// What bodies and children return.
pub(crate) type Answer = Result<u32, u32>;

#[derive(Clone)]
pub(crate) enum Group {
    Tasks(TaskGroup<u32>),
    Local(LocalGroup<'static, u32>),
}

pub(crate) enum Joins {
    Task(Handle<u32, u32>),
    Local(LocalHandle<u32>),
    TaskBehind(Handle<(), u32>),
    LocalBehind(LocalHandle<()>),
}

pub(crate) enum Starts {
    Task(Start<(), u32, u32>),
    Local(LocalStart<'static, (), u32, u32, MaySend>),
}

/// Why a child was not let in.
fn refused<F>(error: SpawnError<F>) -> String {
    error.to_string()
}

impl Group {
    pub(crate) fn scope(&self) -> &Scope {
        match self {
            Self::Tasks(group) => group.scope(),
            Self::Local(group) => group.scope(),
        }
    }

    pub(crate) fn spawn(
        &self,
        name: String,
        background: bool,
        body: impl Future<Output = Answer> + Send + 'static,
    ) -> Result<Joins, String> {
        let behind = |body: std::pin::Pin<Box<dyn Future<Output = Answer> + Send>>| async { body.await.map(drop) };
        match (self, background) {
            (Self::Tasks(group), false) => group.spawn(name, body).map(Joins::Task).map_err(refused),
            (Self::Local(group), false) => group.spawn(name, body).map(Joins::Local).map_err(refused),
            (Self::Tasks(group), true) => {
                group.spawn_background(name, behind(Box::pin(body))).map(Joins::TaskBehind).map_err(refused)
            }
            (Self::Local(group), true) => {
                group.spawn_background(name, behind(Box::pin(body))).map(Joins::LocalBehind).map_err(refused)
            }
        }
    }

    pub(crate) fn start<F: Future<Output = Answer> + Send + 'static>(
        &self,
        name: String,
        make: impl FnOnce(Starting<(), u32>) -> F + Send + 'static,
    ) -> Result<Starts, String> {
        match self {
            Self::Tasks(group) => group.start(name, make).map(Starts::Task).map_err(refused),
            Self::Local(group) => group.start(name, make).map(Starts::Local).map_err(refused),
        }
    }
}

impl Starts {
    pub(crate) async fn join(self) -> Result<Joins, StartError<u32>> {
        match self {
            Self::Task(start) => start.await.map(|(handle, ())| Joins::Task(handle)),
            Self::Local(start) => start.await.map(|(handle, ())| Joins::Local(handle)),
        }
    }
}

/// Calls the same method of whichever handle it is.
macro_rules! each {
    ($joins:expr, $handle:ident => $call:expr) => {
        match $joins {
            Joins::Task($handle) => $call,
            Joins::Local($handle) => $call,
            Joins::TaskBehind($handle) => $call,
            Joins::LocalBehind($handle) => $call,
        }
    };
}

impl Joins {
    pub(crate) fn cancel(&self) -> bool {
        each!(self, handle => handle.cancel("by its handle"))
    }

    pub(crate) fn status(&self) -> Status {
        each!(self, handle => handle.status())
    }

    pub(crate) fn cancel_on_drop(self) {
        each!(self, handle => drop(handle.cancel_on_drop()));
    }

    pub(crate) async fn join(&mut self) -> Result<u32, ChildError> {
        match self {
            Self::Task(handle) => handle.await,
            Self::Local(handle) => handle.await,
            Self::TaskBehind(handle) => handle.await.map(|()| 0),
            Self::LocalBehind(handle) => handle.await.map(|()| 0),
        }
    }

    pub(crate) fn try_take(&mut self) -> Option<Result<u32, ChildError>> {
        match self {
            Self::Task(handle) => handle.try_take(),
            Self::Local(handle) => handle.try_take(),
            Self::TaskBehind(handle) => handle.try_take().map(|taken| taken.map(|()| 0)),
            Self::LocalBehind(handle) => handle.try_take().map(|taken| taken.map(|()| 0)),
        }
    }
}
