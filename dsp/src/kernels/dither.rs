//! Quantisation with dither.
//!
//! q = ⌊x·2^(bits−1) + d + ½⌋, where d = (u₁ − u₂)·2⁻³² LSB and u₁, u₂ are independent 32-bit integers: triangular, 2 LSB
//! peak to peak, drawn exactly. Total error power is then Δ²/4 whatever the signal: −96.33 dB at 16 bits, −144.49 dB at 24
//! (re 1.0), without modulation by the signal. Lipshitz, Wannamaker & Vanderkooy, "Quantization and Dither: A Theoretical
//! Survey", JAES 40(5) 1992.
//!
//! The noise is a function of seed, channel and absolute frame alone, so that any cut of the work gives the same bits. It
//! is on throughout a file: digital silence in it and samples that happen to lie on the grid get it too, because a dither
//! that comes and goes with the signal is heard. A file that lies on the grid as a whole needs none:
//! [`Quantizer::was_off_grid`] tells.
//!
//! Shaped, the errors e = q − v of past frames are taken from the level before it is rounded, v = x·2^(bits−1) − Σ cₖ·e(n−k),
//! which makes of the error the noise of a [`NoiseShape`]. That is serial: a channel is quantised frame by frame from its
//! start. A sample that clips is no error to make up for: the feedback then starts anew.

use super::noise_shape::{MAX_ORDER, NoiseShape};
use crate::buffer::Buffer;
use crate::simd::{self, Kernel};

/// 2⁶⁴ / golden ratio, odd: SplitMix64's step.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// SplitMix64's output function: Steele, Lea & Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014,
/// with Stafford's variant 13 of the mixing constants.
#[inline(always)]
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A quantiser to integers of `bits` bits, with TPDF dither, shaped or flat, or none; the noise depends on seed, channel and
/// absolute frame alone.
#[derive(Debug, Clone)]
pub struct Quantizer {
    scale: f64,
    dithered: bool,
    seed: u64,
    shape: Option<&'static NoiseShape>,
    /// Of a shape, the last errors of every channel, the newest first.
    errors: Vec<[f64; MAX_ORDER]>,
    was_off_grid: bool,
}

impl Quantizer {
    /// A quantiser. `bits` is 16 or 24 (anything from 2 to 24 works).
    #[must_use]
    pub fn new(bits: u32, dithered: bool, seed: u64) -> Self {
        debug_assert!((2..=24).contains(&bits), "quantisation to {bits} bits");
        let scale = f64::from(1_u32 << (bits - 1));
        Self { scale, dithered, seed, shape: None, errors: Vec::new(), was_off_grid: false }
    }

    /// A quantiser with dither whose noise has a shape. Its blocks must follow one another from the first on.
    #[must_use]
    pub fn shaped(bits: u32, shape: &'static NoiseShape, seed: u64) -> Self {
        Self { shape: Some(shape), ..Self::new(bits, true, seed) }
    }

    /// Whether any sample so far lay between two integers: if none did, nothing had to be rounded, and the samples need
    /// no dither.
    #[must_use]
    pub fn was_off_grid(&self) -> bool {
        self.was_off_grid
    }

    /// Quantises a block whose first frame is the absolute frame `frame`; `out` becomes interleaved integers (cleared
    /// first). Returns the number of samples that had to be clipped. Samples are finite; whoever reads them has made sure of it.
    pub fn process(&mut self, block: &Buffer, frame: u64, out: &mut Vec<i32>) -> u64 {
        let channels = block.channel_count();
        out.clear();
        out.resize(block.frames() * channels, 0);
        if self.shape.is_some() {
            self.errors.resize(channels, [0.0; MAX_ORDER]);
        }
        if self.shape.is_none() && !self.dithered {
            let (clipped, was_off_grid) = simd::run(Plain { scale: self.scale, block, out });
            self.was_off_grid |= was_off_grid;
            return clipped;
        }
        simd::run(Dithered { quantizer: self, block, frame, out })
    }
}

/// Rounds to the nearest integer, and gives how many samples had to be clipped and whether any lay between two integers.
struct Plain<'a> {
    scale: f64,
    block: &'a Buffer,
    out: &'a mut [i32],
}

impl Kernel for Plain<'_> {
    type Output = (u64, bool);

    #[inline(always)]
    fn run(self) -> (u64, bool) {
        let Self { scale, block, out } = self;
        let (low, high) = (-scale, scale - 1.0);
        let (mut clipped, mut off_grid) = (0_u32, 0_u32);
        let mut one = |sample: f32| {
            let exact = f64::from(sample) * scale;
            off_grid |= u32::from(exact.floor() != exact);
            let rounded = (exact + 0.5).floor();
            clipped += u32::from(!(rounded >= low && rounded <= high));
            rounded.clamp(low, high) as i32
        };
        if block.channel_count() == 2 {
            let (left, right) = (block.channel(0), block.channel(1));
            for ((slots, left), right) in out.as_chunks_mut::<2>().0.iter_mut().zip(left).zip(right) {
                *slots = [one(*left), one(*right)];
            }
        } else {
            let channels = block.channel_count();
            for (index, channel) in block.iter().enumerate() {
                let slots = out.iter_mut().skip(index).step_by(channels);
                slots.zip(channel).for_each(|(slot, sample)| *slot = one(*sample));
            }
        }
        (clipped.into(), off_grid != 0)
    }
}

/// The same with dither, shaped or flat.
struct Dithered<'a> {
    quantizer: &'a mut Quantizer,
    block: &'a Buffer,
    frame: u64,
    out: &'a mut [i32],
}

impl Kernel for Dithered<'_> {
    type Output = u64;

    #[inline(always)]
    fn run(self) -> u64 {
        let Self { quantizer: Quantizer { scale, seed, shape, errors, was_off_grid, .. }, block, frame, out } = self;
        let channels = block.channel_count();
        let (low, high) = (-*scale, *scale - 1.0);
        let mut clipped = 0;
        for (index, channel) in block.iter().enumerate() {
            // Each channel walks SplitMix64's one cycle of 2⁶⁴ from a place of its own.
            let start = mix(*seed ^ mix((index as u64 + 1).wrapping_mul(STEP)));
            let mut state = start.wrapping_add(frame.wrapping_mul(STEP));
            for (sample, slot) in channel.iter().zip(out[index..].iter_mut().step_by(channels)) {
                let exact = f64::from(*sample) * *scale;
                *was_off_grid |= exact.floor() != exact;
                let wanted = match shape {
                    Some(shape) => exact - fed_back(shape, &errors[index]),
                    None => exact,
                };
                state = state.wrapping_add(STEP);
                let drawn = mix(state);
                let difference = (drawn >> 32) as i64 - (drawn & 0xFFFF_FFFF) as i64;
                let level = wanted + difference as f64 * (1.0 / 4_294_967_296.0);
                let rounded = (level + 0.5).floor();
                let clips = !(low..=high).contains(&rounded);
                clipped += u64::from(clips);
                if let Some(errors) = errors.get_mut(index) {
                    errors.copy_within(..MAX_ORDER - 1, 1);
                    errors[0] = rounded - wanted;
                    if clips {
                        *errors = [0.0; MAX_ORDER];
                    }
                }
                *slot = rounded.clamp(low, high) as i32;
            }
        }
        clipped
    }
}

/// What the errors of the frames before take from a frame.
#[inline(always)]
fn fed_back(shape: &NoiseShape, errors: &[f64; MAX_ORDER]) -> f64 {
    shape.coefficients.iter().zip(errors).fold(0.0, |sum, (coefficient, error)| sum + coefficient * error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_splitmix64() {
        // The first outputs for the seed 1234567, as in Vigna's reference implementation.
        let outputs = [1_u64, 2, 3].map(|n| mix(1_234_567_u64.wrapping_add(n.wrapping_mul(STEP))));
        assert_eq!(outputs, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }
}
