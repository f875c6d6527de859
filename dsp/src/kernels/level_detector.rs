//! The level of one channel as dynamics processors read it.

use super::moving_sum::MovingSum;
use super::window::{Sum, Window};

/// Reads a channel's peak or RMS level, linear: a sine of amplitude 1 has the peak 1 and the RMS 0.71 (−3.01 dBFS).
///
/// ```
/// use mixdown_dsp::kernels::level_detector::LevelDetector;
/// let mut levels = [0.5, -1.0, 0.25];
/// LevelDetector::peak().run(0, &mut levels, |_| 1.0);
/// assert_eq!(levels, [0.5, 1.0, 0.25]);
/// ```
pub struct LevelDetector(Reading);

enum Reading {
    Magnitudes,
    Squares(Window<Sum>),
    /// The same over a window whose length moves, which costs more.
    MovingSquares(MovingSum),
}

impl LevelDetector {
    /// Reads magnitudes.
    #[must_use]
    pub fn peak() -> Self {
        Self(Reading::Magnitudes)
    }

    /// Reads the root mean square over the last `frames`, at least 1: a rectangular window, summed anew so that it never
    /// drifts.
    #[must_use]
    pub fn rms(frames: usize) -> Self {
        Self(Reading::Squares(Window::new(frames)))
    }

    /// Reads the root mean square over a window that moves between 1 and `longest_frames` frames. Where its length is not
    /// whole, the oldest square counts by its share.
    #[must_use]
    pub fn moving_rms(longest_frames: usize) -> Self {
        Self(Reading::MovingSquares(MovingSum::new(longest_frames)))
    }

    /// Replaces samples, all finite, by levels; the first is that of absolute `frame`. A window that moves is as long as
    /// `window_frames` says for the sample at an index.
    #[inline(always)]
    pub fn run(&mut self, frame: i64, samples: &mut [f64], window_frames: impl Fn(usize) -> f64) {
        match &mut self.0 {
            Reading::Magnitudes => samples.iter_mut().for_each(|sample| *sample = sample.abs()),
            Reading::Squares(squares) => {
                samples.iter_mut().for_each(|sample| *sample *= *sample);
                squares.run(frame, samples);
                let share = 1.0 / squares.length() as f64;
                samples.iter_mut().for_each(|sample| *sample = (*sample * share).sqrt());
            }
            Reading::MovingSquares(squares) => {
                for (index, sample) in samples.iter_mut().enumerate() {
                    let (frame, window) = (frame + index as i64, window_frames(index).max(1.0));
                    squares.push(frame, *sample * *sample);
                    *sample = (squares.over(frame, window) / window).sqrt();
                }
            }
        }
    }

    /// Frames that it remembers.
    #[must_use]
    pub fn memory_frames(&self) -> usize {
        match &self.0 {
            Reading::Magnitudes => 0,
            Reading::Squares(squares) => squares.length(),
            Reading::MovingSquares(squares) => squares.length(),
        }
    }

    /// Forgets the past.
    pub fn reset(&mut self) {
        match &mut self.0 {
            Reading::Magnitudes => {}
            Reading::Squares(squares) => squares.reset(),
            Reading::MovingSquares(squares) => squares.reset(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_that_stands_still_reads_the_same_however_it_is_summed() {
        let samples: [f64; 400] = core::array::from_fn(|index| ((index * index * 31) % 97) as f64 / 97.0 - 0.5);
        let (mut still, mut moving) = (samples, samples);
        LevelDetector::rms(37).run(-5, &mut still, |_| 0.0);
        LevelDetector::moving_rms(90).run(-5, &mut moving, |_| 37.0);
        for (still, moving) in still.iter().zip(moving) {
            assert!((still - moving).abs() < 1e-14, "{still} and {moving}");
        }
    }
}
