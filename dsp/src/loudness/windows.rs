//! The windows of the meters, built from energies of hops of 10 ms.

use super::gating::lufs;

/// Hops in a second; every window is a whole number of hops and starts at one.
const HOPS_PER_SECOND: u64 = 100;
/// Hops in the 400 ms window: gating blocks and momentary loudness.
const MOMENTARY_HOPS: usize = 40;
/// Hops in the 3 s window of short-term loudness.
const SHORT_TERM_HOPS: usize = 300;
/// Hops between gating blocks (75 % overlap), and between the short-term values of the loudness range (10 Hz).
const STORE_HOPS: u64 = 10;
/// Hops of silence that a file meter appends for the loudness range (1.5 s, Tech 3342 section 4).
const APPENDED_HOPS: usize = 150;

/// The frame at which a hop starts: 10 ms each, to the nearest sample at rates that 100 does not divide.
pub fn hop_start(hop: u64, sample_rate_hz: u32) -> u64 {
    (hop * u64::from(sample_rate_hz) + HOPS_PER_SECOND / 2) / HOPS_PER_SECOND
}

/// All windows over the hops so far. Every window is summed afresh in time order: a running sum would drift.
#[derive(Debug, Clone)]
pub struct Windows {
    sample_rate_hz: u32,
    hops: u64,
    /// The last [`SHORT_TERM_HOPS`] energies; hop h lies at `h % SHORT_TERM_HOPS`.
    ring: Vec<f64>,
    /// Powers of the windows that ended with the last hop.
    momentary: Option<f64>,
    short_term: Option<f64>,
    gating_blocks: Vec<f64>,
    range_powers: Vec<f64>,
    momentary_max: f64,
    short_term_max: f64,
}

impl Windows {
    /// No hops yet.
    pub fn new(sample_rate_hz: u32) -> Self {
        Self {
            sample_rate_hz,
            hops: 0,
            ring: vec![0.0; SHORT_TERM_HOPS],
            momentary: None,
            short_term: None,
            gating_blocks: Vec::new(),
            range_powers: Vec::new(),
            momentary_max: 0.0,
            short_term_max: 0.0,
        }
    }

    /// Takes the energy (weighted sum of squares) of the next hop.
    pub fn push(&mut self, energy: f64) {
        self.ring[(self.hops % SHORT_TERM_HOPS as u64) as usize] = energy;
        self.hops += 1;
        let stored = self.hops.is_multiple_of(STORE_HOPS);
        (self.momentary, self.short_term) = (self.power(MOMENTARY_HOPS), self.power(SHORT_TERM_HOPS));
        if let Some(power) = self.momentary {
            self.momentary_max = self.momentary_max.max(power);
            if stored {
                self.gating_blocks.push(power);
            }
        }
        if let Some(power) = self.short_term {
            self.short_term_max = self.short_term_max.max(power);
            if stored {
                self.range_powers.push(power);
            }
        }
    }

    /// The power of the last 400 ms, `None` while there are fewer.
    pub fn momentary(&self) -> Option<f64> {
        self.momentary
    }

    /// The power of the last 3 s, `None` while there are fewer.
    pub fn short_term(&self) -> Option<f64> {
        self.short_term
    }

    /// The mean square of the last `count` hops, `None` while there are fewer.
    fn power(&self, count: usize) -> Option<f64> {
        let first = self.hops.checked_sub(count as u64)?;
        let frames = hop_start(self.hops, self.sample_rate_hz) - hop_start(first, self.sample_rate_hz);
        let start = (first % SHORT_TERM_HOPS as u64) as usize;
        let until_wrap = count.min(SHORT_TERM_HOPS - start);
        let (late, early) = (&self.ring[..count - until_wrap], &self.ring[start..start + until_wrap]);
        let energy = early.iter().chain(late).fold(0.0, |sum, hop| sum + hop);
        Some(energy / frames as f64)
    }

    /// The powers of the gating blocks.
    pub fn gating_blocks(&self) -> &[f64] {
        &self.gating_blocks
    }

    /// Greatest momentary loudness in LUFS.
    pub fn momentary_max_lufs(&self) -> Option<f64> {
        (self.momentary_max > 0.0).then(|| lufs(self.momentary_max))
    }

    /// Greatest short-term loudness in LUFS.
    pub fn short_term_max_lufs(&self) -> Option<f64> {
        (self.short_term_max > 0.0).then(|| lufs(self.short_term_max))
    }

    /// The powers of short-term windows at 10 Hz, those included that reach into the silence appended to a file.
    pub fn into_range_powers(mut self) -> Vec<f64> {
        for _ in 0..APPENDED_HOPS {
            self.push(0.0);
        }
        self.range_powers
    }
}
