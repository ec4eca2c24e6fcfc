//! The example of a million items. A test binary of its own, with one test, since it counts what is allocated.

#[path = "../examples/million/main.rs"]
#[expect(dead_code, reason = "`main` is called in the example's own binary alone")]
mod million;

use million::{Outcome, run};

#[test]
fn a_million_items_take_as_much_memory_as_a_thousand() {
    let (few, many) = (run(1_000), run(1_000_000));
    assert_eq!((few.done, few.sum), (1_000, 499_500));
    assert_eq!(many, Outcome { done: 1_000_000, sum: 499_999_500_000, ..few });
}
