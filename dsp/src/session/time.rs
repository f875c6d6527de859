//! Times in the session document.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// No point of a session lies beyond 24 hours.
pub const MAX_SESSION_SECONDS: u64 = 24 * 60 * 60;

/// A point in time or a length: whole frames at the session's rate (`48000`), or text: `"12.5s"`, `"250ms"`, `"2.5 beats"`.
///
/// Text is kept as exact decimals, so that `"0.1s"` is the same frame on every machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Time {
    /// Whole frames.
    Frames(u64),
    /// Text: `"12.5s"`, `"250ms"` or `"2.5 beats"`, at most 9 digits before the point and 9 after it.
    Text(#[schemars(extend("pattern" = r"^[0-9]{1,9}(\.[0-9]{1,9})? ?(s|ms|beats?)$"))] String),
}

/// What times are counted against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimeBase {
    /// The session's rate in Hz, above 0.
    pub sample_rate_hz: u32,
    /// Beats per minute, if the session has a tempo. Counts to nine decimals, half up.
    pub tempo_bpm: Option<f64>,
}

/// Why a time is no number of frames.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// The text is not one of the three forms.
    #[error("{0:?} is no time")]
    Malformed(String),
    /// Beats in a session without a usable tempo.
    #[error("{0:?} counts beats, but the session has no tempo")]
    NoTempo(String),
    /// Beyond [`MAX_SESSION_SECONDS`].
    #[error("{0} is longer than 24 hours")]
    TooLong(String),
}

impl Default for Time {
    fn default() -> Self {
        Self::Frames(0)
    }
}

impl Time {
    /// Whole frames: text is converted by exact decimals, half up.
    ///
    /// ```text
    /// frames = ⌊ n/10^d · unit · rate + ½ ⌋     unit: 1 s, 1/1000 s, or 60/tempo s
    /// ```
    ///
    /// # Errors
    /// See [`TimeError`].
    pub fn frames(&self, base: TimeBase) -> Result<u64, TimeError> {
        let max = u128::from(MAX_SESSION_SECONDS) * u128::from(base.sample_rate_hz);
        let (frames, text) = match self {
            Self::Frames(frames) => (u128::from(*frames), frames.to_string()),
            Self::Text(text) => (text_frames(text, base)?, format!("{text:?}")),
        };
        if frames > max {
            return Err(TimeError::TooLong(text));
        }
        Ok(frames as u64)
    }
}

/// At most 18 digits, 60 s, a rate below 2^32 and nine decimals of tempo: the products below stay under 10^39, half of
/// what 128 bits hold.
fn text_frames(text: &str, base: TimeBase) -> Result<u128, TimeError> {
    let malformed = || TimeError::Malformed(text.to_owned());
    let unit_at = text.find(|c: char| c != '.' && !c.is_ascii_digit()).ok_or_else(malformed)?;
    let (number, unit) = text.split_at(unit_at);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str| (1..=9).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return Err(malformed());
    }
    let scaled: u128 = format!("{whole}{fraction:0<9}").parse().map_err(|_| malformed())?;
    let rate = u128::from(base.sample_rate_hz);
    let (numerator, denominator) = match unit.strip_prefix(' ').unwrap_or(unit) {
        "s" => (scaled * rate, 1_000_000_000),
        "ms" => (scaled * rate, 1_000_000_000_000),
        "beat" | "beats" => {
            let tempo = base.tempo_bpm.filter(|bpm| (0.001..1e6).contains(bpm));
            let tempo = tempo.ok_or_else(|| TimeError::NoTempo(text.to_owned()))?;
            let nano_bpm = (tempo * 1e9 + 0.5).floor() as u128;
            (scaled * rate * 60, nano_bpm)
        }
        _ => return Err(malformed()),
    };
    Ok((2 * numerator + denominator) / (2 * denominator))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(text: &str, sample_rate_hz: u32, tempo_bpm: Option<f64>) -> Result<u64, TimeError> {
        Time::Text(text.to_owned()).frames(TimeBase { sample_rate_hz, tempo_bpm })
    }

    #[test]
    fn decimals_are_exact_and_round_half_up() {
        assert_eq!(frames("0.1s", 48_000, None), Ok(4800));
        assert_eq!(frames("12.5 s", 44_100, None), Ok(551_250));
        assert_eq!(frames("250ms", 44_100, None), Ok(11_025));
        // 0.5 frames and just below.
        assert_eq!(frames("0.000015625s", 32_000, None), Ok(1));
        assert_eq!(frames("0.000015624s", 32_000, None), Ok(0));
        // In binary floating point 1.001 · 48000 falls short of 48048.
        assert_eq!(frames("1001ms", 48_000, None), Ok(48_048));
        assert_eq!(frames("86400s", 192_000, None), Ok(86_400 * 192_000));
    }

    #[test]
    fn beats_follow_the_tempo() {
        assert_eq!(frames("2.5 beats", 48_000, Some(120.0)), Ok(60_000));
        assert_eq!(frames("1 beat", 44_100, Some(60.0)), Ok(44_100));
        // 3 · 60 · 48000 / 127.3 = 67871.17…
        assert_eq!(frames("3beats", 48_000, Some(127.3)), Ok(67_871));
        assert_eq!(frames("1 beat", 48_000, None), Err(TimeError::NoTempo("1 beat".to_owned())));
        assert_eq!(frames("1 beat", 48_000, Some(f64::NAN)), Err(TimeError::NoTempo("1 beat".to_owned())));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in
            ["", "s", "12", "12.s", ".5s", "-1s", "1e3s", "1  s", "1 min", "1,5s", "1234567890s", "1.5.5s", "١s"]
        {
            assert_eq!(frames(text, 48_000, Some(120.0)), Err(TimeError::Malformed(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn no_time_lies_beyond_a_day() {
        assert!(matches!(frames("86401s", 48_000, None), Err(TimeError::TooLong(_))));
        assert!(matches!(frames("999999999 beats", 192_000, Some(999.0)), Err(TimeError::TooLong(_))));
        let base = TimeBase { sample_rate_hz: 48_000, tempo_bpm: None };
        assert!(matches!(Time::Frames(u64::MAX).frames(base), Err(TimeError::TooLong(_))));
    }
}
