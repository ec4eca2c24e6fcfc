//! Groups of tasks and local groups promise the same. So random programs come out alike, event for event and instant for
//! instant, whichever of the two their groups are: what bodies and children saw, what reports say, what handles give that were
//! kept.
//!
//! Nothing is compared that depends on which of two events of one instant comes first: each wait of a program lasts some
//! nanoseconds that no other does.

mod either;
mod plan;
mod play;

use plan::{Draw, Plan};
use std::sync::Arc;
use wakeful::sim::{Builder, Sim};

/// Whether the group of this number is a local one.
type Local = fn(usize) -> bool;

/// Runs programs twice, and compares.
fn compare(one: Local, other: Local) {
    Builder::new().runs(1_000).check(|sim: Sim| async move {
        let mut draw = Draw::new(&sim);
        let plan: Arc<Plan> = draw.program();
        let mut first = play::play(&sim, plan.clone(), one).await;
        let mut second = play::play(&sim, plan.clone(), other).await;
        if draw.shields {
            play::blur(&mut first);
            play::blur(&mut second);
        }
        if first != second {
            let lacks = |these: &[play::Event], those: &[play::Event]| {
                let lines: Vec<_> =
                    these.iter().filter(|event| !those.contains(event)).map(|e| format!("\n  {e:?}")).collect();
                lines.concat()
            };
            panic!("{plan:?}\nfirst alone:{}\nsecond alone:{}", lacks(&first, &second), lacks(&second, &first));
        }
    });
}

#[test]
fn local_groups_do_as_groups_of_tasks_do() {
    compare(|_| true, |_| false);
}

#[test]
fn so_they_do_inside_one_another() {
    compare(|_| false, |group| group % 2 == 0);
}

#[test]
fn groups_of_tasks_do_the_same_twice() {
    compare(|_| false, |_| false);
}
