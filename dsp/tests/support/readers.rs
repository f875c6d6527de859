//! True-peak readers that share nothing with ours: written for the tests, in f64; and ffmpeg's.
#![allow(clippy::disallowed_methods, reason = "oracles need not have the same bits everywhere")]

use core::f64::consts::PI;
use std::path::Path;
use std::process::Command;

use mixdown_dsp::units::gain_from_db;

/// Filters that each read one point between two samples: `2·reach` taps in time order.
pub struct Reader {
    name: &'static str,
    reach: usize,
    phases: Vec<Vec<f64>>,
}

fn bessel(x: f64) -> f64 {
    (1..60).rev().fold(1.0, |sum, k| 1.0 + sum * x * x / (4.0 * f64::from(k * k)))
}

impl Reader {
    fn new(name: &'static str, points: u32, reach: usize, window: impl Fn(f64) -> f64) -> Self {
        let phase = |point: u32| {
            let place = f64::from(point) / f64::from(points);
            let tap = |n: usize| {
                let t = n as f64 - (reach - 1) as f64 - place;
                (PI * t).sin() / (PI * t) * window(t / reach as f64)
            };
            (0..2 * reach).map(tap).collect()
        };
        Self { name, reach, phases: (1..points).map(phase).collect() }
    }

    fn kaiser(name: &'static str, points: u32, reach: usize, beta: f64) -> Self {
        Self::new(name, points, reach, move |t| bessel(beta * (1.0 - t * t).max(0.0).sqrt()) / bessel(beta))
    }

    /// The 4-phase filter printed in BS.1770-5, Annex 2: phases 0 and 1; 3 and 2 mirror them.
    fn annex_2() -> Self {
        let printed = [
            [
                0.001_708_984_375,
                0.010_986_328_125,
                -0.019_653_320_312_5,
                0.033_203_125,
                -0.059_448_242_187_5,
                0.137_329_101_562_5,
                0.972_167_968_75,
                -0.102_294_921_875,
                0.047_607_421_875,
                -0.026_611_328_125,
                0.014_892_578_125,
                -0.008_300_781_25,
            ],
            [
                -0.029_174_804_687_5,
                0.029_296_875,
                -0.051_757_812_5,
                0.089_111_328_125,
                -0.166_503_906_25,
                0.465_087_890_625,
                0.779_785_156_25,
                -0.200_317_382_812_5,
                0.101_562_5,
                -0.058_227_539_062_5,
                0.033_081_054_687_5,
                -0.018_920_898_437_5,
            ],
        ];
        let mirrored = printed.map(|phase| phase.into_iter().rev().collect());
        Self {
            name: "Annex 2",
            reach: 6,
            phases: printed.map(|phase| phase.to_vec()).into_iter().chain(mirrored).collect(),
        }
    }

    pub fn all() -> Vec<Self> {
        vec![
            Self::kaiser("32 points", 32, 64, 10.0),
            Self::kaiser("long", 4, 128, 9.0),
            Self::kaiser("32 taps", 4, 16, 9.0),
            Self::annex_2(),
            Self::new("Hann, 49 taps", 4, 6, |t| 0.5 + 0.5 * (PI * t).cos()),
        ]
    }

    /// The greatest magnitude in `samples`, wherever it may reach `limit`: where all samples near lie below a third of it, it
    /// does not (but for signals made to that end, which none here is).
    pub fn peak(&self, samples: &[f32], limit: f64) -> f64 {
        let padding = vec![0.0; 2 * self.reach];
        let padded: Vec<f64> =
            padding.iter().copied().chain(samples.iter().map(|x| f64::from(*x))).chain(padding.clone()).collect();
        let mut peak = samples.iter().fold(0.0, |peak, x| f64::max(peak, f64::from(x.abs())));
        for window in padded.windows(2 * self.reach) {
            if window[self.reach - 3..self.reach + 3].iter().any(|x| x.abs() > limit / 3.0) {
                for phase in &self.phases {
                    let value = phase.iter().zip(window).fold(0.0, |sum, (tap, x)| sum + tap * x);
                    peak = peak.max(value.abs());
                }
            }
        }
        peak
    }
}

/// The greatest reading of all readers over the ceiling in dB, with the name of the reader.
pub fn over(readers: &[Reader], channels: &[Vec<f32>], ceiling_dbtp: f64) -> (f64, &'static str) {
    let limit = gain_from_db(ceiling_dbtp);
    let mut worst = (0.0, "");
    for reader in readers {
        let peak = channels.iter().map(|channel| reader.peak(channel, limit)).fold(0.0, f64::max);
        if peak > worst.0 {
            worst = (peak, reader.name);
        }
    }
    (20.0 * (worst.0 / limit).log10(), worst.1)
}

/// ffmpeg's true peak of the loudest channel of a file, linear, to its last digit; `raw` says what a file without a header is.
pub fn by_ffmpeg(path: &Path, raw: &[&str]) -> f64 {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-hide_banner", "-v", "error"])
        .args(raw)
        .arg("-i")
        .arg(path)
        .args(["-af", "ebur128=peak=true:metadata=1,ametadata=print:file=-", "-f", "null", "-"])
        .output()
        .expect("ffmpeg is there; `make test` installs it");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let peaks = text.lines().filter(|line| line.contains("r128.true_peaks_ch"));
    let peaks = peaks.filter_map(|line| line.rsplit('=').next()?.trim().parse().ok());
    peaks.fold(f64::NAN, f64::max)
}
