//! What each processor costs, in ns per stereo frame at 48 kHz: defaults, the paths that tests reach, every preset. Also the
//! rate conversions and the true-peak readers.
//!
//! `cargo bench -p mixdown-dsp --bench nodes [-- WORD]` prints a table, of the lines that hold WORD if one is given. Each figure
//! is the best of several short runs: what the machine does beside it only adds.

#[path = "../tests/support/mod.rs"]
mod support;

use std::hint::black_box;
use std::time::Instant;

use mixdown_dsp::buffer::Buffer;
use mixdown_dsp::kernels::resampler::Resampler;
use mixdown_dsp::kernels::true_peak::TruePeakReader;
use mixdown_dsp::node::Block;
use mixdown_dsp::nodes::Processor;
use mixdown_dsp::simd::Level;
use support::{Rig, moving_lanes, noise, variants};

const BLOCK_FRAMES: usize = 1024;
const BLOCKS: usize = 8;
const RUNS: usize = 12;

#[allow(clippy::print_stdout, reason = "a bench prints")]
fn main() {
    let word = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    println!("ns per stereo frame, {} instructions\n\n| | still | automated |\n| --- | --- | --- |", Level::current());
    for (label, processor) in variants().into_iter().filter(|(label, _)| label.contains(&word)) {
        let [still, moving] = [false, true].map(|moving| node_ns(&processor, moving));
        println!("| {label} | {still:.1} | {moving:.1} |");
    }
    println!("\n| | per stereo frame that comes out |\n| --- | --- |");
    for (from_hz, to_hz) in [(44_100, 48_000), (48_000, 44_100), (96_000, 44_100), (44_100, 96_000), (192_000, 44_100)]
    {
        println!("| {from_hz} to {to_hz} Hz | {:.1} |", conversion_ns(from_hz, to_hz));
    }
    println!("| true peak, accurate reader | {:.1} |", 2.0 * reader_ns(TruePeakReader::new));
    println!("| true peak, all readers | {:.1} |", 2.0 * reader_ns(TruePeakReader::strict));
}

/// The least time of a run that yields so many frames, in ns per frame.
fn best(mut run: impl FnMut() -> usize) -> f64 {
    let mut timed = || {
        let start = Instant::now();
        let frames = run();
        start.elapsed().as_secs_f64() * 1e9 / frames as f64
    };
    timed();
    (0..RUNS).map(|_| timed()).fold(f64::INFINITY, f64::min)
}

/// Noise whose level rises and falls, so that dynamics have work.
fn programme() -> Buffer {
    let mut buffer = Buffer::new(2, BLOCK_FRAMES);
    for (channel, samples) in buffer.iter_mut().zip(noise(2, BLOCK_FRAMES, 0.9)) {
        for (frame, (to, from)) in channel.iter_mut().zip(samples).enumerate() {
            *to = from * if frame < BLOCK_FRAMES / 2 { 1.0 } else { 0.05 };
        }
    }
    buffer
}

fn node_ns(processor: &Processor, moving: bool) -> f64 {
    let frames = (RUNS + 1) * BLOCKS * BLOCK_FRAMES;
    let lanes = if moving { moving_lanes(processor, frames as u64) } else { Vec::new() };
    let mut rig = Rig::new(processor, 48_000, 2, &lanes);
    let programme = programme();
    let mut audio = programme.clone();
    best(|| {
        for _ in 0..BLOCKS {
            for (to, from) in audio.iter_mut().zip(programme.iter()) {
                to.copy_from_slice(from);
            }
            rig.node.process(&mut Block { frame: rig.frame, audio: &mut audio, key: None });
            rig.frame += BLOCK_FRAMES as i64;
        }
        BLOCKS * BLOCK_FRAMES
    })
}

fn conversion_ns(from_hz: u32, to_hz: u32) -> f64 {
    let mut resampler = Resampler::new(from_hz, to_hz, 2);
    let (mut input, mut out) = (Buffer::new(2, 4096), Buffer::new(2, 0));
    for (channel, samples) in input.iter_mut().zip(noise(2, 4096, 0.9)) {
        channel.copy_from_slice(&samples);
    }
    best(|| {
        (0..4)
            .map(|_| {
                resampler.process(&input, &mut out);
                out.frames()
            })
            .sum()
    })
}

fn reader_ns(reader: impl Fn() -> TruePeakReader) -> f64 {
    let samples = noise(1, 20_000, 0.9).remove(0);
    best(|| {
        let mut reader = reader();
        reader.push(&samples);
        black_box(reader.finish());
        samples.len()
    })
}
