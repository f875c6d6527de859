//! A bounded number of columns over a file of any length.

/// Hops of 10 ms in a second.
pub(super) const HOPS_PER_SECOND: u64 = 100;

/// Most columns of a series. There are never fewer than half as many, but for files shorter than that many hops.
pub(super) const MAX_COLUMNS: usize = 1600;

/// Most channels of a file.
pub(super) const MAX_CHANNELS: usize = 8;

/// What happened within a stretch of the file: a hop of 10 ms, or several of them.
pub(super) trait Column: Copy {
    /// Nothing yet.
    const EMPTY: Self;

    /// Takes in what happened next.
    fn add(&mut self, next: &Self);
}

/// What one channel did within a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Extent {
    pub min: f32,
    pub max: f32,
    /// Sum of squares.
    pub squares: f64,
}

/// The samples of a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Levels {
    pub frames: u64,
    pub channels: [Extent; MAX_CHANNELS],
    /// Sum of the products of the first two channels.
    pub products: f64,
}

impl Column for Levels {
    const EMPTY: Self = Self {
        frames: 0,
        channels: [Extent { min: f32::INFINITY, max: f32::NEG_INFINITY, squares: 0.0 }; MAX_CHANNELS],
        products: 0.0,
    };

    fn add(&mut self, next: &Self) {
        self.frames += next.frames;
        for (extent, next) in self.channels.iter_mut().zip(&next.channels) {
            extent.min = extent.min.min(next.min);
            extent.max = extent.max.max(next.max);
            extent.squares += next.squares;
        }
        self.products += next.products;
    }
}

impl Levels {
    /// Correlation of the first two channels: Σlr/√(Σl²·Σr²). `None` where one of them is silent.
    pub(super) fn correlation(&self) -> Option<f64> {
        correlation(self.products, self.channels[0].squares, self.channels[1].squares)
    }
}

/// The greatest K-weighted powers of the windows that end within a column; 0 before the first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Powers {
    pub momentary: f64,
    pub short_term: f64,
}

impl Column for Powers {
    const EMPTY: Self = Self { momentary: 0.0, short_term: 0.0 };

    fn add(&mut self, next: &Self) {
        self.momentary = self.momentary.max(next.momentary);
        self.short_term = self.short_term.max(next.short_term);
    }
}

/// The correlation coefficient of two signals without mean; `None` where one of them lies below −100 dB of the other or of
/// full scale.
pub(super) fn correlation(products: f64, left: f64, right: f64) -> Option<f64> {
    const FLOOR: f64 = 1e-10;
    let audible = left.min(right) > FLOOR * left.max(right).max(FLOOR);
    audible.then(|| (products / (left * right).sqrt()).clamp(-1.0, 1.0))
}

/// Gathers hops. Where there are too many columns, neighbours are joined and a column is twice as long from there on.
#[derive(Debug, Clone)]
pub(super) struct Columns<C> {
    done: Vec<C>,
    current: C,
    hops_in_current: u64,
    hops_per_column: u64,
}

impl<C: Column> Columns<C> {
    pub(super) fn new() -> Self {
        Self { done: Vec::with_capacity(MAX_COLUMNS), current: C::EMPTY, hops_in_current: 0, hops_per_column: 1 }
    }

    pub(super) fn push(&mut self, hop: &C) {
        self.current.add(hop);
        self.hops_in_current += 1;
        if self.hops_in_current < self.hops_per_column {
            return;
        }
        self.done.push(self.current);
        (self.current, self.hops_in_current) = (C::EMPTY, 0);
        if self.done.len() == MAX_COLUMNS {
            for pair in 0..MAX_COLUMNS / 2 {
                let (mut first, second) = (self.done[2 * pair], self.done[2 * pair + 1]);
                first.add(&second);
                self.done[pair] = first;
            }
            self.done.truncate(MAX_COLUMNS / 2);
            self.hops_per_column *= 2;
        }
    }

    /// The columns, and how many hops each but the last holds.
    pub(super) fn finish(mut self) -> (Vec<C>, u64) {
        if self.hops_in_current > 0 {
            self.done.push(self.current);
        }
        (self.done, self.hops_per_column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(value: f32) -> Levels {
        let mut hop = Levels { frames: 480, ..Levels::EMPTY };
        hop.channels[0] = Extent { min: -value, max: value, squares: 1.0 };
        hop
    }

    #[test]
    fn any_length_fits_and_loses_no_peak_no_energy_and_no_frame() {
        for hops in [0, 1, 1599, 1600, 1601, 5000, 720_000] {
            let mut columns = Columns::new();
            (0..hops).for_each(|index| columns.push(&hop(if index == hops / 3 { 0.5 } else { 0.1 })));
            let (done, hops_per_column) = columns.finish();
            assert!(done.len() < MAX_COLUMNS, "{hops}: {}", done.len());
            assert!(done.len() as u64 >= (hops as u64).min(MAX_COLUMNS as u64 / 2), "{hops}: {}", done.len());
            assert_eq!(done.iter().map(|column| column.frames).sum::<u64>(), 480 * hops as u64);
            assert_eq!(done.iter().map(|column| column.channels[0].squares).sum::<f64>(), hops as f64);
            let loudest = done.iter().position(|column| column.channels[0].max == 0.5);
            assert_eq!(loudest, (hops > 0).then(|| (hops as u64 / 3 / hops_per_column) as usize));
        }
    }
}
