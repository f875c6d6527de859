//! What the processors between channels share: every output is a weighted sum of the inputs at the same instant.

use crate::control::{Interpolate, Moving, Runs, between, finite, moving_lanes, set_lanes};
use crate::node::{Block, CONTROL_FRAMES, Node, ParameterLane, Parameters, Prepare};

/// Weights: a row for each output (left, right), a column for each input. Mono uses the first row or the first column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Matrix(pub [[f64; 2]; 2]);

impl Matrix {
    /// Every channel as it is.
    pub const IDENTITY: Self = Self([[1.0, 0.0], [0.0, 1.0]]);

    /// A factor for each channel.
    pub const fn diagonal(left: f64, right: f64) -> Self {
        Self([[left, 0.0], [0.0, right]])
    }
}

impl Interpolate for Matrix {
    fn interpolated(&self, to: &Self, t: f64) -> Self {
        let weight = |row: usize, column: usize| between(self.0[row][column], to.0[row][column], t);
        Self([[weight(0, 0), weight(0, 1)], [weight(1, 0), weight(1, 1)]])
    }
}

/// Parameters that come down to a matrix.
pub(super) trait Weights: Parameters + Clone + Send + 'static {
    /// The matrix for `channels_in` channels.
    fn matrix(&self, channels_in: usize) -> Matrix;
}

/// The node of such parameters, ready to process.
pub(super) fn build<W: Weights>(parameters: &W, prepare: Prepare, lanes: &[ParameterLane]) -> Box<dyn Node> {
    let mut parameters = parameters.clone();
    let lanes = moving_lanes(&mut parameters, lanes);
    let channels_in = prepare.channels;
    Box::new(MatrixNode {
        channels_in,
        channels_out: parameters.channels_out(channels_in),
        matrix: Moving::still(parameters.matrix(channels_in)),
        parameters,
        lanes,
    })
}

struct MatrixNode<W> {
    parameters: W,
    lanes: Vec<ParameterLane>,
    channels_in: usize,
    channels_out: usize,
    matrix: Moving<Matrix>,
}

impl<W: Weights> Node for MatrixNode<W> {
    fn process(&mut self, block: &mut Block<'_>) {
        if self.lanes.is_empty() {
            let matrix = self.matrix.at(block.frame);
            let frames = block.audio.frames();
            return self.apply(block, 0, frames, |_| matrix);
        }
        for run in Runs::<CONTROL_FRAMES>::of(block.frame, block.audio.frames()) {
            let Self { parameters, lanes, channels_in, .. } = self;
            self.matrix.seek(run.frame, |frame| {
                set_lanes(parameters, lanes, frame);
                parameters.matrix(*channels_in)
            });
            self.apply(block, run.start, run.frames, |index| self.matrix.at(run.frame + index as i64));
        }
    }

    fn reset(&mut self) {}

    fn is_at_rest(&self) -> bool {
        true
    }
}

impl<W> MatrixNode<W> {
    /// Weighs `frames` frames from `start` on, each by its matrix.
    #[inline(always)]
    fn apply(&self, block: &mut Block<'_>, start: usize, frames: usize, matrix: impl Fn(usize) -> Matrix) {
        if self.channels_in.max(self.channels_out) == 1 {
            for (index, sample) in block.audio.channel_mut(0)[start..start + frames].iter_mut().enumerate() {
                *sample = weighed(matrix(index).0[0][0] * clean(*sample));
            }
            return;
        }
        let (left, right) = block.audio.stereo_mut();
        let samples = left[start..start + frames].iter_mut().zip(&mut right[start..start + frames]).enumerate();
        if self.channels_in == 1 {
            for (index, (left, right)) in samples {
                let (Matrix([[to_left, _], [to_right, _]]), mono) = (matrix(index), clean(*left));
                (*left, *right) = (weighed(to_left * mono), weighed(to_right * mono));
            }
        } else {
            for (index, (left, right)) in samples {
                let Matrix([to_left, to_right]) = matrix(index);
                let inputs = (clean(*left), clean(*right));
                let sum = |weights: [f64; 2]| weighed(weights[0] * inputs.0 + weights[1] * inputs.1);
                (*left, *right) = (sum(to_left), sum(to_right));
            }
        }
    }
}

/// A sample as it is weighed: NaN and infinity on one side must not reach the other.
#[inline(always)]
fn clean(sample: f32) -> f64 {
    f64::from(finite(sample))
}

/// A weighed sample. Silence times a negative weight is 0, not −0.
#[inline(always)]
fn weighed(sample: f64) -> f32 {
    finite(sample as f32) + 0.0
}
