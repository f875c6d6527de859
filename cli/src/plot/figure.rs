//! Figures: which measurement shows a processor, with axes and units.

use mixdown_dsp::math;
use mixdown_dsp::nodes::Processor;
use mixdown_dsp::units::{db_from_gain, db_from_power, gain_from_db};
use serde::Serialize;

use super::measure::{Audio, Bench, magnitude_db};

/// Curves over two axes.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// What is shown: `compressor/vocal-gentle`.
    pub title: String,
    /// How it was measured.
    pub about: String,
    /// The axis to the right.
    pub x: Axis,
    /// The axis upwards.
    pub y: Axis,
    /// What was measured, in the units of the axes.
    pub curves: Vec<Curve>,
}

/// An axis.
#[derive(Debug, Clone, Serialize)]
pub struct Axis {
    /// With the unit: `Frequency (Hz)`.
    pub label: &'static str,
    /// The lowest value.
    pub min: f64,
    /// The highest value.
    pub max: f64,
    /// The values that are marked.
    pub ticks: Vec<f64>,
    /// Whether equal ratios are equally far apart.
    pub logarithmic: bool,
}

/// A curve.
#[derive(Debug, Clone, Serialize)]
pub struct Curve {
    /// What it stands for; empty if there is only one.
    pub label: String,
    /// Whether it only guides the eye.
    pub is_guide: bool,
    /// Points from left to right.
    pub points: Vec<(f64, f64)>,
}

/// Levels below this are drawn at it.
const FLOOR_DB: f64 = -120.0;

/// The figure that an engineer expects of a processor.
pub fn of(title: String, bench: &Bench<'_>) -> Figure {
    let (about, x, y, curves) = match bench.processor.name() {
        "pan" => positions(bench),
        "compressor" | "expander" | "gate" | "limiter" | "saturator" | "clipper" => static_curve(bench),
        "dynamic_eq" | "de_esser" | "multiband" => magnitude_by_level(bench),
        "transient" => burst(bench),
        "delay" | "reverb" | "convolution" => decay(bench),
        _ => magnitude(bench),
    };
    Figure { title, about, x, y, curves }
}

type Parts = (String, Axis, Axis, Vec<Curve>);

/// 20 Hz to 20 kHz or half the sample rate; 100, 1000 and 10000 Hz are among them.
fn frequencies(sample_rate_hz: u32, per_decade: i32) -> Vec<f64> {
    let highest = (0.499 * f64::from(sample_rate_hz)).min(20_000.0);
    let at = |index: i32| math::powf(10.0, 1.0 + f64::from(index) / f64::from(per_decade));
    let round =
        |frequency: f64| if (frequency - frequency.round()).abs() < 1e-6 { frequency.round() } else { frequency };
    let inner = (0..4 * per_decade).map(at).map(round).filter(|frequency| (20.0..highest).contains(frequency));
    [20.0].into_iter().chain(inner).chain([highest]).collect()
}

fn frequency_axis(sample_rate_hz: u32) -> Axis {
    let max = (0.5 * f64::from(sample_rate_hz)).min(20_000.0);
    let ticks = vec![20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0, 10_000.0, 20_000.0];
    Axis { label: "Frequency (Hz)", min: 20.0, max, ticks, logarithmic: true }
}

/// An axis in dB that holds the points and at least `least` on both sides of 0, but no more than 60 dB downwards.
fn level_axis(label: &'static str, curves: &[Curve], least: f64) -> Axis {
    let values = || curves.iter().flat_map(|curve| &curve.points).map(|point| point.1);
    let highest = values().fold(least, f64::max);
    let lowest = values().fold(-least, f64::min).max(highest.min(0.0) - 60.0);
    let step = [1.0, 2.0, 3.0, 6.0, 12.0].into_iter().find(|step| highest - lowest <= 12.0 * step).unwrap_or(24.0);
    axis(label, (lowest / step).floor() * step, (highest / step).ceil() * step, step)
}

/// A linear axis, marked at every `step`.
fn axis(label: &'static str, min: f64, max: f64, step: f64) -> Axis {
    let ticks = (0..=((max - min) / step).round() as i32).map(|index| min + step * f64::from(index)).collect();
    Axis { label, min, max, ticks, logarithmic: false }
}

fn curve(label: impl Into<String>, points: Vec<(f64, f64)>) -> Curve {
    Curve { label: label.into(), is_guide: false, points }
}

fn guide(label: &str, points: Vec<(f64, f64)>) -> Curve {
    Curve { is_guide: true, ..curve(label, points) }
}

/// Magnitudes of all ways from the inputs to the outputs on which anything sounds; equal ones once.
fn magnitude(bench: &Bench<'_>) -> Parts {
    let frames = 65_536;
    let mut ways: Vec<(String, Vec<f32>)> = Vec::new();
    for from in 0..bench.channels {
        let response: Audio = bench.impulse_response(Some(from), frames);
        let outputs = response.len();
        for (to, response) in response.into_iter().enumerate().filter(|(_, way)| way.iter().any(|s| *s != 0.0)) {
            let way = format!("{} → {}", side(from, bench.channels), side(to, outputs));
            match ways.iter_mut().find(|(_, known)| *known == response) {
                Some((known, _)) => *known = format!("{known}, {way}"),
                None => ways.push((way, response)),
            }
        }
    }
    let only = ways.len() == 1;
    let over = |response: &[f32]| {
        let at = |frequency| (frequency, magnitude_db(response, frequency, bench.sample_rate_hz).max(FLOOR_DB));
        frequencies(bench.sample_rate_hz, 80).into_iter().map(at).collect()
    };
    let curves: Vec<Curve> =
        ways.iter().map(|(way, response)| curve(if only { "" } else { way }, over(response))).collect();
    let about = format!("magnitude of the impulse response at {} Hz", bench.sample_rate_hz);
    (about, frequency_axis(bench.sample_rate_hz), level_axis("Gain (dB)", &curves, 6.0), curves)
}

fn side(channel: usize, channels: usize) -> &'static str {
    match (channel, channels) {
        (_, 1) => "mono",
        (0, _) => "L",
        _ => "R",
    }
}

/// Gains of stepped tones at several levels.
fn magnitude_by_level(bench: &Bench<'_>) -> Parts {
    let curves: Vec<Curve> = [-60.0, -30.0, -20.0, -10.0, 0.0]
        .into_iter()
        .map(|level_db| {
            let at = |frequency| (frequency, bench.settled_db(frequency, level_db) - level_db);
            let points = frequencies(bench.sample_rate_hz, 16).into_iter().map(at).collect();
            curve(format!("{level_db} dBFS").replace('-', "−"), points)
        })
        .collect();
    let about = format!("gain of steady tones of several levels at {} Hz", bench.sample_rate_hz);
    (about, frequency_axis(bench.sample_rate_hz), level_axis("Gain (dB)", &curves, 6.0), curves)
}

/// Output level against input level of a steady tone.
fn static_curve(bench: &Bench<'_>) -> Parts {
    let levels = (0..=66).map(|step| -60.0 + f64::from(step));
    let points = levels.map(|level_db| (level_db, bench.settled_db(997.0, level_db).max(FLOOR_DB))).collect();
    let about = format!("steady tone of 997 Hz at {} Hz", bench.sample_rate_hz);
    let unity = vec![(-60.0, -60.0), (6.0, 6.0)];
    let x = axis("Input level (dBFS)", -60.0, 6.0, 6.0);
    let y = axis("Output level (dBFS)", -60.0, 12.0, 6.0);
    (about, x, y, vec![guide("unchanged", unity), curve("output", points)])
}

/// Levels on both sides while the position of a mono source goes from left to right.
fn positions(bench: &Bench<'_>) -> Parts {
    let mono = Bench { channels: 1, ..*bench };
    let mut processor = bench.processor.clone();
    let position = processor.parameters().specs().iter().position(|spec| spec.name == "position").unwrap_or(0);
    let mut points = [Vec::new(), Vec::new()];
    for step in -100..=100 {
        let at = f64::from(step) / 100.0;
        processor.parameters_mut().set(position, at);
        let output = Bench { processor: &processor, ..mono }.impulse_response(None, 1);
        for (points, channel) in points.iter_mut().zip(&output) {
            points.push((at, db_from_gain(f64::from(channel[0])).max(FLOOR_DB)));
        }
    }
    let [left, right] = points;
    let curves = vec![curve("left", left), curve("right", right)];
    let about = "gain of a mono source over its position".to_owned();
    (about, axis("Position", -1.0, 1.0, 0.25), axis("Gain (dB)", -36.0, 3.0, 3.0), curves)
}

/// Level over time of a tone that comes at once and dies away, as a drum does: from −10 dBFS by 100 dB in a second.
fn burst(bench: &Bench<'_>) -> Parts {
    let rate = f64::from(bench.sample_rate_hz);
    let start = (0.05 * rate) as usize;
    let step = core::f64::consts::TAU * 997.0 / rate;
    let sample = |frame: usize| {
        let level_db = -10.0 - 100.0 * frame as f64 / rate;
        (gain_from_db(level_db) * math::sin(step * frame as f64)) as f32
    };
    let frames = (0.5 * rate) as usize;
    let tone: Vec<f32> = (0..frames).map(|frame| frame.checked_sub(start).map_or(0.0, sample)).collect();
    let input = vec![tone; bench.channels];
    let window = (0.002 * rate) as usize;
    let over = |audio: &Audio| {
        let level = |(index, chunk): (usize, &[f32])| {
            let power = chunk.iter().map(|s| 2.0 * f64::from(*s) * f64::from(*s)).sum::<f64>() / chunk.len() as f64;
            (1000.0 * (index * window) as f64 / rate, db_from_power(power).max(-60.0))
        };
        audio[0].chunks(window).enumerate().map(level).collect::<Vec<_>>()
    };
    let curves = vec![guide("input", over(&input)), curve("output", over(&bench.run(&input)))];
    let about = format!("tone of 997 Hz that dies away at {} Hz", bench.sample_rate_hz);
    (about, axis("Time (ms)", 0.0, 500.0, 50.0), axis("Level (dBFS)", -60.0, 6.0, 6.0), curves)
}

/// How the sound of an impulse goes away: its level in short windows, and the energy that is left (M. R. Schroeder, JASA
/// 37, 1965).
fn decay(bench: &Bench<'_>) -> Parts {
    const WINDOWS: usize = 500;
    let rate = f64::from(bench.sample_rate_hz);
    let tail = bench.processor.parameters().tail_frames(bench.sample_rate_hz) as f64;
    let frames = tail.clamp(0.25 * rate, 30.0 * rate) as usize;
    let response = bench.impulse_response(None, frames);
    let window = (frames / 2).div_ceil(WINDOWS);
    let energy = |start: usize| {
        let samples = response.iter().flat_map(|channel| &channel[start..(start + window).min(frames)]);
        samples.map(|sample| f64::from(*sample) * f64::from(*sample)).sum::<f64>()
    };
    let energies: Vec<f64> = (0..frames).step_by(window).map(energy).collect();
    let (total, loudest) = (energies.iter().sum::<f64>(), energies.iter().copied().fold(0.0, f64::max));
    let mut left = total;
    let (mut envelope, mut remaining) = (Vec::new(), Vec::new());
    for (index, energy) in energies.iter().enumerate() {
        let seconds = (index * window) as f64 / rate;
        envelope.push((seconds, db_from_power(energy / loudest).max(FLOOR_DB)));
        remaining.push((seconds, db_from_power((left / total).max(1e-12))));
        left -= energy;
    }
    // Up to where next to nothing is left.
    let last = remaining.iter().rposition(|point| point.1 > -80.0).unwrap_or(0);
    let seconds = remaining[last].0.max(0.05);
    let step = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0].into_iter().find(|step| seconds / step <= 10.0);
    let step = step.unwrap_or(5.0);
    let max = (seconds / step).ceil() * step;
    [&mut envelope, &mut remaining].into_iter().for_each(|points| points.retain(|point| point.0 <= max));
    let curves = vec![curve("level", envelope), curve("energy left", remaining)];
    let about = format!("impulse response in windows of {:.1} ms", 1000.0 * window as f64 / rate);
    (about, axis("Time (s)", 0.0, max, step), axis("Level (dB)", -80.0, 0.0, 10.0), curves)
}

/// The bench of a processor on its own: stereo, as on a bus.
pub fn bench(processor: &Processor, sample_rate_hz: u32, channels: usize) -> Bench<'_> {
    Bench { processor, sample_rate_hz, channels }
}
