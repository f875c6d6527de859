//! Inserts in series.

use super::delay_line::DelayLine;
use super::view::View;
use crate::buffer::Buffer;
use crate::control;
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
    /// Whether the block is silent where it is.
    silent: bool,
}

struct Stage {
    node: Box<dyn Node>,
    /// Frames by which the node's input lags the chain's.
    lag: usize,
    channels_in: usize,
    channels_out: usize,
    /// Holds the audio back until a later key has arrived.
    wait: DelayLine,
    /// Whether the node processed the latest block.
    ran: bool,
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
            stages.push(Stage { node, lag, channels_in, channels_out: channels, wait, ran: false, key });
            latency = lag + parameters.latency_frames(rate);
        }
        let blocks = [Buffer::new(1, prepare.max_block_frames), Buffer::new(2, prepare.max_block_frames)];
        Self { stages, blocks, channels_in: prepare.channels, channels_out: channels, latency, silent: false }
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

    /// Whether a block of this chain can be processed beside one of the other: as many nodes, at the same lags, without keys.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        let alike = |(a, b): (&Stage, &Stage)| {
            let place = |stage: &Stage| (stage.lag, stage.channels_in, stage.channels_out);
            place(a) == place(b) && a.key.is_none() && b.key.is_none()
        };
        self.stages.len() == other.stages.len()
            && (self.channels_in, self.latency) == (other.channels_in, other.latency)
            && self.stages.iter().zip(&other.stages).all(alike)
    }

    /// Processes what was put into [`Self::input`], whose first frame is session frame `frame`. `key` gives the frames
    /// that each key's source yields at the same time.
    pub fn process<'k>(&mut self, frame: i64, key: &dyn Fn(KeySource) -> View<'k>) -> &mut Buffer {
        self.begin();
        for index in 0..self.stages.len() {
            if let Some((node, mut block)) = self.enter(index, frame, key) {
                node.process(&mut block);
            }
            self.leave(index);
        }
        self.end(frame)
    }

    /// Processes what was put into the inputs of two chains that are alike.
    pub fn process_beside<'c>(&'c mut self, other: &'c mut Self, frame: i64) -> [&'c mut Buffer; 2] {
        let no_key = |_| unreachable!("because chains with keys are not alike");
        self.begin();
        other.begin();
        for index in 0..self.stages.len() {
            match (self.enter(index, frame, &no_key), other.enter(index, frame, &no_key)) {
                (Some((node, mut block)), Some((beside, mut other_block))) => {
                    node.process_beside(&mut block, beside, &mut other_block);
                }
                (Some((node, mut block)), None) | (None, Some((node, mut block))) => node.process(&mut block),
                (None, None) => {}
            }
            self.leave(index);
            other.leave(index);
        }
        [self.end(frame), other.end(frame)]
    }

    fn begin(&mut self) {
        let Self { blocks: [mono, stereo], .. } = self;
        let frames = if self.channels_in == 1 { mono.frames() } else { stereo.frames() };
        mono.set_frames(frames);
        stereo.set_frames(frames);
        self.silent = is_silent(if self.channels_in == 1 { mono } else { stereo });
    }

    /// Brings the block to a stage; gives its node and what to process unless that rests.
    fn enter<'k>(
        &mut self,
        index: usize,
        frame: i64,
        key: &dyn Fn(KeySource) -> View<'k>,
    ) -> Option<(&mut dyn Node, Block<'_>)> {
        let Self { stages, blocks: [mono, stereo], silent, .. } = self;
        let stage = &mut stages[index];
        stage.wait.process(if stage.channels_in == 1 { mono } else { stereo });
        if stage.wait.frames() > 0 {
            *silent = is_silent(if stage.channels_in == 1 { mono } else { stereo });
        }
        if stage.channels_in < stage.channels_out {
            stereo.channel_mut(0).copy_from_slice(mono.channel(0));
            stereo.channel_mut(1).fill(0.0);
        }
        if let Some(input) = &mut stage.key {
            key(input.source).copy_to(&mut input.block);
            input.wait.process(&mut input.block);
        }
        let audio = if stage.is_wide() { stereo } else { mono };
        let frame = frame - stage.lag as i64;
        let key = stage.key.as_ref().map(|input| &input.block);
        let rests = frame < 0 || (*silent && key.is_none_or(is_silent) && stage.node.is_at_rest());
        stage.ran = !rests;
        if rests {
            audio.clear();
            return None;
        }
        Some((&mut *stage.node, Block { frame, audio, key }))
    }

    /// Takes the block from a stage.
    fn leave(&mut self, index: usize) {
        let Self { stages, blocks: [mono, stereo], silent, .. } = self;
        let stage = &stages[index];
        *silent = !stage.ran || is_silent(if stage.is_wide() { stereo } else { mono });
        if stage.channels_out < stage.channels_in {
            mono.channel_mut(0).copy_from_slice(stereo.channel(0));
        }
    }

    fn end(&mut self, frame: i64) -> &mut Buffer {
        let Self { blocks: [mono, stereo], .. } = self;
        let out = if self.channels_out == 1 { mono } else { stereo };
        if frame < self.latency as i64 {
            out.clear();
        }
        out
    }
}

impl Stage {
    /// Whether it works on the stereo block.
    fn is_wide(&self) -> bool {
        self.channels_in.max(self.channels_out) == 2
    }
}

fn is_silent(audio: &Buffer) -> bool {
    audio.iter().all(control::is_silent)
}
