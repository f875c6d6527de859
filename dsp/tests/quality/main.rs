//! The quality of files: figures against closed forms, and defects that were planted.
#![expect(clippy::disallowed_methods, reason = "test signals and oracles need not have the same bits everywhere")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod courses;
mod defects;
mod figures;
#[path = "../model/mod.rs"]
mod model;
#[path = "../signals/mod.rs"]
mod signals;
mod verdicts;

use mixdown_dsp::kernels::true_peak::TruePeakReader;
use mixdown_dsp::quality::{Analysis, Analyzer, Source};
use signals::buffer;

/// Analyses channels of a format of so many bits.
fn analyse_bits(sample_rate_hz: u32, channels: &[&[f32]], bits: u32) -> Analysis {
    let source = Source { sample_rate_hz, channels: channels.len(), speakers: 0, nominal_bits: Some(bits) };
    let mut analyzer = Analyzer::new(source, TruePeakReader::new);
    analyzer.push(&buffer(channels));
    analyzer.finish()
}

/// Analyses channels of 32-bit floats.
fn analyse(sample_rate_hz: u32, channels: &[&[f32]]) -> Analysis {
    analyse_bits(sample_rate_hz, channels, 32)
}
