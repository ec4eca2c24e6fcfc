//! What is seen of tasks while they run.

use crate::support::{Cx, LONG, Spawner, ms};
use std::num::NonZeroUsize;
use wakeful::observe::{Dump, TaskMonitor, TaskState};
use wakeful::queue;

/// What the futures of a dump wait for, by name.
fn waits(dump: &Dump) -> Vec<(&str, Vec<&str>)> {
    let what = |task: &wakeful::observe::TaskInfo| task.waits.iter().map(|wait| wait.what).collect();
    let mut all: Vec<_> = dump.tasks.iter().map(|task| (&*task.name, what(task))).collect();
    all.sort();
    all
}

pub(crate) async fn a_dump_says_what_the_tasks_of_a_runtime_wait_for(cx: Cx<impl Spawner>) {
    let monitor = TaskMonitor::new(&cx.time, "tasks");
    let (scope, (tx, rx)) = (cx.scope(), queue::bounded(NonZeroUsize::MIN));
    let receives = monitor.watch_named("receives", async move { rx.recv().await });
    let receives = cx.spawn("receives", receives);
    let (ends, time) = (scope.clone(), cx.time.clone());
    let sleeps = monitor.watch_named("sleeps", async move { ends.run(time.sleep(LONG)).await.is_cancelled() });
    let sleeps = cx.spawn("sleeps", sleeps);
    let dump = loop {
        let dump = monitor.dump();
        if dump.tasks.iter().all(|task| task.state == TaskState::Waiting) {
            break dump;
        }
        cx.time.sleep(ms(1)).await;
    };
    assert_eq!(waits(&dump), [("receives", vec!["queue recv"]), ("sleeps", vec!["sleep"])], "{dump}");
    tx.send(1).await.unwrap();
    assert_eq!(receives.await, Ok(1));
    assert_eq!(waits(&monitor.dump()), [("sleeps", vec!["sleep"])]);
    scope.cancel("seen enough");
    assert!(sleeps.await);
    let timings = monitor.timings();
    assert_eq!((timings.started, timings.done, timings.live(), monitor.dump().tasks.len()), (2, 2, 0, 0));
    assert!(timings.timing.polls >= 4);
}
