//! Waiting for work that blocks.

use crate::cancel::{Cancelled, Outcome, Scope};
use crate::spawn::{Job, Offload, Panic};
use crate::sync::oneshot;
use crate::sys::thread::catch;
use alloc::borrow::Cow;
use core::fmt;

/// Does `work`, which blocks, on a thread of `pool`, and waits for its result in `scope`.
///
/// Cancelling abandons the result, never the thread: what has begun goes on to its end, and what it returns is dropped there,
/// in a guard. So `work` owns what it uses, and a program that shuts down should know what still runs: see
/// [`Phase::offload`](super::Phase::offload), which counts it.
///
/// For calls that block on something that has no future: a file, a name look-up, a long computation. Each takes a thread as
/// long as it blocks; bound their number where there may be many.
///
/// # Cancel safety
/// Dropping it abandons the work: it is done all the same, once it was polled, and its result is dropped.
///
/// # Errors
/// [`OffloadError`], if there is no result. In a scope that is cancelled nothing is begun (rule b).
///
/// # Examples
/// In the simulator the work runs inline, and takes the virtual time that it is said to cost:
/// ```
/// use core::time::Duration;
/// use wakeful::cancel::Scope;
/// use wakeful::task::{OffloadError, offload};
///
/// wakeful::sim::run(|sim| async move {
///     let (scope, disk) = (Scope::new(sim.time()), sim.offloader(Duration::from_millis(8)));
///     assert_eq!(offload(&scope, &disk, "reads", || 6 * 7).await.unwrap(), 42);
///     assert_eq!(sim.now().as_nanos(), 8_000_000);
///
///     let brief = scope.child_after(Duration::from_millis(5));
///     let late = offload(&brief, &disk, "reads", || "nobody waits for this").await;
///     assert!(matches!(late, Err(OffloadError::Cancelled(_))));
///     assert_eq!(sim.now().as_nanos(), 13_000_000);
/// });
/// ```
pub async fn offload<T, P>(
    scope: &Scope,
    pool: &P,
    name: impl Into<Cow<'static, str>>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, OffloadError>
where
    T: Send + 'static,
    P: Offload + ?Sized,
{
    let name = name.into();
    let body = async {
        let (done, mut result) = oneshot::channel();
        let work = move || {
            let done_by_then = done.send(catch(work).map_err(Panic::new));
            // Nobody waits: what comes of it is dropped here, and may panic as it is.
            drop(catch(|| drop(done_by_then)).map_err(Panic::new));
        };
        pool.offload(Job::new(name, work));
        result.recv().await
    };
    match scope.run(body).await {
        Outcome::Done(Ok(Ok(value))) => Ok(value),
        Outcome::Done(Ok(Err(panic))) => Err(OffloadError::Panicked(panic)),
        Outcome::Done(Err(_)) => Err(OffloadError::Lost),
        Outcome::Cancelled(cancelled) => Err(OffloadError::Cancelled(cancelled)),
    }
}

/// Why there is no result of work that was [offloaded](offload()).
#[derive(Debug)]
#[non_exhaustive]
pub enum OffloadError {
    /// The scope was cancelled. What had begun goes on, and its result is dropped.
    Cancelled(Cancelled),
    /// The work panicked.
    Panicked(Panic),
    /// The job was dropped before it was run, as by a pool that has shut down.
    Lost,
    /// Its phase is being shut down, and nothing was begun.
    Refused,
}

impl fmt::Display for OffloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled(cancelled) => write!(f, "abandoned: {cancelled}"),
            Self::Panicked(panic) => write!(f, "panicked: {panic}"),
            Self::Lost => f.write_str("the job was dropped before it was run"),
            Self::Refused => f.write_str("the phase is being shut down, and takes no more work"),
        }
    }
}

impl core::error::Error for OffloadError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Cancelled(cancelled) => Some(cancelled),
            _ => None,
        }
    }
}
