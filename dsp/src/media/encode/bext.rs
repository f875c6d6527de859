//! The `bext` chunk of broadcast wave, version 2 (EBU Tech 3285, 2011).

use super::FileSpec;
use crate::loudness::Measurement;
use crate::session::document::{Broadcast, Depth};

/// What only a broadcast wave file says.
#[derive(Debug, Clone, PartialEq)]
pub struct BroadcastSpec {
    /// What the session says.
    pub said: Broadcast,
    /// Time since midnight of the first frame, in frames of the file.
    pub time_reference_frames: u64,
    /// How the audio came to be, a line a step (EBU R 98).
    pub coding_history: String,
}

/// A loudness that is not known.
const UNSET: i16 = 0x7FFF;
const DESCRIPTION_BYTES: usize = 256;
const SHORT_TEXT_BYTES: usize = 32;
const UMID_BYTES: usize = 64;
const RESERVED_BYTES: usize = 180;

/// The five loudness fields in their order, in hundredths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Loudness {
    pub(super) value: i16,
    pub(super) range: i16,
    pub(super) max_true_peak: i16,
    pub(super) max_momentary: i16,
    pub(super) max_short_term: i16,
}

impl Loudness {
    /// What was measured, to the nearest hundredth; the true peak upwards, since it is held against a limit.
    pub(super) fn of(measured: Option<&Measurement>) -> Self {
        // Clause 2.3: what lies outside ±99.99 is not known.
        let hundredths = |level: Option<f64>, round: fn(f64) -> f64| {
            let hundredths = level.map(|level| round(level * 100.0)).filter(|hundredths| hundredths.abs() <= 9999.0);
            hundredths.map_or(UNSET, |hundredths| hundredths as i16)
        };
        let level = |level: fn(&Measurement) -> Option<f64>| measured.and_then(level);
        Self {
            value: hundredths(level(|measured| measured.integrated_lufs), f64::round),
            range: hundredths(level(|measured| measured.loudness_range_lu), f64::round),
            max_true_peak: hundredths(level(|measured| measured.true_peak_dbtp), f64::ceil),
            max_momentary: hundredths(level(|measured| measured.momentary_max_lufs), f64::round),
            max_short_term: hundredths(level(|measured| measured.short_term_max_lufs), f64::round),
        }
    }

    fn fields(self) -> [i16; 5] {
        [self.value, self.range, self.max_true_peak, self.max_momentary, self.max_short_term]
    }
}

/// What stands in the text fields: of the session, or what speaks for itself.
pub(super) struct Texts<'a> {
    pub(super) description: &'a str,
    pub(super) originator: &'a str,
    pub(super) originator_reference: &'a str,
    pub(super) origination_date: &'a str,
    pub(super) origination_time: &'a str,
}

impl<'a> Texts<'a> {
    pub(super) fn of(spec: &'a FileSpec, broadcast: &'a BroadcastSpec) -> Self {
        let said = &broadcast.said;
        let text = |said: &'a Option<String>, otherwise: &'a Option<String>| {
            said.as_deref().or(otherwise.as_deref()).unwrap_or_default()
        };
        Self {
            description: text(&said.description, &spec.metadata.title),
            originator: said.originator.as_deref().unwrap_or(crate::media::tags::ENCODER),
            originator_reference: text(&said.originator_reference, &spec.metadata.isrc),
            origination_date: text(&said.origination_date, &None),
            origination_time: text(&said.origination_time, &None),
        }
    }
}

/// Text in a field of fixed length, filled up with zeros. The field is ASCII: what is not becomes `?`.
fn ascii(text: &str, bytes: usize) -> Vec<u8> {
    let mut field: Vec<u8> =
        text.chars().map(|letter| if letter.is_ascii() { letter as u8 } else { b'?' }).take(bytes).collect();
    field.resize(bytes, 0);
    field
}

/// The chunk's body; as long whatever was measured.
pub(super) fn body(spec: &FileSpec, broadcast: &BroadcastSpec, measured: Option<&Measurement>) -> Vec<u8> {
    const VERSION: u16 = 2;
    let texts = Texts::of(spec, broadcast);
    let mut body = ascii(texts.description, DESCRIPTION_BYTES);
    body.extend(ascii(texts.originator, SHORT_TEXT_BYTES));
    body.extend(ascii(texts.originator_reference, SHORT_TEXT_BYTES));
    body.extend(ascii(texts.origination_date, "yyyy-mm-dd".len()));
    body.extend(ascii(texts.origination_time, "hh:mm:ss".len()));
    // Its low word comes first, which is how a little-endian number of 64 bits lies.
    body.extend_from_slice(&broadcast.time_reference_frames.to_le_bytes());
    body.extend_from_slice(&VERSION.to_le_bytes());
    body.extend_from_slice(&[0; UMID_BYTES]);
    body.extend(Loudness::of(measured).fields().iter().flat_map(|field| field.to_le_bytes()));
    body.extend_from_slice(&[0; RESERVED_BYTES]);
    body.extend_from_slice(broadcast.coding_history.as_bytes());
    body
}

/// The coding history of a file that was rendered at one rate and is delivered at another depth and rate (EBU R 98-1999).
#[must_use]
pub fn coding_history(render_rate_hz: u32, rate_hz: u32, depth: Depth, channels: usize, dither: &str) -> String {
    let mode = if channels == 1 { "mono" } else { "stereo" };
    let word = 8 * depth.sample_bytes();
    let rendered = format!("A=PCM,F={render_rate_hz},W=32,M={mode},T=Mixdown;float render\r\n");
    let delivered = match depth {
        Depth::Float32 => format!("A=PCM,F={rate_hz},W={word},M={mode},T=Mixdown;float\r\n"),
        _ => format!("A=PCM,F={rate_hz},W={word},M={mode},T=Mixdown;dither {dither}\r\n"),
    };
    if depth == Depth::Float32 && render_rate_hz == rate_hz { rendered } else { rendered + &delivered }
}
