//! Reads every container but WAVE through symphonia: AIFF, CAF, FLAC, MP4 (ALAC, AAC), MP3, ADTS, Vorbis and Opus in Ogg.
//!
//! Symphonia's own trimming is switched off: what an encoder put before and after the programme is taken off here, by
//! one rule for every format, so that the length announced is the length delivered.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};

use symphonia::core::audio::Channels;
use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::well_known::{
    CODEC_ID_AAC, CODEC_ID_ALAC, CODEC_ID_FLAC, CODEC_ID_MP1, CODEC_ID_MP2, CODEC_ID_MP3, CODEC_ID_OPUS,
    CODEC_ID_VORBIS,
};
use symphonia::core::codecs::audio::{AudioCodecId, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, SeekMode, SeekTo, Track, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;
use symphonia::core::packet::Packet;
use symphonia::core::units::{TimeBase, Timestamp};

use super::decode::{Fault, Probe};
use super::opus::Opus;
use super::{caf, priming};

/// The containers read here, by their first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    Aiff,
    Caf,
    Flac,
    Mp4,
    Ogg,
    /// MP3 or ADTS, with or without an ID3 tag before it.
    Elementary,
}

impl Container {
    /// The container that a file beginning so is, if it is one that is read here.
    pub(super) fn recognise(start: &[u8]) -> Option<Self> {
        let at = |offset: usize, mark: &[u8]| start.get(offset..).is_some_and(|rest| rest.starts_with(mark));
        if at(0, b"FORM") && (at(8, b"AIFF") || at(8, b"AIFC")) {
            Some(Self::Aiff)
        } else if at(0, b"caff") {
            Some(Self::Caf)
        } else if at(0, b"fLaC") {
            Some(Self::Flac)
        } else if at(4, b"ftyp") {
            Some(Self::Mp4)
        } else if at(0, b"OggS") {
            Some(Self::Ogg)
        } else if at(0, b"ID3") || (start.len() > 2 && start[0] == 0xFF && start[1] & 0xE0 == 0xE0) {
            Some(Self::Elementary)
        } else {
            None
        }
    }
}

/// Runs foreign code on foreign bytes: a panic within it is that file's fault, not ours.
fn contained<T>(read: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or(Err(Error::DecodeError("the decoder panicked")))
}

fn is_end(error: &Error) -> bool {
    matches!(error, Error::IoError(source) if source.kind() == io::ErrorKind::UnexpectedEof)
}

fn fault(error: Error) -> Fault {
    match error {
        Error::IoError(source) if source.kind() == io::ErrorKind::UnexpectedEof => {
            Fault::new("truncated", "it ends within its header")
        }
        // A seek to where no file reaches, or symphonia's own complaint about the bytes.
        Error::IoError(source)
            if matches!(
                source.kind(),
                io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::Other
            ) =>
        {
            Fault::new("corrupt", source.to_string())
        }
        Error::IoError(source) => Fault::Io(source),
        Error::Unsupported(what) => Fault::new("unsupported", what),
        Error::ResetRequired => Fault::new("unsupported", "several streams are chained in one file"),
        other => Fault::new("corrupt", other.to_string()),
    }
}

/// A file being read through symphonia.
pub(super) struct StreamReader {
    format: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    codec: AudioCodecId,
    track_id: u32,
    probe: Probe,
    /// Bits of a sample, where the format says.
    bits: Option<u32>,
    container: Container,
    /// Where the channels belong, by the bits of WAVE's channel mask; 0 says nothing.
    speakers: u32,
    /// Decoded frames before the programme begins.
    delay_frames: u64,
    /// Decoded frames still to be dropped.
    skip_frames: u64,
    /// Frame of the stream at which the next packet must begin, where timestamps are exact.
    expected_pts: Option<i64>,
    /// Whether the decoder can start at any packet with exact bits.
    seekable: bool,
}

impl StreamReader {
    /// Reads the header; `verified` asks the decoder to check the checksum of all it decodes.
    pub(super) fn open(mut file: File, container: Container, verified: bool) -> Result<Self, Fault> {
        let trim = match container {
            Container::Mp4 => priming::read(&mut file)?,
            _ => None,
        };
        file.seek(SeekFrom::Start(0))?;
        let mut format = match container {
            Container::Caf => open_format(caf::source(file)?)?,
            _ => open_format(Box::new(file))?,
        };
        let mut track = audio_track(format.as_ref())?.clone();
        // Only a LAME tag tells the length of an MP3; without it symphonia estimates from the bit rate.
        if container != Container::Mp4
            && (track.num_frames.is_none() || container == Container::Elementary && track.delay.is_none())
        {
            if container == Container::Ogg {
                return Err(Fault::new("truncated", "its last page is missing"));
            }
            track.num_frames = Some(count_frames(format.as_mut(), track.id)?);
            let mut stream = format.into_inner();
            stream.seek(SeekFrom::Start(0))?;
            format = open_format(Box::new(stream))?;
        }
        let Some(CodecParameters::Audio(parameters)) = &track.codec_params else {
            return Err(Fault::new("unsupported", "its audio has an unknown codec"));
        };
        let (Some(sample_rate_hz), Some(layout)) = (parameters.sample_rate, &parameters.channels) else {
            return Err(Fault::new("unsupported", "its header tells no sample rate or no channels"));
        };
        let channels = u32::try_from(layout.count()).unwrap_or(u32::MAX);
        let speakers = match layout {
            // Its bits are those of WAVE as far as those go.
            Channels::Positioned(positions) => u32::try_from(positions.bits()).unwrap_or(0),
            _ => 0,
        };
        let codec = parameters.codec;
        let options = AudioDecoderOptions::default().gapless(false).verify(verified);
        let mut decoder = contained(|| match codec {
            CODEC_ID_OPUS => Ok(Box::new(Opus::new(parameters)?) as Box<dyn AudioDecoder>),
            _ => symphonia::default::get_codecs().make_audio_decoder(parameters, &options),
        })
        .map_err(fault)?;
        let (track_id, in_frames) = (track.id, track.time_base == TimeBase::try_from_recip(sample_rate_hz));
        let delay_frames = u64::from(track.delay.unwrap_or(0));
        let (delay_frames, frames) = match (trim, codec) {
            (Some(trim), _) => (trim.start_frames, trim.frames),
            // Positions of Opus in Ogg count what is to be skipped as well (RFC 7845 §4.3), and may begin anywhere.
            (None, CODEC_ID_OPUS) => {
                let first = u64::try_from(track.start_ts.get()).unwrap_or(0);
                (delay_frames, track.num_frames.unwrap_or(0).saturating_sub(first + delay_frames))
            }
            (None, _) => (delay_frames, track.num_frames.unwrap_or(0)),
        };
        let (frames, format) = match (container, codec) {
            (Container::Caf, CODEC_ID_ALAC) => {
                let counted = count_to_last_packet(format.as_mut(), decoder.as_mut(), track_id, frames);
                decoder.reset();
                let mut stream = format.into_inner();
                stream.seek(SeekFrom::Start(0))?;
                (counted.unwrap_or(frames), open_format(Box::new(stream))?)
            }
            _ => (frames, format),
        };
        let lossy =
            [CODEC_ID_MP1, CODEC_ID_MP2, CODEC_ID_MP3, CODEC_ID_VORBIS, CODEC_ID_OPUS, CODEC_ID_AAC].contains(&codec);
        Ok(Self {
            format,
            decoder,
            codec,
            track_id,
            probe: Probe { frames, sample_rate_hz, channels, lossy },
            bits: parameters.bits_per_sample.filter(|_| !lossy),
            container,
            speakers,
            delay_frames,
            skip_frames: delay_frames,
            expected_pts: (codec == CODEC_ID_FLAC && in_frames).then_some(0),
            seekable: !lossy && in_frames,
        })
    }

    pub(super) fn probe(&self) -> &Probe {
        &self.probe
    }

    /// Where the channels belong, by the bits of WAVE's channel mask; 0 says nothing.
    pub(super) fn speakers(&self) -> u32 {
        self.speakers
    }

    /// Whether [`Self::seek`] may be used.
    /// Bits of a sample; `None` for lossy codecs.
    pub(super) fn bits(&self) -> Option<u32> {
        self.bits
    }

    /// The name of the format: of the codec where the container may hold several.
    pub(super) fn format(&self) -> &'static str {
        match (self.container, self.codec) {
            (Container::Aiff, _) => "aiff",
            (Container::Caf, _) => "caf",
            (_, CODEC_ID_FLAC) => "flac",
            (_, CODEC_ID_OPUS) => "opus",
            (_, CODEC_ID_VORBIS) => "vorbis",
            (_, CODEC_ID_AAC) => "aac",
            (_, CODEC_ID_MP3) => "mp3",
            (Container::Mp4, _) => "alac",
            _ => "audio",
        }
    }

    pub(super) fn is_seekable(&self) -> bool {
        self.seekable
    }

    /// Goes near a frame and returns the frame where the next block begins, at or before it. `None`: it cannot, and this
    /// reader must not be used any more.
    pub(super) fn seek(&mut self, frame: u64) -> Option<u64> {
        let target = frame + self.delay_frames;
        // Symphonia's search in FLAC fails when it steps into the last block: 65535 frames earlier is clear of it.
        let reached = [target, target.saturating_sub(1 << 16)].into_iter().find_map(|target| {
            let to = SeekTo::Timestamp { ts: Timestamp::new(i64::try_from(target).ok()?), track_id: self.track_id };
            let format = &mut self.format;
            contained(|| format.seek(SeekMode::Accurate, to)).ok().map(|seeked| seeked.actual_ts.get())
        })?;
        self.decoder.reset();
        self.expected_pts = self.expected_pts.map(|_| reached);
        let reached = u64::try_from(reached).ok()?;
        self.skip_frames = self.delay_frames.saturating_sub(reached);
        Some(reached.saturating_sub(self.delay_frames)).filter(|reached| *reached <= frame)
    }

    /// The next packet of the track; `None` at the end of the file.
    fn next_packet(&mut self) -> Result<Option<Packet>, Fault> {
        loop {
            let format = &mut self.format;
            match contained(|| format.next_packet()) {
                Ok(Some(packet)) if packet.track_id == self.track_id => return Ok(Some(packet)),
                Ok(Some(_)) => {}
                Ok(None) => return Ok(None),
                Err(error) if is_end(&error) => return Ok(None),
                Err(error) => return Err(fault(error)),
            }
        }
    }

    /// Decodes the next packet that holds audio, replacing `out`; no frames at the end.
    pub(super) fn next_block(&mut self, out: &mut Vec<Vec<f32>>) -> Result<usize, Fault> {
        while let Some(packet) = self.next_packet()? {
            if let Some(expected) = self.expected_pts
                && packet.pts.get() != expected
            {
                let message = format!("after frame {expected} comes frame {}", packet.pts.get());
                return Err(Fault::new("corrupt", message));
            }
            let decoder = &mut self.decoder;
            let decoded = contained(|| {
                let block = decoder.decode(&packet)?;
                block.copy_to_vecs_planar::<f32>(out);
                Ok((block.num_planes(), block.spec().rate(), block.frames()))
            });
            let (planes, rate, frames) = match decoded {
                Ok(decoded) => decoded,
                // The last packet of a file that was cut is broken too: that is the cut, not corruption.
                Err(_) if self.next_packet()?.is_none() => return Ok(0),
                Err(error) => return Err(fault(error)),
            };
            if planes != self.probe.channels as usize || rate != self.probe.sample_rate_hz {
                let message = format!("the stream turns into {planes} channels at {rate} Hz");
                return Err(Fault::new("corrupt", message));
            }
            self.expected_pts = self.expected_pts.map(|pts| pts.saturating_add(frames as i64));
            let skipped = usize::try_from(self.skip_frames).unwrap_or(usize::MAX).min(frames);
            self.skip_frames -= skipped as u64;
            if frames > skipped {
                for channel in out.iter_mut() {
                    channel.drain(..skipped);
                }
                return Ok(frames - skipped);
            }
        }
        Ok(0)
    }

    /// Whether the checksum of all that was decoded is the one in the header; `None` where there is none.
    pub(super) fn checksum_holds(&mut self) -> Option<bool> {
        if self.codec == CODEC_ID_FLAC { self.decoder.finalize().verify_ok } else { None }
    }
}

fn open_format(source: Box<dyn MediaSource>) -> Result<Box<dyn FormatReader>, Fault> {
    let stream = MediaSourceStream::new(source, MediaSourceStreamOptions::default());
    contained(|| {
        let probe = symphonia::default::get_probe();
        probe.probe(&Hint::new(), stream, FormatOptions::default(), MetadataOptions::default())
    })
    .map_err(fault)
}

fn audio_track(format: &dyn FormatReader) -> Result<&Track, Fault> {
    format
        .default_track(TrackType::Audio)
        .ok_or_else(|| Fault::new("unsupported", "it holds no audio of a known codec"))
}

/// Counts the frames of a stream whose last packet may be shorter than the header takes all packets to be, as that of
/// ALAC in CAF by ffmpeg is. `None` if it cannot tell.
fn count_to_last_packet(
    format: &mut dyn FormatReader,
    decoder: &mut dyn AudioDecoder,
    track_id: u32,
    frames: u64,
) -> Option<u64> {
    let to = SeekTo::Timestamp { ts: Timestamp::new(i64::try_from(frames.checked_sub(1)?).ok()?), track_id };
    contained(|| format.seek(SeekMode::Accurate, to)).ok()?;
    let mut last = None;
    while let Some(packet) = contained(|| format.next_packet()).ok()? {
        last = Some(packet);
    }
    let last = last?;
    let length = contained(|| Ok(decoder.decode(&last)?.frames())).ok()?;
    let end = u64::try_from(last.pts.get()).ok()? + length as u64;
    Some(end.min(frames))
}

/// Counts the frames of a stream whose header does not tell them, by its packets' timestamps.
fn count_frames(format: &mut dyn FormatReader, track_id: u32) -> Result<u64, Fault> {
    let (mut end, mut last, mut step) = (0, 0, 0);
    loop {
        match contained(|| format.next_packet()) {
            Ok(Some(packet)) if packet.track_id == track_id => {
                let pts = packet.pts.get();
                // The timestamp's step is the true length of a packet; its duration may be trimmed by an estimate.
                step = if pts > last { pts - last } else { step };
                let length = if step > 0 { step } else { i64::try_from(packet.dur.get()).unwrap_or(0) };
                (last, end) = (pts, pts.saturating_add(length));
            }
            Ok(Some(_)) => {}
            Ok(None) => break,
            Err(error) if is_end(&error) => break,
            Err(error) => return Err(fault(error)),
        }
    }
    Ok(u64::try_from(end).unwrap_or(0))
}
