//! Pipelines: stages with workers of their own, and bounded queues between them.
//!
//! ```
//! use core::num::NonZeroUsize;
//! use core::time::Duration;
//! use wakeful::cancel::Scope;
//! use wakeful::flow::pipeline::{pipeline, stage};
//! use wakeful::work::Lease;
//!
//! wakeful::sim::run(|sim| async move {
//!     let (scope, ms) = (Scope::new(sim.time()), Duration::from_millis);
//!     let takes = |time| move |n: Lease<u32>| async move { Ok::<_, ()>((wakeful::sleep(time).await, *n).1) };
//!     let queue = NonZeroUsize::new(50).unwrap();
//!     let report = pipeline(0..100)
//!         .then(stage("read").buffer(queue), takes(ms(10)))
//!         .then(stage("transform").buffer(queue), takes(ms(10)))
//!         .then(stage("write"), takes(ms(30)))
//!         .run(&scope, drop)
//!         .await;
//!     let took: Vec<_> = report.stages.iter().map(|stage| stage.elapsed()).collect();
//!     // The second stage hands on its last item when the third one takes the fiftieth.
//!     assert_eq!(took, [ms(1_000), ms(1_490), ms(3_020)]);
//! });
//! ```
//!
//! # Which part do I want?
//!
//! | you want to | use |
//! |---|---|
//! | work on each item in one go | [`work`](crate::work::work()): a pipeline is for stages that wait for different things |
//! | put stages one behind another | [`pipeline()`], [`Pipeline::then`], [`stage()`] |
//! | fan out to several workers, and back in | [`Stage::workers`] |
//! | keep the order nevertheless | [`Stage::in_order`] |
//! | have workers that are tasks, in parallel | [`Pipeline::then_on`] |
//! | hold up a stage that runs ahead | [`Stage::buffer`] |
//! | not wait for ever for one item | [`Stage::item_timeout`] |
//! | not be too fast | [`Stage::rate`] |
//! | try again what failed | a [`Retry`](crate::resilience::Retry) in the body |
//! | stop at the first error | [`Stage::on_error`] |
//! | have back what was not handed on | [`Stage::undone`] |
//! | leave something out | a body that returns an error, and [`Stage::undone`] for those that are none |
//! | end in time | [`Pipeline::deadline_after`], or the scope's own deadline |
//! | end it from elsewhere, and have the report | [`Scope::cancel`](crate::cancel::Scope::cancel) |
//! | see what became of all | [`PipelineReport`] |
//!
//! # What a pipeline promises
//!
//! Each stage is a run of [`work`](crate::work), and K1 to K8 hold for it. Beside that:
//!
//! - **L1** Every item that was pulled from the source is in exactly one place of one stage's report, or came out of the last
//!   stage: as many items as a stage counts as done are all that the next one counts, in whichever way.
//! - **L2** What was handed to a stage that does not come to it any more is skipped by that stage: it is counted there, and its
//!   sink gets it, when the stages before are over. What was not pulled from the source is still there, and the report returns it.
//! - **L3** No more results of a stage lie in its queue, or in its workers' hands, than the buffer and the workers are together;
//!   those that may come of items which are worked on included.
//! - **L4** In order, results are handed on in the order in which the stage pulled their items, and nothing waits for an item that
//!   is not handed on.
//! - **L5** When a stage stops before it has come to the end, those before it wind down: they start nothing more, and end what
//!   they are at. Those behind it work on what was handed on, to the end of it. So it is when all tasks of a stage are lost, or its
//!   rate allows no item before the deadline.
//! - **L6** When the pipeline's scope is cancelled or its time is up, all stages end at that instant, with what is done by then
//!   handed on.
//!
//! # Retries
//!
//! As in [`work`](crate::work): an attempt is a call in the body, and what it is given lies in the lease until all of them are over.
//! The timeout of the stage is for all attempts together; one in each of them is for that alone.
//!
//! ```
//! use core::cell::Cell;
//! use core::time::Duration;
//! use wakeful::cancel::Scope;
//! use wakeful::flow::pipeline::{pipeline, stage};
//! use wakeful::resilience::{Constant, Retry, Schedule};
//! use wakeful::work::Lease;
//!
//! wakeful::sim::run(|sim| async move {
//!     let (scope, calls) = (Scope::new(sim.time()), Cell::new(0));
//!     let retry = Retry::new(Constant::new(Duration::from_secs(1)).up_to(3));
//!     let call = async |_: &u32| {
//!         calls.set(calls.get() + 1);
//!         if calls.get() % 2 == 1 { Err("down") } else { Ok("up") }
//!     };
//!     let report = pipeline(0..5)
//!         .then(stage("call").item_timeout(Duration::from_secs(10)), |item: Lease<u32>| {
//!             let (scope, retry, call) = (&scope, &retry, &call);
//!             async move { retry.run(scope, |_| call(&item)).await }
//!         })
//!         .run(&scope, |up| assert_eq!(up, "up"))
//!         .await;
//!     assert_eq!((report.delivered(), report.elapsed(), calls.get()), (5, Duration::from_secs(5), 10));
//! });
//! ```
//!
//! # How it works
//!
//! A stage may pull an item if there is room for its result. That is the same as a worker who waits, with his result in his hand, until
//! there is room in the queue: so a stage is over when its last result lies in the queue. But as the result is
//! counted when it is there, neither timeout nor cancel find it in between. All stages are polled by one future, each when it was
//! woken. What a stage has handed on and what it has taken it tells its neighbours when it rests, or at once if its workers are
//! tasks: so a lock is taken for many items, and no other stage has a turn in between.

mod chain;
mod link;
#[cfg(test)]
mod loom_tests;
mod report;
mod run;
mod stage;

pub use chain::{Begin, Line, Pipeline, Staged, Then, ThenOn, pipeline};
pub use report::{PipelineReport, StageReport};
pub use stage::{Stage, stage};
