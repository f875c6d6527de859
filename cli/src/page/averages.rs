//! Long-term spectrum and level histogram.

use mixdown_dsp::math;
use mixdown_dsp::quality::{Quality, Spectrum};

use super::Reference;
use super::chart::{Axis, Chart};
use super::entry::Entry;
use super::text::{figure, number};

/// The slope that is shown for comparison, in dB an octave of bands of equal ratio: −4.5 dB an octave of power density.
const SLOPE_DB: f64 = -1.5;
/// Half the height of its band.
const SLOPE_SPREAD_DB: f64 = 5.0;
/// Where the slope is laid through the mean of the file, in Hz.
const FITTED_HZ: (f64, f64) = (100.0, 10_000.0);
/// What the ends of the slope are.
const SLOPE_HZ: (f64, f64) = (63.0, 12_500.0);

/// Where the lines of the frequency axis stand.
const TICKS: [(f64, &str); 13] = [
    (20.0, "20"),
    (50.0, "~50"),
    (100.0, "100"),
    (200.0, "~200"),
    (500.0, "~500"),
    (1000.0, "1k"),
    (2000.0, "~2k"),
    (5000.0, "~5k"),
    (10_000.0, "10k"),
    (20_000.0, "~20k"),
    (30_000.0, ""),
    (40_000.0, "40k"),
    (80_000.0, "~80k"),
];

fn mean_db(spectrum: &Spectrum) -> Option<f64> {
    let inside = |hz: f64| (FITTED_HZ.0..=FITTED_HZ.1).contains(&hz);
    let points = spectrum.frequencies_hz.iter().zip(&spectrum.levels_dbfs).filter(|(hz, _)| inside(**hz));
    let levels: Vec<f64> = points.filter_map(|(_, level)| *level).collect();
    (!levels.is_empty()).then(|| levels.iter().sum::<f64>() / levels.len() as f64)
}

/// The long-term spectrum, over a slope or another file.
pub fn spectrum(entry: &Entry, quality: &Quality, reference: Option<&Reference>) -> String {
    let spectrum = &quality.spectrum;
    let loudest = spectrum.levels_dbfs.iter().copied().flatten().fold(f64::NEG_INFINITY, f64::max);
    if !loudest.is_finite() {
        return String::new();
    }
    let high = (loudest / 6.0).ceil() * 6.0 + 6.0;
    let last = spectrum.frequencies_hz.last().copied().unwrap_or(20_000.0).max(20_000.0);
    let ticks = TICKS.iter().filter(|(hz, _)| *hz <= last).map(|(hz, label)| (*hz, (*label).to_owned())).collect();
    let x = Axis { low: 20.0, high: last, logarithmic: true, ticks };
    let peak = spectrum.levels_dbfs.iter().position(|level| *level == Some(loudest)).unwrap_or(0);
    let about = format!(
        "Averaged over the file in bands of a sixth of an octave; the strongest is {} dBFS at {} Hz",
        number(loudest, 1),
        number(spectrum.frequencies_hz.get(peak).copied().unwrap_or(0.0), 0)
    );
    let y = Axis::even(high - 72.0, high, 12.0);
    let mut chart = Chart::new("Spectrum", "dBFS in ⅙ octave over Hz", &about, x, y);
    match (reference, mean_db(spectrum)) {
        (Some(reference), _) => {
            // At the loudness of the file.
            let shift = entry.measurement.integrated_lufs.unwrap_or(0.0) - reference.integrated_lufs.unwrap_or(0.0);
            let other = &reference.spectrum;
            let points = other.frequencies_hz.iter().zip(&other.levels_dbfs);
            chart.line("dotted", points.map(|(hz, level)| (*hz, level.map(|level| level + shift))));
            chart.key("dotted", format!("{} at the same loudness ({} dB)", reference.name, number(shift, 1)));
        }
        (None, Some(mean)) => {
            // The mean over the bands lies at the geometric middle of the range.
            let middle = (FITTED_HZ.0 * FITTED_HZ.1).sqrt();
            let at = |hz: f64| mean + SLOPE_DB * math::log2(hz / middle);
            let edges = [SLOPE_HZ.0, SLOPE_HZ.1].map(|hz| (hz, at(hz) - SLOPE_SPREAD_DB, at(hz) + SLOPE_SPREAD_DB));
            chart.band("target", &edges);
            chart.line("dashed", [SLOPE_HZ.0, SLOPE_HZ.1].into_iter().map(|hz| (hz, Some(at(hz)))));
            chart.key("dashed", "slope of −4.5 dB per octave, ±5 dB");
        }
        (None, None) => {}
    }
    chart.line("thick", spectrum.frequencies_hz.iter().copied().zip(spectrum.levels_dbfs.iter().copied()));
    chart.key("thick", "this file");
    chart.html()
}

/// How often which level occurs.
pub fn histogram(quality: &Quality) -> String {
    let histogram = &quality.histogram;
    let most = histogram.shares.iter().copied().fold(0.0, f64::max);
    if most <= 0.0 {
        return String::new();
    }
    let low = -60.0;
    let top = [0.05, 0.1, 0.2, 0.5, 1.0].into_iter().find(|top| most <= *top).unwrap_or(1.0) * 100.0;
    let fullest = histogram.shares.iter().position(|share| *share == most).unwrap_or(0);
    let about = format!(
        "Stretches of 50 ms by their root mean square; most, {} %, lie between {} and {} dBFS",
        number(100.0 * most, 1),
        number(histogram.from_dbfs + fullest as f64, 0),
        number(histogram.from_dbfs + fullest as f64 + 1.0, 0)
    );
    let mut chart = Chart::new(
        "Level histogram",
        "% of the time over dBFS (RMS of 50 ms)",
        &about,
        Axis::even(low, 0.0, 6.0),
        Axis::even(0.0, top, top / 5.0),
    );
    for (index, share) in histogram.shares.iter().enumerate() {
        let level = histogram.from_dbfs + index as f64;
        if level >= low && *share > 0.0 {
            chart.bar("bar", level, level + 1.0, 100.0 * share);
        }
    }
    let rms = quality.channels.iter().filter_map(|channel| channel.rms_dbfs).reduce(f64::max);
    if rms.is_some() {
        chart.key("bar", format!("whole file {} dBFS RMS", figure(rms, 1)));
    }
    chart.html()
}
