//! The files that a session names: those that clips play, the impulse responses of convolutions, the cover.

use super::{Context, Report};
use crate::kernels::resampler::Resampler;
use crate::nodes::{Impulse, MAX_RESPONSE_SECONDS, Processor, RESPONSE_CHANNELS};
use crate::session::document::AssetFacts;
use crate::session::suggest::did_you_mean;
use crate::session::valid::{AssetIndex, Cover};

/// The longest path that common systems take.
const MAX_FILE_NAME_BYTES: usize = 4096;

/// Names reach the cache and the logs of other machines.
pub(super) fn check_file_name(pointer: &str, file: &str, report: &mut Report) {
    if file.is_empty() || file.len() > MAX_FILE_NAME_BYTES || file.chars().any(char::is_control) {
        let message = format!("the file name has {} bytes, or control characters", file.len());
        let expected = format!("1 to {MAX_FILE_NAME_BYTES} bytes of UTF-8 without control characters");
        report.push(pointer, "bad_file_name", message, expected);
    }
}

/// Tells of a file of which nothing is known, unless that has been told.
pub(super) fn unknown_file(pointer: &str, file: &str, context: &Context<'_>, report: &mut Report) {
    if context.unresolved.contains(file) {
        return;
    }
    let known = context.document.assets.keys().map(String::as_str);
    let message = format!("nothing is known of the file {file:?}{}", did_you_mean(file, known));
    report.push(pointer, "missing_asset", message, "its facts under `assets`");
}

/// The cover picture that the metadata names.
pub(super) fn cover(context: &Context<'_>, report: &mut Report) -> Option<Cover> {
    let pointer = "/metadata/cover";
    let name = context.document.metadata.cover.as_ref()?;
    check_file_name(pointer, name, report);
    let facts = context.document.pictures.get(name);
    if facts.is_none() && !context.unresolved.contains(name) {
        let message = format!("nothing is known of the picture {name:?}");
        report.push(pointer, "missing_asset", message, "its facts under `pictures`");
    }
    Some(Cover { name: name.clone(), facts: facts?.clone() })
}

/// The file that the processor of the insert at `pointer` needs, if it needs one; tells the processor what is known of it.
pub(super) fn processor_file(
    pointer: &str,
    processor: &mut Processor,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<AssetIndex> {
    let pointer = format!("{pointer}/{}/file", processor.name());
    let file = processor.file()?.to_owned();
    if file.is_empty() {
        report.push(pointer, "missing_field", "the convolution names no impulse response", "`file`, an audio file");
        return None;
    }
    check_file_name(&pointer, &file, report);
    let Some(facts) = context.document.assets.get(&file) else {
        unknown_file(&pointer, &file, context, report);
        return None;
    };
    check_response(&pointer, &file, facts, report);
    if let Processor::Convolution(convolution) = processor {
        let frames = Resampler::output_frames(facts.sample_rate_hz.max(1), context.base.sample_rate_hz, facts.frames);
        convolution.impulse = Impulse::of_size(facts.channels as usize, frames.max(1) as usize);
    }
    context.assets.get(file.as_str()).copied()
}

fn check_response(pointer: &str, file: &str, facts: &AssetFacts, report: &mut Report) {
    if !RESPONSE_CHANNELS.contains(&(facts.channels as usize)) {
        let message = format!("the impulse response {file:?} has {} channels", facts.channels);
        let expected = "a mono, stereo or true-stereo file (4 channels: LL, LR, RL, RR)";
        report.push(pointer, "too_many_channels", message, expected);
    }
    if facts.frames > MAX_RESPONSE_SECONDS * u64::from(facts.sample_rate_hz) {
        let seconds = facts.frames / u64::from(facts.sample_rate_hz.max(1));
        let message = format!("the impulse response {file:?} lasts more than {seconds} s");
        report.push(pointer, "out_of_range", message, format!("at most {MAX_RESPONSE_SECONDS} s"));
    }
}
