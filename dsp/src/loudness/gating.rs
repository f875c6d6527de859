//! From the powers of windows to programme loudness and loudness range.

use crate::units::db_from_power;

/// The absolute gate in LUFS: BS.1770-5 eq. 6, Tech 3342 section 4.
const ABSOLUTE_GATE_LUFS: f64 = -70.0;

/// Loudness in LUFS of a K-weighted, channel-weighted mean square: BS.1770-5 eq. 2. −∞ for 0.
pub fn lufs(power: f64) -> f64 {
    -0.691 + db_from_power(power)
}

/// Integrated loudness of the powers of the 400 ms gating blocks, or `None` if none passes the absolute gate:
/// BS.1770-5 eq. 5 to 7. A block passes a gate when it is *above* it.
pub fn integrated_lufs(blocks: &[f64]) -> Option<f64> {
    let relative_gate = lufs(mean_above(blocks, ABSOLUTE_GATE_LUFS)?) - 10.0;
    mean_above(blocks, relative_gate.max(ABSOLUTE_GATE_LUFS)).map(lufs)
}

/// The mean of the powers whose loudness is above `gate_lufs`, summed in time order.
fn mean_above(powers: &[f64], gate_lufs: f64) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0_u64);
    for &power in powers {
        if lufs(power) > gate_lufs {
            sum += power;
            count += 1;
        }
    }
    (count > 0).then(|| sum / count as f64)
}

/// Loudness range in LU of short-term powers taken at a steady rate, or `None` if none passes the absolute gate.
///
/// EBU Tech 3342 section 4: absolute gate ≥ −70 LUFS, relative gate 20 LU below the mean power of what passed it, then
/// the 95th less the 10th percentile, the p-th being the value of rank `round((n − 1)·p/100 + 1)`.
pub fn loudness_range_lu(short_term: &[f64]) -> Option<f64> {
    let (mut sum, mut gated) = (0.0, Vec::new());
    for &power in short_term {
        let level = lufs(power);
        if level >= ABSOLUTE_GATE_LUFS {
            sum += power;
            gated.push(level);
        }
    }
    if gated.is_empty() {
        return None;
    }
    let relative_gate = lufs(sum / gated.len() as f64) - 20.0;
    gated.retain(|&level| level >= relative_gate);
    gated.sort_unstable_by(f64::total_cmp);
    let percentile = |percent: usize| gated[((gated.len() - 1) * percent + 50) / 100];
    Some(percentile(95) - percentile(10))
}

#[cfg(test)]
mod tests {
    use super::{integrated_lufs, loudness_range_lu, lufs};
    use crate::math::exp2;

    fn power(lufs: f64) -> f64 {
        exp2((lufs + 0.691) * core::f64::consts::LOG2_10 / 10.0)
    }

    #[test]
    fn a_power_of_one_is_the_offset_of_equation_2() {
        assert_eq!(lufs(1.0), -0.691);
        assert_eq!(lufs(0.0), f64::NEG_INFINITY);
    }

    #[test]
    fn blocks_exactly_at_the_relative_gate_do_not_count() {
        let loud = power(-20.0);
        let integrated = integrated_lufs(&[loud, loud, power(-45.0), power(-71.0)]).unwrap();
        assert!((integrated + 20.0).abs() < 1e-9, "{integrated}");
        assert_eq!(integrated_lufs(&[power(-70.1)]), None);
        assert_eq!(integrated_lufs(&[]), None);
    }

    #[test]
    fn the_range_lies_between_the_percentiles_of_the_standard() {
        // Levels −40 … −20 in steps of 1: n = 21, ranks round(20·0.1 + 1) = 3 and round(20·0.95 + 1) = 20.
        let levels: Vec<f64> = (0..21).map(|step| power(-40.0 + f64::from(step))).collect();
        let range = loudness_range_lu(&levels).unwrap();
        assert!((range - 17.0).abs() < 1e-9, "{range}");
        assert_eq!(loudness_range_lu(&[power(-80.0)]), None);
    }
}
