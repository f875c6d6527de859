//! How the limiter sounds, against what other limiters reach: distortion of low notes against the time of recovery.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]
#![expect(clippy::disallowed_methods, reason = "test signals and oracles need not have the same bits everywhere")]

mod signals;

use core::f64::consts::TAU;

use mixdown_dsp::kernels::limiter::LimiterKernel;
use mixdown_dsp::kernels::true_peak::TruePeakReader;
use mixdown_dsp::loudness::Meter;
use mixdown_dsp::units::{db_from_gain, gain_from_db};
use signals::{Noise, buffer};

const RATE: u32 = 48_000;
const FS: f64 = RATE as f64;
const CEILING_DB: f64 = -1.0;

/// What comes out of a limiter, its latency taken off.
fn limit(lookahead_ms: f64, release_ms: f64, channels: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let lookahead = (lookahead_ms * FS / 1000.0) as usize;
    let mut kernel = LimiterKernel::new(RATE, channels.len(), gain_from_db(CEILING_DB), lookahead, release_ms);
    let latency = kernel.latency_frames();
    let padded: Vec<Vec<f32>> = channels.iter().map(|channel| [&channel[..], &vec![0.0; latency]].concat()).collect();
    let mut block = buffer(&padded.iter().map(Vec::as_slice).collect::<Vec<_>>());
    kernel.process(&mut block);
    block.iter().map(|channel| channel[latency..].to_vec()).collect()
}

/// The amplitude of a tone in a stretch whose length is a whole number of its periods.
fn amplitude(samples: &[f32], hz: f64) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (n, x) in samples.iter().enumerate() {
        let angle = TAU * hz * n as f64 / FS;
        re += f64::from(*x) * angle.cos();
        im += f64::from(*x) * angle.sin();
    }
    re.hypot(im) * 2.0 / samples.len() as f64
}

/// Harmonics 2 to 20 of a sine 6 dB over the ceiling, in % of the fundamental, over its last second.
fn distortion_percent(lookahead_ms: f64, release_ms: f64, hz: f64) -> f64 {
    let level = 2.0 * gain_from_db(CEILING_DB);
    let tone: Vec<f32> = (0..3 * RATE).map(|n| (level * (TAU * hz * f64::from(n) / FS).sin()) as f32).collect();
    let limited = limit(lookahead_ms, release_ms, &[tone]).remove(0);
    // Not the end, where the silence beyond is seen.
    let last = &limited[3 * RATE as usize / 2..5 * RATE as usize / 2];
    let harmonics = (2..=20).map(|k| amplitude(last, hz * f64::from(k))).fold(0.0, |sum, a| sum + a * a);
    100.0 * harmonics.sqrt() / amplitude(last, hz)
}

/// What is left of a sine 6 dB over the ceiling, once it is limited, when the best sine of its frequency is taken off: in dB of
/// that sine, over a second.
fn distortion_and_noise_db(rate_hz: u32, hz: f64) -> f64 {
    let (level, rate) = (2.0 * gain_from_db(CEILING_DB), f64::from(rate_hz));
    let tone: Vec<f32> = (0..3 * rate_hz).map(|n| (level * (TAU * hz * f64::from(n) / rate).sin()) as f32).collect();
    let lookahead = rate_hz as usize * 5 / 1000;
    let mut kernel = LimiterKernel::new(rate_hz, 1, gain_from_db(CEILING_DB), lookahead, 50.0);
    let mut block = buffer(&[&tone]);
    kernel.process(&mut block);
    let second = &block.channel(0)[3 * rate_hz as usize / 2..5 * rate_hz as usize / 2];
    let turn = |n: usize| (TAU * hz * n as f64 / rate).sin_cos();
    let (mut of_sine, mut of_cosine) = (0.0, 0.0);
    for (n, x) in second.iter().enumerate() {
        let (sine, cosine) = turn(n);
        of_sine += f64::from(*x) * sine * 2.0 / rate;
        of_cosine += f64::from(*x) * cosine * 2.0 / rate;
    }
    let left = second.iter().enumerate().map(|(n, x)| {
        let (sine, cosine) = turn(n);
        f64::from(*x) - of_sine * sine - of_cosine * cosine
    });
    let power = left.map(|x| x * x).sum::<f64>() / rate;
    db_from_gain((2.0 * power).sqrt() / of_sine.hypot(of_cosine))
}

#[test]
fn a_steady_tone_keeps_its_shape() {
    for rate_hz in [44_100, 48_000, 96_000, 192_000] {
        for hz in [50.0, 1000.0] {
            let found = distortion_and_noise_db(rate_hz, hz);
            assert!(found <= -148.0, "{hz} Hz at {rate_hz} Hz: {found:.1} dB");
        }
    }
}

struct Pumping {
    burst_db: f64,
    ripple_db: f64,
    between_db: f64,
    recovery_ms: f64,
}

/// Bursts of 60 Hz, 250 ms of every second, 6 dB over the ceiling; the gain is read off a steady tone of 5 kHz at -30 dBFS.
fn pumping(lookahead_ms: f64, release_ms: f64) -> Pumping {
    let (burst, tone) = (2.0 * gain_from_db(CEILING_DB), gain_from_db(-30.0));
    let signal: Vec<f32> = (0..4 * RATE)
        .map(|n| {
            let t = f64::from(n) / FS;
            let on = (n % RATE) < RATE / 4;
            (tone * (TAU * 5000.0 * t).sin() + if on { burst * (TAU * 60.0 * t).sin() } else { 0.0 }) as f32
        })
        .collect();
    let limited = limit(lookahead_ms, release_ms, &[signal]).remove(0);
    // Windows of 2 ms, ten periods of the tone, behind a second difference: two zeros at 60 Hz take the bursts out.
    let c = 2.0 * (TAU * 60.0 / FS).cos();
    let zeros = |x: &[f64]| -> Vec<f64> { x.windows(3).map(|w| w[2] - c * w[1] + w[0]).collect() };
    let clean = zeros(&zeros(&limited.iter().map(|x| f64::from(*x)).collect::<Vec<_>>()));
    let clean: Vec<f32> = clean.into_iter().map(|x| x as f32).collect();
    let steady: Vec<f32> = (0..480).map(|n| (tone * (TAU * 5000.0 * f64::from(n) / FS).sin()) as f32).collect();
    let steady = zeros(&zeros(&steady.iter().map(|x| f64::from(*x)).collect::<Vec<_>>()));
    let steady: Vec<f32> = steady.into_iter().map(|x| x as f32).collect();
    let reference = amplitude(&steady[..96], 5000.0);
    let gain_db = |n: usize| db_from_gain(amplitude(&clean[n - 50..n + 46], 5000.0) / reference);
    let start = 2 * RATE as usize;
    let (from, to) = (start + RATE as usize / 10, start + RATE as usize / 5);
    let inside: Vec<f64> = (from..to).step_by(24).map(gain_db).collect();
    let end = start + RATE as usize / 4;
    let back = (end..start + RATE as usize - 480).find(|n| gain_db(*n) > -1.0).unwrap_or(usize::MAX);
    Pumping {
        burst_db: inside.iter().sum::<f64>() / inside.len() as f64,
        ripple_db: inside.iter().copied().fold(f64::MIN, f64::max) - inside.iter().copied().fold(f64::MAX, f64::min),
        between_db: gain_db(start + RATE as usize - 2_000),
        recovery_ms: (back - end) as f64 * 1000.0 / FS,
    }
}

/// (Distortion of 60 Hz in %, recovery less the attack delay in ms) of ffmpeg's alimiter at 192 kHz, the best of today's open
/// limiters on this plane, at 5 ms of look-ahead and releases of 20, 50, 100, 200 and 500 ms; and at 20 and 200 ms, where
/// 0.000 % was read: less than half of the last digit.
const KNOWN: [(f64, f64); 6] =
    [(2.25, 12.0), (1.12, 35.0), (0.61, 75.0), (0.32, 153.0), (0.135, 389.0), (0.0005, 153.0)];

#[test]
fn distortion_and_recovery_lie_beyond_what_is_known() {
    println!(
        "look-ahead / release | THD 30 Hz % | 40 Hz % | 60 Hz % | 1 kHz % | tone in burst dB | ripple dB | between dB | recovery ms"
    );
    let mut ours = Vec::new();
    // The page's figures: distortion of 30 Hz in %, recovery in ms.
    for (lookahead_ms, release_ms, page_sub, page_ms) in [
        (4.0, 50.0, 0.51, 18.0),
        (5.0, 5.0, 0.47, 2.0),
        (5.0, 20.0, 0.47, 7.0),
        (5.0, 50.0, 0.47, 19.0),
        (5.0, 200.0, 0.46, 78.0),
        (20.0, 200.0, 0.0, 86.0),
    ] {
        let [sub, low, thd, middle] =
            [30.0, 40.0, 60.0, 1000.0].map(|hz| distortion_percent(lookahead_ms, release_ms, hz));
        let Pumping { burst_db, ripple_db, between_db, recovery_ms } = pumping(lookahead_ms, release_ms);
        println!(
            "{lookahead_ms} / {release_ms} | {sub:.4} | {low:.4} | {thd:.4} | {middle:.4} | {burst_db:.2} | {ripple_db:.3} | {between_db:.2} | \
             {recovery_ms:.0}"
        );
        assert!(low < 0.001 && thd < 0.001 && middle < 0.001 && ripple_db < 0.01 && between_db > -0.25);
        assert!(sub < page_sub + 0.006, "{lookahead_ms} / {release_ms} ms: {sub} % at 30 Hz");
        assert!((recovery_ms - page_ms).abs() < 0.6, "{lookahead_ms} / {release_ms} ms: back after {recovery_ms} ms");
        ours.push((thd, recovery_ms));
    }
    for (thd, recovery_ms) in KNOWN {
        assert!(ours.iter().any(|ours| ours.0 < thd && ours.1 < recovery_ms), "{thd} % with {recovery_ms} ms stands");
    }
}

/// Drums, bass and chords with their peaks near 0 dBFS.
fn music(seconds: u32) -> Vec<Vec<f32>> {
    let mut noise = Noise::new(5);
    let mut channels = vec![Vec::new(), Vec::new()];
    for n in 0..seconds * RATE {
        let t = f64::from(n) / FS;
        let sine = |hz: f64| (TAU * hz * t).sin();
        let beat = t % 0.5;
        let kick = (TAU * (50.0 * beat + 3.0 * (1.0 - (-beat * 40.0).exp()))).sin() * (-beat * 12.0).exp();
        let snare = f64::from(noise.next()) * (-((t + 0.25) % 0.5) * 18.0).exp();
        let hat = f64::from(noise.next()) * (-(t % 0.125) * 60.0).exp();
        let chord = (sine(220.0) + sine(277.2) + sine(329.6) + sine(440.0)) / 4.0;
        let bass = sine(55.0) + 0.3 * sine(110.0);
        let middle = 0.45 * kick + 0.3 * snare + 0.12 * chord + 0.16 * bass;
        for (side, channel) in [1.0, -1.0].into_iter().zip(&mut channels) {
            channel.push((middle + side * 0.08 * hat + side * 0.04 * sine(660.0)) as f32);
        }
    }
    channels
}

fn loudness(channels: &[Vec<f32>]) -> f64 {
    let mut meter = Meter::loudness_only(RATE, channels.len());
    meter.push(&buffer(&channels.iter().map(Vec::as_slice).collect::<Vec<_>>()));
    meter.finish().integrated_lufs.unwrap()
}

/// The same by ffmpeg's alimiter at four times the rate.
fn by_ffmpeg(attack_ms: f64, release_ms: f64, channels: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let folder = tempfile::tempdir().unwrap();
    let [from, to] = ["in.f32", "out.f32"].map(|name| folder.path().join(name));
    let bytes: Vec<u8> = (0..channels[0].len())
        .flat_map(|n| channels.iter().flat_map(move |channel| channel[n].to_le_bytes()))
        .collect();
    std::fs::write(&from, bytes).unwrap();
    let filter = format!(
        "aresample=192000,alimiter=limit={}:attack={attack_ms}:release={release_ms}:level=false:latency=1,aresample={RATE}",
        gain_from_db(CEILING_DB)
    );
    let status = std::process::Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-f", "f32le", "-ar", "48000", "-ac", "2", "-i"])
        .arg(&from)
        .args(["-af", &filter, "-f", "f32le"])
        .arg(&to)
        .status()
        .expect("ffmpeg is there; `make test` installs it");
    assert!(status.success());
    let samples: Vec<f32> =
        std::fs::read(to).unwrap().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    (0..2).map(|channel| samples.iter().skip(channel).step_by(2).copied().collect()).collect()
}

/// The true peak over the ceiling in dB, by the accurate reader.
fn over_db(channels: &[Vec<f32>]) -> f64 {
    let peak = channels.iter().map(|channel| {
        let mut reader = TruePeakReader::new();
        reader.push(channel);
        reader.finish()
    });
    db_from_gain(peak.fold(0.0, f64::max)) - CEILING_DB
}

#[test]
fn driven_music_is_as_loud_as_by_others_under_the_same_ceiling() {
    let gain = gain_from_db(12.0) as f32;
    let driven: Vec<Vec<f32>> =
        music(6).into_iter().map(|channel| channel.into_iter().map(|x| x * gain).collect()).collect();
    for (release_ms, page_lufs) in [(20.0, -7.08), (50.0, -7.17), (200.0, -7.62)] {
        let (ours, theirs) = (limit(5.0, release_ms, &driven), by_ffmpeg(5.0, release_ms, &driven));
        let (level, other, over) = (loudness(&ours), loudness(&theirs), over_db(&theirs));
        println!("5 / {release_ms}: {level:.2} LUFS, alimiter {other:.2} with {over:+.2} dB over the ceiling");
        assert!((level - page_lufs).abs() < 0.01, "{level:.3} LUFS at 5 / {release_ms} ms");
        assert!(over_db(&ours) < 0.05, "{}", over_db(&ours));
        assert!(level > other - over, "{level:.2} LUFS, alimiter {:.2} under the ceiling", other - over);
    }
    let mastered = loudness(&limit(4.0, 50.0, &driven));
    assert!((mastered + 7.12).abs() < 0.01, "the finish: {mastered:.3} LUFS");
}
