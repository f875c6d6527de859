//! Where a rendered stream ends up.

use std::path::{Path, PathBuf};

use super::error::Error;
use super::view::View;
use super::whole::WholeFile;
use crate::buffer::Buffer;
use crate::digest::Digest;
use crate::media::pcm::PcmWriter;

/// Writes a stream to a PCM file, without the frames by which it lags and of exactly the length announced.
pub struct Spool {
    file: WholeFile,
    /// `None` once the file is whole.
    writer: Option<PcmWriter>,
    block: Buffer,
    skip: u64,
    left: u64,
    /// Of the whole file, if it is hashed.
    digest: Option<Digest>,
}

impl Spool {
    /// A file of `frames` frames of a stream that lags by `lag` frames; `hashed` while it is written, if wanted.
    ///
    /// # Errors
    /// What the file system says.
    pub fn create(
        path: &Path,
        channels: usize,
        sample_rate_hz: u32,
        lag: usize,
        frames: u64,
        hashed: bool,
    ) -> Result<Self, Error> {
        let file = WholeFile::new(path);
        let writer = PcmWriter::create(file.partial(), channels, sample_rate_hz, frames);
        let writer = writer.map_err(Error::writing(path))?;
        let writer = Some(if hashed { writer.hashed() } else { writer });
        let block = Buffer::new(channels, 0);
        let mut spool = Self { file, writer, block, skip: lag as u64, left: frames, digest: None };
        spool.finish_if_full()?;
        Ok(spool)
    }

    /// Takes the next frames of the stream, and has `listener` hear those that the file gets. Those after its end are dropped.
    ///
    /// # Errors
    /// What the file system says.
    pub fn write(
        &mut self,
        block: &Buffer,
        listener: Option<&mut (dyn FnMut(&Buffer) + Send + '_)>,
    ) -> Result<(), Error> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let skipped = self.skip.min(block.frames() as u64);
        self.skip -= skipped;
        let count = (block.frames() as u64 - skipped).min(self.left);
        self.left -= count;
        let whole = count == block.frames() as u64;
        if !whole {
            View::new(block, skipped as usize, count as usize).copy_to(&mut self.block);
        }
        let block = if whole { block } else { &self.block };
        listener.into_iter().for_each(|listen| listen(block));
        writer.write(block).map_err(Error::writing(self.file.partial()))?;
        self.finish_if_full()
    }

    fn finish_if_full(&mut self) -> Result<(), Error> {
        let Some(writer) = self.writer.take_if(|_| self.left == 0) else { return Ok(()) };
        self.digest = writer.finish().map_err(Error::writing(self.file.partial()))?;
        self.file.complete()
    }

    /// The file and its digest, once it is whole and if it was hashed.
    pub fn digest(&self) -> Option<(PathBuf, Digest)> {
        self.digest.map(|digest| (self.file.path().to_owned(), digest))
    }
}
