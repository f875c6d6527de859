//! Saturator and clipper: aliases, harmonics, and the silence between dry and wet.

use core::f64::consts::{PI, TAU};

use mixdown_dsp::math;
use mixdown_dsp::nodes::{Clipper, Processor, Saturator, SaturatorCurve};

use super::support::render;
use super::{db, from_db, tools};

const RATE_HZ: u32 = 48_000;

fn sine(hz: f64, amplitude: f64, frames: usize) -> Vec<f32> {
    (0..frames).map(|n| (amplitude * math::sin(TAU * hz * n as f64 / f64::from(RATE_HZ))) as f32).collect()
}

/// Amplitude of a whole number of periods' component at a frequency.
fn amplitude(signal: &[f32], hz: f64) -> f64 {
    amplitude_at(RATE_HZ, signal, hz)
}

fn amplitude_at(rate_hz: u32, signal: &[f32], hz: f64) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (n, sample) in signal.iter().enumerate() {
        let turns = hz * n as f64 / f64::from(rate_hz);
        let phase = TAU * (turns - turns.floor());
        re += f64::from(*sample) * math::cos(phase);
        im += f64::from(*sample) * math::sin(phase);
    }
    2.0 * (re * re + im * im).sqrt() / signal.len() as f64
}

/// A quarter of a second from half a second on, when all is steady.
fn steady(processor: &Processor, input: Vec<f32>) -> Vec<f32> {
    render(processor, RATE_HZ, &[input]).remove(0)[12_000..24_000].to_vec()
}

/// The second of two quarters of a second of a sine of 0 dBFS, at any rate.
fn steady_at(rate_hz: u32, processor: &Processor, hz: u32) -> Vec<f32> {
    let frames = rate_hz as usize / 4;
    let phase = |n: usize| TAU * f64::from(hz) * n as f64 / f64::from(rate_hz);
    let tone = (0..2 * frames).map(|n| math::sin(phase(n)) as f32).collect();
    render(processor, rate_hz, &[tone]).remove(0)[frames..].to_vec()
}

fn hard(drive_db: f64) -> Processor {
    Processor::Clipper(Clipper { ceiling_db: 0.0, drive_db, ..Clipper::default() })
}

fn saturator(curve: SaturatorCurve, drive_db: f64) -> Processor {
    Processor::Saturator(Saturator { curve, drive_db, ..Saturator::default() })
}

/// The worst single alias up to 20 kHz in dB of the fundamental, of a sine of 0 dBFS whose period is a whole divisor.
fn worst_alias_dbc(processor: &Processor, hz: u32) -> f64 {
    worst_alias_at(RATE_HZ, processor, hz)
}

fn worst_alias_at(rate_hz: u32, processor: &Processor, hz: u32) -> f64 {
    let output = steady_at(rate_hz, processor, hz);
    let fundamental = amplitude_at(rate_hz, &output, f64::from(hz));
    // All harmonics fold to multiples of the greatest common divisor of tone and rate.
    let (mut a, mut b) = (rate_hz, hz);
    while b > 0 {
        (a, b) = (b, a % b);
    }
    let lines = (1..=20_000 / a).map(|line| line * a).filter(|line| line % hz != 0);
    db(lines.map(|line| amplitude_at(rate_hz, &output, f64::from(line))).fold(0.0, f64::max) / fundamental)
}

#[test]
fn aliases_stay_below_their_goals() {
    let clipped = worst_alias_dbc(&hard(12.0), 5000);
    assert!(clipped < -95.0, "hard clip: {clipped} dBc");
    let clipped = worst_alias_dbc(&hard(12.0), 1240);
    assert!(clipped < -110.0, "hard clip of 1.24 kHz: {clipped} dBc");
    let tanh = worst_alias_dbc(&saturator(SaturatorCurve::Tanh, 12.0), 5000);
    assert!(tanh < -140.0, "tanh: {tanh} dBc");
    for curve in [SaturatorCurve::Tape, SaturatorCurve::Tube] {
        let alias = worst_alias_dbc(&saturator(curve, 12.0), 5000);
        assert!(alias < -130.0, "{curve:?}: {alias} dBc");
    }
}

#[test]
fn aliases_are_those_of_the_pages_at_every_oversampling() {
    use SaturatorCurve::{Cubic, Tanh, Tape, Tube};
    let clipper = |knee_db, oversampling| {
        Processor::Clipper(Clipper { ceiling_db: 0.0, drive_db: 12.0, knee_db, oversampling, ..Clipper::default() })
    };
    for (step, oversampling) in [4, 8, 16].into_iter().enumerate() {
        let bent = |curve| {
            let saturator = Saturator { curve, drive_db: 12.0, oversampling, ..Saturator::default() };
            worst_alias_dbc(&Processor::Saturator(saturator), 5000)
        };
        for (what, found, pages) in [
            ("tanh", bent(Tanh), [-140.0, -155.0, -155.0]),
            ("tape", bent(Tape), [-115.0, -156.0, -159.0]),
            ("tube", bent(Tube), [-138.0, -138.0, -138.0]),
            ("cubic", bent(Cubic), [-95.0, -112.0, -143.0]),
            ("hard clip", worst_alias_dbc(&clipper(0.0, oversampling), 5000), [-77.0, -96.0, -111.0]),
            ("soft clip", worst_alias_dbc(&clipper(3.0, oversampling), 5000), [-92.0, -119.0, -135.0]),
            ("hard clip of 1.24 kHz", worst_alias_dbc(&clipper(0.0, oversampling), 1240), [-94.0, -118.0, -134.0]),
        ] {
            println!("{what}, {oversampling} times: {found:.1} dBc");
            assert!(found < pages[step] + 1.0, "{what}, {oversampling} times: {found:.1} dBc");
        }
    }
}

#[test]
fn what_a_hard_clip_loses_above_the_band_swings_past_the_ceiling_as_the_page_says() {
    for (hz, page_db) in [(1240, 0.2), (5000, 1.3)] {
        let peak = steady_at(RATE_HZ, &hard(12.0), hz).iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
        let past_db = db(f64::from(peak));
        println!("{hz} Hz: {past_db:.2} dB past the ceiling");
        assert!((past_db - page_db).abs() < 0.1, "{hz} Hz: {past_db} dB past the ceiling");
    }
}

#[test]
fn aliases_stay_low_at_other_rates() {
    // At 44.1 kHz eight times the rate is less than at 48, and harmonics fold to other places.
    for (rate_hz, at_8, at_16) in [
        (44_100, -86.0, -107.0),
        (88_200, -107.0, -124.0),
        (96_000, -110.0, -130.0),
        (176_400, -123.0, -141.0),
        (192_000, -130.0, -143.0),
    ] {
        for (oversampling, goal) in [(8, at_8), (16, at_16)] {
            let clipper = Clipper { ceiling_db: 0.0, drive_db: 12.0, oversampling, ..Clipper::default() };
            let clipped = worst_alias_at(rate_hz, &Processor::Clipper(clipper), 5000);
            println!("{rate_hz} Hz, oversampling {oversampling}: hard clip {clipped:.1} dBc");
            assert!(clipped < goal, "hard clip at {rate_hz} Hz, oversampling {oversampling}: {clipped} dBc");
        }
        let tanh = worst_alias_at(rate_hz, &saturator(SaturatorCurve::Tanh, 12.0), 5000);
        assert!(tanh < -140.0, "tanh at {rate_hz} Hz: {tanh} dBc");
    }
}

#[test]
fn dry_and_wet_cancel_at_every_rate() {
    let clipper = |mix| Processor::Clipper(Clipper { ceiling_db: -6.0, knee_db: 1.0, mix, ..Clipper::default() });
    let quiet = |mix| {
        let saturator =
            Saturator { curve: SaturatorCurve::Cubic, drive_db: -24.0, output_db: 24.0, mix, ..Saturator::default() };
        Processor::Saturator(saturator)
    };
    for rate_hz in [44_100, 88_200, 96_000, 176_400, 192_000] {
        let frames = rate_hz as usize / 4;
        for hz in [100.0, 1000.0, 12_000.0, 18_000.0] {
            let tone = |amplitude: f64| -> Vec<f32> {
                let phase = |n: usize| TAU * hz * n as f64 / f64::from(rate_hz);
                (0..2 * frames).map(|n| (amplitude * math::sin(phase(n))) as f32).collect()
            };
            let apart_db = |wet: &Processor, dry: &Processor, amplitude: f64| {
                let [wet, dry] = [wet, dry].map(|processor| render(processor, rate_hz, &[tone(amplitude)]).remove(0));
                let pairs = wet[frames..].iter().zip(&dry[frames..]);
                db(pairs.fold(0.0, |worst: f64, (w, d)| worst.max(f64::from((w - d).abs()))) / amplitude)
            };
            let clipped_db = apart_db(&clipper(1.0), &clipper(0.0), 0.4);
            assert!(clipped_db < -100.0, "clipper, {hz} of {rate_hz} Hz: {clipped_db} dB");
            // The curve itself bends by −100 dB of the tone where 4·x³/27 does.
            let bent_db = apart_db(&quiet(1.0), &quiet(0.0), 0.05);
            assert!(bent_db < -100.0, "saturator, {hz} of {rate_hz} Hz: {bent_db} dB");
        }
    }
}

#[test]
fn below_the_knee_the_clipper_is_flat_and_dry_and_wet_cancel() {
    for hz in [20.0, 100.0, 1000.0, 5000.0, 12_000.0, 18_000.0, 20_000.0] {
        let input = sine(hz, 0.4, 24_000);
        let clipper = |mix| Processor::Clipper(Clipper { ceiling_db: -6.0, knee_db: 1.0, mix, ..Clipper::default() });
        let (wet, dry) = (steady(&clipper(1.0), input.clone()), steady(&clipper(0.0), input));
        let gain_db = db(amplitude(&wet, hz) / amplitude(&dry, hz));
        assert!(gain_db.abs() < 0.001, "{hz} Hz: {gain_db} dB");
        let residue = wet.iter().zip(&dry).fold(0.0, |worst: f64, (w, d)| worst.max(f64::from((w - d).abs())));
        assert!(db(residue / 0.4) < -100.0, "{hz} Hz: {} dB", db(residue / 0.4));
    }
}

#[test]
fn a_quiet_sound_leaves_the_saturator_as_it_came() {
    for curve in [SaturatorCurve::Tanh, SaturatorCurve::Tape, SaturatorCurve::Cubic] {
        for hz in [100.0, 3000.0, 19_000.0] {
            let input = sine(hz, 0.001, 24_000);
            let output = steady(&saturator(curve, 6.0), input);
            let gain_db = db(amplitude(&output, hz) / (0.001 * from_db(6.0)));
            assert!(gain_db.abs() < 0.001, "{curve:?}, {hz} Hz: {gain_db} dB");
        }
    }
}

#[test]
fn a_hard_clipped_sine_has_the_harmonics_of_its_fourier_series() {
    // Twice too high, so that it is cut from an angle of π/6 on.
    let (a, theta) = (2.0, PI / 6.0);
    let output = steady(&hard(0.0), sine(100.0, a, 24_000));
    for n in [1.0, 3.0, 5.0, 7.0, 9.0, 11.0, 13.0, 15.0] {
        let rise = if n == 1.0 { theta } else { math::sin((n - 1.0) * theta) / (n - 1.0) };
        let slope = 2.0 * a / PI * (rise - math::sin((n + 1.0) * theta) / (n + 1.0));
        let expected = slope + 4.0 * math::cos(n * theta) / (n * PI);
        let measured = amplitude(&output, 100.0 * n);
        assert!((measured - expected.abs()).abs() < 1e-5, "harmonic {n}: {measured} instead of {expected}");
    }
    assert!(db(amplitude(&output, 200.0)) < -140.0);
}

#[test]
fn the_cubic_makes_the_third_harmonic_alone() {
    let a = 1.2;
    let output = steady(&saturator(SaturatorCurve::Cubic, 0.0), sine(100.0, a, 24_000));
    // sin³ = (3·sin − sin 3)/4.
    assert!((amplitude(&output, 100.0) - (a - a * a * a / 9.0)).abs() < 1e-5);
    assert!((amplitude(&output, 300.0) - a * a * a / 27.0).abs() < 1e-5);
    for n in [2.0, 4.0, 5.0, 6.0, 7.0, 9.0] {
        let dbfs = db(amplitude(&output, 100.0 * n));
        assert!(dbfs < -130.0, "harmonic {n}: {dbfs} dB");
    }
}

#[test]
fn the_tube_is_uneven_and_leaves_no_direct_current() {
    let output = steady(&saturator(SaturatorCurve::Tube, 6.0), sine(100.0, 0.5, 24_000));
    let harmonic = |n: f64| db(amplitude(&output, 100.0 * n) / amplitude(&output, 100.0));
    assert!(harmonic(2.0) > harmonic(3.0) && harmonic(2.0) > -25.0, "{} {}", harmonic(2.0), harmonic(3.0));
    let mean = output.iter().map(|sample| f64::from(*sample)).sum::<f64>() / output.len() as f64;
    assert!(mean.abs() < 1e-3, "{mean}");
}

#[test]
fn slow_sines_come_out_as_of_ffmpegs_soft_clipper() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let input = sine(100.0, 3.0, 24_000);
    for (curve, kind) in [(SaturatorCurve::Tanh, "tanh"), (SaturatorCurve::Tape, "alg")] {
        let filter = format!("asoftclip=type={kind}");
        let theirs =
            tools::read_f32(&tools::filter(folder.path(), &[std::slice::from_ref(&input)], &filter), 1).remove(0);
        let processor = saturator(curve, 0.0);
        let latency = processor.parameters().latency_frames(RATE_HZ);
        let ours = render(&processor, RATE_HZ, std::slice::from_ref(&input)).remove(0);
        let pairs = ours[12_000 + latency..].iter().zip(&theirs[12_000..]);
        let residue = pairs.fold(0.0, |worst: f64, (a, b)| worst.max(f64::from((a - b).abs())));
        assert!(db(residue) < -90.0, "{kind}: {} dB", db(residue));
    }
}
