//! A limit that stays.

use super::control::{Adapt, Sample};
use core::num::NonZeroU32;

/// A limit that stays as it is: to compare with, or where a service's capacity is known.
///
/// # Examples
/// ```
/// use core::num::NonZeroU32;
/// use wakeful::limit::{Concurrency, Fixed};
/// use wakeful::time::ManualClock;
///
/// let two = Fixed::new(NonZeroU32::new(2).unwrap());
/// let calls = Concurrency::new(&ManualClock::new().time(), two);
/// let [_first, _second] = [(); 2].map(|()| calls.try_launch().unwrap());
/// assert!(calls.try_launch().is_none());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Fixed {
    limit: NonZeroU32,
}

impl Fixed {
    /// So many calls at once.
    pub const fn new(limit: NonZeroU32) -> Self {
        Self { limit }
    }
}

impl Adapt for Fixed {
    type State = ();

    fn begin(&self) {}

    fn limit(&self, (): &()) -> u32 {
        self.limit.get()
    }

    fn learn(&self, (): &mut (), _: &Sample) {}
}
