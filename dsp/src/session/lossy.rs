//! What lossy formats can be asked for.

use std::fmt;

use serde::Serialize;

use super::deliverable::{BitrateMode, Deliverable, Format};

/// Bit rates of MP3 in kb/s (ISO/IEC 11172-3 §2.4.2.3, layer III) that leave room for LAME's tag in one frame, without which
/// the length of the programme is lost.
pub const MP3_KBPS: [u32; 10] = [64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
/// Bit rates of Opus in kb/s, RFC 6716 §2.1.1.
pub const OPUS_KBPS: std::ops::RangeInclusive<u32> = 6..=510;
/// Qualities of LAME: V0, the best, to V9.
pub const MP3_QUALITY: std::ops::RangeInclusive<f64> = 0.0..=9.0;
/// Qualities of Vorbis, 10 the best.
pub const VORBIS_QUALITY: std::ops::RangeInclusive<f64> = -1.0..=10.0;

/// How many bits an encoder may take.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BitRate {
    /// The same at every instant.
    Constant {
        /// Bit rate in kb/s.
        kbps: u32,
    },
    /// More where it is needed, so many in the mean.
    Variable {
        /// Bit rate in kb/s.
        kbps: u32,
    },
    /// As many as the quality takes.
    Quality {
        /// On the codec's own scale.
        quality: f64,
    },
}

impl fmt::Display for BitRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant { kbps } => write!(f, "{kbps} kb/s CBR"),
            Self::Variable { kbps } => write!(f, "{kbps} kb/s VBR"),
            Self::Quality { quality } => write!(f, "quality {quality}"),
        }
    }
}

/// How a file is encoded with loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lossy {
    /// How many bits it may take.
    pub bit_rate: BitRate,
    /// Whether the ceiling is kept after decoding too.
    pub keep_ceiling_decoded: bool,
}

impl Format {
    /// Whether something is lost in such a file.
    #[must_use]
    pub fn is_lossy(self) -> bool {
        match self {
            Self::Wav | Self::Bwf | Self::Aiff | Self::Flac => false,
            Self::Mp3 | Self::Opus | Self::Vorbis | Self::Aac => true,
        }
    }

    /// The sample rates in Hz that a file may have; `None` where there is no other limit than a session's.
    #[must_use]
    pub fn sample_rates_hz(self) -> Option<&'static [u32]> {
        match self {
            // Those of layer III that sessions have.
            Self::Mp3 => Some(&[44_100, 48_000]),
            Self::Opus => Some(&[48_000]),
            _ => None,
        }
    }

    /// Why this build cannot write such files; `None` where it can.
    #[must_use]
    pub fn why_not_written(self) -> Option<&'static str> {
        self.why_not_written_by(cfg!(feature = "mp3"))
    }

    fn why_not_written_by(self, with_mp3: bool) -> Option<&'static str> {
        match self {
            Self::Aac => Some(
                "no AAC encoder is under a licence that lets it be shipped: FDK-AAC is not free, and FFmpeg's is bound to FFmpeg",
            ),
            Self::Mp3 if !with_mp3 => Some(
                "this program was built without the feature `mp3`, because LAME is under the LGPL: build it with `--features mp3`",
            ),
            _ => None,
        }
    }
}

/// The sample rate of a file for which none was asked: the session's or, where the format does not take it, the highest it takes
/// that divides it; else the highest of all.
#[must_use]
pub fn usual_sample_rate_hz(format: Format, session_hz: u32) -> u32 {
    let Some(rates) = format.sample_rates_hz() else { return session_hz };
    let divides = rates.iter().copied().filter(|rate| session_hz.is_multiple_of(*rate)).max();
    divides.or(rates.iter().copied().max()).unwrap_or(session_hz)
}

/// What was asked of an encoder and cannot be had: the field, what was found, what was expected.
pub(super) struct Refusal {
    pub field: &'static str,
    pub code: &'static str,
    pub message: String,
    pub expected: String,
}

impl Refusal {
    fn new(field: &'static str, code: &'static str, message: impl Into<String>, expected: impl Into<String>) -> Self {
        Self { field, code, message: message.into(), expected: expected.into() }
    }
}

/// The bit rate that a deliverable of a lossy format asks for.
pub(super) fn bit_rate(asked: &Deliverable) -> Result<BitRate, Refusal> {
    let Deliverable { format, bitrate_kbps, bitrate_mode, quality, .. } = *asked;
    if let (Some(_), Some(_)) = (bitrate_kbps, quality) {
        let message = "a file is encoded by a bit rate or by a quality, not by both";
        return Err(Refusal::new("quality", "too_many", message, "either `bitrate_kbps` or `quality`"));
    }
    match format {
        Format::Mp3 => mp3(bitrate_kbps, bitrate_mode, quality),
        Format::Opus => opus(bitrate_kbps, bitrate_mode, quality),
        _ => vorbis(bitrate_kbps, bitrate_mode, quality),
    }
}

fn checked_quality(quality: f64, range: &std::ops::RangeInclusive<f64>) -> Result<BitRate, Refusal> {
    if range.contains(&quality) {
        return Ok(BitRate::Quality { quality });
    }
    let (low, high) = (range.start(), range.end());
    let expected = format!("{low} to {high}");
    Err(Refusal::new("quality", "out_of_range", format!("quality is {quality}"), expected))
}

fn mp3(kbps: Option<u32>, mode: Option<BitrateMode>, quality: Option<f64>) -> Result<BitRate, Refusal> {
    if let Some(quality) = quality {
        if mode == Some(BitrateMode::Cbr) {
            let message = "a quality makes the bit rate vary";
            return Err(Refusal::new("bitrate_mode", "unsupported", message, "\"vbr\", or `bitrate_kbps`"));
        }
        if quality.fract() != 0.0 {
            let message = format!("quality is {quality}");
            return Err(Refusal::new("quality", "out_of_range", message, "a whole number from 0, the best, to 9"));
        }
        return checked_quality(quality, &MP3_QUALITY);
    }
    match (kbps.unwrap_or(320), mode) {
        (_, Some(BitrateMode::Vbr)) if kbps.is_some() => {
            let message = "MP3 varies its bit rate by quality, not towards a bit rate";
            Err(Refusal::new("bitrate_mode", "unsupported", message, "\"cbr\", or `quality` instead of `bitrate_kbps`"))
        }
        (_, Some(BitrateMode::Vbr)) => Ok(BitRate::Quality { quality: 0.0 }),
        (kbps, _) if MP3_KBPS.contains(&kbps) => Ok(BitRate::Constant { kbps }),
        (kbps, _) => {
            let rates = MP3_KBPS.map(|rate| rate.to_string()).join(", ");
            let message = format!("bitrate_kbps is {kbps}");
            Err(Refusal::new("bitrate_kbps", "out_of_range", message, format!("one of {rates} in MP3")))
        }
    }
}

fn opus(kbps: Option<u32>, mode: Option<BitrateMode>, quality: Option<f64>) -> Result<BitRate, Refusal> {
    if quality.is_some() {
        let message = "Opus has no scale of qualities";
        return Err(Refusal::new("quality", "unsupported", message, "`bitrate_kbps`"));
    }
    let kbps = kbps.unwrap_or(128);
    if !OPUS_KBPS.contains(&kbps) {
        let expected = format!("{} to {} in Opus", OPUS_KBPS.start(), OPUS_KBPS.end());
        return Err(Refusal::new("bitrate_kbps", "out_of_range", format!("bitrate_kbps is {kbps}"), expected));
    }
    Ok(match mode {
        Some(BitrateMode::Cbr) => BitRate::Constant { kbps },
        _ => BitRate::Variable { kbps },
    })
}

fn vorbis(kbps: Option<u32>, mode: Option<BitrateMode>, quality: Option<f64>) -> Result<BitRate, Refusal> {
    if kbps.is_some() || mode == Some(BitrateMode::Cbr) {
        let field = if kbps.is_some() { "bitrate_kbps" } else { "bitrate_mode" };
        let message = "Vorbis varies its bit rate by quality: held to one it sounds worse at the same size";
        return Err(Refusal::new(field, "unsupported", message, "`quality`, -1 to 10"));
    }
    checked_quality(quality.unwrap_or(6.0), &VORBIS_QUALITY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_that_are_not_written_say_why_and_which_feature_is_missing() {
        assert!(Format::Mp3.why_not_written_by(false).unwrap().contains("`--features mp3`"));
        assert_eq!(Format::Mp3.why_not_written_by(true), None);
        assert_eq!(Format::Mp3.why_not_written(), Format::Mp3.why_not_written_by(cfg!(feature = "mp3")));
        for with_mp3 in [false, true] {
            assert!(Format::Aac.why_not_written_by(with_mp3).unwrap().contains("licence"));
            for format in [Format::Wav, Format::Bwf, Format::Aiff, Format::Flac, Format::Opus, Format::Vorbis] {
                assert_eq!(format.why_not_written_by(with_mp3), None);
            }
        }
    }

    #[test]
    fn rates_that_a_format_lacks_become_those_of_their_family() {
        let rates = [44_100, 48_000, 88_200, 96_000, 176_400, 192_000];
        let usual = |format| rates.map(|rate| usual_sample_rate_hz(format, rate));
        assert_eq!(usual(Format::Mp3), [44_100, 48_000, 44_100, 48_000, 44_100, 48_000]);
        assert_eq!(usual(Format::Opus), [48_000; 6]);
        assert_eq!(usual(Format::Vorbis), rates);
    }
}
