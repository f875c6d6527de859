//! Pan.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::matrix::{Matrix, Weights, build};
use crate::kernels::pan::PanLaw;
use crate::node::{Node, ParameterLane, Parameters, Prepare};

/// Places a sound between left and right, as an insert. Mono becomes stereo.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Pan {
    /// Where a mono signal stands, or the balance of a stereo one: −1 (left) to 1 (right).
    #[schemars(range(min = -1.0, max = 1.0))]
    pub position: f64,
    /// Attenuation at the centre: −3 (equal power), −4.5 or −6 dB (linear). Balance has none.
    #[schemars(extend("enum" = [-3.0, -4.5, -6.0]))]
    pub law_db: f64,
    /// What is done to a stereo signal.
    pub stereo: StereoPan,
    /// Where the left side stands in a dual pan, −1 to 1.
    #[schemars(range(min = -1.0, max = 1.0))]
    pub left_position: f64,
    /// Where the right side stands in a dual pan, −1 to 1.
    #[schemars(range(min = -1.0, max = 1.0))]
    pub right_position: f64,
}

/// How a stereo signal is panned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StereoPan {
    /// The far side fades out, the near side stays: nothing changes sides.
    #[default]
    Balance,
    /// Each side is panned as a mono signal, to `left_position` and `right_position`.
    Dual,
}

impl Default for Pan {
    fn default() -> Self {
        Self { position: 0.0, law_db: -3.0, stereo: StereoPan::Balance, left_position: -1.0, right_position: 1.0 }
    }
}

impl Parameters for Pan {
    continuous! {
        position: -1.0 to 1.0,
        left_position: -1.0 to 1.0,
        right_position: -1.0 to 1.0,
    }

    linear!();
    instant!();

    fn fixed(&self) -> &'static [(&'static str, &'static str)] {
        &[("law_db", "it is one of three laws")]
    }

    fn channels_out(&self, _: usize) -> usize {
        2
    }
}

impl Weights for Pan {
    fn matrix(&self, channels_in: usize) -> Matrix {
        let law = PanLaw::mono(self.law_db);
        match (channels_in, self.stereo) {
            (1, _) => {
                let (left, right) = law.gains(self.position);
                Matrix([[left, 0.0], [right, 0.0]])
            }
            (_, StereoPan::Balance) => {
                let (left, right) = PanLaw::Balance.gains(self.position);
                Matrix::diagonal(left, right)
            }
            (_, StereoPan::Dual) => {
                let (left, right) = (law.gains(self.left_position), law.gains(self.right_position));
                Matrix([[left.0, right.0], [left.1, right.1]])
            }
        }
    }
}

impl Pan {
    /// The node, ready to process.
    #[must_use]
    pub fn build(&self, prepare: Prepare, lanes: &[ParameterLane]) -> Box<dyn Node> {
        build(self, prepare, lanes)
    }
}
