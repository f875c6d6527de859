//! Metadata: codes that other systems will check.

use super::files::cover;
use super::{Context, Report};
use crate::session::document::Metadata;
use crate::session::valid::Cover;

const MAX_TEXT_CHARS: usize = 500;

/// Checks texts, numbers and codes, and finds the cover.
pub(super) fn metadata(context: &Context<'_>, report: &mut Report) -> Option<Cover> {
    let metadata = &context.document.metadata;
    let texts = [
        ("title", &metadata.title),
        ("artist", &metadata.artist),
        ("album", &metadata.album),
        ("album_artist", &metadata.album_artist),
        ("genre", &metadata.genre),
        ("label", &metadata.label),
        ("copyright", &metadata.copyright),
        ("comment", &metadata.comment),
    ];
    for (field, text) in texts {
        check_text(&format!("/metadata/{field}"), field, text, report);
    }
    check_total("track", metadata.track_number, metadata.track_total, report);
    check_total("disc", metadata.disc_number, metadata.disc_total, report);
    check_codes(metadata, report);
    cover(context, report)
}

/// Checks a text that people read.
pub(super) fn check_text(pointer: &str, field: &str, text: &Option<String>, report: &mut Report) {
    let Some(text) = text else { return };
    let chars = text.chars().count();
    if chars > MAX_TEXT_CHARS || text.trim().is_empty() || text.chars().any(char::is_control) {
        let message = format!("{field} has {chars} characters, or none that can be read, or control characters");
        let expected = format!("1 to {MAX_TEXT_CHARS} characters, none of them a control character");
        report.push(pointer, "malformed", message, expected);
    }
}

/// A number within its total; a total has no place of its own in most containers.
fn check_total(of: &str, number: Option<u32>, total: Option<u32>, report: &mut Report) {
    let pointer = format!("/metadata/{of}_total");
    match (number, total) {
        (None, Some(total)) => {
            let message = format!("{of}_total is {total}, but there is no {of}_number");
            report.push(pointer, "missing_field", message, format!("`{of}_number` beside it"));
        }
        (Some(number), Some(total)) if number > total => {
            let message = format!("{of}_total is {total}, and {of}_number {number}");
            report.push(pointer, "out_of_range", message, format!("at least {number}"));
        }
        _ => {}
    }
}

fn check_codes(metadata: &Metadata, report: &mut Report) {
    if let Some(isrc) = metadata.isrc.as_ref().filter(|isrc| !is_isrc(isrc)) {
        let expected = "two letters, three letters or digits and seven digits, like \"QZABC2600001\"";
        report.push("/metadata/isrc", "malformed", format!("{isrc:?} is no ISRC"), expected);
    }
    if let Some(upc) = &metadata.upc {
        if !matches!(upc.len(), 12 | 13) || !upc.bytes().all(|byte| byte.is_ascii_digit()) {
            report.push("/metadata/upc", "malformed", format!("{upc:?} is no UPC or EAN"), "12 or 13 digits");
        } else if check_digit(&upc[..upc.len() - 1]) != upc[upc.len() - 1..] {
            let expected = format!("{} as its last digit", check_digit(&upc[..upc.len() - 1]));
            report.push("/metadata/upc", "check_digit", format!("the check digit of {upc:?} is wrong"), expected);
        }
    }
}

/// ISO 3901:2019: a prefix of two letters and three letters or digits, two digits of the year, five of the recording.
fn is_isrc(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 12
        && bytes[..2].iter().all(u8::is_ascii_uppercase)
        && bytes[2..5].iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        && bytes[5..].iter().all(u8::is_ascii_digit)
}

/// GS1 General Specifications, section 7.9: digits weigh 3 and 1 in turn from the right; the sum with the check digit is
/// a multiple of 10.
fn check_digit(digits: &str) -> String {
    let weights = [3, 1].into_iter().cycle();
    let sum: u32 = digits.bytes().rev().zip(weights).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    ((10 - sum % 10) % 10).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits_are_those_of_published_codes() {
        // GS1's own example of an EAN-13, and a UPC-A from its Wikipedia article.
        assert_eq!(check_digit("629104150021"), "3");
        assert_eq!(check_digit("03600029145"), "2");
    }
}
