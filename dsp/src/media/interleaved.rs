//! Interleaved bytes as channels of samples.

use crate::simd::{self, Kernel};

/// Parts interleaved samples of `B` bytes by channel.
pub(super) fn part<const B: usize>(bytes: &[u8], channels: &mut [&mut [f32]], value: impl Fn([u8; B]) -> f32) {
    simd::run(Part { samples: bytes.as_chunks::<B>().0, channels, value });
}

struct Part<'a, 'b, const B: usize, F> {
    samples: &'a [[u8; B]],
    channels: &'a mut [&'b mut [f32]],
    value: F,
}

impl<const B: usize, F: Fn([u8; B]) -> f32> Kernel for Part<'_, '_, B, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { samples, channels, value } = self;
        match channels {
            [only] => only.iter_mut().zip(samples).for_each(|(out, sample)| *out = value(*sample)),
            [left, right] => {
                let frames = samples.as_chunks::<2>().0;
                for ((left, right), [first, second]) in left.iter_mut().zip(right.iter_mut()).zip(frames) {
                    (*left, *right) = (value(*first), value(*second));
                }
            }
            many => {
                let stride = many.len();
                for (index, channel) in many.iter_mut().enumerate() {
                    let samples = samples.iter().skip(index).step_by(stride);
                    channel.iter_mut().zip(samples).for_each(|(out, sample)| *out = value(*sample));
                }
            }
        }
    }
}
