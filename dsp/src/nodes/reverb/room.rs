//! What a reverb's size and decays make of its delay lines, and how that moves.

use super::Reverb;
use crate::control::{Interpolate, Moving, between, lane_of, set_lanes};
use crate::kernels::absorption::{Loss, MOST_LOSS_DB};
use crate::kernels::decay::{Decay, OCTAVES};
use crate::kernels::diffuser;
use crate::kernels::fdn::{self, LINES};
use crate::node::{CONTROL_FRAMES, ParameterLane};

/// Where size or decays move, rooms are designed at absolute frames that are multiples of this, for a design is dear (some
/// milliseconds); lengths go straight from one to the next, losses in steps of [`CONTROL_FRAMES`].
const ROOM_FRAMES: usize = 1024;

/// A room: lengths of lines, what a round takes away, how loud it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub(super) diffuser: diffuser::Lengths<usize>,
    pub(super) lines: [usize; LINES],
    pub(super) loss: Loss<LINES>,
    /// Makes the late sound as loud as what is fed to the diffusers.
    pub(super) late_gain: f64,
}

impl Room {
    /// The room of a reverb whose sound never lasts longer than `longest_s`.
    pub(super) fn of(reverb: &Reverb, longest_s: f64, sample_rate_hz: f64) -> Self {
        let scale = reverb.scale();
        let lines = fdn::lengths(31.0 * scale, 79.0 * scale, longest_s, sample_rate_hz);
        let mut asked = reverb.octave_decay_s();
        if longest_s > reverb.decay().longest_s() {
            // Lines that are made for a longer decay: what loses more in a round is gone anyway.
            let shortest_s = lines[LINES - 1] as f64 / sample_rate_hz * (60.0 / MOST_LOSS_DB);
            asked = asked.map(|seconds| seconds.max(shortest_s));
        }
        let decay = Decay::measured_as(&asked);
        Self {
            diffuser: diffuser::lengths(scale, sample_rate_hz),
            loss: Loss::new(&decay, &lines, sample_rate_hz),
            late_gain: (2.0 * fdn::energy(&lines, &decay, sample_rate_hz)).sqrt().recip(),
            lines,
        }
    }
}

/// Lengths of lines in frames, and how loud the room is, between two rooms.
#[derive(Debug, Clone, Copy)]
pub(super) struct Between {
    pub(super) diffuser: diffuser::Lengths<f64>,
    pub(super) lines: [f64; LINES],
    pub(super) late_gain: f64,
}

impl From<&Room> for Between {
    fn from(room: &Room) -> Self {
        Self {
            diffuser: room.diffuser.map(|stage| stage.map(|frames| frames as f64)),
            lines: room.lines.map(|frames| frames as f64),
            late_gain: room.late_gain,
        }
    }
}

impl Interpolate for Between {
    #[inline(always)]
    fn interpolated(&self, to: &Self, t: f64) -> Self {
        let line = |from: &[f64], to: &[f64], line: usize| between(from[line], to[line], t);
        Self {
            diffuser: core::array::from_fn(|stage| {
                core::array::from_fn(|channel| line(&self.diffuser[stage], &to.diffuser[stage], channel))
            }),
            lines: core::array::from_fn(|index| line(&self.lines, &to.lines, index)),
            late_gain: between(self.late_gain, to.late_gain, t),
        }
    }
}

/// A room that moves.
pub(super) struct MovingRoom {
    reverb: Reverb,
    lanes: Vec<ParameterLane>,
    longest_s: f64,
    sample_rate_hz: f64,
    /// What was designed last, and for which size and decays.
    known: ([f64; OCTAVES], f64, Room),
    between: Moving<Between, ROOM_FRAMES>,
    loss: Moving<Loss<LINES>, ROOM_FRAMES>,
}

impl MovingRoom {
    /// The room of a reverb that these lanes move, beside the one of its greatest size and longest decay; none if there are
    /// no lanes.
    pub(super) fn new(reverb: &Reverb, lanes: Vec<ParameterLane>, sample_rate_hz: f64) -> Option<(Self, Room)> {
        let mut reverb = reverb.clone();
        let longest_s = lanes.iter().flat_map(|lane| lane.lane.knots()).map(|knot| {
            set_lanes(&mut reverb, &lanes, knot.frame as i64);
            reverb.decay().longest_s()
        });
        let longest_s = longest_s.reduce(f64::max)?;
        if let Some(size) = lane_of(&reverb, &lanes, "size") {
            reverb.size = size.highest();
        }
        let greatest = Room::of(&reverb, longest_s, sample_rate_hz);
        let between = Moving::still(Between::from(&greatest));
        let loss = Moving::still(greatest.loss);
        let known = (reverb.octave_decay_s(), reverb.size, greatest);
        Some((Self { reverb, lanes, longest_s, sample_rate_hz, known, between, loss }, greatest))
    }

    /// Makes the room ready for a run.
    pub(super) fn seek(&mut self, frame: i64) {
        let Self { reverb, lanes, longest_s, sample_rate_hz, known, between, loss } = self;
        let mut room = |frame: i64| {
            set_lanes(reverb, lanes, frame);
            let asked = reverb.octave_decay_s();
            if (asked, reverb.size) != (known.0, known.1) {
                *known = (asked, reverb.size, Room::of(reverb, *longest_s, *sample_rate_hz));
            }
            known.2
        };
        between.seek(frame, |frame| Between::from(&room(frame)));
        loss.seek(frame, |frame| room(frame).loss);
    }

    /// Lengths and loudness at a frame of the run last sought.
    #[inline]
    pub(super) fn at(&self, frame: i64) -> Between {
        self.between.at(frame)
    }

    /// The loss for the whole cell of [`CONTROL_FRAMES`] in which a frame of the run last sought lies.
    pub(super) fn loss_at(&self, frame: i64) -> Loss<LINES> {
        self.loss.at(frame - frame.rem_euclid(CONTROL_FRAMES as i64))
    }
}
