//! Which calls led to a place in the code, where there is a standard library to tell.

use alloc::string::String;
use alloc::vec::Vec;

/// One of the calls.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// The function, with its path.
    pub(crate) function: String,
    /// The file, line and column, if the program was built with them.
    pub(crate) place: Option<String>,
}

#[cfg(not(feature = "std"))]
mod imp {
    use super::{Call, Vec};

    /// Nothing: nobody can tell.
    pub(crate) struct Trail;

    impl Trail {
        pub(crate) fn here() -> Self {
            Self
        }

        pub(crate) fn calls(&self) -> Vec<Call> {
            Vec::new()
        }
    }
}

#[cfg(feature = "std")]
mod imp {
    use super::{Call, Vec};
    use std::backtrace::Backtrace;
    use std::string::ToString;

    /// The calls that led to where it was made.
    pub(crate) struct Trail(Backtrace);

    impl Trail {
        pub(crate) fn here() -> Self {
            Self(Backtrace::force_capture())
        }

        /// The calls, the innermost first. Slow: it reads what the program was built with.
        pub(crate) fn calls(&self) -> Vec<Call> {
            read(&self.0.to_string())
        }
    }

    /// Reads what a backtrace prints: for each call a line with its number and the function, and where the place is known, one
    /// more with that behind "at".
    pub(super) fn read(printed: &str) -> Vec<Call> {
        let mut calls = Vec::new();
        for line in printed.lines().map(str::trim) {
            if let Some((_, function)) = line.split_once(": ").filter(|(number, _)| number.parse::<u32>().is_ok()) {
                calls.push(Call { function: function.into(), place: None });
            } else if let (Some(place), Some(call)) = (line.strip_prefix("at "), calls.last_mut()) {
                call.place = Some(place.strip_prefix("./").unwrap_or(place).into());
            }
        }
        calls
    }
}

pub(crate) use imp::Trail;

#[cfg(all(test, feature = "std", not(wakeful_loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_a_backtrace_prints_is_read() {
        let printed = "   0: std::backtrace::Backtrace::create\n             at /rustc/abc/library/std/src/backtrace.rs:331:13\n   \
                       1: <a::B as c::D>::e::{{closure}}\n             at ./src/a b.rs:9:5\n  12: f\n";
        let call =
            |function: &str, place: Option<&str>| Call { function: function.into(), place: place.map(Into::into) };
        let calls = [
            call("std::backtrace::Backtrace::create", Some("/rustc/abc/library/std/src/backtrace.rs:331:13")),
            call("<a::B as c::D>::e::{{closure}}", Some("src/a b.rs:9:5")),
            call("f", None),
        ];
        assert_eq!(imp::read(printed), calls);
    }

    #[test]
    fn the_calls_that_lead_here_are_told() {
        let calls = Trail::here().calls();
        assert!(calls.iter().any(|call| call.function.contains("the_calls_that_lead_here_are_told")), "{calls:?}");
    }
}
