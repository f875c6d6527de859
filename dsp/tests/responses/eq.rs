use mixdown_dsp::math;
use mixdown_dsp::nodes::{Band, BandKind, Eq, Processor};

use super::support::{band, bits, impulse, noise, pass, render};
use super::{db, from_db, long, tools};
use crate::signals::Noise;

pub const RATE_HZ: f64 = 44_100.0;

/// The gain in dB of an impulse response at a frequency: its Fourier sum.
pub fn gain_db(response: &[f32], frequency_hz: f64, rate_hz: f64) -> f64 {
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
pub fn cookbook_db(band: &Band, hz: f64) -> f64 {
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

/// Greatest and root mean square error in dB against the analogue prototype, 20 Hz to 20 kHz, evenly by octaves.
fn errors_db(band: &Band, rate_hz: u32) -> (f64, f64) {
    let response = response(vec![band.clone()], rate_hz);
    let points = (0..=60).map(|index| 20.0 * math::exp2(f64::from(index) / 60.0 * math::log2(1000.0)));
    let errors: Vec<f64> =
        points.map(|hz| gain_db(&response, hz, f64::from(rate_hz)) - cookbook_db(band, hz)).collect();
    let squares: f64 = errors.iter().map(|error| error * error).sum();
    (errors.iter().fold(0.0, |worst, error| error.abs().max(worst)), (squares / errors.len() as f64).sqrt())
}

#[test]
fn bells_follow_their_analogue_prototype_to_20_khz() {
    for frequency_hz in [200.0, 1000.0, 5000.0, 10_000.0, 16_000.0, 20_000.0] {
        for q in [0.3, 1.0, 4.0, 10.0] {
            for gain_db in [6.0, -12.0, 18.0] {
                let (worst, _) = errors_db(&band(BandKind::Bell, frequency_hz, gain_db, q), 44_100);
                assert!(worst < 0.07, "{frequency_hz} Hz, {gain_db} dB, Q {q}: {worst} dB");
            }
        }
    }
}

#[test]
fn shelves_and_tilts_follow_their_analogue_prototype_to_20_khz() {
    for frequency_hz in [100.0, 1000.0, 8000.0, 12_000.0, 16_000.0, 20_000.0] {
        for kind in [BandKind::LowShelf, BandKind::HighShelf, BandKind::Tilt] {
            for q in [0.3, core::f64::consts::FRAC_1_SQRT_2, 4.0, 10.0] {
                for gain_db in [6.0, -12.0, 18.0] {
                    let (worst, _) = errors_db(&band(kind, frequency_hz, gain_db, q), 44_100);
                    assert!(worst < 0.07, "{kind:?} {frequency_hz} Hz, {gain_db} dB, Q {q}: {worst} dB");
                }
            }
        }
    }
}

#[test]
fn bells_and_shelves_of_any_setting_follow_it() {
    let mut noise = Noise::new(31);
    let mut draw = |from: f64, to: f64| from + (to - from) * (0.5 + 0.5 * f64::from(noise.next()));
    let mut greatest = 0.0_f64;
    for _ in 0..long::rounds(200) {
        let kind = [BandKind::Bell, BandKind::LowShelf, BandKind::HighShelf][draw(0.0, 3.0) as usize];
        // Lower ones ring for longer than is listened to here.
        let frequency_hz = 60.0 * math::exp2(draw(0.0, math::log2(20_000.0 / 60.0)));
        let q = 0.3 * math::exp2(draw(0.0, math::log2(10.0 / 0.3)));
        let band = band(kind, frequency_hz, draw(-18.0, 18.0), q);
        let (worst, _) = errors_db(&band, 44_100);
        assert!(worst < 0.07, "{band:?}: {worst} dB");
        greatest = greatest.max(worst);
    }
    println!("{greatest:.3} dB at most");
}

#[test]
fn at_20_hz_they_follow_it_too() {
    for kind in [BandKind::Bell, BandKind::LowShelf, BandKind::HighShelf] {
        for (q, gain_db) in [(0.3, -12.0), (10.0, 18.0)] {
            let band = band(kind, 20.0, gain_db, q);
            // A boost of 18 dB at Q 10 rings with a time constant of half a second.
            let eq = Processor::Eq(Eq { bands: vec![band.clone()] });
            let response = render(&eq, 44_100, &impulse(1, 1 << 19)).remove(0);
            for hz in [20.0, 20.5, 22.0, 30.0, 60.0, 1000.0, 20_000.0] {
                let error = self::gain_db(&response, hz, RATE_HZ) - cookbook_db(&band, hz);
                assert!(error.abs() < 0.07, "{kind:?}, {gain_db} dB, Q {q}: {error} dB at {hz} Hz");
            }
        }
    }
}

#[test]
fn at_higher_rates_they_follow_it_too() {
    for rate_hz in [48_000, 88_200, 96_000, 176_400, 192_000] {
        for kind in [BandKind::Bell, BandKind::LowShelf, BandKind::HighShelf, BandKind::Tilt] {
            for frequency_hz in [200.0, 5000.0, 16_000.0, 20_000.0] {
                for (q, gain_db) in [(0.3, 18.0), (1.0, -12.0), (4.0, 6.0)] {
                    let (worst, _) = errors_db(&band(kind, frequency_hz, gain_db, q), rate_hz);
                    assert!(
                        worst < 0.07,
                        "{kind:?} {frequency_hz} Hz, {gain_db} dB, Q {q} at {rate_hz} Hz: {worst} dB"
                    );
                }
            }
        }
    }
}

#[test]
fn bands_near_the_top_are_closer_than_a_cookbook_filter_at_four_times_the_rate() {
    // ffmpeg's equalizer and treble between soxr resamplers: greatest and root mean square error in dB.
    let bell = errors_db(&band(BandKind::Bell, 16_000.0, 6.0, 1.0), 44_100);
    assert!(bell.0 < 0.125 && bell.1 < 0.035, "{bell:?}");
    let shelf = errors_db(&band(BandKind::HighShelf, 10_000.0, 6.0, core::f64::consts::FRAC_1_SQRT_2), 44_100);
    assert!(shelf.0 < 0.047 && shelf.1 < 0.013, "{shelf:?}");
}

#[test]
fn far_below_half_the_sample_rate_bells_and_shelves_are_those_of_ffmpeg() {
    // There the bilinear cookbook filter and the analogue one agree. (`bass` and `treble` of ffmpeg take Q for another
    // width.)
    let folder = tempfile::tempdir().expect("a temporary folder");
    let frames = 1 << 15;
    let bands = [
        (band(BandKind::Bell, 200.0, 6.0, 1.0), "equalizer=f=200:t=q:w=1:g=6:r=f64"),
        (band(BandKind::Bell, 500.0, -9.0, 3.0), "equalizer=f=500:t=q:w=3:g=-9:r=f64"),
        (band(BandKind::LowShelf, 150.0, 6.0, 0.7), "lowshelf=f=150:t=q:w=0.7:g=6:r=f64"),
        (band(BandKind::HighShelf, 400.0, -6.0, 0.7), "highshelf=f=400:t=q:w=0.7:g=-6:r=f64"),
    ];
    for (band, filter) in bands {
        let theirs = tools::read_f32(&tools::filter(folder.path(), &[&impulse(1, frames)], filter), 1).remove(0);
        let ours = response(vec![band.clone()], 48_000);
        for hz in [20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0] {
            let difference = gain_db(&theirs, hz, 48_000.0) - gain_db(&ours[..frames], hz, 48_000.0);
            assert!(difference.abs() < 0.02, "{filter} at {hz} Hz: {difference} dB");
        }
    }
}

#[test]
fn far_below_half_the_sample_rate_passes_and_notches_are_those_of_ffmpeg() {
    // A Butterworth pass of 24 dB/octave is two sections of these Q. (Its one-pole filters are none of the analogue first
    // order, and its `tiltshelf` is of the second.)
    let steep = |filter: &str| format!("{filter}=f=200:t=q:w=0.541196:r=f64,{filter}=f=200:t=q:w=1.306563:r=f64");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let frames = 1 << 15;
    let bands = [
        (pass(BandKind::LowPass, 200.0, 12), "lowpass=f=200:t=q:w=0.707107:r=f64".to_owned()),
        (pass(BandKind::HighPass, 200.0, 12), "highpass=f=200:t=q:w=0.707107:r=f64".to_owned()),
        (pass(BandKind::LowPass, 200.0, 24), steep("lowpass")),
        (pass(BandKind::HighPass, 200.0, 24), steep("highpass")),
        (band(BandKind::Notch, 250.0, 0.0, 4.0), "bandreject=f=250:t=q:w=4:r=f64".to_owned()),
    ];
    for (band, filter) in bands {
        let theirs = tools::read_f32(&tools::filter(folder.path(), &[&impulse(1, frames)], &filter), 1).remove(0);
        let ours = response(vec![band.clone()], 48_000);
        for hz in [20.0, 50.0, 100.0, 150.0, 200.0, 300.0, 500.0] {
            let difference = gain_db(&theirs, hz, 48_000.0) - gain_db(&ours[..frames], hz, 48_000.0);
            assert!(difference.abs() < 0.02, "{filter} at {hz} Hz: {difference} dB");
        }
    }
}

#[test]
fn passes_are_butterworth_at_the_corner_and_down_their_slope() {
    assert_passes_are_butterworth(44_100, &[100.0, 1000.0, 5000.0]);
    for rate_hz in [48_000, 96_000, 192_000] {
        assert_passes_are_butterworth(rate_hz, &[200.0, 5000.0]);
    }
}

fn assert_passes_are_butterworth(rate_hz: u32, corners_hz: &[f64]) {
    for kind in [BandKind::LowPass, BandKind::HighPass] {
        for &frequency_hz in corners_hz {
            for slope in [6, 12, 18, 24, 36, 42, 48, 72, 96] {
                let response = response(vec![pass(kind, frequency_hz, slope)], rate_hz);
                let order = f64::from(slope / 6);
                for (ratio, tolerance_db) in [(0.25, 0.15), (1.0, 0.02), (2.0, 0.3)] {
                    let ratio = if kind == BandKind::LowPass { ratio } else { 1.0 / ratio };
                    // |H|² = 1/(1 + x^2n), x upside down for the high-pass.
                    let x: f64 = if kind == BandKind::LowPass { ratio } else { 1.0 / ratio };
                    let expected = -db((1.0 + math::powf(x, 2.0 * order)).sqrt());
                    let measured = gain_db(&response, frequency_hz * ratio, f64::from(rate_hz));
                    assert!(
                        (measured - expected).abs() < tolerance_db,
                        "{kind:?} {frequency_hz} Hz at {rate_hz}, {slope} dB/octave, {ratio}: {measured} instead of {expected} dB"
                    );
                }
            }
        }
    }
}

#[test]
fn ninety_six_db_an_octave_is_that() {
    for rate_hz in [44_100, 48_000, 96_000, 192_000] {
        for (kind, octave) in [(BandKind::LowPass, 2.0), (BandKind::HighPass, 0.5)] {
            for frequency_hz in [100.0, 400.0, 1600.0, 5000.0] {
                let response = response(vec![pass(kind, frequency_hz, 96)], rate_hz);
                let gain_db = |hz| gain_db(&response, hz, f64::from(rate_hz));
                let (corner, beyond) = (gain_db(frequency_hz), gain_db(frequency_hz * octave));
                let what = format!("{kind:?} {frequency_hz} Hz at {rate_hz}");
                assert!((corner + 3.0103).abs() < 0.02, "{what}: {corner} dB at the corner");
                assert!((beyond + 96.33).abs() < 1.0, "{what}: {beyond} dB an octave out");
            }
        }
    }
}

#[test]
fn a_cut_undoes_the_boost() {
    let input = noise(1, 20_000, 0.25);
    for (kind, frequency_hz, q) in
        [(BandKind::Bell, 12_000.0, 1.0), (BandKind::HighShelf, 9000.0, 2.0), (BandKind::Tilt, 700.0, 1.0)]
    {
        let bands = [9.0, -9.0].map(|gain_db| band(kind, frequency_hz, gain_db, q)).to_vec();
        let output = render(&Processor::Eq(Eq { bands }), 44_100, &input);
        let residue = output[0].iter().zip(&input[0]).fold(0.0f32, |worst, (y, x)| worst.max((y - x).abs()));
        assert!(db(f64::from(residue)) < -140.0, "{kind:?}: {} dB", db(f64::from(residue)));
    }
}

#[test]
fn a_notch_removes_its_centre_and_little_else() {
    for rate_hz in [44_100, 48_000, 96_000, 192_000] {
        let response = response(vec![band(BandKind::Notch, 1000.0, 0.0, 10.0)], rate_hz);
        let gain_db = |hz| gain_db(&response, hz, f64::from(rate_hz));
        assert!(gain_db(1000.0) < -80.0, "{} dB at {rate_hz} Hz", gain_db(1000.0));
        for hz in [100.0, 500.0, 2000.0, 15_000.0] {
            let expected = analogue_db([1.0, 0.0, 1.0], [1.0, 0.1, 1.0], hz / 1000.0);
            assert!((gain_db(hz) - expected).abs() < 0.02, "{hz} of {rate_hz} Hz");
        }
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
