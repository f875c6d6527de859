//! Figures and names as the page writes them.

use mixdown_dsp::quality::Level;

/// Text of others, made harmless in HTML.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

/// `−14.02`; a dash where there is nothing.
pub fn figure(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| number(value, decimals))
}

/// `−14.02`, with the minus sign of print.
pub fn number(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let zero = text.bytes().all(|byte| matches!(byte, b'-' | b'0' | b'.'));
    if zero { text.replace('-', "") } else { text.replace('-', "−") }
}

/// `3:07`, `3:07.25`, `1:02:05`.
pub fn clock(seconds: f64, decimals: u32) -> String {
    let unit = [1, 10, 100, 1000][decimals.min(3) as usize];
    let ticks = (seconds.max(0.0) * f64::from(unit)).round() as u64;
    let (whole, part) = (ticks / u64::from(unit as u32), ticks % u64::from(unit as u32));
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    let mut text =
        if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") };
    if decimals > 0 {
        text.push_str(&format!(".{part:0width$}", width = decimals as usize));
    }
    text
}

/// `12.3 MB`
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}

/// A verdict in one word.
pub fn word(level: Level) -> &'static str {
    match level {
        Level::Pass => "pass",
        Level::Warn => "warn",
        Level::Fail => "fail",
    }
}

/// A verdict as a sign and a word, told apart by shape first.
pub fn badge(level: Level) -> String {
    let sign = match level {
        Level::Pass => "✓",
        Level::Warn => "!",
        Level::Fail => "✕",
    };
    let word = word(level);
    format!("<span class=\"badge {word}\"><b aria-hidden=\"true\">{sign}</b> {word}</span>")
}

/// A channel's name.
pub fn channel(index: usize, channels: usize) -> String {
    match (index, channels) {
        (_, 1) => "Mono".to_owned(),
        (0, 2) => "Left".to_owned(),
        (1, 2) => "Right".to_owned(),
        _ => format!("Channel {}", index + 1),
    }
}

/// A relative address: every byte that is not plain is written as a percent escape.
pub fn address(path: &str) -> String {
    let mut address = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte) {
            address.push(char::from(byte));
        } else {
            address.push_str(&format!("%{byte:02X}"));
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_can_open_no_tag_and_no_attribute() {
        let hostile = escaped("<script>alert('x')</script>\"onload=\"&amp;");
        assert!(!hostile.contains(['<', '>', '"', '\'']), "{hostile}");
        assert_eq!(escaped("a & b"), "a &amp; b");
        assert_eq!(address("a b/<ü>'.flac"), "a%20b/%3C%C3%BC%3E%27.flac");
    }

    #[test]
    fn figures_read_as_print() {
        assert_eq!((number(-0.001, 2), number(-14.016, 2)), ("0.00".to_owned(), "−14.02".to_owned()));
        assert_eq!(clock(187.25, 0), "3:07");
        assert_eq!(clock(187.25, 2), "3:07.25");
        assert_eq!(clock(3725.0, 0), "1:02:05");
        assert_eq!(size(12_345_678), "12.3 MB");
    }
}
