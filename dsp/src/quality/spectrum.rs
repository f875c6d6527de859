//! The long-term spectrum, and how the channels agree in it.

use core::f64::consts::TAU;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::buffer::Buffer;
use crate::kernels::fft::{RealFft, Spectrum as Bins, Work};
use crate::math;
use crate::units::db_from_power;

/// Points of the curve per octave; each is a band twice as wide as their distance.
const POINTS_PER_OCTAVE: f64 = 12.0;
/// Half the width of a band in octaves.
const HALF_BAND_OCTAVES: f64 = 1.0 / 12.0;
/// Where the curve begins.
const LOWEST_HZ: f64 = 20.0;
/// Nothing is shown above this share of the sample rate.
const HIGHEST: f64 = 0.49;

/// The long-term average spectrum.
///
/// Welch's method: Hann windows of 0.3 s or a little more (a power of two of frames), half overlapping, their powers
/// averaged over the whole file and over the channels. Each value is the power within a band of 1/6 octave, so pink noise
/// is level. P. D. Welch, IEEE Trans. Audio Electroacoust. 15(2), 1967.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Spectrum {
    /// Frames of a window.
    pub window_frames: u32,
    /// Middles of the bands in Hz, 12 an octave from 20 Hz on.
    pub frequencies_hz: Vec<f64>,
    /// Level in each band in dBFS, mean square over 1 (a sine of full scale: −3.01). `None` where there is nothing.
    pub levels_dbfs: Vec<Option<f64>>,
}

/// Averages spectra.
pub(super) struct Welch {
    fft: RealFft,
    work: Work,
    window: Vec<f64>,
    /// Per channel the latest frames, a window long at most.
    lines: Vec<Vec<f32>>,
    block: Vec<f64>,
    bins: Vec<Bins>,
    /// Per channel and bin.
    powers: Vec<Vec<f64>>,
    /// Real part of L·R*, per bin; for two channels.
    products: Vec<f64>,
    windows: u64,
}

/// Frames of a window: at least 0.3 s.
fn window_frames(sample_rate_hz: u32) -> usize {
    (sample_rate_hz as usize * 3 / 10).next_power_of_two()
}

impl Welch {
    pub(super) fn new(sample_rate_hz: u32, channels: usize) -> Self {
        let frames = window_frames(sample_rate_hz);
        let fft = RealFft::new(frames);
        let bins = fft.bins();
        let hann = |n: usize| 0.5 - 0.5 * math::cos(TAU * n as f64 / frames as f64);
        Self {
            work: fft.work(),
            window: (0..frames).map(hann).collect(),
            lines: vec![Vec::with_capacity(frames); channels],
            block: vec![0.0; frames],
            bins: vec![Bins::silent(bins); channels],
            powers: vec![vec![0.0; bins]; channels],
            products: if channels == 2 { vec![0.0; bins] } else { Vec::new() },
            windows: 0,
            fft,
        }
    }

    pub(super) fn push(&mut self, block: &Buffer) {
        let frames = self.fft.frames();
        let mut from = 0;
        while from < block.frames() {
            let to = block.frames().min(from + frames - self.lines[0].len());
            for (line, channel) in self.lines.iter_mut().zip(block.iter()) {
                line.extend_from_slice(&channel[from..to]);
            }
            from = to;
            if self.lines[0].len() == frames {
                self.transform();
                for line in &mut self.lines {
                    line.copy_within(frames / 2.., 0);
                    line.truncate(frames / 2);
                }
            }
        }
    }

    fn transform(&mut self) {
        for ((line, bins), powers) in self.lines.iter().zip(&mut self.bins).zip(&mut self.powers) {
            for ((to, sample), weight) in self.block.iter_mut().zip(line).zip(&self.window) {
                *to = f64::from(*sample) * weight;
            }
            self.fft.forward(&self.block, bins, &mut self.work);
            for ((power, re), im) in powers.iter_mut().zip(&bins.re).zip(&bins.im) {
                *power += re * re + im * im;
            }
        }
        if let [left, right] = self.bins.as_slice() {
            for (bin, product) in self.products.iter_mut().enumerate() {
                *product += left.re[bin] * right.re[bin] + left.im[bin] * right.im[bin];
            }
        }
        self.windows += 1;
    }

    /// The powers of what was heard; a file shorter than a window is one window with silence behind it.
    pub(super) fn finish(mut self, sample_rate_hz: u32) -> LongTerm {
        let frames = self.fft.frames();
        if self.windows == 0 {
            self.lines.iter_mut().for_each(|line| line.resize(frames, 0.0));
            self.transform();
        }
        let weight: f64 = self.window.iter().map(|w| w * w).sum();
        // One-sided: every bin but the outermost stands for two.
        let scale = 2.0 / (self.windows as f64 * weight * frames as f64);
        let scaled = |powers: Vec<f64>| powers.into_iter().map(|power| power * scale).collect();
        LongTerm {
            bin_hz: f64::from(sample_rate_hz) / frames as f64,
            window_frames: frames as u32,
            highest_hz: HIGHEST * f64::from(sample_rate_hz),
            powers: self.powers.into_iter().map(scaled).collect(),
            products: scaled(self.products),
        }
    }
}

/// Mean power per bin.
pub(super) struct LongTerm {
    bin_hz: f64,
    window_frames: u32,
    highest_hz: f64,
    pub powers: Vec<Vec<f64>>,
    pub products: Vec<f64>,
}

impl LongTerm {
    /// The sum of `values` from one frequency to another; a bin is even over its width.
    pub(super) fn within(&self, values: &[f64], from_hz: f64, to_hz: f64) -> f64 {
        let place = |hz: f64| (hz / self.bin_hz + 0.5).clamp(0.0, values.len() as f64);
        let (from, to) = (place(from_hz), place(to_hz));
        let (first, last) = (from as usize, (to.ceil() as usize).min(values.len()));
        let mut sum = 0.0;
        for (bin, value) in values.iter().enumerate().take(last).skip(first) {
            let share = (to.min(bin as f64 + 1.0) - from.max(bin as f64)).max(0.0);
            sum += share * value;
        }
        sum
    }

    /// The sum over all bins of a value and a weight, which depends on the frequency in Hz.
    pub(super) fn weighted(&self, values: &[f64], weight: impl Fn(f64) -> f64) -> f64 {
        values.iter().enumerate().map(|(bin, value)| value * weight(bin as f64 * self.bin_hz)).sum()
    }

    /// The highest frequency that is shown.
    pub(super) fn highest_hz(&self) -> f64 {
        self.highest_hz
    }

    pub(super) fn curve(&self) -> Spectrum {
        let half_band = math::exp2(HALF_BAND_OCTAVES);
        let mut curve =
            Spectrum { window_frames: self.window_frames, frequencies_hz: Vec::new(), levels_dbfs: Vec::new() };
        let middles = (0..).map(|point| LOWEST_HZ * math::exp2(f64::from(point) / POINTS_PER_OCTAVE));
        for hz in middles.take_while(|hz| *hz <= self.highest_hz) {
            let power: f64 = self.powers.iter().map(|bins| self.within(bins, hz / half_band, hz * half_band)).sum();
            let power = power / self.powers.len() as f64;
            curve.frequencies_hz.push(super::rounded(hz, 2));
            curve.levels_dbfs.push((power > 1e-16).then(|| super::rounded(db_from_power(power), 2)));
        }
        curve
    }
}
