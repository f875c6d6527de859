//! True peaks: of the file, of each channel, of each second, and where they are.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::columns::HOPS_PER_SECOND;
use crate::buffer::Buffer;
use crate::kernels::true_peak::TruePeakReader;
use crate::loudness::hop_start;

/// Frames of a window whose peak is told apart.
pub(crate) const WINDOW_FRAMES: usize = 256;

/// Peaks that are kept of each channel, in different seconds.
const KEPT: usize = 5;

/// A true peak and its place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TruePeak {
    /// The channel, from 0.
    pub channel: u32,
    /// Seconds from the start of the file, to the sample.
    pub at_seconds: f64,
    /// Its level in dBTP.
    pub dbtp: f64,
}

/// A peak of one channel: linear, and the frame before it.
type Found = (f64, u64);

/// Reads true peaks.
pub(super) struct PeakWatch {
    sample_rate_hz: u32,
    frames: u64,
    readers: Vec<TruePeakReader>,
    limit: f64,
    passed: bool,
    /// Greatest of all channels, per window.
    windows: Vec<f64>,
    window_filled: usize,
    window_peak: f64,
    /// Per channel, the greatest of the second in progress.
    second: Vec<Found>,
    /// Greatest of all channels, per second.
    seconds: Vec<f32>,
    /// Per channel, the greatest first.
    kept: Vec<Vec<Found>>,
}

impl PeakWatch {
    /// Windows are told apart where their peak lies above `limit`, linear; infinity keeps none of them.
    pub(super) fn new(sample_rate_hz: u32, channels: usize, reader: fn() -> TruePeakReader, limit: f64) -> Self {
        Self {
            sample_rate_hz,
            frames: 0,
            readers: (0..channels).map(|_| reader()).collect(),
            limit,
            passed: false,
            windows: Vec::new(),
            window_filled: 0,
            window_peak: 0.0,
            second: vec![(0.0, 0); channels],
            seconds: Vec::new(),
            kept: vec![Vec::with_capacity(KEPT + 1); channels],
        }
    }

    pub(super) fn push(&mut self, block: &Buffer) {
        let mut from = 0;
        while from < block.frames() {
            let until_second =
                (u64::from(self.sample_rate_hz) * (self.seconds.len() as u64 + 1) - self.frames) as usize;
            let to = block.frames().min(from + until_second.min(WINDOW_FRAMES - self.window_filled));
            for (reader, channel) in self.readers.iter_mut().zip(block.iter()) {
                reader.push(&channel[from..to]);
            }
            self.window_filled += to - from;
            if self.window_filled == WINDOW_FRAMES {
                let limit = self.limit;
                self.take(|reader| reader.take_peak(limit));
                self.end_window();
            }
            self.frames += (to - from) as u64;
            if to - from == until_second {
                self.end_second();
            }
            from = to;
        }
    }

    /// Takes what the readers hold into the window and the second in progress.
    fn take(&mut self, read: impl Fn(&mut TruePeakReader) -> f64) {
        for (reader, second) in self.readers.iter_mut().zip(&mut self.second) {
            let peak = read(reader);
            self.window_peak = self.window_peak.max(peak);
            // Below what the second has seen, the reading is a bound and no peak.
            if peak > second.0 {
                *second = (peak, reader.peak_frame());
            }
        }
    }

    /// Whether a window's peak has passed the limit.
    pub(super) fn has_passed(&self) -> bool {
        self.passed
    }

    fn end_window(&mut self) {
        self.passed |= self.window_peak > self.limit;
        if self.limit.is_finite() {
            self.windows.push(self.window_peak);
        }
        (self.window_peak, self.window_filled) = (0.0, 0);
    }

    /// Ends a second: the readers start anew, so that its peak is exact.
    fn end_second(&mut self) {
        let limit = self.limit;
        self.take(|reader| reader.take_peak(limit));
        self.readers.iter_mut().for_each(TruePeakReader::forget);
        let greatest = self.second.iter().fold(0.0, |greatest: f64, found| greatest.max(found.0));
        self.seconds.push(greatest as f32);
        for (kept, second) in self.kept.iter_mut().zip(&mut self.second) {
            let found = std::mem::take(second);
            if found.0 > 0.0 {
                let place = kept.partition_point(|known| known.0 >= found.0);
                kept.insert(place, found);
                kept.truncate(KEPT);
            }
        }
    }

    /// Reads what is left.
    pub(super) fn finish(mut self) -> Peaks {
        // A second counts as whole once its last hop has begun, as it does for the loudness.
        let last_hop = HOPS_PER_SECOND * (self.seconds.len() as u64 + 1) - 1;
        if self.frames > hop_start(last_hop, self.sample_rate_hz) {
            self.end_second();
        }
        self.take(TruePeakReader::finish);
        self.end_window();
        self.end_second();
        Peaks { windows: self.windows, seconds: self.seconds, kept: self.kept }
    }
}

/// What the watch found.
pub(super) struct Peaks {
    pub windows: Vec<f64>,
    pub seconds: Vec<f32>,
    kept: Vec<Vec<Found>>,
}

impl Peaks {
    /// The greatest of a channel, linear; 0 in silence.
    pub(super) fn of_channel(&self, channel: usize) -> f64 {
        self.kept[channel].first().map_or(0.0, |found| found.0)
    }

    /// The greatest of all, linear.
    pub(super) fn greatest(&self) -> f64 {
        (0..self.kept.len()).map(|channel| self.of_channel(channel)).fold(0.0, f64::max)
    }

    /// The loudest few of each channel, the loudest first.
    pub(super) fn loudest(&self, sample_rate_hz: u32) -> Vec<TruePeak> {
        let of_channel = |(channel, kept): (usize, &Vec<Found>)| {
            let peak = move |found: &Found| {
                let dbtp = super::level(found.0)?;
                let at_seconds = super::rounded(found.1 as f64 / f64::from(sample_rate_hz), 5);
                Some(TruePeak { channel: channel as u32, at_seconds, dbtp })
            };
            kept.iter().filter_map(peak).collect::<Vec<_>>()
        };
        self.kept.iter().enumerate().flat_map(of_channel).collect()
    }
}
