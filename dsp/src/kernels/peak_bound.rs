//! A cheap proof that nothing between samples passes a limit.

use crate::simd::{self, Kernel};

/// Samples that a cell of [`Extents`] stands for.
const CELL: usize = 32;

/// What bounds everything that a bank of filters reads on an interval, the stretch between two samples `x[0]` and `x[1]`.
///
/// Each filter is parted into a straight line through both ends of the interval and filters of second differences:
/// ```text
/// Σ h[k]·x[k] = α·x[0] + β·x[1] + Σ g[k]·c[k]      c[k] = x[k−1] − 2·x[k] + x[k+1]
/// α = Σ (1 − k)·h[k]    β = Σ k·h[k]               g[k+1] = r[k] + 2·g[k] − g[k−1],  r = h less α and β
/// ```
/// g is as short as h, because r has neither sum nor slope. So no reading exceeds (|α| + |β|)·(greatest end) +
/// Σ|g|·(greatest c), which on programme is little more than its ends: where the signal is smooth, c is small. Nor does
/// it exceed Σ|h|·(greatest sample).
#[derive(Debug, Clone, Copy)]
pub struct PeakBound {
    gain: f32,
    chord: f32,
    bend: f32,
    /// Of the greatest sample in the window, for the rounding of sums and differences.
    rounding: f32,
}

impl PeakBound {
    /// The bound of filters of equal, even length; `x[0]` meets the last tap of their first half.
    #[must_use]
    pub fn of(phases: &[Vec<f64>]) -> Self {
        let worst = |measure: &dyn Fn(&[f64]) -> f64| phases.iter().map(|phase| measure(phase)).fold(0.0, f64::max);
        let gain = worst(&|phase| sum(phase.iter().map(|tap| tap.abs()))).max(1.0);
        // A thousandth covers the rounding of the taps. Sums of 256 products stray by at most 2⁻¹⁶ of the greatest
        // sample times the gain, second differences by less.
        Self {
            gain: (gain * 1.001) as f32,
            chord: (worst(&|phase| ends(phase).map(f64::abs).iter().sum()) * 1.001) as f32,
            bend: (worst(&bend) * 1.001) as f32,
            rounding: (gain / 16_384.0) as f32,
        }
    }

    /// The bound of several banks together.
    #[must_use]
    pub fn of_all<const BANKS: usize>(bounds: [Self; BANKS]) -> Self {
        let none = Self { gain: 0.0, chord: 0.0, bend: 0.0, rounding: 0.0 };
        bounds.iter().fold(none, |all, bound| Self {
            gain: all.gain.max(bound.gain),
            chord: all.chord.max(bound.chord),
            bend: all.bend.max(bound.bend),
            rounding: all.rounding.max(bound.rounding),
        })
    }

    /// No reading exceeds the greatest magnitude in its window times this: the worst Σ|taps| of any filter.
    #[must_use]
    pub fn gain(&self) -> f32 {
        self.gain
    }

    /// No reading exceeds this on an interval whose ends are at most `ends`, in a window of this extent.
    #[must_use]
    #[inline]
    pub fn at_most(&self, ends: f32, window: Extent) -> f32 {
        let smooth = self.chord * ends + self.bend * window.curvature + self.rounding * window.level;
        smooth.min(self.gain * window.level)
    }
}

fn sum(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |sum, value| sum + value)
}

/// α and β.
fn ends(phase: &[f64]) -> [f64; 2] {
    let first = 1.0 - (phase.len() / 2) as f64;
    let slope = sum(phase.iter().enumerate().map(|(tap, h)| (first + tap as f64) * h));
    [sum(phase.iter().copied()) - slope, slope]
}

/// Σ|g|.
fn bend(phase: &[f64]) -> f64 {
    let [alpha, beta] = ends(phase);
    let zero = phase.len() / 2 - 1;
    let (mut total, mut last, mut g) = (0.0, 0.0, 0.0);
    for (tap, h) in phase.iter().enumerate() {
        let straight = if tap == zero {
            alpha
        } else if tap == zero + 1 {
            beta
        } else {
            0.0
        };
        (last, g) = (g, h - straight + 2.0 * g - last);
        total += g.abs();
    }
    total
}

/// How far a stretch of samples reaches.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Extent {
    /// The greatest magnitude of a sample.
    pub level: f32,
    /// The greatest magnitude of a second difference of samples in the stretch.
    pub curvature: f32,
}

/// The extents of a line of finite samples, in cells of equal length.
#[derive(Debug, Clone, Default)]
pub struct Extents {
    cells: Vec<Extent>,
}

impl Extents {
    /// Those of lines up to this length.
    #[must_use]
    pub fn with_capacity(samples: usize) -> Self {
        Self { cells: Vec::with_capacity(samples.div_ceil(CELL)) }
    }

    /// Takes in a line.
    pub fn measure(&mut self, line: &[f32]) {
        self.cells.clear();
        self.cells.resize(line.len().div_ceil(CELL), Extent::default());
        simd::run(Measure { line, cells: &mut self.cells });
    }

    /// An extent that the samples from one to before another do not exceed.
    #[must_use]
    #[inline]
    pub fn of(&self, from: usize, to: usize) -> Extent {
        self.cells[from / CELL..to.div_ceil(CELL)].iter().fold(Extent::default(), |all, cell| Extent {
            level: if cell.level > all.level { cell.level } else { all.level },
            curvature: if cell.curvature > all.curvature { cell.curvature } else { all.curvature },
        })
    }
}

struct Measure<'a> {
    line: &'a [f32],
    cells: &'a mut [Extent],
}

impl Kernel for Measure<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (index, cell) in self.cells.iter_mut().enumerate() {
            // The differences of a cell reach two samples into the next.
            let samples = &self.line[index * CELL..];
            *cell = match samples.first_chunk::<{ CELL + 2 }>() {
                Some(samples) => extent(samples),
                None => extent(samples),
            };
        }
    }
}

#[inline(always)]
fn extent(samples: &[f32]) -> Extent {
    let mut level = 0;
    for &x in samples {
        level = level.max(magnitude(x));
    }
    let mut curvature = 0;
    for ((&before, &x), &after) in samples.iter().zip(samples.iter().skip(1)).zip(samples.iter().skip(2)) {
        curvature = curvature.max(magnitude(before - 2.0 * x + after));
    }
    Extent { level: f32::from_bits(level as u32), curvature: f32::from_bits(curvature as u32) }
}

/// The greatest magnitude of finite samples.
#[must_use]
pub fn greatest(samples: &[f32]) -> f32 {
    simd::run(Greatest { samples, below: i32::MAX })
}

/// The greatest magnitude of those samples that are finite; 0 of none.
#[must_use]
pub fn greatest_finite(samples: &[f32]) -> f32 {
    simd::run(Greatest { samples, below: f32::INFINITY.to_bits() as i32 })
}

/// The greatest magnitude whose bits lie below a limit.
struct Greatest<'a> {
    samples: &'a [f32],
    below: i32,
}

impl Kernel for Greatest<'_> {
    type Output = f32;

    #[inline(always)]
    fn run(self) -> f32 {
        let counted = |bits: i32| if bits < self.below { bits } else { 0 };
        let greatest = self.samples.iter().fold(0, |greatest, &x| i32::max(greatest, counted(magnitude(x))));
        f32::from_bits(greatest as u32)
    }
}

/// The bits of a magnitude: they are ordered as magnitudes are, and their maximum is found lane by lane.
#[inline(always)]
fn magnitude(x: f32) -> i32 {
    (x.to_bits() & 0x7FFF_FFFF) as i32
}
