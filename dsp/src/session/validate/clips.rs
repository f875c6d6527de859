//! Tracks' clips: what plays when, within its file.

use super::files::{check_file_name, unknown_file};
use super::{Context, Report};
use crate::kernels::resampler::Resampler;
use crate::session::document::{self, AssetFacts, FadeCurve};
use crate::session::time::MAX_SESSION_SECONDS;
use crate::session::valid::Clip;

/// A track's clips, and the channels that they make.
pub(super) struct Clips {
    pub clips: Vec<Clip>,
    pub channels: usize,
}

/// The clips of the track at `pointer`.
pub(super) fn clips(pointer: &str, track: &document::Track, context: &Context<'_>, report: &mut Report) -> Clips {
    let facts: Vec<Option<&AssetFacts>> =
        track.clips.iter().map(|clip| context.document.assets.get(&clip.file)).collect();
    let widest = facts.iter().flatten().map(|facts| facts.channels).max().unwrap_or(1);
    let channels = track.channels.unwrap_or(widest).clamp(1, 2);
    let mut clips = Vec::new();
    for (index, (clip, facts)) in track.clips.iter().zip(facts).enumerate() {
        let pointer = format!("{pointer}/clips/{index}");
        match facts {
            Some(facts) => {
                check_file_name(&format!("{pointer}/file"), &clip.file, report);
                check_channels(&pointer, clip, facts, channels, report);
                clips.extend(self::clip(&pointer, clip, facts, context, report));
            }
            None => unknown_file(&format!("{pointer}/file"), &clip.file, context, report),
        }
    }
    Clips { clips, channels: channels as usize }
}

fn check_channels(pointer: &str, clip: &document::Clip, facts: &AssetFacts, channels: u32, report: &mut Report) {
    let file = &clip.file;
    if facts.channels > 2 {
        let message = format!("{file:?} has {} channels; sessions are stereo", facts.channels);
        report.push(
            format!("{pointer}/file"),
            "too_many_channels",
            message,
            "a mono or stereo file, or one file per channel",
        );
    } else if facts.channels > channels {
        let message = format!("{file:?} is stereo on a mono track");
        report.push(
            format!("{pointer}/file"),
            "stereo_on_mono",
            message,
            "a mono file, or `channels = 2` on the track",
        );
    }
}

fn clip(
    pointer: &str,
    clip: &document::Clip,
    facts: &AssetFacts,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<Clip> {
    let found = report.0.len();
    let rate = context.base.sample_rate_hz;
    let frames = Resampler::output_frames(facts.sample_rate_hz.max(1), rate, facts.frames);
    let at_frames = context.frames(&clip.at, &format!("{pointer}/at"), report);
    let offset_frames = context.frames(&clip.offset, &format!("{pointer}/offset"), report);
    let left = frames.saturating_sub(offset_frames);
    if left == 0 {
        let message = format!("the offset of {offset_frames} frames leaves nothing of {:?}", clip.file);
        let expected = format!("less than its {frames} frames at {rate} Hz");
        report.push(format!("{pointer}/offset"), "out_of_range", message, expected);
    }
    let length_at = format!("{pointer}/length");
    let length_frames = clip.length.as_ref().map_or(left, |length| context.frames(length, &length_at, report));
    if report.0.len() > found {
        return None;
    }
    if length_frames == 0 || length_frames > left {
        let message = format!("the clip is {length_frames} frames long");
        let expected = format!("1 to {left} frames: what {:?} has at {rate} Hz after the offset", clip.file);
        report.push(length_at, "out_of_range", message, expected);
        return None;
    }
    let max_frames = MAX_SESSION_SECONDS * u64::from(rate);
    if at_frames + length_frames > max_frames {
        let message = "the clip ends after more than 24 hours";
        report.push(format!("{pointer}/at"), "out_of_range", message, format!("an end within {max_frames} frames"));
    }
    let fade_in = fade(&format!("{pointer}/fade_in"), clip.fade_in.as_ref(), ("clip", length_frames), context, report);
    let fade_out =
        fade(&format!("{pointer}/fade_out"), clip.fade_out.as_ref(), ("clip", length_frames), context, report);
    let asset = *context.assets.get(clip.file.as_str())?;
    Some(Clip { asset, at_frames, offset_frames, length_frames, gain_db: clip.gain_db, fade_in, fade_out })
}

/// A fade of something with so many frames: length and course.
pub(super) fn fade(
    pointer: &str,
    fade: Option<&document::Fade>,
    (what, whole_frames): (&str, u64),
    context: &Context<'_>,
    report: &mut Report,
) -> Option<(u64, FadeCurve)> {
    let fade = fade?;
    let pointer = format!("{pointer}/length");
    let frames = context.frames(&fade.length, &pointer, report);
    if frames > whole_frames {
        let message = format!("the fade is {frames} frames long, longer than its {what}");
        report.push(pointer, "out_of_range", message, format!("at most the {what}'s {whole_frames} frames"));
    }
    (frames > 0).then_some((frames, fade.curve))
}
