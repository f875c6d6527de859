//! Smoothing by cascaded moving averages with exact sums.

/// 1 in the fixed point of the averages: 40 fractional bits. A sum of 2^13 such values is still exact as an f64.
const ONE: i64 = 1 << 40;
/// Averages in the cascade: the smoothed step has continuous second derivatives, and −100 dB of side lobes.
const STAGES: usize = 4;

/// A cascade of moving averages over values from 0 to 1; all values before the first are 1.
///
/// Sums are integers and never drift. Each average rounds down, so that the output never exceeds the greatest value in
/// the window: with `support` values in it, a convex mean of values that are all low enough is low enough.
#[derive(Debug, Clone)]
pub struct BoxStack {
    stages: [MovingAverage; STAGES],
    /// Values equal to 1 that came last; once they fill the window there is nothing to compute.
    ones: usize,
    support: usize,
}

impl BoxStack {
    /// A cascade whose whole window is `support` values, at least 1.
    #[must_use]
    pub fn new(support: usize) -> Self {
        let support = support.max(1);
        let reach = support - 1;
        let stages = core::array::from_fn(|stage| MovingAverage::new((reach + stage) / STAGES + 1));
        Self { stages, ones: support, support }
    }

    /// Takes a value from 0 to 1 and gives the smoothed one.
    pub fn push(&mut self, value: f64) -> f64 {
        let fixed = (value * ONE as f64) as i64;
        self.ones = if fixed == ONE { self.ones + 1 } else { 0 };
        // The 1 that fills the window must still be put into it; those after it would change nothing.
        if self.ones > self.support {
            return 1.0;
        }
        let smoothed = self.stages.iter_mut().fold(fixed, |value, stage| stage.push(value));
        smoothed as f64 / ONE as f64
    }

    /// Whether the window holds nothing but 1.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.ones >= self.support
    }

    /// Forgets all values.
    pub fn reset(&mut self) {
        self.stages.iter_mut().for_each(MovingAverage::reset);
        self.ones = self.support;
    }
}

#[derive(Debug, Clone)]
struct MovingAverage {
    values: Vec<i64>,
    next: usize,
    sum: i64,
}

impl MovingAverage {
    fn new(length: usize) -> Self {
        Self { values: vec![ONE; length], next: 0, sum: ONE * length as i64 }
    }

    fn push(&mut self, value: i64) -> i64 {
        self.sum += value - self.values[self.next];
        self.values[self.next] = value;
        self.next = if self.next + 1 == self.values.len() { 0 } else { self.next + 1 };
        // Both are whole numbers below 2^53, and quotients that are no whole number differ from the next one by more than
        // the rounding of the division: truncated, it is the exact quotient rounded down.
        (self.sum as f64 / self.values.len() as f64) as i64
    }

    fn reset(&mut self) {
        self.values.fill(ONE);
        self.next = 0;
        self.sum = ONE * self.values.len() as i64;
    }
}

#[cfg(test)]
mod tests {
    use super::{BoxStack, MovingAverage, ONE};

    #[test]
    fn an_average_is_the_exact_quotient_rounded_down() {
        for length in [1, 3, 61, 961] {
            let mut average = MovingAverage::new(length);
            let mut state = 1_u64;
            let mut values = vec![ONE; length];
            for _ in 0..3000 {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                let value = (state >> 24) as i64;
                values.push(value);
                let sum: i64 = values[values.len() - length..].iter().sum();
                assert_eq!(average.push(value), sum.div_euclid(length as i64));
            }
        }
    }

    #[test]
    fn a_dip_as_long_as_the_support_reaches_its_floor_and_ends_in_exact_ones() {
        for support in [1, 2, 5, 24, 241, 3841] {
            let mut stack = BoxStack::new(support);
            let floor = 0.3;
            let lowest = (0..support).map(|_| stack.push(floor)).fold(1.0, f64::min);
            assert!(lowest <= floor && lowest > floor - 1e-11, "support {support}: {lowest}");
            let after: Vec<f64> = (0..=support).map(|_| stack.push(1.0)).collect();
            assert!(after.windows(2).all(|pair| pair[0] <= pair[1]));
            assert_eq!(after[support], 1.0);
        }
    }
}
