//! The quality of a finished file: what an engineer would look at before signing it, measured in one pass.
//!
//! ```text
//! analyzer                               takes the delivered samples, block by block, and hands them to its parts:
//! samples · course · peaks · columns     level, loudness and true peak, and their course
//! spectrum · stereo · histogram          long-term averages
//! prediction · clicks · dropouts · clipping · bits · silence   what goes wrong
//! identity                               the digest of the samples
//! defects                                what of it is worth a warning
//! profile · verdict                      what platforms ask for, and how the file does
//! ```
//!
//! Series have a bounded number of values whatever the length of the file. The same samples give the same figures however
//! they are cut into blocks. Samples that are no finite numbers are counted and taken as silence.

mod analyzer;
mod bits;
mod channel;
mod clicks;
mod clipping;
mod columns;
mod course;
mod defects;
mod dropouts;
mod histogram;
mod identity;
mod peaks;
mod places;
mod prediction;
pub mod profile;
mod samples;
mod silence;
mod spectrum;
mod stereo;
mod verdict;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::units::db_from_gain;

pub use analyzer::{Analysis, Analyzer, Intake, Limit, Part, Source, Split};
pub use bits::BitsUsed;
pub use channel::Channel;
pub use clicks::Clicks;
pub use clipping::Clipping;
pub use course::LoudnessCourse;
pub use defects::{Defect, DefectKind};
pub use dropouts::Dropouts;
pub use histogram::Histogram;
pub use peaks::TruePeak;
pub(crate) use peaks::WINDOW_FRAMES;
pub use places::Place;
pub use profile::Profile;
pub use silence::Silence;
pub use spectrum::Spectrum;
pub use stereo::{Stereo, StereoBand};
pub use verdict::{Check, FileFacts, Finding, Level, Verdict};

/// The quality of a file, beside what [`crate::loudness::Measurement`] says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Quality {
    /// Seconds that each value of a series over time stands for, in `channels`, `loudness` and `stereo`. The last may stand
    /// for less.
    pub column_seconds: f64,
    /// Levels, waveform, direct current of each channel.
    pub channels: Vec<Channel>,
    /// Loudness over time, PLR and PSR.
    pub loudness: LoudnessCourse,
    /// The long-term average spectrum.
    pub spectrum: Spectrum,
    /// How left and right go together; `None` but for two channels.
    pub stereo: Option<Stereo>,
    /// How often which level occurs.
    pub histogram: Histogram,
    /// The loudest true peaks, up to five of each channel in different seconds, the loudest first.
    pub true_peaks: Vec<TruePeak>,
    /// Clipped runs.
    pub clipping: Clipping,
    /// Suspected clicks.
    pub clicks: Clicks,
    /// Suspected drop-outs.
    pub dropouts: Dropouts,
    /// Silence at head and tail.
    pub silence: Silence,
    /// Bits really used.
    pub bits: BitsUsed,
    /// Samples that are no finite numbers.
    pub not_numbers: u64,
    /// BLAKE3-256 of the samples: interleaved, each as a 32-bit float (little-endian, full scale 1). Files of other containers
    /// that hold the same samples have the same.
    pub samples_digest: Digest,
    /// What is worth a warning.
    pub defects: Vec<Defect>,
}

/// A figure with so many decimals: what a document shows, and no more bytes than it needs.
fn rounded(value: f64, decimals: u32) -> f64 {
    let scale = [1.0, 10.0, 100.0, 1000.0, 10_000.0, 100_000.0][decimals as usize];
    // No −0.
    (value * scale).round() / scale + 0.0
}

/// A linear magnitude in dB with two decimals; `None` for 0.
fn level(magnitude: f64) -> Option<f64> {
    (magnitude > 0.0).then(|| rounded(db_from_gain(magnitude), 2))
}
