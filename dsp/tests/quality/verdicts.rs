//! Verdicts by delivery profile.

use mixdown_dsp::loudness::Measurement;
use mixdown_dsp::quality::{Check, FileFacts, Level, Profile, Quality, Verdict};

use super::analyse_bits;
use super::signals::tones;

/// A measured file of a stereo tone, told that it is so loud and peaks so high.
fn told(lufs: f64, dbtp: f64) -> (Measurement, Quality) {
    // The tone fades in the middle of the two channels: no defect of its own but that of being mono.
    let tone = tones(48_000, &[(6.0, -20.0)]);
    let softer: Vec<f32> = tone.iter().enumerate().map(|(n, x)| x * if n % 3 == 0 { 0.5 } else { 0.7 }).collect();
    let analysis = analyse_bits(48_000, &[&tone, &softer], 24);
    let measurement = Measurement { integrated_lufs: Some(lufs), true_peak_dbtp: Some(dbtp), ..analysis.measurement };
    (measurement, analysis.quality)
}

fn verdict(profile: &str, lufs: f64, dbtp: f64) -> Verdict {
    let (measurement, quality) = told(lufs, dbtp);
    assert_eq!(quality.defects, [], "the file itself is clean");
    let facts = FileFacts { lossy: false, bits: Some(24) };
    Verdict::new(Profile::find(profile).unwrap(), &facts, &measurement, &quality)
}

#[test]
fn loudness_says_what_the_platform_does_and_never_warns() {
    for (profile, lufs, dbtp, gain_db, words) in [
        ("spotify", -8.8, -2.0, -5.2, "played 5.2 dB lower"),
        ("spotify", -14.0, -1.0, 0.0, "played as it is"),
        // The example of the platform's own page: −20 LUFS with peaks at −5 is lifted to −16.
        ("spotify", -20.0, -5.0, 4.0, "raised 4.0 dB of 6.0: its peaks allow no more"),
        ("spotify", -15.3, -6.0, 1.3, "raised 1.3 dB"),
        ("spotify", -18.0, -1.0, 0.0, "played as it is: 4.0 LU below the target, its peaks allow no more"),
        ("youtube", -18.0, -6.0, 0.0, "played as it is: 4.0 LU below the target, never raised"),
        ("apple_music", -14.0, -1.0, -2.0, "played 2.0 dB lower"),
        ("deezer", -9.0, -1.0, -6.0, "played 6.0 dB lower"),
        ("ebu_r128", -26.0, -9.0, 3.0, "raised 3.0 dB"),
        ("cd", -6.0, -0.1, 0.0, "played as it is"),
    ] {
        let verdict = verdict(profile, lufs, dbtp);
        assert_eq!(verdict.playback, words, "{profile}");
        assert!((verdict.playback_gain_db.unwrap() - gain_db).abs() < 1e-9, "{profile}: {verdict:?}");
        assert!(verdict.findings.iter().all(|finding| finding.check == Check::Format), "{profile}: {verdict:?}");
    }
}

#[test]
fn true_peaks_over_the_limit_warn_or_fail_as_the_profile_says() {
    let level = |profile: &str, lufs: f64, dbtp: f64| {
        let found = verdict(profile, lufs, dbtp).findings;
        found.iter().find(|finding| finding.check == Check::TruePeak).map_or(Level::Pass, |finding| finding.verdict)
    };
    assert_eq!(level("ebu_r128", -23.0, -1.0), Level::Pass);
    assert_eq!(level("ebu_r128", -23.0, -0.99), Level::Fail);
    assert_eq!(level("spotify", -14.0, -1.0), Level::Pass);
    assert_eq!(level("spotify", -9.0, -1.0), Level::Warn);
    assert_eq!(level("spotify", -9.0, -2.0), Level::Pass);
    assert_eq!(level("amazon_music", -14.0, -1.5), Level::Warn);
    assert_eq!(level("cd", -9.0, 0.3), Level::Warn);
}

#[test]
fn a_format_that_is_not_taken_warns_or_fails_with_what_is_asked_for() {
    let (measurement, quality) = told(-14.0, -3.0);
    let by = |profile: &str, bits: Option<u32>, lossy: bool| {
        Verdict::new(Profile::find(profile).unwrap(), &FileFacts { lossy, bits }, &measurement, &quality)
    };
    let cd = by("cd", Some(24), false);
    assert_eq!(cd.verdict, Level::Fail);
    let texts: Vec<&str> = cd.findings.iter().map(|finding| finding.text.as_str()).collect();
    assert_eq!(texts, ["24 bits; 16 bits are asked for", "48000 Hz; 44100 Hz is asked for"]);
    assert_eq!(by("spotify", Some(24), false).verdict, Level::Pass);
    assert_eq!(by("spotify", Some(32), false).verdict, Level::Warn);
    assert_eq!(by("tidal", None, true).findings[0].text, "a lossy format; lossless is asked for");
    let short = Measurement { duration_seconds: 3.5, sample_rate_hz: 44_100, ..measurement.clone() };
    let facts = FileFacts { lossy: false, bits: Some(16) };
    let cd = Verdict::new(Profile::find("cd").unwrap(), &facts, &short, &quality);
    assert_eq!(cd.findings[0].text, "3.50 s long; at least 4 s is asked for");
}

#[test]
fn bass_out_of_phase_warns_for_vinyl_and_defects_for_everybody() {
    let tone = tones(48_000, &[(6.0, -20.0)]);
    let low: Vec<f32> =
        (0..tone.len()).map(|n| 0.2 * (n as f32 * 100.0 / 48_000.0 * core::f32::consts::TAU).sin()).collect();
    let left: Vec<f32> = tone.iter().zip(&low).map(|(tone, low)| 2.0 * tone + low).collect();
    let right: Vec<f32> = tone.iter().zip(&low).map(|(tone, low)| 1.9 * tone - low).collect();
    let analysis = analyse_bits(48_000, &[&left, &right], 24);
    let facts = FileFacts { lossy: false, bits: Some(24) };
    let verdicts = Verdict::all(&facts, &analysis.measurement, &analysis.quality);
    assert_eq!(verdicts.len(), Profile::all().len());
    let vinyl = verdicts.iter().find(|verdict| verdict.profile == "vinyl").unwrap();
    let of_phase = |verdict: &Verdict| verdict.findings.iter().find(|it| it.text.starts_with("correlation −")).cloned();
    let finding = of_phase(vinyl).unwrap_or_else(|| panic!("{vinyl:?}"));
    assert_eq!((finding.check, finding.verdict), (Check::Defect, Level::Warn));
    assert!(verdicts.iter().all(|verdict| verdict.profile == "vinyl" || of_phase(verdict).is_none()));
    let mono = analyse_bits(48_000, &[&tone, &tone], 24);
    for verdict in Verdict::all(&facts, &mono.measurement, &mono.quality) {
        assert!(verdict.findings.iter().any(|finding| finding.check == Check::Defect), "{verdict:?}");
    }
}
