//! Where a signal stands between left and right.

use crate::math;

/// How a position becomes two gains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PanLaw {
    /// A mono signal, −3 dB at the centre: L = cos t, R = sin t, t = 0…π/2; L² + R² = 1.
    EqualPower,
    /// A mono signal, −4.5 dB at the centre: the square root of the product of the other two laws.
    Compromise,
    /// A mono signal, −6 dB at the centre: L + R = 1.
    Linear,
    /// A stereo signal: 0 dB at the centre, the far side falls linearly.
    Balance,
}

impl PanLaw {
    /// The law that attenuates a mono signal at the centre by −3, −4.5 or −6 dB.
    #[must_use]
    pub fn mono(centre_db: f64) -> Self {
        if centre_db > -3.75 {
            Self::EqualPower
        } else if centre_db > -5.25 {
            Self::Compromise
        } else {
            Self::Linear
        }
    }

    /// The gains (left, right) at a position, −1 (left) to 1 (right). Mirrored positions give mirrored bits, the centre
    /// gives one gain, the ends are silent on the far side.
    #[must_use]
    pub fn gains(self, position: f64) -> (f64, f64) {
        let (far, near) = self.far_and_near(position.abs().min(1.0));
        if position < 0.0 { (near, far) } else { (far, near) }
    }

    /// The gains of the side that is left and of the side that is approached, `away` (0…1) from the centre.
    fn far_and_near(self, away: f64) -> (f64, f64) {
        use core::f64::consts::{FRAC_1_SQRT_2, FRAC_PI_4};
        match self {
            Self::Balance => (1.0 - away, 1.0),
            _ if away == 1.0 => (0.0, 1.0),
            Self::EqualPower if away == 0.0 => (FRAC_1_SQRT_2, FRAC_1_SQRT_2),
            Self::EqualPower => {
                let t = (1.0 + away) * FRAC_PI_4;
                (math::cos(t), math::sin(t))
            }
            Self::Linear => ((1.0 - away) * 0.5, (1.0 + away) * 0.5),
            Self::Compromise => {
                let (linear, power) = (Self::Linear.far_and_near(away), Self::EqualPower.far_and_near(away));
                ((linear.0 * power.0).sqrt(), (linear.1 * power.1).sqrt())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::db_from_gain;

    const LAWS: [(PanLaw, f64); 4] =
        [(PanLaw::EqualPower, -3.01), (PanLaw::Compromise, -4.515), (PanLaw::Linear, -6.02), (PanLaw::Balance, 0.0)];

    #[test]
    fn the_centre_is_attenuated_alike_on_both_sides_by_what_the_law_says() {
        for (law, centre_db) in LAWS {
            let (left, right) = law.gains(0.0);
            assert_eq!(left.to_bits(), right.to_bits());
            assert!((db_from_gain(left) - centre_db).abs() < 0.01, "{law:?}: {}", db_from_gain(left));
        }
    }

    #[test]
    fn the_ends_are_full_on_one_side_and_silent_on_the_other() {
        for (law, _) in LAWS {
            assert_eq!(law.gains(-1.0), (1.0, 0.0));
            assert_eq!(law.gains(1.0), (0.0, 1.0));
        }
    }

    #[test]
    fn equal_power_keeps_the_power_at_every_position() {
        for step in -1000..=1000 {
            let (left, right) = PanLaw::EqualPower.gains(f64::from(step) / 1000.0);
            assert!((left * left + right * right - 1.0).abs() <= 1e-7);
        }
    }

    #[test]
    fn linear_panning_keeps_the_sum_and_the_compromise_lies_between() {
        for step in -999..=999 {
            let position = f64::from(step) / 1000.0;
            let (left, right) = PanLaw::Linear.gains(position);
            assert!((left + right - 1.0).abs() < 1e-15);
            let (power, between) = (PanLaw::EqualPower.gains(position), PanLaw::Compromise.gains(position));
            assert!((between.0 * between.0 - left * power.0).abs() < 1e-15);
            assert!((between.1 * between.1 - right * power.1).abs() < 1e-15);
        }
    }

    #[test]
    fn mirrored_positions_give_mirrored_bits() {
        for (law, _) in LAWS {
            for step in 1..=1000 {
                let position = f64::from(step) / 1000.0;
                let ((a, b), (c, d)) = (law.gains(position), law.gains(-position));
                assert_eq!((a.to_bits(), b.to_bits()), (d.to_bits(), c.to_bits()));
            }
        }
    }

    #[test]
    fn the_session_s_figure_names_the_law() {
        assert_eq!([-3.0, -4.5, -6.0].map(PanLaw::mono), [PanLaw::EqualPower, PanLaw::Compromise, PanLaw::Linear]);
    }
}
