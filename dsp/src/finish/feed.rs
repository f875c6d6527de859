//! The source of a file: read, rid of direct current, converted, trimmed and faded.

use std::io;
use std::ops::Range;
use std::path::Path;

use super::BLOCK_FRAMES;
use super::edges::{Edges, overlap};
use super::numbers::Numbers;
use crate::buffer::Buffer;
use crate::graph::fade::ClipGain;
use crate::kernels::resampler::Resampler;
use crate::media::pcm::PcmReader;

/// The source at work.
pub(super) struct Feed {
    reader: PcmReader,
    numbers: Numbers,
    /// Frames of the session read so far, and all of them.
    source_read: u64,
    source_frames: u64,
    edges: Edges,
    resampler: Option<Resampler>,
    flushed: bool,
    /// Frames that the converter has given.
    converted_frames: u64,
    /// Those that are kept.
    kept: Range<u64>,
    fades: ClipGain,
    /// Frames of silence that come behind.
    silence: usize,
    read: Buffer,
}

impl Feed {
    /// `source`, the PCM artifact of a mix or stem, cut or continued with silence to `length_frames`, within its edges, at a
    /// rate in Hz.
    pub(super) fn open(source: &Path, length_frames: u64, edges: Edges, sample_rate_hz: u32) -> io::Result<Self> {
        let reader = PcmReader::open(source)?;
        let (from_hz, channels) = (reader.sample_rate_hz(), reader.channels());
        let resampler = (from_hz != sample_rate_hz).then(|| Resampler::new(from_hz, sample_rate_hz, channels));
        let kept = edges.kept_at(from_hz, sample_rate_hz);
        let scaled = |fade: Option<(u64, _)>| {
            fade.map(|(frames, curve)| (Resampler::output_frames(from_hz, sample_rate_hz, frames), curve))
        };
        let (fade_in, fade_out) = (scaled(edges.fade_in), scaled(edges.fade_out));
        Ok(Self {
            numbers: Numbers::new(from_hz),
            source_read: 0,
            source_frames: length_frames,
            resampler,
            flushed: false,
            converted_frames: 0,
            fades: ClipGain::fades(kept.end - kept.start, fade_in, fade_out),
            kept,
            edges,
            silence: 0,
            read: Buffer::new(channels, 0),
            reader,
        })
    }

    /// The same with so much silence behind: it pushes out what a limiter holds.
    pub(super) fn followed_by(self, silence: usize) -> Self {
        Self { silence, ..self }
    }

    /// Frames that are kept.
    pub(super) fn frames(&self) -> u64 {
        self.kept.end - self.kept.start
    }

    pub(super) fn channels(&self) -> usize {
        self.reader.channels()
    }

    /// The place of the first sample of the source so far that is NaN or infinite.
    pub(super) fn not_a_number(&self) -> Option<String> {
        self.numbers.fault()
    }

    /// Fills `out` with the next frames, which may be none; false at the end.
    pub(super) fn next(&mut self, out: &mut Buffer) -> io::Result<bool> {
        if self.converted_frames < self.kept.end {
            if !self.convert(out)? {
                let short = format!("the source ended after {} of {} frames", self.converted_frames, self.kept.end);
                return Err(io::Error::other(short));
            }
            self.cut(out);
            return Ok(true);
        }
        out.set_frames(std::mem::take(&mut self.silence));
        out.clear();
        Ok(out.frames() > 0)
    }

    /// Reads on and converts; false when there is no more.
    fn convert(&mut self, out: &mut Buffer) -> io::Result<bool> {
        if self.source_read < self.source_frames {
            let frames = (self.source_frames - self.source_read).min(BLOCK_FRAMES as u64);
            let read = if self.resampler.is_some() { &mut self.read } else { &mut *out };
            read.set_frames(frames as usize);
            self.reader.read(read)?;
            self.numbers.push(read);
            self.edges.take_dc(self.source_read, read);
            self.source_read += frames;
            if let Some(resampler) = &mut self.resampler {
                resampler.process(&self.read, out);
            }
            return Ok(true);
        }
        let left = self.resampler.as_mut().filter(|_| !self.flushed);
        let Some(resampler) = left else { return Ok(false) };
        resampler.flush(out);
        self.flushed = true;
        Ok(true)
    }

    /// Leaves what is kept of the latest converted frames, faded.
    fn cut(&mut self, out: &mut Buffer) {
        let frames = out.frames();
        let inside = overlap(self.converted_frames, frames, &self.kept);
        let first = (self.converted_frames + inside.start as u64).saturating_sub(self.kept.start);
        self.converted_frames += frames as u64;
        if inside.len() < frames {
            for channel in out.iter_mut() {
                channel.copy_within(inside.clone(), 0);
            }
            out.set_frames(inside.len());
        }
        if self.fades.constant_over(first, inside.len() as u64).is_none() {
            for channel in out.iter_mut() {
                for (frame, sample) in (first..).zip(channel) {
                    *sample = (f64::from(*sample) * self.fades.at(frame)) as f32;
                }
            }
        }
    }
}
