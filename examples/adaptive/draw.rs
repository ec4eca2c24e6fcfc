//! The story as a drawing.

use super::{Point, service};
use plotters::coord::Shift;
use plotters::prelude::*;
use std::error::Error;
use std::path::Path;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A curve, from left to right, with gaps where there is nothing.
struct Curve<'a> {
    name: &'a str,
    style: ShapeStyle,
    pieces: Vec<Vec<(f64, f64)>>,
}

impl<'a> Curve<'a> {
    fn new(name: &'a str, style: ShapeStyle, story: &[Point], value: impl Fn(&Point) -> Option<f64>) -> Self {
        let pieces = story.split(|point| value(point).is_none());
        let points =
            |piece: &[Point]| piece.iter().filter_map(|point| Some((point.at.as_secs_f64(), value(point)?))).collect();
        Self { name, style, pieces: pieces.map(points).collect() }
    }
}

/// Writes an SVG file: limit and calls in flight above, latency below.
pub(crate) fn draw(story: &[Point], file: &Path) -> Result<(), Box<dyn Error + Send + Sync>> {
    let root = SVGBackend::new(file, (960, 640)).into_drawing_area();
    root.fill(&WHITE)?;
    let (above, below) = root.split_vertically(380);
    let workers = Curve::new("workers of the service", RGBColor(170, 170, 170).stroke_width(2), story, |point| {
        Some(point.workers as f64)
    });
    let limit = Curve::new("limit", RGBColor(230, 140, 120).stroke_width(5), story, |point| Some(point.limit.into()));
    let in_flight =
        Curve::new("in flight", RGBColor(40, 90, 180).stroke_width(2), story, |point| Some(point.in_flight.into()));
    chart(&above, "calls at once", 40.0, &[workers, limit, in_flight])?;
    let latency = Curve::new("longest round trip", RGBColor(40, 130, 70).stroke_width(2), story, |point| {
        point.latency.map(|latency| latency.as_secs_f64() * 1_000.0)
    });
    chart(&below, "milliseconds", 350.0, &[latency])?;
    root.present()?;
    Ok(())
}

fn chart(area: &Area<'_>, unit: &str, most: f64, curves: &[Curve<'_>]) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(52)
        .build_cartesian_2d(0.0..service::END.as_secs_f64(), 0.0..most)?;
    chart
        .configure_mesh()
        .x_desc("virtual time in seconds")
        .y_desc(unit)
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| format!("{y:.0}"))
        .light_line_style(TRANSPARENT)
        .draw()?;
    for &Curve { name, style, ref pieces } in curves {
        for (n, piece) in pieces.iter().enumerate() {
            let drawn = chart.draw_series(LineSeries::new(piece.iter().copied(), style))?;
            if n == 0 {
                drawn.label(name).legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], style));
            }
        }
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.8))
        .draw()?;
    Ok(())
}
