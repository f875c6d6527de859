//! Lists of bands whose parameters may be automated: `bands.2.threshold_db`, bands counted from 1.

use crate::node::{ParameterLane, ParameterSpec, Parameters};

/// The parameters of all bands, band by band.
pub(super) fn specs<B: Parameters>(bands: &[B]) -> impl Iterator<Item = ParameterSpec> {
    let of_band = |(index, band): (usize, &B)| {
        let named =
            move |spec: ParameterSpec| ParameterSpec { name: format!("bands.{}.{}", index + 1, spec.name), ..spec };
        band.specs().into_iter().map(named).collect::<Vec<_>>()
    };
    bands.iter().enumerate().flat_map(of_band)
}

/// The band, and the index among its own parameters, of a parameter counted over all bands.
pub(super) fn locate<B: Parameters>(bands: &[B], parameter: usize) -> (usize, usize) {
    let mut rest = parameter;
    for (index, band) in bands.iter().enumerate() {
        let own = band.specs().len();
        if rest < own {
            return (index, rest);
        }
        rest -= own;
    }
    panic!("a parameter has an index of the specs of the same processor");
}

/// The lanes of one band, by its own parameters; those of the list begin at parameter `first`.
pub(super) fn lanes_of<B: Parameters>(
    bands: &[B],
    which: usize,
    first: usize,
    lanes: &[ParameterLane],
) -> Vec<ParameterLane> {
    let own = |lane: &ParameterLane| {
        let (band, parameter) = locate(bands, lane.parameter.checked_sub(first)?);
        (band == which).then(|| ParameterLane { parameter, lane: lane.lane.clone() })
    };
    lanes.iter().filter_map(own).collect()
}
