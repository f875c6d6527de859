use mixdown_dsp::nodes::{MonoBelow, Processor};

use super::support::{bits, impulse, noise, render};
use super::{audible_hz, db, spectrum};

const RATES_HZ: [u32; 6] = [44_100, 48_000, 88_200, 96_000, 176_400, 192_000];

/// The responses of left and right to an impulse on these channels.
fn response(m: &MonoBelow, rate_hz: u32, left: f32, right: f32) -> Vec<Vec<f32>> {
    let mut input = impulse(2, rate_hz as usize / 2);
    input[0][0] = left;
    input[1][0] = right;
    render(&Processor::MonoBelow(m.clone()), rate_hz, &input)
}

fn level_db(response: &[f32], hz: f64, rate_hz: u32) -> f64 {
    let (re, im) = spectrum(response, hz, f64::from(rate_hz));
    db((re * re + im * im).sqrt())
}

#[test]
fn the_middle_stays_flat_to_a_ten_thousandth_of_a_db_at_every_rate() {
    for rate_hz in RATES_HZ {
        for slope_db_per_octave in [12, 24, 48] {
            let m = MonoBelow { slope_db_per_octave, ..MonoBelow::default() };
            let output = response(&m, rate_hz, 1.0, 1.0);
            assert!(bits(&output[..1]) == bits(&output[1..]));
            for hz in audible_hz(25) {
                let level_db = level_db(&output[0], hz, rate_hz);
                assert!(level_db.abs() < 1e-4, "{level_db} dB at {hz} of {rate_hz} Hz");
            }
        }
    }
}

#[test]
fn the_side_falls_below_the_corner_at_its_slope() {
    for (slope_db_per_octave, order) in [(12, 1), (24, 2), (48, 4)] {
        let m = MonoBelow { frequency_hz: 200.0, slope_db_per_octave };
        let output = response(&m, 48_000, 1.0, -1.0);
        for hz in [25.0, 50.0, 100.0, 200.0, 400.0, 2000.0] {
            // |H| = x^2n / (1 + x^2n), the square of a Butterworth high-pass.
            let x = (0..2 * order).fold(1.0, |power, _| power * hz / 200.0);
            let (found, expected) = (level_db(&output[0], hz, 48_000), db(x / (1.0 + x)));
            // What single precision leaves of an impulse is −150 dB.
            assert!(
                (found - expected).abs() < 0.01 || expected < -120.0,
                "{found} instead of {expected} dB at {hz} Hz"
            );
        }
    }
}

#[test]
fn left_and_right_stay_apart_above_the_corner_and_are_one_below() {
    let output = response(&MonoBelow::default(), 48_000, 1.0, 0.0);
    let at = |hz| (level_db(&output[0], hz, 48_000), level_db(&output[1], hz, 48_000));
    let (left, right) = at(20.0);
    assert!((left + 6.02).abs() < 0.02 && (right + 6.02).abs() < 0.02, "{left} and {right} dB at 20 Hz");
    // Side and middle share one phase: what crosses over is the side's loss of level alone, x^-4/2.
    let (left, right) = at(1200.0);
    assert!(left.abs() < 0.001 && (right + 86.02).abs() < 0.1, "{left} and {right} dB at 1200 Hz");
}

#[test]
fn a_mono_signal_is_left_alone() {
    let input = noise(1, 1000, 1.0);
    assert!(bits(&render(&Processor::MonoBelow(MonoBelow::default()), 48_000, &input)) == bits(&input));
}
