use super::*;
use crate::sys::Arc;
use crate::sys::model::{model, spawn};

/// Looks at what was done before, and gives its share back.
fn look(share: Share<Arc<AtomicUsize>>) {
    assert_eq!(share.load(Ordering::Relaxed), 1);
    drop(share);
}

/// A value of which something was done before it was laid into a shell.
fn value() -> Arc<AtomicUsize> {
    let value = Arc::new(AtomicUsize::new(0));
    value.store(1, Ordering::Relaxed);
    value
}

#[test]
fn loom_a_value_taken_while_others_have_a_share_is_dropped_by_the_last() {
    model(|| {
        let value = value();
        let mut shell = Shell::new();
        let one = shell.lay(value.clone());
        let two = shell.share().unwrap();
        let others = [one, two].map(|share| spawn(move || look(share)));
        match shell.take().unwrap() {
            Taken::Whole(value) => assert_eq!(Arc::strong_count(&value), 2),
            Taken::Shared(share) => look(share),
        }
        assert!(shell.share().is_none() && shell.take().is_none());
        others.into_iter().for_each(|other| other.join().unwrap());
        assert_eq!(Arc::strong_count(&value), 1);
    });
}

#[test]
fn loom_a_shell_that_was_emptied_takes_another_value() {
    model(|| {
        let (one, two) = (value(), value());
        let mut shell = Shell::new();
        let share = shell.lay(one.clone());
        let other = spawn(move || look(share));
        drop(shell.take());
        let share = shell.lay(two.clone());
        let another = spawn(move || look(share));
        drop(shell);
        other.join().unwrap();
        another.join().unwrap();
        assert_eq!((Arc::strong_count(&one), Arc::strong_count(&two)), (1, 1));
    });
}
