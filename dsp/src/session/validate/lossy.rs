//! Lossless and lossy deliverables: which fields belong to which, and what a lossy one asks of its encoder.

use super::{Context, Report};
use crate::session::document::{Deliverable, Depth, Format, SAMPLE_RATES_HZ};
use crate::session::lossy::{self, Lossy, usual_sample_rate_hz};
use crate::session::valid::{Content, Mix};

/// The greatest cover of a file in Ogg.
const MAX_OGG_COVER_BYTES: u64 = 12_000_000;

/// Bits per sample of the finished audio, and how it is encoded with loss. What an encoder gets is floating point.
pub(super) fn encoding(
    pointer: &str,
    asked: &Deliverable,
    content: Content,
    mixes: &[Mix],
    context: &Context<'_>,
    report: &mut Report,
) -> (Depth, Option<Lossy>) {
    if let Some(reason) = asked.format.why_not_written() {
        let message = format!("{} cannot be written: {reason}", asked.format.label());
        report.push(format!("{pointer}/format"), "unsupported", message, "another format");
        return (Depth::Float32, None);
    }
    if !asked.format.is_lossy() {
        return (lossless(pointer, asked, report), None);
    }
    if asked.depth.is_some() {
        let message = format!("{} has no bits per sample: it is encoded from floating point", asked.format.label());
        report.push(format!("{pointer}/depth"), "unsupported", message, "no `depth`");
    }
    check_cover(asked.format, context, report);
    let bit_rate = lossy::bit_rate(asked).map_err(|refusal| {
        report.push(format!("{pointer}/{}", refusal.field), refusal.code, refusal.message, refusal.expected);
    });
    if asked.keep_ceiling_decoded {
        let limited = matches!(content, Content::Mix(mix) if mixes[mix].master_chain);
        if !limited || context.document.loudness.is_none() {
            let message = "nothing limits this file, so there is no ceiling to keep";
            let expected = "a mix through the master chain in a session with `loudness`";
            report.push(format!("{pointer}/keep_ceiling_decoded"), "unsupported", message, expected);
        }
    }
    let lossy = bit_rate.ok().map(|bit_rate| Lossy { bit_rate, keep_ceiling_decoded: asked.keep_ceiling_decoded });
    (Depth::Float32, lossy)
}

/// In Ogg a cover stands among the comments, in base64, and decoders read no comments of more than 16 MiB.
fn check_cover(format: Format, context: &Context<'_>, report: &mut Report) {
    let metadata = &context.document.metadata;
    let cover = metadata.cover.as_ref().and_then(|cover| context.document.pictures.get(cover));
    if let Some(facts) = cover.filter(|facts| facts.size_bytes > MAX_OGG_COVER_BYTES && format != Format::Mp3) {
        let message = format!("the cover has {} bytes, too many for {}", facts.size_bytes, format.label());
        report.push("/metadata/cover", "too_large", message, format!("at most {MAX_OGG_COVER_BYTES} bytes"));
    }
}

fn lossless(pointer: &str, asked: &Deliverable, report: &mut Report) -> Depth {
    let lossy_fields = [
        ("bitrate_kbps", asked.bitrate_kbps.is_some()),
        ("bitrate_mode", asked.bitrate_mode.is_some()),
        ("quality", asked.quality.is_some()),
        ("keep_ceiling_decoded", asked.keep_ceiling_decoded),
    ];
    for (field, _) in lossy_fields.into_iter().filter(|(_, given)| *given) {
        let message = format!("{} is lossless: `{field}` tells an encoder what may be lost", asked.format.label());
        report.push(format!("{pointer}/{field}"), "unsupported", message, format!("no `{field}`, or a lossy format"));
    }
    asked.depth.unwrap_or_else(|| {
        let message = format!("a {} file needs its bits per sample", asked.format.label());
        report.push(pointer, "missing_field", message, "`depth`: \"16\" or \"24\" or, in WAV, \"32f\"");
        Depth::Float32
    })
}

/// The sample rate of a file.
pub(super) fn sample_rate_hz(pointer: &str, asked: &Deliverable, session_hz: u32, report: &mut Report) -> u32 {
    let Some(rate) = asked.sample_rate_hz else { return usual_sample_rate_hz(asked.format, session_hz) };
    let taken = asked.format.sample_rates_hz();
    let rates = taken.unwrap_or(&SAMPLE_RATES_HZ);
    if !rates.contains(&rate) {
        let expected = rates.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
        let (code, message) = match taken {
            Some(_) if SAMPLE_RATES_HZ.contains(&rate) => {
                ("unsupported", format!("{} has no sample rate of {rate} Hz", asked.format.label()))
            }
            _ => ("out_of_range", format!("sample_rate_hz is {rate}")),
        };
        report.push(format!("{pointer}/sample_rate_hz"), code, message, format!("one of {expected}"));
    }
    rate
}
