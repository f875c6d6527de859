//! Audio files: read, recognised, written.

mod asset;
mod caf;
mod decode;
mod demux;
mod encode;
mod interleaved;
mod lossy;
mod opus;
pub mod pcm;
mod picture;
mod preview;
mod priming;
pub mod tags;
mod wav;

pub use asset::AssetReader;
pub use decode::{Decoder, MediaError, Probe, probe, verify};
pub use encode::{BroadcastSpec, FileSpec, FileWriter, Samples, coding_history};
pub use lossy::{LossySpec, LossyWriter};
pub use picture::{MAX_PICTURE_BYTES, Picture};
pub use preview::{preview_rate_hz, write_preview};
