//! Decodes a lossy asset into PCM, once: the promise of equal bits starts there.

use std::path::Path;

use super::ExecuteError;
use crate::buffer::Buffer;
use crate::graph::{Error, WholeFile, expected};
use crate::media::Decoder;
use crate::media::pcm::PcmWriter;
use crate::progress::Monitor;
use crate::session::valid::Asset;

/// Frames decoded at a time.
const BLOCK_FRAMES: usize = 16_384;

/// Decodes the file of `asset` into a PCM file at its own rate.
pub(super) fn decode(asset: &Asset, from: &Path, to: &Path, monitor: &dyn Monitor) -> Result<(), ExecuteError> {
    let media = |error| Error::media(&asset.name, error);
    let bad = |what: String| ExecuteError::BadMedia(format!("asset `{}`: {what}", asset.name));
    let file = WholeFile::new(to);
    let writing = |source| Error::writing(to)(source);
    let mut decoder = Decoder::open(from).map_err(media)?;
    let wanted = expected(asset);
    if *decoder.probe() != wanted {
        return Err(bad(format!("it is {:?}, but the session says {wanted:?}", decoder.probe())));
    }
    let channels = wanted.channels as usize;
    let mut writer =
        PcmWriter::create(file.partial(), channels, wanted.sample_rate_hz, wanted.frames).map_err(writing)?;
    let mut block = Buffer::new(channels, BLOCK_FRAMES);
    let mut done = 0;
    loop {
        if monitor.is_cancelled() {
            return Err(ExecuteError::Cancelled);
        }
        block.set_frames(BLOCK_FRAMES);
        let frames = decoder.read(&mut block).map_err(media)? as u64;
        if frames == 0 {
            break;
        }
        done += frames;
        if done > wanted.frames {
            return Err(bad(format!("it goes on after the {} frames that it announces", wanted.frames)));
        }
        writer.write(&block).map_err(writing)?;
        monitor.advance(frames);
    }
    if done < wanted.frames {
        return Err(bad(format!("it ends after {done} frames and not after the {} that it announces", wanted.frames)));
    }
    writer.finish().map_err(writing)?;
    Ok(file.complete()?)
}
