//! Deliverables: what each holds, and a file name that is safe on every system.

use std::collections::BTreeMap;

use super::clips::fade;
use super::lossy::{encoding, sample_rate_hz};
use super::mixes::find;
use super::{Context, Report};
use crate::kernels::resampler::Resampler;
use crate::session::document::{self, Depth, Format};
use crate::session::valid::{Content, Deliverable, Mix};

const MAX_NAME_CHARS: usize = 200;
/// With the extension, a name stays below the 255 bytes that common file systems allow.
const MAX_NAME_BYTES: usize = 240;
/// 32 bits count the bytes of an AIFF file; what is left is more than tags and cover can take.
const MAX_AIFF_DATA_BYTES: u64 = (1 << 32) - (32 << 20);

/// The files asked for of a session of `length_frames`.
pub(super) fn deliverables(
    mixes: &[Mix],
    length_frames: u64,
    context: &Context<'_>,
    report: &mut Report,
) -> Vec<Deliverable> {
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    let mut deliverables = Vec::new();
    for (index, document) in context.document.deliverables.iter().enumerate() {
        let pointer = format!("/deliverables/{index}");
        check_name(&format!("{pointer}/name"), &document.name, report);
        let file_name = format!("{}.{}", document.name, document.format.extension());
        // Lower case, because some systems hold `Mix.wav` and `mix.wav` for one file.
        if let Some(first) = names.get(&file_name.to_lowercase()) {
            let message = format!("deliverable {} is {file_name:?} too", first + 1);
            report.push(
                format!("{pointer}/name"),
                "duplicate_name",
                message,
                "a file name of its own, whatever its case",
            );
        } else {
            names.insert(file_name.to_lowercase(), index);
        }
        let sample_rate_hz = sample_rate_hz(&pointer, document, context.base.sample_rate_hz, report);
        check_format(&pointer, document, length_frames, context, report);
        check_dither(&pointer, document, context.base.sample_rate_hz, report);
        let mut fade = |name: &str, asked: &Option<document::Fade>| {
            fade(&format!("{pointer}/{name}"), asked.as_ref(), ("file", length_frames), context, report)
        };
        let (fade_in, fade_out) = (fade("fade_in", &document.fade_in), fade("fade_out", &document.fade_out));
        if let Some(content) = content(&pointer, document, mixes, context, report) {
            let (depth, lossy) = encoding(&pointer, document, content, mixes, context, report);
            deliverables.push(Deliverable {
                file_name,
                content,
                format: document.format,
                depth,
                lossy,
                sample_rate_hz,
                dither: document.dither,
                trim: document.trim.clone(),
                fade_in,
                fade_out,
                remove_dc: document.remove_dc,
                replay_gain: document
                    .replay_gain
                    .unwrap_or(document.format.is_played() && matches!(content, Content::Mix(_))),
            });
        }
    }
    deliverables
}

fn check_name(pointer: &str, name: &str, report: &mut Report) {
    let chars = name.chars().count();
    let (message, expected) = if name.trim().is_empty() {
        ("the file name is empty".to_owned(), "1 to 200 characters")
    } else if name.contains(['/', '\\']) {
        (format!("the file name {name:?} holds a path separator"), "a name without `/` and `\\`")
    } else if name.starts_with('.') {
        (format!("the file name {name:?} begins with a dot"), "a name that does not begin with a dot")
    } else if name.chars().any(char::is_control) {
        (format!("the file name {name:?} holds a control character"), "a name without control characters")
    } else if chars > MAX_NAME_CHARS || name.len() > MAX_NAME_BYTES {
        let message = format!("the file name has {chars} characters in {} bytes", name.len());
        (message, "at most 200 characters in at most 240 bytes of UTF-8")
    } else {
        return;
    };
    report.push(pointer, "bad_file_name", message, expected);
}

fn check_format(
    pointer: &str,
    deliverable: &document::Deliverable,
    length_frames: u64,
    context: &Context<'_>,
    report: &mut Report,
) {
    if deliverable.format == Format::Flac && deliverable.depth == Some(Depth::Float32) {
        let message = "FLAC holds whole numbers, no floating point";
        report.push(format!("{pointer}/depth"), "unsupported", message, "\"16\" or \"24\", or `format = \"wav\"`");
    }
    if deliverable.format == Format::Aiff && deliverable.mix.is_some() {
        let session_rate_hz = context.base.sample_rate_hz;
        let rate_hz = deliverable.sample_rate_hz.unwrap_or(session_rate_hz);
        let frame_bytes = 2 * deliverable.depth.map_or(4, Depth::sample_bytes) as u64;
        let bytes = Resampler::output_frames(session_rate_hz, rate_hz, length_frames) * frame_bytes;
        if bytes > MAX_AIFF_DATA_BYTES {
            let message = format!("the audio takes {bytes} bytes: AIFF ends at 4 GiB");
            report.push(format!("{pointer}/format"), "out_of_range", message, "\"wav\", \"bwf\" or \"flac\"");
        }
    }
}

/// A shaped dither belongs to one rate, and to a depth whose noise is heard.
fn check_dither(pointer: &str, deliverable: &document::Deliverable, session_rate_hz: u32, report: &mut Report) {
    let Some(shape) = deliverable.dither.shape() else { return };
    let rate_hz = deliverable.sample_rate_hz.unwrap_or(session_rate_hz);
    let expected = format!("16 bits at {} Hz, or `dither = \"tpdf\"`", shape.sample_rate_hz);
    let mut refuse = |message: String| report.push(format!("{pointer}/dither"), "unsupported", message, &*expected);
    if rate_hz != shape.sample_rate_hz {
        refuse(format!(
            "the curve of this dither is made for {} Hz: at {rate_hz} Hz it would lift noise where ears are keen",
            shape.sample_rate_hz
        ));
    } else if deliverable.depth != Some(Depth::Int16) {
        refuse("the noise of flat dither is below hearing at this depth: shaping would only add to it".to_owned());
    }
}

fn content(
    pointer: &str,
    deliverable: &document::Deliverable,
    mixes: &[Mix],
    context: &Context<'_>,
    report: &mut Report,
) -> Option<Content> {
    match (&deliverable.mix, &deliverable.print) {
        (Some(mix), None) => find(mix, mixes, &format!("{pointer}/mix"), report).map(Content::Mix),
        (None, Some(track)) => {
            let reason = "a print holds the stem of a track";
            context.names.track(track, reason, &format!("{pointer}/print"), report).map(Content::Print)
        }
        (Some(_), Some(_)) => {
            let message = "a deliverable holds a mix or a print, not both";
            report.push(format!("{pointer}/print"), "too_many", message, "either `mix` or `print`");
            None
        }
        (None, None) => {
            report.push(pointer, "missing_field", "the deliverable holds nothing", "`mix` or `print`");
            None
        }
    }
}
