//! The Fourier transform of real blocks, with the same bits on every machine.
//!
//! Radix 4 (and one radix 2 where the length asks for it) in Stockham's self-sorting order, on half as many complex points:
//! even frames are the real, odd frames the imaginary part. All sums have one fixed order; the factors come from
//! [`crate::math`].
//!
//! *References*: W. T. Cochran et al., "What is the fast Fourier transform?", Proc. IEEE 55(10), 1967, for Stockham's order;
//! P. N. Swarztrauber, "Symmetric FFTs", Math. Comp. 47, 1986, for real blocks.

use core::f64::consts::TAU;

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

/// One pass over all points; its length is that of the transforms it takes apart.
#[derive(Debug)]
enum Pass {
    /// W^p, W^2p, W^3p for every p below a quarter of the length.
    Four(Vec<[(f64, f64); 3]>),
    /// Where two points are left: a sum and a difference.
    Two,
}

/// The transform of blocks of one length.
#[derive(Debug)]
pub struct RealFft {
    /// Complex points: half the frames.
    points: usize,
    passes: Vec<Pass>,
    /// e^(−i·π·k/points).
    turns: Vec<(f64, f64)>,
}

/// e^(−i·2π·part/whole).
fn turn(part: usize, whole: usize) -> (f64, f64) {
    let angle = TAU * part as f64 / whole as f64;
    (math::cos(angle), -math::sin(angle))
}

impl RealFft {
    /// The transform of blocks of `frames` frames, a power of two.
    ///
    /// # Panics
    /// If `frames` is no power of two, or less than 4.
    #[must_use]
    pub fn new(frames: usize) -> Self {
        assert!(frames.is_power_of_two() && frames >= 4, "a transform of {frames} frames");
        let points = frames / 2;
        let mut passes = Vec::new();
        let mut length = points;
        while length > 1 {
            if length == 2 {
                passes.push(Pass::Two);
                break;
            }
            let factors = (0..length / 4).map(|p| [1, 2, 3].map(|times| turn(p * times, length)));
            passes.push(Pass::Four(factors.collect()));
            length /= 4;
        }
        Self { points, passes, turns: (0..=points).map(|k| turn(k, frames)).collect() }
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

    /// X\[k\] = Σ x\[n\]·e^(−i·2π·k·n/frames), k = 0 … frames/2.
    pub fn forward(&self, block: &[f64], spectrum: &mut Spectrum, work: &mut Work) {
        for (point, pair) in block.as_chunks::<2>().0.iter().enumerate() {
            work.points.re[point] = pair[0];
            work.points.im[point] = pair[1];
        }
        self.transform(work);
        let z = &work.points;
        for k in 0..=self.points {
            let (this, mirror) = (k % self.points, (self.points - k) % self.points);
            // Even and odd frames apart: z is the one plus i times the other.
            let (even_re, even_im) = (0.5 * (z.re[this] + z.re[mirror]), 0.5 * (z.im[this] - z.im[mirror]));
            let (odd_re, odd_im) = (0.5 * (z.im[this] + z.im[mirror]), 0.5 * (z.re[mirror] - z.re[this]));
            let (cos, sin) = self.turns[k];
            spectrum.re[k] = even_re + (cos * odd_re - sin * odd_im);
            spectrum.im[k] = even_im + (cos * odd_im + sin * odd_re);
        }
    }

    /// The block of a spectrum: undoes [`Self::forward`].
    pub fn inverse(&self, spectrum: &Spectrum, block: &mut [f64], work: &mut Work) {
        let (re, im) = (&spectrum.re, &spectrum.im);
        for k in 0..self.points {
            let mirror = self.points - k;
            let (even_re, even_im) = (re[k] + re[mirror], im[k] - im[mirror]);
            let (odd_re, odd_im) = (re[k] - re[mirror], im[k] + im[mirror]);
            let (cos, sin) = self.turns[k];
            let (turned_re, turned_im) = (cos * odd_re + sin * odd_im, cos * odd_im - sin * odd_re);
            // Real and imaginary part change places: the forward transform of the one is the inverse of the other.
            work.points.im[k] = even_re - turned_im;
            work.points.re[k] = even_im + turned_re;
        }
        self.transform(work);
        let scale = 0.5 / self.points as f64;
        for (point, pair) in block.as_chunks_mut::<2>().0.iter_mut().enumerate() {
            *pair = [work.points.im[point] * scale, work.points.re[point] * scale];
        }
    }

    /// The complex transform of `work.points` in place.
    fn transform(&self, work: &mut Work) {
        simd::run(Transform { passes: &self.passes, work });
    }
}

struct Transform<'a> {
    passes: &'a [Pass],
    work: &'a mut Work,
}

impl simd::Kernel for Transform<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { passes, work } = self;
        let mut stride = 1;
        for pass in passes {
            let Work { points: from, other: to } = &mut *work;
            match pass {
                Pass::Four(factors) if stride == 1 => first_four(factors, from, to),
                Pass::Four(factors) => four(factors, stride, from, to),
                Pass::Two => two(stride, from, to),
            }
            core::mem::swap(&mut work.points, &mut work.other);
            stride *= 4;
        }
    }
}

/// Four points a, b, c, d become the four of their transform, the last three turned by `w`.
#[inline(always)]
fn butterfly(re: [f64; 4], im: [f64; 4], w: &[(f64, f64); 3]) -> ([f64; 4], [f64; 4]) {
    let ([ar, br, cr, dr], [ai, bi, ci, di]) = (re, im);
    let (sum_r, sum_i, difference_r, difference_i) = (ar + cr, ai + ci, ar - cr, ai - ci);
    let (other_r, other_i, turned_r, turned_i) = (br + dr, bi + di, di - bi, br - dr);
    let (one_r, one_i) = (difference_r - turned_r, difference_i - turned_i);
    let (two_r, two_i) = (sum_r - other_r, sum_i - other_i);
    let (three_r, three_i) = (difference_r + turned_r, difference_i + turned_i);
    let times = |(cos, sin): (f64, f64), r: f64, i: f64| (cos * r - sin * i, cos * i + sin * r);
    let (one, two, three) = (times(w[0], one_r, one_i), times(w[1], two_r, two_i), times(w[2], three_r, three_i));
    ([sum_r + other_r, one.0, two.0, three.0], [sum_i + other_i, one.1, two.1, three.1])
}

/// Four slices of equal length.
#[inline(always)]
fn quarters(all: &[f64]) -> [&[f64]; 4] {
    let quarter = all.len() / 4;
    [0, 1, 2, 3].map(|index| &all[index * quarter..(index + 1) * quarter])
}

#[inline(always)]
fn first_four(factors: &[[(f64, f64); 3]], from: &Complex, to: &mut Complex) {
    let (re, im) = (quarters(&from.re), quarters(&from.im));
    let (to_re, to_im) = (to.re.as_chunks_mut::<4>().0, to.im.as_chunks_mut::<4>().0);
    for (p, (to_re, to_im)) in to_re.iter_mut().zip(to_im).enumerate() {
        (*to_re, *to_im) = butterfly(re.map(|re| re[p]), im.map(|im| im[p]), &factors[p]);
    }
}

#[inline(always)]
fn four(factors: &[[(f64, f64); 3]], stride: usize, from: &Complex, to: &mut Complex) {
    let (re, im) = (quarters(&from.re), quarters(&from.im));
    let groups = to.re.chunks_exact_mut(4 * stride).zip(to.im.chunks_exact_mut(4 * stride));
    for (p, (w, (to_re, to_im))) in factors.iter().zip(groups).enumerate() {
        let (re, im) = (re.map(|re| &re[p * stride..][..stride]), im.map(|im| &im[p * stride..][..stride]));
        let (a_re, rest) = to_re.split_at_mut(stride);
        let (b_re, rest) = rest.split_at_mut(stride);
        let (c_re, d_re) = rest.split_at_mut(stride);
        let (a_im, rest) = to_im.split_at_mut(stride);
        let (b_im, rest) = rest.split_at_mut(stride);
        let (c_im, d_im) = rest.split_at_mut(stride);
        let d_re = &mut d_re[..stride];
        let d_im = &mut d_im[..stride];
        for q in 0..stride {
            let (out_re, out_im) = butterfly(re.map(|re| re[q]), im.map(|im| im[q]), w);
            [a_re[q], b_re[q], c_re[q], d_re[q]] = out_re;
            [a_im[q], b_im[q], c_im[q], d_im[q]] = out_im;
        }
    }
}

#[inline(always)]
fn two(stride: usize, from: &Complex, to: &mut Complex) {
    for (from, to) in [(&from.re, &mut to.re), (&from.im, &mut to.im)] {
        let (a, b) = from.split_at(stride);
        let (sum, difference) = to.split_at_mut(stride);
        for (q, (a, b)) in a.iter().zip(b).enumerate() {
            sum[q] = a + b;
            difference[q] = a - b;
        }
    }
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
        for frames in [4, 8, 16, 32, 64, 256, 1024] {
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
        for frames in [4, 8, 128, 4096, 65_536] {
            let (fft, block) = (RealFft::new(frames), noise(frames));
            let (mut spectrum, mut back, mut work) = (Spectrum::silent(fft.bins()), vec![0.0; frames], fft.work());
            fft.forward(&block, &mut spectrum, &mut work);
            fft.inverse(&spectrum, &mut back, &mut work);
            let worst = block.iter().zip(&back).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(worst < 1e-14, "{frames} frames: {worst}");
        }
    }
}
