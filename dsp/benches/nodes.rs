//! What each processor costs: defaults, the paths that tests reach, every preset. Also the rate conversions and the
//! true-peak readers.
//!
//! `cargo bench -p mixdown-dsp --bench nodes [-- WORD]` times 1000 stereo frames at 48 kHz an iteration, so that the
//! microseconds it prints are nanoseconds per stereo frame; `fastest` is the figure to compare: what the machine does beside
//! it only adds.

#[path = "../tests/support/mod.rs"]
mod support;

use std::fmt;

use divan::Bencher;
use divan::counter::ItemsCount;
use mixdown_dsp::buffer::Buffer;
use mixdown_dsp::kernels::resampler::Resampler;
use mixdown_dsp::kernels::true_peak::TruePeakReader;
use mixdown_dsp::node::Block;
use mixdown_dsp::nodes::Processor;
use support::{Rig, moving_lanes, noise, variants};

const BLOCK_FRAMES: usize = 1000;
const SAMPLES: u32 = 40;
const BLOCKS: u32 = 8;

#[allow(clippy::print_stdout)]
fn main() {
    println!("{BLOCK_FRAMES} stereo frames at 48 kHz an iteration: read µs as ns per stereo frame");
    divan::main();
}

/// A processor by its name.
struct Variant(String, Processor);

impl fmt::Display for Variant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

fn named() -> impl Iterator<Item = Variant> {
    variants().into_iter().map(|(label, processor)| Variant(label, processor))
}

#[divan::bench(args = named(), sample_count = SAMPLES, sample_size = BLOCKS)]
fn still(bencher: Bencher<'_, '_>, variant: &Variant) {
    node(bencher, &variant.1, false);
}

#[divan::bench(args = named(), sample_count = SAMPLES, sample_size = BLOCKS)]
fn automated(bencher: Bencher<'_, '_>, variant: &Variant) {
    node(bencher, &variant.1, true);
}

fn node(bencher: Bencher<'_, '_>, processor: &Processor, moving: bool) {
    // The lanes move as long as the processor runs, and one sample more: the first is thrown away.
    let frames = (SAMPLES + 1) as usize * BLOCKS as usize * BLOCK_FRAMES;
    let lanes = if moving { moving_lanes(processor, frames as u64) } else { Vec::new() };
    let mut rig = Rig::new(processor, 48_000, 2, &lanes);
    let programme = programme();
    let mut audio = programme.clone();
    bencher.counter(ItemsCount::new(BLOCK_FRAMES)).bench_local(|| {
        for (to, from) in audio.iter_mut().zip(programme.iter()) {
            to.copy_from_slice(from);
        }
        rig.node.process(&mut Block { frame: rig.frame, audio: &mut audio, key: None });
        rig.frame += BLOCK_FRAMES as i64;
    });
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

/// Stereo frames that come in; their number follows from 1000 that come out.
#[divan::bench(args = [(44_100, 48_000), (48_000, 44_100), (96_000, 44_100), (44_100, 96_000), (192_000, 44_100)])]
fn conversion(bencher: Bencher<'_, '_>, (from_hz, to_hz): (u32, u32)) {
    let frames = (BLOCK_FRAMES as u64 * u64::from(from_hz)).div_ceil(u64::from(to_hz)) as usize;
    let mut resampler = Resampler::new(from_hz, to_hz, 2);
    let (mut input, mut out) = (Buffer::new(2, frames), Buffer::new(2, 0));
    for (channel, samples) in input.iter_mut().zip(noise(2, frames, 0.9)) {
        channel.copy_from_slice(&samples);
    }
    bencher.counter(ItemsCount::new(BLOCK_FRAMES)).bench_local(|| resampler.process(&input, &mut out));
}

#[divan::bench]
fn true_peak_accurate(bencher: Bencher<'_, '_>) {
    reader(bencher, TruePeakReader::new);
}

#[divan::bench]
fn true_peak_all_readers(bencher: Bencher<'_, '_>) {
    reader(bencher, TruePeakReader::strict);
}

/// Both channels, begun anew each time.
fn reader(bencher: Bencher<'_, '_>, reader: impl Fn() -> TruePeakReader) {
    let channels = noise(2, BLOCK_FRAMES, 0.9);
    bencher.counter(ItemsCount::new(BLOCK_FRAMES)).bench_local(|| {
        for samples in &channels {
            let mut reader = reader();
            reader.push(samples);
            divan::black_box(reader.finish());
        }
    });
}
