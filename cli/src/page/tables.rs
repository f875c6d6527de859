//! Figures and verdicts as tables.

use std::fmt::Write as _;

use mixdown_dsp::quality::profile::Standing;
use mixdown_dsp::quality::{Level, Profile, Quality, Verdict};

use super::entry::Entry;
use super::text::{badge, channel, clock, escaped, figure, number, size};

/// A level and when it was reached.
fn at(level: Option<f64>, unit: &str, seconds: Option<f64>) -> String {
    let mut text = format!("{} {unit}", figure(level, 2));
    if let (Some(_), Some(seconds)) = (level, seconds) {
        let _ = write!(text, " <small>at {}</small>", clock(seconds, 2));
    }
    text
}

fn rows(caption: &str, rows: &[(&str, String)]) -> String {
    let rows: String =
        rows.iter().map(|(name, value)| format!("<tr><th scope=\"row\">{name}</th><td>{value}</td></tr>")).collect();
    format!("<table class=\"figures\"><caption>{caption}</caption><tbody>{rows}</tbody></table>\n")
}

/// Loudness and dynamics.
pub fn loudness(entry: &Entry, quality: &Quality) -> String {
    let (measured, course) = (&entry.measurement, &quality.loudness);
    rows(
        "Loudness",
        &[
            ("Integrated", format!("{} LUFS", figure(measured.integrated_lufs, 2))),
            ("Loudness range (LRA)", format!("{} LU", figure(measured.loudness_range_lu, 2))),
            ("Momentary max", at(measured.momentary_max_lufs, "LUFS", course.momentary_max_at_seconds)),
            ("Short-term max", at(measured.short_term_max_lufs, "LUFS", course.short_term_max_at_seconds)),
            ("Peak to loudness (PLR)", format!("{} LU", figure(course.plr_lu, 2))),
            ("Least peak to short-term (PSR)", at(course.psr_min_lu, "LU", course.psr_min_at_seconds)),
            ("Median PSR", format!("{} LU", figure(course.psr_median_lu, 2))),
        ],
    )
}

/// What a decoder makes of a lossy file, beside what the encoder got.
pub fn decoded(entry: &Entry) -> String {
    let Some(lossy) = &entry.lossy else { return String::new() };
    let gone_by = |after: Option<f64>, before: Option<f64>, unit: &str| {
        let change = after.zip(before).map_or_else(String::new, |(after, before)| {
            let change = after - before;
            let sign = if change > 0.0 { "+" } else { "" };
            format!(" <small>{sign}{} by the codec</small>", number(change, 2))
        });
        format!("{} {unit}{change}", figure(after, 2))
    };
    let ceiling = match lossy.over_ceiling_db {
        Some(over) => format!("{} {} dB over", badge(Level::Warn), number(over, 2)),
        None if lossy.ceiling_lowered_db > 0.0 => {
            format!("kept, lowered by {} dB for it", number(lossy.ceiling_lowered_db, 2))
        }
        None => "not passed".to_owned(),
    };
    rows(
        "Decoded",
        &[
            ("Bit rate", escaped(&lossy.bit_rate)),
            ("Integrated", gone_by(lossy.decoded.integrated_lufs, entry.measurement.integrated_lufs, "LUFS")),
            ("True peak", gone_by(lossy.decoded.true_peak_dbtp, lossy.encoded_true_peak_dbtp, "dBTP")),
            ("Ceiling", ceiling),
            ("Length", format!("{} frames", lossy.decoded.frames)),
        ],
    )
}

/// Level of each channel, and its loudest true peaks.
pub fn levels(quality: &Quality) -> String {
    let count = quality.channels.len();
    let heads: String = (0..count).map(|index| format!("<th scope=\"col\">{}</th>", channel(index, count))).collect();
    let row = |name: &str, cell: &dyn Fn(usize) -> String| {
        let cells: String = (0..count).map(|index| format!("<td>{}</td>", cell(index))).collect();
        format!("<tr><th scope=\"row\">{name}</th>{cells}</tr>")
    };
    let peaks = |index: usize| {
        let peaks = quality.true_peaks.iter().filter(|peak| peak.channel as usize == index);
        let peaks: Vec<String> = peaks
            .map(|peak| {
                format!(
                    "<span class=\"place\">{} <small>at {}</small></span>",
                    number(peak.dbtp, 2),
                    clock(peak.at_seconds, 3)
                )
            })
            .collect();
        if peaks.is_empty() { "–".to_owned() } else { peaks.join(" ") }
    };
    let of = |index: usize| &quality.channels[index];
    let body = [
        row("True peak, dBTP", &|index| figure(of(index).true_peak_dbtp, 2)),
        row("Sample peak, dBFS", &|index| figure(of(index).sample_peak_dbfs, 2)),
        row("RMS, dBFS", &|index| figure(of(index).rms_dbfs, 2)),
        row("Crest, dB", &|index| figure(of(index).crest_db, 2)),
        row("Direct current, dBFS", &|index| figure(of(index).dc_dbfs, 1)),
        row("Loudest true peaks, dBTP", &peaks),
    ];
    format!(
        "<table class=\"figures\"><caption>Levels</caption><thead><tr><td></td>{heads}</tr></thead><tbody>{}</tbody></table>\n",
        body.concat()
    )
}

/// How left and right go together.
pub fn stereo(quality: &Quality) -> String {
    let Some(stereo) = &quality.stereo else { return String::new() };
    let figures = rows(
        "Stereo",
        &[
            ("Mean correlation", figure(stereo.mean_correlation, 2)),
            ("Side to middle", format!("{} dB", figure(stereo.side_to_middle_db, 1))),
            ("Right to left", format!("{} dB", figure(stereo.balance_db, 2))),
            ("Lost in mono", format!("{} LU", figure(stereo.mono_loss_lu, 2))),
        ],
    );
    let bands: String = stereo
        .bands
        .iter()
        .map(|band| {
            let hz = if band.middle_hz < 1000.0 {
                number(band.middle_hz, if band.middle_hz < 50.0 { 1 } else { 0 })
            } else {
                format!("{}k", band.middle_hz / 1000.0)
            };
            let verdict = match (band.in_trouble, band.correlation) {
                (true, _) => badge(Level::Warn),
                (false, Some(value)) if value < 0.0 => "negative".to_owned(),
                _ => String::new(),
            };
            format!(
                "<tr><th scope=\"row\">{hz}</th><td>{}</td><td>{}</td><td>{verdict}</td></tr>",
                figure(band.level_dbfs, 1),
                figure(band.correlation, 2)
            )
        })
        .collect();
    format!(
        "{figures}<table class=\"figures bands\"><caption>Phase per octave</caption><thead><tr><th scope=\"col\">Hz</th><th scope=\"col\">dBFS</th>\
         <th scope=\"col\">Correlation</th><th scope=\"col\"><span class=\"hidden\">Verdict</span></th></tr></thead><tbody>{bands}</tbody></table>\n"
    )
}

/// What was looked for, and what was found of it.
pub fn defects(entry: &Entry, quality: &Quality) -> String {
    let clipping = match (quality.clipping.runs, quality.clipping.flat_tops) {
        (0, 0) => "none".to_owned(),
        (0, tops) => format!("{tops} flat tops at {} dBFS", figure(quality.clipping.flat_top_dbfs, 2)),
        (runs, _) => format!("{runs} <small>longest {} samples</small>", quality.clipping.longest_samples),
    };
    let places = |count: u64, places: &[mixdown_dsp::quality::Place]| {
        if count == 0 {
            return "none".to_owned();
        }
        let shown: Vec<String> = places.iter().take(5).map(|place| clock(place.at_seconds, 3)).collect();
        let more = if count > 5 { " …" } else { "" };
        format!("{count} <small>at {}{more}</small>", shown.join(", "))
    };
    let bits = match (quality.bits.used, quality.bits.nominal) {
        (Some(used), Some(nominal)) => format!("{used} of {nominal}"),
        (None, Some(32)) => "floating point".to_owned(),
        (None, Some(nominal)) => format!("– of {nominal}"),
        (Some(used), None) => used.to_string(),
        (None, None) => "lossy".to_owned(),
    };
    let silence = &quality.silence;
    let mut digests = String::new();
    if !entry.digest.is_empty() {
        let _ = write!(digests, "<div><dt>File, BLAKE3</dt><dd>{}</dd></div>", escaped(&entry.digest));
    }
    let _ = write!(digests, "<div><dt>Samples, BLAKE3</dt><dd>{}</dd></div>", quality.samples_digest);
    let table = rows(
        "File",
        &[
            (
                "Length",
                format!(
                    "{} <small>{} frames</small>",
                    clock(entry.measurement.duration_seconds, 3),
                    entry.measurement.frames
                ),
            ),
            ("Size", if entry.size_bytes > 0 { size(entry.size_bytes) } else { "–".to_owned() }),
            ("Bits really used", bits),
            ("Clipped runs", clipping),
            ("Suspected clicks", places(quality.clicks.count, &quality.clicks.places)),
            ("Suspected drop-outs", places(quality.dropouts.count, &quality.dropouts.places)),
            (
                "Silence at head, tail",
                format!("{} s, {} s", number(silence.head_seconds, 2), number(silence.tail_seconds, 2)),
            ),
        ],
    );
    format!("{table}<dl class=\"digests\">{digests}</dl>\n")
}

/// How the file does by each delivery profile.
pub fn verdicts(entry: &Entry) -> String {
    let verdicts = &entry.verdicts;
    let listed = entry.quality.as_ref().map_or(&[][..], |quality| &quality.defects);
    if verdicts.is_empty() {
        return String::new();
    }
    let row = |verdict: &Verdict| {
        // A defect is listed once, above; here its number is enough.
        let mut findings: Vec<String> = Vec::new();
        let mut defects = 0;
        for finding in &verdict.findings {
            if listed.iter().any(|defect| defect.text == finding.text) {
                defects += 1;
            } else {
                findings.push(escaped(&finding.text));
            }
        }
        if defects > 0 {
            findings.push(if defects == 1 {
                "1 defect, above".to_owned()
            } else {
                format!("{defects} defects, above")
            });
        }
        format!(
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td></tr>",
            escaped(&verdict.title),
            badge(verdict.verdict),
            escaped(&verdict.playback),
            findings.join("<br>")
        )
    };
    format!(
        "<table class=\"verdicts\"><caption>Delivery</caption><thead><tr><th scope=\"col\">Profile</th><th scope=\"col\">Verdict</th>\
         <th scope=\"col\">Loudness</th><th scope=\"col\">Findings</th></tr></thead><tbody>{}</tbody></table>\n",
        verdicts.iter().map(row).collect::<String>()
    )
}

/// Where the profiles' figures are written.
pub fn sources(entries: &[Entry]) -> String {
    let used = |profile: &&Profile| {
        entries.iter().any(|entry| entry.verdicts.iter().any(|verdict| verdict.profile == profile.name))
    };
    let mut items = String::new();
    for profile in Profile::all().iter().filter(used) {
        let sources: Vec<String> = profile
            .sources
            .iter()
            .map(|source| {
                let standing = if source.standing == Standing::Official { "official" } else { "secondary" };
                let place = if source.url.is_empty() { &source.document } else { &source.url };
                format!(
                    "{}: {}, <cite>{}</cite>, {}, {} <small>({standing})</small>",
                    escaped(&source.what),
                    escaped(&source.publisher),
                    escaped(&source.title),
                    escaped(place.split_once("://").map_or(place.as_str(), |(_, place)| place)),
                    escaped(&source.date)
                )
            })
            .collect();
        let _ = write!(items, "<dt>{}</dt><dd>{}</dd>", escaped(&profile.title), sources.join("; "));
    }
    if items.is_empty() {
        items
    } else {
        format!(
            "<details class=\"sources\"><summary>Where the delivery figures are from</summary><dl>{items}</dl></details>\n"
        )
    }
}
