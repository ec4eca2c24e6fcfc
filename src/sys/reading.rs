//! Clocks of the machine that are read without a detour, which every attempt and every wait does first.

/// How a clock is read. A tag of its own is faster told apart than a niche.
#[derive(Clone, Debug)]
#[repr(u8)]
pub(crate) enum Reading {
    /// By a call of its own.
    Other,
    /// The operating system's.
    #[cfg(all(feature = "std", not(all(target_family = "wasm", target_os = "unknown"))))]
    System(super::monotonic::Monotonic),
    /// A counter of the processor.
    #[cfg(all(feature = "counter-clock", not(all(target_family = "wasm", target_os = "unknown"))))]
    Counter(Counter),
}

impl Reading {
    /// The counter of the processor, if that is how. To read it takes so little that it may be done under a lock.
    #[inline]
    pub(crate) fn counter(&self) -> Option<&Counter> {
        match self {
            #[cfg(all(feature = "counter-clock", not(all(target_family = "wasm", target_os = "unknown"))))]
            Self::Counter(counter) => Some(counter),
            _ => None,
        }
    }

    /// Nanoseconds since the clock's epoch; none: the clock is to be asked.
    #[inline]
    pub(crate) fn nanos(&self) -> Option<u64> {
        match self {
            Self::Other => None,
            #[cfg(all(feature = "std", not(all(target_family = "wasm", target_os = "unknown"))))]
            Self::System(clock) => Some(clock.nanos()),
            #[cfg(all(feature = "counter-clock", not(all(target_family = "wasm", target_os = "unknown"))))]
            Self::Counter(counter) => Some(counter.nanos()),
        }
    }
}

/// There is none.
#[cfg(not(all(feature = "counter-clock", not(all(target_family = "wasm", target_os = "unknown")))))]
pub(crate) enum Counter {}

#[cfg(not(all(feature = "counter-clock", not(all(target_family = "wasm", target_os = "unknown")))))]
impl Counter {
    pub(crate) fn nanos(&self) -> u64 {
        match *self {}
    }
}

super::with_counter_clock! {
    /// A counter of the processor, or the operating system's clock if there is none that runs at one speed.
    #[derive(Clone, Debug)]
    pub(crate) struct Counter {
        source: quanta::Clock,
        /// What it said at the epoch.
        epoch: u64,
        /// Nanoseconds that it counts by, times 2³².
        step: u64,
    }

    impl Counter {
        /// One whose epoch is now. The first of a process is calibrated, which takes up to 0.2 s.
        pub(crate) fn new() -> Self {
            const MANY: u32 = 52;
            let source = quanta::Clock::new();
            let step = source.delta_as_nanos(0, 1 << MANY) >> (MANY - 32);
            Self { epoch: source.raw(), source, step }
        }

        /// Nanoseconds since the epoch.
        #[inline]
        pub(crate) fn nanos(&self) -> u64 {
            let steps = self.source.raw().saturating_sub(self.epoch);
            ((u128::from(steps) * u128::from(self.step)) >> 32) as u64
        }
    }
}
