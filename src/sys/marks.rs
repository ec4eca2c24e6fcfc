//! Marks in code that may be simulated: the macros, which always exist, and what they do without the simulator, nothing.

/// What the macros call where there is no simulator.
#[cfg(not(feature = "sim"))]
pub mod inert {
    /// Nobody can look on.
    #[inline(always)]
    pub const fn watched() -> bool {
        false
    }

    /// Nothing.
    #[inline(always)]
    pub fn always(_: bool, _: &'static str, _: core::fmt::Arguments<'_>) {}

    /// Nothing.
    #[inline(always)]
    pub fn sometimes(_: bool, _: &'static str) {}

    /// Nothing.
    #[inline(always)]
    pub fn reachable(_: &'static str) {}

    /// No fault.
    #[inline(always)]
    pub fn fault(_: &'static str) -> bool {
        false
    }
}

/// Says that something holds whenever a simulated run comes by.
///
/// If it does not, the run fails with `FailureKind::Violation`, after the poll that is under way; there is no panic, so
/// code that catches panics can't hide it, and it works without `std` too. Outside a simulation nothing is done, and the
/// condition is not even evaluated: it must not have effects.
///
/// # For library authors
/// [`always!`](crate::always), [`sometimes!`](crate::sometimes), [`reachable!`](crate::reachable) and
/// [`buggify!`](crate::buggify) always exist, whichever features are on, and may stand in code that is shipped. Without the
/// feature `sim` they compile to nothing; with it, one thread-local flag is read at each. In code that depends on `wakeful`
/// for its tests alone, put `#[cfg(test)]` before them.
///
/// # Examples
/// ```
/// struct Account(i64);
///
/// impl Account {
///     fn take(&mut self, amount: i64) {
///         self.0 -= amount;
///         wakeful::always!(self.0 >= 0);
///         wakeful::always!(self.0 >= 0, "overdrawn by {}", -self.0);
///     }
/// }
///
/// Account(5).take(7); // not in a simulation
///
/// # #[cfg(feature = "std")] {
/// let failure = wakeful::sim::Builder::new().run(async |_| Account(5).take(7)).unwrap_err();
/// assert!(failure.message().contains("self.0 >= 0"));
/// # }
/// ```
#[macro_export]
macro_rules! always {
    ($holds:expr $(,)?) => {
        if $crate::__marks::watched() {
            $crate::__marks::always($holds, ::core::stringify!($holds), ::core::format_args!(""));
        }
    };
    ($holds:expr, $($said:tt)+) => {
        if $crate::__marks::watched() {
            $crate::__marks::always($holds, ::core::stringify!($holds), ::core::format_args!($($said)+));
        }
    };
}

/// Says that something holds at least once in all runs of a simulation that come by.
///
/// Tests that pass may have tested nothing: the buffer was never full, the retry never needed. If the condition was
/// evaluated in the runs of one `sim::check`, or `explore`, and was never true, that fails with `FailureKind::NeverHit`.
/// What is never evaluated can't be known: `Builder::must_hit` names what has to be. How often each was hit stands in
/// `Summary::marks`.
///
/// Only marks in files whose path is relative are judged, which for cargo are those of the workspace: a test does not fail
/// for the marks of a dependency. Outside a simulation nothing is done, and the condition is not evaluated: it must not
/// have effects. See [`always!`](crate::always) for what a library author should know.
///
/// # Examples
/// ```
/// use wakeful::sim;
///
/// sim::check(|sim| async move {
///     let (a, b) = (sim.choose(3), sim.choose(3));
///     wakeful::sometimes!(a == b, "the same twice");
///     wakeful::sometimes!(a > b);
/// });
/// ```
#[macro_export]
macro_rules! sometimes {
    ($holds:expr $(,)?) => {
        $crate::sometimes!($holds, ::core::stringify!($holds))
    };
    ($holds:expr, $text:expr $(,)?) => {
        if $crate::__marks::watched() {
            $crate::__marks::sometimes($holds, $text);
        }
    };
}

/// Says that a place is reached by simulated runs.
///
/// How often stands in `Summary::marks`; a test that insists gives the text to `Builder::must_hit`. See
/// [`always!`](crate::always) for what a library author should know.
///
/// # Examples
/// ```
/// use wakeful::sim::Builder;
///
/// fn parse(text: &str) -> Option<u32> {
///     text.parse().map_err(|_| wakeful::reachable!("text that is no number")).ok()
/// }
///
/// Builder::new().must_hit(&["text that is no number"]).check(async |sim| {
///     parse(["1", "x"][sim.choose(2)]);
/// });
/// ```
#[macro_export]
macro_rules! reachable {
    ($text:expr $(,)?) => {
        if $crate::__marks::watched() {
            $crate::__marks::reachable($text);
        }
    };
}

/// Whether something should go wrong here: `true` only in a simulated run that asks for faults, by `Builder::faults`.
///
/// In each run some of these places are enabled, and those that are fire at some of the times at which they are asked.
/// Both are choices of the run's oracle, so they are replayed, and taken away first when a failure is made small. Put them
/// where the code may legally do what is rare: return early, give up a permit, use the smallest buffer, wait a little.
///
/// After J. Zhou et al., "FoundationDB: A Distributed Unbundled Transactional Key Value Store" (SIGMOD 2021). See
/// [`always!`](crate::always) for what a library author should know.
///
/// # Examples
/// ```
/// use wakeful::sim::{Builder, Faults};
///
/// /// Reads as much as it likes, as readers may.
/// fn read(available: usize) -> usize {
///     if wakeful::buggify!("a short read") { available.min(1) } else { available }
/// }
///
/// assert_eq!(read(8), 8);
/// let summary = Builder::new().faults(Faults::new()).must_hit(&["a short read"]).explore(async |_| {
///     let mut left = 8;
///     while left > 0 {
///         left -= read(left);
///     }
/// });
/// assert!(summary.is_ok());
/// ```
#[macro_export]
macro_rules! buggify {
    () => {
        $crate::buggify!("")
    };
    ($text:expr $(,)?) => {
        ($crate::__marks::watched() && $crate::__marks::fault($text))
    };
}
