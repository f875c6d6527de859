//! The file format of artifacts: a 32-byte header and interleaved little-endian f32 frames.
//!
//! ```text
//! 0  "MXDPCM1\0"   8  channels u32   12  sample rate u32   16  frames u64   24  zero u64   32  frames × channels × f32
//! ```

use std::io;
use std::path::Path;

use crate::buffer::Buffer;

/// A PCM artifact being written.
pub struct PcmWriter {}

impl PcmWriter {
    /// Creates the file; its length in frames is fixed beforehand.
    ///
    /// # Errors
    /// What the file system says.
    pub fn create(path: &Path, channels: usize, sample_rate_hz: u32, frames: u64) -> io::Result<Self> {
        let _ = (path, channels, sample_rate_hz, frames);
        unimplemented!("media agent")
    }

    /// Appends the frames of `block`.
    ///
    /// # Errors
    /// What the file system says; more frames than announced.
    pub fn write(&mut self, block: &Buffer) -> io::Result<()> {
        let _ = block;
        unimplemented!("media agent")
    }

    /// Ends the file. Fails if fewer frames than announced were written.
    ///
    /// # Errors
    /// What the file system says.
    pub fn finish(self) -> io::Result<()> {
        unimplemented!("media agent")
    }
}

/// A PCM artifact being read, sequentially from any frame.
pub struct PcmReader {}

impl PcmReader {
    /// Opens the file and checks header and size.
    ///
    /// # Errors
    /// What the file system says; `InvalidData` when it is no whole PCM artifact.
    pub fn open(path: &Path) -> io::Result<Self> {
        let _ = path;
        unimplemented!("media agent")
    }

    /// Channels.
    #[must_use]
    pub fn channels(&self) -> usize {
        unimplemented!("media agent")
    }

    /// Sample rate in Hz.
    #[must_use]
    pub fn sample_rate_hz(&self) -> u32 {
        unimplemented!("media agent")
    }

    /// Length in frames.
    #[must_use]
    pub fn frames(&self) -> u64 {
        unimplemented!("media agent")
    }

    /// Goes to a frame.
    ///
    /// # Errors
    /// What the file system says.
    pub fn seek(&mut self, frame: u64) -> io::Result<()> {
        let _ = frame;
        unimplemented!("media agent")
    }

    /// Fills `out` with the next frames; past the end: silence.
    ///
    /// # Errors
    /// What the file system says.
    pub fn read(&mut self, out: &mut Buffer) -> io::Result<()> {
        let _ = out;
        unimplemented!("media agent")
    }
}
