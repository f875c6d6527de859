use mixdown_dsp::kernels::fft::{RealFft, Spectrum};
use mixdown_dsp::math;
use mixdown_dsp::nodes::{Processor, Reverb};

use super::db;
use super::support::{impulse, noise, render};

/// One octave of a response, by eighth-order Butterworth filters run backwards in time: what they ring with then comes before
/// the sound and not into its decay (F. Jacobsen, J. H. Rindel, J. Sound Vib. 117, 1987).
fn octave(response: &[f32], centre_hz: f64, rate_hz: f64) -> Vec<f64> {
    let mut band: Vec<f64> = response.iter().rev().map(|sample| f64::from(*sample)).collect();
    for (hz, high_pass) in [(centre_hz * 0.5f64.sqrt(), true), (centre_hz * 2f64.sqrt(), false)] {
        for q in [0.5098, 0.6013, 0.9, 2.5629] {
            let w = core::f64::consts::TAU * hz / rate_hz;
            let (cos, alpha) = (math::cos(w), math::sin(w) / (2.0 * q));
            let ends = if high_pass { 0.5 * (1.0 + cos) } else { 0.5 * (1.0 - cos) };
            let middle = if high_pass { -2.0 * ends } else { 2.0 * ends };
            let [b0, b1, a1, a2] = [ends, middle, -2.0 * cos, 1.0 - alpha].map(|c| c / (1.0 + alpha));
            let (mut s1, mut s2) = (0.0, 0.0);
            for x in &mut band {
                let y = b0 * *x + s1;
                s1 = b1 * *x - a1 * y + s2;
                s2 = b0 * *x - a2 * y;
                *x = y;
            }
        }
    }
    band.reverse();
    band
}

/// RT60 in seconds by backward integration (Schroeder, JASA 37, 1965), a line fitted from −5 to −35 dB.
fn rt60_s(response: &[f64], rate_hz: f64) -> f64 {
    let mut energy = 0.0;
    let mut decay: Vec<f64> = response
        .iter()
        .rev()
        .map(|sample| {
            energy += sample * sample;
            energy
        })
        .collect();
    decay.reverse();
    let levels: Vec<(f64, f64)> = decay
        .iter()
        .enumerate()
        .step_by(64)
        .map(|(frame, energy)| (frame as f64 / rate_hz, db(energy / decay[0]) / 2.0))
        .filter(|(_, level)| (-35.0..=-5.0).contains(level))
        .collect();
    let count = levels.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| levels.iter().map(of).sum::<f64>() / count;
    let (mean_t, mean_l) = (mean(|l| l.0), mean(|l| l.1));
    let covariance: f64 = levels.iter().map(|(t, l)| (t - mean_t) * (l - mean_l)).sum();
    let variance: f64 = levels.iter().map(|(t, _)| (t - mean_t) * (t - mean_t)).sum();
    -60.0 * variance / covariance
}

/// What an impulse on one side leaves on both, wide open and without the dry sound.
fn responses(reverb: &Reverb, rate_hz: u32, side: usize, frames: usize) -> Vec<Vec<f32>> {
    let open = Reverb { predelay_ms: 0.0, mix: 1.0, high_cut_hz: 20_000.0, low_cut_hz: 10.0, ..reverb.clone() };
    let mut input = impulse(2, frames);
    input[1 - side].fill(0.0);
    render(&Processor::Reverb(open), rate_hz, &input)
}

/// The reverb of a preset.
fn preset(name: &str) -> Reverb {
    let preset = Processor::presets_of("reverb").find(|preset| preset.name == name);
    match preset.map(|preset| preset.processor.clone()) {
        Some(Processor::Reverb(reverb)) => reverb,
        other => panic!("{name} is {other:?}"),
    }
}

/// The mean over rooms of slightly different sizes, both inputs and both outputs, as rooms are measured at several places: in
/// one place the lowest octaves scatter by some per cent (ISO 3382-1, annex A).
fn mean_rt60_s(reverb: &Reverb, rate_hz: u32) -> [f64; 8] {
    let asked = reverb.octave_decay_s();
    let longest = asked.iter().fold(0.0, |longest: f64, seconds| longest.max(*seconds));
    let frames = (1.1 * longest * f64::from(rate_hz)) as usize + 16_384;
    let mut sums = [0.0; 8];
    let mut count = 0.0;
    for step in 0..4 {
        let size = (reverb.size + 0.03 * f64::from(step)).min(1.0)
            - if reverb.size > 0.9 { 0.03 * f64::from(step) } else { 0.0 };
        for side in 0..2 {
            for response in responses(&Reverb { size, early: 0.0, ..reverb.clone() }, rate_hz, side, frames) {
                for (octave_index, sum) in sums.iter_mut().enumerate() {
                    let centre = 62.5 * f64::from(1 << octave_index);
                    *sum += rt60_s(&octave(&response, centre, f64::from(rate_hz)), f64::from(rate_hz));
                }
                count += 1.0;
            }
        }
    }
    sums.map(|sum| sum / count)
}

#[test]
fn every_octave_decays_as_asked_within_5_per_cent() {
    let plate = Reverb { decay_s: 1.4, low_decay: 0.8, high_decay: 0.5, size: 0.3, ..Reverb::default() };
    let measured_room = Reverb {
        decay_s: 1.0,
        low_decay: 1.0,
        high_decay: 1.0,
        octaves: vec![1.5, 1.4, 1.25, 1.1, 1.0, 0.95, 0.85, 0.65],
        size: 0.4,
        ..Reverb::default()
    };
    let still = Reverb { modulation: 0.0, ..Reverb::default() };
    let all = [
        (48_000, Reverb::default()),
        (44_100, plate),
        (48_000, measured_room),
        (96_000, still),
        (48_000, preset("hall")),
    ];
    let threads: Vec<_> = all
        .into_iter()
        .map(|(rate_hz, reverb)| std::thread::spawn(move || (mean_rt60_s(&reverb, rate_hz), reverb.octave_decay_s())))
        .collect();
    for (index, thread) in threads.into_iter().enumerate() {
        let (measured, asked) = thread.join().expect("because measuring does not panic");
        let errors: Vec<f64> =
            measured.iter().zip(asked).map(|(measured, asked)| 100.0 * (measured / asked - 1.0)).collect();
        println!("{index}: {asked:.2?} s: {errors:.1?} %");
        assert!(errors.iter().all(|error| error.abs() < 5.0), "{index}: {asked:?} s: {errors:?} %");
    }
}

/// Echo density (Abel & Huang, AES 121, 2006): the share of samples beyond one deviation in a window of 20 ms, 1 for
/// Gaussian noise.
fn echo_density(response: &[f32], centre: usize) -> f64 {
    let window = &response[centre - 480..centre + 480];
    let energy: f64 = window.iter().map(|sample| f64::from(*sample) * f64::from(*sample)).sum();
    let deviation = (energy / window.len() as f64).sqrt();
    let beyond = window.iter().filter(|sample| f64::from(sample.abs()) > deviation).count() as f64;
    // erfc(1/√2)
    beyond / window.len() as f64 / 0.317_310_507_862_914
}

#[test]
fn echoes_are_dense_in_a_hall_after_80_ms_and_on_a_plate_after_40() {
    let mut found = Vec::new();
    for (name, after_ms) in [("hall", 80), ("cathedral", 80), ("chamber", 80), ("vocal-plate", 40), ("drum-room", 40)] {
        let mut least = f64::INFINITY;
        for side in 0..2 {
            for response in responses(&preset(name), 48_000, side, 24_000) {
                // From the first sound, not counting the pre-delay; and it stays dense.
                let first = response.iter().position(|sample| sample.abs() > 1e-6).expect("because it sounds");
                for more_ms in [0, 10, 20, 40, 80] {
                    least = least.min(echo_density(&response, first + 48 * (after_ms + more_ms)));
                }
            }
        }
        println!("{name}: at least {least:.3} from {after_ms} ms on");
        found.push(least);
    }
    assert!(found.iter().all(|least| *least >= 0.9), "{found:?}");
}

/// Adds the powers of the late sound, bin by bin: the decay is undone, then overlapping windows are transformed.
fn add_late_powers(powers: &mut [f64], fft: &RealFft, response: &[f32], decay_s: f64, rate_hz: f64) {
    let window = fft.frames();
    let (mut spectrum, mut work) = (Spectrum::silent(fft.bins()), fft.work());
    let start = (0.15 * rate_hz) as usize;
    for at in (start..response.len() - window).step_by(window / 2) {
        let level = |index: usize| super::from_db(60.0 * (at + index) as f64 / (decay_s * rate_hz));
        let hann = |index: usize| 0.5 - 0.5 * math::cos(core::f64::consts::TAU * index as f64 / window as f64);
        let block: Vec<f64> =
            (0..window).map(|index| f64::from(response[at + index]) * level(index) * hann(index)).collect();
        fft.forward(&block, &mut spectrum, &mut work);
        for ((power, re), im) in powers.iter_mut().zip(&spectrum.re).zip(&spectrum.im) {
            *power += re * re + im * im;
        }
    }
}

/// How far the strongest bin lies above the mean of its third of an octave, in dB.
fn strongest_tone_db(powers: &[f64], bin_hz: f64) -> f64 {
    let above = |bin: usize| {
        let (low, high) = ((bin as f64 * 0.891) as usize, (bin as f64 * 1.122) as usize + 1);
        let mean = powers[low..=high].iter().sum::<f64>() / (high - low + 1) as f64;
        db(powers[bin] / mean) / 2.0
    };
    ((100.0 / bin_hz) as usize..(12_000.0 / bin_hz) as usize).map(above).fold(f64::NEG_INFINITY, f64::max)
}

#[test]
fn no_tone_rings_6_db_above_the_late_sound() {
    // Every preset as it is, and a hall that does not move.
    let still = ("still hall", Reverb { modulation: 0.0, ..preset("hall") });
    let presets = ["hall", "cathedral", "chamber", "vocal-plate", "drum-room", "studio-room"];
    for (name, base) in presets.map(|name| (name, preset(name))).into_iter().chain([still]) {
        // One decay for all octaves: what rings is a mode, and no octave outlasts the others.
        let decay_s = base.decay_s.max(1.5);
        let reverb = Reverb { low_decay: 1.0, high_decay: 1.0, octaves: Vec::new(), mix: 1.0, decay_s, ..base };
        let fft = RealFft::new(8192);
        let mut powers = vec![0.0; fft.bins()];
        // From both inputs to both outputs: at one place, sound without any tone has peaks of 10 dB (M. Schroeder, Acustica
        // 4, 1954), but each has its own.
        for side in 0..2 {
            for response in responses(&reverb, 48_000, side, (1.2 * decay_s * 48_000.0) as usize + 8192) {
                add_late_powers(&mut powers, &fft, &response, decay_s, 48_000.0);
            }
        }
        let tone_db = strongest_tone_db(&powers, 48_000.0 / 8192.0);
        println!("{name}: strongest tone {tone_db:.1} dB");
        assert!(tone_db <= 6.0, "{name}: {tone_db} dB");
    }
}

#[test]
fn the_wet_sound_is_about_as_loud_as_the_dry_one_whatever_the_decay() {
    for decay_s in [0.3, 1.8, 6.0] {
        // White noise in octaves is weighted as the octaves are when all decay alike.
        let even = Reverb { low_decay: 1.0, high_decay: 1.0, ..Reverb::default() };
        let open = Reverb { decay_s, high_cut_hz: 20_000.0, low_cut_hz: 10.0, ..even };
        let input = noise(2, (48_000.0 * (decay_s + 1.0)) as usize, 0.5);
        let output = render(&Processor::Reverb(open), 48_000, &input);
        let power = |signal: &[f32]| {
            let late = &signal[signal.len() - 24_000..];
            late.iter().map(|sample| f64::from(*sample) * f64::from(*sample)).sum::<f64>() / late.len() as f64
        };
        for (output, input) in output.iter().zip(&input) {
            let level_db = db(power(output) / power(input)) / 2.0;
            assert!(level_db.abs() < 2.5, "{decay_s} s: {level_db} dB");
        }
    }
}

#[test]
fn width_0_is_mono_and_width_1_is_not() {
    let output = |width| render(&Processor::Reverb(Reverb { width, ..Reverb::default() }), 48_000, &impulse(1, 24_000));
    let narrow = output(0.0);
    assert!(narrow[0] == narrow[1]);
    let wide = output(1.0);
    let product: f64 = wide[0].iter().zip(&wide[1]).map(|(l, r)| f64::from(*l) * f64::from(*r)).sum();
    let energy: f64 = wide[0].iter().map(|l| f64::from(*l) * f64::from(*l)).sum();
    assert!((product / energy).abs() < 0.25, "correlation {}", product / energy);
}

#[test]
fn nothing_sounds_before_the_predelay() {
    let reverb = Processor::Reverb(Reverb { predelay_ms: 50.0, ..Reverb::default() });
    let output = render(&reverb, 48_000, &impulse(2, 6000));
    assert!(output.iter().all(|side| side[..2400].iter().all(|sample| *sample == 0.0)));
}
