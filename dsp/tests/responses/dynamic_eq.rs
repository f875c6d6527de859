use core::f64::consts::TAU;

use mixdown_dsp::automation::{Curve, Knot, Lane};
use mixdown_dsp::math;
use mixdown_dsp::node::ParameterLane;
use mixdown_dsp::nodes::{Band, BandKind, DynamicBand, DynamicBandKind, DynamicEq, Eq, Processor, When};

use super::support::{MAX_BLOCK_FRAMES, Rig, bits, noise, render};
use super::{db, from_db, spectrum};

const RATE_HZ: u32 = 44_100;

fn bell(frequency_hz: f64, range_db: f64) -> DynamicBand {
    DynamicBand {
        kind: DynamicBandKind::Bell,
        frequency_hz,
        q: 1.0,
        range_db,
        when: When::Above,
        threshold_db: -40.0,
        ratio: 100.0,
        knee_db: 0.0,
        attack_ms: 1.0,
        release_ms: 200.0,
    }
}

fn one(band: DynamicBand) -> Processor {
    Processor::DynamicEq(DynamicEq { bands: vec![band] })
}

fn tone(hz: f64, level_db: f64, frames: usize) -> Vec<f32> {
    tone_at(RATE_HZ, hz, level_db, frames)
}

fn tone_at(rate_hz: u32, hz: f64, level_db: f64, frames: usize) -> Vec<f32> {
    let step = TAU * hz / f64::from(rate_hz);
    (0..frames).map(|frame| (from_db(level_db) * math::sin(step * frame as f64)) as f32).collect()
}

/// The gain of a probe over its last 100 ms (whole periods of multiples of 10 Hz) while a key holds the band where it is.
fn gain_db(processor: &Processor, hz: f64, key: &[f32]) -> f64 {
    gain_at_db(RATE_HZ, processor, hz, key)
}

fn gain_at_db(rate_hz: u32, processor: &Processor, hz: f64, key: &[f32]) -> f64 {
    let probe = tone_at(rate_hz, hz, -30.0, key.len());
    let mut rig = Rig::new(processor, rate_hz, 1, &[]);
    let output = rig.run(std::slice::from_ref(&probe), Some(&[key.to_vec()]), &[MAX_BLOCK_FRAMES]).remove(0);
    let level = |signal: &[f32]| {
        let (re, im) = spectrum(&signal[signal.len() - rate_hz as usize / 10..], hz, f64::from(rate_hz));
        db((re * re + im * im).sqrt())
    };
    level(&output) - level(&probe)
}

fn static_kind(kind: DynamicBandKind) -> BandKind {
    match kind {
        DynamicBandKind::Bell => BandKind::Bell,
        DynamicBandKind::LowShelf => BandKind::LowShelf,
        DynamicBandKind::HighShelf => BandKind::HighShelf,
    }
}

/// |H| of the analogue band by the cookbook (R. Bristow-Johnson), in dB.
fn cookbook_db(band: &DynamicBand, gain_db: f64, hz: f64) -> f64 {
    let a = from_db(gain_db / 2.0);
    let x = hz / band.frequency_hz;
    let middle = a.sqrt() / band.q;
    let magnitude = |[c0, c1, c2]: [f64; 3]| ((c0 - c2 * x * x) * (c0 - c2 * x * x) + c1 * x * c1 * x).sqrt();
    let (n, d) = match band.kind {
        DynamicBandKind::Bell => ([1.0, a / band.q, 1.0], [1.0, 1.0 / (a * band.q), 1.0]),
        DynamicBandKind::LowShelf => ([a * a, a * middle, a], [1.0, middle, a]),
        DynamicBandKind::HighShelf => ([a, a * middle, a * a], [a, middle, 1.0]),
    };
    db(magnitude(n) / magnitude(d))
}

#[test]
fn at_rest_it_passes_every_bit() {
    let bands = vec![
        DynamicBand { threshold_db: 0.0, ..bell(1000.0, -12.0) },
        DynamicBand { kind: DynamicBandKind::LowShelf, threshold_db: 0.0, ..bell(100.0, 6.0) },
        DynamicBand { when: When::Below, threshold_db: -80.0, range_db: 0.0, ..bell(5000.0, 0.0) },
    ];
    let mut input = noise(2, 20_000, 0.2);
    input[0][77] = -0.0;
    assert!(bits(&render(&Processor::DynamicEq(DynamicEq { bands }), RATE_HZ, &input)) == bits(&input));
}

#[test]
fn at_full_range_it_is_the_band_of_the_equaliser() {
    let key = |hz| tone(hz, 0.0, 13_230);
    let mut worst = 0.0f64;
    for kind in [DynamicBandKind::Bell, DynamicBandKind::LowShelf, DynamicBandKind::HighShelf] {
        for (frequency_hz, q) in [(100.0, 0.7), (1000.0, 4.0), (9000.0, 1.0), (16_000.0, 0.7)] {
            for range_db in [-12.0, 9.0, -24.0] {
                // Every level but silence is far above: the band stands at its range.
                let band = DynamicBand { kind, q, threshold_db: -80.0, ..bell(frequency_hz, range_db) };
                let still =
                    Band { kind: static_kind(kind), frequency_hz, gain_db: range_db, q, slope_db_per_octave: 12 };
                let eq = Processor::Eq(Eq { bands: vec![still] });
                for hz in [50.0, 100.0, 300.0, 1000.0, 5000.0, 9000.0, 16_000.0] {
                    let key = key(frequency_hz);
                    let difference = gain_db(&one(band.clone()), hz, &key) - gain_db(&eq, hz, &key);
                    worst = worst.max(difference.abs());
                }
            }
        }
    }
    assert!(worst < 0.1, "{worst} dB");
}

#[test]
fn on_the_way_it_follows_the_analogue_band_of_that_gain() {
    // The band at rest, held half way by a level that asks for half the range.
    for (kind, frequency_hz, tolerance_db) in [
        (DynamicBandKind::Bell, 1000.0, 0.15),
        (DynamicBandKind::Bell, 10_000.0, 0.5),
        (DynamicBandKind::LowShelf, 300.0, 0.15),
        (DynamicBandKind::HighShelf, 6000.0, 0.3),
    ] {
        for range_db in [-12.0, 12.0] {
            let band = DynamicBand {
                kind,
                threshold_db: -6.0,
                ratio: 2.0,
                release_ms: 2000.0,
                ..bell(frequency_hz, range_db)
            };
            // Above by 12 dB at a slope of ½, or below the analogue shelf's ear by what its filter takes.
            let heard_hz = match kind {
                DynamicBandKind::Bell => frequency_hz,
                DynamicBandKind::LowShelf => 20.0,
                DynamicBandKind::HighShelf => 18_000.0,
            };
            let over_db = if range_db < 0.0 { 12.0 } else { 6.0 };
            let key = tone(heard_hz, -6.0 + over_db, 44_100);
            let expected = |gain_db: f64, hz: f64| cookbook_db(&band, gain_db, hz);
            for hz in [100.0, 1000.0, 3000.0, 10_000.0, 16_000.0] {
                let found = gain_db(&one(band.clone()), hz, &key);
                let expected = expected(range_db / 2.0, hz);
                assert!(
                    (found - expected).abs() < tolerance_db,
                    "{kind:?} {frequency_hz} Hz {range_db} dB: {found} instead of {expected} at {hz} Hz"
                );
            }
        }
    }
}

#[test]
fn the_static_curve_has_threshold_ratio_and_range_on_both_sides() {
    let expected = |when: When, range_db: f64, over_db: f64, ratio: f64| {
        let beyond = if when == When::Above { over_db.max(0.0) } else { (-over_db).max(0.0) };
        let expands = (range_db > 0.0) == (when == When::Above);
        let effect = beyond * if expands { ratio - 1.0 } else { 1.0 - 1.0 / ratio };
        effect.min(range_db.abs()) * range_db.signum()
    };
    for (rate_hz, when) in [44_100, 48_000, 96_000, 192_000]
        .into_iter()
        .flat_map(|rate_hz| [(rate_hz, When::Above), (rate_hz, When::Below)])
    {
        for range_db in [-9.0, 9.0] {
            for over_db in [-30.0, -8.0, -2.0, 2.0, 8.0, 30.0] {
                let band = DynamicBand { when, ratio: 2.0, release_ms: 100.0, ..bell(2000.0, range_db) };
                let found = gain_at_db(
                    rate_hz,
                    &one(band),
                    2000.0,
                    &tone_at(rate_hz, 2000.0, -40.0 + over_db, rate_hz as usize),
                );
                let expected = expected(when, range_db, over_db, 2.0);
                // A cell of 16 frames may miss the crest of a tone of 22 frames by a little.
                assert!(
                    (found - expected).abs() < 0.1,
                    "{when:?} {range_db} dB, {over_db} dB over at {rate_hz} Hz: {found} instead of {expected}"
                );
            }
        }
    }
}

#[test]
fn a_band_that_moves_below_takes_no_valley_of_a_low_wave_for_a_fall() {
    for rate_hz in [44_100, 192_000] {
        for (kind, frequency_hz) in [(DynamicBandKind::Bell, 50.0), (DynamicBandKind::LowShelf, 150.0)] {
            let band = DynamicBand { kind, when: When::Below, ratio: 2.0, release_ms: 20.0, ..bell(frequency_hz, 9.0) };
            let key = tone_at(rate_hz, 50.0, -10.0, rate_hz as usize);
            let found = gain_at_db(rate_hz, &one(band), 50.0, &key);
            assert!(found.abs() < 0.001, "{kind:?} at {rate_hz} Hz: {found} dB while the tone is 30 dB above");
        }
    }
}

#[test]
fn it_moves_by_its_attack_and_comes_back_by_its_release() {
    let frames = |ms: f64| (ms * 44.1) as usize;
    let band = DynamicBand { attack_ms: 20.0, release_ms: 150.0, ..bell(3000.0, -12.0) };
    let (on, off, end) = (frames(300.0), frames(600.0), frames(1600.0));
    let key: Vec<f32> =
        tone(3000.0, 0.0, end).iter().enumerate().map(|(n, s)| if (on..off).contains(&n) { *s } else { 0.0 }).collect();
    let probe = tone(3000.0, -20.0, end);
    let output = Rig::new(&one(band), RATE_HZ, 1, &[])
        .run(std::slice::from_ref(&probe), Some(&[key]), &[MAX_BLOCK_FRAMES])
        .remove(0);
    // Over a period and a half of the probe.
    let gain_db = |at: usize| {
        let energy = |signal: &[f32]| signal[at..at + 22].iter().map(|s| f64::from(*s) * f64::from(*s)).sum::<f64>();
        0.5 * db(energy(&output) / energy(&probe))
    };
    let reached = |start: usize, from: f64, to: f64| {
        let share = |at: &usize| (gain_db(*at) - from) / (to - from) >= 1.0 - 1.0 / core::f64::consts::E;
        ((start..end - 22).find(share).expect("because it arrives") + 11 - start) as f64 / 44.1
    };
    // Decoupled smoothing lets go through one pole of 150 ms and then one of 20 ms: what is left of a step after t ms is
    // (150·e^(−t/150) − 20·e^(−t/20))/130, which is 1/e at 171.5 ms.
    let left = |ms: f64| (150.0 * math::exp(-ms / 150.0) - 20.0 * math::exp(-ms / 20.0)) / 130.0;
    assert!((left(171.5) * core::f64::consts::E - 1.0).abs() < 1e-3, "{}", left(171.5));
    // Beyond these the cells take up to 32 frames, and the ear's filter a little.
    let (attack_ms, release_ms) = (reached(on, 0.0, -12.0), reached(off, -12.0, 0.0));
    println!("attack {attack_ms:.2} ms, release {release_ms:.2} ms");
    assert!((20.0..21.5).contains(&attack_ms), "attack {attack_ms} ms");
    assert!((171.5..173.0).contains(&release_ms), "release {release_ms} ms");
}

#[test]
fn no_zipper_noise_is_left_in_a_tone_that_moves_the_band() {
    // A tone that swells over the threshold and falls again: its gain goes over all of the range.
    let frames = 44_100;
    let band = DynamicBand { attack_ms: 5.0, release_ms: 50.0, threshold_db: -30.0, ratio: 4.0, ..bell(1000.0, -18.0) };
    let key: Vec<f32> = tone(1000.0, 0.0, frames)
        .iter()
        .enumerate()
        .map(|(n, s)| s * from_db(-40.0 + 40.0 * math::sin(core::f64::consts::PI * n as f64 / frames as f64)) as f32)
        .collect();
    let probe = tone(1000.0, -6.0, frames);
    let output = Rig::new(&one(band), RATE_HZ, 1, &[])
        .run(std::slice::from_ref(&probe), Some(&[key]), &[MAX_BLOCK_FRAMES])
        .remove(0);
    // At the grid's frequency, 44.1 kHz / 16, and beside it by the tone, under a Hann window.
    let hann = |n: usize| 0.5 - 0.5 * math::cos(TAU * n as f64 / frames as f64);
    let windowed: Vec<f64> = output.iter().enumerate().map(|(n, s)| f64::from(*s) * hann(n)).collect();
    let level = |hz: f64| {
        let (re, im) = spectrum(&windowed, hz, f64::from(RATE_HZ));
        db((re * re + im * im).sqrt())
    };
    let carrier = level(1000.0);
    for hz in [2756.25 - 1000.0, 2756.25 + 1000.0, 5512.5 - 1000.0, 5512.5 + 1000.0] {
        let line = level(hz) - carrier;
        assert!(line < -95.0, "{line} dB at {hz} Hz");
    }
}

#[test]
fn automated_bands_arrive_at_the_closed_form_and_do_not_click() {
    let band = DynamicBand { threshold_db: -80.0, ..bell(300.0, -12.0) };
    let processor = one(band);
    let parameter = processor
        .parameters()
        .specs()
        .iter()
        .position(|spec| spec.name == "bands.1.frequency_hz")
        .expect("because a bell has it");
    let knot = |frame, value| Knot { frame, value, curve: Curve::Linear };
    let lane = Lane::new(vec![knot(0, 300.0), knot(22_050, 3000.0)]).expect("because the frames rise");
    let input = tone(3000.0, -6.0, 44_100);
    let mut rig = Rig::new(&processor, RATE_HZ, 1, &[ParameterLane { parameter, lane }]);
    let output = rig.run(std::slice::from_ref(&input), None, &[MAX_BLOCK_FRAMES]).remove(0);
    let (re, im) = spectrum(&output[39_690..], 3000.0, f64::from(RATE_HZ));
    let level = db((re * re + im * im).sqrt() / 2205.0);
    assert!((level + 18.0).abs() < 0.1, "{level} dB");
    let step = output.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
    assert!(step < 0.5 * (TAU * 3000.0 / 44_100.0) as f32 * 1.02, "{step}");
}
