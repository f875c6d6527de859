//! Suspected drop-outs: holes cut into a sound.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::places::{Place, Places};
use super::prediction::Predictor;
use crate::buffer::Buffer;

/// A sample up to this is silent: two steps of 16 bits, so that dither over a hole does not hide it.
const SILENT: f32 = 1.0 / 16_384.0;
/// The least peak of the sound that a hole is cut into: −50 dBFS.
const SOUNDING: f32 = 0.003_162;
/// At its edge the sound still has this share of its peak (−12 dB): it was cut, it did not die away.
const CUT: f32 = 0.25;
/// Or, carried on into the hole, it would have this share (−20 dB) within 1 ms: it was cut where its wave crosses 0.
const CARRIED_ON: f32 = 0.1;
/// Order of the predictor that carries it on, and one more.
const TAPS: usize = 33;
/// What the sound before and after is looked for in, in ms.
const AROUND_MS: usize = 10;
/// Longer holes are rests, in ms.
const LONGEST_MS: usize = 100;
/// Grains of silence that make a hole; a little over 1 ms of it with the grains cut at its ends.
const SHORTEST_GRAINS: u64 = 2;

/// Suspected drop-outs.
///
/// A hole of 1 to 100 ms in one channel, in which no sample lies above −84 dBFS; on both sides within 10 ms the sound has a
/// peak over −50 dBFS, and either it has no less than a quarter of it right at the edge, or it would have a tenth of it within
/// 1 ms if it had gone on (linear prediction).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Dropouts {
    /// How many.
    pub count: u64,
    /// The first of them.
    pub places: Vec<Place>,
}

/// Frames of a grain, what holes are measured in: a power of two near 0.35 ms.
fn grain_frames(sample_rate_hz: u32) -> usize {
    match sample_rate_hz {
        0..=24_000 => 8,
        24_001..=50_000 => 16,
        50_001..=100_000 => 32,
        _ => 64,
    }
}

/// Looks for them grain by grain.
#[derive(Debug, Clone)]
pub(super) struct DropoutFinder {
    grain_frames: usize,
    /// Frames of what is looked at to either side of a hole.
    around: usize,
    longest: u64,
    channels: Vec<Channel>,
    places: Places,
}

#[derive(Debug, Clone)]
struct Channel {
    /// The grain in progress.
    grain: Vec<f32>,
    grains: u64,
    /// The latest sound, its end last.
    sound: Vec<f32>,
    /// Grains of silence up to now.
    silent: u64,
    /// A hole whose front is that of a cut.
    open: Option<Hole>,
}

#[derive(Debug, Clone)]
struct Hole {
    first: u64,
    grains: u64,
    behind: Vec<f32>,
}

impl DropoutFinder {
    pub(super) fn new(sample_rate_hz: u32, channels: usize) -> Self {
        let grain_frames = grain_frames(sample_rate_hz);
        let frames_in = |ms: usize| sample_rate_hz as usize * ms / 1000;
        let channel =
            Channel { grain: Vec::with_capacity(grain_frames), grains: 0, sound: Vec::new(), silent: 0, open: None };
        Self {
            grain_frames,
            around: frames_in(AROUND_MS) / grain_frames * grain_frames,
            longest: (frames_in(LONGEST_MS) / grain_frames) as u64,
            channels: vec![channel; channels],
            places: Places::new(),
        }
    }

    pub(super) fn push(&mut self, block: &Buffer) {
        for (index, (channel, samples)) in self.channels.iter_mut().zip(block.iter()).enumerate() {
            let mut rest = samples;
            while !rest.is_empty() {
                let (part, behind) = rest.split_at(rest.len().min(self.grain_frames - channel.grain.len()));
                channel.grain.extend_from_slice(part);
                rest = behind;
                if channel.grain.len() == self.grain_frames
                    && let Some(hole) = channel.end_grain(self.around, self.longest)
                {
                    let frames = self.grain_frames as u64;
                    self.places.add_stretch(index, hole.first * frames, hole.grains * frames);
                }
            }
        }
    }

    pub(super) fn finish(self, sample_rate_hz: u32) -> Dropouts {
        let (count, places) = self.places.finish(sample_rate_hz);
        Dropouts { count, places }
    }
}

impl Channel {
    /// Takes the grain; gives a hole once the sound behind it is known.
    fn end_grain(&mut self, around: usize, longest: u64) -> Option<Hole> {
        let length = self.grain.len();
        let mut found = None;
        if let Some(hole) = &mut self.open {
            hole.behind.extend_from_slice(&self.grain);
            if hole.behind.len() >= around {
                hole.behind.reverse();
                let is_hole = was_cut(&hole.behind, length);
                found = self.open.take().filter(|_| is_hole);
            }
        }
        if peak(&self.grain) <= SILENT {
            self.silent += 1;
        } else {
            if (SHORTEST_GRAINS..=longest).contains(&self.silent) && was_cut(&self.sound, length) {
                let mut behind = Vec::with_capacity(around);
                behind.extend_from_slice(&self.grain);
                self.open = Some(Hole { first: self.grains - self.silent, grains: self.silent, behind });
            }
            self.silent = 0;
            let kept = self.sound.len().min(around - length);
            self.sound.drain(..self.sound.len() - kept);
            self.sound.extend_from_slice(&self.grain);
        }
        self.grains += 1;
        self.grain.clear();
        found
    }
}

fn peak(samples: &[f32]) -> f32 {
    samples.iter().fold(0.0, |peak, x| peak.max(x.abs()))
}

/// Whether a sound that ends at a hole was cut there.
fn was_cut(sound: &[f32], grain_frames: usize) -> bool {
    // A hole begins within a grain.
    let Some(last) = sound.iter().rposition(|x| x.abs() > SILENT) else { return false };
    let sound = &sound[..=last];
    let whole = peak(sound);
    if whole < SOUNDING || sound.len() < TAPS {
        return false;
    }
    if peak(&sound[sound.len().saturating_sub(2 * grain_frames)..]) >= CUT * whole {
        return true;
    }
    let carried_on = Predictor::<TAPS>::of(&[sound]).carry_on(sound, 3 * grain_frames);
    let carried_on = carried_on.into_iter().fold(0.0_f32, |peak, x| peak.max(x.abs() as f32));
    carried_on >= SOUNDING && carried_on >= CARRIED_ON * whole
}
