//! What a docket's store must do with requests, by looking at every row each time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use wakeful::docket::{
    Cancelled, Claimed, Close, Ending, Entry, Existing, Fence, Finished, Gate, Generation, Put, Renewed, Rule,
    Snapshot, State, Strike, StrikeId, When,
};
use wakeful::time::Instant;

/// A row.
#[derive(Clone, Debug)]
struct ModelRow {
    entry: Entry,
    due: Instant,
    errors: u32,
    deliveries: u32,
    at: At,
}

/// Where it is.
#[derive(Clone, PartialEq, Debug)]
enum At {
    Queue,
    Follows,
    Runs { fence: Fence, until: Instant, cancelled: bool },
    Ended(Ending),
}

/// All rows there ever were, and the strikes. Gates are held by who runs, so they are not written down.
#[derive(Default)]
pub(crate) struct Model {
    rows: BTreeMap<Generation, ModelRow>,
    strikes: BTreeMap<StrikeId, Strike>,
}

impl Model {
    fn current(&self, key: &str) -> Option<Generation> {
        let of = |row: &ModelRow| row.entry.key == key && matches!(row.at, At::Queue | At::Runs { .. });
        let mut current = self.rows.iter().filter(|(_, row)| of(row));
        let first = current.next().map(|(generation, _)| *generation);
        assert!(current.next().is_none(), "a key has one row");
        first
    }

    fn follower(&self, key: &str) -> Option<Generation> {
        let of = |row: &ModelRow| row.entry.key == key && row.at == At::Follows;
        self.rows.iter().find(|(_, row)| of(row)).map(|(generation, _)| *generation)
    }

    fn runs(&self, generation: Generation) -> bool {
        matches!(self.rows[&generation].at, At::Runs { .. })
    }

    fn row(&mut self, generation: Generation) -> &mut ModelRow {
        self.rows.get_mut(&generation).unwrap()
    }

    fn struck(&self, entry: &Entry) -> Option<StrikeId> {
        let mut of = self.strikes.iter().filter(|(_, strike)| strike.matches(&entry.name, &entry.args));
        of.next().map(|(id, _)| *id)
    }

    fn insert(&mut self, generation: Generation, entry: &Entry, due: Instant, at: At) {
        let old = self.rows.insert(generation, ModelRow { entry: entry.clone(), due, errors: 0, deliveries: 0, at });
        assert!(old.is_none(), "a generation is given out once");
    }

    fn end(&mut self, generation: Generation, ending: Ending) {
        let row = self.row(generation);
        assert!(!matches!(row.at, At::Ended(_)), "every row ends once");
        let was_follower = row.at == At::Follows;
        row.at = At::Ended(ending);
        let key = row.entry.key.clone();
        if !was_follower && let Some(follower) = self.follower(&key) {
            self.row(follower).at = At::Queue;
        }
    }

    /// Checks the answer to a put: all is as it must be, but for a generation that is new.
    pub(crate) fn put(&mut self, mut entry: Entry, due: Instant, got: &Put) {
        if let Some(strike) = self.struck(&entry) {
            return assert_eq!(*got, Put::Struck(strike));
        }
        let Some(current) = self.current(&entry.key) else {
            if matches!(entry.existing, Existing::ReplaceIf(_)) {
                return assert_eq!(*got, Put::Gone);
            }
            let Put::Added(new) = *got else { panic!("{got:?}") };
            if entry.key.is_empty() {
                entry.key = new.key_of(&entry.name);
            }
            return self.insert(new, &entry, due, At::Queue);
        };
        let (running, follower) = (self.runs(current), self.follower(&entry.key));
        let newest = follower.unwrap_or(current);
        let keep = match entry.existing {
            Existing::Keep => true,
            Existing::Follow => !running || follower.is_some(),
            Existing::ReplaceIf(of) => of != newest,
            Existing::Replace => false,
        };
        if keep {
            return assert_eq!(*got, Put::Exists { generation: newest, running });
        }
        let (Put::Replaced(new) | Put::Following(new)) = *got else { panic!("{got:?}") };
        assert_eq!(matches!(got, Put::Following(_)), running);
        for old in follower.into_iter().chain((!running).then_some(current)) {
            self.end(old, Ending::Replaced(new));
        }
        self.insert(new, &entry, due, if running { At::Follows } else { At::Queue });
    }

    /// Leases lapse that are over by now.
    pub(crate) fn lapse(&mut self, now: Instant) {
        let is_over = |(generation, row): (&Generation, &ModelRow)| match row.at {
            At::Runs { until, cancelled, .. } if until <= now => Some((*generation, cancelled)),
            _ => None,
        };
        let lapsed: Vec<_> = self.rows.iter().filter_map(is_over).collect();
        for (generation, cancelled) in lapsed {
            let row = self.row(generation);
            match row.deliveries {
                _ if cancelled => self.end(generation, Ending::Cancelled),
                cap if cap >= row.entry.deliveries.get() => self.end(generation, Ending::Dead(cap)),
                _ => row.at = At::Queue,
            }
        }
    }

    /// Checks what a claim took: which rows, in order, and past nobody who waits at one of their gates.
    pub(crate) fn claimed(&mut self, most: usize, lease: Duration, now: Instant, taken: &[Claimed]) {
        let generations: Vec<_> = taken.iter().map(|run| run.generation).collect();
        assert_eq!(generations, self.claim(most, now));
        for run in taken {
            let row = self.row(run.generation);
            row.deliveries += 1;
            row.at = At::Runs { fence: run.fence, until: now + lease, cancelled: false };
            assert_eq!((run.attempt, run.delivery), (row.errors + 1, row.deliveries));
            assert!(run.delivery <= row.entry.deliveries.get(), "the cap");
        }
    }

    fn claim(&mut self, most: usize, now: Instant) -> Vec<Generation> {
        let rank = |(generation, row): (&Generation, &ModelRow)| (Reverse(row.entry.priority), row.due, *generation);
        let is_due = |(_, row): &(&Generation, &ModelRow)| row.at == At::Queue && row.due <= now;
        let mut due: BTreeSet<_> = self.rows.iter().filter(is_due).map(rank).collect();
        let (mut taken, mut waiting) = (Vec::new(), Vec::new());
        while taken.len() < most
            && let Some(first) = due.pop_first()
        {
            let entry = self.rows[&first.2].entry.clone();
            if let Some(strike) = self.struck(&entry) {
                self.end(first.2, Ending::Struck(strike));
                // What follows comes in its place.
                let next = self.current(&entry.key).and_then(|next| self.rows.get_key_value(&next));
                due.extend(next.filter(is_due).map(rank));
                continue;
            }
            let through = |generation: &Generation, gate: &Gate| self.rows[generation].entry.gates.contains(gate);
            let open = |gate: &Gate| {
                let now = taken.iter().filter(|generation| through(generation, gate));
                let ahead =
                    waiting.iter().filter(|rank: &&(_, _, Generation)| **rank < first && through(&rank.2, gate));
                self.held(&gate.name) + now.count() + ahead.take(1).count() < places(gate)
            };
            if entry.gates.iter().all(open) {
                taken.push(first.2);
            } else {
                waiting.push(first);
            }
        }
        taken
    }

    fn held(&self, gate: &str) -> usize {
        let holds = |row: &&ModelRow| {
            matches!(row.at, At::Runs { .. }) && row.entry.gates.iter().any(|other| other.name == gate)
        };
        self.rows.values().filter(holds).count()
    }

    /// Checks the answer to the end of a run; what comes next is due at `due`.
    pub(crate) fn finished(&mut self, run: &Claimed, how: Close, due: Instant, now: Instant, got: &Finished) {
        if !self.is_held(run) {
            return assert_eq!(*got, Finished::Lost);
        }
        let before = self.follower(&run.key);
        let row = self.row(run.generation);
        let At::Runs { cancelled, .. } = row.at else { unreachable!() };
        let mut next = None;
        match how {
            Close::End(ending, entry) => {
                next = entry.filter(|_| !cancelled && before.is_none());
                self.end(run.generation, ending);
            }
            _ if cancelled => self.end(run.generation, Ending::Cancelled),
            Close::Retry(after, _) => {
                (row.due, row.at, row.errors, row.deliveries) = (now + after, At::Queue, row.errors + 1, 0);
            }
            Close::Back => (row.at, row.deliveries) = (At::Queue, row.deliveries - 1),
        }
        if let Some(entry) = next.filter(|entry| self.struck(entry).is_none()) {
            let Finished::Done(Some(new)) = *got else { panic!("{got:?}") };
            self.insert(new, &entry, due, At::Queue);
        }
        assert_eq!(*got, Finished::Done(self.current(&run.key)));
    }

    fn is_held(&self, run: &Claimed) -> bool {
        matches!(self.rows[&run.generation].at, At::Runs { fence, .. } if fence == run.fence)
    }

    /// Checks the answer to the renewal of one run.
    pub(crate) fn renewed(&mut self, run: &Claimed, lease: Duration, now: Instant, got: &Renewed) {
        if !self.is_held(run) {
            return assert_eq!(*got, Renewed::Lost);
        }
        let At::Runs { until, cancelled, .. } = &mut self.row(run.generation).at else { unreachable!() };
        assert_eq!(matches!(got, Renewed::Cancelled(_)), *cancelled);
        *until = now + lease;
    }

    /// Checks the answer to a cancel.
    pub(crate) fn cancelled(&mut self, key: &str, got: &Cancelled) {
        if let Some(follower) = self.follower(key) {
            self.end(follower, Ending::Cancelled);
        }
        let Some(current) = self.current(key) else { return assert_eq!(*got, Cancelled::Unknown) };
        match &mut self.row(current).at {
            At::Runs { cancelled, .. } => {
                *cancelled = true;
                assert_eq!(*got, Cancelled::Running(current));
            }
            _ => {
                self.end(current, Ending::Cancelled);
                assert_eq!(*got, Cancelled::Queued(current));
            }
        }
    }

    /// Checks the answer to a move.
    pub(crate) fn rescheduled(&mut self, key: &str, due: Instant, got: bool) {
        let current = self.current(key);
        let moved = if current.is_some_and(|current| self.runs(current)) { self.follower(key) } else { current };
        assert_eq!(got, moved.is_some());
        if let Some(moved) = moved {
            self.row(moved).due = due;
        }
    }

    /// Checks the answer to a clear.
    pub(crate) fn cleared(&mut self, got: usize) {
        let waiting = self.rows.values_mut().filter(|row| matches!(row.at, At::Queue | At::Follows));
        let ended = waiting.map(|row| row.at = At::Ended(Ending::Cancelled)).count();
        assert_eq!(got, ended);
    }

    /// A strike was added.
    pub(crate) fn strike(&mut self, id: StrikeId, strike: Strike) {
        assert!(self.strikes.insert(id, strike).is_none(), "a number is given out once");
    }

    /// The strike of this number, counted from the oldest that is there.
    pub(crate) fn nth_strike(&self, n: usize) -> Option<StrikeId> {
        self.strikes.keys().nth(n.checked_rem(self.strikes.len())?).copied()
    }

    /// A strike was taken back.
    pub(crate) fn restore(&mut self, id: StrikeId) {
        assert!(self.strikes.remove(&id).is_some());
    }

    /// The newest row of a key that has not ended.
    pub(crate) fn newest(&self, key: &str) -> Option<Generation> {
        self.follower(key).or(self.current(key))
    }

    /// The store's rows are the model's: nothing is lost, no gate is over its limit.
    pub(crate) fn compare(&self, snapshot: &Snapshot) {
        assert_eq!(snapshot.rows.len(), self.rows.len());
        for row in &snapshot.rows {
            let of = &self.rows[&row.generation];
            let same = match (&row.state, &of.at) {
                (State::Future, At::Queue) => of.due > snapshot.now,
                (State::Queued | State::Waiting, At::Queue) => of.due <= snapshot.now,
                (State::Following, At::Follows) => true,
                (State::Running { fence, until, cancelled, .. }, at) => {
                    *at == At::Runs { fence: *fence, until: *until, cancelled: *cancelled }
                }
                (State::Ended(ending), At::Ended(expected)) => ending == expected,
                _ => false,
            };
            assert!(same && row.due == of.due && row.key == of.entry.key, "{row:?} is not {of:?}");
        }
        for gate in &snapshot.gates {
            assert_eq!(gate.held as usize, self.held(&gate.name));
        }
        for gate in self.rows.values().flat_map(|row| &row.entry.gates) {
            assert!(self.held(&gate.name) <= places(gate), "never over a limit");
        }
        assert!(snapshot.strikes.iter().map(|(id, strike)| (id, strike)).eq(&self.strikes));
    }
}

fn places(gate: &Gate) -> usize {
    match gate.rule {
        Rule::AtMost(most) => most.get() as usize,
        Rule::Rate { .. } => unreachable!("the model knows no rates"),
    }
}

/// When that is.
pub(crate) fn instant(when: When, now: Instant) -> Instant {
    match when {
        When::In(after) => now + after,
        When::Now | When::At(_) => now,
    }
}
