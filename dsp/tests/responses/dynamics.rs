//! What the tests of dynamics processors share, and the comparison with ffmpeg's.
//!
//! `acompressor` and `agate` (libavfilter) smooth the level before the curve, linearly, with a quarter of the stated time as
//! time constant; ours smooth the reduction after it, in dB, with the stated time. Courses over time therefore differ by
//! definition. The static curves agree: ffmpeg's knee is the cubic through the ends of the knee with the slopes there,
//! which is the parabola of Giannoulis et al.; its width is given as a factor about the threshold; and `agate` is a
//! downward expander.

use core::f64::consts::{E, TAU};

use mixdown_dsp::math;
use mixdown_dsp::nodes::{Compressor, Detection, Expander, Processor};

use super::support::render;
use super::tools::{filter, read_f32};
use super::{db, from_db};

const RATE_HZ: u32 = 48_000;

/// So many frames at a level.
pub fn constant(level_db: f64, frames: usize) -> Vec<f32> {
    vec![from_db(level_db) as f32; frames]
}

/// One level after the other.
pub fn levels(steps: &[(f64, usize)]) -> Vec<f32> {
    steps.iter().flat_map(|(level_db, frames)| constant(*level_db, *frames)).collect()
}

/// A sine.
pub fn tone(frequency_hz: f64, amplitude: f64, frames: usize) -> Vec<f32> {
    let phase = |frame: usize| TAU * frequency_hz * frame as f64 / f64::from(RATE_HZ);
    (0..frames).map(|frame| (amplitude * math::sin(phase(frame))) as f32).collect()
}

/// Frames from `start` until the gain in dB has gone 63.2 % of its way from where it was to where it is before `end`.
pub fn arrival_frames(input: &[f32], output: &[f32], start: usize, end: usize) -> usize {
    let gain = |frame: usize| db(f64::from(output[frame]) / f64::from(input[frame]));
    let (from, to) = (gain(start - 1), gain(end - 1));
    let reached = |frame: &usize| (gain(*frame) - from) / (to - from) >= 1.0 - 1.0 / E - 1e-6;
    (start..end).find(reached).expect("because the gain arrives") + 1 - start
}

/// The amplitude at a frequency; the signal holds whole periods of it.
pub fn amplitude(signal: &[f32], frequency_hz: f64) -> f64 {
    let (mut real, mut imaginary) = (0.0, 0.0);
    for (frame, sample) in signal.iter().enumerate() {
        let phase = TAU * frequency_hz * frame as f64 / f64::from(RATE_HZ);
        real += f64::from(*sample) * math::cos(phase);
        imaginary += f64::from(*sample) * math::sin(phase);
    }
    2.0 * (real * real + imaginary * imaginary).sqrt() / signal.len() as f64
}

/// Harmonics 2 to 10 of a processed tone against the fundamental, in dB, once all has settled.
pub fn thd_db(processor: &Processor, frequency_hz: f64, level_db: f64) -> f64 {
    let output = render(processor, RATE_HZ, &[tone(frequency_hz, from_db(level_db), 3 * RATE_HZ as usize)]).remove(0);
    let settled = &output[2 * RATE_HZ as usize..];
    let power: f64 = (2..=10)
        .map(f64::from)
        .filter(|harmonic| harmonic * frequency_hz < f64::from(RATE_HZ) / 2.0)
        .map(|harmonic| amplitude(settled, harmonic * frequency_hz))
        .map(|amplitude| amplitude * amplitude)
        .sum();
    db(power.sqrt() / amplitude(settled, frequency_hz))
}

/// A level every 4 dB from −76 to 0 dBFS, each as a square wave, whose magnitude is constant, so long that all settles.
const STEP_FRAMES: usize = 6000;

fn staircase() -> Vec<f32> {
    let signed = |(frame, sample): (usize, f32)| if frame / 24 % 2 == 0 { sample } else { -sample };
    let steps: Vec<(f64, usize)> = (0..20).map(|step| (-76.0 + 4.0 * f64::from(step), STEP_FRAMES)).collect();
    levels(&steps).into_iter().enumerate().map(signed).collect()
}

/// The gain at the end of each step, in dB.
fn step_gains_db(input: &[f32], output: &[f32]) -> Vec<f64> {
    let end = |step: usize| (step + 1) * STEP_FRAMES - 1;
    (0..input.len() / STEP_FRAMES).map(|step| db(f64::from(output[end(step)] / input[end(step)]))).collect()
}

/// What an ffmpeg filter makes of a mono signal.
fn filtered(graph: &str, input: &[f32]) -> Vec<f32> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bytes = filter(folder.path(), &[&[input.to_vec()]], graph);
    read_f32(&bytes, 1).remove(0)
}

fn compare(filter: &str, processor: &Processor) {
    let input = staircase();
    let theirs = step_gains_db(&input, &filtered(filter, &input));
    let ours = step_gains_db(&input, &render(processor, RATE_HZ, std::slice::from_ref(&input))[0]);
    for (step, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
        assert!((ours - theirs).abs() < 0.01, "{filter}, step {step}: {ours} dB, ffmpeg {theirs} dB");
    }
    assert!(ours.iter().any(|gain| *gain < -5.0), "{ours:?}");
}

#[test]
fn the_compressors_static_curve_is_that_of_ffmpegs_acompressor() {
    for (threshold_db, ratio, knee_db) in [(-20.0, 4.0, 0.0), (-30.0, 2.0, 12.0), (-12.0, 20.0, 18.0)] {
        let filter = format!(
            "acompressor=threshold={}:ratio={ratio}:knee={}:attack=1:release=20:detection=peak",
            from_db(threshold_db),
            from_db(knee_db)
        );
        let c = Compressor { threshold_db, ratio, knee_db, attack_ms: 1.0, release_ms: 5.0, ..Compressor::default() };
        compare(&filter, &Processor::Compressor(c));
    }
}

#[test]
fn the_expanders_static_curve_is_that_of_ffmpegs_agate() {
    for (threshold_db, ratio, knee_db, range_db) in [(-30.0, 2.0, 0.0, 40.0), (-40.0, 3.0, 12.0, 50.0)] {
        let filter = format!(
            "agate=threshold={}:ratio={ratio}:knee={}:range={}:attack=1:release=20:detection=peak",
            from_db(threshold_db),
            from_db(knee_db),
            from_db(-range_db)
        );
        let detection = Detection::Peak;
        let times = Expander { attack_ms: 1.0, hold_ms: 0.0, release_ms: 5.0, ..Expander::default() };
        let e = Expander { threshold_db, ratio, knee_db, range_db, detection, ..times };
        compare(&filter, &Processor::Expander(e));
    }
}
