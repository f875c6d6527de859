//! Deliverables: the files that each asks for, under names of their own.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use unicode_normalization::UnicodeNormalization;

use super::clips::fade;
use super::contents::Contents;
use super::file_name::{Subject, Template};
use super::lossy::{encoding, sample_rate_hz};
use super::mixes::usual;
use super::shares::Desk;
use super::{Context, Report};
use crate::kernels::resampler::Resampler;
use crate::session::document::{self, Depth, Each, Format};
use crate::session::fault::Fault;
use crate::session::valid::{Content, Deliverable, GroupPrint, Mix};

/// 32 bits count the bytes of an AIFF file; what is left is more than tags and cover can take.
const MAX_AIFF_DATA_BYTES: u64 = (1 << 32) - (32 << 20);
/// The most files of a session.
const MAX_FILES: usize = 1024;

/// What came of a session's deliverables.
pub(super) struct Deliverables {
    pub files: Vec<Deliverable>,
    pub group_prints: Vec<GroupPrint>,
    /// What the engineer should know.
    pub notes: Vec<Fault>,
}

/// The files asked for of a session of `length_frames`.
pub(super) fn deliverables(
    desk: Desk<'_>,
    length_frames: u64,
    context: &Context<'_>,
    report: &mut Report,
) -> Deliverables {
    let mixes = desk.mixes;
    let mut contents = Contents::new(desk);
    let mut files: Vec<Deliverable> = Vec::new();
    let mut names = FileNames::default();
    for (index, document) in context.document.deliverables.iter().enumerate() {
        let pointer = format!("/deliverables/{index}");
        let sample_rate_hz = sample_rate_hz(&pointer, document, context.base.sample_rate_hz, report);
        check_format(&pointer, document, length_frames, context, report);
        check_dither(&pointer, document, context.base.sample_rate_hz, report);
        let mut fade = |name: &str, asked: &Option<document::Fade>| {
            fade(&format!("{pointer}/{name}"), asked.as_ref(), ("file", length_frames), context, report)
        };
        let (fade_in, fade_out) = (fade("fade_in", &document.fade_in), fade("fade_out", &document.fade_out));
        let name_pointer = format!("{pointer}/name");
        let template = document.name.as_deref().map(|name| Template::read(name, &name_pointer, report));
        let held = contents.of(&pointer, document, context, report);
        let template = match template {
            Some(None) => continue,
            Some(Some(template)) if document.each.is_some() && held.len() > 1 && !template.tells_apart() => {
                let message = format!("{} files would have the same name", held.len());
                let expected = "a name with `{mix}`, `{group}`, `{track}` or `{number}`, whichever tells them apart";
                report.push(name_pointer, "duplicate_name", message, expected);
                continue;
            }
            Some(given) => given,
            None => None,
        };
        if files.len() + held.len() > MAX_FILES {
            let message = format!("up to here the deliverables ask for {} files", files.len() + held.len());
            report.push(&pointer, "out_of_range", message, format!("at most {MAX_FILES} files"));
            break;
        }
        let count = held.len();
        for (at, content) in held.into_iter().enumerate() {
            let number = document.each.map(|_| (at + 1, count));
            let subject = subject(content, &contents.group_prints, document, sample_rate_hz, number, mixes, context);
            let file_name = match &template {
                Some(template) => template.file_name(&subject, &name_pointer, report),
                None => subject.usual_name(&name_pointer, report),
            };
            let Some(file_name) = file_name else { break };
            names.take(&file_name, index, &name_pointer, report);
            let faults = report.0.len();
            let (depth, lossy) = encoding(&pointer, document, content, mixes, context, report);
            // The other files of the entry would be told the same.
            if report.0.len() > faults {
                break;
            }
            files.push(Deliverable {
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
    let Contents { group_prints, notes, .. } = contents;
    Deliverables { files, group_prints, notes }
}

/// What a file is, for its name; `number` is its place among the files of its deliverable.
fn subject<'a>(
    content: Content,
    prints: &'a [GroupPrint],
    document: &document::Deliverable,
    sample_rate_hz: u32,
    number: Option<(usize, usize)>,
    mixes: &'a [Mix],
    context: &'a Context<'_>,
) -> Subject<'a> {
    let (mix, track, group) = match content {
        Content::Mix(mix) => (Some(mix), None, None),
        Content::Print(track) => (None, Some(context.document.tracks[track].name.as_str()), None),
        Content::Group(print) => (Some(prints[print].mix), None, Some(prints[print].name.as_str())),
    };
    Subject {
        metadata: &context.document.metadata,
        mix: mix.map(|mix| mixes[mix].name.as_str()),
        is_usual_mix: mix == Some(usual(mixes)),
        track,
        group,
        sample_rate_hz,
        depth: document.depth,
        format: document.format.extension(),
        number,
    }
}

/// The names of the files so far, as a system takes them for one that tells apart the least.
#[derive(Default)]
struct FileNames(BTreeMap<String, (usize, String)>);

impl FileNames {
    /// Takes a name for a file of the deliverable at `index`; reports one that is taken.
    fn take(&mut self, file_name: &str, index: usize, pointer: &str, report: &mut Report) {
        match self.0.entry(folded(file_name)) {
            Entry::Vacant(vacant) => {
                vacant.insert((index, file_name.to_owned()));
            }
            Entry::Occupied(first) => {
                let (first, first_name) = first.get();
                let message = if first_name == file_name {
                    format!("deliverable {} is {file_name:?} too", first + 1)
                } else {
                    format!("deliverable {} is {first_name:?}, which some systems take for {file_name:?}", first + 1)
                };
                report.push(
                    pointer,
                    "duplicate_name",
                    message,
                    "a file name of its own, whatever its case; `{rate}`, `{depth}` and the like tell files apart",
                );
            }
        }
    }
}

/// A name as file systems see it that know neither case (some hold `Mix.wav` and `mix.wav` for one file, and `ß` for `SS`)
/// nor how accents are put together (Unicode normalisation form C).
fn folded(name: &str) -> String {
    name.nfc().collect::<String>().to_uppercase().to_lowercase().nfc().collect()
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
    let is_stereo = deliverable.print.is_none() && deliverable.each != Some(Each::Track);
    if deliverable.format == Format::Aiff && is_stereo {
        let session_rate_hz = context.base.sample_rate_hz;
        let rate_hz = deliverable.sample_rate_hz.unwrap_or(session_rate_hz);
        // Without a depth, that is told elsewhere.
        let frame_bytes = 2 * deliverable.depth.unwrap_or(Depth::Float32).sample_bytes() as u64;
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
