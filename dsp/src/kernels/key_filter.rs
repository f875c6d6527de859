//! The filters in front of a detector: a high-pass and a low-pass of 12 dB/octave (Butterworth), each of which may be off.

use super::eq_design::Section;
use super::lanes::Lanes;
use super::prototype::Prototype;
use super::svf::{self, Coefficients, State};
use crate::control::{Interpolate, Moving};

/// Up to this frequency, in Hz, a high-pass is off.
pub const HIGH_PASS_OFF_HZ: f64 = 10.0;
/// From this frequency on, in Hz, a low-pass is off.
pub const LOW_PASS_OFF_HZ: f64 = 20_000.0;

/// The corners of a key filter in Hz.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Corners {
    /// Corner of the high-pass; off at [`HIGH_PASS_OFF_HZ`] and below.
    pub high_pass_hz: f64,
    /// Corner of the low-pass; off at [`LOW_PASS_OFF_HZ`] and above.
    pub low_pass_hz: f64,
}

impl Corners {
    fn pass_all(&self) -> bool {
        self.high_pass_hz <= HIGH_PASS_OFF_HZ && self.low_pass_hz >= LOW_PASS_OFF_HZ
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Pair([Coefficients; 2]);

impl Pair {
    fn new(corners: Corners, sample_rate_hz: f64) -> Self {
        let coefficients = |prototype: Option<Prototype>, hz: f64, is_off: bool| {
            let prototype = prototype.expect("because a filter of two poles is one section");
            let section = Section::closed_form(&prototype, hz / sample_rate_hz);
            if is_off { Coefficients::passthrough(&section) } else { Coefficients::from(&section) }
        };
        let Corners { high_pass_hz, low_pass_hz } = corners;
        let high_pass = Prototype::butterworth_high_pass(2).next();
        let low_pass = Prototype::butterworth_low_pass(2).next();
        Self([
            coefficients(high_pass, high_pass_hz, high_pass_hz <= HIGH_PASS_OFF_HZ),
            coefficients(low_pass, low_pass_hz, low_pass_hz >= LOW_PASS_OFF_HZ),
        ])
    }
}

impl Interpolate for Pair {
    #[inline(always)]
    fn interpolated(&self, to: &Self, t: f64) -> Self {
        Self([self.0[0].interpolated(&to.0[0], t), self.0[1].interpolated(&to.0[1], t)])
    }
}

/// Both filters over up to two channels.
///
/// Still corners are given to [`Self::new`]; moving ones to [`Self::seek`] before each [`Self::run`] of at most the rest
/// of a grid cell.
pub struct KeyFilter {
    sample_rate_hz: f64,
    coefficients: Moving<Pair>,
    states: [State<2>; 2],
    is_off: bool,
}

impl KeyFilter {
    /// Filters that stay as they are until [`Self::seek`] is called.
    #[must_use]
    pub fn new(corners: Corners, sample_rate_hz: f64) -> Self {
        let coefficients = Moving::still(Pair::new(corners, sample_rate_hz));
        Self { sample_rate_hz, coefficients, states: [State::ZERO; 2], is_off: corners.pass_all() }
    }

    /// Whether both filters are off and were from the start: [`Self::run`] then changes nothing.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.is_off
    }

    /// Makes the coefficients ready for the frames from `frame` to the end of its grid cell; `corners` gives the corners
    /// at a frame.
    pub fn seek(&mut self, frame: i64, mut corners: impl FnMut(i64) -> Corners) {
        let sample_rate_hz = self.sample_rate_hz;
        self.is_off = false;
        self.coefficients.seek(frame, |frame| Pair::new(corners(frame), sample_rate_hz));
    }

    /// Filters a run of frames, all finite, that starts at absolute `frame`.
    pub fn run(&mut self, frame: i64, signal: &mut [Lanes<2>]) {
        if self.is_off {
            return;
        }
        match self.coefficients.still_settings() {
            Some(Pair(coefficients)) => svf::run(&coefficients, &mut self.states, signal),
            None => {
                for (index, x) in signal.iter_mut().enumerate() {
                    let Pair(coefficients) = self.coefficients.at(frame + index as i64);
                    svf::run(&coefficients, &mut self.states, core::slice::from_mut(x));
                }
            }
        }
    }

    /// Removes what has decayed to nothing: to be called at absolute frames that are multiples of
    /// [`TIDY_FRAMES`](crate::control::TIDY_FRAMES).
    pub fn tidy(&mut self) {
        self.states = self.states.map(State::without_dust);
    }

    /// Whether nothing rings.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.states == [State::ZERO; 2]
    }

    /// Forgets the past.
    pub fn reset(&mut self) {
        self.states = [State::ZERO; 2];
    }
}
