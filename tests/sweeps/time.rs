//! Sleeps, ticks and the pump.

use crate::ms;
use wakeful::sim::Sim;
use wakeful::time;

crate::sweeps! {
    "time::Sleep" => sleep,
    "time::Tick" => tick,
    "time::Pump" => pump,
}

/// The others ring at their instants, and no timer is left.
async fn sleep(sim: Sim) {
    let time = sim.time();
    let start = time.now();
    let others = [1, 2, 2, 3].map(|n| {
        let time = time.clone();
        sim.spawn("sleeper", async move {
            time.sleep(ms(n)).await;
            assert_eq!(time.now(), start + ms(n));
        })
    });
    if sim.cancel_at_each(time.sleep(ms(2))).await.is_some() {
        assert_eq!(time.now(), start + ms(2));
    }
    for other in others {
        other.await;
    }
    assert_eq!(time.pending(), 0);
}

/// No tick is lost.
async fn tick(sim: Sim) {
    let time = sim.time();
    let start = time.now();
    let mut every = time.interval(ms(10));
    let first = sim.cancel_at_each(every.tick()).await;
    assert!(first.is_none_or(|at| at == start + ms(10)));
    assert_eq!(every.tick().await, start + if first.is_some() { ms(20) } else { ms(10) });
    drop(every);
    assert_eq!(time.pending(), 0);
}

/// When it is gone, its time can be turned by hand, and everybody rings who is due.
async fn pump(sim: Sim) {
    let (outer, reading) = (sim.time(), sim.time());
    let (time, pump) = time::pump(move || reading.now(), move |duration| outer.sleep(duration));
    let (driver, turned) = (sim.clone(), time.clone());
    sim.spawn_background("driver", async move {
        let gone = driver.cancel_at_each(pump).await;
        assert!(gone.is_none());
        driver.advance(ms(10)).await;
        turned.turn();
    });
    let sleepers = [2, 1, 3].map(|n| {
        let time = time.clone();
        sim.spawn("sleeper", async move { time.sleep(ms(n)).await })
    });
    for sleeper in sleepers {
        sleeper.await;
    }
    assert_eq!(time.pending(), 0);
}
