//! A recording as a picture.

use super::escape::Xml;
use super::event::Cause;
use super::layout::{LANE, Layout, NOTES, mark};
use super::story::{Act, End, Place, Row, Stay, Story};
use super::value::Trace;
use super::words::{Short, cut, line, name, short, waits};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{Arguments, Write as _};

/// How wide a character is in the small type, and in the usual one.
pub(super) const SMALL: f32 = 5.7;
const USUAL: f32 = 6.65;
/// The most characters of a name.
const NAME: usize = 28;
/// Of a label in a bar, so many characters are better than none.
pub(super) const FEW: usize = 9;
/// How wide the legend is.
const LEGEND: f32 = 1_080.0;
/// Where the lanes begin.
const TOP: f32 = 96.0;
/// Half the height of a bar, and of a mark.
pub(super) const BAR: f32 = 7.0;
const MARK: f32 = 9.0;

const STYLE: &str = "\
text{font:11px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;fill:#24292f}\n\
.s{font-size:9.5px}.g{fill:#6e7781}.h{font-size:15px;font-weight:bold}.bad{fill:#cf222e}.n{fill:#8250df}.m{text-anchor:middle}\n\
.page{fill:#fff}.band{fill:#eef1f4}.life{stroke:#d0d7de}.poll{fill:#0969da}.done{fill:#1a7f37}.panic{fill:#cf222e}\n\
.sign{stroke:#fff;stroke-width:1.6;fill:none}\n\
.time{fill:#fff3c4;stroke:#d4a72c}.kit{fill:#e9e0fb;stroke:#a475f9}.else{fill:#e4e8ec;stroke:#8c959f}\n\
.span{fill:#d2f0ee;stroke:#1b7c83}.stuck{stroke:#cf222e;stroke-width:1.6;stroke-dasharray:4 2}.ready{stroke:#2da44e;stroke-width:2.4}\n\
.wake{stroke:#bc4c00;stroke-width:1.3;fill:none}.head{fill:#bc4c00}.start{stroke:#6e7781;stroke-dasharray:2 2;fill:none}\n\
.bell{fill:#d4a72c}.lull{fill:#fff;stroke:#6e7781}.out{fill:#bf3989}.end{stroke:#cf222e;stroke-width:1.5}.flag{fill:#8250df}\n\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.g{fill:#8d96a0}.bad{fill:#ff7b72}.n{fill:#d2a8ff}.page{fill:#0d1117}\n\
.band{fill:#1a212a}.life{stroke:#3d444d}.poll{fill:#4493f8}.done{fill:#3fb950}.panic{fill:#f85149}.sign{stroke:#0d1117}\n\
.time{fill:#4b3a0c;stroke:#bb8009}.kit{fill:#35215f;stroke:#8957e5}.else{fill:#2b323b;stroke:#6e7681}.span{fill:#0c3a3f;stroke:#2a9d9d}.stuck{stroke:#f85149}\n\
.ready{stroke:#3fb950}.wake{stroke:#f0883e}.head{fill:#f0883e}.start{stroke:#8d96a0}.bell{fill:#e3b341}\n\
.lull{fill:#0d1117;stroke:#8d96a0}.out{fill:#f778ba}.end{stroke:#f85149}.flag{fill:#d2a8ff}}";

impl Trace {
    /// The run as a picture: an SVG file that needs nothing else, for light and dark backgrounds.
    ///
    /// Each task has a lane, in the order in which they were started. Polls are marks, what a task waits for between
    /// them are bars, and arrows show who woke whom. Stretches ([`Sim::span`](crate::sim::Sim::span)) are bars below
    /// the lane of their task. What a mark or a bar stands for, its tooltip says in full.
    ///
    /// # Time
    /// It goes from left to right, and is virtual: it moves on only between the shaded bands, in each of which all
    /// happens at one instant. Bands are as wide as much happens in them; what lies between them grows with the
    /// logarithm of the time that passes. Of a long run the last part is shown, 300 polls or more, and of many tasks at
    /// most 200.
    pub fn to_svg(&self) -> String {
        let story = Story::of(self);
        let widest = |tasks: usize| (0..tasks).map(|task| name(self, task, NAME).chars().count()).max().unwrap_or(0);
        let left = 34.0 + widest(self.tasks().len()).max(10) as f32 * USUAL;
        let layout = Layout::of(self, &story, left, TOP);
        let mut picture = Picture { trace: self, story: &story, layout: &layout, out: String::new() };
        picture.draw();
        picture.out
    }
}

pub(super) struct Picture<'a> {
    pub(super) trace: &'a Trace,
    pub(super) story: &'a Story<'a>,
    pub(super) layout: &'a Layout,
    out: String,
}

impl Picture<'_> {
    pub(super) fn put(&mut self, shape: Arguments<'_>) {
        let _ = writeln!(self.out, "{shape}");
    }

    pub(super) fn text(&mut self, x: f32, y: f32, class: &str, text: &str) {
        self.put(format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\">{}</text>", Xml(text)));
    }

    fn draw(&mut self) {
        let Layout { left, right, bottom, .. } = *self.layout;
        let stuck = self.stuck();
        let beside = stuck.iter().map(|(_, says)| says.chars().count()).max().unwrap_or(0) as f32 * SMALL;
        let title = self.title();
        let least = 24.0 + title.iter().map(|(_, text)| text.chars().count()).max().unwrap_or(0) as f32 * USUAL;
        let (width, height) = ((right + 24.0 + beside).max(least).max(LEGEND), bottom + 74.0);
        self.put(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\">\n\
             <style>{STYLE}</style>\n<rect class=\"page\" width=\"100%\" height=\"100%\"/>"
        ));
        for ((class, text), y) in title.iter().zip([24.0, 42.0, 57.0]) {
            self.text(12.0, y, class, text);
        }
        self.axis();
        self.lanes(left, right);
        self.story.bars.iter().for_each(|bar| self.stay(bar));
        self.story.stretches.iter().for_each(|stretch| self.stretch(stretch));
        let rows = self.story.rows.iter().enumerate().skip(self.layout.skipped);
        rows.clone().for_each(|(n, row)| self.arrows(n, row));
        rows.for_each(|(n, row)| self.poll(n, row));
        self.notes();
        if self.trace.failure().is_some() {
            let (y, top) = (bottom + 4.0, TOP - 8.0);
            self.put(format_args!("<path class=\"end\" d=\"M{right:.1} {top:.1}V{y:.1}\"/>"));
        }
        for (y, says) in stuck {
            self.text(right + 8.0, y + 3.5, "s bad", &says);
        }
        self.legend(bottom + 30.0);
        self.out.push_str("</svg>\n");
    }

    /// What the picture is of: classes and texts.
    fn title(&self) -> Vec<(&'static str, String)> {
        let end = self.trace.end();
        let plural = if end.poll == 1 { "" } else { "s" };
        let when = format!("at {}, after {} poll{plural}", short(end.at), end.poll);
        let mut title = match self.trace.failure() {
            None => alloc::vec![("h", format!("Done {when}"))],
            Some((kind, message)) => {
                let kind = kind.to_string();
                let (first, rest) = kind.split_at(1);
                let head = format!("{}{rest} {when}", first.to_uppercase());
                alloc::vec![("h bad", head), ("", line(message.lines().next().unwrap_or_default(), 150))]
            }
        };
        let mut small = line(self.trace.replay(), 110);
        if self.layout.skipped > 0 || self.trace.dropped() > 0 {
            let shown = self.story.rows[self.layout.skipped..].iter().filter(|row| row.poll.is_some()).count();
            small.push_str(&format!("; the last {shown} polls are shown"));
        }
        if self.layout.hidden > 0 {
            small.push_str(&format!("; {} tasks are not shown", self.layout.hidden));
        }
        title.push(("s g", small));
        title
    }

    /// Bands for instants, with their times, and the numbers of polls.
    fn axis(&mut self) {
        let Layout { columns, skipped, bottom, .. } = self.layout;
        let rows = &self.story.rows[*skipped..];
        let (mut free, mut numbered, mut at) = (0.0, 0.0, 0);
        for same in rows.chunk_by(|a, b| b.from.is_none() && a.now.at == b.now.at) {
            let (first, last) = (columns[at], columns[at + same.len() - 1]);
            let (x, w) = (first.from, last.to - first.from);
            let instant = short(same[0].now.at);
            self.put(format_args!(
                "<rect class=\"band\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{w:.1}\" height=\"{:.1}\"><title>{instant}</title></rect>",
                TOP - 14.0,
                bottom - TOP + 18.0
            ));
            if let Some(from) = same[0].from {
                let passed = format!("+{}", Short(same[0].now.at.as_nanos() - from.as_nanos()));
                let (gap, needed) = (first.from - first.moves, passed.chars().count() as f32 * SMALL);
                if needed + 4.0 <= gap {
                    self.text(first.moves + gap / 2.0, TOP - 4.0, "s g m", &passed);
                }
            }
            let label = instant.to_string();
            if x >= free {
                self.text(x, TOP - 20.0, "", &label);
                free = x + label.chars().count() as f32 * USUAL + 10.0;
            }
            for (row, column) in same.iter().zip(&columns[at..]) {
                let number = row.now.poll.to_string();
                let needed = number.chars().count() as f32 * SMALL;
                if row.poll.is_some() && column.from >= numbered {
                    self.text(column.from, TOP - 4.0, "s g", &number);
                    numbered = column.from + needed + 5.0;
                }
            }
            at += same.len();
        }
    }

    /// Names, and the lines on which tasks live.
    fn lanes(&mut self, left: f32, right: f32) {
        for lane in &self.layout.lanes {
            let (task, y) = (&self.trace.tasks()[lane.task], lane.y);
            let label = name(self.trace, lane.task, NAME);
            let made = task.made.map_or(String::new(), |made| format!(", made at {made}"));
            let background = if task.background { ", in the background" } else { "" };
            let path = if task.path.is_empty() { String::new() } else { format!(" [{}]", task.path) };
            let class = if self.trace.concerns(lane.task) { " class=\"bad\"" } else { "" };
            self.put(format_args!(
                "<text x=\"12\" y=\"{:.1}\"{class}>{}<title>{}</title></text>\n\
                 <path class=\"life\" d=\"M{:.1} {y:.1}H{right:.1}\" stroke-dasharray=\"1 4\"/>",
                y + 4.0,
                Xml(&label),
                Xml(&format!("{}{path}{background}{made}", task.label())),
                left - 8.0
            ));
        }
    }

    /// Who woke and started whom in a row.
    fn arrows(&mut self, n: usize, row: &Row<'_>) {
        let of = row.poll.map(|poll| poll.of);
        let from = of.and_then(|of| self.layout.lane(of)).map(|lane| lane.y);
        let who = of.map_or(String::new(), |of| name(self.trace, of, 60));
        for (act, done) in (1..).zip(&row.acts) {
            let x = self.layout.x(Place { row: n, act });
            let (Act::Starts(task) | Act::Wakes(task, _)) = *done else { continue };
            let Some(y) = self.layout.lane(task).map(|lane| lane.y) else { continue };
            let whom = name(self.trace, task, 60);
            let by = if let Act::Wakes(_, by) = *done { Some(by) } else { None };
            let (shape, says) = match (by, from) {
                (None, Some(from)) => (
                    format!(
                        "<path class=\"start\" d=\"M{x:.1} {from:.1}V{y:.1}\"/>\
                         <circle class=\"lull\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\"/>"
                    ),
                    format!("{who} starts {whom}"),
                ),
                (Some(Cause::Task(_)), _) if of == Some(task) => {
                    let (a, b, low) = (x - 4.0, x + 4.0, y - MARK - 1.0);
                    let high = low - 6.0;
                    let arc = format!("M{a:.1} {low:.1}C{a:.1} {high:.1} {b:.1} {high:.1} {b:.1} {low:.1}");
                    (format!("<path class=\"wake\" d=\"{arc}\"/>"), format!("{whom} wakes itself"))
                }
                (Some(Cause::Task(_)), Some(from)) => {
                    let (edge, back) = if from < y { (y - BAR, y - BAR - 5.0) } else { (y + BAR, y + BAR + 5.0) };
                    let head = format!("M{x:.1} {edge:.1}L{:.1} {back:.1}H{:.1}Z", x - 3.0, x + 3.0);
                    let line = format!("<path class=\"wake\" d=\"M{x:.1} {from:.1}V{back:.1}\"/>");
                    (format!("{line}<path class=\"head\" d=\"{head}\"/>"), format!("{who} wakes {whom}"))
                }
                (None | Some(Cause::Task(_)), None) => continue,
                (Some(Cause::Timer), _) => (
                    format!("<circle class=\"bell\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>"),
                    format!("a timer wakes {whom} at {}", short(row.until())),
                ),
                (Some(by @ (Cause::Lull | Cause::Nothing)), _) => {
                    let why = if by == Cause::Lull { "nobody is ready: on goes" } else { "nothing wakes" };
                    (format!("<circle class=\"lull\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>"), format!("{why} {whom}"))
                }
                (Some(Cause::Outside), _) => (
                    format!("<path class=\"out\" d=\"M{x:.1} {:.1}l5 5l-5 5l-5 -5Z\"/>", y - 5.0),
                    format!("another thread wakes {whom}"),
                ),
            };
            self.put(format_args!("<g><title>{}</title>{shape}</g>", Xml(&says)));
        }
    }

    /// The mark of a poll.
    fn poll(&mut self, n: usize, row: &Row<'_>) {
        let (Some(poll), Some(column)) = (&row.poll, self.layout.column(n)) else { return };
        let Some(y) = self.layout.lane(poll.of).map(|lane| lane.y) else { return };
        let (from, w) = (column.from, mark(column, row.acts.len()));
        let r = 2.0_f32.min(w / 4.0);
        let (class, then) = match poll.end {
            End::Waits(_) if row.wakes_itself() => ("poll", "is ready again".to_string()),
            End::Waits(on) => ("poll", format!("waits for {}", waits(on))),
            End::Done if row.drops_whole() => ("panic", "was dropped".to_string()),
            End::Done => ("done", "is done".to_string()),
            End::Panicked => ("panic", "panics".to_string()),
            End::Cut => ("poll", String::new()),
        };
        let among = match poll.among {
            0 => ", though nobody woke it".to_string(),
            1 => String::new(),
            among => format!(", chosen among {among} that are ready"),
        };
        let mut says = format!(
            "poll {} at {}: {}{among}; then it {then}",
            row.now.poll,
            short(row.now.at),
            name(self.trace, poll.of, 60)
        );
        for act in &row.acts {
            match act {
                Act::Chooses { chosen, n } => says.push_str(&format!("; it chooses {chosen} below {n}")),
                Act::Drops(dropped) => says.push_str(&format!("; {dropped}")),
                Act::Moves { to } => says.push_str(&format!("; it moves time to {}", short(*to))),
                _ => {}
            }
        }
        self.put(format_args!(
            "<g><title>{}</title><rect class=\"{class}\" x=\"{from:.1}\" y=\"{:.1}\" width=\"{w:.1}\" height=\"{:.1}\" rx=\"{r:.1}\"/>",
            Xml(&says),
            y - MARK,
            MARK * 2.0
        ));
        let (x, s) = (from + w / 2.0, 3.0_f32.min(w / 3.0));
        match class {
            "done" if w >= 5.0 => self.put(format_args!(
                "<path class=\"sign\" d=\"M{:.1} {y:.1}L{:.1} {:.1}L{:.1} {:.1}\"/>",
                x - s,
                x - s / 4.0,
                y + s,
                x + s,
                y - s
            )),
            "panic" if w >= 5.0 => self.put(format_args!(
                "<path class=\"sign\" d=\"M{0:.1} {2:.1}L{1:.1} {3:.1}M{1:.1} {2:.1}L{0:.1} {3:.1}\"/>",
                x - s,
                x + s,
                y - s,
                y + s
            )),
            _ => {}
        }
        self.put(format_args!("</g>"));
    }

    /// What the test noted, and which faults there were, above the lanes of those concerned; cut off where the next
    /// begins.
    fn notes(&mut self) {
        let mut notes = Vec::new();
        for (n, row) in self.story.rows.iter().enumerate().skip(self.layout.skipped) {
            let Some(lane) = row.poll.and_then(|poll| self.layout.lane(poll.of)) else { continue };
            for (act, done) in (1..).zip(&row.acts) {
                let (text, kind) = match *done {
                    Act::Notes(text) => (text, "note"),
                    Act::Faults(text) => (text, "fault"),
                    _ => continue,
                };
                let (x, y) = (self.layout.x(Place { row: n, act }), lane.y - LANE / 2.0 - NOTES + 11.0);
                notes.push((lane.task, x, y, text, kind));
            }
        }
        for (n, &(task, x, y, text, kind)) in notes.iter().enumerate() {
            let next = notes[n + 1..].iter().find(|note| note.0 == task).map(|note| note.1);
            let room = next.map_or(60, |next| ((next - x - 8.0) / SMALL) as usize);
            let mut label = line(text, 60);
            cut(&mut label, room.max(1));
            let (says, foot) = (Xml(&format!("{kind}: {text}")).to_string(), y + 3.0);
            let (flag, class) = if kind == "note" { ("flag", "s n") } else { ("panic", "s bad") };
            let shape = format!("<path class=\"{flag}\" d=\"M{x:.1} {foot:.1}v-9l5 3l-5 3Z\"/>");
            self.put(format_args!("<g><title>{says}</title>{shape}"));
            if room >= 3 {
                self.text(x + 7.0, y, class, &label);
            }
            self.put(format_args!("</g>"));
        }
    }

    /// Where those stand whom the failure concerns, and what each was about.
    fn stuck(&self) -> Vec<(f32, String)> {
        let panicked = self.trace.failure().map(|(_, message)| message).unwrap_or_default();
        let says = |&task: &usize| {
            let lane = self.layout.lane(task)?;
            let left = self.story.bars.iter().find(|bar| bar.task == task && bar.to.is_none());
            let says = match left.map(|bar| bar.stay) {
                Some(Stay::Waits(on)) => format!("waits for {}", waits(on)),
                Some(Stay::Unknown) => "waits".to_string(),
                Some(Stay::Ready(_)) => "ready".to_string(),
                None => panicked.split_once("panicked: ").map_or("", |(_, said)| said).to_string(),
            };
            Some((lane.y, line(says.lines().next().unwrap_or_default(), 48)))
        };
        self.trace.concerned.iter().filter_map(says).collect()
    }

    fn legend(&mut self, y: f32) {
        let mut x = 12.0;
        let bar = |class: &str| format!("<rect class=\"{class}\" y=\"-7\" width=\"22\" height=\"14\" rx=\"3\"/>");
        let items = [
            ("<rect class=\"poll\" x=\"5\" y=\"-9\" width=\"12\" height=\"18\" rx=\"2\"/>".to_string(), "poll"),
            ("<rect class=\"done\" x=\"5\" y=\"-9\" width=\"12\" height=\"18\" rx=\"2\"/><path class=\"sign\" d=\"M8 0L10 3L14 -3\"/>".to_string(), "last poll"),
            ("<path class=\"ready\" d=\"M0 0H22\"/>".to_string(), "ready"),
            (bar("time"), "waits for time"),
            (bar("kit"), "for a task or primitive"),
            (bar("else"), "for something else"),
            ("<path class=\"wake\" d=\"M11 -9V4\"/><path class=\"head\" d=\"M11 9L8 4H14Z\"/>".to_string(), "wakes"),
            ("<path class=\"start\" d=\"M11 -9V8\"/><circle class=\"lull\" cx=\"11\" cy=\"8\" r=\"2.5\"/>".to_string(), "starts"),
            ("<circle class=\"bell\" cx=\"11\" cy=\"0\" r=\"4\"/>".to_string(), "timer rings"),
        ];
        let marked = (bar("span"), "marked by the test");
        let marked = (!self.story.stretches.is_empty()).then_some(marked);
        for (shape, says) in items.into_iter().chain(marked) {
            self.put(format_args!("<g transform=\"translate({x:.1} {y:.1})\">{shape}</g>"));
            self.text(x + 27.0, y + 3.5, "s", says);
            x += 27.0 + says.chars().count() as f32 * SMALL + 14.0;
        }
        self.text(12.0, y + 28.0, "s g", "Virtual time: all within a shaded band happens at one instant; time moves on only between bands, and their distance is not to scale.");
    }
}
