//! The simulator: runs async code on one thread, in virtual time, under schedules that can be replayed.
//!
//! ```
//! use core::time::Duration;
//! use wakeful::sim;
//!
//! sim::check(|sim| async move {
//!     let time = sim.time();
//!     let task = sim.spawn("patient", async move {
//!         time.sleep(Duration::from_secs(3600)).await;
//!         "done"
//!     });
//!     assert_eq!(task.await, "done");
//!     assert_eq!(sim.now().as_nanos(), 3_600_000_000_000);
//! });
//! ```
//!
//! # Which part do I want?
//!
//! | you want to | use |
//! |---|---|
//! | test code under many schedules | [`check`] |
//! | run something once in virtual time, and have what it returns | [`run`] |
//! | choose seed, number of runs, step limit; look at the failure as a value | [`Builder`] |
//! | give the code under test its time, its spawner, its calendar | [`Sim::time`], [`Sim::spawner`], [`Sim::wall`] |
//! | start tasks of the test's own | [`Sim::spawn`]; [`Sim::spawn_background`] for those that never end |
//! | explore for longer, on more threads | [`Builder::runs`], [`Builder::time_budget`], [`Builder::poll_budget`], [`Builder::threads`], or the [environment](Builder::check) |
//! | look at a world that has come to rest | [`Sim::idle`] at this instant, [`Sim::advance`] at a later one |
//! | let time move by hand only, and know where it would go | [`Builder::autojump`], [`Sim::next_timer`] |
//! | have machines whose clocks are wrong | [`Sim::node`] |
//! | have other threads wake tasks | [`Builder::foreign_wakes`], [`Sim::hold`] |
//! | see who is there and what each waits for | [`Sim::dump`] |
//! | see what happened in a run | [`trace`]: a picture by `WAKEFUL_SIM_TRACE=run.svg`, a recording by [`Builder::trace`]; [`Sim::note`] to mark a place |
//! | see what a machine that slept does to timers | [`Sim::jump`] |
//! | see what is left when something is cancelled anywhere | [`Sim::cancel_at_each`] a future, [`Builder::sweep`] a task |
//! | say what holds, in code that has no handle to the run | [`always!`](crate::always), [`sometimes!`](crate::sometimes), [`reachable!`](crate::reachable) |
//! | let things go wrong, and see that all is well when they stop | [`buggify!`](crate::buggify), [`Builder::faults`] |
//! | find futures that rely on when they are polled, or with which waker | [`check`] does; [`Builder::spurious`], [`Builder::fresh_wakers`] |
//! | find wake-ups that are lost, but for a timeout | [`check`] does in one run of many; [`Builder::probe`] |
//! | let the exploration choose data too | [`Sim::choose`] |
//! | have random numbers that do not depend on the schedule | [`Sim::random`], [`Sim::rng`] |
//! | let a fuzzer drive | [`Builder::bytes`] |
//! | say how schedules are looked for | [`Strategy`], [`Builder::strategy`] |
//! | try all schedules of something small | [`Strategy::Exhaustive`] |
//! | try only those that differ in more than the order of unrelated polls | [`Strategy::SleepSets`], with [`Sim::tracked`] and [`Tracked`] |
//! | try first what few pre-emptions bring about, and all of that | [`Strategy::Preemptions`] |
//! | test a queue or a semaphore of yours against a model of what it must do | [`models`] |
//! | make the choices yourself | [`Oracle`], [`Builder::run_with`] |
//!
//! # How a run goes
//!
//! 1. As long as tasks are ready, one of them is polled. Which one, an [`Oracle`] chooses, where there are several.
//! 2. When nobody is ready, those go on who wait for just that ([`Sim::idle`], [`Sim::advance`]).
//! 3. When nobody does, time moves to the next timer, exactly: a sleep of an hour takes no time, and code takes none unless it
//!    sleeps. Timers ring in order of (deadline, registration); the tasks that one instant wakes are ready together.
//! 4. The run is over when the root, the future that the body returned, is done, and so are all tasks that can still go on
//!    without time. Then what is left is dropped, children before their parents, in the order in which they were started.
//!
//! It fails ([`FailureKind`]) if a task panics (with `std`; without it, a panic is the end of everything), if nobody can go on
//! and the root is not done, if it takes more polls than [`Builder::max_steps`], or if tasks other than background ones are
//! left over. A task that nobody can wake any more, since no waker of it is left, is reported at once; so is what
//! [`always!`](crate::always) says and does not hold, and a task that another thread wakes.
//!
//! # What is looked for
//!
//! Much that a future has to live with does not happen under an executor that is exact, and some of what goes wrong does not
//! show. So [`check`] and [`Builder::explore`] look for it:
//!
//! | what | in which runs | kind | setting |
//! |---|---|---|---|
//! | a task of which no waker is left | all, single ones too | [`NoWaker`](FailureKind::NoWaker) | |
//! | a wake-up that is lost behind a deadlock or a leak | all, single ones too | [`LostWakeup`](FailureKind::LostWakeup) | |
//! | one that only a timeout makes up for | one of 64 is made once more for it | [`LostWakeup`](FailureKind::LostWakeup) | [`probe`](Builder::probe), [`probe_every`](Builder::probe_every) |
//! | a future that keeps the waker of an earlier poll | every second of a portfolio | [`StaleWaker`](FailureKind::StaleWaker) | [`fresh_wakers`](Builder::fresh_wakers) |
//! | one that takes being polled for being woken | every fourth of a portfolio | as it shows | [`spurious`](Builder::spurious) |
//! | one that breaks something when it is dropped | for each chance to drop it, each run is made once more | as it shows | [`cancel_at_each`](Sim::cancel_at_each), [`sweep`](Builder::sweep) |
//! | something besides the simulator that decides | one of 16 is repeated, and each that fails | [`Nondeterminism`](FailureKind::Nondeterminism) | [`repeat_every`](Builder::repeat_every) |
//!
//! # Replaying
//!
//! A failure is reported like this:
//!
//! ```text
//! deadlock at 0.000000000s after 5 polls: nobody is ready, no timer is left, and the root is not done
//!   root: waits for the end of `left first`, #1 made at tests/transfer.rs:14:21, since 0.000000000s, poll 1
//!   left first [0]: waits for something that is not the kit's, since 0.000000000s, poll 4
//!   right first [1]: waits for something that is not the kit's, since 0.000000000s, poll 5
//!   left first: its waker of poll 2 was last cloned by
//!     bank::Account::lock at src/bank.rs:31:44
//!     bank::transfer at src/bank.rs:52:20
//!   right first: its waker of poll 2 was last cloned by
//!     bank::Account::lock at src/bank.rs:31:44
//!     bank::transfer at src/bank.rs:52:20
//! the end of the run, all 5 polls; WAKEFUL_SIM_TRACE=run.svg draws it
//! (* polled, o done, x panicked, | waits, : ready, + started, > or < woken by a poll, v by no poll)
//!   0s  1  *-+-+  root: starts left first, right first; waits for the end of left first
//!       2  | * :  left first: yields
//!       3  | : *  right first: yields
//!       4  | * :  left first: waits for something not the kit's
//!       5  | | *  right first: waits for something not the kit's
//!          X X X  deadlock: nobody is ready, no timer is left, and the root is not done
//! shrunk from 2 points to 1 in 4 runs; found with WAKEFUL_SIM=seed:17
//! replay with WAKEFUL_SIM=seed:17,bytes:0001
//! ```
//!
//! [`trace`] explains it [line by line](trace#reading-a-failure).
//!
//! A failure that [`check`] finds is made small before it is reported: of the points at which its schedule departs from
//! that in which all take turns, as many are taken away as can be while the run still fails in the same way, that is, with
//! the same kind and at the same place (of a panic, the task, the place in the code and the first line of the message; else
//! the names of the tasks concerned). [`Builder::shrink`] says how many runs may be spent on that.
//!
//! With that variable set in the environment, [`check`] makes that run and no other:
//! `WAKEFUL_SIM=seed:17,bytes:0001 cargo test transfers_do_not_block`. To keep it as a regression test, give the line to
//! [`Builder::replay`]. The line holds for the same test and the same program: it names choices, not places in the code.
//! `WAKEFUL_SIM_RUNS=10000` makes more runs, `WAKEFUL_SIM_SECONDS=60` as many as there is time for, `WAKEFUL_SIM_THREADS=8`
//! makes them on so many threads, with the same result: see [`Builder::check`].
//!
//! Before it is made small, a run has the line of its strategy: `seed:17` where it is plain random, else lines such as
//! `walk:17` and `pct3/40:17`; and behind it what else was done: `cancel:5` if something was dropped at the fifth chance,
//! `spurious:8` if every eighth step or so polled somebody for nothing, `fresh` if each poll had a waker of its own, `probe`
//! if all who wait were polled before time moved on.
//!
//! A run depends on its body and its oracle, and on nothing else. [`check`] repeats some runs, and each that fails, and
//! compares their traces: a
//! global counter, the order of a `HashMap`, a real clock or a thread that has a say is reported as
//! [`FailureKind::Nondeterminism`].
//!
//! # Writing tests with it
//!
//! Write the code under test so that it takes a [`Time`](crate::time::Time) and, if it starts tasks, an
//! `impl` [`Spawn`](crate::spawn::Spawn); give it the simulator's. Name the tasks: the report prints the names. Make all
//! state inside the body, since it is called once a run. State what must hold as assertions, wherever they come to
//! mind: in tasks, after [`Sim::idle`], at the end. Assert instants exactly.
//!
//! ```
//! use core::time::Duration;
//! use wakeful::sim;
//! use wakeful::spawn::{Spawn, Task};
//! use wakeful::time::Time;
//!
//! /// Says hello every second, three times.
//! fn greet(time: Time, spawner: &impl Spawn, say: impl Fn() + Send + 'static) {
//!     let task = async move {
//!         for _ in 0..3 {
//!             time.sleep(Duration::from_secs(1)).await;
//!             say();
//!         }
//!     };
//!     spawner.spawn(Task::new(task).named("greeter"));
//! }
//!
//! sim::check(|sim| async move {
//!     let (said, heard) = std::sync::mpsc::channel();
//!     greet(sim.time(), &sim.spawner(), move || said.send(()).unwrap());
//!     sim.advance(Duration::from_millis(1500)).await;
//!     assert_eq!(heard.try_iter().count(), 1);
//!     sim.advance(Duration::from_millis(1500)).await;
//!     assert_eq!(heard.try_iter().count(), 2);
//! });
//! ```
//!
//! A fuzz target is one line: `let _ = Builder::new().bytes(data).run(body).unwrap();`
//!
//! # Limits
//!
//! - Everything runs on one thread. What the memory model allows to several is not explored: that is for loom.
//! - Only what is chosen through the simulator can be replayed. Threads of your own are outside it: that one wakes a task
//!   is an error unless you [allow it](Builder::foreign_wakes).
//! - Outside every scope [`sleep`](crate::sleep) and the other free functions go by the system's clock, here too: a test begins with a
//!   [`Scope`](crate::cancel::Scope) over [`Sim::time`], and what it spawns brings its own.
//! - Schedules differ at polls: code between two awaits is never interrupted.
//! - Without `std` there is no telling threads apart: a program must not make two runs at once on two of them.
//! - A report says what a task waits for if its last poll reached one of the kit's own futures; of others, with `std`, where
//!   in the code they left its waker.
//! - Spawned tasks are `Send`, so that the code under test may run on any runtime; the root need not be.
//!
//! # Invariants
//!
//! - **S1** A run's course is a function of its body and the answers of its oracle: nothing is ordered by an address, a hash
//!   map or a real clock.
//! - **S2** The oracle is asked only where there are two or more possibilities.
//! - **S3** A task's key and its random stream are made of its spawn path alone (and the seed), never of the schedule.
//! - **S4** Waking a task twice is waking it once, and two wakes in either order leave the same state.
//! - **S5** Time moves only when nobody is ready and nobody waits for that, or by [`Sim::jump`]. The clock of a
//!   [`Node`] is a function of it.
//! - **S6** User code, wakers included, runs outside the simulator's lock; an oracle of the user's is the exception.
//! - **S7** What is done to a program besides choosing who is next, any executor or caller may do: polling a future at any time,
//!   with any waker, and dropping it between two polls. So what holds under all of them never fails by it.

mod bounding;
mod builder;
mod clock;
mod dump;
mod effort;
mod ending;
mod environment;
mod exec;
mod explore;
mod faults;
mod footprint;
mod foreign;
mod handle;
#[doc(hidden)]
pub mod hooks;
mod join;
mod lull;
mod marks;
mod meta;
pub mod models;
mod node;
mod offloader;
mod oracle;
mod path;
mod points;
mod probing;
mod ready;
mod replay;
mod report;
mod search;
mod shrink;
mod sites;
mod skew;
mod sleep_sets;
mod spare;
mod strategy;
mod supply;
mod sweep;
pub mod trace;
mod tracked;
mod twist;
mod verdict;
mod view;
mod wakers;
mod world;

pub use builder::{Builder, check, run};
pub use dump::{Dump, Moment, TaskInfo, TaskState, WaitInfo};
pub use faults::Faults;
pub use foreign::Hold;
pub use handle::Sim;
pub use join::JoinHandle;
pub use lull::{Lull, YieldNow};
pub use marks::{Mark, MarkKind};
pub use node::Node;
pub use offloader::Offloader;
pub use oracle::{Bytes, Kind, Oracle, Random, Rng};
pub use replay::ReplayError;
pub use report::{Coverage, Failure, FailureKind, Report, Shrunk, Summary};
pub use sites::WakerSite;
pub use strategy::{Pct, Strategy, Walk};
pub use supply::{SimWall, Spawner};
pub use sweep::CancelAtEach;
pub use tracked::Tracked;
pub use twist::Dropped;
pub use view::{ReadyTask, ReadyView};

#[cfg(all(test, not(wakeful_loom)))]
mod tests;
