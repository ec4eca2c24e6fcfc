//! Stopping work, and being sure of what is left.
//!
//! # What cancelling is
//!
//! Cancelling a [`Scope`](crate::cancel::Scope) drops the futures that run in it. There is no exception to catch and nothing to
//! poll for: at its next `Pending` a body is dropped where it stands, its locals with it, and the run around it gives an
//! [`Outcome`](crate::cancel::Outcome) that says so and why.
//!
//! ```
//! use core::time::Duration;
//! use wakeful::cancel::{ReasonKind, Scope};
//!
//! wakeful::sim::run(|sim| async move {
//!     let scope = Scope::new(sim.time());
//!     let task = sim.spawn("reader", {
//!         let inner = scope.child();
//!         async move { inner.run(inner.sleep(Duration::from_secs(3600))).await }
//!     });
//!     sim.time().sleep(Duration::from_secs(1)).await;
//!     scope.cancel("the user closed the window");
//!     let cancelled = task.await.into_result().unwrap_err();
//!     assert_eq!(cancelled.kind(), ReasonKind::Parent, "its own scope was not the one");
//!     assert_eq!(cancelled.reason().text(), Some("the user closed the window"));
//!     assert_eq!(sim.now().as_nanos(), 1_000_000_000, "it waited no longer");
//! });
//! ```
//!
//! Three things follow from it being a drop:
//!
//! - **It takes effect where the body waits.** Code between two `await`s is never interrupted. A long computation looks in
//!   between with [`Scope::check`](crate::cancel::Scope::check), or goes to a thread by [`offload`](crate::task::offload()).
//! - **A body that is ready wins.** What is finished when the scope is cancelled counts as done.
//! - **Whoever calls you may drop you.** A `select!` does, and so does a runtime that ends. So each future of this kit says under
//!   `# Cancel safety` what dropping it loses, keeps or hands back; write that for yours too.
//!
//! # Scopes form a tree
//!
//! [`Scope::child`](crate::cancel::Scope::child) makes a scope that ends when its parent does, and may end before. A function
//! that does something cancellable takes a `&Scope` and hands children to what it starts. With `std` the innermost scope of the
//! running poll is also [`current`](crate::cancel::current()), so that code far inside can sleep and give up without having been
//! given one; a library does better with an argument.
//!
//! The first reason that is recorded stays; later ones are ignored. Nobody below can un-cancel what is above.
//!
//! # What must not be cut short
//!
//! | it is | take |
//! |---|---|
//! | synchronous | `Drop`: it always runs |
//! | a few steps that belong together: a commit, a farewell | [`Scope::shield`](crate::cancel::Scope::shield), with a budget |
//! | something to be done only if the body was cut short | [`Run::cleanup`](crate::cancel::Run::cleanup), with a budget |
//! | to be done even if someone drops the future by other means | [`defer`](crate::cancel::defer): a task of its own |
//!
//! A budget is the most that a shield may add to the time after the cancelling. It is an argument because the one who waits
//! for the end has to be able to know it.
//!
//! ```
//! use core::time::Duration;
//! use wakeful::cancel::Scope;
//!
//! wakeful::sim::run(|sim| async move {
//!     let (scope, second) = (Scope::new(sim.time()), Duration::from_secs(1));
//!     let outcome = scope.move_on_after(second, async |s| {
//!         s.shield(5 * second, async |s| {
//!             s.sleep(3 * second).await; // begun at 0 s, so it is over at 3 s
//!         }).await.done().expect("the budget lasts until 6 s");
//!         s.sleep(second).await; // not protected
//!     }).await;
//!     assert!(outcome.is_cancelled());
//!     assert_eq!(sim.now().as_nanos(), 3_000_000_000);
//! });
//! ```
//!
//! # Winding down
//!
//! A service that is told to stop should finish what it has taken. [`Scope::cancel_with_grace`](crate::cancel::Scope::cancel_with_grace)
//! says so at once and cancels later: groups and runs of work take nothing new, bodies that wait for
//! [`draining`](crate::cancel::Scope::draining) end by themselves, and what is still there when the grace is over is cut short.
//! Where several parts have to go in order, [`Registry`](crate::task::Registry) gives each phase its limit, and a report of who
//! did not keep to it.
//!
//! # What it can't do
//!
//! A future can't stop a thread: a blocking call goes on until it returns, whoever has given up on it. A task that its executor
//! never polls again can't be dropped by its scope. And nothing here holds up a runtime that ends, or a caller that drops a future
//! from outside.
