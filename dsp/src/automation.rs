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

    /// The highest value at any frame.
    #[must_use]
    pub fn highest(&self) -> f64 {
        self.knots.iter().map(|knot| knot.value).fold(f64::NEG_INFINITY, f64::max)
    }

    /// The one value of all of `frames` frames from `frame` on, if the lane does not move there.
    #[must_use]
    pub fn constant_over(&self, frame: i64, frames: usize) -> Option<f64> {
        let after = self.knots_before(frame);
        let moves = self.knots.get(after).is_some_and(|to| {
            let from = after.checked_sub(1).map(|last| self.knots[last]);
            let flat = from.is_none_or(|from| from.curve == Curve::Hold || from.value == to.value);
            !flat || (to.frame as i64) < frame + frames as i64
        });
        (!moves).then(|| self.value_between(after, frame))
    }

    /// The values at consecutive absolute frames from `frame`: each the same bits as [`Self::value_at`].
    pub fn fill(&self, frame: i64, values: &mut [f64]) {
        let mut after = self.knots_before(frame);
        for (at, value) in (frame..).zip(values) {
            after += usize::from(self.knots.get(after).is_some_and(|knot| knot.frame as i64 <= at));
            *value = self.value_between(after, at);
        }
    }

    /// The value at an absolute frame (negative frames lie before the session's start).
    #[must_use]
    pub fn value_at(&self, frame: i64) -> f64 {
        self.value_between(self.knots_before(frame), frame)
    }

    /// How many knots lie up to a frame.
    fn knots_before(&self, frame: i64) -> usize {
        self.knots.partition_point(|knot| knot.frame as i64 <= frame)
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

/// What a lane adds up to from frame 0 on: a phase, where the lane is a frequency.
#[derive(Debug, Clone)]
pub struct Integral {
    lane: Lane,
    /// From the first knot to each.
    to_knots: Vec<f64>,
    /// From the first knot to frame 0.
    to_start: f64,
}

impl Integral {
    /// Of a lane.
    #[must_use]
    pub fn of(lane: Lane) -> Self {
        let mut integral = Self { to_knots: vec![0.0], to_start: 0.0, lane };
        for knot in 1..integral.lane.knots.len() {
            let sum = integral.since_first_knot(knot, integral.lane.knots[knot].frame as i64);
            integral.to_knots.push(sum);
        }
        integral.to_start = integral.since_first_knot(integral.lane.knots_before(0), 0);
        integral
    }

    /// The sum of values over frames, as the integral of the curve from frame 0 to `frame`; negative before.
    #[must_use]
    pub fn to(&self, frame: i64) -> f64 {
        self.since_first_knot(self.lane.knots_before(frame), frame) - self.to_start
    }

    /// From the first knot to `frame`, up to which lie `after` knots.
    fn since_first_knot(&self, after: usize, frame: i64) -> f64 {
        let knots = &self.lane.knots;
        let Some(last) = after.checked_sub(1) else {
            return knots[0].value * (frame - knots[0].frame as i64) as f64;
        };
        let from = knots[last];
        let frames = (frame - from.frame as i64) as f64;
        let part = match (from.curve, knots.get(after)) {
            (Curve::Linear, Some(_)) => 0.5 * frames * (from.value + self.lane.value_between(after, frame)),
            (Curve::Exponential, Some(to)) if to.value != from.value => {
                let nepers = crate::math::ln(to.value / from.value);
                (self.lane.value_between(after, frame) - from.value) * (to.frame - from.frame) as f64 / nepers
            }
            _ => from.value * frames,
        };
        self.to_knots[last] + part
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
    fn an_integral_grows_by_the_value_of_every_frame() {
        let integral = Integral::of(lane());
        assert_eq!(integral.to(0), 0.0);
        // 4 frames from 1 to 9, 2 from 9 to 36 by equal ratios, 4 at 36.
        let by_hand = 10.0 + 20.0 + 27.0 * 2.0 / crate::math::ln(4.0) + 144.0;
        assert!((integral.to(20) - by_hand).abs() < 1e-12, "{}", integral.to(20));
        assert!((integral.to(120) - integral.to(20) - 200.0).abs() < 1e-12);
        assert_eq!(integral.to(-7), -7.0);
        for frame in -5..30 {
            let (here, next) = (lane().value_at(frame), lane().value_at(frame + 1));
            let grown = integral.to(frame + 1) - integral.to(frame);
            let between = here.min(next) - 1e-12..=here.max(next) + 1e-12;
            assert!(between.contains(&grown), "{grown} from {frame}, {here} to {next}");
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
