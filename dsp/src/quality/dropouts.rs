//! Suspected drop-outs: holes cut into a sound.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::grains::{Grain, grain_frames};
use super::places::{Place, Places};

/// A sample up to this is silent: two steps of 16 bits, so that dither over a hole does not hide it.
const SILENT: f32 = 1.0 / 16_384.0;
/// The least peak of the sound that a hole is cut into: −50 dBFS.
const SOUNDING: f32 = 0.003_162;
/// At its edge the sound still has this share of its peak (−12 dB): it was cut, it did not die away.
const CUT: f32 = 0.25;
/// What the sound before and after is looked for in, in ms.
const AROUND_MS: usize = 10;
/// Longer holes are rests, in ms.
const LONGEST_MS: usize = 100;
/// Grains of silence that make a hole; a little over 1 ms of it with the grains cut at its ends.
const SHORTEST_GRAINS: u64 = 2;

/// Suspected drop-outs.
///
/// A hole of 1 to 100 ms in one channel, in which no sample lies above −84 dBFS; on both sides within 10 ms the sound has a
/// peak over −50 dBFS, and right at the edge no less than a quarter of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Dropouts {
    /// How many.
    pub count: u64,
    /// The first of them.
    pub places: Vec<Place>,
}

/// Looks for them grain by grain.
#[derive(Debug, Clone)]
pub(super) struct DropoutFinder {
    grain_frames: usize,
    around: usize,
    longest: u64,
    channels: Vec<Channel>,
    grains: u64,
    places: Places,
}

#[derive(Debug, Clone)]
struct Channel {
    /// Peaks of the latest grains, the newest last.
    peaks: std::collections::VecDeque<f32>,
    /// Grains of silence up to now.
    silent: u64,
    /// A hole whose front is that of a cut, and how many grains ago it ended: (first grain, grains, ended).
    open: Option<(u64, u64, usize)>,
}

impl DropoutFinder {
    pub(super) fn new(sample_rate_hz: u32, channels: usize) -> Self {
        let grain_frames = grain_frames(sample_rate_hz);
        let grains_in = |ms: usize| sample_rate_hz as usize * ms / 1000 / grain_frames;
        let around = grains_in(AROUND_MS);
        let peaks = std::iter::repeat_n(0.0, around).collect();
        let channel = Channel { peaks, silent: 0, open: None };
        Self {
            grain_frames,
            around,
            longest: grains_in(LONGEST_MS) as u64,
            channels: vec![channel; channels],
            grains: 0,
            places: Places::new(),
        }
    }

    pub(super) fn push(&mut self, grains: &[Grain]) {
        for (index, (channel, grain)) in self.channels.iter_mut().zip(grains).enumerate() {
            if let Some((first, length)) = channel.push(grain.peak, self.grains, self.around, self.longest) {
                let frames = self.grain_frames as u64;
                self.places.add_stretch(index, first * frames, length * frames);
            }
        }
        self.grains += 1;
    }

    pub(super) fn finish(self, sample_rate_hz: u32) -> Dropouts {
        let (count, places) = self.places.finish(sample_rate_hz);
        Dropouts { count, places }
    }
}

/// Whether a sound with these peaks, from its edge inwards, was cut there.
fn was_cut(peaks: impl Iterator<Item = f32> + Clone) -> bool {
    let peak = peaks.clone().fold(0.0, f32::max);
    let edge = peaks.take(2).fold(0.0, f32::max);
    peak >= SOUNDING && edge >= CUT * peak
}

impl Channel {
    /// Takes the next grain; gives a hole (first grain, grains) once the sound behind it is known.
    fn push(&mut self, peak: f32, grain: u64, around: usize, longest: u64) -> Option<(u64, u64)> {
        let mut found = None;
        if let Some((first, length, ended)) = &mut self.open {
            *ended += 1;
            if *ended == around {
                let behind = self.peaks.iter().skip(self.peaks.len() - (around - 1)).copied().chain([peak]);
                found = was_cut(behind).then_some((*first, *length));
                self.open = None;
            }
        }
        if peak <= SILENT {
            self.silent += 1;
            return found;
        }
        if (SHORTEST_GRAINS..=longest).contains(&self.silent) && was_cut(self.peaks.iter().rev().copied()) {
            self.open = Some((grain - self.silent, self.silent, 1));
        }
        self.silent = 0;
        self.peaks.pop_front();
        self.peaks.push_back(peak);
        found
    }
}
