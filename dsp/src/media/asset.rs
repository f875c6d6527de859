//! Assets as clips see them.

use std::path::{Path, PathBuf};

use super::decode::{Decoder, Fault, MediaError, Probe};
use super::pcm::PcmReader;
use crate::buffer::Buffer;
use crate::kernels::resampler::Resampler;

/// Frames decoded at a time for conversion.
const INPUT_FRAMES: usize = 2048;

/// Where the frames come from, at the file's own rate.
enum Source {
    Pcm { reader: PcmReader, probe: Probe, path: PathBuf },
    File(Box<Decoder>),
}

impl Source {
    fn open(path: &Path) -> Result<Self, MediaError> {
        let failed = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::InvalidData => Fault::new("corrupt", error.to_string()).of(path),
            _ => Fault::Io(error).of(path),
        };
        if !PcmReader::recognises(path).map_err(failed)? {
            return Ok(Self::File(Box::new(Decoder::open(path)?)));
        }
        let reader = PcmReader::open(path).map_err(failed)?;
        let (sample_rate_hz, channels) = (reader.sample_rate_hz(), reader.channels() as u32);
        let probe = Probe { frames: reader.frames(), sample_rate_hz, channels, lossy: false };
        Ok(Self::Pcm { reader, probe, path: path.to_owned() })
    }

    fn probe(&self) -> &Probe {
        match self {
            Self::Pcm { probe, .. } => probe,
            Self::File(decoder) => decoder.probe(),
        }
    }

    fn seek(&mut self, frame: u64) -> Result<(), MediaError> {
        match self {
            Self::Pcm { reader, path, .. } => reader.seek(frame).map_err(|error| Fault::Io(error).of(path)),
            Self::File(decoder) => decoder.seek(frame),
        }
    }

    /// Fills `out` with the next frames and silence behind the last one.
    fn read(&mut self, out: &mut Buffer) -> Result<(), MediaError> {
        match self {
            Self::Pcm { reader, path, .. } => reader.read(out).map_err(|error| Fault::Io(error).of(path)),
            Self::File(decoder) => {
                let wanted = out.frames();
                let got = decoder.read(out)?;
                out.set_frames(wanted);
                out.iter_mut().for_each(|channel| channel[got..].fill(0.0));
                Ok(())
            }
        }
    }
}

/// An asset as a clip sees it: converted to the session's rate, from any frame on.
pub struct AssetReader {
    source: Source,
    /// `None`: the file has the session's rate.
    conversion: Option<Conversion>,
}

/// Frames on their way from the file's rate to the session's.
struct Conversion {
    resampler: Resampler,
    input: Buffer,
    /// Converted frames, of which `used` are handed out.
    output: Buffer,
    used: usize,
    /// Frames of the file not yet read.
    input_left: u64,
    /// Converted frames not yet handed out.
    output_left: u64,
}

impl AssetReader {
    /// Opens an audio file, or a PCM artifact of a lossy one (recognised by its header), converted to `sample_rate_hz`,
    /// with its next frame at `from_frame` (counted after conversion). A file that is not what `expected` says
    /// (frames, rate, channels) is an error of code `facts_differ`.
    ///
    /// # Errors
    /// See [`MediaError`].
    ///
    /// # Panics
    /// If `sample_rate_hz` is 0.
    pub fn open(path: &Path, expected: &Probe, sample_rate_hz: u32, from_frame: u64) -> Result<Self, MediaError> {
        let mut source = Source::open(path)?;
        let found = source.probe().clone();
        let facts = |probe: &Probe| (probe.frames, probe.sample_rate_hz, probe.channels);
        if facts(&found) != facts(expected) {
            let told = |probe: &Probe| {
                format!("{} frames of {} channels at {} Hz", probe.frames, probe.channels, probe.sample_rate_hz)
            };
            let message = format!("it has {}: the session says {}", told(&found), told(expected));
            return Err(Fault::new("facts_differ", message).of(path));
        }
        if found.sample_rate_hz == sample_rate_hz {
            source.seek(from_frame)?;
            return Ok(Self { source, conversion: None });
        }
        let (rate, channels) = (found.sample_rate_hz, found.channels as usize);
        let total = Resampler::output_frames(rate, sample_rate_hz, found.frames);
        let from_frame = from_frame.min(total);
        let resampler = Resampler::starting_at(rate, sample_rate_hz, channels, from_frame);
        let first = resampler.next_input_frame();
        source.seek(first)?;
        let conversion = Conversion {
            resampler,
            input: Buffer::new(channels, INPUT_FRAMES),
            output: Buffer::new(channels, 0),
            used: 0,
            input_left: found.frames.saturating_sub(first),
            output_left: total - from_frame,
        };
        Ok(Self { source, conversion: Some(conversion) })
    }

    /// Fills `out` with the next frames. Past the end: silence.
    ///
    /// # Errors
    /// See [`MediaError`].
    ///
    /// # Panics
    /// If `out` has another number of channels than the file.
    pub fn read(&mut self, out: &mut Buffer) -> Result<(), MediaError> {
        match &mut self.conversion {
            None => self.source.read(out),
            Some(conversion) => conversion.read(&mut self.source, out),
        }
    }
}

impl Conversion {
    fn read(&mut self, source: &mut Source, out: &mut Buffer) -> Result<(), MediaError> {
        assert_eq!(out.channel_count(), self.input.channel_count(), "a buffer of the file's channels");
        let mut filled = 0;
        while filled < out.frames() && self.output_left > 0 {
            if self.used == self.output.frames() {
                self.refill(source)?;
            }
            let ready = self.output.frames() - self.used;
            let left = usize::try_from(self.output_left).unwrap_or(usize::MAX);
            let count = ready.min(out.frames() - filled).min(left);
            for (from, to) in self.output.iter().zip(out.iter_mut()) {
                to[filled..filled + count].copy_from_slice(&from[self.used..self.used + count]);
            }
            self.used += count;
            self.output_left -= count as u64;
            filled += count;
        }
        out.iter_mut().for_each(|channel| channel[filled..].fill(0.0));
        Ok(())
    }

    /// Converts the next frames of the file; behind its end, the rest of the filter.
    fn refill(&mut self, source: &mut Source) -> Result<(), MediaError> {
        self.used = 0;
        if self.input_left == 0 {
            self.resampler.flush(&mut self.output);
            // Whatever is left to hand out lies in the flush: `output_left` counts what `output_frames` promises.
            debug_assert!(self.output.frames() as u64 >= self.output_left, "a flush that is too short");
            return Ok(());
        }
        self.input.set_frames(usize::try_from(self.input_left).unwrap_or(usize::MAX).min(INPUT_FRAMES));
        source.read(&mut self.input)?;
        self.input_left -= self.input.frames() as u64;
        self.resampler.process(&self.input, &mut self.output);
        Ok(())
    }
}
