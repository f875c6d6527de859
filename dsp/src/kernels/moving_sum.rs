//! Sums over the last so many values, however many from frame to frame, without drift.

/// The last values in a ring whose length is a power of two, and over them the sums of pairs, of pairs of pairs and so on up
/// to all: any stretch is the sum of at most two of each size. Every sum is summed anew, so nothing drifts and silence is
/// exactly 0.
///
/// Values lie at their absolute frames; how blocks are cut, or when the silent node was skipped, does not show.
pub struct MovingSum {
    /// 1 holds the sum of all, 2 and 3 those of both halves, …; the second half holds the values.
    nodes: Vec<f64>,
}

impl MovingSum {
    /// For sums over up to `longest` values, all 0 at first.
    #[must_use]
    pub fn new(longest: usize) -> Self {
        Self { nodes: vec![0.0; 2 * (longest + 1).next_power_of_two()] }
    }

    /// How many of the last values it holds.
    #[must_use]
    pub fn length(&self) -> usize {
        self.nodes.len() / 2
    }

    fn node_of(&self, frame: i64) -> usize {
        self.length() + frame.rem_euclid(self.length() as i64) as usize
    }

    /// Takes the value of absolute `frame`.
    #[inline]
    pub fn push(&mut self, frame: i64, value: f64) {
        let mut node = self.node_of(frame);
        self.nodes[node] = value;
        while node > 1 {
            node /= 2;
            self.nodes[node] = self.nodes[2 * node] + self.nodes[2 * node + 1];
        }
    }

    /// The sum over the `values` values that end with absolute `frame`, the last pushed; of the one before them, its share.
    #[inline]
    #[must_use]
    pub fn over(&self, frame: i64, values: f64) -> f64 {
        let whole = (values as usize).min(self.length() - 1);
        let share = (values - whole as f64).min(1.0);
        let (first, last) = (self.node_of(frame + 1 - whole as i64), self.node_of(frame));
        let sum = match whole {
            0 => 0.0,
            _ if first <= last => self.stretch(first, last),
            _ => self.stretch(first, self.nodes.len() - 1) + self.stretch(self.length(), last),
        };
        sum + share * self.nodes[self.node_of(frame - whole as i64)]
    }

    /// The sum from one value to another, both included.
    fn stretch(&self, first: usize, last: usize) -> f64 {
        let (mut left, mut right, mut sum) = (first, last + 1, 0.0);
        while left < right {
            if left % 2 == 1 {
                sum += self.nodes[left];
                left += 1;
            }
            if right % 2 == 1 {
                right -= 1;
                sum += self.nodes[right];
            }
            left /= 2;
            right /= 2;
        }
        sum
    }

    /// Makes all values 0.
    pub fn reset(&mut self) {
        self.nodes.fill(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_equal_their_definition_at_any_length_and_start_frame() {
        // The values are integers, so sums in any order are exact.
        let value = |frame: i64| ((frame * frame * 7919) % 10_007) as f64;
        for longest in [1, 7, 64, 100] {
            for start in [-133, 0, 5] {
                let mut sum = MovingSum::new(longest);
                for frame in start..start + 300 {
                    sum.push(frame, value(frame));
                    for values in [1, longest / 2 + 1, longest] {
                        let oldest = (frame + 1 - values as i64).max(start);
                        let expected: f64 = (oldest..=frame).map(value).sum();
                        assert_eq!(sum.over(frame, values as f64), expected, "{values} values to {frame}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_oldest_value_counts_by_its_share() {
        let mut sum = MovingSum::new(4);
        [16.0, 8.0, 4.0].into_iter().zip(0..).for_each(|(value, frame)| sum.push(frame, value));
        assert_eq!([1.0, 1.25, 2.5, 3.0].map(|values| sum.over(2, values)), [4.0, 6.0, 20.0, 28.0]);
    }

    #[test]
    fn a_loud_past_leaves_no_residue() {
        let mut sum = MovingSum::new(40);
        (0..100).for_each(|frame| sum.push(frame, 0.1 * frame as f64));
        (100..164).for_each(|frame| sum.push(frame, 0.0));
        assert_eq!(sum.over(163, 40.0), 0.0);
    }
}
