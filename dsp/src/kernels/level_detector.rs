//! The level of one channel as dynamics processors read it.

use super::window::{Sum, Window};

/// Reads a channel's peak or RMS level, linear: a sine of amplitude 1 has the peak 1 and the RMS 0.71 (−3.01 dBFS).
///
/// ```
/// use mixdown_dsp::kernels::level_detector::LevelDetector;
/// let mut levels = [0.5, -1.0, 0.25];
/// LevelDetector::peak().run(0, &mut levels);
/// assert_eq!(levels, [0.5, 1.0, 0.25]);
/// ```
pub struct LevelDetector {
    /// None for peak.
    squares: Option<Window<Sum>>,
    frames: usize,
}

impl LevelDetector {
    /// Reads magnitudes.
    #[must_use]
    pub fn peak() -> Self {
        Self { squares: None, frames: 0 }
    }

    /// Reads the root mean square over the last `frames`, at least 1: a rectangular window, summed anew so that it never
    /// drifts.
    #[must_use]
    pub fn rms(frames: usize) -> Self {
        let frames = frames.max(1);
        Self { squares: Some(Window::new(frames)), frames }
    }

    /// Replaces samples, all finite, by levels; the first is that of absolute `frame`.
    #[inline(always)]
    pub fn run(&mut self, frame: i64, samples: &mut [f64]) {
        let Some(squares) = &mut self.squares else {
            samples.iter_mut().for_each(|sample| *sample = sample.abs());
            return;
        };
        samples.iter_mut().for_each(|sample| *sample *= *sample);
        squares.run(frame, samples);
        let share = 1.0 / self.frames as f64;
        samples.iter_mut().for_each(|sample| *sample = (*sample * share).sqrt());
    }

    /// Frames that it remembers.
    #[must_use]
    pub fn memory_frames(&self) -> usize {
        self.frames
    }

    /// Forgets the past.
    pub fn reset(&mut self) {
        if let Some(squares) = &mut self.squares {
            squares.reset();
        }
    }
}
