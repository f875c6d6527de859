//! Impulse responses recorded at another rate than the session's.

use core::f64::consts::{SQRT_2, TAU};

use mixdown_dsp::math;
use mixdown_dsp::units::db_from_gain;
use serde_json::json;

use crate::studio::{PLAIN, Studio, impulse};

/// A response whose spectrum is known in closed form, sampled: h(t) = e^(−(t − 5 ms)²/(2σ²))/(σ·√(2π)), σ 20 µs, whose
/// magnitude is e^(−(2π·f·σ)²/2). A sample stands for 1/rate seconds of it.
const SIGMA_S: f64 = 20e-6;

fn response(sample_rate_hz: u32) -> Vec<f32> {
    let rate = f64::from(sample_rate_hz);
    let at = |frame: u32| (f64::from(frame) / rate - 0.005) / SIGMA_S;
    let level = 1.0 / (SIGMA_S * TAU.sqrt() * rate);
    (0..sample_rate_hz / 100).map(|frame| (level * math::exp(-0.5 * at(frame) * at(frame))) as f32).collect()
}

fn magnitude_db(signal: &[f32], hz: f64) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (frame, sample) in signal.iter().enumerate() {
        let phase = TAU * hz * frame as f64 / 48_000.0;
        re += f64::from(*sample) * math::cos(phase);
        im += f64::from(*sample) * math::sin(phase);
    }
    db_from_gain((re * re + im * im).sqrt())
}

#[test]
fn a_response_at_any_rate_keeps_its_own_level_and_colour_in_the_session() {
    for sample_rate_hz in [44_100, 48_000, 88_200, 96_000, 192_000] {
        let mut studio = Studio::new();
        studio.asset("impulse.wav", &[impulse(500, 4000), impulse(500, 4000)]);
        studio.asset_at("room.wav", sample_rate_hz, &[response(sample_rate_hz)]);
        let room = json!({ "convolution": { "file": "room.wav", "normalize": false } });
        let session = studio.session(json!({ "tracks": [
            { "name": "A", "clips": [{ "file": "impulse.wav" }], "inserts": [room] },
        ] }));
        let stem = &studio.render(&session, PLAIN).stems[0][0];
        for hz in [0.0, 100.0, 1000.0, 5000.0, 10_000.0] {
            let turn = TAU * hz * SIGMA_S / SQRT_2;
            let expected = db_from_gain(math::exp(-turn * turn));
            let found = magnitude_db(stem, hz);
            assert!(
                (found - expected).abs() < 0.01,
                "{sample_rate_hz} Hz: {found} instead of {expected} dB at {hz} Hz"
            );
        }
        let crest = (0..stem.len()).max_by(|a, b| stem[*a].total_cmp(&stem[*b])).unwrap();
        assert_eq!(crest, 740, "{sample_rate_hz} Hz: 5 ms after the impulse");
    }
}
