//! The streaming meter.

use super::Measurement;
use super::gating::{integrated_lufs, loudness_range_lu};
use super::peaks::PeakMeter;
use super::weights::weights;
use super::windows::{Windows, hop_start};
use crate::buffer::Buffer;
use crate::kernels::k_weighting::KFilter;
use crate::kernels::peak_bound::greatest_finite;
use crate::units::db_from_gain;

/// Channels that share one filter: as many f64 as the narrowest SIMD register holds.
const LANES: usize = 2;

/// A streaming meter of everything in [`Measurement`]. Its memory grows by 160 bytes a second. The same samples give the
/// same bits however they are cut into blocks; samples that are no finite numbers count as silence.
pub struct Meter {
    sample_rate_hz: u32,
    frames: u64,
    /// The first frame of the hop after the one in progress.
    hop_end: u64,
    hops: u64,
    filters: Vec<KFilter<LANES>>,
    /// Energies of the hop in progress, one entry a filter.
    energies: Vec<[f64; LANES]>,
    weights: Vec<f64>,
    windows: Windows,
    peak: f32,
    true_peaks: PeakMeter,
}

impl Meter {
    /// A meter for 1 to 8 channels in the order of a WAV file, which is that of BS.1770 (L R C LFE Ls Rs); 4 are L R Ls
    /// Rs, 5 lack the LFE, 7 are L R C LFE Cs Ls Rs, 8 are L R C LFE Lb Rb Ls Rs. Where the file says otherwise, see
    /// [`Meter::with_speakers`].
    ///
    /// # Panics
    /// If there are no channels or more than 8.
    #[must_use]
    pub fn new(sample_rate_hz: u32, channels: usize) -> Self {
        Self { true_peaks: PeakMeter::new(channels), ..Self::loudness_only(sample_rate_hz, channels) }
    }

    /// A meter of loudness and sample peaks: `true_peak_dbtp` stays `None`. For solving gains, and beside a [`PeakMeter`].
    ///
    /// # Panics
    /// If there are no channels or more than 8.
    #[must_use]
    pub fn loudness_only(sample_rate_hz: u32, channels: usize) -> Self {
        let weights = weights(channels, 0);
        let filters = channels.div_ceil(LANES);
        Self {
            sample_rate_hz,
            frames: 0,
            hop_end: hop_start(1, sample_rate_hz),
            hops: 0,
            filters: vec![KFilter::new(sample_rate_hz); filters],
            energies: vec![[0.0; LANES]; filters],
            weights,
            windows: Windows::new(sample_rate_hz),
            peak: 0.0,
            true_peaks: PeakMeter::new(0),
        }
    }

    /// The same meter for channels that belong where a channel mask of WAVE says, one bit a channel, in order. A mask of
    /// another number of channels, such as 0, changes nothing.
    #[must_use]
    pub fn with_speakers(self, mask: u32) -> Self {
        Self { weights: weights(self.weights.len(), mask), ..self }
    }

    /// Measures on.
    ///
    /// # Panics
    /// If the block has another number of channels than the meter.
    pub fn push(&mut self, block: &Buffer) {
        self.push_hops(block, |_, _| {});
    }

    /// Measures on, and tells `ended` of every hop of 10 ms that ends within the block: the windows up to there, and the frame
    /// behind it.
    ///
    /// # Panics
    /// If the block has another number of channels than the meter.
    pub(crate) fn push_hops(&mut self, block: &Buffer, mut ended: impl FnMut(&Windows, u64)) {
        assert_eq!(block.channel_count(), self.weights.len(), "a meter is fed blocks of its own channel count");
        for channel in block.iter() {
            self.peak = self.peak.max(greatest_finite(channel));
        }
        self.true_peaks.push(block);
        let mut start = 0;
        while start < block.frames() {
            let until_hop = (self.hop_end - self.frames).min((block.frames() - start) as u64) as usize;
            self.add_energy(block, start..start + until_hop);
            start += until_hop;
            self.frames += until_hop as u64;
            if self.frames == self.hop_end {
                self.end_hop();
                ended(&self.windows, self.frames);
            }
        }
    }

    fn add_energy(&mut self, block: &Buffer, frames: core::ops::Range<usize>) {
        for (index, (filter, energy)) in self.filters.iter_mut().zip(&mut self.energies).enumerate() {
            let first = &block.channel(index * LANES)[frames.clone()];
            // An odd channel out runs beside itself; nothing reads its second lane.
            let second = index * LANES + 1;
            let second = if second < self.weights.len() { &block.channel(second)[frames.clone()] } else { first };
            filter.add_energy([first, second], energy);
        }
    }

    fn end_hop(&mut self) {
        let mut energy = 0.0;
        for (weight, channel) in self.weights.iter().zip(self.energies.as_flattened()) {
            energy += weight * channel;
        }
        self.windows.push(energy);
        self.energies.fill([0.0; LANES]);
        self.filters.iter_mut().for_each(KFilter::flush_denormals);
        self.hops += 1;
        self.hop_end = hop_start(self.hops + 1, self.sample_rate_hz);
    }

    /// The K-weighted power of the 400 ms that ended with the last hop of 10 ms; `None` before there are so many.
    #[must_use]
    pub fn momentary_power(&self) -> Option<f64> {
        self.windows.momentary()
    }

    /// The same of 3 s.
    #[must_use]
    pub fn short_term_power(&self) -> Option<f64> {
        self.windows.short_term()
    }

    /// The result.
    #[must_use]
    pub fn finish(self) -> Measurement {
        let level = |peak: f64| (peak > 0.0).then(|| db_from_gain(peak));
        Measurement {
            frames: self.frames,
            sample_rate_hz: self.sample_rate_hz,
            channels: self.weights.len() as u32,
            duration_seconds: self.frames as f64 / f64::from(self.sample_rate_hz),
            integrated_lufs: integrated_lufs(self.windows.gating_blocks()),
            momentary_max_lufs: self.windows.momentary_max_lufs(),
            short_term_max_lufs: self.windows.short_term_max_lufs(),
            loudness_range_lu: loudness_range_lu(&self.windows.into_range_powers()),
            true_peak_dbtp: self.true_peaks.finish(),
            sample_peak_dbfs: level(f64::from(self.peak)),
        }
    }
}
