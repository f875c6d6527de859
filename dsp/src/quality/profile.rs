//! Delivery profiles: what a platform or a medium asks of a file, and where that is written.

use std::sync::OnceLock;

use serde::Deserialize;

use super::verdict::Level;

/// The profiles, each with its name and its file.
const FILES: [(&str, &str); 9] = [
    ("spotify", include_str!("profiles/spotify.toml")),
    ("apple_music", include_str!("profiles/apple_music.toml")),
    ("youtube", include_str!("profiles/youtube.toml")),
    ("tidal", include_str!("profiles/tidal.toml")),
    ("amazon_music", include_str!("profiles/amazon_music.toml")),
    ("deezer", include_str!("profiles/deezer.toml")),
    ("ebu_r128", include_str!("profiles/ebu_r128.toml")),
    ("cd", include_str!("profiles/cd.toml")),
    ("vinyl", include_str!("profiles/vinyl.toml")),
];

/// What one platform or medium asks for.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name in commands and documents.
    #[serde(skip)]
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// What it does with the loudness; `None` where everything is played as it is.
    pub loudness: Option<LoudnessRule>,
    /// The highest true peak.
    pub true_peak: TruePeakRule,
    /// The formats it takes.
    pub format: FormatRule,
    /// What is asked of low frequencies.
    pub low_end: Option<LowEndRule>,
    /// What else is asked and not judged.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Where all this is written.
    pub sources: Vec<Citation>,
}

/// How loud a platform plays.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoudnessRule {
    /// Integrated loudness in LUFS that louder files are turned down to.
    pub target_lufs: f64,
    /// Whether quieter files are raised.
    pub raise: Raise,
    /// How much the true peak stays below 0 dB when a file is raised, in dB.
    #[serde(default)]
    pub headroom_db: f64,
    /// What else there is to say.
    #[serde(default)]
    pub note: String,
}

/// Whether a platform raises quiet files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Raise {
    /// It only turns down.
    Never,
    /// As far as the true peak allows.
    ToHeadroom,
    /// All the way.
    Always,
}

/// The highest true peak.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TruePeakRule {
    /// In dBTP.
    pub max_dbtp: f64,
    /// In dBTP, for files louder than the target.
    pub louder_than_target_max_dbtp: Option<f64>,
    /// What it means to lie above.
    pub over: Level,
}

/// The formats that are taken; what is left out is not asked.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormatRule {
    /// Whether lossy formats are refused.
    #[serde(default)]
    pub lossless: bool,
    /// Bits of a sample; 32 stands for floating point.
    #[serde(default)]
    pub bits: Vec<u32>,
    /// Sample rates in Hz.
    #[serde(default)]
    pub rates_hz: Vec<u32>,
    /// The lowest sample rate in Hz.
    pub min_rate_hz: Option<u32>,
    /// Numbers of channels.
    #[serde(default)]
    pub channels: Vec<u32>,
    /// The shortest file in seconds.
    pub min_seconds: Option<f64>,
    /// The longest file in seconds.
    pub max_seconds: Option<f64>,
    /// What another format means.
    #[serde(default = "warn")]
    pub otherwise: Level,
}

fn warn() -> Level {
    Level::Warn
}

/// What is asked of low frequencies.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LowEndRule {
    /// Up to this frequency, in Hz…
    pub below_hz: f64,
    /// …left and right are correlated by no less in any octave.
    pub min_correlation: f64,
}

/// Where something is written.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Citation {
    /// What is taken from there.
    pub what: String,
    /// Who says it.
    pub publisher: String,
    /// Where.
    pub title: String,
    /// Its address; empty where it has none that all may read.
    #[serde(default)]
    pub url: String,
    /// The number that its publisher gave it; empty where it has none.
    #[serde(default)]
    pub document: String,
    /// When it was published: `2016-10-07`, `2023-11`; or, of pages that do not say, `undated, read in November 2026`.
    pub date: String,
    /// When the figures were last compared with it: `2026-11`, `2026-11-25`.
    pub verified: String,
    /// How sure it is.
    pub standing: Standing,
}

/// How sure a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The platform or the standard itself.
    Official,
    /// Somebody else says so.
    Secondary,
}

impl Profile {
    /// All profiles.
    #[must_use]
    pub fn all() -> &'static [Self] {
        static PROFILES: OnceLock<Vec<Profile>> = OnceLock::new();
        PROFILES.get_or_init(|| {
            let read = |(name, text): (&str, &str)| Profile {
                name: name.to_owned(),
                ..toml::from_str(text).unwrap_or_else(|error| panic!("profiles/{name}.toml: {error}"))
            };
            FILES.into_iter().map(read).collect()
        })
    }

    /// The profile of this name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        Self::all().iter().find(|profile| profile.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `2016-10-07`, `2023-11`, `undated, read in November 2026`.
    fn is_date(date: &str) -> bool {
        const MONTHS: &str = "January February March April May June July August September October November December";
        let year = |text: &str| text.len() == 4 && text.parse::<u32>().is_ok_and(|year| (1980..=2100).contains(&year));
        if let Some((month, read)) = date.strip_prefix("undated, read in ").and_then(|read| read.split_once(' ')) {
            return MONTHS.split(' ').any(|known| known == month) && year(read);
        }
        let parts: Vec<&str> = date.split('-').collect();
        let within =
            |text: &str, most: u32| text.len() == 2 && text.parse::<u32>().is_ok_and(|it| (1..=most).contains(&it));
        match parts.as_slice() {
            [y, month] => year(y) && within(month, 12),
            [y, month, day] => year(y) && within(month, 12) && within(day, 31),
            _ => false,
        }
    }

    #[test]
    fn every_figure_of_a_profile_has_a_document_that_can_be_found_and_its_date() {
        for date in
            ["2016", "16-10", "2016-13", "2016-10-32", "read in November 2026", "undated, read in Autumn 2026", ""]
        {
            assert!(!is_date(date), "{date}");
        }
        for profile in Profile::all() {
            assert!(!profile.sources.is_empty(), "{}", profile.name);
            for source in &profile.sources {
                let parts = [&source.what, &source.publisher, &source.title];
                assert!(parts.iter().all(|part| part.trim().len() >= 3), "{}: {source:?}", profile.name);
                assert!(is_date(&source.date), "{}: {}", profile.name, source.date);
                assert!(is_date(&source.verified), "{}: verified {:?}", profile.name, source.verified);
                let year = |date: &str| date.get(..4).and_then(|year| year.parse::<u32>().ok());
                let published = year(&source.date).unwrap_or(0);
                assert!(year(&source.verified) >= Some(published.max(2026)), "{}: {source:?}", profile.name);
                let (scheme, rest) = source.url.split_once("://").unwrap_or_default();
                let host = rest.split('/').next().unwrap_or_default();
                let is_address = ["http", "https"].contains(&scheme) && host.contains('.') && !source.url.contains(' ');
                assert!(is_address || !source.document.is_empty(), "{}: {source:?}", profile.name);
                assert!(source.url.is_empty() || is_address, "{}: {}", profile.name, source.url);
                let told = format!("{} {}", source.title, source.date).to_lowercase();
                assert!(!told.contains("memory"), "{}: {source:?}", profile.name);
            }
        }
    }

    #[test]
    fn every_profile_reads_and_asks_for_what_can_be() {
        assert_eq!(Profile::all().len(), FILES.len());
        for profile in Profile::all() {
            if let Some(loudness) = &profile.loudness {
                assert!((-30.0..=-8.0).contains(&loudness.target_lufs), "{}", profile.name);
                assert!(loudness.raise != Raise::ToHeadroom || loudness.headroom_db > 0.0, "{}", profile.name);
            }
            assert!((-3.0..=0.0).contains(&profile.true_peak.max_dbtp), "{}", profile.name);
        }
        assert_eq!(Profile::find("spotify").map(|profile| profile.title.as_str()), Some("Spotify"));
    }
}
