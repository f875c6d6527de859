//! A plot. Its marks are SVG that stretches with the page; its text is HTML that does not.

use std::fmt::Write as _;

use super::text::escaped;

/// Units of the drawing to the right and down.
pub const WIDTH: f64 = 1000.0;
/// The same down.
pub const HEIGHT: f64 = 300.0;

/// An axis: where its ends are, and where lines and numbers stand.
#[derive(Debug, Clone)]
pub struct Axis {
    /// Value at the left or at the bottom.
    pub low: f64,
    /// Value at the right or at the top.
    pub high: f64,
    /// Whether distances are ratios.
    pub logarithmic: bool,
    /// Values and their labels; a label that begins with `~` is left out where there is little room.
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    /// Where a value lies, 0 at the low end and 1 at the high end; beyond the ends, at the end.
    pub fn share(&self, value: f64) -> f64 {
        let place = |value: f64| if self.logarithmic { mixdown_dsp::math::ln(value) } else { value };
        ((place(value) - place(self.low)) / (place(self.high) - place(self.low))).clamp(0.0, 1.0)
    }

    /// Where it is drawn, to the right.
    pub fn x(&self, value: f64) -> f64 {
        WIDTH * self.share(value)
    }

    /// Where it is drawn, down.
    pub fn y(&self, value: f64) -> f64 {
        HEIGHT * (1.0 - self.share(value))
    }

    /// An axis of time.
    pub fn time(seconds: f64) -> Self {
        const STEPS: [f64; 14] = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0];
        let step = STEPS.into_iter().find(|step| seconds / step <= 12.0).unwrap_or(3600.0);
        let decimals = if step < 1.0 { 1 } else { 0 };
        let count = (seconds / step).floor() as usize;
        let label = |index: usize| {
            let text = super::text::clock(index as f64 * step, decimals);
            if index % 2 == 1 { format!("~{text}") } else { text }
        };
        let ticks = (0..=count).map(|index| (index as f64 * step, label(index))).collect();
        Self { low: 0.0, high: seconds.max(1e-3), logarithmic: false, ticks }
    }

    /// An axis in steps from `low` to `high`.
    pub fn even(low: f64, high: f64, step: f64) -> Self {
        let count = ((high - low) / step).round() as usize;
        let tick = |index: usize| {
            let value = low + index as f64 * step;
            let text = super::text::number(value, if step < 1.0 { 1 } else { 0 });
            (value, if index % 2 == 1 && count > 5 { format!("~{text}") } else { text })
        };
        Self { low, high, logarithmic: false, ticks: (0..=count).map(tick).collect() }
    }
}

/// A line or an area in the legend.
#[derive(Debug, Clone)]
pub struct Key {
    /// Class of its mark.
    pub class: &'static str,
    /// What it is.
    pub label: String,
}

/// A plot under construction.
pub struct Chart {
    title: String,
    unit: String,
    about: String,
    x: Axis,
    y: Axis,
    marks: String,
    keys: Vec<Key>,
    /// Whether a click on it seeks.
    seeks: bool,
    class: &'static str,
}

impl Chart {
    /// An empty plot; `about` tells in words what is seen, for those who cannot see it.
    pub fn new(title: &str, unit: &str, about: &str, x: Axis, y: Axis) -> Self {
        Self {
            title: title.to_owned(),
            unit: unit.to_owned(),
            about: about.to_owned(),
            x,
            y,
            marks: String::new(),
            keys: Vec::new(),
            seeks: false,
            class: "",
        }
    }

    /// Makes it one over time that the player follows.
    pub fn over_time(mut self) -> Self {
        self.seeks = true;
        self
    }

    /// Gives it a class.
    pub fn with_class(mut self, class: &'static str) -> Self {
        self.class = class;
        self
    }

    /// Adds a line through points (x, y); it is broken where there is no y.
    pub fn line(&mut self, class: &'static str, points: impl Iterator<Item = (f64, Option<f64>)>) {
        let mut path = String::new();
        let mut pen_down = false;
        for (x, y) in points {
            match y {
                Some(y) => {
                    let command = if pen_down { 'L' } else { 'M' };
                    let _ = write!(path, "{command}{:.1} {:.1}", self.x.x(x), self.y.y(y));
                    pen_down = true;
                }
                None => pen_down = false,
            }
        }
        if !path.is_empty() {
            let _ = write!(self.marks, "<path class=\"{class}\" d=\"{path}\"/>");
        }
    }

    /// Adds an area between two values over x.
    pub fn band(&mut self, class: &'static str, points: &[(f64, f64, f64)]) {
        if points.is_empty() {
            return;
        }
        let mut path = String::new();
        for (index, (x, _, high)) in points.iter().enumerate() {
            let _ = write!(path, "{}{:.1} {:.1}", if index == 0 { 'M' } else { 'L' }, self.x.x(*x), self.y.y(*high));
        }
        for (x, low, _) in points.iter().rev() {
            let _ = write!(path, "L{:.1} {:.1}", self.x.x(*x), self.y.y(*low));
        }
        let _ = write!(self.marks, "<path class=\"{class}\" d=\"{path}Z\"/>");
    }

    /// Adds a level line across.
    pub fn level(&mut self, class: &'static str, y: f64) {
        let _ = write!(self.marks, "<path class=\"{class}\" d=\"M0 {0:.1}H{WIDTH}\"/>", self.y.y(y));
    }

    /// Adds a bar between two values of x, from the bottom up to y.
    pub fn bar(&mut self, class: &'static str, from: f64, to: f64, y: f64) {
        let (left, right, top) = (self.x.x(from), self.x.x(to), self.y.y(y));
        let (width, height) = ((right - left - 1.5).max(0.5), HEIGHT - top);
        let _ = write!(
            self.marks,
            "<rect class=\"{class}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
        );
    }

    /// Adds to the legend.
    pub fn key(&mut self, class: &'static str, label: impl Into<String>) {
        self.keys.push(Key { class, label: label.into() });
    }

    /// The plot as HTML.
    pub fn html(&self) -> String {
        let Self { title, unit, about, x, y, marks, keys, .. } = self;
        let mut grid = String::new();
        let mut labels = String::new();
        for (value, label) in &y.ticks {
            let _ = write!(grid, "<path class=\"grid\" d=\"M0 {0:.1}H{WIDTH}\"/>", y.y(*value));
            let top = 100.0 * (1.0 - y.share(*value));
            let (minor, label) = minor(label);
            let _ = write!(labels, "<span class=\"y{minor}\" style=\"top:{top:.2}%\">{label}</span>");
        }
        for (value, label) in &x.ticks {
            let _ = write!(grid, "<path class=\"grid\" d=\"M{0:.1} 0V{HEIGHT}\"/>", x.x(*value));
            let left = 100.0 * x.share(*value);
            let (minor, label) = minor(label);
            let _ = write!(labels, "<span class=\"x{minor}\" style=\"left:{left:.2}%\">{label}</span>");
        }
        let legend: String = keys
            .iter()
            .map(|key| {
                format!(
                    "<li><svg class=\"key\" viewBox=\"0 0 26 10\" aria-hidden=\"true\"><path class=\"{}\" d=\"M0 5H26\"/></svg>{}</li>",
                    key.class,
                    escaped(&key.label)
                )
            })
            .collect();
        let legend = if legend.is_empty() { legend } else { format!("<ul class=\"legend\">{legend}</ul>") };
        let seeks = if self.seeks { " data-seeks" } else { "" };
        let playhead = if self.seeks { "<i class=\"playhead\" hidden></i>" } else { "" };
        let class = self.class;
        format!(
            "<figure class=\"chart {class}\"><figcaption><b>{}</b> <span class=\"unit\">{}</span>{legend}</figcaption>\
             <div class=\"plot\"{seeks} role=\"img\" aria-label=\"{}\">\
             <svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" aria-hidden=\"true\">{grid}{marks}</svg>\
             {playhead}<div class=\"labels\" aria-hidden=\"true\">{labels}</div></div></figure>\n",
            escaped(title),
            escaped(unit),
            escaped(&format!("{title}. {about}")),
        )
    }
}

/// The class and the text of a label that may be left out.
fn minor(label: &str) -> (&'static str, String) {
    match label.strip_prefix('~') {
        Some(label) => (" minor", escaped(label)),
        None => ("", escaped(label)),
    }
}
