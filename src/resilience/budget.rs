//! How many retries there may be beside the calls themselves.

use crate::sys::{Arc, Told};
use crate::time::Instant;
use core::fmt;
use core::num::NonZeroU32;

/// One token, in units of which one comes in a nanosecond at one token a second.
const TOKEN: u64 = 1_000_000_000;

/// What all callers of a service together may spend on retries and hedges: clones share it.
///
/// While a service fails, retries multiply what is asked of it just when it can take the least. So each call brings a part of a
/// token, some come with time for those who call seldom, and each retry takes a whole one: with 20 per cent a service that fails
/// altogether is asked 1.2 times as often, not three times. A retry for which there is no token is not made, and the caller gets
/// his error.
///
/// After the `RetryBudget` of Finagle (Twitter), whose figures are the [default](Self::default): 20 per cent, and 10 a second.
/// There what a call brought is worth nothing after ten seconds; here all there is in hand is bounded instead, as in gRPC's
/// retry throttling (proposal A6).
///
/// # Time
/// Of whoever retries: by the clock of his scope. All should count by the same.
///
/// # Examples
/// ```
/// use core::num::NonZeroU32;
/// use core::time::Duration;
/// use wakeful::cancel::Scope;
/// use wakeful::resilience::{Constant, GaveUp, Retry, RetryBudget};
///
/// wakeful::sim::run(|sim| async move {
///     let scope = Scope::new(sim.time());
///     let budget = RetryBudget::new(50, 0, NonZeroU32::MIN);
///     let retry = Retry::new(Constant::new(Duration::from_secs(1))).budget(&budget);
///     let mut attempts = Vec::new();
///     for _ in 0..4 {
///         let error = retry.run(&scope, |_| async { Err::<(), _>("down") }).await.unwrap_err();
///         assert_eq!(error.why, GaveUp::NoBudget);
///         attempts.push(error.attempts);
///     }
///     assert_eq!(attempts, [2, 1, 2, 1]); // one was in hand, and two calls are worth one more
/// });
/// ```
#[derive(Clone)]
pub struct RetryBudget {
    shared: Arc<Shared>,
}

struct Shared {
    /// What a call brings.
    deposit: u64,
    per_second: u32,
    most: u64,
    state: Told<State>,
}

struct State {
    tokens: u64,
    /// Up to when those were counted that come with time.
    counted: Instant,
}

impl RetryBudget {
    /// Lets so many per cent of the calls be retried, and `per_second` more; with `most` tokens in hand at most, and at first.
    #[must_use]
    pub fn new(percent: u32, per_second: u32, most: NonZeroU32) -> Self {
        let most = u64::from(most.get()) * TOKEN;
        let state = Told::new(State { tokens: most, counted: Instant::EPOCH });
        let deposit = u64::from(percent) * (TOKEN / 100);
        Self { shared: Arc::new(Shared { deposit, per_second, most, state }) }
    }

    /// Counts a call, whatever comes of it. A [`Retry`](super::Retry) and a [`Hedge`](super::Hedge) do that by themselves.
    pub fn deposit(&self) {
        self.add(self.shared.deposit);
    }

    /// Takes a token, if there is one at `now`.
    pub fn try_withdraw(&self, now: Instant) -> bool {
        let Shared { per_second, most, state, .. } = &*self.shared;
        state.with(|state| {
            let passed = crate::time::nanos(now - state.counted);
            state.counted = state.counted.max(now);
            let came = passed.saturating_mul(u64::from(*per_second));
            state.tokens = state.tokens.saturating_add(came).min(*most);
            let left = state.tokens.checked_sub(TOKEN);
            state.tokens = left.unwrap_or(state.tokens);
            left.is_some()
        })
    }

    /// How many tokens are in hand. Those that come with time are counted when one is asked for.
    pub fn tokens(&self) -> u32 {
        let tokens = self.shared.state.read(|state| state.tokens);
        // No more than were set.
        (tokens / TOKEN) as u32
    }

    /// Whether `self` and `other` are one budget.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// Takes a token that goes back unless it is [spent](Token::spend).
    pub(super) fn token(&self, now: Instant) -> Option<Token<'_>> {
        self.try_withdraw(now).then(|| Token(self))
    }

    fn add(&self, tokens: u64) {
        let most = self.shared.most;
        self.shared.state.with(|state| state.tokens = state.tokens.saturating_add(tokens).min(most));
    }
}

impl Default for RetryBudget {
    /// That of Finagle: 20 per cent of the calls, 10 more a second, and those of ten seconds in hand.
    fn default() -> Self {
        Self::new(20, 10, NonZeroU32::new(100).expect("not zero"))
    }
}

impl fmt::Debug for RetryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { deposit, per_second, most, .. } = &*self.shared;
        f.debug_struct("RetryBudget")
            .field("percent", &(deposit / (TOKEN / 100)))
            .field("per_second", per_second)
            .field("most", &(most / TOKEN))
            .field("tokens", &self.tokens())
            .finish()
    }
}

/// A token for something that has not begun: dropped it goes back.
pub(super) struct Token<'a>(&'a RetryBudget);

impl Token<'_> {
    /// It has begun.
    pub(super) fn spend(self) {
        core::mem::forget(self);
    }
}

impl Drop for Token<'_> {
    fn drop(&mut self) {
        self.0.add(TOKEN);
    }
}
