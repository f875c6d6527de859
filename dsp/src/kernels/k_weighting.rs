//! K-weighting: ITU-R BS.1770-5, Annex 1.

use core::f64::consts::PI;

use super::lanes::without_dust;
use crate::math;
use crate::units::gain_from_db;

/// The coefficients of both stages, normalised to a0 = 1.
///
/// BS.1770-5 prints them for 48 kHz (tables 1 and 2) and asks of other rates the same frequency response. These are the
/// analogue prototypes behind the printed digits, taken back through the bilinear transform at any rate:
/// ```text
/// stage 1, high shelf: (Vh + Vb·K/Q + K²) … with K = tan(π·f0/fs), Vh = 10^(G/20), Vb = Vh^0.4996667741545416
/// stage 2, high pass:  (1 − z⁻¹)²·h / (1 + …), h so that the gain is at every rate what {1, −2, 1} gives at 48 kHz
/// ```
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
        Self { shelf: shelf(fs), high_pass: high_pass(fs) }
    }
}

fn shelf(fs: f64) -> [f64; 5] {
    const F0_HZ: f64 = 1681.974450955533;
    const GAIN_DB: f64 = 3.999843853973347;
    const Q: f64 = 0.7071752369554196;
    let k = math::tan(PI * F0_HZ / fs);
    let vh = gain_from_db(GAIN_DB);
    let vb = math::powf(vh, 0.4996667741545416);
    let a0 = 1.0 + k / Q + k * k;
    [
        (vh + vb * k / Q + k * k) / a0,
        2.0 * (k * k - vh) / a0,
        (vh - vb * k / Q + k * k) / a0,
        2.0 * (k * k - 1.0) / a0,
        (1.0 - k / Q + k * k) / a0,
    ]
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

    #[test]
    fn at_48_khz_the_coefficients_are_those_the_recommendation_prints() {
        let printed = [
            [1.53512485958697, -2.69169618940638, 1.19839281085285, -1.69065929318241, 0.73248077421585],
            [1.0, -2.0, 1.0, -1.99004745483398, 0.99007225036621],
        ];
        let KWeighting { shelf, high_pass } = KWeighting::new(48_000);
        for (ours, printed) in shelf.iter().chain(&high_pass).zip(printed.iter().flatten()) {
            assert!((ours - printed).abs() < 1e-13, "{ours} is not {printed}");
        }
    }
}
