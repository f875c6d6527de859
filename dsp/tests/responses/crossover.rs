//! The crossover kernel against the analogue Linkwitz–Riley filters on the bilinear scale, and against ffmpeg's.

use core::f64::consts::PI;

use mixdown_dsp::kernels::crossover::{Corner, Crossover, Slope};
use mixdown_dsp::kernels::lanes::Lanes;
use mixdown_dsp::math;

use super::support::impulse;
use super::tools::{filter, read_f32};
use super::{audible_hz, db, spectrum};

const RATES_HZ: [f64; 6] = [44_100.0, 48_000.0, 88_200.0, 96_000.0, 176_400.0, 192_000.0];
const SLOPES: [Slope; 3] = [Slope::Db12, Slope::Db24, Slope::Db48];
const RUN: usize = 64;

type Complex = (f64, f64);

fn times((a, b): Complex, (c, d): Complex) -> Complex {
    (a * c - b * d, a * d + b * c)
}

fn over(a: Complex, (c, d): Complex) -> Complex {
    let power = c * c + d * d;
    times(a, (c / power, -d / power))
}

/// The impulse responses of all bands, and of their sum.
fn responses(slope: Slope, corners_hz: &[f64], rate_hz: f64, frames: usize) -> (Vec<Vec<f64>>, Vec<f64>) {
    let mut crossover = Crossover::<1>::new(slope, corners_hz.len() + 1);
    let corners: Vec<Corner> = corners_hz.iter().map(|hz| Corner::new(slope, *hz, rate_hz)).collect();
    let mut split = vec![Vec::new(); corners_hz.len() + 1];
    let mut sum = Vec::new();
    for start in (0..frames).step_by(RUN) {
        let mut bands = vec![[Lanes::ZERO; RUN]; corners_hz.len() + 1];
        if start == 0 {
            bands[corners_hz.len()][0] = Lanes([1.0]);
        }
        crossover.split(|index, _| corners[index], &mut bands, RUN);
        for (split, band) in split.iter_mut().zip(&bands) {
            split.extend(band.iter().map(|frame| frame.0[0]));
        }
        crossover.join(|index, _| corners[index], &mut bands, RUN);
        sum.extend(bands[0].iter().map(|frame| frame.0[0]));
    }
    (split, sum)
}

/// Frequency over corner as the bilinear transform has it.
fn warped(hz: f64, corner_hz: f64, rate_hz: f64) -> f64 {
    math::tan(PI * hz / rate_hz) / math::tan(PI * corner_hz / rate_hz)
}

/// The Butterworth polynomial of half the crossover's order at s = j·x, by its poles e^(jπ(2m + n + 1)/2n).
fn butterworth(slope: Slope, x: f64) -> Complex {
    let order = match slope {
        Slope::Db12 => 1,
        Slope::Db24 => 2,
        Slope::Db48 => 4,
    };
    (0..order).fold((1.0, 0.0), |product, m| {
        let angle = PI * f64::from(2 * m + order + 1) / f64::from(2 * order);
        times(product, (-math::cos(angle), x - math::sin(angle)))
    })
}

/// B(−s)/B(s) at s = j·x, up to a sign: what a Linkwitz–Riley pair adds up to.
fn all_pass(slope: Slope, x: f64) -> Complex {
    let (re, im) = butterworth(slope, x);
    over((re, -im), (re, im))
}

/// The lower band, 1/B²(s).
fn low_pass(slope: Slope, x: f64) -> Complex {
    let b = butterworth(slope, x);
    over((1.0, 0.0), times(b, b))
}

fn abs((re, im): Complex) -> f64 {
    (re * re + im * im).sqrt()
}

/// Enough for the slowest corner of 120 Hz.
fn frames(rate_hz: f64) -> usize {
    (0.08 * rate_hz) as usize
}

#[test]
fn bands_add_up_to_the_product_of_the_all_passes_at_every_rate() {
    let trees: [&[f64]; 5] =
        [&[2000.0], &[200.0, 2000.0], &[1000.0, 1500.0], &[150.0, 800.0, 5000.0], &[120.0, 400.0, 2500.0, 8000.0]];
    let mut worst_db = 0.0f64;
    for slope in SLOPES {
        for rate_hz in RATES_HZ {
            for corners_hz in trees {
                let (_, sum) = responses(slope, corners_hz, rate_hz, frames(rate_hz));
                for hz in audible_hz(40) {
                    let found = spectrum(&sum, hz, rate_hz);
                    let expected = corners_hz.iter().fold((1.0, 0.0), |product, corner| {
                        times(product, all_pass(slope, warped(hz, *corner, rate_hz)))
                    });
                    worst_db = worst_db.max(db(abs(found)).abs());
                    // As far apart as the points in the plane: magnitude and phase at once.
                    let error = abs((found.0 - expected.0, found.1 - expected.1));
                    assert!(error < 1e-5, "{slope:?}, {corners_hz:?} at {rate_hz} Hz: {error} at {hz} Hz");
                }
            }
        }
    }
    assert!(worst_db < 1e-4, "{worst_db} dB");
}

#[test]
fn each_band_is_the_analogue_filter_on_the_bilinear_scale() {
    let (corners_hz, rate_hz) = ([300.0, 3000.0], 48_000.0);
    for slope in SLOPES {
        let (bands, _) = responses(slope, &corners_hz, rate_hz, frames(rate_hz));
        for hz in audible_hz(60) {
            let x = corners_hz.map(|corner| warped(hz, corner, rate_hz));
            // A high-pass is the low-pass mirrored about its corner.
            let low = x.map(|x| abs(low_pass(slope, x)));
            let high = x.map(|x| abs(low_pass(slope, 1.0 / x)));
            for (band, expected) in bands.iter().zip([low[0], high[0] * low[1], high[0] * high[1]]) {
                let found = abs(spectrum(band, hz, rate_hz));
                assert!((found - expected).abs() < 1e-6, "{slope:?} at {hz} Hz: {found} instead of {expected}");
            }
        }
        for (corner, pair) in corners_hz.iter().zip(bands.windows(2)) {
            for band in pair {
                // The other corner, a decade away, takes up to 0.1 dB at 12 dB/oct.
                let at_corner = db(abs(spectrum(band, *corner, rate_hz)));
                assert!((at_corner + 6.02).abs() < 0.1, "{slope:?}: {at_corner} dB at {corner} Hz");
            }
        }
    }
}

#[test]
fn a_moving_corner_leaves_the_sum_level() {
    let rate_hz = 48_000.0;
    let mut crossover = Crossover::<1>::new(Slope::Db24, 2);
    let mut peak = 0.0f64;
    for run in 0..1500 {
        let mut bands = [[Lanes::ZERO; RUN]; 2];
        let frame = |index: usize| (run * RUN + index) as f64;
        for (index, x) in bands[1].iter_mut().enumerate() {
            *x = Lanes([math::sin(2.0 * PI * 500.0 * frame(index) / rate_hz)]);
        }
        // From 200 Hz to 2 kHz and back in 2 s.
        let corner = |_: usize, index: usize| {
            let hz = 200.0 * math::powf(10.0, 0.5 - 0.5 * math::cos(PI * frame(index) / rate_hz));
            Corner::new(Slope::Db24, hz, rate_hz)
        };
        crossover.split(corner, &mut bands, RUN);
        crossover.join(corner, &mut bands, RUN);
        if run < 50 {
            // A tone that begins overshoots in any all-pass.
            continue;
        }
        peak = bands[0].iter().fold(peak, |peak, x| peak.max(x.0[0].abs()));
    }
    assert!(db(peak).abs() < 0.02, "{} dB", db(peak));
}

#[test]
fn two_bands_are_those_of_ffmpeg() {
    let folder = tempfile::tempdir().expect("because there is a folder for temporary files");
    let (rate_hz, frames) = (48_000.0, 1 << 14);
    for (slope, order) in [(Slope::Db12, "2nd"), (Slope::Db24, "4th"), (Slope::Db48, "8th")] {
        let (ours, _) = responses(slope, &[1000.0], rate_hz, frames);
        for (index, (pad, other)) in [("l", "h"), ("h", "l")].into_iter().enumerate() {
            let split = format!("acrossover=split=1000:order={order}:precision=double[l][h]");
            let graph = format!("[0]{split};[{other}]anullsink;[{pad}]anull");
            let theirs = filter(folder.path(), &[&impulse(1, frames)], &graph);
            let theirs = read_f32(&theirs, 1).remove(0);
            for hz in audible_hz(30) {
                let (ours, theirs) = (spectrum(&ours[index], hz, rate_hz), spectrum(&theirs, hz, rate_hz));
                let error = (abs(ours) - abs(theirs)).abs();
                assert!(error < 1e-6, "{slope:?} {pad} at {hz} Hz: {error}");
            }
        }
    }
}
