//! Signals and drivers that the tests of the nodes share.
#![allow(dead_code, reason = "each test binary uses its part")]

use mixdown_dsp::automation::{Curve, Knot, Lane};
use mixdown_dsp::buffer::Buffer;
use mixdown_dsp::node::{Block, Node, ParameterLane, ParameterSpec, Prepare};
use mixdown_dsp::nodes::Processor;

mod processors;

#[allow(unused_imports, reason = "each test binary uses its part")]
pub use processors::*;

/// The longest block the tests use.
pub const MAX_BLOCK_FRAMES: usize = 4096;

/// White noise of ±`peak`, the same on every machine: the top bits of a 64-bit linear congruential generator.
pub fn noise(channels: usize, frames: usize, peak: f32) -> Vec<Vec<f32>> {
    (0..channels)
        .map(|channel| {
            let mut state = 0x9e37_79b9_7f4a_7c15u64.wrapping_mul(channel as u64 + 1);
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                // 24 bits, exact in f32.
                ((state >> 40) as i32 - (1 << 23)) as f32 / (1 << 23) as f32
            };
            (0..frames).map(|_| peak * next()).collect()
        })
        .collect()
}

/// One sample of 1 at frame 0 of every channel.
pub fn impulse(channels: usize, frames: usize) -> Vec<Vec<f32>> {
    let mut channel = vec![0.0; frames];
    channel[0] = 1.0;
    vec![channel; channels]
}

/// A processor at work, fed in blocks.
pub struct Rig {
    pub node: Box<dyn Node>,
    channels_out: usize,
    /// The absolute frame of the next block.
    pub frame: i64,
}

impl Rig {
    pub fn new(processor: &Processor, sample_rate_hz: u32, channels: usize, lanes: &[ParameterLane]) -> Self {
        let prepare = Prepare { sample_rate_hz, channels, max_block_frames: MAX_BLOCK_FRAMES };
        let channels_out = processor.parameters().channels_out(channels);
        Self { node: processor.build(prepare, lanes), channels_out, frame: 0 }
    }

    /// Everything that comes out for `input`, in blocks whose lengths repeat `blocks`.
    pub fn run(&mut self, input: &[Vec<f32>], key: Option<&[Vec<f32>]>, blocks: &[usize]) -> Vec<Vec<f32>> {
        let total = input[0].len();
        let mut output = vec![Vec::with_capacity(total); self.channels_out];
        let mut lengths = blocks.iter().copied().cycle();
        let mut start = 0;
        while start < total {
            let frames = lengths.next().expect("because a cycle does not end").min(total - start).min(MAX_BLOCK_FRAMES);
            let mut audio = slice(input, self.channels_out.max(input.len()), start, frames);
            let key = key.map(|key| slice(key, key.len(), start, frames));
            self.node.process(&mut Block { frame: self.frame, audio: &mut audio, key: key.as_ref() });
            for (output, channel) in output.iter_mut().zip(audio.iter()) {
                output.extend_from_slice(channel);
            }
            self.frame += frames as i64;
            start += frames;
        }
        output
    }

    /// Everything that comes out of this node and another beside it; the first may have a key.
    pub fn run_beside(
        &mut self,
        other: &mut Self,
        [input, other_input]: [&[Vec<f32>]; 2],
        key: Option<&[Vec<f32>]>,
        blocks: &[usize],
    ) -> [Vec<Vec<f32>>; 2] {
        let total = input[0].len();
        let mut outputs = [vec![Vec::new(); self.channels_out], vec![Vec::new(); other.channels_out]];
        let mut lengths = blocks.iter().copied().cycle();
        let mut start = 0;
        while start < total {
            let frames = lengths.next().expect("because a cycle does not end").min(total - start).min(MAX_BLOCK_FRAMES);
            let mut audio = slice(input, self.channels_out.max(input.len()), start, frames);
            let mut other_audio = slice(other_input, other.channels_out.max(other_input.len()), start, frames);
            let key = key.map(|key| slice(key, key.len(), start, frames));
            let mut block = Block { frame: self.frame, audio: &mut audio, key: key.as_ref() };
            let mut other_block = Block { frame: other.frame, audio: &mut other_audio, key: None };
            self.node.process_beside(&mut block, &mut *other.node, &mut other_block);
            for (output, audio) in outputs.iter_mut().zip([&audio, &other_audio]) {
                for (output, channel) in output.iter_mut().zip(audio.iter()) {
                    output.extend_from_slice(channel);
                }
            }
            self.frame += frames as i64;
            other.frame += frames as i64;
            start += frames;
        }
        outputs
    }

    /// What comes out for so much silence.
    pub fn run_silence(&mut self, channels_in: usize, frames: usize) -> Vec<Vec<f32>> {
        self.run(&vec![vec![0.0; frames]; channels_in], None, &[MAX_BLOCK_FRAMES])
    }
}

fn slice(signal: &[Vec<f32>], channels: usize, start: usize, frames: usize) -> Buffer {
    let mut buffer = Buffer::new(channels, frames);
    for (channel, samples) in buffer.iter_mut().zip(signal) {
        channel.copy_from_slice(&samples[start..start + frames]);
    }
    buffer
}

/// What comes out of a new node in one go.
pub fn render(processor: &Processor, sample_rate_hz: u32, input: &[Vec<f32>]) -> Vec<Vec<f32>> {
    Rig::new(processor, sample_rate_hz, input.len(), &[]).run(input, None, &[MAX_BLOCK_FRAMES])
}

/// The bits of a signal: what "the same" means here.
pub fn bits(signal: &[Vec<f32>]) -> Vec<Vec<u32>> {
    signal.iter().map(|channel| channel.iter().map(|sample| sample.to_bits()).collect()).collect()
}

/// Lanes that move every parameter of a processor over the middle of its range and back to where it stood.
pub fn moving_lanes(processor: &Processor, over_frames: u64) -> Vec<ParameterLane> {
    let parameters = processor.parameters();
    let lane = |(parameter, spec): (usize, ParameterSpec)| {
        let resting = parameters.get(parameter);
        let middle = spec.min + 0.3 * (spec.max - spec.min);
        let knot = |frame, value, curve| Knot { frame, value, curve };
        let knots = vec![
            knot(over_frames / 5, resting, Curve::Linear),
            knot(over_frames / 2, middle, Curve::Hold),
            knot(over_frames / 2 + 777, resting, Curve::Linear),
        ];
        ParameterLane { parameter, lane: Lane::new(knots).expect("because the frames rise") }
    };
    parameters.specs().into_iter().enumerate().map(lane).collect()
}
