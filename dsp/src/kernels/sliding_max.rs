//! The greatest value of a sliding window.

/// The maximum of the last `window` values pushed, none above 1; values before the first count as 1. The counterpart of
/// [`super::sliding_min::SlidingMin`]: a 1 makes all before it count for nothing, so that only its place is kept.
#[derive(Debug, Clone)]
pub struct SlidingMax {
    window: u64,
    /// Place of the next value, from `window` on, so that the 1s before the first have places too.
    next: u64,
    /// Place of the last 1.
    last_one: u64,
    /// A ring of (place, value), places rising and values falling from `first` on, all after the last 1.
    queue: Vec<(u64, f64)>,
    first: usize,
    length: usize,
}

impl SlidingMax {
    /// A window of at least 1 value.
    #[must_use]
    pub fn new(window: usize) -> Self {
        let window = window.max(1) as u64;
        let queue = vec![(0, 1.0); window as usize];
        Self { window, next: window, last_one: window - 1, queue, first: 0, length: 0 }
    }

    /// Takes a value and gives the greatest of the window that ends with it.
    pub fn push(&mut self, value: f64) -> f64 {
        let place = self.next;
        self.next += 1;
        if value >= 1.0 {
            (self.last_one, self.length) = (place, 0);
            return 1.0;
        }
        let capacity = self.queue.len();
        let wrap = |index: usize| if index < capacity { index } else { index - capacity };
        if self.length > 0 && self.queue[self.first].0 + self.window <= place {
            self.first = wrap(self.first + 1);
            self.length -= 1;
        }
        while self.length > 0 && self.queue[wrap(self.first + self.length - 1)].1 <= value {
            self.length -= 1;
        }
        self.queue[wrap(self.first + self.length)] = (place, value);
        self.length += 1;
        if self.last_one + self.window > place { 1.0 } else { self.queue[self.first].1 }
    }

    /// Whether 1s pushed from now on change nothing.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.length == 0
    }

    /// Forgets all values.
    pub fn reset(&mut self) {
        (self.next, self.last_one, self.first, self.length) = (self.window, self.window - 1, 0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::SlidingMax;

    #[test]
    fn the_maximum_is_that_of_a_search_through_the_window() {
        for window in [1, 2, 7, 64] {
            // A 1 comes by every 97 values on average, and not at all in the second half.
            let value = |n: u64| ((n * 7919 + n * n * 31) % 97) as f64 / if n < 500 { 96.0 } else { 100.0 };
            let values: Vec<f64> = (0..1000).map(value).collect();
            let mut sliding = SlidingMax::new(window);
            for (n, &value) in values.iter().enumerate() {
                let seen = &values[(n + 1).saturating_sub(window)..=n];
                let before = if n + 1 < window { 1.0 } else { 0.0 };
                let expected = seen.iter().copied().fold(before, f64::max);
                assert_eq!(sliding.push(value), expected, "window {window}, value {n}");
            }
            assert!(!sliding.is_at_rest());
            assert_eq!(sliding.push(1.0), 1.0);
            assert!(sliding.is_at_rest());
        }
    }
}
