//! Assets as clips see them.

use std::path::Path;

use super::decode::{MediaError, Probe};
use crate::buffer::Buffer;

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
