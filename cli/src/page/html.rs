//! The page from top to bottom.

use std::fmt::Write as _;

use mixdown_dsp::quality::Level;

use super::text::{address, badge, clock, escaped, figure};
use super::{Entry, Page, averages, courses, tables};
use mixdown_dsp::units::gain_from_db;

const STYLE: &str = include_str!("style.css");
const PLAYER: &str = include_str!("player.js");

/// The whole document.
pub fn html(page: &Page) -> String {
    let title = escaped(&page.title);
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title} – quality report</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <header><p class=\"kind\">Quality report</p><h1>{title}</h1>"
    );
    if !page.about.is_empty() {
        let _ = write!(html, "<p>{}</p>", escaped(&page.about));
    }
    html += "</header>\n<main>\n";
    html += &overview(&page.entries);
    html += &player(&page.entries);
    for (index, entry) in page.entries.iter().enumerate() {
        html += &section(page, index, entry);
    }
    html += "</main>\n<footer>";
    html += &tables::sources(&page.entries);
    let _ = writeln!(
        html,
        "<p>Loudness by ITU-R BS.1770-5 and EBU Tech 3341, range by Tech 3342, true peak by oversampling; levels in dBFS are mean squares \
         over full scale (a sine of full scale: −3.01). Measured on the samples as delivered by Mixdown {}.</p></footer>",
        env!("CARGO_PKG_VERSION")
    );
    if page.entries.iter().any(|entry| entry.preview.is_some()) {
        let _ = writeln!(html, "<script>\n{PLAYER}</script>");
    }
    html += "</body>\n</html>\n";
    html
}

/// The worst verdict of a file, and how many there are of it.
fn worst(entry: &Entry) -> String {
    let count = |level: Level| entry.verdicts.iter().filter(|verdict| verdict.verdict == level).count();
    let Some(worst) = entry.verdicts.iter().map(|verdict| verdict.verdict).max() else { return "–".to_owned() };
    match worst {
        Level::Pass => badge(worst),
        level => format!("{} <small>{} of {}</small>", badge(level), count(level), entry.verdicts.len()),
    }
}

/// The true peak, of lossy files also that of what a decoder makes of them.
fn true_peak(entry: &Entry) -> String {
    let encoded = figure(entry.measurement.true_peak_dbtp, 2);
    entry.lossy.as_ref().map_or(encoded.clone(), |lossy| {
        format!("{encoded} <small>decoded {}</small>", figure(lossy.decoded.true_peak_dbtp, 2))
    })
}

/// One row a file.
fn overview(entries: &[Entry]) -> String {
    let row = |(index, entry): (usize, &Entry)| {
        let measured = &entry.measurement;
        let plr = entry.quality.as_ref().and_then(|quality| quality.loudness.plr_lu);
        let defects = entry.quality.as_ref().map_or_else(
            || "–".to_owned(),
            |quality| match quality.defects.len() {
                0 => "none".to_owned(),
                count => count.to_string(),
            },
        );
        format!(
            "<tr><th scope=\"row\"><a href=\"#file-{index}\">{}</a> <small>{}</small></th><td>{}</td><td>{}</td><td>{}</td>\
             <td>{}</td><td>{}</td><td>{defects}</td><td class=\"left\">{}</td></tr>",
            escaped(&entry.file),
            escaped(&entry.format),
            clock(measured.duration_seconds, 2),
            figure(measured.integrated_lufs, 1),
            figure(measured.loudness_range_lu, 1),
            true_peak(entry),
            figure(plr, 1),
            worst(entry)
        )
    };
    format!(
        "<div class=\"scrolls\" tabindex=\"0\" role=\"region\" aria-label=\"Files\"><table class=\"overview\"><caption class=\"hidden\">Files</caption><thead><tr>\
         <th scope=\"col\">File</th><th scope=\"col\">Length</th><th scope=\"col\">Integrated <small>LUFS</small></th>\
         <th scope=\"col\">LRA <small>LU</small></th><th scope=\"col\">True peak <small>dBTP</small></th><th scope=\"col\">PLR <small>LU</small></th>\
         <th scope=\"col\">Defects</th><th scope=\"col\" class=\"left\">Delivery</th></tr></thead><tbody>{}</tbody></table></div>\n",
        entries.iter().enumerate().map(row).collect::<String>()
    )
}

/// The player: a button a version, each with what it plays, its gain at matched loudness and its place in the session.
fn player(entries: &[Entry]) -> String {
    let playing: Vec<(usize, &Entry, &str)> = entries
        .iter()
        .enumerate()
        .filter_map(|(index, entry)| Some((index, entry, entry.preview.as_deref()?)))
        .collect();
    if playing.is_empty() {
        return String::new();
    }
    let softest = playing.iter().filter_map(|(_, entry, _)| entry.measurement.integrated_lufs).reduce(f64::min);
    let mut versions = String::new();
    for (number, (index, entry, preview)) in playing.iter().enumerate() {
        let down = softest.zip(entry.measurement.integrated_lufs).map_or(0.0, |(softest, lufs)| softest - lufs);
        let key = if number < 9 { format!("<kbd>{}</kbd> ", number + 1) } else { String::new() };
        let _ = write!(
            versions,
            "<button type=\"button\" class=\"version\" aria-pressed=\"{}\" data-file=\"{index}\" data-src=\"{}\" data-gain=\"{:.6}\" data-head=\"{:.6}\" \
             data-seconds=\"{:.6}\">{key}{} <small>{} dB</small></button>",
            number == 0,
            escaped(&address(preview)),
            gain_from_db(down),
            entry.head_seconds,
            entry.measurement.duration_seconds,
            escaped(&entry.file),
            super::text::number(down, 1),
        );
    }
    format!(
        "<section id=\"player\" class=\"player\" aria-label=\"Player\" hidden><div class=\"transport\">\
         <button type=\"button\" id=\"play\" aria-pressed=\"false\"><span class=\"sign\" aria-hidden=\"true\">▶</span> <span class=\"word\">Play</span></button>\
         <output id=\"time\">0:00.0</output>\
         <label><input type=\"checkbox\" id=\"matched\" checked> matched loudness</label></div>\
         <div class=\"versions\" role=\"group\" aria-label=\"Versions\">{versions}</div>\
         <p class=\"hint\">Space plays, <kbd>1</kbd> to <kbd>9</kbd> switch at the same place, <kbd>N</kbd> and <kbd>P</kbd> to the next and the previous version, ← and → move by 5 s; click a waveform to go there. \
         Louder versions are turned down to the softest, by the dB shown.</p><p id=\"trouble\" role=\"status\"></p></section>\n\
         <noscript><p>The player needs JavaScript; everything else on this page does not.</p></noscript>\n"
    )
}

/// Everything about one file.
fn section(page: &Page, index: usize, entry: &Entry) -> String {
    let open = if index == 0 { " open" } else { "" };
    let mut html = format!(
        "<details class=\"file\" id=\"file-{index}\" data-file=\"{index}\"{open}><summary><h2>{}</h2> <span>{}{}{}</span></summary>\n",
        escaped(&entry.file),
        escaped(&entry.content),
        if entry.content.is_empty() { "" } else { " · " },
        escaped(&entry.format)
    );
    if !entry.note.is_empty() {
        let _ = writeln!(html, "<p class=\"note\">{}</p>", escaped(&entry.note));
    }
    let Some(quality) = &entry.quality else {
        html += "<p>The worker that made this file analysed no quality.</p></details>\n";
        return html;
    };
    if !quality.defects.is_empty() {
        html += "<ul class=\"defects\">";
        for defect in &quality.defects {
            let certain = if defect.is_certain { "" } else { " <small>(listen)</small>" };
            let _ = write!(html, "<li>{} {}{certain}</li>", badge(Level::Warn), escaped(&defect.text));
        }
        html += "</ul>\n";
    }
    html += &courses::waveforms(entry, quality);
    html += &courses::loudness(entry, quality);
    html += "<div class=\"pair\">";
    html += &averages::spectrum(entry, quality, page.reference.as_ref());
    html += &courses::correlation(entry, quality);
    html += &averages::histogram(quality);
    html += "</div>\n<div class=\"tables\">";
    html += &tables::loudness(entry, quality);
    html += &tables::decoded(entry);
    html += &tables::levels(quality);
    html += &tables::stereo(quality);
    html += "<div>";
    html += &tables::defects(entry, quality);
    html += "</div></div>\n";
    html += &tables::verdicts(entry);
    html += "</details>\n";
    html
}
