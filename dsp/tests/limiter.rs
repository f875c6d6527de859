//! The limiter, streaming: ceiling, distortion, links, latency, recovery.

#[path = "support/readers.rs"]
mod readers;
mod signals;
mod support;

use core::f64::consts::TAU;

use mixdown_dsp::buffer::Buffer;
use mixdown_dsp::kernels::limiter::LimiterKernel;
use mixdown_dsp::kernels::true_peak::TruePeakReader;
use mixdown_dsp::math;
use mixdown_dsp::nodes::{Limiter, Processor};
use mixdown_dsp::units::{db_from_gain, gain_from_db};
use readers::{Reader, by_ffmpeg, over};
use signals::{Noise, buffer, part, sine};
use support::Rig;

const RATE: u32 = 48_000;
const CEILING_DB: f64 = -1.0;

fn limiter(channels: usize) -> LimiterKernel {
    LimiterKernel::new(RATE, channels, gain_from_db(CEILING_DB), 240, 50.0)
}

/// Limits, in blocks of 1000 frames, and takes the latency off.
fn limit(channels: &[&[f32]]) -> Vec<Vec<f32>> {
    let mut kernel = limiter(channels.len());
    let latency = kernel.latency_frames();
    let mut out = vec![Vec::new(); channels.len()];
    let padded: Vec<Vec<f32>> = channels.iter().map(|channel| [channel, &vec![0.0; latency][..]].concat()).collect();
    let padded = buffer(&padded.iter().map(Vec::as_slice).collect::<Vec<_>>());
    for start in (0..padded.frames()).step_by(1000) {
        let mut block = part(&padded, start, padded.frames().min(start + 1000));
        kernel.process(&mut block);
        for (out, channel) in out.iter_mut().zip(block.iter()) {
            out.extend_from_slice(channel);
        }
    }
    out.into_iter().map(|channel| channel[latency..].to_vec()).collect()
}

fn true_peak_db(reader: fn() -> TruePeakReader, samples: &[f32]) -> f64 {
    let mut reader = reader();
    reader.push(samples);
    db_from_gain(reader.finish())
}

/// The signals of the comparison with other limiters, and worse; each far above the ceiling.
fn adversaries() -> Vec<(&'static str, Vec<f32>)> {
    let frames = RATE as usize;
    let mut noise = Noise::new(11);
    let white = |gain_db: f64, noise: &mut Noise| -> Vec<f32> {
        (0..frames).map(|_| noise.next() * gain_from_db(gain_db) as f32).collect()
    };
    let clipped = white(14.0, &mut noise).iter().map(|x| x.clamp(-1.0, 1.0)).collect();
    let full = white(20.0, &mut noise);
    let bursts = |mut tone: Vec<f32>| {
        for (n, x) in tone.iter_mut().enumerate() {
            if (n / 3000).is_multiple_of(2) {
                *x *= 0.05;
            }
        }
        tone
    };
    let mut run = 0_u32;
    let mut left = 0;
    let runs = (0..frames)
        .map(|n| {
            if left == 0 {
                left = 1 + (noise.next().abs() * 40.0) as u32;
                run += 1;
            }
            left -= 1;
            if run.is_multiple_of(3) { if n % 2 == 0 { 1.0 } else { -1.0 } } else { noise.next().signum() }
        })
        .collect();
    let square = (0..frames).map(|n| if (n * 441) / 24_000 % 2 == 0 { 2.0 } else { -2.0 }).collect();
    vec![
        ("a quarter of the rate at 45°", sine(0.25, 2.8, 45.0, frames)),
        ("bursts at a quarter of the rate", bursts(sine(0.25, 2.8, 45.0, frames))),
        ("a sixth of the rate at 60°", sine(1.0 / 6.0, 2.3, 60.0, frames)),
        ("an eighth of the rate at 67.5°", sine(0.125, 2.0, 67.5, frames)),
        ("single periods of cases 20 to 23", signals::short_periods(frames).iter().map(|x| 2.0 * x).collect()),
        ("clipped noise", clipped),
        ("clipped music", signals::clipped_music(RATE, frames).iter().map(|x| 4.0 * x).collect()),
        ("white noise +20 dB", full),
        ("a square wave", square),
        ("alternating runs of ±1", runs),
    ]
}

#[test]
fn no_reader_sees_more_than_a_hundredth_of_a_db_over_the_ceiling() {
    let mut failures = Vec::new();
    for (name, signal) in adversaries() {
        let limited = &limit(&[&signal])[0];
        let over = true_peak_db(TruePeakReader::strict, limited) - CEILING_DB;
        let accurate = true_peak_db(TruePeakReader::new, limited) - CEILING_DB;
        println!("{name}: {over:+.4} dB by all readers, {accurate:+.4} dB by the accurate one");
        if over > 0.01 {
            failures.push(format!("{name}: {over:+.4} dB"));
        }
        assert!(over > -0.5, "{name}: limited {over:.2} dB more than asked");
        let greatest = limited.iter().fold(0.0_f32, |peak, x| peak.max(x.abs()));
        assert!(f64::from(greatest) <= gain_from_db(CEILING_DB), "{name}: a sample exceeds the ceiling");
    }
    assert!(failures.is_empty(), "over the ceiling: {failures:#?}");
}

#[test]
fn nor_do_readers_that_are_not_ours_see_more_behind_the_node() {
    let node = Processor::Limiter(Limiter { ceiling_dbtp: CEILING_DB, ..Limiter::default() });
    let (readers, folder) = (Reader::all(), tempfile::tempdir().unwrap());
    let (path, rate) = (folder.path().join("limited.f32"), RATE.to_string());
    for (name, mut signal) in adversaries() {
        // To their end.
        signal.extend(vec![0.0; RATE as usize / 10]);
        let limited = Rig::new(&node, RATE, 1, &[]).run(&[signal], None, &[1000]);
        let bytes: Vec<u8> = limited[0].iter().flat_map(|sample| sample.to_le_bytes()).collect();
        std::fs::write(&path, bytes).unwrap();
        let ffmpeg = by_ffmpeg(&path, &["-f", "f32le", "-ar", &rate, "-ac", "1"]);
        let (over, reader) = over(&readers, &limited, CEILING_DB);
        println!("{name}: {over:+.4} dB by {reader}, ffmpeg {ffmpeg}");
        assert!((-0.05..=0.01).contains(&over), "{name}: {over:+.4} dB by {reader}");
        // It prints three digits.
        assert!(ffmpeg <= gain_from_db(CEILING_DB) + 0.0005, "{name}: ffmpeg reads {ffmpeg}");
    }
}

#[test]
fn a_steady_tone_is_brought_to_the_ceiling_and_no_lower() {
    let limited = &limit(&[&sine(997.0 / 48_000.0, 2.0, 0.0, 96_000)])[0];
    let top = true_peak_db(TruePeakReader::strict, limited) - CEILING_DB;
    assert!((-0.05..=0.001).contains(&top), "{top:+.4} dB");
}

/// Total harmonic distortion in dB: what is left of the last second when the best-fitting sine is taken out of it.
fn distortion_db(rate_hz: u32, frequency_hz: f64) -> f64 {
    let (ceiling, second) = (gain_from_db(CEILING_DB), rate_hz as usize);
    let tone: Vec<f32> = (0..5 * second)
        .map(|n| (2.0 * ceiling * math::sin(TAU * frequency_hz * n as f64 / f64::from(rate_hz))) as f32)
        .collect();
    let mut kernel = LimiterKernel::new(rate_hz, 1, ceiling, second / 200, 50.0);
    let mut block = buffer(&[&tone]);
    kernel.process(&mut block);
    let last = &block.channel(0)[3 * second + kernel.latency_frames()..][..second];
    let angle = |n: usize| TAU * frequency_hz * (n + 3 * second) as f64 / f64::from(rate_hz);
    let half = last.len() as f64 / 2.0;
    let project = |wave: fn(f64) -> f64| {
        last.iter().enumerate().fold(0.0, |sum, (n, &x)| sum + f64::from(x) * wave(angle(n))) / half
    };
    let (a, b) = (project(math::sin), project(math::cos));
    let rest = last.iter().enumerate().fold(0.0, |sum, (n, &x)| {
        let error = f64::from(x) - a * math::sin(angle(n)) - b * math::cos(angle(n));
        sum + error * error
    });
    db_from_gain((rest / (half * (a * a + b * b))).sqrt())
}

#[test]
fn six_db_of_reduction_leave_a_low_note_and_a_middle_one_clean() {
    for rate_hz in [44_100, 48_000, 96_000, 192_000] {
        for (frequency_hz, goal) in [(50.0, -90.0), (60.0, -90.0), (1000.0, -100.0)] {
            let distortion = distortion_db(rate_hz, frequency_hz);
            println!("THD of {frequency_hz} Hz at {rate_hz} Hz: {distortion:.1} dB");
            assert!(distortion <= goal, "{frequency_hz} Hz at {rate_hz} Hz: {distortion:.1} dB");
        }
    }
}

#[test]
fn what_stays_below_the_ceiling_passes_bit_for_bit() {
    let mut noise = Noise::new(4);
    let quiet: Vec<f32> = (0..50_000).map(|_| noise.next() * 0.3).collect();
    let tone = sine(0.01, 0.89, 0.0, 50_000);
    let mut loud = quiet.clone();
    loud[25_000] = 1.5;
    assert_eq!(limit(&[&quiet, &tone]), [quiet.clone(), tone]);
    let limited = &limit(&[&loud])[0];
    assert_eq!(limited[..24_700], quiet[..24_700], "before the look-ahead sees the peak");
    assert_ne!(limited[25_100..], quiet[25_100..]);
}

#[test]
fn after_a_peak_the_gain_comes_back_to_exactly_one() {
    let mut tone = sine(0.01, 0.5, 0.0, 20 * RATE as usize);
    tone[1000] = 4.0;
    let limited = &limit(&[&tone])[0];
    let last = limited.iter().zip(&tone).rposition(|(out, x)| out != x).unwrap();
    println!("bits are back {} ms after the peak", (last - 1000) / 48);
    assert!(last < 10 * RATE as usize);
}

#[test]
fn channels_share_one_gain_exactly() {
    let mut noise = Noise::new(21);
    let left: Vec<f32> = (0..60_000).map(|_| noise.next() * 4.0).collect();
    let right: Vec<f32> = left.iter().map(|x| x * -0.5).collect();
    let limited = limit(&[&left, &right]);
    assert!(limited[0].iter().zip(&limited[1]).all(|(left, right)| left * -0.5 == *right));
    let silent = vec![0.0; left.len()];
    assert_eq!(limit(&[&left, &silent])[0], limited[0]);
}

#[test]
fn the_gain_recovers_in_time() {
    // 250 ms at 6 dB over the ceiling, then a steady low level that shows the gain.
    let frames = RATE as usize * 3;
    let burst = RATE as usize / 4;
    let over = 2.0 * gain_from_db(CEILING_DB);
    let signal: Vec<f32> = (0..frames)
        .map(|n| {
            let level = if n < burst { over } else { 0.05 };
            (level * math::cos(TAU * n as f64 / 48.0)) as f32
        })
        .collect();
    let limited = &limit(&[&signal])[0];
    let gain = |n: usize| db_from_gain(f64::from(limited[n]) / f64::from(signal[n]));
    // Only crests: elsewhere the quotient is noise.
    let first_at = |level: f64| (burst / 48 + 1..).map(|crest| crest * 48).find(|&n| gain(n) > level).unwrap();
    let to_1_db = (first_at(-1.0) - burst) as f64 / 48.0;
    let to_a_tenth = (first_at(-0.1) - burst) as f64 / 48.0;
    println!("back to -1 dB after {to_1_db:.0} ms, to -0.1 dB after {to_a_tenth:.0} ms");
    assert!(to_1_db > 10.0 && to_1_db < 400.0, "{to_1_db} ms");
}

#[test]
fn a_ceiling_lowered_over_a_window_holds_there_and_leaves_the_rest() {
    let tone = sine(0.02, 0.5, 0.0, 200_000);
    let ceilings: Vec<f32> = (0..tone.len()).map(|n| if (50_000..50_500).contains(&n) { 0.25 } else { 0.9 }).collect();
    let mut kernel = limiter(1);
    let latency = kernel.latency_frames();
    let mut whole = buffer(&[&tone]);
    kernel.process_with_ceiling(&mut whole, &ceilings);
    let out = &whole.channel(0)[latency..];
    assert!(out[50_000..50_500].iter().all(|x| x.abs() <= 0.25));
    assert_eq!(out[..49_700], tone[..49_700]);
    let mut split = limiter(1);
    let input = buffer(&[&tone]);
    let mut pieces = Vec::new();
    for start in (0..tone.len()).step_by(777) {
        let end = tone.len().min(start + 777);
        let mut block = part(&input, start, end);
        split.process_with_ceiling(&mut block, &ceilings[start..end]);
        pieces.extend_from_slice(block.channel(0));
    }
    assert_eq!(pieces, whole.channel(0));
    assert_eq!(split.lowest_gain(), kernel.lowest_gain());
}

#[test]
fn any_split_gives_the_same_bits_and_reset_equals_new() {
    let mut noise = Noise::new(8);
    // Loud and quiet stretches, so that the fast path and the full one take turns.
    let signal: Vec<f32> = (0..30_000).map(|n| noise.next() * if (n / 5000) % 2 == 0 { 0.02 } else { 3.0 }).collect();
    let whole = {
        let mut block = buffer(&[&signal, &signal]);
        limiter(2).process(&mut block);
        block
    };
    let mut kernel = limiter(2);
    for size in [1, 7, 64, 512, 1000, 4096] {
        kernel.reset();
        let input = buffer(&[&signal, &signal]);
        for start in (0..signal.len()).step_by(size) {
            let end = signal.len().min(start + size);
            let mut block = part(&input, start, end);
            kernel.process(&mut block);
            assert_eq!(block, part(&whole, start, end), "blocks of {size}, frame {start}");
        }
    }
}

#[test]
fn extremes_neither_leave_nor_stay() {
    let mut signal = sine(0.01, 0.5, 0.0, 48_000);
    (signal[100], signal[200], signal[300]) = (f32::NAN, f32::INFINITY, f32::NEG_INFINITY);
    signal[400] = f32::MAX;
    signal[1_000] = 1e5;
    let limited = &limit(&[&signal])[0];
    assert!(limited.iter().all(|x| x.is_finite() && f64::from(x.abs()) <= gain_from_db(CEILING_DB)));
    assert!(limited[40_000..].iter().any(|x| x.abs() > 0.4), "the gain has come back");
}

#[test]
fn silence_comes_out_silent_and_leaves_the_limiter_at_rest() {
    let mut kernel = limiter(2);
    assert!(kernel.is_at_rest());
    let mut block = buffer(&[&[2.0; 100], &[0.0; 100]]);
    kernel.process(&mut block);
    assert!(!kernel.is_at_rest());
    let mut rest = Buffer::new(2, kernel.latency_frames());
    kernel.process(&mut rest);
    let mut silence = Buffer::new(2, 20 * RATE as usize);
    kernel.process(&mut silence);
    assert!(silence.iter().flatten().all(|&x| x == 0.0));
    assert!(kernel.is_at_rest());
}
