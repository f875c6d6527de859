//! A file measured on this machine: what `analyze` tells of it, and what pages compare others with.

use std::path::Path;

use mixdown_dsp::buffer::Buffer;
use mixdown_dsp::digest::Digest;
use mixdown_dsp::kernels::true_peak::TruePeakReader;
use mixdown_dsp::loudness::Measurement;
use mixdown_dsp::media::{Decoder, MediaError};
use mixdown_dsp::quality::{Analyzer, FileFacts, Profile, Quality, Source, Verdict};
use schemars::JsonSchema;
use serde::Serialize;

use crate::errors::{CommandError, Document};
use crate::interrupt::Interrupt;

const BLOCK_FRAMES: usize = 16_384;

/// One file of what `mixdown analyze --json` prints.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Entry<'a> {
    /// It was measured.
    Measured(Measured<'a>),
    /// It cannot be measured.
    Broken(Broken),
}

/// A file and what it measures.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Measured<'a> {
    /// The file, as given.
    pub file: String,
    /// Everything about it.
    #[serde(flatten)]
    pub analysis: &'a Analysis,
}

/// A file and why it cannot be measured.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Broken {
    /// The file, as given.
    pub file: String,
    /// Why it cannot be measured.
    pub error: Document,
}

/// Everything about a file.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Analysis {
    /// BLAKE3-256 of its bytes.
    pub digest: Digest,
    /// Its size.
    pub size_bytes: u64,
    /// Its codec: `wav`, `flac`, `mp3`.
    pub format: &'static str,
    /// Bits of a sample, 32 for floating point; `None` of lossy files.
    pub bits: Option<u32>,
    /// What the meters read.
    #[serde(flatten)]
    pub measurement: Measurement,
    /// What an engineer would look at before signing the file.
    pub quality: Quality,
    /// How the file does by each delivery profile that was named, or by all.
    pub verdicts: Vec<Verdict>,
}

impl Analysis {
    /// Measures a file and judges it by the profiles.
    ///
    /// # Errors
    /// It cannot be read or decoded; stopped from the keyboard.
    pub fn of(file: &Path, profiles: &[&Profile], interrupt: &Interrupt) -> Result<Self, CommandError> {
        let media_error = |error: MediaError| CommandError::from(&error);
        let mut decoder = Decoder::open(file).map_err(media_error)?;
        let channels = decoder.probe().channels as usize;
        let source = Source {
            sample_rate_hz: decoder.probe().sample_rate_hz,
            channels,
            speakers: decoder.speakers(),
            nominal_bits: decoder.bits(),
        };
        let mut analyzer = Analyzer::new(source, TruePeakReader::new);
        let mut block = Buffer::new(channels, BLOCK_FRAMES);
        loop {
            block.set_frames(BLOCK_FRAMES);
            if interrupt.is_raised() {
                return Err(CommandError::interrupted(format!("stopped before {} was measured", file.display())));
            }
            if decoder.read(&mut block).map_err(media_error)? == 0 {
                break;
            }
            analyzer.push(&block);
        }
        let analysis = analyzer.finish();
        let (measurement, quality) = (analysis.measurement, analysis.quality);
        let facts = FileFacts { lossy: decoder.probe().lossy, bits: decoder.bits() };
        let verdict = |profile: &&Profile| Verdict::new(profile, &facts, &measurement, &quality);
        let verdicts = profiles.iter().map(verdict).collect();
        let failed = |error: std::io::Error| CommandError::io("read", file, &error);
        let bytes = std::fs::File::open(file).map_err(failed)?;
        let size_bytes = bytes.metadata().map_err(failed)?.len();
        let digest = Digest::of_reader(bytes).map_err(failed)?;
        let (format, bits) = (decoder.format(), decoder.bits());
        Ok(Self { digest, size_bytes, format, bits, measurement, quality, verdicts })
    }

    /// `FLAC 24-bit 44100 Hz`
    #[must_use]
    pub fn format_words(&self) -> String {
        let bits = match self.bits {
            Some(32) => " 32-bit".to_owned(),
            Some(bits) => format!(" {bits}-bit"),
            None => String::new(),
        };
        format!("{}{bits} {} Hz", self.format.to_uppercase(), self.measurement.sample_rate_hz)
    }
}

/// The JSON Schema (draft 2020-12) of what `mixdown analyze --json` prints.
#[must_use]
pub fn schema() -> String {
    let mut schema = schemars::schema_for!(Vec<Entry<'static>>);
    schema.insert("title".to_owned(), "Mixdown analysis of files".into());
    format!("{:#}\n", schema.as_value())
}
