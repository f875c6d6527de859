//! A file measured on this machine: what `analyze` tells of it, and what pages compare others with.

use std::path::Path;

use mixdown_dsp::buffer::Buffer;
use mixdown_dsp::digest::Digest;
use mixdown_dsp::kernels::true_peak::TruePeakReader;
use mixdown_dsp::loudness::{Measurement, Meter, PeakMeter};
use mixdown_dsp::media::{Decoder, MediaError};
use mixdown_dsp::quality::{Analyzer, FileFacts, Profile, Quality, Source, Split, Verdict};
use mixdown_dsp::relay::{listening, relay};
use schemars::JsonSchema;
use serde::Serialize;

use crate::errors::{CommandError, Document};
use crate::interrupt::Interrupt;

/// All blocks that are on their way fit the cache.
const BLOCK_FRAMES: usize = 4096;
/// Threads that decode and measure: more would find little to do.
const THREADS: usize = 2;

/// One file of what `mixdown analyze --json` prints.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Entry<'a> {
    /// Everything was measured.
    Measured(Measured<'a>),
    /// Its levels were: `--measure levels`.
    Levels(MeasuredLevels<'a>),
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

/// A file and its levels.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(extend("not" = { "required": ["quality"] }))]
pub struct MeasuredLevels<'a> {
    /// The file, as given.
    pub file: String,
    /// Its levels.
    #[serde(flatten)]
    pub levels: &'a Levels,
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

/// What a file is and what the meters read: of an [`Analysis`], all that needs no look at its quality.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Levels {
    /// Its size.
    pub size_bytes: u64,
    /// Its codec: `wav`, `flac`, `mp3`.
    pub format: &'static str,
    /// Bits of a sample, 32 for floating point; `None` of lossy files.
    pub bits: Option<u32>,
    /// What the meters read.
    #[serde(flatten)]
    pub measurement: Measurement,
}

impl Levels {
    /// Measures the levels of a file.
    ///
    /// # Errors
    /// It cannot be read or decoded; stopped from the keyboard.
    pub fn of(file: &Path, interrupt: &Interrupt) -> Result<Self, CommandError> {
        let mut decoder = Decoder::open(file).map_err(|error| CommandError::from(&error))?;
        let size_bytes = size_of(file)?;
        let (channels, sample_rate_hz) = (decoder.probe().channels as usize, decoder.probe().sample_rate_hz);
        let mut meter = Meter::loudness_only(sample_rate_hz, channels).with_speakers(decoder.speakers());
        let mut peaks = PeakMeter::new(channels);
        let decode = |block: &mut Buffer| {
            block.set_frames(BLOCK_FRAMES);
            read_on(&mut decoder, block, file, interrupt)
        };
        let legs = vec![
            listening(|block: &Buffer| peaks.push(block), |block| block),
            listening(|block: &Buffer| meter.push(block), |block| block),
        ];
        relay(THREADS, || THREADS, || Buffer::new(channels, 0), decode, legs)?;
        let mut measurement = meter.finish();
        measurement.true_peak_dbtp = peaks.finish();
        Ok(Self { size_bytes, format: decoder.format(), bits: decoder.bits(), measurement })
    }
}

/// Decodes the next block; false at the end.
fn read_on(
    decoder: &mut Decoder,
    block: &mut Buffer,
    file: &Path,
    interrupt: &Interrupt,
) -> Result<bool, CommandError> {
    if interrupt.is_raised() {
        return Err(CommandError::interrupted(format!("stopped before {} was measured", file.display())));
    }
    let frames = decoder.read(block).map_err(|error: MediaError| CommandError::from(&error))?;
    Ok(frames > 0)
}

fn size_of(file: &Path) -> Result<u64, CommandError> {
    let metadata = std::fs::metadata(file).map_err(|error| CommandError::io("read", file, &error))?;
    Ok(metadata.len())
}

impl Analysis {
    /// Measures a file and judges it by the profiles.
    ///
    /// # Errors
    /// It cannot be read or decoded; stopped from the keyboard.
    pub fn of(file: &Path, profiles: &[&Profile], interrupt: &Interrupt) -> Result<Self, CommandError> {
        let mut decoder = Decoder::open(file).map_err(|error| CommandError::from(&error))?;
        let channels = decoder.probe().channels as usize;
        let source = Source {
            sample_rate_hz: decoder.probe().sample_rate_hz,
            channels,
            speakers: decoder.speakers(),
            nominal_bits: decoder.bits(),
        };
        let mut analyzer = Analyzer::new(source, TruePeakReader::new);
        let Split { mut intake, parts, .. } = analyzer.split();
        let decode = |block: &mut Buffer| {
            block.set_frames(BLOCK_FRAMES);
            let more = read_on(&mut decoder, block, file, interrupt)?;
            intake.mend(block);
            Ok::<_, CommandError>(more)
        };
        let legs = parts.into_iter().map(|part| listening(part, |block| block)).collect();
        let digest = std::thread::scope(|scope| {
            // The bytes are read beside the samples: on a file in the cache of the system, that costs no second pass in time.
            let digest = scope.spawn(|| std::fs::File::open(file).and_then(Digest::of_reader));
            relay(THREADS, || THREADS, || Buffer::new(channels, 0), decode, legs)?;
            let digest = digest.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            digest.map_err(|error| CommandError::io("read", file, &error))
        })?;
        let analysis = analyzer.finish();
        let (measurement, quality) = (analysis.measurement, analysis.quality);
        let facts = FileFacts { lossy: decoder.probe().lossy, bits: decoder.bits() };
        let verdict = |profile: &&Profile| Verdict::new(profile, &facts, &measurement, &quality);
        let verdicts = profiles.iter().map(verdict).collect();
        let size_bytes = size_of(file)?;
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
