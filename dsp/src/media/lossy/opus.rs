//! Opus in Ogg (RFC 6716, RFC 7845).
//!
//! The encoder lies behind its input by the pre-skip; as much silence follows the programme, so that its end comes out too,
//! and the position of the last page tells where it stops (RFC 7845 §4.2, §4.4).

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;

use opus_pure::{Application, Error, MAX_PACKET_BYTES, OggOpusWriter, OpusEncoder, OpusHead, OpusTags, RateControl};

use super::{LossySpec, invalid};
use crate::buffer::Buffer;
use crate::media::tags::{ENCODER, vorbis};
use crate::session::lossy::BitRate;

/// The only rate at which files are made.
const SAMPLE_RATE_HZ: u32 = 48_000;
/// Frames of a packet: 20 ms, what the codec is made for.
const PACKET_FRAMES: usize = 960;
/// The most that the encoder may compute.
const COMPLEXITY: i32 = 10;

/// An Opus file being written.
pub(super) struct OpusWriter {
    writer: OggOpusWriter<BufWriter<File>>,
    encoder: OpusEncoder,
    channels: usize,
    /// Interleaved samples waiting for their packet to fill.
    waiting: Vec<f32>,
    packet: Vec<u8>,
    packets_left: u64,
    /// Position at which the programme ends, the pre-skip counted.
    end: u64,
}

fn io_error(error: Error) -> io::Error {
    match error {
        Error::Io(source) => source,
        Error::InvalidArgument(message) => invalid(format!("Opus: {message}")),
        other => io::Error::other(format!("Opus: {other}")),
    }
}

impl OpusWriter {
    pub(super) fn create(path: &Path, spec: &LossySpec) -> io::Result<Self> {
        if spec.sample_rate_hz != SAMPLE_RATE_HZ {
            return Err(invalid(format!("Opus at {} Hz: expected {SAMPLE_RATE_HZ}", spec.sample_rate_hz)));
        }
        let (kbps, rate_control) = match spec.bit_rate {
            BitRate::Constant { kbps } => (kbps, RateControl::Cbr),
            BitRate::Variable { kbps } => (kbps, RateControl::Vbr),
            BitRate::Quality { .. } => return Err(invalid("Opus has no scale of qualities: expected a bit rate")),
        };
        let mut encoder =
            OpusEncoder::new(SAMPLE_RATE_HZ as i32, spec.channels, Application::Audio).map_err(io_error)?;
        encoder.bitrate_bps = i32::try_from(kbps * 1000).map_err(|_| invalid("a bit rate beyond what Opus counts"))?;
        encoder.complexity = COMPLEXITY;
        encoder.rate_control = rate_control;
        let head = OpusHead::for_encoder(&encoder, SAMPLE_RATE_HZ);
        let end = u64::from(head.pre_skip) + spec.frames;
        let picture = spec.cover.as_deref().map(vorbis::picture_comment);
        let comments = vorbis::fields(&spec.tags, vorbis::Gain::R128, picture.as_slice());
        let tags = OpusTags { vendor: ENCODER.to_owned(), comments };
        // Its serial number follows from head and tags.
        let writer = OggOpusWriter::with_tags(BufWriter::new(File::create(path)?), head, tags).map_err(io_error)?;
        Ok(Self {
            writer,
            encoder,
            channels: spec.channels,
            waiting: Vec::with_capacity(PACKET_FRAMES * spec.channels),
            packet: vec![0; MAX_PACKET_BYTES],
            packets_left: end.div_ceil(PACKET_FRAMES as u64),
            end,
        })
    }

    pub(super) fn write(&mut self, block: &Buffer) -> io::Result<()> {
        for frame in 0..block.frames() {
            self.waiting.extend(block.iter().map(|channel| channel[frame]));
            if self.waiting.len() == PACKET_FRAMES * self.channels {
                self.write_packet()?;
            }
        }
        Ok(())
    }

    /// Encodes what waits.
    fn write_packet(&mut self) -> io::Result<()> {
        let bytes = self.encoder.encode(&self.waiting, PACKET_FRAMES, &mut self.packet).map_err(io_error)?;
        self.packets_left -= 1;
        let so_far = u64::try_from(self.writer.granule()).unwrap_or(0);
        let frames = if self.packets_left == 0 { self.end - so_far } else { PACKET_FRAMES as u64 };
        self.waiting.clear();
        self.writer.write_packet_with_duration(&self.packet[..bytes], frames as u32).map_err(io_error)
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        while self.packets_left > 0 {
            self.waiting.resize(PACKET_FRAMES * self.channels, 0.0);
            self.write_packet()?;
        }
        let file = self.writer.finish().map_err(io_error)?;
        file.into_inner().map(drop).map_err(io::IntoInnerError::into_error)
    }
}
