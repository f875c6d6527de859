use core::f64::consts::TAU;

use mixdown_dsp::math;
use mixdown_dsp::nodes::{DeEsser, DeEsserMode, Processor};

use super::dynamics::arrival_frames;
use super::support::{MAX_BLOCK_FRAMES, Rig, bits, noise, render};
use super::{audible_hz, db, from_db, spectrum};

const RATE_HZ: u32 = 48_000;

fn tone(hz: f64, level_db: f64, frames: usize) -> Vec<f32> {
    let step = TAU * hz / f64::from(RATE_HZ);
    (0..frames).map(|frame| (from_db(level_db) * math::sin(step * frame as f64)) as f32).collect()
}

fn rms_db(signal: &[f32]) -> f64 {
    let energy: f64 = signal.iter().map(|s| f64::from(*s) * f64::from(*s)).sum();
    0.5 * db(energy / signal.len() as f64)
}

/// A sibilant: a tone well above the corner, so that all of it lies in the band: the key is 0 dB.
fn sibilant(level_db: f64, frames: usize) -> Vec<f32> {
    tone(16_000.0, level_db, frames)
}

/// A sung vowel: a fundamental of 110 Hz and harmonics that fall by 12 dB per octave, up to 5 kHz.
fn vowel(frames: usize) -> Vec<f32> {
    let mut sum = vec![0.0; frames];
    for harmonic in 1..=45 {
        let n = f64::from(harmonic);
        let partial = tone(110.0 * n, -12.0 - 2.0 * db(n), frames);
        sum.iter_mut().zip(partial).for_each(|(sum, partial)| *sum += partial);
    }
    sum
}

fn de_ess(d: &DeEsser, input: &[f32]) -> Vec<f32> {
    let latency = 120;
    let mut padded = input.to_vec();
    padded.resize(input.len() + latency, 0.0);
    let mut output = render(&Processor::DeEsser(d.clone()), RATE_HZ, &[padded]).remove(0);
    output.drain(..latency);
    output
}

#[test]
fn a_sibilant_loses_what_threshold_ratio_and_range_say() {
    for mode in [DeEsserMode::Split, DeEsserMode::Wide] {
        for (threshold_db, ratio, range_db) in
            [(-10.0, 4.0, 24.0), (-10.0, 4.0, 5.0), (-20.0, 2.0, 24.0), (-12.0, 100.0, 9.0)]
        {
            let d = DeEsser { mode, threshold_db, ratio, range_db, ..DeEsser::default() };
            // The tone 1.4 octaves above the corner has lost 0.01 dB in the band, and the bands add up in phase.
            let expected = -(-threshold_db * (1.0 - 1.0 / ratio)).min(range_db);
            let output = de_ess(&d, &sibilant(-20.0, 24_000));
            let found = rms_db(&output[12_000..21_600]) + 23.0103;
            // Split bands meet: what is below the corner at 16 kHz, −34 dB, stays.
            let tolerance = if mode == DeEsserMode::Split { 0.6 } else { 0.15 };
            assert!((found - expected).abs() < tolerance, "{mode:?}: {found} instead of {expected} dB");
        }
    }
}

#[test]
fn a_low_vowel_is_untouched() {
    let mut input = vowel(48_000);
    // A voice does not set in with a click.
    for (n, sample) in input.iter_mut().enumerate().take(2400) {
        *sample *= (0.5 - 0.5 * math::cos(TAU * n as f64 / 4800.0)) as f32;
    }
    for mode in [DeEsserMode::Split, DeEsserMode::Wide] {
        let output = de_ess(&DeEsser { mode, ..DeEsser::default() }, &input);
        for n in 1..=45 {
            let hz = 110.0 * f64::from(n);
            let level_db = |signal: &[f32]| {
                let (re, im) = spectrum(&signal[24_000..28_800], hz, f64::from(RATE_HZ));
                db((re * re + im * im).sqrt())
            };
            let change_db = level_db(&output) - level_db(&input);
            assert!(change_db.abs() < 0.05, "{mode:?}: {change_db} dB at {hz} Hz");
        }
        if mode == DeEsserMode::Wide {
            // Up to where the detector hears the vowel cut off.
            let until = input.len() - 120;
            assert!(bits(&[output[..until].to_vec()]) == bits(&[input[..until].to_vec()]), "wide mode passes bits");
        }
    }
}

#[test]
fn only_the_balance_counts_not_the_level() {
    let mut input = vowel(24_000);
    input[8000..16_000].copy_from_slice(&sibilant(-20.0, 8000));
    for mode in [DeEsserMode::Split, DeEsserMode::Wide] {
        let d = DeEsser { mode, ..DeEsser::default() };
        let loud = de_ess(&d, &input);
        let quiet_in: Vec<f32> = input.iter().map(|sample| sample / 64.0).collect();
        let quiet: Vec<f32> = de_ess(&d, &quiet_in).iter().map(|sample| sample * 64.0).collect();
        // 36 dB lower, by a power of 2: the same bits.
        assert!(bits(&[loud]) == bits(&[quiet]), "{mode:?}");
    }
}

#[test]
fn a_burst_in_a_vowel_is_caught_by_its_start_and_let_go_after() {
    let input: Vec<f32> = {
        let (vowel, burst) = (vowel(48_000), sibilant(-12.0, 48_000));
        (0..48_000).map(|n| if (19_200..28_800).contains(&n) { burst[n] } else { vowel[n] }).collect()
    };
    let d = DeEsser { mode: DeEsserMode::Wide, range_db: 6.0, threshold_db: -12.0, ratio: 100.0, ..DeEsser::default() };
    let output = de_ess(&d, &input);
    let gain_db = |from: usize, to: usize| rms_db(&output[from..to]) - rms_db(&input[from..to]);
    // 4 ms after its start, with a look-ahead of 2.5 ms and a window of 5 ms.
    let (early, late) = (gain_db(19_392, 19_632), gain_db(24_000, 28_000));
    assert!(early < -5.5 && (late + 6.0).abs() < 0.02, "{early} dB at the start, {late} dB later");
    // 200 ms after its end, five times the release.
    let after = gain_db(38_400, 43_200);
    assert!(after.abs() < 0.05, "{after} dB after");
}

#[test]
fn attack_and_release_are_63_percent_times_beside_the_window_of_the_key() {
    // A steady probe shows the gain; a key goes from all below the frequency to all above it and back.
    for (rate_hz, attack_ms, release_ms) in
        [(44_100, 50.0, 500.0), (48_000, 10.0, 100.0), (96_000, 50.0, 200.0), (192_000, 20.0, 100.0)]
    {
        let d =
            DeEsser { threshold_db: -12.0, ratio: 100.0, range_db: 6.0, attack_ms, release_ms, ..DeEsser::default() };
        let d = Processor::DeEsser(DeEsser { mode: DeEsserMode::Wide, lookahead_ms: 0.0, ..d });
        let frames = |ms: f64| (ms * f64::from(rate_hz) / 1000.0) as usize;
        let (on, off) = (frames(100.0), frames(100.0 + 20.0 * attack_ms));
        let end = off + frames(20.0 * release_ms);
        let wave = |hz: f64, n: usize| math::sin(TAU * hz * n as f64 / f64::from(rate_hz)) as f32;
        let key = (0..end).map(|n| wave(if (on..off).contains(&n) { 16_000.0 } else { 200.0 }, n)).collect();
        let probe = vec![0.1; end];
        let mut rig = Rig::new(&d, rate_hz, 1, &[]);
        let output = rig.run(std::slice::from_ref(&probe), Some(&[key]), &[MAX_BLOCK_FRAMES]).remove(0);
        let settled_db = db(f64::from(output[off - 1] / probe[off - 1]));
        assert!((settled_db + 6.0).abs() < 0.02, "{settled_db} dB of a range of 6 at {rate_hz} Hz");
        for (name, ms, from, to, window_ms) in
            [("attack", attack_ms, on, off, 0.0..1.8), ("release", release_ms, off, end, 3.0..5.2)]
        {
            let found_ms = arrival_frames(&probe, &output, from, to) as f64 * 1000.0 / f64::from(rate_hz);
            // A quarter of the window full of sibilance asks for the whole range, three quarters without for the first of it back.
            assert!(window_ms.contains(&(found_ms - ms)), "{name} of {ms} ms at {rate_hz} Hz: {found_ms} ms");
        }
    }
}

#[test]
fn the_bands_add_up_flat_while_nothing_is_lowered() {
    // An impulse has its energy evenly up to half the sample rate; a threshold of 0 dB is never passed.
    let d = DeEsser { threshold_db: 0.0, lookahead_ms: 0.0, ..DeEsser::default() };
    for rate_hz in [44_100, 48_000, 88_200, 96_000, 176_400, 192_000] {
        let mut input = vec![0.0; 8192];
        input[0] = 1.0;
        let output = render(&Processor::DeEsser(d.clone()), rate_hz, &[input]).remove(0);
        for hz in audible_hz(40) {
            let (re, im) = spectrum(&output, hz, f64::from(rate_hz));
            let level_db = db((re * re + im * im).sqrt());
            assert!(level_db.abs() < 1e-4, "{level_db} dB at {hz} of {rate_hz} Hz");
        }
    }
}

#[test]
fn a_range_of_0_passes_bits_and_a_key_is_heard_instead() {
    let input = noise(2, 4000, 0.9);
    let off = DeEsser { range_db: 0.0, lookahead_ms: 0.0, ..DeEsser::default() };
    assert!(bits(&render(&Processor::DeEsser(off), RATE_HZ, &input)) == bits(&input));

    let d = DeEsser { mode: DeEsserMode::Wide, lookahead_ms: 0.0, range_db: 6.0, ..DeEsser::default() };
    let keyed = |key: Vec<f32>| {
        let mut rig = Rig::new(&Processor::DeEsser(d.clone()), RATE_HZ, 1, &[]);
        let output = rig.run(&[tone(200.0, -20.0, 24_000)], Some(&[key]), &[MAX_BLOCK_FRAMES]);
        rms_db(&output[0][12_000..]) + 23.0103
    };
    assert!((keyed(sibilant(-40.0, 24_000)) + 6.0).abs() < 0.02);
    assert!(keyed(tone(200.0, -3.0, 24_000)).abs() < 0.001);
}
