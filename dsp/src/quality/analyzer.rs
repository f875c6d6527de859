//! The streaming analyzer.

use std::sync::atomic::{AtomicBool, Ordering};

use super::Quality;
use super::channel::{Channel, ChannelSums};
use super::clicks::ClickFinder;
use super::columns::{HOPS_PER_SECOND, Levels};
use super::course::CourseReader;
use super::defects::defects;
use super::identity::SampleHasher;
use super::peaks::PeakWatch;
use super::samples::SampleReader;
use super::spectrum::Welch;
use super::stereo::{Stereo, Sums};
use crate::buffer::Buffer;
use crate::kernels::true_peak::TruePeakReader;
use crate::loudness::Measurement;
use crate::units::db_from_gain;

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
    not_numbers: u64,
    /// A block of which not all samples were numbers.
    mended: Buffer,
    peaks: PeakWatch,
    /// Whether a true peak has passed the limit.
    passed: AtomicBool,
    readers: Readers,
}

/// Everything but the true peaks; none of them knows of another.
struct Readers {
    course: CourseReader,
    welch: Welch,
    clicks: ClickFinder,
    samples: SampleReader,
    hasher: SampleHasher,
}

impl Readers {
    fn new(source: Source) -> Self {
        let Source { sample_rate_hz, channels, speakers, nominal_bits } = source;
        Self {
            course: CourseReader::new(sample_rate_hz, channels, speakers),
            welch: Welch::new(sample_rate_hz, channels),
            clicks: ClickFinder::new(sample_rate_hz, channels),
            samples: SampleReader::new(sample_rate_hz, channels, nominal_bits),
            hasher: SampleHasher::new(),
        }
    }
}

/// A part of an analysis: sees every block that an [`Intake`] has let in, in order, on whatever thread.
pub type Part<'a> = Box<dyn FnMut(&Buffer) + Send + 'a>;

/// An analysis taken apart, for several threads. Together they do what [`Analyzer::push`] does.
pub struct Split<'a> {
    /// Before all parts.
    pub intake: Intake<'a>,
    /// In any order, but sooner the first than the others: it finds what may spare them their work.
    pub parts: Vec<Part<'a>>,
    /// Whether that was found.
    pub limit: Limit<'a>,
}

/// Whether a true peak has passed the limit, as far as the first part has come.
#[derive(Debug, Clone, Copy)]
pub struct Limit<'a>(&'a AtomicBool);

impl Limit<'_> {
    /// See [`Analyzer::with_limit`].
    #[must_use]
    pub fn is_passed(self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Where blocks come into an analysis.
pub struct Intake<'a> {
    channels: usize,
    not_numbers: &'a mut u64,
}

impl Intake<'_> {
    /// Counts the samples that are no finite numbers, and puts silence in their place.
    ///
    /// # Panics
    /// If the block has another number of channels than the analyzer.
    pub fn mend(&mut self, block: &mut Buffer) {
        assert_eq!(block.channel_count(), self.channels, "an analyzer is fed blocks of its own channel count");
        if not_numbers(block) > 0 {
            *self.not_numbers += not_numbers(block);
            block.iter_mut().flatten().filter(|x| !x.is_finite()).for_each(|x| *x = 0.0);
        }
    }
}

fn not_numbers(block: &Buffer) -> u64 {
    block.iter().map(|channel| channel.iter().map(|x| u64::from(!x.is_finite())).sum::<u64>()).sum()
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
    /// read, for the file is to be made again; everything else is that of an empty file then.
    ///
    /// # Panics
    /// If there are no channels or more than 8.
    #[must_use]
    pub fn with_limit(source: Source, reader: fn() -> TruePeakReader, limit: f64) -> Self {
        Self {
            source,
            not_numbers: 0,
            mended: Buffer::new(source.channels, 0),
            peaks: PeakWatch::new(source.sample_rate_hz, source.channels, reader, limit),
            passed: AtomicBool::new(false),
            readers: Readers::new(source),
        }
    }

    /// Analyses on.
    ///
    /// # Panics
    /// If the block has another number of channels than the analyzer.
    pub fn push(&mut self, block: &Buffer) {
        let mut mended = std::mem::take(&mut self.mended);
        mended.clone_from(block);
        let Split { mut intake, parts, .. } = self.split();
        intake.mend(&mut mended);
        parts.into_iter().for_each(|mut part| part(&mended));
        self.mended = mended;
    }

    /// Takes the analysis apart.
    pub fn split(&mut self) -> Split<'_> {
        let Self { source, not_numbers, peaks, passed, readers, .. } = self;
        let Readers { course, welch, clicks, samples, hasher } = readers;
        let limit = Limit(passed);
        let mut parts: Vec<Part<'_>> = vec![Box::new(|block| {
            peaks.push(block);
            passed.store(peaks.has_passed(), Ordering::Relaxed);
        })];
        let others: [Part<'_>; 5] = [
            Box::new(|block| clicks.push(block)),
            Box::new(|block| welch.push(block)),
            Box::new(|block| course.push(block)),
            Box::new(|block| samples.push(block)),
            Box::new(|block| hasher.push(block)),
        ];
        parts.extend(others.map(|mut part| -> Part<'_> {
            Box::new(move |block| {
                if !limit.is_passed() {
                    part(block);
                }
            })
        }));
        Split { intake: Intake { channels: source.channels, not_numbers }, parts, limit }
    }

    /// Whether the true peak has passed the limit: the analysis knows nothing else then.
    #[must_use]
    pub fn has_passed_limit(&self) -> bool {
        self.peaks.has_passed()
    }

    /// The result.
    #[must_use]
    pub fn finish(self) -> Analysis {
        let Source { sample_rate_hz, channels, .. } = self.source;
        // How far the others had come when the limit was passed depends on threads.
        let readers = if self.has_passed_limit() { Readers::new(self.source) } else { self.readers };
        let Readers { course, welch, clicks, mut samples, hasher } = readers;
        samples.end();
        let peaks = self.peaks.finish();
        let true_peak_dbtp = (peaks.greatest() > 0.0).then(|| db_from_gain(peaks.greatest()));
        let (measurement, loudness) = course.finish(true_peak_dbtp, &peaks.seconds);
        let (columns, hops_per_column) = samples.columns.finish();
        let spectrum = welch.finish(sample_rate_hz);
        let stereo = (channels == 2).then(|| {
            let (left, right) = (samples.sums[0].squares, samples.sums[1].squares);
            let sums = Sums { products: samples.products, left, right };
            Stereo::new(columns.iter().map(Levels::correlation).collect(), &sums, &spectrum, sample_rate_hz)
        });
        let channel = |(index, sums): (usize, &ChannelSums)| {
            Channel::new(index, sums, &columns, samples.frames, peaks.of_channel(index))
        };
        let mut quality = Quality {
            column_seconds: hops_per_column as f64 / HOPS_PER_SECOND as f64,
            channels: samples.sums.iter().enumerate().map(channel).collect(),
            loudness,
            spectrum: spectrum.curve(),
            stereo,
            histogram: samples.levels.finish(),
            true_peaks: peaks.loudest(sample_rate_hz),
            clipping: samples.clipping.finish(samples.frames, sample_rate_hz),
            clicks: clicks.finish(sample_rate_hz),
            dropouts: samples.dropouts.finish(sample_rate_hz),
            silence: samples.silence.finish(samples.frames, sample_rate_hz),
            bits: samples.bits.finish(),
            not_numbers: self.not_numbers,
            samples_digest: hasher.finish(),
            defects: Vec::new(),
        };
        quality.defects = defects(&quality, &measurement);
        Analysis { measurement, quality, window_peaks: peaks.windows }
    }
}
