//! Suspected clicks: jumps of a few samples that nothing around them explains.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::grains::{Grain, grain_frames};
use super::places::{Place, Places};

/// How far a jump must stand out of all others around it, linear.
const STANDS_OUT: f32 = 8.0;
/// What lies around a jump, to either side, in ms.
const AROUND_MS: usize = 25;
/// Fourth differences below this are no clicks: a jump of one sample by −50 dBFS.
const LEAST: f32 = 0.02;
/// Where the level behind is this many times that before, or the other way round, a sound starts or stops: 3 dB, as power.
const ONSET: f32 = 2.0;
/// Mean square below which both sides count as silent: −70 dBFS.
const SILENT: f32 = 1e-7;

/// Suspected clicks.
///
/// The fourth difference of a channel passes what clicks are made of and little of music. A grain (0.35 ms) holds a click if
/// its greatest fourth difference is eight times the greatest in the 25 ms before it and in the 25 ms after it, and the
/// level before and after differs by less than 3 dB. So a drum is none (what follows is louder, and rough for long), nor
/// are the edges of a saw tooth (each has its like beside it).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Clicks {
    /// How many.
    pub count: u64,
    /// The first of them.
    pub places: Vec<Place>,
}

/// Looks for them grain by grain.
#[derive(Debug, Clone)]
pub(super) struct ClickFinder {
    grain_frames: usize,
    around: usize,
    /// Per channel the latest grains: `around` before the candidate and its neighbour, the candidate, the same behind.
    /// Grain g lies at `g % length`.
    rings: Vec<Vec<Grain>>,
    grains: u64,
    last: Option<u64>,
    places: Places,
}

impl ClickFinder {
    pub(super) fn new(sample_rate_hz: u32, channels: usize) -> Self {
        let grain_frames = grain_frames(sample_rate_hz);
        let around = sample_rate_hz as usize * AROUND_MS / 1000 / grain_frames;
        let rings = vec![vec![Grain::default(); 2 * around + 3]; channels];
        Self { grain_frames, around, rings, grains: 0, last: None, places: Places::new() }
    }

    pub(super) fn push(&mut self, grains: &[Grain]) {
        let length = 2 * self.around + 3;
        let at = (self.grains % length as u64) as usize;
        for (ring, grain) in self.rings.iter_mut().zip(grains) {
            ring[at] = *grain;
        }
        self.grains += 1;
        // The candidate lies in the middle of the ring; before the first grain there is silence.
        let behind = self.around as u64 + 2;
        if self.grains < behind {
            return;
        }
        let candidate = self.grains - behind;
        let middle = (candidate % length as u64) as usize;
        let found = self.rings.iter().position(|ring| is_click(ring, middle, self.around));
        let Some(channel) = found else { return };
        // One click may stand in two grains, and in two channels.
        if self.last.is_none_or(|last| candidate > last + 3) {
            self.places.add(channel, candidate * self.grain_frames as u64);
        }
        self.last = Some(candidate);
    }

    pub(super) fn finish(mut self, sample_rate_hz: u32) -> Clicks {
        for _ in 0..self.around + 1 {
            let silence = [Grain::default(); super::columns::MAX_CHANNELS];
            self.push(&silence[..self.rings.len()]);
        }
        let (count, places) = self.places.finish(sample_rate_hz);
        Clicks { count, places }
    }
}

/// Whether the grain at `middle` of the ring holds a click.
fn is_click(ring: &[Grain], middle: usize, around: usize) -> bool {
    let jump = ring[middle].jump;
    let length = ring.len();
    let at = |offset: isize| &ring[(middle as isize + offset).rem_euclid(length as isize) as usize];
    if jump < LEAST || jump < at(-1).jump || jump < at(1).jump {
        return false;
    }
    let side = |direction: isize| {
        let mut greatest = 0.0_f32;
        let mut energy = 0.0_f32;
        for offset in 2..=around as isize + 1 {
            let grain = at(direction * offset);
            greatest = greatest.max(grain.jump);
            energy += grain.energy;
        }
        (greatest, energy)
    };
    let (before, after) = (side(-1), side(1));
    // A grain holds at least 8 frames: so the floor is that of the mean square, or lower.
    let floor = SILENT * 8.0 * around as f32;
    let (quieter, louder) = (before.1.min(after.1).max(floor), before.1.max(after.1).max(floor));
    jump > STANDS_OUT * before.0.max(after.0) && louder < ONSET * quieter
}
