//! Audio files in and out, judged by ffmpeg and flac.

mod asset;
mod decode;
mod encode;
mod hostile;
mod tools;
