//! What of the quality is worth a warning, in plain words.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Quality;
use crate::loudness::Measurement;

/// Direct current from here on is told, in dBFS.
const DC_DBFS: f64 = -50.0;
/// Silence at the head longer than this is told, in seconds.
const LONG_HEAD_SECONDS: f64 = 2.0;
/// Silence at the tail longer than this is told, in seconds.
const LONG_TAIL_SECONDS: f64 = 5.0;

/// What is wrong, or suspected to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DefectKind {
    /// Samples that are no finite numbers.
    NotNumbers,
    /// Nothing sounds.
    Silent,
    /// Nothing sounds in one of several channels.
    SilentChannel,
    /// Three or more samples in a row at full scale, or flat tops below it.
    Clipping,
    /// Suspected clicks.
    Click,
    /// Suspected drop-outs.
    Dropout,
    /// Direct current of −50 dBFS or more.
    Dc,
    /// One channel is upside down.
    InvertedChannel,
    /// Both channels hold the same signal.
    MonoAsStereo,
    /// Fewer bits are used than the format has.
    PaddedBits,
    /// More than 2 s of silence at the head.
    SilentHead,
    /// More than 5 s of silence at the tail.
    SilentTail,
}

/// Something worth a warning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Defect {
    /// What it is.
    pub kind: DefectKind,
    /// In plain words, with figures and places.
    pub text: String,
    /// Whether nobody could want this; else it is a suspicion that ears decide on.
    pub is_certain: bool,
}

/// The defects of a file.
pub(super) fn defects(quality: &Quality, measurement: &Measurement) -> Vec<Defect> {
    let mut found = Vec::new();
    let mut tell = |kind, is_certain, text: String| found.push(Defect { kind, text, is_certain });
    if quality.not_numbers > 0 {
        tell(
            DefectKind::NotNumbers,
            true,
            format!("{} that are no finite numbers", counted(quality.not_numbers, "sample")),
        );
    }
    let silence = &quality.silence;
    if silence.silent_channels.len() == quality.channels.len() {
        tell(DefectKind::Silent, true, "nothing in the file lies above −60 dBFS".to_owned());
        return found;
    }
    for channel in &silence.silent_channels {
        let name = channel_name(*channel, quality.channels.len());
        tell(DefectKind::SilentChannel, true, format!("nothing in {name} lies above −60 dBFS"));
    }
    let clipping = &quality.clipping;
    if clipping.runs > 0 {
        let first = clipping.places.first().map_or(0.0, |place| place.at_seconds);
        let text = format!(
            "{} of three or more samples at full scale, the longest of {} samples, the first at {}",
            counted(clipping.runs, "run"),
            clipping.longest_samples,
            clock(first)
        );
        tell(DefectKind::Clipping, true, text);
    }
    if let Some(level) = clipping.flat_top_dbfs {
        let text =
            format!("{} at {} dBFS: clipped, then turned down", counted(clipping.flat_tops, "flat top"), signed(level));
        tell(DefectKind::Clipping, true, text);
    }
    if let Some(first) = quality.clicks.places.first() {
        let count = counted(quality.clicks.count, "suspected click");
        tell(DefectKind::Click, false, format!("{count}, the first at {}", clock(first.at_seconds)));
    }
    if let Some(first) = quality.dropouts.places.first() {
        let count = counted(quality.dropouts.count, "suspected drop-out");
        let text = format!("{count}, the first at {}, {:.1} ms long", clock(first.at_seconds), first.length_ms);
        tell(DefectKind::Dropout, false, text);
    }
    for (index, channel) in quality.channels.iter().enumerate() {
        if let Some(level) = channel.dc_dbfs.filter(|level| *level >= DC_DBFS) {
            let name = channel_name(index as u32, quality.channels.len());
            let text =
                format!("direct current in {name}: {:.2} % of full scale ({} dBFS)", 100.0 * channel.dc, signed(level));
            tell(DefectKind::Dc, true, text);
        }
    }
    if let Some(stereo) = &quality.stereo {
        if stereo.inverted_channel {
            let all = stereo.mean_correlation.unwrap_or(0.0);
            tell(
                DefectKind::InvertedChannel,
                false,
                format!("one channel seems to be inverted: correlation {}", signed(all)),
            );
        }
        if stereo.mono_as_stereo {
            let text = stereo.side_to_middle_db.map_or_else(
                || "both channels are the same".to_owned(),
                |db| format!("both channels hold the same signal: the side lies {:.0} dB below the middle", -db),
            );
            tell(DefectKind::MonoAsStereo, false, text);
        }
    }
    if let (Some(nominal), Some(used)) = (quality.bits.nominal, quality.bits.used)
        && used + 4 <= nominal.min(24)
    {
        tell(
            DefectKind::PaddedBits,
            false,
            format!("only {used} bits of the {nominal} are used: padded from a lower depth"),
        );
    }
    let edges = [
        (DefectKind::SilentHead, silence.head_seconds, LONG_HEAD_SECONDS, "head"),
        (DefectKind::SilentTail, silence.tail_seconds, LONG_TAIL_SECONDS, "tail"),
    ];
    for (kind, seconds, most, place) in edges {
        if seconds > most {
            tell(
                kind,
                false,
                format!("{seconds:.2} s of silence at the {place} of {:.2} s", measurement.duration_seconds),
            );
        }
    }
    found
}

/// `1 run`, `3 runs`.
fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// The name of a channel: `the left channel`, `channel 3`.
fn channel_name(channel: u32, channels: usize) -> String {
    match (channel, channels) {
        (_, 1) => "the file".to_owned(),
        (0, 2) => "the left channel".to_owned(),
        (1, 2) => "the right channel".to_owned(),
        _ => format!("channel {}", channel + 1),
    }
}

/// `1:02.345`
fn clock(seconds: f64) -> String {
    let milliseconds = (seconds * 1000.0).round() as u64;
    format!("{}:{:02}.{:03}", milliseconds / 60_000, milliseconds / 1000 % 60, milliseconds % 1000)
}

/// `−1.23`
pub(super) fn signed(value: f64) -> String {
    format!("{value:.2}").replace('-', "−")
}
