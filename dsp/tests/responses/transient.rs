use mixdown_dsp::math;
use mixdown_dsp::nodes::{Processor, Transient};

use super::dynamics::{levels, tone};
use super::support::{bits, noise, render};
use super::{db, from_db};

const RATE_HZ: u32 = 48_000;

fn shaped(transient: &Transient, input: &[f32]) -> Vec<f32> {
    render(&Processor::Transient(transient.clone()), RATE_HZ, &[input.to_vec()]).remove(0)
}

fn gain_db(input: &[f32], output: &[f32], frame: usize) -> f64 {
    db(f64::from(output[frame] / input[frame]))
}

#[test]
fn without_gain_it_is_bit_exact() {
    let input = noise(2, 5000, 1.0);
    assert!(bits(&render(&Processor::Transient(Transient::default()), RATE_HZ, &input)) == bits(&input));
    let dry = Transient { attack_db: 12.0, sustain_db: -12.0, mix: 0.0, ..Transient::default() };
    assert!(bits(&render(&Processor::Transient(dry), RATE_HZ, &input)) == bits(&input));
}

/// The gain of an onset out of silence as the doc page has it: the fast envelope is one pole, the slow one a second pole
/// after it.
fn onset_gain_db(attack_db: f64, attack_ms: f64, level: f64, ms: f64) -> f64 {
    let fast = 1.0 - math::exp(-ms);
    let slow = 1.0 - (attack_ms * math::exp(-ms / attack_ms) - math::exp(-ms)) / (attack_ms - 1.0);
    let apart_db = db((level * fast + 1e-4) / (level * slow + 1e-4));
    attack_db * (apart_db / 12.0).min(1.0)
}

#[test]
fn an_onset_gets_the_attack_gain_for_the_attack_time_at_any_level() {
    for (attack_db, attack_ms) in [(12.0, 20.0), (-9.0, 20.0), (6.0, 80.0)] {
        for level_db in [0.0, -20.0, -40.0] {
            let t = Transient { attack_db, attack_ms, ..Transient::default() };
            let input = levels(&[(-300.0, 100), (level_db, 48_000)]);
            let output = shaped(&t, &input);
            for ms in [2, 5, 10, 20, 40, 100] {
                let found = gain_db(&input, &output, 100 + 48 * ms - 1);
                let expected = onset_gain_db(attack_db, attack_ms, from_db(level_db), ms as f64);
                assert!((found - expected).abs() < 0.1, "{level_db} dBFS, {ms} ms: {found} instead of {expected}");
            }
            assert!((gain_db(&input, &output, 100 + 96) - attack_db).abs() < 0.01, "the whole gain at first");
            assert!(gain_db(&input, &output, 48_000).abs() < 1e-4, "none in the end");
        }
    }
}

#[test]
fn a_steady_tone_has_no_gain_and_no_distortion() {
    for frequency_hz in [25.0, 60.0, 1000.0, 9000.0] {
        let t = Transient { attack_db: 24.0, sustain_db: 24.0, ..Transient::default() };
        let input = tone(frequency_hz, 0.5, 144_000);
        let output = shaped(&t, &input);
        for (input, output) in input[96_000..].iter().zip(&output[96_000..]) {
            assert!((input - output).abs() < 0.5e-4, "{frequency_hz} Hz: {input} became {output}");
        }
    }
}

#[test]
fn what_rings_on_gets_the_sustain_gain() {
    for sustain_db in [9.0, -15.0] {
        let t = Transient { sustain_db, sustain_ms: 300.0, ..Transient::default() };
        // A note that falls by 60 dB in 300 ms, then rests at −60 dBFS.
        let level_db = |frame: usize| (-60.0 * (frame as f64 - 24_000.0).max(0.0) / 14_400.0).max(-60.0);
        let input: Vec<f32> = (0..96_000).map(|frame| from_db(level_db(frame)) as f32).collect();
        let output = shaped(&t, &input);
        let gain = |ms: usize| gain_db(&input, &output, 24_000 + 48 * ms);
        assert!(gain(0).abs() < 0.01, "none before it falls: {}", gain(0));
        assert!((gain(200) - sustain_db).abs() < 0.01, "{}", gain(200));
        assert!(gain(1499).abs() < 0.1 * sustain_db.abs(), "{} after five of its times", gain(1499));
    }
}

#[test]
fn a_slow_decay_gets_its_share_of_the_sustain_gain() {
    // 20 dB/s and a time constant of 300 ms hold the envelopes 6 dB apart: half of what gets the whole gain.
    let t = Transient { sustain_db: 8.0, sustain_ms: 300.0, ..Transient::default() };
    let input: Vec<f32> = (0..96_000).map(|frame| from_db(-20.0 * f64::from(frame) / 48_000.0) as f32).collect();
    let output = shaped(&t, &input);
    let found = gain_db(&input, &output, 90_000);
    assert!((found - 4.0).abs() < 0.05, "{found} dB");
}

#[test]
fn noise_after_a_note_is_not_raised() {
    let t = Transient { sustain_db: 24.0, ..Transient::default() };
    let mut input = tone(500.0, 0.8, 24_000);
    input.extend(noise(1, 96_000, 1e-5).remove(0));
    let output = shaped(&t, &input);
    let gain_db = gain_db(&input, &output, 24_000 + 95_000);
    assert!(gain_db < 1.0, "{gain_db} dB 2 s after the note");
}

#[test]
fn equal_channels_stay_equal_at_any_link() {
    let mono = noise(1, 5000, 0.7).remove(0);
    for stereo_link in [0.0, 0.4, 1.0] {
        let t = Transient { attack_db: 6.0, sustain_db: 6.0, stereo_link, ..Transient::default() };
        let output = render(&Processor::Transient(t), RATE_HZ, &[mono.clone(), mono.clone()]);
        assert!(bits(&output[..1]) == bits(&output[1..]), "link {stereo_link}");
    }
}
