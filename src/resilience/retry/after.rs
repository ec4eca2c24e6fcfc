//! `Retry-After`, as servers send it.

use crate::time::Wall;
use core::error::Error;
use core::fmt;
use core::time::Duration;

/// How long a server asks to wait, by the value of its `Retry-After` header: a number of seconds, or a date in any of the three
/// forms of HTTP (RFC 9110, sections 5.6.7 and 10.2.3), as which the time until then is given by `wall`; none, if it is past.
///
/// White space around the value is ignored, and so is the name of the weekday, as long as it is one. A number that is too large
/// is [`Duration::MAX`], at which a [`Retry`](crate::resilience::Retry) gives up.
///
/// # Errors
/// [`RetryAfterError`], which names the part that is wrong.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::resilience::retry_after;
/// use wakeful::time::Wall;
///
/// struct Noon; // of 2026-11-27
/// impl Wall for Noon {
///     fn unix(&self) -> Duration {
///         Duration::from_secs(1_795_780_800)
///     }
/// }
///
/// assert_eq!(retry_after("120", &Noon), Ok(Duration::from_secs(120)));
/// assert_eq!(retry_after("Fri, 27 Nov 2026 12:00:30 GMT", &Noon), Ok(Duration::from_secs(30)));
/// assert_eq!(retry_after("Sunday, 06-Nov-94 08:49:37 GMT", &Noon), Ok(Duration::ZERO));
/// let error = retry_after("Fri, 31 Feb 2026 12:00:30 GMT", &Noon).unwrap_err();
/// assert_eq!(error.to_string(), "not a Retry-After: the day of the month is wrong");
/// ```
pub fn retry_after(value: &str, wall: &(impl Wall + ?Sized)) -> Result<Duration, RetryAfterError> {
    let value = value.trim_matches([' ', '\t']);
    if value.is_empty() {
        return Err(RetryAfterError { wrong: "it is empty, which" });
    }
    if value.bytes().all(|byte| byte.is_ascii_digit()) {
        // Digits alone are refused only because they are too many.
        return Ok(value.parse().map_or(Duration::MAX, Duration::from_secs));
    }
    let now = wall.unix();
    let seconds = date(value.as_bytes(), now.as_secs().min(LAST) as i64)?;
    Ok(Duration::from_secs(seconds).saturating_sub(now))
}

/// A value of `Retry-After` that is neither a number nor a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryAfterError {
    wrong: &'static str,
}

impl fmt::Display for RetryAfterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a Retry-After: {} is wrong", self.wrong)
    }
}

impl Error for RetryAfterError {}

type Parsed<T> = Result<T, RetryAfterError>;

/// The last second of the year 9999, after which there are no dates.
const LAST: u64 = 253_402_300_799;
const DAY: i64 = 24 * 60 * 60;
const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MONTHS: [&[u8]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

/// Seconds since 1970 of a date in any form; zero, if it is earlier.
fn date(text: &[u8], now: i64) -> Parsed<u64> {
    let mut text = Text(text);
    let length = text.0.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let name = text.take(length, "the weekday")?;
    let is_short = WEEKDAYS.iter().any(|day| day.as_bytes()[..3] == *name);
    if !is_short && !WEEKDAYS.iter().any(|day| day.as_bytes() == name) {
        return Err(RetryAfterError { wrong: "the weekday" });
    }
    let form = match (is_short, text.0) {
        (true, [b',', ..]) => fixed(&mut text)?,
        (false, [b',', ..]) => dashed(&mut text, now)?,
        (true, _) => asctime(&mut text)?,
        (false, _) => return Err(RetryAfterError { wrong: "what follows the weekday" }),
    };
    if !text.0.is_empty() {
        return Err(RetryAfterError { wrong: "what follows the date" });
    }
    form.seconds()
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`: the form that is to be sent.
fn fixed(text: &mut Text<'_>) -> Parsed<Civil> {
    text.expect(b", ")?;
    let day = text.number(2, "the day of the month")?;
    text.expect(b" ")?;
    let month = text.month()?;
    text.expect(b" ")?;
    let year = text.number(4, "the year")?;
    text.expect(b" ")?;
    let time = text.time()?;
    text.expect(b" GMT")?;
    Ok(Civil { year, month, day, time })
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`, of RFC 850. A year that would be more than fifty years ahead is the one a century before.
fn dashed(text: &mut Text<'_>, now: i64) -> Parsed<Civil> {
    text.expect(b", ")?;
    let day = text.number(2, "the day of the month")?;
    text.expect(b"-")?;
    let month = text.month()?;
    text.expect(b"-")?;
    let short = text.number(2, "the year")?;
    text.expect(b" ")?;
    let time = text.time()?;
    text.expect(b" GMT")?;
    let this = year_of(now);
    let year = this - this % 100 + short;
    let later = Civil { year: year + 100, month, day, time };
    let here = Civil { year, ..later };
    let horizon = Civil { year: this + 50, ..Civil::of(now) }.plain();
    let latest = [later, here].into_iter().find(|date| date.plain() <= horizon);
    Ok(latest.unwrap_or(Civil { year: year - 100, ..here }))
}

/// `Sun Nov  6 08:49:37 1994`, of C's `asctime`.
fn asctime(text: &mut Text<'_>) -> Parsed<Civil> {
    text.expect(b" ")?;
    let month = text.month()?;
    text.expect(b" ")?;
    let day = match text.0 {
        [b' ', rest @ ..] => {
            text.0 = rest;
            text.number(1, "the day of the month")?
        }
        _ => text.number(2, "the day of the month")?,
    };
    text.expect(b" ")?;
    let time = text.time()?;
    text.expect(b" ")?;
    let year = text.number(4, "the year")?;
    Ok(Civil { year, month, day, time })
}

/// What is left to be read.
struct Text<'a>(&'a [u8]);

impl<'a> Text<'a> {
    fn take(&mut self, count: usize, wrong: &'static str) -> Parsed<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(RetryAfterError { wrong })?;
        self.0 = rest;
        Ok(taken)
    }

    fn expect(&mut self, what: &[u8]) -> Parsed<()> {
        self.0 = self.0.strip_prefix(what).ok_or(RetryAfterError { wrong: "the form of the date" })?;
        Ok(())
    }

    fn number(&mut self, digits: usize, wrong: &'static str) -> Parsed<i64> {
        let taken = self.take(digits, wrong)?;
        taken.iter().try_fold(0, |number, byte| match byte {
            b'0'..=b'9' => Ok(number * 10 + i64::from(byte - b'0')),
            _ => Err(RetryAfterError { wrong }),
        })
    }

    fn month(&mut self) -> Parsed<i64> {
        let name = self.take(3, "the month")?;
        let found = (1..).zip(MONTHS).find(|(_, month)| *month == name);
        found.map(|(number, _)| number).ok_or(RetryAfterError { wrong: "the month" })
    }

    /// Seconds since midnight. The sixtieth of a minute may be a leap second, and is the next minute's first.
    fn time(&mut self) -> Parsed<i64> {
        const WRONG: &str = "the time of day";
        let hours = self.number(2, WRONG)?;
        self.expect(b":")?;
        let minutes = self.number(2, WRONG)?;
        self.expect(b":")?;
        let seconds = self.number(2, WRONG)?;
        if hours > 23 || minutes > 59 || seconds > 60 {
            return Err(RetryAfterError { wrong: WRONG });
        }
        Ok((hours * 60 + minutes) * 60 + seconds)
    }
}

/// A date and a time of day.
#[derive(Clone, Copy)]
struct Civil {
    year: i64,
    month: i64,
    day: i64,
    /// Seconds since midnight.
    time: i64,
}

impl Civil {
    /// The date of so many seconds since 1970.
    fn of(seconds: i64) -> Self {
        let (year, mut month) = (year_of(seconds), 1);
        let mut day = seconds / DAY - days(year, 1, 1);
        while day >= month_length(year, month) {
            day -= month_length(year, month);
            month += 1;
        }
        Self { year, month, day: day + 1, time: seconds % DAY }
    }

    /// Seconds since 1970, by whatever there is in the fields.
    fn plain(self) -> i64 {
        days(self.year, self.month, self.day) * DAY + self.time
    }

    fn seconds(self) -> Parsed<u64> {
        if self.day < 1 || self.day > month_length(self.year, self.month) {
            return Err(RetryAfterError { wrong: "the day of the month" });
        }
        Ok(u64::try_from(self.plain()).unwrap_or(0))
    }
}

fn month_length(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar: H. Hinnant's `days_from_civil`, which counts from March, so that
/// the leap day is the last of a year.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The year of so many seconds since 1970.
fn year_of(seconds: i64) -> i64 {
    let day = seconds / DAY;
    // Four hundred years have 146,097 days, so this is one off at most.
    let year = 1970 + day * 400 / 146_097;
    match day {
        _ if days(year, 1, 1) > day => year - 1,
        _ if days(year + 1, 1, 1) <= day => year + 1,
        _ => year,
    }
}
