//! Reading a delay line between its frames.

use super::delay_line::DelayLine;
use super::lanes::Lanes;

/// Frames to either side of a place between two frames, by which it is read.
pub const REACH: usize = 4;

/// A place in a delay line, which need not be a frame, and the weights of the frames around it: those of the polynomial
/// through all of them (Lagrange). At a frame it is that frame.
///
/// *Reference*: T. Laakso, V. Välimäki, M. Karjalainen, U. Laine, "Splitting the unit delay", IEEE Signal Processing Magazine
/// 13(1), 1996.
#[derive(Debug, Clone, Copy)]
pub struct Tap {
    /// Pushes back to the oldest of the frames.
    oldest: usize,
    weights: [f64; 2 * REACH],
}

impl Tap {
    /// The place `pushes` pushes back, where 1 is the newest frame. Near it, where frames on one side are still to come, more
    /// on the other side take their part.
    #[must_use]
    #[inline]
    pub fn at(pushes: f64) -> Self {
        let pushes = pushes.max(1.0);
        let whole = pushes.ceil();
        let later = (REACH + 1).saturating_sub(whole as usize);
        Self { oldest: whole as usize + later + (REACH - 1), weights: weights(whole - pushes + later as f64) }
    }

    /// What stands at the place, channel by channel.
    #[must_use]
    #[inline]
    pub fn read<S: Copy + Into<f64>, const C: usize>(&self, line: &DelayLine<[S; C]>) -> Lanes<C> {
        self.sum(|pushes| Lanes(line.back(pushes).map(Into::into)))
    }

    #[inline]
    fn sum<const C: usize>(&self, frame: impl Fn(usize) -> Lanes<C>) -> Lanes<C> {
        let mut sum = Lanes::ZERO;
        for (newer, weight) in self.weights.into_iter().enumerate() {
            sum = sum + frame(self.oldest - newer) * weight;
        }
        sum
    }
}

/// The sample of a line `pushes` pushes back, at least 1, which need not be a whole number.
#[must_use]
#[inline]
pub fn sample(line: &DelayLine<f32>, pushes: f64) -> f64 {
    if pushes.fract() == 0.0 {
        return f64::from(line.back(pushes as usize));
    }
    Tap::at(pushes).sum(|pushes| Lanes([f64::from(line.back(pushes))])).0[0]
}

/// The weights of [`REACH`] frames up to a place `t` frames after the last of them, and of as many after it.
fn weights(t: f64) -> [f64; 2 * REACH] {
    core::array::from_fn(|index| {
        let at = index as f64 - (REACH - 1) as f64;
        let others = (0..2 * REACH).filter(|other| *other != index).map(|other| other as f64 - (REACH - 1) as f64);
        others.fold(1.0, |weight, other| weight * ((t - other) / (at - other)))
    })
}

/// A delay whose length may move from frame to frame; while it moves, the sound bends in pitch as on tape.
pub struct MovingDelay<S, const C: usize> {
    line: DelayLine<[S; C]>,
    moves: bool,
}

impl<S: Copy + Default + Into<f64>, const C: usize> MovingDelay<S, C> {
    /// A delay of `frames`.
    #[must_use]
    pub fn still(frames: usize) -> Self {
        Self { line: DelayLine::new(frames, [S::default(); C]), moves: false }
    }

    /// A delay that moves between 0 and `longest_frames`.
    #[must_use]
    pub fn moving(longest_frames: usize) -> Self {
        Self { line: DelayLine::new(longest_frames + 2 * REACH + 1, [S::default(); C]), moves: true }
    }

    /// Takes a frame and gives the one of `frames` ago; a delay that stands still knows without being told.
    #[inline]
    pub fn run(&mut self, frame: [S; C], frames: f64) -> Lanes<C> {
        let oldest = self.line.exchange(frame);
        if self.moves { Tap::at(frames + 1.0).read(&self.line) } else { Lanes(oldest.map(Into::into)) }
    }

    /// Frames that it remembers.
    #[must_use]
    pub fn memory_frames(&self) -> usize {
        self.line.length()
    }

    /// Makes it silent.
    pub fn reset(&mut self) {
        self.line.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(length: usize, value: impl Fn(f64) -> f64) -> DelayLine<[f64; 1]> {
        let mut line = DelayLine::new(length, [0.0]);
        (0..length).rev().for_each(|back| {
            line.exchange([value(back as f64 + 1.0)]);
        });
        line
    }

    #[test]
    fn a_polynomial_of_seventh_degree_is_read_exactly_at_any_place() {
        let value = |back: f64| (0..8).fold(0.0, |sum, _| sum * (back / 20.0 - 0.7) + 1.0);
        let line = line(40, value);
        for step in 0..400 {
            let pushes = 1.0 + 0.0875 * f64::from(step);
            let [read] = Tap::at(pushes).read(&line).0;
            assert!((read - value(pushes)).abs() < 1e-12, "{read} at {pushes}, not {}", value(pushes));
        }
    }

    #[test]
    fn a_delay_that_could_move_but_does_not_is_the_one_that_cannot() {
        for frames in [0, 1, 3, 30] {
            let (mut still, mut moving) = (MovingDelay::<f32, 1>::still(frames), MovingDelay::<f32, 1>::moving(50));
            for value in 0..200u16 {
                let value = [f32::from(value * value % 97)];
                assert_eq!(still.run(value, 0.0), moving.run(value, frames as f64));
            }
        }
    }

    #[test]
    fn a_frame_is_read_bit_for_bit() {
        let line = line(40, |back| 1.0 / back);
        for pushes in 1..=36 {
            assert_eq!(Tap::at(f64::from(pushes)).read(&line).0, [1.0 / f64::from(pushes)]);
        }
    }
}
