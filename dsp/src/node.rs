//! The contract of a node: a user-visible processor on the way from parameters to kernels.
//!
//! Every node, in every session, keeps these promises; `tests/invariants` holds all of them over all nodes:
//! any split into blocks gives the bits of one block; [`Node::reset`] equals a new node; the latency and tail it declares
//! are the measured ones; silence in gives silence out once the tail is over; NaN and infinity never leave it; a constant
//! automation lane equals the parameter; sums pass as sums where it says so; `process` neither fails nor allocates.

use core::any::Any;

use crate::automation::Lane;
use crate::buffer::Buffer;

/// Automated parameters other than gain, pan and sends are computed at absolute frames that are multiples of this, and
/// the coefficients between are interpolated.
pub const CONTROL_FRAMES: usize = 16;

/// ln(10^(120/20)): nepers to −120 dBFS, where a tail ends.
pub const LN_120_DB: f64 = 6.0 * core::f64::consts::LN_10;

/// What a node is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prepare {
    /// The session's render rate.
    pub sample_rate_hz: u32,
    /// Channels coming in: 1 or 2.
    pub channels: usize,
    /// No block is longer than this.
    pub max_block_frames: usize,
}

/// The course of one parameter of one node.
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterLane {
    /// Index into the processor's [`Parameters::specs`].
    pub parameter: usize,
    /// Its value over session time.
    pub lane: Lane,
}

/// A continuous parameter that may be automated.
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterSpec {
    /// As written in an automation target, with its unit as suffix: `threshold_db`, `bands.2.frequency_hz` (bands count from 1).
    pub name: String,
    /// The lowest value allowed.
    pub min: f64,
    /// The highest value allowed.
    pub max: f64,
}

/// The parameters of one processor as the session document states them.
pub trait Parameters {
    /// The continuous parameters, in a fixed order.
    fn specs(&self) -> Vec<ParameterSpec>;
    /// The value of the parameter at an index of [`Self::specs`].
    fn get(&self, index: usize) -> f64;
    /// Sets the parameter at an index of [`Self::specs`]; the value lies in its range.
    fn set(&mut self, index: usize, value: f64);
    /// Faults beyond each field's own range (a band above half the sample rate, say), each as (field, what is wrong and what was expected).
    fn faults(&self, sample_rate_hz: u32) -> Vec<(String, String)> {
        let _ = sample_rate_hz;
        Vec::new()
    }
    /// Numbers that look as if they might move but cannot, each with the reason. Whatever else is no spec is a choice made
    /// once for the session.
    fn fixed(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }
    /// Whether the processor listens to a side-chain key.
    fn accepts_sidechain(&self) -> bool {
        false
    }
    /// Whether what comes out for a sum of sounds is the sum of what comes out for each, automation or not; `keyed` says
    /// that the detector hears a side-chain key, which is the same for all of them. A processor that says no cannot run
    /// once for each group of a mix.
    fn is_linear(&self, keyed: bool) -> bool;
    /// Channels that leave for `channels` that come in.
    fn channels_out(&self, channels: usize) -> usize {
        channels
    }
    /// Frames by which the output lags the input, from the parameters alone.
    fn latency_frames(&self, sample_rate_hz: u32) -> usize;
    /// Frames after the last non-silent input until the output stays below −120 dBFS, not counting the latency; from the
    /// parameters alone, never from the audio.
    fn tail_frames(&self, sample_rate_hz: u32) -> u64;
}

/// Why a parameter that decides the latency is [`Parameters::fixed`].
pub const DECIDES_LATENCY: &str = "it decides the latency, which is made up for once, on every path of the session";

/// Why a parameter that decides a filter's order is [`Parameters::fixed`].
pub const DECIDES_ORDER: &str = "it decides how many filter sections there are";

/// What `process` works on.
pub struct Block<'a> {
    /// The session frame of this block's first input frame at this node (its latency upstream already taken off): the
    /// absolute grid of automation. Negative while the latency upstream fills.
    pub frame: i64,
    /// In and out, in place. A node that widens mono finds two channels here, the input in the first; one that narrows
    /// stereo leaves its output in the first.
    pub audio: &'a mut Buffer,
    /// The side-chain key, aligned with the input; mono or stereo, as long as `audio`.
    pub key: Option<&'a Buffer>,
}

/// A processor at work. Built by [`crate::nodes::Processor::build`], which allocates all that `process` needs.
pub trait Node: Any + Send {
    /// Processes one block in place.
    fn process(&mut self, block: &mut Block<'_>);
    /// Processes one block with this node and one with `other`, of another track, as [`Self::process`] does with each. Nodes
    /// of one kind may share vector instructions.
    fn process_beside(&mut self, block: &mut Block<'_>, other: &mut dyn Node, other_block: &mut Block<'_>) {
        self.process(block);
        other.process(other_block);
    }
    /// Returns to the state of a new node.
    fn reset(&mut self);
    /// Whether the node, fed silence from now on, gives exact zeros and its state no longer changes what comes later.
    /// The graph skips nodes at rest while their input is silent, so `true` must be exact; `false` is always allowed.
    fn is_at_rest(&self) -> bool {
        false
    }
}
