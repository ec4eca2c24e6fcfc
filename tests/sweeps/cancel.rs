//! Scopes: runs, timeouts, and waiting for the cancelling itself.

use crate::ms;
use std::num::NonZeroUsize;
use std::sync::Arc;
use wakeful::cancel::{Outcome, Scope};
use wakeful::queue::bounded;
use wakeful::sim::Sim;

crate::sweeps! {
    "cancel::Run" => run,
    "cancel::Scope::move_on_at" => move_on_at,
    "cancel::Scope::move_on_after" => move_on_after,
    "cancel::Scope::fail_at" => fail_at,
    "cancel::Scope::fail_after" => fail_after,
    "cancel::MoveOn" => move_on,
    "cancel::Fail" => fail,
    "cancel::UntilCancelled" => cancelled,
    "cancel::UntilDraining" => draining,
    "cancel::UnlessDraining" => unless_draining,
    "cancel::Scope::shield" => shield_in,
    "cancel::Shield" => shield,
    "cancel::Cleanup" => cleanup,
}

/// A body that notices what becomes of it, and ends in time or does not, as the oracle chooses.
struct Body {
    sim: Sim,
    scope: Scope,
    held: Arc<()>,
}

impl Body {
    fn new(sim: Sim) -> Self {
        let scope = Scope::new(sim.time());
        Self { sim, scope, held: Arc::new(()) }
    }

    /// Takes three milliseconds, or one.
    fn body(&self) -> impl AsyncFnOnce(&Scope) + use<> {
        let (sim, held) = (self.sim.clone(), self.held.clone());
        async move |scope| {
            let _held = held;
            scope.sleep(ms(1)).await;
            sim.yield_now().await;
            if sim.choose(2) == 0 {
                scope.sleep(ms(2)).await;
            }
        }
    }

    /// The body is gone and its timers are, and the scope around it is as it was.
    async fn check(self) {
        assert_eq!((Arc::strong_count(&self.held), self.sim.time().pending()), (1, 0));
        assert!(!self.scope.cancel_called());
        let later = self.scope.move_on_after(ms(1), async |scope| scope.sleep(ms(5)).await).await;
        assert!(later.is_cancelled());
        assert_eq!(self.sim.time().pending(), 0);
    }
}

async fn run(sim: Sim) {
    let body = Body::new(sim.clone());
    let child = body.scope.child();
    let (canceller, time) = (child.clone(), sim.time());
    let canceller = sim.spawn("canceller", async move {
        time.sleep(ms(2)).await;
        canceller.cancel("enough")
    });
    let ran = sim.cancel_at_each(child.run(body.body()(&child))).await;
    assert!(ran.is_none_or(|ran| !ran.is_cancelled() || child.cancel_called()));
    assert!(canceller.await, "nobody else cancelled it");
    assert!(child.run(async {}).await.is_cancelled());
    body.check().await;
}

async fn move_on_at(sim: Sim) {
    let body = Body::new(sim.clone());
    let at = sim.now() + ms(2);
    sim.cancel_at_each(body.scope.move_on_at(at, body.body())).await;
    body.check().await;
}

async fn move_on_after(sim: Sim) {
    let body = Body::new(sim.clone());
    sim.cancel_at_each(body.scope.move_on_after(ms(2), body.body())).await;
    body.check().await;
}

async fn fail_at(sim: Sim) {
    let body = Body::new(sim.clone());
    let at = sim.now() + ms(2);
    let _ = sim.cancel_at_each(body.scope.fail_at(at, body.body())).await;
    body.check().await;
}

async fn fail_after(sim: Sim) {
    let body = Body::new(sim.clone());
    let _ = sim.cancel_at_each(body.scope.fail_after(ms(2), body.body())).await;
    body.check().await;
}

async fn move_on(sim: Sim) {
    let body = Body::new(sim.clone());
    let inside = async {
        let run = body.body();
        let at = wakeful::now() + ms(2);
        let moved = wakeful::move_on_at(at, async { run(&wakeful::cancel::current().unwrap()).await });
        sim.cancel_at_each(moved).await;
        assert!(wakeful::cancel::current().unwrap().same(&body.scope));
    };
    assert!(matches!(body.scope.run(inside).await, Outcome::Done(())));
    body.check().await;
}

async fn fail(sim: Sim) {
    let body = Body::new(sim.clone());
    let inside = async {
        let run = body.body();
        let failed = wakeful::fail_after(ms(2), async { run(&wakeful::cancel::current().unwrap()).await });
        let _ = sim.cancel_at_each(failed).await;
        assert!(wakeful::cancel::current().unwrap().same(&body.scope));
    };
    assert!(matches!(body.scope.run(inside).await, Outcome::Done(())));
    body.check().await;
}

/// The others learn it.
async fn cancelled(sim: Sim) {
    let scope = Scope::new(sim.time());
    let others = [0, 1].map(|_| sim.spawn("waiter", scope.child().cancelled()));
    let (handle, task) = (scope.clone(), sim.clone());
    let canceller = sim.spawn("canceller", async move {
        task.yield_now().await;
        handle.cancel("enough");
    });
    let reason = sim.cancel_at_each(scope.cancelled()).await;
    assert!(reason.is_none_or(|cancelled| cancelled.reason().text() == Some("enough")));
    canceller.await;
    for other in others {
        assert_eq!(other.await.reason().text(), Some("enough"));
    }
}

/// The grace comes all the same, and its end.
/// What is received in time is not lost, whatever ends the wait.
async fn unless_draining(sim: Sim) {
    let scope = Scope::new(sim.time());
    let (sender, receiver) = bounded(NonZeroUsize::MIN);
    let (handle, task) = (scope.clone(), sim.clone());
    let sends = sim.spawn("sender", async move {
        task.yield_now().await;
        sender.send(1).await.unwrap();
        task.yield_now().await;
        handle.cancel_with_grace("enough", ms(3))
    });
    let received = sim.cancel_at_each(scope.unless_draining(receiver.recv())).await;
    assert!(sends.await);
    let left = receiver.try_recv().ok();
    match received {
        Some(Some(received)) => assert_eq!((received, left), (Ok(1), None)),
        Some(None) | None => assert_eq!(left, Some(1)),
    }
    assert!(scope.unless_draining(async { unreachable!("nothing is begun") as () }).await.is_none());
    assert_eq!(scope.cancelled().await.reason().text(), Some("enough"));
    assert_eq!(sim.time().pending(), 0);
}

async fn draining(sim: Sim) {
    let scope = Scope::new(sim.time());
    let other = sim.spawn("other", scope.child().draining());
    let (handle, task) = (scope.clone(), sim.clone());
    let canceller = sim.spawn("canceller", async move {
        task.yield_now().await;
        handle.cancel_with_grace("enough", ms(3))
    });
    let reason = sim.cancel_at_each(scope.draining()).await;
    assert!(reason.is_none_or(|reason| reason.text() == Some("enough")));
    assert!(canceller.await);
    assert_eq!(other.await.text(), Some("enough"));
    assert_eq!(scope.cancelled().await.reason().text(), Some("enough"));
    assert_eq!(sim.time().pending(), 0);
}

/// A child that is cancelled after a millisecond, and the task that does so.
fn cancelled_soon(sim: &Sim, scope: &Scope) -> (Scope, wakeful::sim::JoinHandle<()>) {
    let (child, time) = (scope.child(), sim.time());
    let canceller = child.clone();
    let task = sim.spawn("canceller", async move {
        time.sleep(ms(1)).await;
        canceller.cancel("enough");
    });
    (child, task)
}

/// The run around it ends, as soon as nothing is held back any more.
async fn shield_in(sim: Sim) {
    let body = Body::new(sim.clone());
    let (child, canceller) = cancelled_soon(&sim, &body.scope);
    let budget = ms([1, 3][sim.choose(2)]);
    let outcome = child.run(async {
        sim.cancel_at_each(child.shield(budget, body.body())).await;
        std::future::pending::<()>().await
    });
    assert!(outcome.await.is_cancelled());
    canceller.await;
    body.check().await;
}

async fn shield(sim: Sim) {
    let body = Body::new(sim.clone());
    let (child, canceller) = cancelled_soon(&sim, &body.scope);
    let outcome = child.run(async {
        let run = body.body();
        let shielded = wakeful::shield(ms(2), async { run(&wakeful::cancel::current().unwrap()).await });
        sim.cancel_at_each(shielded).await;
        assert!(wakeful::cancel::current().unwrap().same(&child));
        std::future::pending::<()>().await
    });
    assert!(outcome.await.is_cancelled());
    canceller.await;
    body.check().await;
}

/// What runs after the body is gone too.
async fn cleanup(sim: Sim) {
    let body = Body::new(sim.clone());
    let (child, canceller) = cancelled_soon(&sim, &body.scope);
    let outcome = child.run(async {
        let (inner, held) = (child.child(), body.held.clone());
        let after = async |_| {
            let _held = held;
            inner.sleep(ms(2)).await;
        };
        sim.cancel_at_each(inner.run(body.body()(&inner)).cleanup(after, ms(3))).await;
        std::future::pending::<()>().await
    });
    assert!(outcome.await.is_cancelled());
    canceller.await;
    body.check().await;
}
