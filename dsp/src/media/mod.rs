//! Audio files: read, recognised, written.

mod decode;
mod encode;
pub mod pcm;

pub use decode::{AssetReader, Decoder, MediaError, Probe, probe, verify};
pub use encode::{FileSpec, FileWriter, Samples};
