//! Automation lanes: a parameter's value over session time.

/// How a lane goes from one point to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Curve {
    /// Straight, in the parameter's own unit (dB for a fader).
    #[default]
    Linear,
    /// Stays until the next point, then jumps.
    Hold,
    /// By equal ratios: v0·(v1/v0)^t. Both values must have one sign and not be 0.
    Exponential,
}

/// One knot of a lane.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Knot {
    /// Absolute frame of the session.
    pub frame: u64,
    /// In the parameter's unit.
    pub value: f64,
    /// The way to the next knot.
    pub curve: Curve,
}

/// A parameter's course: at least one knot, frames strictly rising. Before the first knot its value holds, after the
/// last knot its value holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Lane {
    knots: Vec<Knot>,
}

impl Lane {
    /// A lane through `knots`; `None` if there are none or their frames do not strictly rise.
    #[must_use]
    pub fn new(knots: Vec<Knot>) -> Option<Self> {
        let rising = knots.windows(2).all(|pair| pair[0].frame < pair[1].frame);
        (!knots.is_empty() && rising).then_some(Self { knots })
    }

    /// A lane that has one value for ever.
    #[must_use]
    pub fn constant(value: f64) -> Self {
        Self { knots: vec![Knot { frame: 0, value, curve: Curve::Hold }] }
    }

    /// The knots, in time order.
    #[must_use]
    pub fn knots(&self) -> &[Knot] {
        &self.knots
    }

    /// The value, if it is the same at every frame.
    #[must_use]
    pub fn constant_value(&self) -> Option<f64> {
        let first = self.knots[0].value;
        self.knots.iter().all(|knot| knot.value == first).then_some(first)
    }

    /// The one value of all of `frames` frames from `frame` on, if the lane does not move there.
    #[must_use]
    pub fn constant_over(&self, frame: i64, frames: usize) -> Option<f64> {
        let after = self.knots.partition_point(|knot| knot.frame as i64 <= frame);
        let moves = self.knots.get(after).is_some_and(|to| {
            let from = after.checked_sub(1).map(|last| self.knots[last]);
            let flat = from.is_none_or(|from| from.curve == Curve::Hold || from.value == to.value);
            !flat || (to.frame as i64) < frame + frames as i64
        });
        (!moves).then(|| self.value_between(after, frame))
    }

    /// The values at consecutive absolute frames from `frame`: each the same bits as [`Self::value_at`].
    pub fn fill(&self, frame: i64, values: &mut [f64]) {
        let mut after = self.knots.partition_point(|knot| knot.frame as i64 <= frame);
        for (at, value) in (frame..).zip(values) {
            after += usize::from(self.knots.get(after).is_some_and(|knot| knot.frame as i64 <= at));
            *value = self.value_between(after, at);
        }
    }

    /// The value at an absolute frame (negative frames lie before the session's start).
    #[must_use]
    pub fn value_at(&self, frame: i64) -> f64 {
        self.value_between(self.knots.partition_point(|knot| knot.frame as i64 <= frame), frame)
    }

    /// The value at `frame`, before which lie `after` knots.
    fn value_between(&self, after: usize, frame: i64) -> f64 {
        if after == 0 {
            return self.knots[0].value;
        }
        let from = self.knots[after - 1];
        let Some(to) = self.knots.get(after) else { return from.value };
        let t = (frame - from.frame as i64) as f64 / (to.frame - from.frame) as f64;
        match from.curve {
            Curve::Hold => from.value,
            Curve::Linear => from.value + (to.value - from.value) * t,
            Curve::Exponential => from.value * crate::math::powf(to.value / from.value, t),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane() -> Lane {
        let knot = |frame, value, curve| Knot { frame, value, curve };
        let knots = vec![
            knot(10, 1.0, Curve::Linear),
            knot(14, 9.0, Curve::Exponential),
            knot(16, 36.0, Curve::Hold),
            knot(20, 2.0, Curve::Linear),
        ];
        Lane::new(knots).expect("because the frames rise")
    }

    #[test]
    fn each_curve_has_its_closed_form_between_its_knots() {
        let expected =
            [(-5, 1.0), (10, 1.0), (11, 3.0), (14, 9.0), (15, 18.0), (16, 36.0), (19, 36.0), (20, 2.0), (99, 2.0)];
        for (frame, value) in expected {
            assert!((lane().value_at(frame) - value).abs() < 1e-12, "{} at {frame}", lane().value_at(frame));
        }
    }

    #[test]
    fn filling_gives_the_bits_of_every_single_frame() {
        for start in -3..22 {
            let mut values = [0.0; 25];
            lane().fill(start, &mut values);
            for (frame, value) in (start..).zip(values) {
                assert_eq!(value.to_bits(), lane().value_at(frame).to_bits(), "frame {frame} from {start}");
            }
        }
    }

    #[test]
    fn a_stretch_is_constant_exactly_where_the_lane_stands_still() {
        for (start, frames, value) in [(-9, 19, 1.0), (16, 4, 36.0), (20, 1000, 2.0)] {
            assert_eq!(lane().constant_over(start, frames), Some(value));
        }
        for (start, frames) in [(-9, 20), (10, 2), (15, 1), (16, 5), (19, 2)] {
            assert_eq!(lane().constant_over(start, frames), None, "{frames} frames from {start}");
        }
    }

    #[test]
    fn only_a_lane_of_equal_knots_is_constant() {
        assert_eq!(lane().constant_value(), None);
        assert_eq!(Lane::constant(3.0).constant_value(), Some(3.0));
    }

    #[test]
    fn knots_out_of_order_make_no_lane() {
        let knot = |frame| Knot { frame, value: 0.0, curve: Curve::Hold };
        assert_eq!(Lane::new(vec![knot(5), knot(5)]), None);
        assert_eq!(Lane::new(Vec::new()), None);
    }
}
