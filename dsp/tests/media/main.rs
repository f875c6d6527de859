//! Audio files in and out, judged by ffmpeg and flac.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod asset;
mod broadcast;
mod containers;
mod decode;
mod encode;
mod gapless;
mod lossy;
mod read_back;
mod tags;
mod tools;
