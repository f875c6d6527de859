//! What nodes share in keeping their contract: the absolute grid of frames, parameters that move along it, clean samples.

use crate::automation::Lane;
use crate::node::{CONTROL_FRAMES, ParameterLane, Parameters};

/// At absolute frames that are multiples of this, nodes clear states that have decayed to nothing.
pub const TIDY_FRAMES: i64 = 64;

/// `sample`, or 0 in place of NaN and infinity: with this at its output a node never passes them on.
#[must_use]
#[inline]
pub fn finite(sample: f32) -> f32 {
    if sample.abs() <= f32::MAX { sample } else { 0.0 }
}

/// The first sample that is NaN or infinite.
#[must_use]
pub fn not_a_number(samples: &[f32]) -> Option<usize> {
    const CHUNK: usize = 64;
    /// All bits of the exponent.
    const NONE: u32 = 0x7F80_0000;
    // Chunks are looked at whole, which vectors do at once.
    let has_none = |chunk: &[f32]| chunk.iter().fold(false, |none, sample| none | (sample.to_bits() & NONE == NONE));
    let chunk = samples.chunks(CHUNK).position(has_none)?;
    samples[chunk * CHUNK..].iter().position(|sample| !sample.is_finite()).map(|at| chunk * CHUNK + at)
}

/// How many frames at the end of a channel are exactly 0.
#[must_use]
pub fn trailing_silence(channel: &[f32]) -> usize {
    channel.iter().rev().take_while(|sample| **sample == 0.0).count()
}

/// Whether all samples are 0, of either sign.
#[must_use]
pub fn is_silent(samples: &[f32]) -> bool {
    // Without the sign, all bits of a 0 are 0; chunks are looked at whole, and the first that sounds ends it.
    samples.chunks(64).all(|chunk| chunk.iter().fold(0, |bits, sample| bits | sample.to_bits() << 1) == 0)
}

/// Sets every parameter whose lane never moves to its one value, and gives back the lanes that do move: a constant lane
/// and a plain parameter are built into the same node.
pub fn moving_lanes(parameters: &mut impl Parameters, lanes: &[ParameterLane]) -> Vec<ParameterLane> {
    let mut moving = Vec::new();
    for lane in lanes {
        match lane.lane.constant_value() {
            Some(value) => parameters.set(lane.parameter, value),
            None => moving.push(lane.clone()),
        }
    }
    moving
}

/// The lane of the parameter of a name, if it has one.
pub fn lane_of<'a>(parameters: &impl Parameters, lanes: &'a [ParameterLane], name: &str) -> Option<&'a Lane> {
    let parameter = parameters.specs().iter().position(|spec| spec.name == name)?;
    lanes.iter().find(|lane| lane.parameter == parameter).map(|lane| &lane.lane)
}

/// A stretch of a block that no multiple of the grid cuts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Absolute frame of its start.
    pub frame: i64,
    /// Where in the block it starts.
    pub start: usize,
    /// Its length, at most the grid's.
    pub frames: usize,
    /// Whether its start is a multiple of the grid: here states may be tidied, for every way of cutting blocks comes by.
    pub starts_on_grid: bool,
}

impl Run {
    /// Its place in the block.
    #[must_use]
    pub fn range(&self) -> core::ops::Range<usize> {
        self.start..self.start + self.frames
    }
}

/// The runs of a block, cut at the absolute frames that are multiples of `GRID`.
#[derive(Debug, Clone)]
pub struct Runs<const GRID: usize> {
    frame: i64,
    start: usize,
    end: usize,
}

impl<const GRID: usize> Runs<GRID> {
    /// The runs of a block of `frames` that starts at absolute `frame`.
    #[must_use]
    pub fn of(frame: i64, frames: usize) -> Self {
        Self { frame, start: 0, end: frames }
    }
}

impl<const GRID: usize> Iterator for Runs<GRID> {
    type Item = Run;

    fn next(&mut self) -> Option<Run> {
        let phase = self.frame.rem_euclid(GRID as i64) as usize;
        let frames = (GRID - phase).min(self.end - self.start);
        if frames == 0 {
            return None;
        }
        let run = Run { frame: self.frame, start: self.start, frames, starts_on_grid: phase == 0 };
        self.frame += frames as i64;
        self.start += frames;
        Some(run)
    }
}

/// Settings that may be mixed.
pub trait Interpolate: Copy {
    /// The settings at `t` (0 to 1) of the way from `self` to `to`.
    fn interpolated(&self, to: &Self, t: f64) -> Self;
}

/// `t` of the way from one number to another.
#[must_use]
#[inline(always)]
pub fn between(from: f64, to: f64, t: f64) -> f64 {
    from + (to - from) * t
}

/// Sets automated parameters to their values at a frame.
pub fn set_lanes(parameters: &mut impl Parameters, lanes: &[ParameterLane], frame: i64) {
    for lane in lanes {
        parameters.set(lane.parameter, lane.lane.value_at(frame));
    }
}

impl Interpolate for f64 {
    #[inline(always)]
    fn interpolated(&self, to: &Self, t: f64) -> Self {
        between(*self, *to, t)
    }
}

/// Settings that are computed at absolute frames that are multiples of `GRID` and go straight from one to the next.
#[derive(Debug, Clone)]
pub struct Moving<S, const GRID: usize = CONTROL_FRAMES> {
    from: S,
    to: S,
    /// The frame of `from`; none while nothing has moved.
    grid_frame: Option<i64>,
}

impl<S: Interpolate, const GRID: usize> Moving<S, GRID> {
    /// Settings that stay as they are until [`Self::seek`] is called.
    pub fn still(settings: S) -> Self {
        Self { from: settings, to: settings, grid_frame: None }
    }

    /// Makes the settings ready for the frames from `frame` to the end of its grid cell; `compute` gives them at a frame.
    pub fn seek(&mut self, frame: i64, mut compute: impl FnMut(i64) -> S) {
        let grid = GRID as i64;
        let before = frame - frame.rem_euclid(grid);
        if self.grid_frame != Some(before) {
            self.from = if self.grid_frame == Some(before - grid) { self.to } else { compute(before) };
            self.to = compute(before + grid);
            self.grid_frame = Some(before);
        }
    }

    /// The settings, if they have never moved.
    #[must_use]
    #[inline(always)]
    pub fn still_settings(&self) -> Option<S> {
        self.grid_frame.is_none().then_some(self.from)
    }

    /// The settings at a frame of the cell last sought.
    #[inline(always)]
    pub fn at(&self, frame: i64) -> S {
        if self.grid_frame.is_none() {
            return self.from;
        }
        let phase = frame.rem_euclid(GRID as i64);
        self.from.interpolated(&self.to, phase as f64 * (1.0 / GRID as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_and_what_is_no_number_are_found_wherever_a_sample_stands() {
        for length in [0_usize, 1, 63, 64, 65, 200] {
            let mut samples = [0.0, -0.0].repeat(length.div_ceil(2));
            samples.truncate(length);
            assert!(is_silent(&samples));
            assert_eq!(not_a_number(&samples), None);
            for at in 0..length {
                for sound in [f32::from_bits(1), -f32::MAX, 1.0] {
                    samples[at] = sound;
                    assert!(!is_silent(&samples));
                    assert_eq!(not_a_number(&samples), None);
                }
                for none in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                    samples[at] = none;
                    samples[length - 1] = none;
                    assert_eq!(not_a_number(&samples), Some(at));
                }
                (samples[at], samples[length - 1]) = (0.0, 0.0);
            }
        }
    }
}
