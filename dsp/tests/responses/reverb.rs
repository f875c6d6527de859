use mixdown_dsp::nodes::{BandKind, Eq, Processor, Reverb};

use super::db;
use super::support::{impulse, noise, pass, render};

/// RT60 in seconds by backward integration (Schroeder, JASA 37, 1965), a line fitted from −5 to −35 dB.
fn rt60_s(response: &[f32], rate_hz: f64) -> f64 {
    let mut energy = 0.0;
    let mut decay: Vec<f64> = response
        .iter()
        .rev()
        .map(|sample| {
            energy += f64::from(*sample) * f64::from(*sample);
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

#[test]
fn the_decay_in_the_middle_of_the_band_is_the_one_asked_for() {
    let octave =
        Processor::Eq(Eq { bands: vec![pass(BandKind::HighPass, 707.0, 24), pass(BandKind::LowPass, 1414.0, 24)] });
    for (rate_hz, decay_s, size) in [(44_100, 0.4, 0.0), (48_000, 1.8, 0.5), (48_000, 4.0, 1.0), (96_000, 1.0, 0.7)] {
        let reverb = Processor::Reverb(Reverb { decay_s, size, predelay_ms: 0.0, ..Reverb::default() });
        let frames = (1.5 * decay_s * f64::from(rate_hz)) as usize + 8192;
        let response = render(&octave, rate_hz, &render(&reverb, rate_hz, &impulse(1, frames)));
        let measured = rt60_s(&response[0], f64::from(rate_hz));
        assert!((measured / decay_s - 1.0).abs() < 0.05, "{decay_s} s at size {size}: {measured} s");
    }
}

/// Echo density (Abel & Huang, AES 121, 2006): the share of samples beyond one deviation in a window, 1 for Gaussian noise.
fn echo_density(window: &[f32]) -> f64 {
    let energy: f64 = window.iter().map(|sample| f64::from(*sample) * f64::from(*sample)).sum();
    let deviation = (energy / window.len() as f64).sqrt();
    let beyond = window.iter().filter(|sample| f64::from(sample.abs()) > deviation).count() as f64;
    // erfc(1/√2)
    beyond / window.len() as f64 / 0.317_310_507_862_914
}

#[test]
fn echoes_are_dense_80_ms_after_the_first() {
    for size in [0.0, 0.5, 1.0] {
        let reverb = Processor::Reverb(Reverb { size, predelay_ms: 0.0, high_cut_hz: 20_000.0, ..Reverb::default() });
        let response = render(&reverb, 48_000, &impulse(1, 24_000));
        for side in &response {
            let first = side.iter().position(|sample| sample.abs() > 1e-6).expect("because it sounds");
            let centre = first + 48 * 80;
            let density = echo_density(&side[centre - 480..centre + 480]);
            assert!(density >= 0.9, "size {size}: {density}");
        }
    }
}

#[test]
fn the_wet_sound_is_about_as_loud_as_the_dry_one_whatever_the_decay() {
    for decay_s in [0.3, 1.8, 6.0] {
        let open = Reverb { decay_s, high_cut_hz: 20_000.0, low_cut_hz: 10.0, ..Reverb::default() };
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
