//! Audio files in and out, judged by ffmpeg and flac.

mod decode;
mod tools;
