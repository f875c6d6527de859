//! What a file keeps of its source: where its sound begins and ends, and the direct current taken out of it.

use std::io;
use std::ops::Range;
use std::path::Path;

use super::BLOCK_FRAMES;
use crate::buffer::Buffer;
use crate::kernels::resampler::Resampler;
use crate::media::pcm::PcmReader;
use crate::session::document::FadeCurve;
use crate::session::valid::{Deliverable, Trim};
use crate::units::{frames_from_ms, gain_from_db};

/// A mean below this, in dBFS, is left: at 16 bits it is no more than ten steps, and no bit need change for it.
const DC_FLOOR_DBFS: f64 = -70.0;

/// What is kept, in frames of the source; and what is taken from each of its samples.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Edges {
    /// The frames that are kept.
    pub kept: Range<u64>,
    /// Per channel, the direct current that is taken out; 0 leaves every bit as it is.
    pub dc: Vec<f64>,
    /// The frames it is taken from: from the first sample that is not 0 to the last. Digital silence stays silent.
    pub sounding: Range<u64>,
    /// Fades over what is kept, their lengths in frames of the source.
    pub fade_in: Option<(u64, FadeCurve)>,
    /// The same at the end.
    pub fade_out: Option<(u64, FadeCurve)>,
}

impl Edges {
    /// The whole source as it is.
    pub(super) fn whole(frames: u64) -> Self {
        Self { kept: 0..frames, dc: Vec::new(), sounding: 0..0, fade_in: None, fade_out: None }
    }

    /// What `asked` wants kept of the first `frames` of `source`. Reads it once for the mean and once for the trim, if asked.
    pub(super) fn find(source: &Path, frames: u64, asked: &Deliverable) -> io::Result<Self> {
        let mut edges = Self { fade_in: asked.fade_in, fade_out: asked.fade_out, ..Self::whole(frames) };
        if asked.remove_dc {
            edges.find_dc(source)?;
        }
        if let Some(trim) = &asked.trim {
            edges.find_sound(source, trim)?;
        }
        Ok(edges)
    }

    /// The mean of each channel from the first sample that is not 0 to the last, in f64; sums go block by block.
    fn find_dc(&mut self, source: &Path) -> io::Result<()> {
        let mut sums: Vec<f64> = Vec::new();
        let mut sounding: Option<Range<u64>> = None;
        each_block(source, self.kept.end, |start, block| {
            sums.resize(block.channel_count(), 0.0);
            for (sum, channel) in sums.iter_mut().zip(block.iter()) {
                *sum += channel.iter().fold(0.0, |sum, x| sum + f64::from(*x));
                widen(&mut sounding, start, channel, |x| x != 0.0);
            }
        })?;
        self.sounding = sounding.unwrap_or(0..0);
        let frames = (self.sounding.end - self.sounding.start).max(1) as f64;
        let floor = gain_from_db(DC_FLOOR_DBFS);
        self.dc = sums.iter().map(|sum| sum / frames).map(|mean| if mean.abs() > floor { mean } else { 0.0 }).collect();
        Ok(())
    }

    /// From the first sample of any channel over the threshold to the last, and so much before and after it as is to be
    /// kept. Where nothing is over it, everything is kept.
    fn find_sound(&mut self, source: &Path, trim: &Trim) -> io::Result<()> {
        let threshold = gain_from_db(trim.threshold_dbfs) as f32;
        let mut sound: Option<Range<u64>> = None;
        let sample_rate_hz = PcmReader::open(source)?.sample_rate_hz();
        each_block(source, self.kept.end, |start, block| {
            self.take_dc(start, block);
            for channel in block.iter() {
                widen(&mut sound, start, channel, |x| x.abs() > threshold);
            }
        })?;
        if let Some(sound) = sound {
            let keep = |ms: f64| frames_from_ms(ms, sample_rate_hz) as u64;
            let start = sound.start.saturating_sub(keep(trim.keep_head_ms));
            let end = (sound.end + keep(trim.keep_tail_ms)).min(self.kept.end);
            self.kept = start..end;
        }
        Ok(())
    }

    /// Takes the direct current out of a block of the source whose first frame is `start`.
    pub(super) fn take_dc(&self, start: u64, block: &mut Buffer) {
        let inside = overlap(start, block.frames(), &self.sounding);
        for (channel, dc) in block.iter_mut().zip(&self.dc).filter(|(_, dc)| **dc != 0.0) {
            for sample in &mut channel[inside.clone()] {
                *sample = (f64::from(*sample) - dc) as f32;
            }
        }
    }

    /// The same edges in frames of another rate; the direct current belongs to the source's.
    pub(super) fn kept_at(&self, from_hz: u32, to_hz: u32) -> Range<u64> {
        let at = |frame| Resampler::output_frames(from_hz, to_hz, frame);
        at(self.kept.start)..at(self.kept.end)
    }
}

/// The part of a block of `frames` from `start` that lies in `range`.
pub(super) fn overlap(start: u64, frames: usize, range: &Range<u64>) -> Range<usize> {
    let within = |frame: u64| (frame.max(start) - start).min(frames as u64) as usize;
    within(range.start)..within(range.end)
}

/// Widens `range` to the first and last sample of a channel for which `counts` holds.
fn widen(range: &mut Option<Range<u64>>, start: u64, channel: &[f32], counts: impl Fn(f32) -> bool) {
    let first = channel.iter().position(|x| counts(*x));
    let last = channel.iter().rposition(|x| counts(*x));
    if let (Some(first), Some(last)) = (first, last) {
        let (first, end) = (start + first as u64, start + last as u64 + 1);
        let known = range.take().unwrap_or(first..end);
        *range = Some(known.start.min(first)..known.end.max(end));
    }
}

fn each_block(source: &Path, frames: u64, mut take: impl FnMut(u64, &mut Buffer)) -> io::Result<()> {
    let mut reader = PcmReader::open(source)?;
    let mut block = Buffer::new(reader.channels(), BLOCK_FRAMES);
    for start in (0..frames).step_by(BLOCK_FRAMES) {
        block.set_frames((frames - start).min(BLOCK_FRAMES as u64) as usize);
        reader.read(&mut block)?;
        take(start, &mut block);
    }
    Ok(())
}
