//! Vorbis in Ogg, through libvorbis with the aoTuV tuning. It ends streams at the exact frame by itself.

use std::fs::File;
use std::io::{self, BufWriter};
use std::num::{NonZeroU8, NonZeroU32};
use std::path::Path;

use vorbis_rs::{VorbisBitrateManagementStrategy, VorbisEncoder, VorbisEncoderBuilder, VorbisError};

use super::{LossySpec, invalid};
use crate::buffer::Buffer;
use crate::digest::Digest;
use crate::media::tags::vorbis;
use crate::session::lossy::BitRate;

/// Frames given to the encoder at a time: its decisions depend on how much it sees ahead.
const BLOCK_FRAMES: usize = 1024;

/// An Ogg Vorbis file being written.
pub(super) struct VorbisWriter {
    encoder: VorbisEncoder<BufWriter<File>>,
    /// Per channel, the frames waiting for their block to fill.
    waiting: Vec<Vec<f32>>,
}

fn io_error(error: VorbisError) -> io::Error {
    match error {
        VorbisError::Io(source) => source,
        other => io::Error::other(format!("Vorbis: {other}")),
    }
}

impl VorbisWriter {
    pub(super) fn create(path: &Path, spec: &LossySpec) -> io::Result<Self> {
        let (Some(sample_rate), Some(channels)) =
            (NonZeroU32::new(spec.sample_rate_hz), NonZeroU8::new(spec.channels as u8))
        else {
            return Err(invalid("Vorbis without a sample rate or without channels"));
        };
        let BitRate::Quality { quality } = spec.bit_rate else {
            return Err(invalid("Vorbis is asked for by quality"));
        };
        let picture = spec.cover.as_deref().map(vorbis::picture_comment);
        let fields = vorbis::fields(&spec.tags, vorbis::Gain::ReplayGain, picture.as_slice());
        // The serial number tells streams in one file apart; here there is one, and it must not be drawn by lot.
        let digest = Digest::of(fields.concat().as_bytes());
        let [a, b, c, d, ..] = *digest.as_bytes();
        let file = BufWriter::new(File::create(path)?);
        let mut builder =
            VorbisEncoderBuilder::new_with_serial(sample_rate, channels, file, i32::from_le_bytes([a, b, c, d]));
        let target_quality = (quality / 10.0) as f32;
        builder.bitrate_management_strategy(VorbisBitrateManagementStrategy::QualityVbr { target_quality });
        builder.comment_tags(fields.iter().filter_map(|field| field.split_once('='))).map_err(io_error)?;
        let encoder = builder.build().map_err(io_error)?;
        Ok(Self { encoder, waiting: vec![Vec::with_capacity(BLOCK_FRAMES); spec.channels] })
    }

    pub(super) fn write(&mut self, block: &Buffer) -> io::Result<()> {
        let mut start = 0;
        while start < block.frames() {
            let frames = (block.frames() - start).min(BLOCK_FRAMES - self.waiting[0].len());
            for (waiting, channel) in self.waiting.iter_mut().zip(block.iter()) {
                waiting.extend_from_slice(&channel[start..start + frames]);
            }
            start += frames;
            if self.waiting[0].len() == BLOCK_FRAMES {
                self.write_block()?;
            }
        }
        Ok(())
    }

    /// Encodes what waits.
    fn write_block(&mut self) -> io::Result<()> {
        self.encoder.encode_audio_block(&self.waiting).map_err(io_error)?;
        self.waiting.iter_mut().for_each(Vec::clear);
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        // To libvorbis a block without frames is the end.
        if !self.waiting[0].is_empty() {
            self.write_block()?;
        }
        let file = self.encoder.finish().map_err(io_error)?;
        file.into_inner().map(drop).map_err(io::IntoInnerError::into_error)
    }
}
