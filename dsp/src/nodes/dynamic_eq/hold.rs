//! The hold of a level over the valleys of a wave.

use super::{DynamicBand, DynamicBandKind, When};
use crate::kernels::ballistics::larger;
use crate::node::CONTROL_FRAMES;

/// The highest level of the last cells, for a band that moves below its threshold: it takes the valleys between the crests of
/// a wave for no fall of the level. From one span of cells to two, on an absolute grid.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hold {
    /// Cells of a span; 0 holds nothing.
    cells: i64,
    /// The highest of the span before and of the span at work.
    levels: [f64; 2],
}

impl Hold {
    /// A span is half a period of the lowest tone that the band is meant for: its centre, or two octaves below a low shelf.
    pub(super) fn of(band: &DynamicBand, sample_rate_hz: f64) -> Self {
        let lowest_hz = if band.kind == DynamicBandKind::LowShelf { 0.25 } else { 1.0 } * band.frequency_hz;
        let cells = (0.5 * sample_rate_hz / (lowest_hz * CONTROL_FRAMES as f64)).ceil() as i64 + 1;
        Self { cells: if band.when == When::Below { cells } else { 0 }, levels: [0.0; 2] }
    }

    /// What is held when the cell before this one has had such a level.
    pub(super) fn held(&mut self, level: f64, cell: i64) -> f64 {
        if self.cells == 0 {
            return level;
        }
        if cell.rem_euclid(self.cells) == 0 {
            self.levels = [self.levels[1], 0.0];
        }
        self.levels[1] = larger(self.levels[1], level);
        larger(self.levels[0], self.levels[1])
    }

    /// Takes over the span of parameters that have moved.
    pub(super) fn move_to(&mut self, band: &DynamicBand, sample_rate_hz: f64) {
        self.cells = Self::of(band, sample_rate_hz).cells;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.levels == [0.0; 2]
    }

    pub(super) fn reset(&mut self) {
        self.levels = [0.0; 2];
    }
}
