//! Level, loudness and correlation over time.

use mixdown_dsp::quality::{Channel, Quality};

use super::chart::{Axis, Chart};
use super::entry::Entry;
use super::text::{clock, figure, number};

/// Most columns that are drawn.
const DRAWN: usize = 800;
/// What the waveform counts in.
const SCALE: f64 = 10_000.0;

/// Joins neighbours until there are few enough to draw; the middle of each in seconds, and the values that it joins.
fn joined<T>(values: &[T], column_seconds: f64, seconds: f64) -> impl Iterator<Item = (f64, &[T])> {
    let together = values.len().div_ceil(DRAWN).max(1);
    values.chunks(together).enumerate().map(move |(index, chunk)| {
        let start = (index * together) as f64 * column_seconds;
        let end = (start + chunk.len() as f64 * column_seconds).min(seconds);
        ((start + end) / 2.0, chunk)
    })
}

fn greatest(values: &[Option<f64>]) -> Option<f64> {
    values.iter().copied().flatten().reduce(f64::max)
}

/// One waveform per channel.
pub fn waveforms(entry: &Entry, quality: &Quality) -> String {
    let channels = quality.channels.len();
    let one = |(index, channel): (usize, &Channel)| {
        let name = super::text::channel(index, channels);
        let seconds = entry.measurement.duration_seconds;
        let about = format!(
            "Sample peak {} dBFS, root mean square {} dBFS",
            figure(channel.sample_peak_dbfs, 2),
            figure(channel.rms_dbfs, 2)
        );
        let y = Axis {
            low: -1.0,
            high: 1.0,
            logarithmic: false,
            ticks: vec![
                (-1.0, String::new()),
                (-0.5, "−0.5".into()),
                (0.0, "0".into()),
                (0.5, "0.5".into()),
                (1.0, String::new()),
            ],
        };
        let mut chart =
            Chart::new(&format!("Waveform, {}", name.to_lowercase()), "full scale = 1", &about, Axis::time(seconds), y)
                .over_time()
                .with_class("wave");
        let extents: Vec<(i32, i32)> =
            channel.waveform_min.iter().copied().zip(channel.waveform_max.iter().copied()).collect();
        let peaks: Vec<(f64, f64, f64)> = joined(&extents, quality.column_seconds, seconds)
            .map(|(at, chunk)| {
                let low = chunk.iter().map(|extent| extent.0).min().unwrap_or(0);
                let high = chunk.iter().map(|extent| extent.1).max().unwrap_or(0);
                // A line that has no height would not be seen.
                (at, (f64::from(low) / SCALE).min(-0.003), (f64::from(high) / SCALE).max(0.003))
            })
            .collect();
        let rms: Vec<(f64, f64, f64)> = joined(&channel.waveform_rms, quality.column_seconds, seconds)
            .map(|(at, chunk)| {
                let squares: f64 = chunk.iter().map(|rms| f64::from(*rms) * f64::from(*rms)).sum();
                let rms = (squares / chunk.len() as f64).sqrt() / SCALE;
                (at, -rms, rms)
            })
            .collect();
        chart.band("peaks", &peaks);
        chart.band("rms", &rms);
        if index == 0 {
            chart.key("peaks", "peaks");
            chart.key("rms", "RMS");
        }
        chart.html()
    };
    quality.channels.iter().enumerate().map(one).collect()
}

/// Momentary and short-term loudness.
pub fn loudness(entry: &Entry, quality: &Quality) -> String {
    let (course, measured) = (&quality.loudness, &entry.measurement);
    let seconds = measured.duration_seconds;
    let high = measured.momentary_max_lufs.map_or(0.0, |level| (level / 6.0).ceil() * 6.0).max(0.0);
    let low = measured.integrated_lufs.map_or(-60.0, |level| ((level - 24.0) / 6.0).floor() * 6.0).max(-72.0);
    let about = format!(
        "Integrated {} LUFS; loudest 400 ms {} LUFS, loudest 3 s {} LUFS",
        figure(measured.integrated_lufs, 1),
        figure(measured.momentary_max_lufs, 1),
        figure(measured.short_term_max_lufs, 1)
    );
    let mut chart = Chart::new("Loudness", "LUFS", &about, Axis::time(seconds), Axis::even(low, high, 6.0)).over_time();
    let points = |values: &[Option<f64>]| {
        joined(values, quality.column_seconds, seconds).map(|(at, chunk)| (at, greatest(chunk))).collect::<Vec<_>>()
    };
    chart.line("thin", points(&course.momentary_lufs).into_iter());
    chart.line("thick", points(&course.short_term_lufs).into_iter());
    chart.key("thin", "momentary (400 ms)");
    chart.key("thick", "short-term (3 s)");
    if let Some(integrated) = measured.integrated_lufs {
        chart.level("dashed", integrated);
        chart.key("dashed", format!("integrated {}", number(integrated, 1)));
    }
    chart.html()
}

/// Correlation of left and right.
pub fn correlation(entry: &Entry, quality: &Quality) -> String {
    let Some(stereo) = &quality.stereo else { return String::new() };
    let seconds = entry.measurement.duration_seconds;
    let least = stereo.correlation.iter().enumerate().filter_map(|(index, value)| Some(((*value)?, index)));
    let least = least.min_by(|a, b| a.0.total_cmp(&b.0));
    let about = format!(
        "Mean {}; lowest {} at {}",
        figure(stereo.mean_correlation, 2),
        figure(least.map(|least| least.0), 2),
        clock(least.map_or(0.0, |least| least.1 as f64 * quality.column_seconds), 1)
    );
    let mut chart = Chart::new(
        "Stereo correlation",
        "−1 inverted … +1 mono",
        &about,
        Axis::time(seconds),
        Axis::even(-1.0, 1.0, 0.5),
    )
    .over_time();
    chart.band("trouble", &[(0.0, -1.0, 0.0), (seconds, -1.0, 0.0)]);
    chart.level("zero", 0.0);
    let points: Vec<(f64, Option<f64>)> = joined(&stereo.correlation, quality.column_seconds, seconds)
        .map(|(at, chunk)| (at, chunk.iter().copied().flatten().reduce(f64::min)))
        .collect();
    chart.line("thick", points.into_iter());
    chart.key("thick", "lowest of each moment");
    if let Some(mean) = stereo.mean_correlation {
        chart.level("dashed", mean);
        chart.key("dashed", format!("mean {}", number(mean, 2)));
    }
    chart.html()
}
