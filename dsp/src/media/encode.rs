//! Writes deliverables.

use std::io;
use std::path::Path;

use crate::session::document::{Depth, Format, Metadata};

/// What a file is to be.
#[derive(Debug, Clone, PartialEq)]
pub struct FileSpec {
    /// Container and codec.
    pub format: Format,
    /// Bits per sample.
    pub depth: Depth,
    /// Sample rate in Hz.
    pub sample_rate_hz: u32,
    /// Channels: 1 or 2.
    pub channels: usize,
    /// Length in frames.
    pub frames: u64,
    /// Tags, where the container carries them.
    pub metadata: Metadata,
}

/// Interleaved samples for a file.
#[derive(Debug, Clone, Copy)]
pub enum Samples<'a> {
    /// For 16 and 24 bits: each value lies in the depth's range.
    Int(&'a [i32]),
    /// For 32-bit float.
    Float(&'a [f32]),
}

/// A deliverable being written; the same samples give the same bytes.
pub struct FileWriter {}

impl FileWriter {
    /// Creates the file.
    ///
    /// # Errors
    /// What the file system says; `InvalidInput` for a combination that the container cannot hold.
    pub fn create(path: &Path, spec: &FileSpec) -> io::Result<Self> {
        let _ = (path, spec);
        unimplemented!("media agent")
    }

    /// Appends interleaved samples.
    ///
    /// # Errors
    /// What the file system says.
    pub fn write(&mut self, samples: Samples<'_>) -> io::Result<()> {
        let _ = samples;
        unimplemented!("media agent")
    }

    /// Ends the file. Fails if the number of frames differs from the one announced.
    ///
    /// # Errors
    /// What the file system says.
    pub fn finish(self) -> io::Result<()> {
        unimplemented!("media agent")
    }
}
