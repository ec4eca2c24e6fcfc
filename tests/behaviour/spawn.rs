//! Tasks, and running one future on the calling thread.

use crate::support::{Counter, Cx, Log, Spawner, again, elsewhere};
use futures::channel::oneshot;
use wakeful::spawn::{Spawn, Task, block_on};

pub(crate) async fn tasks_keep_their_names_and_come_to_their_end(cx: Cx<impl Spawner>) {
    let (tell, told) = oneshot::channel();
    let task = Task::new(async move { tell.send(7).unwrap() }).named("seven");
    assert_eq!(task.name(), "seven");
    assert!(task.made().file().ends_with("spawn.rs"));
    cx.spawner.spawn(task);
    assert_eq!(told.await, Ok(7));
    let log = Log::new();
    let tasks: Vec<_> = (0..10)
        .map(|n| {
            let (log, sleep) = (log.clone(), cx.sleep(n % 3));
            cx.spawn("one of ten", async move {
                sleep.await;
                log.add(n);
                n
            })
        })
        .collect();
    let mut sum = 0;
    for task in tasks {
        sum += task.await;
    }
    assert_eq!((sum, log.entries().len()), (45, 10));
}

pub(crate) async fn a_task_drops_its_future_when_it_is_done(cx: Cx<impl Spawner>) {
    let (tell, told) = oneshot::channel::<()>();
    let count = Counter::new();
    let guard = count.on_drop();
    cx.spawner.spawn(Task::new(async move {
        again().await;
        drop(guard);
        let _kept_to_the_end = tell;
    }));
    assert!(told.await.is_err(), "dropped unused");
    assert_eq!(count.count(), 1);
}

pub(crate) async fn a_task_that_is_never_spawned_drops_its_future(_: Cx<impl Spawner>) {
    let count = Counter::new();
    let guard = count.on_drop();
    let task = Task::new(async move { drop(guard) });
    assert_eq!(count.count(), 0);
    drop(task);
    assert_eq!(count.count(), 1);
}

pub(crate) async fn a_closure_spawns(cx: Cx<impl Spawner>) {
    let (names, inner) = (Log::new(), cx.spawner.clone());
    let log = names.clone();
    let spawner = move |task: Task| {
        log.add(task.name().to_owned());
        inner.spawn(task);
    };
    let (tell, told) = oneshot::channel();
    spawner.spawn(Task::new(async move { tell.send(()).unwrap() }).named("through a closure"));
    told.await.unwrap();
    assert_eq!(names.entries(), ["through a closure"]);
}

pub(crate) async fn block_on_waits_for_other_threads(_: Cx<impl Spawner>) {
    let (tell, told) = oneshot::channel();
    let (ready, begun) = std::sync::mpsc::channel();
    let waiting = std::thread::spawn(move || {
        block_on(async {
            again().await;
            ready.send(()).unwrap();
            told.await
        })
    });
    begun.recv().unwrap();
    tell.send("hello").unwrap();
    assert_eq!(waiting.join().unwrap(), Ok("hello"));
}

pub(crate) async fn block_on_is_a_poll_stack_of_its_own(_: Cx<impl Spawner>) {
    let nested = || {
        block_on(async {
            block_on(again());
            "both"
        })
    };
    assert_eq!(elsewhere(nested), "both");
    let mut turns = 0;
    wakeful::block_on_with(again(), || turns += 1);
    assert_eq!(turns, 0, "woken while it was polled");
}
