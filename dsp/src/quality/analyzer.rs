//! The streaming analyzer.

use super::Quality;
use super::bits::BitsReader;
use super::channel::{Channel, ChannelSums};
use super::clicks::ClickFinder;
use super::clipping::ClippingFinder;
use super::columns::{Column, Columns, Extent};
use super::course::CourseReader;
use super::defects::defects;
use super::dropouts::DropoutFinder;
use super::histogram::LevelCounter;
use super::peaks::PeakWatch;
use super::silence::SilenceFinder;
use super::spectrum::Welch;
use super::stereo::{Stereo, Sums};
use crate::buffer::Buffer;
use crate::digest::Digest;
use crate::kernels::true_peak::TruePeakReader;
use crate::loudness::{Measurement, Meter, hop_start, lufs};
use crate::units::db_from_gain;

/// Hops of the meter in a second.
const HOPS_PER_SECOND: u64 = 100;
/// Loudness below this is not shown over time.
const GATE_LUFS: f64 = -70.0;
/// Sums of samples stand in so many lanes, each in time order.
const LANES: usize = 8;

/// What is analysed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// Sample rate in Hz.
    pub sample_rate_hz: u32,
    /// Channels, 1 to 8.
    pub channels: usize,
    /// Places of the channels, a channel mask of WAVE; 0 for the usual ones.
    pub speakers: u32,
    /// Bits of a sample by the format, 32 for floating point; `None` for lossy ones.
    pub nominal_bits: Option<u32>,
}

/// Everything that is known of a file at its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Analysis {
    /// What the meters read.
    pub measurement: Measurement,
    /// The quality.
    pub quality: Quality,
    /// Greatest true peak of all channels, linear, per window of 256 frames: exact where it lies above the limit, and the
    /// greatest of all of them is exact too. Empty without a limit.
    pub window_peaks: Vec<f64>,
}

/// Takes the samples of a file block by block. Its memory grows by some 170 bytes a second, that of the meter.
pub struct Analyzer {
    source: Source,
    /// The hop in progress: every sum goes over whole hops, so that blocks leave no trace.
    hop: Buffer,
    filled: usize,
    hops: u64,
    frames: u64,
    meter: Meter,
    peaks: PeakWatch,
    columns: Columns,
    course: CourseReader,
    welch: Welch,
    levels: LevelCounter,
    clicks: ClickFinder,
    dropouts: DropoutFinder,
    clipping: ClippingFinder,
    silence: SilenceFinder,
    bits: BitsReader,
    sums: Vec<ChannelSums>,
    products: f64,
    not_numbers: u64,
    hasher: blake3::Hasher,
    interleaved: Vec<u8>,
}

impl Analyzer {
    /// An analyzer whose true peaks are those of `reader`.
    ///
    /// # Panics
    /// If there are no channels or more than 8.
    #[must_use]
    pub fn new(source: Source, reader: fn() -> TruePeakReader) -> Self {
        Self::with_limit(source, reader, f64::INFINITY)
    }

    /// The same, which also tells apart where the true peak passes `limit`, linear: once it does, nothing but true peaks is
    /// read, for the file is to be made again.
    ///
    /// # Panics
    /// If there are no channels or more than 8.
    #[must_use]
    pub fn with_limit(source: Source, reader: fn() -> TruePeakReader, limit: f64) -> Self {
        let Source { sample_rate_hz, channels, speakers, nominal_bits } = source;
        let longest_hop = (u64::from(sample_rate_hz).div_ceil(HOPS_PER_SECOND) + 1) as usize;
        Self {
            source,
            hop: Buffer::new(channels, longest_hop),
            filled: 0,
            hops: 0,
            frames: 0,
            meter: Meter::loudness_only(sample_rate_hz, channels).with_speakers(speakers),
            peaks: PeakWatch::new(channels, reader, limit),
            columns: Columns::new(),
            course: CourseReader::default(),
            welch: Welch::new(sample_rate_hz, channels),
            levels: LevelCounter::new(),
            clicks: ClickFinder::new(sample_rate_hz, channels),
            dropouts: DropoutFinder::new(sample_rate_hz, channels),
            clipping: ClippingFinder::new(channels),
            silence: SilenceFinder::new(channels),
            bits: BitsReader::new(nominal_bits),
            sums: vec![ChannelSums::default(); channels],
            products: 0.0,
            not_numbers: 0,
            hasher: blake3::Hasher::new(),
            interleaved: Vec::new(),
        }
    }

    /// Analyses on.
    ///
    /// # Panics
    /// If the block has another number of channels than the analyzer.
    pub fn push(&mut self, block: &Buffer) {
        assert_eq!(block.channel_count(), self.source.channels, "an analyzer is fed blocks of its own channel count");
        let mut from = 0;
        while from < block.frames() {
            let length = self.hop_frames();
            let to = block.frames().min(from + length - self.filled);
            self.hop.set_frames(length);
            for (kept, channel) in self.hop.iter_mut().zip(block.iter()) {
                for (kept, &x) in kept[self.filled..].iter_mut().zip(&channel[from..to]) {
                    self.not_numbers += u64::from(!x.is_finite());
                    *kept = if x.is_finite() { x } else { 0.0 };
                }
            }
            self.filled += to - from;
            if self.filled == length {
                self.take_hop();
            }
            from = to;
        }
    }

    /// Frames of the hop in progress.
    fn hop_frames(&self) -> usize {
        let rate = self.source.sample_rate_hz;
        (hop_start(self.hops + 1, rate) - hop_start(self.hops, rate)) as usize
    }

    fn take_hop(&mut self) {
        let (frame, end) = (self.frames, self.frames + self.filled as u64);
        self.peaks.push(&self.hop);
        if !self.peaks.has_passed() {
            self.measure_hop(frame, end);
        }
        self.frames = end;
        self.hops += 1;
        self.filled = 0;
        if self.hops.is_multiple_of(HOPS_PER_SECOND) {
            self.peaks.end_second();
            self.course.seconds_lufs.push(lufs(self.meter.short_term_power().unwrap_or(0.0)) as f32);
        }
    }

    /// Whether the true peak has passed the limit: the analysis knows nothing else then.
    #[must_use]
    pub fn has_passed_limit(&self) -> bool {
        self.peaks.has_passed()
    }

    fn measure_hop(&mut self, frame: u64, end: u64) {
        self.meter.push(&self.hop);
        self.welch.push(&self.hop);
        self.clicks.push(&self.hop);
        self.dropouts.push(&self.hop);
        let mut column = Column { frames: self.filled as u64, ..Column::EMPTY };
        for (index, channel) in self.hop.iter().enumerate() {
            let (extent, sum) = measure(channel);
            let peak = extent.max.max(-extent.min);
            let sums = &mut self.sums[index];
            sums.peak = sums.peak.max(peak);
            sums.sum += sum;
            sums.squares += extent.squares;
            column.channels[index] = extent;
            self.clipping.push(index, frame, channel, peak);
            self.silence.push(index, frame, channel, peak);
            self.bits.push(channel);
        }
        if self.source.channels == 2 {
            column.products = products(self.hop.channel(0), self.hop.channel(1));
            self.products += column.products;
        }
        let squares = column.channels[..self.source.channels].iter().map(|extent| extent.squares).sum();
        self.levels.push(squares, (self.filled * self.source.channels) as u64);
        column.momentary = self.meter.momentary_power().unwrap_or(0.0);
        column.short_term = self.meter.short_term_power().unwrap_or(0.0);
        self.course.momentary.push(column.momentary, end);
        self.course.short_term.push(column.short_term, end);
        self.columns.push(&column);
        self.digest();
    }

    fn digest(&mut self) {
        self.interleaved.clear();
        self.interleaved.resize(4 * self.source.channels * self.filled, 0);
        let stride = 4 * self.source.channels;
        for (index, channel) in self.hop.iter().enumerate() {
            for (bytes, sample) in self.interleaved[4 * index..].chunks_mut(stride).zip(channel) {
                // −0 is 0.
                bytes[..4].copy_from_slice(&(sample + 0.0).to_le_bytes());
            }
        }
        self.hasher.update(&self.interleaved);
    }

    /// The result.
    #[must_use]
    pub fn finish(mut self) -> Analysis {
        if self.filled > 0 {
            self.hop.set_frames(self.filled);
            self.take_hop();
        }
        let Source { sample_rate_hz, channels, .. } = self.source;
        let peaks = self.peaks.finish();
        let mut measurement = self.meter.finish();
        measurement.true_peak_dbtp = (peaks.greatest() > 0.0).then(|| db_from_gain(peaks.greatest()));
        let (columns, hops_per_column) = self.columns.finish();
        let course = |power: &dyn Fn(&Column) -> f64| -> Vec<Option<f64>> {
            let level = |column: &Column| Some(lufs(power(column))).filter(|level| *level >= GATE_LUFS);
            columns.iter().map(|column| level(column).map(|level| super::rounded(level, 2))).collect()
        };
        let (momentary, short_term) = (course(&|column| column.momentary), course(&|column| column.short_term));
        let spectrum = self.welch.finish(sample_rate_hz);
        let stereo = (channels == 2).then(|| {
            let sums = Sums { products: self.products, left: self.sums[0].squares, right: self.sums[1].squares };
            Stereo::new(columns.iter().map(Column::correlation).collect(), &sums, &spectrum, sample_rate_hz)
        });
        let channel = |(index, sums): (usize, &ChannelSums)| {
            Channel::new(index, sums, &columns, self.frames, peaks.of_channel(index))
        };
        let mut quality = Quality {
            column_seconds: hops_per_column as f64 / HOPS_PER_SECOND as f64,
            channels: self.sums.iter().enumerate().map(channel).collect(),
            loudness: self.course.finish(momentary, short_term, &measurement, &peaks.seconds),
            spectrum: spectrum.curve(),
            stereo,
            histogram: self.levels.finish(),
            true_peaks: peaks.loudest(sample_rate_hz),
            clipping: self.clipping.finish(self.frames, sample_rate_hz),
            clicks: self.clicks.finish(sample_rate_hz),
            dropouts: self.dropouts.finish(sample_rate_hz),
            silence: self.silence.finish(self.frames, sample_rate_hz),
            bits: self.bits.finish(),
            not_numbers: self.not_numbers,
            samples_digest: Digest::from_bytes(*self.hasher.finalize().as_bytes()),
            defects: Vec::new(),
        };
        quality.defects = defects(&quality, &measurement);
        Analysis { measurement, quality, window_peaks: peaks.windows }
    }
}

/// Extent and sum of the samples.
fn measure(samples: &[f32]) -> (Extent, f64) {
    let mut min = [f32::INFINITY; LANES];
    let mut max = [f32::NEG_INFINITY; LANES];
    let (mut sum, mut squares) = ([0.0_f64; LANES], [0.0_f64; LANES]);
    let (chunks, rest) = samples.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            let x = chunk[lane];
            min[lane] = min[lane].min(x);
            max[lane] = max[lane].max(x);
            sum[lane] += f64::from(x);
            squares[lane] += f64::from(x) * f64::from(x);
        }
    }
    for (lane, &x) in rest.iter().enumerate() {
        min[lane] = min[lane].min(x);
        max[lane] = max[lane].max(x);
        sum[lane] += f64::from(x);
        squares[lane] += f64::from(x) * f64::from(x);
    }
    let extent = Extent {
        min: min.into_iter().fold(f32::INFINITY, f32::min),
        max: max.into_iter().fold(f32::NEG_INFINITY, f32::max),
        squares: squares.iter().sum(),
    };
    (extent, sum.iter().sum())
}

/// Σ l·r.
fn products(left: &[f32], right: &[f32]) -> f64 {
    let mut lanes = [0.0_f64; LANES];
    let ((left, left_rest), (right, right_rest)) = (left.as_chunks::<LANES>(), right.as_chunks::<LANES>());
    for (left, right) in left.iter().zip(right) {
        for lane in 0..LANES {
            lanes[lane] += f64::from(left[lane]) * f64::from(right[lane]);
        }
    }
    for (lane, (left, right)) in lanes.iter_mut().zip(left_rest.iter().zip(right_rest)) {
        *lane += f64::from(*left) * f64::from(*right);
    }
    lanes.iter().sum()
}
