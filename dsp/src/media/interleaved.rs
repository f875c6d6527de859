//! Interleaved bytes as channels of samples.

use crate::simd::{self, Kernel};

/// Parts interleaved samples of `B` bytes by channel. `value` takes them by reference: passed by value, three bytes are one number
/// of 24 bits, which no vector holds.
pub(super) fn part<const B: usize>(bytes: &[u8], channels: &mut [&mut [f32]], value: impl Fn(&[u8; B]) -> f32) {
    let samples = bytes.as_chunks::<B>().0;
    match channels {
        [only] => simd::run(Mono { samples, only, value }),
        [left, right] => simd::run(Stereo { frames: samples.as_chunks::<2>().0, left, right, value }),
        many => {
            let stride = many.len();
            for (index, channel) in many.iter_mut().enumerate() {
                let samples = samples.iter().skip(index).step_by(stride);
                channel.iter_mut().zip(samples).for_each(|(out, sample)| *out = value(sample));
            }
        }
    }
}

struct Mono<'a, const B: usize, F> {
    samples: &'a [[u8; B]],
    only: &'a mut [f32],
    value: F,
}

impl<const B: usize, F: Fn(&[u8; B]) -> f32> Kernel for Mono<'_, B, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        self.only.iter_mut().zip(self.samples).for_each(|(out, sample)| *out = (self.value)(sample));
    }
}

struct Stereo<'a, const B: usize, F> {
    frames: &'a [[[u8; B]; 2]],
    left: &'a mut [f32],
    right: &'a mut [f32],
    value: F,
}

impl<const B: usize, F: Fn(&[u8; B]) -> f32> Kernel for Stereo<'_, B, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for ((left, right), [first, second]) in self.left.iter_mut().zip(self.right.iter_mut()).zip(self.frames) {
            (*left, *right) = ((self.value)(first), (self.value)(second));
        }
    }
}
