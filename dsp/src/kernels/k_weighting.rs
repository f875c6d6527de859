//! K-weighting: ITU-R BS.1770-5, Annex 1.

use core::f64::consts::PI;

use super::lanes::without_dust;
use crate::math;

/// Table 1 of BS.1770-5: b0 b1 b2 a1 a2 of the shelf at 48 kHz.
const SHELF_48_KHZ: [f64; 5] =
    [1.53512485958697, -2.69169618940638, 1.19839281085285, -1.69065929318241, 0.73248077421585];
/// 48000·ln p in rad/s, where p ± jq are the poles of table 1.
const SHELF_POLE: (f64, f64) = (-7_471.636_445_752_04, 7_534.196_965_120_106);
/// Where the shelf at other rates is exact, beside 0 Hz: at the tones that meters are tested with, and at the top.
const EXACT_HZ: (f64, f64) = (1000.0, 16_000.0);
/// No frequency above this share of the sample rate is asked to be exact.
const HIGHEST: f64 = 0.45;

/// The coefficients of both stages, normalised to a0 = 1.
///
/// BS.1770-5 prints them for 48 kHz (tables 1 and 2) and asks of other rates the same frequency response.
/// ```text
/// stage 1, high shelf: the poles of table 1 taken from rate to rate as exp(s/fs); the numerator such that |H| is that of
///                      table 1 at 0 Hz, 1 kHz and 16 kHz (0.45·fs at low rates)
/// stage 2, high pass:  (1 − z⁻¹)²·h / (1 + …) by the bilinear transform of the prototype behind the digits of table 2,
///                      h so that the gain is at every rate what {1, −2, 1} gives at 48 kHz
/// ```
/// Matching the magnitude so, after Vicanek ("Matched Second Order Digital Filters", 2016), leaves at most 0.00003 dB
/// to 20 kHz at 32 kHz and above, 0.0004 dB at 22.05, 0.009 dB at 11.025 and 0.03 dB at 8 kHz. The bilinear transform, by which other
/// meters go, leaves 0.008 dB at 192 kHz and 0.15 dB at 11.025 kHz.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KWeighting {
    /// b0 b1 b2 a1 a2 of the shelf.
    pub shelf: [f64; 5],
    /// b0 b1 b2 a1 a2 of the high pass.
    pub high_pass: [f64; 5],
}

impl KWeighting {
    /// The filter for a sample rate.
    #[must_use]
    pub fn new(sample_rate_hz: u32) -> Self {
        let fs = f64::from(sample_rate_hz);
        Self { shelf: if sample_rate_hz == 48_000 { SHELF_48_KHZ } else { shelf(fs) }, high_pass: high_pass(fs) }
    }

    /// The squared magnitude of both stages at a frequency, for the sample rate that the filter is made for.
    #[must_use]
    pub fn power(&self, frequency_hz: f64, sample_rate_hz: u32) -> f64 {
        let s = place(frequency_hz, f64::from(sample_rate_hz));
        let stage = |[b0, b1, b2, a1, a2]: [f64; 5]| squared([b0, b1, b2], s) / squared([1.0, a1, a2], s);
        stage(self.shelf) * stage(self.high_pass)
    }
}

/// sin²(ω/2) at a frequency: over it, the squared magnitude of a second-order polynomial in z⁻¹ is
/// (1 − s)·P(1)² + s·P(−1)² − 4·(1 − s)·s·4·p0·p2.
fn place(frequency_hz: f64, fs: f64) -> f64 {
    let sine = math::sin(PI * frequency_hz / fs);
    sine * sine
}

/// |p0 + p1·z⁻¹ + p2·z⁻²|² at a place.
fn squared([p0, p1, p2]: [f64; 3], s: f64) -> f64 {
    let (sum, alternating) = (p0 + p1 + p2, p0 - p1 + p2);
    (1.0 - s) * sum * sum + s * alternating * alternating - 16.0 * (1.0 - s) * s * p0 * p2
}

fn shelf(fs: f64) -> [f64; 5] {
    let radius = math::exp(SHELF_POLE.0 / fs);
    let denominator = [1.0, -2.0 * radius * math::cos(SHELF_POLE.1 / fs), radius * radius];
    let [b0, b1, b2, a1, a2] = SHELF_48_KHZ;
    let wanted = |hz: f64| {
        let there = place(hz, 48_000.0);
        squared([b0, b1, b2], there) / squared([1.0, a1, a2], there) * squared(denominator, place(hz, fs))
    };
    // |N|² = (1 − s)·n0 + s·n1 + 4·(1 − s)·s·n2: n0 is known at 0 Hz, n1 and n2 follow from the two other places.
    let n0 = wanted(0.0);
    let high_hz = EXACT_HZ.1.min(HIGHEST * fs);
    let [(s, u, v), (t, w, x)] = [EXACT_HZ.0, high_hz].map(|hz| {
        let s = place(hz, fs);
        (s, 4.0 * (1.0 - s) * s, wanted(hz) - (1.0 - s) * n0)
    });
    let determinant = s * w - t * u;
    let (n1, n2) = ((v * w - x * u) / determinant, (s * x - t * v) / determinant);
    // The polynomial of minimum phase with this magnitude: P(1) = √n0, P(−1) = √n1, p0·p2 = −n2/4.
    let (even, odd) = ((n0.sqrt() + n1.sqrt()) / 2.0, (n0.sqrt() - n1.sqrt()) / 2.0);
    let p0 = (even + (even * even + n2).sqrt()) / 2.0;
    [p0, odd, -n2 / (4.0 * p0), denominator[1], denominator[2]]
}

fn high_pass(fs: f64) -> [f64; 5] {
    const F0_HZ: f64 = 38.13547087602444;
    const Q: f64 = 0.5003270373238773;
    let a0_at = |fs: f64| {
        let k = math::tan(PI * F0_HZ / fs);
        1.0 + k / Q + k * k
    };
    let k = math::tan(PI * F0_HZ / fs);
    let a0 = a0_at(fs);
    let h = a0_at(48_000.0) / a0;
    [h, -2.0 * h, h, 2.0 * (k * k - 1.0) / a0, (1.0 - k / Q + k * k) / a0]
}

/// The running filter of `LANES` channels, kept side by side so that one pass serves them all.
#[derive(Debug, Clone)]
pub struct KFilter<const LANES: usize> {
    weighting: KWeighting,
    shelf: [[f64; LANES]; 2],
    high_pass: [[f64; LANES]; 2],
}

impl<const LANES: usize> KFilter<LANES> {
    /// A filter at rest.
    #[must_use]
    pub fn new(sample_rate_hz: u32) -> Self {
        let rest = [[0.0; LANES]; 2];
        Self { weighting: KWeighting::new(sample_rate_hz), shelf: rest, high_pass: rest }
    }

    /// Filters on and adds the squares of what comes out to `energy`, lane by lane in time order. Samples that are no
    /// finite numbers count as silence.
    ///
    /// # Panics
    /// If the lanes are not of one length.
    pub fn add_energy(&mut self, input: [&[f32]; LANES], energy: &mut [f64; LANES]) {
        let frames = input.first().map_or(0, |lane| lane.len());
        assert!(input.iter().all(|lane| lane.len() == frames), "lanes of one filter are equally long");
        let ([b0, b1, b2, a1, a2], [c0, c1, c2, d1, d2]) = (self.weighting.shelf, self.weighting.high_pass);
        let ([mut s1, mut s2], [mut t1, mut t2]) = (self.shelf, self.high_pass);
        let mut sum = *energy;
        for frame in 0..frames {
            let samples = input.map(|lane| lane[frame]);
            for (lane, sample) in samples.into_iter().enumerate() {
                let x = if sample.is_finite() { f64::from(sample) } else { 0.0 };
                let y = b0 * x + s1[lane];
                s1[lane] = b1 * x - a1 * y + s2[lane];
                s2[lane] = b2 * x - a2 * y;
                let z = c0 * y + t1[lane];
                t1[lane] = c1 * y - d1 * z + t2[lane];
                t2[lane] = c2 * y - d2 * z;
                sum[lane] += z * z;
            }
        }
        (self.shelf, self.high_pass, *energy) = ([s1, s2], [t1, t2], sum);
    }

    /// Forgets memory too small to matter. To be called at absolute frames, never at the ends of blocks, so that the
    /// split into blocks leaves no trace.
    pub fn flush_denormals(&mut self) {
        for value in self.shelf.iter_mut().chain(&mut self.high_pass).flatten() {
            *value = without_dust(*value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::KWeighting;

    use super::{SHELF_48_KHZ, high_pass, shelf};
    use crate::math;
    use crate::units::db_from_power;

    /// The gain in dB of both stages at a frequency.
    fn gain_db(stages: [[f64; 5]; 2], frequency_hz: f64, sample_rate_hz: f64) -> f64 {
        let w = 2.0 * core::f64::consts::PI * frequency_hz / sample_rate_hz;
        let power = |p: [f64; 3]| {
            let re = p[0] + p[1] * math::cos(w) + p[2] * math::cos(2.0 * w);
            let im = p[1] * math::sin(w) + p[2] * math::sin(2.0 * w);
            re * re + im * im
        };
        stages.iter().map(|[b0, b1, b2, a1, a2]| db_from_power(power([*b0, *b1, *b2]) / power([1.0, *a1, *a2]))).sum()
    }

    #[test]
    fn at_48_khz_the_coefficients_are_those_the_recommendation_prints() {
        let printed = [1.0, -2.0, 1.0, -1.99004745483398, 0.99007225036621];
        let KWeighting { shelf: at_48_khz, high_pass } = KWeighting::new(48_000);
        assert_eq!(at_48_khz, SHELF_48_KHZ);
        for (ours, printed) in high_pass.iter().chain(&shelf(48_000.0)).zip(printed.iter().chain(&SHELF_48_KHZ)) {
            assert!((ours - printed).abs() < 1e-12, "{ours} is not {printed}");
        }
    }

    #[test]
    fn every_rate_has_the_response_of_48_khz() {
        let known = KWeighting::new(48_000);
        for (rate, allowed_db) in [
            (8_000, 0.03),
            (11_025, 0.009),
            (16_000, 0.002_1),
            (22_050, 0.000_5),
            (32_000, 0.000_1),
            (44_100, 0.000_04),
            (88_200, 0.000_06),
            (96_000, 0.000_06),
            (176_400, 0.000_07),
            (192_000, 0.000_07),
        ] {
            let fs = f64::from(rate);
            let mut worst = 0.0_f64;
            let mut hz = 20.0;
            while hz < (0.49 * fs).min(20_000.0) {
                let ours = gain_db([shelf(fs), high_pass(fs)], hz, fs);
                worst = worst.max((ours - gain_db([known.shelf, known.high_pass], hz, 48_000.0)).abs());
                hz *= 1.02;
            }
            println!("{rate} Hz: {worst:.6} dB");
            assert!(worst <= allowed_db, "{rate} Hz: {worst:.6} dB");
        }
    }
}
