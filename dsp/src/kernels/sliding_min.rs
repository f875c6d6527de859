//! The least value of a sliding window.

/// The minimum of the last `window` values pushed, none above 1; values before the first count as 1. Constant time a
/// value on average, by the queue of rising minima (D. Lemire, "Streaming maximum-minimum filter using no more than three
/// comparisons per element", Nordic J. of Computing 13(4), 2006).
#[derive(Debug, Clone)]
pub struct SlidingMin {
    window: u64,
    pushed: u64,
    /// A ring of (place, value), both rising from `first` on; it never holds more than `window` entries.
    queue: Vec<(u64, f64)>,
    first: usize,
    length: usize,
}

impl SlidingMin {
    /// A window of at least 1 value.
    #[must_use]
    pub fn new(window: usize) -> Self {
        let window = window.max(1);
        Self { window: window as u64, pushed: 0, queue: vec![(0, 1.0); window], first: 0, length: 0 }
    }

    /// Takes a value and gives the least of the window that ends with it.
    pub fn push(&mut self, value: f64) -> f64 {
        let capacity = self.queue.len();
        let wrap = |index: usize| if index < capacity { index } else { index - capacity };
        if self.length > 0 && self.queue[self.first].0 + self.window <= self.pushed {
            self.first = wrap(self.first + 1);
            self.length -= 1;
        }
        while self.length > 0 && self.queue[wrap(self.first + self.length - 1)].1 >= value {
            self.length -= 1;
        }
        // 1 is what an empty queue says.
        if value < 1.0 {
            self.queue[wrap(self.first + self.length)] = (self.pushed, value);
            self.length += 1;
        }
        self.pushed += 1;
        if self.length > 0 { self.queue[self.first].1 } else { 1.0 }
    }

    /// Whether every value in the window is 1.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.length == 0
    }

    /// Forgets all values.
    pub fn reset(&mut self) {
        (self.pushed, self.first, self.length) = (0, 0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::SlidingMin;

    #[test]
    fn the_minimum_is_that_of_a_search_through_the_window() {
        for window in [1, 2, 7, 64] {
            let values: Vec<f64> = (0..1000).map(|n| ((n * 7919 + n * n * 31) % 97) as f64 / 96.0).collect();
            let mut sliding = SlidingMin::new(window);
            for (n, &value) in values.iter().enumerate() {
                let expected = values[(n + 1).saturating_sub(window)..=n].iter().copied().fold(1.0, f64::min);
                assert_eq!(sliding.push(value), expected, "window {window}, value {n}");
            }
            for _ in 0..window {
                sliding.push(1.0);
            }
            assert!(sliding.is_at_rest());
        }
    }
}
