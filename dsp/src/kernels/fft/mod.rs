//! The Fourier transform of real blocks, with the same bits on every machine.
//!
//! Radix 4 (and 7, 5, 3 and one 2 where the length asks for them) in Stockham's self-sorting order, on half as many complex
//! points: even frames are the real, odd frames the imaginary part. All sums have one fixed order; the factors come from
//! [`crate::math`].
//!
//! *References*: W. T. Cochran et al., "What is the fast Fourier transform?", Proc. IEEE 55(10), 1967, for Stockham's order;
//! P. N. Swarztrauber, "Symmetric FFTs", Math. Comp. 47, 1986, for real blocks.

mod passes;

use core::array;
use core::f64::consts::TAU;

use self::passes::{Number, Pass};
use super::lanes::Lanes;
use crate::math;
use crate::simd;

/// The bins 0 to half the sample rate of a block of real frames.
#[derive(Debug, Clone, PartialEq)]
pub struct Spectrum {
    /// Real parts.
    pub re: Vec<f64>,
    /// Imaginary parts.
    pub im: Vec<f64>,
}

impl Spectrum {
    /// So many bins of 0.
    #[must_use]
    pub fn silent(bins: usize) -> Self {
        Self { re: vec![0.0; bins], im: vec![0.0; bins] }
    }

    /// Makes all bins 0.
    pub fn clear(&mut self) {
        self.re.fill(0.0);
        self.im.fill(0.0);
    }

    /// Adds the product of two spectra, bin by bin.
    pub fn add_product(&mut self, a: &Self, b: &Self) {
        let bins = self.re.len();
        let (re, im) = (&mut self.re[..bins], &mut self.im[..bins]);
        let (a_re, a_im, b_re, b_im) = (&a.re[..bins], &a.im[..bins], &b.re[..bins], &b.im[..bins]);
        for bin in 0..bins {
            re[bin] += a_re[bin] * b_re[bin] - a_im[bin] * b_im[bin];
            im[bin] += a_re[bin] * b_im[bin] + a_im[bin] * b_re[bin];
        }
    }
}

/// Room for one transform.
#[derive(Debug, Clone)]
pub struct Work {
    points: Complex,
    other: Complex,
}

#[derive(Debug, Clone)]
struct Complex {
    re: Vec<f64>,
    im: Vec<f64>,
}

impl Complex {
    fn zeros(points: usize) -> Self {
        Self { re: vec![0.0; points], im: vec![0.0; points] }
    }
}

/// The transform of blocks of one length.
#[derive(Debug)]
pub struct RealFft {
    /// Complex points: half the frames.
    points: usize,
    passes: Vec<Pass>,
    /// e^(−i·π·k/points).
    turns: Complex,
}

/// e^(−i·2π·part/whole).
fn turn(part: usize, whole: usize) -> (f64, f64) {
    let angle = TAU * part as f64 / whole as f64;
    (math::cos(angle), -math::sin(angle))
}

impl RealFft {
    /// The transform of blocks of `frames` frames: 4, or a multiple of 8 that no prime above 7 divides.
    ///
    /// # Panics
    /// If `frames` is none of these.
    #[must_use]
    pub fn new(frames: usize) -> Self {
        let points = frames / 2;
        let passes = (frames == 4 || frames.is_multiple_of(8)).then(|| passes::of(points)).flatten();
        let passes = passes.unwrap_or_else(|| panic!("a transform of {frames} frames"));
        let (re, im) = (0..=points).map(|k| turn(k, frames)).unzip();
        Self { points, passes, turns: Complex { re, im } }
    }

    /// Frames of a block.
    #[must_use]
    pub fn frames(&self) -> usize {
        2 * self.points
    }

    /// Bins of its spectrum: half the frames and one.
    #[must_use]
    pub fn bins(&self) -> usize {
        self.points + 1
    }

    /// Room for the transforms.
    #[must_use]
    pub fn work(&self) -> Work {
        Work { points: Complex::zeros(self.points), other: Complex::zeros(self.points) }
    }

    /// X\[k\] = Σ x\[n\]·e^(−i·2π·k·n/frames), k = 0 … frames/2, or as many as `spectrum` has room for. What it has beyond stays
    /// as it was.
    pub fn forward(&self, block: &[f64], spectrum: &mut Spectrum, work: &mut Work) {
        simd::run(Forward { fft: self, block, spectrum, work });
    }

    /// The block of a spectrum: undoes [`Self::forward`].
    pub fn inverse(&self, spectrum: &Spectrum, block: &mut [f64], work: &mut Work) {
        simd::run(Inverse { fft: self, spectrum, block, work });
    }

    /// The complex transform of `work.points` in place.
    #[inline(always)]
    fn transform(&self, work: &mut Work) {
        let mut stride = 1;
        for pass in &self.passes {
            stride = pass.run(stride, &work.points, &mut work.other);
            core::mem::swap(&mut work.points, &mut work.other);
        }
    }
}

/// The four values from `at` on.
#[inline(always)]
fn four(values: &[f64], at: usize) -> Lanes<4> {
    Lanes(array::from_fn(|lane| values[at..at + 4][lane]))
}

/// The four values up to `end`, the last one first.
#[inline(always)]
fn four_back(values: &[f64], end: usize) -> Lanes<4> {
    Lanes(array::from_fn(|lane| values[end - 3..=end][3 - lane]))
}

struct Forward<'a> {
    fft: &'a RealFft,
    block: &'a [f64],
    spectrum: &'a mut Spectrum,
    work: &'a mut Work,
}

impl simd::Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { fft: RealFft { points, turns, .. }, block, spectrum, work } = self;
        let pairs = &block.as_chunks::<2>().0[..*points];
        let Complex { re, im } = &mut work.points;
        for ((re, im), pair) in re.iter_mut().zip(im).zip(pairs) {
            (*re, *im) = (pair[0], pair[1]);
        }
        self.fft.transform(work);
        let Complex { re, im } = &work.points;
        let bins = (points + 1).min(spectrum.re.len());
        let mut alone = |k: usize| {
            let (this, mirror) = (k % points, (points - k) % points);
            let turn = (turns.re[k], turns.im[k]);
            (spectrum.re[k], spectrum.im[k]) = apart((re[this], im[this]), (re[mirror], im[mirror]), turn);
        };
        let fours = (bins.min(*points) - 1) / 4;
        (0..1).chain(1 + 4 * fours..bins).for_each(&mut alone);
        for k in (0..fours).map(|index| 1 + 4 * index) {
            let (this, mirror) = ((four(re, k), four(im, k)), (four_back(re, points - k), four_back(im, points - k)));
            let (to_re, to_im) = apart(this, mirror, (four(&turns.re, k), four(&turns.im, k)));
            spectrum.re[k..k + 4].copy_from_slice(&to_re.0);
            spectrum.im[k..k + 4].copy_from_slice(&to_im.0);
        }
    }
}

/// A bin of the real block: the transforms of its even and of its odd frames taken apart, the one plus i times the other, and the
/// latter turned.
#[inline(always)]
fn apart<T: Number>(this: (T, T), mirror: (T, T), (cos, sin): (T, T)) -> (T, T) {
    let (even_re, even_im) = ((this.0 + mirror.0) * 0.5, (this.1 - mirror.1) * 0.5);
    let (odd_re, odd_im) = ((this.1 + mirror.1) * 0.5, (mirror.0 - this.0) * 0.5);
    (even_re + (cos * odd_re - sin * odd_im), even_im + (cos * odd_im + sin * odd_re))
}

struct Inverse<'a> {
    fft: &'a RealFft,
    spectrum: &'a Spectrum,
    block: &'a mut [f64],
    work: &'a mut Work,
}

impl simd::Kernel for Inverse<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { fft: RealFft { points, turns, .. }, spectrum: Spectrum { re, im }, block, work } = self;
        let fours = points / 4;
        // Real and imaginary part change places: the forward transform of the one is the inverse of the other.
        let Complex { re: to_im, im: to_re } = &mut work.points;
        for k in (0..fours).map(|index| 4 * index) {
            let (this, mirror) = ((four(re, k), four(im, k)), (four_back(re, points - k), four_back(im, points - k)));
            let (sum_re, sum_im) = together(this, mirror, (four(&turns.re, k), four(&turns.im, k)));
            to_re[k..k + 4].copy_from_slice(&sum_re.0);
            to_im[k..k + 4].copy_from_slice(&sum_im.0);
        }
        for k in 4 * fours..*points {
            let mirror = points - k;
            (to_re[k], to_im[k]) = together((re[k], im[k]), (re[mirror], im[mirror]), (turns.re[k], turns.im[k]));
        }
        self.fft.transform(work);
        let scale = 0.5 / *points as f64;
        let Complex { re, im } = &work.points;
        for ((pair, re), im) in block.as_chunks_mut::<2>().0.iter_mut().zip(re).zip(im) {
            *pair = [im * scale, re * scale];
        }
    }
}

/// Undoes [`apart`], but for a factor of 2.
#[inline(always)]
fn together<T: Number>(this: (T, T), mirror: (T, T), (cos, sin): (T, T)) -> (T, T) {
    let (even_re, even_im) = (this.0 + mirror.0, this.1 - mirror.1);
    let (odd_re, odd_im) = (this.0 - mirror.0, this.1 + mirror.1);
    let (turned_re, turned_im) = (cos * odd_re + sin * odd_im, cos * odd_im - sin * odd_re);
    (even_re - turned_im, even_im + turned_re)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(frames: usize) -> Vec<f64> {
        let mut state = 1u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
        };
        (0..frames).map(|_| next()).collect()
    }

    #[test]
    fn the_transform_is_the_sum_that_defines_it() {
        for frames in [4, 8, 16, 32, 64, 256, 1024, 24, 40, 56, 72, 200, 392, 840] {
            let (fft, block) = (RealFft::new(frames), noise(frames));
            let mut spectrum = Spectrum::silent(fft.bins());
            fft.forward(&block, &mut spectrum, &mut fft.work());
            for k in 0..fft.bins() {
                let (mut re, mut im) = (0.0, 0.0);
                for (n, x) in block.iter().enumerate() {
                    let (cos, sin) = turn(k * n % frames, frames);
                    re += x * cos;
                    im += x * sin;
                }
                let error = (re - spectrum.re[k]).abs().max((im - spectrum.im[k]).abs());
                assert!(error < 1e-13 * frames as f64, "{frames} frames, bin {k}: {error}");
            }
        }
    }

    #[test]
    fn the_inverse_gives_the_block_back() {
        for frames in [4, 8, 128, 4096, 65_536, 10_240, 4704, 9408] {
            let (fft, block) = (RealFft::new(frames), noise(frames));
            let (mut spectrum, mut back, mut work) = (Spectrum::silent(fft.bins()), vec![0.0; frames], fft.work());
            fft.forward(&block, &mut spectrum, &mut work);
            fft.inverse(&spectrum, &mut back, &mut work);
            let worst = block.iter().zip(&back).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(worst < 1e-14, "{frames} frames: {worst}");
        }
    }
}
