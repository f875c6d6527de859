use mixdown_dsp::automation::{Curve, Knot, Lane};
use mixdown_dsp::math;
use mixdown_dsp::node::ParameterLane;
use mixdown_dsp::nodes::{Band, BandKind, Eq, Processor};

use super::support::{Rig, band, bits, impulse, noise, pass, render};
use super::{db, from_db, tools};

const RATE_HZ: f64 = 44_100.0;

/// The gain in dB of an impulse response at a frequency: its Fourier sum.
fn gain_db(response: &[f32], frequency_hz: f64, rate_hz: f64) -> f64 {
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
fn cookbook_db(band: &Band, hz: f64) -> f64 {
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
    for kind in [BandKind::LowPass, BandKind::HighPass] {
        for frequency_hz in [100.0, 1000.0, 5000.0] {
            for slope in [6, 12, 18, 24, 36, 42, 48, 72, 96] {
                let response = response(vec![pass(kind, frequency_hz, slope)], RATE_HZ as u32);
                let order = f64::from(slope / 6);
                for (ratio, tolerance_db) in [(0.25, 0.15), (1.0, 0.02), (2.0, 0.3)] {
                    let ratio = if kind == BandKind::LowPass { ratio } else { 1.0 / ratio };
                    // |H|² = 1/(1 + x^2n), x upside down for the high-pass.
                    let x: f64 = if kind == BandKind::LowPass { ratio } else { 1.0 / ratio };
                    let expected = -db((1.0 + math::powf(x, 2.0 * order)).sqrt());
                    let measured = gain_db(&response, frequency_hz * ratio, RATE_HZ);
                    assert!(
                        (measured - expected).abs() < tolerance_db,
                        "{kind:?} {frequency_hz} Hz, {slope} dB/octave, {ratio}: {measured} instead of {expected} dB"
                    );
                }
            }
        }
    }
}

#[test]
fn ninety_six_db_an_octave_is_that() {
    for (kind, octave) in [(BandKind::LowPass, 2.0), (BandKind::HighPass, 0.5)] {
        for frequency_hz in [100.0, 400.0, 1600.0, 5000.0] {
            let response = response(vec![pass(kind, frequency_hz, 96)], RATE_HZ as u32);
            let corner = gain_db(&response, frequency_hz, RATE_HZ);
            assert!((corner + 3.0103).abs() < 0.02, "{kind:?} {frequency_hz} Hz: {corner} dB at the corner");
            let beyond = gain_db(&response, frequency_hz * octave, RATE_HZ);
            assert!((beyond + 96.33).abs() < 1.0, "{kind:?} {frequency_hz} Hz: {beyond} dB an octave out");
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
    let response = response(vec![band(BandKind::Notch, 1000.0, 0.0, 10.0)], 48_000);
    assert!(gain_db(&response, 1000.0, 48_000.0) < -80.0);
    for hz in [100.0, 500.0, 2000.0, 15_000.0] {
        let x = hz / 1000.0;
        let expected = analogue_db([1.0, 0.0, 1.0], [1.0, 0.1, 1.0], x);
        assert!((gain_db(&response, hz, 48_000.0) - expected).abs() < 0.02, "{hz} Hz");
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

#[test]
fn a_cutoff_that_jumps_does_not_overshoot() {
    // The corner jumps between 200 and 8000 Hz every 5 ms under a sine of 60 Hz: direct forms reach 13.
    let knot = |index: u64| Knot {
        frame: index * 240,
        value: if index.is_multiple_of(2) { 200.0 } else { 8000.0 },
        curve: Curve::Hold,
    };
    let lane = Lane::new((0..400).map(knot).collect()).expect("because the frames rise");
    let sine = |frame: usize| math::sin(core::f64::consts::TAU * 60.0 * frame as f64 / 48_000.0) as f32;
    let input = vec![(0..96_000).map(sine).collect::<Vec<f32>>()];
    let eq = Processor::Eq(Eq { bands: vec![pass(BandKind::LowPass, 200.0, 12)] });
    let output = Rig::new(&eq, 48_000, 1, &[ParameterLane { parameter: 0, lane }]).run(&input, None, &[1000]);
    let peak = output[0].iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
    assert!(peak < 1.05, "{peak}");
}

#[test]
fn a_bell_that_jumps_in_frequency_or_gain_or_glides_in_q_does_not_overshoot() {
    // A full boost of the sine is the most that any of the resting bells gives.
    let course = |parameter, (curve, spacing): (Curve, u64), low: f64, high: f64| {
        let value = move |index: u64| if index.is_multiple_of(2) { low } else { high };
        let knots = (0..96_000 / spacing).map(|index| Knot { frame: index * spacing, value: value(index), curve });
        ParameterLane { parameter, lane: Lane::new(knots.collect()).expect("because the frames rise") }
    };
    let sine = |frame: usize| math::sin(core::f64::consts::TAU * 500.0 * frame as f64 / 48_000.0) as f32;
    let input = vec![(0..96_000).map(sine).collect::<Vec<f32>>()];
    let (jump, glide) = ((Curve::Hold, 960), (Curve::Linear, 4800));
    for lane in [course(0, jump, 500.0, 5000.0), course(1, jump, -12.0, 12.0), course(2, glide, 0.5, 4.0)] {
        let eq = Processor::Eq(Eq { bands: vec![band(BandKind::Bell, 500.0, 12.0, 1.0)] });
        let output = Rig::new(&eq, 48_000, 1, std::slice::from_ref(&lane)).run(&input, None, &[1000]);
        let peak = output[0].iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
        assert!(f64::from(peak) < 1.05 * from_db(12.0), "parameter {}: {peak}", lane.parameter);
    }
}

#[test]
fn a_q_that_falls_within_20_ms_overshoots_by_as_much_as_the_page_says() {
    let knot = |frame, value| Knot { frame, value, curve: Curve::Linear };
    // The fall begins at sixteen places of the sine of the centre.
    let peaks = (0..16).map(|turn| {
        let lane = Lane::new(vec![knot(48_000 + 6 * turn, 4.0), knot(48_960 + 6 * turn, 0.5)])
            .expect("because the frames rise");
        let sine = |frame: usize| math::sin(core::f64::consts::TAU * 500.0 * frame as f64 / 48_000.0) as f32;
        let input = vec![(0..96_000).map(sine).collect::<Vec<f32>>()];
        let eq = Processor::Eq(Eq { bands: vec![band(BandKind::Bell, 500.0, 12.0, 4.0)] });
        let output = Rig::new(&eq, 48_000, 1, &[ParameterLane { parameter: 2, lane }]).run(&input, None, &[1000]);
        output[0].iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()))
    });
    let over = f64::from(peaks.fold(0.0, f32::max)) / from_db(12.0);
    println!("{over:.3} of the steady state");
    assert!(over > 1.0 && over < 1.22, "{over}");
}

#[test]
fn a_band_that_has_come_to_rest_sounds_as_one_that_never_moved() {
    let knot = |frame, value| Knot { frame, value, curve: Curve::Linear };
    let lane = Lane::new(vec![knot(0, 4000.0), knot(2000, 15_000.0)]).expect("because the frames rise");
    let bell = |frequency_hz| Processor::Eq(Eq { bands: vec![band(BandKind::Bell, frequency_hz, 12.0, 1.0)] });
    // The impulse comes after the movement and the search that follows it.
    let mut input = vec![vec![0.0f32; 8000]];
    input[0][4096] = 1.0;
    let moved = Rig::new(&bell(4000.0), 44_100, 1, &[ParameterLane { parameter: 0, lane }]).run(&input, None, &[512]);
    let resting = render(&bell(15_000.0), 44_100, &input);
    for (moved, resting) in moved[0].iter().zip(&resting[0]) {
        assert!((moved - resting).abs() < 1e-7, "{moved} and {resting}");
    }
}

#[test]
fn an_automated_band_stays_near_its_prototype_while_it_moves() {
    // 20 dB a second at 12 kHz, an impulse midway between two searches: the closed form alone is 1 to 2 dB off.
    let knot = |frame, value| Knot { frame, value, curve: Curve::Linear };
    let lane = Lane::new(vec![knot(0, 0.0), knot(44_100, 20.0)]).expect("because the frames rise");
    let mut input = vec![vec![0.0f32; 44_100]];
    let at = 20 * 1024 + 512;
    input[0][at] = 1.0;
    let bell = |gain_db| band(BandKind::Bell, 12_000.0, gain_db, 1.0);
    let eq = Processor::Eq(Eq { bands: vec![bell(0.0)] });
    let output = Rig::new(&eq, 44_100, 1, &[ParameterLane { parameter: 1, lane }]).run(&input, None, &[512]);
    let resting = bell(20.0 * at as f64 / 44_100.0);
    for hz in [1000.0, 5000.0, 8000.0, 12_000.0, 16_000.0, 20_000.0] {
        let error = gain_db(&output[0][at..at + 4096], hz, RATE_HZ) - cookbook_db(&resting, hz);
        assert!(error.abs() < 0.1, "{hz} Hz: {error} dB");
    }
}

#[test]
fn an_automated_band_crossing_0_db_is_heard_nowhere_as_a_step() {
    let knot = |frame, value| Knot { frame, value, curve: Curve::Linear };
    let lane = Lane::new(vec![knot(0, -6.0), knot(48_000, 6.0)]).expect("because the frames rise");
    let sine = |frame: usize| math::sin(core::f64::consts::TAU * 1000.0 * frame as f64 / 48_000.0) as f32;
    let input = vec![(0..48_000).map(sine).collect::<Vec<f32>>()];
    let eq = Processor::Eq(Eq { bands: vec![band(BandKind::Bell, 1000.0, 0.0, 1.0)] });
    let output = Rig::new(&eq, 48_000, 1, &[ParameterLane { parameter: 1, lane }]).run(&input, None, &[1000]);
    for start in (2400..47_000).step_by(480) {
        // A quarter of the period after each zero stands the crest.
        let peak = output[0][start..start + 48].iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
        let expected = -6.0 + 12.0 * (start as f64 + 12.0) / 48_000.0;
        assert!(
            (db(f64::from(peak)) - expected).abs() < 0.05,
            "{start}: {} instead of {expected}",
            db(f64::from(peak))
        );
    }
}
