//! Interrupts at pseudo-random instants that give permits, send, set, cancel and fire timers, while the program waits for all
//! of it and does the same itself. What they gave must be what the program took and what is left, and nobody may sleep on.

use alloc::boxed::Box;
use core::cell::{Cell, RefCell};
use core::future::pending;
use core::num::{NonZeroU32, NonZeroUsize};
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use core::time::Duration;
use cortex_m_semihosting::hprintln;
use critical_section::Mutex;
use wakeful::cancel::{Reason, Scope};
use wakeful::limit::{Limiter, Quota};
use wakeful::queue;
use wakeful::spawn::block_on_with;
use wakeful::sync::{Event, Semaphore, oneshot, watch};
use wakeful::task::{local_group, race};
use wakeful::time::Time;

use crate::board;

/// A number with one writer, so that it needs no compare-and-swap.
struct Tally(AtomicU32);

impl Tally {
    const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    fn get(&self) -> u32 {
        self.0.load(Relaxed)
    }

    fn set(&self, n: u32) {
        self.0.store(n, Relaxed);
    }

    fn up(&self) {
        self.set(self.get() + 1);
    }
}

/// What both sides count: the interrupt what it gave, the program what it took.
struct Account {
    what: &'static str,
    given: Tally,
    taken: Tally,
}

impl Account {
    const fn of(what: &'static str) -> Self {
        Self { what, given: Tally::new(), taken: Tally::new() }
    }

    /// Whether everything is where it belongs, given how much still lies there.
    fn balances(&self, left: u32) -> bool {
        let (given, taken) = (self.given.get(), self.taken.get());
        hprintln!("{:<8} {:>6} given {:>6} taken {:>2} left", self.what, given, taken, left);
        given == taken + left
    }
}

/// Pseudo-random numbers: Marsaglia's xorshift of 32 bits.
struct Dice(Tally);

impl Dice {
    const fn seeded(seed: u32) -> Self {
        Self(Tally(AtomicU32::new(seed)))
    }

    fn below(&self, n: u32) -> u32 {
        let mut x = self.0.get();
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        self.0.set(x);
        x % n
    }
}

/// Something that the program lays out for the interrupt to take.
type Slot<T> = Mutex<RefCell<Option<T>>>;

fn lay<T>(slot: &Slot<T>, value: T) {
    drop(critical_section::with(|cs| slot.borrow_ref_mut(cs).replace(value)));
}

fn take<T>(slot: &Slot<T>) -> Option<T> {
    critical_section::with(|cs| slot.borrow_ref_mut(cs).take())
}

/// What the interrupt and the program share.
pub(crate) struct Stage {
    dice: Dice,
    /// Interrupts that are to come, and those that came after them.
    left: Tally,
    late: Tally,
    permits: (Semaphore, Account),
    items: (queue::Sender<u32>, Account),
    event: (Event, Account),
    scope: (Slot<Scope>, Account),
    letter: (Slot<oneshot::Sender<u32>>, Account),
    latest: (watch::Sender<u32>, Tally),
    limiter: (Limiter, Account),
}

impl Stage {
    /// What one interrupt does, and after how many cycles the next one is to come; how far the clock goes on.
    pub(crate) fn strike(&self) -> (u32, Duration) {
        if self.over() {
            // Whatever the program still waits for is to come soon.
            self.late.up();
            (0..7).for_each(|act| self.act(act));
        } else {
            self.left.set(self.left.get() - 1);
            self.act(self.dice.below(8));
        }
        (150 + self.dice.below(3000), Duration::from_micros(u64::from(self.dice.below(300))))
    }

    fn act(&self, act: u32) {
        match act {
            0 => {
                self.permits.0.add_permits(1);
                self.permits.1.given.up();
            }
            1 if self.items.0.try_send(2 * self.items.1.given.get()).is_ok() => self.items.1.given.up(),
            2 if !self.event.0.is_set() => {
                self.event.0.set();
                self.event.1.given.up();
            }
            3 if take(&self.scope.0).is_some_and(|scope| scope.cancel(Reason::shutdown())) => self.scope.1.given.up(),
            4 if take(&self.letter.0).is_some_and(|letter| letter.send(7).is_ok()) => self.letter.1.given.up(),
            5 if self.latest.0.send(self.latest.1.get() + 1).is_ok() => self.latest.1.up(),
            6 if self.limiter.0.try_acquire(1).is_ok() => self.limiter.1.given.up(),
            _ => {}
        }
    }

    fn over(&self) -> bool {
        self.left.get() == 0
    }
}

/// The program's side: one task for each thing that the interrupt does, and one that is in the way.
struct Program<'a> {
    stage: &'a Stage,
    scope: Scope,
    dice: Dice,
    sending: Cell<bool>,
}

impl Program<'_> {
    fn moment(&self) -> Duration {
        Duration::from_micros(u64::from(self.dice.below(2000)))
    }

    /// Waits, as often as not for a moment only: then an interrupt may give what is being given up.
    async fn patient<T>(&self, wait: impl Future<Output = T>) -> Option<T> {
        match self.dice.below(2) {
            0 => Some(wait.await),
            _ => self.scope.move_on_after(self.moment(), async |_| wait.await).await.done(),
        }
    }

    async fn takes_permits(&self) {
        let (semaphore, account) = &self.stage.permits;
        while !self.stage.over() {
            if let Some(Ok(permit)) = self.patient(semaphore.acquire()).await {
                permit.forget();
                account.taken.up();
            }
        }
    }

    /// Even numbers are from the interrupt, odd ones from here: each in their order.
    async fn takes_items(&self, items: &queue::Receiver<u32>) {
        let (mut odd, account) = (1, &self.stage.items.1);
        while !self.stage.over() || self.sending.get() {
            match self.patient(items.recv()).await {
                Some(Ok(n)) if n % 2 == 0 => {
                    assert_eq!(n, 2 * account.taken.get(), "items of the interrupt in order");
                    account.taken.up();
                }
                Some(Ok(n)) => {
                    assert_eq!(n, odd, "items of the program in order");
                    odd += 2;
                }
                Some(Err(_)) | None => {}
            }
        }
    }

    async fn sends_items(&self) {
        let mut odd = 1;
        while !self.stage.over() {
            // An item whose sending is given up has not been sent.
            if let Some(Ok(())) = self.patient(self.stage.items.0.send(odd)).await {
                odd += 2;
            }
            self.scope.sleep(self.moment()).await;
        }
        self.sending.set(false);
    }

    async fn waits_for_the_event(&self) {
        let (event, account) = &self.stage.event;
        while !self.stage.over() {
            let came = self.patient(event.wait()).await;
            if came.is_some() && event.reset() {
                account.taken.up();
            }
        }
    }

    async fn is_cancelled(&self) {
        let (slot, account) = &self.stage.scope;
        while !self.stage.over() {
            let scope = self.scope.child();
            lay(slot, scope.clone());
            match self.dice.below(2) {
                0 => drop(scope.run(self.scope.sleep(self.moment())).await),
                _ => drop(self.patient(scope.run(pending::<()>())).await),
            }
            drop(take(slot));
            if scope.is_cancelled() {
                account.taken.up();
            }
        }
    }

    async fn gets_letters(&self) {
        let (slot, account) = &self.stage.letter;
        while !self.stage.over() {
            let (letter, mut addressee) = oneshot::channel();
            lay(slot, letter);
            let came = self.patient(addressee.recv()).await;
            drop(take(slot));
            if came.is_some_and(|letter| letter.is_ok()) || addressee.try_recv().is_ok() {
                account.taken.up();
            }
        }
    }

    async fn sees_the_latest(&self, latest: &mut watch::Receiver<u32>) {
        let mut last = 0;
        while !self.stage.over() {
            drop(self.patient(latest.changed()).await);
            let seen = *latest.see();
            assert!(last <= seen, "the latest value after an earlier one");
            last = seen;
        }
    }

    /// Makes timers, scopes and claims of permits, and drops them, so that interrupts come in between.
    async fn is_in_the_way(&self) {
        let (limiter, account) = &self.stage.limiter;
        while !self.stage.over() {
            race((0..4).map(|_| self.scope.sleep(self.moment()))).await;
            if let Some(Ok(())) = self.patient(limiter.acquire(1)).await {
                account.taken.up();
            }
            let scope = self.scope.child_after(self.moment());
            let inner = scope.child();
            drop(self.patient(inner.cancelled()).await);
            scope.cancel(Reason::shutdown());
            assert!(inner.is_cancelled(), "cancelled with the scope around it");
            // Given back, to whoever waits by then.
            let permit = self.stage.permits.0.try_acquire();
            self.scope.sleep(self.moment()).await;
            drop(permit);
        }
    }
}

/// Interrupts after which the program is given up, if nothing was to be done for so long but what it waits for.
const PATIENCE: u32 = 10_000;

/// Runs the program for so many interrupts. Whether nothing was lost.
pub(crate) fn run(time: &Time, strikes: u32) -> bool {
    const RATE: NonZeroU32 = NonZeroU32::new(2000).unwrap();
    let (tx, items) = queue::bounded(NonZeroUsize::new(4).unwrap());
    let (latest, mut newest) = watch::channel(0);
    // Leaked, as the interrupt may have it at any time.
    let stage: &'static Stage = Box::leak(Box::new(Stage {
        dice: Dice::seeded(0x9e37_79b9),
        left: Tally(AtomicU32::new(strikes)),
        late: Tally::new(),
        permits: (Semaphore::new(0), Account::of("permits")),
        items: (tx, Account::of("items")),
        event: (Event::new(), Account::of("event")),
        scope: (Mutex::new(RefCell::new(None)), Account::of("scope")),
        letter: (Mutex::new(RefCell::new(None)), Account::of("letter")),
        latest: (latest, Tally::new()),
        limiter: (Limiter::new(time, Quota::per_second(RATE)), Account::of("limiter")),
    }));
    let (start, scope) = (time.now(), Scope::new(time.clone()));
    let program = Program { stage, scope: scope.clone(), dice: Dice::seeded(2_463_534_242), sending: Cell::new(true) };
    let (program, newest) = (&program, &mut newest);
    let all = local_group::<()>().not_send().run(&scope, async |group| {
        let _ = group.spawn("permits", async { Ok(program.takes_permits().await) });
        let _ = group.spawn("items", async { Ok(program.takes_items(&items).await) });
        let _ = group.spawn("sender", async { Ok(program.sends_items().await) });
        let _ = group.spawn("event", async { Ok(program.waits_for_the_event().await) });
        let _ = group.spawn("scope", async { Ok(program.is_cancelled().await) });
        let _ = group.spawn("letter", async { Ok(program.gets_letters().await) });
        let _ = group.spawn("latest", async { Ok(program.sees_the_latest(newest).await) });
        let _ = group.spawn("in the way", async { Ok(program.is_in_the_way().await) });
        Ok(())
    });
    board::strike_with(Some(stage));
    let ended = block_on_with(all, || {
        board::idle();
        if stage.late.get() > PATIENCE {
            stage.balances(&items);
            panic!("somebody still waits");
        }
    });
    board::strike_with(None);
    let elapsed = time.now() - start;
    let granted = stage.limiter.1.given.get() + stage.limiter.1.taken.get();
    let most = RATE.get() + (elapsed.as_micros() as u64 * u64::from(RATE.get()) / 1_000_000) as u32;
    hprintln!("limiter  {:>6} of {} granted in {:?}", granted, most, elapsed);
    hprintln!("interrupts: {}, and {} until all was over", strikes, stage.late.get());
    stage.balances(&items) && *newest.see() == stage.latest.1.get() && granted <= most && ended.is_ok()
}

impl Stage {
    fn balances(&self, items: &queue::Receiver<u32>) -> bool {
        let even = core::iter::from_fn(|| items.try_recv().ok()).filter(|n| n % 2 == 0).count();
        [
            self.permits.1.balances(self.permits.0.available() as u32),
            self.items.1.balances(even as u32),
            self.event.1.balances(u32::from(self.event.0.is_set())),
            self.scope.1.balances(0),
            self.letter.1.balances(0),
        ]
        .iter()
        .all(|balances| *balances)
    }
}
