//! A chart: for each workload, a bar a peer, as a ratio to the limit.

use std::error::Error;
use std::path::Path;

use plotters::prelude::{
    BLACK, DrawingArea, DrawingBackend, IntoDrawingArea, IntoFont, RGBColor, Rectangle, SVGBackend, Text, WHITE,
};
use plotters::style::{Color, TextStyle};

use crate::peers::Kind;
use crate::report::Table;

/// Width of the chart in pixels.
const WIDTH: u32 = 900;
/// Where the bars begin.
const LEFT: i32 = 230;
/// Where the longest bar ends; its figure stands to the right.
const RIGHT: i32 = 780;
/// Height of a bar's line.
const LINE: i32 = 18;
/// Height of a heading's line.
const HEADING: i32 = 34;
/// A bar longer than this ratio is cut, its figure still telling.
const CUT: f64 = 12.0;

/// A bar.
struct Bar {
    /// Whose.
    label: &'static str,
    /// How long.
    ratio: f64,
    /// What it stands for.
    kind: Kind,
}

/// Draws the tables that have figures into `path`.
pub fn draw(tables: &[Table], path: &Path) -> Result<(), Box<dyn Error>> {
    let charts: Vec<_> = tables.iter().map(|table| (table, bars(table))).collect();
    let height: i32 = charts.iter().map(|(_, bars)| HEADING + LINE * bars.len() as i32).sum();
    let root = SVGBackend::new(path, (WIDTH, (height + LINE).unsigned_abs())).into_drawing_area();
    root.fill(&WHITE)?;
    let mut y = 0;
    for (table, bars) in &charts {
        draw_table(&root, table, bars, y)?;
        y += HEADING + LINE * bars.len() as i32;
    }
    root.present()?;
    Ok(())
}

/// The bars of a table: ratios to its limit, or to its best peer where it has none.
fn bars(table: &Table) -> Vec<Bar> {
    let Some(base) = table.limit_us().or(table.best_peer().map(|(_, us)| us)) else {
        return Vec::new();
    };
    table
        .rows
        .iter()
        .filter_map(|row| {
            let ratio = row.outcome.as_ref().ok()?.time_us / base;
            Some(Bar { label: row.label, ratio, kind: row.kind })
        })
        .collect()
}

/// Draws one table's bars below its heading.
fn draw_table<B: DrawingBackend>(
    root: &DrawingArea<B, plotters::coord::Shift>,
    table: &Table,
    bars: &[Bar],
    top: i32,
) -> Result<(), Box<dyn Error>>
where
    B::ErrorType: 'static,
{
    let base = if table.limit_us().is_some() { "limit" } else { "best peer" };
    let heading = format!("{} (x {base}, shorter is better)", table.workload.title);
    root.draw(&Text::new(heading, (8, top + 12), style(14)))?;
    let longest = bars.iter().map(|bar| bar.ratio.min(CUT)).fold(1.0, f64::max);
    for (i, bar) in bars.iter().enumerate() {
        let y = top + HEADING + LINE * i as i32;
        let length = (bar.ratio.min(CUT) / longest * f64::from(RIGHT - LEFT)).max(1.0) as i32;
        root.draw(&Text::new(bar.label, (16, y), style(12)))?;
        root.draw(&Rectangle::new([(LEFT, y), (LEFT + length, y + LINE - 5)], colour(bar.kind).filled()))?;
        let figure = if bar.ratio > CUT { format!("{:.2} (bar cut)", bar.ratio) } else { format!("{:.2}", bar.ratio) };
        root.draw(&Text::new(figure, (LEFT + length + 6, y), style(12)))?;
    }
    Ok(())
}

/// Black text of a size.
fn style(size: i32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&BLACK)
}

/// One colour a kind.
fn colour(kind: Kind) -> RGBColor {
    match kind {
        Kind::Limit => RGBColor(120, 120, 120),
        Kind::Library => RGBColor(150, 180, 215),
        Kind::Tool => RGBColor(190, 190, 190),
        Kind::Automatic => RGBColor(200, 80, 40),
        Kind::Forced => RGBColor(230, 150, 110),
    }
}
