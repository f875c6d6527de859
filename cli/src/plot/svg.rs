//! A figure as SVG 1.1, plain enough for browsers, documents and converters; dark where the reader's screen is.

use std::fmt::Write as _;

use mixdown_dsp::math;

use super::figure::{Axis, Curve, Figure};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 540.0;
const LEFT: f64 = 78.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 74.0;
const BOTTOM: f64 = 62.0;

/// Colours that tell apart on white and on black, also by those who see no red or no green: after M. Okabe and K. Ito,
/// Color Universal Design (2008).
const COLOURS: [&str; 5] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00"];

const STYLE: &str = "text { font: 14px system-ui, 'DejaVu Sans', sans-serif; fill: #333 } .title { font-size: 19px; font-weight: 600; fill: #111 } \
    .paper { fill: #fff } .grid { stroke: #ddd; stroke-width: 1 } .frame { fill: none; stroke: #777; stroke-width: 1 } \
    .zero { stroke: #999; stroke-width: 1.5 } .curve { fill: none; stroke-width: 2.5; stroke-linejoin: round } \
    .guide { fill: none; stroke: #888; stroke-width: 1.5; stroke-dasharray: 6 5 } \
    @media (prefers-color-scheme: dark) { text { fill: #ccc } .title { fill: #fff } .paper { fill: #16181d } .grid { stroke: #33363d } \
    .frame { stroke: #888 } .zero { stroke: #666 } }";

/// Draws a figure.
#[must_use]
pub fn draw(figure: &Figure) -> String {
    let Figure { title, about, x, y, curves } = figure;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" role=\"img\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n<rect class=\"paper\" width=\"{WIDTH}\" height=\"{HEIGHT}\"/>\n\
         <text class=\"title\" x=\"{LEFT}\" y=\"32\">{title}</text>\n<text x=\"{LEFT}\" y=\"55\">{about}</text>\n",
        title = escaped(title),
        about = escaped(about),
    );
    grid(&mut svg, x, y);
    let shown: Vec<&Curve> = curves.iter().filter(|curve| !curve.points.is_empty()).collect();
    let mut colours = COLOURS.iter().cycle();
    let mut legend_x = WIDTH - RIGHT;
    let mut legend = Vec::new();
    for curve in &shown {
        let stroke = if curve.is_guide { None } else { colours.next() };
        let stroke = stroke
            .map_or_else(|| "class=\"guide\"".to_owned(), |colour| format!("class=\"curve\" stroke=\"{colour}\""));
        let points: Vec<String> =
            curve.points.iter().map(|(at, value)| format!("{:.2},{:.2}", across(x, *at), down(y, *value))).collect();
        let _ = writeln!(
            svg,
            "<polyline {stroke} points=\"{}\"><title>{}</title></polyline>",
            points.join(" "),
            escaped(&curve.label)
        );
        if !curve.label.is_empty() {
            legend.push((stroke, curve.label.as_str()));
        }
    }
    // Wide enough for the widest letters of the fonts named; what is too long for the second row stands in the first.
    let width = |label: &str| 8.0 * label.chars().count() as f64 + 42.0;
    let row = if legend.iter().map(|(_, label)| width(label)).sum::<f64>() < 400.0 { 55.0 } else { 32.0 };
    for (stroke, label) in legend.into_iter().rev() {
        legend_x -= width(label);
        let (line, text, middle) = (legend_x + 24.0, legend_x + 30.0, row - 5.0);
        let _ = writeln!(
            svg,
            "<line {stroke} x1=\"{legend_x:.1}\" y1=\"{middle}\" x2=\"{line:.1}\" y2=\"{middle}\"/>\
             <text x=\"{text:.1}\" y=\"{row}\">{}</text>",
            escaped(label),
        );
    }
    svg += "</svg>\n";
    svg
}

/// Lines and numbers of both axes, and their labels.
fn grid(svg: &mut String, x: &Axis, y: &Axis) {
    let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    let is_inside = |axis: &Axis, tick: f64| (axis.min..=axis.max).contains(&tick);
    for tick in x.ticks.iter().copied().filter(|tick| is_inside(x, *tick)) {
        let at = across(x, tick);
        let _ = writeln!(svg, "<line class=\"grid\" x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{bottom}\"/>");
        let _ = writeln!(
            svg,
            "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            bottom + 20.0,
            number(tick)
        );
    }
    for tick in y.ticks.iter().copied().filter(|tick| is_inside(y, *tick)) {
        let at = down(y, tick);
        let class = if tick == 0.0 { "zero" } else { "grid" };
        let _ = writeln!(svg, "<line class=\"{class}\" x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{right}\" y2=\"{at:.1}\"/>");
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 8.0,
            at + 5.0,
            number(tick)
        );
    }
    let (width, height) = (right - LEFT, bottom - TOP);
    let _ = writeln!(svg, "<rect class=\"frame\" x=\"{LEFT}\" y=\"{TOP}\" width=\"{width}\" height=\"{height}\"/>");
    let (middle, centre) = (LEFT + width / 2.0, TOP + height / 2.0);
    let _ = writeln!(svg, "<text x=\"{middle}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>", HEIGHT - 16.0, x.label);
    let _ = writeln!(
        svg,
        "<text transform=\"translate(24 {centre}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
        y.label
    );
}

/// Where a value stands on the axis to the right.
fn across(axis: &Axis, value: f64) -> f64 {
    LEFT + share(axis, value) * (WIDTH - LEFT - RIGHT)
}

/// Where a value stands on the axis upwards.
fn down(axis: &Axis, value: f64) -> f64 {
    HEIGHT - BOTTOM - share(axis, value) * (HEIGHT - TOP - BOTTOM)
}

/// 0 at the low end of an axis, 1 at the high end; what lies beyond is drawn at the end.
fn share(axis: &Axis, value: f64) -> f64 {
    let place = |value: f64| if axis.logarithmic { math::ln(value) } else { value };
    ((place(value) - place(axis.min)) / (place(axis.max) - place(axis.min))).clamp(0.0, 1.0)
}

/// `250`, `−6`, `0.25`, `2k`.
fn number(value: f64) -> String {
    let text = match value {
        value if value.abs() >= 1000.0 => format!("{}k", value / 1000.0),
        value => format!("{}", (value * 1000.0).round() / 1000.0),
    };
    text.replace('-', "−")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
