//! MP3 through LAME: an ID3v2.4 tag, LAME's own tag in a frame without sound, the sound.
//!
//! LAME's tag tells how many frames stand before and behind the programme, and the CRC of the sound. It is known only when
//! all is encoded: LAME holds its place at the start, and it is written there at the end.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::num::NonZeroU32;
use std::path::Path;

use mp3lame_encoder::{
    Bitrate, Builder, DualPcm, Encoder, FlushGap, Mode, MonoPcm, Quality, VbrMode, max_required_buffer_size,
};

use super::{LossySpec, invalid};
use crate::buffer::Buffer;
use crate::media::tags::id3;
use crate::session::lossy::BitRate;

/// What LAME may need for what it still holds when it is flushed (lame.h, `lame_encode_flush`).
const FLUSH_BYTES: usize = 7_200;

/// An MP3 file being written.
pub(super) struct Mp3Writer {
    file: BufWriter<File>,
    encoder: Encoder,
    /// Where LAME's tag stands.
    sound_at: u64,
    bytes: Vec<u8>,
}

fn refused(error: impl std::fmt::Display) -> io::Error {
    invalid(format!("LAME refuses the file: {error}"))
}

fn failed(error: impl std::fmt::Display) -> io::Error {
    io::Error::other(format!("LAME failed: {error}"))
}

impl Mp3Writer {
    pub(super) fn create(path: &Path, spec: &LossySpec) -> io::Result<Self> {
        let mode = if spec.channels == 1 { Mode::Mono } else { Mode::JointStereo };
        let mut builder = Builder::new()
            .ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))?
            .with_num_channels(spec.channels as u8)
            .and_then(|builder| builder.with_mode(mode))
            .and_then(|builder| builder.with_sample_rate(spec.sample_rate_hz))
            .and_then(|builder| builder.with_output_sample_rate(NonZeroU32::new(spec.sample_rate_hz)))
            .and_then(|builder| builder.with_quality(Quality::NearBest))
            .and_then(|builder| builder.with_to_write_vbr_tag(true))
            .map_err(refused)?;
        match spec.bit_rate {
            BitRate::Constant { kbps } => {
                let bitrate = bitrate(kbps).ok_or_else(|| invalid(format!("{kbps} kb/s are no bit rate of MP3")))?;
                builder.set_vbr_mode(VbrMode::Off).and_then(|()| builder.set_brate(bitrate)).map_err(refused)?;
            }
            BitRate::Quality { quality } => {
                let quality = quality_of(quality).ok_or_else(|| invalid(format!("{quality} is no quality of MP3")))?;
                let variable = builder.set_vbr_mode(VbrMode::Mtrh).and_then(|()| builder.set_vbr_quality(quality));
                variable.map_err(refused)?;
            }
            BitRate::Variable { .. } => return Err(invalid("MP3 varies its bit rate by quality alone")),
        }
        let encoder = builder.build().map_err(refused)?;
        let tag = id3::tag(&spec.tags, spec.cover.as_deref(), 0);
        let mut file = BufWriter::new(File::create(path)?);
        file.write_all(&tag)?;
        Ok(Self { file, encoder, sound_at: tag.len() as u64, bytes: Vec::new() })
    }

    pub(super) fn write(&mut self, block: &Buffer) -> io::Result<()> {
        self.bytes.clear();
        self.bytes.reserve(max_required_buffer_size(block.frames()));
        let mut channels = block.iter();
        match (channels.next(), channels.next()) {
            (Some(left), Some(right)) => self.encoder.encode_to_vec(DualPcm { left, right }, &mut self.bytes),
            (Some(only), None) => self.encoder.encode_to_vec(MonoPcm(only), &mut self.bytes),
            (None, _) => return Ok(()),
        }
        .map_err(failed)?;
        self.file.write_all(&self.bytes)
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.bytes.clear();
        self.bytes.reserve(FLUSH_BYTES);
        self.encoder.flush_to_vec::<FlushGap>(&mut self.bytes).map_err(failed)?;
        self.file.write_all(&self.bytes)?;
        self.bytes.clear();
        self.bytes.reserve(self.encoder.lame_tag_size());
        if self.encoder.lame_tag_encode_to_vec(&mut self.bytes).is_none() {
            return Err(io::Error::other("LAME failed: it wrote no tag, without which the file has no exact length"));
        }
        self.file.seek(SeekFrom::Start(self.sound_at))?;
        self.file.write_all(&self.bytes)?;
        self.file.flush()
    }
}

fn bitrate(kbps: u32) -> Option<Bitrate> {
    Some(match kbps {
        64 => Bitrate::Kbps64,
        80 => Bitrate::Kbps80,
        96 => Bitrate::Kbps96,
        112 => Bitrate::Kbps112,
        128 => Bitrate::Kbps128,
        160 => Bitrate::Kbps160,
        192 => Bitrate::Kbps192,
        224 => Bitrate::Kbps224,
        256 => Bitrate::Kbps256,
        320 => Bitrate::Kbps320,
        _ => return None,
    })
}

/// LAME's V0 to V9.
fn quality_of(quality: f64) -> Option<Quality> {
    const QUALITIES: [Quality; 10] = [
        Quality::Best,
        Quality::SecondBest,
        Quality::NearBest,
        Quality::VeryNice,
        Quality::Nice,
        Quality::Good,
        Quality::Decent,
        Quality::Ok,
        Quality::SecondWorst,
        Quality::Worst,
    ];
    (0..10).find(|index| f64::from(*index) == quality).map(|index| QUALITIES[index as usize])
}
