//! Sums and maxima over the last so many values, without drift.

/// What a [`Window`] takes of its values.
pub trait Fold {
    /// `a` and `b` together; 0 changes nothing.
    fn fold(a: f64, b: f64) -> f64;
}

/// The sum.
pub struct Sum;

/// The greatest; values are not negative.
pub struct Greatest;

impl Fold for Sum {
    #[inline(always)]
    fn fold(a: f64, b: f64) -> f64 {
        a + b
    }
}

impl Fold for Greatest {
    #[inline(always)]
    fn fold(a: f64, b: f64) -> f64 {
        a.max(b)
    }
}

/// Folds the last `length` values in constant time on average and without ever taking one out again: time is cut into
/// segments of `length`, and a window is the end of one segment and the start of the next. Every sum is summed anew, so
/// nothing drifts and silence is exactly 0.
///
/// Segments lie at absolute frames; how blocks are cut, or when the silent node was skipped, does not show.
///
/// *Reference*: M. van Herk, Pattern Recognition Letters 13, 1992, for maxima; a sum has the same two halves.
pub struct Window<F> {
    /// Behind the position: values of this segment. From it on: folds of the last segment from there to its end.
    values: Vec<f64>,
    head: f64,
    fold: core::marker::PhantomData<F>,
}

impl<F: Fold> Window<F> {
    /// A window of `length` values, all 0. At least 1.
    #[must_use]
    pub fn new(length: usize) -> Self {
        Self { values: vec![0.0; length.max(1)], head: 0.0, fold: core::marker::PhantomData }
    }

    /// The number of values.
    #[must_use]
    pub fn length(&self) -> usize {
        self.values.len()
    }

    /// Replaces each value by the fold of the window that it ends; the first is that of absolute `frame`.
    pub fn run(&mut self, frame: i64, values: &mut [f64]) {
        let length = self.values.len();
        let mut position = frame.rem_euclid(length as i64) as usize;
        for value in values {
            let newest = *value;
            self.head = F::fold(self.head, newest);
            let tail = self.values.get(position + 1).copied().unwrap_or(0.0);
            *value = F::fold(tail, self.head);
            self.values[position] = newest;
            position += 1;
            if position == length {
                position = 0;
                self.head = 0.0;
                for index in (1..length).rev() {
                    self.values[index - 1] = F::fold(self.values[index - 1], self.values[index]);
                }
            }
        }
    }

    /// Makes all values 0.
    pub fn reset(&mut self) {
        self.values.fill(0.0);
        self.head = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(count: usize) -> Vec<f64> {
        let mut state = 1u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f64
        };
        (0..count).map(|_| next()).collect()
    }

    fn windowed(values: &[f64], length: usize, fold: fn(f64, f64) -> f64) -> Vec<f64> {
        let window = |end: usize| &values[(end + 1).saturating_sub(length)..=end];
        (0..values.len()).map(|end| window(end).iter().copied().fold(0.0, fold)).collect()
    }

    #[test]
    fn windows_equal_their_definition_at_any_start_frame() {
        // The values are integers, so sums in any order are exact.
        let values = noise(200);
        for length in [1, 2, 7, 64, 300] {
            for start in [-13, 0, 5] {
                let (mut sums, mut greatest) = (values.clone(), values.clone());
                Window::<Sum>::new(length).run(start, &mut sums);
                Window::<Greatest>::new(length).run(start, &mut greatest);
                assert_eq!(sums, windowed(&values, length, |a, b| a + b), "sum of {length} from {start}");
                assert_eq!(greatest, windowed(&values, length, f64::max), "greatest of {length} from {start}");
            }
        }
    }

    #[test]
    fn a_loud_past_leaves_no_residue_in_a_sum() {
        let mut values: Vec<f64> = noise(100).iter().map(|value| value * 1e-3).chain([0.0; 40]).collect();
        Window::<Sum>::new(40).run(0, &mut values);
        assert_eq!(values.last(), Some(&0.0));
    }
}
