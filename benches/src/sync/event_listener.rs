//! event-listener: `Event`, which keeps nothing for who comes later.

use ::event_listener::Event;

use super::workloads;

fn tell(event: &Event, count: usize) {
    event.notify(count);
}

pub fn event_cycle() -> f64 {
    let event = Event::new();
    workloads::cycle(|| event.listen(), || tell(&event, usize::MAX))
}

pub fn notify_idle() -> f64 {
    let event = Event::new();
    workloads::idle(|| tell(&event, 1))
}

pub fn wake_10000() -> f64 {
    let event = Event::new();
    workloads::wake_many(|| event.listen(), || tell(&event, usize::MAX))
}
