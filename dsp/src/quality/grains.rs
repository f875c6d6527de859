//! The signal in grains of a third of a millisecond: what clicks and drop-outs are looked for in.

use crate::buffer::Buffer;

/// Frames of a grain: a power of two near 0.35 ms.
pub(super) fn grain_frames(sample_rate_hz: u32) -> usize {
    match sample_rate_hz {
        0..=24_000 => 8,
        24_001..=50_000 => 16,
        50_001..=100_000 => 32,
        _ => 64,
    }
}

/// One channel within a grain.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Grain {
    /// Greatest magnitude of a sample.
    pub peak: f32,
    /// Greatest magnitude of the fourth difference x\[n\] − 4x\[n−1\] + 6x\[n−2\] − 4x\[n−3\] + x\[n−4\]: music has little there,
    /// a jump of one sample six times its height.
    pub jump: f32,
    /// Sum of squares.
    pub energy: f32,
}

/// Cuts channels into grains, however they come in blocks.
#[derive(Debug, Clone)]
pub(super) struct Grains {
    frames: usize,
    /// Per channel the last four samples, then those of the grain in progress.
    lines: Vec<Vec<f32>>,
}

const HISTORY: usize = 4;

impl Grains {
    pub(super) fn new(sample_rate_hz: u32, channels: usize) -> Self {
        let frames = grain_frames(sample_rate_hz);
        let mut line = Vec::with_capacity(HISTORY + frames);
        line.resize(HISTORY, 0.0);
        Self { frames, lines: vec![line; channels] }
    }

    /// Takes a block and hands over each grain that it completes, all channels together.
    pub(super) fn push(&mut self, block: &Buffer, mut take: impl FnMut(&[Grain])) {
        let mut grains = [Grain::default(); super::columns::MAX_CHANNELS];
        let channels = self.lines.len();
        let mut from = 0;
        while from < block.frames() {
            let missing = HISTORY + self.frames - self.lines[0].len();
            let to = block.frames().min(from + missing);
            for (line, channel) in self.lines.iter_mut().zip(block.iter()) {
                line.extend_from_slice(&channel[from..to]);
            }
            from = to;
            if self.lines[0].len() == HISTORY + self.frames {
                for (grain, line) in grains.iter_mut().zip(&mut self.lines) {
                    *grain = measure(line);
                    line.copy_within(self.frames.., 0);
                    line.truncate(HISTORY);
                }
                take(&grains[..channels]);
            }
        }
    }
}

fn measure(line: &[f32]) -> Grain {
    let mut lanes = [Grain::default(); 8];
    let count = line.len() - HISTORY;
    let [a, b, c, d, e] = [0, 1, 2, 3, 4].map(|delay| &line[HISTORY - delay..][..count]);
    for at in (0..count).step_by(8) {
        for (lane, grain) in lanes.iter_mut().enumerate() {
            let n = at + lane;
            grain.peak = grain.peak.max(a[n].abs());
            grain.jump = grain.jump.max((a[n] - 4.0 * b[n] + 6.0 * c[n] - 4.0 * d[n] + e[n]).abs());
            grain.energy += a[n] * a[n];
        }
    }
    lanes.iter().fold(Grain::default(), |sum, lane| Grain {
        peak: sum.peak.max(lane.peak),
        jump: sum.jump.max(lane.jump),
        energy: sum.energy + lane.energy,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_of_one_sample_shows_six_times_its_height() {
        let mut block = Buffer::new(1, 64);
        block.channel_mut(0)[37] = 0.1;
        let mut seen = Vec::new();
        Grains::new(48_000, 1).push(&block, |grains| seen.push(grains[0]));
        assert_eq!(seen.len(), 4);
        assert_eq!(seen[2].peak, 0.1);
        assert!((seen[2].jump - 0.6).abs() < 1e-6 && seen[1].jump == 0.0 && seen[3].jump == 0.0, "{seen:?}");
    }
}
