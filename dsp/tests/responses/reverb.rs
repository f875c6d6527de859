use mixdown_dsp::automation::{Curve, Knot, Lane};
use mixdown_dsp::kernels::fft::{RealFft, Spectrum};
use mixdown_dsp::math;
use mixdown_dsp::node::{ParameterLane, Parameters};
use mixdown_dsp::nodes::{Processor, Reverb};

use super::db;
use super::support::{Rig, impulse, noise, render};

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
/// one place the lowest octaves scatter by some per cent, the more the shorter they last (ISO 3382-1, annex A).
fn mean_rt60_s(reverb: &Reverb, rate_hz: u32) -> [f64; 8] {
    let asked = reverb.octave_decay_s();
    let longest = asked.iter().fold(0.0, |longest: f64, seconds| longest.max(*seconds));
    let frames = (1.1 * longest * f64::from(rate_hz)) as usize + 16_384;
    let rooms = ((4.0 / longest) as u32).max(4);
    let smallest = reverb.size.min(0.9);
    let mut sums = [0.0; 8];
    let mut count = 0.0;
    for room in 0..rooms {
        let size = smallest + 0.1 * f64::from(room) / f64::from(rooms - 1);
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
fn every_octave_of_every_preset_decays_as_asked_within_5_per_cent() {
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
    let mut all = vec![
        ("default", 48_000, Reverb::default()),
        ("a plate", 44_100, plate),
        ("a measured room", 48_000, measured_room),
        ("one that stands still", 96_000, still),
    ];
    all.extend(
        Processor::presets_of("reverb").map(|preset| (preset.name.as_str(), 48_000, self::preset(&preset.name))),
    );
    all.extend([96_000, 192_000].map(|rate_hz| ("drum-room", rate_hz, preset("drum-room"))));
    // Two at a time.
    for pair in all.chunks(2) {
        std::thread::scope(|scope| {
            for (name, rate_hz, reverb) in pair {
                scope.spawn(move || assert_decays_as_asked(name, *rate_hz, reverb));
            }
        });
    }
}

fn assert_decays_as_asked(name: &str, rate_hz: u32, reverb: &Reverb) {
    let asked = reverb.octave_decay_s();
    let measured = mean_rt60_s(reverb, rate_hz);
    let errors: Vec<f64> =
        measured.iter().zip(asked).map(|(measured, asked)| 100.0 * (measured / asked - 1.0)).collect();
    // The chamber's lowest octave has few modes, which by chance outlast the mean: see the page.
    let most = |octave: usize| if (name, octave) == ("chamber", 0) { 7.0 } else { 5.0 };
    let holds = errors.iter().enumerate().all(|(octave, error)| error.abs() < most(octave));
    assert!(holds, "{name} at {rate_hz} Hz: {asked:.2?} s: {errors:.1?} %");
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

/// A lane of a reverb's parameter through these knots.
fn lane(name: &str, knots: &[(u64, f64, Curve)]) -> ParameterLane {
    let parameter =
        Reverb::default().specs().iter().position(|spec| spec.name == name).expect("because it has the name");
    let knots = knots.iter().map(|&(frame, value, curve)| Knot { frame, value, curve }).collect();
    ParameterLane { parameter, lane: Lane::new(knots).expect("because the frames rise") }
}

#[test]
fn a_decay_that_jumps_changes_the_slope_of_what_already_sounds_and_not_its_level() {
    let reverb = Reverb { decay_s: 4.0, low_decay: 1.0, high_decay: 1.0, early: 0.0, ..Reverb::default() };
    let processor = Processor::Reverb(reverb);
    for (from_s, to_s) in [(4.0, 0.6), (0.6, 4.0)] {
        let lanes = [lane("decay_s", &[(0, from_s, Curve::Hold), (24_000, to_s, Curve::Hold)])];
        let mut burst = noise(2, 96_000, 0.5);
        burst.iter_mut().for_each(|channel| channel[4800..].fill(0.0));
        let output = Rig::new(&processor, 48_000, 2, &lanes).run(&burst, None, &[1000]);
        let level_db = |from: usize, to: usize| {
            let power: f64 = output.iter().flat_map(|c| &c[from..to]).map(|s| f64::from(*s) * f64::from(*s)).sum();
            db(power / (to - from) as f64) / 2.0
        };
        // dB per second before the jump and after it, over a quarter of a second each.
        let slope = |start: usize| (level_db(start + 12_000, start + 14_400) - level_db(start, start + 2400)) * 4.0;
        let (before, after) = (slope(9600), slope(26_400));
        println!("{from_s} to {to_s} s: {before:.1} and {after:.1} dB/s");
        assert!((before * from_s / -60.0 - 1.0).abs() < 0.15, "{from_s} s: {before} dB/s");
        assert!((after * to_s / -60.0 - 1.0).abs() < 0.15, "{to_s} s: {after} dB/s");
        // No step: over the jump the level falls by no more than both slopes say.
        let fall = level_db(22_000, 23_500) - level_db(26_000, 27_500);
        assert!((-0.5..8.0).contains(&fall), "{from_s} to {to_s} s: {fall} dB over the jump");
    }
}

#[test]
fn a_room_whose_size_and_decays_jump_about_stays_within_what_it_is_fed() {
    let processor = Processor::Reverb(Reverb { modulation: 1.0, ..Reverb::default() });
    let jumping = |name: &str, low: f64, high: f64, every: u64| {
        let knot = |index: u64| (index * every, if index.is_multiple_of(2) { low } else { high }, Curve::Hold);
        lane(name, &(0..96_000 / every).map(knot).collect::<Vec<_>>())
    };
    let mut lanes = vec![
        jumping("decay_s", 0.1, 20.0, 1100),
        jumping("low_hz", 40.0, 1000.0, 1300),
        jumping("low_decay", 0.2, 3.0, 700),
        jumping("size", 0.0, 1.0, 1700),
        jumping("predelay_ms", 0.0, 500.0, 3100),
        jumping("octaves.4", 0.25, 4.0, 900),
    ];
    lanes.sort_by_key(|lane| lane.parameter);
    let output = Rig::new(&processor, 48_000, 2, &lanes).run(&noise(2, 96_000, 0.5), None, &[777]);
    let loudest = output.iter().flatten().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
    // At most 12 dB over the loudest that a room that stands still makes of it, whose peaks are about 1.5.
    assert!((0.05..6.0).contains(&loudest), "{loudest}");
}

#[test]
fn a_growing_room_bends_tones_down_and_the_speed_of_turns_adds_up() {
    // While pre-delay grows by r seconds a second, a tone of f leaves at f·(1 − r).
    let reverb = Reverb { mix: 1.0, early: 1.0, size: 0.0, modulation: 0.0, ..Reverb::default() };
    let lanes = [lane("predelay_ms", &[(0, 0.0, Curve::Linear), (96_000, 200.0, Curve::Linear)])];
    let tone: Vec<f32> =
        (0..96_000).map(|n| math::sin(core::f64::consts::TAU * 1000.0 * f64::from(n) / 48_000.0) as f32).collect();
    let output = Rig::new(&Processor::Reverb(reverb), 48_000, 1, &lanes).run(&[tone], None, &[512]);
    let level = |hz: f64| {
        let (re, im) = super::spectrum(&output[0][24_000..72_000], hz, 48_000.0);
        re * re + im * im
    };
    assert!(level(900.0) > 1e4 * level(1000.0), "{} at 900 Hz, {} at 1 kHz", level(900.0), level(1000.0));

    // Half a round at 1 Hz and half a round at 5 Hz end where one at 1 Hz does.
    let turning = Processor::Reverb(Reverb { modulation: 1.0, ..Reverb::default() });
    let lanes =
        [lane("modulation_hz", &[(0, 1.0, Curve::Hold), (24_000, 5.0, Curve::Hold), (28_800, 1.0, Curve::Hold)])];
    let mut late = impulse(2, 60_000);
    late.iter_mut().for_each(|channel| channel.rotate_right(28_800));
    let moved = Rig::new(&turning, 48_000, 2, &lanes).run(&late, None, &[512]);
    let steady = Processor::Reverb(Reverb { modulation: 1.0, modulation_hz: 1.0, ..Reverb::default() });
    let mut rig = Rig::new(&steady, 48_000, 2, &[]);
    rig.frame = 19_200;
    let still = rig.run(&late, None, &[512]);
    for (moved, still) in moved.iter().flatten().zip(still.iter().flatten()) {
        assert!((moved - still).abs() < 1e-6, "{moved}, not {still}");
    }
}
