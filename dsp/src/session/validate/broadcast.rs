//! What broadcast wave files say: text that fits its field, a date that there is.

use super::metadata::check_text;
use super::{Context, Report};

/// Checks the fields; time since midnight of the session's first frame, in frames.
pub(super) fn time_reference_frames(context: &Context<'_>, report: &mut Report) -> u64 {
    let Some(broadcast) = &context.document.broadcast else { return 0 };
    let fields = [
        ("description", &broadcast.description, 256),
        ("originator", &broadcast.originator, 32),
        ("originator_reference", &broadcast.originator_reference, 32),
    ];
    for (field, text, most) in fields {
        let Some(text) = text else { continue };
        if text.is_empty() || text.len() > most || !text.bytes().all(|byte| (0x20..0x7F).contains(&byte)) {
            let message = format!("{field} has {} bytes, or letters beyond ASCII", text.len());
            let expected = format!("1 to {most} characters of printable ASCII");
            report.push(format!("/broadcast/{field}"), "malformed", message, expected);
        }
    }
    let texts = [
        ("project", &broadcast.project),
        ("scene", &broadcast.scene),
        ("take", &broadcast.take),
        ("tape", &broadcast.tape),
        ("note", &broadcast.note),
    ];
    for (field, text) in texts {
        check_text(&format!("/broadcast/{field}"), field, text, report);
    }
    if let Some(date) = broadcast.origination_date.as_ref().filter(|date| !is_date(date)) {
        let message = format!("there is no {date}");
        report.push("/broadcast/origination_date", "out_of_range", message, "a date like \"2026-11-24\"");
    }
    context.frames(&broadcast.time_reference, "/broadcast/time_reference", report)
}

/// Whether text of the form `yyyy-mm-dd` is a day of the Gregorian calendar.
fn is_date(text: &str) -> bool {
    let mut numbers = text.split('-').map_while(|part| part.parse::<u32>().ok());
    let (Some(year), Some(month), Some(day)) = (numbers.next(), numbers.next(), numbers.next()) else { return false };
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => 0,
    };
    (1..=days).contains(&day)
}
