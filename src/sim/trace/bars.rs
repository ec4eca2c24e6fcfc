//! The bars of a picture: what tasks wait for, and stretches that the test marked.

use super::escape::Xml;
use super::layout::{LANE, TRACK, TRACKS};
use super::story::{Bar, Place, Stay, Stretch, Waits};
use super::svg::{BAR, FEW, Picture, SMALL};
use super::words::{cause, cut, line, name, short, waits};
use crate::time::Instant;
use alloc::format;
use alloc::string::{String, ToString};

impl Picture<'_> {
    /// A bar for what a task waits for, or a line if it is ready.
    pub(super) fn stay(&mut self, bar: &Bar<'_>) {
        let Some(y) = self.layout.lane(bar.task).map(|lane| lane.y) else { return };
        let (from, to) = (self.layout.x(bar.from), bar.to.map_or(self.layout.right, |place| self.layout.x(place)));
        let (w, task) = (to - from, name(self.trace, bar.task, 60));
        if w <= 0.0 {
            return;
        }
        let when = self.between(bar.from, bar.to);
        let (class, says) = match bar.stay {
            Stay::Ready(by) => {
                let why = by.map_or("was started".to_string(), |by| format!("was woken by {}", cause(self.trace, by)));
                let why = Xml(&format!("{task} is ready: it {why}, {when}")).to_string();
                self.put(format_args!(
                    "<path class=\"ready\" d=\"M{from:.1} {y:.1}H{to:.1}\"><title>{why}</title></path>"
                ));
                return;
            }
            Stay::Unknown => ("else", "waits".to_string()),
            Stay::Waits(on) => (sort(on), waits(on)),
        };
        let made = match bar.stay {
            Stay::Waits(Waits { on, .. }) => {
                on.iter().filter_map(|wait| wait.id).map(|(_, made)| format!(", made at {made}")).collect()
            }
            _ => String::new(),
        };
        let stuck = if bar.to.is_none() && self.trace.concerns(bar.task) { " stuck" } else { "" };
        self.put(format_args!(
            "<g><title>{}</title><rect class=\"{class}{stuck}\" x=\"{from:.1}\" y=\"{:.1}\" width=\"{w:.1}\" height=\"{:.1}\" rx=\"3\"/>",
            Xml(&format!("{task} waits for {says}{made}, {when}")),
            y - BAR,
            BAR * 2.0
        ));
        self.label(from, y + 3.4, w, says);
        self.put(format_args!("</g>"));
    }

    /// From when to when something lasts.
    fn between(&self, from: Place, to: Option<Place>) -> String {
        let rows = &self.story.rows;
        let start = rows.get(from.row).map_or(Instant::EPOCH, |row| row.until());
        let end = to.and_then(|place| rows.get(place.row));
        let end = end.map_or(self.trace.end().at, |row| row.now.at);
        match to {
            _ if start == end => format!("at {}", short(start)),
            Some(_) => format!("from {} to {}", short(start), short(end)),
            None => format!("from {} to the end", short(start)),
        }
    }

    /// A bar below the lane of a task, for a stretch.
    pub(super) fn stretch(&mut self, stretch: &Stretch<'_>) {
        let &Stretch { task, text, from, to, track, .. } = stretch;
        let Some(lane) = task.and_then(|task| self.layout.lane(task)) else { return };
        let (x, end) = (self.layout.x(from), to.map_or(self.layout.right, |place| self.layout.x(place)));
        let (w, y) = (end - x, lane.y + LANE / 2.0 + TRACK * track as f32);
        if w <= 0.0 || track >= TRACKS {
            return;
        }
        let says = Xml(&format!("{text}, {}", self.between(from, to))).to_string();
        self.put(format_args!(
            "<g><title>{says}</title><rect class=\"span\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w:.1}\" height=\"{:.1}\" rx=\"2\"/>",
            TRACK - 3.0
        ));
        self.label(x, y + 8.5, w, line(text, 200));
        self.put(format_args!("</g>"));
    }

    /// A label within a bar, cut off where the bar ends; none, if little of it would be left.
    fn label(&mut self, x: f32, y: f32, w: f32, mut label: String) {
        let room = ((w - 8.0) / SMALL) as usize;
        if w > 8.0 && room >= label.chars().count().min(FEW) {
            cut(&mut label, room);
            self.text(x + 4.0, y, "s", &label);
        }
    }
}

/// The class of a bar.
fn sort(Waits { on, .. }: Waits<'_>) -> &'static str {
    match on {
        [] => "else",
        [first, ..] if first.id.is_some() => "kit",
        [first, ..] if !first.until.is_never() => "time",
        _ => "kit",
    }
}
