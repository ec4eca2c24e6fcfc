//! Handlers: whatever one does, the others have the message, and nothing that goes wrong is lost.

use crate::ms;
use futures::FutureExt;
use std::sync::{Arc, Mutex};
use wakeful::flow::handlers::{Handler, HandlerFault, Handlers, HandlersError, Message};
use wakeful::sim::{self, Sim};

type Log = Arc<Mutex<Vec<String>>>;

/// Handlers whose sink is the log.
fn reporting(log: &Log) -> Handlers<u32, String> {
    let log = log.clone();
    Handlers::new(move |error| log.lock().unwrap().push(error.to_string()))
}

/// One that notes the message after so many milliseconds, unless the message says otherwise.
fn noting(handlers: &Handlers<u32, String>, name: &'static str, sim: &Sim, log: &Log) -> Handler<u32, String> {
    let (time, log) = (sim.time(), log.clone());
    handlers.on(name, move |message: Message<u32>| {
        assert!(*message != 13, "{name} is superstitious");
        let (sleep, log) = (time.sleep(ms(5)), log.clone());
        async move {
            sleep.await;
            match *message {
                0 => return Err("nothing".to_owned()),
                14 => panic!("fourteen"),
                n => log.lock().unwrap().push(format!("{name} has {n}")),
            }
            Ok(())
        }
    })
}

#[test]
fn a_handler_that_fails_or_panics_touches_no_other_and_all_errors_are_collected() {
    sim::check(|sim| async move {
        let log = Log::default();
        let handlers = reporting(&log);
        let _fails = handlers.on("fails", async |_: Message<u32>| Err("as ever".to_owned()));
        let _panics = handlers.on("panics", |message: Message<u32>| {
            assert!(*message != 3, "at once");
            async move { if *message == 4 { panic!("later") } else { Ok(()) } }
        });
        let _notes = noting(&handlers, "notes", &sim, &log);
        for (message, expected) in [
            (1, vec!["fails: as ever"]),
            (3, vec!["panics panicked: at once", "fails: as ever"]),
            (4, vec!["fails: as ever", "panics panicked: later"]),
        ] {
            let Err(HandlersError::Failed { handlers: 3, errors }) = handlers.publish(message).await else {
                panic!("one always fails")
            };
            assert_eq!(errors.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
            assert!(matches!(errors[0].cause, HandlerFault::Failed(_)) || message == 3);
        }
        assert_eq!(*log.lock().unwrap(), ["notes has 1", "notes has 3", "notes has 4"]);
        assert_eq!(sim.now().as_nanos(), 15_000_000);
    });
}

#[test]
fn what_is_posted_is_not_waited_for_and_its_errors_go_to_the_sink() {
    sim::check(|sim| async move {
        let log = Log::default();
        let handlers = reporting(&log);
        let _notes = noting(&handlers, "notes", &sim, &log);
        for message in [0, 13, 14, 15] {
            handlers.post(&sim.spawner(), message).unwrap();
        }
        assert!(log.lock().unwrap().is_empty());
        assert!(handlers.close() && !handlers.close());
        assert_eq!(handlers.post(&sim.spawner(), 16).unwrap_err().0, 16);
        assert!(matches!(handlers.publish(17).await, Err(HandlersError::Closed(17))));
        handlers.drained().await;
        assert_eq!(sim.now().as_nanos(), 5_000_000);
        let mut log = log.lock().unwrap().clone();
        log.sort();
        assert_eq!(
            log,
            ["notes has 15", "notes panicked: fourteen", "notes panicked: notes is superstitious", "notes: nothing"]
        );
    });
}

#[test]
fn a_handler_that_is_dropped_ends_its_calls_and_has_no_other() {
    sim::check(|sim| async move {
        let log = Log::default();
        let handlers = reporting(&log);
        let (one, other) = (noting(&handlers, "one", &sim, &log), noting(&handlers, "other", &sim, &log));
        let mut first = Box::pin(handlers.publish(1));
        assert!(first.as_mut().now_or_never().is_none());
        drop(one);
        assert!(matches!(handlers.publish(2).await, Ok(1)));
        assert!(matches!(first.await, Ok(2)));
        drop((other, handlers.clone()));
        assert_eq!((handlers.handlers(), handlers.publish(3).await.ok()), (0, Some(0)));
        let mut log = log.lock().unwrap().clone();
        log.sort();
        assert_eq!(log, ["one has 1", "other has 1", "other has 2"]);
    });
}

#[test]
fn a_sink_that_panics_keeps_no_other_error_from_it() {
    sim::check(|sim| async move {
        let log = Log::default();
        let noted = log.clone();
        let handlers = Handlers::<u32, &str>::new(move |error| {
            noted.lock().unwrap().push(error.to_string());
            panic!("the sink");
        });
        let _on = ["a", "b"].map(|name| handlers.on(name, async |_: Message<u32>| Err("fails")));
        handlers.post(&sim.spawner(), 1).unwrap();
        handlers.drained().await;
        assert_eq!(*log.lock().unwrap(), ["a: fails", "b: fails"]);
    });
}
