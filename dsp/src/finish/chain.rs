//! The streaming part of the finish: source → rate conversion → trim and fades → gain → limiter.

use std::io;
use std::ops::Range;
use std::path::Path;

use super::edges::{Edges, overlap};
use super::{BLOCK_FRAMES, LOOKAHEAD_MS, RELEASE_MS};
use crate::buffer::Buffer;
use crate::graph::fade::ClipGain;
use crate::kernels::limiter::LimiterKernel;
use crate::kernels::resampler::Resampler;
use crate::media::pcm::PcmReader;
use crate::quality::WINDOW_FRAMES;
use crate::units::frames_from_ms;

/// The limiter's ceiling over time: one linear value, lowered in windows where a reader saw an over.
#[derive(Debug, Clone)]
pub(super) struct Ceiling {
    linear: f64,
    /// Per window of [`WINDOW_FRAMES`] output frames.
    factors: Vec<f64>,
}

impl Ceiling {
    pub(super) fn new(linear: f64, frames: u64) -> Self {
        let windows = frames.div_ceil(WINDOW_FRAMES as u64) as usize;
        Self { linear, factors: vec![1.0; windows] }
    }

    /// Lowers the ceiling by `factor` (below 1) in a window and its neighbours: a reader sees a peak up to its own length
    /// late, and the gain moves before it.
    pub(super) fn lower(&mut self, window: usize, factor: f64) {
        let first = window.saturating_sub(1);
        let last = (window + 1).min(self.factors.len().saturating_sub(1));
        for lowered in self.factors.iter_mut().take(last + 1).skip(first) {
            *lowered *= factor;
        }
    }

    fn fill(&self, from_frame: u64, frames: usize, out: &mut Vec<f32>) {
        out.clear();
        out.extend((from_frame..from_frame + frames as u64).map(|frame| {
            let factor = self.factors.get(frame as usize / WINDOW_FRAMES).copied().unwrap_or(1.0);
            (self.linear * factor) as f32
        }));
    }
}

/// What the chain does to its source.
pub(super) struct ChainSpec<'a> {
    /// PCM artifact of a mix or stem.
    pub source: &'a Path,
    /// Frames of the session; the source is cut or continued with silence to this.
    pub length_frames: u64,
    /// What is kept of them.
    pub edges: Edges,
    /// Rate of the output in Hz.
    pub sample_rate_hz: u32,
    /// Linear gain, and the ceiling of the limiter after it; `None` leaves the signal alone.
    pub mastering: Option<(f64, Ceiling)>,
    /// Linear gain after the limiter: 1 unless the ceiling could not be held otherwise.
    pub trim: f64,
}

/// The chain at work: yields blocks until [`Chain::frames`] have come out.
pub(super) struct Chain {
    reader: PcmReader,
    /// The first sample read that is no number: its channel and its frame.
    not_a_number: Option<(usize, u64)>,
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
    mastering: Option<Mastering>,
    trim: f32,
    emitted: u64,
    read: Buffer,
    converted: Buffer,
}

struct Mastering {
    gain: f64,
    limiter: LimiterKernel,
    ceiling: Ceiling,
    ceiling_block: Vec<f32>,
    /// Frames that went into the limiter.
    position: u64,
    /// Frames of the limiter's latency still to be dropped from its output.
    skip: usize,
    /// Frames of silence still to be fed so that the latency comes out.
    drain: usize,
}

impl Chain {
    pub(super) fn open(spec: ChainSpec<'_>) -> io::Result<Self> {
        let reader = PcmReader::open(spec.source)?;
        let channels = reader.channels();
        let from_hz = reader.sample_rate_hz();
        let resampler =
            (from_hz != spec.sample_rate_hz).then(|| Resampler::new(from_hz, spec.sample_rate_hz, channels));
        let mastering =
            spec.mastering.map(|(gain, ceiling)| Mastering::new(gain, ceiling, spec.sample_rate_hz, channels));
        let kept = spec.edges.kept_at(from_hz, spec.sample_rate_hz);
        let scaled = |fade: Option<(u64, _)>| {
            fade.map(|(frames, curve)| (Resampler::output_frames(from_hz, spec.sample_rate_hz, frames), curve))
        };
        let (fade_in, fade_out) = (scaled(spec.edges.fade_in), scaled(spec.edges.fade_out));
        Ok(Self {
            not_a_number: None,
            source_read: 0,
            source_frames: spec.length_frames,
            resampler,
            flushed: false,
            converted_frames: 0,
            fades: ClipGain::fades(kept.end - kept.start, fade_in, fade_out),
            kept,
            edges: spec.edges,
            mastering,
            trim: spec.trim as f32,
            emitted: 0,
            read: Buffer::new(channels, BLOCK_FRAMES),
            converted: Buffer::new(channels, 0),
            reader,
        })
    }

    /// Frames that come out in all.
    pub(super) fn frames(&self) -> u64 {
        self.kept.end - self.kept.start
    }

    /// Channels that come out.
    pub(super) fn channels(&self) -> usize {
        self.reader.channels()
    }

    /// The place of the first sample of the source so far that is NaN or infinite: whatever the chain made of it is no sound.
    pub(super) fn not_a_number(&self) -> Option<String> {
        let (channel, frame) = self.not_a_number?;
        let seconds = frame as f64 / f64::from(self.reader.sample_rate_hz());
        Some(format!("channel {} is NaN or infinite at frame {frame} ({seconds:.6} s)", channel + 1))
    }

    /// The lowest gain of the limiter so far; 1 without one.
    pub(super) fn lowest_gain(&self) -> f64 {
        self.mastering.as_ref().map_or(1.0, |mastering| mastering.limiter.lowest_gain())
    }

    /// Fills `out` with the next block, never empty; false at the end.
    pub(super) fn next(&mut self, out: &mut Buffer) -> io::Result<bool> {
        while self.emitted < self.frames() {
            self.pull()?;
            let skipped = match &mut self.mastering {
                None => 0,
                Some(mastering) => mastering.process(&mut self.converted),
            };
            let ready = (self.converted.frames() - skipped).min((self.frames() - self.emitted) as usize);
            if ready == 0 {
                continue;
            }
            out.set_frames(ready);
            for (to, from) in out.iter_mut().zip(self.converted.iter()) {
                for (sample, limited) in to.iter_mut().zip(&from[skipped..]) {
                    *sample = *limited * self.trim;
                }
            }
            self.emitted += ready as u64;
            return Ok(true);
        }
        Ok(false)
    }

    /// Puts the next frames at the output rate into `converted`: what is kept of the source and of what the converter still
    /// holds, then the silence that pushes the limiter's latency out.
    fn pull(&mut self) -> io::Result<()> {
        if self.converted_frames < self.kept.end && self.convert()? {
            self.cut();
            return Ok(());
        }
        let drain = self.mastering.as_mut().map_or(0, |mastering| std::mem::take(&mut mastering.drain));
        if drain == 0 {
            let short = format!("the chain ended after {} of {} frames", self.emitted, self.frames());
            return Err(io::Error::other(short));
        }
        self.converted.set_frames(drain);
        self.converted.clear();
        Ok(())
    }

    /// Reads on and converts; false when there is no more.
    fn convert(&mut self) -> io::Result<bool> {
        if self.source_read < self.source_frames {
            let frames = (self.source_frames - self.source_read).min(BLOCK_FRAMES as u64);
            self.read.set_frames(frames as usize);
            self.reader.read(&mut self.read)?;
            self.not_a_number = self.not_a_number.or_else(|| {
                let places = self.read.iter().map(|channel| channel.iter().position(|sample| !sample.is_finite()));
                let first =
                    places.enumerate().filter_map(|(channel, at)| Some((channel, at? as u64 + self.source_read)));
                first.min_by_key(|(channel, frame)| (*frame, *channel))
            });
            self.edges.take_dc(self.source_read, &mut self.read);
            self.source_read += frames;
            match &mut self.resampler {
                Some(resampler) => resampler.process(&self.read, &mut self.converted),
                None => std::mem::swap(&mut self.read, &mut self.converted),
            }
            return Ok(true);
        }
        let left = self.resampler.as_mut().filter(|_| !self.flushed);
        let Some(resampler) = left else { return Ok(false) };
        resampler.flush(&mut self.converted);
        self.flushed = true;
        Ok(true)
    }

    /// Leaves what is kept of the latest converted frames, faded.
    fn cut(&mut self) {
        let frames = self.converted.frames();
        let inside = overlap(self.converted_frames, frames, &self.kept);
        let first = (self.converted_frames + inside.start as u64).saturating_sub(self.kept.start);
        self.converted_frames += frames as u64;
        if inside.len() < frames {
            for channel in self.converted.iter_mut() {
                channel.copy_within(inside.clone(), 0);
            }
            self.converted.set_frames(inside.len());
        }
        if self.fades.constant_over(first, inside.len() as u64).is_none() {
            for channel in self.converted.iter_mut() {
                for (frame, sample) in (first..).zip(channel) {
                    *sample = (f64::from(*sample) * self.fades.at(frame)) as f32;
                }
            }
        }
    }
}

impl Mastering {
    fn new(gain: f64, ceiling: Ceiling, sample_rate_hz: u32, channels: usize) -> Self {
        let lookahead = frames_from_ms(LOOKAHEAD_MS, sample_rate_hz);
        let limiter = LimiterKernel::new(sample_rate_hz, channels, ceiling.linear, lookahead, RELEASE_MS);
        let latency = limiter.latency_frames();
        Self { gain, limiter, ceiling, ceiling_block: Vec::new(), position: 0, skip: latency, drain: latency }
    }

    /// Gain and limiter in place; returns how many frames at the block's start are still latency.
    fn process(&mut self, block: &mut Buffer) -> usize {
        let frames = block.frames();
        for channel in block.iter_mut() {
            for sample in channel {
                *sample = (f64::from(*sample) * self.gain) as f32;
            }
        }
        self.ceiling.fill(self.position, frames, &mut self.ceiling_block);
        self.limiter.process_with_ceiling(block, &self.ceiling_block);
        self.position += frames as u64;
        let skipped = self.skip.min(frames);
        self.skip -= skipped;
        skipped
    }
}
