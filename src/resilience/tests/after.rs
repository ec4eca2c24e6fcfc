//! `Retry-After` in all its forms.

use super::*;
use alloc::format;
use alloc::string::{String, ToString};

/// So many seconds after 1970.
struct At(u64);

impl Wall for At {
    fn unix(&self) -> Duration {
        Duration::from_secs(self.0)
    }
}

/// 1994-11-06 08:49:37.
const THEN: u64 = 784_111_777;

fn wrong(value: &str) -> String {
    retry_after(value, &At(THEN)).unwrap_err().to_string()
}

#[test]
fn seconds_are_numbers_of_whatever_size() {
    let seconds = |value: &str| retry_after(value, &At(THEN)).unwrap();
    assert_eq!(seconds("0"), Duration::ZERO);
    assert_eq!(seconds(" 0120\t"), Duration::from_secs(120));
    assert_eq!(seconds("18446744073709551615"), Duration::from_secs(u64::MAX));
    assert_eq!(seconds("18446744073709551616"), Duration::MAX);
}

#[test]
fn all_three_forms_of_a_date_are_read() {
    for date in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
        assert_eq!(retry_after(date, &At(THEN - 90)), Ok(Duration::from_secs(90)), "{date}");
        assert_eq!(retry_after(date, &At(THEN)), Ok(Duration::ZERO));
        assert_eq!(retry_after(date, &At(THEN + 90)), Ok(Duration::ZERO), "it is past");
    }
    assert_eq!(retry_after("Wed Nov 16 08:49:37 1994", &At(THEN)), Ok(Duration::from_secs(864_000)));
    assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:60 GMT", &At(THEN)), Ok(Duration::from_secs(23)), "a leap second");
    assert_eq!(retry_after("Thu, 01 Jan 1903 00:00:00 GMT", &At(0)), Ok(Duration::ZERO));
    assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT", &At(u64::MAX)), Ok(Duration::ZERO));
}

#[test]
fn parts_of_a_second_that_have_passed_do_not_count_twice() {
    struct Half;
    impl Wall for Half {
        fn unix(&self) -> Duration {
            Duration::from_millis(THEN * 1_000 - 500)
        }
    }
    assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT", &Half), Ok(ms(500)));
}

#[test]
fn a_short_year_is_never_more_than_fifty_years_ahead() {
    let year = |years: u64| THEN + years * 31_556_952;
    // Seen from 1994: 2044 is fifty years ahead, 2045 would be more.
    let to = |date: &str| retry_after(date, &At(THEN)).unwrap().as_secs();
    assert_eq!(to("Sunday, 06-Nov-44 08:49:37 GMT"), 2_362_034_977 - THEN);
    assert_eq!(to("Sunday, 06-Nov-44 08:49:38 GMT"), 0, "1944");
    assert_eq!(to("Sunday, 06-Nov-45 08:49:37 GMT"), 0, "1945");
    assert_eq!(to("Saturday, 01-Jan-00 00:00:00 GMT"), 946_684_800 - THEN);
    // Seen from 2040: 2094 would be more, 2089 is not.
    assert_eq!(retry_after("Sunday, 06-Nov-94 08:49:37 GMT", &At(year(46))), Ok(Duration::ZERO));
    assert!(
        retry_after("Sunday, 06-Nov-89 08:49:37 GMT", &At(year(46))).unwrap() > Duration::from_secs(49 * 31_556_952)
    );
}

#[test]
fn an_error_names_what_is_wrong() {
    for (value, what) in [
        ("", "it is empty, which"),
        (" \t", "it is empty, which"),
        ("-1", "the weekday"),
        ("1.5", "the weekday"),
        ("１２", "the weekday"),
        ("Sonntag, 06 Nov 1994 08:49:37 GMT", "the weekday"),
        ("Sunday 06 Nov 1994 08:49:37 GMT", "what follows the weekday"),
        ("Sun,06 Nov 1994 08:49:37 GMT", "the form of the date"),
        ("Sun, 6 Nov 1994 08:49:37 GMT", "the day of the month"),
        ("Sun, 00 Nov 1994 08:49:37 GMT", "the day of the month"),
        ("Sun, 31 Nov 1994 08:49:37 GMT", "the day of the month"),
        ("Sun, 29 Feb 1900 08:49:37 GMT", "the day of the month"),
        ("Sun, 06 nov 1994 08:49:37 GMT", "the month"),
        ("Sun, 06 Nov 94 08:49:37 GMT", "the year"),
        ("Sun, 06 Nov 1994 24:49:37 GMT", "the time of day"),
        ("Sun, 06 Nov 1994 08:49:61 GMT", "the time of day"),
        ("Sun, 06 Nov 1994 08:49:37 UTC", "the form of the date"),
        ("Sun, 06 Nov 1994 08:49:37 GMT+1", "what follows the date"),
        ("Sunday, 06-Nov-1994 08:49:37 GMT", "the form of the date"),
        ("Sun Nov 6 08:49:37 1994", "the day of the month"),
        ("Sun Nov  6 08:49:37 94", "the year"),
        ("Sun", "the form of the date"),
    ] {
        assert_eq!(wrong(value), format!("not a Retry-After: {what} is wrong"), "{value:?}");
    }
}

#[test]
fn dates_follow_one_another_without_a_gap() {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut seconds = 0;
    for year in 1970..2420 {
        let leap = year % 4 == 0 && year % 100 != 0 || year % 400 == 0;
        for (month, length) in
            [31, 28 + u64::from(leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31].into_iter().enumerate()
        {
            for day in 1..=length {
                let date = format!("Mon, {day:02} {} {year} 00:00:01 GMT", MONTHS[month]);
                assert_eq!(retry_after(&date, &At(0)), Ok(Duration::from_secs(seconds + 1)), "{date}");
                // What is read is seen from the present, too.
                let short = format!("Monday, {day:02}-{}-{:02} 00:00:01 GMT", MONTHS[month], year % 100);
                assert_eq!(retry_after(&short, &At(seconds)), Ok(Duration::from_secs(1)), "{short}");
                seconds += 86_400;
            }
            let beyond = format!("Mon, {:02} {} {year} 00:00:01 GMT", length + 1, MONTHS[month]);
            assert!(retry_after(&beyond, &At(0)).is_err(), "{beyond}");
        }
    }
}
