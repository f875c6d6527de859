use mixdown_dsp::automation::{Curve, Knot, Lane};
use mixdown_dsp::math;
use mixdown_dsp::node::ParameterLane;
use mixdown_dsp::nodes::{Band, BandKind, Eq, Processor};

use super::support::{Rig, band, bits, impulse, noise, pass, render};
use super::{db, from_db};

const RATE_HZ: f64 = 44_100.0;

/// The gain in dB of an impulse response at a frequency: its Fourier sum.
fn gain_db(response: &[f32], frequency_hz: f64, rate_hz: f64) -> f64 {
    let step = core::f64::consts::TAU * frequency_hz / rate_hz;
    let (cos, sin) = (math::cos(step), math::sin(step));
    let (mut re, mut im, mut sum_re, mut sum_im) = (1.0, 0.0, 0.0, 0.0);
    for sample in response {
        sum_re += f64::from(*sample) * re;
        sum_im += f64::from(*sample) * im;
        (re, im) = (re * cos - im * sin, re * sin + im * cos);
    }
    db((sum_re * sum_re + sum_im * sum_im).sqrt())
}

fn response(bands: Vec<Band>, rate_hz: u32) -> Vec<f32> {
    render(&Processor::Eq(Eq { bands }), rate_hz, &impulse(1, 1 << 16)).remove(0)
}

/// |H| in dB of (n0 + n1·s + n2·s²)/(d0 + d1·s + d2·s²) at s = j·x.
fn analogue_db(numerator: [f64; 3], denominator: [f64; 3], x: f64) -> f64 {
    let magnitude = |[c0, c1, c2]: [f64; 3]| ((c0 - c2 * x * x) * (c0 - c2 * x * x) + c1 * x * c1 * x).sqrt();
    db(magnitude(numerator) / magnitude(denominator))
}

/// The cookbook's analogue bell and shelves (R. Bristow-Johnson).
fn cookbook_db(band: &Band, hz: f64) -> f64 {
    let a = from_db(band.gain_db / 2.0);
    let x = hz / band.frequency_hz;
    let middle = a.sqrt() / band.q;
    match band.kind {
        BandKind::Bell => analogue_db([1.0, a / band.q, 1.0], [1.0, 1.0 / (a * band.q), 1.0], x),
        BandKind::LowShelf => analogue_db([a * a, a * middle, a], [1.0, middle, a], x),
        BandKind::HighShelf => analogue_db([a, a * middle, a * a], [a, middle, 1.0], x),
        BandKind::Tilt => analogue_db([1.0, a, 0.0], [a, 1.0, 0.0], x),
        other => panic!("no closed form for {other:?}"),
    }
}

fn worst_error_db(band: &Band) -> f64 {
    let response = response(vec![band.clone()], RATE_HZ as u32);
    let points = (0..=60).map(|index| 20.0 * math::exp2(f64::from(index) / 60.0 * math::log2(1000.0)));
    points.map(|hz| (gain_db(&response, hz, RATE_HZ) - cookbook_db(band, hz)).abs()).fold(0.0, f64::max)
}

#[test]
fn bells_follow_their_analogue_prototype_to_20_khz() {
    for frequency_hz in [200.0, 1000.0, 5000.0, 10_000.0, 16_000.0, 20_000.0] {
        for q in [0.3, 1.0, 4.0, 10.0] {
            for (gain_db, tolerance_db) in
                [(6.0, 0.08), (-6.0, 0.08), (12.0, 0.15), (-12.0, 0.15), (18.0, 0.21), (-18.0, 0.21)]
            {
                let error = worst_error_db(&band(BandKind::Bell, frequency_hz, gain_db, q));
                assert!(error < tolerance_db, "{frequency_hz} Hz, {gain_db} dB, Q {q}: {error} dB");
            }
        }
    }
}

#[test]
fn shelves_and_tilts_follow_their_analogue_prototype_to_20_khz() {
    for frequency_hz in [100.0, 1000.0, 5000.0, 10_000.0, 16_000.0] {
        for kind in [BandKind::LowShelf, BandKind::HighShelf, BandKind::Tilt] {
            for q in [0.5, core::f64::consts::FRAC_1_SQRT_2, 1.0] {
                for gain_db in [6.0, -12.0, 18.0] {
                    let error = worst_error_db(&band(kind, frequency_hz, gain_db, q));
                    assert!(error < 0.1, "{kind:?} {frequency_hz} Hz, {gain_db} dB, Q {q}: {error} dB");
                }
            }
        }
    }
}

#[test]
fn passes_are_butterworth_at_the_corner_and_down_their_slope() {
    for kind in [BandKind::LowPass, BandKind::HighPass] {
        for frequency_hz in [100.0, 1000.0, 5000.0] {
            for slope in (6..=48).step_by(6) {
                let response = response(vec![pass(kind, frequency_hz, slope)], RATE_HZ as u32);
                let order = f64::from(slope / 6);
                for (ratio, tolerance_db) in [(0.25, 0.15), (1.0, 0.02), (2.0, 0.3)] {
                    let ratio = if kind == BandKind::LowPass { ratio } else { 1.0 / ratio };
                    // |H|² = 1/(1 + x^2n), x upside down for the high-pass.
                    let x: f64 = if kind == BandKind::LowPass { ratio } else { 1.0 / ratio };
                    let expected = -db((1.0 + math::powf(x, 2.0 * order)).sqrt());
                    let measured = gain_db(&response, frequency_hz * ratio, RATE_HZ);
                    assert!(
                        (measured - expected).abs() < tolerance_db,
                        "{kind:?} {frequency_hz} Hz, {slope} dB/octave, {ratio}: {measured} instead of {expected} dB"
                    );
                }
            }
        }
    }
}

#[test]
fn a_notch_removes_its_centre_and_little_else() {
    let response = response(vec![band(BandKind::Notch, 1000.0, 0.0, 10.0)], 48_000);
    assert!(gain_db(&response, 1000.0, 48_000.0) < -80.0);
    for hz in [100.0, 500.0, 2000.0, 15_000.0] {
        let x = hz / 1000.0;
        let expected = analogue_db([1.0, 0.0, 1.0], [1.0, 0.1, 1.0], x);
        assert!((gain_db(&response, hz, 48_000.0) - expected).abs() < 0.02, "{hz} Hz");
    }
}

#[test]
fn a_band_of_0_db_is_bit_exact_passthrough() {
    let kinds = [BandKind::Bell, BandKind::LowShelf, BandKind::HighShelf, BandKind::Tilt];
    let bands = kinds.map(|kind| band(kind, 3000.0, 0.0, 1.0)).to_vec();
    let input = noise(2, 2000, 1.0);
    assert!(bits(&render(&Processor::Eq(Eq { bands }), 44_100, &input)) == bits(&input));
}

#[test]
fn frequencies_beyond_the_band_are_moved_inside() {
    for kind in
        [BandKind::Bell, BandKind::HighShelf, BandKind::LowPass, BandKind::HighPass, BandKind::Notch, BandKind::Tilt]
    {
        let at = |frequency_hz| {
            let bands = vec![Band { slope_db_per_octave: 48, ..band(kind, frequency_hz, 12.0, 0.7) }];
            render(&Processor::Eq(Eq { bands }), 44_100, &noise(1, 1000, 0.5))
        };
        let loudest = at(40_000.0).iter().flatten().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
        assert!(loudest.is_finite() && loudest < 8.0, "{kind:?}: {loudest}");
    }
}

#[test]
fn a_cutoff_that_jumps_does_not_overshoot() {
    // The corner jumps between 200 and 8000 Hz every 5 ms under a sine of 60 Hz: direct forms reach 13.
    let knot = |index: u64| Knot {
        frame: index * 240,
        value: if index.is_multiple_of(2) { 200.0 } else { 8000.0 },
        curve: Curve::Hold,
    };
    let lane = Lane::new((0..400).map(knot).collect()).expect("because the frames rise");
    let sine = |frame: usize| math::sin(core::f64::consts::TAU * 60.0 * frame as f64 / 48_000.0) as f32;
    let input = vec![(0..96_000).map(sine).collect::<Vec<f32>>()];
    let eq = Processor::Eq(Eq { bands: vec![pass(BandKind::LowPass, 200.0, 12)] });
    let output = Rig::new(&eq, 48_000, 1, &[ParameterLane { parameter: 0, lane }]).run(&input, None, &[1000]);
    let peak = output[0].iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
    assert!(peak < 1.05, "{peak}");
}

#[test]
fn an_automated_band_crossing_0_db_is_heard_nowhere_as_a_step() {
    let knot = |frame, value| Knot { frame, value, curve: Curve::Linear };
    let lane = Lane::new(vec![knot(0, -6.0), knot(48_000, 6.0)]).expect("because the frames rise");
    let sine = |frame: usize| math::sin(core::f64::consts::TAU * 1000.0 * frame as f64 / 48_000.0) as f32;
    let input = vec![(0..48_000).map(sine).collect::<Vec<f32>>()];
    let eq = Processor::Eq(Eq { bands: vec![band(BandKind::Bell, 1000.0, 0.0, 1.0)] });
    let output = Rig::new(&eq, 48_000, 1, &[ParameterLane { parameter: 1, lane }]).run(&input, None, &[1000]);
    for start in (2400..47_000).step_by(480) {
        // A quarter of the period after each zero stands the crest.
        let peak = output[0][start..start + 48].iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
        let expected = -6.0 + 12.0 * (start as f64 + 12.0) / 48_000.0;
        assert!(
            (db(f64::from(peak)) - expected).abs() < 0.05,
            "{start}: {} instead of {expected}",
            db(f64::from(peak))
        );
    }
}
