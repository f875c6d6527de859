//! The files that a session asks for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::document::Fade;
use crate::kernels::noise_shape::{LIPSHITZ_5, NoiseShape, THRESHOLD_9, WANNAMAKER_9};

/// A file asked for: a mix, the print of a stem or that of a group; or one such file for each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Deliverable {
    /// File name without its extension, which the format gives: 1 to 200 characters, no path separators; `{title}` and the
    /// like stand for what they name. By default the title of the production and what the file holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The mix it holds, or beside `group` the mix whose group it is: there by default `main`, else the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mix: Option<String>,
    /// The track whose stem it holds: dry, after the inserts, without gain or limiter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub print: Option<String>,
    /// The group whose part of a mix it holds, before the master chain, without gain or limiter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Asks for a file for each mix, each group of a mix or each track's stem, in place of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<Each>,
    /// Container and codec.
    pub format: Format,
    /// Bits per sample: `16`, `24` or, but for FLAC, `32f`. Of lossless formats alone, and required there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depth: Option<Depth>,
    /// Sample rate in Hz: one of those a session may have and the format takes (MP3: 44100, 48000; Opus: 48000); by default
    /// the session's or, where the format does not take it, the one it is converted to most simply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 44_100, max = 192_000))]
    pub sample_rate_hz: Option<u32>,
    /// Dither, applied once when the depth falls: to a file whose samples all fit the integers as they are, none.
    #[serde(default)]
    pub dither: Dither,
    /// Cuts off silence at head and tail; by default nothing is cut off, and all files of a session line up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trim: Option<Trim>,
    /// Fade at the start of the file, after the trim; its length counts at the session's rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fade_in: Option<Fade>,
    /// Fade at the end of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fade_out: Option<Fade>,
    /// Takes the mean of each channel out of it, where that lies above −70 dBFS.
    #[serde(default)]
    pub remove_dc: bool,
    /// Whether the tags tell players at what gain to play the file (ReplayGain 2.0); by default they do in FLAC files of mixes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay_gain: Option<bool>,
    /// Bit rate of MP3 and Opus in kb/s. MP3: 64, 80, 96, 112, 128, 160, 192, 224, 256 or 320, by default 320; Opus: 6 to 510,
    /// by default 128.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 6, max = 510))]
    pub bitrate_kbps: Option<u32>,
    /// Whether the bit rate of MP3 and Opus is the same at every instant; by default it is in MP3 and not in Opus.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bitrate_mode: Option<BitrateMode>,
    /// Quality in place of a bit rate, on the codec's own scale. MP3: a whole number from 0, the best, to 9, as LAME's `-V`;
    /// Vorbis: −1 to 10, the best, by default 6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -1.0, max = 10.0))]
    pub quality: Option<f64>,
    /// Lowers the ceiling of a lossy file until its true peak keeps the one of `loudness` after decoding too. Of lossy files of
    /// mixes that a limiter is asked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_ceiling_decoded: bool,
}

/// What there is a file for each of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Each {
    /// Each mix of the session.
    Mix,
    /// Each group that is heard in a mix: that of `mix`, by default `main`, else the first.
    Group,
    /// The stem of each track that has clips.
    Track,
}

/// What counts as silence at head and tail, and how much of it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Trim {
    /// No sample of the silence is above this, in dBFS, −120 to −20.
    #[schemars(range(min = -120.0, max = -20.0))]
    pub threshold_dbfs: f64,
    /// What is kept before the sound, in ms, 0 to 10000.
    #[schemars(range(min = 0.0, max = 10_000.0))]
    pub keep_head_ms: f64,
    /// What is kept after the sound, in ms, 0 to 60000.
    #[schemars(range(min = 0.0, max = 60_000.0))]
    pub keep_tail_ms: f64,
}

impl Default for Trim {
    fn default() -> Self {
        Self { threshold_dbfs: -72.0, keep_head_ms: 20.0, keep_tail_ms: 500.0 }
    }
}

/// Container and codec of a deliverable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// WAVE; RF64 by itself where it grows beyond 4 GiB.
    Wav,
    /// Broadcast wave (EBU Tech 3285): WAVE with loudness, time and origin.
    Bwf,
    /// AIFF; AIFF-C for 32-bit float.
    Aiff,
    /// FLAC (RFC 9639).
    Flac,
    /// MP3 (ISO/IEC 11172-3, layer III), by builds with the feature `mp3`.
    Mp3,
    /// Opus in Ogg (RFC 6716, RFC 7845).
    Opus,
    /// Vorbis in Ogg.
    Vorbis,
    /// AAC: refused, because no encoder of it may be shipped.
    Aac,
}

impl Format {
    /// The extension of its files, without the dot.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Wav | Self::Bwf => "wav",
            Self::Aiff => "aiff",
            Self::Flac => "flac",
            Self::Mp3 => "mp3",
            Self::Opus => "opus",
            Self::Vorbis => "ogg",
            Self::Aac => "m4a",
        }
    }

    /// Its name for people.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Wav => "WAV",
            Self::Bwf => "BWF",
            Self::Aiff => "AIFF",
            Self::Flac => "FLAC",
            Self::Mp3 => "MP3",
            Self::Opus => "Opus",
            Self::Vorbis => "Ogg Vorbis",
            Self::Aac => "AAC",
        }
    }

    /// Whether people listen to such files as they are, in players that know ReplayGain.
    #[must_use]
    pub fn is_played(self) -> bool {
        match self {
            Self::Wav | Self::Bwf | Self::Aiff => false,
            Self::Flac | Self::Mp3 | Self::Opus | Self::Vorbis | Self::Aac => true,
        }
    }
}

/// How the bit rate of a lossy file runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BitrateMode {
    /// The same at every instant.
    Cbr,
    /// More where it is needed.
    Vbr,
}

/// Bits per sample of a deliverable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Depth {
    /// 16-bit integer.
    #[serde(rename = "16")]
    Int16,
    /// 24-bit integer.
    #[serde(rename = "24")]
    Int24,
    /// 32-bit floating point.
    #[serde(rename = "32f")]
    Float32,
}

impl Depth {
    /// Bytes of a sample.
    #[must_use]
    pub fn sample_bytes(self) -> usize {
        match self {
            Self::Int16 => 2,
            Self::Int24 => 3,
            Self::Float32 => 4,
        }
    }
}

/// Dither of a deliverable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Dither {
    /// Triangular, 2 LSB peak to peak, flat.
    #[default]
    Tpdf,
    /// None: rounds to nearest.
    None,
    /// Triangular, its noise shaped by Lipshitz's five coefficients (1991): 22 dB quieter around 4 kHz. 16 bits at 44.1 kHz only.
    #[serde(rename = "lipshitz_5")]
    Lipshitz5,
    /// Triangular, its noise shaped by Wannamaker's nine coefficients (1992): 24 dB quieter around 3 kHz. 16 bits at 44.1 kHz only.
    #[serde(rename = "wannamaker_9")]
    Wannamaker9,
    /// Triangular, its noise shaped after the threshold of hearing: 24 dB quieter around 4 kHz. 16 bits at 48 kHz only.
    #[serde(rename = "threshold_9")]
    Threshold9,
}

impl Dither {
    /// The curve of its noise, if that is not flat.
    #[must_use]
    pub fn shape(self) -> Option<&'static NoiseShape> {
        match self {
            Self::Tpdf | Self::None => None,
            Self::Lipshitz5 => Some(&LIPSHITZ_5),
            Self::Wannamaker9 => Some(&WANNAMAKER_9),
            Self::Threshold9 => Some(&THRESHOLD_9),
        }
    }

    /// The word for it in a document.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tpdf => "tpdf",
            Self::None => "none",
            Self::Lipshitz5 => "lipshitz_5",
            Self::Wannamaker9 => "wannamaker_9",
            Self::Threshold9 => "threshold_9",
        }
    }
}
