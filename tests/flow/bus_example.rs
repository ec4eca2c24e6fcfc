//! The event bus, as a user runs it.

#[path = "../../examples/bus/main.rs"]
#[expect(dead_code, reason = "`main` is called in the example's own binary alone")]
mod bus;

use bus::{Options, RUNTIMES};

#[test]
fn on_every_runtime_all_orders_are_booked_and_each_is_audited_or_known_to_be_missed() {
    let options = Options { orders: 5_000, stations: 4 };
    for runtime in RUNTIMES {
        let account = bus::run(runtime, options).unwrap();
        assert_eq!(account.published, 20_000, "{runtime}");
        assert_eq!((account.booked, account.booked_cents), (20_000, account.cents), "{runtime}");
        assert_eq!(account.audited + account.missed, 20_000, "{runtime}");
        assert!((1..=20_000).contains(&account.shown), "{runtime}");
        // Of 0, 1,000, …, 19,000 every third is not covered.
        assert_eq!((account.large, account.refused), (20, 7), "{runtime}");
        let mut line = Vec::new();
        bus::print(runtime, &account, &mut line).unwrap();
        assert!(String::from_utf8(line).unwrap().contains("20000 booked"));
    }
}

#[test]
fn in_virtual_time_the_whole_shop_is_the_same_in_each_run() {
    let options = Options { orders: 500, stations: 3 };
    assert_eq!(bus::run("virtual time", options).unwrap(), bus::run("virtual time", options).unwrap());
}
