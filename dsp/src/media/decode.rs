//! Decodes audio files as streams.

use std::path::{Path, PathBuf};

use crate::buffer::Buffer;

/// What an audio file is, as its own header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Frames at the file's rate, encoder delay and padding taken off.
    pub frames: u64,
    /// The file's rate in Hz.
    pub sample_rate_hz: u32,
    /// Channels, 1 to 8.
    pub channels: u32,
    /// Whether decoding is lossy (MP3, Vorbis, AAC).
    pub lossy: bool,
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// It cannot be opened or read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// Its bytes are no audio that is known, or are broken.
    #[error("{}: {message}", path.display())]
    Bad {
        /// The file.
        path: PathBuf,
        /// Stable code: `not_audio`, `truncated`, `corrupt`, `empty`, `not_finite`, `unsupported`, `facts_differ`.
        code: &'static str,
        /// What was found, where (frame or byte), and what was expected.
        message: String,
    },
}

/// Reads the header of a file.
///
/// # Errors
/// See [`MediaError`].
pub fn probe(path: &Path) -> Result<Probe, MediaError> {
    let _ = path;
    unimplemented!("media agent")
}

/// Decodes a file to its end: finds truncation, corruption, NaN and infinity.
///
/// # Errors
/// See [`MediaError`].
pub fn verify(path: &Path) -> Result<Probe, MediaError> {
    let _ = path;
    unimplemented!("media agent")
}

/// A file being decoded, at its own rate, from its first frame to its last.
pub struct Decoder {}

impl Decoder {
    /// Opens a file.
    ///
    /// # Errors
    /// See [`MediaError`].
    pub fn open(path: &Path) -> Result<Self, MediaError> {
        let _ = path;
        unimplemented!("media agent")
    }

    /// What the header says.
    #[must_use]
    pub fn probe(&self) -> &Probe {
        unimplemented!("media agent")
    }

    /// Decodes the next frames into `out`, as many as `out` has (`out.channel_count()` is the file's); fewer only at the
    /// end. Sets `out`'s frames to what was decoded and returns it; 0 at the end.
    ///
    /// # Errors
    /// See [`MediaError`]; NaN or infinity is `not_finite` and names the frame.
    pub fn read(&mut self, out: &mut Buffer) -> Result<usize, MediaError> {
        let _ = out;
        unimplemented!("media agent")
    }
}

/// An asset as a clip sees it: converted to the session's rate, from any frame on.
pub struct AssetReader {}

impl AssetReader {
    /// Opens an audio file, or a PCM artifact of a lossy one (recognised by its header), converted to `sample_rate_hz`,
    /// with its next frame at `from_frame` (counted after conversion). A file that is not what `expected` says
    /// (frames, rate, channels) is an error of code `facts_differ`.
    ///
    /// # Errors
    /// See [`MediaError`].
    pub fn open(path: &Path, expected: &Probe, sample_rate_hz: u32, from_frame: u64) -> Result<Self, MediaError> {
        let _ = (path, expected, sample_rate_hz, from_frame);
        unimplemented!("media agent")
    }

    /// Fills `out` with the next frames. Past the end: silence.
    ///
    /// # Errors
    /// See [`MediaError`].
    pub fn read(&mut self, out: &mut Buffer) -> Result<(), MediaError> {
        let _ = out;
        unimplemented!("media agent")
    }
}
