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

    /// The value at an absolute frame (negative frames lie before the session's start).
    #[must_use]
    pub fn value_at(&self, frame: i64) -> f64 {
        let after = self.knots.partition_point(|knot| knot.frame as i64 <= frame);
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
