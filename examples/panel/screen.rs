//! What the panel shows, on whatever is drawn on.

use super::batch::Standing;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph, Sparkline};
use std::collections::VecDeque;
use std::time::Duration;

/// How many items ended in each of the last tenths of a second, the latest first.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    ended: VecDeque<u64>,
    before: u64,
}

impl Rates {
    const KEPT: usize = 300;

    pub(crate) fn add(&mut self, total: u64) {
        self.ended.push_front(total - self.before);
        self.ended.truncate(Self::KEPT);
        self.before = total;
    }

    /// In the last second, or what there is of it so far.
    fn a_second(&self) -> u64 {
        self.ended.iter().take(10).sum()
    }
}

pub(crate) fn draw(frame: &mut Frame<'_>, now: &Standing, rates: &Rates) {
    let (count, each) = (&now.count, 15);
    let outcomes = [
        ("done", count.done, Color::Green),
        ("failed", count.failed, Color::Red),
        ("panicked", count.panicked, Color::Red),
        ("timed out", count.timed_out, Color::Yellow),
        ("cancelled", count.cancelled, Color::Yellow),
        ("skipped", count.skipped, Color::DarkGray),
    ];
    let beside = usize::from(frame.area().width / each).clamp(1, outcomes.len());
    let below = outcomes.len().div_ceil(beside) as u16;
    // Where there is little room the rate gives way.
    let rows = [1, 5, 0, below, 1].map(|rows| if rows == 0 { Constraint::Fill(1) } else { Constraint::Length(rows) });
    let [title, meters, rate, ends, keys] = Layout::vertical(rows).areas(frame.area());

    let ended = now.count.total();
    frame.render_widget(Line::from(format!("batch: {ended} of {} ended", now.items)).bold(), title);

    let lines = [
        ("items", ended, now.items, format!("{ended}/{}", now.items), Color::Green),
        (
            "workers",
            now.running as u64,
            now.workers as u64,
            format!("{} of {} busy", now.running, now.workers),
            Color::Cyan,
        ),
        ("queue", now.queued as u64, now.capacity as u64, format!("{} of {}", now.queued, now.capacity), Color::Blue),
        (
            "limit",
            now.available.into(),
            now.quota.max_burst().get().into(),
            format!("{} of {} left", now.available, now.quota.max_burst()),
            Color::Magenta,
        ),
        ("deadline", tenths(now.left), tenths(now.deadline), format!("{} s left", seconds(now.left)), Color::Yellow),
    ];
    let areas: [Rect; 5] = Layout::vertical([Constraint::Length(1); 5]).areas(meters);
    for (area, (name, value, most, says, color)) in areas.into_iter().zip(lines) {
        frame.render_widget(meter(name, value, most, says, color, area.width), area);
    }

    let block = Block::bordered().title(format!("ended: {}/s", rates.a_second()));
    let spark = Sparkline::default().data(rates.ended.iter().copied()).block(block).style(Style::new().green());
    frame.render_widget(spark, rate);

    let said = |(name, number, color): &(&str, u64, Color)| {
        Span::styled(
            format!("{:width$}", format!("{number} {name}"), width = usize::from(each)),
            Style::new().fg(*color),
        )
    };
    let lines: Vec<_> = outcomes.chunks(beside).map(|row| row.iter().map(said).collect::<Line<'_>>()).collect();
    frame.render_widget(Paragraph::new(lines), ends);
    frame.render_widget(Line::from("q: stop   +/-: workers").dim(), keys);
}

/// A bar between a name and what it means. Where there is no room for it, it is left out.
fn meter(name: &str, value: u64, most: u64, says: String, color: Color, width: u16) -> Line<'static> {
    const NAME: u16 = 10;
    const SAYS: u16 = 16;
    let room = width.saturating_sub(NAME + SAYS + 1);
    let full = u16::try_from(u64::from(room) * value.min(most) / most.max(1)).unwrap_or(room);
    Line::from(vec![
        Span::raw(format!("{name:width$}", width = usize::from(NAME))),
        Span::styled("█".repeat(full.into()), Style::new().fg(color)),
        Span::styled("·".repeat((room - full).into()), Style::new().dim()),
        Span::raw(if room == 0 { says } else { format!(" {says}") }),
    ])
}

fn tenths(time: Duration) -> u64 {
    u64::try_from(time.as_millis() / 100).unwrap_or(u64::MAX)
}

fn seconds(time: Duration) -> String {
    format!("{}.{}", time.as_secs(), time.subsec_millis() / 100)
}
