//! Inserts in series.

use super::delay_line::DelayLine;
use super::view::View;
use crate::buffer::Buffer;
use crate::node::{Block, Node, Prepare};
use crate::session::valid::{Insert, KeySource};

/// The inserts of a track, a bus or the master at work, with their side-chains aligned.
///
/// The chain's clock is the session frame of its input. A node starts at session frame 0 of its own input, whatever
/// lies upstream: so the lag with which audio arrives, which depends on how the session is cut, never reaches a state.
pub struct Chain {
    stages: Vec<Stage>,
    /// The mono and the stereo block that the stages work on in place.
    blocks: [Buffer; 2],
    channels_in: usize,
    channels_out: usize,
    latency: usize,
}

struct Stage {
    node: Box<dyn Node>,
    /// Frames by which the node's input lags the chain's.
    lag: usize,
    channels_in: usize,
    channels_out: usize,
    /// Holds the audio back until a later key has arrived.
    wait: DelayLine,
    key: Option<KeyInput>,
}

/// A node's side-chain key on its way in.
struct KeyInput {
    source: KeySource,
    wait: DelayLine,
    block: Buffer,
}

/// What a key looks like where it leaves its source.
#[derive(Debug, Clone, Copy)]
pub struct KeyPort {
    /// Channels.
    pub channels: usize,
    /// Frames by which it lags the chain's input; negative when it is earlier.
    pub lag: i64,
}

impl Chain {
    /// The chain of `inserts` for what `prepare` says; `port` tells of the side-chain keys.
    #[must_use]
    pub fn new(inserts: &[Insert], prepare: Prepare, port: &dyn Fn(KeySource) -> KeyPort) -> Self {
        let rate = prepare.sample_rate_hz;
        let mut channels = prepare.channels;
        let mut latency = 0;
        let mut stages = Vec::with_capacity(inserts.len());
        for insert in inserts {
            let parameters = insert.processor.parameters();
            let channels_in = channels;
            channels = parameters.channels_out(channels_in);
            let key_port = insert.sidechain.map(|source| (source, port(source)));
            let key_lag = key_port.map_or(0, |(_, port)| port.lag);
            let lag = latency.max(usize::try_from(key_lag).unwrap_or(0));
            let key = key_port.map(|(source, port)| KeyInput {
                source,
                wait: DelayLine::new(port.channels, (lag as i64 - key_lag) as usize),
                block: Buffer::new(port.channels, prepare.max_block_frames),
            });
            let node = insert.processor.build(Prepare { channels: channels_in, ..prepare }, &insert.lanes);
            let wait = DelayLine::new(channels_in, lag - latency);
            stages.push(Stage { node, lag, channels_in, channels_out: channels, wait, key });
            latency = lag + parameters.latency_frames(rate);
        }
        let blocks = [Buffer::new(1, prepare.max_block_frames), Buffer::new(2, prepare.max_block_frames)];
        Self { stages, blocks, channels_in: prepare.channels, channels_out: channels, latency }
    }

    /// Frames by which the output lags the input.
    #[must_use]
    pub fn latency_frames(&self) -> usize {
        self.latency
    }

    /// Channels of the output.
    #[must_use]
    pub fn channels_out(&self) -> usize {
        self.channels_out
    }

    /// Frames from session frame `frame` of the input on until the next node, or the output, starts: no block may reach
    /// across.
    #[must_use]
    pub fn frames_until_start(&self, frame: i64) -> usize {
        let starts = self.stages.iter().map(|stage| stage.lag).chain([self.latency]);
        let until = starts.map(|lag| lag as i64 - frame).filter(|frames| *frames > 0).min();
        until.map_or(usize::MAX, |frames| frames as usize)
    }

    /// The block to be filled with the next `frames` frames of input.
    pub fn input(&mut self, frames: usize) -> &mut Buffer {
        let block = &mut self.blocks[self.channels_in - 1];
        block.set_frames(frames);
        block
    }

    /// Processes what was put into [`Self::input`], whose first frame is session frame `frame`. `key` gives the frames
    /// that each key's source yields at the same time.
    pub fn process<'k>(&mut self, frame: i64, key: &dyn Fn(KeySource) -> View<'k>) -> &mut Buffer {
        let Self { stages, blocks: [mono, stereo], .. } = self;
        let frames = if self.channels_in == 1 { mono.frames() } else { stereo.frames() };
        mono.set_frames(frames);
        stereo.set_frames(frames);
        let mut silent = is_silent(if self.channels_in == 1 { mono } else { stereo });
        for stage in stages {
            stage.wait.process(if stage.channels_in == 1 { mono } else { stereo });
            if stage.wait.frames() > 0 {
                silent = is_silent(if stage.channels_in == 1 { mono } else { stereo });
            }
            if stage.channels_in < stage.channels_out {
                stereo.channel_mut(0).copy_from_slice(mono.channel(0));
                stereo.channel_mut(1).fill(0.0);
            }
            let wide = stage.channels_in.max(stage.channels_out) == 2;
            silent = stage.process(frame, if wide { stereo } else { mono }, silent, key);
            if stage.channels_out < stage.channels_in {
                mono.channel_mut(0).copy_from_slice(stereo.channel(0));
            }
        }
        let out = if self.channels_out == 1 { mono } else { stereo };
        if frame < self.latency as i64 {
            out.clear();
        }
        out
    }
}

impl Stage {
    /// Processes a block in place and returns whether it is silent now.
    fn process<'k>(
        &mut self,
        frame: i64,
        audio: &mut Buffer,
        mut silent: bool,
        key: &dyn Fn(KeySource) -> View<'k>,
    ) -> bool {
        if let Some(input) = &mut self.key {
            key(input.source).copy_to(&mut input.block);
            input.wait.process(&mut input.block);
        }
        let frame = frame - self.lag as i64;
        if frame < 0 {
            audio.clear();
            return true;
        }
        let key = self.key.as_ref().map(|input| &input.block);
        if silent && key.is_none_or(is_silent) && self.node.is_at_rest() {
            audio.clear();
        } else {
            self.node.process(&mut Block { frame, audio, key });
            silent = is_silent(audio);
        }
        silent
    }
}

fn is_silent(audio: &Buffer) -> bool {
    audio.iter().all(|channel| channel.iter().all(|sample| *sample == 0.0))
}
