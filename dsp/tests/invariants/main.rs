//! The contract of a node, held over every processor: the default parameters of [`Processor::all`], which a new one
//! cannot escape, and the variants of `support`.

mod automation;
mod beside;
mod blocks;
mod extremes;
#[path = "../support/long.rs"]
mod long;
mod rest;
#[path = "../support/mod.rs"]
mod support;

use mixdown_dsp::node::ParameterLane;
use mixdown_dsp::nodes::Processor;
use support::{Rig, noise, paths, render, variants};

const RATES_HZ: [u32; 6] = [44_100, 48_000, 88_200, 96_000, 176_400, 192_000];

/// The rates at which nothing of a kind behaves unlike its neighbour: both families, and the highest.
const SPAN_HZ: [u32; 4] = [44_100, 48_000, 96_000, 192_000];

/// One run of an invariant: a processor, mono or stereo, at a rate.
struct Case {
    label: String,
    processor: Processor,
    channels: usize,
    rate_hz: u32,
}

impl Case {
    /// A node and its drive.
    fn rig(&self, lanes: &[ParameterLane]) -> Rig {
        Rig::new(&self.processor, self.rate_hz, self.channels, lanes)
    }

    /// What comes out of a new node in one go.
    fn render(&self, processor: &Processor, input: &[Vec<f32>]) -> Vec<Vec<f32>> {
        render(processor, self.rate_hz, input)
    }

    /// So many frames at 44.1 kHz, in as much time.
    fn frames(&self, at_44_100_hz: usize) -> usize {
        at_44_100_hz * self.rate_hz as usize / 44_100
    }

    /// Without a key; and with one of so many frames, bursts of noise unlike the input, where the processor listens to one.
    fn keys(&self, frames: usize) -> Vec<Option<Vec<Vec<f32>>>> {
        keys(&self.processor, frames)
    }
}

fn keys(processor: &Processor, frames: usize) -> Vec<Option<Vec<Vec<f32>>>> {
    let key = processor.parameters().accepts_sidechain().then(|| {
        let mut key = noise(3, frames, 0.9).split_off(1);
        key.iter_mut().for_each(|channel| channel.iter_mut().skip(frames / 2).for_each(|sample| *sample *= 0.01));
        key
    });
    [None].into_iter().chain(key.map(Some)).collect()
}

/// Calls `check` for every processor on all its paths at each of the rates, and for every preset at one of them in turn,
/// mono and stereo.
fn for_all(rates_hz: &[u32], mut check: impl FnMut(&Case)) {
    let path_count = paths().len();
    for (index, (label, processor)) in variants().into_iter().enumerate() {
        let turn = index % rates_hz.len();
        let rates_hz = if index < path_count { rates_hz } else { &rates_hz[turn..=turn] };
        for &rate_hz in rates_hz {
            for channels in [1, 2] {
                let label = format!("{label}, {channels} channels, {rate_hz} Hz");
                check(&Case { label, processor: processor.clone(), channels, rate_hz });
            }
        }
    }
}
