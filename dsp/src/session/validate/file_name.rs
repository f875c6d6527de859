//! Names of deliverables: templates, filled with what the session says, safe on every system.

use super::Report;
use crate::session::document::{Depth, Metadata};
use crate::session::suggest::{did_you_mean, one_of};

/// The longest file name without its extension.
const MAX_NAME_CHARS: usize = 200;
/// With the extension, a name stays below the 255 bytes that common file systems allow.
const MAX_NAME_BYTES: usize = 240;

/// What a file is, for its name.
pub(super) struct Subject<'a> {
    pub metadata: &'a Metadata,
    /// The mix, or the mix that a group is of.
    pub mix: Option<&'a str>,
    /// Whether that is the mix that is meant where none is named.
    pub is_usual_mix: bool,
    pub track: Option<&'a str>,
    pub group: Option<&'a str>,
    pub sample_rate_hz: u32,
    /// Bits per sample; lossy files have none.
    pub depth: Option<Depth>,
    /// Extension of the format.
    pub format: &'static str,
    /// Its place among so many files of one deliverable, from 1.
    pub number: Option<(usize, usize)>,
}

/// What stands in a template.
#[derive(Debug, PartialEq)]
enum Part<'t> {
    Text(String),
    Placeholder(&'t str),
}

/// Everything that stands in braces.
const PLACEHOLDERS: &[&str] = &[
    "title",
    "artist",
    "album",
    "mix",
    "group",
    "track",
    "number",
    "rate",
    "depth",
    "format",
    "track_number",
    "disc_number",
    "year",
    "album_artist",
    "isrc",
    "upc",
    "genre",
    "label",
];

/// Names that some systems keep for devices, whatever their extension.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "com", "lpt"];

impl Subject<'_> {
    /// What a placeholder gives, or why it gives nothing and what to do.
    fn value(&self, placeholder: &str) -> Result<String, (String, String)> {
        let Metadata {
            title,
            artist,
            album,
            album_artist,
            isrc,
            upc,
            track_number,
            disc_number,
            year,
            genre,
            label,
            ..
        } = self.metadata;
        let text = |field: &Option<String>| field.clone().filter(|text| !text.trim().is_empty());
        let stated = |value: Option<String>| {
            let missing = || (format!("metadata.{placeholder} is not set"), format!("`{placeholder}` in `[metadata]`"));
            value.ok_or_else(missing)
        };
        let here = |value: Option<String>, of: &str| {
            let missing =
                || (format!("this file is not of a {placeholder}"), format!("{{{placeholder}}} for {of} only"));
            value.ok_or_else(missing)
        };
        let owned = |value: Option<&str>| value.map(str::to_owned);
        match placeholder {
            "title" => stated(text(title)),
            "artist" => stated(text(artist)),
            "album" => stated(text(album)),
            "album_artist" => stated(text(album_artist)),
            "genre" => stated(text(genre)),
            "label" => stated(text(label)),
            "isrc" => stated(text(isrc)),
            "upc" => stated(text(upc)),
            "track_number" => stated(track_number.map(|number| format!("{number:02}"))),
            "disc_number" => stated(disc_number.map(|number| number.to_string())),
            "year" => stated(year.map(|year| year.to_string())),
            "mix" => here(owned(self.mix), "mixes and groups"),
            "group" => here(owned(self.group), "groups"),
            "track" => here(owned(self.track), "prints of tracks"),
            "number" => here(self.number.map(|(at, of)| format!("{at:0width$}", width = width(of))), "`each`"),
            "rate" => Ok(rate(self.sample_rate_hz)),
            "depth" => here(self.depth.map(|bits| depth(bits).to_owned()), "lossless files"),
            "format" => Ok(self.format.to_owned()),
            other => unreachable!("templates with other placeholders ({other}) are not read"),
        }
    }

    /// The name of a file that was given none: the title and what it holds.
    pub fn usual_name(&self, pointer: &str, report: &mut Report) -> Option<String> {
        Template::read(self.usual_template(), pointer, report)?.file_name(self, pointer, report)
    }

    fn usual_template(&self) -> &'static str {
        let titled = self.metadata.title.as_ref().is_some_and(|title| !title.trim().is_empty());
        match (self.track, self.group, titled) {
            (Some(_), _, true) => "{title} - {track}",
            (Some(_), _, false) => "{track}",
            (None, Some(_), true) if self.is_usual_mix => "{title} - {group}",
            (None, Some(_), true) => "{title} ({mix}) - {group}",
            (None, Some(_), false) if self.is_usual_mix => "{group}",
            (None, Some(_), false) => "{mix} - {group}",
            (None, None, true) => "{title} ({mix})",
            (None, None, false) => "{mix}",
        }
    }
}

/// The template of a file name. Its own text is safe as it stands.
pub(super) struct Template<'t> {
    text: &'t str,
    parts: Vec<Part<'t>>,
}

impl<'t> Template<'t> {
    /// Reads a template; `None` if something was reported.
    pub fn read(text: &'t str, pointer: &str, report: &mut Report) -> Option<Self> {
        let mut fault = |code, message: String, expected: &str| {
            report.push(pointer, code, message, expected);
            None
        };
        let parts = match parts(text) {
            Ok(parts) => parts,
            Err(message) => {
                let expected = "`{title}` and the like for what they name, `{{` and `}}` for braces";
                return fault("malformed", format!("the file name {text:?} {message}"), expected);
            }
        };
        if let Some((message, expected)) = unsafe_text(text, &parts) {
            return fault("bad_file_name", message, expected);
        }
        let known = || PLACEHOLDERS.iter().copied();
        let unknown = parts.iter().find_map(|part| match part {
            Part::Placeholder(name) if !PLACEHOLDERS.contains(name) => Some(*name),
            Part::Placeholder(_) | Part::Text(_) => None,
        });
        if let Some(name) = unknown {
            let hint = did_you_mean(name, known());
            let message = format!("{{{name}}} in the file name {text:?} stands for nothing{hint}");
            return fault("unknown_placeholder", message, &one_of(known()));
        }
        Some(Self { text, parts })
    }

    /// Whether the files of a deliverable get names of their own: a placeholder that tells them apart is there.
    pub fn tells_apart(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Placeholder("mix" | "group" | "track" | "number")))
    }

    /// The file name for a subject, with its extension; `None` if something was reported.
    ///
    /// What is filled in is made safe, and cut where the name would be too long: so no value leads out of the folder,
    /// whatever it holds.
    pub fn file_name(&self, subject: &Subject<'_>, pointer: &str, report: &mut Report) -> Option<String> {
        let text = self.text;
        // Per part, its text and whether it was filled in.
        let mut filled: Vec<(String, bool)> = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            match part {
                Part::Text(text) => filled.push((text.clone(), false)),
                Part::Placeholder(name) => match subject.value(name) {
                    Ok(value) => filled.push((safe(&value), true)),
                    Err((why, expected)) => {
                        let message = format!("{{{name}}} in the file name {text:?} gives nothing: {why}");
                        report.push(pointer, "missing_value", message, expected);
                        return None;
                    }
                },
            }
        }
        let name = fit(filled);
        if name.is_empty() {
            report.push(pointer, "bad_file_name", format!("nothing is left of the file name {text:?}"), "a name");
            return None;
        }
        Some(format!("{name}.{}", subject.format))
    }
}

/// `44.1kHz`
fn rate(hz: u32) -> String {
    format!("{}kHz", f64::from(hz) / 1000.0)
}

fn depth(depth: Depth) -> &'static str {
    match depth {
        Depth::Int16 => "16bit",
        Depth::Int24 => "24bit",
        Depth::Float32 => "32bit float",
    }
}

/// Digits of a number that goes to `of`; at least two, so that names sort.
fn width(of: usize) -> usize {
    of.to_string().len().max(2)
}

/// Takes a template apart.
fn parts(template: &str) -> Result<Vec<Part<'_>>, String> {
    let (mut parts, mut text, mut rest) = (Vec::new(), String::new(), template);
    while let Some(at) = rest.find(['{', '}']) {
        text.push_str(&rest[..at]);
        let (brace, after) = rest[at..].split_at(1);
        rest = match after.strip_prefix(brace) {
            Some(after) => {
                text.push_str(brace);
                after
            }
            None if brace == "}" => return Err("has a `}` without `{`".to_owned()),
            None => {
                let end = after.find(['{', '}']).filter(|end| after[*end..].starts_with('}'));
                let end = end.ok_or("has a `{` without `}`")?;
                parts.extend((!text.is_empty()).then(|| Part::Text(std::mem::take(&mut text))));
                parts.push(Part::Placeholder(after[..end].trim()));
                &after[end + 1..]
            }
        };
    }
    text.push_str(rest);
    parts.extend((!text.is_empty()).then_some(Part::Text(text)));
    Ok(parts)
}

/// What makes the template's own text unsafe, and what was expected.
fn unsafe_text(template: &str, parts: &[Part<'_>]) -> Option<(String, &'static str)> {
    let texts = || parts.iter().filter_map(|part| if let Part::Text(text) = part { Some(text.as_str()) } else { None });
    let whole: String = texts().collect();
    let chars = whole.chars().count();
    let first = parts.first().and_then(|part| if let Part::Text(text) = part { Some(text.as_str()) } else { None });
    if template.trim().is_empty() {
        Some(("the file name is empty".to_owned(), "1 to 200 characters"))
    } else if whole.contains(['/', '\\']) {
        Some((format!("the file name {template:?} holds a path separator"), "a name without `/` and `\\`"))
    } else if first.is_some_and(|text| text.starts_with('.')) {
        Some((format!("the file name {template:?} begins with a dot"), "a name that does not begin with a dot"))
    } else if whole.chars().any(|character| character.is_control() || is_invisible(character)) {
        Some((format!("the file name {template:?} holds a control character"), "a name without control characters"))
    } else if parts.len() == 1 && first.is_some_and(is_device) {
        Some((format!("{template:?} is the name of a device on some systems"), "another name"))
    } else if chars > MAX_NAME_CHARS || whole.len() > MAX_NAME_BYTES {
        let message = format!("the file name has {chars} characters in {} bytes", whole.len());
        Some((message, "at most 200 characters in at most 240 bytes of UTF-8"))
    } else {
        None
    }
}

/// A value with what no file name may hold, on one system or another, replaced.
fn safe(value: &str) -> String {
    let safe = |character: char| match character {
        '/' | '\\' | ':' | '|' => Some('-'),
        '*' | '?' | '"' | '<' | '>' => Some('_'),
        other if other.is_control() => Some('_'),
        other if is_invisible(other) => None,
        other => Some(other),
    };
    value.trim().chars().filter_map(safe).collect()
}

/// Characters that turn the direction of text or cannot be seen: a name with them is not what it looks like.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end().to_lowercase();
    DEVICES.iter().any(|device| match stem.strip_prefix(device) {
        Some("") => !matches!(*device, "com" | "lpt"),
        Some(number) => {
            matches!(*device, "com" | "lpt") && number.chars().count() == 1 && number.chars().all(char::is_numeric)
        }
        None => false,
    })
}

/// Puts the parts together; the longest of those filled in are cut until the name fits.
fn fit(mut parts: Vec<(String, bool)>) -> String {
    let was_filled = parts.iter().any(|(_, filled)| *filled);
    loop {
        let name: String = parts.iter().map(|(text, _)| text.as_str()).collect();
        // At its ends a name of values may be anything; at its end a system would drop dots and spaces.
        let name = if was_filled { name.trim_start_matches(['.', ' ']).trim_end_matches(['.', ' ']) } else { &name };
        let fits = name.chars().count() <= MAX_NAME_CHARS && name.len() <= MAX_NAME_BYTES;
        let longest =
            parts.iter().enumerate().filter(|(_, (_, filled))| *filled).max_by_key(|(_, (text, _))| text.len());
        match longest.map(|(at, _)| at).filter(|_| !fits) {
            Some(at) => {
                parts[at].0.pop();
            }
            None if is_device(name) => return format!("_{name}"),
            None => return name.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_stand_for_themselves_when_doubled() {
        let text = |text: &str| Part::Text(text.to_owned());
        assert_eq!(parts("a {{b}} {mix}"), Ok(vec![text("a {b} "), Part::Placeholder("mix")]));
        assert_eq!(parts("{mix}{ title }"), Ok(vec![Part::Placeholder("mix"), Part::Placeholder("title")]));
        for bad in ["{", "a}", "{mix", "{a{b}}", "{{mix}"] {
            assert!(parts(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn device_names_are_known_by_their_stem() {
        for device in ["con", "NUL", "Com1", "lpt9.take 2", "aux.wav", "COM¹"] {
            assert!(is_device(device), "{device}");
        }
        for name in ["con brio", "com", "com10", "nulls", "lpt", "a con"] {
            assert!(!is_device(name), "{name}");
        }
    }
}
