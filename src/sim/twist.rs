//! What a run does to its futures besides choosing who is next.

use super::builder::Builder;
use super::strategy::Strategy;
use alloc::string::String;
use core::fmt;
use core::panic::Location;

/// The twists of a run: part of what it depends on, and of the line that replays it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Twists {
    /// At which of the chances to cancel, counted from 1, what is swept is dropped; 0: at none.
    ///
    /// Where the choices are read from bytes, made by an oracle of the user's or searched through, these say it.
    pub(super) cancel: u64,
    /// One step in so many wakes somebody for nothing; 0: none does.
    pub(super) spurious: u8,
    /// Whether each poll has a waker of its own, and only the last poll's counts.
    pub(super) fresh: bool,
    /// Whether all who wait are polled once more before time moves on.
    pub(super) probe: bool,
}

impl Twists {
    pub(super) const NONE: Self = Self { cancel: 0, spurious: 0, fresh: false, probe: false };

    /// What is left to say where bytes say what is dropped.
    pub(super) const fn beside_bytes(mut self) -> Self {
        self.cancel = 0;
        self
    }

    /// The same with less of what is switched on: nothing at all first, then one thing, then two.
    pub(super) fn simpler(self) -> impl Iterator<Item = Self> {
        let Self { cancel, spurious, fresh, probe } = self;
        let on = u8::from(spurious != 0) | u8::from(fresh) << 1 | u8::from(probe) << 2;
        let less = [0, 0b001, 0b010, 0b100, 0b011, 0b101, 0b110].into_iter().filter(move |kept| kept & on == *kept);
        less.filter(move |kept| *kept != on).map(move |kept| Self {
            cancel,
            spurious: if kept & 0b001 == 0 { 0 } else { spurious },
            fresh: kept & 0b010 != 0,
            probe: kept & 0b100 != 0,
        })
    }
}

/// How a line names them.
impl fmt::Display for Twists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cancel, spurious, fresh, probe } = *self;
        if cancel != 0 {
            write!(f, ",cancel:{cancel}")?;
        }
        if spurious != 0 {
            write!(f, ",spurious:{spurious}")?;
        }
        f.write_str(if fresh { ",fresh" } else { "" })?;
        f.write_str(if probe { ",probe" } else { "" })
    }
}

/// The twists that were asked for; what was not, the portfolio decides by the seed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted {
    pub(super) cancel: u64,
    pub(super) spurious: Option<u8>,
    pub(super) fresh: Option<bool>,
    pub(super) probe: bool,
}

impl Wanted {
    pub(super) const NONE: Self = Self { cancel: 0, spurious: None, fresh: None, probe: false };
    /// How many steps there are for each that wakes somebody for nothing, where the portfolio does.
    const SPURIOUS: u8 = 8;

    /// What a line says, and nothing besides.
    pub(super) const fn just(twists: Twists) -> Self {
        let Twists { cancel, spurious, fresh, probe } = twists;
        Self { cancel, spurious: Some(spurious), fresh: Some(fresh), probe }
    }

    /// The twists of a run of this seed: of four strategies in turns, every second round has fresh wakers, and every
    /// fourth is spurious.
    pub(super) fn of(self, strategy: Option<Strategy>, seed: u64) -> Twists {
        let round = if strategy == Some(Strategy::Portfolio) { seed / 4 % 4 } else { 0 };
        let by_seed = if round == 3 { Self::SPURIOUS } else { 0 };
        let Self { cancel, probe, .. } = self;
        let (spurious, fresh) = (self.spurious.unwrap_or(by_seed), self.fresh.unwrap_or(probe || round % 2 == 1));
        Twists { cancel, spurious, fresh, probe }
    }
}

impl Builder {
    /// Wakes tasks for nothing: in one step of `one_in`, on average, one of those who wait is polled all the same. 0: never;
    /// at least 2 otherwise.
    ///
    /// A future may be polled at any time: by a select around it, by an executor that is not exact, by whoever shares its task.
    /// This finds those that take being polled for being woken. The oracle chooses ([`Kind::Spurious`](super::Kind::Spurious)).
    ///
    /// Unless it is set, [`Strategy::Portfolio`], and so [`check`](Self::check), has one run in four with one step in
    /// eight; other strategies have none. Set it to 0 for a test that counts polls: then none is made that nobody asked for,
    /// so [`probe_every`](Self::probe_every) has to be set too where it is wanted. [`Strategy::SleepSets`] never does it: what
    /// such a search leaves out, it leaves out on account of what polls touch.
    ///
    /// # Examples
    /// ```
    /// use core::future::{Future, poll_fn};
    /// use core::task::Poll;
    /// use core::time::Duration;
    /// use wakeful::sim::{Builder, FailureKind, Sim};
    ///
    /// // Takes being polled for being woken.
    /// let body = async |sim: Sim| {
    ///     let (mut polled, at) = (false, sim.now() + Duration::from_secs(1));
    ///     let mut sleep = Box::pin(sim.time().sleep_until(at));
    ///     poll_fn(|cx| match core::mem::replace(&mut polled, true) {
    ///         false => sleep.as_mut().poll(cx),
    ///         true => Poll::Ready(()),
    ///     })
    ///     .await;
    ///     assert_eq!(sim.now(), at, "too early");
    /// };
    /// assert!(Builder::new().spurious(0).explore(body).is_ok());
    /// let failure = Builder::new().spurious(2).explore(body).unwrap_err();
    /// assert_eq!(failure.kind(), FailureKind::Panic);
    /// ```
    pub fn spurious(mut self, one_in: u8) -> Self {
        self.twists.spurious = Some(if one_in == 1 { 2 } else { one_in });
        self
    }

    /// Whether each poll of a task is handed a waker of its own, of which no other says that it
    /// [would wake](core::task::Waker::will_wake) the same, and only that of the last poll counts.
    ///
    /// That is all that is promised to a future: where it moves from one task to another, or is polled by way of a wrapper,
    /// earlier wakers lead nowhere. This finds futures that keep their first one: they fail with
    /// [`FailureKind::StaleWaker`](super::FailureKind::StaleWaker).
    ///
    /// Unless it is set, [`Strategy::Portfolio`], and so [`check`](Self::check), does it in every second run; other strategies
    /// do not.
    pub fn fresh_wakers(mut self, fresh: bool) -> Self {
        self.twists.fresh = Some(fresh);
        self
    }

    /// The twists of a run of this builder.
    pub(super) fn twists(&self) -> Twists {
        self.twists.of(self.strategy.filter(|_| self.bytes.is_none()), self.seed)
    }
}

/// A chance to cancel: a future that is swept, and how often it was polled.
#[derive(Clone, Copy)]
pub(super) struct Chance {
    /// Stands for the future; made of spawn paths and of the order in which a task makes such futures.
    pub(super) id: u64,
    pub(super) polls: u32,
    /// Whether it is right after the last of these polls, or else when the next one would be.
    pub(super) after: bool,
}

/// What was dropped on purpose, and when: see [`Sim::cancel_at_each`](super::Sim::cancel_at_each).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dropped {
    /// The name of the task; empty if it has none, or if it was not a task but a part of one.
    pub name: String,
    /// Where the task or the future was made.
    pub made: Option<&'static Location<'static>>,
    /// How often it had been polled.
    pub polls: u32,
    /// Whether it was dropped right after the last of these polls, or else when it would have been polled again.
    pub after: bool,
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&*self.name, self.made) {
            ("", Some(made)) => write!(f, "what was made at {made}")?,
            (name, _) => write!(f, "`{name}`")?,
        }
        match (self.polls, self.after) {
            (0, _) => f.write_str(" was dropped before its first poll"),
            (polls, true) => write!(f, " was dropped right after poll {polls}"),
            (polls, false) => write!(f, " was dropped in place of poll {}", u64::from(polls) + 1),
        }
    }
}

#[cfg(all(test, not(wakeful_loom)))]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn what_is_switched_on_is_left_out_in_every_way_once() {
        let all = Twists { cancel: 3, spurious: 8, fresh: true, probe: true };
        let lines: Vec<String> = all.simpler().map(|less| alloc::format!("{less}")).collect();
        let some = ["", ",spurious:8", ",fresh", ",probe", ",spurious:8,fresh", ",spurious:8,probe", ",fresh,probe"];
        assert!(lines.iter().eq(&some.map(|line| alloc::format!(",cancel:3{line}"))), "{lines:?}");
        let one = Twists { fresh: true, ..Twists::NONE };
        assert!(one.simpler().eq([Twists::NONE]) && Twists::NONE.simpler().next().is_none());
    }
}
