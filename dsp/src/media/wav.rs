//! Reads RIFF/WAVE, RF64 and BW64 files of linear PCM and float.
//!
//! Ours rather than a library's because it is the format almost every session arrives in: it seeks to any frame, reads
//! files beyond 4 GiB (EBU Tech 3306, ITU-R BS.2088), files whose length was left open by a pipe, and says what a cut file lacks.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use super::decode::{Fault, Probe};
use super::interleaved::part;

/// Bytes between us and the file while its header is read. Audio is read in longer pieces, which go past this buffer.
const HEADER_BUFFER_BYTES: usize = 4096;
/// Bytes of audio read at a time.
const READ_BYTES: usize = 128 * 1024;
/// Lengths that mean "not known when the header was written", and in RF64 "see ds64".
const OPEN_LENGTH: u32 = u32::MAX;
/// No real table of long chunks is longer; a hostile one is not read into memory.
const MAX_DS64_BYTES: u32 = 4096;

/// How a sample is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Unsigned8,
    Int16,
    Int24,
    Int32,
    Float32,
    Float64,
}

impl Encoding {
    fn of(tag: u16, bits: u16) -> Option<Self> {
        const PCM: u16 = 1;
        const IEEE_FLOAT: u16 = 3;
        match (tag, bits) {
            (PCM, 8) => Some(Self::Unsigned8),
            (PCM, 16) => Some(Self::Int16),
            (PCM, 24) => Some(Self::Int24),
            (PCM, 32) => Some(Self::Int32),
            (IEEE_FLOAT, 32) => Some(Self::Float32),
            (IEEE_FLOAT, 64) => Some(Self::Float64),
            _ => None,
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::Unsigned8 => 1,
            Self::Int16 => 2,
            Self::Int24 => 3,
            Self::Int32 | Self::Float32 => 4,
            Self::Float64 => 8,
        }
    }

    /// Bits of a sample; 32 for floating point.
    fn bits(self) -> u32 {
        8 * self.bytes().min(4) as u32
    }

    /// Whether a sample may be no number.
    fn is_float(self) -> bool {
        matches!(self, Self::Float32 | Self::Float64)
    }

    /// Converts interleaved samples, full scale = 1.
    fn convert(self, bytes: &[u8], channels: &mut [&mut [f32]]) {
        match self {
            Self::Unsigned8 => part(bytes, channels, |[b]| f32::from(i16::from(*b) - 128) / 128.0),
            Self::Int16 => part(bytes, channels, |b| f32::from(i16::from_le_bytes(*b)) / 32_768.0),
            // Shifted up by 8 bits so that the sign falls into place: 24 bits and their scale are exact in f32.
            Self::Int24 => {
                part(bytes, channels, |&[a, b, c]| i32::from_le_bytes([0, a, b, c]) as f32 / 2_147_483_648.0);
            }
            Self::Int32 => part(bytes, channels, |b| i32::from_le_bytes(*b) as f32 / 2_147_483_648.0),
            Self::Float32 => part(bytes, channels, |b| f32::from_le_bytes(*b)),
            Self::Float64 => part(bytes, channels, |b| f64::from_le_bytes(*b) as f32),
        }
    }
}

/// What the `fmt ` chunk says.
#[derive(Debug, Clone, Copy)]
struct Layout {
    encoding: Encoding,
    channels: u16,
    sample_rate_hz: u32,
    /// WAVEFORMATEXTENSIBLE's channel mask; 0 says nothing.
    speakers: u32,
}

impl Layout {
    fn frame_bytes(self) -> usize {
        self.encoding.bytes() * usize::from(self.channels)
    }

    /// Parses the body of a `fmt ` chunk (WAVEFORMATEX, or WAVEFORMATEXTENSIBLE).
    fn parse(body: &[u8]) -> Result<Self, Fault> {
        const EXTENSIBLE: u16 = 0xFFFE;
        let half = |at: usize| -> Result<u16, Fault> {
            let bytes = body.get(at..at + 2).ok_or_else(|| {
                Fault::new("corrupt", format!("its fmt chunk has {} bytes: expected at least 16", body.len()))
            })?;
            Ok(u16::from_le_bytes([bytes[0], bytes[1]]))
        };
        let (channels, bits) = (half(2)?, half(14)?);
        let sample_rate_hz = u32::from(half(4)?) | u32::from(half(6)?) << 16;
        let (tag, speakers) = match half(0)? {
            // The sub-format is a GUID whose first two bytes are the tag proper.
            EXTENSIBLE => (half(24)?, u32::from(half(20)?) | u32::from(half(22)?) << 16),
            tag => (tag, 0),
        };
        let Some(encoding) = Encoding::of(tag, bits) else {
            let message =
                format!("WAVE format tag {tag:#06x} with {bits} bits: expected PCM of 8, 16, 24 or 32 bits or float");
            return Err(Fault::new("unsupported", message));
        };
        let layout = Self { encoding, channels, sample_rate_hz, speakers };
        if channels > 0 && usize::from(half(12)?) != layout.frame_bytes() {
            let message = format!(
                "its frames have {} bytes: {channels} channels of {bits} bits need {}",
                half(12)?,
                layout.frame_bytes()
            );
            return Err(Fault::new("corrupt", message));
        }
        Ok(layout)
    }
}

/// The lengths that 32 bits cannot count, of a `ds64` chunk (EBU Tech 3306 §3, ITU-R BS.2088 §4).
#[derive(Debug, Default)]
struct LongSizes {
    data_bytes: Option<u64>,
    /// Of other chunks, by name.
    table: Vec<([u8; 4], u64)>,
}

impl LongSizes {
    fn parse(body: &[u8]) -> Result<Self, Fault> {
        let long = |at: usize| body.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes);
        let Some(data_bytes) = long(8) else {
            let message = format!("its ds64 chunk has {} bytes: expected at least 28", body.len());
            return Err(Fault::new("corrupt", message));
        };
        let entries = body.get(28..).unwrap_or_default().chunks_exact(12);
        let table = entries.filter_map(|entry| Some((*entry.first_chunk::<4>()?, *entry.last_chunk::<8>()?)));
        let table = table.map(|(name, bytes)| (name, u64::from_le_bytes(bytes))).collect();
        Ok(Self { data_bytes: Some(data_bytes), table })
    }

    fn of_chunk(&self, name: &[u8]) -> Option<u64> {
        self.table.iter().find(|(known, _)| known == name).map(|(_, bytes)| *bytes)
    }
}

/// A WAVE file being read.
pub(super) struct WavReader {
    file: BufReader<File>,
    layout: Layout,
    probe: Probe,
    data_start: u64,
    /// The frame that the file stands at.
    position: u64,
    /// Bytes of whole frames before it, of which `used` are decoded.
    bytes: Vec<u8>,
    used: usize,
}

impl WavReader {
    /// Whether these first bytes of a file begin a WAVE.
    pub(super) fn recognises(start: &[u8]) -> bool {
        let is_riff = [b"RIFF", b"RF64", b"BW64"].iter().any(|mark| start.starts_with(*mark));
        start.len() >= 12 && is_riff && &start[8..12] == b"WAVE"
    }

    /// Reads the chunks up to the audio.
    pub(super) fn open(file: File) -> Result<Self, Fault> {
        let file_bytes = file.metadata()?.len();
        let mut file = BufReader::with_capacity(HEADER_BUFFER_BYTES, file);
        file.seek(SeekFrom::Start(12))?;
        let mut at = 12_u64;
        let mut layout = None;
        let mut long_sizes = LongSizes::default();
        loop {
            let mut header = [0_u8; 8];
            if file_bytes < at.saturating_add(8) {
                return Err(match layout {
                    None => Fault::new("corrupt", format!("no fmt chunk in {file_bytes} bytes")),
                    Some(_) => Fault::new("corrupt", format!("no data chunk in {file_bytes} bytes")),
                });
            }
            file.read_exact(&mut header)?;
            let short = u32::from_le_bytes([header[4], header[5], header[6], header[7]]);
            let start = at + 8;
            match &header[..4] {
                b"data" => {
                    let Some(layout) = layout else {
                        return Err(Fault::new("corrupt", "its data chunk comes before its fmt chunk"));
                    };
                    let promised = match (short, long_sizes.data_bytes) {
                        (OPEN_LENGTH, Some(long)) if long != 0 && long != u64::MAX => long,
                        // A pipe cannot go back to write the length: all there is.
                        (OPEN_LENGTH, _) => file_bytes - start,
                        (0, None) if file_bytes > start + 8 => file_bytes - start,
                        (short, _) => u64::from(short),
                    };
                    return Self::with_data(file, layout, start, promised, file_bytes);
                }
                b"fmt " => {
                    let mut body = vec![0_u8; short.min(64) as usize];
                    file.read_exact(&mut body).map_err(|_| Fault::new("truncated", "it ends within its fmt chunk"))?;
                    layout = Some(Layout::parse(&body)?);
                }
                b"ds64" => {
                    let mut body = vec![0_u8; short.min(MAX_DS64_BYTES) as usize];
                    file.read_exact(&mut body).map_err(|_| Fault::new("truncated", "it ends within its ds64 chunk"))?;
                    long_sizes = LongSizes::parse(&body)?;
                }
                _ => {}
            }
            let length = match short {
                OPEN_LENGTH => long_sizes.of_chunk(&header[..4]).unwrap_or(OPEN_LENGTH.into()),
                short => u64::from(short),
            };
            at = start.saturating_add(length).saturating_add(length % 2);
            if at > file_bytes {
                let name = header[..4].escape_ascii();
                let message =
                    format!("its {name} chunk promises {length} bytes: the file ends after {}", file_bytes - start);
                return Err(Fault::new("truncated", message));
            }
            file.seek(SeekFrom::Start(at))?;
        }
    }

    fn with_data(
        file: BufReader<File>,
        layout: Layout,
        data_start: u64,
        promised: u64,
        file_bytes: u64,
    ) -> Result<Self, Fault> {
        let probe = |bytes: u64| Probe {
            frames: bytes / layout.frame_bytes().max(1) as u64,
            sample_rate_hz: layout.sample_rate_hz,
            channels: u32::from(layout.channels),
            lossy: false,
        };
        let present = file_bytes - data_start;
        if promised > present {
            return Err(Fault::truncated(probe(present).frames, probe(promised).frames));
        }
        Ok(Self { file, layout, probe: probe(promised), data_start, position: 0, bytes: Vec::new(), used: 0 })
    }

    pub(super) fn probe(&self) -> &Probe {
        &self.probe
    }

    /// The channel mask of the header; 0 says nothing.
    pub(super) fn speakers(&self) -> u32 {
        self.layout.speakers
    }

    /// Bits of a sample; 32 for floating point.
    pub(super) fn bits(&self) -> u32 {
        self.layout.encoding.bits()
    }

    /// Goes to a frame, at most the last one's end.
    pub(super) fn seek(&mut self, frame: u64) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(self.data_start + frame * self.layout.frame_bytes() as u64))?;
        (self.position, self.used) = (frame, self.bytes.len());
        Ok(())
    }

    /// Decodes the next frames into the channels, all of one length; there are at least so many left.
    pub(super) fn read(&mut self, channels: &mut [&mut [f32]]) -> Result<(), Fault> {
        let (frames, frame_bytes) = (channels.first().map_or(0, |channel| channel.len()), self.layout.frame_bytes());
        let mut done = 0;
        while done < frames {
            if self.used == self.bytes.len() {
                self.fill()?;
            }
            let bytes = &self.bytes[self.used..];
            let count = (bytes.len() / frame_bytes).min(frames - done);
            let mut parts: Vec<&mut [f32]> =
                channels.iter_mut().map(|channel| &mut channel[done..done + count]).collect();
            self.layout.encoding.convert(&bytes[..count * frame_bytes], &mut parts);
            self.used += count * frame_bytes;
            done += count;
        }
        Ok(())
    }

    /// Reads the bytes of the next frames.
    fn fill(&mut self) -> Result<(), Fault> {
        let left = usize::try_from(self.probe.frames - self.position).unwrap_or(usize::MAX);
        let frames = (READ_BYTES / self.layout.frame_bytes()).min(left);
        self.bytes.resize(frames * self.layout.frame_bytes(), 0);
        self.used = self.bytes.len();
        self.file.read_exact(&mut self.bytes)?;
        self.used = 0;
        self.position += frames as u64;
        Ok(())
    }

    /// Whether a sample may be no number.
    pub(super) fn is_float(&self) -> bool {
        self.layout.encoding.is_float()
    }
}
