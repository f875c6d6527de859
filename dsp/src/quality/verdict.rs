//! How a file does by a delivery profile.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Quality;
use super::defects::{DefectKind, signed};
use super::profile::{FormatRule, LoudnessRule, Profile, Raise};
use crate::loudness::Measurement;

/// A gain smaller than this is none, in dB.
const LEAST_GAIN_DB: f64 = 0.05;
/// The middle of an octave times this is its upper edge.
const HALF_OCTAVE: f64 = core::f64::consts::SQRT_2;

/// How good or bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Nothing stands against it.
    Pass,
    /// Look at it.
    Warn,
    /// It will be refused, or should be.
    Fail,
}

/// What a file is, as its format says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFacts {
    /// Whether decoding is lossy.
    pub lossy: bool,
    /// Bits of a sample, 32 for floating point; `None` for lossy formats.
    pub bits: Option<u32>,
}

/// The verdict by one profile.
///
/// Format, true peak and defects warn or fail. Loudness does neither: platforms play a file lower or higher, and what they
/// do is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// Name of the profile.
    pub profile: String,
    /// Its name for people.
    pub title: String,
    /// The worst of the findings; `pass` without any.
    pub verdict: Level,
    /// By how many dB the platform plays it louder (or, negative, lower); `None` for a silent file.
    pub playback_gain_db: Option<f64>,
    /// The same in words: `played 5.2 dB lower`, `raised 1.3 dB`, `played as it is`.
    pub playback: String,
    /// What stands against it.
    pub findings: Vec<Finding>,
}

/// What stands against a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// What was looked at.
    pub check: Check,
    /// How bad it is.
    pub verdict: Level,
    /// What was found and what is asked for, in words.
    pub text: String,
}

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Container, codec, bits, rate, channels, length.
    Format,
    /// The true peak.
    TruePeak,
    /// Defects: those of the file, and what only this medium suffers from, a low end out of phase say.
    Defect,
}

impl Verdict {
    /// How a file does by a profile.
    #[must_use]
    pub fn new(profile: &Profile, facts: &FileFacts, measurement: &Measurement, quality: &Quality) -> Self {
        let mut findings = format(&profile.format, facts, measurement);
        findings.extend(true_peak(profile, measurement));
        findings.extend(low_end(profile, quality));
        findings.extend(quality.defects.iter().map(|defect| Finding {
            check: Check::Defect,
            verdict: match defect.kind {
                DefectKind::NotNumbers | DefectKind::Silent => Level::Fail,
                _ => Level::Warn,
            },
            text: defect.text.clone(),
        }));
        let (playback_gain_db, playback) = playback(profile.loudness.as_ref(), measurement);
        Self {
            profile: profile.name.clone(),
            title: profile.title.clone(),
            verdict: findings.iter().map(|finding| finding.verdict).max().unwrap_or(Level::Pass),
            playback_gain_db: playback_gain_db.map(|gain| super::rounded(gain, 2)),
            playback,
            findings,
        }
    }

    /// The verdicts by every profile.
    #[must_use]
    pub fn all(facts: &FileFacts, measurement: &Measurement, quality: &Quality) -> Vec<Self> {
        Profile::all().iter().map(|profile| Self::new(profile, facts, measurement, quality)).collect()
    }
}

/// `16 or 24`
fn either<T: ToString>(values: &[T]) -> String {
    values.iter().map(T::to_string).collect::<Vec<_>>().join(" or ")
}

fn format(rule: &FormatRule, facts: &FileFacts, measurement: &Measurement) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut tell = |text: String| findings.push(Finding { check: Check::Format, verdict: rule.otherwise, text });
    if rule.lossless && facts.lossy {
        tell("a lossy format; lossless is asked for".to_owned());
    }
    if let Some(bits) = facts.bits.filter(|bits| !rule.bits.is_empty() && !rule.bits.contains(bits)) {
        let found = if bits == 32 { "32-bit floating point".to_owned() } else { format!("{bits} bits") };
        tell(format!("{found}; {} bits are asked for", either(&rule.bits)));
    }
    let rate = measurement.sample_rate_hz;
    if !rule.rates_hz.is_empty() && !rule.rates_hz.contains(&rate) {
        tell(format!("{rate} Hz; {} Hz is asked for", either(&rule.rates_hz)));
    }
    if let Some(least) = rule.min_rate_hz.filter(|least| rate < *least) {
        tell(format!("{rate} Hz; at least {least} Hz is asked for"));
    }
    if !rule.channels.is_empty() && !rule.channels.contains(&measurement.channels) {
        let noun = if measurement.channels == 1 { "channel" } else { "channels" };
        tell(format!("{} {noun}; {} are asked for", measurement.channels, either(&rule.channels)));
    }
    let seconds = measurement.duration_seconds;
    if let Some(least) = rule.min_seconds.filter(|least| seconds < *least) {
        tell(format!("{seconds:.2} s long; at least {least} s is asked for"));
    }
    if let Some(most) = rule.max_seconds.filter(|most| seconds > *most) {
        tell(format!("{:.1} min long; at most {:.1} min is asked for", seconds / 60.0, most / 60.0));
    }
    findings
}

fn true_peak(profile: &Profile, measurement: &Measurement) -> Option<Finding> {
    let found = measurement.true_peak_dbtp?;
    let rule = &profile.true_peak;
    let louder = profile.loudness.as_ref().zip(measurement.integrated_lufs);
    let is_louder = louder.is_some_and(|(loudness, lufs)| lufs > loudness.target_lufs);
    let stricter = rule.louder_than_target_max_dbtp.filter(|_| is_louder);
    let most = stricter.unwrap_or(rule.max_dbtp);
    // What is printed with two decimals must not lie above.
    if found <= most + 0.004_999 {
        return None;
    }
    let why = if stricter.is_some() { " for a file louder than its target" } else { "" };
    let text = format!("true peak {} dBTP; at most {} is asked for{why}", signed(found), signed(most));
    // Over the general limit it is as bad as the profile says; between the two it is advice.
    let verdict = if found > rule.max_dbtp + 0.004_999 { rule.over } else { Level::Warn };
    Some(Finding { check: Check::TruePeak, verdict, text })
}

fn low_end(profile: &Profile, quality: &Quality) -> Option<Finding> {
    let (rule, stereo) = profile.low_end.as_ref().zip(quality.stereo.as_ref())?;
    let low = stereo.bands.iter().filter(|band| band.middle_hz < rule.below_hz && band.level_dbfs > Some(-70.0));
    let least = low.filter_map(|band| Some((band.correlation?, band.middle_hz))).min_by(|a, b| a.0.total_cmp(&b.0));
    let (correlation, hz) = least.filter(|(correlation, _)| *correlation < rule.min_correlation)?;
    let (from, to) = (hz / HALF_OCTAVE, hz * HALF_OCTAVE);
    let text = format!(
        "correlation {} from {from:.0} to {to:.0} Hz; at least {} below {} Hz is asked for",
        signed(correlation),
        rule.min_correlation,
        rule.below_hz
    );
    // A defect for who cuts a groove: a low end out of phase lifts the stylus.
    Some(Finding { check: Check::Defect, verdict: Level::Warn, text })
}

/// By how much the platform plays a file louder or lower, and that in words.
fn playback(rule: Option<&LoudnessRule>, measurement: &Measurement) -> (Option<f64>, String) {
    let Some(lufs) = measurement.integrated_lufs else { return (None, "nothing to play".to_owned()) };
    let Some(rule) = rule else { return (Some(0.0), "played as it is".to_owned()) };
    let wanted = rule.target_lufs - lufs;
    let gain = match rule.raise {
        Raise::Never => wanted.min(0.0),
        Raise::Always => wanted,
        Raise::ToHeadroom => {
            let room = -rule.headroom_db - measurement.true_peak_dbtp.unwrap_or(0.0);
            wanted.min(room.max(0.0))
        }
    };
    let words = match gain {
        lower if lower <= -LEAST_GAIN_DB => format!("played {:.1} dB lower", -lower),
        raised if raised >= LEAST_GAIN_DB && raised < wanted - LEAST_GAIN_DB => {
            format!("raised {raised:.1} dB of {wanted:.1}: its peaks allow no more")
        }
        raised if raised >= LEAST_GAIN_DB => format!("raised {raised:.1} dB"),
        _ if wanted < LEAST_GAIN_DB => "played as it is".to_owned(),
        _ if rule.raise == Raise::Never => format!("played as it is: {wanted:.1} LU below the target, never raised"),
        _ => format!("played as it is: {wanted:.1} LU below the target, its peaks allow no more"),
    };
    (Some(gain), words)
}
